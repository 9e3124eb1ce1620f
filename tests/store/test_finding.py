"""Members by what somebody typed, opt-outs after an opt-in, and member rows that two persons claim."""

from __future__ import annotations

from sync.ids import PersonId, to18
from sync.model import PersonOptOut
from sync.store.finding import find
from sync.store.store import Store
from tests.store.made import C1, C2, base, member_id, org, person_id, service

LEAD = to18("00Q000000000007")


def people(store: Store, text: str) -> list[str]:
    return [each.person_id for each in find(store.database, C1, text)]


def test_a_member_is_found_by_each_of_its_ids_by_address_and_by_name(store: Store) -> None:
    store.members.land_org([org(1, lead_id=LEAD), org(2, first_name="Ünal", last_name="Straße")])
    store.members.land_service([service(1), service(3)])
    one = person_id(1)
    for text in (
        one,
        one[:15],
        member_id(1),
        member_id(1)[:15],
        LEAD,
        "P1@EXAMPLE.COM",
        "first1 last1",
        " First1  Last1 ",
    ):
        assert people(store, text) == [one], text
    assert people(store, "ünal STRASSE") == [person_id(2)]
    assert people(store, "Straße") == [person_id(2)]
    assert people(store, "p3@example.com") == [person_id(3)], "whom only the service has is found, too"
    assert people(store, "p1@example") == people(store, "First") == people(store, person_id(9)) == []
    assert find(store.database, C2, one) == ()


def test_two_who_share_an_address_are_both_told(store: Store) -> None:
    store.members.land_org([org(1, email="a@example.com"), org(2, email="A@example.com")])
    assert people(store, "a@example.com") == [person_id(1), person_id(2)]


def test_a_member_row_that_two_persons_claim_is_seen_until_it_is_agreed(store: Store) -> None:
    rows = [org(1), org(2)]
    store.members.land_org(rows)
    store.members.land_service([service(1), service(2)])
    store.members.put_base(base(row, other) for row, other in zip(rows, (service(1), service(2)), strict=True))
    assert store.members.claimed_twice(C1) == []
    store.members.land_service([service(3, member_id=member_id(1))])
    assert store.members.claimed_twice(C1) == [(member_id(1), person_id(3), person_id(1))]
    assert store.members.claimed_twice(C2) == []


def test_a_lead_and_the_contact_made_from_it_are_one_person(store: Store) -> None:
    store.members.land_org([org(1, lead_id=LEAD)])
    lead = PersonId(LEAD)
    store.members.land_service([service(1), service(7, person_id=lead, member_id=member_id(1))])
    assert store.members.claimed_twice(C1) == []


def out(person: PersonId, opted_out: bool = True) -> PersonOptOut:
    return PersonOptOut(person, opted_out)


def test_a_tick_that_was_told_is_not_told_again_after_an_opt_in_and_a_new_one_is(store: Store) -> None:
    person = person_id(1)

    def to_push() -> list[str]:
        return [each.person_id for each in store.people.to_push()]

    store.people.land_org_optouts([out(person)])
    assert to_push() == [person]
    store.people.mark_pushed([person])
    store.people.land_service_optouts([out(person)])
    store.people.land_service_optouts([out(person, False)])  # opted in there
    store.people.land_org_optouts([out(person)])  # the old tick, seen once more
    assert to_push() == []
    assert store.people.to_tick() == ()
    store.people.land_cleared([person])
    assert to_push() == []
    store.people.land_org_optouts([out(person)])
    assert to_push() == [person]
    store.people.answer_tick(person)
    assert to_push() == []
    store.people.land_service_optouts([out(person)])
    assert store.people.to_tick() == (), "the box is ticked already"


def test_who_opted_in_with_a_clear_box_may_be_ticked_again(store: Store) -> None:
    person = person_id(1)
    store.people.land_service_optouts([out(person)])
    store.people.mark_ticked([person])
    store.people.land_service_optouts([out(person, False)])
    store.people.land_service_optouts([out(person)])
    assert [each.person_id for each in store.people.to_tick()] == [person]
