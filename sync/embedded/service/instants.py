"""Instants and dates as the service writes them: ISO 8601 text, UTC, whole seconds, `Z`.

Text of one fixed form sorts as time does, in every database; so instants are stored as they are sent.
Standard library only.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_ZONE = re.compile(r"^[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*$")


def plausible(at: datetime) -> bool:
    """Whether an instant is one that people mean: calendar sums with it stay within the calendar."""
    return 1970 <= at.year <= 2200


def iso(at: datetime) -> str:
    """``at`` as "2026-11-23T01:00:00Z". Raises ValueError for a naive instant."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str) -> datetime:
    """The instant that ``iso`` wrote."""
    return datetime.fromisoformat(text)


def milliseconds(at: datetime) -> int:
    """``at`` as whole milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def from_milliseconds(value: int) -> datetime:
    """The instant of so many milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)


def zone(name: str | None) -> ZoneInfo:
    """The IANA time zone ``name``; UTC for none. Raises ValueError when there is no such zone."""
    if not name:
        return ZoneInfo("UTC")
    if not _ZONE.match(name):
        raise ValueError(f"there is no time zone {name!r}")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def delay_cutoff(now: datetime, where: ZoneInfo, days: int) -> datetime:
    """The instant before which something must have happened for ``days`` calendar days to have passed.

    Days are calendar days in the campaign's zone, weekends included (domain.md 2.1): an event of any time on
    Monday is 2 days ago from Wednesday 00:00 on.
    """
    today = now.astimezone(where).date()
    first_too_late = today - timedelta(days=days) + timedelta(days=1)
    return datetime.combine(first_too_late, time(), where).astimezone(UTC)


def local_date(now: datetime, where: ZoneInfo) -> date:
    """The calendar date of ``now`` in a zone."""
    return now.astimezone(where).date()
