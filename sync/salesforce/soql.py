"""SOQL as values: a statement is built from parts, never by pasting text that came from outside.

Pure. Only ids, instants and our own constants become literals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote_plus

from sync.ids import looks_like_id

PAGE = 2_000
MOST_IDS = 600
"""Ids in one ``IN`` list: keeps the address of a subrequest below 16,384 bytes."""


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT statement. Conditions are joined by AND."""

    fields: tuple[str, ...]
    source: str
    where: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    order: str = ""
    limit: int | None = None

    def having(self, *conditions: str) -> Select:
        """The same with further conditions; empty ones are left out."""
        return replace(self, where=(*self.where, *(c for c in conditions if c)))

    def page(self, after: str, size: int | None) -> Select:
        """The next *size* rows (None: as many as fit a page) in id order after the id or reference *after*.

        ``after`` "" starts at the beginning.
        """
        start = (f"Id > '{after}'",) if after else ()
        return replace(self, where=(*self.where, *start), order="Id", limit=size)

    def text(self) -> str:
        """The statement."""
        parts = [f"SELECT {', '.join(self.fields)} FROM {self.source}"]
        if self.where:
            parts.append("WHERE " + " AND ".join(self.where))
        if self.group:
            parts.append("GROUP BY " + ", ".join(self.group))
        if self.order:
            parts.append(f"ORDER BY {self.order}")
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit}")
        return " ".join(parts)

    def path(self, version: str, *, deleted_too: bool = False) -> str:
        """The resource's path with the statement as its query; references of a Composite stay readable."""
        resource = "queryAll" if deleted_too else "query"
        query = quote_plus(self.text(), safe="@{}[],'().:*!=")
        return f"/services/data/v{version}/{resource}/?q={query}"


def instant(at: datetime) -> str:
    """A datetime literal, whole seconds, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: str) -> str:
    """A string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def among(field: str, ids: Iterable[str]) -> str:
    """``field IN (…)`` over ids.

    Raises:
        ValueError: one of them is no id.
    """
    found = list(ids)
    for one in found:
        if not looks_like_id(one):
            raise ValueError(f"{one!r} is not an id")
    quoted = ",".join(f"'{one}'" for one in found)
    return f"{field} IN ({quoted})"


def named(field: str, names: Iterable[str]) -> str:
    """``field IN (…)`` over texts; the org compares without regard to case."""
    return f"{field} IN ({','.join(map(text, names))})"


def either(*conditions: str) -> str:
    """At least one of the conditions."""
    return "(" + " OR ".join(conditions) + ")"
