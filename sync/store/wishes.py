"""What people ask of a live run, wherever it lives: to stop, to hold after its batch, to go on.

May import the schema. The run looks at its wishes between two batches. Of a batch over many campaigns only the batch
itself lives, so what is asked of a part of it is asked of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select, update

from sync.ids import RunId
from sync.model import RunState
from sync.store.database import Database
from sync.store.runs import Lease, Runs
from sync.store.schema import run

_ALIVE = RunState.RUNNING.value


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of a run now."""

    cancel: bool = False
    pause: bool = False


class Asked:
    """Reads and writes wishes. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def of(self, lease: Lease) -> Wishes:
        """What is asked of a run: the cancel of the batch it belongs to is its own, too."""
        wanted = (run.c.cancel_wanted, run.c.pause_wanted)
        keys = [lease.run, lease.parent] if lease.parent else [lease.run]
        with self._database.read() as conn:
            rows = conn.execute(select(*wanted).where(run.c.run_id.in_(keys))).all()
        return Wishes(any(row.cancel_wanted for row in rows), any(row.pause_wanted for row in rows))

    def cancel(self, run_id: RunId) -> RunId | None:
        """Ask a live run to stop after the batch in flight; the run that was asked, None when it does not live."""
        return self._ask(run_id, cancel_wanted=True)

    def pause(self, run_id: RunId) -> RunId | None:
        """Ask a live run to hold after the batch in flight; the run that was asked, None when it does not live."""
        return self._ask(run_id, pause_wanted=True)

    def resume(self, run_id: RunId) -> RunId | None:
        """Let a held run go on; the run that was asked, None when it does not live."""
        return self._ask(run_id, pause_wanted=False)

    def _ask(self, run_id: RunId, **values: bool) -> RunId | None:
        with self._database.write() as conn:
            found = conn.execute(select(run.c.parent, run.c.state).where(run.c.run_id == run_id)).first()
            if found is None or found.state != _ALIVE:
                return None
            whole = found.parent or run_id
            done = conn.execute(update(run).where(run.c.run_id == whole, run.c.state == _ALIVE).values(**values))
            return RunId(whole) if done.rowcount == 1 else None

    def set_paused(self, lease: Lease, paused: bool) -> None:
        """Note that a run holds, or goes on again, with its parts.

        Raises:
            LeaseLost: it is not ours any more.
        """
        at = self._database.clock.now() if paused else None
        with self._database.write() as conn:
            self._runs.check(conn, lease)
            conn.execute(
                update(run)
                .where(or_(run.c.run_id == lease.run, run.c.parent == lease.run), run.c.state == _ALIVE)
                .values(paused_at=at)
            )
