"""Every row of one run, as its journal has it; read by windows. Imports Textual, the pure view and the base screen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from textual.app import ComposeResult

from console.backend import Backend
from console.keys import Situation
from console.messages import RowMoved, RowsWanted
from console.present import Line
from console.screens import journal_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from console.window import Window
from sync.views import JournalRowView
from sync.words import plural


class JournalScreen(ConsoleScreen):
    """The rows of one run.

    Args:
        run_id: the run; a batch shows the rows of all its parts.
        title: what the run is called.
    """

    PLACE = "journal"
    BINDINGS = bindings_for("journal")
    filter_hint = "name, e-mail, field or code"

    def __init__(self, run_id: str, title: str) -> None:
        super().__init__()
        self._run_id = run_id
        self._title = title
        self._text = ""
        self._state = ""
        self._count: int | None = None
        self._rows: Window[JournalRowView] = Window()
        self._asked: set[int] = set()

    def body(self) -> ComposeResult:
        """Title, rows, the chosen row in full."""
        yield Lines(id="head")
        yield Grid(self._line, look.head, id="grid")
        yield Lines(id="detail", classes="gap")

    def on_mount(self) -> None:
        """Count them."""
        self.load(self._recount, "journal")

    async def _recount(self) -> None:
        run_id, text, state = self._run_id, self._text, self._state
        self._count = await self.host.bridge.read(lambda b: b.count_run_rows(run_id, text=text, state=state))
        self._rows.clear()
        self._asked.clear()
        self.refresh_all()

    def paint(self) -> None:
        """Title and rows."""
        head: list[tuple[str, str]] = [("   ", ""), (self._title, "strong"), (" › journal  ", "dim")]
        if self._count is not None:
            chosen = f" {self._state}" if self._state else ""
            head.append((f"{plural(self._count, 'row')}{chosen}", "dim"))
        if self._text:
            head += [("  / ", "key"), (self._text, "")]
        self.query_one("#head", Lines).show((tuple(head), ()))
        grid = self.query_one(Grid)
        grid.windowed = True
        known = self._count is not None
        grid.empty = look.nothing_lines(bool(self._text or self._state)) if known else ((("   Reading …", "dim"),),)
        grid.show(self._count or 0)
        self._paint_detail()

    def _paint_detail(self) -> None:
        one = self._rows.get("all", self.query_one(Grid).cursor)
        self.query_one("#detail", Lines).show(look.detail_lines(one, self.size.width))

    def _line(self, index: int, width: int) -> Line | None:
        one = self._rows.get("all", index)
        return None if one is None else look.row(one, width)

    def situation(self) -> Situation:
        """Rows or none."""
        return replace(self.host.situation(), rows=bool(self._count))

    # ------------------------------------------------------------ rows by window

    def on_rows_wanted(self, message: RowsWanted) -> None:
        """Fetch the pages that are about to be seen."""
        missing = self._rows.missing("all", message.first, message.last)
        if not self._asked.issuperset(missing):
            # The newer load takes the place of the one under way, so it asks for all that is missing in sight.
            self._asked = set(missing)
            self.load(partial(self._fetch, missing), "rows")

    async def _fetch(self, numbers: list[int]) -> None:
        run_id, text, state, size = self._run_id, self._text, self._state, self._rows.page
        try:
            for number in numbers:

                def window(backend: Backend, offset: int = number * size) -> tuple[JournalRowView, ...]:
                    return backend.run_rows(run_id, text=text, state=state, offset=offset, limit=size)

                self._rows.put("all", number, await self.host.bridge.read(window))
        finally:
            if self._asked == set(numbers):
                self._asked = set()
        self.query_one(Grid).repaint()
        self._paint_detail()

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Tell about another row."""
        self._paint_detail()

    def filtered(self, text: str) -> None:
        """Rows that have *text*."""
        if text != self._text:
            self._text = text
            self.load(self._recount, "journal")

    def filter_text(self) -> str:
        """The present filter."""
        return self._text

    def do_row_state(self) -> None:
        """Rows that were written, then rejected, drifted, unknown, then all."""
        self._state = look.STATES[(look.STATES.index(self._state) + 1) % len(look.STATES)]
        self.load(self._recount, "journal")

    def do_back(self) -> None:
        """Esc takes the filters away, then goes back."""
        if self._state:
            self._state = ""
            self.load(self._recount, "journal")
            return
        super().do_back()
