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


def forget(widget: Widget) -> None:
    """Let go of the strips that *widget* painted.

    Textual keeps the style caches of the last 1,024 widgets alive (they are keys of a cache of its own), and with them
    every line that was on screen: about 10 MiB after a day of opening and leaving screens.
    """
    widget._styles_cache.clear()


class Grounded(Widget):
    """A widget that knows the ground it paints on without working it out for each line."""

    _ground: Style | None = None

    @property
    def ground(self) -> Style:
        """The background, without a colour of text."""
        if self._ground is None:
            self._ground = Style(color=None, bgcolor=self.rich_style.bgcolor)
        return self._ground

    def notify_style_update(self) -> None:
        """Styles were made anew."""
        self._ground = None
        super().notify_style_update()

    @property
    def tones(self) -> Mapping[str, Style]:
        """What tones look like in the present theme."""
        return cast(Toned, self.app).tones


class Painter(Grounded):
    """Base of widgets that paint lines; ``line(y, width)`` is what a subclass gives."""

    DEFAULT_CSS = "Painter { height: auto; width: 1fr; }"

    def on_unmount(self) -> None:
        """Nothing of it is painted again."""
        forget(self)

    def line(self, y: int, width: int) -> Line:
        """The line at *y* for *width* cells."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        width = self.size.width
        return strip_of(self.line(y, width), width, self.tones, self.ground)


def changed_cells(old: Line, new: Line) -> tuple[int, int] | None:
    """First cell that differs and the cell behind the last one; None when both look the same.

    Over a slow line the few cells of a figure are a tenth of the whole line with its colours.
    """
    before = [(char, tone) for text, tone in old for char in text]
    after = [(char, tone) for text, tone in new for char in text]
    if before == after:
        return None
    same = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        same += 1
    wide_before, wide_after = (cells("".join(char for char, _ in each)) for each in (before, after))
    first = cells("".join(char for char, _ in after[:same]))
    last = max(wide_before, wide_after)
    if wide_before == wide_after:
        tail = 0
        while before[-1 - tail] == after[-1 - tail] and tail < min(len(before), len(after)) - same - 1:
            tail += 1
        last -= cells("".join(char for char, _ in after[len(after) - tail :]))
    return first, last


class Lines(Painter):
    """A block of lines as high as it has lines; repaints only the cells that changed."""

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
        changed = []
        for y, (before, after) in enumerate(zip(old, lines, strict=True)):
            span = changed_cells(before, after)
            if span is not None:
                changed.append(Region(span[0], y, span[1] - span[0], 1))
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
