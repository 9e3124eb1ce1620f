"""A plan as a value: who refuses it whole and why, what moves single rows to drift, and which rows a person chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.bootstrap import Shell
from sync.choosing import Chosen
from sync.codec import decode_plan, encode_plan
from sync.engine.saved import check_plan
from sync.errors import BadPlanFile, FatalError, UsageError
from sync.events import Guarded
from sync.guard import GuardLimits
from sync.mapping import Mapping
from sync.model import RunState
from sync.plan import Change, Plan
from tests.engine.world import Campaign, World


def planned(world: World, shell: Shell) -> tuple[Campaign, Plan]:
    campaign = world.campaign(4)
    shell.new_edition(campaign.id)
    world.update("Lead", campaign.leads[0], LastName="Planned")
    return campaign, shell.make_plan([campaign.id])


def stranger(world: World, campaign: Campaign, count: int = 1) -> list[str]:
    """Members that only the service has."""
    leads = world.records(
        *({"op": "create", "object": "Lead", "values": {"LastName": "Stray", "Company": "X"}} for _ in range(count))
    )
    fields = {"email": "s@example.org", "status": "Sent"}
    rows = [{"op": "upsert", "lead_id": lead, "member_id": None, "fields": fields} for lead in leads]
    world.service("POST", f"/v1/campaigns/{campaign.id}/members:batch", {"rows": rows})
    return leads


REFUSALS: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "another org": (lambda plan: replace(plan, org_id="00D000000000099AAA"), "for org 00D000000000099AAA"),
    "another service": (lambda plan: replace(plan, service_id="elsewhere"), "for service elsewhere"),
    "another format": (lambda plan: replace(plan, format=99), "format 99"),
    "other rules": (lambda plan: replace(plan, rules=99), "other rules"),
    "another mapping": (lambda plan: replace(plan, mapping_digest="x"), "mapping"),
}


def test_a_plan_is_refused_whole_for_what_concerns_all_of_it_only(world: World) -> None:
    with world.shell() as shell:
        campaign, plan = planned(world, shell)
        parts = shell.parts()
        check_plan(parts, decode_plan(encode_plan(plan)))
        for change, said in REFUSALS.values():
            with pytest.raises(BadPlanFile, match=said) as caught:
                check_plan(parts, change(plan))
            assert "nothing was written" in caught.value.line()
        world.clock.advance(7 * 86_400 - 60)
        check_plan(parts, plan)
        world.clock.advance(120)
        with pytest.raises(BadPlanFile, match="older than 7 days"):
            check_plan(parts, plan)
    with world.shell(mapping=Mapping(member_level="Other__c")) as shell, pytest.raises(BadPlanFile, match="mapping"):
        shell.apply(plan.plan_id)
    assert len(world.service_members(campaign)) == 4


def test_the_header_says_identity_cost_and_time_and_the_trailer_seals_the_rows(world: World) -> None:
    with world.shell() as shell:
        _, plan = planned(world, shell)
        path = world.folder / "plan.ndjson"
        shell.save_plan(plan.plan_id, path)
    head, *rows, end = [json.loads(line) for line in path.read_text().splitlines()]
    assert (head["type"], head["format"], head["plan"]["org_id"], head["plan"]["service_id"]) == (
        "predictive-plan",
        plan.format,
        plan.org_id,
        plan.service_id,
    )
    cost = head["plan"]["cost"]
    assert cost["predicted"]["salesforce"] >= 1
    assert cost["seconds"] > 0
    assert (end["type"], end["rows"], len(end["digest"])) == ("end", len(rows), 64)


@pytest.mark.slow
def test_a_moved_base_or_value_is_drift_of_its_rows_and_never_of_the_plan(world: World) -> None:
    with world.shell() as shell:
        campaign = world.campaign(4)
        shell.new_edition(campaign.id)
        for lead in campaign.leads[:3]:
            world.update("Lead", lead, LastName="Planned")
        path = world.folder / "plan.ndjson"
        shell.save_plan(shell.make_plan([campaign.id]).plan_id, path)
        world.update("Lead", campaign.leads[1], LastName="Moved on")
        world.update("Lead", campaign.leads[2], LastName="Synced meanwhile")
        shell.sync([campaign.id])  # what was agreed of the third is another value now
        world.update("Lead", campaign.leads[2], LastName="Planned")
        result = shell.apply(shell.load_plan(path).plan_id)
        names = {key: member["last_name"] for key, member in world.service_members(campaign).items()}
    assert (result.state, result.counts.drifted) == (RunState.PARTIAL, 3)
    assert names[campaign.leads[1]] == "Moved on"


def test_rows_are_chosen_by_number_kind_side_and_text(world: World) -> None:
    with world.shell() as shell:
        campaign = world.campaign(6)
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Renamed", Email="renamed@example.org")
        world.update("Lead", campaign.leads[1], Email="other@example.org")
        world.delete("CampaignMember", campaign.members[2])
        plan = shell.make_plan([campaign.id])
        rows = {row.seq: row for row in shell.plan_rows(plan.plan_id)}

        def left(only: list[str], reject: list[str], accept: list[str]) -> set[Change | str]:
            shell.choose(plan.plan_id, Chosen.of([f"1-{plan.rows}"], [], []))
            shell.choose(plan.plan_id, Chosen.of(only, reject, accept))
            out = shell.rejected(plan.plan_id)
            return {f"{row.change.value} {row.after}" for seq, row in rows.items() if seq not in out}

        everything = {"name Renamed", "email renamed@example.org", "email other@example.org", "remove None"}
        assert left([], [], []) == everything
        assert left(["email"], [], []) == {"email renamed@example.org", "email other@example.org"}
        assert left([], ["remove,name"], []) == everything - {"remove None", "name Renamed"}
        assert left(["email"], ["text=other"], ["name"]) == {"email renamed@example.org", "name Renamed"}
        number = next(seq for seq, row in rows.items() if row.change is Change.REMOVE)
        assert left([str(number)], [], []) == {"remove None"}
        assert left(["predictive"], [], []) == everything
        for word, said in (("salesforce", "no row"), ("99", "no row"), ("text=nobody", "no row")):
            with pytest.raises(UsageError, match=said):
                shell.choose(plan.plan_id, Chosen.of([], [word], []))
        shell.choose(plan.plan_id, Chosen.of([f"1-{plan.rows}"], ["remove"], []))
        result = shell.apply(plan.plan_id)
    assert (result.counts.removed, result.counts.changed) == (0, 2)
    assert campaign.leads[2] in world.service_members(campaign)


@pytest.mark.slow
def test_an_orphan_is_taken_in_by_its_number_only_and_counts_as_a_removal(world: World) -> None:
    with world.shell(guards=GuardLimits(delete_floor=1, delete_share=0.0)) as shell:
        campaign = world.campaign(4)
        shell.new_edition(campaign.id)
        orphans = stranger(world, campaign, 2)
        shell.sync([campaign.id])
        plan = shell.make_plan([campaign.id])
        assert (plan.rows, plan.offered, plan.writes) == (2, 2, 0)
        for word in ("orphan", "predictive", "text=s@example"):
            with pytest.raises(UsageError, match="one by one"):
                shell.choose(plan.plan_id, Chosen.of([], [], [word]))
        path = world.folder / "plan.ndjson"
        shell.save_plan(plan.plan_id, path)
        kept = json.loads(path.read_text().splitlines()[1])
        assert kept["accepted"] is False
        assert shell.choose(plan.plan_id, Chosen.of([], [], ["1,2"])) == 2
        world.events.clear()
        refused = shell.apply(plan.plan_id)
        assert (refused.exit_code, {body.verdict.rule for body in world.told(Guarded)}) == (5, {"deletes"})
        assert set(orphans) <= set(world.service_members(campaign))
        again = shell.make_plan([campaign.id])
        shell.choose(again.plan_id, Chosen.of([], [], ["1"]))
        done = shell.apply(again.plan_id)
        assert (done.exit_code, done.counts.removed) == (0, 1)
    assert len(world.service_members(campaign)) == 5


@pytest.mark.slow
def test_what_let_a_guard_pass_is_in_the_journal(world: World) -> None:
    strict = {"guards": GuardLimits(delete_floor=0, delete_share=0.0)}
    with world.shell(**strict) as shell:
        campaign = world.campaign(4)
        shell.new_edition(campaign.id)
        said = []
        for member, choice in zip(
            campaign.members,
            (
                {},
                {"allow": {"deletes": 1}, "reason": "left the company"},
                {"confirm_name": campaign.name},
                {"without_deletes": True},
            ),
            strict=True,
        ):
            world.delete("CampaignMember", member)
            result = shell.sync([campaign.id], **choice)
            journal = [event.body.verdict for event in shell.events(result.run) if isinstance(event.body, Guarded)]
            said += [(result.exit_code, verdict.passed, verdict.figure, verdict.text) for verdict in journal]
    assert [each[:3] for each in said] == [(5, False, 1), (5, False, 2), (0, True, 3), (0, True, 1)]
    assert "--allow deletes=1 --reason TEXT" in said[0][3]
    assert "confirmed with the campaign's name" in said[2][3].lower()
    assert "without the removals" in said[3][3]


@pytest.mark.slow
def test_limits_of_one_campaign_hold_for_it_alone(world: World) -> None:
    with world.shell() as shell:
        campaigns = [world.campaign(4), world.campaign(4)]
        for campaign in campaigns:
            shell.new_edition(campaign.id)
            world.delete("CampaignMember", campaign.members[0])
    own = {campaigns[0].name: GuardLimits(delete_floor=0, delete_share=0.0)}
    with world.shell(campaign_guards=own) as shell:
        result = shell.sync([campaign.id for campaign in campaigns])
    states = {each.campaign_id: each.state for each in result.campaigns}
    assert states == {campaigns[0].id: RunState.REFUSED, campaigns[1].id: RunState.DONE}


def test_the_command_line_chooses_rows(world: World, tmp_path: Path) -> None:
    from console.cli.parser import parse

    given: Any = parse(["apply", "plan.ndjson", "--only", "email,3", "--reject", "4", "--accept", "7"])
    assert (given.only, given.reject, given.accept) == (["email,3"], ["4"], ["7"])


def test_of_several_campaigns_those_that_can_be_planned_are_and_the_others_are_named(world: World) -> None:
    with world.shell() as shell:
        going, fresh, gone = world.campaign(4), world.campaign(2), world.campaign(2)
        shell.new_edition(going.id)
        shell.new_edition(gone.id)
        world.delete("Campaign", gone.id)
        world.update("Lead", going.leads[0], LastName="Planned")
        plan = shell.make_plan([going.id, fresh.id, gone.id])
        parts = {part.campaign_id: part for part in plan.campaigns}
        assert (parts[going.id].skipped, parts[going.id].counts.changed) == (None, 1)
        assert parts[fresh.id].refused
        assert "New Edition" in (parts[fresh.id].skipped or "")
        assert not parts[gone.id].refused
        assert "does not show" in (parts[gone.id].skipped or "")
        assert decode_plan(encode_plan(plan)).campaigns == plan.campaigns

        done = shell.apply(plan.plan_id)
        assert (done.state, done.exit_code, done.counts.changed) == (RunState.DONE, 0, 1)
        assert {each.campaign_id: bool(each.skipped) for each in done.campaigns} == {
            going.id: False,
            fresh.id: True,
            gone.id: True,
        }


def test_a_plan_of_nothing_but_a_campaign_that_is_gone_is_no_plan(world: World) -> None:
    with world.shell() as shell:
        gone = world.campaign(2)
        shell.new_edition(gone.id)
        world.delete("Campaign", gone.id)
        with pytest.raises(FatalError, match="does not show"):
            shell.make_plan([gone.id])
