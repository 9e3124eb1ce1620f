"""The gate between a plan and its first write: read-only, guards, budget, and what an operator let through.

Imports the pure core and the store. Campaigns that a guard refuses are left out, the others go on; what concerns the
run as a whole refuses all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sync.budget import Gear, Ladder, Meter, judge
from sync.engine.live import LiveRun
from sync.engine.parts import Cancel, Parts
from sync.errors import Refused, UsageError
from sync.guard import BUDGET, DELETES, DELETES_RUN, RULES
from sync.ids import CampaignId
from sync.plan import GuardVerdict, Plan

_GOVERNOR = "governor"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the operator decided for one run.

    Attributes:
        without_deletes: leave removals out.
        allow: raised limits by rule, with the reason why.
        confirm_name: the campaign's name, typed; passes the guard of deletes for that campaign.
        cancel: tells the run to stop.
    """

    without_deletes: bool = False
    allow: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    confirm_name: str | None = None
    cancel: Cancel | None = None

    def check(self) -> None:
        """Raises UsageError for an unknown rule, or an allowance without a reason."""
        from difflib import get_close_matches

        for rule in self.allow:
            if rule not in RULES:
                near = get_close_matches(rule, RULES, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(RULES)}"
                raise UsageError(f"there is no guard {rule!r}", left_undone="nothing was written", remedy=hint)
        if self.allow and not self.reason.strip():
            raise UsageError(
                "a guard is let pass only with a reason",
                left_undone="nothing was written",
                remedy="add --reason TEXT; it is kept in the journal",
            )


@dataclass(frozen=True, slots=True)
class Passage:
    """Who may pass: the guards that objected, as they stand by the operator's choice; campaigns refused and why; why
    the whole run is refused, if it is."""

    verdicts: tuple[GuardVerdict, ...]
    refused: Mapping[CampaignId, tuple[GuardVerdict, ...]]
    whole: tuple[GuardVerdict, ...]


def check_writable(parts: Parts) -> None:
    """Raises Refused when this org may not be written."""
    if parts.read_only:
        raise Refused(
            "this org is read-only",
            rule="read-only",
            where=parts.settings.name,
            remedy="look at a plan or a simulation; to write, set read_only = false for this org and leave out "
            "--read-only",
        )


def decide(plan: Plan, choice: Choice) -> Passage:
    """Hold the plan's verdicts against what the operator decided."""
    names = {campaign.campaign_id: campaign.name for campaign in plan.campaigns}
    verdicts = tuple(_decided(verdict, choice, names) for verdict in plan.guards if not verdict.passed)
    refused: dict[CampaignId, tuple[GuardVerdict, ...]] = {}
    whole = []
    for verdict in verdicts:
        if verdict.passed:
            continue
        if verdict.campaign_id is None:
            whole.append(verdict)
        else:
            refused[verdict.campaign_id] = (*refused.get(verdict.campaign_id, ()), verdict)
    return Passage(verdicts, refused, tuple(whole))


def _decided(verdict: GuardVerdict, choice: Choice, names: Mapping[CampaignId, str]) -> GuardVerdict:
    allowed = choice.allow.get(verdict.rule)
    named = names.get(verdict.campaign_id) if verdict.campaign_id else None
    if verdict.rule == DELETES_RUN and len(names) == 1:
        named = next(iter(names.values()))
    confirmed = verdict.rule in (DELETES, DELETES_RUN) and named is not None and choice.confirm_name == named
    if choice.without_deletes and verdict.without_deletes:
        return replace(verdict, passed=True, text=f"{verdict.text}. Applied without the removals")
    if allowed is not None and verdict.figure <= allowed:
        return replace(verdict, passed=True, limit=allowed, text=f"{verdict.text}. Let through: {choice.reason}")
    if confirmed:
        return replace(verdict, passed=True, text=f"{verdict.text}. Confirmed with the campaign's name")
    return verdict


def meter_of(parts: Parts, live: LiveRun | None = None) -> Meter:
    """The API allowance as last told."""
    reading = parts.store.ledger.meter()
    return Meter(used=reading.used, limit=reading.limit, ours_today=reading.ours)


def ladder_of(parts: Parts) -> Ladder:
    """The governor's thresholds from the settings."""
    budget = parts.settings.budget
    return Ladder(warn=budget.warn, pause=budget.pause, stop=budget.stop, resume=budget.resume)


def gear_of(parts: Parts) -> Gear:
    """The governor's gear now, by the meter and what it was before."""
    meter = meter_of(parts)
    before = Gear(parts.store.facts.get(_GOVERNOR) or Gear.NORMAL.value)
    return ladder_of(parts).gear(meter.used, meter.limit, before)


def check_budget(live: LiveRun, needed: int, choice: Choice, *, essential: bool = False) -> GuardVerdict | None:
    """Whether the calls still needed may be spent; reserves them. The refusing verdict, or None.

    Remembers the governor's gear, so that a stop lasts until the meter is below the resume threshold.
    """
    parts = live.parts
    meter, ladder = meter_of(parts), ladder_of(parts)
    before = Gear(parts.store.facts.get(_GOVERNOR) or Gear.NORMAL.value)
    gear = ladder.gear(meter.used, meter.limit, before)
    if gear is not before:
        parts.store.facts.set(_GOVERNOR, gear.value)
    budget = parts.settings.budget
    verdict = judge(
        needed,
        meter,
        ladder,
        daily_cap=budget.daily_cap,
        run_cap=budget.run_cap,
        before=before,
        essential=essential,
    )
    passed = verdict.passed or choice.allow.get(BUDGET, -1) >= needed
    if passed and needed and meter.limit:
        share = 1.0 if essential or BUDGET in choice.allow else ladder.stop
        passed = (
            parts.store.runs.reserve(live.lease, needed, ceiling=int(meter.limit * share)) or BUDGET in choice.allow
        )
    if passed:
        return None
    return GuardVerdict(BUDGET, False, verdict.figure, verdict.limit or 0, verdict.text)
