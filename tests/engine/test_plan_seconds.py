"""How long a plan says that carrying it out takes: requests, waits for Bulk jobs, and what the last big plans took."""

from __future__ import annotations

import pytest

from sync.engine.claims import open_claims
from sync.engine.planning import Wanted, make_plan
from sync.locks import Locks
from sync.model import RunKind, RunState
from sync.packing import BULK_FROM, ROWS_PER_BATCH
from sync.plan import Plan
from sync.store.facts import LOCKS, JobPaces
from tests.engine.world import World
from tests.store.made import AT, C1, campaign, org, plan, plan_row, service

pytestmark = pytest.mark.slow


def drawn(world: World, count: int, name: str) -> Plan:
    """The plan of an hourly run over *count* members whose level is still to be written in the org."""
    store = world.store
    store.campaigns.land([campaign()])
    store.members.land_org(org(n) for n in range(count))
    store.members.land_service(service(n, level="Sent") for n in range(count))
    with world.shell() as shell:
        parts = shell.parts()
        live = open_claims(parts, RunKind.PLAN, {C1: "C"}, cancel=None, exclusive=False).live
        wanted = Wanted(RunKind.HOURLY, (campaign(),), AT, statistics=False)
        made, _ = make_plan(live, name, wanted)
        return made


def test_the_wait_for_a_job_is_in_it(world: World) -> None:
    count = BULK_FROM + 500
    JobPaces(world.store.facts).save("ingest", 0.01)
    few = drawn(world, 500, "few")
    assert few.cost.seconds < 10
    many = drawn(world, count, "many")
    assert count * 0.01 < many.cost.seconds < count * 0.01 + 60


def test_of_batches_that_go_one_after_the_other_it_says_so_and_waits_as_long_as_they_take(world: World) -> None:
    count = ROWS_PER_BATCH + 500
    JobPaces(world.store.facts).save("ingest", 0.02)
    JobPaces(world.store.facts).save("serial", 0.01)
    made = drawn(world, count, "unknown")
    assert any("one after the other" in note for note in made.notes)
    assert count * 0.01 < made.cost.seconds < count * 0.01 + 120
    assert made.cost.predicted.salesforce - made.cost.lower_bound.salesforce == 1
    world.store.facts.set(LOCKS, Locks(0.0).text)
    known = drawn(world, count, "known")
    assert not any("one after the other" in note for note in known.notes)
    assert known.cost.predicted.salesforce < made.cost.predicted.salesforce
    assert known.cost.seconds > count * 0.02


def test_a_big_plan_takes_as_long_as_the_last_ones_did(world: World) -> None:
    lease = world.store.runs.start(RunKind.HOURLY, run_id=None)
    world.store.plans.save("last", (plan_row(seq) for seq in range(1, 1_001)), plan("last", 1_000))
    world.store.plans.mark_applied("last", lease.run)
    world.clock.advance(1_000)
    world.store.runs.end(lease, RunState.DONE)
    made = drawn(world, 2_000, "next")
    assert made.rows >= 2_000
    assert made.cost.seconds == pytest.approx(made.rows, rel=0.01)
