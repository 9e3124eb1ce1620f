"""Each guard at its limit and just beyond it, with its figures, its ways out, and nothing said when all is well."""

from __future__ import annotations

from typing import Any

import pytest

from sync.guard import CampaignFigures, GuardLimits, judge_plan
from sync.ids import CampaignId

HERE = CampaignId("701000000000001AAA")


def figures(**changes: Any) -> CampaignFigures:
    return CampaignFigures(HERE, "Spring", **({"members": 200, "base": 200, "org": 200, "service": 200} | changes))


def refused(*campaigns: CampaignFigures, **more: Any) -> set[str]:
    return {verdict.rule for verdict in judge_plan(campaigns, GuardLimits(), **more) if not verdict.passed}


@pytest.mark.parametrize(
    ("within", "beyond", "rule"),
    [
        ({"deletes": 40}, {"deletes": 41}, "deletes"),
        ({"members": 12, "base": 12, "deletes": 10}, {"members": 12, "base": 12, "deletes": 11}, "deletes"),
        ({"base": 9, "org": 0}, {"base": 10, "org": 0}, "side-empty"),
        ({"base": 9, "service": 0}, {"base": 10, "service": 0}, "side-empty"),
        ({"changed": {"email": 100}}, {"changed": {"email": 101}}, "changed"),
        ({"members": 99, "base": 99, "changed": {"email": 99}}, {"members": 100, "changed": {"email": 101}}, "changed"),
        ({"blanked": {"email": 10}}, {"blanked": {"email": 11}}, "blanked"),
        ({"members": 2000, "blanked": {"email": 20}}, {"members": 2000, "blanked": {"email": 21}}, "blanked"),
        ({"never_sent": True, "mails": 2000}, {"never_sent": True, "mails": 2001}, "flood-first"),
        ({"mails": 5000}, {"mails": 5001}, "flood"),
        ({"incomplete": ""}, {"incomplete": "page 3"}, "incomplete"),
    ],
)
def test_a_guard_refuses_beyond_its_limit_only(within: dict[str, Any], beyond: dict[str, Any], rule: str) -> None:
    assert refused(figures(**within)) == set()
    assert refused(figures(**beyond)) == {rule}


def test_removals_of_a_run_are_summed_over_campaigns() -> None:
    many = [
        figures(members=100_000, base=100_000, deletes=2_501),
        figures(members=100_000, base=100_000, deletes=2_500),
    ]
    assert refused(*many) == {"deletes-run"}
    assert refused(*many[1:], many[1]) == set()


def test_a_canary_that_is_gone_refuses_the_run() -> None:
    assert refused(figures(), canaries_gone=("Ada <ada@example.org>",)) == {"canary"}
    assert refused(figures()) == set()


def test_a_refusal_says_figures_and_ways_to_go_on() -> None:
    verdict, *others = judge_plan([figures(deletes=50)], GuardLimits())
    assert all(each.passed for each in others)
    assert (verdict.figure, verdict.limit, verdict.campaign_id, verdict.without_deletes) == (50, 40, HERE, True)
    for part in ("50 of 200", "20%", "--without-deletes", "--allow deletes=50", "name"):
        assert part in verdict.text


def test_an_allowance_lets_pass_up_to_its_own_limit() -> None:
    assert refused(figures(deletes=50), allow={"deletes": 50}) == set()
    assert refused(figures(deletes=51), allow={"deletes": 50}) == {"deletes"}
    assert refused(figures(deletes=50), allow={"flood": 50}) == {"deletes"}
    verdict, *_ = judge_plan([figures(deletes=50)], GuardLimits(), allow={"deletes": 60})
    assert verdict.passed
    assert "deletes=60" in verdict.text


def test_limits_are_configurable() -> None:
    strict = GuardLimits(delete_share=0.01, delete_floor=1)
    assert [v.rule for v in judge_plan([figures(deletes=5)], strict) if not v.passed] == ["deletes"]


def test_a_release_that_moves_every_level_and_counter_is_no_alarm() -> None:
    first_release = {"level": 200, "opens": 150, "active": 200, "synced": 200}
    assert refused(figures(changed=first_release)) == set()
    assert refused(figures(changed=first_release | {"status": 101})) == {"changed"}
    assert refused(figures(changed={"reason": 101})) == {"changed"}


def test_guards_that_pass_say_their_figure_once_for_the_run() -> None:
    big = figures(members=12_480, base=12_480, deletes=2, changed={"email": 30, "level": 12_000})
    verdicts = {verdict.rule: verdict for verdict in judge_plan([big], GuardLimits(), canaries_gone=())}
    assert list(verdicts) == ["deletes", "side-empty", "changed", "blanked", "canary", "incomplete"]
    assert all(verdict.passed and verdict.campaign_id is None for verdict in verdicts.values())
    assert (verdicts["deletes"].figure, verdicts["deletes"].limit) == (2, 2496)
    assert verdicts["deletes"].text == "2 of 12,480 members would be removed (0.02%), 20% or 10 allowed"
    assert verdicts["changed"].text == "email would change for 30 of 12,480 members (0.24%), 50% allowed"


def test_several_campaigns_are_spoken_for_by_the_worst_of_them() -> None:
    worse = CampaignFigures(CampaignId("701000000000002AAA"), "Autumn", members=200, deletes=30)
    passed = judge_plan([figures(deletes=20), worse], GuardLimits())
    deletes = [verdict for verdict in passed if verdict.rule == "deletes"]
    assert [(each.figure, each.text[:16]) for each in deletes] == [(30, "at worst Autumn:")]
    refusing = judge_plan([figures(deletes=50), worse], GuardLimits())
    assert [verdict.passed for verdict in refusing if verdict.rule == "deletes"] == [False]


def test_guards_without_anything_to_judge_say_nothing() -> None:
    assert judge_plan([], GuardLimits()) == ()
    rules = [verdict.rule for verdict in judge_plan([figures(mails=7, never_sent=True)], GuardLimits())]
    assert "canary" not in rules
    assert rules[-2:] == ["flood-first", "flood"]


def test_a_refusal_offers_only_what_lets_it_pass() -> None:
    """Typing the name passes removals of one campaign; not an empty side, and not a run's total over several."""
    gone = figures(deletes=100)
    said = {each.rule: each.text for each in judge_plan([gone], GuardLimits(delete_run=99)) if not each.passed}
    assert all("--confirm NAME" in said[rule] for rule in ("deletes", "deletes-run"))
    said = {
        each.rule: each.text for each in judge_plan([figures(deletes=100, org=0), gone], GuardLimits(delete_run=99))
    }
    assert "--confirm NAME" not in said["side-empty"]
    assert "--confirm NAME" not in said["deletes-run"]
