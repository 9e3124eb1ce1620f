"""The gate between a plan and its first write: read-only, guards, budget, and what an operator let through.

Imports the pure core and the store. Campaigns that a guard refuses are left out, the others go on; what concerns the
run as a whole refuses all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sync.engine.parts import Cancel, Parts
from sync.errors import Refused, UsageError
from sync.guard import DELETES, DELETES_RUN, RULES
from sync.ids import CampaignId
from sync.plan import GuardVerdict, Plan


@dataclass(frozen=True, slots=True)
class Choice:
    """What the operator decided for one run.

    Attributes:
        without_deletes: leave removals out.
        allow: raised limits by rule, with the reason why.
        confirm_name: the campaign's name, typed; passes the guard of deletes for that campaign.
        cancel: tells the run to stop.
        called: campaigns that were named by their name, with that name; the org is asked whether it is one's alone.
    """

    without_deletes: bool = False
    allow: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    confirm_name: str | None = None
    cancel: Cancel | None = None
    called: Mapping[CampaignId, str] = field(default_factory=dict)

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
