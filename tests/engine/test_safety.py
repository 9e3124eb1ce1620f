"""Deletes, guards, read-only, budget, locks, crashes: what must never happen does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.engine.gate import Choice
from sync.engine.sync_run import sync_campaigns
from sync.errors import BadPlanFile, Locked, Refused, UsageError
from sync.events import Event, Guarded, PlanMade
from sync.ids import CampaignId
from sync.merge import INVISIBLE_HOLD, ORPHAN_HOLD
from sync.model import RunKind, RunState
from sync.ports import IdRead, Org
from sync.settings import BudgetSettings
from tests.engine.world import World

# ---------------------------------------------------------------- deletes


@pytest.mark.slow
def test_a_member_hidden_by_sharing_is_kept_held_and_listed(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.servers.control("POST", "/sharing", {"hide": [campaign.leads[0]]})
        hidden = shell.sync([campaign.id])
        assert (hidden.counts.removed, hidden.counts.invisible, hidden.exit_code) == (0, 1, 0)
        assert world.service_members(campaign)[campaign.leads[0]]["hold"] == INVISIBLE_HOLD
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        world.servers.control("POST", "/sharing", {"show": [campaign.leads[0]]})
        shown = shell.sync([campaign.id])
        assert (shown.counts.invisible, shown.exit_code) == (0, 0)
    assert world.service_members(campaign)[campaign.leads[0]]["hold"] is None


@pytest.mark.slow
def test_who_is_removed_while_hidden_is_asked_for_once_and_no_more(world: World) -> None:
    """The campaign's own totals tell that a member went; once its ids were read that is no news in later runs."""
    campaign = world.campaign(12)
    hidden, removed = campaign.leads[0], campaign.leads[1]
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.servers.control("POST", "/sharing", {"hide": [hidden]})
        assert shell.sync([campaign.id]).counts.invisible == 1
        idle = shell.sync([campaign.id]).calls.salesforce
        world.servers.control("POST", "/sharing", {"show": [hidden]})
        world.delete("Lead", hidden)
        world.servers.control("POST", "/sharing", {"hide": [removed]})
        looked = shell.sync([campaign.id])
        assert (looked.counts.removed, looked.counts.invisible, looked.exit_code) == (1, 1, 0)
        assert looked.calls.salesforce > idle
        world.servers.control("POST", "/sharing", {"show": [removed]})
        world.delete("CampaignMember", campaign.members[1])
        world.servers.control("POST", "/sharing", {"hide": [removed]})
        assert shell.sync([campaign.id]).counts.invisible == 1, "nothing proves that it is gone"
        assert [shell.sync([campaign.id]).calls.salesforce for _ in range(2)] == [idle, idle]


@pytest.mark.slow
@pytest.mark.parametrize("hidden_first", [False, True])
def test_both_rows_of_a_human_are_held_when_the_record_is_hidden(world: World, hidden_first: bool) -> None:
    """A lead became a contact who is a member, too; a run took that in and ended before it told the service, and then
    sharing hides the contact: whatever id the service knows the human by, nobody is mailed."""
    campaign = world.campaign(3)
    lead = campaign.leads[0]
    (contact,) = world.records(
        {"op": "create", "object": "Contact", "values": {"LastName": "Ada", "Email": "a@b.example"}}
    )
    world.records(
        {
            "op": "create",
            "object": "CampaignMember",
            "values": {"CampaignId": campaign.id, "ContactId": contact, "Status": "Sent"},
        }
    )
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.records({"op": "convert", "object": "Lead", "id": lead, "contact": contact})
        if not hidden_first:
            shell.make_plan([campaign.id])  # lands what was read, and writes nothing
        world.servers.control("POST", "/sharing", {"hide": [lead, contact]})
        result = shell.sync([campaign.id])
        assert (result.exit_code, result.counts.removed) == (0, 0)
        members = world.service_members(campaign)
        assert {members[who]["hold"] for who in (lead, contact)} == {INVISIBLE_HOLD}
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        proven = shell.verify([campaign.id])
        assert (proven.exit_code, proven.differences) == (0, ())

        world.servers.control("POST", "/sharing", {"show": [lead, contact]})
        result = shell.sync([campaign.id])
        members = world.service_members(campaign)
        assert lead not in members
        assert members[contact]["hold"] is None
        assert shell.verify([campaign.id]).exit_code == 0
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO


@pytest.mark.slow
def test_who_was_converted_while_nobody_saw_it_goes_on_once_it_is_shown(world: World) -> None:
    campaign = world.campaign(3)
    lead = campaign.leads[0]
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        (contact,) = world.records({"op": "convert", "object": "Lead", "id": lead})
        world.servers.control("POST", "/sharing", {"hide": [lead, contact]})
        assert shell.sync([campaign.id]).counts.invisible == 1
        assert world.service_members(campaign)[lead]["hold"] == INVISIBLE_HOLD
        world.servers.control("POST", "/sharing", {"show": [lead, contact]})
        world.update("Contact", contact, LastName="Byron")
        assert shell.sync([campaign.id]).exit_code == 0
        members = world.service_members(campaign)
        assert lead not in members
        assert (members[contact]["hold"], members[contact]["last_name"]) == (None, "Byron")
        assert shell.verify([campaign.id]).exit_code == 0


def test_a_member_of_a_deleted_person_is_removed(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("Lead", campaign.leads[0])
        result = shell.sync([campaign.id])
    assert (result.counts.removed, result.counts.invisible, result.exit_code) == (1, 0, 0)
    assert campaign.leads[0] not in world.service_members(campaign)


def test_one_added_and_one_removed_is_seen_although_the_count_is_the_same(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", campaign.members[3])
        world.join(campaign, 1)
        result = shell.sync([campaign.id])
    assert (result.counts.added, result.counts.removed) == (1, 1)
    assert set(world.service_members(campaign)) == set(campaign.leads) - {campaign.leads[3]}


@pytest.mark.slow
def test_a_stranger_of_the_service_is_held_and_never_deleted(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        (lead,) = world.records(
            {
                "op": "create",
                "object": "Lead",
                "values": {"LastName": "Stray", "Company": "X", "Email": "s@example.org"},
            }
        )
        row = {
            "op": "upsert",
            "lead_id": lead,
            "member_id": None,
            "fields": {"email": "s@example.org", "status": "Sent"},
        }
        world.service("POST", f"/v1/campaigns/{campaign.id}/members:batch", {"rows": [row]})
        result = shell.sync([campaign.id])
        assert (result.counts.held, result.counts.removed) == (1, 0)
        assert world.service_members(campaign)[lead]["hold"] == ORPHAN_HOLD
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        assert shell.verify([campaign.id]).counts.held == 1


# ---------------------------------------------------------------- guards


def test_too_many_removals_are_refused_with_ways_to_go_on(world: World) -> None:
    campaign = world.campaign(30)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", *campaign.members[:11])
        world.join(campaign, 1)
        refused = shell.sync([campaign.id])
        assert (refused.exit_code, refused.state) == (5, RunState.REFUSED)
        assert len(world.service_members(campaign)) == 30
        (verdict,) = [body.verdict for body in world.told(Guarded)]
        assert (verdict.rule, verdict.figure) == ("deletes", 11)
        with pytest.raises(UsageError, match="reason"):
            shell.sync([campaign.id], allow={"deletes": 11})
        with pytest.raises(UsageError, match="no guard"):
            shell.sync([campaign.id], allow={"delete": 11}, reason="x")
        without = shell.sync([campaign.id], without_deletes=True)
        assert (without.exit_code, without.counts.added, without.counts.removed) == (0, 1, 0)
        assert shell.sync([campaign.id], confirm_name="another name").exit_code == 5
        done = shell.sync([campaign.id], allow={"deletes": 11}, reason="the fair is over")
        assert (done.exit_code, done.counts.removed) == (0, 11)
    assert len(world.service_members(campaign)) == 20


@pytest.mark.slow
def test_the_campaigns_name_confirms_removals(world: World) -> None:
    campaign = world.campaign(20)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", *campaign.members[:11])
        assert shell.sync([campaign.id], confirm_name=campaign.name).counts.removed == 11


def test_what_several_guards_say_are_sentences_of_their_own(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", *campaign.members)
        result = shell.sync([campaign.id])
    assert result.exit_code == 5
    assert f"(--confirm NAME). {campaign.name}: Salesforce has no members" in (result.error or "")


def test_an_emptied_campaign_is_refused(world: World) -> None:
    campaign = world.campaign(10)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", *campaign.members)
        result = shell.sync([campaign.id])
    assert result.exit_code == 5
    assert {body.verdict.rule for body in world.told(Guarded)} == {"side-empty"}


@pytest.mark.slow
def test_one_refused_campaign_does_not_stop_the_others(world: World) -> None:
    bad, good = world.campaign(20), world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(bad.id)
        shell.new_edition(good.id)
        world.delete("CampaignMember", *bad.members[:11])
        world.join(good, 1)
        result = shell.sync([bad.id, good.id])
    states = {each.campaign_id: each.state for each in result.campaigns}
    assert states == {bad.id: RunState.REFUSED, good.id: RunState.DONE}
    assert result.exit_code == 4
    assert len(world.service_members(good)) == 4


@pytest.mark.slow
def test_read_only_writes_nothing_and_still_plans_and_simulates(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
    world.join(campaign, 1)
    with world.shell(read_only=True) as shell:
        for act in (
            lambda: shell.sync([campaign.id]),
            lambda: shell.new_edition(campaign.id),
            lambda: shell.refresh([campaign.id]),
            lambda: shell.batch(RunKind.NIGHTLY),
            lambda: shell.edit_edition(campaign.id, "1", {"subject": "x"}),
            lambda: shell.clear_auto_sync(campaign.id),
        ):
            with pytest.raises(Refused, match="read-only"):
                act()
        assert shell.make_plan([campaign.id]).counts.added == 1
        assert shell.batch(RunKind.NIGHTLY, simulate=True).counts.added == 1
    assert len(world.service_members(campaign)) == 3


@pytest.mark.slow
def test_a_budget_too_small_refuses_before_the_first_write(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
    world.join(campaign, 1)
    with world.shell(budget=BudgetSettings(run_cap=0)) as shell:
        result = shell.sync([campaign.id])
        assert (result.exit_code, result.state) == (5, RunState.REFUSED)
        assert len(world.service_members(campaign)) == 3
        allowed = shell.sync([campaign.id], allow={"budget": 5}, reason="must be today")
        assert (allowed.exit_code, allowed.counts.added) == (0, 1)


# ---------------------------------------------------------------- locks, plans, crashes


def test_a_live_run_locks_its_campaign(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        lease = shell.store.runs.start(RunKind.MANUAL, campaign_id=shell.resolve(campaign.id).id)
        with pytest.raises(Locked):
            shell.sync([campaign.id])
        night = shell.batch(RunKind.NIGHTLY)
        assert (night.exit_code, [each.skipped is not None for each in night.campaigns]) == (
            0,
            [True] * len(night.campaigns),
        )
        shell.store.runs.end(lease, RunState.DONE)
        assert shell.sync([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_a_cancelled_run_ends_so_and_the_next_one_finishes_it(world: World) -> None:
    class Now:
        def is_set(self) -> bool:
            return True

    campaign = world.campaign(4)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.join(campaign, 1)
        stopped = shell.sync([campaign.id], cancel=Now())
        assert (stopped.exit_code, stopped.state) == (130, RunState.CANCELLED)
        assert shell.sync([campaign.id]).counts.added == 1


@pytest.mark.slow
def test_a_saved_plan_writes_what_it_shows_and_only_once(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Planned")
        world.update("Lead", campaign.leads[1], LastName="Moved")
        world.update("Lead", campaign.leads[2], LastName="Refused")
        plan = shell.make_plan([campaign.id])
        assert len(world.service_members(campaign)) == 12
        rows = shell.plan_rows(plan.plan_id)
        assert {(row.before, row.after) for row in rows} >= {(rows[0].before, "Planned")}
        refused = next(row.seq for row in rows if row.after == "Refused")
        shell.set_accepted(plan.plan_id, {refused}, False)
        path = world.folder / "plan.ndjson"
        shell.save_plan(plan.plan_id, path)
        world.update("Lead", campaign.leads[1], LastName="Elsewhere")
        loaded = shell.load_plan(path)
        result = shell.apply(loaded.plan_id)
        assert (result.state, result.exit_code, result.counts.drifted) == (RunState.PARTIAL, 4, 1)
        assert (result.calls.salesforce, result.predicted.salesforce) == (1, 1)
        names = {person: member["last_name"] for person, member in world.service_members(campaign).items()}
        assert names[campaign.leads[0]] == "Planned"
        assert names[campaign.leads[1]].startswith("Nr ")
        assert names[campaign.leads[2]].startswith("Nr ")
        with pytest.raises(BadPlanFile, match="applied"):
            shell.apply(loaded.plan_id)


@pytest.mark.slow
def test_a_plan_looked_at_for_long_is_read_again_and_a_fresh_one_is_not(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        # The servers' clock is ahead of ours: how long a plan was looked at is our own clock's to tell.
        world.servers.control("POST", "/clock", {"advance": 7200})
        for seconds, reads in ((0, 0), (3600, 1)):
            world.update("Lead", campaign.leads[0], LastName=f"After {seconds}")
            plan = shell.make_plan([campaign.id])
            world.clock.advance(seconds)
            result = shell.apply(plan.plan_id)
            assert (result.state, result.counts.changed) == (RunState.DONE, 1)
            assert (result.calls.salesforce, result.predicted.salesforce) == (reads, reads)


def test_an_old_plan_is_refused_whole(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        plan = shell.make_plan([campaign.id])
        world.clock.advance(8 * 86400)
        with pytest.raises(BadPlanFile, match="older"):
            shell.apply(plan.plan_id)


@pytest.mark.slow  # waits between the attempts
def test_a_lost_answer_of_the_service_duplicates_nothing(world: World) -> None:
    campaign = world.campaign(6)
    world.servers.control(
        "POST", "/faults", {"kind": "drop_after", "side": "predictive", "match": "members:batch", "times": 9}
    )
    with world.shell() as shell:
        broken = shell.new_edition(campaign.id)
        assert broken.exit_code == 1
        record = shell.store.campaigns.get(shell.resolve(campaign.id).id)
        assert record is not None
        assert (record.started, record.operation is not None) == (False, True)
        operation = record.operation
        world.servers.control("DELETE", "/faults")
        result = shell.new_edition(campaign.id)
        assert (result.exit_code, result.counts.editions_created) == (0, 5)
        record = shell.store.campaigns.get(shell.resolve(campaign.id).id)
        assert record is not None
        assert (record.started, record.operation) == (True, None)
        assert shell.verify([campaign.id]).exit_code == 0
    editions = world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]
    assert {each["operation"] for each in editions} == {operation}


@pytest.mark.slow
def test_a_lost_answer_of_the_org_is_read_before_anything_is_repeated(world: World) -> None:
    campaign = world.campaign(6)
    with world.shell() as shell:
        shell.resolve(campaign.id)
        world.servers.control(
            "POST", "/faults", {"kind": "drop_after", "side": "salesforce", "method": "POST", "after": 1, "times": 1}
        )
        broken = shell.new_edition(campaign.id)
        assert (broken.exit_code, broken.state) == (1, RunState.FAILED)
        world.servers.control("DELETE", "/faults")
        result = shell.new_edition(campaign.id)
        assert result.exit_code == 0
        assert shell.verify([campaign.id]).exit_code == 0
    rows = world.query(f"SELECT Id FROM PAM__Email_Edition__c WHERE PAM__Campaign__c = '{campaign.id}'")
    assert len(rows) == 5


def test_a_run_of_a_dead_owner_is_taken_over(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        shell.store.runs.start(RunKind.MANUAL, campaign_id=shell.resolve(campaign.id).id)
        world.clock.advance(60)
        assert shell.sync([campaign.id]).exit_code == 0


def test_the_verifier_finds_a_planted_difference(world: World) -> None:
    campaign = world.campaign(4)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Unsynced")
        result = shell.verify([campaign.id])
        assert result.exit_code == 3
        (difference,) = result.differences
        assert (difference.person_id, difference.field, difference.salesforce) == (
            campaign.leads[0],
            "last_name",
            "Unsynced",
        )
        record = shell.store.campaigns.get(shell.resolve(campaign.id).id)
        assert record is not None
        assert record.verified_at is None


def test_a_run_that_was_taken_over_writes_nothing_more(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
    world.join(campaign, 1)
    with world.shell() as frozen, world.shell() as other:

        def steal(event: Event) -> None:
            if isinstance(event.body, PlanMade):
                world.clock.advance(60)
                other.store.runs.start(RunKind.MANUAL, campaign_id=other.resolve(campaign.id).id)

        frozen.listen(steal)
        with pytest.raises(Locked):
            frozen.sync([campaign.id])
    assert len(world.service_members(campaign)) == 3


@pytest.mark.slow
def test_at_the_stop_only_opt_outs_go_on(world: World) -> None:
    campaign = world.campaign(4)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        quota = world.servers.control("GET", "/quota")
        world.activity(campaign, campaign.leads[0], level="Opened", opens=1)
        world.service("POST", f"/v1/people/{campaign.leads[1]}:opt-out", {"scope": "global"})
        world.join(campaign, 1)
        try:
            world.servers.control("POST", "/quota", {"max": quota["used"] + 1000, "remaining": 40})
            shell.load_limits()
            refused = shell.sync([campaign.id])
            assert (refused.exit_code, refused.calls.salesforce) == (5, 0)
            hour = shell.batch(RunKind.HOURLY)
            assert (hour.exit_code, hour.counts.changed) == (4, 1), "the level waits, so the run is not whole"
            assert "only 1 opt-out was written" in (hour.error or "")
        finally:
            world.servers.control("POST", "/quota", {"max": quota["max"]})
        box = f"SELECT HasOptedOutOfEmail FROM Lead WHERE Id = '{campaign.leads[1]}'"
        assert world.query(box)[0]["HasOptedOutOfEmail"]
        assert world.org_members(campaign)[campaign.members[0]]["PAM__Level__c"] is None
        shell.load_limits()
        assert shell.batch(RunKind.HOURLY).counts.changed == 2


@pytest.mark.slow
def test_an_incomplete_read_of_ids_concludes_nothing_and_refuses(world: World) -> None:
    """The service's rows stay although ids seem to be missing."""
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", campaign.members[0])
        parts = replace(shell.parts(), org=ShortReads(shell.parts().org))  # type: ignore[arg-type]
        result = sync_campaigns(parts, {shell.resolve(campaign.id).id: campaign.name}, Choice())
        assert (result.exit_code, result.state) == (5, RunState.REFUSED)
        assert "incomplete" in {body.verdict.rule for body in world.told(Guarded)}
        assert len(world.service_members(campaign)) == 12
        assert shell.sync([campaign.id]).counts.removed == 1


class ShortReads:
    """An org whose reads of ids lose a page on the way."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def __getattr__(self, name: str) -> Any:
        return getattr(self._org, name)

    def read_ids(self, campaign_ids: Sequence[CampaignId]) -> Iterator[IdRead]:
        for read in self._org.read_ids(campaign_ids):
            yield replace(read, pages=(page[:-3] for page in read.pages))


@pytest.mark.slow
def test_a_service_that_forgot_a_campaign_is_refused_not_filled_blindly(world: World) -> None:
    """Its lists are read anew when the feed's cursor is not its own any more; the guard sees the empty side."""
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        for person in campaign.leads:
            row = {"op": "delete", "lead_id": person, "member_id": None, "fields": {}}
            world.service("POST", f"/v1/campaigns/{campaign.id}/members:batch", {"rows": [row]})
        shell.store.facts.set("service.cursor", "00000000-999999")
        result = shell.sync([campaign.id])
        assert result.exit_code == 5
        assert {body.verdict.rule for body in world.told(Guarded)} == {"side-empty"}
        again = shell.sync([campaign.id], allow={"side-empty": 12}, reason="the service was restored")
        assert (again.exit_code, again.counts.added) == (0, 12)
        assert shell.verify([campaign.id]).exit_code == 0
