"""Runs of the past; enter replays one from its journal. Imports Textual, the pure view, the base screen."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.present import Line
from console.screens import runs_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.screens.filter_view import filter_lines, nothing_passes
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.views import RunView

MOST = 500


class RunsScreen(ConsoleScreen):
    """History."""

    PLACE = "runs"
    BINDINGS = bindings_for("runs")
    filter_hint = "words, kind:nightly state:partial campaign:… by:… day:2027-03-09   ! means not"

    def __init__(self) -> None:
        super().__init__()
        self._known: tuple[RunView, ...] | None = None
        self._rows: tuple[RunView, ...] = ()
        self._text = ""

    def body(self) -> ComposeResult:
        """The filter, the list and the run under the cursor."""
        yield Lines(id="filter")
        yield Grid(self._line, self._head, id="grid")
        yield Lines(id="detail", classes="gap")

    def on_mount(self) -> None:
        """Read them."""
        self.load(self._read, "runs")

    async def _read(self) -> None:
        self._known = await self.host.bridge.read(lambda backend: backend.runs(campaign_id=None, limit=MOST))
        self.refresh_all()

    def paint(self) -> None:
        """Filter and show."""
        known = self._known or ()
        self._rows = tuple(run for run in known if look.matches(run, self._text))
        lines = filter_lines(self._text, len(self._rows), len(known), self.size.width)
        self.query_one("#filter", Lines).show(lines)
        grid = self.query_one(Grid)
        if self._known is None:
            grid.empty = ((("   Reading the journal …", "dim"),),)
        else:
            grid.empty = nothing_passes("run") if known else look.teaching()
        grid.show(len(self._rows))
        self._paint_detail()

    def _paint_detail(self) -> None:
        self.query_one("#detail", Lines).show((look.detail(self.chosen, self.size.width),))

    def _head(self, width: int) -> Line:
        return look.head(width)

    def _line(self, index: int, width: int) -> Line:
        return look.row(self._rows[index], self.host.shared.now, width)

    def situation(self) -> Situation:
        """Rows or none, and what the run under the cursor allows."""
        chosen = self.chosen
        return replace(
            self.host.situation(),
            rows=bool(self._rows),
            no_undo=look.no_undo(chosen),
            journal=chosen is not None,
        )

    @property
    def chosen(self) -> RunView | None:
        """The run under the cursor."""
        cursor = self.query_one(Grid).cursor
        return self._rows[cursor] if cursor < len(self._rows) else None

    def filtered(self, text: str) -> None:
        """Show what passes."""
        self._text = text
        self.paint()

    def filter_text(self) -> str:
        """The present filter."""
        return self._text

    def run_went_on(self, job: int) -> None:
        """A run ended: read anew."""
        if self.host.bridge.writing is None:
            self.load(self._read, "runs")

    def on_row_moved(self, message: RowMoved) -> None:
        """Another run."""
        self._paint_detail()
        self.paint_keys()

    def do_undo(self) -> None:
        """Preview the inverse of the run."""
        if self.chosen:
            self.host.start_undo(self.chosen)

    def do_rows(self) -> None:
        """Every row of the run."""
        if self.chosen:
            self.host.open_journal(self.chosen.run, self.chosen.campaign_name or self.chosen.kind.value)

    def on_row_opened(self, message: RowOpened) -> None:
        """Replay it."""
        self.host.open_past(self._rows[message.index])
