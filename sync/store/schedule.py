"""Ticks of the timers: each fires once, whoever claims it first. The primary key decides.

May import the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from sync.ids import RunId
from sync.model import RunKind
from sync.store.database import Database
from sync.store.facts import SCHEDULE_PAUSED, Facts
from sync.store.schema import tick


@dataclass(frozen=True, slots=True)
class Tick:
    """A firing: which timer, when it was due, who claimed it, and the run it became, if any."""

    kind: RunKind
    due: datetime
    owner: str
    claimed_at: datetime
    finished_at: datetime | None
    run: RunId | None


class Schedule:
    """Claimed ticks, and the pause of all timers."""

    def __init__(self, database: Database, facts: Facts) -> None:
        self._database = database
        self._facts = facts

    def claim(self, kind: RunKind, due: datetime, owner: str) -> bool:
        """True for the one who may fire this tick, False for everybody after."""
        values = {
            "kind": kind.value,
            "due": due,
            "owner": owner,
            "claimed_at": self._database.clock.now(),
        }
        try:
            with self._database.write() as conn, conn.begin_nested():
                conn.execute(insert(tick).values(values))
        except IntegrityError:
            return False
        return True

    def finish(self, kind: RunKind, due: datetime, run: RunId | None) -> None:
        """Note what became of a tick."""
        with self._database.write() as conn:
            conn.execute(
                update(tick)
                .where(tick.c.kind == kind.value, tick.c.due == due)
                .values(finished_at=self._database.clock.now(), run_id=run)
            )

    def last(self, kind: RunKind) -> Tick | None:
        """The newest claimed tick of a timer."""
        found = self._select(tick.c.kind == kind.value, limit=1)
        return found[0] if found else None

    def fired(self, kind: RunKind, since: datetime) -> tuple[Tick, ...]:
        """Claimed ticks that were due at *since* or later, newest first; a due time not among them was missed."""
        return self._select(tick.c.kind == kind.value, tick.c.due >= since, limit=1_000)

    def pause(self, note: str) -> None:
        """Pause all timers, with a note for people."""
        self._facts.set(SCHEDULE_PAUSED, note or "paused")

    def resume(self) -> None:
        """Let the timers go on."""
        self._facts.set(SCHEDULE_PAUSED, None)

    def paused(self) -> str | None:
        """The note of the pause, None when the timers go."""
        return self._facts.get(SCHEDULE_PAUSED)

    def _select(self, *conditions: Any, limit: int) -> tuple[Tick, ...]:
        with self._database.read() as conn:
            found = conn.execute(select(tick).where(*conditions).order_by(tick.c.due.desc()).limit(limit))
            return tuple(map(_tick, found))


def _tick(row: Row[Any]) -> Tick:
    return Tick(RunKind(row.kind), row.due, row.owner, row.claimed_at, row.finished_at, row.run_id)
