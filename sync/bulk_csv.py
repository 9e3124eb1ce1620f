"""Rows as the CSV of a Bulk API 2.0 job: what its upload holds, and how many characters that is.

Pure; imported by the planner of calls, which must know whether the data fits into the request that creates the job,
and by the adapter that sends it. An empty cell keeps a field, ``#N/A`` sets it to null.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from typing import Any

NULL = "#N/A"
"""What sets a field to null."""

_BLOCK = 100_000

_QUOTED = re.compile(r"[^\w#/:@.+-]")
"""Cells without any of these are written as they are."""

Row = tuple[str, Mapping[str, Any]]
"""A record's id and the values to set, by API name (``Parent__r.External__c`` for a reference by external id)."""


def csv_blocks(rows: Callable[[], Iterable[Row]]) -> Iterator[str]:
    """The job's data with its header, some rows at a time; a field that a row does not set stays empty: kept.

    Args:
        rows: gives the rows from the first on; asked twice, because the header names what any of them sets.
    """
    names = list(dict.fromkeys(name for _, values in rows() for name in values))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Id", *names])
    for record_id, values in rows():
        writer.writerow([record_id, *(cell(values[name]) if name in values else "" for name in names)])
        if out.tell() > _BLOCK:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def as_csv(rows: Iterable[Row]) -> str:
    """The job's data as one text."""
    given = list(rows)
    return "".join(csv_blocks(lambda: given))


class Size:
    """How long the CSV of rows is that come one by one; none is kept.

    Args:
        most: a length beyond which nobody asks how long it is; counting ends there.
    """

    __slots__ = ("_cells", "_most", "_names", "_rows")

    def __init__(self, most: float = inf) -> None:
        self._most = most
        self._names: dict[str, None] = {}
        self._rows = 0
        self._cells = 0

    def add(self, record_id: str, values: Mapping[str, Any]) -> None:
        """Count one row in."""
        if not self.full:
            self.add_row(tuple(values), row_cells(record_id, values))

    def add_row(self, names: Sequence[str], cells: int) -> None:
        """Count one row in, by the names it sets and the length of its cells."""
        self._names.update(dict.fromkeys(names))
        self._rows += 1
        self._cells += cells

    @property
    def full(self) -> bool:
        """True when it is longer than anybody asks."""
        return self._cells > self._most

    @property
    def characters(self) -> int:
        """How many characters :func:`as_csv` would give; of more than the most only that they are more."""
        lines = self._rows + 1
        return _line(["Id", *self._names]) + self._cells + lines * (len(self._names) + 1)


def row_cells(record_id: str, values: Mapping[str, Any]) -> int:
    """Characters of a row's cells, without what stands between them."""
    return _line([record_id, *map(cell, values.values())])


def _line(cells: Sequence[str]) -> int:
    if not any(_QUOTED.search(each) for each in cells):
        return sum(map(len, cells))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return len(out.getvalue()) - len(cells)


def characters(rows: Iterable[Row], most: float = inf) -> int:
    """How many characters :func:`as_csv` gives; of more than *most* only that they are more."""
    size = Size(most)
    for record_id, values in rows:
        size.add(record_id, values)
        if size.full:
            break
    return size.characters


def cell(value: Any) -> str:
    """A value as a cell: instants in UTC with seconds, nothing as null."""
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _instant(value)
    return str(value)


@lru_cache(maxsize=64)
def _instant(value: datetime) -> str:
    """Kept, because all markers of a run are of one instant."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
