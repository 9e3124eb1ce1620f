"""The statements that find the members in which the sides differ from what they agreed, and counts over the same.

Imports SQLAlchemy and the schema. Each is the difference of two walks over narrow indexes, both in person-id order, so
that SQLite merges them as they come: nothing is joined, sorted or held, and the wide rows are not touched. They are
the same on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Table,
    and_,
    except_,
    func,
    select,
    true,
    union,
)

from sync.store.schema import base_member, org_member, service_member

_org, _service, _base = org_member.c, service_member.c, base_member.c


def _same(left: FromClause, right: FromClause) -> Any:
    return and_(left.c.campaign_id == right.c.campaign_id, left.c.person_id == right.c.person_id)


def _org_of(campaign_id: str, *columns: Any) -> Select[Any]:
    """Of several rows of a person only the primary one takes part."""
    return select(*columns).where(_org.campaign_id == campaign_id, _org.is_primary == true())


def _service_of(campaign_id: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(_service.campaign_id == campaign_id)


def _base_of(campaign_id: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(_base.campaign_id == campaign_id)


def rows_of_people(campaign_id: str, person_ids: Collection[str]) -> ColumnElement[bool]:
    """Condition on rows of ``org_member``: those of persons in a campaign.

    Found through the narrow index by a statement of its own: asked for by person id alone, SQLite walks all rows of
    the campaign, because it takes the rest of the primary key for the better way.
    """
    narrow = org_member.alias("narrow")
    ids = select(narrow.c.member_id).where(narrow.c.campaign_id == campaign_id, narrow.c.person_id.in_(person_ids))
    return and_(_org.campaign_id == campaign_id, _org.member_id.in_(ids))


def differing_keys(campaign_id: str) -> tuple[CompoundSelect[Any], ...]:
    """Statements whose first columns are the person ids that differ, each in order; one id may come from several.

    What was agreed and the org has not (or not so); the same of the service; what the org has and nothing was agreed
    of; what the service has and nobody else.
    """
    return tuple(statement.order_by(*statement.selected_columns) for statement in _differences(campaign_id))


def gone_keys(campaign_id: str) -> tuple[tuple[Table, CompoundSelect[Any]], ...]:
    """Persons of whom something was agreed and who have no row in the org, and persons whom only the service has, in
    order; each with the table that knows more of them."""
    agreed = except_(_base_of(campaign_id, _base.person_id), _org_of(campaign_id, _org.person_id))
    alone = _differences(campaign_id)[-1]
    return tuple(
        (table, keys.order_by(*keys.selected_columns))
        for table, keys in ((base_member, agreed), (service_member, alone))
    )


def _differences(campaign_id: str) -> tuple[CompoundSelect[Any], ...]:
    return (
        except_(
            _base_of(campaign_id, _base.person_id, _base.org_digest),
            _org_of(campaign_id, _org.person_id, _org.digest),
        ),
        except_(
            _base_of(campaign_id, _base.person_id, _base.service_digest),
            _service_of(campaign_id, _service.person_id, _service.digest),
        ),
        except_(_org_of(campaign_id, _org.person_id), _base_of(campaign_id, _base.person_id)),
        except_(
            _service_of(campaign_id, _service.person_id),
            _base_of(campaign_id, _base.person_id),
            _org_of(campaign_id, _org.person_id),
        ),
    )


def count_differing(campaign_id: str) -> Select[Any]:
    """How many members differ. In order, because SQLite merges ordered walks and puts others into a temporary table."""
    keys = (select(each.subquery().c.person_id) for each in differing_keys(campaign_id))
    return select(func.count()).select_from(union(*keys).subquery())


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
            base.c.person_id.is_(None),
            org.c.synced.is_(None),
        )
    )


def claimed_twice(campaign_id: str) -> Select[Any]:
    """Rows (member id, claimant, owner): service rows that moved since base, whose member row is another person's in
    the org while the service has that other person with the same member row."""
    moved = except_(
        _service_of(campaign_id, _service.person_id, _service.digest),
        _base_of(campaign_id, _base.person_id, _base.service_digest),
    ).subquery()
    wide, org, owner = service_member.alias("sc"), org_member.alias("oc"), service_member.alias("so")
    return (
        select(wide.c.member_id, wide.c.person_id, owner.c.person_id)
        .select_from(
            moved.join(wide, and_(wide.c.campaign_id == campaign_id, wide.c.person_id == moved.c.person_id))
            .join(org, and_(org.c.campaign_id == campaign_id, org.c.member_id == wide.c.member_id))
            .join(owner, _same(owner, org))
        )
        .where(
            org.c.person_id != wide.c.person_id,
            func.coalesce(org.c.lead_id, "") != wide.c.person_id,
            owner.c.member_id == wide.c.member_id,
        )
        .order_by(wide.c.member_id, wide.c.person_id)
    )
