"""A run while it lives: its lease, its events, its batches, its calls, and the places where it may be stopped.

Imports the store and values. Everything that takes long calls :meth:`LiveRun.breathe` between steps: it renews the
lease and ends the run when somebody asked for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from sync.engine.parts import Cancel, Parts
from sync.errors import Cancelled
from sync.events import (
    Body,
    Event,
    Guarded,
    Noted,
    Phase,
    PhaseEnded,
    PhaseStarted,
    Progress,
    RunEnded,
    RunStarted,
)
from sync.ids import CampaignId, RunId
from sync.model import Calls, RunKind, RunState
from sync.plan import GuardVerdict, PlanCounts
from sync.store.runs import Lease
from sync.store.wishes import Wishes

RENEW_SECONDS = 8.0
"""A lease lasts 30 s; it is renewed when this much has passed since the last time."""


WAIT_STEP = 0.5
"""Seconds after which a wait looks whether the run is to stop."""

OWN_ROWS = 1_000_000_000
"""Journal rows that belong to no row of the plan are numbered from here."""


def _nothing() -> None:
    """Nobody watches the run's calls."""


def _anything(_calls: int) -> None:
    """Nobody judges what the run is about to spend."""


class LiveRun:
    """One claimed run. ``campaign_id`` is None for a batch; ``least`` counts the calls without which no engine could
    have read what this run has read of the org, for the lower bound that its plan states. ``foreseen`` is what the run
    will have spent with the step that it is at, for a run that ends before it has a plan. ``watch`` looks at the budget
    between two calls, ``afford`` before calls that a read turns out to need; the governor sets both."""

    def __init__(
        self,
        parts: Parts,
        lease: Lease,
        kind: RunKind,
        *,
        campaign_id: CampaignId | None,
        campaign_name: str | None,
        simulated: bool,
        cancel: Cancel | None,
    ) -> None:
        self.parts = parts
        self.lease = lease
        self.kind = kind
        self.campaign_id = campaign_id
        self.campaign_name = campaign_name
        self.simulated = simulated
        self.cancel = cancel
        self._seq = 0
        self._batch = 0
        self._row = OWN_ROWS
        self._started = parts.clock.monotonic()
        self._renewed = self._started
        self._winding_up = False
        self._with_end: list[Callable[[], None]] = []
        self.ended = False
        self.least = 0
        self.foreseen = Calls()
        self.watch: Callable[[], None] = _nothing
        self.afford: Callable[[int], None] = _anything

    @property
    def run(self) -> RunId:
        """Its id."""
        return self.lease.run

    # ------------------------------------------------------------ events

    def stamp(self, body: Body) -> Event:
        """An event of this run with its sequence number and instant; not told yet."""
        self._seq += 1
        return Event(self._seq, self.parts.clock.now(), body)

    def emit(self, body: Body) -> None:
        """Journal a fact and tell it."""
        event = self.stamp(body)
        self.parts.store.journal.append([event])
        self.parts.tell(event)

    def tell(self, events: list[Event]) -> None:
        """Tell events that were journalled with their outcome."""
        for event in events:
            self.parts.tell(event)

    def progress(self, phase: Phase, done: int, total: int | None) -> None:
        """Tell how far a phase is; not journalled."""
        self.parts.tell(self.stamp(Progress(self.run, phase, done, total, Calls())))

    def note(self, text: str, *, level: str = "info", campaign_id: CampaignId | None = None) -> None:
        """Tell a fact or a warning."""
        self.emit(Noted(self.run, level, text, campaign_id))

    def guarded(self, verdicts: tuple[GuardVerdict, ...]) -> None:
        """Tell what the guards said."""
        for verdict in verdicts:
            self.emit(Guarded(self.run, verdict))

    @contextmanager
    def phase(self, phase: Phase, total: int | None = None) -> Iterator[list[int]]:
        """A step of the run; add to the yielded list's only item what was done."""
        done = [0]
        before = self.calls()
        self.emit(PhaseStarted(self.run, phase, total))
        yield done
        after = self.calls()
        spent = Calls(after.salesforce - before.salesforce, after.predictive - before.predictive)
        self.emit(PhaseEnded(self.run, phase, done[0], spent))

    # ------------------------------------------------------------ living

    def breathe(self) -> None:
        """Renew the lease when it is time.

        Raises:
            Cancelled: a person asked this run to stop.
            LeaseLost: another process took it over.
        """
        asked = self.cancel is not None and self.cancel.is_set() and not self._winding_up
        now = self.parts.clock.monotonic()
        if asked or now - self._renewed > RENEW_SECONDS:
            self._renewed = now
            asked = self.parts.store.runs.renew(self.lease) or asked
        if asked and not self._winding_up:
            raise _stopped()

    def step(self) -> None:
        """Breathe between two calls to the org, where nothing is in flight: here the governor may end the run.

        Raises:
            QuotaExhausted: it did. Cancelled, LeaseLost: as :meth:`breathe`.
        """
        self.breathe()
        if not self._winding_up:
            self.watch()

    @contextmanager
    def winding_up(self) -> Iterator[None]:
        """Within the block nobody stops the run any more: what was done is counted and settled whatever ends it."""
        before, self._winding_up = self._winding_up, True
        try:
            yield
        finally:
            self._winding_up = before

    def between_batches(self) -> None:
        """Breathe where nothing is in flight: here a run may also be held, and another process's word is heard at once.

        Raises:
            Cancelled, LeaseLost: as :meth:`breathe`.
        """
        wishes = self.parts.store.asked.of(self.lease)
        if wishes.pause and not wishes.cancel:
            wishes = self._hold()
        if wishes.cancel:
            raise _stopped()
        self.breathe()

    def _hold(self) -> Wishes:
        """Stand still, alive, until somebody lets the run go on or stops it; what is asked of it then."""
        store = self.parts.store
        store.asked.set_paused(self.lease, True)
        self.note(f"paused after the batch in flight; predictive runs resume {self.run} goes on")
        idle = threading.Event()
        while (wishes := store.asked.of(self.lease)).pause and not wishes.cancel:
            idle.wait(WAIT_STEP)
            self.breathe()
        store.asked.set_paused(self.lease, False)
        self.note("the run goes on")
        return wishes

    def cancelled(self) -> bool:
        """True when the run is to stop after the batch in flight; renews the lease, and holds while it is paused.

        Raises:
            QuotaExhausted: the governor ends the run here.
        """
        try:
            self.between_batches()
        except Cancelled:
            return True
        self.watch()
        return False

    def next_batch(self) -> int:
        """The number of the next journalled batch."""
        self._batch += 1
        return self._batch

    def number_rows(self, count: int) -> int:
        """Reserve *count* row numbers of the run's journal; the first of them."""
        first = self._row + 1
        self._row += count
        return first

    def calls(self) -> Calls:
        """Requests made for this run so far, as the transport counted them."""
        return self.parts.store.ledger.calls_of(self.run)

    def about_to(self, *, salesforce: int = 0, predictive: int = 0) -> None:
        """Say which requests come next, before they are made."""
        self.foreseen = self.calls() + Calls(salesforce, predictive)

    def seconds(self) -> float:
        """How long it lives."""
        return self.parts.clock.monotonic() - self._started

    def with_end(self, action: Callable[[], None]) -> None:
        """Do *action* in the transaction that ends the run: it is done exactly when the run is over."""
        self._with_end.append(action)

    def end(self, state: RunState, counts: PlanCounts, *, error: str | None = None) -> None:
        """Give the run its final state, once."""
        if self.ended:
            return
        self.ended = True
        calls, store = self.calls(), self.parts.store
        event = self.stamp(RunEnded(self.run, state, counts, calls, self.seconds(), error))
        with store.transaction():
            store.journal.append([event])
            for action in self._with_end:
                action()
            store.runs.end(self.lease, state, counts=counts, calls=calls, error=error)
        self.parts.tell(event)


def _stopped() -> Cancelled:
    return Cancelled("the run was stopped", left_undone="rows not yet written stay planned, nothing is lost")


_PRESENT: ContextVar[LiveRun | None] = ContextVar("sync.engine.run", default=None)


@contextmanager
def present(live: LiveRun) -> Iterator[None]:
    """Within the block, waits of this thread keep *live* alive."""
    token = _PRESENT.set(live)
    try:
        yield
    finally:
        _PRESENT.reset(token)


def wait(seconds: float) -> None:
    """Wait, as the transport does between attempts and polls of jobs, while the present run's lease is renewed.

    Raises:
        Cancelled, LeaseLost: as :meth:`LiveRun.breathe`.
    """
    live = _PRESENT.get()
    left = seconds
    idle = threading.Event()
    while left > 0:
        step = min(left, WAIT_STEP)
        idle.wait(step)
        left -= step
        if live is not None and not live.ended:
            live.breathe()


def start(
    parts: Parts,
    kind: RunKind,
    *,
    campaign_id: CampaignId | None = None,
    campaign_name: str | None = None,
    parent: RunId | None = None,
    simulated: bool = False,
    exclusive: bool | None = None,
    cancel: Cancel | None = None,
) -> LiveRun:
    """Claim a run.

    Raises:
        Locked: another live run has the campaign (or the batch), or a person must lift a lock-out.
    """
    lease = parts.store.runs.start(
        kind,
        campaign_id=campaign_id,
        campaign_name=campaign_name,
        parent=parent,
        simulated=simulated,
        exclusive=exclusive,
    )
    live = LiveRun(
        parts,
        lease,
        kind,
        campaign_id=campaign_id,
        campaign_name=campaign_name,
        simulated=simulated,
        cancel=cancel,
    )
    live.emit(RunStarted(lease.run, kind, campaign_id, campaign_name, parent, simulated))
    return live


def overlap(instant: datetime) -> datetime:
    """Where to read on from a watermark: 15 minutes before it, because stamps may be older than their commit."""
    from datetime import timedelta

    return instant - timedelta(minutes=15)
