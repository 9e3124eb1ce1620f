"""A command in a pseudo-terminal, measured: when something can be seen, how many bytes, how much of a core.

The screen is emulated by pyte, so that "painted" means cells a person would see, not bytes. An instant is taken when
bytes arrive, before pyte works on them: the emulator is slower than any terminal and is not what is measured.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

TICKS = os.sysconf("SC_CLK_TCK")


def visible(screen: pyte.Screen) -> int:
    """How many cells hold something else than a blank."""
    return sum(len(line.replace(" ", "")) for line in screen.display)


class Terminal:
    """A running command; close it."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], size: tuple[int, int] = (80, 24), limit: float = 30.0
    ) -> None:
        columns, rows = size
        self.command = list(command)
        self.limit = limit
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = 0
        self.gone = False
        self.began = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(self.command[0], self.command, dict(env))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.screen.display)

    def send(self, keys: bytes) -> float:
        """Press keys; the instant."""
        at = time.perf_counter()
        os.write(self._fd, keys)
        return at

    def read(self, seconds: float) -> float | None:
        """Take what comes within *seconds*; the instant at which it came, None when nothing did."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return None
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b""
        at = time.perf_counter()
        if not data:
            self.gone = True
            return None
        self.bytes += len(data)
        self._stream.feed(data)
        return at

    def until(self, seen: Callable[[Terminal], bool], what: str) -> float:
        """The instant at which the bytes came that made *seen* true.

        Raises:
            TimeoutError: it did not become true in time, or the command ended before.
        """
        end = time.perf_counter() + self.limit
        at = time.perf_counter()
        while not seen(self):
            got = self.read(0.05)
            at = got or at
            if self.gone or time.perf_counter() > end:
                raise TimeoutError(f"{self.command}: waited for {what}; screen:\n{self.text}")
        return at

    def calm(self, seconds: float = 0.5) -> None:
        """Read until nothing came for *seconds*, at most a hundred times as long."""
        end = time.perf_counter() + 100 * seconds
        while self.read(seconds) is not None and time.perf_counter() < end:
            pass

    def passes(self, seconds: float) -> tuple[int, float, float]:
        """Let real time pass: bytes that came, seconds of processor time, and seconds that passed."""
        bytes_before, cpu_before, began = self.bytes, self.cpu(), time.perf_counter()
        while (left := began + seconds - time.perf_counter()) > 0:
            self.read(left)
        return self.bytes - bytes_before, self.cpu() - cpu_before, time.perf_counter() - began

    def cpu(self) -> float:
        """Seconds of processor time that the command has used, user and system, all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def spent(self) -> float:
        """Milliseconds of processor time of its present threads, finer than ``cpu``, which counts in hundredths."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text(encoding="utf-8").split()[0]) for task in tasks) / 1e6

    def rss(self) -> float:
        """Resident memory in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def ended(self) -> float | None:
        """Wait for the end; the instant, None when it had to be killed."""
        end = time.perf_counter() + self.limit
        while not self.gone and time.perf_counter() < end:
            self.read(0.05)
        at = time.perf_counter() if self.gone else None
        self.close()
        return at

    def close(self) -> None:
        """End the process whatever it does."""
        if self.pid:
            ended, _ = os.waitpid(self.pid, os.WNOHANG if not self.gone else 0)
            if ended == 0:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            os.close(self._fd)
            self.pid = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Paint:
    """Times in milliseconds from fork, bytes until the paint was seen; ``quit_ms`` None when it did not end."""

    first_ms: float
    bytes: int
    quit_ms: float | None


def first_paint(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    keys: bytes = b"q",
    enough: int = 5,
    wait_for: str = "",
    size: tuple[int, int] = (80, 24),
    limit: float = 30.0,
    leave: float = 30.0,
) -> Paint:
    """Start *command*, wait for its first paint, press *keys*, wait at most *leave* seconds for its end.

    Painted: more than *enough* cells (and *wait_for*) are visible.

    Raises:
        TimeoutError: nothing was painted within *limit* seconds.
    """
    with Terminal(command, env=env, size=size, limit=limit) as shown:
        painted = shown.until(
            lambda now: visible(now.screen) > enough and (not wait_for or wait_for in now.text), "a first paint"
        )
        bytes_at_paint = shown.bytes
        pressed = shown.send(keys)
        shown.limit = leave
        gone = shown.ended()
    quit_ms = None if gone is None else (gone - pressed) * 1000
    return Paint((painted - shown.began) * 1000, bytes_at_paint, quit_ms)
