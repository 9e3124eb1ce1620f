"""The org's API allocation: calls of the last 24 hours by the org's clock, oldest falling out first."""

from __future__ import annotations

import threading
from collections import deque

from sync.clock import Clock

WINDOW = 24 * 3600


class Quota:
    """Counts calls of the last ``window`` seconds. There is no reset at midnight: capacity comes back as calls age."""

    def __init__(self, clock: Clock, most: int, window: int = WINDOW) -> None:
        self._clock = clock
        self.most = most
        self._window = window
        self._calls: deque[tuple[int, int]] = deque()
        self._used = 0
        self._lock = threading.Lock()

    def _forget(self, now: int) -> None:
        while self._calls and self._calls[0][0] <= now - self._window:
            self._used -= self._calls.popleft()[1]

    def used(self) -> int:
        """Calls within the last 24 hours."""
        with self._lock:
            self._forget(int(self._clock.now().timestamp()))
            return self._used

    def take(self, calls: int = 1, *, overrun: int = 0) -> int | None:
        """Count ``calls``; the number used with them, or None (and nothing counted) when none are left.

        ``overrun`` calls beyond the limit are let through.
        """
        now = int(self._clock.now().timestamp())
        with self._lock:
            self._forget(now)
            if self._used + calls > self.most + overrun:
                return None
            self._used += calls
            if self._calls and self._calls[-1][0] >= now:
                second, count = self._calls.pop()
                self._calls.append((second, count + calls))
            else:
                self._calls.append((now, calls))
            return self._used

    def use_up(self, remaining: int) -> None:
        """Count calls of other integrations until only ``remaining`` are left."""
        missing = self.most - remaining - self.used()
        if missing > 0:
            self.take(missing)

    def set_used(self, calls: int) -> None:
        """Forget the window and count *calls* in their place."""
        with self._lock:
            self._calls.clear()
            self._used = calls
            if calls:
                self._calls.append((int(self._clock.now().timestamp()), calls))

    def give_back(self) -> int:
        """Take back the newest call (one that the org does not bill); the number used without it."""
        with self._lock:
            if self._calls:
                second, count = self._calls.pop()
                if count > 1:
                    self._calls.append((second, count - 1))
                self._used -= 1
            return self._used
