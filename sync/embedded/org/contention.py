"""Locks that overlapping requests want: writing a member locks its campaign, whose roll-ups change with it.

The store has one writer, so requests never really meet; a request that waited for another one is treated as having met
it. Off unless the switch ``lock_contention`` says otherwise.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import dataclass, field

from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import encoder

_REMEMBERED = 64


@dataclass(slots=True)
class Locks:
    """The campaigns one request locks (``taken``), and those that requests beside it hold (``held``)."""

    share: float
    held: frozenset[int]
    draws: random.Random
    taken: set[int] = field(default_factory=set)

    def take(self, campaign: int | None) -> None:
        """Lock a campaign. Raises OrgError UNABLE_TO_LOCK_ROW when another request holds it too long."""
        if campaign is None:
            return
        if campaign in self.held and self.draws.random() < self.share:
            where = encoder("701")(campaign)
            raise OrgError(
                "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {where}"
            )
        self.taken.add(campaign)


class Contention:
    """Remembers which campaigns the latest requests locked, and when they ended."""

    def __init__(self) -> None:
        self._ended: deque[tuple[float, frozenset[int]]] = deque(maxlen=_REMEMBERED)
        self._count = 0
        self._lock = threading.Lock()

    def locks(self, arrived: float, share: float) -> Locks:
        """The locks of a request that arrived then and begins to write now."""
        with self._lock:
            self._count += 1
            held = frozenset[int]().union(*(taken for ended, taken in self._ended if ended > arrived))
            draws = random.Random(self._count)  # noqa: S311 - repeatable by intent
            return Locks(share, held, draws)

    def ended(self, now: float, locks: Locks) -> None:
        """A request ended and gave its locks back."""
        with self._lock:
            self._ended.append((now, frozenset(locks.taken)))
