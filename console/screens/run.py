"""The run screen: what a run does now, or did; live from events, or replayed from the journal.

Imports Textual and the pure run view; a past run is read through the bridge.
"""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from console.keys import Situation
from console.messages import RowMoved
from console.present import Line, crop_line, instant
from console.screens import batch_view
from console.screens import run_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.viewstate import RunProgress, replayed
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.views import RunResult, RunView


class RunScreen(ConsoleScreen):
    """One run.

    Args:
        job: number of the live job; 0 for a run of the past.
        past: the past run.
    """

    PLACE = "run"
    BINDINGS = bindings_for("run")

    def __init__(self, job: int, past: RunView | None = None) -> None:
        super().__init__()
        self.job = job
        self._past = past
        self._replayed: RunProgress | None = None
        self._details = False

    def body(self) -> ComposeResult:
        """Title and bar, steps, failures, campaigns of a batch or rows that failed, the end in words."""
        yield Lines(id="head")
        yield Lines(id="steps")
        yield Lines(id="failures")
        yield Grid(self._line, self._head, id="grid")
        yield Lines(id="end")

    def on_mount(self) -> None:
        """Read the journal of a past run."""
        if self._past is not None:
            self.load(self._read(self._past), "journal")

    async def _read(self, past: RunView) -> None:
        events = await self.host.bridge.read(lambda backend: backend.events(past.run))
        title = f"{past.campaign_name or 'All campaigns'} › {past.kind.value}"
        self._replayed = replayed(title, events)
        self.refresh_all()

    # ------------------------------------------------------------ state to widgets

    @property
    def run_state(self) -> RunProgress:
        """What is known of the run."""
        if self._past is not None:
            return self._replayed or RunProgress(title=self._past.campaign_name or self._past.kind.value)
        return self.host.progress.get(self.job, RunProgress())

    @property
    def result(self) -> RunResult | None:
        """The result of a live run that ended."""
        return self.host.results.get(self.job)

    def paint(self) -> None:
        """Everything, from the run's state."""
        run, width, now = self.run_state, self.size.width, self.host.shared.now
        head: list[Line] = [look.title_line(run, now, width), look.bar_line(run, now, width)]
        if self._past is not None:
            text = f"{instant(self._past.started)} by {self._past.owner}, replayed from the journal"
            head.append(crop_line((("   ", ""), (text, "dim")), width))
        self.query_one("#head", Lines).show((*head, ()))
        rows = self._rows()
        low = self.size.height < 30 and bool(rows)
        self.query_one("#steps", Lines).show(() if low else (*look.step_lines(run, width), ()))
        failures = look.failure_lines(run, width)
        self.query_one("#failures", Lines).show((*failures, ()) if failures else ())
        grid = self.query_one(Grid)
        grid.show_cursor = bool(rows)
        grid.show(rows)
        ended = look.end_lines(run, self.result, width)
        detail = self._detail()
        self.query_one("#end", Lines).show((*((detail,) if detail else ()), *ended, self._foot(run)))

    def _foot(self, run: RunProgress) -> Line:
        if run.live:
            return (
                ("   ", ""),
                ("It goes on by itself when you leave with ", "dim"),
                ("esc", "key"),
                ("; ", "dim"),
                ("c", "key"),
                (" stops it after this batch.", "dim"),
            )
        if run.failed_rows and not self._details:
            return (
                ("   ", ""),
                ("e", "key"),
                (" lists what failed, with the remedy. ", "dim"),
                ("esc", "key"),
                (" back", "dim"),
            )
        return (("   ", ""), ("esc", "key"), (" back", "dim"))

    def run_went_on(self, job: int) -> None:
        """New events, or the clock."""
        if job == self.job:
            self.paint()
            self.paint_keys()

    def _rows(self) -> int:
        if self._details:
            return len(self.run_state.failures)
        result = self.result
        if result is not None and result.differences:
            return len(result.differences)
        return len(result.campaigns) if result is not None and len(result.campaigns) > 1 else 0

    def _head(self, width: int) -> Line:
        if self._details:
            return (("   ", ""), ("Rows that were left", "head"))
        if self.result is not None and self.result.differences:
            return (("   ", ""), ("What differs; pending, held and hidden members are no difference", "head"))
        return batch_view.head(width, self.run_state.simulated)

    def _line(self, index: int, width: int) -> Line:
        if self._details:
            return look.failed_row(self.run_state.failures[index], width)
        result = self.result
        if result is not None and result.differences:
            return look.difference_row(result.differences[index], width)
        return batch_view.row(result.campaigns[index], width) if result is not None else ()

    def _detail(self) -> Line:
        failures = self.run_state.failures
        cursor = self.query_one(Grid).cursor
        if not self._details or cursor >= len(failures):
            return ()
        row = failures[cursor]
        return crop_line((("   ", ""), (f"{row.label}: ", "strong"), (row.remedy or row.message, "")), self.size.width)

    def situation(self) -> Situation:
        """Live or not, failed rows or not."""
        run = self.run_state
        job = self.host.bridge.jobs.get(self.job)
        return replace(self.host.situation(), live=job is not None and job.live, failed=bool(run.failed_rows))

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Tell about another row."""
        self.paint()

    def do_cancel(self) -> None:
        """Stop after the present batch."""
        job = self.host.bridge.jobs.get(self.job)
        if job is not None:
            job.cancel.set()
            self.say("Stops after the present batch; what was written stays, the rest waits.", "◐", "attention")

    def do_details(self) -> None:
        """Rows that failed, or away with them."""
        self._details = not self._details
        self.paint()

    def do_back(self) -> None:
        """Back; a live run goes on."""
        if self._details:
            self.do_details()
            return
        self.host.back()
