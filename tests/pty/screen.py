"""A command in a pseudo-terminal, its screen kept by pyte; every wait is on what the screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

from tests.cli.sides import environment

NAMES = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "space": " ",
    "slash": "/",
    "colon": ":",
    "semicolon": ";",
    "at": "@",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "f1": "\x1bOP",
    "ctrl+p": "\x10",
    "plus": "+",
    "minus": "-",
    "full_stop": ".",
    "comma": ",",
    "exclamation_mark": "!",
    "asterisk": "*",
}
"""What a terminal sends for keys whose name is not what they send."""


class Terminal:
    """``predictive`` (or another *program*) with *words* in a terminal of *columns* by *lines*."""

    def __init__(
        self,
        *words: str,
        home: Path,
        program: Sequence[str] = (),
        columns: int = 80,
        lines: int = 24,
        term: str = "xterm-256color",
        more: Mapping[str, str] | None = None,
        module: str = "console.main",
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.code: int | None = None
        self.filled: list[int] = []
        env = environment(home, TERM=term, COLUMNS="", LINES="", TMUX="", STY="", NO_COLOR="", COLORTERM="")
        env |= more or {}
        env = {name: value for name, value in env.items() if value}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            command = [*(program or (sys.executable, "-m", module)), *words]
            os.execvpe(command[0], command, env)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def rows(self) -> list[str]:
        """What is on screen."""
        return list(self.screen.display)

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.rows)

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(lines, columns)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def visible(self) -> int:
        """Cells that hold something."""
        return sum(len(row) - row.count(" ") for row in self.rows)

    def wait(self, until: Callable[[Terminal], bool], seconds: float = 20) -> None:
        """Read until the condition holds. Raises AssertionError with the screen when it does not in time."""
        end = time.monotonic() + seconds
        while not until(self):
            left = end - time.monotonic()
            assert left > 0, f"not within {seconds} s (exit {self.code}):\n{self.text}"
            if not self.read(min(left, 0.2)) and self.code is not None:
                assert until(self), f"ended with {self.code}:\n{self.text}"
                return

    def quiet(self, still: float = 0.3, seconds: float = 20) -> None:
        """Read until nothing new came for *still* seconds, as eyes wait for a page to stand. Raises AssertionError when
        it does not in time."""
        end = time.monotonic() + seconds
        while self.read(still):
            assert time.monotonic() < end, f"never quiet:\n{self.text}"

    def ended(self, seconds: float = 20) -> int:
        """Wait for the end; the exit code."""
        self.wait(lambda terminal: terminal.code is not None, seconds)
        assert self.code is not None
        return self.code

    def close(self) -> None:
        """End the process whatever it does."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def read(self, seconds: float) -> bool:
        """Take what comes within *seconds*; True when something did."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        data = b""
        if ready:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                # Linux says EIO when the other end has closed.
                data = b""
        if data:
            self.raw += data
            self._stream.feed(data)
            self.filled.append(self.visible())
            return True
        pid, status = (0, 0) if self.code is not None else os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return False
