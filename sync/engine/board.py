"""Failed rows that still matter: the newest of each record and field that no later row and no agreement has mended.

Imports the store and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sync.digest import org_digest, service_digest
from sync.engine.apply_org import OVERWRITTEN
from sync.ids import CampaignId, PersonId
from sync.model import BaseMember, OrgMember, ServiceMember
from sync.store.store import Store
from sync.views import FailedRow

_PEOPLE = ("003", "00Q")


def unmended(store: Store, campaign_id: CampaignId | None = None) -> tuple[FailedRow, ...]:
    """Failed rows of all campaigns or of one, newest first, without those that were mended since."""
    rows = store.journal.unmended(campaign_id)
    settled = set(_in_step(store, rows))
    # What was written over is lost on both sides: that they agree mends nothing.
    return tuple(row for row in rows if row.code == OVERWRITTEN or (row.campaign_id, row.subject_id) not in settled)


def _in_step(store: Store, rows: Sequence[FailedRow]) -> Iterator[tuple[str, str]]:
    """Members among *rows* on whom both sides agree by now, or whom neither has any more; people of no campaign whose
    opt-out box is due no longer."""
    due = {person.person_id for person in store.people.to_tick()}
    yield from (("", row.subject_id) for row in rows if not row.campaign_id and row.subject_id not in due)
    people = {(row.campaign_id, row.subject_id) for row in rows if row.subject_id.startswith(_PEOPLE)}
    for campaign, keys in groupby(sorted(people), key=lambda key: key[0]):
        if not campaign:
            continue
        key = CampaignId(campaign)
        persons = [PersonId(person) for _, person in keys]
        org, service = store.members.org_rows(key, persons), store.members.service_rows(key, persons)
        base = store.members.base_rows(key, persons)
        for person in persons:
            here = org.get(person, ())
            if _agrees(here[0] if here else None, service.get(person), base.get(person)):
                yield key, person


def _agrees(org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None) -> bool:
    if org is None or service is None or base is None:
        return org is None and service is None
    return (base.org_digest, base.service_digest) == (org_digest(org), service_digest(service))
