"""Initial and manual sync end to end over HTTP: what each side has afterwards, counts, calls."""

from __future__ import annotations

import pytest

from sync.errors import AmbiguousCampaign, Refused, UnknownCampaign
from sync.events import Noted
from sync.model import RunKind, RunState
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_unknown_status_is_rejected_told_and_not_tried_again(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], status="Bogus")
        first = shell.batch(RunKind.HOURLY)
        assert (first.exit_code, first.state, first.counts.rejected) == (4, RunState.PARTIAL, 1)
        (failed,) = first.failed_rows
        assert (failed.field, failed.code, failed.state) == ("status", "UNKNOWN_STATUS", "rejected")
        assert "sync again" in failed.remedy
        second = shell.batch(RunKind.HOURLY)
        assert (second.exit_code, second.counts.rejected, second.counts.held) == (0, 1, 0)
        assert second.state is RunState.NOTHING_TO_DO
        planned = shell.make_plan([campaign.id], kind=RunKind.HOURLY)
        assert (planned.counts.rejected, planned.counts.held, planned.writes) == (1, 0, 0)
        checked = shell.verify([campaign.id])
        assert (checked.exit_code, checked.counts.rejected) == (0, 1)
        assert world.org_members(campaign)[campaign.members[0]]["Status"] == "Sent"
        world.update("CampaignMember", campaign.members[0], Status="Attended")
        assert shell.sync([campaign.id]).counts.conflicts == 1
    assert world.service_members(campaign)[campaign.leads[0]]["status"] == "Attended"


@pytest.mark.slow
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


@pytest.mark.slow
def test_activity_waits_and_a_ticked_box_opts_out(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], level="Opened", opens=2)
        world.update("Lead", campaign.leads[1], HasOptedOutOfEmail=True)
        result = shell.sync([campaign.id])
        assert (result.counts.pending, result.counts.changed, result.exit_code) == (2, 1, 0)
        assert world.org_members(campaign)[campaign.members[0]]["PAM__Level__c"] is None
        assert world.service_members(campaign)[campaign.leads[1]]["reason"] == "Opt Out Indirect"
        checked = shell.verify([campaign.id])
    assert (checked.exit_code, checked.counts.pending) == (0, 2)


@pytest.mark.slow
def test_what_the_service_decides_by_what_is_written_is_listed_as_pending(world: World) -> None:
    """Of whom the box is ticked, and of whom the address is taken away, the org's own flag waits for the hour."""
    with world.shell() as shell:
        campaign, other = world.campaign(4), world.campaign(0)
        world.records(
            {
                "op": "create",
                "object": "CampaignMember",
                "values": {"CampaignId": other.id, "LeadId": campaign.leads[0]},
            }
        )
        for each in (campaign, other):
            shell.new_edition(each.id)
        world.update("Lead", campaign.leads[0], HasOptedOutOfEmail=True)
        world.update("Lead", campaign.leads[1], Email=None)
        world.update("Lead", campaign.leads[2], FirstName="Grace")
        done = shell.sync([campaign.id, other.id])
        checked = shell.verify([campaign.id, other.id])
        again = shell.sync([campaign.id, other.id])
    assert [result.counts.pending for result in (done, checked, again)] == [3, 3, 3]
    assert checked.exit_code == 0


@pytest.mark.slow
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


@pytest.mark.slow
def test_one_that_was_never_started_is_refused_and_the_others_go_on(world: World) -> None:
    started, other = world.campaign(4), world.campaign(4)
    with world.shell() as shell:
        shell.new_edition(started.id)
        shell.load_campaigns()
        world.update("Lead", started.leads[0], LastName="Changed")
        result = shell.sync([started.id, other.id])
        states = {each.campaign_id: each.state for each in result.campaigns}
        assert states == {started.id: RunState.DONE, other.id: RunState.REFUSED}
        assert (result.state, result.exit_code, result.counts.changed) == (RunState.PARTIAL, 4, 1)
        with pytest.raises(Refused, match="never started"):
            shell.sync([other.id])


@pytest.mark.slow
def test_a_ticked_box_reaches_every_campaign_of_the_person(world: World) -> None:
    one, two = world.campaign(3), world.campaign(3)
    person = one.leads[0]
    world.records(
        {
            "op": "create",
            "object": "CampaignMember",
            "values": {"CampaignId": two.id, "LeadId": person, "Status": "Sent"},
        }
    )
    with world.shell() as shell:
        shell.new_edition(one.id)
        shell.new_edition(two.id)
        world.update("Lead", person, HasOptedOutOfEmail=True)
        shell.sync([one.id])
        assert world.service_members(two)[person]["reason"] == "Opt Out Indirect"
        both = shell.batch(RunKind.HOURLY)
        assert both.exit_code == 0
        assert shell.verify([one.id, two.id]).exit_code == 0
    for campaign in (one, two):
        row = next(row for row in world.org_members(campaign).values() if row["LeadId"] == person)
        assert (row["PAM__Reason__c"], row["PAM__Active__c"]) == ("Opt Out Indirect", False)


@pytest.mark.slow
def test_a_changed_header_is_pushed_with_the_next_sync(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Campaign", campaign.id, EndDate="2031-05-01", Name="Renamed")
        result = shell.sync([campaign.id])
        assert (result.state, result.exit_code) == (RunState.DONE, 0)
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
    header = world.service("GET", f"/v1/campaigns/{campaign.id}")
    assert (header["end_date"], header["name"]) == ("2031-05-01", "Renamed")


@pytest.mark.slow
def test_a_campaign_of_elsewhere_is_adopted_with_what_salesforce_holds(world: World) -> None:
    campaign = world.campaign(3)
    world.update(
        "CampaignMember",
        campaign.members[0],
        PAM__Synced__c="2026-01-01T00:00:00Z",
        PAM__Level__c="Clicked",
        PAM__Reason__c="Opt Out Direct",
        PAM__Active__c=False,
        PAM__Opens__c=4,
    )
    with world.shell() as shell:
        assert shell.new_edition(campaign.id).exit_code == 0
        shell.batch(RunKind.HOURLY)
        assert shell.verify([campaign.id]).exit_code == 0
    member = world.service_members(campaign)[campaign.leads[0]]
    assert (member["level"], member["reason"], member["active"], member["opens"]) == (
        "Clicked",
        "Opt Out Direct",
        False,
        4,
    )
    row = world.org_members(campaign)[campaign.members[0]]
    assert (row["PAM__Level__c"], row["PAM__Reason__c"], row["PAM__Opens__c"]) == ("Clicked", "Opt Out Direct", 4)


def test_members_without_usable_addresses_arrive_inactive(world: World) -> None:
    campaign = world.campaign(2)
    world.update("Lead", campaign.leads[0], Email=None)
    world.update("Lead", campaign.leads[1], HasOptedOutOfEmail=True)
    with world.shell() as shell:
        assert shell.new_edition(campaign.id).exit_code == 0
        rows = world.org_members(campaign)
        assert [(rows[key]["PAM__Reason__c"], rows[key]["PAM__Active__c"]) for key in campaign.members] == [
            ("No Email", False),
            ("Opt Out Previous", False),
        ]
        world.update("Lead", campaign.leads[0], Email="now@example.org")
        assert shell.sync([campaign.id]).counts.changed == 1
        assert shell.refresh([campaign.id]).counts.changed == 1
    row = world.org_members(campaign)[campaign.members[0]]
    assert (row["PAM__Reason__c"], row["PAM__Active__c"]) == (None, True)


@pytest.mark.slow
def test_values_changed_by_hand_that_predictive_owns_are_set_again(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], level="Clicked", clicks=2)
        shell.batch(RunKind.HOURLY)
        world.update("CampaignMember", campaign.members[0], PAM__Level__c="Sent", PAM__Clicks__c=0)
        waiting = shell.sync([campaign.id])
        assert (waiting.counts.pending, waiting.exit_code) == (1, 0)
        assert shell.batch(RunKind.HOURLY).counts.changed == 1
    row = world.org_members(campaign)[campaign.members[0]]
    assert (row["PAM__Level__c"], row["PAM__Clicks__c"]) == ("Clicked", 2)


def test_campaigns_are_found_by_id_and_name_and_told_when_not(world: World) -> None:
    one = world.campaign(1)
    world.campaign(1, Name="Twice the same")
    world.campaign(1, Name="Twice the same")
    with world.shell() as shell:
        assert shell.resolve(one.id[:15]).id == one.id
        assert shell.resolve(one.name).id == one.id
        with pytest.raises(AmbiguousCampaign, match="Twice"):
            shell.resolve("Twice the same")
        with pytest.raises(UnknownCampaign) as missing:
            shell.resolve("Twice the sam")
        assert "Twice the same" in missing.value.remedy
        assert shell.load_members(one.id) == 1
        assert [member.email for member in shell.members(one.id)] == [
            row["Email"] for row in world.org_members(one).values()
        ]


def test_verify_before_new_edition_is_refused_and_without_any_there_is_nothing_to_do(world: World) -> None:
    campaign = world.campaign(1)
    with world.shell() as shell:
        with pytest.raises(Refused, match="never started"):
            shell.verify([campaign.id])
        nothing = shell.verify()
    assert (nothing.state, nothing.exit_code, nothing.calls.salesforce) == (RunState.NOTHING_TO_DO, 0, 0)
    assert [body for body in world.told(Noted) if "no campaign was started" in body.text]
