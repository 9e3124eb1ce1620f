"""Whatever is asked in whatever order: the governor never lets a budget be passed, and its gear never flutters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.budget import LEAST_TREND, ROLLS, TREND, Gear, Ladder, Meter, judge, reached_at

ORDER = [Gear.NORMAL, Gear.WARN, Gear.PAUSE, Gear.STOP]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
gears = st.sampled_from(ORDER)
shares = st.integers(0, 120)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    resume, warn, pause, stop = sorted(draw(st.lists(st.integers(1, 100), min_size=4, max_size=4)))
    return Ladder(warn / 100, pause / 100, stop / 100, resume / 100)


@given(ladders(), shares, gears)
def test_a_gear_rises_with_the_meter_and_never_above_it(ladder: Ladder, used: int, before: Gear) -> None:
    gear = ladder.gear(used, 100, before)
    fresh = ladder.gear(used, 100)
    assert ORDER.index(gear) >= ORDER.index(fresh), "what came before can only hold back"
    more = ladder.gear(used + 1, 100, before)
    held = used / 100 >= ladder.resume or before in (Gear.NORMAL, Gear.WARN)
    assert not held or ORDER.index(more) >= ORDER.index(gear)


@given(ladders(), st.lists(shares, max_size=30))
def test_a_stop_lasts_until_the_meter_is_below_the_threshold_of_resuming(ladder: Ladder, walk: list[int]) -> None:
    gear = Gear.NORMAL
    for used in walk:
        before, gear = gear, ladder.gear(used, 100, gear)
        if before is Gear.STOP and gear is not Gear.STOP:
            assert used / 100 < ladder.resume
        if before is Gear.PAUSE and gear in (Gear.NORMAL, Gear.WARN):
            assert used / 100 < ladder.resume
        if used / 100 < ladder.resume:
            assert gear is Gear.NORMAL or used / 100 >= ladder.warn


calls = st.integers(0, 60)


@settings(max_examples=300)
@given(
    needed=calls,
    used=st.integers(0, 110),
    reserved=calls,
    ours=calls,
    spent=calls,
    daily=st.none() | calls,
    each=st.none() | calls,
    before=gears,
)
@example(needed=0, used=100, reserved=0, ours=0, spent=0, daily=None, each=None, before=Gear.STOP)
def test_what_is_granted_fits_every_bound(
    needed: int, used: int, reserved: int, ours: int, spent: int, daily: int | None, each: int | None, before: Gear
) -> None:
    ladder = Ladder()
    meter = Meter(used, 100, ours, reserved, spent)
    verdict = judge(needed, meter, ladder, daily_cap=daily, run_cap=each, before=before)
    if verdict.passed and needed:
        assert used + reserved + needed <= 95
        assert daily is None or ours + reserved + needed <= daily
        assert each is None or spent + needed <= each
        assert ladder.gear(used, 100, before) is not Gear.STOP
    elif needed:
        assert verdict.limit is not None
        assert verdict.limit < needed
    opt_out = judge(needed, meter, ladder, daily_cap=daily, run_cap=each, before=before, essential=True)
    assert opt_out.passed == (needed <= max(0, 100 - used)), "only the org's own limit holds an opt-out back"


@given(st.lists(st.tuples(st.integers(0, 360), st.integers(0, 1000)), max_size=12), st.integers(1, 1000))
def test_the_forecast_lies_ahead_and_only_where_the_meter_rises(pairs: list[tuple[int, int]], limit: int) -> None:
    readings = sorted((NOW - timedelta(minutes=ago), used) for ago, used in pairs)
    at = reached_at(readings, limit, NOW)
    recent = [(when, used) for when, used in readings if when >= NOW - TREND]
    if at is not None:
        assert at <= NOW + ROLLS
        assert recent[-1][1] >= limit or recent[-1][1] > recent[0][1]
    elif recent:
        (start, first), (end, last) = recent[0], recent[-1]
        assert last < limit
        if last > first and end - start >= LEAST_TREND:
            assert end + (end - start) * ((limit - last) / (last - first)) > NOW + ROLLS - timedelta(seconds=1)


def test_the_forecast_is_a_straight_line_through_what_the_org_said() -> None:
    readings = [(NOW - timedelta(hours=9), 5000), (NOW - timedelta(hours=2), 100), (NOW, 300)]
    assert reached_at(readings, 500, NOW) == NOW + timedelta(hours=2)
    assert reached_at(readings, 300, NOW) == NOW
    assert reached_at(readings[:2], 500, NOW) is None
    assert reached_at([], 500, NOW) is None
    assert reached_at([(NOW - timedelta(minutes=5), 0), (NOW, 400)], 500, NOW) is None, "one run tells no trend"
    assert reached_at(readings, 100_000, NOW) is None, "by then what is spent now has aged out"
