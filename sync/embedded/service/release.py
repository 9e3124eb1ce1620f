"""Releasing a prepared send: journal the intent, hand over, journal the outcome, in chunks.

A mail is handed over only after its intent is committed. An intent whose outcome is not known becomes `unknown`,
is listed and never sent again: the unique key (edition, person) of the journal holds. A row that is no longer
allowed is dropped. Sources: domain 2.2; the promise that no e-mail goes twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from sync.embedded.service import rules, schema, sending, tracking, wire
from sync.embedded.service.eml import Composer, ContentError, From, Recipient, links_in, mail_id_of, token_of
from sync.embedded.service.problems import conflict, not_found
from sync.embedded.service.records import CampaignRow, EditionState, LinkState, MailState
from sync.embedded.service.service import DeliveryError, Service
from sync.embedded.service.work import Work

CHUNK = 200


@dataclass(frozen=True, slots=True)
class _Item:
    n: int
    campaign_id: str
    edition_id: str
    person_id: str


@dataclass(frozen=True, slots=True)
class _Intent:
    item: _Item
    mail: MailState
    to: Recipient
    composer: Composer


@dataclass(slots=True)
class _Cache:
    """What one release looks up once: addresses by campaign and edition, content by edition version."""

    oldest: dict[str, dict[str, str]] = field(default_factory=dict)
    mailed: dict[str, set[str]] = field(default_factory=dict)
    composers: dict[tuple[str, int], Composer] = field(default_factory=dict)


def recover(service: Service) -> int:
    """At start-up: intents without outcome are `unknown` from now on. Returns how many there were."""
    with service.db.write() as conn:
        items, mails = schema.send_items, schema.mails
        conn.execute(update(items).where(items.c.outcome == "intent").values(outcome="unknown"))
        return conn.execute(update(mails).where(mails.c.state == "intent").values(state="unknown")).rowcount


def release(service: Service, send_id: str, expected: int) -> wire.Released:
    """Send what was prepared. Released twice gives the first result; one that a crash cut off goes on.

    Raises Problem 404, 409 count_changed, 409 release_in_progress.
    """
    service.settle()
    service.releasing.enter(send_id)
    try:
        with service.db.write() as conn:
            row = conn.execute(select(schema.sends).where(schema.sends.c.send_id == send_id)).one_or_none()
            if row is None:
                raise not_found("send", send_id)
            if row.expected != expected:
                raise conflict("count_changed", f"The send has {row.expected} mails, not {expected}.")
            if row.state == "released":
                return _result(conn, send_id)
            _set_state(conn, send_id, "releasing")
        cache = _Cache()
        while _chunk(service, send_id, cache):
            pass
        with service.db.write() as conn:
            _set_state(conn, send_id, "released")
            return _result(conn, send_id)
    finally:
        service.releasing.leave(send_id)


def _set_state(conn: Connection, send_id: str, state: str) -> None:
    conn.execute(update(schema.sends).where(schema.sends.c.send_id == send_id).values(state=state))


def _chunk(service: Service, send_id: str, cache: _Cache) -> bool:
    """Journal, hand over and record up to 200 mails; False when nothing is left."""
    with service.work() as work:
        table = schema.send_items
        rows = work.conn.execute(
            select(table.c.n, table.c.campaign_id, table.c.edition_id, table.c.person_id)
            .where(table.c.send_id == send_id, table.c.outcome.is_(None))
            .order_by(table.c.n)
            .limit(CHUNK)
        ).all()
        if not rows:
            return False
        intents = _journal(service, work, send_id, [_Item(*row) for row in rows], cache)
    outcomes = [(intent, *_hand_over(service, intent)) for intent in intents]
    _record(service, send_id, outcomes)
    return True


def _journal(service: Service, work: Work, send_id: str, items: Sequence[_Item], cache: _Cache) -> list[_Intent]:
    """Judge each row afresh, write the intents of those still allowed; the others are dropped."""
    at, room = work.now, sending.room_at(work.conn, work.now, service.hourly_limit)
    by_edition: dict[str, list[_Item]] = {}
    for item in items:
        by_edition.setdefault(item.edition_id, []).append(item)
    intents: list[_Intent] = []
    outcomes: list[dict[str, object]] = []
    for edition_id, group in by_edition.items():
        allowed, refusal = _still_allowed(service, work, edition_id, group, at, cache)
        for item in group:
            person = allowed.get(item.person_id)
            why = refusal or (None if person is not None else "no_longer_due")
            if person is not None and person.refusal is not None:
                why = person.refusal
            elif why is None and len(intents) >= room:
                why = "hourly_limit"
            outcomes.append({"i": item.n, "o": "dropped" if why else "intent", "d": why})
            if why is None and person is not None:
                intents.append(_intent(service, work, send_id, item, person, cache))
    if intents:
        rows = [msgspec.structs.asdict(intent.mail) for intent in intents]
        work.conn.execute(insert(schema.mails), rows)
        _use_room(work, len(intents))
    _set_outcomes(work.conn, send_id, outcomes)
    return intents


def _still_allowed(
    service: Service, work: Work, edition_id: str, group: Sequence[_Item], at: datetime, cache: _Cache
) -> tuple[dict[str, sending.Candidate], str | None]:
    edition = work.edition(edition_id)
    campaign = None if edition is None else work.campaign(edition.campaign_id)
    if edition is None or campaign is None:
        return {}, "edition_gone"
    blocks = rules.blocked_by(campaign.facts, edition.facts, at, has_address=service.has_address)
    if blocks:
        return {}, blocks[0].rule
    cid = campaign.campaign_id
    if cid not in cache.oldest:
        cache.oldest[cid] = sending.oldest_by_address(work.conn, cid)
    if edition_id not in cache.mailed:
        cache.mailed[edition_id] = sending.mailed_addresses(work.conn, edition_id)
    try:
        _composer(service, work, campaign, edition, cache)
    except ContentError:
        return {}, "content_error"
    people = [item.person_id for item in group]
    rows = sending.candidates(work.conn, campaign, edition, work.editions_of(cid), at, people)
    rows = sending.without_duplicates(rows, cache.oldest[cid], cache.mailed[edition_id])
    return {row.person_id: row for row in rows}, None


def _intent(
    service: Service, work: Work, send_id: str, item: _Item, person: sending.Candidate, cache: _Cache
) -> _Intent:
    edition = work.edition(item.edition_id)
    assert edition is not None  # _still_allowed read it
    mail = MailState(
        mail_id_of(item.edition_id, item.person_id), item.campaign_id, item.edition_id, item.person_id, send_id,
        person.email, "intent", work.at, None,
    )  # fmt: skip
    cache.mailed[item.edition_id].add(rules.email_key(person.email))
    to = Recipient(item.person_id, person.email, person.first_name, person.last_name)
    return _Intent(item, mail, to, cache.composers[edition.edition_id, edition.version])


def _composer(service: Service, work: Work, campaign: CampaignRow, edition: EditionState, cache: _Cache) -> Composer:
    key = (edition.edition_id, edition.version)
    if key not in cache.composers:
        cache.composers[key] = composer_for(service, work, campaign, edition)
    return cache.composers[key]


def composer_for(service: Service, work: Work, campaign: CampaignRow, edition: EditionState) -> Composer:
    """An edition's content ready to render, its link targets numbered for good. Raises ContentError."""
    known = {link.url: link.n for link in work.links_of(edition.edition_id)}
    for url in links_in(edition.html or ""):
        if url not in known:
            n = len(known)
            known[url] = n
            click_id = f"ct_{edition.edition_id.removeprefix('ed_')}_{n}"
            work.add_link(LinkState(edition.edition_id, n, click_id, edition.campaign_id, url, 0, completion=False))
    return Composer(
        subject=edition.subject or "",
        html=edition.html or "",
        text=edition.text,
        numbers=known,
        sender=sender_of(service),
        base=service.public_url,
        campaign=campaign.name,
    )


def sender_of(service: Service) -> From:
    """Whom mails are from."""
    who = service.sender
    return From(who.name, who.email, who.company, who.address)


def _use_room(work: Work, count: int) -> None:
    table = schema.hours
    hour = work.at[:13]
    if work.conn.execute(update(table).where(table.c.hour == hour).values(mails=table.c.mails + count)).rowcount == 0:
        work.conn.execute(insert(table).values(hour=hour, mails=count))


def _hand_over(service: Service, intent: _Intent) -> tuple[str, str | None]:
    mail_id = intent.mail.mail_id
    try:
        message = intent.composer.message(mail_id, token_of(service.secret, mail_id), intent.to, service.clock.now())
        service.transport.deliver(mail_id, message)
    except (ContentError, DeliveryError) as error:
        return "failed", str(error)
    except Exception as error:  # noqa: BLE001 - whatever else a transport raises, the mail may have gone
        return "unknown", f"{type(error).__name__}: {error}"
    return "sent", None


def _record(service: Service, send_id: str, outcomes: Sequence[tuple[_Intent, str, str | None]]) -> None:
    """Write what became of each mail; a failed one certainly did not go and may be due again."""
    with service.work() as work:
        failed: list[str] = []
        sent: list[tuple[str, int]] = []
        for campaign_id in {intent.mail.campaign_id for intent, _, _ in outcomes}:
            work.load_members(campaign_id, [intent.mail.person_id for intent, _, _ in outcomes])
        work.load_mails(intent.mail.mail_id for intent, _, _ in outcomes)
        for intent, outcome, _ in outcomes:
            mail = work.mail(intent.mail.mail_id)
            if mail is None:
                continue
            if outcome == "failed":
                failed.append(mail.mail_id)
            elif outcome == "unknown":
                mail.state = "unknown"
            elif mail.state == "intent":  # else its reader was quicker than this journal
                tracking.record_sent(work, mail, work.now)
            if outcome == "sent":
                sent.append((mail.mail_id, len(intent.composer.numbers)))
        if failed:
            table = schema.mails
            work.conn.execute(delete(table).where(table.c.mail_id.in_(failed), table.c.state == "intent"))
        rows: list[dict[str, object]] = [
            {"i": intent.item.n, "o": outcome, "d": detail} for intent, outcome, detail in outcomes
        ]
        _set_outcomes(work.conn, send_id, rows)
        service.audience.plan(work.conn, sent, work.now)


def _set_outcomes(conn: Connection, send_id: str, rows: Sequence[dict[str, object]]) -> None:
    if not rows:
        return
    table = schema.send_items
    conn.execute(
        update(table)
        .where(table.c.send_id == send_id, table.c.n == bindparam("i"))
        .values(outcome=bindparam("o"), detail=bindparam("d")),
        rows,
    )


def _counts(conn: Connection, send_id: str) -> tuple[Counter[str], list[wire.SentItem], dict[str, int]]:
    table = schema.send_items.c
    totals: Counter[str] = Counter()
    items, dropped = [], {}
    rows = conn.execute(
        select(table.campaign_id, table.edition_id, table.outcome, func.count(), func.min(table.n))
        .where(table.send_id == send_id, table.outcome.is_not(None))
        .group_by(table.campaign_id, table.edition_id, table.outcome)
        .order_by(func.min(table.n))
    )
    for campaign_id, edition_id, outcome, n, _ in rows:
        totals[outcome] += n
        if outcome == "sent":
            items.append(wire.SentItem(campaign_id, edition_id, n))
    query = select(table.detail, func.count()).where(table.send_id == send_id, table.outcome == "dropped")
    for detail, n in conn.execute(query.group_by(table.detail).order_by(table.detail)):
        dropped[str(detail)] = n
    return totals, items, dropped


def _result(conn: Connection, send_id: str) -> wire.Released:
    totals, items, _ = _counts(conn, send_id)
    return wire.Released(send_id, totals["sent"], totals["unknown"], totals["failed"], totals["dropped"], items)


def show(conn: Connection, send_id: str) -> wire.Send:
    """A send with its list and its result so far. Raises Problem 404."""
    row = conn.execute(select(schema.sends).where(schema.sends.c.send_id == send_id)).one_or_none()
    if row is None:
        raise not_found("send", send_id)
    totals, items, dropped = _counts(conn, send_id)
    return wire.Send(
        send_id=send_id,
        state=row.state,
        at=row.at,
        created=row.created,
        expected=row.expected,
        sent=totals["sent"],
        unknown=totals["unknown"],
        failed=totals["failed"],
        dropped=totals["dropped"],
        items=items,
        prepared=msgspec.json.decode(row.prepared, type=wire.Prepared),
        dropped_by=dropped,
    )
