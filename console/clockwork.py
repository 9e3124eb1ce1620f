"""The console's own pulse: it sleeps until something that is shown changes, a timer is due, or a few seconds passed.

Imports Textual. A console that is left open is to cost next to nothing; but no sleep is long, because clocks are set
and machines are suspended, and nobody tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from textual.events import Event, InputEvent, Paste

from console import pace
from console.commandwork import CommandWork
from console.screens.base import ConsoleScreen
from console.viewstate import RunProgress
from sync.errors import PredictiveError
from sync.views import TimerView

if TYPE_CHECKING:
    from textual.timer import Timer

    from console.backend import Backend
    from console.bridge import Job
    from console.outside import Door

SILENT = timedelta(seconds=1)
"""A run that told nothing for so long is painted by the clock, so that its elapsed time goes on."""

TIMERS = "timers"
"""Group of the worker that looks at the timers."""

LATE = 0.01
"""Seconds that a sleep ends after the instant it is for: one that ended before would find nothing changed."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A look at the timers that found none due: it holds until the store changes or one of *dues* has come."""

    mark: str
    dues: tuple[datetime, ...]

    def holds(self, mark: str, now: datetime) -> bool:
        """Whether looking again would find the same."""
        return bool(self.dues) and mark == self.mark and all(due > now for due in self.dues)


class ClockWork(CommandWork):
    """Ticks, and looks at timers and store."""

    TICK = 1.0
    """Seconds between two ticks while something is under way."""

    LONGEST = 5.0
    """Seconds of the longest sleep: so late is the jump of a clock seen, and what others did to the timers."""

    LOOK = 60.0
    """Seconds after which the store is read again, for what other consoles and workers did."""

    _heard = datetime.min.replace(tzinfo=UTC)
    """When a run last told something."""

    _sleep: Timer | None = None
    _sleeps_long = False
    _looked: Looked | None = None

    def begin_ticking(self) -> None:
        """From now on."""
        self._sleep_for(self.TICK)
        self.set_interval(self.LOOK, self.look_again)

    def enter(self, door: Door) -> None:
        """Nothing that was seen of another store holds."""
        self._looked = None
        super().enter(door)

    # ------------------------------------------------------------ sleeping and waking

    def wake(self) -> None:
        """A sleep is over."""
        self._sleep = None
        if self._exit:
            return
        self.go_on()
        if self.with_timers:
            self.look_at_timers()
        self._sleep_for(self.sleep_seconds())

    def sleep_seconds(self) -> float:
        """How long nothing is to be done, as far as can be seen now."""
        if self.bridge.busy or not self.in_front:
            return self.TICK
        rest = (pace.next_change(self.shared) - self.clock.now()).total_seconds() + LATE
        return min(self.LONGEST, max(LATE, rest))

    def _sleep_for(self, seconds: float) -> None:
        if self._sleep is not None:
            self._sleep.stop()
        self._sleeps_long = seconds > self.TICK
        self._sleep = self.set_timer(seconds, self.wake, name="sleep")

    def stir(self) -> None:
        """Somebody is there, or something began: from now on by the second, as long as it lasts."""
        if self._sleeps_long and not self._exit:
            self.go_on()
            self._sleep_for(self.TICK)

    async def on_event(self, event: Event) -> None:
        """Whoever presses a key sees the present time."""
        if self._sleeps_long and isinstance(event, InputEvent | Paste):
            self.stir()
        await super().on_event(event)

    # ------------------------------------------------------------ the clock

    def go_on(self) -> None:
        """Take the present time; paint when it shows."""
        now = self.clock.now()
        if self.bridge.busy or pace.changed(self.shared, now):
            self.tick()
        else:
            self.shared = replace(self.shared, now=now)

    def tick(self) -> None:
        """The clock went on. A tick may still come while the app shuts down and its screens are gone."""
        if not self.in_front:
            return
        self.shared = replace(self.shared, now=self.clock.now())
        if isinstance(self.screen, ConsoleScreen) and self.screen.ready:
            self.screen.paint_top()
            if self.live_run is not None and self.shared.now - self._heard >= SILENT:
                self.screen.run_went_on(self.shown_job)

    # ------------------------------------------------------------ store and timers

    def look_again(self) -> None:
        """What did others do meanwhile?"""
        if self.in_front and self.bridge.writing is None and not self.bridge.reading:
            self.reread()

    def look_at_timers(self) -> None:
        """Is a timer due? The store tells; only one process gets the tick."""
        off = self.shared.loaded and not any(timer.enabled for timer in self.shared.timers)
        if off or self.bridge.writing is not None or self._leaving:
            return
        if not any(worker.group == TIMERS for worker in self.workers):
            self.beside(self._fire_due, TIMERS)

    async def _fire_due(self) -> None:
        now, looked, dues, bridge = self.clock.now(), self._looked, pace.dues(self.shared), self.bridge

        def look(backend: Backend) -> tuple[str, TimerView | None]:
            # Asked first: what is committed during the look is seen by the next one.
            mark = backend.mark()
            if looked is not None and looked.holds(mark, now):
                return mark, None
            return mark, backend.due_tick(now)

        self._looked = None
        try:
            mark, due = await bridge.read(look)
        except PredictiveError as error:
            self.front.say_error(error)
            return
        if bridge is not self.bridge:
            return
        if due is None:
            self._looked = Looked(mark, dues)
        elif self.bridge.writing is None:
            self._fire(due)

    def _fire(self, due: TimerView) -> None:
        kind, at = due.kind, due.due
        title = f"{kind.value.capitalize()}{' simulated' if due.simulated else ''}"
        job: Job[Any] = self.bridge.act(
            title, lambda backend, cancel: backend.fire(kind, at, cancel=cancel), writes=True
        )
        self.progress[job.number] = RunProgress(title=title)
        self.stir()
