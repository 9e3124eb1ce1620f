"""The error board: what failed and was not mended since, by type, with a remedy; a selection is tried again.

Imports Textual, the pure views and the base screen.
"""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from console.failureboard import Board
from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.present import Line
from console.screens import errors_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.words import plural


class ErrorsScreen(ConsoleScreen):
    """Failures of all campaigns, or of one.

    Args:
        campaign_id: only this campaign's; "" for all.
        name: its name.
    """

    PLACE = "errors"
    BINDINGS = bindings_for("errors")

    def __init__(self, campaign_id: str = "", name: str = "") -> None:
        super().__init__()
        self._campaign_id = campaign_id
        self._called = name
        self._read = False
        self.board = Board()

    def body(self) -> ComposeResult:
        """Title, groups with their rows, what the chosen one means."""
        yield Lines(id="head")
        yield Grid(self._line, id="grid")
        yield Lines(id="detail", classes="gap")

    def on_mount(self) -> None:
        """Read it."""
        self.load(self._load, "errors")

    async def _load(self) -> None:
        ident = self._campaign_id or None
        groups = await self.host.bridge.read(lambda backend: backend.error_board(ident))
        self._read = True
        self.board = self.board.with_groups(groups)
        self.refresh_all()

    def paint(self) -> None:
        """Everything from the board."""
        rows = sum(group.count for group in self.board.groups)
        where = f" of {self._called}" if self._called else ""
        head: list[Line] = [
            (("   Failed rows", "strong"), (f"{where}, not mended since: {plural(rows, 'row')}", "dim"))
        ]
        self.query_one("#head", Lines).show((*head, ()))
        grid = self.query_one(Grid)
        grid.empty = look.nothing_lines(self.size.width) if self._read else ((("   Reading the journal …", "dim"),),)
        grid.show(self.board.length)
        self._paint_detail()

    def _paint_detail(self) -> None:
        place = self.board.at(self.query_one(Grid).cursor)
        self.query_one("#detail", Lines).show(look.detail_lines(place, self.board, self.size.width))

    def _line(self, index: int, width: int) -> Line:
        place = self.board.at(index)
        if place is None:
            return ()
        if place.row is None:
            return look.group_line(place, self.board, self.host.shared.now, width)
        return look.row_line(place, self.board, width)

    def situation(self) -> Situation:
        """Rows or none."""
        return replace(self.host.situation(), rows=bool(self.board.length), failed=bool(self.board.length))

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Tell about another line."""
        self._paint_detail()

    def on_row_opened(self, message: RowOpened) -> None:
        """Open or close the group."""
        place = self.board.at(message.index)
        if place is not None:
            self.board = self.board.turned(place)
            self.paint()

    def run_went_on(self, job: int) -> None:
        """A run ended: read anew."""
        if self.host.bridge.writing is None:
            self.load(self._load, "errors")

    def on_screen_resume(self) -> None:
        """Back on top: what another screen did is read."""
        if self._read:
            self.load(self._load, "errors")
        super().on_screen_resume()

    def do_mark_row(self) -> None:
        """Mark the row or the whole group."""
        place = self.board.at(self.query_one(Grid).cursor)
        if place is not None:
            self.board = self.board.toggled(place)
            self.query_one(Grid).repaint()
            self._paint_detail()

    def do_retry(self) -> None:
        """Plan the selection anew, as a preview."""
        self.host.start_retry(self.board.selection(self.board.at(self.query_one(Grid).cursor)))
