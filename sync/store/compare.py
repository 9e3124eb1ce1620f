"""The one statement that finds the members in which the sides differ from what they agreed, and counts over the same.

Imports SQLAlchemy and the schema. The statement walks three narrow indexes, in person-id order, and looks into the
wide rows only of those that differ. It is the same on SQLite (a merge of three ordered walks, nothing is sorted) and
on PostgreSQL.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, FromClause, Select, and_, cast, func, null, or_, select, true, union_all

from sync.store.rows import BASE_FIELDS, ORG_FIELDS, SERVICE_FIELDS, columns_of
from sync.store.schema import base_member, org_member, service_member


def _same(left: FromClause, right: FromClause) -> Any:
    return and_(left.c.campaign_id == right.c.campaign_id, left.c.person_id == right.c.person_id)


def _primary_of(org: FromClause, other: FromClause) -> Any:
    return and_(_same(org, other), org.c.is_primary == true())


def _row(left: FromClause, right: FromClause) -> Any:
    return and_(left.c.campaign_id == right.c.campaign_id, left.c.member_id == right.c.member_id)


def _base_and_sides(campaign_id: str) -> tuple[Any, Any, Any, Any]:
    """Base left join both sides, over the narrow indexes: the join, its condition, and base's and the org's alias."""
    base, org, service = base_member.alias("kb"), org_member.alias("ko"), service_member.alias("ks")
    joined = base.outerjoin(org, _primary_of(org, base)).outerjoin(service, _same(service, base))
    condition = and_(
        base.c.campaign_id == campaign_id,
        or_(
            org.c.digest.is_(null()),
            org.c.digest != base.c.org_digest,
            service.c.digest.is_(null()),
            service.c.digest != base.c.service_digest,
        ),
    )
    return joined, condition, base, org


def differing(campaign_id: str) -> CompoundSelect[Any]:
    """Rows (person id, org columns, service columns, base columns) of members that differ, by person id.

    A side that is missing has NULL in all its columns. Only a person's primary org row takes part.
    """
    return union_all(_with_base(campaign_id), _org_without_base(campaign_id), _service_alone(campaign_id)).order_by(
        "person"
    )


def _wide(person: Any, org: FromClause | None, service: FromClause | None, base: FromClause | None) -> Select[Any]:
    """All columns; those of a missing side are NULL. Each is labelled, because both sides name them alike."""
    parts: list[Any] = [person.label("person")]
    for prefix, table, names, side in (
        ("o", org_member, ORG_FIELDS, org),
        ("s", service_member, SERVICE_FIELDS, service),
        ("b", base_member, BASE_FIELDS, base),
    ):
        for name, column in zip(names, columns_of(table, names), strict=True):
            # NULL of a known type: PostgreSQL must find the same type in each part of the union.
            typed = cast(null(), column.type) if side is None else side.c[name]
            parts.append(typed.label(f"{prefix}_{name}"))
    return select(*parts)


def _with_base(campaign_id: str) -> Select[Any]:
    joined, condition, key, narrow = _base_and_sides(campaign_id)
    base, org, service = base_member.alias("b"), org_member.alias("o"), service_member.alias("s")
    joined = (
        joined.outerjoin(base, _same(base, key))
        .outerjoin(org, _row(org, narrow))
        .outerjoin(service, _same(service, key))
    )
    return _wide(key.c.person_id, org, service, base).select_from(joined).where(condition)


def _org_without_base(campaign_id: str) -> Select[Any]:
    key, none = org_member.alias("ko2"), base_member.alias("kb2")
    org, service = org_member.alias("o2"), service_member.alias("s2")
    joined = (
        key.outerjoin(none, _same(none, key)).outerjoin(org, _row(org, key)).outerjoin(service, _same(service, key))
    )
    return (
        _wide(key.c.person_id, org, service, None)
        .select_from(joined)
        .where(key.c.campaign_id == campaign_id, key.c.is_primary == true(), none.c.person_id.is_(null()))
    )


def _service_alone(campaign_id: str) -> Select[Any]:
    key, none, nobody = service_member.alias("ks3"), base_member.alias("kb3"), org_member.alias("ko3")
    service = service_member.alias("s3")
    joined = (
        key.outerjoin(none, _same(none, key))
        .outerjoin(nobody, _primary_of(nobody, key))
        .outerjoin(service, _same(service, key))
    )
    return (
        _wide(key.c.person_id, None, service, None)
        .select_from(joined)
        .where(key.c.campaign_id == campaign_id, none.c.person_id.is_(null()), nobody.c.person_id.is_(null()))
    )


def count_differing(campaign_id: str) -> Select[Any]:
    """How many members differ: three counts over the same joins, in one row."""
    joined, condition, *_ = _base_and_sides(campaign_id)
    key, none, nobody = org_member.alias("c1"), base_member.alias("c2"), org_member.alias("c3")
    service = service_member.alias("c4")
    first = select(func.count()).select_from(joined).where(condition).scalar_subquery()
    second = (
        select(func.count())
        .select_from(key.outerjoin(none, _same(none, key)))
        .where(key.c.campaign_id == campaign_id, key.c.is_primary == true(), none.c.person_id.is_(null()))
        .scalar_subquery()
    )
    third = (
        select(func.count())
        .select_from(service.outerjoin(none, _same(none, service)).outerjoin(nobody, _primary_of(nobody, service)))
        .where(service.c.campaign_id == campaign_id, none.c.person_id.is_(null()), nobody.c.person_id.is_(null()))
        .scalar_subquery()
    )
    return select(first + second + third)


def count_pending(campaign_id: str) -> Select[Any]:
    """Members whose service row is another one than the agreed one: activity that waits for the next hourly run."""
    service, base = service_member.alias("p1"), base_member.alias("p2")
    return (
        select(func.count())
        .select_from(service.join(base, _same(base, service)))
        .where(service.c.campaign_id == campaign_id, service.c.digest != base.c.service_digest)
    )


def count_unsynced(campaign_id: str) -> Select[Any]:
    """Primary org rows that were never agreed on and carry no marker."""
    org, base = org_member.alias("u1"), base_member.alias("u2")
    return (
        select(func.count())
        .select_from(org.outerjoin(base, _same(base, org)))
        .where(
            org.c.campaign_id == campaign_id,
            org.c.is_primary == true(),
            base.c.person_id.is_(null()),
            org.c.synced.is_(null()),
        )
    )
