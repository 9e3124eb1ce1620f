"""The reference: what both sides should hold, kept by hand from what users did. Imports nothing of ``sync``.

It knows people and memberships as the org's users see them, and of every two-sided value which agreements the engine
may have reached: after a run that was disturbed it may have agreed or not, so there may be several. ``decide`` is the
three-way rule in its shortest form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TO_ORG, TO_SERVICE, EQUAL, WAITS = "to the org", "to the service", "equal", "nowhere"


class Aside(NamedTuple):
    """The statuses of both sides as an undo left them. Neither counts as a change until its side says another."""

    org: str | None
    service: str | None


Agreed = str | None | Aside
"""The status that counts as agreed; None: none does."""


def decide(org: str | None, service: str | None, agreed: Agreed) -> str:
    """Where a status goes: what one side changed goes to the other; changed on both, the org wins."""
    if org == service:
        return EQUAL
    if isinstance(agreed, Aside):
        if (org, service) == agreed:
            return WAITS
        return TO_ORG if org == agreed.org else TO_SERVICE
    if agreed is not None and org == agreed:
        return TO_ORG
    return TO_SERVICE


def seen(org: str | None, service: str | None, agreed: Agreed) -> Agreed:
    """What counts as agreed once a run has seen both sides as they are and left them."""
    if not isinstance(agreed, Aside) or (org, service) == agreed:
        return agreed
    org_moved, service_moved = org != agreed.org, service != agreed.service
    return None if org_moved and service_moved else service if org_moved else org


RESTORED = ("first_name", "last_name", "email", "status")
"""What an undo gives back to a member of the service."""

Key = tuple[str, str]
"""A member of the service: campaign and record."""


def undone(
    was: Mapping[Key, Mapping[str, Any]],
    made: Mapping[Key, Mapping[str, Any]],
    now: Mapping[Key, Mapping[str, Any]],
    human: Mapping[str, int],
) -> dict[Key, dict[str, Any]]:
    """The members that the service should have once a run is taken back: what the run changed and still stands becomes
    what it was, what has moved since is left alone.

    Args:
        was, made, now: the service's members before the run, after it, and when it is taken back.
        human: who each record belonged to when the run had ended; a run lets a human go on under another record.
    """

    def others(key: Key, among: Iterable[Key]) -> list[Key]:
        return [each for each in among if each != key and each[0] == key[0] and human[each[1]] == human[key[1]]]

    expected = {key: {name: row[name] for name in RESTORED} for key, row in now.items()}
    for key in made.keys() - was.keys():
        if not others(key, was.keys() - made.keys()):
            expected.pop(key, None)
    for key in was.keys() - made.keys():
        if key not in now and not others(key, made.keys()):
            expected[key] = {name: was[key][name] for name in RESTORED}
    for key in made.keys() & now.keys():
        before = was.get(key) or next((was[each] for each in others(key, was.keys() - made.keys())), None)
        for name in RESTORED if before is not None else ():
            if before[name] != made[key][name] == now[key][name]:
                expected[key][name] = before[name]
    return expected


@dataclass(slots=True)
class Person:
    """A human being, whatever records the org keeps of it.

    ``record`` is the id of the present lead or contact, ``records`` are all it ever had. ``box``: the opt-out box as
    users left it. ``out``: opted out of everything in the service, by its own link. ``murky``: box and opt-out went to
    and fro, so that either may be the end. ``hidden``: by sharing; ``was_hidden``: at some time. ``gone``: deleted, or
    merged into another, whose number is ``into``.
    """

    number: int
    record: str
    first: str
    last: str
    email: str
    records: set[str] = field(default_factory=set)
    box: bool = False
    out: bool = False
    murky: bool = False
    hidden: bool = False
    was_hidden: bool = False
    gone: bool = False
    into: int | None = None

    @property
    def is_lead(self) -> bool:
        """Whether the present record is a lead."""
        return self.record.startswith("00Q")


@dataclass(slots=True)
class Membership:
    """A member row of the org. ``agreed`` is what the engine may take as agreed of its status: one thing, unless a run
    was disturbed."""

    member_id: str
    person: int
    status: str
    agreed: set[Agreed] = field(default_factory=lambda: {None})


@dataclass(slots=True)
class Camp:
    """A campaign: its id, whether users have it active, its members by person."""

    id: str
    active: bool = True
    members: dict[int, Membership] = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """Everything that users did to the org, and what follows from it."""

    people: dict[int, Person] = field(default_factory=dict)
    camps: dict[str, Camp] = field(default_factory=dict)
    mailed: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Mails by id: (person, edition)."""

    # ------------------------------------------------------------ what users do

    def person(self, record: str, first: str, last: str, email: str) -> Person:
        """A new person."""
        made = Person(len(self.people), record, first, last, email, {record})
        self.people[made.number] = made
        return made

    def join(self, camp: str, person: int, member_id: str, status: str) -> None:
        """A person becomes a member. Nothing is agreed of a new membership, whatever was of an earlier one."""
        self.camps[camp].members[person] = Membership(member_id, person, status)

    def leave(self, camp: str, person: int) -> None:
        """A membership is deleted."""
        del self.camps[camp].members[person]

    def converted(self, person: int, contact: str) -> None:
        """A lead becomes a contact; its memberships go on."""
        who = self.people[person]
        who.record = contact
        who.records.add(contact)
        who.murky = who.murky or who.out

    def merged(self, winner: int, loser: int) -> None:
        """One record takes another in: its memberships go to the winner, but where the winner is a member itself."""
        gone, stays = self.people[loser], self.people[winner]
        gone.gone, gone.into = True, winner
        stays.murky = stays.murky or gone.murky or gone.box or gone.out
        for camp in self.camps.values():
            theirs = camp.members.pop(loser, None)
            if theirs is not None and winner not in camp.members:
                camp.members[winner] = Membership(theirs.member_id, winner, theirs.status, {None} | theirs.agreed)

    def deleted(self, person: int) -> None:
        """A record is deleted, and its memberships with it."""
        self.people[person].gone = True
        for camp in self.camps.values():
            camp.members.pop(person, None)

    # ------------------------------------------------------------ who is who

    def alive(self) -> list[Person]:
        """People whose record there is."""
        return [person for person in self.people.values() if not person.gone]

    def owner(self, record: str) -> Person:
        """Whose record this is, or was."""
        return next(person for person in self.people.values() if record in person.records)

    def human(self, record: str) -> int:
        """Whose record this is, or was, whoever took it in since."""
        who = self.owner(record)
        while who.into is not None:
            who = self.people[who.into]
        return who.number

    def memberships(self) -> Iterator[tuple[Camp, Membership, Person]]:
        """Every membership with its campaign and its person."""
        for camp in self.camps.values():
            for membership in camp.members.values():
                yield camp, membership, self.people[membership.person]

    # ------------------------------------------------------------ what may come of a status

    def restored(self, membership: Membership, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> None:
        """An undo made *now* of a member that the service had as *before*; None: no such member."""
        if now is None:
            membership.agreed = membership.agreed if before is None else {None}
        elif before is None or now["status"] != before["status"]:
            same = now["status"] == membership.status
            membership.agreed = {now["status"] if same else Aside(membership.status, now["status"])}

    def released(self, camp: Camp) -> None:
        """What was put aside counts again: against what the undo made of it, the org has changed it."""
        for membership in camp.members.values():
            membership.agreed = {each.service if isinstance(each, Aside) else each for each in membership.agreed}

    @staticmethod
    def ends(membership: Membership, service: str | None) -> set[str | None]:
        """The values that both sides may have after a sync and an hourly run, if the service has *service* now."""
        ends: set[str | None] = set()
        for agreed in membership.agreed:
            ends.add(service if decide(membership.status, service, agreed) == TO_ORG else membership.status)
        return ends
