"""Values that an undo restored and the owner's side contradicts: held until that side agrees or a person releases them.

Pure. A hold remembers the owner's value as it was then. It lasts as long as the owner still has that very value; a
value that the owner sets later is newer than the undo and counts again. A held status has its own state
(``sync.status``), because both sides own it. Whoever was restored without being a member in the org, or with another
address than the org's, is not mailed meanwhile: the service's row says so.
"""

from __future__ import annotations

from dataclasses import replace

from sync.mapping import OWNERS, Owner
from sync.model import BaseMember, OrgMember, ServiceMember, StatusState
from sync.words import plural

UNDO_HOLD = "undo: Salesforce says otherwise; not mailed until it agrees or the hold is released"
"""What the service's row says."""

MEMBER = "member"
"""Name under which membership itself is held: the contradicting value is the org's member id, None for no member."""

Value = str | int | bool | None


def stays_held(members: int) -> str:
    """What is said before a start that leaves held members as they are."""
    who, they = plural(members, "member stays", "members stay"), "it is" if members == 1 else "they are"
    return f"{who} as an undo left them: whoever it took out of Predictive does not come back before {they} released"


def release_command(campaign: str) -> str:
    """How everybody of a campaign is released."""
    return f"predictive runs release {campaign} --all --reason TEXT"


def is_held(base: BaseMember | None, field: str, owners_value: Value) -> bool:
    """True when the owner's *owners_value* is the one that an undo has put aside."""
    return base is not None and bool(base.holds) and (field, owners_value) in base.holds


def any_held(base: BaseMember | None) -> bool:
    """True when something of the member is held."""
    return base is not None and (bool(base.holds) or base.status_state is StatusState.HELD)


def let_go(base: BaseMember) -> BaseMember:
    """The base without its holds: the rules decide again, and what contradicted an undo counts as the newer value."""
    state = StatusState.PENDING if base.status_state is StatusState.HELD else base.status_state
    return replace(base, holds=(), status_state=state)


def owners_value(field: str, org: OrgMember, service: ServiceMember) -> Value:
    """The value of a field on the side that owns it alone."""
    value: Value = getattr(org if OWNERS[field] is Owner.SALESFORCE else service, field)
    return value


def still_held(
    base: BaseMember | None, org: OrgMember, service: ServiceMember, fresh: frozenset[str] = frozenset()
) -> tuple[tuple[str, Value], ...]:
    """The holds of a member that both sides have: old ones that last, and those of the *fresh* fields just restored.

    A field on which both sides agree is held no longer.
    """
    before = base.holds if base is not None else ()
    if not before and not fresh:
        return ()
    held = {field: value for field, value in before if field != MEMBER and owners_value(field, org, service) == value}
    held |= {field: owners_value(field, org, service) for field in fresh}
    return tuple(
        (field, value)
        for field, value in sorted(held.items())
        if (getattr(org, field) or None) != (getattr(service, field) or None)
    )
