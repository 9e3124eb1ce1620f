"""What a run keeps in memory does not grow with the campaign: a plan's rows and their cost, ids that prove removals.

Measured on the allocations of this process; the controls show that the measure sees what is kept for each member.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sync.engine.claims import open_claims
from sync.engine.live import LiveRun
from sync.engine.planning import Wanted, make_plan
from sync.engine.presence import settle_absence
from sync.ids import CampaignId
from sync.model import RunKind
from sync.ports import IdRead, MemberKey, OrgWrite
from sync.store.database import chunks
from sync.store.store import Store
from tests.engine.world import World, empty
from tests.store.made import AT, C1, campaign, member_id, org, person_id, service

pytestmark = pytest.mark.slow

FEW, MANY = 7_000, 20_000
"""Both beyond the look-ahead of the planner of calls, and beyond what makes a Bulk job."""

MIB = 1024 * 1024


@dataclass
class Kept:
    """An org whose meter keeps what it measures, as a control."""

    org: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.org, name)

    def meter(self) -> Any:
        return Keeper(self.org.meter())


@dataclass
class Keeper:
    meter: Any

    def __post_init__(self) -> None:
        self.writes: list[OrgWrite] = []

    def add(self, write: OrgWrite) -> None:
        self.writes.append(write)
        self.meter.add(write)

    def cost(self) -> tuple[int, int]:
        cost: tuple[int, int] = self.meter.cost()
        return cost


@dataclass
class Lists:
    """An org that gives the ids of *count* members, the first of them missing."""

    org: Any
    count: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.org, name)

    def read_ids(self, campaign_ids: Sequence[CampaignId]) -> Iterator[IdRead]:
        keys = (MemberKey(C1, member_id(n), person_id(n)) for n in range(1, self.count))
        yield IdRead({C1: self.count - 1}, chunks(keys, 2_000))


def fill(store: Store, count: int) -> None:
    """A campaign of members whose level, active flag and marker are still to be written in the org."""
    store.campaigns.land([campaign()])
    store.members.land_org(org(n) for n in range(count))
    store.members.land_service(service(n, level="Sent") for n in range(count))


def peak(
    world: World, count: int, work: Callable[[LiveRun], int], wrap: Callable[[Any], Any] = lambda org: org
) -> tuple[int, int]:
    """What *work* gives over a campaign of *count* members, and the most memory that it took meanwhile."""
    with world.shell() as shell:
        fill(world.store, count)
        parts = shell.parts()
        parts.org_identity(), parts.service_id()
        parts = replace(parts, org=wrap(parts.org))
        live = open_claims(parts, RunKind.PLAN, {C1: "C"}, cancel=None, exclusive=True).live
        tracemalloc.start()
        try:
            result = work(live)
            return result, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def draw(live: LiveRun) -> int:
    plan, _ = make_plan(live, "plan-memory", Wanted(RunKind.HOURLY, (campaign(),), AT, statistics=False))
    assert plan.cost.predicted.salesforce > 0
    return plan.rows


def test_a_plan_keeps_none_of_its_rows(world: World, state: Store) -> None:
    rows, few = peak(world, FEW, draw)
    assert rows >= FEW
    empty(state, world.clock)
    rows, many = peak(world, MANY, draw)
    assert rows >= MANY
    empty(state, world.clock)
    _, kept = peak(world, MANY, draw, Kept)
    assert many - few < 2 * MIB, (few / MIB, many / MIB)
    assert kept - many > 5 * MIB, (kept / MIB, many / MIB)


def settle(count: int) -> Callable[[LiveRun], int]:
    def work(live: LiveRun) -> int:
        before = live.parts.store.members.count_known((C1,))[C1]
        assert settle_absence(live, {C1: count - 1}, land_rows=lambda *_: None) == {}
        return before - live.parts.store.members.count_known((C1,))[C1]

    return work


def test_ids_are_compared_by_the_database(world: World, state: Store) -> None:
    few = peak(world, FEW, settle(FEW), lambda org: Lists(org, FEW))
    empty(state, world.clock)
    many = peak(world, MANY, settle(MANY), lambda org: Lists(org, MANY))
    assert (few[0], many[0]) == (0, 0), "nobody knows the missing one: it is kept as invisible"
    assert world.store.members.invisible(C1) == (person_id(0),)
    assert many[1] - few[1] < MIB, (few[1] / MIB, many[1] / MIB)
