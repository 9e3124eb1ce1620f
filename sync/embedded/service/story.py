"""Why a member is mailed an edition or is not, and what is on record of it: the decision, explained by itself.

Breaches come from the very rules and conditions that choose who is due (``rules.blocked_by``, ``rules.refusals``,
``sending.turn``, ``sending.without_duplicates``, and the whole judgement where this hour's mails are short), so an
explanation cannot differ from the decision. May import SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, or_, select

from sync.embedded.service import rules, schema, sending, wire, wire_story
from sync.embedded.service.instants import iso, local_date
from sync.embedded.service.records import CampaignRow, EditionState, MailState, MemberState, member_wire

_RECORDED = 200
"""Most entries of the feed that a story repeats, the newest."""

Breaches = dict[str, str]
"""Rule → sentence, "" where the condition's own value says it all."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What sending depends on besides what is stored."""

    at: datetime
    has_address: bool
    limit: int


def tell(conn: Connection, campaign: CampaignRow, person_id: str, sending_now: Sending) -> wire_story.MemberStory:
    """The story of a person in a campaign, member or not."""
    member = _member(conn, campaign.campaign_id, person_id)
    live = member if member is not None and not member.deleted else None
    table = schema.editions
    rows = conn.execute(select(table).where(table.c.campaign_id == campaign.campaign_id).order_by(table.c.slot))
    editions = [EditionState(*row) for row in rows]
    mails = _mails(conn, campaign.campaign_id, person_id)
    return wire_story.MemberStory(
        person_id=person_id,
        member=None if live is None else member_wire(live),
        removed=member is not None and member.deleted,
        at=iso(sending_now.at),
        from_slot=None if live is None else live.from_slot,
        suppressions=list(_suppressions(conn, campaign.campaign_id, person_id)),
        mailing=[
            _mailing(conn, campaign, edition, editions, live, person_id, mails.get(edition.edition_id), sending_now)
            for edition in editions
        ],
        recorded=list(_recorded(conn, campaign.campaign_id, person_id)),
    )


def _member(conn: Connection, campaign_id: str, person_id: str) -> MemberState | None:
    table = schema.members
    row = conn.execute(
        select(table).where(table.c.campaign_id == campaign_id, table.c.person_id == person_id)
    ).one_or_none()
    return None if row is None else MemberState(*row)


def _suppressions(conn: Connection, campaign_id: str, person_id: str) -> Iterator[wire_story.Suppression]:
    table = schema.suppressions.c
    rows = conn.execute(
        select(table.campaign_id, table.kind, table.reason, table.at)
        .where(table.person_id == person_id, table.campaign_id.in_(("", campaign_id)))
        .order_by(table.at)
    )
    for where, kind, reason, at in rows:
        yield wire_story.Suppression("campaign" if where else "global", kind, reason, at)


def _mails(conn: Connection, campaign_id: str, person_id: str) -> dict[str, MailState]:
    table = schema.mails
    rows = conn.execute(select(table).where(table.c.campaign_id == campaign_id, table.c.person_id == person_id))
    return {mail.edition_id: mail for mail in (MailState(*row) for row in rows)}


def _mailing(
    conn: Connection,
    campaign: CampaignRow,
    edition: EditionState,
    editions: Sequence[EditionState],
    member: MemberState | None,
    person_id: str,
    mail: MailState | None,
    now: Sending,
) -> wire_story.Mailing:
    blocks = rules.blocked_by(campaign.facts, edition.facts, now.at, has_address=now.has_address)
    breaches: Breaches = {block.rule: block.text for block in blocks}
    if member is None:
        breaches["not_a_member"] = "Predictive has no such member of the campaign."
    else:
        breaches |= _of_member(conn, campaign, edition, editions, member, now.at)
    if not breaches and not _has_room(conn, edition, person_id, now):
        breaches["hourly_limit"] = "This hour's mails are used up before this member's turn."
    facts = _facts(conn, campaign, edition, member, mail, now)
    return wire_story.Mailing(
        edition_id=edition.edition_id,
        slot=edition.slot,
        name=edition.name,
        role=edition.role,
        mail=None if mail is None else _mail_wire(mail),
        due=not breaches,
        conditions=list(_conditions(edition.role, breaches, facts)),
    )


def _of_member(
    conn: Connection,
    campaign: CampaignRow,
    edition: EditionState,
    editions: Sequence[EditionState],
    member: MemberState,
    at: datetime,
) -> Breaches:
    m = schema.members.c
    turn = list(sending.turn(campaign, edition, editions, at))
    answers = conn.execute(
        select(*(condition.label(name) for name, condition in turn)).where(
            m.campaign_id == member.campaign_id, m.person_id == member.person_id
        )
    ).one()
    found = {name: "" for (name, _), holds in zip(turn, answers, strict=True) if not holds}
    facts = rules.MemberFacts(member.active, member.reason, member.hold, member.test_member, member.from_slot)
    found |= {refusal.rule: refusal.text for refusal in rules.refusals(facts, edition.slot)}
    if "already_mailed" in found:
        return found
    row = sending.Candidate(member.person_id, member.email or "", None, None, member.added_at, None)
    oldest = sending.oldest_by_address(conn, member.campaign_id)
    (row,) = sending.without_duplicates([row], oldest, sending.mailed_addresses(conn, edition.edition_id))
    if row.refusal is not None and member.email:
        found[row.refusal] = f"{member.email} is another member's, or the edition went there already."
    return found


def _has_room(conn: Connection, edition: EditionState, person_id: str, now: Sending) -> bool:
    """Whether this hour's mails reach the member: the judgement over all campaigns, as a send would be prepared."""
    judgement = sending.judge(conn, now.at, None, has_address=now.has_address, limit=now.limit)
    return any(due.edition.edition_id == edition.edition_id and person_id in due.people for due in judgement.due)


def _conditions(role: wire.Role, breaches: Breaches, facts: Mapping[str, str]) -> Iterator[wire_story.Condition]:
    told: set[str] = set()
    for criterion in rules.CRITERIA:
        broken = [rule for rule in breaches if rule in criterion.breaches]
        if not broken and not criterion.concerns(role):
            continue
        told.update(broken)
        fact = facts.get(criterion.rule, "")
        value = " ".join(breaches[rule] for rule in broken) or fact
        yield wire_story.Condition(criterion.rule, criterion.text, value, not broken)
    for rule, text in breaches.items():
        if rule not in told:
            yield wire_story.Condition(rule, text or rule, "", holds=False)


def _facts(
    conn: Connection,
    campaign: CampaignRow,
    edition: EditionState,
    member: MemberState | None,
    mail: MailState | None,
    now: Sending,
) -> dict[str, str]:
    """What is the case, by condition."""
    local = now.at.astimezone(campaign.facts.where)
    today = local_date(now.at, campaign.facts.where)
    level = rules.audience_level(edition.role) if edition.role in rules.ADAPTIVE_ROLES else None
    start = 0 if edition.not_before is None else edition.not_before
    end = 24 if edition.not_after is None else edition.not_after
    out = {
        "campaign_active": f"active, status {campaign.status or '(none)'}",
        "campaign_dates": f"{campaign.start_date or '(open)'} to {campaign.end_date or '(open)'}, today {today}",
        "edition_active": "active",
        "edition_range": f"{edition.start_date} to {edition.end_date}, today {today}",
        "edition_tested": f"tested {edition.tested_at}",
        "hour_allowed": f"it is {local:%A %H:%M} ({local.tzinfo}), mails go from {start}:00 to {end}:00",
        "hourly_limit": f"{sending.room_at(conn, now.at, now.limit)} of {now.limit} mails are left this hour",
        "address_present": "set",
        "edition_new": "not mailed yet" if mail is None else f"mailed {mail.sent_at or mail.intent_at} ({mail.state})",
        "member_synced": "no",
    }
    if member is not None:
        since = f"last mail {member.last_sent_at}" if member.last_sent_at else f"added {member.added_at}"
        out |= {
            "member_synced": f"member since {member.added_at}",
            "member_active": "active",
            "member_free": "not held",
            "member_real": "no test member",
            "edition_allowed": f"from edition {member.from_slot} on" if member.from_slot else "no opt-in skips any",
            "address_first": member.email or "no address",
            "level_fits": f"{_level(member.level)}; the edition is for {_level(level)}",
            "order_reached": f"last edition mailed: {member.last_slot or 'none'}",
            "delay_elapsed": f"{edition.days_delay or 0} days; {since}",
        }
    return out


def _level(level: int | None) -> str:
    return "no level yet" if level is None else wire.LEVELS[level]


def _mail_wire(mail: MailState) -> wire.Mail:
    values = msgspec.structs.astuple(mail)
    return wire.Mail(*values[:9], *values[10:])


def _recorded(conn: Connection, campaign_id: str, person_id: str) -> Iterator[wire_story.Recorded]:
    """What the feed still holds of the member and of the person, oldest first."""
    table = schema.changes.c
    mark = f'"{person_id}"'.encode()
    query = select(table.at, table.type, table.op, table.client, table.data).where(
        or_(and_(table.type == "member", table.campaign_id == campaign_id), table.type == "person")
    )
    found = []
    for at, kind, op, client, data in conn.execute(query.order_by(table.seq)):
        # The text is looked for before it is decoded: few of many entries are this person's.
        if mark not in data:
            continue
        value: wire.Member | wire.PersonChange
        if kind == "member":
            value = msgspec.json.decode(data, type=wire.Member)
        else:
            value = msgspec.json.decode(data, type=wire.PersonChange)
        if value.person_id == person_id:
            found.append(wire_story.Recorded(at, kind, op, client, value))
    yield from found[-_RECORDED:]
