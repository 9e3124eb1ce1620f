"""Test sends: an edition to the global test members and the campaign's own, in no metric (domain 2.2, rule 5)."""

from __future__ import annotations

from sqlalchemy import insert, select

from sync.embedded.service import rules, schema, wire
from sync.embedded.service.database import next_number
from sync.embedded.service.eml import ContentError, Recipient, token_of
from sync.embedded.service.problems import Problem, conflict, not_found
from sync.embedded.service.records import CampaignRow, EditionState
from sync.embedded.service.release import composer_for
from sync.embedded.service.service import DeliveryError, Service
from sync.embedded.service.work import Work, suppressions_of


def test_send(service: Service, edition_id: str, client: str | None) -> wire.TestSend:
    """Send an edition to its test members. Raises Problem 404, 409 (content_missing, content_error,
    no_test_members), 503 delivery_failed."""
    with service.work(client) as work:
        edition, campaign = _found(work, edition_id)
        if not edition.has_content:
            raise conflict("content_missing", "The edition has no subject or no HTML.")
        recipients = _recipients(work, campaign.campaign_id)
        if not recipients:
            raise conflict("no_test_members", "There is no test member that can be mailed.")
        ids = [f"t{next_number(work.conn, 'tests'):012d}" for _ in recipients]
        try:
            composer = composer_for(service, work, campaign, edition)
            messages = [
                composer.message(mail_id, token_of(service.secret, mail_id), person, work.now, test=True)
                for mail_id, person in zip(ids, recipients, strict=True)
            ]
        except ContentError as error:
            raise conflict("content_error", f"The edition cannot be rendered: {error}.") from error
        work.conn.execute(
            insert(schema.test_mails),
            [
                {
                    "mail_id": mail_id, "campaign_id": campaign.campaign_id, "edition_id": edition_id,
                    "person_id": person.person_id, "email": person.email, "sent_at": work.at,
                }
                for mail_id, person in zip(ids, recipients, strict=True)
            ],
        )  # fmt: skip
    reached = []
    for mail_id, person, message in zip(ids, recipients, messages, strict=True):
        try:
            service.transport.deliver(mail_id, message)
        except DeliveryError:
            continue
        reached.append(person.email)
    if not reached:
        raise Problem(503, "delivery_failed", "No test mail could be handed over.")
    with service.work(client) as work:
        edition, campaign = _found(work, edition_id)
        edition.tested_at = work.at
        edition.version += 1
        shown = edition.wire(campaign, work.now, has_address=service.has_address)
    return wire.TestSend(len(reached), reached, shown)


def _found(work: Work, edition_id: str) -> tuple[EditionState, CampaignRow]:
    edition = work.edition(edition_id)
    campaign = None if edition is None else work.campaign(edition.campaign_id)
    if edition is None or campaign is None:
        raise not_found("edition", edition_id)
    return edition, campaign


def _recipients(work: Work, campaign_id: str) -> list[Recipient]:
    """Global test members and the campaign's flagged members, each address once, nobody that opted out."""
    t, m = schema.test_members.c, schema.members.c
    rows = list(work.conn.execute(select(t.person_id, t.email, t.first_name, t.last_name).order_by(t.person_id)))
    rows += work.conn.execute(
        select(m.person_id, m.email, m.first_name, m.last_name)
        .where(m.campaign_id == campaign_id, m.deleted.is_(False), m.test_member.is_(True), m.active.is_(True))
        .where(m.hold.is_(None))
        .order_by(m.person_id)
    )
    out = {person for person, where, kind in suppressions_of(work.conn, [row[0] for row in rows]) if where == ""}
    found: dict[str, Recipient] = {}
    for person_id, email, first, last in rows:
        if person_id not in out and rules.sound_address(email):
            found.setdefault(rules.email_key(email), Recipient(person_id, email, first, last))
    return list(found.values())
