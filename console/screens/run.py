"""The run screen: what a run does now, or did; live from events, or replayed from the journal.

Imports Textual and the pure run view; a past run is read through the bridge.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from textual.app import ComposeResult

from console.backend import Backend
from console.failureboard import Board, Place
from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.present import Line, crop_line, instant
from console.screens import batch_view, errors_view, runs_view
from console.screens import run_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.screens.compare_view import compare_lines, last_of
from console.viewstate import RunProgress, replayed
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.board import group_failures
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
        self._held: bool | None = None
        self._view: RunView | None = past
        self._known_failures = 0
        self._asked: set[str] = set()
        self.board = Board()
        self._real: RunView | None = None

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
            self.load(partial(self._read, self._past), "journal")
        self._look()

    async def _read(self, past: RunView) -> None:
        events = await self.host.bridge.read(lambda backend: backend.events(past.run))
        title = f"{past.campaign_name or 'All campaigns'} › {past.kind.value}"
        self._replayed = replayed(title, events)
        if past.counts.rejected and not self._replayed.failed_rows:
            # The events of a batch's part are the batch's; its rows are its own.
            self.load(partial(self._read_failures, past.run), "failures")
        self._look()
        self.refresh_all()

    def _look(self) -> None:
        """Read what the journal knows beyond the events: the run itself once it ended, its failed rows when there are
        more of them."""
        run = self.run_state
        if not run.root:
            return
        moment = "live" if run.live else "ended"
        if self._past is None and moment not in self._asked:
            self._asked.add(moment)
            self.load(partial(self._read_view, run.root), "view")
        if run.failed_rows != self._known_failures:
            self._known_failures = run.failed_rows
            self.load(partial(self._read_failures, run.root), "failures")

    async def _read_view(self, run_id: str) -> None:
        self._view = await self.host.bridge.read(lambda backend: backend.run(run_id))
        if self._view.simulated:
            runs = await self.host.bridge.read(lambda backend: backend.runs(campaign_id=None, limit=200))
            self._real = last_of(runs, self._view.kind, simulated=False)
        if self._held is None:
            # What a key asked for meanwhile is newer than what was read.
            self._held = self._view.pausing or self._view.paused is not None
        self.refresh_all()

    async def _read_failures(self, run_id: str) -> None:
        rows = await self.host.bridge.read(lambda backend: backend.failed_rows(run_id))
        names = {str(view.campaign.id): view.campaign.name for view in self.host.shared.campaigns}
        self.board = self.board.with_groups(group_failures(rows, names))
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
            text = f"Replayed from the journal · {instant(self._past.started)} by {self._past.by}"
            head.append(crop_line((("   ", ""), (text, "dim")), width))
        self.query_one("#head", Lines).show((*head, ()))
        rows = self._rows()
        low = self.size.height < 30 and bool(rows)
        # In a low terminal the words of the end are worth more than blank lines.
        gap: tuple[Line, ...] = () if self.has_class("short") else ((),)
        self.query_one("#steps", Lines).show(() if low else (*look.step_lines(run, width), *gap))
        failures = look.failure_lines(run, width)
        if run.simulated and not run.live and self._view is not None and self.size.height >= 30:
            failures = (*failures, *compare_lines(self._view, self._real, now, width))
        self.query_one("#failures", Lines).show((*failures, *gap) if failures else ())
        grid = self.query_one(Grid)
        grid.show_cursor = bool(rows)
        grid.show(rows)
        ended = look.end_lines(run, self.result, width)
        detail = self._detail()
        self.query_one("#end", Lines).show((*detail, self._foot(run)) if detail else (*ended, self._foot(run)))

    def _foot(self, run: RunProgress) -> Line:
        if run.live and self._held:
            return (
                ("   ", ""),
                ("‖ ", "attention"),
                ("held after the batch under way; what was written stays. ", ""),
                ("p", "key"),
                (" lets it go on.", "dim"),
            )
        if run.live:
            return (
                ("   ", ""),
                ("It goes on when you leave with ", "dim"),
                ("esc", "key"),
                ("; ", "dim"),
                ("c", "key"),
                (" stops it.", "dim"),
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
            self._look()
            self.paint()
            self.paint_keys()

    def _rows(self) -> int:
        if self._details:
            return self.board.length
        result = self.result
        if result is not None and result.differences:
            return len(result.differences)
        campaigns = look.campaigns_of(self.run_state, result)
        return len(campaigns) if len(campaigns) > 1 else 0

    def _head(self, width: int) -> Line:
        if self._details:
            return (("   ", ""), ("Rows that were left", "head"))
        if self.result is not None and self.result.differences:
            return (("   ", ""), ("What differs; pending, held and hidden members are no difference", "head"))
        return batch_view.head(width, self.run_state.simulated)

    def _line(self, index: int, width: int) -> Line:
        if self._details:
            place = self.board.at(index)
            if place is None:
                return ()
            if place.row is None:
                return errors_view.group_line(place, self.board, self.host.shared.now, width)
            return errors_view.row_line(place, self.board, width)
        result = self.result
        if result is not None and result.differences:
            return look.difference_row(result.differences[index], width)
        return batch_view.row(look.campaigns_of(self.run_state, result)[index], width)

    def _detail(self) -> tuple[Line, ...]:
        return errors_view.detail_lines(self._place(), self.board, self.size.width) if self._details else ()

    def _place(self) -> Place | None:
        return self.board.at(self.query_one(Grid).cursor) if self._details else None

    def situation(self) -> Situation:
        """Live or not, failed rows or not, undoable or not."""
        run = self.run_state
        job = self.host.bridge.jobs.get(self.job)
        return replace(
            self.host.situation(),
            live=job is not None and job.live,
            failed=bool(run.failed_rows or self.board.length),
            held=bool(self._held),
            no_undo="It is still live; c stops it." if run.live else runs_view.no_undo(self._view),
            journal=bool(run.root),
        )

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

    def on_row_opened(self, message: RowOpened) -> None:
        """Open or close a type of failure."""
        place = self._place()
        if place is not None:
            self.board = self.board.turned(place)
            self.paint()

    def do_mark_row(self) -> None:
        """Mark the row or the whole type."""
        place = self._place()
        if place is None:
            self.do_details()
            return
        self.board = self.board.toggled(place)
        self.paint()

    def do_retry(self) -> None:
        """Plan the selection anew; without the list, all that failed."""
        if not self._details:
            self.do_details()
            return
        self.host.start_retry(self.board.selection(self._place()))

    def do_hold(self) -> None:
        """Hold the run after its batch, or let it go on."""
        run_id, held = self.run_state.root, bool(self._held)
        if not run_id:
            self.say("The run has not begun yet.")
            return

        def ask(backend: Backend, cancel: object) -> str:
            return backend.resume_run(run_id) if held else backend.pause_run(run_id)

        def said(_: str) -> str:
            self._held = not held
            self.paint()
            return "The run goes on." if held else "It holds after the present batch; p lets it go on."

        self.host.small("Go on" if held else "Pause", ask, said)

    def do_undo(self) -> None:
        """Preview the inverse of this run."""
        if self._view is not None:
            self.host.start_undo(self._view)

    def do_rows(self) -> None:
        """Every row of the run."""
        run = self.run_state
        self.host.open_journal(run.root, run.title)

    def do_back(self) -> None:
        """Back; a live run goes on."""
        if self._details:
            self.do_details()
            return
        self.host.back()
