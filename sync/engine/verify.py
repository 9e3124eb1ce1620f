"""The verifier: reads both sides afresh and compares them field by field, by code that shares nothing with the merge.

Imports ports, model and its own shelf only. All campaigns are read in shared calls and laid down on disk; each is then
walked beside the service's pages, which come in the same order, so memory does not grow with the members. What differs
is read a second time on both sides before it is reported; what is pending, held, invisible or rejected is told apart
from a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from sync.engine.verify_shelf import COMPARED, PREDICTIVE_FIELDS, SALESFORCE_FIELDS, Shelf, age_of
from sync.errors import NotWhatItShouldBe
from sync.ids import CampaignId, MemberId, PersonId
from sync.model import BaseMember, OrgMember, ServiceMember, StatusState
from sync.ports import Org, PollScope, Service
from sync.words import plural

LEVELS = (None, "Sent", "Opened", "Clicked", "Completed")

READ_SINGLY = 5_000
"""Up to so many differing members of a campaign are read again by themselves; beyond it the campaign is."""

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
    """What came of comparing one campaign: members looked at, and what differs; *shown* by the org, or not any more."""

    campaign_id: CampaignId
    members: int
    found: tuple[Found, ...]
    shown: bool = True


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

    Raises:
        NotWhatItShouldBe: the org gave fewer rows than it said; nothing is concluded.
    """
    suspects: dict[CampaignId, dict[PersonId, MemberId | None]] = {}
    sizes: dict[CampaignId, int] = {}
    with closing(Shelf(name for name in COMPARED if name not in off)) as shelf:
        for page in _pages(org, campaign_ids):
            breathe()
            shelf.lay(page)
        for campaign_id in campaign_ids:
            sizes[campaign_id], found = _unequal(shelf, service, campaign_id, breathe)
            if found:
                suspects[campaign_id] = found
            else:
                yield Compared(campaign_id, sizes[campaign_id], ())
    yield from _looked_at_again(org, service, suspects, sizes, agreed, off=off, breathe=breathe)


def _pages(org: Org, campaign_ids: Collection[CampaignId]) -> Iterator[tuple[OrgMember, ...]]:
    """Every member afresh; one campaign by its own pages, several in shared calls."""
    if len(campaign_ids) == 1:
        (only,) = campaign_ids
        yield from org.read_members(only)
        return
    poll = org.poll(PollScope(tuple(sorted(campaign_ids)), None))
    wanted, rows = set(campaign_ids), 0
    for page in poll.pages:
        rows += len(page)
        yield tuple(row for row in page if row.campaign_id in wanted)
    if rows < poll.changed:
        raise NotWhatItShouldBe(
            f"Salesforce gave {rows:,} of {plural(poll.changed, 'member row')}",
            left_undone="nothing is said about the campaigns",
            remedy="verify again",
        )


def _unequal(
    shelf: Shelf, service: Service, campaign_id: CampaignId, breathe: Callable[[], None]
) -> tuple[int, dict[PersonId, MemberId | None]]:
    """How many persons either side has, and those that are not equal, with their member row as far as it is known."""
    count, found = 0, dict[PersonId, MemberId | None]()
    laid = shelf.of(campaign_id)
    here = next(laid, None)
    for page in service.read_members(campaign_id):
        breathe()
        for row in page:
            while here is not None and here[0] < row.person_id:
                found[here[0]] = here[1]
                count, here = count + 1, next(laid, None)
            count += 1
            if here is None or here[0] != row.person_id:
                found[row.person_id] = row.member_id
                continue
            if here[2] != shelf.mark(row):
                found[row.person_id] = here[1]
            here = next(laid, None)
    while here is not None:
        found[here[0]] = here[1]
        count, here = count + 1, next(laid, None)
    return count, found


def _looked_at_again(
    org: Org,
    service: Service,
    suspects: Mapping[CampaignId, Mapping[PersonId, MemberId | None]],
    sizes: Mapping[CampaignId, int],
    agreed: Agreed,
    *,
    off: frozenset[str],
    breathe: Callable[[], None],
) -> Iterator[Compared]:
    """The members that differed, read once more on both sides, few of many campaigns in one call."""
    few = [key for key, people in suspects.items() if len(people) <= READ_SINGLY]
    wanted = [(key, person, member) for key in few for person, member in sorted(suspects[key].items())]
    again: dict[CampaignId, dict[PersonId, OrgMember]] = {key: {} for key in suspects}
    for page in org.read_some(wanted) if wanted else ():
        breathe()
        _collect(again, suspects, page)
    hidden = _not_shown(org, [key for key in few if not again[key] and len(suspects[key]) == sizes[key]])
    for campaign_id, people in suspects.items():
        if campaign_id not in few:
            for page in org.read_members(campaign_id):
                breathe()
                _collect(again, suspects, page)
            if not again[campaign_id] and len(people) == sizes[campaign_id]:
                hidden |= _not_shown(org, (campaign_id,))
        theirs: dict[PersonId, ServiceMember] = {}
        for rows in service.read_members(campaign_id):
            breathe()
            theirs.update({row.person_id: row for row in rows if row.person_id in people})
        ours = again.pop(campaign_id)
        unequal = [person for person in sorted(people) if not _equal(ours.get(person), theirs.get(person), off)]
        bases = agreed(campaign_id, unequal) if unequal else {}
        found: list[Found] = []
        for person in unequal:
            found += _of_person(campaign_id, person, ours.get(person), theirs.get(person), bases.get(person), off)
        if campaign_id in hidden:
            found = [replace(one, kind=INVISIBLE) for one in found]
        yield Compared(campaign_id, sizes[campaign_id], tuple(found), campaign_id not in hidden)


def _not_shown(org: Org, campaign_ids: Collection[CampaignId]) -> frozenset[CampaignId]:
    """Campaigns without a member in the org that the org does not show themselves: deleted, or not shared. Their
    members are kept; they come back with them."""
    return frozenset(org.headers(tuple(campaign_ids), None).missing) if campaign_ids else frozenset()


def _collect(
    again: dict[CampaignId, dict[PersonId, OrgMember]],
    suspects: Mapping[CampaignId, Mapping[PersonId, MemberId | None]],
    page: Collection[OrgMember],
) -> None:
    """Take the suspects' rows; of several rows of a person the oldest counts."""
    for row in page:
        here = again.get(row.campaign_id)
        if here is None or row.person_id not in suspects[row.campaign_id]:
            continue
        before = here.get(row.person_id)
        if before is None or age_of(row) < age_of(before):
            here[row.person_id] = row


def _equal(org: OrgMember | None, service: ServiceMember | None, off: frozenset[str]) -> bool:
    if org is None or service is None:
        return org is None and service is None
    return all(_same(getattr(org, name), getattr(service, name)) for name in COMPARED if name not in off)


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
    if base is None or base.member_id != org.member_id:
        return DIFFERENCE
    if base.status_state in (StatusState.HELD, StatusState.REJECTED):
        if (org.status, service.status) == (base.org_status, base.service_status):
            return base.status_state.value
        if base.status_state is StatusState.HELD:
            return PENDING if org.status == base.org_status else DIFFERENCE
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
