"""Members of a campaign by what somebody typed: an id of the lead, contact or member row, an e-mail address, a name.

May import the schema. Looks in the landed rows of both sides; nothing is asked of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from sync.ids import CampaignId, MemberId, PersonId, looks_like_id, to18
from sync.store.database import Database
from sync.store.schema import base_member, org_member, service_member

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person that the text may mean."""

    person_id: PersonId
    member_id: MemberId | None
    first_name: str | None
    last_name: str | None
    email: str | None

    @property
    def name(self) -> str:
        """First and last name."""
        return " ".join(part for part in (self.first_name, self.last_name) if part)

    @property
    def label(self) -> str:
        """``Name <e-mail> id``."""
        mail = f"<{self.email}>" if self.email else ""
        return " ".join(part for part in (self.name, mail, self.person_id) if part)


def find(database: Database, campaign_id: CampaignId, text: str) -> tuple[Sighting, ...]:
    """Every person of the campaign whose id, e-mail address or full name is exactly *text* (case aside for the last
    two), each once; the org's row counts before the service's, the service's before the base's."""
    wanted = " ".join(text.split())
    found: dict[PersonId, Sighting] = {}
    if looks_like_id(wanted):
        for sighting in _by_id(database, campaign_id, to18(wanted)):
            found.setdefault(sighting.person_id, sighting)
    if not found:
        for sighting in _by_words(database, campaign_id, wanted.casefold()):
            found.setdefault(sighting.person_id, sighting)
    return tuple(found[key] for key in sorted(found))


def _columns(table: Any) -> tuple[Any, ...]:
    return (table.c.person_id, table.c.member_id, table.c.first_name, table.c.last_name, table.c.email)


def _by_id(database: Database, campaign_id: CampaignId, key: str) -> list[Sighting]:
    org = org_member.c
    out: list[Sighting] = []
    with database.read() as conn:
        for table, columns in (
            (org_member, (org.person_id, org.member_id, org.lead_id, org.contact_id)),
            (service_member, (service_member.c.person_id, service_member.c.member_id)),
            (base_member, (base_member.c.person_id, base_member.c.member_id)),
        ):
            where = or_(*(column == key for column in columns))
            rows = conn.execute(select(*_columns(table)).where(table.c.campaign_id == campaign_id, where))
            out += (Sighting(*row) for row in rows)
    return out


def _by_words(database: Database, campaign_id: CampaignId, folded: str) -> list[Sighting]:
    out: list[Sighting] = []
    with database.read() as conn:
        for table in (org_member, service_member):
            rows = conn.execute(
                select(*_columns(table))
                .where(table.c.campaign_id == campaign_id, table.c.search.contains(folded, autoescape=True))
                .limit(_MOST)
            )
            seen = (Sighting(*row) for row in rows)
            out += (
                one
                for one in seen
                if folded in ((one.email or "").casefold(), one.name.casefold(), (one.last_name or "").casefold())
            )
    return out
