"""Members: landed rows of both sides and the base they are compared with.

May import the schema and the landing functions. Streams are cut into chunks, each a transaction of its own unless the
caller holds one, so that 100,000 rows take no more memory than 1,000 and a reader of the network never holds the
database's lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    false,
    func,
    null,
    or_,
    select,
    true,
    update,
)

from sync.ids import CampaignId, MemberId, PersonId, RunId
from sync.model import BaseMember, OrgMember, ServiceMember, StatusState
from sync.store import compare, landing
from sync.store.database import Database, chunks
from sync.store.rows import (
    BASE_FIELDS,
    ORG_FIELDS,
    SERVICE_FIELDS,
    base_row,
    columns_of,
    rows_by,
)
from sync.store.rows import (
    base_member as base_of,
)
from sync.store.rows import (
    org_member as org_of,
)
from sync.store.rows import (
    service_member as service_of,
)
from sync.store.schema import base_member, campaign, org_member, service_member

_HELD = or_(base_member.c.holds.is_not(null()), base_member.c.status_state == StatusState.HELD.value)
"""An undo holds something of the member."""

_ORG_PERSON = ORG_FIELDS.index("person_id")
_SERVICE_PERSON = SERVICE_FIELDS.index("person_id")
_BASE_PERSON = BASE_FIELDS.index("person_id")

_WINDOW = 500
"""Members that differ and are held at a time."""

Triple = tuple[OrgMember | None, ServiceMember | None, BaseMember | None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Persons of a campaign per side, for the guards. ``test_*`` counts its test members likewise."""

    org: int
    service: int
    base: int
    test_org: int
    test_service: int
    test_base: int


class Members:
    """Landed rows and base. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ landing

    def land_org(self, rows: Iterable[OrgMember], run: RunId | None = None) -> int:
        """Upsert org rows by member id; how many are new or changed in what the merge looks at."""
        count = 0
        for chunk in chunks(rows):
            with self._database.write() as conn:
                changed, touched = landing.land_org(self._database, conn, chunk, run, self._database.clock.now())
                landing.touch(conn, touched)
            count += changed
        return count

    def patch_org(self, rows: Iterable[OrgMember], run: RunId | None = None) -> None:
        """Set what our own writes changed in org rows that are there; a row that is not there stays away."""
        for chunk in chunks(rows):
            with self._database.write() as conn:
                landing.patch_org(self._database, conn, chunk, run, self._database.clock.now())
                landing.touch(conn, {row.campaign_id for row in chunk})

    def land_service(self, rows: Iterable[ServiceMember]) -> int:
        """Upsert service rows; how many are new or changed. A row older than the landed one is left out."""
        count = 0
        for chunk in chunks(rows):
            with self._database.write() as conn:
                changed, touched = landing.land_service(self._database, conn, chunk)
                landing.touch(conn, touched)
            count += changed
        return count

    def land_service_snapshot(self, campaign_id: CampaignId, pages: Iterable[Sequence[ServiceMember]]) -> int:
        """Land all members that the service has of a campaign; those absent from the whole are removed at its end.

        Returns:
            How many rows are new, changed or removed. When *pages* raises, nothing is removed.

        Raises:
            ValueError: a row of another campaign is among them.
        """
        mark = secrets.token_hex(8)
        count = 0
        for chunk in chunks(row for page in pages for row in page):
            if any(row.campaign_id != campaign_id for row in chunk):
                raise ValueError(f"a snapshot of {campaign_id} holds members of another campaign")
            with self._database.write() as conn:
                changed, touched = landing.land_service(self._database, conn, chunk, snapshot=mark)
                landing.touch(conn, touched)
            count += changed
        table = service_member.c
        with self._database.write() as conn:
            gone = conn.execute(
                delete(service_member).where(
                    table.campaign_id == campaign_id, or_(table.snapshot.is_(None), table.snapshot != mark)
                )
            ).rowcount
            if gone:
                landing.touch(conn, [campaign_id])
        return count + gone

    def forget_org(self, campaign_id: CampaignId, member_ids: Collection[MemberId]) -> None:
        """Remove org rows that are known to be gone."""
        with self._database.write() as conn:
            landing.touch(
                conn, landing.forget_org(self._database, conn, ((campaign_id, member) for member in member_ids))
            )

    def forget_service(self, campaign_id: CampaignId, person_ids: Collection[PersonId]) -> None:
        """Remove service rows that are known to be gone."""
        with self._database.write() as conn:
            landing.touch(conn, landing.forget_service(conn, ((campaign_id, person) for person in person_ids)))

    # ------------------------------------------------------------ base

    def put_base(self, rows: Iterable[BaseMember]) -> None:
        """Set what both sides agreed."""
        for chunk in chunks(rows):
            with self._database.write() as conn:
                self._database.bulk(conn, base_member, BASE_FIELDS, [base_row(row) for row in chunk])
                landing.touch(conn, {row.campaign_id for row in chunk})

    def drop_base(self, keys: Iterable[tuple[CampaignId, PersonId]]) -> None:
        """Forget what was agreed: the member is gone on both sides."""
        statement = delete(base_member).where(
            base_member.c.campaign_id == bindparam("the_campaign"), base_member.c.person_id == bindparam("the_person")
        )
        for chunk in chunks(keys):
            with self._database.write() as conn:
                conn.execute(statement, [{"the_campaign": one, "the_person": other} for one, other in chunk])
                landing.touch(conn, {one for one, _ in chunk})

    def mark_invisible(self, campaign_id: CampaignId, person_ids: Collection[PersonId], invisible: bool = True) -> None:
        """Mark members whose record can no longer be seen: kept, not mailed, listed."""
        self._mark(campaign_id, person_ids, {"invisible": invisible})

    def set_status_state(
        self, campaign_id: CampaignId, person_ids: Collection[PersonId], state: StatusState, note: str | None = None
    ) -> None:
        """Set what is known of members' two-owner status, with a note for people."""
        self._mark(campaign_id, person_ids, {"status_state": state.value, "note": note})

    def _mark(self, campaign_id: CampaignId, person_ids: Collection[PersonId], values: Mapping[str, Any]) -> None:
        with self._database.write() as conn:
            for some in chunks(person_ids):
                conn.execute(
                    update(base_member)
                    .where(base_member.c.campaign_id == campaign_id, base_member.c.person_id.in_(some))
                    .values(**values)
                )
            landing.touch(conn, [campaign_id])

    # ------------------------------------------------------------ the comparison

    def differing(self, campaign_id: CampaignId) -> Iterator[Triple]:
        """Members in which a side differs from base or is missing, by person id, streamed.

        Runs on a connection of its own and sees what was committed when the first row is read; read it to the end or
        close it.
        """
        with self._database.snapshot() as conn:
            keys = merge(*(_first_column(conn, each) for each in compare.differing_keys(campaign_id)))
            for some in chunks((key for key, _ in groupby(keys)), _WINDOW):
                look_up = self._database.look_up
                found = look_up(conn, "primary rows", _primary_rows, campaign_id, some)
                org = {row[_ORG_PERSON]: org_of(row) for row in found}
                found = look_up(conn, "service rows", _SERVICE_ROWS, campaign_id, some)
                service = {row[_SERVICE_PERSON]: service_of(row) for row in found}
                found = look_up(conn, "base rows", _BASE_ROWS, campaign_id, some)
                base = {row[_BASE_PERSON]: base_of(row) for row in found}
                for key in some:
                    yield org.get(key), service.get(key), base.get(key)

    def moved(self, campaign_id: CampaignId) -> Iterator[tuple[PersonId, OrgMember]]:
        """Persons known to the service or agreed on who are no members any more although their member row is there,
        with that row: it belongs to somebody else now (a converted lead's contact, the winner of a merge)."""
        with self._database.snapshot() as conn:
            for table, keys in compare.gone_keys(campaign_id):
                for some in chunks(_first_column(conn, keys), _WINDOW):
                    found = _found(conn, table, ("member_id", "person_id"), _keys(table, campaign_id, some))
                    former = {member: person for member, person in found if member is not None}
                    where = and_(org_member.c.campaign_id == campaign_id, org_member.c.member_id.in_(list(former)))
                    for row in map(org_of, _found(conn, org_member, ORG_FIELDS, where)):
                        yield PersonId(former[row.member_id]), row

    def count_differing(self, campaign_id: CampaignId) -> int:
        """How many members ``differing`` would give."""
        with self._database.read() as conn:
            return int(conn.execute(compare.count_differing(campaign_id)).scalar_one())

    def sizes(self, campaign_id: CampaignId) -> Sizes:
        """Persons per side."""

        def counted(table: Table, *conditions: Any) -> Any:
            return (
                select(func.count()).select_from(table).where(table.c.campaign_id == campaign_id, *conditions)
            ).scalar_subquery()

        primary = org_member.c.is_primary == true()
        # Whoever an undo keeps in or out against the org is no member that both sides agree on.
        agreed = or_(base_member.c.holds.is_(null()), base_member.c.holds.not_like('%["member",%'))
        with self._database.read() as conn:
            row = conn.execute(
                select(
                    counted(org_member, primary),
                    counted(service_member),
                    counted(base_member, agreed),
                    counted(org_member, primary, org_member.c.test_member),
                    counted(service_member, service_member.c.test_member),
                    counted(base_member, base_member.c.test_member),
                )
            ).one()
        return Sizes(*row)

    def persons(self) -> dict[CampaignId, tuple[int, int]]:
        """Persons of every campaign in the org and in the service, by two walks over narrow indexes."""
        org, service = org_member.c.campaign_id, service_member.c.campaign_id
        with self._database.read() as conn:
            here = conn.execute(select(org, func.count()).where(org_member.c.is_primary == true()).group_by(org)).all()
            there = conn.execute(select(service, func.count()).group_by(service)).all()
        sizes = dict.fromkeys([key for key, _ in (*here, *there)], (0, 0))
        sizes |= {key: (count, 0) for key, count in here}
        sizes |= {key: (sizes[key][0], count) for key, count in there}
        return {CampaignId(key): both for key, both in sizes.items()}

    # ------------------------------------------------------------ looking up

    def known_member_ids(self, campaign_id: CampaignId) -> dict[MemberId, PersonId]:
        """Every member row last seen in the org, synced or not, with its person; all of them, so for small ones."""
        statement = select(org_member.c.member_id, org_member.c.person_id).where(
            org_member.c.campaign_id == campaign_id
        )
        with self._database.read() as conn:
            rows = conn.execute(statement)
            return {MemberId(member): PersonId(person) for member, person in rows}

    def count_known(self, campaign_ids: Collection[CampaignId] | None = None) -> dict[CampaignId, int]:
        """Member rows last seen in the org, by campaign; campaigns without any are absent."""
        statement = select(org_member.c.campaign_id, func.count()).group_by(org_member.c.campaign_id)
        out: dict[CampaignId, int] = {}
        with self._database.read() as conn:
            if campaign_ids is None:
                return {CampaignId(key): count for key, count in conn.execute(statement)}
            for some in chunks(campaign_ids):
                found = conn.execute(statement.where(org_member.c.campaign_id.in_(some)))
                out.update((CampaignId(key), count) for key, count in found)
        return out

    def org_rows(
        self, campaign_id: CampaignId, person_ids: Collection[PersonId]
    ) -> dict[PersonId, tuple[OrgMember, ...]]:
        """All org rows of persons, the primary one first."""
        out: dict[PersonId, tuple[OrgMember, ...]] = {}
        for values in self._look("org rows", _ordered_org_rows, campaign_id, person_ids):
            row = org_of(values)
            out[row.person_id] = (*out.get(row.person_id, ()), row)
        return out

    def org_by_member(self, campaign_id: CampaignId, member_ids: Collection[MemberId]) -> dict[MemberId, OrgMember]:
        """Org rows by member id."""
        found = map(org_of, self._look("org rows by member", _ORG_ROWS_BY_MEMBER, campaign_id, member_ids))
        return {row.member_id: row for row in found}

    def seen_at(self, campaign_id: CampaignId, person_id: PersonId) -> datetime | None:
        """When the org's row of a person was last read."""
        table = org_member.c
        with self._database.read() as conn:
            found: datetime | None = conn.execute(
                select(func.max(table.seen_at)).where(table.campaign_id == campaign_id, table.person_id == person_id)
            ).scalar()
            return found

    def service_rows(self, campaign_id: CampaignId, person_ids: Collection[PersonId]) -> dict[PersonId, ServiceMember]:
        """Service rows by person."""
        found = map(service_of, self._look("service rows", _SERVICE_ROWS, campaign_id, person_ids))
        return {row.person_id: row for row in found}

    def service_by_member(
        self, campaign_id: CampaignId, member_ids: Collection[MemberId]
    ) -> dict[MemberId, ServiceMember]:
        """Service rows by the member row they name, under whatever person they go. Walks the campaign."""
        found = map(service_of, self._look("service rows by member", _SERVICE_ROWS_BY_MEMBER, campaign_id, member_ids))
        return {row.member_id: row for row in found if row.member_id is not None}

    def base_rows(self, campaign_id: CampaignId, person_ids: Collection[PersonId]) -> dict[PersonId, BaseMember]:
        """Base rows by person."""
        found = map(base_of, self._look("base rows", _BASE_ROWS, campaign_id, person_ids))
        return {row.person_id: row for row in found}

    def base_by_member(self, campaign_id: CampaignId, member_ids: Collection[MemberId]) -> dict[MemberId, BaseMember]:
        """Base rows by member id, under whatever person they were agreed. Walks the campaign."""
        found = map(base_of, self._look("base rows by member", _BASE_ROWS_BY_MEMBER, campaign_id, member_ids))
        return {row.member_id: row for row in found if row.member_id is not None}

    def stream_org(self, campaign_id: CampaignId) -> Iterator[OrgMember]:
        """All landed org rows of a campaign, by member id, streamed."""
        statement = (
            select(*columns_of(org_member, ORG_FIELDS))
            .where(org_member.c.campaign_id == campaign_id)
            .order_by(org_member.c.member_id)
        )
        for window in self._database.stream(statement):
            yield from map(org_of, window)

    def stream_mirrors(self, campaign_id: CampaignId) -> Iterator[OrgMember]:
        """Rows of persons who have an older row in the same campaign, streamed."""
        narrow = org_member.alias("narrow")
        ids = select(narrow.c.member_id).where(narrow.c.campaign_id == campaign_id, narrow.c.is_primary == false())
        statement = select(*columns_of(org_member, ORG_FIELDS)).where(
            org_member.c.campaign_id == campaign_id, org_member.c.member_id.in_(ids)
        )
        for window in self._database.stream(statement):
            yield from map(org_of, window)

    def stream_base(self, campaign_id: CampaignId) -> Iterator[BaseMember]:
        """All base rows of a campaign, by person id, streamed."""
        statement = (
            select(*columns_of(base_member, BASE_FIELDS))
            .where(base_member.c.campaign_id == campaign_id)
            .order_by(base_member.c.person_id)
        )
        for window in self._database.stream(statement):
            yield from map(base_of, window)

    def claimed_twice(self, campaign_id: CampaignId) -> list[tuple[MemberId, PersonId, PersonId]]:
        """Member rows that two persons claim in the service: (member row, the claimant, the person that the org says).

        Only rows that differ from what was agreed are looked at; a lead and the contact made from it are one person.
        """
        with self._database.read() as conn:
            return [
                (MemberId(member), PersonId(one), PersonId(other))
                for member, one, other in conn.execute(compare.claimed_twice(campaign_id))
            ]

    def count_held(self, campaign_id: CampaignId) -> int:
        """How many ``held`` would give."""
        statement = select(func.count()).where(base_member.c.campaign_id == campaign_id, _HELD)
        with self._database.read() as conn:
            return int(conn.execute(statement).scalar_one())

    def held(self, campaign_id: CampaignId) -> tuple[BaseMember, ...]:
        """Members of whom an undo holds something, by person id."""
        statement = (
            select(*columns_of(base_member, BASE_FIELDS))
            .where(base_member.c.campaign_id == campaign_id, _HELD)
            .order_by(base_member.c.person_id)
        )
        with self._database.read() as conn:
            return tuple(map(base_of, conn.execute(statement)))

    def rejected(self, campaign_id: CampaignId) -> set[PersonId]:
        """Members whose status was rejected and waits for a side to change."""
        base = base_member.c
        statement = select(base.person_id).where(
            base.campaign_id == campaign_id, base.status_state == StatusState.REJECTED.value
        )
        with self._database.read() as conn:
            return {PersonId(person) for person in conn.execute(statement).scalars()}

    def invisible(self, campaign_id: CampaignId) -> tuple[PersonId, ...]:
        """Members whose record can no longer be seen."""
        with self._database.read() as conn:
            found = conn.execute(
                select(base_member.c.person_id)
                .where(base_member.c.campaign_id == campaign_id, base_member.c.invisible == true())
                .order_by(base_member.c.person_id)
            )
            return tuple(found.scalars())

    def campaigns_of(self, person_id: PersonId) -> tuple[CampaignId, ...]:
        """Campaigns in which the service has this person."""
        table = service_member.c
        with self._database.read() as conn:
            found = conn.execute(
                select(table.campaign_id)
                # The list of campaigns turns a walk over all members into one look a campaign.
                .where(table.campaign_id.in_(select(campaign.c.campaign_id)), table.person_id == person_id)
                .order_by(table.campaign_id)
            )
            return tuple(found.scalars())

    def _look(self, name: str, statement: Any, campaign_id: CampaignId, keys: Collection[str]) -> list[Any]:
        with self._database.read() as conn:
            return self._database.look_up(conn, name, statement, campaign_id, keys)


def _org_rows(campaign_id: Any, people: Any) -> Select[Any]:
    return select(*columns_of(org_member, ORG_FIELDS)).where(compare.rows_of_people(campaign_id, people))


def _ordered_org_rows(campaign_id: Any, people: Any) -> Select[Any]:
    table = org_member.c
    order = (table.person_id, table.is_primary.desc(), table.created, table.member_id)
    return _org_rows(campaign_id, people).order_by(*order)


def _primary_rows(campaign_id: Any, people: Any) -> Select[Any]:
    return _org_rows(campaign_id, people).where(org_member.c.is_primary == true())


_ORG_ROWS_BY_MEMBER = rows_by(org_member, ORG_FIELDS, "member_id")
_SERVICE_ROWS = rows_by(service_member, SERVICE_FIELDS, "person_id")
_SERVICE_ROWS_BY_MEMBER = rows_by(service_member, SERVICE_FIELDS, "member_id")
_BASE_ROWS = rows_by(base_member, BASE_FIELDS, "person_id")
_BASE_ROWS_BY_MEMBER = rows_by(base_member, BASE_FIELDS, "member_id")


def _first_column(conn: Connection, statement: Executable) -> Iterator[str]:
    """Values of a statement's first column as they come."""
    result = conn.execute(statement, execution_options={"stream_results": True, "max_row_buffer": _WINDOW})
    with result:
        for window in result.partitions(_WINDOW):
            yield from (str(row[0]) for row in window)


def _keys(table: Table, campaign_id: CampaignId, person_ids: Collection[str]) -> ColumnElement[bool]:
    """Condition on the primary keys of base or service rows."""
    return and_(table.c.campaign_id == campaign_id, table.c.person_id.in_(person_ids))


def _found(conn: Connection, table: Table, names: Sequence[str], where: ColumnElement[bool]) -> Sequence[Any]:
    return conn.execute(select(*columns_of(table, names)).where(where)).all()
