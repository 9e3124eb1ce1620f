"""The schema as data: objects, fields and what may be done with them.

Describe, validation and SQL are all derived from these values. Pure; standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

TEXTUAL = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "multipicklist"})
NUMERIC = frozenset({"int", "double", "percent", "currency"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field. ``expression`` is SQL for a value computed on read: ``{t}`` is the row, ``{Lead}`` a relationship.

    ``derived`` marks values shown from another record (they never move the row's stamp); ``id_text`` an id field
    whose stored or computed value is the 18-character text itself, because it may point to several objects.
    """

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    external_id: bool = False
    unique: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    cascade_delete: bool = False
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    default: str | int | float | bool | None = None
    expression: str | None = None
    formula: str | None = None
    calculated: bool = False
    derived: bool = False
    id_text: bool = False
    auto_number: str | None = None
    name_field: bool = False
    indexed: bool = False

    @property
    def custom(self) -> bool:
        """Whether the field was added by a package or an admin."""
        return self.name.endswith("__c")

    @property
    def stored(self) -> bool:
        """Whether the value has a column of its own."""
        return self.expression is None

    @property
    def required(self) -> bool:
        """Whether a create without a value is refused."""
        return self.createable and not self.nillable and self.default is None and self.type != "boolean"

    @property
    def column_type(self) -> str:
        """The SQLite column declaration; texts compare without regard to case, as SOQL does."""
        if self.type in ("id", "reference"):
            return "TEXT" if self.id_text else "INTEGER"
        if self.type in ("boolean", "int", "datetime"):
            return "INTEGER"
        if self.type in ("double", "percent", "currency"):
            return "REAL"
        return "TEXT" if self.type == "date" else "TEXT COLLATE NOCASE"


@dataclass(frozen=True, slots=True)
class ObjectType:
    """An object: its fields in order, id prefix, and the relationships that its fields open.

    ``stored`` are the fields that have a column, ``uniques`` those whose values no two records share.
    """

    name: str
    label: str
    plural: str
    prefix: str
    fields: tuple[Field, ...]
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    by_name: Mapping[str, Field] = field(default_factory=dict, repr=False)
    by_relationship: Mapping[str, Field] = field(default_factory=dict, repr=False)
    stored: tuple[Field, ...] = field(default=(), repr=False)
    uniques: tuple[Field, ...] = field(default=(), repr=False)

    @property
    def custom(self) -> bool:
        """Whether a package or an admin added the object."""
        return self.name.endswith("__c")

    def find(self, name: str) -> Field | None:
        """The field of that name, whatever its case."""
        return self.by_name.get(name.lower())


def build(item: ObjectType, extra: Iterable[Field] = ()) -> ObjectType:
    """The object with further fields and its look-up tables filled in."""
    fields = item.fields + tuple(extra)
    fields = tuple(f if f.label else replace(f, label=_label(f.name)) for f in fields)
    return replace(
        item,
        fields=fields,
        by_name={**{f.name.lower(): f for f in fields}, **{f.name: f for f in fields}},
        by_relationship={f.relationship.lower(): f for f in fields if f.relationship},
        stored=tuple(f for f in fields if f.stored),
        uniques=tuple(f for f in fields if f.unique),
    )


def _label(name: str) -> str:
    bare = name.removeprefix("PAM__").removesuffix("__c").replace("_", " ")
    spaced = "".join(f" {c}" if c.isupper() and i and bare[i - 1].islower() else c for i, c in enumerate(bare))
    return spaced.removesuffix(" Id") if spaced != "Id" else "Record ID"


@dataclass(frozen=True, slots=True)
class ChildRelation:
    """A relationship from a record to those that point to it: its name, their object, and their field."""

    name: str
    child: str
    field: str
    cascade_delete: bool


_NAMED = {
    ("CampaignMemberStatus", "CampaignId"): "CampaignMemberStatuses",
    ("Campaign", "ParentId"): "ChildCampaigns",
}
_NAMELESS = ("ById", "MasterRecordId", "ConvertedAccountId", "ConvertedContactId", "OwnerId")


def _relations(item: ObjectType, objects: Iterable[ObjectType]) -> tuple[ChildRelation, ...]:
    found = []
    for other in objects:
        for each in other.fields:
            if item.name not in each.reference_to or each.relationship is None or each.name.endswith(_NAMELESS):
                continue
            stem = other.plural.replace(" ", "")
            name = f"PAM__{other.plural.replace(' ', '_')}__r" if other.custom else stem
            name = _NAMED.get((other.name, each.name), name)
            found.append(ChildRelation(name, other.name, each.name, each.cascade_delete))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Schema:
    """All objects of the org, found by name or by id prefix."""

    objects: tuple[ObjectType, ...]
    package: bool
    _by_name: Mapping[str, ObjectType] = field(default_factory=dict, repr=False)
    _by_prefix: Mapping[str, ObjectType] = field(default_factory=dict, repr=False)
    _relations: Mapping[str, tuple[ChildRelation, ...]] = field(default_factory=dict, repr=False)

    def find(self, name: str) -> ObjectType | None:
        """The object of that name, whatever its case."""
        return self._by_name.get(name.lower())

    def get(self, name: str) -> ObjectType:
        """The object of exactly that name. Raises KeyError."""
        return self._by_name[name.lower()]

    def relations(self, item: ObjectType) -> tuple[ChildRelation, ...]:
        """The relationships from an object's records to those that point to them."""
        return self._relations[item.name]

    def child(self, item: ObjectType, name: str) -> ChildRelation | None:
        """The child relationship of that name, whatever its case."""
        return next((one for one in self.relations(item) if one.name.lower() == name.lower()), None)

    def of_prefix(self, prefix: str) -> ObjectType | None:
        """The object whose ids begin so."""
        return self._by_prefix.get(prefix)


def schema_of(objects: Iterable[ObjectType], *, package: bool) -> Schema:
    """A schema from objects that ``build`` has completed."""
    found = tuple(objects)
    relations = {o.name: _relations(o, found) for o in found}
    return Schema(found, package, {o.name.lower(): o for o in found}, {o.prefix: o for o in found}, relations)
