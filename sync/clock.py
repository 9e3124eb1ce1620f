"""Where "now" comes from.

Time is handed in by parameter everywhere, so that a test (or the sandbox's control address) can move it.
Standard library only; the one module that both the engine and the embedded servers may import.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Implementations are safe to call from any thread."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    __slots__ = ()

    def now(self) -> datetime:
        """The machine's wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return time.monotonic()


class ControlledClock:
    """A clock that can be set and moved, and that otherwise runs on with its base.

    ``monotonic`` follows every step forward (waits come due when the time is advanced) and ignores steps back.
    """

    __slots__ = ("_base", "_leaps", "_lock", "_shift")

    def __init__(self, base: Clock | None = None) -> None:
        self._base: Clock = base if base is not None else SystemClock()
        self._shift = timedelta()
        self._leaps = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The base's instant, moved by what was set or advanced so far."""
        with self._lock:
            return self._base.now() + self._shift

    def monotonic(self) -> float:
        """The base's monotonic seconds plus every step forward made here."""
        with self._lock:
            return self._base.monotonic() + self._leaps

    def set(self, at: datetime) -> None:
        """Make ``at`` the present instant; time runs on from there. Raises ValueError for a naive instant."""
        if at.tzinfo is None:
            raise ValueError("a clock is set to an aware instant")
        with self._lock:
            step = at.astimezone(UTC) - (self._base.now() + self._shift)
            self._move(step)

    def advance(self, seconds: float) -> None:
        """Move the present instant by ``seconds`` (back, when negative)."""
        with self._lock:
            self._move(timedelta(seconds=seconds))

    def _move(self, step: timedelta) -> None:
        self._shift += step
        self._leaps += max(0.0, step.total_seconds())
