"""What the kill matrix and the state machine found, each in its smallest form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sync.errors import PredictiveError
from sync.merge import INVISIBLE_HOLD
from sync.model import RunKind
from sync.store.database import Database
from tests.machine.seam import Fate, Killed
from tests.machine.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("early", range(3))
def test_a_click_that_dies_before_its_run_is_over_is_resumed_and_no_new_one(stage: Stage, early: int) -> None:
    """What says that the click is over is committed with the end of its run, or there would be a second edition."""

    def click(on: Stage, die_before: int | None) -> tuple[str, Fate]:
        campaign = on.sides.campaign(2, type="Scheduled")
        on.shell.load_campaigns()
        fate = on.cast(die_before=die_before)
        with suppress(Killed):
            on.shell.new_edition(campaign.id)
        return campaign.id, fate

    measured = Stage()
    _, fate = click(measured, None)
    measured.close()
    campaign, died = click(stage, fate.events - early)
    assert died.dead
    stage.another_owner()
    assert stage.shell.new_edition(campaign).exit_code == 0
    assert len(stage.sides.editions(campaign)) == 1


@pytest.mark.slow
def test_what_was_changed_while_a_record_was_hidden_is_seen_once_it_is_shown(stage: Stage) -> None:
    campaign = stage.campaigns[0]
    lead = campaign.leads[0]
    stage.sides.update("Lead", lead, LastName="Changed")
    stage.sides.control("POST", "/sharing", {"hide": [lead]})
    stage.clock.advance(3600)
    assert stage.shell.sync([campaign.id]).counts.invisible == 1
    stage.clock.advance(3600)
    stage.sides.control("POST", "/sharing", {"show": [lead]})
    assert stage.shell.sync([campaign.id]).exit_code == 0
    member = stage.sides.service_members(campaign.id)[lead]
    assert (member["last_name"], member["hold"]) == ("Changed", None)


def test_the_error_of_a_commit_that_fails_is_the_one_that_is_told(tmp_path: Path) -> None:
    broken = False

    def commit() -> None:
        if broken:
            raise OSError("the disk is full")

    database = Database(tmp_path / "state.sqlite", before_commit=commit)
    broken = True
    with pytest.raises(OSError, match="the disk is full"), database.write(durable=True):
        pass
    broken = False
    with database.write(durable=True):
        pass
    database.close()


def test_a_deleted_person_is_known_as_deleted_however_short_the_pages_are(stage: Stage) -> None:
    """What a short page leaves out is asked for again, or the rest would count as invisible and be kept."""
    campaign = stage.campaigns[0]
    stage.sides.control("POST", "/settings", {"page_rows": 1})
    stage.sides.delete("Lead", *campaign.leads[:3])
    result = stage.shell.sync([campaign.id])
    assert (result.counts.removed, result.counts.invisible) == (3, 0)
    assert stage.sides.service_members(campaign.id).keys() == set(campaign.leads[3:])


@pytest.mark.slow
def test_who_takes_over_the_member_of_somebody_who_is_out_is_out_in_the_other_campaigns_too(stage: Stage) -> None:
    """The service's feed leaves out what this client causes, so the state has to know it by itself."""
    here, there = stage.campaigns
    stays, goes = here.leads[0], there.leads[0]
    stage.sides.update("Lead", goes, HasOptedOutOfEmail=True)
    assert stage.shell.sync([there.id]).exit_code == 0
    stage.sides.records({"op": "merge", "id": stays, "loser": goes})
    assert stage.shell.sync([here.id, there.id]).exit_code == 0
    assert stage.shell.batch(RunKind.HOURLY).exit_code == 0
    (row,) = stage.sides.query(
        f"SELECT PAM__Reason__c, PAM__Active__c FROM CampaignMember WHERE LeadId = '{stays}' "
        f"AND CampaignId = '{here.id}'"
    )
    assert (row["PAM__Reason__c"], row["PAM__Active__c"]) == ("Opt Out Indirect", False)


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True], ids=["converted since the last sync", "known as the contact"])
@pytest.mark.parametrize("hidden", ["the contact", "the contact it was merged into", "both records"])
def test_whoever_went_on_as_a_hidden_record_is_kept_and_not_mailed(stage: Stage, hidden: str, known: bool) -> None:
    """That the former record can be read, or is known as merged, says nothing about the member: it went along."""
    campaign = stage.campaigns[0]
    lead, other = campaign.leads[0], stage.sides.create("Contact", LastName="Other", Email="other@x.org")
    (contact,) = stage.sides.records({"op": "convert", "id": lead})
    if known:
        assert stage.shell.sync([campaign.id]).exit_code == 0
    now = contact
    if hidden == "the contact it was merged into":
        stage.sides.records({"op": "merge", "id": other, "loser": contact})
        now = other
    hides = [now, lead] if hidden == "both records" else [now]
    stage.sides.control("POST", "/sharing", {"hide": hides})
    for _ in range(2):
        stage.clock.advance(3600)
        counts = stage.shell.sync([campaign.id]).counts
        assert (counts.removed, counts.invisible) == (0, 1)
        member = stage.sides.service_members(campaign.id)[contact if known else lead]
        assert member["hold"] == INVISIBLE_HOLD
    stage.sides.control("POST", "/sharing", {"show": hides})
    stage.clock.advance(3600)
    assert stage.shell.sync([campaign.id]).exit_code == 0
    assert stage.sides.service_members(campaign.id)[now]["hold"] is None


def test_a_member_of_a_converted_lead_is_removed_once_its_contact_is_known_to_be_deleted(stage: Stage) -> None:
    campaign = stage.campaigns[0]
    (contact,) = stage.sides.records({"op": "convert", "id": campaign.leads[0]})
    stage.sides.delete("Contact", contact)
    result = stage.shell.sync([campaign.id])
    assert (result.counts.removed, result.counts.invisible) == (1, 0)
    assert stage.sides.service_members(campaign.id).keys() == set(campaign.leads[1:])


@pytest.mark.slow
def test_what_was_refused_of_a_former_member_row_is_forgotten_with_it(stage: Stage) -> None:
    """Whoever was removed and comes back has a new row, of which nothing was agreed: Salesforce wins."""
    campaign = stage.campaigns[0]
    lead = campaign.leads[0]
    stage.sides.delete("CampaignMember", campaign.members[0])
    stage.sides.activity(campaign.id, lead, status="Responded")
    stage.shell.batch(RunKind.HOURLY)
    stage.sides.create("CampaignMember", CampaignId=campaign.id, LeadId=lead, Status="Sent")
    assert stage.shell.sync([campaign.id]).exit_code == 0
    assert stage.shell.batch(RunKind.HOURLY).exit_code == 0
    (row,) = stage.sides.query(
        f"SELECT Status FROM CampaignMember WHERE LeadId = '{lead}' AND CampaignId = '{campaign.id}'"
    )
    assert (row["Status"], stage.sides.service_members(campaign.id)[lead]["status"]) == ("Sent", "Sent")


@pytest.mark.parametrize("new", [False, True], ids=["converted", "new"])
def test_who_is_hidden_after_a_run_that_ended_halfway_is_not_mailed_either(stage: Stage, new: bool) -> None:
    """The run has landed the member row of a person with whom nothing was agreed before it failed."""
    campaign = stage.campaigns[0]
    if new:
        now = stage.sides.lead(FirstName="Ada", LastName="New", Email="new@x.org")
        stage.sides.create("CampaignMember", CampaignId=campaign.id, LeadId=now)
    else:
        (now,) = stage.sides.records({"op": "convert", "id": campaign.leads[0]})
    stage.sides.control("POST", "/faults", {"side": "predictive", "kind": "status", "status": 500, "times": 1000})
    with suppress(PredictiveError):
        stage.shell.sync([campaign.id])
    stage.sides.control("DELETE", "/faults")
    stage.sides.control("POST", "/sharing", {"hide": [now]})
    stage.clock.advance(3600)
    counts = stage.shell.sync([campaign.id]).counts
    assert (counts.removed, counts.invisible, counts.added) == (0, 1, 0)
    members = stage.sides.service_members(campaign.id)
    assert now not in members
    held = [] if new else [campaign.leads[0]]
    assert [lead for lead in campaign.leads if members[lead]["hold"] == INVISIBLE_HOLD] == held
    stage.sides.control("POST", "/sharing", {"show": [now]})
    stage.clock.advance(3600)
    assert stage.shell.sync([campaign.id]).exit_code == 0
    members = stage.sides.service_members(campaign.id)
    assert (members[now]["hold"], len(members)) == (None, len(campaign.leads) + new)


@pytest.mark.parametrize("renamed", [False, True])
def test_an_opt_out_of_a_member_of_two_campaigns_is_no_drift_in_the_second(stage: Stage, renamed: bool) -> None:
    """The first campaign's write opts the person out everywhere: that moves the other member's version by itself."""
    here, there = stage.campaigns
    lead = here.leads[0]
    stage.sides.create("CampaignMember", CampaignId=there.id, LeadId=lead)
    assert stage.shell.sync([there.id]).exit_code == 0
    stage.sides.update("Lead", lead, HasOptedOutOfEmail=True, **({"LastName": "Changed"} if renamed else {}))
    result = stage.shell.sync([here.id, there.id])
    assert (result.exit_code, result.counts.drifted) == (0, 0)
    for campaign in (here, there):
        member = stage.sides.service_members(campaign.id)[lead]
        assert (member["opted_out"], member["last_name"] == "Changed") == (True, renamed)
