"""The org's limit of requests that last long: 25 of 20 seconds and more; shorter ones are not limited."""

from __future__ import annotations

import itertools
import threading

from sync.clock import Clock
from sync.embedded.org.state import Switches


class LongRequests:
    """Counts running requests by the org's clock; ``switches`` hold the limits."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock, self._switches = clock, switches
        self._running: dict[int, float] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def enter(self) -> int | None:
        """A number for a request that begins; None when it is refused because too many others last too long."""
        now = self._clock.monotonic()
        with self._lock:
            if len(self._running) >= self._switches.long_requests:
                long = sum(now - began >= self._switches.long_request_seconds for began in self._running.values())
                if long >= self._switches.long_requests:
                    return None
            number = next(self._numbers)
            self._running[number] = now
            return number

    def leave(self, number: int) -> None:
        """A request of this number ended."""
        with self._lock:
            self._running.pop(number, None)
