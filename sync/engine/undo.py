"""Undo: a plan computed from a run's journal, held against both sides as they are now, applied like any other.

Imports the engine's steps. Nothing is written against what a side has become since: a value that moved is drift. What
is restored against its owner's present value is held until the owner agrees or a person releases it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from sync.draft import Fact
from sync.engine.claims import open_claims
from sync.engine.drift import report_moved
from sync.engine.gate import Choice
from sync.engine.live import LiveRun
from sync.engine.parts import Parts
from sync.engine.planning import Draw, Wanted, cost_of_group
from sync.engine.standing import stands
from sync.engine.sync_run import draw_plan, failed_to_plan, read_both, run_to_end, wanted_of
from sync.engine.tally import Tally
from sync.engine.writes import Group, grouped
from sync.errors import Refused, UsageError
from sync.ids import CampaignId, MemberId, PersonId, RunId
from sync.model import Campaign, OrgMember, RunKind, ServiceMember
from sync.plan import Plan, PlanRow
from sync.store.journal import DRIFTED, WRITTEN, JournalRow
from sync.undo import Stays, invert, was
from sync.views import RunView
from sync.words import plural

_CHUNK = 500
_MOST_TOLD = 20
"""Headers whose former values are told."""
_NOTHING = frozenset({RunKind.PLAN, RunKind.VERIFY, RunKind.RELEASE, RunKind.UNLOCK})


def plan_undo(parts: Parts, run_id: RunId, choice: Choice, chosen: Callable[[JournalRow], bool] | None = None) -> Plan:
    """Make and keep the plan that takes a run back; nothing is written.

    Args:
        parts: the engine's tools.
        run_id: the run; of a batch all its parts are taken back, of a part only that.
        choice: tells when to stop.
        chosen: only these rows of the run's journal; all when None.

    Raises:
        UsageError: there is no such run. Refused: it lives, or is of a kind that writes nothing.
        Locked: another live run has one of the campaigns.
    """
    view = _undoable(parts, run_id)
    names = dict(_campaigns_of(parts, view))
    claims = open_claims(parts, RunKind.PLAN, names, cancel=choice.cancel, exclusive=True)
    live = claims.live
    made: list[Plan] = []

    def work() -> None:
        taken = _Taken(view, chosen)
        if claims.held:
            wanted = wanted_of(claims, read_both(live, claims.held, choice), RunKind.UNDO)
        else:
            wanted = Wanted(RunKind.UNDO, (), parts.clock.now())
        for campaign_id in sorted(names.keys() - {campaign.id for campaign in wanted.campaigns}):
            taken.left_out(names[campaign_id])
        wanted = replace(wanted, test_people=None, rows=taken.rows, undoes=run_id, cannot=taken.cannot)
        made.append(draw_plan(claims, wanted))
        taken.report(live)

    result = run_to_end(claims, work)
    if not made or result.exit_code:
        raise failed_to_plan(result)
    return parts.store.plans.get(made[0].plan_id)


def _undoable(parts: Parts, run_id: RunId) -> RunView:
    parts.store.runs.reap()
    view = parts.store.runs.get(run_id)
    if view is None:
        raise UsageError(f"there is no run {run_id!r}", remedy="predictive runs lists them")
    if not view.state.ended:
        raise Refused(
            f"run {run_id} is still at work",
            rule="live",
            remedy=f"wait until it ends, or stop it with predictive runs cancel {run_id}",
        )
    if view.simulated or view.kind in _NOTHING:
        raise Refused(
            f"run {run_id} ({view.kind.value}{', simulated' if view.simulated else ''}) wrote nothing to either side",
            rule="nothing-to-undo",
            remedy="predictive runs lists the runs that did",
        )
    return view


def _campaigns_of(parts: Parts, view: RunView) -> Iterator[tuple[CampaignId, str]]:
    for campaign_id in parts.store.journal.campaigns_of(view.run):
        record = parts.store.campaigns.get(campaign_id)
        if record is not None:
            yield campaign_id, record.campaign.name


@dataclass(slots=True)
class _Taken:
    """What of a run is taken back, while its plan is drawn."""

    view: RunView
    chosen: Callable[[JournalRow], bool] | None
    stays: Counter[str] = field(default_factory=Counter)
    moved: list[PlanRow] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    were: list[str] = field(default_factory=list)

    def left_out(self, name: str) -> None:
        """A campaign of the run that the org does not show, or that another run has."""
        self.gone.append(name)

    # ------------------------------------------------------------ rows

    def rows(self, live: LiveRun, wanted: Wanted, draw: Draw) -> Iterator[PlanRow]:
        """The rows that take the run back, campaign by campaign, counted on the way."""
        by_id = {campaign.id: campaign for campaign in wanted.campaigns}
        sizes = live.parts.store.members.sizes
        for campaign in wanted.campaigns:
            draw.tallies[campaign.id] = Tally(campaign.id, campaign.name, sizes=sizes(campaign.id))
        for campaign_id, records in groupby(self._records(live), key=lambda record: record[0].campaign_id):
            here = by_id.get(CampaignId(campaign_id))
            if here is None:
                self.stays.update(why.value for record in records for why in invert(record, (), None, (), "").stays)
                continue
            source = iter(records)
            while chunk := tuple(islice(source, _CHUNK)):
                live.breathe()
                yield from self._chunk(live, here, chunk, draw)

    def _records(self, live: LiveRun) -> Iterator[Group]:
        """The run's written rows, those of one record together."""
        written = live.parts.store.journal.rows(self.view.run, states=(WRITTEN,))
        rows = (row.planned() for row in written if self.chosen is None or self.chosen(row))
        for _, record in groupby(rows, key=lambda row: (row.campaign_id, row.subject, row.subject_id)):
            group = tuple(record)
            if len(self.were) < _MOST_TOLD:
                self.were += filter(None, map(was, group))
            yield group

    def _chunk(self, live: LiveRun, campaign: Campaign, chunk: Sequence[Group], draw: Draw) -> Iterator[PlanRow]:
        here = present(live, campaign.id, chunk)
        tally = draw.tallies[campaign.id]
        for record in chunk:
            person = PersonId(record[0].subject_id)
            if person in here.between:
                self.stays[Stays.BETWEEN.value] += len(record)
                continue
            inverse = invert(record, here.org.get(person, ()), here.service.get(person), campaign.labels, self.view.run)
            self.stays.update(why.value for why in inverse.stays)
            self.moved += inverse.moved
            tally.drifted += bool(inverse.moved)
            merged = replace(inverse.merged, facts=inverse.merged.facts - {Fact.CONFLICT})
            tally.take(merged)
            for group in grouped(merged.rows):
                cost_of_group(live, group, draw)
            yield from merged.rows

    # ------------------------------------------------------------ what is said

    def cannot(self) -> tuple[str, ...]:
        """What of the run stays as it is, in sentences, what matters most first."""
        counts = self.view.counts
        out = []
        if counts.mails_sent or counts.mails_unknown:
            unknown = f" ({counts.mails_unknown} of unknown fate)" if counts.mails_unknown else ""
            out.append(
                f"{plural(counts.mails_sent, 'e-mail was', 'e-mails were')} sent{unknown}: "
                "what is sent stays sent, with its history"
            )
        if counts.editions_created:
            out.append(
                f"{plural(counts.editions_created, 'edition was', 'editions were')} made in Predictive: "
                "what is made stays there"
            )
        out += [f"{plural(self.stays[why.value], 'row')}: {why.value}" for why in Stays if self.stays[why.value]]
        out += self.were
        out += [f"{name}: Salesforce does not show it, or another run has it; it is left out" for name in self.gone]
        if self.moved:
            out.append(f"{plural(len(self.moved), 'value has', 'values have')} moved since the run: left alone")
        return tuple(out)

    def report(self, live: LiveRun) -> None:
        """Tell what stays, and journal the values that moved under the run that made the plan; who applies it reports
        them as its own."""
        for text in self.cannot():
            live.note(f"cannot be undone: {text}", level="warning")
        report_moved(live, self.moved, f"the value has moved since run {self.view.run}")


@dataclass(frozen=True, slots=True)
class Present:
    """Both sides' rows of people, by the person that a run's journal names.

    Whoever goes on as another record since (a converted lead, the loser of a merge) has the rows of that record, for it
    is the same human. ``between`` are those of whom Predictive was not told so yet: what is restored under the former
    record could not be held, and the next sync would redo it.
    """

    org: Mapping[PersonId, tuple[OrgMember, ...]]
    service: Mapping[PersonId, ServiceMember]
    between: frozenset[PersonId]


def present(live: LiveRun, campaign_id: CampaignId, groups: Iterable[Group]) -> Present:
    """Both sides' rows of the people that *groups* are about."""
    members = live.parts.store.members
    rows = {PersonId(group[0].subject_id): group[0].member_id for group in groups}
    org, service = members.org_rows(campaign_id, list(rows)), members.service_rows(campaign_id, list(rows))
    moved = {MemberId(row): person for person, row in rows.items() if row is not None and person not in org}
    now = members.org_by_member(campaign_id, list(moved)) if moved else {}
    others = [member.person_id for member in now.values()]
    theirs, known = members.org_rows(campaign_id, others), members.service_rows(campaign_id, others)
    between = frozenset(moved[row] for row in now if moved[row] in service)
    for row, member in now.items():
        org[moved[row]] = theirs[member.person_id]
        if moved[row] not in service and member.person_id in known:
            service[moved[row]] = known[member.person_id]
    return Present(org, service, between)


def moved_since(live: LiveRun, plan: Plan, campaigns: Mapping[CampaignId, Campaign]) -> Iterator[PlanRow]:
    """Rows of an undo's plan whose value is no longer the one that the plan showed."""
    for campaign_id in campaigns:
        groups = grouped(live.parts.store.plans.accepted(plan.plan_id, campaign_id=campaign_id))
        while chunk := tuple(islice(groups, _CHUNK)):
            live.breathe()
            here = present(live, campaign_id, chunk)
            for group in chunk:
                person = PersonId(group[0].subject_id)
                org, service = here.org.get(person, ()), here.service.get(person)
                yield from (row for row in group if person in here.between or not _stands(row, org, service))


def _stands(row: PlanRow, org: Sequence[OrgMember], service: ServiceMember | None) -> bool:
    if row.field == "member":
        return (service is None) is (row.before is None) and bool(org) is _expects_member(row)
    return stands(row, row.before, service, org)


def _expects_member(row: PlanRow) -> bool:
    """Whether the org had the member when the plan was made: a removal against it is held, a return with it is not."""
    return row.held if row.before is not None else not row.held


def moved_before(parts: Parts, plan: Plan) -> list[PlanRow]:
    """The rows that had moved already when an undo's plan was made, as its run journalled them."""
    if plan.run is None:
        return []
    return [replace(row.planned(), seq=0) for row in parts.store.journal.rows(plan.run, states=(DRIFTED,))]
