"""A table of any length that paints only what is seen: one line a row, a fixed head, rows fetched by the window.

Built on ScrollView's line interface because a widget or a measured cell per row costs seconds at 100,000 rows. Imports
Textual and ``console.present``; rows come from the owner as lines of spans, so it knows nothing of campaigns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.messages import RowMoved, RowOpened, RowsWanted
from console.present import Line
from console.widgets.paint import Grounded, changed_cells, forget, strip_of
from console.widgets.repaint import at_once

WIDE = 160
"""Cells of a row that is copied: what a narrow terminal leaves out is copied all the same."""

LEAST_WITH_FOOT = 4
"""Lines from which on a list that is longer says which of its rows are seen."""

RowSource = Callable[[int, int], "Line | None"]
"""Row number and width → the row's line, None while it is being fetched."""

FETCHED: Line = (("   ·", "faint"),)
"""Stands for a row that is being fetched."""

HeadSource = Callable[[int], "Line"]


class Grid(Grounded, ScrollView, can_focus=True):
    """Rows with a cursor. The owner gives the number of rows and a function from row number to line.

    Args:
        head: width → the line that stays on top; None for none.
        row: see ``RowSource``.
        empty: lines shown when there are no rows; they teach what would be here.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "one row up", show=False),
        Binding("down,j", "move(1)", "one row down", show=False),
        Binding("pageup", "page(-1)", "a page up", show=False),
        Binding("pagedown", "page(1)", "a page down", show=False),
        Binding("home", "to(0)", "the first row", show=False),
        Binding("end", "to(-1)", "the last row", show=False),
        Binding("enter", "open", "goes into the row", show=False),
    ]
    DEFAULT_CSS = """
    Grid { width: 1fr; height: 1fr; scrollbar-size: 0 0; overflow-x: hidden; }
    """

    def __init__(self, row: RowSource, head: HeadSource | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._row = row
        self._head = head
        self.count = 0
        self.cursor = 0
        self.empty: tuple[Line, ...] = ()
        self.show_cursor = True
        self.windowed = False
        self._painted: dict[int, tuple[Line, bool, int]] = {}

    def on_unmount(self) -> None:
        """Nothing of it is painted again."""
        forget(self)

    @property
    def head_lines(self) -> int:
        """1 with a head, else 0."""
        return 1 if self._head is not None and self.count else 0

    @property
    def foot_lines(self) -> int:
        """1 when there are more rows than are seen, and room to say so; else 0."""
        room = self.size.height - self.head_lines
        return 1 if self.count > room >= LEAST_WITH_FOOT else 0

    @property
    def page(self) -> int:
        """Rows that are seen at once."""
        return max(1, self.size.height - self.head_lines - self.foot_lines)

    def _foot(self) -> Line:
        first, last = self.seen()
        ways = ("↑" if first else "") + ("↓" if last + 1 < self.count else "")
        return (("   ", ""), (f"{first + 1:,}–{last + 1:,} of {self.count:,}", "dim"), (f"  {ways}", ""))

    def show(self, count: int, *, cursor: int | None = None) -> None:
        """Show *count* rows and put the cursor where it was, or on *cursor*."""
        self.count = count
        self.cursor = max(0, min(count - 1, self.cursor if cursor is None else cursor))
        self.virtual_size = Size(self.size.width, count + self.head_lines + self.foot_lines)
        self._keep_in_sight()
        self._want()
        self._paint_changes()

    def _want(self) -> None:
        """Rows are asked for before they are painted, so that most frames come whole."""
        if self.windowed and self.count:
            self.post_message(RowsWanted(*self.seen()))

    def text_of(self, index: int) -> str:
        """The row as text, as wide as the grid is, without the blanks around it; "" while it is being fetched."""
        line = self._row(index, max(self.size.width, WIDE))
        return "".join(text for text, _ in line or ()).strip()

    def repaint(self) -> None:
        """Paint the rows again, they changed without changing in number."""
        self._paint_changes()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in sight at the new size, and the beginning with it where that fits."""
        if self.cursor < self.page:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.virtual_size = Size(event.size.width, self.count + self.head_lines + self.foot_lines)
        self._keep_in_sight()
        self._want()

    def on_key(self, event: events.Key) -> None:
        """Keys of the cursor end here: the way up to the app's bindings and back costs more than the paint."""
        move = MOVES.get(event.key)
        if move is not None:
            event.stop()
            event.prevent_default()
            move(self)

    def action_move(self, step: int) -> None:
        """Cursor up or down."""
        self._go(self.cursor + step)

    def action_page(self, step: int) -> None:
        """Cursor by a page."""
        self._go(self.cursor + step * max(1, self.page - 1))

    def action_to(self, index: int) -> None:
        """Cursor to the first (0) or last (-1) row."""
        self._go(self.count - 1 if index < 0 else index)

    def action_open(self) -> None:
        """Tell that the row was chosen."""
        if self.count and self.show_cursor:
            self.post_message(RowOpened(self.cursor))

    def to_row(self, index: int) -> None:
        """Cursor to a row."""
        self._go(index)

    def _go(self, index: int) -> None:
        # Where no cursor is shown, it is the first row that is seen.
        last = self.count - 1 if self.show_cursor else self.count - self.page
        index = max(0, min(last, index))
        if index == self.cursor or not self.count:
            return
        before, self.cursor = self.cursor, index
        offset = self.scroll_offset.y
        self._keep_in_sight()
        if self.scroll_offset.y == offset:
            for row in (before, index):
                self.refresh(Region(0, row - offset + self.head_lines, self.size.width, 1))
            at_once(self)
        else:
            self._want()
        self.post_message(RowMoved(index))

    def _keep_in_sight(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top or not self.show_cursor:
            top = self.cursor
        elif self.cursor >= top + self.page:
            top = self.cursor - self.page + 1
        top = max(0, min(top, self.count - self.page))
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True, immediate=True)

    def seen(self) -> tuple[int, int]:
        """First and last row number on screen."""
        top = self.scroll_offset.y
        return top, max(top, min(self.count, top + self.page) - 1)

    def _at(self, y: int, width: int) -> tuple[Line, bool]:
        """What stands at *y*: the head, a row, a line of teaching, or nothing; and whether the cursor is on it."""
        if not self.count:
            return (self.empty[y] if y < len(self.empty) else ()), False
        if y < self.head_lines and self._head is not None:
            return self._head(width), False
        if self.foot_lines and y == self.size.height - 1:
            return self._foot(), False
        index = y - self.head_lines + self.scroll_offset.y
        if index >= self.count:
            return (), False
        found = self._row(index, width)
        chosen = index == self.cursor and self.show_cursor
        return (FETCHED if found is None else found), chosen

    def _paint_changes(self) -> None:
        """Paint the cells that no longer show what stands there: a list that is shown again is mostly the same."""
        width, height = self.size.width, self.size.height
        changed: list[Region] = []
        for y in range(height):
            before, now = self._painted.get(y), self._at(y, width)
            if before is None or before[1:] != (now[1], width):
                changed.append(Region(0, y, width, 1))
            elif before[0] != now[0]:
                span = changed_cells(before[0], now[0])
                if span is not None:
                    changed.append(Region(span[0], y, span[1] - span[0], 1))
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """What stands at *y*."""
        width = self.size.width
        line, chosen = self._at(y, width)
        self._painted[y] = (line, chosen, width)
        if line is FETCHED:
            self.post_message(RowsWanted(*self.seen()))
        if chosen:
            return self._with_cursor(line, width)
        return strip_of(line, width, self.tones, self.ground)

    def _with_cursor(self, line: Line, width: int) -> Strip:
        under = self.ground + self.tones["cursor"] if self.has_focus else self.ground
        marked = line
        if line and line[0][0].startswith("   "):
            marked = ((" ▸ ", "key"), (line[0][0][3:], line[0][1]), *line[1:])
        return strip_of(marked, width, self.tones, under)


MOVES: dict[str, Callable[[Grid], None]] = {
    "up": lambda grid: grid.action_move(-1),
    "down": lambda grid: grid.action_move(1),
    "pageup": lambda grid: grid.action_page(-1),
    "pagedown": lambda grid: grid.action_page(1),
    "home": lambda grid: grid.action_to(0),
    "end": lambda grid: grid.action_to(-1),
}
"""Keys that are not letters, which a screen may take for something else while the grid has the focus."""
