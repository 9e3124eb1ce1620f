"""The simulated audience (placeholder body replaced below)."""

from __future__ import annotations

from sync.clock import Clock
from sync.embedded.service.database import Database


class Audience:
    """Reacts to mails."""

    def __init__(self, seed: int, speed: float) -> None:
        self.seed = seed
        self.speed = speed

    def settle(self, db: Database, clock: Clock, *, has_address: bool) -> None:
        """Apply what is due."""
