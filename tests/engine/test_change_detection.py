"""What changed in the org is seen: committed late, far behind, in headers and statuses, deleted and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.digest import header_digest
from sync.errors import UsageError
from sync.ids import CampaignId
from sync.model import CampaignState, RunKind, RunState
from tests.engine.world import Campaign, World


def hold(world: World, sobject: str, record: str, **values: object) -> str:
    """Change a record in a transaction that stays open; its name."""
    operation = {"op": "update", "object": sobject, "id": record, "values": values}
    return str(world.servers.control("POST", "/transactions", {"operations": [operation]})["id"])


def commit(world: World, name: str) -> None:
    world.servers.control("POST", f"/transactions/{name}:commit", {})


def late(world: World, *, overlap: bool) -> tuple[RunState, str]:
    """A change stamped before a poll and committed after it: how the next sync ends, and the address it leaves."""
    campaign = world.campaign(6)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        shell.sync([campaign.id])
        held = hold(world, "Lead", campaign.leads[0], Email="late@example.org")
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO, "it cannot be seen yet"
        world.servers.control("POST", "/clock", {"advance": 5})
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        commit(world, held)
        if not overlap:
            # As if it were read on from the watermark itself.
            key = CampaignId(campaign.id)
            record = world.store.campaigns.get(key)
            assert record is not None
            assert record.watermark is not None
            world.store.campaigns.set_watermarks({key: record.watermark + timedelta(minutes=15)})
        state = shell.sync([campaign.id]).state
    return state, world.service_members(campaign)[campaign.leads[0]]["email"]


@pytest.mark.slow
def test_a_change_that_is_stamped_early_and_committed_late_is_never_missed(world: World) -> None:
    assert late(world, overlap=True) == (RunState.DONE, "late@example.org")


@pytest.mark.slow
def test_without_the_overlap_it_would_be(world: World) -> None:
    state, email = late(world, overlap=False)
    assert state is RunState.NOTHING_TO_DO
    assert email != "late@example.org"


@pytest.mark.slow
def test_a_campaign_far_behind_polls_alone_and_drags_nobody_back(world: World) -> None:
    near, far = world.campaign(6), world.campaign(6)
    with world.shell() as shell:
        for campaign in (near, far):
            shell.new_edition(campaign.id)
        key = CampaignId(far.id)
        record = world.store.campaigns.get(key)
        assert record is not None
        assert record.watermark is not None
        both = shell.sync([near.id, far.id])
        assert both.calls.salesforce == 1
        world.store.campaigns.set_watermarks({key: record.watermark - timedelta(days=9)})
        world.update("Lead", far.leads[0], Email="behind@example.org")
        world.update("Lead", near.leads[0], Email="near@example.org")
        apart = shell.sync([near.id, far.id])
        assert (apart.calls.salesforce, apart.counts.changed) == (2, 2)
        assert shell.sync([near.id, far.id]).calls.salesforce == 1, "it has caught up"


@pytest.mark.slow
def test_header_and_status_changes_are_seen_without_any_member_changed(world: World) -> None:
    campaign = world.campaign(4)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        shell.sync([campaign.id])
        world.update("Campaign", campaign.id, Name="Renamed")
        assert shell.sync([campaign.id]).state is RunState.DONE
        assert world.service("GET", f"/v1/campaigns/{campaign.id}")["name"] == "Renamed"
        label = {"CampaignId": campaign.id, "Label": "Spoke", "SortOrder": 30, "HasResponded": True}
        world.records({"op": "create", "object": "CampaignMemberStatus", "values": label})
        assert shell.sync([campaign.id]).state is RunState.DONE
        statuses = world.service("GET", f"/v1/campaigns/{campaign.id}")["statuses"]
        assert "Spoke" in [one["label"] for one in statuses]
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO


@pytest.mark.parametrize("name", ["It's {} \\ 100 %", "Ζητήματα {}"])
def test_a_name_that_a_newer_campaign_has_too_is_found_out_by_the_poll_that_is_made_anyway(
    world: World, name: str
) -> None:
    campaign, newer = world.campaign(2), world.campaign(1)
    name = name.format(campaign.name)
    world.update("Campaign", campaign.id, Name=name)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron")
        world.update("Campaign", newer.id, Name=name)
        shell.store.campaigns.land([replace(shell.resolve(newer.id), name="As it was")])
        for run in (shell.sync, lambda ids: shell.new_edition(ids[0])):
            assert shell.resolve(name).id == campaign.id, "all that the state knows"
            refused = run([name])
            assert (refused.exit_code, refused.calls.salesforce) == (2, 1)
            assert campaign.id in (refused.error or "")
            assert newer.id in (refused.error or "")
            shell.store.campaigns.land([replace(shell.resolve(newer.id), name="As it was")])
        assert world.service_members(campaign)[campaign.leads[0]]["last_name"] != "Byron"
        # Without its name, the campaign is meant.
        done = shell.sync([campaign.id])
        assert (done.exit_code, done.calls.salesforce) == (0, 1)
        assert world.service_members(campaign)[campaign.leads[0]]["last_name"] == "Byron"


def test_a_name_that_a_campaign_has_no_more_is_told_with_its_new_one(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Campaign", campaign.id, Name=f"{campaign.name} again")
        with pytest.raises(UsageError, match=f"called '{campaign.name} again' now"):
            shell.make_plan([campaign.name])
        assert shell.sync([f"{campaign.name} again"]).exit_code == 0


def test_a_campaign_that_is_gone_is_said_to_be_and_keeps_its_name_from_nobody(world: World) -> None:
    gone, newer = world.campaign(2), world.campaign(1)
    with world.shell() as shell:
        shell.new_edition(gone.id)
        world.delete("Campaign", gone.id)
        world.update("Campaign", newer.id, Name=gone.name)
        shown = {view.campaign.id: view for view in shell.load_campaigns()}
        assert shown[CampaignId(gone.id)].state == CampaignState.CLOSED.value
        assert [warned.code for warned in shown[CampaignId(gone.id)].warnings] == ["gone"]
        assert "gone" not in [warned.code for warned in shown[CampaignId(newer.id)].warnings]
        assert shell.resolve(gone.name).id == newer.id
        assert gone.id not in [waste.campaign_id for waste in shell.spending().waste]
        # It comes back as it was.
        world.update("Campaign", newer.id, Name=newer.name)
        restore(world, gone)
        shown = {view.campaign.id: view for view in shell.load_campaigns()}
        assert shown[CampaignId(gone.id)].state == CampaignState.ACTIVE.value
        assert shell.sync([gone.id]).exit_code == 0


def test_the_orgs_new_time_zone_and_what_levels_set_reach_the_service_with_the_next_run(world: World) -> None:
    campaign = world.campaign(2)
    (org,) = world.query("SELECT TimeZoneSidKey FROM Organization")
    place = f"/v1/campaigns/{campaign.id}"
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        shell.sync([campaign.id])
        # As it was left when the org had another zone.
        world.service("PUT", place, world.service("GET", place) | {"time_zone": "Asia/Tokyo"})
        then = header_digest(shell.resolve(campaign.id), "Asia/Tokyo", {})
        shell.store.campaigns.set_pushed(CampaignId(campaign.id), then)
        done = shell.sync([campaign.id])
        assert (done.state, done.calls.salesforce) == (RunState.DONE, 1)
        assert world.service("GET", place)["time_zone"] == org["TimeZoneSidKey"]
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
    with world.shell(status_on={"opened": "Attended"}) as shell:
        assert shell.batch(RunKind.HOURLY).counts.predictive_rows == 1
        assert world.service("GET", place)["status_on"]["opened"] == "Attended"
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO


@pytest.mark.slow
@pytest.mark.parametrize("changed", [False, True])
def test_a_campaign_deleted_and_undeleted_loses_no_member(world: World, changed: bool) -> None:
    campaign, other = world.campaign(12), world.campaign(3)
    with world.shell() as shell:
        for each in (campaign, other):
            shell.new_edition(each.id)
        before = world.service_members(campaign)
        world.delete("Campaign", campaign.id)
        night = shell.batch(RunKind.NIGHTLY)
        assert night.exit_code in (0, 4)
        assert night.counts.removed == 0
        assert set(world.service_members(campaign)) == set(before), "nobody is removed with a campaign"
        restore(world, campaign)
        if changed:
            world.update("Lead", campaign.leads[0], Email="back@example.org")
        again = shell.sync([campaign.id])
        assert again.exit_code == 0
        assert (again.counts.changed, again.counts.removed, again.counts.added) == (int(changed), 0, 0)
        assert set(world.service_members(campaign)) == set(before)


def restore(world: World, campaign: Campaign) -> None:
    """Take the campaign, and with it its members, out of the recycle bin."""
    world.records({"op": "undelete", "object": "Campaign", "id": campaign.id})


@pytest.mark.parametrize("closed", [False, True], ids=["to start later", "closed"])
def test_the_night_reads_the_members_of_a_campaign_that_is_not_active(world: World, closed: bool) -> None:
    """The poll for all campaigns gives the header of such a one alone; that is no reason to forget what changed."""
    campaign, other = world.campaign(4), world.campaign(2)
    begins = datetime.now(UTC).date() + timedelta(days=-5 if closed else 20)
    with world.shell(nightly_closed=closed) as shell:
        for each in (campaign, other):
            shell.new_edition(each.id)
        world.update("Campaign", campaign.id, StartDate=begins.isoformat(), IsActive=False)
        world.later(3600)
        world.update("Lead", campaign.leads[0], Email="meanwhile@example.org")
        world.later(3600)  # longer than the polls overlap
        night = shell.batch(RunKind.NIGHTLY)
        assert (night.state, night.counts.changed, night.calls) == (RunState.DONE, 1, night.predicted)
        assert world.service_members(campaign)[campaign.leads[0]]["email"] == "meanwhile@example.org"
        world.later(3600)
        assert shell.batch(RunKind.NIGHTLY).counts.changed == 0
        assert shell.verify([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_who_is_gone_of_many_campaigns_is_asked_for_in_one_call(world: World) -> None:
    campaigns = [world.campaign(14) for _ in range(3)]
    ids = [campaign.id for campaign in campaigns]
    with world.shell() as shell:
        for campaign in campaigns:
            shell.new_edition(campaign.id)
        shell.sync(ids)
        for campaign in campaigns:
            world.delete("CampaignMember", campaign.members[0])
        world.delete("Lead", campaigns[0].leads[1])
        world.servers.control("POST", "/sharing", {"hide": [campaigns[1].leads[1]]})
        done = shell.sync(ids)
        assert (done.state, done.counts.removed, done.counts.invisible) == (RunState.DONE, 4, 1)
        assert done.calls.salesforce == 3, "the poll, the ids, the persons"
        assert (done.calls, done.lower_bound.salesforce) == (done.predicted, 3)
        world.servers.control("POST", "/sharing", {"show": [campaigns[1].leads[1]]})
        assert shell.sync(ids).counts.removed == 0
        assert shell.verify(ids).exit_code == 0
