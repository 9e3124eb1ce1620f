"""A campaign of 100,000 members: lands, compares and is listed by window, in memory that does not hold it."""

from __future__ import annotations

import resource

import pytest

from sync.store.store import Store
from tests.store.made import C1, TODAY, base, org, person_id, service

MEMBERS = 100_000


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.slow
def test_a_hundred_thousand_members(store: Store) -> None:
    store.members.land_org(org(number) for number in range(100))
    before = peak_mib()
    assert store.members.land_org(org(number) for number in range(MEMBERS)) == MEMBERS - 100
    assert store.members.land_service_snapshot(C1, ((service(number),) for number in range(MEMBERS))) == MEMBERS
    assert sum(1 for _ in store.members.differing(C1)) == MEMBERS, "a first sync differs in everything"
    store.members.put_base(base(org(number), service(number)) for number in range(MEMBERS))
    assert not any(store.members.differing(C1))
    store.campaigns.recount(C1)
    # All rows as objects would be several times this; the database's own cache is a part of it.
    assert peak_mib() - before < 80

    assert store.views.count_members(C1) == MEMBERS
    far = store.views.members(C1, offset=MEMBERS - 3, limit=200)
    assert [view.person_id for view in far] == [person_id(number) for number in range(MEMBERS - 3, MEMBERS)]
    (found,) = store.views.members(C1, text=f"LAST{MEMBERS - 1}")
    assert found.person_id == person_id(MEMBERS - 1)
    view, _ = store.views.overview(today=TODAY)
    assert (view.total, view.active, view.unsynced, view.pending) == (MEMBERS, MEMBERS, 0, 0)
