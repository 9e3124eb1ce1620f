"""Opting people out and in, bounces and complaints: what holds a person back, and how it is lifted.

Suppression is kept by person, so it outlives members. Global: mailed nowhere; else in one campaign. Runs inside
a unit of work. Sources: domain 3.3, 3.4.
"""

from __future__ import annotations

from sqlalchemy import delete

from sync.embedded.service import bodies, rules, schema, wire
from sync.embedded.service.problems import invalid, not_found
from sync.embedded.service.records import MemberState
from sync.embedded.service.work import Work, suppress, suppressions_of


def opt_out_everywhere(
    work: Work,
    person_id: str,
    *,
    direct_in: str | None,
    reason: str | None = None,
    kind: str = "opt_out",
    at: str | None = None,
) -> list[str]:
    """Global opt-out (or complaint): Direct in the campaign whose mail was used, Indirect in the others.

    Returns the campaigns whose members changed.
    """
    at = at or work.at
    newly = suppress(work, person_id, "", kind, reason)
    affected = []
    for member in work.load_people([person_id]):
        before = (member.active, member.reason, member.opted_out)
        member.opted_out = True
        if member.campaign_id == direct_in:
            member.deactivate(rules.COMPLAINT if kind == "complaint" else rules.OPT_OUT_DIRECT)
        else:
            member.deactivate(_given(reason) or rules.OPT_OUT_INDIRECT)
        if (member.active, member.reason, member.opted_out) != before:
            affected.append(member.campaign_id)
    if newly:
        change = wire.PersonChange(person_id, True, "global", reason, at)
        work.publish("person", "upsert", direct_in, change)
    return sorted(affected)


def opt_out_here(work: Work, person_id: str, campaign_id: str, reason: str | None, at: str | None = None) -> list[str]:
    """Campaign opt-out: Direct in this campaign, nothing elsewhere; the person's opt-out box is not touched."""
    newly = suppress(work, person_id, campaign_id, "opt_out", reason)
    affected = []
    member = work.member(campaign_id, person_id)
    if member is not None and not member.deleted:
        before = (member.active, member.reason)
        member.deactivate(_given(reason) or rules.OPT_OUT_DIRECT)
        affected = [campaign_id] if (member.active, member.reason) != before else []
    if newly:
        change = wire.PersonChange(person_id, True, "campaign", reason, at or work.at)
        work.publish("person", "upsert", campaign_id, change)
    return affected


def _given(reason: str | None) -> str | None:
    """A reason of the opt-out family becomes the member's reason; any other text is a note."""
    return reason if reason is not None and reason.startswith("Opt Out ") else None


def bounce_out(work: Work, member: MemberState) -> None:
    """Inactive by bounce, remembered with the address that bounced."""
    suppress(work, member.person_id, member.campaign_id, "bounce", rules.BOUNCE, rules.email_key(member.email))
    member.deactivate(rules.BOUNCE)


def forget_bounce(work: Work, member: MemberState) -> None:
    """The address changed: the bounce of the old one holds nobody back any more."""
    table = schema.suppressions
    work.conn.execute(
        delete(table).where(
            table.c.person_id == member.person_id,
            table.c.campaign_id == member.campaign_id,
            table.c.kind == "bounce",
        )
    )


def opt_in(work: Work, person_id: str, order: bodies.OptInPost) -> list[str]:
    """Lift opt-outs, complaints and bounces, everywhere or in one campaign; returns the campaigns that changed.

    In one campaign: a global opt-out ends too, but the person's other members stay out, now by campaign.
    Editions before ``from_edition`` are not sent to the member.
    """
    from_slot = _from_slot(work, order)
    known = suppressions_of(work.conn, [person_id])
    was_global = any(campaign == "" for _, campaign, _ in known)
    members = work.load_people([person_id])
    affected = []
    for member in members:
        before = (member.active, member.reason, member.opted_out, member.from_slot)
        member.opted_out = False
        if order.campaign_id in (None, member.campaign_id):
            _readmit(member)
            if from_slot is not None:
                member.from_slot = from_slot
        elif rules.rank(member.reason) >= rules.rank(rules.OPT_OUT_DIRECT):
            kind = "complaint" if member.reason == rules.COMPLAINT else "opt_out"
            suppress(work, person_id, member.campaign_id, kind, member.reason)
        if (member.active, member.reason, member.opted_out, member.from_slot) != before:
            affected.append(member.campaign_id)
    table = schema.suppressions
    lifted = delete(table).where(table.c.person_id == person_id)
    if order.campaign_id is not None:
        lifted = lifted.where(table.c.campaign_id.in_(["", order.campaign_id]))
    gone = work.conn.execute(lifted).rowcount
    if gone or affected:
        scope: wire.Scope = "global" if was_global or order.campaign_id is None else "campaign"
        change = wire.PersonChange(person_id, False, scope, order.reason, work.at)
        work.publish("person", "upsert", order.campaign_id, change)
    return sorted(affected)


def _from_slot(work: Work, order: bodies.OptInPost) -> int | None:
    if order.campaign_id is not None and work.campaign(order.campaign_id) is None:
        raise not_found("campaign", order.campaign_id)
    if order.from_edition is None:
        return None
    if order.campaign_id is None:
        raise invalid("/from_edition", "from_edition needs campaign_id: editions belong to a campaign")
    edition = work.edition(order.from_edition)
    if edition is None or edition.campaign_id != order.campaign_id:
        raise not_found("edition", order.from_edition)
    return edition.slot


def _readmit(member: MemberState) -> None:
    if rules.sound_address(member.email):
        member.active, member.reason = True, None
    else:
        member.active, member.reason = False, rules.NO_EMAIL


def opt_out(work: Work, person_id: str, order: bodies.OptOutPost) -> list[str]:
    """The opt-out that an operator or another system orders; returns the campaigns that changed."""
    if order.campaign_id is not None and work.campaign(order.campaign_id) is None:
        raise not_found("campaign", order.campaign_id)
    if order.scope == "global":
        return opt_out_everywhere(work, person_id, direct_in=order.campaign_id, reason=order.reason)
    if order.campaign_id is None:
        raise invalid("/campaign_id", "an opt-out of scope campaign needs campaign_id")
    return opt_out_here(work, person_id, order.campaign_id, order.reason)
