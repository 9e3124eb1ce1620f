"""The permanent lines: org and meter on top, what needs a person beneath, keys at the bottom, a note above them.

Imports Textual through the painter, ``console.present`` for the words; the values come down from the screen.
"""

from __future__ import annotations

from textual.geometry import Region

from console.present import Line, crop_line, width_of, wrap
from console.widgets.paint import Lines, Painter, changed_cells


class Top(Painter):
    """A line that is made anew for each width: ``make(width)`` gives it."""

    DEFAULT_CSS = "Top { height: 1; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._wide: Line = ()
        self._lines: tuple[Line, ...] = ()

    def show(self, *choices: Line) -> None:
        """Show the longest of *choices* that fits; the last is cut when none does."""
        if choices == self._lines:
            return
        width = self.size.width
        before = self.line(0, width)
        self._lines = choices
        span = changed_cells(before, self.line(0, width))
        if span is not None:
            self.refresh(Region(span[0], 0, span[1] - span[0], 1))

    def line(self, y: int, width: int) -> Line:
        """The choice for this width."""
        for choice in self._lines:
            if width_of(choice) <= width:
                return choice
        return crop_line(self._lines[-1], width) if self._lines else ()


class Hints(Painter):
    """Keys that can be pressed now, most important first; what does not fit is left out, ``?`` stays."""

    DEFAULT_CSS = "Hints { height: 1; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints: tuple[tuple[str, str, bool], ...] = ()

    def show(self, hints: tuple[tuple[str, str, bool], ...]) -> None:
        """Show key, label and whether it can be used now, by priority; the last one always stays."""
        if hints == self._hints:
            return
        width = self.size.width
        before = self.line(0, width)
        self._hints = hints
        span = changed_cells(before, self.line(0, width))
        if span is not None:
            self.refresh(Region(span[0], 0, span[1] - span[0], 1))

    def line(self, y: int, width: int) -> Line:
        """As many hints as fit."""
        return hint_line(self._hints, width)


def hint_line(hints: tuple[tuple[str, str, bool], ...], width: int) -> Line:
    """Key bar of *width* cells: hints in order while they fit, and always the last one."""
    if not hints:
        return ()
    *many, last = hints
    shown: list[tuple[str, str, bool]] = []
    room = width - 1 - len(last[0]) - len(last[1]) - 1
    for key, label, usable in many:
        size = len(key) + len(label) + 3
        if size <= room:
            room -= size
            shown.append((key, label, usable))
    line: list[tuple[str, str]] = [(" ", "")]
    for place, (key, label, usable) in enumerate([*shown, last]):
        if place:
            line.append(("  ", ""))
        line += [(key, "key" if usable else "faint"), (" " + label, "" if usable else "faint")]
    return tuple(line)


class Note(Lines):
    """What just happened or why a key cannot be used; calm, above the key bar, gone with the next one or esc.

    What changed by itself meanwhile (an alert) has a line of its own beneath: neither takes the other's place.
    """

    DEFAULT_CSS = "Note { height: auto; max-height: 4; width: 1fr; }"
    MOST = 3

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: tuple[str, str, str] | None = None
        self._alert: tuple[str, str, str] | None = None

    @property
    def said(self) -> str:
        """The whole text, "" when nothing is shown."""
        return " ".join(each[2] for each in (self._said, self._alert) if each)

    def say(self, glyph: str, tone: str, text: str) -> None:
        """Show *text* with a glyph of *tone*, wrapped to at most three lines."""
        self._said = (glyph, tone, text)
        self._lay(self.size.width or self.app.size.width)

    def alert(self, glyph: str, tone: str, text: str) -> None:
        """Show what changed by itself, beneath what a key is answered."""
        self._alert = (glyph, tone, text)
        self._lay(self.size.width or self.app.size.width)

    def hush(self) -> None:
        """Show nothing."""
        self._said = self._alert = None
        self.show(())

    def on_resize(self) -> None:
        """Wrap anew."""
        self._lay(self.size.width)

    def _lay(self, width: int) -> None:
        both = self._said is not None and self._alert is not None
        shown: list[Line] = []
        for each, most in ((self._said, self.MOST), (self._alert, 1 if both else self.MOST)):
            if each is not None:
                shown += self._wrapped(*each, width, most)
        if shown:
            self.show(tuple(shown))

    @staticmethod
    def _wrapped(glyph: str, tone: str, text: str, width: int, most: int) -> list[Line]:
        lines = wrap(text, max(10, width - 5))
        if len(lines) > most:
            lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
        heads = (f" {glyph} ", *("   " for _ in lines[1:]))
        return [
            crop_line(((head, tone), (line, "")), max(1, width - 1)) for head, line in zip(heads, lines, strict=True)
        ]
