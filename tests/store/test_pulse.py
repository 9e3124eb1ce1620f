"""The pulse: what waits and since when, and rows written by the hour."""

from __future__ import annotations

from datetime import timedelta

from sync.clock import ControlledClock
from sync.model import RunKind, RunState
from sync.plan import PlanCounts
from sync.store.store import Store
from tests.store.made import AT, C1, C2, base, org, service


def test_an_org_in_step_has_nothing_that_waits(store: Store) -> None:
    one, other = org(1), service(1, last_activity=AT - timedelta(days=9))
    store.members.land_org([one])
    store.members.land_service([other])
    store.members.put_base([base(one, other)])
    store.campaigns.recount(C1)
    pulse = store.pulse.view(AT)
    assert (pulse.running, pulse.waiting, pulse.oldest, sum(pulse.rows)) == (0, 0, None, 0)
    assert len(pulse.rows) == 24


def test_the_oldest_activity_that_waits_is_told_and_not_older_ones_that_were_agreed(store: Store) -> None:
    for number, hours in ((1, 90), (2, 5), (3, 3)):
        one, before = org(number), service(number)
        store.members.land_org([one])
        store.members.put_base([base(one, before)])
        changed = {} if number == 1 else {"opens": 1, "version": 2}
        store.members.land_service([service(number, last_activity=AT - timedelta(hours=hours), **changed)])
        if number == 1:
            store.members.put_base([base(one, service(number, last_activity=AT - timedelta(hours=hours)))])
    store.campaigns.recount(C1)
    pulse = store.pulse.view(AT)
    assert pulse.waiting == 2
    assert pulse.oldest == AT - timedelta(hours=5)


def test_rows_fall_into_the_hour_in_which_their_run_ended(store: Store, clock: ControlledClock) -> None:
    def ran(kind: RunKind, rows: int, *, simulated: bool = False) -> None:
        lease = store.runs.start(kind, campaign_id=C1, simulated=simulated)
        store.runs.end(lease, RunState.DONE, counts=PlanCounts(salesforce_rows=rows, predictive_rows=1))

    ran(RunKind.MANUAL, 1000)
    clock.advance(26 * 3600)
    ran(RunKind.MANUAL, 10)
    clock.advance(3600)
    ran(RunKind.REFRESH, 20)
    ran(RunKind.MANUAL, 5000, simulated=True)
    store.runs.start(RunKind.MANUAL, campaign_id=C2)
    clock.advance(60)
    pulse = store.pulse.view(clock.now())
    assert pulse.running == 1
    assert (pulse.rows[-1], pulse.rows[-2], sum(pulse.rows)) == (21, 11, 32)
