"""Text that a command printed, to be read and left: the prompt's longer answers.

Imports Textual and the base screen.
"""

from __future__ import annotations

from textual.app import ComposeResult

from console.present import Line, crop
from console.screens.base import ConsoleScreen, bindings_for
from console.widgets.grid import Grid
from console.widgets.paint import Lines


class TextScreen(ConsoleScreen):
    """Lines of text under a title.

    Args:
        title: the command as it was typed.
        text: what it printed; columns are kept, long lines are cut.
    """

    PLACE = "help"
    BINDINGS = bindings_for("help")

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text.splitlines()

    def body(self) -> ComposeResult:
        """Title and lines."""
        yield Lines((("   : ", "key"), (self._title, "strong")), ())
        yield Grid(self._line, id="grid")

    def paint(self) -> None:
        """All lines; only those seen are painted."""
        grid = self.query_one(Grid)
        grid.show_cursor = False
        grid.show(len(self._text))

    def _line(self, index: int, width: int) -> Line:
        return (("   ", ""), (crop(self._text[index], width - 4), ""))
