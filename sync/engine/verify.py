"""The verifier: reads both sides afresh and compares them field by field, by code that shares nothing with the merge.

Imports ports, model and mapping only. What differs is read a second time before it is reported; what is pending, held,
invisible or rejected is told apart from a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from sync.ids import CampaignId, PersonId
from sync.model import BaseMember, OrgMember, ServiceMember, StatusState
from sync.ports import Org, PollScope, Service

SALESFORCE_FIELDS = ("member_id", "first_name", "last_name", "email", "test_member")
PREDICTIVE_FIELDS = ("level", "reason", "active", "opens", "clicks", "completions", "bounces")
LEVELS = (None, "Sent", "Opened", "Clicked", "Completed")

DIFFERENCE, PENDING, HELD, INVISIBLE, REJECTED = "difference", "pending", "held", "invisible", "rejected"

Agreed = Callable[[CampaignId, Collection[PersonId]], Mapping[PersonId, BaseMember]]
"""What was last agreed of some members, to tell what waits from what differs."""


@dataclass(frozen=True, slots=True)
class Found:
    """One field in which the sides differ. ``field`` is ``member`` when a whole member is on one side only."""

    campaign_id: CampaignId
    person_id: PersonId
    label: str
    field: str
    salesforce: str | None
    predictive: str | None
    kind: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing one campaign: members looked at, and what differs."""

    campaign_id: CampaignId
    members: int
    found: tuple[Found, ...]


def compare(
    org: Org,
    service: Service,
    campaign_ids: Collection[CampaignId],
    agreed: Agreed,
    *,
    off: frozenset[str],
    breathe: Callable[[], None],
) -> Iterator[Compared]:
    """Compare campaigns; of those that differ, the differing members are compared on a second read of both sides.

    Args:
        agreed: what was last agreed, by campaign and person.
        off: member fields that the mapping switches off.
        breathe: called between pages; may raise to stop.
    """
    rows = _read_org(org, campaign_ids, breathe)
    for campaign_id in campaign_ids:
        first = _differences(
            campaign_id, rows.pop(campaign_id), _read_service(service, campaign_id, breathe), agreed, off
        )
        if first.found:
            again = _read_org(org, (campaign_id,), breathe)[campaign_id]
            people = {found.person_id for found in first.found}
            second = _differences(campaign_id, again, _read_service(service, campaign_id, breathe), agreed, off)
            first = Compared(
                campaign_id, first.members, tuple(found for found in second.found if found.person_id in people)
            )
        yield first


def _read_org(
    org: Org, campaign_ids: Collection[CampaignId], breathe: Callable[[], None]
) -> dict[CampaignId, dict[PersonId, OrgMember]]:
    """Every member afresh; one campaign by its own pages, several in shared calls; the oldest row counts."""
    out: dict[CampaignId, dict[PersonId, OrgMember]] = {key: {} for key in campaign_ids}
    if len(campaign_ids) == 1:
        (only,) = campaign_ids
        pages = org.read_members(only)
    else:
        pages = org.poll(PollScope(tuple(sorted(campaign_ids)), None)).pages
    for page in pages:
        breathe()
        for row in page:
            here = out.get(row.campaign_id)
            if here is None:
                continue
            before = here.get(row.person_id)
            if before is None or _age(row) < _age(before):
                here[row.person_id] = row
    return out


def _age(row: OrgMember) -> tuple[str, str]:
    return (row.created.isoformat() if row.created else "9999", row.member_id)


def _read_service(
    service: Service, campaign_id: CampaignId, breathe: Callable[[], None]
) -> dict[PersonId, ServiceMember]:
    out: dict[PersonId, ServiceMember] = {}
    for page in service.read_members(campaign_id):
        breathe()
        out.update({row.person_id: row for row in page})
    return out


def _differences(
    campaign_id: CampaignId,
    org: Mapping[PersonId, OrgMember],
    service: Mapping[PersonId, ServiceMember],
    agreed: Agreed,
    off: frozenset[str],
) -> Compared:
    people = sorted(org.keys() | service.keys())
    unequal = [person for person in people if not _equal(org.get(person), service.get(person), off)]
    bases = agreed(campaign_id, unequal) if unequal else {}
    found: list[Found] = []
    for person in unequal:
        found += _of_person(campaign_id, person, org.get(person), service.get(person), bases.get(person), off)
    return Compared(campaign_id, len(people), tuple(found))


def _equal(org: OrgMember | None, service: ServiceMember | None, off: frozenset[str]) -> bool:
    if org is None or service is None:
        return False
    names = (*SALESFORCE_FIELDS, *PREDICTIVE_FIELDS, "status", "opted_out")
    return all(_same(getattr(org, name), getattr(service, name)) for name in names if name not in off)


def _same(left: object, right: object) -> bool:
    return (left or None) == (right or None)


def _of_person(
    campaign_id: CampaignId,
    person: PersonId,
    org: OrgMember | None,
    service: ServiceMember | None,
    base: BaseMember | None,
    off: frozenset[str],
) -> Iterator[Found]:
    some = org or service
    assert some is not None
    label = " ".join(part for part in (some.first_name, some.last_name) if part) or person

    def told(field: str, left: object, right: object, kind: str) -> Found:
        return Found(campaign_id, person, label, field, _text(left), _text(right), kind)

    if org is None:
        hidden = base is not None and base.invisible
        kind = INVISIBLE if hidden else HELD if service is not None and service.hold else DIFFERENCE
        yield told("member", None, "member", kind)
        return
    if service is None:
        kind = HELD if _put_aside(base, "member", org.member_id) else DIFFERENCE
        yield told("member", "member", None, kind)
        return
    for name in SALESFORCE_FIELDS:
        if name not in off and not _same(getattr(org, name), getattr(service, name)):
            kind = HELD if _put_aside(base, name, getattr(org, name)) else DIFFERENCE
            yield told(name, getattr(org, name), getattr(service, name), kind)
    if not _same(org.status, service.status):
        yield told("status", org.status, service.status, _status_kind(org, service, base))
    if org.opted_out != service.opted_out:
        yield told("opted_out", org.opted_out, service.opted_out, _opt_out_kind(service, base))
    for name in PREDICTIVE_FIELDS:
        left, right = getattr(org, name), getattr(service, name)
        if name not in off and not _same(left, right):
            kind = HELD if _put_aside(base, name, right) else _activity_kind(name, left, right, base)
            yield told(name, left, right, kind)


def _put_aside(base: BaseMember | None, name: str, owners: object) -> bool:
    """True when an undo restored the other side's value against this very one of the owner."""
    return base is not None and (name, owners) in base.holds


def _status_kind(org: OrgMember, service: ServiceMember, base: BaseMember | None) -> str:
    if base is None:
        return DIFFERENCE
    if base.status_state in (StatusState.HELD, StatusState.REJECTED):
        stuck = (org.status, service.status) == (base.org_status, base.service_status)
        return base.status_state.value if stuck else DIFFERENCE
    return PENDING if org.status == base.status else DIFFERENCE


def _opt_out_kind(service: ServiceMember, base: BaseMember | None) -> str:
    if base is not None and base.opted_out:
        return HELD
    return PENDING if service.opted_out else DIFFERENCE


def _activity_kind(name: str, left: object, right: object, base: BaseMember | None) -> str:
    """The service's own values wait for the hourly run when it is ahead of what was agreed."""
    if base is None:
        return DIFFERENCE
    if name in ("opens", "clicks", "completions", "bounces"):
        assert isinstance(left, int)
        assert isinstance(right, int)
        return PENDING if right > left and left == getattr(base, name) else HELD if right < left else DIFFERENCE
    if name == "level":
        ahead = _rank(right) > _rank(left)
        return HELD if not ahead else PENDING if _same(left, base.level) else DIFFERENCE
    return PENDING if _same(left, getattr(base, name)) else DIFFERENCE


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _text(value: object) -> str | None:
    return None if value is None else str(value)
