"""The program's log, newest last: filtered as one types, followed as it grows.

Imports Textual and the base screen; the file is read here, a piece at a time, because it is small and local.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.timer import Timer

from console.present import Line, clean, count, crop, fit
from console.screens.base import ConsoleScreen, bindings_for
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.words import plural

LEVELS = ("INFO", "WARNING", "ERROR")
TAIL = 512_000
"""Bytes of the end of the file that are read."""

_LINE = re.compile(r"(\S+Z) (\w+) +(\S+?): (.*)", re.DOTALL)
_TONES = {"DEBUG": ("· ", "faint"), "INFO": ("· ", "dim"), "WARNING": ("▲ ", "attention"), "ERROR": ("✖ ", "trouble")}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record; lines that belong to it (a traceback) are entries of the same record with ``first`` False."""

    at: str
    level: str
    name: str
    text: str
    first: bool = True


def entries(text: str) -> tuple[Entry, ...]:
    """The records of a piece of log; half a line at its beginning is left out."""
    out: list[Entry] = []
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is not None:
            out.append(Entry(found[1], found[2], found[3], clean(found[4])))
        elif out and line.startswith("    "):
            last = out[-1]
            out.append(Entry(last.at, last.level, last.name, clean(line[4:]), first=False))
    return tuple(out)


def passes(entry: Entry, text: str, least: str) -> bool:
    """True when *entry* is at least of level *least* and has every word of *text*; ``!word`` means not."""
    order = ("DEBUG", *LEVELS)
    if entry.level in order and order.index(entry.level) < order.index(least):
        return False
    whole = f"{entry.at} {entry.level} {entry.name} {entry.text}".casefold()
    for word in text.casefold().split():
        wanted = not (word.startswith("!") and len(word) > 1)
        if (word.removeprefix("!" if not wanted else "") in whole) is not wanted:
            return False
    return True


_RUN = re.compile(r"^\d{8}-\d{6}-(?=[0-9a-f]{6}: )")
"""What a run's id says of its time, which stands at the line's beginning."""


def row(entry: Entry, width: int) -> Line:
    """One entry on one line; of a run's id the end, which tells it from others, is enough."""
    sign = _TONES.get(entry.level, _TONES["INFO"])
    when = entry.at[5:10] + " " + entry.at[11:19] if width >= 76 else entry.at[11:19]
    if not entry.first:
        return (("   ", ""), (" " * (len(when) + 13), ""), (crop(entry.text, width - len(when) - 18), "dim"))
    return (
        ("   ", ""),
        (when, "dim"),
        (" ", ""),
        sign,
        (fit(entry.name, 9), "dim"),
        (" ", ""),
        (crop(_RUN.sub("", entry.text), width - len(when) - 18), "" if entry.level in ("WARNING", "ERROR") else "dim"),
    )


class LogScreen(ConsoleScreen):
    """The log."""

    PLACE = "log"
    BINDINGS = bindings_for("log")
    LOOK = 1.0
    """Seconds between two looks at the file while it is followed."""

    filter_hint = "words   ! means not"

    def __init__(self) -> None:
        super().__init__()
        self._all: tuple[Entry, ...] = ()
        self._shown: Sequence[Entry] = ()
        self._text = ""
        self._least = LEVELS[0]
        self._follow = True
        self._stamp: tuple[int, int] = (-1, -1)
        self._timer: Timer | None = None

    def body(self) -> ComposeResult:
        """What is shown, the lines, the whole text of the one under the cursor."""
        yield Lines(id="head")
        yield Grid(self._line, id="grid")
        yield Lines(id="remedy", classes="gap")

    def on_mount(self) -> None:
        """Look now and then, as long as this screen is open."""
        self._timer = self.set_interval(self.LOOK, self._look)
        self._look()

    @property
    def file(self) -> Path | None:
        """The log."""
        return self.host.outside.log

    def _look(self) -> None:
        """Read the file when it has changed."""
        if self.file is None or not (self._follow or self._stamp == (-1, -1)):
            return
        try:
            state = self.file.stat()
            if (state.st_ino, state.st_size) == self._stamp:
                return
            with self.file.open("rb") as stream:
                stream.seek(max(0, state.st_size - TAIL))
                text = stream.read(TAIL).decode("utf-8", "replace")
        except OSError:
            # No log yet: the screen says so.
            return
        self._stamp = (state.st_ino, state.st_size)
        self._all = entries(text)
        if self.ready:
            self.paint()

    def paint(self) -> None:
        """What passes, the newest in sight while it is followed."""
        self._shown = [entry for entry in self._all if passes(entry, self._text, self._least)]
        grid = self.query_one(Grid)
        grid.empty = self._teaching()
        grid.show(len(self._shown), cursor=len(self._shown) - 1 if self._follow else None)
        self.query_one("#head", Lines).show((self._head(), ()))
        self._paint_whole()

    def _head(self) -> Line:
        level = {"INFO": "all levels", "WARNING": "warnings and errors", "ERROR": "errors"}[self._least]
        parts = [("   Log", "strong"), (f"   {plural(len(self._shown), 'line')}", "")]
        if len(self._shown) != len(self._all):
            parts.append((f" of {count(len(self._all))}", "dim"))
        parts.append((f" · {level}", "dim"))
        if self._text:
            parts += [(" · ", "faint"), ("/ ", "key"), (self._text, "")]
        parts.append((" · ", "faint"))
        parts.append(("followed" if self._follow else "standing still", "accent" if self._follow else "dim"))
        return tuple(parts)

    def _teaching(self) -> tuple[Line, ...]:
        if self._all:
            return (
                (("   No line passes.", "dim"),),
                ((("   ", "")), ("esc", "key"), (" takes the filter away, ", ""), ("l", "key"), (" the level.", "")),
            )
        return (
            (("   Nothing was logged yet.", "dim"),),
            (),
            (("   Runs, refusals, failed rows and errors come here, without secrets and people.", "dim"),),
            ((f"   {self.file or 'There is no log file.'}", "faint"),),
        )

    def _paint_whole(self) -> None:
        cursor = self.query_one(Grid).cursor
        text = self._shown[cursor].text if cursor < len(self._shown) else ""
        width = max(20, self.size.width - 6)
        parts = [text[start : start + width] for start in range(0, len(text), width)][:3]
        self.query_one("#remedy", Lines).show(tuple((("   ", ""), (part, "dim")) for part in parts))

    def _line(self, index: int, width: int) -> Line:
        return row(self._shown[index], width)

    def on_row_moved(self) -> None:
        """Going up stops following; the last line takes it up again."""
        grid = self.query_one(Grid)
        follow = grid.cursor == len(self._shown) - 1
        if follow is not self._follow:
            self._follow = follow
            self.query_one("#head", Lines).show((self._head(), ()))
        self._paint_whole()

    def filtered(self, text: str) -> None:
        """Show what passes."""
        self._text = text
        self.paint()

    def filter_text(self) -> str:
        """The present filter."""
        return self._text

    def do_follow(self) -> None:
        """Follow, or stand still."""
        self._follow = not self._follow
        self._look()
        self.paint()

    def do_log_level(self) -> None:
        """All, warnings and errors, errors."""
        self._least = LEVELS[(LEVELS.index(self._least) + 1) % len(LEVELS)]
        self.paint()
