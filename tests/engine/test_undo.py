"""Undo: a run taken back from its journal, drift left alone, holds that last until the owner agrees or are released."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.errors import Refused, UsageError
from sync.events import Noted, RowFailed
from sync.holds import UNDO_HOLD
from sync.model import RunKind, RunState
from tests.engine.world import World


@pytest.mark.slow
def test_an_undone_sync_gives_back_members_names_and_statuses_and_holds_them(world: World) -> None:
    campaign = world.campaign(20)
    renamed, moved, gone = campaign.leads[0], campaign.leads[1], campaign.leads[2]
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", renamed, LastName="Byron", Email="byron@example.org")
        world.update("CampaignMember", campaign.members[1], Status="Attended")
        world.delete("CampaignMember", campaign.members[2])
        (joined,) = world.join(campaign, 1)
        before = world.service_members(campaign)
        done = shell.sync([campaign.id])
        assert (done.counts.added, done.counts.removed, done.counts.changed) == (1, 1, 2)

        result = shell.undo(done.run)
        assert (result.exit_code, result.kind, result.state) == (0, RunKind.UNDO, RunState.DONE)
        assert (result.counts.added, result.counts.removed, result.counts.changed) == (1, 1, 2)
        after = world.service_members(campaign)
        assert set(after) == set(campaign.leads[:20])
        for name in ("first_name", "last_name", "email", "status"):
            assert [after[lead][name] for lead in (renamed, moved, gone)] == [
                before[lead][name] for lead in (renamed, moved, gone)
            ]
        # Against Salesforce: who was removed there, or has another address there, is not mailed.
        assert [after[lead]["hold"] for lead in (renamed, moved, gone)] == [UNDO_HOLD, None, UNDO_HOLD]
        org = world.org_members(campaign)
        assert (org[joined]["PAM__Synced__c"], org[joined]["PAM__Active__c"]) == (None, False)
        assert shell.run(done.run).undone_by == result.run
        assert shell.run(result.run).undoes == done.run

        # A held status is agreed by nobody, and is told so until a side moves.
        (status,) = [each for each in shell.why(campaign.id, moved).fields if each.field == "status"]
        assert (status.state, status.salesforce, status.base) == ("held", "Attended", None)

        # What Salesforce owns still stands there, and is not silently redone.
        again = shell.sync([campaign.id])
        assert (again.state, again.counts.held) == (RunState.NOTHING_TO_DO, 4)
        assert world.service_members(campaign) == after
        proven = shell.verify([campaign.id])
        assert (proven.exit_code, proven.counts.held, proven.differences) == (0, 4, ())
        assert shell.batch(RunKind.NIGHTLY).exit_code == 0
        assert shell.batch(RunKind.HOURLY).exit_code == 0
        assert {lead: row["last_name"] for lead, row in world.service_members(campaign).items()} == {
            lead: row["last_name"] for lead, row in after.items()
        }
        assert world.org_members(campaign)[campaign.members[1]]["Status"] == "Attended"
        # A second undo finds everything as it was.
        twice = shell.undo(done.run)
        assert (twice.exit_code, twice.state, twice.counts.drifted) == (0, RunState.NOTHING_TO_DO, 0)


@pytest.mark.slow
def test_a_hold_lifts_when_salesforce_agrees_or_decides_anew(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron", Email="byron@example.org")
        world.update("Lead", campaign.leads[1], LastName="Noel")
        world.update("CampaignMember", campaign.members[2], Status="Attended")
        old = world.service_members(campaign)
        world.delete("CampaignMember", campaign.members[3])
        shell.undo(shell.sync([campaign.id]).run)
        assert shell.sync([campaign.id]).counts.held == 4
        # Salesforce goes back to what was restored, says something new, and takes the member back.
        world.update("Lead", campaign.leads[0], LastName=old[campaign.leads[0]]["last_name"])
        world.update("Lead", campaign.leads[0], Email=old[campaign.leads[0]]["email"])
        world.update("Lead", campaign.leads[1], LastName="King")
        world.update("CampaignMember", campaign.members[2], Status="Registered")
        (member,) = world.records(
            {
                "op": "create",
                "object": "CampaignMember",
                "values": {"CampaignId": campaign.id, "LeadId": campaign.leads[3], "Status": "Sent"},
            }
        )
        result = shell.sync([campaign.id])
        assert (result.exit_code, result.counts.held, result.counts.conflicts) == (0, 0, 0)
        now = world.service_members(campaign)
        assert [now[lead]["hold"] for lead in campaign.leads[:4]] == [None] * 4
        assert now[campaign.leads[1]]["last_name"] == "King"
        assert now[campaign.leads[2]]["status"] == "Registered"
        assert now[campaign.leads[3]]["member_id"] == member
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        assert shell.verify([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_a_released_hold_lets_salesforce_win_again(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron")
        world.update("CampaignMember", campaign.members[1], Status="Attended")
        world.delete("CampaignMember", campaign.members[2])
        done = shell.sync([campaign.id])
        shell.undo(done.run)
        with pytest.raises(UsageError, match="reason"):
            shell.release_hold(campaign.id, campaign.leads[0], reason=" ")
        with pytest.raises(UsageError, match="nothing that is held"):
            shell.release_hold(campaign.id, campaign.leads[5], reason="x")
        for person in (campaign.leads[0], campaign.members[1], campaign.leads[2]):
            assert shell.release_hold(campaign.id, person, reason="it was right after all").exit_code == 0
        result = shell.sync([campaign.id])
        assert (result.counts.changed, result.counts.removed, result.counts.held) == (2, 1, 0)
        now = world.service_members(campaign)
        assert now[campaign.leads[0]]["last_name"] == "Byron"
        assert now[campaign.leads[1]]["status"] == "Attended"
        assert campaign.leads[2] not in now


@pytest.mark.slow
def test_what_moved_since_is_left_alone_and_reported(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron")
        world.update("Lead", campaign.leads[1], LastName="Noel")
        done = shell.sync([campaign.id])
        world.activity(campaign, campaign.leads[0], last_name="Somebody")
        plan = shell.plan_undo(done.run)
        assert (plan.rows, plan.counts.drifted) == (1, 1)
        assert any("moved" in text for text in plan.cannot)
        # Between looking and applying one more moves.
        world.activity(campaign, campaign.leads[1], last_name="Else")
        world.clock.advance(120)
        result = shell.apply(plan.plan_id)
        assert (result.exit_code, result.state, result.counts.drifted) == (4, RunState.PARTIAL, 2)
        assert {row.subject_id for row in result.failed_rows} == set(campaign.leads[:2])
        assert all(body.drifted for body in world.told(RowFailed))
        now = world.service_members(campaign)
        assert [now[lead]["last_name"] for lead in campaign.leads[:2]] == ["Somebody", "Else"]


@pytest.mark.slow
def test_an_undo_is_undone(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron", Email="b@example.org")
        world.update("CampaignMember", campaign.members[1], Status="Attended")
        world.delete("CampaignMember", campaign.members[2])
        (joined,) = world.join(campaign, 1)
        done = shell.sync([campaign.id])
        wanted = world.service_members(campaign)
        undone = shell.undo(done.run)
        plan = shell.plan_undo(undone.run)
        assert plan.cannot == ()
        result = shell.apply(plan.plan_id)
        assert (result.exit_code, result.state) == (0, RunState.DONE)
        now = world.service_members(campaign)
        assert set(now) == set(wanted)
        names = ("first_name", "last_name", "email", "status", "hold", "member_id", "active")
        assert {k: [v[n] for n in names] for k, v in now.items()} == {
            k: [v[n] for n in names] for k, v in wanted.items()
        }
        assert world.org_members(campaign)[joined]["PAM__Synced__c"] is not None
        left = shell.sync([campaign.id])
        assert (left.state, left.counts.held) == (RunState.NOTHING_TO_DO, 0)
        assert shell.verify([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_an_undone_hour_gives_back_levels_and_statuses_until_something_new_happens(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], level="Opened", opens=1, status="Attended")
        done = shell.batch(RunKind.HOURLY)
        member = campaign.members[0]
        assert world.org_members(campaign)[member]["Status"] == "Attended"
        plan = shell.plan_undo(done.run)
        assert plan.campaigns[0].campaign_id == campaign.id
        result = shell.apply(plan.plan_id)
        assert (result.exit_code, result.state) == (0, RunState.DONE)
        row = world.org_members(campaign)[member]
        assert (row["Status"], row["PAM__Level__c"], row["PAM__Opens__c"]) == ("Sent", None, 0)
        assert shell.verify([campaign.id]).exit_code == 0
        assert any("level: nothing in Salesforce, Opened in Predictive" in each.text for each in world.told(Noted))
        quiet = shell.batch(RunKind.HOURLY)
        assert quiet.counts.changed == 0
        assert world.org_members(campaign)[member]["Status"] == "Sent"
        world.activity(campaign, campaign.leads[0], level="Clicked", opens=2, clicks=1)
        assert shell.batch(RunKind.HOURLY).exit_code == 0
        row = world.org_members(campaign)[member]
        assert (row["PAM__Level__c"], row["PAM__Opens__c"]) == ("Clicked", 2)


@pytest.mark.slow
def test_undoing_a_start_is_guarded_and_says_first_what_stays(world: World) -> None:
    campaign = world.campaign(15)
    with world.shell() as shell:
        done = shell.new_edition(campaign.id)
        plan = shell.plan_undo(done.run)
        assert plan.cannot[0].startswith("5 editions were made")
        assert {verdict.rule for verdict in plan.refused} == {"deletes"}
        assert shell.apply(plan.plan_id).exit_code == 5
        assert len(world.service_members(campaign)) == 15
        result = shell.undo(done.run, confirm_name=campaign.name)
        assert (result.exit_code, result.counts.removed) == (0, 15)
        assert world.service_members(campaign) == {}
        assert all(row["PAM__Synced__c"] is None for row in world.org_members(campaign).values())
        assert shell.sync([campaign.id]).counts.held == 15
        assert world.service_members(campaign) == {}

        # The next start leaves them out, and says so with what brings them back.
        assert shell.detail(campaign.id).view.held == 15
        world.events.clear()
        assert shell.new_edition(campaign.id).counts.added == 0
        (said,) = [body.text for body in world.told(Noted) if "as an undo left them" in body.text]
        assert "15 members stay" in said
        assert f"predictive runs release {campaign.id} --all --reason" in said
        assert world.service_members(campaign) == {}
        shell.release_hold(campaign.id, None, reason="the start was right after all")
        assert shell.new_edition(campaign.id).counts.added == 15
        assert shell.verify([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_a_batch_is_undone_whole_and_a_part_of_it_alone(world: World) -> None:
    first, second = world.campaign(3), world.campaign(3)
    with world.shell() as shell:
        for campaign in (first, second):
            shell.new_edition(campaign.id)
            world.update("Lead", campaign.leads[0], LastName="Byron")
        old = {c.id: world.service_members(c)[c.leads[0]]["last_name"] for c in (first, second)}
        night = shell.batch(RunKind.NIGHTLY)
        assert night.counts.changed == 2
        part = next(each.run for each in night.campaigns if each.campaign_id == first.id)
        assert part is not None
        assert shell.undo(part).counts.changed == 1
        names = [world.service_members(c)[c.leads[0]]["last_name"] for c in (first, second)]
        assert names == [old[first.id], "Byron"]
        # What the part's undo took back already needs nothing more.
        whole = shell.undo(night.run)
        assert (whole.exit_code, whole.counts.changed, whole.counts.drifted) == (0, 1, 0)
        assert {each.campaign_id for each in whole.campaigns} >= {first.id, second.id}
        names = [world.service_members(c)[c.leads[0]]["last_name"] for c in (first, second)]
        assert names == [old[first.id], old[second.id]]
        assert shell.batch(RunKind.NIGHTLY).counts.held == 2
        # Somebody who is held says so.
        (state,) = [each for each in shell.why(first.id, first.leads[0]).fields if each.field == "last_name"]
        assert state.state == "held"
        address = world.service_members(first)[first.leads[0]]["email"]
        assert shell.release_hold(first.id, address, reason="mistake").exit_code == 0


@pytest.mark.slow
def test_what_cannot_be_undone_is_refused_with_a_reason(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        plan = shell.make_plan([campaign.id])
        assert plan.run is not None
        with pytest.raises(UsageError, match="no run"):
            shell.plan_undo("no-such-run")
        with pytest.raises(Refused, match="wrote nothing"):
            shell.plan_undo(plan.run)
        simulated = shell.batch(RunKind.HOURLY, simulate=True)
        with pytest.raises(Refused, match="wrote nothing"):
            shell.plan_undo(simulated.run)


@pytest.mark.slow
def test_headers_and_test_lists_stay_and_what_they_were_is_said(world: World) -> None:
    """To restore them would mail against what Salesforce says now: whoever wants them back changes them there."""
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Campaign", campaign.id, Name="Another name")
        (tester,) = world.records(
            {
                "op": "create",
                "object": "Lead",
                "values": {
                    "LastName": "Tester",
                    "Company": "T",
                    "Email": "tester@example.org",
                    "PAM__Test_Group__c": "PAM",
                    "PAM__Test_Member__c": True,
                },
            }
        )
        done = shell.sync([campaign.id])
        assert done.exit_code == 0
        plan = shell.plan_undo(done.run)
        assert plan.rows == 0
        said = "\n".join(plan.cannot)
        assert "nobody is mailed against what Salesforce says now" in said
        assert f"Another name: the header was {campaign.name}, adaptive, active" in said
        assert "Tester <tester@example.org> added" in said
        world.delete("Lead", tester)
        shell.sync([campaign.id], allow={"canary": 9}, reason="only for this test")


@pytest.mark.parametrize("op", ["convert", "merge"])
def test_who_goes_on_as_another_record_is_taken_back_there_and_held(world: World, op: str, tmp_path: Path) -> None:
    campaign = world.campaign(6)
    lead = campaign.leads[0]
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        old = world.service_members(campaign)[lead]["last_name"]
        world.update("Lead", lead, LastName="Byron")
        world.update("CampaignMember", campaign.members[0], Status="Attended")
        done = shell.sync([campaign.id])
        assert done.counts.changed == 1
        shell.save_plan(shell.plan_undo(done.run).plan_id, tmp_path / "early.ndjson")
        if op == "convert":
            (now,) = world.records({"op": "convert", "id": lead})
        else:
            person = {"LastName": "Byron", "Company": "X"}
            (now,) = world.records({"op": "create", "object": "Lead", "values": person})
            world.records({"op": "merge", "id": now, "loser": lead})

        # Before a sync has moved the member nothing is taken back: not by a new plan, not by one made before.
        told = shell.plan_undo(done.run)
        assert told.writes == 0
        assert any("synchronize, then undo" in text for text in told.cannot)
        assert shell.apply(shell.load_plan(tmp_path / "early.ndjson").plan_id).counts.drifted == 1
        assert world.service_members(campaign)[lead]["last_name"] == "Byron"

        shell.sync([campaign.id])
        assert now in world.service_members(campaign)
        result = shell.undo(done.run)
        assert (result.exit_code, result.counts.changed, result.counts.held) == (0, 1, 1)
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        member = world.service_members(campaign)[now]
        assert (member["last_name"], member["status"]) == (old, "Sent"), "taken back, and redone by no sync"
        proven = shell.verify([campaign.id])
        assert (proven.exit_code, proven.counts.held) == (0, 1)

        shell.release_hold(campaign.id, now, reason="Salesforce is right")
        shell.sync([campaign.id])
        member = world.service_members(campaign)[now]
        assert (member["last_name"], member["status"]) == ("Byron", "Attended")
        assert shell.verify([campaign.id]).exit_code == 0
