"""Where one was: back and forward through visited screens, as in a browser. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MOST = 60
"""Stops remembered."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A visited screen: its key, e.g. ``("campaign", ID)``, and how it is made again (None: the overview)."""

    key: Key
    make: Callable[[], Any] | None = None


@dataclass(slots=True)
class Trail:
    """Visited screens in order, and at which of them one is."""

    stops: list[Stop] = field(default_factory=lambda: [Stop(("overview",))])
    at: int = 0

    @property
    def here(self) -> Stop:
        """The present stop."""
        return self.stops[self.at]

    def visit(self, stop: Stop) -> None:
        """Go on to *stop*; what lay ahead is forgotten. The same stop again is no new one."""
        if stop.key == self.here.key:
            self.stops[self.at] = stop
            return
        self.stops[self.at + 1 :] = [stop]
        self.stops = self.stops[-MOST:]
        self.at = len(self.stops) - 1

    def came_back(self, key: Key) -> None:
        """One left a screen and is at *key* again: what was left lies ahead."""
        for index in range(self.at, -1, -1):
            if self.stops[index].key == key:
                self.at = index
                return

    def step(self, by: int) -> Stop | None:
        """One back (-1) or forward (1); None where the trail ends."""
        if not 0 <= self.at + by < len(self.stops):
            return None
        self.at += by
        return self.here
