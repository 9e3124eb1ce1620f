"""The member store: batches of upserts and deletes keyed by (campaign, person), pages, arrival and adoption rules.

A batch is one transaction; outcomes come in the order of its rows. Runs inside a unit of work.
Sources: domain 3.4 (arrival, e-mail change), 4.6 (deletes, conversion).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select, update

from sync.embedded.service import bodies, people, rules, schema, wire
from sync.embedded.service.instants import iso, plausible
from sync.embedded.service.records import CampaignRow, MemberState, astuple, member_wire
from sync.embedded.service.work import Suppressions, Work, suppress, suppressions_of
from sync.ids import one_spelling

_LEVEL_OF = {name: i for i, name in enumerate(wire.LEVELS)}


@dataclass(slots=True)
class _Result:
    person_id: str | None
    outcome: wire.OutcomeName
    state: MemberState | None = None
    error: str | None = None

    def wire(self) -> wire.Outcome:
        m = self.state
        if m is None:
            version = 0 if self.outcome in ("stale", "absent") else None
            return wire.Outcome(self.person_id, self.outcome, version, error=self.error)
        level = None if m.level is None else wire.LEVELS[m.level]
        return wire.Outcome(
            self.person_id,
            self.outcome,
            m.version,
            m.active,
            m.reason,
            level,
            m.status,
            self.error,
        )


def batch(work: Work, campaign: CampaignRow, rows: list[bodies.BatchRow]) -> list[wire.Outcome]:
    """Apply a batch; the outcome of each row, in order. Flushes the unit of work, so that versions are final."""
    cid = campaign.campaign_id
    rows = [_one_spelling(row) for row in rows]
    people_ids = {p for row in rows for p in (row.lead_id, row.contact_id, row.was) if p is not None}
    work.load_members(cid, people_ids)
    known = suppressions_of(work.conn, people_ids)
    opted_out: list[str] = []
    results = [_one(work, campaign, row, known, opted_out) for row in rows]
    _opt_out_people(work, cid, opted_out)
    work.flush()
    return [result.wire() for result in results]


_IDS = ("lead_id", "contact_id", "member_id", "was")


def _one_spelling(row: bodies.BatchRow) -> bodies.BatchRow:
    """Ids of 15 characters made whole: an opt-out under one spelling has to hold for the member under the other."""
    short = {name: value for name in _IDS if isinstance(value := getattr(row, name), str) and len(value) == 15}
    return replace(row, **{name: one_spelling(value) for name, value in short.items()}) if short else row


def _one(work: Work, campaign: CampaignRow, row: bodies.BatchRow, known: Suppressions, opted_out: list[str]) -> _Result:
    person_id = row.contact_id or row.lead_id
    if person_id is None:
        return _Result(None, "invalid", error="a row needs lead_id or contact_id")
    if isinstance(row.fields.added_at, datetime) and not plausible(row.fields.added_at):
        return _Result(person_id, "invalid", error="added_at must be between 1970 and 2200")
    converted = _convert(work, campaign.campaign_id, row, known, opted_out)
    member = converted or work.member(campaign.campaign_id, person_id)
    live = member if member is not None and not member.deleted else None
    if converted is None and row.if_version is not None and row.if_version != (live.version if live else 0):
        return _Result(person_id, "stale", live, "the member has another version")
    if row.op == "delete":
        if live is None:
            return _Result(person_id, "absent")
        live.deleted = True
        return _Result(person_id, "deleted", live)
    if live is None:
        return _Result(person_id, "created", _create(work, campaign, row, person_id, member, known, opted_out))
    before = astuple(live)
    _update(work, live, row, known, opted_out)
    return _Result(person_id, "updated" if converted or astuple(live) != before else "unchanged", live)


def _convert(
    work: Work, campaign_id: str, row: bodies.BatchRow, known: Suppressions, opted_out: list[str]
) -> MemberState | None:
    """A converted lead or a merged record: its member moves to the new person with all its history.

    Where the new person is a member already the two become one, which keeps the higher level and counters and what
    keeps either from being mailed. A lead that is only named beside its contact moves if its member id is the row's.
    """
    target_id = row.contact_id or row.lead_id
    source_id = row.was or (row.lead_id if row.contact_id else None)
    if source_id is None or target_id is None or source_id == target_id or row.op != "upsert":
        return None
    source, target = work.member(campaign_id, source_id), work.member(campaign_id, target_id)
    if source is None or source.deleted:
        return None
    alive = target is not None and not target.deleted
    if row.was is None and (alive or source.member_id != row.member_id):
        return None
    expected = target.version if alive and target is not None else source.version
    if row.if_version is not None and row.if_version != expected:
        return None
    moved = replace(source, person_id=target_id, kind="contact" if row.contact_id else "lead")
    if target is None:
        work.add_member(moved)
    elif alive:
        _absorb(target, source)
        moved = target
    else:
        for name in MemberState.__struct_fields__:
            if name not in ("campaign_id", "person_id", "version"):
                setattr(target, name, getattr(moved, name))
        target.version = max(target.version, moved.version)
        moved = target
    source.deleted = True
    _arrive(moved, known, rules.OPT_OUT_INDIRECT)
    _take_history(work, campaign_id, source_id, target_id)
    for (person, where, kind), (reason, email) in list(known.items()):
        if person == source_id:
            if where == "" and kind == "opt_out":  # the new person's box and other campaigns follow
                opted_out.append(target_id)
            else:
                suppress(work, target_id, where, kind, reason, email)
            known[target_id, where, kind] = (reason, email)
    return moved


def _absorb(target: MemberState, source: MemberState) -> None:
    """Two members of one campaign turn out to be one person."""
    levels = [level for level in (target.level, source.level) if level is not None]
    target.level = max(levels, default=None)
    target.opens, target.clicks = max(target.opens, source.opens), max(target.clicks, source.clicks)
    target.completions = max(target.completions, source.completions)
    target.bounces = max(target.bounces, source.bounces)
    if source.reason in (rules.OPT_OUT_DIRECT, rules.OPT_OUT_INDIRECT, rules.OPT_OUT_PREVIOUS, rules.COMPLAINT):
        target.deactivate(source.reason)


def _take_history(work: Work, campaign_id: str, source_id: str, target_id: str) -> None:
    """Mails sent to the old person count as sent to the new one, so that no edition goes out twice."""
    sent = schema.mails
    taken = select(sent.c.edition_id).where(sent.c.person_id == target_id)
    work.conn.execute(
        update(sent)
        .where(sent.c.campaign_id == campaign_id, sent.c.person_id == source_id, sent.c.edition_id.not_in(taken))
        .values(person_id=target_id)
    )


def _create(
    work: Work,
    campaign: CampaignRow,
    row: bodies.BatchRow,
    person_id: str,
    ghost: MemberState | None,
    known: Suppressions,
    opted_out: list[str],
) -> MemberState:
    """A member arrives, or comes back: then level, counters and send history are those it had."""
    fields = row.fields
    if ghost is None:
        member = MemberState(
            campaign.campaign_id, person_id, None, "lead", None, None, None, rules.default_status(campaign.statuses),
            None, None, True, False, False, None, 0, 0, 0, 0, work.at, None, 0, False, None, None, None,
        )  # fmt: skip
        work.add_member(member)
    else:
        member = ghost
        member.deleted, member.active, member.reason, member.hold, member.added_at = False, True, None, None, work.at
        member.test_member = member.opted_out = False
        member.status = rules.default_status(campaign.statuses)
        member.email = member.first_name = member.last_name = member.member_id = None
    member.kind = "contact" if row.contact_id else "lead"
    _fields(member, row)
    if isinstance(fields.reason, str):
        member.reason, member.active = fields.reason, False
    elif fields.active is False:
        member.active = False
    _arrive(member, known)
    if fields.opted_out is True and not member.opted_out:
        member.opted_out = True
        member.deactivate(rules.OPT_OUT_PREVIOUS)
        opted_out.append(person_id)
    _remember(work, member, known)
    return member


def _arrive(member: MemberState, known: Suppressions, reason: str = rules.OPT_OUT_PREVIOUS) -> None:
    """What is known of the person decides whether the member arrives active (domain 3.4); a member that goes on as
    another person arrives, too."""
    person, campaign_id = member.person_id, member.campaign_id
    everywhere = (person, "", "opt_out") in known or (person, "", "complaint") in known
    here = (person, campaign_id, "opt_out") in known or (person, campaign_id, "complaint") in known
    member.opted_out = member.opted_out or everywhere
    if everywhere or here:
        member.deactivate(reason)
    bounced = known.get((person, campaign_id, "bounce"))
    if bounced is not None and bounced[1] == rules.email_key(member.email):
        member.deactivate(rules.BOUNCE)
    if not rules.sound_address(member.email):
        member.deactivate(rules.NO_EMAIL)


def _remember(work: Work, member: MemberState, known: Suppressions) -> None:
    """An adopted opt-out, complaint or bounce is kept by person, as if it had happened here."""
    person, campaign_id = member.person_id, member.campaign_id
    if member.reason == rules.OPT_OUT_DIRECT and (person, campaign_id, "opt_out") not in known:
        suppress(work, person, campaign_id, "opt_out", member.reason)
    elif member.reason == rules.COMPLAINT and (person, campaign_id, "complaint") not in known:
        suppress(work, person, campaign_id, "complaint", member.reason)
    elif member.reason == rules.BOUNCE and (person, campaign_id, "bounce") not in known:
        people.bounce_out(work, member)


def _update(work: Work, member: MemberState, row: bodies.BatchRow, known: Suppressions, opted_out: list[str]) -> None:
    fields = row.fields
    old_email = rules.email_key(member.email)
    member.kind = "contact" if row.contact_id else "lead"
    _fields(member, row)
    if rules.email_key(member.email) != old_email:
        if member.reason in (rules.BOUNCE, rules.NO_EMAIL):
            if member.reason == rules.BOUNCE:
                people.forget_bounce(work, member)
                known.pop((member.person_id, member.campaign_id, "bounce"), None)
            member.active, member.reason = True, None
        if not rules.sound_address(member.email):
            member.deactivate(rules.NO_EMAIL)
    if isinstance(fields.reason, str):
        member.deactivate(fields.reason)
        _remember(work, member, known)
    elif fields.active is False:
        member.active = False
    if fields.opted_out is True and not member.opted_out:
        member.opted_out = True
        member.deactivate(rules.OPT_OUT_INDIRECT)
        opted_out.append(member.person_id)


def _fields(member: MemberState, row: bodies.BatchRow) -> None:
    """Set what the row carries; levels and counters only rise (adoption)."""
    fields = row.fields
    if row.member_id is not UNSET:
        member.member_id = row.member_id
    if fields.email is not UNSET:
        member.email = (fields.email or "").strip() or None
    if fields.first_name is not UNSET:
        member.first_name = fields.first_name
    if fields.last_name is not UNSET:
        member.last_name = fields.last_name
    if fields.status is not UNSET:
        member.status = fields.status
    if fields.test_member is not UNSET:
        member.test_member = bool(fields.test_member)
    if fields.hold is not UNSET:
        member.hold = fields.hold or None
    if fields.added_at is not UNSET and fields.added_at is not None:
        member.added_at = iso(fields.added_at)
    if isinstance(fields.level, str):
        member.level = max(_LEVEL_OF[fields.level], -1 if member.level is None else member.level)
    member.opens = _risen(fields.opens, member.opens)
    member.clicks = _risen(fields.clicks, member.clicks)
    member.completions = _risen(fields.completions, member.completions)
    member.bounces = _risen(fields.bounces, member.bounces)


def _risen(given: int | UnsetType | None, present: int) -> int:
    return max(given, present) if isinstance(given, int) else present


def _opt_out_people(work: Work, campaign_id: str, person_ids: list[str]) -> None:
    """The org's opt-out box is ticked: out everywhere, Indirect in the person's other campaigns."""
    if not person_ids:
        return
    work.load_people(person_ids)  # one read for all
    by_person: dict[str, list[MemberState]] = {}
    for member in work.members.values():
        if not member.deleted:
            by_person.setdefault(member.person_id, []).append(member)
    for person_id in dict.fromkeys(person_ids):
        if suppress(work, person_id, "", "opt_out", "Salesforce"):
            change = wire.PersonChange(person_id, True, "global", "Salesforce", work.at)
            work.publish("person", "upsert", campaign_id, change)
        for member in by_person.get(person_id, []):
            member.opted_out = True
            if member.campaign_id != campaign_id:
                member.deactivate(rules.OPT_OUT_INDIRECT)
                work.follows(member)


def page(conn: Connection, campaign_id: str, after: str | None, limit: int) -> tuple[list[wire.Member], str | None]:
    """Members in person-id order after a person, and the last person when there may be more."""
    table = schema.members
    query = select(table).where(table.c.campaign_id == campaign_id, table.c.deleted.is_(False))
    if after is not None:
        query = query.where(table.c.person_id > after)
    rows = conn.execute(query.order_by(table.c.person_id).limit(limit + 1)).all()
    items = [member_wire(MemberState(*row)) for row in rows[:limit]]
    return items, (items[-1].person_id if len(rows) > limit else None)


def set_test_members(work: Work, items: list[wire.TestMember]) -> wire.TestMembersSet:
    """Replace the org's list of global test members. They are in no count and in no campaign."""
    table = schema.test_members
    before = {row[0] for row in work.conn.execute(select(table.c.person_id))}
    whole = [replace(item, person_id=one_spelling(item.person_id)) for item in items]
    chosen = {item.person_id: item for item in whole}
    work.conn.execute(table.delete())
    if chosen:
        work.conn.execute(insert(table), [msgspec.structs.asdict(item) for item in chosen.values()])
    return wire.TestMembersSet(len(chosen), len(chosen.keys() - before), len(before - chosen.keys()))


def list_test_members(conn: Connection) -> list[wire.TestMember]:
    """The global test members by person id."""
    table = schema.test_members
    return [wire.TestMember(*row) for row in conn.execute(select(table).order_by(table.c.person_id))]
