"""The ids of a campaign's member rows as a read of them brings them: laid down page by page, held against the rows that
were known by the database, so that memory does not grow with the campaign.

May import the schema. What one read laid down stays until its conclusions are drawn, or until the next read of the
same campaign; a run that ends between leaves nothing that anybody takes for a whole read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import and_, delete, exists, func, insert, select, true

from sync.ids import CampaignId, MemberId, PersonId, RunId
from sync.ports import MemberKey
from sync.store.database import Database, chunks
from sync.store.schema import base_member, id_read, org_member

_NAMES = ("campaign_id", "member_id", "person_id")
_read, _org, _base = id_read.c, org_member.c, base_member.c


class IdReads:
    """Ids that were read. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def clear(self, campaign_ids: Collection[CampaignId]) -> None:
        """Forget what was laid down of campaigns."""
        for some in chunks(campaign_ids):
            with self._database.write() as conn:
                conn.execute(delete(id_read).where(_read.campaign_id.in_(some)))

    def lay(self, rows: Iterable[MemberKey]) -> None:
        """Lay ids down; one that comes twice counts once."""
        for some in chunks(rows):
            with self._database.write() as conn:
                self._database.bulk(conn, id_read, _NAMES, some)

    def lay_landed(self, campaign_id: CampaignId, run: RunId) -> None:
        """Lay down the ids of the rows that a run has landed of a campaign."""
        landed = select(_org.campaign_id, _org.member_id, _org.person_id).where(
            _org.campaign_id == campaign_id, _org.seen_run == run
        )
        with self._database.write() as conn:
            conn.execute(insert(id_read).from_select(_NAMES, landed))

    def count(self, campaign_id: CampaignId) -> int:
        """How many ids are laid down of a campaign, each once."""
        with self._database.read() as conn:
            statement = select(func.count()).select_from(id_read).where(_read.campaign_id == campaign_id)
            return int(conn.execute(statement).scalar_one())

    def unknown(self, campaign_id: CampaignId) -> bool:
        """True when an id was read of which no row was ever landed."""
        known = exists().where(_org.campaign_id == _read.campaign_id, _org.member_id == _read.member_id)
        with self._database.read() as conn:
            statement = select(_read.member_id).where(_read.campaign_id == campaign_id, ~known).limit(1)
            return conn.execute(statement).first() is not None

    def shown_again(self, campaign_id: CampaignId) -> frozenset[PersonId]:
        """Persons who were invisible and of whom a member row was read."""
        mine = and_(_org.campaign_id == _base.campaign_id, _org.person_id == _base.person_id)
        statement = (
            select(_base.person_id)
            .join(org_member, mine)
            .join(id_read, and_(_read.campaign_id == _org.campaign_id, _read.member_id == _org.member_id))
            .where(_base.campaign_id == campaign_id, _base.invisible == true())
        )
        with self._database.read() as conn:
            return frozenset(map(PersonId, conn.execute(statement).scalars()))

    def missing(self, campaign_id: CampaignId) -> dict[MemberId, PersonId]:
        """Rows that were known and not read, with the person of each."""
        came = exists().where(_read.campaign_id == _org.campaign_id, _read.member_id == _org.member_id)
        statement = select(_org.member_id, _org.person_id).where(_org.campaign_id == campaign_id, ~came)
        with self._database.read() as conn:
            return {MemberId(member): PersonId(person) for member, person in conn.execute(statement)}

    def members_still(self, campaign_id: CampaignId, person_ids: Collection[PersonId]) -> frozenset[PersonId]:
        """Those of some persons of whom a member row was read."""
        found: set[PersonId] = set()
        with self._database.read() as conn:
            for some in chunks(person_ids):
                statement = select(_read.person_id).where(_read.campaign_id == campaign_id, _read.person_id.in_(some))
                found.update(map(PersonId, conn.execute(statement).scalars()))
        return frozenset(found)
