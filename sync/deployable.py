"""The fields and objects that the engine needs, as source that the Salesforce CLI deploys to an org without a package.

Pure: a mapping in, texts of files by their path out. A name of the package (``PAM__Level__c``) belongs to its namespace
and cannot be made by anybody else, so it becomes a name of the org's own (``PAM_Level__c``), and ``mapping.toml`` holds
the overrides. Standard fields and names that are switched off are left out. Two rates are switched off: they need
roll-ups of their own, and nothing but a picture depends on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from xml.sax.saxutils import escape

from sync.mapping import Mapping

API_VERSION = "66.0"
PERMISSION_SET = "Predictive_Integration"
_ROOT = "force-app/main/default"
_XMLNS = "http://soap.sforce.com/2006/04/metadata"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_LEFT_OUT = ("campaign_click_to_open", "campaign_completion_to_open")

_BOX = {"type": "Checkbox", "defaultValue": "false"}
_WHOLE = {"type": "Number", "precision": "18", "scale": "0"}
_DATE = {"type": "Date"}
_EXTERNAL = {
    "type": "Text",
    "length": "255",
    "externalId": "true",
    "unique": "true",
    "caseSensitive": "true",
}


def _text(length: int) -> dict[str, str]:
    return {"type": "Text", "length": str(length)}


@dataclass(frozen=True, slots=True)
class _Own:
    """An object of ours: the mapping's key, its labels, its name field, and what its keys begin with."""

    key: str
    label: str
    plural: str
    name_field: str
    prefix: str


_OBJECTS = (
    _Own("edition", "Email Edition", "Email Editions", "<label>Name</label><type>Text</type>", "edition_"),
    _Own(
        "click_through",
        "Click Through",
        "Click Throughs",
        "<displayFormat>CT-{000000}</displayFormat><label>Number</label><type>AutoNumber</type>",
        "click_",
    ),
    _Own(
        "history",
        "Email History",
        "Email History",
        "<displayFormat>EH-{000000}</displayFormat><label>Number</label><type>AutoNumber</type>",
        "history_",
    ),
)

_STANDARD = {"campaign_": ("Campaign",), "member_": ("CampaignMember",), "person_": ("Lead", "Contact")}

_KINDS: dict[str, dict[str, str]] = {
    "campaign_auto_sync": _BOX,
    "member_level": _text(40),
    "member_reason": _text(80),
    "member_test_member": _BOX,
    "member_synced": {"type": "DateTime"},
    "member_active": _BOX,
    "member_opens": _WHOLE,
    "member_clicks": _WHOLE,
    "member_completions": _WHOLE,
    "member_bounces": _WHOLE,
    "person_test_group": _text(40),
    "person_test_member": _BOX,
    "edition_subject": _text(255),
    "edition_active": _BOX,
    "edition_start_date": _DATE,
    "edition_end_date": _DATE,
    "edition_days_delay": _WHOLE,
    "edition_external_id": _EXTERNAL,
    "edition_sent": _WHOLE,
    "edition_delivered": _WHOLE,
    "edition_opened": _WHOLE,
    "edition_clicked": _WHOLE,
    "edition_completed": _WHOLE,
    "edition_bounced": _WHOLE,
    "edition_opted_out": _WHOLE,
    "click_url": {"type": "Url"},
    "click_hits": _WHOLE,
    "click_completion": _BOX,
    "click_external_id": _EXTERNAL,
    "history_subject": _text(255),
    "history_count": _WHOLE,
    "history_date": _DATE,
    "history_hour": {"type": "Number", "precision": "2", "scale": "0"},
    "history_external_id": _EXTERNAL,
}


def own_names(mapping: Mapping) -> Mapping:
    """The mapping of an org that deployed this: no name with a namespace, nothing that is not deployed."""
    changed = {
        item.name: "" if item.name in _LEFT_OUT else _without_namespace(getattr(mapping, item.name))
        for item in fields(mapping)
    }
    return replace(mapping, **changed)


def _without_namespace(name: str) -> str:
    stem = name.removesuffix("__c")
    return name if stem == name else stem.replace("__", "_") + "__c"


def deployable(mapping: Mapping) -> dict[str, str]:
    """Every file of the project, by its path with forward slashes."""
    names = own_names(mapping)
    made = list(_fields(names))
    objects = [own for own in _OBJECTS if getattr(names, own.key)]
    files = {
        "sfdx-project.json": '{\n  "packageDirectories": [{"path": "force-app", "default": true}],\n'
        f'  "sourceApiVersion": "{API_VERSION}"\n}}\n',
        "manifest/package.xml": _manifest(made, [getattr(names, own.key) for own in objects]),
        "mapping.toml": _overrides(names),
        f"{_ROOT}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml": _permissions(made, names),
    }
    for own in objects:
        name = getattr(names, own.key)
        files[f"{_ROOT}/objects/{name}/{name}.object-meta.xml"] = _object(own)
    for field in made:
        path = f"{_ROOT}/objects/{field.parent}/fields/{field.name}.field-meta.xml"
        files[path] = _document("CustomField", field.inner)
    return dict(sorted(files.items()))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field to make. ``access``: "edit", "read" for what is computed, "" for what is required and so always there."""

    parent: str
    name: str
    inner: str
    access: str = "edit"


def _fields(names: Mapping) -> Iterator[_Field]:
    for key, kind in _KINDS.items():
        name = getattr(names, key)
        if not name.endswith("__c"):
            continue
        for parent in _parents(names, key):
            yield _Field(parent, name, _inner(name, kind))
    for own in _OBJECTS:
        parent = getattr(names, own.key)
        if not parent:
            continue
        campaign = getattr(names, f"{own.prefix}campaign")
        if campaign:
            yield _Field(parent, campaign, _master(campaign, own), access="")
        edition = getattr(names, f"{own.prefix}edition", "")
        if edition and names.edition:
            yield _Field(parent, edition, _lookup(edition, names.edition, own))
    yield from _computed(names)


def _parents(names: Mapping, key: str) -> tuple[str, ...]:
    for prefix, parents in _STANDARD.items():
        if key.startswith(prefix):
            return parents
    own = next(own for own in _OBJECTS if key.startswith(own.prefix))
    name = getattr(names, own.key)
    return (name,) if name else ()


def _computed(names: Mapping) -> Iterator[_Field]:
    """What the org computes on Campaign from the rows that are written."""
    total, active = names.campaign_total_members, names.campaign_active_members
    if total:
        formula = "NumberOfLeads + NumberOfContacts - NumberOfConvertedLeads"
        yield _Field("Campaign", total, _formula(total, formula), access="read")
    if active and names.member_active:
        count = _rollup(active, "count", "CampaignMember.CampaignId", where=(names.member_active, "True"))
        yield _Field("Campaign", active, count, access="read")
        if total and names.campaign_inactive_members:
            formula = _formula(names.campaign_inactive_members, f"{total} - {active}")
            yield _Field("Campaign", names.campaign_inactive_members, formula, access="read")
    if names.campaign_opt_out_direct and names.member_reason:
        where = (names.member_reason, "Opt Out Direct")
        count = _rollup(names.campaign_opt_out_direct, "count", "CampaignMember.CampaignId", where=where)
        yield _Field("Campaign", names.campaign_opt_out_direct, count, access="read")
    if names.campaign_delivered and names.has_editions and names.edition_delivered:
        key = f"{names.edition}.{names.edition_campaign}"
        total_of = f"{names.edition}.{names.edition_delivered}"
        inner = _rollup(names.campaign_delivered, "sum", key, summed=total_of)
        yield _Field("Campaign", names.campaign_delivered, inner, access="read")


def _label(name: str) -> str:
    words = name.removesuffix("__c").split("_")
    return " ".join(words[1:] if words[0] == "PAM" else words)


def _tags(values: dict[str, str]) -> str:
    return "".join(f"    <{key}>{escape(value)}</{key}>\n" for key, value in sorted(values.items()))


def _inner(name: str, kind: dict[str, str]) -> str:
    return _tags({"fullName": name, "label": _label(name), **kind})


def _master(name: str, own: _Own) -> str:
    return _tags(
        {
            "fullName": name,
            "label": "Campaign",
            "referenceTo": "Campaign",
            "relationshipLabel": own.plural,
            "relationshipName": own.plural.replace(" ", "_"),
            "relationshipOrder": "0",
            "reparentableMasterDetail": "false",
            "type": "MasterDetail",
            # Reading the campaign is enough to write its rows, whatever the org shares.
            "writeRequiresMasterRead": "true",
        }
    )


def _lookup(name: str, edition: str, own: _Own) -> str:
    return _tags(
        {
            "deleteConstraint": "SetNull",
            "fullName": name,
            "label": "Email Edition",
            "referenceTo": edition,
            "relationshipLabel": own.plural,
            "relationshipName": own.plural.replace(" ", "_"),
            "type": "Lookup",
        }
    )


def _formula(name: str, formula: str) -> str:
    return _inner(name, {**_WHOLE, "formula": formula, "formulaTreatBlanksAs": "BlankAsZero"})


def _rollup(name: str, operation: str, key: str, *, where: tuple[str, str] | None = None, summed: str = "") -> str:
    inner = _inner(name, {"summaryForeignKey": key, "summaryOperation": operation, "type": "Summary"})
    if summed:
        inner += _tags({"summarizedField": summed})
    if where is not None:
        field = f"{key.partition('.')[0]}.{where[0]}"
        inner += (
            f"    <summaryFilterItems>\n        <field>{field}</field>\n        <operation>equals</operation>\n"
            f"        <value>{escape(where[1])}</value>\n    </summaryFilterItems>\n"
        )
    return inner


def _document(kind: str, inner: str) -> str:
    return f'{_HEAD}<{kind} xmlns="{_XMLNS}">\n{inner}</{kind}>\n'


def _object(own: _Own) -> str:
    inner = _tags(
        {
            "deploymentStatus": "Deployed",
            "label": own.label,
            "pluralLabel": own.plural,
            "sharingModel": "ControlledByParent",
        }
    )
    return _document("CustomObject", f"{inner}    <nameField>{own.name_field}</nameField>\n")


_READ = ("allowRead", "viewAllRecords")
_WRITE = ("allowCreate", "allowDelete", "allowEdit")


def _rights(name: str, granted: Sequence[str]) -> str:
    every = sorted((*_WRITE, *_READ, "modifyAllRecords"))
    rights = "".join(f"        <{right}>{str(right in granted).lower()}</{right}>\n" for right in every)
    return f"    <objectPermissions>\n{rights}        <object>{name}</object>\n    </objectPermissions>\n"


def _permissions(made: list[_Field], names: Mapping) -> str:
    inner = _tags({"hasActivationRequired": "false", "label": "Predictive Integration"})
    for field in made:
        if field.access:
            editable = "true" if field.access == "edit" else "false"
            inner += (
                f"    <fieldPermissions>\n        <editable>{editable}</editable>\n"
                f"        <field>{field.parent}.{field.name}</field>\n        <readable>true</readable>\n"
                "    </fieldPermissions>\n"
            )
    ours = [name for own in _OBJECTS if (name := getattr(names, own.key))]
    # The platform refuses rights to a detail without the like rights to its master in the same permission set.
    for name in ("Campaign", *ours) if ours else ():
        inner += _rights(name, _READ if name == "Campaign" else (*_WRITE, *_READ))
    return _document("PermissionSet", inner)


def _manifest(made: list[_Field], objects: list[str]) -> str:
    members = {
        "CustomField": sorted(f"{field.parent}.{field.name}" for field in made),
        "CustomObject": sorted(objects),
        "PermissionSet": [PERMISSION_SET],
    }
    inner = ""
    for kind, listed in members.items():
        if listed:
            inner += "    <types>\n"
            inner += "".join(f"        <members>{name}</members>\n" for name in listed)
            inner += f"        <name>{kind}</name>\n    </types>\n"
    return _document("Package", f"{inner}    <version>{API_VERSION}</version>\n")


def _overrides(names: Mapping) -> str:
    lines = ["# The names that this source deploys. Put your org's name in place of main.", "[orgs.main.mapping]"]
    lines += [f'{item.name} = "{getattr(names, item.name)}"' for item in fields(names)]
    return "\n".join(lines) + "\n"
