"""Landing: rows of either side put beside what is there, with digests, the primary row of each person, and the mark
that a campaign was touched.

Functions over a connection inside a write transaction; ``sync.store.members`` cuts the streams into chunks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, select, update

from sync.digest import org_digest
from sync.draft import COUNTERS
from sync.ids import CampaignId
from sync.model import OrgMember, ServiceMember
from sync.store.compare import rows_of_people
from sync.store.database import Database, chunks
from sync.store.rows import ORG_COLUMNS, SERVICE_COLUMNS, columns_of, org_row, rows_by, service_row
from sync.store.schema import campaign, org_member, service_member
from sync.store.types import to_micros

_LATE = 1 << 62
_ORG_DIGEST = ORG_COLUMNS.index("digest")
_SERVICE_DIGEST = SERVICE_COLUMNS.index("digest")

Key = tuple[str, str]


def touch(conn: Connection, campaign_ids: Collection[str]) -> None:
    """Mark campaigns as having landed rows that may differ from what was agreed."""
    for some in chunks(sorted(campaign_ids)):
        conn.execute(update(campaign).where(campaign.c.campaign_id.in_(some), ~campaign.c.touched).values(touched=True))


def land_org(
    database: Database, conn: Connection, rows: Sequence[OrgMember], run: str | None, at: datetime
) -> tuple[int, set[CampaignId]]:
    """Upsert org rows by member id; how many are new or changed in what the merge looks at, and in which campaigns.

    Of several rows of one person the oldest (created, then member id) is primary; whoever joins, leaves or becomes
    another person (a converted lead) moves that mark.
    """
    incoming = {(row.campaign_id, row.member_id): row for row in rows}
    known = _known_org(database, conn, incoming.values())
    moved = {
        (key[0], old.person_id)
        for key, old in known.items()
        if key in incoming and incoming[key].person_id != old.person_id
    }
    if moved:
        known.update(_org_by_person(database, conn, moved))
    people: dict[Key, list[tuple[int, str]]] = defaultdict(list)
    for (campaign_id, member_id), old in known.items():
        if (campaign_id, member_id) not in incoming:
            people[campaign_id, old.person_id].append(_age(old.created, member_id))
    for row in incoming.values():
        created = None if row.created is None else to_micros(row.created)
        people[row.campaign_id, row.person_id].append(_age(created, row.member_id))
    primary = {key: min(ages)[1] for key, ages in people.items()}

    changed: set[CampaignId] = set()
    count = 0
    values = []
    stamp = to_micros(at)
    for key, row in incoming.items():
        is_primary = primary[row.campaign_id, row.person_id] == row.member_id
        made = org_row(row, primary=is_primary, at=stamp, run=run)
        values.append(made)
        before = known.get(key)
        if (
            before is None
            or before.digest != made[_ORG_DIGEST]
            or before.person_id != row.person_id
            or bool(before.is_primary) != is_primary
        ):
            count += 1
            changed.add(row.campaign_id)
    database.bulk(conn, org_member, ORG_COLUMNS, values)
    changed |= _mark_primary(conn, known, incoming, primary)
    return count, changed


_PATCHED = ("opted_out", "status", "level", "reason", "active", *COUNTERS)
"""What a write to the org, or the answer to it, can change in a row that is there; the marker beside it."""

_patched = attrgetter(*_PATCHED)
_OF_PATCH = (*_PATCHED, "synced", "digest", "seen_at", "seen_run")


def patch_org(database: Database, conn: Connection, rows: Sequence[OrgMember], run: str | None, at: datetime) -> None:
    """Set what our own writes changed in org rows that are there; whose rows they are stays as it is."""
    stamp = to_micros(at)
    values = []
    for row in rows:
        synced = None if row.synced is None else to_micros(row.synced)
        values.append((*_patched(row), synced, org_digest(row), stamp, run, row.campaign_id, row.member_id))
    database.set_many(conn, org_member, _OF_PATCH, ("campaign_id", "member_id"), values)


def land_service(
    database: Database, conn: Connection, rows: Sequence[ServiceMember], *, snapshot: str | None = None
) -> tuple[int, set[CampaignId]]:
    """Upsert service rows; how many are new or changed, and in which campaigns.

    Unless they come from a snapshot, rows older than what is there are left out: the feed tells at least once, and
    what it tells may be older than the answer to our own write.
    """
    incoming = {(row.campaign_id, row.person_id): row for row in rows}
    known: dict[Key, tuple[str, int]] = {}
    for campaign_id, person_ids in _by_campaign(incoming):
        found = database.look_up(conn, "versions", _versions, campaign_id, person_ids)
        known.update({(campaign_id, person): (digest, version) for person, digest, version in found})
    changed: set[CampaignId] = set()
    values = []
    count = 0
    for key, row in incoming.items():
        before = known.get(key)
        if snapshot is None and before is not None and row.version < before[1]:
            continue
        made = service_row(row, snapshot)
        values.append(made)
        if before is None or before[0] != made[_SERVICE_DIGEST]:
            count += 1
            changed.add(row.campaign_id)
    keep = () if snapshot is not None else ("snapshot",)
    database.bulk(conn, service_member, SERVICE_COLUMNS, values, keep=keep)
    return count, changed


def forget_org(database: Database, conn: Connection, gone: Iterable[Key]) -> set[CampaignId]:
    """Remove org rows by (campaign, member id); the next oldest row of the person becomes primary."""
    changed: set[CampaignId] = set()
    for campaign_id, member_ids in _by_campaign(gone):
        for some in chunks(member_ids):
            where = (org_member.c.campaign_id == campaign_id, org_member.c.member_id.in_(some))
            people = {
                (campaign_id, str(row.person_id)) for row in conn.execute(select(org_member.c.person_id).where(*where))
            }
            if not people:
                continue
            conn.execute(delete(org_member).where(*where))
            changed.add(CampaignId(campaign_id))
            left = _org_by_person(database, conn, people)
            primary: dict[Key, tuple[int, str]] = {}
            for (_, member_id), old in left.items():
                key = (campaign_id, old.person_id)
                primary[key] = min(primary.get(key, (_LATE + 1, "")), _age(old.created, member_id))
            _mark_primary(conn, left, {}, {key: age[1] for key, age in primary.items()})
    return changed


def forget_service(conn: Connection, gone: Iterable[Key]) -> set[CampaignId]:
    """Remove service rows by (campaign, person)."""
    changed: set[CampaignId] = set()
    for campaign_id, person_ids in _by_campaign(gone):
        for some in chunks(person_ids):
            done = conn.execute(
                delete(service_member).where(
                    service_member.c.campaign_id == campaign_id, service_member.c.person_id.in_(some)
                )
            )
            if done.rowcount:
                changed.add(CampaignId(campaign_id))
    return changed


def _age(created: int | None, member_id: str) -> tuple[int, str]:
    return (_LATE if created is None else created, member_id)


def _by_campaign(keys: Iterable[Key]) -> list[tuple[str, list[str]]]:
    out: dict[str, list[str]] = defaultdict(list)
    for campaign_id, other in keys:
        out[campaign_id].append(other)
    return list(out.items())


class _Known(NamedTuple):
    """What landing looks at in a row that is there; instants and flags as the driver has them."""

    person_id: str
    created: int | None
    is_primary: bool | int
    digest: str


_LOOK = ("member_id", "person_id", "created", "is_primary", "digest")


def _of_people(campaign_id: Any, people: Any) -> Select[Any]:
    return select(*columns_of(org_member, _LOOK)).where(rows_of_people(campaign_id, people))


_of_members = rows_by(org_member, _LOOK, "member_id")
_versions = rows_by(service_member, ("person_id", "digest", "version"), "person_id")


def _org_by_person(database: Database, conn: Connection, people: Iterable[Key]) -> dict[Key, _Known]:
    out: dict[Key, _Known] = {}
    for campaign_id, person_ids in _by_campaign(people):
        found = database.look_up(conn, "known by person", _of_people, campaign_id, person_ids)
        out.update(((campaign_id, row[0]), _Known(*row[1:])) for row in found)
    return out


def _known_org(database: Database, conn: Connection, rows: Iterable[OrgMember]) -> dict[Key, _Known]:
    """Rows of the same people, and rows of the same ids that belong to somebody else so far."""
    rows = list(rows)
    known = _org_by_person(database, conn, {(row.campaign_id, row.person_id) for row in rows})
    unknown = [(row.campaign_id, row.member_id) for row in rows if (row.campaign_id, row.member_id) not in known]
    for campaign_id, member_ids in _by_campaign(unknown):
        found = database.look_up(conn, "known by member", _of_members, campaign_id, member_ids)
        known.update(((campaign_id, row[0]), _Known(*row[1:])) for row in found)
    return known


_MARK = (
    update(org_member)
    .where(org_member.c.campaign_id == bindparam("the_campaign"), org_member.c.member_id == bindparam("the_member"))
    .values(is_primary=bindparam("mark"))
)


def _mark_primary(
    conn: Connection,
    known: dict[Key, _Known],
    incoming: Collection[Key] | dict[Key, OrgMember],
    primary: dict[Key, str],
) -> set[CampaignId]:
    marks = []
    for (campaign_id, member_id), old in known.items():
        if (campaign_id, member_id) in incoming:
            continue
        mark = primary[campaign_id, old.person_id] == member_id
        if mark != bool(old.is_primary):
            marks.append({"the_campaign": campaign_id, "the_member": member_id, "mark": mark})
    if marks:
        conn.execute(_MARK, marks)
    return {CampaignId(str(mark["the_campaign"])) for mark in marks}
