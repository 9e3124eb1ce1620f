"""Each guard at its boundary, for whatever limits and sizes: at the limit it is silent, one beyond it refuses."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.guard import OF_A_RUN, CampaignFigures, GuardLimits, judge_plan
from sync.ids import CampaignId

HERE = CampaignId("701000000000001AAA")
members = st.integers(0, 5_000)
shares = st.floats(0, 1, allow_nan=False)
floors = st.integers(0, 200)


def figures(size: int, **changes: Any) -> CampaignFigures:
    return CampaignFigures(HERE, "Spring", **({"members": size, "base": size, "org": 1, "service": 1} | changes))


def refused(one: CampaignFigures, limits: GuardLimits, **more: Any) -> set[str]:
    return {verdict.rule for verdict in judge_plan([one], limits, **more) if not verdict.passed}


@given(members, members, shares, floors)
def test_removals_are_refused_beyond_both_limits_only(size: int, deletes: int, share: float, floor: int) -> None:
    limits = GuardLimits(delete_share=share, delete_floor=floor, delete_run=10**9)
    beyond = deletes > floor and deletes > share * size
    assert ("deletes" in refused(figures(size, deletes=deletes), limits)) == beyond


@given(st.lists(members, min_size=1, max_size=5), members)
def test_removals_of_a_run_are_their_sum(deletes: list[int], most: int) -> None:
    limits = GuardLimits(delete_share=1.0, delete_run=most)
    many = [figures(10_000, deletes=count) for count in deletes]
    said = {verdict.rule for verdict in judge_plan(many, limits) if not verdict.passed}
    assert ("deletes-run" in said) == (sum(deletes) > most)


@given(st.integers(0, 50), st.integers(0, 3), st.integers(0, 3), st.integers(1, 50))
def test_a_side_is_empty_when_it_has_nothing_and_the_base_enough(base: int, org: int, service: int, least: int) -> None:
    said = refused(figures(base, org=org, service=service), GuardLimits(empty_from=least))
    assert ("side-empty" in said) == (base >= least and 0 in (org, service))


@given(members, members, shares, floors, st.sampled_from(["email", "status", "reason", "last_name"]))
def test_everything_changed_needs_many_members_and_most_of_them(
    size: int, count: int, share: float, least: int, name: str
) -> None:
    limits = GuardLimits(changed_share=share, changed_from=least)
    assert ("changed" in refused(figures(size, changed={name: count}), limits)) == (
        size >= least and count > share * size
    )


@given(members, members, shares, floors, st.sampled_from(["email", "last_name"]))
def test_blanked_needs_both_limits(size: int, count: int, share: float, floor: int, name: str) -> None:
    limits = GuardLimits(blank_share=share, blank_floor=floor)
    assert ("blanked" in refused(figures(size, blanked={name: count}), limits)) == (
        count > floor and count > share * size
    )


@given(members, members, members, st.booleans())
def test_floods_are_judged_for_a_first_time_and_for_the_run(mails: int, first: int, most: int, never: bool) -> None:
    said = refused(figures(5_000, mails=mails, never_sent=never), GuardLimits(flood_first=first, flood_run=most))
    assert ("flood-first" in said) == (never and mails > first)
    assert ("flood" in said) == (mails > most)


@given(st.integers(11, 200), st.integers(0, 200))
def test_an_allowance_lets_pass_up_to_itself_and_no_further(deletes: int, allowed: int) -> None:
    limits = GuardLimits(delete_share=0.0)
    said = refused(figures(200, deletes=deletes), limits, allow={"deletes": allowed})
    assert ("deletes" in said) == (deletes > allowed)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_a_campaigns_own_limit_counts_instead_of_the_orgs(deletes: int, org: int, own: int) -> None:
    limits = GuardLimits(delete_share=0.0, delete_floor=org)
    mine = replace(limits, delete_floor=own)
    assert ("deletes" in refused(figures(1_000, deletes=deletes, limits=mine), limits)) == (deletes > own)
    assert ("deletes" in refused(figures(1_000, deletes=deletes), limits)) == (deletes > org)


def test_limits_of_a_run_are_known_by_name() -> None:
    assert {item.name for item in fields(GuardLimits)} >= OF_A_RUN
