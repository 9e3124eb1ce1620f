"""A worker: fires the timers, takes over what dead processes left, and carries out the runs that wait in the queue.

Imports the engine's steps and the store. One run at a time in each worker; any number of workers and consoles share a
state, whose database lets each tick fire once, each campaign have one run, and all of them one API budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sync.clock import Clock
from sync.engine import timers
from sync.engine.parts import Cancel
from sync.errors import Locked, PredictiveError
from sync.ids import CampaignId
from sync.model import RunKind, RunState
from sync.settings import OrgSettings
from sync.store.queue import Wanted
from sync.store.schedule import Tick
from sync.store.store import Store
from sync.views import RunResult

LOOK = 2.0
"""Seconds between two looks at timers and queue while there is nothing to do; a lease is renewed with each."""


class Stop(Cancel, Protocol):
    """Tells a worker to end: a ``threading.Event`` or anything like it."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds, or until it is set; whether it is."""
        ...


class Runs(Protocol):
    """What a worker needs of the shell."""

    store: Store
    settings: OrgSettings
    clock: Clock

    def is_read_only(self) -> bool:
        """True when nothing may be written; ticks are simulated then."""
        ...

    def disconnect(self) -> None:
        """Let go of connections."""
        ...

    def carry_out(self, wanted: Wanted, cancel: Cancel) -> RunResult:
        """What somebody asked for, as its own command would."""
        ...

    def batch(self, kind: RunKind, *, simulate: bool = False, cancel: Cancel | None = None) -> RunResult:
        """The hourly or nightly batch."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that a worker did: why, which run it became, or the error that kept it from being one.

    Attributes:
        why: ``tick``, ``taken-over`` or ``queued``.
        due: when the tick was due; None of what was queued.
        job: the queue's id; None of a tick.
    """

    why: str
    kind: RunKind
    due: datetime | None = None
    job: str | None = None
    result: RunResult | None = None
    error: PredictiveError | None = None

    @property
    def exit_code(self) -> int:
        """As the command of the same run would have ended."""
        if self.error is not None:
            return self.error.exit_code
        return 0 if self.result is None else self.result.exit_code


class Worker:
    """A worker of one org.

    Args:
        shell: the engine.
        stop: ends the worker; a run in hand ends after its batch in flight.
        told: takes each turn when it is over.
    """

    def __init__(self, shell: Runs, stop: Stop, told: Callable[[Turn], None]) -> None:
        self._shell = shell
        self._store = shell.store
        self._owner = shell.store.runs.owner
        self._stop = stop
        self._told = told

    def serve(self) -> bool:
        """Work until told to stop; True when a run was ended for that."""
        cut = False
        self._store.workers.forget_gone()
        try:
            while not self._stop.is_set():
                self._store.workers.seen(self._owner)
                turn = self._turn()
                if turn is None:
                    self._stop.wait(LOOK)
                    continue
                # Hours may pass until the next one: the other side would have closed the connections by then.
                self._shell.disconnect()
                cut = turn.result is not None and turn.result.state is RunState.CANCELLED and self._stop.is_set()
                self._told(turn)
        finally:
            self._store.workers.leave(self._owner)
        return cut

    def _turn(self) -> Turn | None:
        now = self._shell.clock.now()
        self._store.runs.reap()
        settings = self._shell.settings
        due = timers.due_tick(self._store, settings, now, simulated=self._shell.is_read_only())
        if due is not None:
            return self._fire(due.kind, due.due, None)
        left = timers.left_tick(self._store, settings, now)
        if left is not None:
            return self._fire(left.kind, left.due, left)
        return self._next_queued()

    def _fire(self, kind: RunKind, due: datetime, left: Tick | None) -> Turn | None:
        why = "tick" if left is None else "taken-over"
        locked: list[Locked] = []

        def batch(kind: RunKind) -> RunResult:
            try:
                return self._shell.batch(kind, simulate=self._shell.is_read_only(), cancel=self._stop)
            except Locked as error:
                locked.append(error)
                raise

        try:
            result = timers.fire(self._store, kind, due, batch, left=left)
        except PredictiveError as error:
            return Turn(why, kind, due, error=error)
        if result is None:
            # Without a lock another process was quicker, and tells of the tick itself.
            return Turn(why, kind, due, error=locked[0]) if locked else None
        if result.state is RunState.CANCELLED and self._stop.is_set() and kind is RunKind.NIGHTLY:
            # What the night did not get to is another worker's, or this one's when it is back in time. An hourly run
            # sends mail: it is left to the next hour.
            self._store.schedule.hand_back(kind, due)
        return Turn(why, kind, due, result=result)

    def _next_queued(self) -> Turn | None:
        claimed = self._store.queue.claim(self._owner)
        if claimed is None:
            return None
        job, wanted = claimed
        try:
            result = self._shell.carry_out(wanted, self._stop)
        except Locked as error:
            if not self._locked_out(wanted.campaigns):
                self._store.queue.put_back(job, self._owner)
                return None
            return self._failed(job, wanted.kind, error)
        except PredictiveError as error:
            return self._failed(job, wanted.kind, error)
        if result.state is RunState.CANCELLED and self._stop.is_set():
            self._store.queue.put_back(job, self._owner)
        else:
            self._store.queue.finish(job, self._owner, result.run, result.error)
        return Turn("queued", wanted.kind, job=job, result=result)

    def _failed(self, job: str, kind: RunKind, error: PredictiveError) -> Turn:
        self._store.queue.finish(job, self._owner, None, error.line())
        return Turn("queued", kind, job=job, error=error)

    def _locked_out(self, campaigns: Sequence[CampaignId]) -> bool:
        """Whether it takes a person before these campaigns can be run."""
        found = (self._store.campaigns.get(key) for key in campaigns)
        return any(record is not None and record.locked for record in found)
