"""Ticks of the timers, missed ones, and which late ones may still be run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sync.model import RunKind
from sync.schedule import Timetable, may_catch_up, parse_time

TABLE = Timetable(17, parse_time("01:00"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "now", "due"),
    [
        (RunKind.HOURLY, "2026-11-23 10:16:59", "2026-11-23 10:17"),
        (RunKind.HOURLY, "2026-11-23 10:17:00", "2026-11-23 11:17"),
        (RunKind.HOURLY, "2026-12-31 23:59:00", "2027-01-01 00:17"),
        (RunKind.NIGHTLY, "2026-11-23 00:59:59", "2026-11-23 01:00"),
        (RunKind.NIGHTLY, "2026-11-23 01:00:00", "2026-11-24 01:00"),
    ],
)
def test_the_next_tick_is_strictly_later(kind: RunKind, now: str, due: str) -> None:
    assert TABLE.next_after(kind, at(now)) == at(due)
    assert TABLE.newest_until(kind, at(due)) == at(due)


def test_ticks_are_utc_whatever_zone_the_instant_is_told_in() -> None:
    berlin = timezone(timedelta(hours=2))
    assert TABLE.next_after(RunKind.NIGHTLY, datetime(2026, 7, 1, 2, 30, tzinfo=berlin)) == at("2026-07-01 01:00")


def test_missed_ticks_are_listed_oldest_first() -> None:
    missed = TABLE.missed(RunKind.HOURLY, at("2026-11-23 08:17"), at("2026-11-23 11:00"))
    assert missed == (at("2026-11-23 09:17"), at("2026-11-23 10:17"))
    assert TABLE.missed(RunKind.HOURLY, None, at("2026-11-23 11:00")) == ()
    assert len(TABLE.missed(RunKind.HOURLY, at("2026-01-01 00:17"), at("2026-11-23 11:00"), most=5)) == 5


def test_only_what_sends_no_mail_is_caught_up_by_itself_and_not_too_late() -> None:
    due = at("2026-11-23 01:00")
    assert may_catch_up(RunKind.HOURLY, due, due + timedelta(minutes=1), confirmed=False)
    assert not may_catch_up(RunKind.HOURLY, due, due + timedelta(minutes=30), confirmed=False)
    assert may_catch_up(RunKind.HOURLY, due, due + timedelta(minutes=30), confirmed=True)
    assert may_catch_up(RunKind.NIGHTLY, due, due + timedelta(hours=6), confirmed=False)
    assert not may_catch_up(RunKind.NIGHTLY, due, due + timedelta(hours=7), confirmed=False)


def test_only_the_batches_have_timers() -> None:
    with pytest.raises(ValueError, match="no timer"):
        TABLE.next_after(RunKind.MANUAL, at("2026-11-23 01:00"))
