"""Plays a golden case against the real embedded org and service over HTTP, and says what is not as expected."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from sync.bootstrap import Shell
from sync.errors import PredictiveError, UsageError
from sync.events import Guarded, Noted
from sync.guard import GuardLimits
from sync.model import RunKind
from sync.plan import REMOVALS, Change, PlanRow
from sync.rules import EVERY_RULE, Rules
from sync.views import RunResult
from tests.engine.world import World
from tests.golden.case import Case, Step, Unreadable, text_of
from tests.golden.stage import MEMBER_FIELDS, PERSON_FIELDS, Stage, StagedShell, set_up

MOST_ROWS = 500


def play(world: World, case: Case, rules: Rules = EVERY_RULE) -> list[str]:
    """What differs from the case's expectations; nothing when all is as it says."""
    settings = world.settings(guards=GuardLimits(**case.start.get("guards", {})))
    shell = StagedShell(settings, world.store, world.clock, world.events.append, None, rules)
    wrong: list[str] = []
    stage: Stage | None = None
    try:
        stage = set_up(world, shell, case.start)
        begun = shell.new_edition(stage.campaign.id)
        if begun.exit_code not in (0, 4):
            return [f"New Edition: {begun.error}"]
        for number, step in enumerate(case.steps, 1):
            wrong += (f"step {number}: {text}" for text in _step(world, shell, stage, step))
        wrong += _end(world, shell, stage, case.end)
    finally:
        for action in reversed(stage.undo if stage is not None else ()):
            action()
        if stage is not None:
            # The servers are shared: no later nightly run is to meet this campaign.
            with suppress(Exception):
                world.update("Campaign", stage.campaign.id, PAM__Auto_Sync__c=False)
        shell.disconnect()
    return wrong


def _step(world: World, shell: Shell, stage: Stage, step: Step) -> Iterable[str]:
    for sentence in step.do:
        stage.act(sentence)
    if step.run is None:
        return
    world.events.clear()
    rows: tuple[PlanRow, ...] = ()
    try:
        if step.accept:
            result, rows = _planned(shell, stage, step)
        else:
            result = _run(shell, stage, step)
        stage.last_run = _part_of(result, stage.campaign.id)
        state, counts, said = result.state.value, asdict(result.counts), result.error or ""
        if not rows and result.plan_id is not None:
            rows = shell.plan_rows(result.plan_id, limit=MOST_ROWS)
    except PredictiveError as error:
        state, counts, said = f"error {error.exit_code}", {}, error.line()
    yield from _compared(stage, step, rows, state, counts)
    said = " ".join([said, *(body.text for body in world.told(Noted))])
    said += " ".join(body.verdict.text for body in world.told(Guarded))
    yield from (f"nothing says {text!r}; it said: {said}" for text in step.says if text not in said)


def _part_of(result: RunResult, campaign_id: str) -> str:
    """The run of the case's campaign; the servers' other campaigns are nobody's business here."""
    own = [each.run for each in result.campaigns if each.campaign_id == campaign_id and each.run is not None]
    return own[0] if own else result.run


def _run(shell: Shell, stage: Stage, step: Step) -> RunResult:
    key = stage.campaign.id
    given = dict(step.choice)
    if "confirm" in given:
        named = given.pop("confirm")
        given["confirm_name"] = stage.campaign.name if named == "the campaign's name" else named
    if step.run == "undo":
        return shell.undo(stage.last_run, **given)
    if step.run == "manual":
        return shell.sync([key], **given)
    if step.run == "refresh":
        return shell.refresh([key])
    if step.run == "new edition":
        return shell.new_edition(key)
    if step.run in ("hourly", "nightly"):
        return shell.batch(RunKind(step.run), **given)
    raise Unreadable(f"there is no run {step.run!r}")


def _planned(shell: Shell, stage: Stage, step: Step) -> tuple[RunResult, tuple[PlanRow, ...]]:
    """The run in two: a plan, a person who accepts rows of it, its apply."""
    plan = shell.make_plan([stage.campaign.id], kind=RunKind(step.run or "manual"))
    rows = shell.plan_rows(plan.plan_id, limit=MOST_ROWS)
    for text in step.accept:
        chosen = [row.seq for row in rows if line_of(stage, row) == text]
        if not chosen:
            raise UsageError(f"the plan has no row {text!r}; it has {[line_of(stage, row) for row in rows]}")
        shell.set_accepted(plan.plan_id, set(chosen), True)
    return shell.apply(plan.plan_id), rows


def _compared(stage: Stage, step: Step, rows: tuple[PlanRow, ...], state: str, counts: dict[str, int]) -> Iterable[str]:
    if step.plan is not None:
        planned = sorted(line_of(stage, row) for row in rows)
        if planned != sorted(step.plan):
            missing = [line for line in step.plan if line not in planned]
            more = [line for line in planned if line not in step.plan]
            yield f"the plan lacks {missing} and has {more}"
    if step.state is not None and state != step.state:
        yield f"the run ended {state}, not {step.state}"
    for name, count in step.counts.items():
        if counts.get(name) != count:
            yield f"{name} is {counts.get(name)}, not {count}"


def line_of(stage: Stage, row: PlanRow) -> str:
    """A plan row as a case writes it."""
    who = stage.names.get(row.subject_id, row.label)
    side = row.side.value
    if row.change is Change.ADD:
        return f"{side}: add {who}"
    if row.change in REMOVALS:
        return f"{side}: remove {who}{' (only if accepted)' if row.offered else ''}"
    if row.change is Change.IDENTITY:
        former = stage.names.get(str(row.before))
        same = row.values.get("was") is None
        return f"{side}: {who} has another member id" if same else f"{side}: {who} was {former or row.before}"
    if row.change is Change.HEADER:
        return f"{side}: campaign header"
    if row.change is Change.TEST_PEOPLE:
        return f"{side}: list of test members"
    if row.field == "synced":
        return f"{side}: {who} is synced"
    before, after = text_of(row.before), text_of(row.after)
    conflict = " (conflict)" if row.conflict else ""
    if row.change is Change.HOLD:
        before, after = before.partition(":")[0], after.partition(":")[0]
    if row.change in (Change.EDITION, Change.CLICK_THROUGH, Change.HISTORY):
        return f"{side}: {row.change.value}"
    return f"{side}: {who} {row.field}: {before} -> {after}{conflict}"


# ---------------------------------------------------------------- the end


def _end(world: World, shell: Shell, stage: Stage, end: dict[str, Any]) -> Iterable[str]:
    if "salesforce" in end:
        names = ", ".join({"Id", "LeadId", "ContactId", *MEMBER_FIELDS.values()})
        found = world.query(
            f"SELECT {names}, FirstName, LastName, Email, HasOptedOutOfEmail FROM CampaignMember "
            f"WHERE CampaignId = '{stage.campaign.id}'"
        )
        rows = {stage.names.get(row["ContactId"] or row["LeadId"], "?"): _ours(row) for row in found}
        yield from _side("Salesforce", rows, end["salesforce"])
    if "predictive" in end:
        there = world.service_members(stage.campaign)
        members = {stage.names.get(key, "?"): value for key, value in there.items()}
        if "campaign" in end["predictive"]:
            header = world.service("GET", f"/v1/campaigns/{stage.campaign.id}")
            members["campaign"] = header
        yield from _side("Predictive", members, end["predictive"])
    if "warned" in end:
        (view,) = (view for view in shell.load_campaigns() if view.campaign.id == stage.campaign.id)
        said = " ".join(warned.text for warned in view.warnings)
        yield from (f"no warning says {text!r}; they say: {said}" for text in end["warned"] if text not in said)
    if end.get("equal"):
        checked = shell.verify([stage.campaign.id])
        yield from (f"verify: {each}" for each in checked.differences)


def _ours(row: dict[str, Any]) -> dict[str, Any]:
    names = PERSON_FIELDS | MEMBER_FIELDS
    return {ours: row[api] for ours, api in names.items()}


def _side(side: str, found: dict[str, dict[str, Any]], expected: dict[str, Any]) -> Iterable[str]:
    for who, fields in expected.items():
        here = found.get(who)
        if fields == "no member":
            if here is not None:
                yield f"{who} is still a member in {side}"
        elif here is None:
            yield f"{who} is no member in {side}"
        else:
            for name, value in fields.items():
                have = text_of(here[name]).partition(":")[0] if name == "hold" else text_of(here[name])
                if have != text_of(value):
                    yield f"{who} in {side}: {name} is {have}, not {text_of(value)}"
