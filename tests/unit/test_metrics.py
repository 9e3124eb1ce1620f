"""Campaign metrics: formulas, division by nothing, and what counts as a difference."""

from __future__ import annotations

from sync.metrics import METRICS, MemberFigures, metrics_of


def test_both_figures_stand_side_by_side_and_rates_are_percentages() -> None:
    members = MemberFigures(total=10, active=8, opened=4, clicked=2, completed=1, opted_out=1, delivered=30)
    found = {metric.key: metric for metric in metrics_of({"total_members": 10, "click_to_open": 50.0}, members)}
    assert set(found) == {key for key, *_ in METRICS}
    assert (found["inactive_members"].predictive, found["delivered"].predictive) == (2, 30)
    assert (found["click_to_open"].predictive, found["completion_to_open"].predictive) == (50.0, 25.0)
    assert not found["total_members"].differs
    assert not found["click_to_open"].differs
    assert found["active_members"].salesforce is None
    assert not found["active_members"].differs, "what was not read is no difference"


def test_nothing_to_divide_by_is_blank_and_a_campaign_not_started_has_no_figures() -> None:
    rates = {metric.key: metric.predictive for metric in metrics_of({}, MemberFigures(total=3))}
    assert rates["click_to_open"] is None
    assert all(metric.predictive is None for metric in metrics_of({"delivered": 0}, None))


def test_a_rounded_rate_is_the_same_and_another_one_is_not() -> None:
    members = MemberFigures(total=3, opened=3, clicked=1)
    same, other = (metrics_of({"click_to_open": value}, members)[4] for value in (33.33, 33.0))
    assert (same.differs, other.differs) == (False, True)
