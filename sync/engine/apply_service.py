"""Writes a plan's rows to the service: header, test people, members in batches, each journalled before and after.

Imports values, ports and the store. A batch is intent → call → outcome; with the outcome, in one transaction, go the
journal rows, the service's rows as they are now, and the base.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from sync.budget import SERVICE_BATCH
from sync.digest import test_people_digest
from sync.draft import INBOUND
from sync.engine.feed import read_whole
from sync.engine.fixed_type import with_its_type
from sync.engine.live import LiveRun
from sync.engine.lockout import as_critical, check_answers, lock_out
from sync.engine.standing import stands
from sync.engine.tally import Done
from sync.engine.writes import Group, grouped, patched_service, restored, service_write
from sync.errors import OutcomeUnknown, PredictiveError, QuotaExhausted, RemoteRejected
from sync.events import Event, Phase, RowFailed
from sync.ids import CampaignId, PersonId
from sync.merge import SEEDED
from sync.model import BaseMember, Campaign, OrgMember, ServiceMember, Side, TestPerson
from sync.plan import REMOVALS, Change, PlanRow, numbered
from sync.ports import MemberOutcome, MemberWrite
from sync.rules import Rule
from sync.settle import kept_in, kept_out, settle
from sync.store.facts import HEADER_PUSHED
from sync.store.journal import JournalRow, Landing

STALE_REMEDY = "somebody else changed the member meanwhile; run the sync again"


@dataclass(slots=True)
class Applying:
    """An apply in progress.

    ``campaigns`` are those that may be written; ``skip`` numbers rows of the plan that no longer hold; ``done`` tells
    what was done, by campaign ("" for what belongs to none).
    """

    live: LiveRun
    plan_id: str
    campaigns: dict[CampaignId, Campaign]
    done: dict[str, Done] = field(default_factory=dict)
    without_deletes: bool = False
    skip: frozenset[int] = frozenset()

    def of(self, campaign_id: str) -> Done:
        """What was done to a campaign."""
        done = self.done.get(campaign_id)
        if done is None:
            done = self.done[campaign_id] = Done()
        return done

    def numbered(self, group: Sequence[PlanRow]) -> tuple[PlanRow, ...]:
        """Rows with numbers of the run's journal: the plan's own, or new ones for rows that are in no plan."""
        if group[0].seq:
            return tuple(group)
        first = self.live.number_rows(len(group))
        return tuple(numbered(row, first + index) for index, row in enumerate(group))


def write_header(applying: Applying, row: PlanRow) -> None:
    """Push a campaign's header, and read its editions anew: dates and active decide what blocks them.

    Raises:
        RemoteRejected: the service refuses the header, for example an end before the start; journalled as refused.
    """
    live = applying.live
    campaign = applying.campaigns[CampaignId(row.campaign_id)]
    (row,) = applying.numbered((row,))
    batch = live.next_batch()
    key = f"{live.run}:{batch}"
    journal = live.parts.store.journal
    journal.record_intent(
        live.lease, batch, Side.PREDICTIVE, {"header": row.campaign_id}, campaign_id=campaign.id, key=key
    )
    settings = live.parts.settings
    live.about_to(predictive=1)
    whole = with_its_type(live.parts, campaign)
    try:
        live.parts.service.put_campaign(
            whole, status_on=dict(settings.status_on), time_zone=live.parts.time_zone, key=key
        )
    except RemoteRejected as error:
        refused = JournalRow.of(row, "rejected", code=error.code or "INVALID", message=error.what, remedy=error.remedy)
        journal.record_outcome(live.lease, batch, [refused])
        raise
    with live.parts.store.transaction():
        live.parts.store.campaigns.set_pushed(campaign.id, live.parts.header_digest(campaign))
        live.parts.store.facts.set(HEADER_PUSHED + campaign.id, str(row.after))
        journal.record_outcome(live.lease, batch, [JournalRow.of(row, "written")])
    applying.of(campaign.id).wrote(campaign.id, (row,), whole=True)


def write_test_people(applying: Applying, row: PlanRow, people: tuple[TestPerson, ...]) -> None:
    """Replace the service's list of global test members."""
    live = applying.live
    (row,) = applying.numbered((row,))
    batch = live.next_batch()
    key = f"{live.run}:{batch}"
    store = live.parts.store
    store.journal.record_intent(live.lease, batch, Side.PREDICTIVE, {"test_people": len(people)}, key=key)
    live.parts.service.put_test_members(people, key=key)
    with store.transaction():
        store.people.land_test_people(people)
        store.people.set_test_people_pushed(test_people_digest(people))
        store.journal.record_outcome(live.lease, batch, [JournalRow.of(row, "written")])
    applying.of("").wrote("test-people", (row,), whole=True)


def write_members(applying: Applying, campaign_id: CampaignId, rows: Iterable[PlanRow]) -> None:
    """Write one campaign's member rows, up to 5,000 persons a request.

    Raises:
        Cancelled: between two batches.
        OutcomeUnknown: a batch got no answer even after repeats; its intent stays for reconciling.
    """
    live = applying.live
    groups = grouped(rows)
    while batch := tuple(islice(groups, SERVICE_BATCH)):
        live.between_batches()
        stale = _write_batch(applying, campaign_id, batch)
        if stale:
            _again(applying, campaign_id, stale)
        done = applying.of(campaign_id)
        live.progress(Phase.WRITE_PREDICTIVE, done.predictive_rows, None)


def _again(applying: Applying, campaign_id: CampaignId, stale: tuple[Group, ...]) -> None:
    """Rows whose version had moved: read the campaign whole, and write what still applies once more."""
    live = applying.live
    read_whole(live, campaign_id)
    fresh = live.parts.store.members.service_rows(campaign_id, [PersonId(group[0].subject_id) for group in stale])
    same: list[Group] = []
    moved: list[Group] = []
    for group in stale:
        now = fresh.get(PersonId(group[0].subject_id))
        if now is not None and all(_still(row, now) for row in group):
            same.append(tuple(replace(row, version=now.version) for row in group))
        else:
            moved.append(group)
    left = _write_batch(applying, campaign_id, tuple(same)) if same else ()
    for group in (*moved, *left):
        _drift(applying, campaign_id, group)


def _still(row: PlanRow, now: ServiceMember) -> bool:
    """True when the service's value is still the one that the plan showed (whole members: still there), or is what the
    row would write: an opt-out by one campaign's member is in all the others."""
    if row.change in (Change.ADD, Change.IDENTITY, *REMOVALS):
        return True
    return any(stands(row, value, now, ()) for value in (row.before, row.after))


def _drift(applying: Applying, campaign_id: CampaignId, group: Group) -> None:
    live = applying.live
    group = applying.numbered(group)
    batch = live.next_batch()
    journal = live.parts.store.journal
    events = [
        live.stamp(
            RowFailed(
                live.run,
                row.side,
                campaign_id,
                row.subject_id,
                row.label,
                row.field,
                "STALE",
                "the value in Predictive had moved since it was read",
                STALE_REMEDY,
                True,
            )
        )
        for row in group
    ]
    rows = [
        JournalRow.of(row, "drifted", code="STALE", message="the value had moved", remedy=STALE_REMEDY) for row in group
    ]
    journal.record_intent(live.lease, batch, Side.PREDICTIVE, {"drifted": len(rows)}, campaign_id=campaign_id)
    journal.record_outcome(live.lease, batch, rows, events=events)
    live.tell(events)
    applying.of(campaign_id).drifted.add(group[0].subject_id)


def _write_batch(applying: Applying, campaign_id: CampaignId, groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """One request with its journal; the groups whose version had moved."""
    live = applying.live
    store = live.parts.store
    batch = live.next_batch()
    key = f"{live.run}:{batch}"
    writes = [service_write(group) for group in groups]
    intent = {
        "members": [[write.person_id, write.delete] for write in writes],
        "plan": applying.plan_id,
        "rows": [row.seq for group in groups for row in group if row.seq],
    }
    store.journal.record_intent(live.lease, batch, Side.PREDICTIVE, intent, campaign_id=campaign_id, key=key)
    with live.parts.made_for(campaign_id=campaign_id):
        outcomes = live.parts.service.write_members(campaign_id, writes, key=key)
    check_answers(
        (campaign_id, write.person_id, outcome.person_id) for write, outcome in zip(writes, outcomes, strict=True)
    )
    landing = _Landing(applying, campaign_id, writes)
    stale: list[Group] = []
    for group, write, outcome in zip(groups, writes, outcomes, strict=True):
        if outcome.outcome == "stale":
            stale.append(group)
        elif outcome.outcome == "invalid":
            landing.invalid(applying.numbered(group), outcome)
        else:
            landing.written(applying.numbered(group), write, outcome)
    landing.commit(batch)
    return tuple(stale)


class _Landing:
    """What a batch's answer changes in the store."""

    def __init__(self, applying: Applying, campaign_id: CampaignId, writes: Sequence[MemberWrite]) -> None:
        self._applying = applying
        self._campaign_id = campaign_id
        members = applying.live.parts.store.members
        persons = [write.person_id for write in writes]
        formerly = [person for write in writes if (person := _formerly(write)) is not None]
        self._service = members.service_rows(campaign_id, [*persons, *formerly])
        self._org = members.org_rows(campaign_id, persons)
        self._base = members.base_rows(campaign_id, [*persons, *formerly])
        self._rows: list[JournalRow] = []
        self._events: list[Event] = []
        self._put: list[ServiceMember] = []
        self._bases: list[BaseMember] = []
        self._gone: list[tuple[CampaignId, PersonId]] = []
        self._base_gone: list[tuple[CampaignId, PersonId]] = []
        self._told: list[PersonId] = []

    def written(self, group: Group, write: MemberWrite, outcome: MemberOutcome) -> None:
        """The service did as asked."""
        person = write.person_id
        self._rows += (JournalRow.of(row, "written") for row in group)
        self._applying.of(self._campaign_id).wrote(person, group, whole=False)
        if write.delete:
            self._gone.append((self._campaign_id, person))
            here = self._org.get(person)
            if here is None:
                self._base_gone.append((self._campaign_id, person))
            elif group[0].held:
                self._bases.append(kept_out(here[0], self._base.get(person)))
            return
        before, base = self._service.get(person), self._base.get(person)
        out = before is not None and before.opted_out
        former = _formerly(write)
        if former is not None and former in self._service and (before is None or write.was is not None):
            if before is None:
                before, base = self._service[former], self._base.get(former)
            else:
                before = _together(before, self._service[former])
            self._gone.append((self._campaign_id, former))
            self._base_gone.append((self._campaign_id, former))
        now = patched_service(before, write, outcome, self._campaign_id)
        self._put.append(now)
        # Who takes over the member of somebody who is out is out from now on, in the other campaigns too.
        if now.opted_out and not out:
            self._told.append(person)
        here = self._org.get(person)
        if here:
            self._count_waiting(here[0], before, now)
            self._bases.append(self._settled(here[0], now, base, restored(group)))
        elif any(row.held for row in group):
            self._bases.append(kept_in(now))

    def _count_waiting(self, org: OrgMember, before: ServiceMember | None, now: ServiceMember) -> None:
        """Whoever the service made inactive or active by what was written waits for the hour, if the org shows the
        member as synced; whoever waited before is in the plan's count."""
        live = self._applying.live
        if live.kind not in INBOUND or org.synced is None or before is None:
            return
        off = live.parts.off
        if _waits(org, now, off) and not _waits(org, before, off):
            self._applying.of(org.campaign_id).pending.add(org.person_id)

    def _settled(
        self, org: OrgMember, service: ServiceMember, base: BaseMember | None, restored: Mapping[str, Side]
    ) -> BaseMember:
        return settle(
            org,
            service,
            base,
            off=self._applying.live.parts.off,
            invisible=base is not None and base.invisible,
            restored=restored,
        )

    def invalid(self, group: Group, outcome: MemberOutcome) -> None:
        """The service refused the row."""
        live = self._applying.live
        message = outcome.error or "the service refused the row"
        remedy = "correct the member in Salesforce, then sync again"
        for row in group:
            self._rows.append(JournalRow.of(row, "rejected", code="INVALID", message=message, remedy=remedy))
            self._events.append(
                live.stamp(
                    RowFailed(
                        live.run,
                        row.side,
                        self._campaign_id,
                        row.subject_id,
                        row.label,
                        row.field,
                        "INVALID",
                        message,
                        remedy,
                        False,
                    )
                )
            )
        self._applying.of(self._campaign_id).failed.add(group[0].subject_id)

    def commit(self, batch: int) -> None:
        """All of it in one transaction."""
        live = self._applying.live
        elsewhere = list(self._elsewhere())
        held = Rule.WRITTEN_IS_AGREED in live.parts.rules
        landing = Landing(
            base=self._bases if held else (),
            base_gone=self._base_gone,
            service=[*self._put, *elsewhere],
            service_gone=self._gone,
        )
        store = live.parts.store
        with store.transaction():
            store.journal.record_outcome(live.lease, batch, self._rows, landing=landing, events=self._events)
            if self._told:
                store.people.mark_pushed(self._told)
        live.tell(self._events)

    def _elsewhere(self) -> Iterator[ServiceMember]:
        """The same people's members in other campaigns: a global opt-out made them inactive there, too. The feed
        tells it as well, but not before the next run."""
        members = self._applying.live.parts.store.members
        for person in self._told:
            for campaign_id in members.campaigns_of(person):
                row = members.service_rows(campaign_id, (person,)).get(person)
                if campaign_id == self._campaign_id or row is None or row.opted_out:
                    continue
                weak = row.reason is None or not (row.reason.startswith("Opt Out") or row.reason == "Complaint")
                now = replace(
                    row,
                    opted_out=True,
                    active=False,
                    reason="Opt Out Indirect" if weak else row.reason,
                    version=row.version + 1,
                )
                if campaign_id in self._applying.campaigns:
                    for org in members.org_rows(campaign_id, (person,)).get(person, ())[:1]:
                        self._count_waiting(org, row, now)
                yield now


def _waits(org: OrgMember, service: ServiceMember, off: Collection[str]) -> bool:
    """True when the org lacks something that the service decided: an opt-out, its reason, activity."""
    if service.opted_out and not org.opted_out:
        return True
    return any(getattr(org, name) != getattr(service, name) for name in SEEDED if name not in off)


def _formerly(write: MemberWrite) -> PersonId | None:
    """The person under whom the service may know the member so far."""
    return write.was or (PersonId(write.lead_id) if write.lead_id else None)


def _together(one: ServiceMember, other: ServiceMember) -> ServiceMember:
    """Two members that turned out to be one person: what the answer does not tell is the higher of both."""
    return replace(
        one,
        opens=max(one.opens, other.opens),
        clicks=max(one.clicks, other.clicks),
        completions=max(one.completions, other.completions),
        bounces=max(one.bounces, other.bounces),
        opted_out=one.opted_out or other.opted_out,
    )


def service_phase(applying: Applying, people: tuple[TestPerson, ...] | None) -> None:
    """Everything of the plan that goes to the service; one campaign's trouble does not stop the others.

    Raises:
        Cancelled, QuotaExhausted, LeaseLost: they end the run.
    """
    live = applying.live
    plans = live.parts.store.plans
    for row in plans.accepted(applying.plan_id, side=Side.PREDICTIVE, changes=(Change.TEST_PEOPLE,)):
        if people is not None:
            write_test_people(applying, row, people)
    for campaign_id in applying.campaigns:
        live.between_batches()
        try:
            for row in plans.accepted(
                applying.plan_id, side=Side.PREDICTIVE, campaign_id=campaign_id, changes=(Change.HEADER,)
            ):
                write_header(applying, row)
            without = {Change.HEADER} | (REMOVALS if applying.without_deletes else frozenset())
            rows = plans.accepted(applying.plan_id, side=Side.PREDICTIVE, campaign_id=campaign_id, without=without)
            write_members(applying, campaign_id, (row for row in rows if row.seq not in applying.skip))
        except (OutcomeUnknown, QuotaExhausted):
            raise
        except PredictiveError as error:
            critical = as_critical(error, (campaign_id,))
            if len(applying.campaigns) == 1 or (critical is None and error.exit_code in (7, 130)):
                raise
            if critical is not None:
                lock_out(live, critical, (campaign_id,))
            applying.of(campaign_id).error = error.line()
            live.note(error.line(), level="error", campaign_id=campaign_id)
