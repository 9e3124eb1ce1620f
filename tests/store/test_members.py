"""Landing, primary rows, base, and the comparison held against a naive merge of dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from sync.digest import org_digest, service_digest
from sync.model import BaseMember, OrgMember, PersonKind, ServiceMember, StatusState
from sync.ports import Changes
from sync.store import compare
from sync.store.facts import SERVICE_CURSOR
from sync.store.schema import org_member
from sync.store.store import Store, open_store
from tests.store.databases import KINDS, empty
from tests.store.made import AT, C1, C2, base, edition, member_id, org, person_id, service

NOTHING: dict[str, Any] = {
    "members": (),
    "removed": (),
    "people": (),
    "editions": (),
    "click_throughs": (),
    "history": (),
    "cursor": "c1",
    "more": False,
}


def agree(store: Store, *numbers: int) -> None:
    rows = [(org(number), service(number)) for number in numbers]
    store.members.land_org(one for one, _ in rows)
    store.members.land_service(other for _, other in rows)
    store.members.put_base(base(one, other) for one, other in rows)


def naive(
    rows: Sequence[OrgMember], services: Sequence[ServiceMember], bases: Sequence[BaseMember]
) -> list[tuple[OrgMember | None, ServiceMember | None, BaseMember | None]]:
    """The comparison as anybody would write it first: three dictionaries and a loop."""
    orgs: dict[str, OrgMember] = {}
    for row in sorted(rows, key=lambda each: (each.created, each.member_id), reverse=True):
        orgs[row.person_id] = row
    by_service = {row.person_id: row for row in services}
    by_base = {row.person_id: row for row in bases}
    out = []
    for person in sorted({*orgs, *by_service, *by_base}):
        one, other, agreed = orgs.get(person), by_service.get(person), by_base.get(person)
        same = (
            one is not None
            and other is not None
            and agreed is not None
            and org_digest(one) == agreed.org_digest
            and service_digest(other) == agreed.service_digest
        )
        if not same:
            out.append((one, other, agreed))
    return out


NUMBERS = st.integers(0, 7)
NAMES = st.sampled_from(["Ada", "Ådå", "", None, "it's; --", "名前"])
ORG_ROWS = st.builds(
    lambda number, person, name, days, status: org(
        number, person, last_name=name, created=AT + timedelta(days=days), status=status
    ),
    NUMBERS,
    NUMBERS,
    NAMES,
    st.integers(0, 2),
    st.sampled_from(["Sent", "Responded", None]),
)
SERVICE_ROWS = st.builds(lambda number, name: service(number, last_name=name), NUMBERS, NAMES)


@pytest.mark.slow
@given(
    rows=st.lists(ORG_ROWS, max_size=10, unique_by=lambda row: row.member_id),
    services=st.lists(SERVICE_ROWS, max_size=8, unique_by=lambda row: row.person_id),
    agreed=st.lists(NUMBERS, max_size=8, unique=True),
    spoiled=st.sets(NUMBERS),
    batches=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_statement_finds_what_a_naive_merge_finds(
    rows: list[OrgMember],
    services: list[ServiceMember],
    agreed: list[int],
    spoiled: set[int],
    batches: int,
    shared: Store,
) -> None:
    by_person = {row.person_id: row for row in rows}
    by_service = {row.person_id: row for row in services}
    bases = [
        base(
            by_person.get(person_id(number), org(number)),
            by_service.get(person_id(number), service(number)),
            person_id=person_id(number),
            **({"service_digest": "old"} if number in spoiled else {}),
        )
        for number in agreed
    ]
    with shared.transaction():
        known = list(shared.members.known_member_ids(C1))
        shared.members.forget_org(C1, known)
        shared.members.forget_service(C1, [person_id(number) for number in range(8)])
        shared.members.drop_base((C1, person_id(number)) for number in range(8))
        for start in range(batches):
            shared.members.land_org(rows[start::batches])
        shared.members.land_service(services)
        shared.members.put_base(bases)
        # Another campaign with the same people must not matter.
        shared.members.land_org([replace(org(90), campaign_id=C2), replace(org(91, 1), campaign_id=C2)])
    expected = naive(rows, services, bases)
    assert list(shared.members.differing(C1)) == expected
    assert shared.members.count_differing(C1) == len(expected)


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest) -> Iterator[Store]:
    with empty(request.param) as url, open_store(url) as made:
        yield made


def test_no_statement_of_the_comparison_walks_wide_rows_or_sorts_a_campaign(store: Store) -> None:
    """Told by SQLite's own plan: unchanged members cost a look into narrow indexes, people are found by their key."""
    if not store.database.is_sqlite:
        pytest.skip("SQLite's plans")
    people = [person_id(number) for number in range(20)]
    by_person = select(org_member.c.email).where(compare.rows_of_people(C1, people))
    with store.database.read() as conn:
        for statement in (*compare.differing_keys(C1), by_person):
            sql = str(statement.compile(store.database.engine, compile_kwargs={"literal_binds": True}))
            steps = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
            assert not [step for step in steps if "PRIMARY KEY (campaign_id=?)" in step or step.startswith("SCAN")]
            assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_what_landed_comes_back_whole(store: Store) -> None:
    one = org(
        1,
        lead_id="00Q000000000001AAA",
        level="Opened",
        reason="Bounce",
        active=True,
        synced=AT,
        opens=3,
        clicks=2,
        completions=1,
        bounces=4,
        stamp=AT + timedelta(microseconds=1),
        test_member=True,
        opted_out=True,
    )
    other = service(1, hold="undo", last_activity=AT, level="Clicked", reason="Complaint", opens=9, version=7)
    agreed = base(one, other, status_state=StatusState.HELD, note="a note", invisible=True, level="Opened")
    store.members.land_org([one])
    store.members.land_service([other])
    store.members.put_base([agreed])
    assert store.members.org_by_member(C1, [one.member_id]) == {one.member_id: one}
    assert store.members.service_rows(C1, [other.person_id]) == {other.person_id: other}
    assert store.members.base_rows(C1, [one.person_id]) == {one.person_id: agreed}
    assert list(store.members.stream_org(C1)) == [one]
    assert list(store.members.stream_base(C1)) == [agreed]
    assert store.members.sizes(C1).test_org == 1


def test_agreed_members_do_not_differ_until_somebody_changes(store: Store) -> None:
    agree(store, 1, 2, 3)
    assert not list(store.members.differing(C1))
    assert store.members.land_org([org(2, email="new@example.com")]) == 1
    ((one, other, agreed),) = store.members.differing(C1)
    assert (one and one.email, other and other.email) == ("new@example.com", "p2@example.com")
    assert agreed is not None


def test_our_own_writes_never_look_like_a_change(store: Store) -> None:
    agree(store, 1)
    written = org(1, level="Opened", reason="x", active=True, synced=AT, opens=5, clicks=4, stamp=AT + timedelta(1))
    assert store.members.land_org([written]) == 0
    assert not list(store.members.differing(C1))


def test_the_oldest_row_of_a_person_is_primary_and_the_next_one_takes_over(store: Store) -> None:
    first, second = org(5, 1, created=AT), org(4, 1, created=AT + timedelta(1))
    store.members.land_org([second])
    store.members.land_org([first])
    assert store.members.org_rows(C1, [person_id(1)])[person_id(1)] == (first, second)
    assert [one for one, _, _ in store.members.differing(C1)] == [first]
    store.members.forget_org(C1, [first.member_id])
    assert [one for one, _, _ in store.members.differing(C1)] == [second]
    store.members.forget_org(C1, [second.member_id])
    assert not list(store.members.differing(C1))


def test_a_converted_lead_moves_to_its_contact_and_leaves_its_rows_a_primary(store: Store) -> None:
    lead = org(1, 10, kind=PersonKind.LEAD, lead_id=person_id(10))
    twin = org(2, 10, created=AT + timedelta(1))
    store.members.land_org([lead, twin])
    store.members.land_org([replace(lead, person_id=person_id(20), kind=PersonKind.CONTACT)])
    assert [(one and one.member_id, one and one.person_id) for one, _, _ in store.members.differing(C1)] == [
        (member_id(2), person_id(10)),
        (member_id(1), person_id(20)),
    ]


def test_an_older_version_of_a_service_row_never_replaces_a_newer_one(store: Store) -> None:
    store.members.land_service([service(1, level="Clicked", version=9)])
    assert store.members.land_service([service(1, level="Opened", version=8)]) == 0
    assert store.members.service_rows(C1, [person_id(1)])[person_id(1)].level == "Clicked"


def test_a_snapshot_removes_what_it_lacks_only_when_it_is_complete(store: Store) -> None:
    store.members.land_service([service(1), service(2), replace(service(3), campaign_id=C2)])

    def broken() -> Iterator[tuple[ServiceMember, ...]]:
        yield (service(1),)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.members.land_service_snapshot(C1, broken())
    assert store.members.sizes(C1).service == 2
    assert store.members.land_service_snapshot(C1, [(service(1),), (service(4),)]) == 2
    assert set(store.members.service_rows(C1, [person_id(n) for n in range(9)])) == {person_id(1), person_id(4)}
    assert store.members.sizes(C2).service == 1


def test_a_page_of_the_feed_and_its_cursor_are_one_transaction(store: Store) -> None:
    agree(store, 1, 2)
    store.campaigns.recount(C1)
    assert store.campaigns.touched() == ()
    page = Changes(
        **(NOTHING | {"members": (service(1, level="Opened", version=2),), "removed": ((C1, person_id(2)),)})
    )
    assert store.apply_changes(page) == {C1}
    assert store.facts.get(SERVICE_CURSOR) == "c1"
    assert store.campaigns.touched([C1, C2]) == (C1,)
    assert [agreed and agreed.person_id for _, _, agreed in store.members.differing(C1)] == [person_id(1), person_id(2)]
    with pytest.raises(SQLAlchemyError):
        store.apply_changes(Changes(**(NOTHING | {"cursor": "c2", "editions": (replace(edition(), slot=object()),)})))
    assert store.facts.get(SERVICE_CURSOR) == "c1"


def test_waiting_changes_leave_when_base_has_them(store: Store) -> None:
    agree(store, 1)
    store.members.land_service([service(1, level="Opened", version=2)])
    store.campaigns.recount(C1)
    record = store.campaigns.get(C1)
    assert record is not None
    assert (record.pending, record.waiting, record.touched) == (1, 1, True)
    store.members.put_base([base(org(1), service(1, level="Opened", version=2))])
    store.campaigns.recount(C1)
    record = store.campaigns.get(C1)
    assert record is not None
    assert (record.pending, record.waiting, record.touched) == (0, 0, False)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_members(store: Store) -> None:
    import tracemalloc

    def rows(count: int) -> Iterator[OrgMember]:
        for number in range(count):
            yield org(number)

    def peak(count: int) -> int:
        tracemalloc.start()
        store.members.land_org(rows(count))
        assert sum(1 for _ in store.members.differing(C1)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small = peak(2_500)
    assert peak(7_500) < small * 1.5
