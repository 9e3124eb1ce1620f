"""An org's own fields and objects, learned from the records that were exported from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sync.embedded.org.ids import DIGITS
from sync.embedded.org.objects_standard import SYSTEM_END, SYSTEM_START, look, number, text
from sync.embedded.org.schema import Field, ObjectType, Schema, build, schema_of
from sync.embedded.seed.exported import Exported, ExportError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_SHORT, _LONG = 255, 131_072


def _field(name: str, values: list[Any], target: str | None) -> Field:
    """A field that holds these values; ``target`` is the object that its references name."""
    given = [value for value in values if value is not None]
    if target is not None:
        relation = name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
        return look(name, target, relation, indexed=True)
    if given and all(isinstance(value, bool) for value in given):
        return replace(Field(name, "boolean", nillable=False, default=False))
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return number(name)
    texts = [str(value) for value in given]
    if texts and all(_INSTANT.match(one) for one in texts):
        return Field(name, "datetime")
    if texts and all(_DATE.match(one) for one in texts):
        return Field(name, "date")
    if max(map(len, texts), default=0) > _SHORT:
        return Field(name, "textarea", length=_LONG)
    return text(name, _SHORT)


def _targets(records: Iterable[Exported]) -> Mapping[str, str]:
    return {one.reference: one.kind for one in records if one.reference}


def learned(schema: Schema, records: list[Exported]) -> Schema:
    """The schema with what the records have beyond it. Raises ExportError for names that no field can have."""
    kinds: dict[str, dict[str, list[Any]]] = {}
    targets = _targets(records)
    for one in records:
        fields = kinds.setdefault(one.kind, {})
        for name, value in one.values.items():
            if not _NAME.match(name):
                raise one.error(f"{name} is no name of a field")
            fields.setdefault(name, []).append(value)
    objects = {item.name.lower(): item for item in schema.objects}
    prefixes = (f"a1{digit}" for digit in DIGITS)
    for kind, fields in kinds.items():
        item = objects.get(kind.lower())
        if item is None:
            if not _NAME.match(kind):
                raise ExportError(f"{kind} is no name of an object")
            item = _object(kind, next(prefixes), "Name" in fields)
        extra = [
            _field(name, values, _target(values, targets, schema, kinds))
            for name, values in fields.items()
            if item.find(name) is None and name.lower() != "id"
        ]
        objects[kind.lower()] = build(item, extra)
    return schema_of(objects.values(), package=schema.package)


def _target(values: list[Any], targets: Mapping[str, str], schema: Schema, kinds: Mapping[str, Any]) -> str | None:
    """The object that every value refers to, if they are references."""
    given = [value for value in values if value is not None]
    found = {targets.get(value[1:]) if isinstance(value, str) and value.startswith("@") else None for value in given}
    (only,) = found if len(found) == 1 else (None,)
    if only is None:
        return None
    known = schema.find(only)
    return known.name if known is not None else next((kind for kind in kinds if kind == only), None)


def _object(kind: str, prefix: str, named: bool) -> ObjectType:
    label = kind.removesuffix("__c").rpartition("__")[2].replace("_", " ")
    own = () if named else (text("Name", 80, name_field=True),)
    return ObjectType(kind, label, f"{label}s", prefix, (*SYSTEM_START, *own, *SYSTEM_END))
