"""The API budget that all processes of this state share: calls that live runs have set aside and not made yet.

May import the schema. A run's mark is how many calls it may have made at its end; what it has made, the ledger counts,
so a reservation shrinks as it is spent and is gone when the run ends or its process does.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, func, or_, select, true, update

from sync.model import RunState, Side
from sync.store.database import Database
from sync.store.runs import Lease, Runs
from sync.store.schema import call, run


class Reservations:
    """Calls set aside."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def reserve(self, lease: Lease, calls: int, fits: Callable[[int, int], bool]) -> bool:
        """Set *calls* further Salesforce calls aside for a run, in place of what it had; False when they do not fit.

        One process at a time is here, and what *fits* reads it reads in the same transaction: two that look at the
        last calls cannot both have them.

        Args:
            lease: the run.
            calls: how many it may still make.
            fits: told how many calls other live runs may still make, and how many this run made so far.

        Raises:
            LeaseLost: the run is not ours any more.
        """
        with self._database.write() as conn:
            self._database.one_at_a_time(conn, "reserve")
            self._runs.check(conn, lease)
            spent = _spent(conn, lease.run)
            if not fits(_outstanding(conn, lease.run), spent):
                return False
            conn.execute(update(run).where(run.c.run_id == lease.run).values(reserved=spent + calls))
            return True

    def outstanding(self) -> int:
        """Salesforce calls that live runs have set aside and not made yet."""
        with self._database.read() as conn:
            return _outstanding(conn, None)


def _spent(conn: Connection, run_id: str) -> int:
    """Salesforce calls of a run and its children, as far as the org counts them."""
    children = select(run.c.run_id).where(run.c.parent == run_id)
    statement = (
        select(func.count())
        .select_from(call)
        .where(
            or_(call.c.run_id == run_id, call.c.run_id.in_(children)),
            call.c.side == Side.SALESFORCE.value,
            call.c.counted == true(),
        )
    )
    return int(conn.execute(statement).scalar_one())


def _outstanding(conn: Connection, but: str | None) -> int:
    """What live runs, *but* one, may still spend. A run's mark is how many calls it may have made at its end."""
    conditions = [run.c.state == RunState.RUNNING.value, run.c.reserved > 0]
    if but is not None:
        conditions.append(run.c.run_id != but)
    marks = conn.execute(select(run.c.run_id, run.c.reserved).where(*conditions)).all()
    return sum(max(0, mark - _spent(conn, key)) for key, mark in marks)
