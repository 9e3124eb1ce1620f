"""The sync of members: manual, and what initial and nightly share with it. Read, plan, gate, apply, settle.

Imports the engine's steps. The order is fixed: nothing is written before the plan is stored, its cost is said, and
guards and budget have let it pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from sync.engine import content
from sync.engine.apply_org import org_phase
from sync.engine.apply_service import Applying, service_phase
from sync.engine.claims import Claims, Ended, open_claims
from sync.engine.confirm import confirm
from sync.engine.feed import read_service
from sync.engine.finish import settle_rest
from sync.engine.gate import Choice, check_writable, decide
from sync.engine.governor import check_budget, shift
from sync.engine.live import LiveRun, present
from sync.engine.lockout import as_critical, lock_out, set_apart
from sync.engine.parts import Parts
from sync.engine.planning import Wanted, make_plan
from sync.engine.reading import Reading, read_campaigns
from sync.engine.reconcile import reconcile
from sync.errors import Cancelled, FatalError, Locked, PredictiveError, QuotaExhausted, Refused, UsageError
from sync.events import Phase, PlanMade
from sync.ids import CampaignId
from sync.model import Calls, Campaign, RunKind, RunState, Side, TestPerson
from sync.plan import GuardVerdict, Plan, PlanCounts, PlanRow
from sync.views import RunResult

Further = Callable[[Applying], Sequence[content.Pair]]
"""Work between the two sides' writes; gives further rows for the org."""


def new_plan_id() -> str:
    """A plan id."""
    return f"plan-{uuid4().hex[:16]}"


def sync_campaigns(parts: Parts, campaigns: Mapping[CampaignId, str], choice: Choice) -> RunResult:
    """The manual sync of named campaigns; those never started are refused, the others go on.

    Raises:
        Refused: read-only, or none of the campaigns was ever started.
        Locked: another live run has the campaign.
    """
    choice.check()
    check_writable(parts)
    ready = started_of(parts, campaigns)
    claims = open_claims(parts, RunKind.MANUAL, ready, cancel=choice.cancel)
    refuse_rest(claims, campaigns)

    def work() -> None:
        reading = read_both(claims.live, claims.held, choice)
        plan_and_apply(claims, reading, choice, RunKind.MANUAL)

    return run_to_end(claims, work)


def _started(parts: Parts, campaign_id: CampaignId) -> bool:
    record = parts.store.campaigns.get(campaign_id)
    return record is not None and record.started


def never_started(names: Sequence[str]) -> Refused:
    """The refusal of campaigns for which New Edition was never done."""
    return Refused(
        f"{', '.join(names)}: never started",
        rule="not-started",
        remedy="start it with New Edition (predictive new-edition CAMPAIGN), then sync",
    )


_ENDINGS: dict[int, type[PredictiveError]] = {130: Cancelled, 7: Locked, 5: Refused, 4: QuotaExhausted, 2: UsageError}


def failed_to_plan(result: RunResult) -> PredictiveError:
    """The error of a plan that could not be made, of the kind that the run ended with."""
    kind = _ENDINGS.get(result.exit_code, FatalError)
    return kind(result.error or "the plan could not be made; nothing was written", left_undone="")


def require_started(parts: Parts, campaigns: Mapping[CampaignId, str]) -> None:
    """Raises Refused for campaigns for which New Edition was never done."""
    missing = [name for key, name in campaigns.items() if not _started(parts, key)]
    if missing:
        raise never_started(missing)


def started_of(parts: Parts, campaigns: Mapping[CampaignId, str]) -> dict[CampaignId, str]:
    """The campaigns for which New Edition was done. Raises Refused when there is none."""
    ready = {key: name for key, name in campaigns.items() if _started(parts, key)}
    if campaigns and not ready:
        raise never_started(list(campaigns.values()))
    return ready


def refuse_rest(claims: Claims, campaigns: Mapping[CampaignId, str]) -> None:
    """Say of each campaign that the run did not take, because it was never started, that it is refused."""
    for campaign_id, name in campaigns.items():
        if campaign_id not in claims.names:
            claims.names[campaign_id] = name
            claims.finish(campaign_id, Ended(RunState.REFUSED, PlanCounts(), never_started([name]).line()))


def run_to_end(claims: Claims, work: Callable[[], None]) -> RunResult:
    """Do *work* as the claimed run and end the run, whatever happens."""
    live = claims.live
    # Of several campaigns most calls serve all; the ledger then names none.
    only = next(iter(claims.names)) if len(claims.names) == 1 else None
    about = live.parts.made_for(live.kind.value, run=live.run, campaign_id=only, cancel=_event(live))
    with about, present(live):
        try:
            work()
            shift(live.parts)
        except PredictiveError as error:
            return claims.close(_locking(claims, error))
        except BaseException as error:
            # A defect or an interrupt: the run must not stay alive in the journal; the error goes on.
            claims.close(PredictiveError(f"the run broke: {type(error).__name__}"))
            raise
    return claims.close()


def _locking(claims: Claims, error: PredictiveError) -> PredictiveError:
    """*error*; a critical one has locked the campaigns that it concerns."""
    critical = as_critical(error, claims.held)
    if critical is None or claims.live.simulated:
        return error
    lock_out(claims.live, critical, critical.campaign_ids)
    return critical


def _event(live: LiveRun) -> threading.Event | None:
    """The event that also ends waits inside the transport, if it is one."""
    return live.cancel if isinstance(live.cancel, threading.Event) else None


def read_both(live: LiveRun, campaign_ids: Collection[CampaignId], choice: Choice) -> Reading:
    """Reconcile what an earlier run left open, then read the org and the service.

    Raises:
        Refused: the governor stopped everything but opt-outs; not even the poll was made.
        UnknownCampaign, AmbiguousCampaign: a campaign that was named by its name is not the only one of it.
    """
    check_governor(live, choice)
    reconcile(live)
    reading = read_campaigns(live, campaign_ids, called=choice.called)
    read_service(live, campaign_ids)
    confirm(live, reading.landed & set(campaign_ids))
    return reading


def check_governor(live: LiveRun, choice: Choice, needed: int = 1) -> None:
    """Set the run's first calls aside. Raises Refused when there is no call left for anything but opt-outs."""
    stopped = check_budget(live, needed, choice)
    if stopped:
        live.guarded((stopped,))
        raise refusal((stopped,))


def wanted_of(claims: Claims, reading: Reading, kind: RunKind) -> Wanted:
    """What a plan of member data is to be made of."""
    campaigns = tuple(reading.headers[key] for key in claims.held if key in reading.headers)
    at = reading.at or claims.live.parts.clock.now()
    return Wanted(kind, campaigns, at, test_people=reading.test_people, incomplete=dict(reading.incomplete))


def leave_out_unshown(claims: Claims, reading: Reading) -> None:
    """Leave out the campaigns that the org does not show, and say so.

    Raises:
        FatalError: it is the only one.
    """
    for campaign_id in claims.held:
        if campaign_id in reading.headers:
            continue
        if claims.single:
            raise FatalError(
                f"Salesforce does not show {claims.names[campaign_id]} any more",
                where=campaign_id,
                left_undone="nothing was written",
                remedy="it was deleted, or is not shared with the integration user",
            )
        claims.skip(campaign_id, claims.names[campaign_id], "Salesforce does not show this campaign")


def plan_and_apply(
    claims: Claims,
    reading: Reading,
    choice: Choice,
    kind: RunKind,
    *,
    between: Further | None = None,
    extra: Calls = Calls(),  # noqa: B008
    further: Sequence[content.Pair] = (),
) -> Plan:
    """Plan what was read, pass the gate, apply."""
    set_apart(claims, claims.held)
    leave_out_unshown(claims, reading)
    wanted = replace(wanted_of(claims, reading, kind), extra=extra, further=tuple(write for _, write in further))
    plan = draw_plan(claims, wanted)
    apply_plan(claims, plan, wanted.campaigns, choice, people=reading.test_people, between=between)
    return plan


def draw_plan(claims: Claims, wanted: Wanted) -> Plan:
    """Make the plan, keep it, and tell it with its cost and verdicts."""
    live = claims.live
    with live.phase(Phase.COMPARE) as done:
        plan, drawn = make_plan(live, new_plan_id(), wanted)
        done[0] = plan.rows
    for campaign_id, text in drawn.notes:
        live.note(text, level="warning", campaign_id=campaign_id)
    claims.plan_id, claims.cost = plan.plan_id, plan.cost
    cost = plan.cost
    live.emit(PlanMade(live.run, plan.plan_id, plan.counts, cost.predicted, cost.maximum, cost.lower_bound))
    live.parts.store.runs.set_plan(live.lease, plan.plan_id, cost.predicted)
    return plan


def apply_plan(
    claims: Claims,
    plan: Plan,
    campaigns: Sequence[Campaign],
    choice: Choice,
    *,
    people: tuple[TestPerson, ...] | None = None,
    between: Further | None = None,
    moved: Sequence[PlanRow] = (),
    essential: bool = False,
) -> None:
    """Take a plan through the gate and write it, but for rows that have *moved* since it was made.

    *essential* writes (opt-outs) go on when the governor stops everything else.

    Raises:
        Refused: the run as a whole may not be applied; nothing was written.
        Cancelled, QuotaExhausted, OutcomeUnknown, …: the run ends with that; what was written is kept.
    """
    live = claims.live
    passage = decide(plan, choice)
    live.guarded(passage.verdicts)
    needed = max(0, claims.cost.predicted.salesforce - live.calls().salesforce)
    whole = passage.whole
    if not whole and needed:
        stopped = check_budget(live, needed, choice, essential=essential)
        whole = (stopped,) if stopped else ()
    if whole:
        raise refusal(whole)
    by_id = {campaign.id: campaign for campaign in campaigns}
    for campaign_id, verdicts in passage.refused.items():
        by_id.pop(campaign_id, None)
        claims.finish(campaign_id, Ended(RunState.REFUSED, PlanCounts(), verdicts[0].text, verdicts))
    if passage.refused and not by_id:
        raise refusal([verdict for verdicts in passage.refused.values() for verdict in verdicts])
    if choice.allow:
        live.note(f"let through by the operator: {dict(choice.allow)}; reason: {choice.reason}", level="warning")
    live.parts.store.plans.mark_applied(plan.plan_id, live.run)
    skip = frozenset(row.seq for row in moved)
    applying = Applying(
        live,
        plan.plan_id,
        by_id,
        done=claims.early_of(by_id),
        without_deletes=choice.without_deletes,
        skip=skip,
    )
    for row in moved:
        applying.of(row.campaign_id).drifted.add(row.subject_id)
    try:
        _write(applying, people, between)
    except QuotaExhausted as error:
        live.note(error.line(), level="error")
        _settle(claims, applying, plan, error=error)
        raise
    except PredictiveError as error:
        _settle(claims, applying, plan, error=error)
        raise
    _settle(claims, applying, plan)


def refusal(verdicts: Sequence[GuardVerdict]) -> Refused:
    """The error of a run that a guard refuses."""
    first = verdicts[0]
    return Refused(". ".join(verdict.text for verdict in verdicts), rule=first.rule)


def _write(applying: Applying, people: tuple[TestPerson, ...] | None, between: Further | None) -> None:
    live = applying.live
    plans = live.parts.store.plans
    if plans.count(applying.plan_id, side=Side.PREDICTIVE):
        with live.phase(Phase.WRITE_PREDICTIVE) as done:
            service_phase(applying, people)
            done[0] = sum(each.predictive_rows for each in applying.done.values())
    further = between(applying) if between is not None else ()
    if further or plans.count(applying.plan_id, side=Side.SALESFORCE):
        with live.phase(Phase.WRITE_SALESFORCE) as done:
            org_phase(applying, further)
            done[0] = sum(each.salesforce_rows for each in applying.done.values())
    live.breathe()


def _settle(claims: Claims, applying: Applying, plan: Plan, *, error: PredictiveError | None = None) -> None:
    """Advance the base, and end each campaign's part with its own state and counts."""
    with applying.live.winding_up():
        _settle_campaigns(claims, applying, plan, error)


def _settle_campaigns(claims: Claims, applying: Applying, plan: Plan, error: PredictiveError | None) -> None:
    planned = {each.campaign_id: each.counts for each in plan.campaigns}
    touched = set(applying.live.parts.store.campaigns.touched())
    for campaign_id, campaign in applying.campaigns.items():
        done = applying.of(campaign_id)
        # The store counts the campaign anew when its run ends.
        if campaign_id in touched:
            done.failed |= settle_rest(applying.live, campaign, plan.kind)
        plans = planned.get(campaign_id, PlanCounts())
        counts = done.counts(replace(plans, rejected=0))
        state = _state(counts, done.error, error)
        # What was refused before and waits is told as what it is, and makes no run partial that did all it could.
        waits = applying.live.parts.store.members.rejected(campaign_id) - done.failed if plans.rejected else ()
        counts = replace(counts, rejected=counts.rejected + len(waits))
        claims.finish(campaign_id, Ended(state, counts, done.error))
    rest = applying.of("")
    if rest.salesforce_rows or rest.predictive_rows or rest.failed or plan.counts.test_members:
        claims.extra = claims.extra + PlanCounts(
            salesforce_rows=rest.salesforce_rows,
            predictive_rows=rest.predictive_rows,
            changed=len(rest.counted),
            rejected=len(rest.failed),
            test_members=plan.counts.test_members,
        )


def _state(counts: PlanCounts, failed: str | None, error: PredictiveError | None) -> RunState:
    if error is not None:
        states = {4: RunState.PARTIAL, 130: RunState.CANCELLED}
        return states.get(error.exit_code, RunState.FAILED)
    if failed is not None:
        return RunState.FAILED
    if counts.rejected or counts.drifted:
        return RunState.PARTIAL
    wrote = counts.salesforce_rows or counts.predictive_rows or counts.editions_created
    return RunState.DONE if wrote else RunState.NOTHING_TO_DO
