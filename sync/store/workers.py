"""Workers: who is there, and whether whoever took something in hand still lives.

May import the schema. A process of this host is alive or not, which is asked of the kernel; one of another host lives
as long as the leases of its runs, or its own word that it is there.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from sync.ids import RunId
from sync.model import RunState
from sync.store.database import Database
from sync.store.owner import is_alive
from sync.store.runs import LEASE
from sync.store.schema import run, worker
from sync.views import WorkerView

_ALIVE = RunState.RUNNING.value


class Workers:
    """Workers of this state. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(self, owner: str) -> None:
        """A worker says that it is there, for the length of a lease; the first time it is known from then on."""
        now = self._database.clock.now()
        row = {"owner": owner, "started": now, "seen_until": now + LEASE}
        with self._database.write() as conn:
            conn.execute(self._database.upsert(worker, keep=("started",)), [row])

    def leave(self, owner: str) -> None:
        """A worker ends."""
        with self._database.write() as conn:
            conn.execute(delete(worker).where(worker.c.owner == owner))

    def forget_gone(self) -> None:
        """Forget workers that ended without a word."""
        with self._database.write() as conn:
            for row in conn.execute(select(worker)).all():
                if not self._lives(conn, row.owner, row.seen_until):
                    conn.execute(delete(worker).where(worker.c.owner == row.owner))

    def living(self) -> tuple[WorkerView, ...]:
        """Workers that are there now, the oldest first, each with the runs that it has in hand."""
        with self._database.read() as conn:
            rows = conn.execute(select(worker).order_by(worker.c.started, worker.c.owner)).all()
            return tuple(
                WorkerView(row.owner, row.started, _runs_of(conn, row.owner))
                for row in rows
                if self._lives(conn, row.owner, row.seen_until)
            )

    def is_gone(self, conn: Connection, owner: str, since: datetime) -> bool:
        """Whether who took something in hand at *since* will do nothing more about it.

        Its process is gone; or a lease's time has passed and no run of it has a lease that lasts.
        """
        late = since + LEASE <= self._database.clock.now()
        return is_alive(owner) is False or (late and not self._has_lease(conn, owner))

    def _lives(self, conn: Connection, owner: str, seen_until: datetime) -> bool:
        if is_alive(owner) is False:
            return False
        return seen_until > self._database.clock.now() or self._has_lease(conn, owner)

    def _has_lease(self, conn: Connection, owner: str) -> bool:
        now = self._database.clock.now()
        held = select(run.c.run_id).where(run.c.owner == owner, run.c.state == _ALIVE, run.c.lease_until > now)
        return conn.execute(held).first() is not None


def _runs_of(conn: Connection, owner: str) -> tuple[RunId, ...]:
    """Runs, not their parts, that an owner has in hand."""
    held = select(run.c.run_id).where(run.c.owner == owner, run.c.state == _ALIVE, run.c.parent.is_(None))
    return tuple(RunId(key) for key in conn.execute(held.order_by(run.c.started)).scalars())
