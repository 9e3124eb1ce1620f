"""Makes a plan: the members that differ, merged one by one, streamed to the store; headers and test people; its cost.

Imports the pure core, ports and the store. Nothing is written to either side, nothing to the base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from sync.budget import cost, service_batches
from sync.cheap import cheap
from sync.digest import mapping_digest, test_people_digest
from sync.draft import INBOUND, MergeContext, Merged, member_label
from sync.engine import content
from sync.engine.fixed_type import type_verdict
from sync.engine.foresee import estimate_note, foresee, locks_note, serial_note
from sync.engine.live import LiveRun
from sync.engine.parts import Parts
from sync.engine.tally import Tally
from sync.engine.writes import grouped, org_write
from sync.guard import judge_plan
from sync.holds import release_command, stays_held
from sync.ids import CampaignId, PersonId, RunId
from sync.merge import merge
from sync.model import (
    BaseMember,
    Calls,
    Campaign,
    JobWait,
    OrgMember,
    RunKind,
    ServiceMember,
    Side,
    StatusState,
    TestPerson,
)
from sync.plan import CampaignPlan, Change, GuardVerdict, Plan, PlanCounts, PlanRow, Subject, numbered
from sync.ports import OrgWrite, PreparedItem, WriteMeter
from sync.rules import Rule
from sync.store.database import chunks
from sync.store.facts import HEADER_PUSHED
from sync.store.plans import BIG_PLAN
from sync.words import plural

NOTES = 200
"""Notes on single members that are told."""

_NOTES_OF_PLAN = 100
_MIRRORS = 500
"""Mirrors that are looked at together."""

_ROW_SECONDS = 0.0001
"""What is done beside the requests for a row of a plan, before any plan told."""


@dataclass(frozen=True, slots=True)
class Only:
    """The rows that a retry is about.

    Attributes:
        people: (campaign, record) of each; the campaign is "" for what belongs to none.
        whole: those of which every row is meant, because they failed to arrive or to leave.
        fields: (side, record, field) of the rows that failed.
    """

    people: frozenset[tuple[str, str]]
    whole: frozenset[tuple[str, str]]
    fields: frozenset[tuple[Side, str, str]]

    def takes(self, row: PlanRow) -> bool:
        """True when the row is one of those."""
        return (row.campaign_id, row.subject_id) in self.whole or (row.side, row.subject_id, row.field) in self.fields


def reopened(base: BaseMember | None) -> BaseMember | None:
    """The base of a member whose rejected or held status is to be decided anew."""
    stuck = base is not None and base.status_state in (StatusState.HELD, StatusState.REJECTED)
    return replace(base, status_state=StatusState.PENDING) if base is not None and stuck else base


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is to be made of.

    Attributes:
        kind: of the merge. campaigns: those in scope. at: the org's clock.
        test_people: the org's global test members, None to leave the service's list alone.
        incomplete: reads that did not finish. closed: campaigns of which only opt-outs still go to the org.
        extra: calls that follow the writes (statistics, edition ids). further: org rows that the run will add.
        statistics: editions, clicks and history go to the org, too.
        ticks: people whose opt-out box is to be ticked.
        due: mails that a simulation foresees; their effect on the org is estimated and counted with the rows.
        rows: where the rows come from, when it is not the merge of what differs.
        only: the rows that a retry is about; all when None.
        left_out: campaigns that were asked for and are not planned, each with the reason.
        undoes, cannot, retries: as in ``Plan``; *cannot* is asked once all rows were taken.
    """

    kind: RunKind
    campaigns: Sequence[Campaign]
    at: datetime
    test_people: tuple[TestPerson, ...] | None = None
    incomplete: dict[CampaignId, str] = field(default_factory=dict)
    closed: frozenset[CampaignId] = frozenset()
    extra: Calls = Calls()
    ticks: tuple[PersonId, ...] = ()
    statistics: bool = True
    further: tuple[OrgWrite, ...] = ()
    notes: tuple[str, ...] = ()
    due: tuple[PreparedItem, ...] = ()
    rows: Callable[[LiveRun, Wanted, Draw], Iterator[PlanRow]] | None = None
    undoes: RunId | None = None
    cannot: Callable[[], tuple[str, ...]] = tuple
    retries: RunId | None = None
    only: Only | None = None
    left_out: tuple[CampaignPlan, ...] = ()


@dataclass(slots=True)
class Draw:
    """A plan while it is being drawn up: counts, and no rows, however many there are.

    Attributes:
        meter: of the calls that the org's rows will take.
        tallies: counts by campaign. notes: the first of them, for people.
        service_rows: records by campaign. single_calls: further requests to the service.
        rows, offered: as in ``Plan``. canaries: test members that are gone.
        ticked: people whose opt-out box has a row already.
    """

    meter: WriteMeter
    tallies: dict[CampaignId, Tally] = field(default_factory=dict)
    notes: list[tuple[CampaignId, str]] = field(default_factory=list)
    service_rows: dict[CampaignId, int] = field(default_factory=dict)
    single_calls: int = 0
    rows: int = 0
    offered: int = 0
    canaries: list[str] = field(default_factory=list)
    ticked: set[str] = field(default_factory=set)

    def count(self, writes: Iterable[OrgWrite]) -> int:
        """Let writes pass the meter; how many they were."""
        passed = 0
        for write in writes:
            self.meter.add(write)
            passed += 1
        return passed

    def note(self, campaign_id: CampaignId, texts: Iterable[str]) -> None:
        """Keep what is to be said, as long as somebody would read it."""
        self.notes += ((campaign_id, text) for text in islice(texts, max(0, NOTES - len(self.notes))))


def make_plan(live: LiveRun, plan_id: str, wanted: Wanted) -> tuple[Plan, Draw]:
    """Draw up a plan and keep it in the store.

    Returns:
        The plan's header, and what else was found: notes, rejections, tallies.
    """
    parts = live.parts
    org_id, service_id = parts.org_identity().org_id, parts.service_id()
    draw = Draw(parts.org.meter())

    def rows() -> Iterator[PlanRow]:
        for row in (wanted.rows or _rows)(live, wanted, draw):
            draw.rows += 1
            draw.offered += row.offered
            yield numbered(row, draw.rows)

    def header() -> Plan:
        draw.count(wanted.further)
        foreseen = draw.count(foresee(parts, wanted.due, draw.tallies))
        batches = service_batches(draw.service_rows.values()) + draw.single_calls
        writes = draw.meter.cost()
        to_come = Calls(writes.expected, batches) + wanted.extra
        plan_cost = cost(
            live.calls(),
            salesforce=writes,
            predictive=batches,
            after=wanted.extra,
            least=live.least,
            seconds=_seconds(parts, to_come, draw.rows - draw.offered, writes.waits),
        )
        tallies = draw.tallies.values()
        counts = sum((tally.counts for tally in tallies), start=PlanCounts())
        if wanted.test_people is not None:
            counts = replace(counts, test_members=len(wanted.test_people))
        return Plan(
            plan_id=plan_id,
            kind=wanted.kind,
            made_at=wanted.at,
            org_id=org_id,
            service_id=service_id,
            mapping_digest=mapping_digest(parts.mapping),
            campaigns=(*(tally.plan() for tally in tallies), *wanted.left_out),
            counts=counts,
            cost=plan_cost,
            guards=tuple(_types(parts, wanted))
            + judge_plan(
                [tally.figures for tally in tallies],
                parts.limits,
                canaries_gone=(*canaries_gone(live, wanted.test_people), *draw.canaries)
                if wanted.kind in INBOUND and wanted.test_people is not None
                else None,
                rules=parts.rules,
            ),
            rows=draw.rows,
            offered=draw.offered,
            run=live.run,
            undoes=wanted.undoes,
            cannot=wanted.cannot(),
            retries=wanted.retries,
            notes=(
                *wanted.notes,
                *((estimate_note(foreseen),) if foreseen else ()),
                *((note,) if (note := serial_note(writes.waits)) else ()),
                *((locks_note(writes, plan_cost.predicted.salesforce),) if writes.locked > writes.expected else ()),
                *(text for _, text in draw.notes[:_NOTES_OF_PLAN]),
            ),
        )

    return parts.store.plans.save(plan_id, rows(), header), draw


def _types(parts: Parts, wanted: Wanted) -> Iterator[GuardVerdict]:
    """Campaigns whose type was changed after they had editions."""
    if wanted.kind in INBOUND:
        yield from (verdict for campaign in wanted.campaigns if (verdict := type_verdict(parts, campaign)) is not None)


def _seconds(parts: Parts, to_come: Calls, rows: int, waits: Iterable[JobWait]) -> float:
    """How long carrying out *rows* rows takes: so many requests at the pace of the last ones, and the wait for Bulk
    jobs; with all that is done beside as long as the last big plans took for as many rows."""
    ledger = parts.store.ledger
    salesforce, predictive = ledger.pace(Side.SALESFORCE) or 0.0, ledger.pace(Side.PREDICTIVE) or 0.0
    outside = to_come.salesforce * salesforce + to_come.predictive * predictive
    outside += sum(map(parts.org.job_seconds, waits))
    pace = parts.store.plans.pace() if rows >= BIG_PLAN else None
    return outside + rows * _ROW_SECONDS if pace is None else max(outside, rows * pace)


def canaries_gone(live: LiveRun, present: tuple[TestPerson, ...] | None) -> tuple[str, ...]:
    """Global test members that the org had at the last sync and has no more."""
    if present is None:
        return ()
    here = {person.person_id for person in present}
    return tuple(_named(person) for person in live.parts.store.people.test_people() if person.person_id not in here)


def _rows(live: LiveRun, wanted: Wanted, draw: Draw) -> Iterator[PlanRow]:
    """All rows of a plan, in the order in which they are applied, counted on the way."""
    if wanted.kind in INBOUND and wanted.test_people is not None:
        yield from _test_people_row(live, wanted, draw)
    store = live.parts.store
    touched = set(store.campaigns.touched())
    statistics = wanted.kind is RunKind.HOURLY and wanted.statistics
    due = store.content.campaigns_due() if statistics else frozenset[CampaignId]()
    for campaign in wanted.campaigns:
        tally = draw.tallies.setdefault(campaign.id, Tally(campaign.id, campaign.name))
        tally.limits = live.parts.limits_of(campaign.id, campaign.name)
        tally.incomplete = wanted.incomplete.get(campaign.id, "")
        tally.sizes = store.members.sizes(campaign.id)
        if wanted.kind in INBOUND and wanted.only is None:
            yield from _header_row(live, campaign, tally, draw)
        if wanted.kind is RunKind.INITIAL and (held := live.parts.store.members.count_held(campaign.id)):
            draw.note(campaign.id, (f"{stays_held(held)}: {release_command(campaign.id)}",))
        if campaign.id not in wanted.closed and campaign.id in touched:
            yield from _member_rows(live, wanted, campaign, tally, draw)
        if campaign.id in due:
            for row, write in content.rows(live.parts, campaign.id):
                if wanted.only is not None and not wanted.only.takes(row):
                    continue
                tally.row(row)
                tally.editions_updated += row.change is Change.EDITION
                draw.meter.add(write)
                yield row
        live.breathe()
    yield from _tick_rows(live, wanted, draw)


def _member_rows(live: LiveRun, wanted: Wanted, campaign: Campaign, tally: Tally, draw: Draw) -> Iterator[PlanRow]:
    context = MergeContext(wanted.kind, campaign.labels, wanted.at, live.parts.off, live.parts.rules)
    testers = {person.person_id for person in live.parts.store.people.test_people()}
    known = live.parts.store.members.count_known((campaign.id,)).get(campaign.id, 0)
    mirrored = known > tally.sizes.org
    only = wanted.only
    for each in differing(live, campaign.id):
        org, service, base = each.org, each.service, each.base
        if only is not None:
            here = org or service
            if here is None or (campaign.id, here.person_id) not in only.people:
                continue
            base = reopened(base)
        invisible = base is not None and base.invisible
        merged = merge(org, service, base, context, invisible=invisible, known_as=each.known_as)
        if org is not None and service is None and base is not None and org.person_id in testers:
            draw.canaries.append(f"{member_label(org)} in Predictive")
        if only is not None:
            merged = replace(merged, rows=tuple(row for row in merged.rows if only.takes(row)), notes=())
        merged = _once_per_person(merged, draw)
        tally.take(merged)
        draw.note(campaign.id, merged.notes)
        for group in grouped(merged.rows):
            cost_of_group(live, group, draw)
        yield from merged.rows
    if mirrored and Rule.MIRRORS in context.rules and members_touched(live, campaign.id):
        for row in _mirrors(live, campaign.id, context, draw, only):
            tally.row(row)
            yield row


def _mirrors(
    live: LiveRun, campaign_id: CampaignId, context: MergeContext, draw: Draw, only: Only | None
) -> Iterator[PlanRow]:
    """Rows for further member rows of the same person (a lead and the contact made from it, both members): the oldest
    is primary, the others mirror it in the org."""
    members = live.parts.store.members
    for some in chunks(members.stream_mirrors(campaign_id), _MIRRORS):
        live.breathe()
        people = [mirror.person_id for mirror in some]
        service, base = members.service_rows(campaign_id, people), members.base_rows(campaign_id, people)
        for mirror in some:
            agreed = base.get(mirror.person_id)
            if agreed is not None and agreed.invisible:
                continue
            # What was agreed of the primary row holds for its mirrors.
            mirrored = replace(agreed, member_id=mirror.member_id) if agreed is not None else None
            merged = merge(mirror, service.get(mirror.person_id), mirrored, context)
            rows = [row for row in merged.rows if row.side is Side.SALESFORCE and row.subject is Subject.MEMBER]
            rows = [row for row in rows if only is None or only.takes(row)]
            for group in grouped(rows):
                cost_of_group(live, group, draw)
            yield from rows


def _once_per_person(merged: Merged, draw: Draw) -> Merged:
    """Keep a row about a lead or contact only once, however many campaigns the person is in."""
    people = [row for row in merged.rows if row.subject is Subject.PERSON]
    if not people:
        return merged
    repeated = {row.subject_id for row in people if row.subject_id in draw.ticked}
    draw.ticked |= {row.subject_id for row in people}
    if not repeated:
        return merged
    return replace(merged, rows=tuple(row for row in merged.rows if row.subject is not Subject.PERSON))


def cost_of_group(live: LiveRun, group: tuple[PlanRow, ...], draw: Draw) -> None:
    """Count the writes that a record's rows become, on either side."""
    org: list[PlanRow] = []
    arrives = False
    for row in group:
        if row.side is Side.SALESFORCE:
            org.append(row)
        elif not row.offered:
            arrives = True
    if arrives:
        key = CampaignId(group[0].campaign_id)
        draw.service_rows[key] = draw.service_rows.get(key, 0) + 1
    write = org_write(tuple(org), live.parts.mapping, None) if org else None
    if write is not None:
        draw.meter.add(write)


@cheap
@dataclass(frozen=True, slots=True)
class Differing:
    """One member that differs. ``known_as``: what the service has of the same human under a former id, too."""

    org: OrgMember | None
    service: ServiceMember | None
    base: BaseMember | None
    known_as: ServiceMember | None = None


def differing(live: LiveRun, campaign_id: CampaignId) -> Iterator[Differing]:
    """The members that differ. Somebody known under a former id (a converted lead, a merged record) comes once."""
    members = live.parts.store.members
    if not members_touched(live, campaign_id):
        return
    moved = _moved(live, campaign_id)
    now = set(moved.values())
    for org, service, base in members.differing(campaign_id):
        live.breathe()
        if org is None and service is not None and service.person_id in moved:
            yield _goes_on(live, campaign_id, moved[service.person_id], service, base)
        elif org is None or org.person_id not in now:
            yield Differing(org, service, base)


def _moved(live: LiveRun, campaign_id: CampaignId) -> dict[PersonId, PersonId]:
    """Persons that the service has and whose member row belongs to somebody else by now, and to whom: the same human
    under another id."""
    rules, members = live.parts.rules, live.parts.store.members
    found: dict[PersonId, PersonId] = {}
    for former, org in members.moved(campaign_id):
        converted = org.lead_id == former
        if (Rule.CONVERSION if converted else Rule.PEOPLE_MERGED) in rules:
            found[former] = org.person_id
    known = members.service_rows(campaign_id, list(found))
    return {former: now for former, now in found.items() if former in known}


def _goes_on(
    live: LiveRun, campaign_id: CampaignId, person: PersonId, service: ServiceMember, base: BaseMember | None
) -> Differing:
    """The member under its new id."""
    members = live.parts.store.members
    org = members.org_rows(campaign_id, (person,)).get(person, (None,))[0]
    here = members.service_rows(campaign_id, (person,)).get(person)
    agreed = members.base_rows(campaign_id, (person,)).get(person)
    if here is None:
        if agreed is not None and agreed.invisible:
            return Differing(org, service, agreed)
        # Whatever hid the former id: the row was read under the new one since.
        return Differing(org, service, replace(base, invisible=False) if base is not None else None)
    return Differing(org, here, agreed, known_as=service)


def members_touched(live: LiveRun, campaign_id: CampaignId) -> bool:
    """True when something landed since both sides were last found in step."""
    return bool(live.parts.store.campaigns.touched((campaign_id,)))


def _header_row(live: LiveRun, campaign: Campaign, tally: Tally, draw: Draw) -> Iterator[PlanRow]:
    record = live.parts.store.campaigns.get(campaign.id)
    pushed = record.pushed_digest if record is not None else None
    if pushed == live.parts.header_digest(campaign) or Rule.HEADER not in live.parts.rules:
        return
    draw.single_calls += 1
    before = live.parts.store.facts.get(HEADER_PUSHED + campaign.id)
    row = header_row(campaign, live.parts.time_zone, first=pushed is None, before=before)
    tally.row(row)
    yield row


def header_row(campaign: Campaign, time_zone: str, *, first: bool, before: str | None) -> PlanRow:
    """The push of a campaign's header with its status labels and the org's time zone, by which the service knows its
    days; *before*: the one that the service has, in words."""
    dates = f"{campaign.start_date or '…'} to {campaign.end_date or '…'}"
    kind = campaign.type.value if campaign.type else campaign.type_label
    active = "active" if campaign.is_active else "inactive"
    labels = plural(len(campaign.labels), "status", "statuses")
    after = f"{campaign.name}, {kind}, {active}, {dates} ({time_zone}), {labels}"
    changed = "its statuses, or what levels set, have changed" if after == before else "changed in Salesforce"
    return PlanRow(
        seq=0,
        side=Side.PREDICTIVE,
        campaign_id=campaign.id,
        subject=Subject.CAMPAIGN,
        subject_id=campaign.id,
        label=campaign.name,
        change=Change.HEADER,
        field="header",
        before=before,
        after=after,
        reason="the campaign is new to Predictive" if first else changed,
        rule="salesforce-owns",
    )


def _test_people_row(live: LiveRun, wanted: Wanted, draw: Draw) -> Iterator[PlanRow]:
    people = wanted.test_people or ()
    if live.parts.store.people.test_people_pushed() == test_people_digest(people):
        return
    if Rule.TEST_LIST not in live.parts.rules:
        return
    draw.single_calls += 1
    known = {person.person_id: person for person in live.parts.store.people.test_people()}
    now = {person.person_id: person for person in people}
    moved = {
        "added": [_named(person) for key, person in now.items() if key not in known],
        "removed": [_named(person) for key, person in known.items() if key not in now],
    }
    yield PlanRow(
        seq=0,
        side=Side.PREDICTIVE,
        campaign_id=CampaignId(""),
        subject=Subject.TEST_PEOPLE,
        subject_id="test-people",
        label="global test members",
        change=Change.TEST_PEOPLE,
        field="test_people",
        before=plural(len(known), "person", "people") if known else None,
        after=plural(len(people), "person", "people"),
        reason="the org's list of global test members",
        rule="salesforce-owns",
        values={name: who for name, who in moved.items() if who},
    )


def _named(person: TestPerson) -> str:
    """Somebody as people know him."""
    return f"{person.first_name or ''} {person.last_name or ''} <{person.email or ''}>".strip()


def _tick_rows(live: LiveRun, wanted: Wanted, draw: Draw) -> Iterator[PlanRow]:
    """Boxes of people who opted out in the service and whose members gave no row (closed campaigns, former members)."""
    for person_id in wanted.ticks:
        if person_id in draw.ticked:
            continue
        draw.ticked.add(person_id)
        row = PlanRow(
            seq=0,
            side=Side.SALESFORCE,
            campaign_id=CampaignId(""),
            subject=Subject.PERSON,
            subject_id=person_id,
            label=person_id,
            change=Change.OPT_OUT,
            field="opted_out",
            before=False,
            after=True,
            reason="opted out of everything in Predictive",
            rule="opt-out",
        )
        write = org_write((row,), live.parts.mapping, None)
        if write is not None:
            draw.meter.add(write)
        yield row
