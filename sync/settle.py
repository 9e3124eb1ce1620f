"""How the base advances: what both sides now agree on, after a run's writes were read back or found needless.

Pure. The base never takes a value that one side does not have: a field on which the sides differ keeps its last
agreed value. Digests are set only where everything is equal, so that a member with anything left is looked at again.
"""

from __future__ import annotations

from typing import Any

from sync.draft import COUNTERS
from sync.merge import OUR_HOLDS, PERSON_FIELDS, SEEDED
from sync.model import BaseMember, OrgMember, ServiceMember, StatusState


def equal(org: OrgMember, service: ServiceMember, off: frozenset[str]) -> bool:
    """True when both sides agree in every field that is kept on both."""
    if org.person_id != service.person_id or org.member_id != service.member_id or service.hold in OUR_HOLDS:
        return False
    if "synced" not in off and org.synced is None:
        return False
    names = [name for name, _ in PERSON_FIELDS] + ["status", "opted_out", *SEEDED]
    return all((getattr(org, name) or None) == (getattr(service, name) or None) for name in names if name not in off)


def settle(
    org: OrgMember,
    service: ServiceMember,
    base: BaseMember | None,
    *,
    off: frozenset[str],
    digests: tuple[str, str],
    rejected: bool = False,
    invisible: bool = False,
) -> BaseMember:
    """The base after a member was dealt with.

    Args:
        org, service: the rows as they are now, with everything written put in.
        base: the base before.
        off: fields that the mapping switches off.
        digests: digests of the two rows.
        rejected: its status could not be written; it is not planned again until a side changes.
        invisible: the org's row can no longer be seen.
    """
    done = equal(org, service, off) and not invisible
    return BaseMember(
        campaign_id=org.campaign_id,
        person_id=org.person_id,
        member_id=org.member_id,
        org_digest=digests[0] if done else "",
        service_digest=digests[1] if done or not _waits(org, service, base, off) else "",
        status=org.status if org.status == service.status else (base.status if base else None),
        org_status=org.status,
        service_status=service.status,
        status_state=_status_state(org, service, base, rejected),
        first_name=_agreed(org, service, base, "first_name", None),
        last_name=_agreed(org, service, base, "last_name", None),
        email=_agreed(org, service, base, "email", None),
        opted_out=_agreed(org, service, base, "opted_out", False),
        test_member=_agreed(org, service, base, "test_member", False),
        level=_agreed(org, service, base, "level", None),
        reason=_agreed(org, service, base, "reason", None),
        active=_agreed(org, service, base, "active", False),
        synced=org.synced,
        invisible=invisible,
        note=base.note if base else None,
        **{name: _agreed(org, service, base, name, 0) for name in COUNTERS},
    )


def _waits(org: OrgMember, service: ServiceMember, base: BaseMember | None, off: frozenset[str]) -> bool:
    """True when the service's row holds something that the org is still to be told."""
    if any(getattr(org, name) != getattr(service, name) for name in SEEDED if name not in off):
        return True
    told = base.status if base is not None else None
    return org.status != service.status and service.status != told


def _agreed(org: OrgMember, service: ServiceMember, base: BaseMember | None, name: str, nothing: Any) -> Any:
    value = getattr(org, name)
    if value == getattr(service, name):
        return value
    return getattr(base, name) if base is not None else nothing


def _status_state(org: OrgMember, service: ServiceMember, base: BaseMember | None, rejected: bool) -> StatusState:
    if org.status == service.status:
        return StatusState.AGREED
    if rejected:
        return StatusState.REJECTED
    stuck = base is not None and base.status_state in (StatusState.HELD, StatusState.REJECTED)
    if base is not None and stuck and (org.status, service.status) == (base.org_status, base.service_status):
        return base.status_state
    return StatusState.PENDING
