"""Members as rows and back. Column names are the model's field names, so that one list serves both ways.

Imports the model, the digests and SQLAlchemy's row type. Positional and without reflection per row: these functions
run once for every member of every campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, FromClause

from sync.digest import org_digest, service_digest
from sync.model import BaseMember, OrgMember, PersonKind, ServiceMember, StatusState

ORG_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(OrgMember))
SERVICE_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(ServiceMember))
BASE_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(BaseMember))

_KIND = {kind.value: kind for kind in PersonKind}
_STATE = {state.value: state for state in StatusState}
_ORG_KIND = ORG_FIELDS.index("kind")
_SERVICE_KIND = SERVICE_FIELDS.index("kind")
_BASE_STATE = BASE_FIELDS.index("status_state")

_org_values = attrgetter(*ORG_FIELDS)
_service_values = attrgetter(*SERVICE_FIELDS)
_base_values = attrgetter(*BASE_FIELDS)


def columns_of(table: FromClause, names: Sequence[str]) -> list[ColumnElement[Any]]:
    """The columns of *table* (or of an alias) by name, in order."""
    return [table.c[name] for name in names]


def search_text(first: str | None, last: str | None, email: str | None) -> str:
    """Folded text that a search looks in: upper and lower case are one, in every script."""
    return f"{first or ''} {last or ''} {email or ''}".casefold()


def org_row(row: OrgMember, *, primary: bool, at: datetime, run: str | None) -> dict[str, Any]:
    """Columns of an org row."""
    out = dict(zip(ORG_FIELDS, _org_values(row), strict=True))
    out["kind"] = row.kind.value
    out["digest"] = org_digest(row)
    out["is_primary"] = primary
    out["search"] = search_text(row.first_name, row.last_name, row.email)
    out["seen_at"] = at
    out["seen_run"] = run
    return out


def service_row(row: ServiceMember, snapshot: str | None) -> dict[str, Any]:
    """Columns of a service row."""
    out = dict(zip(SERVICE_FIELDS, _service_values(row), strict=True))
    out["kind"] = row.kind.value
    out["digest"] = service_digest(row)
    out["search"] = search_text(row.first_name, row.last_name, row.email)
    out["snapshot"] = snapshot
    return out


def base_row(row: BaseMember) -> dict[str, Any]:
    """Columns of a base row."""
    out = dict(zip(BASE_FIELDS, _base_values(row), strict=True))
    out["status_state"] = row.status_state.value
    return out


def org_member(values: Sequence[Any]) -> OrgMember:
    """The org row of values in the order of ``ORG_FIELDS``."""
    out = list(values)
    out[_ORG_KIND] = _KIND[out[_ORG_KIND]]
    return OrgMember(*out)


def service_member(values: Sequence[Any]) -> ServiceMember:
    """The service row of values in the order of ``SERVICE_FIELDS``."""
    out = list(values)
    out[_SERVICE_KIND] = _KIND[out[_SERVICE_KIND]]
    return ServiceMember(*out)


def base_member(values: Sequence[Any]) -> BaseMember:
    """The base row of values in the order of ``BASE_FIELDS``."""
    out = list(values)
    out[_BASE_STATE] = _STATE[out[_BASE_STATE]]
    return BaseMember(*out)
