"""Plans made first and applied later: what may still be applied, read again, row by row.

Imports the engine's steps. A plan is refused whole only for another org, service, format, mapping or rule set, when it
was applied already, or when it is older than seven days. A row whose value or base moved since is drift: skipped and
reported, never overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from sync.digest import mapping_digest
from sync.draft import MergeContext
from sync.engine.claims import Claims, open_claims
from sync.engine.confirm import confirm
from sync.engine.drift import report_moved
from sync.engine.feed import read_service
from sync.engine.gate import Choice, check_writable
from sync.engine.live import LiveRun
from sync.engine.parts import Parts
from sync.engine.planning import reopened
from sync.engine.reading import Reading, read_campaigns
from sync.engine.reconcile import reconcile
from sync.engine.sync_run import (
    apply_plan,
    draw_plan,
    failed_to_plan,
    leave_out_unshown,
    never_started,
    read_both,
    run_to_end,
    started_of,
    wanted_of,
)
from sync.engine.undo import moved_before, moved_since
from sync.engine.writes import Group, grouped
from sync.errors import BadPlanFile, Refused
from sync.guard import DELETES, DELETES_RUN, CampaignFigures, judge_plan
from sync.ids import CampaignId, PersonId
from sync.merge import merge
from sync.model import Campaign, OrgMember, RunKind
from sync.plan import OFFERED, PLAN_FORMAT, REMOVALS, RULES_VERSION, CampaignPlan, Change, Plan, PlanRow, Subject
from sync.views import RunResult
from sync.words import plural

TOO_OLD = timedelta(days=7)
LOOKED_AT = timedelta(seconds=60)
_CHUNK = 500
PLANNED_KINDS = (RunKind.MANUAL, RunKind.HOURLY)


def plan_campaigns(parts: Parts, campaigns: Mapping[CampaignId, str], kind: RunKind, choice: Choice) -> Plan:
    """Make a plan and keep it; nothing is written to either side. Campaigns that were never started, that another run
    has or that the org does not show are left out of it, each with the reason.

    Raises:
        Refused: none of the campaigns was ever started. FatalError: the org does not show the only one.
        Locked: another live run has them all.
    """
    ready = started_of(parts, campaigns)
    claims = open_claims(parts, RunKind.PLAN, ready, cancel=choice.cancel, exclusive=True)
    made: list[Plan] = []

    def work() -> None:
        for campaign_id, name in campaigns.items():
            if campaign_id not in ready:
                claims.skip(campaign_id, name, never_started([name]).line())
        reading = read_both(claims.live, claims.held, choice)
        leave_out_unshown(claims, reading)
        left_out = tuple(
            CampaignPlan(key, claims.names[key], skipped=why, refused=key not in ready)
            for key, (why, _) in sorted(claims.skipped.items())
        )
        made.append(draw_plan(claims, replace(wanted_of(claims, reading, kind), left_out=left_out)))

    result = run_to_end(claims, work)
    if not made or result.exit_code:
        raise failed_to_plan(result)
    return made[0]


def check_plan(parts: Parts, plan: Plan) -> None:
    """Raises BadPlanFile when the whole plan may not be applied."""
    why = ""
    if plan.format != PLAN_FORMAT:
        why = f"it has format {plan.format}, this program applies {PLAN_FORMAT}"
    elif plan.rules != RULES_VERSION:
        why = "it was made by other rules"
    elif plan.org_id != parts.org_identity().org_id:
        why = f"it was made for org {plan.org_id}"
    elif plan.service_id != parts.service_id():
        why = f"it was made for service {plan.service_id}"
    elif plan.mapping_digest != mapping_digest(parts.mapping):
        why = "the mapping of field names has changed since"
    elif parts.clock.now() - plan.made_at > TOO_OLD:
        why = f"it is older than {plural(TOO_OLD.days, 'day')}"
    elif (run := parts.store.plans.applied(plan.plan_id)) is not None:
        why = f"it was applied already by run {run}"
    if why:
        raise BadPlanFile(
            f"plan {plan.plan_id} cannot be applied: {why}",
            left_undone="nothing was written",
            remedy="make a new plan",
        )


def apply_saved(parts: Parts, plan_id: str, choice: Choice, *, reread: bool = False) -> RunResult:
    """Apply a stored plan; one that was saved (*reread*), or made more than a minute ago, against a fresh read.

    Raises:
        BadPlanFile: it may not be applied at all. Refused: read-only. Locked: another run has a campaign.
    """
    choice.check()
    check_writable(parts)
    plan = parts.store.plans.get(plan_id)
    check_plan(parts, plan)
    names = {each.campaign_id: each.name for each in plan.campaigns if not each.skipped}
    if not names and plan.undoes is None and plan.retries is None:
        raise BadPlanFile(f"plan {plan_id} has no campaign", left_undone="nothing was written")
    claims = open_claims(parts, plan.kind, names, cancel=choice.cancel, exclusive=True)
    live = claims.live

    def work() -> None:
        for each in plan.campaigns:
            if each.skipped:
                claims.skip(each.campaign_id, each.name, f"not in the plan: {each.skipped}")
        unsettled = reconcile(live)
        people = None
        moved: list[PlanRow] = []
        looked_at = parts.clock.now() - parts.store.plans.kept_at(plan_id)
        if not unsettled and not reread and looked_at <= LOOKED_AT:
            headers = [record.campaign for record in map(parts.store.campaigns.get, claims.held) if record]
        else:
            reading = read_again(live, claims, plan)
            headers = [reading.headers[key] for key in claims.held if key in reading.headers]
            people = reading.test_people
            by_id = {campaign.id: campaign for campaign in headers}
            moved = list(moved_since(live, plan, by_id) if plan.undoes else _moved(live, plan, by_id))
        before = moved_before(parts, plan) if plan.undoes else []
        if plan.undoes is not None:
            parts.store.runs.set_undoes(live.lease, plan.undoes)
        claims.plan_id, claims.cost = plan.plan_id, plan.cost.still_to_come(live.calls())
        report_moved(live, moved)
        report_moved(live, before, f"the value has moved since run {plan.undoes}")
        judged = _with_offers(live, plan)
        apply_plan(claims, judged, headers, choice, people=people, moved=[*moved, *before])

    return run_to_end(claims, work)


def _with_offers(live: LiveRun, plan: Plan) -> Plan:
    """The plan with the guard on removals judged anew, when a person accepted removals that it only offered."""
    store, parts = live.parts.store, live.parts
    figures = []
    for each in plan.campaigns:
        accepted = store.plans.count_accepted(plan.plan_id, changes=OFFERED, campaign_id=each.campaign_id)
        sizes = store.members.sizes(each.campaign_id)
        figures.append(
            CampaignFigures(
                each.campaign_id,
                each.name,
                members=max(sizes.org, sizes.service),
                base=sizes.base,
                org=sizes.org,
                service=sizes.service,
                deletes=each.counts.removed + accepted,
                limits=parts.limits_of(each.campaign_id, each.name),
            )
        )
    if sum(one.deletes for one in figures) == sum(each.counts.removed for each in plan.campaigns):
        return plan
    anew = judge_plan(figures, parts.limits, rules=parts.rules)
    removals = tuple(verdict for verdict in anew if verdict.rule in (DELETES, DELETES_RUN))
    kept = tuple(verdict for verdict in plan.guards if verdict.rule not in (DELETES, DELETES_RUN))
    return replace(plan, guards=(*removals, *kept))


def read_again(live: LiveRun, claims: Claims, plan: Plan) -> Reading:
    """Both sides as they are now; watermarks and the feed make it cheap."""
    reading = read_campaigns(live, claims.held)
    read_service(live, claims.held)
    confirm(live, claims.held)
    if reading.incomplete:
        raise Refused("a read did not finish", rule="incomplete", remedy="try again when both sides answer")
    return reading


def _moved(live: LiveRun, plan: Plan, campaigns: Mapping[CampaignId, Campaign]) -> Iterator[PlanRow]:
    """Rows of the plan that the merge would not make any more."""
    members = live.parts.store.members
    for campaign_id, campaign in campaigns.items():
        context = MergeContext(plan.kind, campaign.labels, plan.made_at, live.parts.off, live.parts.rules)
        groups = grouped(live.parts.store.plans.accepted(plan.plan_id, campaign_id=campaign_id))
        while chunk := tuple(islice(groups, _CHUNK)):
            live.breathe()
            people = [PersonId(group[0].subject_id) for group in chunk]
            former = [person for group in chunk if (person := _formerly(group)) is not None]
            org = members.org_rows(campaign_id, people)
            service = members.service_rows(campaign_id, [*people, *former])
            base = members.base_rows(campaign_id, [*people, *former])
            for group in chunk:
                if group[0].subject not in (Subject.MEMBER, Subject.PERSON):
                    continue
                person = PersonId(group[0].subject_id)
                was = _formerly(group) or person
                before = base.get(person) or base.get(was)
                before = reopened(before) if plan.retries is not None else before
                mine, theirs = service.get(person), service.get(was)
                now = merge(
                    _row_of(org.get(person, ()), group),
                    mine or theirs,
                    before,
                    context,
                    invisible=before is not None and before.invisible,
                    known_as=theirs if mine is not None and was != person else None,
                )
                still = {_signature(row) for row in now.rows}
                yield from (row for row in group if _signature(row) not in still)


def _formerly(group: Group) -> PersonId | None:
    """The person under whom the service may know the member so far."""
    names = ("was", "lead_id")
    return next((PersonId(row.values[name]) for row in group for name in names if row.values.get(name)), None)


def _row_of(rows: Sequence[OrgMember], group: Group) -> OrgMember | None:
    """The member row that a group is about: its own, where a person has several; else the primary one."""
    return next((row for row in rows if row.member_id == group[0].member_id), rows[0] if rows else None)


def _signature(row: PlanRow) -> tuple[object, ...]:
    if row.change is Change.ADD:
        return (row.side, row.change, str(sorted(row.values.items(), key=lambda item: item[0])))
    if row.on_arrival:
        return (row.side, row.change, row.field)
    return (row.side, row.change, row.field, row.before if row.change not in REMOVALS else None, row.after)
