"""Members as rows and back. Column names are the model's field names, so that one list serves both ways.

Imports the model, the digests and SQLAlchemy's row type. Positional and without reflection per row: these functions
run once for every member of every campaign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, FromClause, Select, select, type_coerce

from sync.codec import Codec
from sync.digest import org_digest, service_digest
from sync.model import BaseMember, OrgMember, PersonKind, ServiceMember, StatusState
from sync.store.types import Instant, from_micros, to_micros

ORG_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(OrgMember))
SERVICE_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(ServiceMember))
BASE_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(BaseMember))

ORG_COLUMNS = (*ORG_FIELDS, "digest", "is_primary", "search", "seen_at", "seen_run")
SERVICE_COLUMNS = (*SERVICE_FIELDS, "digest", "search", "snapshot")
"""What landing writes: the fields, then the digest, then what only the store needs."""

_KIND = {kind.value: kind for kind in PersonKind}
_STATE = {state.value: state for state in StatusState}
_ORG_KIND = ORG_FIELDS.index("kind")
_SERVICE_KIND = SERVICE_FIELDS.index("kind")
_BASE_STATE = BASE_FIELDS.index("status_state")
_BASE_HOLDS = BASE_FIELDS.index("holds")
_holds: Codec[tuple[tuple[str, str | int | bool | None], ...]] = Codec(tuple[tuple[str, str | int | bool | None], ...])

_ORG_INSTANTS = tuple(ORG_FIELDS.index(name) for name in ("synced", "created", "stamp"))
_SERVICE_INSTANTS = (SERVICE_FIELDS.index("last_activity"),)
_BASE_INSTANTS = (BASE_FIELDS.index("synced"),)
_BASE_FLAGS = tuple(BASE_FIELDS.index(name) for name in ("opted_out", "test_member", "active", "invisible"))

_org_values = attrgetter(*ORG_FIELDS)
_service_values = attrgetter(*SERVICE_FIELDS)
_base_values = attrgetter(*BASE_FIELDS)


def columns_of(table: FromClause, names: Sequence[str]) -> list[ColumnElement[Any]]:
    """The columns of *table* (or of an alias) by name, in order, to be given as the driver gives them."""
    return [_as_driver_gives(table.c[name]) for name in names]


def rows_by(table: FromClause, names: Sequence[str], key: str) -> Callable[[Any, Any], Select[Any]]:
    """For ``Database.look_up``: the statement that gives columns of one campaign's rows by many values of a column."""

    def statement(campaign_id: Any, keys: Any) -> Select[Any]:
        return select(*columns_of(table, names)).where(table.c.campaign_id == campaign_id, table.c[key].in_(keys))

    return statement


def _as_driver_gives(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return type_coerce(column, BigInteger()) if isinstance(column.type, Boolean | Instant) else column


def search_text(first: str | None, last: str | None, email: str | None) -> str:
    """Folded text that a search looks in: upper and lower case are one, in every script."""
    return f"{first or ''} {last or ''} {email or ''}".casefold()


def org_row(row: OrgMember, *, primary: bool, at: int, run: str | None) -> tuple[Any, ...]:
    """Values of an org row in the order of ``ORG_COLUMNS``; *at* in microseconds."""
    out = list(_org_values(row))
    out[_ORG_KIND] = row.kind._value_
    _instants(out, _ORG_INSTANTS)
    text = search_text(row.first_name, row.last_name, row.email)
    return (*out, org_digest(row), primary, text, at, run)


def service_row(row: ServiceMember, snapshot: str | None) -> tuple[Any, ...]:
    """Values of a service row in the order of ``SERVICE_COLUMNS``."""
    out = list(_service_values(row))
    out[_SERVICE_KIND] = row.kind._value_
    _instants(out, _SERVICE_INSTANTS)
    return (*out, service_digest(row), search_text(row.first_name, row.last_name, row.email), snapshot)


def base_row(row: BaseMember) -> tuple[Any, ...]:
    """Values of a base row in the order of ``BASE_FIELDS``."""
    out = list(_base_values(row))
    out[_BASE_STATE] = row.status_state._value_
    out[_BASE_HOLDS] = _holds.encode(row.holds) if row.holds else None
    _instants(out, _BASE_INSTANTS)
    return tuple(out)


def _instants(values: list[Any], places: Sequence[int]) -> None:
    for place in places:
        value = values[place]
        if value is not None:
            values[place] = to_micros(value)


def org_member(values: Sequence[Any]) -> OrgMember:
    """The org row of the driver's values in the order of ``ORG_FIELDS``."""
    member_id, campaign_id, person_id, kind, lead_id, contact_id, first, last, email, opted_out, status, tester = (
        values[:12]
    )
    level, reason, active, synced, opens, clicks, completions, bounces, created, stamp = values[12:]
    return OrgMember(
        member_id,
        campaign_id,
        person_id,
        _KIND[kind],
        lead_id,
        contact_id,
        first,
        last,
        email,
        bool(opted_out),
        status,
        bool(tester),
        level,
        reason,
        bool(active),
        None if synced is None else from_micros(synced),
        opens,
        clicks,
        completions,
        bounces,
        None if created is None else from_micros(created),
        None if stamp is None else from_micros(stamp),
    )


def service_member(values: Sequence[Any]) -> ServiceMember:
    """The service row of the driver's values in the order of ``SERVICE_FIELDS``."""
    campaign_id, person_id, member_id, kind, first, last, email, status, level, reason, active, tester = values[:12]
    opted_out, hold, opens, clicks, completions, bounces, last_activity, version = values[12:]
    return ServiceMember(
        campaign_id,
        person_id,
        member_id,
        _KIND[kind],
        first,
        last,
        email,
        status,
        level,
        reason,
        bool(active),
        bool(tester),
        bool(opted_out),
        hold,
        opens,
        clicks,
        completions,
        bounces,
        None if last_activity is None else from_micros(last_activity),
        version,
    )


def base_member(values: Sequence[Any]) -> BaseMember:
    """The base row of the driver's values in the order of ``BASE_FIELDS``."""
    out = list(values)
    out[_BASE_STATE] = _STATE[out[_BASE_STATE]]
    for place in _BASE_FLAGS:
        out[place] = bool(out[place])
    for place in _BASE_INSTANTS:
        if out[place] is not None:
            out[place] = from_micros(out[place])
    held = out[_BASE_HOLDS]
    out[_BASE_HOLDS] = () if held is None else _holds.decode(held)
    return BaseMember(*out)
