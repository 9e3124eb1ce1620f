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
from sync.store.runs import LEASE
from sync.store.schema import tick
from sync.store.workers import Workers

NOBODY = ""
"""The owner of a firing that was handed back."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A firing: which timer, when it was due, who claimed it, the run it became, if any, and how often it was begun."""

    kind: RunKind
    due: datetime
    owner: str
    claimed_at: datetime
    finished_at: datetime | None
    run: RunId | None
    tries: int = 1


class Schedule:
    """Claimed ticks, and the pause of all timers."""

    def __init__(self, database: Database, facts: Facts, workers: Workers) -> None:
        self._database = database
        self._facts = facts
        self._workers = workers

    def claim(self, kind: RunKind, due: datetime, owner: str) -> bool:
        """True for the one who may fire this tick, False for everybody after."""
        values = {
            "kind": kind.value,
            "due": due,
            "owner": owner,
            "claimed_at": self._database.clock.now(),
        }
        try:
            with self._database.write(durable=True) as conn, conn.begin_nested():
                conn.execute(insert(tick).values(values))
        except IntegrityError:
            return False
        return True

    def take_over(self, left: Tick, owner: str) -> bool:
        """Begin a firing anew whose owner is gone; False when it is not, or another process was quicker."""
        with self._database.write(durable=True) as conn:
            if not self._workers.is_gone(conn, left.owner, left.claimed_at):
                return False
            done = conn.execute(
                update(tick)
                .where(
                    tick.c.kind == left.kind.value,
                    tick.c.due == left.due,
                    tick.c.finished_at.is_(None),
                    tick.c.tries == left.tries,
                )
                .values(owner=owner, claimed_at=self._database.clock.now(), tries=left.tries + 1)
            )
            return done.rowcount == 1

    def is_left(self, fired: Tick) -> bool:
        """Whether a firing was begun by somebody who is gone, and never came to an end."""
        with self._database.read() as conn:
            return fired.finished_at is None and self._workers.is_gone(conn, fired.owner, fired.claimed_at)

    def hand_back(self, kind: RunKind, due: datetime) -> None:
        """Leave a firing to whoever takes it over: its owner ends before the run could."""
        with self._database.write(durable=True) as conn:
            conn.execute(
                update(tick)
                .where(tick.c.kind == kind.value, tick.c.due == due)
                .values(finished_at=None, owner=NOBODY, claimed_at=self._database.clock.now() - LEASE)
            )

    def finish(self, kind: RunKind, due: datetime, run: RunId | None, owner: str) -> None:
        """Note what became of a tick; nothing when it is not *owner*'s any more."""
        with self._database.write(durable=True) as conn:
            conn.execute(
                update(tick)
                .where(tick.c.kind == kind.value, tick.c.due == due, tick.c.owner == owner)
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
    return Tick(RunKind(row.kind), row.due, row.owner, row.claimed_at, row.finished_at, row.run_id, row.tries)
