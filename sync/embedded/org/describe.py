"""Describe results, derived from the schema with the complete set of attributes that clients read."""

from __future__ import annotations

from typing import Any

from sync.embedded.org.schema import NUMERIC, TEXTUAL, Field, ObjectType, Schema

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "percent": "xsd:double",
    "currency": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
}
_NOT_GROUPED = frozenset({"datetime", "textarea", "double", "percent", "currency"})
_REPLICATED = frozenset({"Campaign", "CampaignMember", "CampaignMemberStatus", "Lead", "Contact", "Account"})


def is_replicated(item: ObjectType) -> bool:
    """Whether the object has the updated and deleted resources."""
    return item.name in _REPLICATED or item.custom


def _picklist(field: Field) -> list[dict[str, Any]]:
    return [
        {"active": True, "defaultValue": value == field.default, "label": value, "validFor": None, "value": value}
        for value in field.picklist
    ]


def describe_field(field: Field, owner: ObjectType) -> dict[str, Any]:
    """One field with every attribute of a describe."""
    kind, long_text = field.type, field.type == "textarea" and field.length > 255
    text = kind in TEXTUAL
    is_name = field.name_field
    return {
        "aggregatable": not long_text and kind != "boolean",
        "aiPredictionField": False,
        "autoNumber": field.auto_number is not None,
        "byteLength": field.length * 3 if text else (18 if kind in ("id", "reference") else 0),
        "calculated": field.calculated,
        "calculatedFormula": field.formula,
        "cascadeDelete": field.cascade_delete,
        "caseSensitive": False,
        "compoundFieldName": None,
        "controllerName": None,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": field.default if kind == "boolean" else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": (field.default is not None or field.name == "OwnerId") and not field.expression,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": 9 if kind == "int" else 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": field.external_id,
        "extraTypeInfo": "plaintextarea" if kind == "textarea" else None,
        "filterable": not long_text,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": field.calculated and kind in NUMERIC,
        "groupable": kind not in _NOT_GROUPED and not field.calculated,
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": kind == "id" or field.external_id or (kind == "email" and not field.derived),
        "inlineHelpText": None,
        "label": field.label,
        "length": 18 if kind in ("id", "reference") else field.length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": is_name,
        "namePointing": field.id_text,
        "nillable": field.nillable,
        "permissionable": field.custom and not field.cascade_delete and field.nillable,
        "picklistValues": _picklist(field),
        "polymorphicForeignKey": field.id_text,
        "precision": field.precision,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship,
        "relationshipOrder": 0 if field.cascade_delete and field.custom else None,
        "restrictedDelete": False,
        "restrictedPicklist": field.restricted,
        "scale": field.scale,
        "searchPrefilterable": kind in ("id", "reference", "boolean"),
        "soapType": _SOAP.get(kind, "xsd:string"),
        "sortable": not long_text,
        "type": kind,
        "unique": field.unique,
        "updateable": field.updateable,
        "writeRequiresMasterRead": False,
    }


def summary(item: ObjectType, version: str) -> dict[str, Any]:
    """An object as the list of all objects shows it."""
    base = f"/services/data/v{version}/sobjects/{item.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": item.createable,
        "custom": item.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": item.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": item.prefix,
        "label": item.label,
        "labelPlural": item.plural,
        "layoutable": True,
        "mergeable": item.name in ("Lead", "Contact"),
        "mruEnabled": True,
        "name": item.name,
        "queryable": True,
        "replicateable": is_replicated(item),
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": item.deletable and item.name != "CampaignMember",
        "updateable": item.updateable,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": base + "/{ID}"},
    }


def _children(item: ObjectType, schema: Schema) -> list[dict[str, Any]]:
    return [
        {
            "cascadeDelete": one.cascade_delete,
            "childSObject": one.child,
            "deprecatedAndHidden": False,
            "field": one.field,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": one.name,
            "restrictedDelete": False,
        }
        for one in schema.relations(item)
    ]


def describe_object(item: ObjectType, schema: Schema, version: str) -> dict[str, Any]:
    """The full describe of an object."""
    answer = summary(item, version)
    answer.update(
        {
            "actionOverrides": [],
            "childRelationships": _children(item, schema),
            "compactLayoutable": True,
            "defaultImplementation": None,
            "extendedBy": None,
            "extendsInterfaces": None,
            "fields": [describe_field(f, item) for f in item.fields],
            "implementedBy": None,
            "implementsInterfaces": None,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "recordTypeInfos": [
                {
                    "active": True,
                    "available": True,
                    "defaultRecordTypeMapping": True,
                    "developerName": "Master",
                    "master": True,
                    "name": "Master",
                    "recordTypeId": "012000000000000AAA",
                    "urls": {},
                }
            ],
            "searchLayoutable": True,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [],
        }
    )
    return answer
