"""Who is due: campaigns and editions that may send, the members they fit, and the frozen list of a send.

Judging is one pass over the sendable editions; a dry run is the same pass and keeps nothing. Sources: domain 2
(conditions, audiences, delays), 7 (two members with one address: the oldest is mailed).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from sync.embedded.service import bodies, feed, idempotency, rules, schema, wire
from sync.embedded.service.database import next_number
from sync.embedded.service.instants import delay_cutoff, iso, plausible
from sync.embedded.service.problems import invalid, not_found
from sync.embedded.service.records import CampaignRow, EditionState
from sync.embedded.service.service import Service

_FORGET_PREPARED = timedelta(days=7)
_CLOCK_SKEW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that fits an edition; ``refusal`` says why it is not mailed all the same."""

    person_id: str
    email: str
    first_name: str | None
    last_name: str | None
    added_at: str
    refusal: str | None


@dataclass(slots=True)
class DueEdition:
    """An edition that may send, with the members to mail."""

    campaign: CampaignRow
    edition: EditionState
    people: list[str]


@dataclass(slots=True)
class Judgement:
    """The outcome of one pass."""

    due: list[DueEdition] = field(default_factory=list)
    blocked: list[wire.BlockedItem] = field(default_factory=list)
    skipped: list[wire.SkippedItem] = field(default_factory=list)
    sent_before: set[str] = field(default_factory=set)  # campaigns

    @property
    def expected(self) -> int:
        """Mails in all."""
        return sum(len(item.people) for item in self.due)


def room_at(conn: Connection, at: datetime, limit: int) -> int:
    """Mails that may still go in the clock hour of an instant (domain 2.2, rule 9)."""
    table = schema.hours
    used = conn.execute(select(table.c.mails).where(table.c.hour == iso(at)[:13])).scalar()
    return max(0, limit - int(used or 0))


def judge(conn: Connection, at: datetime, only: Collection[str] | None, *, has_address: bool, limit: int) -> Judgement:
    """Who is due at an instant, what is blocked, who is skipped. Raises Problem 404 for an unknown campaign."""
    table = schema.campaigns
    query = select(table).order_by(table.c.start_date, table.c.campaign_id)
    if only is not None:
        query = query.where(table.c.campaign_id.in_(sorted(only)))
    campaigns = [CampaignRow.of(row) for row in conn.execute(query)]
    for missing in sorted(set(only or ()) - {campaign.campaign_id for campaign in campaigns}):
        raise not_found("campaign", missing)
    by_campaign: dict[str, list[EditionState]] = {}
    for row in conn.execute(select(schema.editions).order_by(schema.editions.c.slot)):
        by_campaign.setdefault(row[1], []).append(EditionState(*row))
    found, room = Judgement(), room_at(conn, at, limit)
    for campaign in campaigns:
        present = by_campaign.get(campaign.campaign_id, [])
        if any(edition.sent for edition in present):
            found.sent_before.add(campaign.campaign_id)
        room -= _judge_campaign(conn, found, campaign, present, at, room, has_address=has_address)
    return found


def _judge_campaign(
    conn: Connection,
    found: Judgement,
    campaign: CampaignRow,
    editions: Sequence[EditionState],
    at: datetime,
    room: int,
    *,
    has_address: bool,
) -> int:
    used = 0
    addresses: dict[str, str] | None = None
    for edition in editions:
        blocks = rules.blocked_by(campaign.facts, edition.facts, at, has_address=has_address, room=room - used)
        if blocks:
            found.blocked.append(wire.BlockedItem(campaign.campaign_id, edition.edition_id, edition.slot, blocks))
            continue
        rows = candidates(conn, campaign, edition, editions, at)
        if not rows:
            continue
        if addresses is None:
            addresses = oldest_by_address(conn, campaign.campaign_id)
        rows = without_duplicates(rows, addresses, mailed_addresses(conn, edition.edition_id))
        free = [row.person_id for row in rows if row.refusal is None]
        skipped = Counter(row.refusal for row in rows if row.refusal is not None)
        if len(free) > room - used:
            skipped["hourly_limit"] += len(free) - (room - used)
            free = free[: room - used]
        used += len(free)
        if free:
            found.due.append(DueEdition(campaign, edition, free))
        found.skipped += [
            wire.SkippedItem(campaign.campaign_id, edition.edition_id, reason, n)
            for reason, n in sorted(skipped.items())
        ]
    return used


def candidates(
    conn: Connection,
    campaign: CampaignRow,
    edition: EditionState,
    editions: Sequence[EditionState],
    at: datetime,
    among: Collection[str] | None = None,
) -> list[Candidate]:
    """Members whose turn it is for an edition, oldest first, with those that may not be mailed marked so."""
    m = schema.members.c
    query = (
        select(
            m.person_id, m.email, m.first_name, m.last_name, m.added_at, m.active, m.reason, m.hold, m.test_member,
            m.from_slot,
        )
        .where(m.campaign_id == campaign.campaign_id, m.deleted.is_(False))
        .where(*(condition for _, condition in turn(campaign, edition, editions, at)))
        .order_by(m.added_at, m.person_id)
    )  # fmt: skip
    if among is not None:
        query = query.where(m.person_id.in_(sorted(among)))
    found = []
    for person_id, email, first, last, added, *facts in conn.execute(query):
        refused = rules.refusals(rules.MemberFacts(*facts), edition.slot)
        found.append(Candidate(person_id, email or "", first, last, added, refused[0].rule if refused else None))
    return found


def turn(
    campaign: CampaignRow, edition: EditionState, editions: Sequence[EditionState], at: datetime
) -> Iterable[tuple[str, ColumnElement[bool]]]:
    """Whose turn it is, as conditions on a member's row by the name of their breach: never mailed this edition; level
    for Adaptive, order for Drip, and the delay in calendar days for both.

    The list of who is due filters by them, an explanation looks at each: one text of the rules for both.
    """
    m: Any = schema.members.c
    mail = schema.mails.c
    yield (
        "already_mailed",
        ~(select(mail.mail_id).where(mail.edition_id == edition.edition_id, mail.person_id == m.person_id).exists()),
    )
    if edition.role == "scheduled":
        return
    if edition.role == "drip":
        earlier = [other.slot for other in editions if other.active and other.slot < edition.slot]
        reached = func.coalesce(m.last_slot, 0)
        yield "order_passed", reached < edition.slot
        if earlier:  # the active edition before this one comes first, unless an opt-in skips it
            yield "order_waits", (reached >= max(earlier)) | (func.coalesce(m.from_slot, 1) > max(earlier))
    else:
        level = rules.audience_level(edition.role)
        yield "level", m.level.is_(None) if level is None else func.coalesce(m.level, -1) == level
    cutoff = iso(delay_cutoff(at, campaign.facts.where, edition.days_delay or 0))
    yield "delay", func.coalesce(m.last_sent_at, m.added_at) < cutoff


def oldest_by_address(conn: Connection, campaign_id: str) -> dict[str, str]:
    """E-mail address → the person that was added first with it; within a second the member rows' ids tell."""
    m = schema.members.c
    rows = conn.execute(
        select(m.email, m.person_id)
        .where(m.campaign_id == campaign_id, m.deleted.is_(False), m.email.is_not(None))
        .order_by(m.added_at.desc(), m.member_id.desc(), m.person_id.desc())
    )
    return {rules.email_key(email): person_id for email, person_id in rows}


def mailed_addresses(conn: Connection, edition_id: str) -> set[str]:
    """The addresses that an edition went to already."""
    mail = schema.mails.c
    return {rules.email_key(row[0]) for row in conn.execute(select(mail.email).where(mail.edition_id == edition_id))}


def without_duplicates(rows: list[Candidate], oldest: dict[str, str], mailed: set[str]) -> list[Candidate]:
    """The same candidates, those refused whose address belongs to an older member or was mailed already."""
    checked = []
    for row in rows:
        key = rules.email_key(row.email)
        if row.refusal is None and (oldest.get(key, row.person_id) != row.person_id or key in mailed):
            row = Candidate(row.person_id, row.email, row.first_name, row.last_name, row.added_at, "duplicate_email")
        checked.append(row)
    return checked


def prepare(service: Service, order: bodies.SendsPrepare) -> wire.Prepared:
    """Who is due; kept as a frozen list unless it is a dry run. Raises Problem 404, 422."""
    service.settle()
    now = service.clock.now()
    at = order.at or now
    if not plausible(at):
        raise invalid("/at", "the instant must be between 1970 and 2200")
    only = None if order.campaigns is None else set(order.campaigns)
    if order.dry_run:
        with service.db.read() as conn:
            return _prepared(
                None, at, judge(conn, at, only, has_address=service.has_address, limit=service.hourly_limit)
            )
    if at > now + _CLOCK_SKEW:
        raise invalid("/at", "a send cannot be prepared for the future; ask with dry_run", "at_in_future")
    with service.db.write() as conn:
        _tidy(conn, now)
        judgement = judge(conn, at, only, has_address=service.has_address, limit=service.hourly_limit)
        send_id = f"send_{next_number(conn, 'sends'):08d}"
        prepared = _prepared(send_id, at, judgement)
        conn.execute(
            insert(schema.sends).values(
                send_id=send_id, at=iso(at), state="prepared", expected=prepared.expected, created=iso(now),
                prepared=msgspec.json.encode(prepared).decode(),
            )
        )  # fmt: skip
        frozen = [
            {
                "send_id": send_id,
                "campaign_id": item.campaign.campaign_id,
                "edition_id": item.edition.edition_id,
                "person_id": person_id,
            }
            for item in judgement.due
            for person_id in item.people
        ]
        if frozen:
            conn.execute(insert(schema.send_items), [{"n": n, **row} for n, row in enumerate(frozen)])
    return prepared


def _prepared(send_id: str | None, at: datetime, judgement: Judgement) -> wire.Prepared:
    items = [
        wire.DueItem(
            due.campaign.campaign_id, due.edition.edition_id, due.edition.slot, due.edition.name, len(due.people)
        )
        for due in judgement.due
    ]
    first_time = dict.fromkeys(
        due.campaign.campaign_id for due in judgement.due if due.campaign.campaign_id not in judgement.sent_before
    )
    return wire.Prepared(
        send_id, iso(at), judgement.expected, items, judgement.blocked, list(first_time), judgement.skipped
    )


def _tidy(conn: Connection, now: datetime) -> None:
    """Forget what is no longer needed: old feed, answers, hours, lists that were never released."""
    feed.trim(conn, now)
    idempotency.expire(conn, now)
    old = iso(now - _FORGET_PREPARED)
    conn.execute(delete(schema.hours).where(schema.hours.c.hour < old[:13]))
    stale = select(schema.sends.c.send_id).where(and_(schema.sends.c.state == "prepared", schema.sends.c.created < old))
    conn.execute(delete(schema.send_items).where(schema.send_items.c.send_id.in_(stale)))
    conn.execute(delete(schema.sends).where(and_(schema.sends.c.state == "prepared", schema.sends.c.created < old)))
