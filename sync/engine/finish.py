"""The end of an apply: the base of members that needed no write, rejected values, and the counts of both sides.

Imports the pure core and the store. What was written has advanced its base with its own outcome; here the rest is
looked at once more, against the rows as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.draft import Fact, MergeContext, Rejection, member_label
from sync.engine.live import LiveRun
from sync.engine.planning import differing
from sync.events import RowFailed
from sync.ids import CampaignId, PersonId
from sync.merge import merge
from sync.model import BaseMember, Campaign, OrgMember, RunKind, ServiceMember, Side
from sync.plan import Change, PlanRow, Subject
from sync.rules import Rule
from sync.settle import settle
from sync.store.journal import JournalRow

_CHUNK = 2000


def settle_rest(live: LiveRun, campaign: Campaign, kind: RunKind) -> set[str]:
    """Advance the base of every member that still differs from it; the persons whose status was rejected just now."""
    members = live.parts.store.members
    if Rule.WRITTEN_IS_AGREED not in live.parts.rules:
        return set()
    context = MergeContext(kind, campaign.labels, live.parts.clock.now(), live.parts.off, live.parts.rules)
    bases: list[BaseMember] = []
    gone: list[tuple[CampaignId, PersonId]] = []
    rejected: list[tuple[OrgMember, Rejection]] = []
    for each in differing(live, campaign.id):
        org, service, base = each.org, each.service, each.base
        if each.known_as is not None:
            continue
        merged = merge(org, service, base, context, invisible=base is not None and base.invisible)
        if Fact.FORGOTTEN in merged.facts and base is not None:
            gone.append((campaign.id, base.person_id))
        if org is None or service is None or org.person_id != service.person_id:
            continue
        now = settled(live, org, service, base, rejected=Fact.REJECTED in merged.facts)
        if now != base:
            bases.append(now)
        rejected += ((org, rejection) for rejection in merged.rejections)
    for start in range(0, len(bases), _CHUNK):
        members.put_base(bases[start : start + _CHUNK])
    if gone:
        members.drop_base(gone)
    if rejected:
        _journal(live, campaign.id, rejected)
    return {org.person_id for org, _ in rejected}


def settled(
    live: LiveRun, org: OrgMember, service: ServiceMember, base: BaseMember | None, *, rejected: bool
) -> BaseMember:
    """The base of a member as both sides are now."""
    return settle(
        org,
        service,
        base,
        off=live.parts.off,
        rejected=rejected,
        invisible=base is not None and base.invisible,
    )


def _journal(live: LiveRun, campaign_id: CampaignId, rejected: Iterable[tuple[OrgMember, Rejection]]) -> None:
    rows, events = [], []
    for org, rejection in rejected:
        (number,) = (live.number_rows(1),)
        row = PlanRow(
            seq=number,
            side=rejection.side,
            campaign_id=campaign_id,
            subject=Subject.MEMBER,
            subject_id=org.person_id,
            label=member_label(org),
            change=Change.STATUS,
            field=rejection.field,
            before=None,
            after=rejection.value,
            reason=rejection.message,
            rule="three-way",
            member_id=org.member_id,
        )
        rows.append(
            JournalRow.of(row, "rejected", code=rejection.code, message=rejection.message, remedy=rejection.remedy)
        )
        body = RowFailed(
            live.run,
            rejection.side,
            campaign_id,
            org.person_id,
            row.label,
            rejection.field,
            rejection.code,
            rejection.message,
            rejection.remedy,
            False,
        )
        events.append(live.stamp(body))
    journal = live.parts.store.journal
    batch = live.next_batch()
    journal.record_intent(live.lease, batch, Side.PREDICTIVE, {"rejected": len(rows)}, campaign_id=campaign_id)
    journal.record_outcome(live.lease, batch, rows, events=events)
    live.tell(events)
