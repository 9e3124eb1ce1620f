"""The three-way merge of a member's status, the one field that both sides decide.

Pure. Changed in the org only → to the service; in the service only → to the org; both to the same value → agreed;
both differently, or different without a base → Salesforce wins. A value that was rejected or held is not planned
again until a side changes. What an undo wrote on one side is no change of that side, and what it put aside on the
other is none either: of a held status both sides are compared with what was last seen there. All of this is about one
member row: of somebody who was removed and added again nothing was agreed yet. The platform swaps an unknown status
for the default without an error, so a status is checked against the campaign's own labels before it is written
anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sync.cheap import cheap
from sync.ids import MemberId
from sync.model import BaseMember, StatusLabel, StatusState
from sync.rules import EVERY_RULE, Rule, Rules


class Direction(StrEnum):
    """Where a status has to be written."""

    NOWHERE = "nowhere"
    TO_SERVICE = "to-service"
    TO_ORG = "to-org"


@cheap
@dataclass(frozen=True, slots=True)
class StatusDecision:
    """What becomes of a status.

    Attributes:
        direction: where it goes.
        conflict: both sides had left the agreed value, for different ones.
        rejected: the value that is none of the campaign's labels, so that it must not be written.
        waits: it was rejected or held before and no side has changed since.
        reason, rule: for the plan row.
    """

    direction: Direction = Direction.NOWHERE
    conflict: bool = False
    rejected: str | None = None
    waits: bool = False
    reason: str = ""
    rule: str = "three-way"


def known_status(status: str | None, labels: Sequence[StatusLabel]) -> bool:
    """True when *status* is one of the labels (a campaign always has labels; none read means nothing to check by)."""
    for label in labels:
        if label.label == status:
            return True
    return not labels


def agreed_of_row(base: BaseMember | None, member_id: MemberId) -> BaseMember | None:
    """The base as far as its status is about this member row: who left and came back has a new row, and what was
    agreed or refused of the former one says nothing about it."""
    if base is None or base.member_id == member_id:
        return base
    return replace(base, status=None, org_status=None, service_status=None, status_state=StatusState.PENDING)


def lifted(base: BaseMember | None, org: str | None, service: str | None) -> BaseMember | None:
    """The base of a status that an undo left held, once a side has moved: agreed is what the other side still has.

    So the side that moved is the one that changed. Where both moved nothing is agreed that one of them has.
    """
    if base is None or base.status_state is not StatusState.HELD:
        return base
    org_moved, service_moved = org != base.org_status, service != base.service_status
    if not org_moved and not service_moved:
        return base
    agreed = base.status if base.status not in (org, service) else None
    if org_moved is not service_moved:
        agreed = service if org_moved else org
    return replace(base, status=agreed, status_state=StatusState.PENDING)


def decide_status(
    org: str | None,
    service: str | None,
    base: BaseMember | None,
    labels: Sequence[StatusLabel],
    rules: Rules = EVERY_RULE,
) -> StatusDecision:
    """Merge one status.

    Args:
        org, service: the value on either side; equal values of a member about to be added are checked only.
        base: what was agreed of this member row (:func:`agreed_of_row`); None when nothing was.
        labels: the campaign's labels.
        rules: the rules that are held.
    """
    if org == service and (Rule.SAME_CHANGE in rules or base is None or org == base.status):
        unknown = base is None and org is not None and not known_status(org, labels)
        return StatusDecision(rejected=org if unknown else None)
    stuck = base is not None and base.status_state in (StatusState.HELD, StatusState.REJECTED)
    if base is not None and stuck and (org, service) == (base.org_status, base.service_status):
        return StatusDecision(waits=True)
    decision = _direction(org, service, lifted(base, org, service), rules)
    value = org if decision.direction is Direction.TO_SERVICE else service
    if value is None:
        return StatusDecision()
    if known_status(value, labels) or Rule.KNOWN_STATUS not in rules:
        return decision
    return StatusDecision(decision.direction, decision.conflict, value, reason=decision.reason, rule=decision.rule)


def _direction(org: str | None, service: str | None, base: BaseMember | None, rules: Rules) -> StatusDecision:
    if base is None or base.status is None:
        if Rule.NEVER_AGREED not in rules:
            return StatusDecision(Direction.TO_ORG)
        return StatusDecision(
            Direction.TO_SERVICE, reason="different, and never agreed: Salesforce wins", rule="salesforce-wins"
        )
    if service == base.status:
        return StatusDecision(Direction.TO_SERVICE, reason="changed in Salesforce")
    if org == base.status:
        return StatusDecision(Direction.TO_ORG, reason="changed in Predictive")
    if Rule.SALESFORCE_WINS not in rules:
        return StatusDecision(Direction.TO_ORG)
    return StatusDecision(
        Direction.TO_SERVICE,
        conflict=True,
        reason=f"changed on both sides (Predictive: {service}): Salesforce wins",
        rule="salesforce-wins",
    )
