"""Runs that wait for a worker: asked for once, taken in hand by one worker, taken over when that one is gone.

May import the schema. A row says what is to be run, never how it is to end: exclusivity is the run's own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from sync.ids import CampaignId, RunId
from sync.model import RunKind
from sync.store.database import Database
from sync.store.schema import queued
from sync.store.workers import Workers
from sync.views import QueuedView
from sync.words import plural

MOST_TRIES = 3
"""A run whose worker died so often is not begun again: it may be what they died of."""

AGAIN = timedelta(seconds=5)
"""How long a run waits whose campaign another run has."""

_WINDOW = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: its kind, campaigns (() for all that the kind takes), and what the operator decided.

    ``called`` are names by which campaigns were named, by id: who carries it out asks whether each is theirs alone.
    """

    kind: RunKind
    campaigns: tuple[CampaignId, ...] = ()
    allow: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    confirm_name: str | None = None
    called: dict[str, str] = field(default_factory=dict)


class Queue:
    """Waiting runs. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database, workers: Workers) -> None:
        self._database = database
        self._workers = workers

    def add(self, wanted: Wanted, asked_by: str) -> str:
        """Let a run wait for a worker; the job's id."""
        now = self._database.clock.now()
        job = f"job-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        choice: dict[str, Any] = {
            "allow": wanted.allow,
            "reason": wanted.reason,
            "confirm_name": wanted.confirm_name,
        }
        if wanted.called:  # a worker of before knows no such key
            choice["called"] = wanted.called
        values = {
            "job_id": job,
            "kind": wanted.kind.value,
            "campaigns": json.dumps(wanted.campaigns),
            "choice": json.dumps(choice),
            "asked_by": asked_by,
            "asked_at": now,
            "not_before": now,
        }
        with self._database.write(durable=True) as conn:
            conn.execute(insert(queued).values(values))
        return job

    def claim(self, owner: str) -> tuple[str, Wanted] | None:
        """Take the oldest run in hand that waits, or whose worker is gone; None when there is none."""
        now = self._database.clock.now()
        open_jobs = (
            select(queued)
            .where(queued.c.finished_at.is_(None), queued.c.not_before <= now)
            .order_by(queued.c.asked_at, queued.c.job_id)
            .limit(_WINDOW)
            # Where rows can be locked, workers that look at one moment look at different ones.
            .with_for_update(skip_locked=True)
        )
        with self._database.write(durable=True) as conn:
            for row in conn.execute(open_jobs).all():
                if row.owner is not None and not self._workers.is_gone(conn, row.owner, row.claimed_at):
                    continue
                if row.tries >= MOST_TRIES:
                    self._finish(
                        conn, row.job_id, None, f"begun {plural(row.tries, 'time')}, and each time its worker died"
                    )
                    continue
                values = {"owner": owner, "claimed_at": now, "tries": row.tries + 1}
                conn.execute(update(queued).where(queued.c.job_id == row.job_id).values(**values))
                return row.job_id, _wanted(row)
        return None

    def put_back(self, job: str, owner: str, *, after: timedelta = AGAIN) -> None:
        """Let a run wait again that *owner* took in hand and did not carry out; nothing when it is not its any more."""
        values = {"owner": None, "claimed_at": None, "not_before": self._database.clock.now() + after}
        mine = (queued.c.job_id == job, queued.c.owner == owner)
        with self._database.write(durable=True) as conn:
            conn.execute(update(queued).where(*mine).values(**values, tries=queued.c.tries - 1))

    def finish(self, job: str, owner: str, run: RunId | None, error: str | None) -> None:
        """Note what became of a run that *owner* has in hand; nothing when it is not its any more."""
        with self._database.write(durable=True) as conn:
            self._finish(conn, job, run, error, queued.c.owner == owner, queued.c.finished_at.is_(None))

    def withdraw(self, job: str) -> bool:
        """Take back a run that nobody has in hand yet; False when somebody has, or it is over or unknown."""
        now = self._database.clock.now()
        waits = (queued.c.job_id == job, queued.c.owner.is_(None), queued.c.finished_at.is_(None))
        with self._database.write(durable=True) as conn:
            done = conn.execute(update(queued).where(*waits).values(finished_at=now, error="withdrawn"))
            return done.rowcount == 1

    def get(self, job: str) -> QueuedView | None:
        """One job, whatever became of it."""
        found = self._select(queued.c.job_id == job)
        return found[0] if found else None

    def open(self) -> tuple[QueuedView, ...]:
        """Runs that wait or are in hand, the oldest first."""
        return self._select(queued.c.finished_at.is_(None))

    def _finish(
        self, conn: Connection, job: str, run: RunId | None, error: str | None, *conditions: ColumnElement[bool]
    ) -> None:
        values = {"finished_at": self._database.clock.now(), "run_id": run, "error": error}
        conn.execute(update(queued).where(queued.c.job_id == job, *conditions).values(**values))

    def _select(self, *conditions: Any) -> tuple[QueuedView, ...]:
        statement = select(queued).where(*conditions).order_by(queued.c.asked_at, queued.c.job_id)
        with self._database.read() as conn:
            return tuple(map(_view, conn.execute(statement)))


def _wanted(row: Row[Any]) -> Wanted:
    return Wanted(RunKind(row.kind), _campaigns(json.loads(row.campaigns)), **json.loads(row.choice))


def _campaigns(ids: Sequence[str]) -> tuple[CampaignId, ...]:
    return tuple(map(CampaignId, ids))


def _view(row: Row[Any]) -> QueuedView:
    return QueuedView(
        job=row.job_id,
        kind=RunKind(row.kind),
        campaigns=_campaigns(json.loads(row.campaigns)),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        not_before=row.not_before,
        owner=row.owner,
        claimed_at=row.claimed_at,
        tries=row.tries,
        finished_at=row.finished_at,
        run=row.run_id,
        error=row.error,
    )
