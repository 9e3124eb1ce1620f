"""Simulation of a batch at any instant: what would be mailed, what would be written, what it would cost.

Imports the engine's steps. Nothing is written to either side and nothing is sent; its own reads are counted and said.
"""

from __future__ import annotations

from datetime import datetime

from sync.engine.claims import Claims, Ended, open_claims
from sync.engine.feed import read_service
from sync.engine.foresee import ESTIMATE
from sync.engine.gate import Choice, decide
from sync.engine.governor import foresee
from sync.engine.hourly import Hour, flood, hourly_plan, opt_out_rows, read_headers
from sync.engine.nightly import read_night
from sync.engine.parts import Parts
from sync.engine.reading import check_absence
from sync.engine.reconcile import reconcile
from sync.engine.sync_run import draw_plan, run_to_end, wanted_of
from sync.errors import UsageError
from sync.model import Calls, RunKind, RunState
from sync.plan import Plan, PlanCounts
from sync.views import RunResult
from sync.words import plural


def simulate(parts: Parts, kind: RunKind, at: datetime | None, choice: Choice) -> RunResult:
    """Simulate the hourly or nightly batch at *at* (now when None).

    Raises:
        UsageError: another kind.
    """
    if kind not in (RunKind.HOURLY, RunKind.NIGHTLY):
        raise UsageError(f"{kind.value} cannot be simulated", remedy="hourly and nightly can; the others have a plan")
    claims = open_claims(parts, kind, {}, cancel=choice.cancel, batch=True, simulated=True)
    live = claims.live

    def work() -> None:
        live.note("simulation: nothing is written and nothing is sent; its own reads are counted")
        reconcile(live)
        plan = _night(claims, at, choice) if kind is RunKind.NIGHTLY else _hour(claims, at, choice)
        if plan is not None:
            _tell(claims, plan, choice)
        else:
            claims.foresee_nothing_more()

    return run_to_end(claims, work)


def _night(claims: Claims, at: datetime | None, choice: Choice) -> Plan | None:
    reading = read_night(claims, at)
    check_absence(claims.live, reading)
    if not claims.held:
        return None
    read_service(claims.live, claims.held)
    from dataclasses import replace

    return draw_plan(claims, replace(wanted_of(claims, reading, RunKind.NIGHTLY), extra=Calls(0, 1)))


def _hour(claims: Claims, at: datetime | None, choice: Choice) -> Plan | None:
    parts = claims.live.parts
    for record in parts.store.campaigns.all():
        if record.started and not record.paused and not record.locked:
            claims.claim(record.campaign.id, record.campaign.name)
    if not claims.held:
        return None
    hour = Hour(claims)
    read_service(claims.live, claims.held)
    read_headers(hour)
    campaigns = [key for key in claims.held if key in hour.headers and key not in hour.late]
    prepared = parts.service.prepare(at, campaigns, dry_run=True, key=f"{claims.live.run}:dry")
    flood(hour, prepared, choice)
    hour.refused = {}
    for item in prepared.items:
        claims.live.note(
            f"{claims.names.get(item.campaign_id, item.campaign_id)}, {item.name}: "
            f"{plural(item.count, 'mail')} would be sent",
            campaign_id=item.campaign_id,
        )
    hour.count(due=prepared.items)
    _safety_first(hour)
    plan, _ = hourly_plan(hour, due=prepared.items)
    for text in plan.notes:
        if text.startswith(ESTIMATE):
            claims.live.note(text)
    return plan


def _safety_first(hour: Hour) -> None:
    """Count the headers and opt-outs that would go to the service before anything is sent."""
    live = hour.claims.live
    records = live.parts.store.campaigns
    held = {key: header for key, header in hour.headers.items() if key in hour.claims.held}
    for campaign_id, campaign in held.items():
        record = records.get(campaign_id)
        if record is not None and record.pushed_digest != live.parts.header_digest(campaign):
            hour.claims.extra += PlanCounts(predictive_rows=1)
    rows, _ = opt_out_rows(live.parts, held)
    people = {row.subject_id for here in rows.values() for row in here}
    if people:
        hour.claims.extra += PlanCounts(predictive_rows=len(people))
        live.note(
            f"{plural(len(people), 'person', 'people')} newly opted out in Salesforce would be opted out in Predictive "
            "first; mails due to them are counted here and would not go"
        )


def _tell(claims: Claims, plan: Plan, choice: Choice) -> None:
    """End each campaign with what is planned for it, and say whether guards and budget would let it pass."""
    live = claims.live
    passage = decide(plan, choice)
    live.guarded(passage.verdicts)
    needed = max(0, plan.cost.predicted.salesforce - live.calls().salesforce)
    verdict = foresee(live.parts, needed)
    live.note(f"budget: {verdict.text}", level="info" if verdict.passed else "warning")
    for each in plan.campaigns:
        rows = each.counts.salesforce_rows + each.counts.predictive_rows
        state = RunState.DONE if rows else RunState.NOTHING_TO_DO
        claims.finish(each.campaign_id, Ended(state, each.counts, guards=passage.refused.get(each.campaign_id, ())))
    rest = plan.counts
    for each in plan.campaigns:
        rest = PlanCounts(**{name: getattr(rest, name) - getattr(each.counts, name) for name in PlanCounts.__slots__})
    claims.extra = claims.extra + rest
