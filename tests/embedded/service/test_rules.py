"""The domain's rules, one by one, as pure functions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from sync.embedded.service import rules
from sync.embedded.service.audience import reactions_to
from sync.embedded.service.instants import delay_cutoff, iso, zone
from sync.embedded.service.wire import Status, StatusOn

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CAMPAIGN = rules.CampaignFacts(
    is_active=True,
    deleted=False,
    status=None,
    start_date=date(2026, 11, 1),
    end_date=date(2026, 11, 30),
    where=zone("UTC"),
)
EDITION = rules.EditionFacts(
    role="drip", active=True, has_content=True, start_date=None, end_date=None, not_before=None, not_after=None,
    weekdays=None, tested=True, activated=True, sent=0,
)  # fmt: skip
STATUSES = [
    Status("Planned", False, False, 0),
    Status("Sent", True, False, 1),
    Status("Interested", False, False, 2),
    Status("Responded", False, True, 3),
    Status("Gone", False, False, 4),
]


def blocks(campaign: rules.CampaignFacts = CAMPAIGN, edition: rules.EditionFacts = EDITION, **more: object) -> set[str]:
    return {block.rule for block in rules.blocked_by(campaign, edition, NOW, **more)}  # type: ignore[arg-type]


def test_nothing_blocks_when_every_condition_holds() -> None:
    assert blocks() == set()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"is_active": False}, "campaign_inactive"),
        ({"deleted": True}, "campaign_deleted"),
        ({"status": "Aborted"}, "campaign_closed"),
        ({"status": "completed"}, "campaign_closed"),
        ({"start_date": date(2026, 11, 24)}, "campaign_not_started"),
        ({"end_date": date(2026, 11, 22)}, "campaign_ended"),
    ],
)
def test_a_condition_of_the_campaign_blocks(change: dict[str, object], rule: str) -> None:
    assert blocks(campaign=replace(CAMPAIGN, **change)) == {rule}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"active": False}, "edition_inactive"),
        ({"has_content": False}, "content_missing"),
        ({"tested": False}, "not_tested"),
        ({"not_before": 11}, "outside_hours"),
        ({"not_after": 10}, "outside_hours"),
        ({"weekdays": (2, 3)}, "wrong_weekday"),
        ({"role": "scheduled"}, "edition_dates_missing"),
        (
            {"role": "scheduled", "start_date": date(2026, 11, 24), "end_date": date(2026, 11, 25)},
            "edition_not_started",
        ),
        ({"role": "scheduled", "start_date": date(2026, 11, 1), "end_date": date(2026, 11, 22)}, "edition_ended"),
    ],
)
def test_a_condition_of_the_edition_blocks(change: dict[str, object], rule: str) -> None:
    assert blocks(edition=replace(EDITION, **change)) == {rule}  # type: ignore[arg-type]


def test_address_and_hourly_limit_block() -> None:
    assert blocks(has_address=False) == {"address_missing"}
    assert blocks(room=0) == {"hourly_limit"}


def test_every_failed_condition_is_listed() -> None:
    found = blocks(
        campaign=replace(CAMPAIGN, is_active=False, end_date=date(2026, 11, 1)),
        edition=replace(EDITION, active=False, tested=False),
    )
    assert found == {"campaign_inactive", "campaign_ended", "edition_inactive", "not_tested"}


def test_dates_are_inclusive_in_the_campaigns_own_zone() -> None:
    late = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)  # still 30 November in New York
    assert rules.blocked_by(replace(CAMPAIGN, where=zone("America/New_York")), EDITION, late) == []
    assert [b.rule for b in rules.blocked_by(CAMPAIGN, EDITION, late)] == ["campaign_ended"]


def test_the_hour_window_counts_in_the_campaigns_zone() -> None:
    evening = replace(EDITION, not_before=18, not_after=20)
    assert "outside_hours" in blocks(edition=evening)
    assert rules.blocked_by(replace(CAMPAIGN, where=zone("Asia/Tokyo")), evening, NOW) == []  # 19:00 there


@pytest.mark.parametrize(
    ("hour", "window", "inside"),
    [(9, (9, 17), True), (16, (9, 17), True), (17, (9, 17), False), (8, (9, 17), False), (23, (22, 6), True),
     (5, (22, 6), True), (6, (22, 6), False), (12, (None, None), True), (0, (None, 1), True), (23, (8, 24), True)],
)  # fmt: skip
def test_hour_window(hour: int, window: tuple[int | None, int | None], inside: bool) -> None:
    assert rules.within_hours(hour, *window) is inside


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"active": False, "tested": False, "activated": False}, "draft"),
        ({"active": False, "activated": False, "has_content": False}, "draft"),
        ({"active": False, "activated": False}, "tested"),
        ({"active": False}, "inactive"),
        ({}, "active"),
        ({"tested": False}, "blocked"),
    ],
)
def test_edition_state(change: dict[str, object], state: str) -> None:
    edition = replace(EDITION, **change)  # type: ignore[arg-type]
    assert rules.edition_state(CAMPAIGN, edition, rules.blocked_by(CAMPAIGN, edition, NOW)) == state


def test_an_ended_edition_is_expired_though_active() -> None:
    edition = replace(EDITION, role="scheduled", start_date=date(2026, 11, 1), end_date=date(2026, 11, 2))
    assert rules.edition_state(CAMPAIGN, edition, rules.blocked_by(CAMPAIGN, edition, NOW)) == "expired"


def test_a_range_must_start_later_than_the_end_of_the_one_before() -> None:
    taken = [(date(2026, 1, 1), date(2026, 1, 10))]
    assert rules.overlapping(taken, date(2026, 1, 10), date(2026, 1, 20)) == taken[0]
    assert rules.overlapping(taken, date(2026, 1, 11), date(2026, 1, 20)) is None
    assert rules.overlapping(taken, date(2025, 12, 1), date(2026, 2, 1)) == taken[0]


@pytest.mark.parametrize(
    ("days", "where", "cutoff"),
    [
        (0, "UTC", "2026-11-24T00:00:00Z"),
        (1, "UTC", "2026-11-23T00:00:00Z"),
        (3, "UTC", "2026-11-21T00:00:00Z"),  # over the weekend: calendar days
        (1, "America/New_York", "2026-11-23T05:00:00Z"),
        (23, "America/New_York", "2026-11-01T04:00:00Z"),  # before the clocks went back
    ],
)
def test_a_delay_is_in_calendar_days(days: int, where: str, cutoff: str) -> None:
    assert iso(delay_cutoff(NOW, zone(where), days)) == cutoff


@pytest.mark.parametrize(
    ("current", "event", "after"),
    [
        (None, rules.SENT, "Sent"),
        ("Planned", rules.SENT, "Sent"),
        ("Interested", rules.SENT, "Interested"),  # never back
        ("Sent", rules.OPENED, "Sent"),  # no rule by default
        ("Sent", rules.COMPLETED, "Responded"),
        ("Gone", rules.COMPLETED, "Gone"),
        ("Unheard of", rules.SENT, "Sent"),
    ],
)
def test_default_status_rule(current: str | None, event: int, after: str) -> None:
    assert rules.next_status(STATUSES, StatusOn(), current, event) == after


def test_status_on_maps_levels_to_labels_that_exist() -> None:
    wanted = StatusOn(opened="Interested", clicked="No such label", completed="Gone")
    assert rules.next_status(STATUSES, wanted, "Sent", rules.OPENED) == "Interested"
    assert rules.next_status(STATUSES, wanted, "Sent", rules.CLICKED) == "Sent"
    assert rules.next_status(STATUSES, wanted, "Interested", rules.COMPLETED) == "Gone"
    assert rules.next_status(STATUSES, wanted, "Responded", rules.COMPLETED) == "Responded"  # responded stays so


def test_a_stronger_reason_outranks() -> None:
    order = [None, rules.NO_EMAIL, rules.BOUNCE, rules.OPT_OUT_INDIRECT, rules.COMPLAINT]
    assert [rules.rank(reason) for reason in order] == sorted({rules.rank(reason) for reason in order})
    assert rules.rank("Opt Out Subscription") == rules.rank(rules.OPT_OUT_DIRECT)


@pytest.mark.parametrize("good", ["a@b.co", "ann.o'neil+x@mail.example.com", "jürgen@bücher.example"])
def test_sound_addresses(good: str) -> None:
    assert rules.sound_address(good)


@pytest.mark.parametrize(
    "bad", [None, "", "a", "a@b", "a b@c.co", "a@b.", "a@@b.co", "a@b.co\nBcc: x@y.z", "a@b.co,c@d.co"]
)
def test_malformed_addresses(bad: str | None) -> None:
    assert not rules.sound_address(bad)


def test_the_audience_is_the_same_for_the_same_seed_and_mail() -> None:
    mails = [f"m{i}" for i in range(4000)]
    plans = [reactions_to(5, mail, 2) for mail in mails]
    assert plans == [reactions_to(5, mail, 2) for mail in mails]
    assert plans != [reactions_to(6, mail, 2) for mail in mails]
    kinds = [reaction.kind for plan in plans for reaction in plan]
    assert 0.34 < kinds.count("open") / 4000 < 0.44
    assert 0.008 < kinds.count("hard") / 4000 < 0.022
    assert 0.18 < kinds.count("click") / kinds.count("open") < 0.32
    for plan in plans:
        assert [reaction.after for reaction in plan] == sorted(reaction.after for reaction in plan)
        assert not ({"hard", "soft"} & {r.kind for r in plan}) or len(plan) == 1


def test_nobody_clicks_in_a_mail_without_links() -> None:
    assert not any(r.kind == "click" for i in range(500) for r in reactions_to(1, f"m{i}", 0))
