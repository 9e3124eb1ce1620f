"""Rows that the org refuses: isolated, kept with cause and remedy, shown by type, tried again by choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync.clock import SystemClock
from sync.engine.gate import Choice
from sync.engine.hourly import hourly
from sync.errors import UsageError
from sync.http.transport import Transport
from sync.model import RunKind, RunState
from sync.salesforce.client import SalesforceOrg
from tests.adapters.support import Hidden
from tests.adapters.test_races import Edited
from tests.engine.world import Campaign, World


@pytest.fixture
def rules(world: World) -> Iterator[Any]:
    def plant(**rule: Any) -> None:
        world.servers.control("POST", "/rules", rule)

    yield plant
    world.servers.control("DELETE", "/rules")


def _wanted(world: World, campaign: Campaign, count: int = 3) -> None:
    for lead in campaign.leads[:count]:
        world.activity(campaign, lead, level="Opened", opens=1)


@pytest.mark.slow
def test_a_refused_row_is_isolated_and_the_board_says_why_until_it_is_mended(world: World, rules: Any) -> None:
    campaign = world.campaign(6)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        _wanted(world, campaign)
        world.activity(campaign, campaign.leads[1], status="Attended")
        world.delete("CampaignMember", campaign.members[2])
        rules(object="CampaignMember", field="Status", equals="Attended", message="Nobody attends by mail.")
        done = shell.batch(RunKind.HOURLY)
        assert (done.exit_code, done.state, done.counts.rejected) == (4, RunState.PARTIAL, 2)
        org = world.org_members(campaign)
        assert org[campaign.members[0]]["PAM__Level__c"] == "Opened"
        groups = {group.code: group for group in shell.error_board()}
        rule = groups["FIELD_CUSTOM_VALIDATION_EXCEPTION"]
        assert (rule.kind, rule.people, rule.passes) == ("rule", 1, False)
        assert rule.campaigns == ((campaign.id, campaign.name, rule.count),)
        assert "Nobody attends" in rule.rows[0].message
        assert rule.cause
        assert rule.remedy
        assert {group.kind for group in groups.values()} == {"rule", "gone"}
        # It is put aside: the next hour writes the rest and does not ask the org again.
        shell.sync([campaign.id])
        again = shell.batch(RunKind.HOURLY)
        assert (again.exit_code, again.counts.rejected, again.counts.held) == (0, 1, 0)
        assert world.org_members(campaign)[campaign.members[1]]["PAM__Level__c"] == "Opened"
        assert [group.code for group in shell.error_board(campaign.id)] == ["FIELD_CUSTOM_VALIDATION_EXCEPTION"]

        # The rule is changed; a person retries just that.
        world.servers.control("DELETE", "/rules")
        with pytest.raises(UsageError, match="no such failed row"):
            shell.plan_retry(done.run, code="NO_SUCH_CODE")
        plan = shell.plan_retry(done.run, code="FIELD_CUSTOM_VALIDATION_EXCEPTION")
        assert (plan.retries, plan.rows) == (done.run, 1)
        world.clock.advance(120)
        result = shell.apply(plan.plan_id)
        assert (result.exit_code, result.counts.changed) == (0, 1)
        assert world.org_members(campaign)[campaign.members[1]]["Status"] == "Attended"
        assert shell.error_board() == ()
        assert shell.batch(RunKind.HOURLY).counts.held == 0


@pytest.mark.slow
def test_retrying_a_row_that_is_refused_again_keeps_it_on_the_board(world: World, rules: Any) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], status="Attended")
        rules(object="CampaignMember", field="Status", equals="Attended")
        done = shell.batch(RunKind.HOURLY)
        (row,) = done.failed_rows
        result = shell.retry(done.run, seqs=[row.seq])
        assert (result.exit_code, result.counts.rejected) == (4, 1)
        (group,) = shell.error_board()
        assert (group.count, group.rows[0].run) == (1, result.run)


@pytest.mark.slow
def test_drift_of_the_status_leaves_what_the_service_owns_written(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], status="Attended", level="Opened", opens=1)
        world.update("CampaignMember", campaign.members[0], Status="Registered")
        done = shell.batch(RunKind.HOURLY)
        assert (done.exit_code, done.counts.drifted) == (4, 1)
        row = world.org_members(campaign)[campaign.members[0]]
        assert (row["Status"], row["PAM__Level__c"]) == ("Registered", "Opened")
        assert [group.kind for group in shell.error_board()] == ["moved"]
        shell.sync([campaign.id])
        assert shell.error_board() == ()


@pytest.mark.slow
def test_what_was_written_over_within_the_round_trip_is_on_the_board(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], status="Attended")
        # The first request reads headers, the second the status, the third writes it.
        edit = Edited(2, lambda: world.update("CampaignMember", campaign.members[0], Status="Registered"))
        with Transport(shell.store.ledger, SystemClock(), network=edit) as transport:
            org = SalesforceOrg(
                transport,
                instance_url=world.servers.instance_url,
                mapping=shell.settings.mapping,
                access_token=Hidden(world.servers.access_token),
            )
            done = hourly(replace(shell.parts(), org=org), Choice())
        assert edit.requests == 3
        assert (done.exit_code, done.counts.drifted, done.counts.changed) == (4, 1, 1)
        assert world.org_members(campaign)[campaign.members[0]]["Status"] == "Attended"
        shell.sync([campaign.id])
        (group,) = shell.error_board()
        assert (group.code, group.kind) == ("OVERWRITTEN", "moved")
        assert "'Registered'" in group.rows[0].message


@pytest.mark.slow
def test_a_converted_lead_is_refused_by_name_and_followed_after_a_sync(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        for lead in campaign.leads[:2]:
            world.service("POST", f"/v1/people/{lead}:opt-out", {"reason": "asked"})
        (contact,) = world.records({"op": "convert", "object": "Lead", "id": campaign.leads[0], "values": {}})[:1]
        done = shell.batch(RunKind.HOURLY)
        assert (done.exit_code, done.counts.rejected) == (4, 1)
        (group,) = shell.error_board()
        assert (group.code, group.kind) == ("CANNOT_UPDATE_CONVERTED_LEAD", "gone")
        assert "synchronize" in group.remedy
        boxes = "SELECT Id, HasOptedOutOfEmail FROM {} WHERE Id = '{}'"
        assert world.query(boxes.format("Lead", campaign.leads[1]))[0]["HasOptedOutOfEmail"]
        shell.sync([campaign.id])
        assert shell.batch(RunKind.HOURLY).counts.rejected == 0
        people = world.query(f"SELECT ContactId FROM CampaignMember WHERE CampaignId = '{campaign.id}'")
        (contact,) = {row["ContactId"] for row in people} - {None}
        assert world.query(boxes.format("Contact", contact))[0]["HasOptedOutOfEmail"]
        assert shell.error_board() == ()


@pytest.mark.slow
def test_a_parent_that_was_deleted_stops_its_own_rows_only(world: World) -> None:
    gone, there = world.campaign(3), world.campaign(3)
    with world.shell() as shell:
        for campaign in (gone, there):
            shell.new_edition(campaign.id)
            world.activity(campaign, campaign.leads[0], level="Opened", opens=1)
        # The headers show both; then somebody deletes one of them before its rows are written.
        edit = Edited(1, lambda: world.delete("Campaign", gone.id))
        with Transport(shell.store.ledger, SystemClock(), network=edit) as transport:
            org = SalesforceOrg(
                transport,
                instance_url=world.servers.instance_url,
                mapping=shell.settings.mapping,
                access_token=Hidden(world.servers.access_token),
            )
            done = hourly(replace(shell.parts(), org=org), Choice())
        states = {each.campaign_id: each.state for each in done.campaigns}
        assert (states[there.id], states[gone.id]) == (RunState.DONE, RunState.PARTIAL)  # type: ignore[index]
        assert world.org_members(there)[there.members[0]]["PAM__Level__c"] == "Opened"
        assert {group.kind for group in shell.error_board(gone.id)} == {"gone"}
        assert shell.error_board(there.id) == ()


def test_a_status_of_no_label_is_written_as_its_remedy_says(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], status="Bogus")
        lost = shell.batch(RunKind.HOURLY)
        (failed,) = lost.failed_rows
        assert "add it to the campaign, then retry" in failed.remedy
        label = {"CampaignId": campaign.id, "Label": "Bogus", "SortOrder": 30}
        world.records({"op": "create", "object": "CampaignMemberStatus", "values": label})
        assert shell.retry(lost.run).exit_code == 0
        assert world.org_members(campaign)[campaign.members[0]]["Status"] == "Bogus"
