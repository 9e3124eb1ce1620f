"""What the org was asked for once is good for a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.clock import ControlledClock
from sync.store.facts import DESCRIBED, KEPT_FOR, KeptFact
from sync.store.store import Store


def test_it_is_kept_for_a_day_and_can_be_forgotten(store: Store) -> None:
    clock = ControlledClock()
    clock.set(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
    kept = KeptFact(store.facts, DESCRIBED, clock)
    assert kept.load() is None
    kept.save("what it said")
    assert KeptFact(store.facts, DESCRIBED, clock).load() == "what it said"
    clock.set(datetime(2026, 11, 23, 1, 0, tzinfo=UTC) + KEPT_FOR + timedelta(minutes=1))
    assert kept.load() is None
    clock.set(datetime(2026, 11, 23, 1, 0, tzinfo=UTC) - timedelta(seconds=1))
    assert kept.load() is None, "the clock was set back: its age is not known"
    kept.save(None)
    assert store.facts.get(DESCRIBED) is None
