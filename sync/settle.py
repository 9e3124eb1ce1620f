"""How the base advances: what both sides now agree on, after a run's writes were read back or found needless.

Pure. The base never takes a value that one side does not have: a field on which the sides differ keeps its last
agreed value. Digests are set only where everything is equal, so that a member with anything left is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from sync.digest import org_digest, service_digest
from sync.draft import COUNTERS
from sync.holds import MEMBER, still_held
from sync.merge import OUR_HOLDS, PERSON_FIELDS, SEEDED
from sync.model import BaseMember, OrgMember, ServiceMember, Side, StatusState
from sync.status import agreed_of_row, lifted

_KEPT = (*(name for name, _ in PERSON_FIELDS), "opted_out", *SEEDED)
_BOTH = (*_KEPT, "status")
_kept = attrgetter(*_KEPT)
_on_both = attrgetter(*_BOTH)
_seeded = attrgetter(*SEEDED)
_AT_FIRST = dict.fromkeys(COUNTERS, 0) | dict.fromkeys(("opted_out", "test_member", "active"), False)
_NOTHING = tuple(_AT_FIRST.get(name) for name in _KEPT)
"""What is agreed of each of ``_KEPT`` before anything was."""


def equal(org: OrgMember, service: ServiceMember, off: frozenset[str]) -> bool:
    """True when both sides agree in every field that is kept on both."""
    if org.person_id != service.person_id or org.member_id != service.member_id or service.hold in OUR_HOLDS:
        return False
    if "synced" not in off and org.synced is None:
        return False
    if _on_both(org) == _on_both(service):
        return True
    return all((getattr(org, name) or None) == (getattr(service, name) or None) for name in _BOTH if name not in off)


def settle(
    org: OrgMember,
    service: ServiceMember,
    base: BaseMember | None,
    *,
    off: frozenset[str],
    digests: tuple[str, str] | None = None,
    rejected: bool = False,
    invisible: bool = False,
    restored: Mapping[str, Side] = {},
) -> BaseMember:
    """The base after a member was dealt with.

    Args:
        org, service: the rows as they are now, with everything written put in.
        base: the base before.
        off: fields that the mapping switches off.
        digests: digests of the two rows; made here, where they are needed, when None.
        rejected: its status could not be written; it is not planned again until a side changes.
        invisible: the org's row can no longer be seen.
        restored: fields that an undo just restored, and the side on which; where the other side differs they are held.
    """
    done = equal(org, service, off) and not invisible
    holds = still_held(base, org, service, frozenset(restored) - {"status"})
    held = "status" in restored and org.status != service.status
    of_row = lifted(agreed_of_row(base, org.member_id), org.status, service.status)
    agreed = of_row.status if of_row else None
    if held:
        agreed = service.status if restored["status"] is Side.PREDICTIVE else org.status
    waits = _waits(org, service, agreed, off | {name for name, _ in holds})
    state = StatusState.HELD if held else _status_state(org, service, of_row, rejected)
    of_service = done or not waits or state is StatusState.HELD
    if digests is None:
        digests = (org_digest(org) if done else "", service_digest(service) if of_service else "")
    return BaseMember(
        campaign_id=org.campaign_id,
        person_id=org.person_id,
        member_id=org.member_id,
        org_digest=digests[0] if done else "",
        service_digest=digests[1] if of_service else "",
        status=org.status if org.status == service.status else agreed,
        org_status=org.status,
        service_status=service.status,
        status_state=state,
        synced=org.synced,
        invisible=invisible,
        note=base.note if base else None,
        holds=holds,
        **_agreed(org, service, base),
    )


def kept_out(org: OrgMember, base: BaseMember | None) -> BaseMember:
    """The base of somebody whom an undo took out of the service while the org still has the member."""
    held = ((MEMBER, org.member_id),)
    if base is not None:
        return replace(base, member_id=org.member_id, org_digest="", service_digest="", holds=held)
    return BaseMember(org.campaign_id, org.person_id, org.member_id, "", "", None, org.status, None, holds=held)


def kept_in(service: ServiceMember) -> BaseMember:
    """The base of somebody whom an undo brought back into the service while the org has no such member."""
    return BaseMember(
        campaign_id=service.campaign_id,
        person_id=service.person_id,
        member_id=service.member_id,
        org_digest="",
        service_digest="",
        status=service.status,
        org_status=None,
        service_status=service.status,
        first_name=service.first_name,
        last_name=service.last_name,
        email=service.email,
        opted_out=service.opted_out,
        test_member=service.test_member,
        holds=((MEMBER, None),),
    )


def _waits(org: OrgMember, service: ServiceMember, told: str | None, off: frozenset[str]) -> bool:
    """True when the service's row holds something that the org is still to be told; *told* is the status agreed."""
    differs = _seeded(org) != _seeded(service)
    if differs and any(getattr(org, name) != getattr(service, name) for name in SEEDED if name not in off):
        return True
    return org.status != service.status and service.status != told


def _agreed(org: OrgMember, service: ServiceMember, base: BaseMember | None) -> dict[str, Any]:
    """What both sides have, and where they differ what was agreed last."""
    ours, theirs = _kept(org), _kept(service)
    if ours == theirs:
        return dict(zip(_KEPT, ours, strict=True))
    last = _kept(base) if base is not None else _NOTHING
    found = {
        name: one if one == other else agreed
        for name, one, other, agreed in zip(_KEPT, ours, theirs, last, strict=True)
    }
    if base is not None and base.member_id != org.member_id:
        # The member was removed and added again: of the service's own values the new row starts with none.
        found |= {name: getattr(org, name) for name in SEEDED if not getattr(org, name)}
    return found


def _status_state(org: OrgMember, service: ServiceMember, base: BaseMember | None, rejected: bool) -> StatusState:
    if org.status == service.status:
        return StatusState.AGREED
    if rejected:
        return StatusState.REJECTED
    stuck = base is not None and base.status_state in (StatusState.HELD, StatusState.REJECTED)
    if base is not None and stuck and (org.status, service.status) == (base.org_status, base.service_status):
        return base.status_state
    return StatusState.PENDING
