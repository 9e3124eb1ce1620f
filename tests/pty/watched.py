"""A terminal that is watched for flicker: every frame it was sent is kept, and looked at before the next key."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Sequence
from typing import Any

from tests.pty.screen import Terminal

CLEARS = re.compile(rb"\x1b\[[23]?J|\x1bc|\x1b\[\?(?:1049|47)[hl]")
"""A full clear, a reset, another screen: what makes a whole terminal blink."""

WAITING = re.compile(r"◐|reading|asked|asking|checking|looking|being made|no such|no .* is|nothing", re.IGNORECASE)
"""Words by which a sparse frame says what it waits for, or that there is nothing to show."""

ASKS, ANSWERS = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""Is output synchronized here? It is: frames then come between two marks."""

END = b"\x1b[?2026l"

Frame = tuple[str, ...]


def filled(frame: Frame) -> int:
    """Cells that hold something."""
    return sum(len(row) - row.count(" ") for row in frame)


def flashes(frames: Sequence[Frame]) -> list[str]:
    """What flickers between the first and the last of *frames*, in words.

    A line that goes from the screen and comes back as it was; any line of a live run's screen that goes and comes
    back; and a frame that shows much less than the first and the last without saying what it waits for.
    """
    found: list[str] = []
    if len(frames) < 3:
        return found
    for y in range(min(len(frame) for frame in frames)):
        gone: tuple[int, str] | None = None
        for number, frame in enumerate(frames):
            row = frame[y].strip()
            if row and gone is not None:
                live = all("◐ running" in "".join(each[:4]) for each in frames[gone[0] : number + 1])
                moved = any(gone[1] in "".join(each) for each in frames[gone[0] + 1 : number])
                if (live or row == gone[1]) and not moved:
                    between = "\n".join(frames[gone[0] + 1])
                    found.append(f"line {y} went and came back: {gone[1]!r} → {row!r}, between:\n{between}")
            if row:
                gone = None
                last = (number, row)
            elif number and frames[number - 1][y].strip():
                gone = last
    least = 0.6 * min(filled(frames[0]), filled(frames[-1]))
    found += [
        "a frame between shows much less than those around it:\n" + "\n".join(frame)
        for frame in frames[1:-1]
        if filled(frame) < least and not WAITING.search("\n".join(frame))
    ]
    return found


class Watched(Terminal):
    """``predictive`` in a terminal whose every frame is looked at.

    Args:
        synchronized: tell that output is synchronized here, as new terminals do; frames are exact then. Without, what
            comes in one go is a frame.
    """

    def __init__(self, *words: str, synchronized: bool = True, **options: Any) -> None:
        self._synchronized = synchronized
        self._lines: list[str] = []
        self._pending = b""
        self._began = 0
        self._typed = False
        self._keys = ""
        self.frames: list[Frame] = []
        super().__init__(*words, **options)

    @property
    def rows(self) -> list[str]:
        """What is on screen; only lines that changed are put together anew."""
        screen = self.screen
        if len(self._lines) != screen.lines:
            self._lines = [""] * screen.lines
            screen.dirty.update(range(screen.lines))
        for y in screen.dirty:
            if y < screen.lines:
                cells = screen.buffer[y]
                self._lines[y] = "".join(cells[x].data for x in range(screen.columns))
        screen.dirty.clear()
        return list(self._lines)

    def painted(self) -> None:
        """From here on nothing may flicker."""
        self._began = len(self.raw)
        self.frames = [tuple(self.rows)]

    def unwatched(self) -> None:
        """From here on the terminal may be cleared: the console leaves."""
        self._began, self.frames = 0, []

    def send(self, keys: str) -> None:
        """Press keys, after a look at what the ones before led to."""
        self.look()
        self._typed = len(keys) > 1 and not keys.startswith("\x1b")
        self._keys = keys
        super().send(keys)

    def look(self) -> None:
        """Raise AssertionError when something flickered since the last key."""
        if self.frames:
            # Between the letters of a text that is typed a list may empty and fill again.
            found = flashes(self.frames) if not self._typed else []
            assert not found, f"after {self._keys!r}: " + "\n".join(found)
            self.frames = self.frames[-1:]
        if self._began:
            clear = CLEARS.search(bytes(self.raw[self._began :]))
            assert clear is None, f"the terminal was cleared: {clear[0]!r}"
            self._began = len(self.raw)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; frames of different sizes are not compared."""
        self.look()
        super().resize(columns, lines)
        self._lines = []
        self.frames = self.frames and [tuple(self.rows)]

    def read(self, seconds: float) -> bool:
        """Take what comes within *seconds*, frame by frame; True when something did."""
        fd, data = self._fd, b""
        while select.select([fd], [], [], 0.002 if data else seconds)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:
                part = b""
            if not part:
                break
            data += part
            if self._synchronized:
                break
        if not data:
            return self._over()
        self.raw += data
        if self._synchronized and ASKS in self._pending[-16:] + data:
            os.write(fd, ANSWERS)
        data = self._pending + data
        if self._synchronized:
            *whole, self._pending = data.split(END)
            for frame in whole:
                self._frame(frame)
            if b"\x1b[?2026h" not in self._pending and not self._cut(self._pending):
                rest, self._pending = self._pending, b""
                if rest:
                    self._frame(rest)
        else:
            self._frame(data)
        return True

    @staticmethod
    def _cut(data: bytes) -> bool:
        """True when *data* ends within the mark of a frame."""
        return any(data.endswith(b"\x1b[?2026h"[:size]) for size in range(1, 8))

    def _frame(self, data: bytes) -> None:
        self._stream.feed(data)
        self.filled.append(self.visible())
        if self.frames:
            frame = tuple(self.rows)
            if frame != self.frames[-1]:
                self.frames.append(frame)

    def _over(self) -> bool:
        pid, status = (0, 0) if self.code is not None else os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return False
