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
from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_scope import View
from sync.embedded.org.soql_shape import Child, Compiled
from sync.embedded.org.soql_tally import rewritten
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

    @property
    def child_rows(self) -> int:
        """The most rows of a child query's page."""
        return self._switches.child_rows

    def add(self, cursor: _Cursor) -> str:
        """Keep a result; its 18-character locator."""
        with self._lock:
            self._count += 1
            locator = encoder("01g")(self._count)
            self._open[locator] = cursor
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
        assert compiled.shape is not None
        if not compiled.children:
            wanted = page + 1 if compiled.limit is None else min(page + 1, compiled.limit)
            rows = connection.execute(compiled.sql(compiled.columns, wanted), compiled.params).fetchall()
            if len(rows) <= page:
                return _answer(len(rows), compiled.shape.records(rows, version), None)
        return self._first(connection, compiled, compiled.params, page, version, view.now.timestamp())

    def _first(
        self,
        connection: sqlite3.Connection,
        compiled: Compiled,
        params: tuple[Any, ...],
        page: int,
        version: str,
        now: float,
    ) -> dict[str, Any]:
        """The first page of a result that is fixed as a list of keys."""
        # One text instead of a row each: fetching two million rows takes longer than finding them.
        inner = compiled.sql(("t.Id AS k",), compiled.limit)
        (text,) = connection.execute(f"SELECT group_concat(k) FROM ({inner})", params).fetchone()
        keys = array("q", msgspec.json.decode(f"[{text or ''}]", type=list[int]))
        return self._page(connection, _Cursor(compiled, keys, now), 0, page, None, version)

    def _grouped(self, connection: sqlite3.Connection, compiled: Compiled) -> dict[str, Any]:
        limit = PAGE + 1 if compiled.limit is None else min(PAGE + 1, compiled.limit)
        kept = rewritten(compiled) or compiled
        rows = connection.execute(kept.sql(kept.columns, limit), kept.params).fetchall()
        if len(rows) > PAGE:
            raise OrgError("EXCEEDED_ID_LIMIT", _NO_CURSOR)
        return _answer(len(rows), _aggregate_rows(compiled, rows), None)

    def _page(
        self, connection: sqlite3.Connection, cursor: _Cursor, offset: int, page: int, locator: str | None, version: str
    ) -> dict[str, Any]:
        """One page; rows of child queries count into it, so it may hold fewer records than it might."""
        compiled, keys = cursor.compiled, cursor.keys
        assert compiled.shape is not None
        part = keys[offset : offset + page]
        rows = connection.execute(compiled.by_keys(), (msgspec.json.encode(part.tolist()).decode(),)).fetchall()
        by_key = {row[0]: row for row in rows}
        build = compiled.shape.builder(version)
        records: list[dict[str, Any]] = []
        end, used = offset + page, 0
        for index, key in enumerate(part):
            if key not in by_key:
                continue
            record = build(by_key[key])
            for child in compiled.children:
                record[child.name] = self._child(connection, child, key, page, version, cursor.opened)
                used += len(record[child.name]["records"]) if record[child.name] is not None else 0
            if records and used + len(records) + 1 > page:
                end = offset + index
                break
            records.append(record)
        following = None
        if end < len(keys):
            locator = locator or self.cursors.add(cursor)
            following = f"/services/data/v{version}/query/{locator}-{end}"
        return _answer(len(keys), records, following)

    def _child(
        self, connection: sqlite3.Connection, child: Child, parent: int, page: int, version: str, now: float
    ) -> dict[str, Any] | None:
        """The answer of a child query for one record; None where there are none."""
        most = min(page, self.cursors.child_rows)
        compiled, params = child.compiled, (*child.compiled.params, parent)
        assert compiled.shape is not None
        if not compiled.children:
            wanted = most + 1 if compiled.limit is None else min(most + 1, compiled.limit)
            rows = connection.execute(compiled.sql(compiled.columns, wanted), params).fetchall()
            if len(rows) <= most:
                return _answer(len(rows), compiled.shape.records(rows, version), None) if rows else None
        answer = self._first(connection, compiled, params, most, version, now)
        return answer if answer["records"] else None

    def more(
        self, connection: sqlite3.Connection, locator: str, now: float, *, version: str, page: int = PAGE
    ) -> dict[str, Any]:
        """The page that a locator (``01g…-2000``) names. Raises OrgError INVALID_QUERY_LOCATOR."""
        name, _, offset = locator.partition("-")
        cursor = self.cursors.get(name, now)
        if not offset.isdigit() or int(offset) > len(cursor.keys):
            raise OrgError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(connection, cursor, int(offset), page, name, version)


def page_size(options: str | None, most: int) -> int:
    """The page size a ``Sforce-Query-Options: batchSize=500`` header asks for, within 200 and ``most``."""
    for part in (options or "").split(","):
        name, _, value = part.partition("=")
        if name.strip().lower() == "batchsize" and value.strip().isdigit():
            return max(min(SMALLEST_PAGE, most), min(most, int(value)))
    return most
