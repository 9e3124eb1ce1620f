"""Hourly, nightly, refresh, simulation, timers: what they move, what they cost, what they leave alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.events import Noted, RowFailed
from sync.guard import GuardLimits
from sync.ids import CampaignId, PersonId
from sync.model import RunKind, RunState
from sync.settings import BudgetSettings, TimerSettings
from tests.engine.world import Campaign, World


def started(world: World, shell, members: int = 6, **values) -> Campaign:  # type: ignore[no-untyped-def]
    campaign = world.campaign(members, **values)
    result = shell.new_edition(campaign.id)
    assert result.exit_code == 0, result.error
    return campaign


def ready_to_send(world: World, shell, campaign: Campaign, number: int = 1) -> None:  # type: ignore[no-untyped-def]
    """The first edition has content, was tested, and is active."""
    shell.edit_edition(
        campaign.id, str(number), {"subject": "Hello", "html": '<a href="https://example.org/x">x</a>', "days_delay": 0}
    )
    assert shell.test_send(campaign.id, str(number))[0] > 0
    assert shell.edit_edition(campaign.id, str(number), {"active": True}).active


def started_before(world: World, members: int) -> Campaign:
    """A campaign that is ready to send, set up with the usual settings."""
    with world.shell() as shell:
        campaign = started(world, shell, members)
        ready_to_send(world, shell, campaign)
        return campaign


# ---------------------------------------------------------------- nightly


@pytest.mark.slow
def test_an_idle_night_is_one_call_for_all_campaigns(world: World) -> None:
    with world.shell() as shell:
        for _ in range(2):
            started(world, shell, 3)
        world.later(3_600)  # what other tests did to the org is long ago
        shell.batch(RunKind.NIGHTLY)
        before = world.org_calls()
        result = shell.batch(RunKind.NIGHTLY)
        assert world.org_calls() - before == 1
    assert (result.state, result.calls.salesforce, result.predicted.salesforce) == (RunState.NOTHING_TO_DO, 1, 1)
    assert result.counts.unchanged == 6


@pytest.mark.slow
def test_the_night_syncs_open_campaigns_and_lists_the_others(world: World) -> None:
    with world.shell() as shell:
        open_one, closed, manual = (started(world, shell, 3) for _ in range(3))
        never = world.campaign(2)
        world.update("Campaign", closed.id, Status="Completed", IsActive=False)
        world.update("Campaign", manual.id, PAM__Auto_Sync__c=False)
        for campaign in (open_one, closed, manual):
            world.join(campaign, 1)
        result = shell.batch(RunKind.NIGHTLY)
    by_id = {each.campaign_id: each for each in result.campaigns}
    assert (by_id[open_one.id].state, by_id[open_one.id].counts.added) == (RunState.DONE, 1)
    assert "closed" in (by_id[closed.id].skipped or "")
    assert by_id[closed.id].saved_calls > 0
    assert "never started" in (by_id[never.id].skipped or "")
    assert len(world.service_members(manual)) == 3
    assert len(world.service_members(closed)) == 3
    assert (result.exit_code, result.counts.added) == (0, 1)


@pytest.mark.parametrize("kind", [RunKind.HOURLY, RunKind.NIGHTLY])
def test_a_batch_without_campaigns_costs_what_it_says(world: World, kind: RunKind) -> None:
    with world.shell() as shell:
        for result in (shell.batch(kind), shell.batch(kind, simulate=True)):
            assert (result.state, result.exit_code) == (RunState.NOTHING_TO_DO, 0)
            assert result.predicted == result.calls == result.maximum


@pytest.mark.slow
def test_the_original_behaviour_takes_closed_campaigns_too(world: World) -> None:
    with world.shell(nightly_closed=True) as shell:
        closed = started(world, shell, 3)
        world.update("Campaign", closed.id, Status="Completed", IsActive=False)
        world.join(closed, 1)
        result = shell.batch(RunKind.NIGHTLY)
    assert result.counts.added == 1
    assert len(world.service_members(closed)) == 4


@pytest.mark.slow
def test_many_changed_campaigns_share_their_calls(world: World) -> None:
    with world.shell() as shell:
        campaigns = [started(world, shell, 2) for _ in range(2)]
        for campaign in campaigns:
            world.join(campaign, 1)
        result = shell.batch(RunKind.NIGHTLY)
    assert (result.counts.added, result.calls.salesforce) == (2, 2)
    assert result.predicted == result.calls


# ---------------------------------------------------------------- hourly


def test_the_hour_sends_and_brings_activity_statistics_and_history(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 4)
        ready_to_send(world, shell, campaign)
        result = shell.batch(RunKind.HOURLY)
        assert (result.exit_code, result.error) == (0, None)
        assert (result.counts.mails_released, result.counts.mails_sent, result.counts.mails_unknown) == (4, 4, 0)
        (told,) = result.campaigns
        assert (told.counts.mails_released, told.counts.mails_sent) == (4, 4), "a campaign's mails are told with it"
        assert result.counts.changed == 4
        assert {row["PAM__Level__c"] for row in world.org_members(campaign).values()} == {"Sent"}
        assert abs(result.predicted.salesforce - result.calls.salesforce) <= 1
        again = shell.batch(RunKind.HOURLY)
        assert (again.counts.mails_sent, again.state, again.calls.salesforce) == (0, RunState.NOTHING_TO_DO, 1)
        assert shell.verify([campaign.id]).exit_code == 0
    where = f"PAM__Campaign__c = '{campaign.id}'"
    (edition,) = world.query(f"SELECT Id, PAM__Sent__c FROM PAM__Email_Edition__c WHERE {where} AND PAM__Sent__c > 0")
    assert edition["PAM__Sent__c"] == 4
    (history,) = world.query(f"SELECT PAM__Count__c, PAM__Email_Edition__c FROM PAM__Email_History__c WHERE {where}")
    assert (history["PAM__Count__c"], history["PAM__Email_Edition__c"]) == (4, edition["Id"])


@pytest.mark.slow
def test_texts_longer_than_the_orgs_fields_are_cut_and_keep_no_figures_back(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        ready_to_send(world, shell, campaign)
        edition = world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"][0]["edition_id"]
        url = "https://www.example.com/" + "p" * 500
        content = {"subject": "\U0001f600" * 300, "html": f'<a href="{url}">there</a>'}
        world.service("PATCH", f"/v1/editions/{edition}", content)
        shell.batch(RunKind.HOURLY)
        mails = world.service("GET", "/v1/mails?limit=2000")["items"]
        mail = next(each["mail_id"] for each in mails if each["campaign_id"] == campaign.id)
        world.service("POST", "/v1/events", {"mail_id": mail, "type": "click", "url": url})
        result = shell.batch(RunKind.HOURLY)
        assert (result.exit_code, result.counts.rejected) == (0, 0), result.failed_rows
    where = f"PAM__Campaign__c = '{campaign.id}' AND"
    (row,) = world.query(f"SELECT PAM__Subject__c FROM PAM__Email_Edition__c WHERE {where} PAM__Sent__c = 2")
    assert row["PAM__Subject__c"] == "\U0001f600" * 127, "255 of the units that the platform counts, no half of a sign"
    (click,) = world.query(f"SELECT PAM__Url__c FROM PAM__Click_Through__c WHERE {where} PAM__Hits__c = 1")
    assert len(click["PAM__Url__c"]) == 255


@pytest.mark.slow
def test_the_hour_brings_levels_reasons_counters_and_statuses(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell)
        first, second = campaign.leads[:2]
        world.activity(campaign, first, level="Clicked", opens=3, clicks=1, status="Registered")
        world.activity(campaign, second, level="Sent", reason="Bounce", active=False, bounces=1)
        world.join(campaign, 1)
        result = shell.batch(RunKind.HOURLY)
        assert (result.exit_code, result.counts.changed, result.counts.added) == (0, 2, 0)
        assert abs(result.predicted.salesforce - result.calls.salesforce) <= 1
        night = shell.sync([campaign.id])
    rows = world.org_members(campaign)
    one, two = rows[campaign.members[0]], rows[campaign.members[1]]
    assert (one["PAM__Level__c"], one["PAM__Opens__c"], one["PAM__Clicks__c"], one["Status"]) == (
        "Clicked",
        3,
        1,
        "Registered",
    )
    assert (two["PAM__Reason__c"], two["PAM__Active__c"]) == ("Bounce", False)
    assert (night.counts.added, night.counts.changed, night.counts.conflicts) == (1, 0, 0)


@pytest.mark.slow
def test_a_status_that_moved_in_the_org_is_left_as_drift(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell)
        world.activity(campaign, campaign.leads[0], status="Registered")
        world.update("CampaignMember", campaign.members[0], Status="Attended")
        result = shell.batch(RunKind.HOURLY)
        assert (result.exit_code, result.counts.drifted, result.state) == (4, 1, RunState.PARTIAL)
        assert [body.drifted for body in world.told(RowFailed)] == [True]
        assert world.org_members(campaign)[campaign.members[0]]["Status"] == "Attended"
        settled = shell.sync([campaign.id])
        assert (settled.counts.conflicts, settled.exit_code) == (1, 0)
    assert world.service_members(campaign)[campaign.leads[0]]["status"] == "Attended"


@pytest.mark.slow
def test_nobody_who_opted_out_in_the_org_is_mailed(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 4)
        ready_to_send(world, shell, campaign)
        shell.batch(RunKind.NIGHTLY)
        world.update("Lead", campaign.leads[0], HasOptedOutOfEmail=True)
        foreseen = shell.batch(RunKind.HOURLY, simulate=True)
        result = shell.batch(RunKind.HOURLY)
        rows = shell.plan_rows(result.plan_id or "")
    member = world.service_members(campaign)[campaign.leads[0]]
    assert (result.counts.mails_sent, member["opted_out"], member["active"]) == (3, True, False)
    assert not [row for row in rows if row.field == "opted_out"], "the box is not ticked once more"
    assert (foreseen.counts.predictive_rows, result.counts.predictive_rows) == (1, 1)
    assert (result.counts.changed, result.campaigns[0].counts.changed) == (4, 4), "written on both sides, counted once"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["converted", "converted into somebody out", "merged into somebody out"])
def test_nobody_is_mailed_who_went_on_as_a_person_that_is_out(world: World, way: str) -> None:
    """The box is the new record's, which the engine has never seen as a member's."""
    with world.shell() as shell:
        campaign = started(world, shell, 4)
        ready_to_send(world, shell, campaign)
        shell.batch(RunKind.HOURLY, simulate=True)
        gone = campaign.leads[0]
        if way == "converted":
            (contact,) = world.records({"op": "convert", "object": "Lead", "id": gone})
            world.update("Contact", contact, HasOptedOutOfEmail=True)
        else:
            sobject = "Contact" if way.startswith("converted") else "Lead"
            values = {"LastName": "Out", "HasOptedOutOfEmail": True}
            company = {"Company": "Out"} if sobject == "Lead" else {}
            (other,) = world.records({"op": "create", "object": sobject, "values": values | company})
            world.later(7_200)
            shell.batch(RunKind.HOURLY, simulate=True)
            world.later(3_600)
            if sobject == "Contact":
                world.records({"op": "convert", "object": "Lead", "id": gone, "contact": other})
            else:
                world.records({"op": "merge", "id": other, "loser": gone})
        before = world.org_calls()
        result = shell.batch(RunKind.HOURLY)
        assert (result.counts.mails_sent, result.calls.salesforce) == (3, world.org_calls() - before)
        assert not world.service_members(campaign)[gone]["active"]
        settled = shell.sync([campaign.id])
        assert settled.exit_code == 0, settled.error
    (member,) = (one for one in world.service_members(campaign).values() if one["person_id"] not in campaign.leads)
    assert (member["opted_out"], member["active"]) == (True, False)


@pytest.mark.slow
def test_who_took_in_somebody_that_is_out_is_out_in_the_other_campaigns_too(world: World) -> None:
    """Two members become one; the service makes the other campaign's member inactive without being asked for it."""
    with world.shell() as shell:
        first, second = started(world, shell, 4), started(world, shell, 2)
        stays, goes = first.leads[:2]
        values = {"CampaignId": second.id, "LeadId": stays, "Status": "Sent"}
        (row,) = world.records({"op": "create", "object": "CampaignMember", "values": values})
        world.service("POST", f"/v1/people/{goes}:opt-out", {"scope": "global"})
        assert shell.sync([first.id, second.id]).exit_code == 0
        assert shell.batch(RunKind.HOURLY).exit_code == 0
        world.records({"op": "merge", "id": stays, "loser": goes})
        assert shell.sync([first.id]).exit_code == 0
        there = world.service_members(second)[stays]
        assert (there["active"], there["reason"]) == (False, "Opt Out Indirect")
        known = world.store.members.service_rows(CampaignId(second.id), [PersonId(stays)])[PersonId(stays)]
        assert (known.active, known.reason, known.version) == (False, "Opt Out Indirect", there["version"])
        assert shell.batch(RunKind.HOURLY).exit_code == 0
    (member,) = world.query(f"SELECT PAM__Active__c, PAM__Reason__c FROM CampaignMember WHERE Id = '{row}'")
    assert (member["PAM__Active__c"], member["PAM__Reason__c"]) == (False, "Opt Out Indirect")


@pytest.mark.slow
def test_a_campaign_stopped_in_the_org_is_not_mailed(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 4)
        ready_to_send(world, shell, campaign)
        world.update("Campaign", campaign.id, IsActive=False)
        result = shell.batch(RunKind.HOURLY)
    assert (result.counts.mails_sent, result.exit_code) == (0, 0)


@pytest.mark.slow
def test_an_opt_out_in_the_service_ticks_the_box_once(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell)
        person = campaign.leads[0]
        world.service("POST", f"/v1/people/{person}:opt-out", {"scope": "global"})
        assert shell.batch(RunKind.HOURLY).exit_code == 0
        assert world.query(f"SELECT HasOptedOutOfEmail FROM Lead WHERE Id = '{person}'")[0]["HasOptedOutOfEmail"]
        world.update("Lead", person, HasOptedOutOfEmail=False)
        held = shell.sync([campaign.id])
        assert (held.counts.held, held.exit_code) == (1, 0)
        shell.batch(RunKind.HOURLY)
    assert not world.query(f"SELECT HasOptedOutOfEmail FROM Lead WHERE Id = '{person}'")[0]["HasOptedOutOfEmail"]
    assert world.service_members(campaign)[person]["opted_out"]


@pytest.mark.slow
def test_the_flood_guard_holds_mails_back(world: World) -> None:
    with world.shell(guards=GuardLimits(flood_first=3)) as shell:
        campaign = started(world, shell, 4)
        ready_to_send(world, shell, campaign)
        refused = shell.batch(RunKind.HOURLY)
        assert (refused.exit_code, refused.counts.mails_sent) == (5, 0)
        done = shell.batch(RunKind.HOURLY, allow={"flood-first": 4}, reason="checked by hand")
        assert (done.exit_code, done.counts.mails_sent) == (0, 4)


@pytest.mark.slow
def test_a_refusal_after_mails_were_sent_ends_partial_and_says_what_is_left(world: World) -> None:
    strict = GuardLimits(changed_share=0.1, changed_from=2)
    campaign = started_before(world, 4)
    with world.shell(guards=strict) as shell:
        world.activity(campaign, campaign.leads[0], reason="Bounce", active=False)
        result = shell.batch(RunKind.HOURLY)
    assert (result.state, result.exit_code, result.counts.mails_sent) == (RunState.PARTIAL, 4, 3)
    assert result.error is not None
    for part in ("3 of 3 mails were sent", "reason would change for 1 of 4", "not written to Salesforce"):
        assert part in result.error
    assert "nothing was written" not in result.error
    assert {row["PAM__Level__c"] for row in world.org_members(campaign).values()} == {None}
    with world.shell(budget=BudgetSettings(run_cap=0)) as shell:
        capped = shell.batch(RunKind.HOURLY)
        assert (capped.state, capped.exit_code) == (RunState.REFUSED, 5), "nothing was sent, nothing was written"
    with world.shell() as shell:
        after = shell.batch(RunKind.HOURLY)
        assert (after.exit_code, after.counts.mails_sent, after.counts.changed) == (0, 0, 4)


@pytest.mark.slow
def test_a_budget_too_small_after_mails_were_sent_ends_partial(world: World) -> None:
    campaign = started_before(world, 4)
    with world.shell(budget=BudgetSettings(run_cap=0)) as shell:
        result = shell.batch(RunKind.HOURLY)
    assert (result.state, result.exit_code, result.counts.mails_sent) == (RunState.PARTIAL, 4, 4)
    assert "not written to Salesforce" in (result.error or "")
    assert {row["PAM__Level__c"] for row in world.org_members(campaign).values()} == {None}


# ---------------------------------------------------------------- refresh, simulation, timers


@pytest.mark.slow
def test_refresh_brings_level_and_reason_only_and_reads_nothing_of_the_org(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell)
        world.activity(campaign, campaign.leads[0], level="Opened", opens=2)
        result = shell.refresh([campaign.id])
        assert (result.exit_code, result.counts.changed, result.calls.salesforce) == (0, 1, 1)
        row = world.org_members(campaign)[campaign.members[0]]
        assert (row["PAM__Level__c"], row["PAM__Opens__c"] or 0) == ("Opened", 0)
        shell.batch(RunKind.HOURLY)
    assert world.org_members(campaign)[campaign.members[0]]["PAM__Opens__c"] == 2


@pytest.mark.slow
def test_a_simulated_night_says_what_the_real_one_does(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell)
        world.join(campaign, 2)
        foreseen = shell.batch(RunKind.NIGHTLY, simulate=True)
        assert len(world.service_members(campaign)) == 6
        real = shell.batch(RunKind.NIGHTLY)
    assert (foreseen.simulated, foreseen.exit_code) == (True, 0)
    assert (foreseen.counts.added, foreseen.counts.salesforce_rows) == (2, real.counts.salesforce_rows)
    assert real.counts.added == 2


@pytest.mark.slow
def test_a_simulated_hour_sends_nothing_and_says_how_many(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 4)
        ready_to_send(world, shell, campaign)
        at = datetime.now(UTC) + timedelta(hours=2)
        foreseen = shell.batch(RunKind.HOURLY, simulate=True, at=at)
        assert (foreseen.counts.mails_released, foreseen.counts.mails_sent, foreseen.exit_code) == (4, 0, 0)
        assert [body for body in world.told(Noted) if "4 mails would be sent" in body.text]
        assert shell.batch(RunKind.HOURLY).counts.mails_sent == 4


@pytest.mark.slow
def test_a_simulated_first_send_foresees_what_the_mails_will_cause_in_the_org(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 1500)
        ready_to_send(world, shell, campaign)
        foreseen = shell.batch(RunKind.HOURLY, simulate=True)
        real = shell.batch(RunKind.HOURLY)
    assert (foreseen.counts.mails_released, real.counts.mails_sent) == (1500, 1500)
    assert foreseen.counts.changed == real.counts.changed == 1500
    assert foreseen.counts.salesforce_rows == real.counts.salesforce_rows
    assert abs(foreseen.predicted.salesforce - real.predicted.salesforce) <= 1
    assert abs(foreseen.predicted.salesforce - real.calls.salesforce) <= 1
    assert real.calls.salesforce >= 3
    assert [body for body in world.told(Noted) if body.text.startswith("an estimate")]


def test_a_tick_fires_once_and_mail_is_never_caught_up(world: World) -> None:
    timers = TimerSettings(enabled=True, hourly_minute=17)
    world.clock.set(datetime(2026, 11, 23, 0, 50, tzinfo=UTC))
    with world.shell(timers=timers) as shell:
        assert shell.due_tick(world.clock.now()) is None
        world.clock.set(datetime(2026, 11, 23, 1, 1, tzinfo=UTC))
        due = shell.due_tick(world.clock.now())
        assert due is not None
        assert (due.kind, due.due) == (RunKind.NIGHTLY, datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
        result = shell.fire(due.kind, due.due)
        assert result is not None
        assert result.kind is RunKind.NIGHTLY
        assert shell.fire(due.kind, due.due) is None
        assert shell.due_tick(world.clock.now()) is None
        world.clock.set(datetime(2026, 11, 23, 3, 0, tzinfo=UTC))
        assert shell.due_tick(world.clock.now()) is None
        hourly = next(view for view in shell.schedule() if view.kind is RunKind.HOURLY)
        assert len(hourly.missed) == 2
        shell.pause_schedule("holidays")
        assert {view.paused for view in shell.schedule()} == {"holidays"}


def test_a_read_only_org_simulates_its_ticks(world: World) -> None:
    with world.shell(read_only=True, timers=TimerSettings(enabled=True)) as shell:
        result = shell.fire(RunKind.NIGHTLY, datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
    assert result is not None
    assert result.simulated


@pytest.mark.slow
def test_a_batch_is_listed_behind_its_parts_however_many_they_are(world: World) -> None:
    with world.shell() as shell:
        for _ in range(3):
            started(world, shell, 1)
        night = shell.batch(RunKind.NIGHTLY)
        listed = shell.runs(limit=2)
        assert [view.parent for view in listed] == [night.run, night.run, None]
        assert listed[-1].run == night.run
        assert len(shell.runs(limit=4)) == 4
