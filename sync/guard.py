"""Guards: they judge a plan before its first write, per campaign and in total, and say how to go on.

Pure. Each guard compares one figure with one limit. A person may raise a limit for one run (``--allow RULE=LIMIT
--reason TEXT``), leave the deletes out, or type the campaign's name; ``--yes`` passes none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sync.ids import CampaignId
from sync.plan import GuardVerdict
from sync.rules import EVERY_RULE, Rules, guard_held
from sync.words import plural

DELETES = "deletes"
DELETES_RUN = "deletes-run"
SIDE_EMPTY = "side-empty"
CHANGED = "changed"
BLANKED = "blanked"
FLOOD_FIRST = "flood-first"
FLOOD = "flood"
CANARY = "canary"
INCOMPLETE = "incomplete"
BUDGET = "budget"
TYPE = "type"
"""The campaign's type was changed after it had editions; no allowance lets that pass."""

RULES = (DELETES, DELETES_RUN, SIDE_EMPTY, CHANGED, BLANKED, FLOOD_FIRST, FLOOD, CANARY, INCOMPLETE, BUDGET)
"""Names as ``--allow`` takes them."""

EXPECTED_OF_MANY = frozenset({"level", "active", "synced", "opens", "clicks", "completions", "bounces"})
"""Fields that one ordinary release or a first sync moves for every member: what the service counts and marks. That
they change for most is no sign of trouble, so the guard against "everything changed" leaves them out; a reason, a
status or anything that Salesforce owns stays in."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Limits of all guards; shares are of 1.

    Attributes:
        delete_share, delete_floor: refused when both are passed, in one campaign.
        delete_run: most removals of a run.
        empty_from: members of the base from which an empty side is suspicious.
        changed_share, changed_from: one field changed for more than this share of at least so many members.
        blank_share, blank_floor: last name or e-mail turned empty, both passed.
        flood_first: most mails of a campaign that never sent. flood_run: most mails of a run.
    """

    delete_share: float = 0.20
    delete_floor: int = 10
    delete_run: int = 5000
    empty_from: int = 10
    changed_share: float = 0.50
    changed_from: int = 100
    blank_share: float = 0.01
    blank_floor: int = 10
    flood_first: int = 2000
    flood_run: int = 5000


OF_A_RUN = frozenset({"delete_run", "flood_run"})
"""Limits that are about a whole run, so that no campaign has its own."""


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """What the guards look at in one campaign's part of a plan.

    Attributes:
        members: persons in scope; the base of the shares.
        deletes: removals planned. base: members with a base.
        org, service: members that each side has now.
        changed: field → members for whom it is written; additions do not count.
        blanked: field → members for whom it turns empty (last name, e-mail).
        mails: mails due; never_sent: the campaign has not sent before.
        incomplete: what did not finish reading, "" when all did.
        limits: limits of its own; None: the org's.
    """

    campaign_id: CampaignId
    name: str
    members: int = 0
    base: int = 0
    org: int = 0
    service: int = 0
    deletes: int = 0
    changed: Mapping[str, int] = field(default_factory=dict)
    blanked: Mapping[str, int] = field(default_factory=dict)
    mails: int = 0
    never_sent: bool = False
    incomplete: str = ""
    limits: GuardLimits | None = None


def judge_plan(
    campaigns: Iterable[CampaignFigures],
    limits: GuardLimits,
    *,
    canaries_gone: tuple[str, ...] | None = None,
    allow: Mapping[str, float] | None = None,
    rules: Rules = EVERY_RULE,
) -> tuple[GuardVerdict, ...]:
    """Every verdict: those that refuse or passed only because a limit was raised, one by one; then each other guard
    that had something to judge, once for the run, with its figure nearest to the limit.

    Args:
        campaigns: the figures of each campaign.
        limits: the org's limits; a campaign may bring its own.
        canaries_gone: global test members that a side had and has no more; None when they were not looked at.
        allow: raised limits by rule, for this run only.
        rules: the rules that are held.
    """
    raised = dict(allow or {})
    verdicts: list[GuardVerdict] = []
    deletes = mails = 0
    judged = tuple(campaigns)
    for figures in judged:
        deletes += figures.deletes
        mails += figures.mails
        verdicts += _campaign(figures, figures.limits or limits, raised)
    verdicts += _total(deletes, mails, canaries_gone or (), limits, raised, single=len(judged) == 1)
    objecting = {verdict.rule for verdict in verdicts}
    passed = _passed(judged, limits, mails, canaries=canaries_gone is not None)
    every = (*verdicts, *(verdict for verdict in passed if verdict.rule not in objecting))
    return tuple(verdict for verdict in every if guard_held(rules, verdict.rule))


def _verdict(
    rule: str,
    figure: float,
    limit: float,
    text: str,
    raised: Mapping[str, float],
    *,
    campaign_id: CampaignId | None = None,
    without_deletes: bool = False,
    by_name: bool = False,
    remedy: str = "",
) -> GuardVerdict:
    """A guard whose default limit *figure* has passed; a raised limit may let it through."""
    allowed = raised.get(rule)
    passed = allowed is not None and figure <= allowed
    if passed:
        ending = f"let through by --allow {rule}={allowed:g}"
    else:
        ways = ["apply --without-deletes"] if without_deletes else []
        ways.append(f"--allow {rule}={figure:g} --reason TEXT for this run")
        if by_name:
            ways.append("confirm with the campaign's name (--confirm NAME)")
        ending = "To go on: " + ", or ".join(([remedy] if remedy else []) + ways)
    return GuardVerdict(
        rule=rule,
        passed=passed,
        figure=figure,
        limit=limit if allowed is None else allowed,
        text=f"{text}. {ending}",
        campaign_id=campaign_id,
        without_deletes=without_deletes,
    )


def _campaign(figures: CampaignFigures, limits: GuardLimits, raised: Mapping[str, float]) -> Iterable[GuardVerdict]:
    where, name = figures.campaign_id, figures.name
    if figures.incomplete:
        yield _verdict(
            INCOMPLETE,
            1,
            0,
            f"{name}: a read did not finish ({figures.incomplete})",
            raised,
            campaign_id=where,
            remedy="run again when both sides answer",
        )
    population = max(figures.members, figures.base)
    if figures.deletes > limits.delete_floor and figures.deletes > limits.delete_share * population:
        share = figures.deletes / population if population else 1.0
        yield _verdict(
            DELETES,
            figures.deletes,
            max(limits.delete_floor, int(limits.delete_share * population)),
            f"{name}: {figures.deletes:,} of {plural(population, 'member')} would be removed ({share:.0%}; "
            f"at most {limits.delete_share:.0%} or {limits.delete_floor})",
            raised,
            campaign_id=where,
            without_deletes=True,
            by_name=True,
        )
    for side, count in (("Salesforce", figures.org), ("Predictive", figures.service)):
        if figures.base >= limits.empty_from and count == 0:
            yield _verdict(
                SIDE_EMPTY,
                figures.base,
                0,
                f"{name}: {side} has no members, {figures.base} were agreed",
                raised,
                campaign_id=where,
                without_deletes=side == "Salesforce",
                remedy=f"check that {side} is the right one and shows the campaign",
            )
    yield from _fields(figures, limits, raised)
    if figures.never_sent and figures.mails > limits.flood_first:
        yield _verdict(
            FLOOD_FIRST,
            figures.mails,
            limits.flood_first,
            f"{name}: {plural(figures.mails, 'mail is', 'mails are')} due and it never sent before "
            f"(at most {limits.flood_first})",
            raised,
            campaign_id=where,
        )


def _fields(figures: CampaignFigures, limits: GuardLimits, raised: Mapping[str, float]) -> Iterable[GuardVerdict]:
    population = max(figures.members, figures.base)
    for name, count in sorted(figures.changed.items()):
        if name in EXPECTED_OF_MANY:
            continue
        if population >= limits.changed_from and count > limits.changed_share * population:
            yield _verdict(
                CHANGED,
                count,
                int(limits.changed_share * population),
                f"{figures.name}: {name} would change for {count:,} of {plural(population, 'member')} "
                f"(at most {limits.changed_share:.0%})",
                raised,
                campaign_id=figures.campaign_id,
            )
    for name, count in sorted(figures.blanked.items()):
        if count > limits.blank_floor and count > limits.blank_share * population:
            yield _verdict(
                BLANKED,
                count,
                max(limits.blank_floor, int(limits.blank_share * population)),
                f"{figures.name}: {name} would turn empty for {count:,} of {plural(population, 'member')} "
                f"(at most {limits.blank_share:.0%} or {limits.blank_floor})",
                raised,
                campaign_id=figures.campaign_id,
            )


def _total(
    deletes: int,
    mails: int,
    canaries_gone: tuple[str, ...],
    limits: GuardLimits,
    raised: Mapping[str, float],
    *,
    single: bool,
) -> Iterable[GuardVerdict]:
    if deletes > limits.delete_run:
        yield _verdict(
            DELETES_RUN,
            deletes,
            limits.delete_run,
            f"{plural(deletes, 'member')} would be removed in this run (at most {limits.delete_run})",
            raised,
            without_deletes=True,
            by_name=single,
        )
    if mails > limits.flood_run:
        yield _verdict(
            FLOOD,
            mails,
            limits.flood_run,
            f"{plural(mails, 'mail is', 'mails are')} due in this run (at most {limits.flood_run})",
            raised,
        )
    if canaries_gone:
        shown = ", ".join(canaries_gone[:3]) + (" …" if len(canaries_gone) > 3 else "")
        yield _verdict(
            CANARY,
            len(canaries_gone),
            0,
            f"global test members are gone: {shown}",
            raised,
            remedy="if they were unmarked on purpose",
        )


_Worst = tuple[float, float, int, str]
"""Share, limit, figure, and the sentence about it."""


def _passed(
    campaigns: tuple[CampaignFigures, ...], limits: GuardLimits, mails: int, *, canaries: bool
) -> Iterable[GuardVerdict]:
    """What each guard has to say when it does not object; several campaigns are spoken for by the worst of them."""
    if campaigns:
        yield _fine(DELETES, _worst_deletes(campaigns, limits))
        yield _fine(SIDE_EMPTY, (0, 0, 0, "no side is empty"))
        yield _fine(CHANGED, _worst_changed(campaigns, limits))
        yield _fine(BLANKED, _worst_blanked(campaigns, limits))
    if canaries:
        yield _fine(CANARY, (0, 0, 0, "no global test member is gone"))
    if campaigns:
        yield _fine(INCOMPLETE, (0, 0, 0, "every read finished"))
    if mails:
        firsts = [(each.mails, (each.limits or limits).flood_first) for each in campaigns if each.never_sent]
        first, most = max(firsts, default=(0, 0), key=lambda each: _share(each[0], each[1]))
        if first:
            text = f"{plural(first, 'mail is', 'mails are')} due in a campaign that never sent, {most:,} allowed"
            yield _fine(FLOOD_FIRST, (0, most, first, text))
        yield _fine(
            FLOOD,
            (0, limits.flood_run, mails, f"{plural(mails, 'mail is', 'mails are')} due, {limits.flood_run:,} allowed"),
        )


def _fine(rule: str, worst: _Worst) -> GuardVerdict:
    _, limit, figure, text = worst
    return GuardVerdict(rule=rule, passed=True, figure=figure, limit=limit, text=text)


def _worst_deletes(campaigns: tuple[CampaignFigures, ...], limits: GuardLimits) -> _Worst:
    found = []
    for each in campaigns:
        own = each.limits or limits
        population = max(each.members, each.base)
        allowed = max(own.delete_floor, int(own.delete_share * population))
        text = (
            f"{_of(each.deletes, population)} would be removed ({_percent(each.deletes, population)}), "
            f"{own.delete_share:.0%} or {own.delete_floor} allowed"
        )
        found.append((_share(each.deletes, population), allowed, each.deletes, _at_worst(each, campaigns) + text))
    return max(found, key=lambda worst: worst[0])


def _worst_changed(campaigns: tuple[CampaignFigures, ...], limits: GuardLimits) -> _Worst:
    worst: _Worst = (0, 0, 0, "no field changes for many members")
    for each in campaigns:
        own = each.limits or limits
        population = max(each.members, each.base)
        for name, count in sorted(each.changed.items()):
            share = _share(count, population)
            if name in EXPECTED_OF_MANY or population < own.changed_from or share <= worst[0]:
                continue
            text = (
                f"{name} would change for {_of(count, population)} ({_percent(count, population)}), "
                f"{own.changed_share:.0%} allowed"
            )
            worst = (share, int(own.changed_share * population), count, _at_worst(each, campaigns) + text)
    return worst


def _worst_blanked(campaigns: tuple[CampaignFigures, ...], limits: GuardLimits) -> _Worst:
    worst: _Worst = (0, limits.blank_floor, 0, "no last name or e-mail would turn empty")
    for each in campaigns:
        own = each.limits or limits
        population = max(each.members, each.base)
        for name, count in sorted(each.blanked.items()):
            share = _share(count, population)
            if share <= worst[0]:
                continue
            text = (
                f"{name} would turn empty for {_of(count, population)} ({_percent(count, population)}), "
                f"{own.blank_share:.0%} or {own.blank_floor} allowed"
            )
            allowed = max(own.blank_floor, int(own.blank_share * population))
            worst = (share, allowed, count, _at_worst(each, campaigns) + text)
    return worst


def _share(count: int, population: int) -> float:
    return count / population if population else 0.0


def _percent(count: int, population: int) -> str:
    share = _share(count, population)
    return f"{share:.0%}" if share == 0 or share >= 0.1 else f"{share:.2%}"


def _of(count: int, population: int) -> str:
    return f"{count:,} of {plural(population, 'member')}"


def _at_worst(figures: CampaignFigures, campaigns: tuple[CampaignFigures, ...]) -> str:
    return f"at worst {figures.name}: " if len(campaigns) > 1 else ""
