"""When timers are due: the hourly batch at a minute of each hour, the nightly batch at a time of day in UTC.

Pure: instants in, instants out. Ticks have no daylight saving shift (the nightly batch is fixed to 01:00 UTC).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sync.model import RunKind

CATCH_UP = timedelta(hours=6)
"""How late a worker may still run a missed tick that sends no mail."""

FIRST_YEAR, LAST_YEAR = 1971, 2199
"""Years of instants for which a batch can be simulated: those that the service knows whatever the time zone."""


def foreseen_at(text: str) -> datetime:
    """The instant that *text* names in ISO 8601, in UTC, which is also meant where it names no zone.

    Raises:
        ValueError: it is none, or none for which a batch can be simulated.
    """
    return foreseeable(datetime.fromisoformat(text))


def foreseeable(at: datetime) -> datetime:
    """*at* in UTC. Raises ValueError when no batch can be simulated for it."""
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"the year is not between {FIRST_YEAR} and {LAST_YEAR}")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The minute of the hourly batch (0 to 59) and the UTC time of the nightly batch."""

    hourly_minute: int = 17
    nightly: time = time(1, 0)

    def period(self, kind: RunKind) -> timedelta:
        """The distance between two ticks.

        Raises:
            ValueError: *kind* has no timer.
        """
        if kind is RunKind.HOURLY:
            return timedelta(hours=1)
        if kind is RunKind.NIGHTLY:
            return timedelta(days=1)
        raise ValueError(f"{kind.value} has no timer")

    def next_after(self, kind: RunKind, instant: datetime) -> datetime:
        """The first tick later than *instant*."""
        period = self.period(kind)
        utc = instant.astimezone(UTC)
        if kind is RunKind.HOURLY:
            first = utc.replace(minute=self.hourly_minute, second=0, microsecond=0)
        else:
            first = utc.replace(hour=self.nightly.hour, minute=self.nightly.minute, second=0, microsecond=0)
        while first > utc:
            first -= period
        return first + period

    def newest_until(self, kind: RunKind, instant: datetime) -> datetime:
        """The last tick at or before *instant*."""
        return self.next_after(kind, instant) - self.period(kind)

    def missed(self, kind: RunKind, last: datetime | None, now: datetime, *, most: int = 48) -> tuple[datetime, ...]:
        """Ticks after *last* that are over at *now*, oldest first; the newest *most* of them. None: nothing is known,
        so nothing was missed."""
        if last is None:
            return ()
        ticks = list(self._back(kind, self.newest_until(kind, now), last, most))
        return tuple(reversed(ticks))

    def _back(self, kind: RunKind, newest: datetime, last: datetime, most: int) -> Iterator[datetime]:
        tick = newest
        while tick > last and most:
            yield tick
            tick -= self.period(kind)
            most -= 1


def may_catch_up(kind: RunKind, due: datetime, now: datetime, *, confirmed: bool) -> bool:
    """Whether a late tick may still be run: at once when on time; the nightly within six hours; one that sends mail
    (hourly) only after a person confirmed it."""
    late = now - due
    if late < timedelta(minutes=5):
        return True
    return confirmed or (kind is RunKind.NIGHTLY and late <= CATCH_UP)


def parse_time(text: str) -> time:
    """``HH:MM`` as a time of day. Raises ValueError."""
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))
