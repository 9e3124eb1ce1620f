"""The console's app: how it begins, and how jobs tell and end. The one entry for the command line is ``run_console``.

Imports Textual and the console's own modules; never the shell, which comes in as a function that opens a backend.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual.screen import Screen

from console.bridge import Job
from console.clockwork import ClockWork
from console.messages import EngineEvents, JobEnded
from console.outside import Door, Outside
from console.screens.base import ConsoleScreen
from console.screens.overview import OverviewScreen
from console.viewstate import closed_with, ended_early, told
from sync.clock import Clock
from sync.views import RunResult

if TYPE_CHECKING:
    from textual.command import Provider


KEPT = 20
"""Jobs whose progress stays in memory; older ones are read from the journal."""


def _palette() -> type[Provider]:
    from console.palette import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(ClockWork):
    """The operator console; its arguments are ``Host``'s."""

    CSS_PATH = "styles/console.tcss"
    COMMANDS: ClassVar[set[Any]] = {_palette}

    # ------------------------------------------------------------ beginning

    def get_default_screen(self) -> Screen[Any]:
        """The overview is the screen at the bottom."""
        return OverviewScreen()

    def on_mount(self) -> None:
        """Paint first, then open the store."""
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        """Nothing more is taken from threads, or typed."""
        self.typed.close()
        self.bridge.close()

    def _begin(self) -> None:
        # What start-up made stays until the end: the collector need not look at it again.
        gc.enable()
        gc.freeze()
        if self.outside.log is not None:
            from console.logbook import open_log

            open_log(self.outside.log, self.outside.env)
        self.bridge.start()
        self.reload()
        self.begin_ticking()

    # ------------------------------------------------------------ jobs

    def on_engine_events(self, message: EngineEvents) -> None:
        """What a job told since the last time."""
        run = self.progress.get(message.job)
        if run is None or not self.in_front:
            return
        for event in message.events:
            run = told(run, event)
        self.progress[message.job] = run
        self.shared = replace(self.shared, now=self.clock.now())
        self._heard = self.shared.now
        if isinstance(self.screen, ConsoleScreen) and self.screen.ready:
            self.screen.paint_top()
            self.screen.run_went_on(message.job)
        self.stir()

    def on_job_ended(self, message: JobEnded) -> None:
        """A job is done: say so where it is not on screen, and read the store anew."""
        job = self.bridge.jobs.pop(message.job, None)
        if job is None or not self.in_front:
            return
        self._conclude(message.job, job)
        for old in sorted(self.progress)[:-KEPT]:
            # A console stays open for weeks; what ended long ago is in the journal.
            self.progress.pop(old)
            self.results.pop(old, None)
        self.front.paint_top()
        if self.front.ready:
            self.front.run_went_on(message.job)
        self.stir()
        if self._leaving and self.bridge.writing is None:
            self.leave()
            return
        self.reload()

    def _conclude(self, number: int, job: Job[Any]) -> None:
        run = self.progress.get(number)
        if run is None:
            return
        if job.error is not None:
            self.progress[number] = ended_early(run, job.error.line())
            return
        value = job.done.result()
        if isinstance(value, RunResult):
            self.results[number] = value
            self.progress[number] = closed_with(run, value.state, value.counts, value.calls, value.seconds)

    # ------------------------------------------------------------ leaving

    async def action_quit(self) -> None:
        """Ctrl+Q does what q does."""
        self.do_quit()


def run_console(door: Door, *, clock: Clock, outside: Outside, mouse: bool = False, dress: str | None = None) -> int:
    """Open the console and stay until it is left. Returns the exit code: 0, or 1 when it broke down."""
    app = ConsoleApp(
        door.backend,
        clock=clock,
        org_name=door.name,
        mode=door.mode,
        last_view=door.last_view,
        commands=door.commands,
        dress=dress,
        outside=outside,
    )
    code = app.run(mouse=mouse)
    return int(app.return_code or 0) if code is None else int(code)
