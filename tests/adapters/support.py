"""A ledger that keeps its records, and a clock that only moves when told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from sync.model import Side
from sync.ports import CallRecord


class Records:
    """Keeps every record, safe from several threads."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self._lock = threading.Lock()

    def record(self, call: CallRecord) -> None:
        with self._lock:
            self.calls.append(call)

    def counted(self, side: Side) -> int:
        return sum(1 for call in self.calls if call.side is side and call.counted)


class StillClock:
    """Stands still; ``sleep`` moves it and remembers what was asked for."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 1, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Hidden:
    """A secret as the adapters take it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value
