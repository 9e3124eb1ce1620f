"""The governor's ladder, caps, and the arithmetic of a plan's cost."""

from __future__ import annotations

import pytest

from sync.budget import Gear, Ladder, Meter, cost, judge, service_batches
from sync.model import Calls, WriteCost

LADDER = Ladder()


@pytest.mark.parametrize(
    ("used", "before", "gear"),
    [
        (799, Gear.NORMAL, Gear.NORMAL),
        (800, Gear.NORMAL, Gear.WARN),
        (900, Gear.WARN, Gear.PAUSE),
        (950, Gear.PAUSE, Gear.STOP),
        (900, Gear.STOP, Gear.STOP),
        (760, Gear.STOP, Gear.STOP),
        (760, Gear.PAUSE, Gear.PAUSE),
        (749, Gear.STOP, Gear.NORMAL),
        (760, Gear.WARN, Gear.NORMAL),
    ],
)
def test_the_governor_shifts_and_holds_until_it_may_resume(used: int, before: Gear, gear: Gear) -> None:
    assert LADDER.gear(used, 1000, before) is gear


def test_an_unknown_meter_stops_nothing() -> None:
    assert LADDER.gear(None, None) is Gear.NORMAL
    assert judge(10**6, Meter(None, None), LADDER).passed


def test_calls_must_fit_below_the_stop_and_beside_what_others_reserved() -> None:
    assert judge(50, Meter(900, 1000), LADDER).passed
    assert not judge(51, Meter(900, 1000), LADDER).passed
    assert not judge(50, Meter(900, 1000, reserved=1), LADDER).passed
    assert judge(100, Meter(900, 1000), LADDER, essential=True).passed
    assert not judge(1, Meter(955, 1000), LADDER).passed
    assert not judge(1, Meter(760, 1000), LADDER, before=Gear.STOP).passed


def test_own_caps_a_day_and_a_run() -> None:
    meter = Meter(0, 100_000, ours_today=90)
    assert judge(10, meter, LADDER, daily_cap=100).passed
    assert not judge(11, meter, LADDER, daily_cap=100).passed
    assert not judge(6, meter, LADDER, run_cap=5).passed
    refusal = judge(6, meter, LADDER, run_cap=5)
    assert (refusal.figure, refusal.limit) == (6, 5)
    assert "--allow budget=" in refusal.text


def test_the_cost_includes_what_was_read_and_bounds_itself() -> None:
    made = cost(Calls(2, 3), salesforce=WriteCost(4, 3, 4), predictive=2, after=Calls(0, 1))
    assert made.predicted == Calls(6, 6)
    assert made.lower_bound.salesforce == 4
    assert made.lower_bound.salesforce <= made.predicted.salesforce <= made.maximum.salesforce
    assert made.lower_bound.predictive <= made.predicted.predictive <= made.maximum.predictive


def test_service_batches_hold_five_thousand_rows_of_one_campaign() -> None:
    assert service_batches([5000, 1, 0, 5001]) == 4
