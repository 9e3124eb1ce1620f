"""Running SOQL: pages of at most 2,000 rows, and locators for the rows that follow.

A result longer than a page is fixed as a list of row keys when the query starts; later pages read those rows.
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import encoder
from sync.embedded.org.soql_compile import Compiled, compile_query
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_scope import View
from sync.embedded.org.state import Switches

PAGE = 2_000
SMALLEST_PAGE = 200
_KEPT = 2_000
_NO_CURSOR = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"


@dataclass(frozen=True, slots=True)
class _Cursor:
    compiled: Compiled
    keys: array[int]
    opened: float


class Cursors:
    """The open query locators of the org; each lives as long as the switch says (two days) by the org's clock."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._open: OrderedDict[str, _Cursor] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def add(self, compiled: Compiled, keys: array[int], now: float) -> str:
        """Keep a result; its 18-character locator."""
        with self._lock:
            self._count += 1
            locator = encoder("01g")(self._count)
            self._open[locator] = _Cursor(compiled, keys, now)
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
            return locator

    def get(self, locator: str, now: float) -> _Cursor:
        """The result of a locator. Raises OrgError INVALID_QUERY_LOCATOR."""
        with self._lock:
            found = self._open.get(locator)
        if found is None or found.opened + self._switches.locator_seconds < now:
            raise OrgError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return found


def _answer(total: int, records: list[dict[str, Any]], following: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"totalSize": total, "done": following is None}
    if following is not None:
        answer["nextRecordsUrl"] = following
    answer["records"] = records
    return answer


def _aggregate_rows(compiled: Compiled, rows: list[Any]) -> list[dict[str, Any]]:
    kind = {"type": "AggregateResult"}
    made = []
    for row in rows:
        record: dict[str, Any] = {"attributes": kind}
        for (name, convert), value in zip(compiled.keys, row, strict=True):
            record[name] = value if convert is None or value is None else convert(value)
        made.append(record)
    return made


class Queries:
    """Query and queryMore over the org's rows."""

    def __init__(self, switches: Switches) -> None:
        self.cursors = Cursors(switches)

    def run(
        self, connection: sqlite3.Connection, text: str, view: View, *, version: str, page: int = PAGE
    ) -> dict[str, Any]:
        """The first page of a statement. Raises OrgError."""
        compiled = compile_query(parse(text), view)
        if compiled.kind == "count":
            inner = compiled.sql(("1",), compiled.limit)
            total = connection.execute(f"SELECT count(*) FROM ({inner})", compiled.params).fetchone()[0]
            return _answer(total, [], None)
        if compiled.kind == "aggregate":
            return self._grouped(connection, compiled)
        wanted = page + 1 if compiled.limit is None else min(page + 1, compiled.limit)
        rows = connection.execute(compiled.sql(compiled.columns, wanted), compiled.params).fetchall()
        assert compiled.shape is not None
        if len(rows) <= page:
            return _answer(len(rows), compiled.shape.records(rows, version), None)
        found = connection.execute(compiled.sql(("t.Id",), compiled.limit), compiled.params)
        keys = array("q", (row[0] for row in found))
        locator = self.cursors.add(compiled, keys, view.now.timestamp())
        return self._page(connection, compiled, keys, 0, page, locator, version)

    def _grouped(self, connection: sqlite3.Connection, compiled: Compiled) -> dict[str, Any]:
        limit = PAGE + 1 if compiled.limit is None else min(PAGE + 1, compiled.limit)
        rows = connection.execute(compiled.sql(compiled.columns, limit), compiled.params).fetchall()
        if len(rows) > PAGE:
            raise OrgError("EXCEEDED_ID_LIMIT", _NO_CURSOR)
        return _answer(len(rows), _aggregate_rows(compiled, rows), None)

    def _page(
        self,
        connection: sqlite3.Connection,
        compiled: Compiled,
        keys: array[int],
        offset: int,
        page: int,
        locator: str,
        version: str,
    ) -> dict[str, Any]:
        assert compiled.shape is not None
        part = keys[offset : offset + page]
        rows = connection.execute(compiled.by_keys(), (msgspec.json.encode(part.tolist()).decode(),)).fetchall()
        by_key = {row[0]: row for row in rows}
        records = compiled.shape.records([by_key[k] for k in part if k in by_key], version)
        end = offset + page
        following = f"/services/data/v{version}/query/{locator}-{end}" if end < len(keys) else None
        return _answer(len(keys), records, following)

    def more(
        self, connection: sqlite3.Connection, locator: str, now: float, *, version: str, page: int = PAGE
    ) -> dict[str, Any]:
        """The page that a locator (``01g…-2000``) names. Raises OrgError INVALID_QUERY_LOCATOR."""
        name, _, offset = locator.partition("-")
        cursor = self.cursors.get(name, now)
        if not offset.isdigit() or int(offset) > len(cursor.keys):
            raise OrgError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(connection, cursor.compiled, cursor.keys, int(offset), page, name, version)


def page_size(options: str | None, most: int) -> int:
    """The page size a ``Sforce-Query-Options: batchSize=500`` header asks for, within 200 and ``most``."""
    for part in (options or "").split(","):
        name, _, value = part.partition("=")
        if name.strip().lower() == "batchsize" and value.strip().isdigit():
            return max(min(SMALLEST_PAGE, most), min(most, int(value)))
    return most
