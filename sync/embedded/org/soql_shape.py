"""What a compiled SOQL statement is: its SQL, and the shape of the records in its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import ObjectType
from sync.embedded.org.soql_scope import Convert


def _same(value: Any) -> Any:
    return value


@dataclass(slots=True)
class Shape:
    """How one SQL row becomes a record: own fields and the records reached through relationships.

    ``order``: their names as they were asked for; empty: the fields, then the records.
    """

    item: ObjectType
    key_column: int
    leaves: list[tuple[str, int, Convert | None]] = field(default_factory=list)
    nodes: dict[str, Shape] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def records(self, rows: Sequence[Sequence[Any]], version: str) -> list[dict[str, Any]]:
        """The rows as the REST API shows records."""
        build = self.builder(version)
        return [build(row) for row in rows]

    def builder(self, version: str) -> Any:
        """A function from SQL row to record."""
        name, encode, column = self.item.name, encoder(self.item.prefix), self.key_column
        url = f"/services/data/v{version}/sobjects/{name}/"
        converted = [(key, index, convert) for key, index, convert in self.leaves if convert is not None]
        nodes = [(key, node.key_column, node.builder(version)) for key, node in self.nodes.items()]
        # All values go in at once, in the order in which they were asked for; what needs converting is replaced there.
        columns = {key: index for key, index, _ in self.leaves} | {key: index for key, index, _ in nodes}
        names = tuple(key for key in self.order or columns if key in columns)
        pick = itemgetter(*(columns[key] for key in names)) if len(names) > 1 else None
        if pick is None:
            converted = [(key, index, convert or _same) for key, index, convert in self.leaves]

        def build(row: Sequence[Any]) -> dict[str, Any]:
            record: dict[str, Any] = {"attributes": {"type": name, "url": url + encode(row[column])}}
            if pick is not None:
                record.update(zip(names, pick(row), strict=True))
            for key, index, convert in converted:
                value = row[index]
                record[key] = None if value is None else convert(value)
            for key, index, make in nodes:
                record[key] = None if row[index] is None else make(row)
            return record

        return build


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement ready to run. ``kind``: rows, count (``COUNT()``), aggregate; ``children`` its child queries."""

    kind: str
    item: ObjectType
    columns: tuple[str, ...]
    source: str
    where: str
    order: str
    group: str
    having: str
    params: tuple[Any, ...]
    limit: int | None
    offset: int
    shape: Shape | None
    keys: tuple[tuple[str, Convert | None], ...]
    children: tuple[Child, ...] = ()

    def sql(self, columns: Sequence[str], limit: int | None) -> str:
        """The SELECT over the given columns, at most ``limit`` rows (None: all)."""
        text = f"SELECT {', '.join(columns)} FROM {self.source}"
        text += f" WHERE {self.where}" if self.where else ""
        text += f" GROUP BY {self.group}" if self.group else ""
        text += f" HAVING {self.having}" if self.having else ""
        text += f" ORDER BY {self.order}" if self.order else ""
        if limit is not None or self.offset:
            text += f" LIMIT {-1 if limit is None else limit}"
        return text + (f" OFFSET {self.offset}" if self.offset else "")

    def by_keys(self) -> str:
        """The same columns for rows of given keys (one parameter, a JSON array)."""
        return f"SELECT {', '.join(self.columns)} FROM {self.source} WHERE t.Id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Child:
    """A child query under its relationship's name; its last parameter is the parent's key."""

    name: str
    compiled: Compiled


def count_of(
    item: ObjectType, source: str, where: str, params: Sequence[Any], limit: int | None, offset: int
) -> Compiled:
    """A ``COUNT()`` statement."""
    return Compiled("count", item, ("1",), source, where, "", "", "", tuple(params), limit, offset, None, ())
