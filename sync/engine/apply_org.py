"""Writes a plan's rows to the org in the fewest calls, each batch journalled before and after.

Imports values, ports and the store. What the service decided in this very run (active, reason on arrival) is taken
from its row as it is now, not from what the plan expected. With the outcome, in one transaction, go the journal rows,
the org's rows as read back, and the base.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from sync.engine import content
from sync.engine.apply_service import Applying
from sync.engine.live import OWN_ROWS
from sync.engine.lockout import check_answers
from sync.engine.writes import (
    MEMBER_OBJECT,
    STATUS,
    Group,
    api_names,
    by_owner,
    grouped,
    org_write,
    patched_org,
    restored,
)
from sync.events import Event, Noted, Phase, RowFailed
from sync.failures import failure_of
from sync.ids import CampaignId, MemberId, PersonId
from sync.mapping import Mapping as Names
from sync.model import BaseMember, OrgMember, Side
from sync.plan import PlanRow, Subject
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.rules import Rule
from sync.settle import settle
from sync.store.journal import DRIFTED, JournalRow, Landing

_CHUNK = 1000
OVERWRITTEN = "OVERWRITTEN"
_CONTENT = (Subject.EDITION, Subject.CLICK_THROUGH, Subject.HISTORY)


class OrgPhase:
    """One pass of writes to the org. Feed :meth:`run` with a plan's rows and further rows with ready-made writes."""

    def __init__(self, applying: Applying) -> None:
        self._applying = applying
        self._batches: dict[str, int] = {}

    def run(self, rows: Iterable[PlanRow], further: Iterable[content.Pair] = ()) -> None:
        """Write everything.

        Raises:
            QuotaExhausted: between batches; what was written is kept.
            OutcomeUnknown: a batch got no answer; its rows are journalled as unknown.
        """
        live = self._applying.live
        live.parts.org.write(
            chain(self._content(further), self._writes(rows)),
            before=self._before,
            after=self._after,
            cancelled=live.cancelled,
        )

    # ------------------------------------------------------------ what is written

    def _content(self, pairs: Iterable[content.Pair]) -> Iterator[OrgWrite]:
        for row, write in pairs:
            yield self._wait((row,), write)

    def _wait(self, group: Group, write: OrgWrite) -> OrgWrite:
        """The write with its rows, which come back with the outcome: nothing is kept here meanwhile."""
        return replace(write, about=self._applying.numbered(group))

    def _writes(self, rows: Iterable[PlanRow]) -> Iterator[OrgWrite]:
        parts = self._applying.live.parts
        groups = grouped(rows)
        while chunk := tuple(islice(groups, _CHUNK)):
            arriving: dict[str, list[PersonId]] = {}
            for group in chunk:
                if any(row.on_arrival for row in group):
                    arriving.setdefault(group[0].campaign_id, []).append(PersonId(group[0].subject_id))
            known = {
                (campaign_id, person): row
                for campaign_id, persons in arriving.items()
                for person, row in parts.store.members.service_rows(CampaignId(campaign_id), persons).items()
            }
            for group in chunk:
                first = group[0]
                if self._left_out(first):
                    continue
                if content.is_content(first):
                    yield self._wait(group, content.write_of(first))
                    continue
                service = known.get((first.campaign_id, PersonId(first.subject_id)))
                if service is None and any(row.on_arrival for row in group):
                    continue  # it never arrived: its addition was refused, and that is reported there
                for part in by_owner(group):
                    write = org_write(part, parts.mapping, service)
                    if write is not None:
                        held = Rule.DRIFT in parts.rules
                        yield self._wait(part, write if held else replace(write, expect={}))

    def _left_out(self, row: PlanRow) -> bool:
        """Rows of a campaign that failed before, or of a person whose addition to the service was refused."""
        if not row.campaign_id:
            return False
        if row.campaign_id not in self._applying.campaigns:
            return True
        done = self._applying.of(row.campaign_id)
        return done.error is not None or (row.on_arrival and row.subject_id in done.failed)

    # ------------------------------------------------------------ the journal

    def _before(self, writes: tuple[OrgWrite, ...]) -> None:
        live = self._applying.live
        batch = live.next_batch()
        self._batches[writes[0].key] = batch
        groups: Iterable[Group] = (write.about for write in writes)
        intent = {
            "org": [[write.sobject, write.record_id or write.external_id] for write in writes],
            "plan": self._applying.plan_id,
            # When it will have been carried out is known by the org's clock only, and not before this.
            "heard": live.parts.store.campaigns.last_heard(),
            "rows": [row.seq for group in groups for row in group if row.seq <= OWN_ROWS],
        }
        live.parts.store.journal.record_intent(live.lease, batch, Side.SALESFORCE, intent)

    def _after(self, writes: tuple[OrgWrite, ...], outcomes: tuple[OrgOutcome, ...]) -> None:
        live = self._applying.live
        check_answers(
            (write.campaign_id, write.record_id, outcome.record_id)
            for write, outcome in zip(writes, outcomes, strict=True)
            if outcome.state == "written" and outcome.record_id and write.operation is OrgOperation.UPDATE
        )
        batch = self._batches.pop(writes[0].key)
        landing = _Answer(self._applying)
        for write, outcome in zip(writes, outcomes, strict=True):
            landing.take(write.about, write, outcome)
        landing.commit(batch)
        done = sum(each.salesforce_rows for each in self._applying.done.values())
        live.progress(Phase.WRITE_SALESFORCE, done, None)


class _Answer:
    """What the answer to one batch changes in the store."""

    def __init__(self, applying: Applying) -> None:
        self._applying = applying
        self._rows: list[JournalRow] = []
        self._events: list[Event] = []
        self._members: list[tuple[Group, OrgWrite, OrgOutcome]] = []
        self._content: dict[Subject, dict[str, tuple[str | None, str]]] = {}
        self._ticked: list[PersonId] = []
        self._refused: set[MemberId] = set()

    def take(self, group: Group, write: OrgWrite, outcome: OrgOutcome) -> None:
        """Sort one record's outcome."""
        first = group[0]
        done = self._applying.of(first.campaign_id)
        mapping = self._applying.live.parts.mapping
        if outcome.state == "written":
            self._substituted(group, outcome)
            self._overwritten(group, outcome)
            self._rows += (JournalRow.of(row, "written", after=_shown(row, write, mapping)) for row in group)
            done.wrote(first.subject_id, group, whole=first.subject in _CONTENT)
            if first.subject in _CONTENT:
                record_id = outcome.record_id or write.record_id
                self._content.setdefault(first.subject, {})[first.subject_id] = (record_id, first.values["digest"])
                done.editions_updated += first.subject is Subject.EDITION
        else:
            self._failed(group, outcome)
            (done.drifted if outcome.state == "drifted" else done.failed).add(first.subject_id)
        if first.subject is Subject.PERSON and outcome.state == "written":
            self._ticked.append(PersonId(first.subject_id))
        for_good = outcome.state == "rejected" and not failure_of(outcome.code).kind.passes
        if for_good and any(row.field == "status" for row in group):
            self._refused.add(MemberId(write.record_id or ""))
        if write.sobject == MEMBER_OBJECT and (for_good or outcome.state in ("written", "drifted")):
            self._members.append((group, write, outcome))

    def _substituted(self, group: Group, outcome: OrgOutcome) -> None:
        """The platform swaps a status that it does not know for the default, without an error."""
        for row in group:
            found = outcome.found.get(STATUS)
            if row.field == "status" and found is not None and found != row.after:
                live = self._applying.live
                text = f"{row.label}: Salesforce stored {found!r} instead of {row.after!r}; the next sync settles it"
                self._events.append(live.stamp(Noted(live.run, "warning", text, CampaignId(row.campaign_id))))

    def _overwritten(self, group: Group, outcome: OrgOutcome) -> None:
        """Somebody's change, made after the read and before the write, was lost to it: the last look found it."""
        for row in group:
            if row.field != "status" or STATUS not in outcome.overwritten:
                continue
            live = self._applying.live
            message = f"{outcome.overwritten[STATUS]!r} was set in Salesforce at the same moment and was written over"
            entry = JournalRow.of(
                row, DRIFTED, code=OVERWRITTEN, message=message, remedy=failure_of(OVERWRITTEN).remedy
            )
            self._rows.append(replace(entry, seq=live.number_rows(1)))
            self._applying.of(row.campaign_id).drifted.add(row.subject_id)
            self._tell(row, OVERWRITTEN, message, entry.remedy, drifted=True)

    def _tell(self, row: PlanRow, code: str, message: str, remedy: str, *, drifted: bool) -> None:
        live = self._applying.live
        campaign = CampaignId(row.campaign_id)
        body = RowFailed(
            live.run, row.side, campaign, row.subject_id, row.label, row.field, code, message, remedy, drifted
        )
        self._events.append(live.stamp(body))

    def _failed(self, group: Group, outcome: OrgOutcome) -> None:
        drifted = outcome.state == "drifted"
        found = ", ".join(f"{name} is {value!r}" for name, value in outcome.found.items())
        message = outcome.message or (f"the value had moved: {found}" if drifted else "no answer came")
        remedy = outcome.remedy or ("run the sync again" if drifted else "the next run reads before it repeats")
        for row in group:
            code = outcome.code or outcome.state.upper()
            self._rows.append(JournalRow.of(row, outcome.state, code=code, message=message, remedy=remedy))
            self._tell(row, code, message, remedy, drifted=drifted)

    def commit(self, batch: int) -> None:
        """All of it in one transaction."""
        live = self._applying.live
        store = live.parts.store
        org, bases = self._land_members()
        with store.transaction():
            held = Rule.WRITTEN_IS_AGREED in live.parts.rules
            landing = Landing(org=org, base=bases if held else ())
            store.journal.record_outcome(live.lease, batch, self._rows, landing=landing, events=self._events)
            for kind, written in self._content.items():
                store.content.mark_written(kind, written)
            if self._ticked:
                store.people.mark_ticked(self._ticked)
        live.tell(self._events)

    def _land_members(self) -> tuple[list[OrgMember], list[BaseMember]]:
        """The org's rows as they are now, and the base of each: members that were written, and all members of people
        whose opt-out box was ticked."""
        now: dict[CampaignId, dict[MemberId, OrgMember]] = {}
        fresh: dict[MemberId, dict[str, Side]] = {}
        members = self._applying.live.parts.store.members
        by_campaign: dict[CampaignId, list[tuple[OrgWrite, OrgOutcome]]] = {}
        for group, write, outcome in self._members:
            by_campaign.setdefault(CampaignId(group[0].campaign_id), []).append((write, outcome))
            if outcome.state == "written":
                fresh.setdefault(MemberId(write.record_id or ""), {}).update(restored(group))
        for campaign_id, items in by_campaign.items():
            rows = members.org_by_member(campaign_id, [MemberId(write.record_id or "") for write, _ in items])
            for write, outcome in items:
                row = rows.get(MemberId(write.record_id or ""))
                if row is not None:
                    rows[row.member_id] = patched_org(row, write, outcome, self._applying.live.parts.mapping)
            now[campaign_id] = rows
        for person in self._ticked:
            for campaign_id in members.campaigns_of(person):
                here = now.setdefault(campaign_id, {})
                for row in members.org_rows(campaign_id, (person,)).get(person, ()):
                    here[row.member_id] = replace(here.get(row.member_id, row), opted_out=True)
        bases = [base for campaign_id, rows in now.items() for base in self._settled(campaign_id, rows, fresh)]
        return [row for rows in now.values() for row in rows.values()], bases

    def _settled(
        self, campaign_id: CampaignId, rows: dict[MemberId, OrgMember], fresh: Mapping[MemberId, Mapping[str, Side]]
    ) -> Iterator[BaseMember]:
        live = self._applying.live
        members = live.parts.store.members
        people = [row.person_id for row in rows.values()]
        service, base = members.service_rows(campaign_id, people), members.base_rows(campaign_id, people)
        for row in rows.values():
            theirs, agreed = service.get(row.person_id), base.get(row.person_id)
            if theirs is None or (agreed is not None and agreed.member_id not in (None, row.member_id)):
                continue  # a mirror of the primary row, or nothing to agree with
            yield settle(
                row,
                theirs,
                agreed,
                off=live.parts.off,
                invisible=agreed is not None and agreed.invisible,
                rejected=row.member_id in self._refused,
                restored=fresh.get(row.member_id, {}),
            )


def _shown(row: PlanRow, write: OrgWrite, mapping: Names) -> Any:
    """What was really written where the plan only expected it."""
    if not row.on_arrival or row.field == "synced":
        return row.after
    return write.values.get(api_names(mapping)[row.field], row.after)


def org_phase(applying: Applying, further: Sequence[content.Pair] = ()) -> None:
    """Everything of the plan that goes to the org, and *further* rows, in shared calls."""
    plans = applying.live.parts.store.plans
    rows = plans.accepted(applying.plan_id, side=Side.SALESFORCE)
    OrgPhase(applying).run((row for row in rows if row.seq not in applying.skip), further)
