"""From lines of tones to strips of cells. What shows data paints through here, so markup in a name is only text.

Imports Textual's line types and ``console.present``; knows no screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from console.present import Line, cells, clean


class Toned(Protocol):
    """An app that knows what a tone looks like."""

    tones: Mapping[str, Style]


def style_of(tones: Mapping[str, Style], tone: str) -> Style:
    """Style of a tone; several, separated by spaces, are laid over each other."""
    if " " not in tone:
        return tones.get(tone, tones[""])
    style = Style.null()
    for part in tone.split():
        style += tones.get(part, tones[""])
    return style


_MARKED = frozenset(("gone", "badge", "jump", "tab"))
"""Tones that show on spaces too: struck through, underlined, on a ground of their own."""


def joined(line: Line) -> list[tuple[str, str]]:
    """*line* in the fewest spans that look the same: a space has no colour, so it goes with its neighbour.

    Each span costs some twenty bytes of colour codes on the wire, and half of a table is spaces.
    """
    out: list[tuple[str, str]] = []
    for text, tone in line:
        if not text:
            continue
        if out:
            before, last = out[-1]
            free = last not in _MARKED and tone not in _MARKED
            if tone == last or (free and text.isspace()):
                out[-1] = (before + text, last)
                continue
            if free and before.isspace():
                out[-1] = (before + text, tone)
                continue
        out.append((text, tone))
    return out


def strip_of(line: Line, width: int, tones: Mapping[str, Style], base: Style) -> Strip:
    """*line* as a strip of exactly *width* cells over *base*."""
    strip = Strip([Segment(text, base + style_of(tones, tone)) for text, tone in joined(line)])
    return strip.crop(0, width) if strip.cell_length > width else strip.extend_cell_length(width, base)


class Painter(Widget):
    """Base of widgets that paint lines; ``line(y, width)`` is what a subclass gives."""

    DEFAULT_CSS = "Painter { height: auto; width: 1fr; }"

    @property
    def tones(self) -> Mapping[str, Style]:
        """What tones look like in the present theme."""
        return cast(Toned, self.app).tones

    def line(self, y: int, width: int) -> Line:
        """The line at *y* for *width* cells."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        width = self.size.width
        base = Style(color=None, bgcolor=self.rich_style.bgcolor)
        return strip_of(self.line(y, width), width, self.tones, base)


class Lines(Painter):
    """A block of lines as high as it has lines; repaints only the lines that changed."""

    def __init__(self, *lines: Line, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = lines

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    def show(self, lines: tuple[Line, ...]) -> None:
        """Show *lines* instead of the present ones."""
        old, self._lines = self._lines, lines
        if len(old) != len(lines):
            self.refresh(layout=True)
            return
        changed = [Region(0, y, self.size.width, 1) for y, (a, b) in enumerate(zip(old, lines, strict=True)) if a != b]
        if changed:
            self.refresh(*changed)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many as there are lines."""
        return len(self._lines)

    def line(self, y: int, width: int) -> Line:
        """The line as it was given, cleaned of what would move the cursor."""
        if y >= len(self._lines):
            return ()
        return tuple((clean(text), tone) for text, tone in self._lines[y])


def blank(width: int) -> str:
    """*width* spaces."""
    return " " * max(0, width)


def text_width(text: str) -> int:
    """Cells of cleaned text."""
    return cells(clean(text))
