"""Writing to the org: what arrives, what is left as drift, what a lost answer means, and how many calls it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.errors import Cancelled, OutcomeUnknown, QuotaExhausted, ServerDown
from sync.mapping import Mapping
from sync.model import OrgMember, PersonKind
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.salesforce.client import SalesforceOrg
from tests.adapters.conftest import Sides
from tests.measured import measured

SYNCED = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@dataclass
class Journal:
    """What the engine would write down."""

    intents: list[tuple[str, ...]] = field(default_factory=list)
    outcomes: dict[str, OrgOutcome] = field(default_factory=dict)

    def write(
        self, org: SalesforceOrg, writes: Iterable[OrgWrite], cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        def before(batch: tuple[OrgWrite, ...]) -> None:
            self.intents.append(tuple(write.key for write in batch))

        def after(batch: tuple[OrgWrite, ...], outcomes: tuple[OrgOutcome, ...]) -> None:
            assert [write.key for write in batch] == [outcome.key for outcome in outcomes]
            assert tuple(write.key for write in batch) == self.intents[-1], "a batch ends as it was announced"
            for outcome in outcomes:
                assert outcome.key not in self.outcomes, "two outcomes for one row"
                assert any(outcome.key in intent for intent in self.intents), "an outcome without an intent"
                self.outcomes[outcome.key] = outcome

        org.write(writes, before=before, after=after, cancelled=cancelled)

    def states(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for outcome in self.outcomes.values():
            counts[outcome.state] = counts.get(outcome.state, 0) + 1
        return counts


def marker(member: OrgMember, **values: Any) -> OrgWrite:
    given = {"PAM__Synced__c": SYNCED, "PAM__Active__c": True, **values}
    return OrgWrite(
        f"marker-{member.member_id}",
        "CampaignMember",
        OrgOperation.UPDATE,
        given,
        member.campaign_id,
        record_id=member.member_id,
    )


def status(member: OrgMember, label: str, *, expected: str | None = None) -> OrgWrite:
    return OrgWrite(
        f"status-{member.member_id}",
        "CampaignMember",
        OrgOperation.UPDATE,
        {"Status": label},
        member.campaign_id,
        record_id=member.member_id,
        expect={"Status": expected or member.status},
    )


def members_of(sides: Sides, start: int, count: int) -> list[OrgMember]:
    return sides.members(sides.first_campaign())[start : start + count]


def test_six_hundred_statuses_cost_two_calls_and_are_read_back(sides: Sides) -> None:
    members = members_of(sides, 0, 600)
    label = next(one.label for one in sides.first_campaign().labels if one.has_responded)
    writes = [status(member, label) for member in members]
    assert measured(sides.org.meter(), writes) == (2, 2)
    before, journal = sides.spent(), Journal()
    journal.write(sides.org, writes)
    assert sides.spent() - before == 2
    assert journal.states() == {"written": 600}
    assert {outcome.found["Status"] for outcome in journal.outcomes.values()} == {label}
    assert {member.status for member in members_of(sides, 0, 600)} == {label}


def test_what_the_platform_swaps_is_seen_in_the_read_back(sides: Sides) -> None:
    (member,) = members_of(sides, 700, 1)
    default = next(one.label for one in sides.first_campaign().labels if one.is_default)
    journal = Journal()
    journal.write(sides.org, [status(member, "No Such Status")])
    (outcome,) = journal.outcomes.values()
    assert (outcome.state, outcome.found) == ("written", {"Status": default})


def test_a_row_that_moved_meanwhile_is_left_and_reported(sides: Sides) -> None:
    moved, still = members_of(sides, 710, 2)
    labels = [one.label for one in sides.first_campaign().labels]
    other = next(label for label in labels if label not in (moved.status, labels[0]))
    target = next(label for label in labels if label not in (moved.status, still.status, other))
    sides.control("POST", "/records", {"object": "CampaignMember", "id": moved.member_id, "values": {"Status": other}})
    journal = Journal()
    level = OrgWrite(
        "level",
        "CampaignMember",
        OrgOperation.UPDATE,
        {"PAM__Level__c": "Opened"},
        moved.campaign_id,
        record_id=moved.member_id,
    )
    journal.write(sides.org, [status(moved, target), status(still, target), level])
    assert journal.outcomes[f"status-{moved.member_id}"].state == "drifted"
    assert journal.outcomes[f"status-{moved.member_id}"].found == {"Status": other}
    assert journal.outcomes[f"status-{still.member_id}"].state == "written"
    assert journal.outcomes["level"].state == "written", "what only the service owns is written all the same"
    after = next(m for m in members_of(sides, 710, 2) if m.member_id == moved.member_id)
    assert (after.status, after.level) == (other, "Opened")


def test_a_box_that_is_ticked_already_is_no_drift(sides: Sides) -> None:
    contact = next(m for m in members_of(sides, 720, 20) if m.kind is PersonKind.CONTACT)
    ticked = {"object": "Contact", "id": contact.person_id, "values": {"HasOptedOutOfEmail": True}}
    sides.control("POST", "/records", ticked)
    write = OrgWrite(
        "box",
        "Contact",
        OrgOperation.UPDATE,
        {"HasOptedOutOfEmail": True},
        record_id=contact.person_id,
        expect={"HasOptedOutOfEmail": False},
    )
    journal = Journal()
    journal.write(sides.org, [write])
    assert journal.outcomes["box"].state == "written"
    assert journal.outcomes["box"].found == {"HasOptedOutOfEmail": True}


def test_a_record_that_is_gone_is_rejected_with_a_remedy(sides: Sides) -> None:
    (member,) = [m for m in members_of(sides, 0, 10_000) if m.kind is PersonKind.LEAD][-1:]
    sides.control("POST", "/records", {"op": "delete", "object": "CampaignMember", "id": member.member_id})
    journal = Journal()
    journal.write(sides.org, [status(member, "Responded"), marker(member)])
    assert journal.states() == {"rejected": 2}
    assert all(outcome.code and outcome.remedy for outcome in journal.outcomes.values())


@pytest.mark.slow
def test_thousands_of_rows_cost_what_was_said(sides: Sides) -> None:
    members = members_of(sides, 0, 1_700)
    writes = [marker(member, PAM__Opens__c=3) for member in members]
    writes += [status(member, member.status or "Sent") for member in members[:900]]
    predicted, least = measured(sides.org.meter(), writes)
    before, journal = sides.spent(), Journal()
    journal.write(sides.org, writes)
    assert sides.spent() - before == predicted
    assert predicted - least <= 1
    assert journal.states() == {"written": len(writes)}
    written = members_of(sides, 0, 1_700)
    assert all(member.synced == SYNCED and member.active and member.opens == 3 for member in written)


def test_editions_are_upserted_and_clicks_find_their_edition(sides: Sides) -> None:
    campaign, names = sides.first_campaign(), Mapping()
    edition = OrgWrite(
        "edition",
        names.edition,
        OrgOperation.UPSERT,
        {"Name": "Initial", names.edition_campaign: campaign.id, names.edition_subject: "Hello", names.edition_sent: 0},
        campaign.id,
        external_field=names.edition_external_id,
        external_id="op-1:1",
    )
    click = OrgWrite(
        "click",
        names.click_through,
        OrgOperation.UPSERT,
        {
            names.click_campaign: campaign.id,
            "PAM__Email_Edition__r.PAM__External_Id__c": "op-1:1",
            names.click_url: "https://example.com/a",
            names.click_hits: 2,
        },
        campaign.id,
        external_field=names.click_external_id,
        external_id="click-1",
    )
    ids = []
    for _ in range(2):
        before, journal = sides.spent(), Journal()
        journal.write(sides.org, [edition, click])
        assert sides.spent() - before == 1
        assert journal.states() == {"written": 2}
        ids.append({key: outcome.record_id for key, outcome in journal.outcomes.items()})
    assert ids[0] == ids[1], "the same rows again"
    assert ids[0]["edition"] is not None
    assert ids[0]["edition"].startswith("a0E")


def test_locked_rows_are_tried_again_after_the_others(sides: Sides) -> None:
    members = members_of(sides, 0, 1_200)
    sides.fault("row", object="CampaignMember", times=150, after=100)
    before, journal = sides.spent(), Journal()
    journal.write(sides.org, [marker(member, PAM__Clicks__c=1) for member in members])
    assert journal.states() == {"written": 1_200}
    assert sides.spent() - before == 2 + 1
    assert sides.slept == [3.0]


def test_rows_that_stay_locked_are_rejected_in_the_end(sides: Sides) -> None:
    members = members_of(sides, 0, 3)
    sides.fault("row", object="CampaignMember", times=None)
    before, journal = sides.spent(), Journal()
    journal.write(sides.org, [marker(member) for member in members])
    assert journal.states() == {"rejected": 3}
    assert {outcome.code for outcome in journal.outcomes.values()} == {"UNABLE_TO_LOCK_ROW"}
    assert sides.spent() - before == 4
    assert sides.slept == [3.0, 6.0, 9.0]


@pytest.mark.parametrize(
    ("code", "waited"),
    [("REQUEST_RUNNING_TOO_LONG", [3.0]), ("SERVER_UNAVAILABLE", [3.0]), ("FIELD_CUSTOM_VALIDATION_EXCEPTION", [])],
)
def test_only_what_passes_by_itself_is_tried_again(sides: Sides, code: str, waited: list[float]) -> None:
    (member,) = members_of(sides, 0, 1)
    sides.fault("row", object="CampaignMember", times=1, code=code, message="not now")
    journal = Journal()
    journal.write(sides.org, [marker(member)])
    assert journal.states() == {"written" if waited else "rejected": 1}
    assert sides.slept == waited


def test_a_validation_rule_rejects_one_row_and_the_rest_is_written(sides: Sides) -> None:
    members = members_of(sides, 0, 3)
    rule = {"object": "CampaignMember", "field": "PAM__Reason__c", "equals": "Bounce", "message": "No bounces here"}
    sides.control("POST", "/rules", rule)
    writes = [marker(members[0]), marker(members[1], PAM__Reason__c="Bounce"), marker(members[2])]
    journal = Journal()
    journal.write(sides.org, writes)
    bad = journal.outcomes[f"marker-{members[1].member_id}"]
    assert journal.states() == {"written": 2, "rejected": 1}
    assert (bad.state, bad.code) == ("rejected", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert "No bounces here" in bad.message
    assert bad.remedy


def test_a_field_that_the_org_lacks_is_dropped_and_the_row_written(sides: Sides) -> None:
    org = sides.new_org()
    (member,) = members_of(sides, 0, 1)
    journal = Journal()
    journal.write(org, [marker(member, PAM__Nothing__c="x", PAM__Bounces__c=1)])
    assert journal.states() == {"written": 1}
    assert org.dropped == (("CampaignMember", "PAM__Nothing__c"),)
    assert members_of(sides, 0, 1)[0].bounces == 1


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "truncate"])
def test_a_lost_answer_is_unknown_and_never_repeated(sides: Sides, kind: str) -> None:
    members = members_of(sides, 0, 5)
    before, journal = sides.spent(), Journal()
    sides.fault(kind, match="/composite")
    with pytest.raises(OutcomeUnknown):
        journal.write(sides.org, [marker(member) for member in members])
    assert journal.states() == {"unknown": 5}
    assert sides.spent() - before == 1


def test_what_was_refused_unread_is_unsent(sides: Sides) -> None:
    members = members_of(sides, 0, 5)
    journal = Journal()
    sides.fault("quota", match="/composite")
    with pytest.raises(QuotaExhausted):
        journal.write(sides.org, [marker(member) for member in members])
    assert journal.states() == {"unsent": 5}
    journal = Journal()
    sides.fault("html", match="/composite", times=None)
    with pytest.raises(ServerDown):
        journal.write(sides.org, [marker(member) for member in members])
    assert journal.states() == {"unsent": 5}


def test_a_passing_outage_costs_a_repeat_and_nothing_else(sides: Sides) -> None:
    members = members_of(sides, 0, 5)
    before, journal = sides.spent(), Journal()
    sides.fault("html", match="/composite", status=503)
    journal.write(sides.org, [marker(member) for member in members])
    assert journal.states() == {"written": 5}
    assert sides.spent() - before == 2


def test_a_cancel_stops_between_calls(sides: Sides) -> None:
    members = members_of(sides, 0, 2_000)
    journal = Journal()
    with pytest.raises(Cancelled):
        journal.write(
            sides.org, [marker(member) for member in members], cancelled=lambda: len(journal.outcomes) >= 1_000
        )
    assert journal.states() == {"written": 1_000}
    assert len(journal.intents) == 1


def test_nothing_to_write_costs_nothing(sides: Sides) -> None:
    assert measured(sides.org.meter(), []) == (0, 0)
    Journal().write(sides.org, [])
    assert sides.spent() == 0
