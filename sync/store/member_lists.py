"""Lists of members as both sides have them, by window, straight from SQL.

May import the schema. A list reads the rows it shows: the window is cut in the index's own order before anything is
joined, so that the last page of 100,000 members costs what the first does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, null, or_, select

from sync.ids import CampaignId
from sync.store.database import Database
from sync.store.schema import base_member, campaign, org_member, service_member
from sync.views import MemberView

ONLY = ("test", "inactive", "waits", "hidden")
"""Test members; members that are not mailed; members on which the sides do not agree yet; members the org hides."""


class MemberLists:
    """Read-only lists. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def members(
        self,
        campaign_id: CampaignId,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        reason: str = "",
        only: str = "",
        offset: int = 0,
        limit: int = 200,
        off: frozenset[str] = frozenset(),
    ) -> tuple[MemberView, ...]:
        """A window of members in person-id order: the org's rows, then those that only the service has.

        A person's second row stands beside the primary one.

        Args:
            campaign_id: the campaign.
            text: looked for in names and e-mail, upper and lower case alike.
            status, level: exactly these; ``level`` "" means none yet.
            reason: looked for in the reason why a member is not mailed.
            only: one of ``ONLY``; "" for all.
            offset, limit: the window.
            off: fields that the org's mapping switches off; they are no difference.
        """
        out: list[MemberView] = []
        with self._database.read() as conn:
            chosen = _Chosen(campaign_id, text, status, level, reason, only)
            found = conn.execute(_org_window(chosen, offset, limit))
            out += (_org_view(row, off) for row in found)
            if len(out) < limit and _may_differ(conn, campaign_id):
                first = 0
                if not out and offset:
                    first = max(0, offset - int(conn.execute(_org_count(chosen)).scalar_one()))
                statement = _service_window(_alone_where(chosen), first, limit - len(out))
                out += map(_service_view, conn.execute(statement))
        return tuple(out)

    def count_members(
        self,
        campaign_id: CampaignId,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        reason: str = "",
        only: str = "",
    ) -> int:
        """How many members these filters choose."""
        chosen = _Chosen(campaign_id, text, status, level, reason, only)
        with self._database.read() as conn:
            count = conn.execute(_org_count(chosen)).scalar_one()
            if _may_differ(conn, campaign_id):
                alone = select(func.count()).select_from(_ALONE_AND_BASE).where(*_alone_where(chosen))
                count += conn.execute(alone).scalar_one()
            return int(count)


_SIDES = org_member.outerjoin(
    service_member,
    (service_member.c.campaign_id == org_member.c.campaign_id) & (service_member.c.person_id == org_member.c.person_id),
)
_ALL = _SIDES.outerjoin(
    base_member,
    (base_member.c.campaign_id == org_member.c.campaign_id) & (base_member.c.person_id == org_member.c.person_id),
)
_nobody = org_member.alias("nobody")
_ALONE = service_member.outerjoin(
    _nobody,
    (_nobody.c.campaign_id == service_member.c.campaign_id) & (_nobody.c.person_id == service_member.c.person_id),
)
_ALONE_AND_BASE = _ALONE.outerjoin(
    base_member,
    (base_member.c.campaign_id == service_member.c.campaign_id)
    & (base_member.c.person_id == service_member.c.person_id),
)


def _decided(name: str) -> ColumnElement[Any]:
    """What the service decides; the org's column is what it was told last."""
    return case((service_member.c.person_id.is_not(None), service_member.c[name]), else_=org_member.c[name])


_the_level: ColumnElement[str | None] = _decided("level")


# The order of the index itself, so that a window far down is reached by walking it and nothing is sorted.
_ORDER = (org_member.c.person_id, org_member.c.is_primary, org_member.c.digest, org_member.c.member_id)


def _may_differ(conn: Connection, campaign_id: CampaignId) -> bool:
    """False where all members were agreed on when last counted: then the service has nobody whom the org has not."""
    touched = conn.execute(select(campaign.c.touched).where(campaign.c.campaign_id == campaign_id)).scalar()
    return touched is not False


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which members are asked for."""

    campaign_id: CampaignId
    text: str
    status: str | None
    level: str | None
    reason: str
    only: str

    @property
    def source(self) -> Any:
        """The narrowest tables that the conditions on the org's rows look at."""
        if self.only in ("waits", "hidden"):
            return _ALL
        return _SIDES if self.level is not None or self.reason or self.only == "inactive" else org_member


def _org_where(chosen: _Chosen) -> list[ColumnElement[bool]]:
    table = org_member.c
    where: list[ColumnElement[bool]] = [table.campaign_id == chosen.campaign_id]
    if chosen.text:
        where.append(table.search.contains(chosen.text.casefold(), autoescape=True))
    if chosen.status is not None:
        where.append(table.status == chosen.status)
    if chosen.level is not None:
        where.append(_the_level == chosen.level if chosen.level else or_(_the_level.is_(null()), _the_level == ""))
    if chosen.reason:
        where.append(func.lower(_decided("reason")).contains(chosen.reason.lower(), autoescape=True))
    match chosen.only:
        case "test":
            where.append(table.test_member)
        case "inactive":
            where.append(~_decided("active"))
        case "waits":
            own, base = service_member.c, base_member.c
            same = (base.org_digest == table.digest) & (base.service_digest == own.digest)
            where += [table.is_primary, or_(base.person_id.is_(null()), own.person_id.is_(null()), ~same)]
        case "hidden":
            where.append(base_member.c.invisible)
    return where


def _alone_where(chosen: _Chosen) -> list[ColumnElement[bool]]:
    table = service_member.c
    where: list[ColumnElement[bool]] = [table.campaign_id == chosen.campaign_id, _nobody.c.member_id.is_(null())]
    if chosen.text:
        where.append(table.search.contains(chosen.text.casefold(), autoescape=True))
    if chosen.status is not None:
        where.append(table.status == chosen.status)
    if chosen.level is not None:
        where.append(table.level == chosen.level if chosen.level else or_(table.level.is_(null()), table.level == ""))
    if chosen.reason:
        where.append(func.lower(table.reason).contains(chosen.reason.lower(), autoescape=True))
    match chosen.only:
        case "test":
            where.append(table.test_member)
        case "inactive":
            where.append(~table.active)
        case "hidden":
            where.append(base_member.c.invisible)
    return where


def _org_window(chosen: _Chosen, offset: int, limit: int) -> Any:
    # The window is cut before anything is joined that only the shown rows need.
    inner = (
        select(org_member.c.member_id)
        .select_from(chosen.source)
        .where(*_org_where(chosen))
        .order_by(*_ORDER)
        .offset(offset)
        .limit(limit)
        .subquery()
    )
    service, base = service_member.c, base_member.c
    return (
        select(
            org_member,
            service.person_id.label("s_person"),
            service.member_id.label("s_member_id"),
            service.first_name.label("s_first_name"),
            service.last_name.label("s_last_name"),
            service.email.label("s_email"),
            service.status.label("s_status"),
            service.level.label("s_level"),
            service.reason.label("s_reason"),
            service.active.label("s_active"),
            service.test_member.label("s_test_member"),
            service.opted_out.label("s_opted_out"),
            service.opens.label("s_opens"),
            service.clicks.label("s_clicks"),
            service.completions.label("s_completions"),
            service.bounces.label("s_bounces"),
            service.last_activity,
            base.person_id.label("b_person"),
            base.invisible,
            base.synced.label("b_synced"),
        )
        .select_from(_ALL)
        .join(inner, inner.c.member_id == org_member.c.member_id)
        .where(org_member.c.campaign_id == chosen.campaign_id)
        .order_by(*_ORDER)
    )


def _org_count(chosen: _Chosen) -> Any:
    return select(func.count()).select_from(chosen.source).where(*_org_where(chosen))


def _service_window(where: list[ColumnElement[bool]], offset: int, limit: int) -> Any:
    base = base_member.c
    return (
        select(service_member, base.invisible)
        .select_from(_ALONE_AND_BASE)
        .where(*where)
        .order_by(service_member.c.person_id)
        .offset(offset)
        .limit(limit)
    )


_OWNED = ("level", "reason", "active", "opens", "clicks", "completions", "bounces")
_COMPARED = ("first_name", "last_name", "email", "status", "test_member", "opted_out", *_OWNED)


def _org_view(row: Row[Any], off: frozenset[str]) -> MemberView:
    known = row._mapping
    both = known["s_person"] is not None
    own = {name: known[f"s_{name}"] if both else known[name] for name in _OWNED}
    if not row.is_primary:
        difference = "second row of this person"
    elif not both:
        difference = "not in Predictive"
    else:
        fields = [name for name in _COMPARED if name not in off and known[name] != known[f"s_{name}"]]
        difference = ", ".join(name.replace("_", " ") for name in fields)
    return MemberView(
        member_id=row.member_id,
        person_id=row.person_id,
        kind=row.kind,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        status=row.status,
        test_member=row.test_member,
        synced=row.synced or known["b_synced"],
        last_activity=row.last_activity,
        invisible=bool(row.invisible),
        difference=difference,
        **own,
    )


def _service_view(row: Row[Any]) -> MemberView:
    return MemberView(
        member_id=row.member_id,
        person_id=row.person_id,
        kind=row.kind,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        status=row.status,
        test_member=row.test_member,
        synced=None,
        last_activity=row.last_activity,
        invisible=bool(row.invisible),
        difference="not in Salesforce",
        **{name: row._mapping[name] for name in _OWNED},
    )
