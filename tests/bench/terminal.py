"""A command in a pseudo-terminal, timed until its first paint can be seen and until it is gone.

The screen is emulated by pyte, so that "painted" means cells a person would see, not bytes.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyte


@dataclass(frozen=True, slots=True)
class Paint:
    """Times in milliseconds from fork, bytes until the paint was seen."""

    first_ms: float
    bytes: int
    quit_ms: float


def visible(screen: pyte.Screen) -> int:
    """How many cells hold something else than a blank."""
    return sum(len(line.replace(" ", "")) for line in screen.display)


def first_paint(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    keys: bytes = b"q",
    enough: int = 5,
    wait_for: str = "",
    size: tuple[int, int] = (80, 24),
    limit: float = 20.0,
) -> Paint:
    """Start *command*, wait for its first paint, press *keys*, wait for its end.

    Painted: more than *enough* cells (and *wait_for*) are visible.

    Raises:
        TimeoutError: nothing was painted, or the process did not end, within *limit* seconds.
    """
    columns, rows = size
    began = time.perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(command[0], list(command), dict(env))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    seen = 0
    painted: float | None = None
    pressed = 0.0
    try:
        while True:
            if time.perf_counter() - began > limit:
                raise TimeoutError(f"{command}: no end after {limit} s; screen:\n" + "\n".join(screen.display))
            ready, _, _ = select.select([master], [], [], 0.02)
            if ready:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    data = b""
                if not data:
                    break
                seen += len(data)
                stream.feed(data)
            if painted is None and visible(screen) > enough and (not wait_for or wait_for in "\n".join(screen.display)):
                painted = time.perf_counter()
                bytes_at_paint = seen
                os.write(master, keys)
                pressed = time.perf_counter()
    finally:
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if ended == 0 and painted is None:
                os.kill(pid, signal.SIGKILL)
            if ended == 0:
                os.waitpid(pid, 0)
        except ChildProcessError:
            pass
        os.close(master)
    if painted is None:
        raise TimeoutError(f"{command}: ended without a paint")
    return Paint((painted - began) * 1000, bytes_at_paint, (time.perf_counter() - pressed) * 1000)
