"""Commands that run: new-edition, sync, refresh, batch, verify. Each ends with one result and its exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.cli.plans import ask_and_apply, refused_code
from console.cli.worker import leave
from console.report import counted, result_lines
from sync.errors import UsageError
from sync.holds import release_command, stays_held
from sync.model import RunKind
from sync.schedule import FIRST_YEAR, LAST_YEAR, foreseen_at
from sync.words import plural

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.views import RunResult


def guards(invocation: Invocation) -> dict[str, Any]:
    """``--allow`` and ``--reason`` as the shell takes them.

    Raises:
        UsageError: an unknown rule, a limit that is no number, or no reason.
    """
    options = invocation.options
    allow: dict[str, float] = {}
    for word in options.allow:
        rule, sign, limit = word.partition("=")
        try:
            allow[_known_rule(rule)] = _limit(limit)
        except ValueError:
            wrong = f"{limit!r} is no number from 0 on" if sign else "the limit is missing"
            raise UsageError(
                f"--allow {word}: {wrong}", remedy="write --allow RULE=LIMIT, such as deletes=50"
            ) from None
    if allow and not (options.reason or "").strip():
        raise UsageError(
            "--allow needs --reason TEXT", left_undone="nothing was written", remedy="say why; the journal keeps it"
        )
    return {"allow": allow, "reason": options.reason or ""}


def _limit(text: str) -> float:
    limit = float(text)
    if not 0 <= limit < float("inf"):
        raise ValueError(text)
    return limit


def _known_rule(rule: str) -> str:
    from difflib import get_close_matches

    from sync.guard import RULES

    if rule in RULES:
        return rule
    near = get_close_matches(rule, RULES, n=1, cutoff=0.4)
    raise UsageError(
        f"--allow: no guard is called {rule!r}",
        remedy=f"the nearest is {near[0]!r}" if near else f"there are {', '.join(RULES)}",
    )


def finish(invocation: Invocation, result: RunResult) -> int:
    """Report *result*, with what the command spent beside it: on finding campaigns, on a plan or a simulation before
    it; its exit code."""
    spent = invocation.spent() - result.calls
    result = replace(
        result, calls=result.calls + spent, predicted=result.predicted + spent, maximum=result.maximum + spent
    )
    invocation.report.result(result)
    return result.exit_code


def new_edition(invocation: Invocation) -> int:
    """Start a campaign, or continue its start."""
    passes = {**guards(invocation), "confirm_name": invocation.options.confirm}
    shell = invocation.shell()
    (campaign,) = invocation.campaigns()
    if invocation.options.queue:
        return leave(invocation, RunKind.INITIAL, (campaign.id,), passes)
    made = {"adaptive": "five editions, once ever", "scheduled": "one edition", "drip": "one edition"}
    kind = campaign.type.value if campaign.type else campaign.type_label
    people = campaign.number_of_leads + campaign.number_of_contacts
    held = shell.detail(campaign.id).view.held
    invocation.confirm(
        [
            f"{campaign.name}: New Edition of the type {kind or 'unknown'}",
            f"  → Predictive  header, about {plural(people, 'member')}, global test members",
            f"  Predictive makes {made.get(kind or '', 'its editions')}",
            "  → Salesforce  edition rows, members marked as synced",
            *([f"  {each}" for each in (stays_held(held), release_command(campaign.id))] if held else []),
        ],
        "Start it?",
    )
    with invocation.stopping() as stop:
        result = shell.new_edition(invocation.named()[0], cancel=stop.cancel, **passes)
    return finish(invocation, result)


def sync(invocation: Invocation) -> int:
    """Synchronize: on a terminal plan, ask, apply; otherwise in one go."""
    passes = guards(invocation)
    shell = invocation.shell()
    ids = tuple(campaign.id for campaign in invocation.campaigns())
    if invocation.options.queue:
        return leave(invocation, RunKind.MANUAL, ids, {**passes, "confirm_name": invocation.options.confirm})
    if invocation.interactive and not invocation.options.yes:
        plan = shell.make_plan(invocation.named(), kind=RunKind.MANUAL)
        return ask_and_apply(invocation, plan, passes, without_deletes=False) or refused_code(plan)
    with invocation.stopping() as stop:
        result = shell.sync(invocation.named(), confirm_name=invocation.options.confirm, cancel=stop.cancel, **passes)
    return finish(invocation, result)


def refresh(invocation: Invocation) -> int:
    """Pull levels and reasons now."""
    passes = guards(invocation)
    shell = invocation.shell()
    found = invocation.campaigns()
    if invocation.options.queue:
        return leave(invocation, RunKind.REFRESH, [campaign.id for campaign in found], passes)
    names = ", ".join(campaign.name for campaign in found)
    invocation.confirm([f"Refresh of {names}: writes levels and reasons → Salesforce"], "Refresh?")
    with invocation.stopping() as stop:
        result = shell.refresh(tuple(campaign.id for campaign in found), cancel=stop.cancel, **passes)
    return finish(invocation, result)


def batch(invocation: Invocation) -> int:
    """The hourly or nightly batch; on a terminal it is simulated first and asked for."""
    options, passes = invocation.options, guards(invocation)
    at = _instant(options.at) if options.at is not None else None
    if at is not None and not options.simulate:
        raise UsageError("--at goes with --simulate only", left_undone="nothing was sent or written")
    kind = RunKind(options.kind)
    if options.queue:
        if options.simulate:
            raise UsageError("--queue does not go with --simulate", left_undone="nothing was queued")
        return leave(invocation, kind, (), passes)
    shell = invocation.shell()
    if not options.simulate and invocation.interactive and not options.yes:
        with invocation.stopping() as stop:
            foreseen = shell.batch(kind, simulate=True, cancel=stop.cancel)
        if foreseen.exit_code == 130:
            return finish(invocation, foreseen)
        counts = foreseen.counts
        question = f"{kind.value} batch: {counted(counts, simulated=True)}. Run it?"
        invocation.confirm(result_lines(foreseen), question)
    with invocation.stopping() as stop:
        result = shell.batch(kind, simulate=options.simulate, at=at, cancel=stop.cancel, **passes)
    return finish(invocation, result)


def _instant(text: str) -> datetime:
    try:
        return foreseen_at(text)
    except ValueError:
        raise UsageError(
            f"--at {text!r} is no instant of the years {FIRST_YEAR} to {LAST_YEAR}",
            left_undone="nothing was read",
            remedy="write it as 2026-11-23T01:00:00Z",
        ) from None


def verify(invocation: Invocation) -> int:
    """Read both sides afresh and compare."""
    passes = guards(invocation)
    shell = invocation.shell()
    ids = tuple(campaign.id for campaign in invocation.campaigns())
    if invocation.options.queue:
        return leave(invocation, RunKind.VERIFY, ids, passes)
    with invocation.stopping() as stop:
        result = shell.verify(ids or None, cancel=stop.cancel, **passes)
    return finish(invocation, result)
