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
from sync.errors import Locked, PredictiveError, RetriableError
from sync.ids import CampaignId
from sync.model import RunKind, RunState
from sync.settings import OrgSettings
from sync.store.queue import Wanted
from sync.store.schedule import Tick
from sync.store.store import Store
from sync.store.trouble import state_trouble
from sync.views import RunResult

LOOK = 2.0
"""Seconds between two looks at timers and queue while there is nothing to do; a lease is renewed with each."""

AGAIN = 5.0
"""Seconds between two tries to reach a state that does not answer."""


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
        troubled: takes what is wrong with a state that does not answer, and None when it does again.
    """

    def __init__(
        self,
        shell: Runs,
        stop: Stop,
        told: Callable[[Turn], None],
        troubled: Callable[[PredictiveError | None], None] = lambda trouble: None,
    ) -> None:
        self._shell = shell
        self._store = shell.store
        self._owner = shell.store.runs.owner
        self._stop = stop
        self._told = told
        self._troubled = troubled
        self._lost = False
        self._in_hand: Callable[[], None] | None = None
        """Gives back what was begun, when the state did not take down its end."""

    def serve(self) -> bool:
        """Work until told to stop; True when a run was ended for that.

        A state that does not answer is waited for: what was begun is given back then, and carried out anew.
        """
        cut = False
        self._store.workers.forget_gone()
        try:
            while not self._stop.is_set():
                try:
                    if self._lost:
                        self._found()
                    self._store.workers.seen(self._owner)
                    turn = self._turn()
                except Exception as error:  # noqa: BLE001 - raised again unless the state does not answer
                    self._lose(error)
                    self._stop.wait(AGAIN)
                    continue
                if turn is None:
                    self._stop.wait(LOOK)
                    continue
                # Hours may pass until the next one: the other side would have closed the connections by then.
                self._shell.disconnect()
                cut = turn.result is not None and turn.result.state is RunState.CANCELLED and self._stop.is_set()
                self._told(turn)
        finally:
            if not self._lost:
                self._store.workers.leave(self._owner)
        return cut or (self._lost and self._in_hand is not None)

    def _lose(self, error: Exception) -> None:
        """Let go of a state that does not answer. Raises *error* when it is anything else."""
        trouble = state_trouble(error)
        if not isinstance(trouble, RetriableError):
            raise error
        if not self._lost:
            self._lost = True
            self._troubled(trouble)
        self._store.database.let_go()
        self._shell.disconnect()

    def _found(self) -> None:
        """The state answers again: give back what was in hand, once nobody counts its run as alive any more."""
        while any(run.owner == self._owner for run in self._store.runs.live()):
            self._store.workers.seen(self._owner)
            self._store.runs.reap()
            if self._stop.wait(LOOK):
                return
        if self._in_hand is not None:
            self._in_hand()
            self._in_hand = None
        self._lost = False
        self._troubled(None)

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
        self._in_hand = lambda: self._store.schedule.hand_back(kind, due)

        def batch(kind: RunKind) -> RunResult:
            try:
                return self._shell.batch(kind, simulate=self._shell.is_read_only(), cancel=self._stop)
            except Locked as error:
                locked.append(error)
                raise

        try:
            result = timers.fire(self._store, kind, due, batch, left=left)
        except PredictiveError as error:
            self._in_hand = None
            return Turn(why, kind, due, error=error)
        self._in_hand = None
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
        self._in_hand = lambda: self._store.queue.put_back(job, self._owner)
        turn = self._carry_out(job, wanted)
        self._in_hand = None
        return turn

    def _carry_out(self, job: str, wanted: Wanted) -> Turn | None:
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
