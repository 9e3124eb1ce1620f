"""Runs: who does what, at most one at a time a campaign, with a lease that a dead owner loses.

May import the schema. The database holds the promise: a unique index lets one running run claim a campaign and one
batch the org. A lease is 30 seconds long and renewed during every wait; each take-over raises the run's fence, so an
owner that slept through it finds its lease void at its next word.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from sync.clock import Clock
from sync.codec import Codec
from sync.errors import Locked
from sync.ids import CampaignId, RunId
from sync.model import Calls, RunKind, RunState
from sync.plan import PlanCounts
from sync.store.database import Database
from sync.store.owner import is_alive, this_process
from sync.store.schema import campaign, run
from sync.views import RunView, process_of

LEASE = timedelta(seconds=30)
BATCH_CLAIM = "batch"
_QUIET = frozenset({RunKind.PLAN, RunKind.VERIFY})
_ASIDE = frozenset({RunKind.TEST_SEND.value})
"""Runs that say nothing of how a campaign stands, so that they are not shown as its last one."""

_BATCHES = frozenset({RunKind.HOURLY, RunKind.NIGHTLY})
_EVERY = 1_000_000
"""More runs than there are at a time: none is left out."""
_ALIVE = RunState.RUNNING.value
_UNDID = (RunState.RUNNING.value, RunState.DONE.value, RunState.PARTIAL.value)

COUNTS: Codec[PlanCounts] = Codec(PlanCounts)


class LeaseLost(Locked):
    """The run was ended or taken over while its owner was away; the owner must stop without a further write."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run. ``fence`` is the run's count of owners when it was given."""

    run: RunId
    fence: int
    owner: str
    parent: RunId | None = None
    campaign_id: CampaignId | None = None


def new_run_id(clock: Clock) -> RunId:
    """A new id; ids sort by time."""
    return RunId(f"{clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}")


class Runs:
    """Runs and leases.

    Args:
        database: the state.
        recount: called with the campaign of a run that ends, inside the same transaction.
        owner: who holds what is started here; this process unless a test says otherwise.
    """

    def __init__(self, database: Database, recount: Callable[[CampaignId], None], owner: str | None = None) -> None:
        self._database = database
        self._recount = recount
        self.owner = owner if owner is not None else this_process()

    # ------------------------------------------------------------ the life of a run

    def start(
        self,
        kind: RunKind,
        *,
        campaign_id: CampaignId | None = None,
        campaign_name: str | None = None,
        parent: RunId | None = None,
        simulated: bool = False,
        exclusive: bool | None = None,
        run_id: RunId | None = None,
    ) -> Lease:
        """Begin a run and claim what it needs for itself.

        Args:
            kind, campaign_id, campaign_name, parent, simulated: what is run.
            exclusive: claim the campaign (or, for hourly and nightly without one, the org's batch); by default all
                runs do but plans, verifications and simulations.
            run_id: an id made before; a new one when None.

        Raises:
            Locked: another live run has it, or the campaign is locked out.
        """
        if exclusive is None:
            exclusive = not simulated and kind not in _QUIET
        claim: str | None = None
        if exclusive:
            claim = campaign_id or (BATCH_CLAIM if kind in _BATCHES else None)
        lease = Lease(run_id or new_run_id(self._database.clock), 1, self.owner, parent, campaign_id)
        for last_try in (False, True):
            if claim is not None:
                self._free(claim, campaign_name)
            try:
                with self._database.write(durable=True) as conn, conn.begin_nested():
                    if claim is not None:
                        _refuse_locked_out(conn, campaign_id, campaign_name)
                    conn.execute(insert(run).values(self._new(lease, kind, campaign_name, simulated, claim)))
            except IntegrityError as error:
                if last_try:
                    raise self._taken(claim, campaign_name) from error
            else:
                return lease
        raise AssertionError("unreachable")

    def _new(
        self, lease: Lease, kind: RunKind, campaign_name: str | None, simulated: bool, claim: str | None
    ) -> dict[str, Any]:
        now = self._database.clock.now()
        return {
            "run_id": lease.run,
            "kind": kind.value,
            "state": _ALIVE,
            "campaign_id": lease.campaign_id,
            "campaign_name": campaign_name,
            "parent": lease.parent,
            "simulated": simulated,
            "claim": claim,
            "owner": lease.owner,
            "fence": lease.fence,
            "lease_until": now + LEASE,
            "started": now,
        }

    def renew(self, lease: Lease) -> bool:
        """Lengthen the lease of a run and of its live children; True when somebody asked to cancel it.

        Raises:
            LeaseLost: the run was taken over or has ended.
        """
        with self._database.write() as conn:
            self.check(conn, lease)
            until = self._database.clock.now() + LEASE
            conn.execute(
                update(run)
                .where(
                    or_(run.c.run_id == lease.run, run.c.parent == lease.run),
                    run.c.state == _ALIVE,
                    run.c.owner == lease.owner,
                )
                .values(lease_until=until)
            )
            asked = select(run.c.cancel_wanted).where(
                or_(run.c.run_id == lease.run, run.c.run_id == (lease.parent or lease.run)),
                run.c.cancel_wanted == true(),
            )
            return conn.execute(asked).first() is not None

    def check(self, conn: Connection, lease: Lease) -> None:
        """Make sure, inside a write transaction, that *lease* still holds.

        The row is updated and not only read: on PostgreSQL this waits for a take-over that is under way.

        Raises:
            LeaseLost: it does not.
        """
        held = conn.execute(
            update(run)
            .where(run.c.run_id == lease.run, run.c.fence == lease.fence, run.c.state == _ALIVE)
            .values(fence=lease.fence)
        )
        if held.rowcount != 1:
            raise LeaseLost(
                f"run {lease.run} was ended or taken over by another process",
                left_undone="nothing was written since",
                remedy=f"see 'predictive runs {lease.run}'",
            )

    def end(
        self,
        lease: Lease,
        state: RunState,
        *,
        counts: PlanCounts = PlanCounts(),  # noqa: B008
        calls: Calls = Calls(),  # noqa: B008
        predicted: Calls | None = None,
        error: str | None = None,
    ) -> None:
        """End a run: its state, counts and calls, what it claimed and reserved is free, its campaign is counted anew.

        Raises:
            LeaseLost: it is not ours any more.
            ValueError: *state* is no end.
        """
        if not state.ended:
            raise ValueError(f"a run cannot end as {state.value}")
        values: dict[str, Any] = {
            "state": state.value,
            "ended": self._database.clock.now(),
            "counts": COUNTS.encode(counts),
            "salesforce_calls": calls.salesforce,
            "predictive_calls": calls.predictive,
            "error": error,
            "reserved": 0,
        }
        if predicted is not None:
            values |= {"predicted_salesforce": predicted.salesforce, "predicted_predictive": predicted.predictive}
        with self._database.write(durable=True) as conn:
            self.check(conn, lease)
            conn.execute(update(run).where(run.c.run_id == lease.run).values(**values))
            if lease.campaign_id is not None:
                self._left_mark(conn, lease.campaign_id, lease.run)

    def _left_mark(self, conn: Connection, campaign_id: CampaignId, run_id: RunId) -> None:
        touched = conn.execute(select(campaign.c.touched).where(campaign.c.campaign_id == campaign_id)).scalar()
        kind = conn.execute(select(run.c.kind).where(run.c.run_id == run_id)).scalar()
        if kind not in _ASIDE:
            conn.execute(update(campaign).where(campaign.c.campaign_id == campaign_id).values(last_run=run_id))
        if touched:
            self._recount(campaign_id)

    def set_plan(self, lease: Lease, plan_id: str | None, predicted: Calls | None = None) -> None:
        """Note which plan a run made or applies (None: it has none), and what it was said to cost."""
        values: dict[str, Any] = {"plan_id": plan_id}
        if predicted is not None:
            values |= {"predicted_salesforce": predicted.salesforce, "predicted_predictive": predicted.predictive}
        with self._database.write() as conn:
            self.check(conn, lease)
            conn.execute(update(run).where(run.c.run_id == lease.run).values(**values))

    def set_undoes(self, lease: Lease, undone: RunId) -> None:
        """Note which run this one undoes."""
        with self._database.write() as conn:
            self.check(conn, lease)
            conn.execute(update(run).where(run.c.run_id == lease.run).values(undoes=undone))

    def request_cancel(self, run_id: RunId) -> bool:
        """Ask a live run, wherever it lives, to stop after the batch in flight; False when it does not live."""
        with self._database.write() as conn:
            done = conn.execute(
                update(run).where(run.c.run_id == run_id, run.c.state == _ALIVE).values(cancel_wanted=True)
            )
            return done.rowcount == 1

    # ------------------------------------------------------------ take-over

    def reap(self, *, dead_only: bool = False) -> tuple[RunId, ...]:
        """End every run whose owner is gone; their open intents stay, to be reconciled.

        Args:
            dead_only: leave those of whom only the lease is over: a frozen process may wake, and looking takes nothing.
        """
        with self._database.read() as conn:
            living = conn.execute(select(run).where(run.c.state == _ALIVE)).all()
        gone = [row for row in living if (is_alive(row.owner) is False if dead_only else self._is_gone(row))]
        return tuple(RunId(row.run_id) for row in gone if self._bury(row.run_id))

    def adopt(self, run_id: RunId) -> Lease | None:
        """Take a live run over to go on with it; None when its owner lives, or it has ended."""
        with self._database.write() as conn:
            row = conn.execute(select(run).where(run.c.run_id == run_id, run.c.state == _ALIVE)).first()
            if row is None or not self._is_gone(row):
                return None
            done = conn.execute(
                update(run)
                .where(run.c.run_id == run_id, run.c.fence == row.fence, run.c.state == _ALIVE)
                .values(fence=row.fence + 1, owner=self.owner, lease_until=self._database.clock.now() + LEASE)
            )
            if done.rowcount != 1:
                return None
            return Lease(run_id, row.fence + 1, self.owner, row.parent, row.campaign_id)

    def _free(self, claim: str, campaign_name: str | None) -> None:
        """End the run that holds *claim* if its owner is gone. Raises Locked when it lives."""
        with self._database.read() as conn:
            row = conn.execute(select(run).where(run.c.claim == claim, run.c.state == _ALIVE)).first()
        if row is not None:
            if not self._is_gone(row):
                raise _locked(row, campaign_name)
            self._bury(row.run_id)

    def _is_gone(self, row: Row[Any]) -> bool:
        return row.lease_until <= self._database.clock.now() or is_alive(row.owner) is False

    def _bury(self, run_id: str) -> bool:
        """End an abandoned run and its live children, with a new fence each; False when another was quicker."""
        now = self._database.clock.now()
        with self._database.write() as conn:
            row = conn.execute(select(run).where(run.c.run_id == run_id, run.c.state == _ALIVE)).first()
            if row is None or not self._is_gone(row):
                return False
            done = conn.execute(
                update(run)
                .where(
                    or_(
                        and_(run.c.run_id == run_id, run.c.fence == row.fence),
                        and_(run.c.parent == run_id, run.c.owner == row.owner),
                    ),
                    run.c.state == _ALIVE,
                )
                .values(
                    state=RunState.FAILED.value,
                    ended=now,
                    fence=run.c.fence + 1,
                    reserved=0,
                    error="its process ended before the run did; what was in flight is checked by the next run",
                )
            )
            return done.rowcount > 0

    def _taken(self, claim: str | None, campaign_name: str | None) -> Locked:
        with self._database.read() as conn:
            row = conn.execute(select(run).where(run.c.claim == claim, run.c.state == _ALIVE)).first()
        return Locked("another run has it") if row is None else _locked(row, campaign_name)

    # ------------------------------------------------------------ reading

    def get(self, run_id: RunId) -> RunView | None:
        """One run, None when there is none of this id."""
        found = self._views(run.c.run_id == run_id, limit=1)
        return found[0] if found else None

    def list(
        self, *, campaign_id: CampaignId | None = None, parent: RunId | None = None, limit: int = 100
    ) -> tuple[RunView, ...]:
        """The newest runs, newest first; of a campaign, of a batch, or all."""
        conditions = []
        if campaign_id is not None:
            conditions.append(run.c.campaign_id == campaign_id)
        if parent is not None:
            conditions.append(run.c.parent == parent)
        return self._views(*conditions, limit=limit)

    def wholes(self, *, kind: RunKind | None = None, limit: int = 100) -> tuple[RunView, ...]:
        """The newest runs that are no part of another, newest first; of a kind, or all. A batch over many campaigns has
        more parts than any list of the newest runs is long."""
        whole = run.c.parent.is_(None)
        return self._views(whole if kind is None else and_(whole, run.c.kind == kind.value), limit=limit)

    def children(self, run_id: RunId) -> tuple[RunView, ...]:
        """The child runs of a batch in the order in which they began."""
        return tuple(reversed(self._views(run.c.parent == run_id, limit=_EVERY)))

    def live(self) -> tuple[RunView, ...]:
        """Runs that have not ended."""
        return self._views(run.c.state == _ALIVE, limit=_EVERY)

    def _views(self, *conditions: Any, limit: int) -> tuple[RunView, ...]:
        later = run.alias()
        undone = (
            select(func.max(later.c.run_id))
            .where(later.c.undoes == run.c.run_id, later.c.state.in_(_UNDID))
            .scalar_subquery()
        )
        statement = (
            select(run, undone.label("undone_by"))
            .where(*conditions)
            .order_by(run.c.started.desc(), run.c.run_id.desc())
            .limit(limit)
        )
        with self._database.read() as conn:
            return tuple(map(view_of, conn.execute(statement)))


def view_of(row: Row[Any]) -> RunView:
    """The view of a row of the table ``run``, with ``undone_by`` beside it."""
    ended: datetime | None = row.ended
    return RunView(
        run=RunId(row.run_id),
        kind=RunKind(row.kind),
        state=RunState(row.state),
        campaign_id=row.campaign_id,
        campaign_name=row.campaign_name,
        parent=row.parent,
        simulated=row.simulated,
        started=row.started,
        ended=ended,
        counts=COUNTS.decode(row.counts),
        calls=Calls(row.salesforce_calls, row.predictive_calls),
        predicted=Calls(row.predicted_salesforce, row.predicted_predictive),
        owner=row.owner,
        error=row.error,
        plan_id=row.plan_id,
        stopping=row.cancel_wanted and row.ended is None,
        pausing=row.pause_wanted and row.ended is None,
        paused=row.paused_at if row.ended is None else None,
        undoes=row.undoes,
        undone_by=row.undone_by,
    )


def _refuse_locked_out(conn: Connection, campaign_id: CampaignId | None, name: str | None) -> None:
    if campaign_id is None:
        return
    reason = conn.execute(select(campaign.c.locked).where(campaign.c.campaign_id == campaign_id)).scalar()
    if reason is not None:
        raise Locked(
            f"the campaign {name or campaign_id} is locked: {reason}",
            left_undone="nothing was read or written",
            remedy=f"look at it, then 'predictive runs unlock {campaign_id} --reason TEXT'",
        )


def _locked(row: Row[Any], campaign_name: str | None) -> Locked:
    what = (
        "another batch"
        if row.claim == BATCH_CLAIM
        else f"another run of {campaign_name or row.campaign_name or row.claim}"
    )
    return Locked(
        f"{what} is at work: {row.kind} run {row.run_id} since {row.started:%Y-%m-%d %H:%M:%S} UTC",
        where=process_of(row.owner),
        left_undone="nothing was written",
        remedy="wait until it has ended; predictive runs shows it",
    )


__all__ = ["BATCH_CLAIM", "LEASE", "Lease", "LeaseLost", "Runs", "new_run_id", "view_of"]
