"""One member's story, an operator's opt-in, and the lift of a lock-out: against both servers."""

from __future__ import annotations

import pytest

from sync.errors import Locked, PredictiveError, Refused, UsageError
from sync.events import Noted
from sync.model import RunKind
from sync.story import MemberStory
from tests.engine.test_batches import ready_to_send, started
from tests.engine.world import World


def conditions(story: MemberStory, slot: int) -> dict[str, bool]:
    """Whether each condition of an edition holds."""
    (edition,) = [each for each in story.editions if each.slot == slot]
    return {each.rule: each.holds for each in edition.conditions}


def fields(story: MemberStory) -> dict[str, tuple[str | None, str | None, str]]:
    """Salesforce's value, Predictive's, and the state of each field."""
    return {each.field: (each.salesforce, each.predictive, each.state) for each in story.fields}


# ---------------------------------------------------------------- why


@pytest.mark.slow
def test_the_story_tells_what_was_written_and_why_nothing_is_mailed(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        lead = campaign.leads[0]
        world.update("Lead", lead, FirstName="Grace")
        shell.sync([campaign.id])
        before = world.org_calls()
        story = shell.why(campaign.id, lead[:15])
        assert world.org_calls() == before, "Salesforce is not asked"
    assert (story.person_id, story.state) == (lead, "agreed")
    written = [(step.field, step.before, step.after, step.rule) for step in story.steps if step.kind is RunKind.MANUAL]
    assert ("first_name", "Ada", "Grace", "salesforce-owns") in written
    assert [step.at for step in story.steps] == sorted(step.at for step in story.steps if step.at)
    holds = conditions(story, 1)
    assert (holds["campaign_active"], holds["member_active"], holds["salesforce_login"]) == (True, True, True)
    assert (holds["edition_active"], holds["edition_tested"]) == (False, False)
    assert "edition 1" in story.verdict
    assert story.editions[0].decided is not None
    assert story.editions[0].decided.rule == "edition_active"


@pytest.mark.slow
def test_the_story_tells_of_mail_and_of_an_opt_out_that_keeps_from_more(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        ready_to_send(world, shell, campaign)
        lead = campaign.leads[0]
        assert shell.why(campaign.id, lead).verdict.startswith("would be mailed")
        shell.batch(RunKind.HOURLY)
        world.service("POST", f"/v1/people/{lead}:opt-out", {"scope": "global", "reason": "asked by phone"})
        story = shell.why(campaign.id, lead)
        assert fields(story)["reason"] == (None, "Opt Out Indirect", "pending")
    first = story.editions[0]
    assert (first.verdict, first.mail is not None, conditions(story, 1)["edition_new"]) == ("mailed", True, False)
    assert conditions(story, 2)["member_active"] is False
    assert [(each.scope, each.kind, each.reason) for each in story.suppressions] == [
        ("global", "opt_out", "asked by phone")
    ]
    told = " | ".join(step.text for step in story.steps)
    assert "edition 1 Initial mailed to ada" in told
    assert "opted out everywhere by another client: asked by phone" in told


@pytest.mark.slow
def test_a_person_is_found_by_id_address_or_name_and_never_guessed(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        rows = world.org_members(campaign)
        one, other = campaign.members
        assert shell.why(campaign.id, one).person_id == campaign.leads[0]
        assert shell.why(campaign.id, rows[one]["Email"].upper()).person_id == campaign.leads[0]
        full = f"{rows[other]['FirstName']} {rows[other]['LastName']}"
        assert shell.why(campaign.id, full).person_id == campaign.leads[1]
        world.update("Lead", campaign.leads[1], Email=rows[one]["Email"])
        shell.sync([campaign.id])
        with pytest.raises(UsageError, match="names 2 members") as caught:
            shell.why(campaign.id, rows[one]["Email"])
        assert campaign.leads[0] in caught.value.line()
        with pytest.raises(UsageError, match="has no member"):
            shell.why(campaign.id, "Ada")
        with pytest.raises(UsageError, match="never had a member"):
            shell.why(campaign.id, "00Q000000000001")


def test_a_removed_member_keeps_its_story(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 12)
        world.delete("CampaignMember", campaign.members[0])
        shell.sync([campaign.id])
        by_person = shell.why(campaign.id, campaign.leads[0])
        by_row = shell.why(campaign.id, campaign.members[0])
    assert by_row.person_id == by_person.person_id == campaign.leads[0]
    assert by_person.state == "absent"
    assert by_person.verdict.startswith("not mailed: the member was removed")
    assert any(step.text.startswith("removed from Predictive") for step in by_person.steps)


@pytest.mark.slow
def test_what_this_console_keeps_back_is_a_condition_too(world: World) -> None:
    """The hourly run leaves out a campaign that is paused or locked, and nobody whom the org hides is mailed."""
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        ready_to_send(world, shell, campaign)
        shell.pause_schedule("a freeze", campaign.id)
        paused = shell.why(campaign.id, campaign.leads[0])
        assert (conditions(paused, 1)["campaign_going"], paused.editions[0].due) == (False, False)
        assert "a freeze" in paused.verdict
        assert shell.batch(RunKind.HOURLY).counts.mails_sent == 0
        shell.resume_schedule(campaign.id)
        hidden = campaign.leads[1]
        world.servers.control("POST", "/sharing", {"hide": [hidden]})
        shell.sync([campaign.id])
        story = shell.why(campaign.id, hidden)
        assert (conditions(story, 1)["member_visible"], story.editions[0].due) == (False, False)
        assert story.state == "invisible"
        assert shell.batch(RunKind.HOURLY).counts.mails_sent == 2
        world.servers.control("POST", "/sharing", {"show": [hidden]})


@pytest.mark.slow
def test_with_the_service_down_what_is_known_here_is_told(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        down = {"kind": "drop_before", "side": "predictive", "match": "story", "times": 99}
        world.servers.control("POST", "/faults", down)
        story = shell.why(campaign.id, campaign.leads[0])
    assert story.verdict.startswith("not known: ")
    assert (story.editions, story.asked_at, fields(story)["email"][2]) == ((), None, "agreed")
    assert any(step.text.startswith("added to Predictive") for step in story.steps)


# ---------------------------------------------------------------- opt-in


def opted_out(world: World, person: str) -> bool:
    """Whether the box in the org is ticked."""
    (row,) = world.query(f"SELECT HasOptedOutOfEmail FROM Lead WHERE Id = '{person}'")
    return bool(row["HasOptedOutOfEmail"])


@pytest.mark.slow
def test_after_an_opt_in_nothing_before_its_edition_is_ever_mailed(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2, type="Drip")
        for _ in range(2):
            shell.new_edition(campaign.id)
        lead = campaign.leads[0]
        world.update("Lead", lead, HasOptedOutOfEmail=True)
        shell.sync([campaign.id])
        ready_to_send(world, shell, campaign, 1)
        ready_to_send(world, shell, campaign, 2)
        done = shell.opt_in(campaign.id, lead, from_edition="2", reason="wrote to us")
        assert (done.active, done.before, done.org_box) == (True, "Opt Out Indirect", True)
        assert any("left so" in text for text in done.told)
        assert opted_out(world, lead), "the org's box is the user's"
        for _ in range(3):
            shell.batch(RunKind.HOURLY)
            world.servers.control("POST", "/clock", {"advance": 3600})
        mails = world.service("GET", f"/v1/mails?person_id={lead}&campaign_id={campaign.id}")["items"]
        slots = {each.id: each.slot for each in shell.detail(campaign.id).editions}
        assert [slots[mail["edition_id"]] for mail in mails] == [2]
        # What the org still says opts nobody out again, by whatever run.
        world.update("Lead", lead, FirstName="Grace")
        shell.sync([campaign.id])
        shell.batch(RunKind.NIGHTLY)
        shell.batch(RunKind.HOURLY)
        assert world.service_members(campaign)[lead]["active"] is True
        (run,) = [run for run in shell.runs(campaign_id=campaign.id) if run.kind is RunKind.OPT_IN]
        (row,) = shell.store.journal.rows(run.run)
        assert (row.message, row.rule, row.label) == ("wrote to us", "operator", done.label)
        assert any(step.text.startswith("opted in again") for step in shell.why(campaign.id, lead).steps)


@pytest.mark.slow
def test_an_opt_out_of_just_now_is_not_ticked_after_the_opt_in(world: World) -> None:
    """The feed tells of the opt-out and leaves the opt-in out, which this console did itself."""
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        lead = campaign.leads[0]
        world.service("POST", f"/v1/people/{lead}:opt-out", {"scope": "global"})
        assert shell.opt_in(campaign.id, lead, from_edition="1", reason="a slip of the mouse").active
        shell.batch(RunKind.HOURLY)
        assert not opted_out(world, lead)
        assert world.service_members(campaign)[lead]["active"] is True


@pytest.mark.slow
def test_an_opt_in_whose_answer_was_lost_is_asked_about_and_not_repeated(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        lead = campaign.leads[0]
        world.service("POST", f"/v1/people/{lead}:opt-out", {"scope": "global"})
        lost = {"kind": "drop_after", "side": "predictive", "match": "opt-in", "times": 9}
        world.servers.control("POST", "/faults", lost)
        with pytest.raises(PredictiveError):
            shell.opt_in(campaign.id, lead, from_edition="1", reason="a slip of the mouse")
        world.servers.control("DELETE", "/faults")
        assert world.service_members(campaign)[lead]["active"] is True, "it had been done"
        shell.batch(RunKind.HOURLY)
        assert any("it was done" in note.text for note in world.told(Noted))
        assert not opted_out(world, lead)
        assert not world.store.journal.open_intents()
        assert world.service_members(campaign)[lead]["active"] is True


@pytest.mark.slow
def test_a_tick_after_the_opt_in_opts_out_again(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        lead = campaign.leads[0]
        world.update("Lead", lead, HasOptedOutOfEmail=True)
        shell.sync([campaign.id])
        shell.opt_in(campaign.id, lead, from_edition="initial", reason="wrote to us")
        world.update("Lead", lead, HasOptedOutOfEmail=False)
        shell.sync([campaign.id])
        assert world.service_members(campaign)[lead]["active"] is True
        world.update("Lead", lead, HasOptedOutOfEmail=True)
        shell.batch(RunKind.HOURLY)
        assert world.service_members(campaign)[lead]["active"] is False


@pytest.mark.slow
def test_an_opt_in_from_an_edition_that_can_never_come_says_so(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        done = shell.opt_in(campaign.id, campaign.leads[0], from_edition="not opened", reason="wrote to us")
        assert any("opt in from Initial" in text for text in done.told)
        done = shell.opt_in(campaign.id, campaign.leads[0], from_edition="initial", reason="wrote to us")
        assert not any("opt in from Initial" in text for text in done.told)


@pytest.mark.slow
def test_an_opt_in_by_somebody_else_is_not_undone_by_the_old_tick(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        lead = campaign.leads[0]
        world.update("Lead", lead, HasOptedOutOfEmail=True)
        shell.batch(RunKind.HOURLY)
        shell.sync([campaign.id])
        assert world.service_members(campaign)[lead]["active"] is False
        world.service("POST", f"/v1/people/{lead}:opt-in", {"reason": "support", "campaign_id": campaign.id})
        world.update("Lead", lead, FirstName="Grace")  # a change that brings the ticked box along again
        for run in (lambda: shell.batch(RunKind.HOURLY), lambda: shell.sync([campaign.id])):
            run()
            assert world.service_members(campaign)[lead]["active"] is True
        assert opted_out(world, lead)


def test_an_opt_in_is_refused_without_reason_member_or_right(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 1)
        lead = campaign.leads[0]
        with pytest.raises(UsageError, match="needs a reason"):
            shell.opt_in(campaign.id, lead, from_edition="1", reason=" ")
        with pytest.raises(UsageError, match="no edition '7'"):
            shell.opt_in(campaign.id, lead, from_edition="7", reason="wrote to us")
        with pytest.raises(UsageError, match="Predictive has no member"):
            shell.opt_in(campaign.id, "00Q000000000001", from_edition="1", reason="wrote to us")
        assert not shell.store.runs.live()
    with world.shell(read_only=True) as shell, pytest.raises(Refused):
        shell.opt_in(campaign.id, lead, from_edition="1", reason="wrote to us")


# ---------------------------------------------------------------- unlock


def test_a_lock_out_is_lifted_only_with_a_reason_and_both_are_journalled(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 1)
        shell.store.campaigns.lock(campaign.id, "its counts differ", "counts")
        with pytest.raises(Locked, match="its counts differ"):
            shell.sync([campaign.id])
        with pytest.raises(UsageError, match="reason"):
            shell.unlock(campaign.id, "  ")
        done = shell.unlock(campaign.id, "counted by hand")
        assert done.was == "its counts differ"
        (row,) = shell.store.journal.rows(done.run)
        assert (row.before, row.after, row.message, row.rule) == (
            "its counts differ",
            None,
            "counted by hand",
            "counts",
        )
        assert shell.run(done.run).owner == shell.store.runs.owner
        assert shell.sync([campaign.id]).exit_code == 0
        with pytest.raises(UsageError, match="is not locked"):
            shell.unlock(campaign.id, "again")
