"""What a campaign's warnings say as days pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sync.ids import CampaignId, EditionId
from sync.model import Blocked, Campaign, CampaignType, Edition, RunState
from sync.store.warn import Known, warnings_of

CAMPAIGN = Campaign(
    CampaignId("701000000000001AAA"),
    "Autumn",
    CampaignType.SCHEDULED,
    "Scheduled",
    is_active=True,
    status="In Progress",
    start_date=date(2026, 12, 5),
    end_date=date(2026, 12, 31),
    auto_sync=True,
)
EDITION = Edition(
    EditionId("ed_1"),
    CAMPAIGN.id,
    1,
    "scheduled",
    "Scheduled 1",
    "Hello",
    active=True,
    state="blocked",
    blocked_by=(
        Blocked("campaign_not_started", "The campaign starts on 2026-12-05."),
        Blocked("edition_not_started", "The edition's range starts on 2026-12-07."),
    ),
    start_date=date(2026, 12, 7),
    end_date=date(2026, 12, 9),
)


def said(today: date, edition: Edition = EDITION) -> list[str]:
    known = Known(started=True, synced=True, test_people=1)
    return [each.text for each in warnings_of(CAMPAIGN, known, today, [edition]) if each.code == "edition-blocked"]


def test_an_edition_waits_for_a_day_only_until_it_has_come() -> None:
    (before,) = said(date(2026, 12, 4))
    assert "campaign starts on 2026-12-05" in before
    (between,) = said(date(2026, 12, 5))
    assert "range starts on 2026-12-07" in between
    assert said(date(2026, 12, 7)) == []


def test_what_no_day_lifts_stays() -> None:
    untested = Blocked("not_tested", "The edition was never sent to a test member.")
    edition = replace(EDITION, blocked_by=(*EDITION.blocked_by, untested))
    (left,) = said(date(2026, 12, 8), edition)
    assert "never sent to a test member" in left


def test_who_waits_is_told_in_whole_sentences() -> None:
    known = Known(started=True, synced=True, test_people=1, rejected=1, held=2, invisible=1, accounts=1)
    assert [each.text for each in warnings_of(CAMPAIGN, known, date(2026, 12, 8))] == [
        "1 member has a rejected status. See the run's failed rows.",
        "2 members have held values. Agree in the org, or predictive runs release.",
        "1 account is a member: no e-mail address, so not synced. Add their contacts instead.",
        "1 member is not visible to the sync user. Check sharing.",
    ]


def test_what_a_run_said_ends_with_one_full_stop() -> None:
    known = Known(started=True, synced=True, test_people=1, last_state=RunState.REFUSED, last_error="read-only.")
    assert [each.text for each in warnings_of(CAMPAIGN, known, date(2026, 12, 8)) if each.code == "refused"] == [
        "The last run was refused: read-only."
    ]
