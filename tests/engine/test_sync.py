"""Initial and manual sync end to end over HTTP: what each side has afterwards, counts, calls."""

from __future__ import annotations

import pytest

from sync.errors import Refused
from sync.model import RunState
from tests.engine.world import World


def test_new_edition_brings_everything_over_and_marks_the_members(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        before = world.org_calls()
        shell.resolve(campaign.name)
        before = world.org_calls()
        result = shell.new_edition(campaign.id)
        spent = world.org_calls() - before
    assert (result.state, result.exit_code, result.error) == (RunState.DONE, 0, None)
    assert (result.counts.added, result.counts.editions_created, result.counts.unchanged) == (12, 5, 0)
    assert result.calls.salesforce == spent
    assert abs(result.predicted.salesforce - spent) <= 1
    assert result.lower_bound.salesforce <= spent <= result.maximum.salesforce
    assert result.calls == result.predicted
    theirs = world.service_members(campaign)
    assert set(theirs) == set(campaign.leads)
    for row in world.org_members(campaign).values():
        member = theirs[row["LeadId"]]
        assert (member["email"], member["last_name"], member["status"]) == (row["Email"], row["LastName"], "Sent")
        assert (member["member_id"], member["active"], row["PAM__Active__c"]) == (row["Id"], True, True)
        assert row["PAM__Synced__c"]
    rows = world.query(
        f"SELECT Id, Name, PAM__External_Id__c FROM PAM__Email_Edition__c WHERE PAM__Campaign__c = '{campaign.id}'"
    )
    editions = world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]
    assert {row["PAM__External_Id__c"]: row["Id"] for row in rows} == {
        each["edition_id"]: each["salesforce_id"] for each in editions
    }
    assert len(editions) == 5


def test_a_second_click_makes_none_of_the_five_again(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.join(campaign, 1)
        again = shell.new_edition(campaign.id)
    assert (again.counts.editions_created, again.counts.added, again.exit_code) == (0, 1, 0)
    assert len(world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]) == 5


@pytest.mark.parametrize("type", ["Scheduled", "Drip"])
def test_each_click_makes_one_edition_of_the_other_types(world: World, type: str) -> None:
    campaign = world.campaign(2, type=type)
    with world.shell() as shell:
        made = [shell.new_edition(campaign.id).counts.editions_created for _ in range(2)]
    assert made == [1, 1]
    assert len(world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]) == 2


def test_missing_preconditions_are_told_all_at_once(world: World) -> None:
    campaign = world.campaign(1, type="Webinar", IsActive=False, EndDate=None)
    with world.shell() as shell:
        result = shell.new_edition(campaign.id)
    assert (result.exit_code, result.state) == (5, RunState.REFUSED)
    assert result.error is not None
    for part in ("Active", "end date", "Webinar"):
        assert part in result.error
    assert campaign.id not in {item["campaign_id"] for item in world.service("GET", "/v1/campaigns")["items"]}


def test_sync_before_new_edition_is_refused(world: World) -> None:
    campaign = world.campaign(1)
    with world.shell() as shell, pytest.raises(Refused, match="never started"):
        shell.sync([campaign.id])


def test_a_manual_sync_moves_members_names_mails_and_statuses(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.join(campaign, 2)
        world.delete("CampaignMember", campaign.members[0])
        world.update("Lead", campaign.leads[1], Email="new@example.org", LastName="Renamed")
        world.update("CampaignMember", campaign.members[2], Status="Attended")
        result = shell.sync([campaign.id])
        again = shell.sync([campaign.id])
        checked = shell.verify([campaign.id])
    counts = result.counts
    assert (result.exit_code, result.error) == (0, None)
    assert (counts.added, counts.removed, counts.changed, counts.unchanged) == (2, 1, 2, 9)
    assert abs(result.predicted.salesforce - result.calls.salesforce) <= 1
    assert result.predicted.predictive == result.calls.predictive
    assert again.state is RunState.NOTHING_TO_DO
    assert (checked.exit_code, checked.differences) == (0, ())
    theirs = world.service_members(campaign)
    assert len(theirs) == 13
    assert campaign.leads[0] not in theirs
    assert (theirs[campaign.leads[1]]["email"], theirs[campaign.leads[1]]["last_name"]) == (
        "new@example.org",
        "Renamed",
    )
    assert theirs[campaign.leads[2]]["status"] == "Attended"


def test_a_member_added_again_keeps_its_person_and_gets_its_new_id(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", campaign.members[0])
        (fresh,) = world.records(
            {
                "op": "create",
                "object": "CampaignMember",
                "values": {"CampaignId": campaign.id, "LeadId": campaign.leads[0], "Status": "Sent"},
            }
        )
        result = shell.sync([campaign.id])
        assert shell.verify([campaign.id]).exit_code == 0
    assert (result.counts.added, result.counts.removed, result.exit_code) == (0, 0, 0)
    assert world.service_members(campaign)[campaign.leads[0]]["member_id"] == fresh
    assert world.org_members(campaign)[fresh]["PAM__Synced__c"]


def test_a_converted_lead_goes_on_as_the_contact(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], level="Clicked", clicks=1, opens=1)
        world.records({"op": "convert", "object": "Lead", "id": campaign.leads[0], "values": {}})
        result = shell.sync([campaign.id])
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
    contact = world.org_members(campaign)[campaign.members[0]]["ContactId"]
    theirs = world.service_members(campaign)
    assert (result.exit_code, result.counts.added, result.counts.removed) == (0, 0, 0)
    assert campaign.leads[0] not in theirs
    assert (theirs[contact]["level"], theirs[contact]["member_id"]) == ("Clicked", campaign.members[0])


def test_an_unknown_status_is_rejected_told_and_not_tried_again(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.servers.control("POST", "/settings", {})
        world.activity(campaign, campaign.leads[0], status="Bogus")
        world.update("CampaignMember", campaign.members[0], Status="Attended")
        first = shell.sync([campaign.id])
        assert first.counts.conflicts == 1
    assert world.service_members(campaign)[campaign.leads[0]]["status"] == "Attended"


def test_salesforce_wins_where_both_sides_changed_a_status(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], status="Registered")
        world.update("CampaignMember", campaign.members[0], Status="Attended")
        result = shell.sync([campaign.id])
    assert (result.counts.conflicts, result.counts.changed, result.exit_code) == (1, 1, 0)
    assert world.service_members(campaign)[campaign.leads[0]]["status"] == "Attended"
    assert world.org_members(campaign)[campaign.members[0]]["Status"] == "Attended"


def test_activity_waits_and_a_ticked_box_opts_out(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], level="Opened", opens=2)
        world.update("Lead", campaign.leads[1], HasOptedOutOfEmail=True)
        result = shell.sync([campaign.id])
        assert (result.counts.pending, result.counts.changed, result.exit_code) == (1, 1, 0)
        assert world.org_members(campaign)[campaign.members[0]]["PAM__Level__c"] is None
        assert world.service_members(campaign)[campaign.leads[1]]["reason"] == "Opt Out Indirect"
        checked = shell.verify([campaign.id])
    assert (checked.exit_code, checked.counts.pending) == (0, 2)


def test_several_campaigns_are_one_run_with_a_child_each(world: World) -> None:
    campaigns = [world.campaign(3), world.campaign(3)]
    with world.shell() as shell:
        for campaign in campaigns:
            shell.new_edition(campaign.id)
            world.join(campaign, 1)
        result = shell.sync([campaign.id for campaign in campaigns])
        children = [run for run in shell.runs() if run.parent == result.run]
    assert (result.counts.added, result.exit_code, len(result.campaigns)) == (2, 0, 2)
    assert {run.state for run in children} == {RunState.DONE}
    assert sum(run.counts.added for run in children) == 2
