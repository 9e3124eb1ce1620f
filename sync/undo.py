"""The inverse of what a run wrote to one record: rows that take it back, what has moved since, and what cannot go back.

Pure. A value is taken back only where the side still has what the run wrote; what has moved since is drift and left
alone. What is taken back against the owner's present value is marked as held (``sync.holds``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sync.draft import COUNTERS, Draft, Fact, Merged
from sync.holds import MEMBER, UNDO_HOLD
from sync.ids import CONTACT_PREFIX, MemberId, PersonId
from sync.model import OrgMember, PersonKind, ServiceMember, Side, StatusLabel
from sync.plan import REMOVALS, Change, PlanRow, Scalar, Subject
from sync.status import known_status

RULE = "undo"

_RESTORED = ("first_name", "last_name", "email", "status", "test_member", "level", *COUNTERS)
"""What a member that comes back is given. Whether it may be mailed the service knows by person."""

_DECIDED_THERE = frozenset({"first_name", "last_name", "email", "status", "test_member"})
"""What of that the org has a say in."""


class Stays(StrEnum):
    """Why something a run wrote is not taken back. The value is the sentence, for a count of rows before it."""

    STATISTICS = "rows of editions, click-throughs and e-mail history stay: they show what Predictive did"
    HEADER = (
        "campaign headers and lists of test members stay: nobody is mailed against what Salesforce says now, so change "
        "them back there"
    )
    OPT_OUT = "opt-outs stay: only an opt-in takes one back"
    IDENTITY = "new ids of members stay: whoever was added again or converted does not get the old one back"
    OPT_IN = "opt-ins stay: they were somebody's decision; opt the person out in Salesforce"
    TEST_SEND = "test mails were sent and stay sent"
    HOLD = "holds set or lifted by a run stay: they follow what Salesforce shows"
    MARKER = "synced markers stay: Predictive still knows these members"
    GONE = "values of records that no longer exist stay as they are: nobody can restore them"
    BETWEEN = "values of members whom Salesforce converted or merged and no sync moved yet stay; synchronize, then undo"
    LABEL = "statuses stay because the status before is none of the campaign's any more"


_NEVER = {
    Change.EDITION: Stays.STATISTICS,
    Change.CLICK_THROUGH: Stays.STATISTICS,
    Change.HISTORY: Stays.STATISTICS,
    Change.HEADER: Stays.HEADER,
    Change.TEST_PEOPLE: Stays.HEADER,
    Change.TEST_SEND: Stays.TEST_SEND,
    Change.OPT_OUT: Stays.OPT_OUT,
    Change.OPT_IN: Stays.OPT_IN,
    Change.IDENTITY: Stays.IDENTITY,
    Change.HOLD: Stays.HOLD,
}


@dataclass(slots=True)
class Inverse:
    """What undoing one record's rows means. ``moved`` are rows of the run whose value is another one by now."""

    merged: Merged = field(default_factory=Merged)
    moved: list[PlanRow] = field(default_factory=list)
    stays: list[Stays] = field(default_factory=list)


def invert(
    written: Sequence[PlanRow],
    org: Sequence[OrgMember],
    service: ServiceMember | None,
    labels: Sequence[StatusLabel],
    undone: str,
) -> Inverse:
    """The inverse of the rows that a run wrote about one record.

    Args:
        written: the rows, as the run's journal has them.
        org: the person's rows in the org as they are now, the primary one first.
        service: the service's row as it is now.
        labels: the campaign's statuses.
        undone: the run, for the reason.
    """
    out = Inverse()
    rows = [row for row in written if not _never(row, out)]
    somebody = service or (org[0] if org else None)
    if not rows or rows[0].subject is not Subject.MEMBER:
        return out
    if somebody is None:
        somebody = _ghost(rows[0])
    work = _Work(Draft(somebody, service), org, service, labels, undone, out)
    for row in rows:
        work.take_back(row)
    work.hold_mails()
    out.merged = work.draft.done()
    return out


def comes_with(values: Iterable[str]) -> frozenset[str]:
    """Which of the *values* that a restored member comes with are held where the org has others."""
    return _DECIDED_THERE & set(values)


def restored_fields(row: PlanRow, *, held: bool) -> dict[str, Side]:
    """The fields that a row restores so that they are held where the other side differs, with the side of the row."""
    if row.field != MEMBER:
        return {row.field: row.side} if held else {}
    return dict.fromkeys(comes_with(row.values), row.side) if row.change is Change.ADD and row.rule == RULE else {}


def was(row: PlanRow) -> str:
    """What a header or a list of test members was before a run pushed it, for whoever changes it back in Salesforce;
    "" where that is not known, or nothing was there."""
    if row.change is Change.HEADER and row.before:
        return f"{row.label}: the header was {row.before}; it is {row.after}"
    if row.change is Change.TEST_PEOPLE and row.before:
        moved = ((name, row.values.get(name)) for name in ("added", "removed"))
        return "global test members: " + ", ".join(f"{', '.join(who)} {name}" for name, who in moved if who)
    return ""


def _never(row: PlanRow, out: Inverse) -> bool:
    why = _NEVER.get(row.change)
    # A hold of an undo goes by what is taken back with it.
    if why is not None and not (why is Stays.HOLD and row.rule == RULE):
        out.stays.append(why)
    return why is not None


def _ghost(row: PlanRow) -> ServiceMember:
    """Somebody whom neither side has any more, as the journal knows him."""
    return ServiceMember(
        campaign_id=row.campaign_id,
        person_id=PersonId(row.subject_id),
        member_id=MemberId(row.member_id) if row.member_id else None,
        kind=PersonKind.CONTACT if row.subject_id.startswith(CONTACT_PREFIX) else PersonKind.LEAD,
        first_name=row.values.get("first_name"),
        last_name=row.values.get("last_name"),
        email=row.values.get("email"),
        status=None,
    )


class _Work:
    """One record being taken back."""

    def __init__(
        self,
        draft: Draft,
        org: Sequence[OrgMember],
        service: ServiceMember | None,
        labels: Sequence[StatusLabel],
        undone: str,
        out: Inverse,
    ) -> None:
        self.draft = draft
        self._org = org
        self._service = service
        self._labels = labels
        self._undone = undone
        self._out = out
        self._leaves = False
        self._address_held: bool | None = None

    def take_back(self, row: PlanRow) -> None:
        """Add the inverse of one row, or say why there is none."""
        if row.change is Change.ADD:
            self._remove()
        elif row.change in REMOVALS:
            self._restore(row)
        elif row.side is Side.PREDICTIVE:
            self._service_field(row)
        else:
            self._org_field(row)

    def _reason(self, held: bool, owner: str) -> str:
        said = f"; {owner} says otherwise: held until it agrees or is released" if held else ""
        return f"undo of run {self._undone}{said}"

    def _add(self, row: PlanRow, held: bool, owner: str, *, said: bool = False) -> None:
        """Add a row; *said*: not the row is held, but values that come with it are."""
        held_at_all = held or said
        self.draft.rows.append(replace(row, held=held, reason=self._reason(held_at_all, owner)))
        if held_at_all:
            self.draft.facts.add(Fact.HELD)

    # ------------------------------------------------------------ membership

    def _remove(self) -> None:
        """Somebody whom the run added leaves again."""
        self._leaves = True
        if self._service is None:
            return
        self.draft.facts.add(Fact.REMOVED)
        values = {name: getattr(self._service, name) for name in _RESTORED}
        row = self._row(Side.PREDICTIVE, Change.REMOVE, MEMBER, self.draft.label, None)
        self._add(replace(row, values=values), bool(self._org), "Salesforce")

    def _restore(self, written: PlanRow) -> None:
        """Somebody whom the run removed comes back, on hold unless the org has the member again."""
        if self._service is not None:
            return
        values = {name: written.values[name] for name in _RESTORED if written.values.get(name) is not None}
        if "status" in values and not known_status(values["status"], self._labels):
            values.pop("status", None)
            self._out.stays.append(Stays.LABEL)
        held = not self._org
        contrary = {name for name in comes_with(values) if self._org and self._differs(name, values)}
        if held or "email" in contrary:
            values["hold"] = UNDO_HOLD
        self.draft.facts.add(Fact.ADDED)
        row = self._row(Side.PREDICTIVE, Change.ADD, MEMBER, None, written.label)
        known = self._org[0].member_id if self._org else written.member_id
        row = replace(row, values=values, label=written.label, member_id=known)
        self._add(row, held, "Salesforce", said=bool(contrary))

    def _differs(self, name: str, values: dict[str, Any]) -> bool:
        return (values[name] or None) != (getattr(self._org[0], name) or None)

    # ------------------------------------------------------------ fields

    def _service_field(self, written: PlanRow) -> None:
        now = self._service
        if now is None:
            self._out.stays.append(Stays.GONE)
            return
        if not self._stands(written, getattr(now, written.field)) or self._unknown(written):
            return
        owner = getattr(self._org[0], written.field) if self._org else None
        held = bool(self._org) and (owner or None) != (written.before or None)
        if written.field == "email":
            self._address_held = held
        row = self._row(Side.PREDICTIVE, written.change, written.field, written.after, written.before)
        self._add(row, held, "Salesforce")

    def _org_field(self, written: PlanRow) -> None:
        now = next((row for row in self._org if row.member_id == written.member_id), None)
        if now is None:
            self._out.stays.append(Stays.GONE)
            return
        if written.field == "synced":
            self._marker(written, now)
            return
        if not self._stands(written, getattr(now, written.field)) or self._unknown(written):
            return
        theirs = getattr(self._service, written.field) if self._service is not None and not self._leaves else None
        held = self._service is not None and not self._leaves and (theirs or None) != (written.before or None)
        row = self._row(Side.SALESFORCE, written.change, written.field, written.after, written.before)
        self._add(replace(row, member_id=written.member_id), held, "Predictive")

    def _marker(self, written: PlanRow, now: OrgMember) -> None:
        """The marker says that the service knows the member: it goes with the membership, and only with it."""
        wanted = written.before
        if (wanted is None) is not self._absent():
            if written.before != written.after:
                self._out.stays.append(Stays.MARKER)
            return
        if (now.synced is None) is (wanted is None):
            return
        said = None if written.after is None else datetime.fromisoformat(str(written.after)).replace(microsecond=0)
        if said is not None and now.synced != said:
            self._out.moved.append(written)
            return
        row = self._row(Side.SALESFORCE, written.change, "synced", written.after, wanted)
        self._add(replace(row, member_id=written.member_id), False, "")

    def _absent(self) -> bool:
        """True when the service will not have the member after this."""
        comes = any(row.change is Change.ADD for row in self.draft.rows)
        return self._leaves or (self._service is None and not comes)

    def _stands(self, written: PlanRow, now: object) -> bool:
        """True when the side has what the run wrote; what is as it was before needs nothing, the rest has moved."""
        value = now or None
        if (written.before or None) == (written.after or None) or value == (written.before or None):
            return False
        if value != (written.after or None):
            self._out.moved.append(written)
            return False
        return True

    def _unknown(self, written: PlanRow) -> bool:
        value = written.before
        if written.field != "status" or not isinstance(value, str) or known_status(value, self._labels):
            return False
        self._out.stays.append(Stays.LABEL)
        return True

    def hold_mails(self) -> None:
        """Nobody is mailed at an address that the org does not have; the hold goes when the address agrees again."""
        service = self._service
        if service is None or self._leaves or self._address_held is None:
            return
        if self._address_held and service.hold is None:
            self.draft.rows.append(self._hold_row(None, UNDO_HOLD))
        elif not self._address_held and service.hold == UNDO_HOLD and self._org:
            self.draft.rows.append(self._hold_row(UNDO_HOLD, None))

    def _hold_row(self, before: str | None, after: str | None) -> PlanRow:
        row = self._row(Side.PREDICTIVE, Change.HOLD, "hold", before, after)
        said = "the address is not the one in Salesforce" if after else "the address is the one in Salesforce"
        return replace(row, reason=f"undo of run {self._undone}: {said}")

    def _row(self, side: Side, change: Change, name: str, before: Scalar, after: Scalar) -> PlanRow:
        """A row about the record; its place in the plan and its reason come later."""
        draft = self.draft
        return PlanRow(
            seq=0,
            side=side,
            campaign_id=draft.campaign_id,
            subject=Subject.MEMBER,
            subject_id=draft.person_id,
            label=draft.label,
            change=change,
            field=name,
            before=before,
            after=after,
            reason=self._reason(False, ""),
            rule=RULE,
            member_id=draft.member_id,
            version=draft.version if side is Side.PREDICTIVE else None,
        )
