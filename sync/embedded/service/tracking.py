"""What happens to a mail after it left: delivered, opened, clicked, completed, bounced, complained, opted out.

One door for the tracking links, the delivery provider's webhook and the simulated audience. Levels only rise; a
click without an open counts as opened too, a completion as clicked (domain 3.2). Runs inside a unit of work.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select

from sync.embedded.service import people, rules, schema
from sync.embedded.service.instants import instant, iso
from sync.embedded.service.records import LinkState, MailState, MemberState
from sync.embedded.service.work import Work

Kind = Literal["delivered", "open", "click", "complete", "bounce", "complaint", "opt_out"]


def record_sent(work: Work, mail: MailState, at: datetime) -> None:
    """A mail has left: statistics, history by hour, the member's level and status."""
    mail.state = "sent"
    mail.sent_at = iso(at)
    edition, campaign = work.edition(mail.edition_id), work.campaign(mail.campaign_id)
    if edition is None or campaign is None:
        return
    edition.sent += 1
    local = at.astimezone(campaign.facts.where)
    work.history_at(edition, local.date().isoformat(), local.hour).count += 1
    member = work.member(mail.campaign_id, mail.person_id)
    if member is None:
        return
    member.last_sent_at = max(mail.sent_at, member.last_sent_at or "")
    member.last_slot = max(edition.slot, member.last_slot or 0)
    _rise(work, member, rules.SENT)


def _rise(work: Work, member: MemberState, level: int) -> None:
    campaign = work.campaign(member.campaign_id)
    if campaign is not None and not member.deleted:
        member.status = rules.next_status(campaign.statuses, campaign.status_on, member.status, level)
    if member.level is None or member.level < level:
        member.level = level


def apply(
    work: Work,
    mail: MailState,
    kind: Kind,
    at: datetime,
    *,
    link: LinkState | None = None,
    hard: bool = True,
    everywhere: bool = True,
) -> None:
    """Let one thing happen to a mail at an instant. ``hard`` is for bounces, ``everywhere`` for opt-outs.

    A mail of unknown fate that is heard of was sent after all.
    """
    if mail.state != "sent":
        record_sent(work, mail, instant(mail.intent_at))
    member = work.member(mail.campaign_id, mail.person_id)
    live = member if member is not None and not member.deleted else None
    if kind == "delivered":
        work.mark(mail, "delivered")
    elif kind in ("open", "click", "complete"):
        _engage(work, mail, live, kind, link)
    elif kind == "bounce":
        _bounce(work, mail, live, hard=hard)
    elif kind == "complaint":
        if work.mark(mail, "complained"):
            people.opt_out_everywhere(
                work, mail.person_id, direct_in=mail.campaign_id, kind="complaint", reason=rules.COMPLAINT, at=iso(at)
            )
    elif work.mark(mail, "opted_out") or everywhere:
        if everywhere:
            people.opt_out_everywhere(work, mail.person_id, direct_in=mail.campaign_id, at=iso(at))
        else:
            people.opt_out_here(work, mail.person_id, mail.campaign_id, None, iso(at))
    if live is not None and kind != "delivered":
        live.last_activity = max(iso(at), live.last_activity or "")


def _engage(work: Work, mail: MailState, member: MemberState | None, kind: str, link: LinkState | None) -> None:
    opens = kind == "open" or not mail.opened
    clicks = kind == "click" or (kind == "complete" and not mail.clicked)
    if opens:
        work.mark(mail, "opened")
    if clicks:
        work.mark(mail, "clicked")
        if link is not None:
            link.hits += 1
    if kind == "complete":
        work.mark(mail, "completed")
        if link is not None:
            link.completion = True
    if member is None:
        return
    member.opens += opens
    member.clicks += clicks
    member.completions += kind == "complete"
    _rise(work, member, rules.OPENED)
    if mail.clicked:
        _rise(work, member, rules.CLICKED)
    if mail.completed:
        _rise(work, member, rules.COMPLETED)


def _bounce(work: Work, mail: MailState, member: MemberState | None, *, hard: bool) -> None:
    fresh = work.mark(mail, "bounced")
    if member is None:
        return
    member.bounces += fresh
    if rules.email_key(mail.email) != rules.email_key(member.email):
        return  # an old address bounced; it says nothing about the present one
    if hard or _soft_run(work, mail):
        people.bounce_out(work, member)


def _soft_run(work: Work, mail: MailState) -> bool:
    """Whether the member's last mails all bounced."""
    table = schema.mails
    rows = work.conn.execute(
        select(table.c.mail_id, table.c.bounced)
        .where(table.c.person_id == mail.person_id, table.c.campaign_id == mail.campaign_id, table.c.state == "sent")
        .order_by(table.c.sent_at.desc(), table.c.intent_at.desc())
        .limit(rules.SOFT_BOUNCES_IN_A_ROW)
    ).all()
    held = [work.mails[row[0]].bounced if row[0] in work.mails else bool(row[1]) for row in rows]
    return len(held) == rules.SOFT_BOUNCES_IN_A_ROW and all(held)


def link_for(work: Work, edition_id: str, url: str | None) -> LinkState | None:
    """The edition's link with a target; None when there is no such link."""
    return next((link for link in work.links_of(edition_id) if link.url == url), None) if url else None
