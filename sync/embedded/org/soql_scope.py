"""Names of a SOQL statement to SQL: fields, relationship paths, joins, and what a reader may see.

Raises ``OrgError`` with the platform's wording for names that the org does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import NUMERIC, Field, ObjectType, Schema
from sync.embedded.org.soql_dates import date_function
from sync.embedded.org.soql_parse import pointed

Convert = Callable[[Any], Any]
MOST_LEVELS = 5
SEVERAL = {"owner": ("User", "Group")}
"""The relationships to objects of several types, with these types; in this org the first is the type of each."""
_TYPE = Field("Type", "string", "Type", 40)
_PLACE = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class View:
    """What a read may see and when it happens: schema, instant, time zone, deleted rows, hidden objects, who reads."""

    schema: Schema
    now: datetime
    zone: ZoneInfo
    include_deleted: bool = False
    hidden: frozenset[str] = frozenset()
    user: str = ""

    @property
    def today(self) -> date:
        """The running user's date."""
        return self.now.astimezone(self.zone).date()


@lru_cache(maxsize=200_000)
def instant_text(seconds: int) -> str:
    """An instant as the REST API writes it: ``2027-03-01T08:00:00.000+0000``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def converter(item: Field, owner: ObjectType) -> Convert | None:
    """From the stored value to the JSON value; None where they are the same. Never called with None."""
    if item.type == "boolean":
        return bool
    if item.type == "datetime":
        return instant_text
    if item.type in ("id", "reference") and not item.id_text:
        return encoder(prefix_of(item, owner))
    return None


def formatted(item: Field, zone: ZoneInfo) -> Convert:
    """From the stored value to ``format()``'s text, in the words of an American user in a time zone."""

    def instant(seconds: int) -> str:
        at = datetime.fromtimestamp(seconds, zone)
        return f"{at.month}/{at.day}/{at.year}, {at.hour % 12 or 12}:{at.minute:02} {'AM' if at.hour < 12 else 'PM'}"

    def day(text: str) -> str:
        at = date.fromisoformat(text)
        return f"{at.month}/{at.day}/{at.year}"

    if item.type == "datetime":
        return instant
    if item.type == "date":
        return day
    return (lambda value: f"{value:,.{item.scale}f}") if item.type in NUMERIC else str


_PREFIXES: dict[str, str] = {}


def know_prefixes(schema: Schema) -> None:
    """Remember the id prefixes of a schema's objects (the same in every org of this kind)."""
    _PREFIXES.update({o.name: o.prefix for o in schema.objects})


def prefix_of(item: Field, owner: ObjectType) -> str:
    """The id prefix of the record an id field names."""
    return owner.prefix if item.type == "id" else _PREFIXES[item.reference_to[0]]


def visible(view: View, owner: ObjectType, alias: str) -> list[str]:
    """SQL conditions that leave out hidden records (and the members of hidden people)."""
    conditions = []
    if owner.name in view.hidden:
        conditions.append(f"{alias}.Id NOT IN (SELECT h.Id FROM _hidden h WHERE h.Object = '{owner.name}')")
    if owner.name == "CampaignMember":
        conditions += [
            f"ifnull({alias}.{name}Id, 0) NOT IN (SELECT h.Id FROM _hidden h WHERE h.Object = '{name}')"
            for name in ("Lead", "Contact")
            if name in view.hidden
        ]
    return conditions


@dataclass(slots=True)
class Scope:
    """The tables of one SELECT: the base object and every relationship joined so far; ``named``: paths with names."""

    view: View
    base: ObjectType
    alias: str
    text: str
    own_name: str | None = None
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    joins: dict[tuple[str, ...], tuple[ObjectType, str]] = field(default_factory=dict)
    clauses: list[str] = field(default_factory=list)

    def _join(self, chain: tuple[str, ...], at: ast.Position) -> tuple[ObjectType, str]:
        if not chain:
            return self.base, self.alias
        if len(chain) > MOST_LEVELS:
            words = f"Cannot have more than {MOST_LEVELS} levels of relationships in a field path: {'.'.join(chain)}"
            raise OrgError("INVALID_FIELD", pointed(self.text, at, words))
        key = tuple(part.lower() for part in chain)
        if key in self.joins:
            return self.joins[key]
        owner, alias = self._join(chain[:-1], at)
        link = owner.by_relationship.get(key[-1])
        target = self.view.schema.find(link.reference_to[0]) if link else None
        if link is None or target is None:
            raise OrgError(
                "INVALID_FIELD",
                pointed(
                    self.text,
                    at,
                    (
                        f"Didn't understand relationship '{chain[-1]}' in field path. If you are attempting to use a "
                        "custom relationship, be sure to append the '__r' after the custom relationship name. "
                        "Please reference your WSDL or the describe call for the appropriate names."
                    ),
                ),
            )
        name = f"{self.alias}_{len(self.joins)}"
        own = visible(self.view, target, name)
        self.clauses.append(
            f"LEFT JOIN {target.name} {name} ON {' AND '.join([f'{name}.Id = {alias}.{link.name}', *own])}"
        )
        self.joins[key] = (target, name)
        return target, name

    def owner_of(self, path: ast.Path) -> tuple[ObjectType, str, tuple[str, ...]]:
        """The object a path ends on, the alias of its table, and the relationships before the field."""
        chain = path.parts[:-1]
        names = dict(self.named)
        while chain and chain[0].lower() in names:  # a name of FROM may stand on another one, each but once
            chain = (*names.pop(chain[0].lower()), *chain[1:])
        head = chain[0].lower() if chain else ""
        is_alias = bool(self.own_name) and head == (self.own_name or "").lower()
        if head and (is_alias or (head == self.base.name.lower() and head not in self.base.by_relationship)):
            chain = chain[1:]
        owner, alias = self._join(chain, path.at)
        return owner, alias, chain

    def field(self, path: ast.Path) -> tuple[Field, ObjectType, str, tuple[str, ...]]:
        """The field a path names, its object, the SQL of its value, and the relationships before it."""
        owner, alias, chain = self.owner_of(path)
        found = owner.find(path.parts[-1])
        if found is None and chain and chain[-1].lower() in SEVERAL and path.parts[-1].lower() == "type":
            return _TYPE, owner, f"iif({alias}.Id IS NULL, NULL, '{owner.name}')", chain
        if found is None:
            raise OrgError(
                "INVALID_FIELD",
                pointed(
                    self.text,
                    path.at,
                    (
                        f"No such column '{path.parts[-1]}' on entity '{owner.name}'. If you are attempting to use a "
                        "custom field, be sure to append the '__c' after the custom field name. Please reference "
                        "your WSDL or the describe call for the appropriate names."
                    ),
                ),
            )
        expression = self.expression(found, alias, chain, path.at)
        if path.function is not None:
            if found.type not in ("date", "datetime"):
                words = f"field '{found.name}' is no date: {path.function} cannot be used"
                raise OrgError("INVALID_FIELD", pointed(self.text, path.at, words))
            if path.local and found.type != "datetime":
                words = f"convertTimezone() needs a datetime: '{found.name}' is none"
                raise OrgError("INVALID_FIELD", pointed(self.text, path.at, words))
            zone = self.view.zone.key if path.local else None
            made, expression = date_function(path.function, expression, found.type, zone)
            found = replace(made, name=found.name)
        return found, owner, expression, chain

    def expression(self, item: Field, alias: str, chain: tuple[str, ...], at: ast.Position) -> str:
        """The SQL of a field's value; a computed field may join what it is computed from."""
        if item.expression is None:
            return f"{alias}.{item.name}"

        def place(match: re.Match[str]) -> str:
            name = match.group(1)
            return alias if name == "t" else self._join((*chain, *name.split(".")), at)[1]

        return f"({_PLACE.sub(place, item.expression)})"

    def source(self, *, by_key: bool = False) -> str:
        """The FROM clause with its joins; ``by_key`` makes SQLite walk the base table in the order of its keys."""
        if not by_key:
            return " ".join([f"{self.base.name} {self.alias}", *self.clauses])
        fixed = [clause.replace(f".Id = {self.alias}.", f".Id = +{self.alias}.") for clause in self.clauses]
        return " ".join([f"{self.base.name} {self.alias} NOT INDEXED", *fixed])

    def standing(self) -> list[str]:
        """The conditions of every read: not deleted (unless asked for), not hidden."""
        conditions = visible(self.view, self.base, self.alias)
        if not self.view.include_deleted and self.base.find("IsDeleted") is not None:
            conditions.insert(0, f"{self.alias}.IsDeleted = 0")
        return conditions
