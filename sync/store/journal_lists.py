"""Rows of a run's journal as a list by window, for people.

May import the schema. Rows of a batch are those of its parts too, in the order in which they were written.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from sync.ids import RunId
from sync.model import Side
from sync.store.database import Database
from sync.store.journal import of_run
from sync.store.schema import row_journal
from sync.views import JournalRowView


class JournalLists:
    """Read-only lists of journalled rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(
        self, run_id: RunId, *, text: str = "", state: str = "", offset: int = 0, limit: int = 200
    ) -> tuple[JournalRowView, ...]:
        """A window of a run's rows.

        Args:
            run_id: a run, or a batch with all its parts.
            text: looked for in label, field and code.
            state: written, rejected, drifted or unknown; "" for all.
            offset, limit: the window.
        """
        with self._database.read() as conn:
            statement = (
                select(row_journal)
                .where(*_where(conn, run_id, text, state))
                .order_by(row_journal.c.run_id, row_journal.c.seq)
                .offset(offset)
                .limit(limit)
            )
            return tuple(map(_view, conn.execute(statement)))

    def count(self, run_id: RunId, *, text: str = "", state: str = "") -> int:
        """How many rows the same filter gives."""
        with self._database.read() as conn:
            statement = select(func.count()).select_from(row_journal).where(*_where(conn, run_id, text, state))
            return int(conn.execute(statement).scalar_one())


def _where(conn: Connection, run_id: RunId, text: str, state: str) -> list[ColumnElement[bool]]:
    table = row_journal.c
    where: list[ColumnElement[bool]] = [of_run(conn, run_id)]
    for word in text.split():
        either = [table[name].icontains(word, autoescape=True) for name in ("label", "field", "code")]
        where.append(either[0] | either[1] | either[2])
    if state:
        where.append(table.state == state)
    return where


def _said(text: str | None) -> str | None:
    value = msgspec.json.decode(text) if text else None
    return None if value is None else str(value)


def _view(row: Any) -> JournalRowView:
    return JournalRowView(
        run=RunId(row.run_id),
        seq=row.seq,
        side=Side(row.side),
        campaign_id=row.campaign_id,
        subject_id=row.subject_id,
        label=row.label,
        change=row.change,
        field=row.field,
        before=_said(row.before),
        after=_said(row.after),
        state=row.state,
        code=row.code,
        message=row.message,
        remedy=row.remedy,
        at=row.at,
    )
