"""When something that is shown changes by the clock alone: the next minute, a countdown, an age. Pure.

The top lines are on every screen; what they count is what the console wakes up for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from console.viewstate import Shared

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def dues(shared: Shared) -> tuple[datetime, ...]:
    """When the timers that run are due."""
    return tuple(timer.due for timer in shared.timers if timer.enabled and timer.paused is None)


def _marks(shared: Shared, now: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """Instants that are shown by their distance, each with the step in which it is told."""
    yield now.replace(second=0, microsecond=0), MINUTE
    if shared.limits is not None and shared.limits.at is not None:
        yield shared.limits.at, MINUTE
    for due in dues(shared):
        yield due, SECOND if timedelta() < due - now <= MINUTE else MINUTE


def next_change(shared: Shared) -> datetime:
    """The first instant after ``shared.now`` at which the top lines say something else."""
    now = shared.now
    return now + min((at - now) % step or step for at, step in _marks(shared, now))


def changed(shared: Shared, now: datetime) -> bool:
    """Whether what was painted at ``shared.now`` is another at *now*; of a clock that was set back nothing is known."""
    return now < shared.now or now >= next_change(shared)
