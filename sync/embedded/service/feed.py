"""The change feed: in commit order, whole values, at least once; and how long it is kept.

A cursor names the database it belongs to: one from another database, or from before what was trimmed, is 410 and
the reader starts again from the lists. May import SQLAlchemy.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, or_, select

from sync.embedded.service import schema
from sync.embedded.service.database import read_meta, write_meta
from sync.embedded.service.instants import iso
from sync.embedded.service.problems import Problem, invalid

KEPT = timedelta(days=30)


class ChangeOut(msgspec.Struct, frozen=True, gc=False):
    """A stored change; its data are passed on as they were encoded at the commit."""

    seq: int
    at: str
    type: str
    op: str
    client: str | None
    campaign_id: str | None
    data: msgspec.Raw


class ChangePageOut(msgspec.Struct, frozen=True):
    """A page of stored changes."""

    items: list[ChangeOut]
    next: str
    more: bool


def read(conn: Connection, cursor: str | None, limit: int, exclude_client: str | None) -> ChangePageOut:
    """Changes after a cursor (none = the beginning, "head" = none at all). Raises Problem 410 or 422."""
    mark = (read_meta(conn, "service_id") or "")[:8]
    head = int(read_meta(conn, "feed_seq") or 0)
    if cursor == "head":
        return ChangePageOut([], f"{mark}-{head}", more=False)
    trimmed = int(read_meta(conn, "feed_trimmed") or 0)
    after = 0 if not cursor else _position(cursor, mark, head)
    if after < trimmed:
        raise Problem(410, "cursor_expired", "The feed no longer goes back that far; read the lists again.")
    table: Any = schema.changes.c
    query = select(table.seq, table.at, table.type, table.op, table.client, table.campaign_id, table.data)
    query = query.where(table.seq > after).order_by(table.seq).limit(limit + 1)
    if exclude_client is not None:
        query = query.where(or_(table.client.is_(None), table.client != exclude_client))
    rows = conn.execute(query).all()
    items = [ChangeOut(*row[:6], msgspec.Raw(row[6])) for row in rows[:limit]]
    more = len(rows) > limit
    last = items[-1].seq if more else max(head, after)
    return ChangePageOut(items, f"{mark}-{last}", more)


def _position(cursor: str, mark: str, head: int) -> int:
    owner, dash, number = cursor.rpartition("-")
    if not dash or not number.isascii() or not number.isdigit():
        raise invalid("/cursor", "this is not a cursor of the feed", "cursor_invalid")
    if owner != mark or int(number) > head:
        raise Problem(410, "cursor_expired", "The cursor belongs to another database; read the lists again.")
    return int(number)


def trim(conn: Connection, now: datetime) -> None:
    """Forget changes older than 30 days; inside a write transaction."""
    table = schema.changes
    old = table.c.at < iso(now - KEPT)
    last = conn.execute(select(func.max(table.c.seq)).where(old)).scalar()
    if last is not None:
        conn.execute(delete(table).where(table.c.seq <= last))
        write_meta(conn, "feed_trimmed", str(last))
