"""Letters over the regions and rows of a screen; pressing one goes there. Two keystrokes reach whatever is in sight.

Imports Textual, the grid and the painters; what a letter does is a function that the opener calls.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key, Resize
from textual.screen import ModalScreen

from console.widgets.grid import Grid
from console.widgets.paint import Lines

if TYPE_CHECKING:
    from console.screens.base import ConsoleScreen

LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Target:
    """A place on screen (column and line) and what going there is."""

    x: int
    y: int
    go: Callable[[], None]


def targets(screen: ConsoleScreen) -> tuple[Target, ...]:
    """Rows in sight of every list, the screen's own points, and other widgets that take keys; top to bottom."""
    found: list[Target] = [Target(*point) for point in screen.jump_points()]
    for grid in screen.query(Grid):
        if not grid.display or not grid.region:
            continue
        top, last = grid.seen()
        if not grid.count or not grid.show_cursor:
            found.append(Target(grid.region.x + 1, grid.region.y, partial(_to_list, grid)))
            continue
        for index in range(top, last + 1):
            line = grid.region.y + grid.head_lines + index - top
            found.append(Target(grid.region.x + 1, line, partial(_to_row, grid, index)))
    return tuple(sorted(found, key=lambda target: (target.y, target.x)))[: len(LETTERS)]


def _to_list(grid: Grid) -> None:
    grid.focus(False)


def _to_row(grid: Grid, index: int) -> None:
    grid.focus(False)
    grid.to_row(index)


class JumpScreen(ModalScreen[Callable[[], None]]):
    """The letters. Dismisses with what the pressed letter goes to; every other key takes them away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave", show=False)]

    def __init__(self, found: Sequence[Target]) -> None:
        super().__init__()
        self._targets = dict(zip(LETTERS, found, strict=False))

    def compose(self) -> ComposeResult:
        """A letter a target."""
        for letter, target in self._targets.items():
            label = Lines(((letter, "jump"),))
            label.styles.offset = (target.x, target.y)
            yield label

    def on_key(self, event: Key) -> None:
        """Go, or take the letters away."""
        event.stop()
        target = self._targets.get(event.character or "")
        self.dismiss(target.go if target is not None else None)

    def on_resize(self, event: Resize) -> None:
        """The letters would stand in the wrong places."""
        if self.is_current and event.size != self.app.size:
            self.dismiss(None)

    def action_leave(self) -> None:
        """Nothing is gone to."""
        self.dismiss(None)
