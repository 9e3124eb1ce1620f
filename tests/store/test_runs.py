"""Runs: one at a time a campaign, leases that dead owners lose, fences, and the journal of batches."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from sync.clock import ControlledClock
from sync.errors import Locked
from sync.events import Event, Noted, Phase, Progress, RunStarted
from sync.model import Calls, RunKind, RunState, Side
from sync.plan import PlanCounts
from sync.ports import CallRecord
from sync.store.journal import JournalRow, Landing
from sync.store.owner import is_alive, this_process
from sync.store.queue import Wanted
from sync.store.runs import LEASE, LeaseLost
from sync.store.schema import run
from sync.store.store import Store, open_store
from tests.house.crowd import at_once
from tests.store.databases import KINDS, empty
from tests.store.made import AT, C1, C2, base, org, person_id, plan_row, service


def test_one_live_run_a_campaign_and_one_live_batch(store: Store) -> None:
    first = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    with pytest.raises(Locked, match=first.run):
        store.runs.start(RunKind.REFRESH, campaign_id=C1)
    store.runs.start(RunKind.MANUAL, campaign_id=C2)
    batch = store.runs.start(RunKind.HOURLY)
    with pytest.raises(Locked, match="another batch"):
        store.runs.start(RunKind.NIGHTLY)
    store.runs.end(batch, RunState.DONE)
    store.runs.start(RunKind.NIGHTLY)
    store.runs.end(first, RunState.DONE)
    store.runs.start(RunKind.MANUAL, campaign_id=C1)


def test_a_batch_stays_in_sight_behind_all_its_parts(store: Store) -> None:
    batch = store.runs.start(RunKind.NIGHTLY)
    part = store.runs.start(RunKind.NIGHTLY, campaign_id=C1, parent=batch.run, exclusive=True)
    with store.database.write() as conn:
        one = dict(conn.execute(select(run).where(run.c.run_id == part.run)).one()._mapping)
        later = {"campaign_id": None, "claim": None, "started": one["started"] + timedelta(seconds=1)}
        conn.execute(insert(run), [one | later | {"run_id": f"{part.run}-{number}"} for number in range(1_200)])
    alive = store.runs.live()
    assert len(alive) == 1_202
    assert batch.run in {view.run for view in alive}, "what it has begun is nobody else's to settle"
    assert [view.run for view in store.runs.wholes()] == [batch.run]
    assert store.runs.wholes(kind=RunKind.HOURLY) == ()


def test_plans_and_simulations_claim_nothing(store: Store) -> None:
    store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.runs.start(RunKind.PLAN, campaign_id=C1)
    store.runs.start(RunKind.VERIFY, campaign_id=C1)
    store.runs.start(RunKind.MANUAL, campaign_id=C1, simulated=True)
    assert len(store.runs.live()) == 4


def test_a_locked_out_campaign_starts_nothing_until_it_is_lifted(store: Store) -> None:
    store.campaigns.lock(C1, "both sides lost members")
    with pytest.raises(Locked, match="both sides lost members"):
        store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.runs.start(RunKind.PLAN, campaign_id=C1)
    store.campaigns.unlock(C1)
    store.runs.start(RunKind.MANUAL, campaign_id=C1)


def test_an_expired_lease_is_taken_over_and_the_sleeper_is_fenced_off(store: Store, clock: ControlledClock) -> None:
    sleeper = store.runs.start(RunKind.NIGHTLY)
    child = store.runs.start(RunKind.NIGHTLY, campaign_id=C1, parent=sleeper.run)
    clock.advance(25)
    assert store.runs.renew(sleeper) is False
    clock.advance(25)
    with pytest.raises(Locked):
        store.runs.start(RunKind.HOURLY)
    clock.advance(6)
    other = store.runs.start(RunKind.HOURLY)
    assert store.runs.get(sleeper.run).state is RunState.FAILED  # type: ignore[union-attr]
    assert store.runs.get(child.run).state is RunState.FAILED  # type: ignore[union-attr]
    for late in (
        lambda: store.runs.renew(sleeper),
        lambda: store.runs.end(sleeper, RunState.DONE),
        lambda: store.journal.record_intent(child, 1, Side.SALESFORCE, []),
        lambda: store.journal.record_outcome(child, 1, [JournalRow.of(plan_row(1), "written")]),
        lambda: store.runs.set_plan(sleeper, "p"),
        lambda: store.reservations.reserve(sleeper, 1, lambda reserved, spent: True),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert store.journal.failed_rows(sleeper.run) == ()
    assert not list(store.journal.rows(sleeper.run))
    store.runs.end(other, RunState.DONE)


@pytest.mark.slow
def test_an_owner_whose_process_is_gone_is_taken_over_at_once(place: str) -> None:
    context = multiprocessing.get_context("spawn")
    with open_store(place) as store:
        child = context.Process(target=_start_and_die, args=(place,))
        child.start()
        child.join(30)
        (left,) = store.runs.live()
        assert is_alive(left.owner) is False
        assert store.runs.reap() == (left.run,)
        assert store.journal.open_intents(campaign_id=C1)[0].payload == [{"id": "x"}]
        store.runs.start(RunKind.MANUAL, campaign_id=C1)


def _start_and_die(path: str) -> None:
    store = open_store(path)
    lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.journal.record_intent(lease, 1, Side.SALESFORCE, [{"id": "x"}])
    os._exit(9)


@pytest.mark.slow
def test_a_frozen_owner_that_wakes_is_fenced_off(clock: ControlledClock, place: str) -> None:
    """Its process lives, so only the lease tells; what it says after the take-over changes nothing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_start_and_sleep, args=(place, theirs))
    with open_store(place, clock=clock) as store:
        child.start()
        run = ours.recv()
        os.kill(child.pid or 0, signal.SIGSTOP)
        try:
            clock.set(datetime.now(UTC))
            with pytest.raises(Locked):
                store.runs.start(RunKind.MANUAL, campaign_id=C1)
            clock.advance(LEASE.total_seconds() + 1)
            assert store.runs.reap(dead_only=True) == (), "it may wake, and whoever only looks ends nothing"
            heir = store.runs.start(RunKind.MANUAL, campaign_id=C1)
        finally:
            os.kill(child.pid or 0, signal.SIGCONT)
        ours.send("wake")
        assert ours.recv() == ["LeaseLost"] * 4
        child.join(60)
        assert store.runs.live()[0].run == heir.run
        assert [intent.run for intent in store.journal.open_intents(campaign_id=C1)] == [run]


def _start_and_sleep(path: str, pipe: Any) -> None:
    with open_store(path) as store:
        lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
        store.journal.record_intent(lease, 1, Side.SALESFORCE, [{"id": "x"}])
        pipe.send(lease.run)
        pipe.recv()
        said = []
        for late in (
            lambda: store.runs.renew(lease),
            lambda: store.journal.record_outcome(lease, 1, [JournalRow.of(plan_row(1), "written")]),
            lambda: store.journal.record_intent(lease, 2, Side.SALESFORCE, []),
            lambda: store.runs.end(lease, RunState.DONE),
        ):
            try:
                late()
            except LeaseLost:
                said.append("LeaseLost")
        pipe.send(said)


def test_owners_are_told_apart() -> None:
    me = this_process()
    host, pid, start = me.rsplit(":", 2)
    assert is_alive(me) is True
    assert is_alive(f"{host}:{pid}:{int(start) + 1}") is False, "the id was used again"
    assert is_alive(f"elsewhere:{pid}:{start}") is None
    assert is_alive("nonsense") is None


def test_a_gone_owners_run_can_be_gone_on_with(clock: ControlledClock, place: str) -> None:
    with open_store(place, clock=clock, owner="far:1:1") as far, open_store(place, clock=clock) as near:
        lease = far.runs.start(RunKind.HOURLY)
        assert near.runs.adopt(lease.run) is None
        clock.advance(31)
        taken = near.runs.adopt(lease.run)
        assert taken is not None
        assert taken.fence == lease.fence + 1
        near.runs.renew(taken)
        with pytest.raises(LeaseLost):
            far.runs.renew(lease)


def test_cancelling_reaches_a_run_in_another_process_and_its_children(store: Store) -> None:
    parent = store.runs.start(RunKind.NIGHTLY)
    child = store.runs.start(RunKind.NIGHTLY, campaign_id=C1, parent=parent.run)
    assert store.runs.renew(child) is False
    assert store.runs.request_cancel(parent.run)
    assert store.runs.renew(child) is True
    store.runs.end(child, RunState.CANCELLED)
    assert not store.runs.request_cancel(child.run)


def test_two_runs_cannot_both_reserve_the_last_calls(store: Store) -> None:
    one = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    other = store.runs.start(RunKind.MANUAL, campaign_id=C2)

    def of_a_hundred(calls: int) -> Callable[[int, int], bool]:
        return lambda reserved, spent: reserved + calls <= 100

    assert store.reservations.reserve(one, 60, of_a_hundred(60))
    assert not store.reservations.reserve(other, 60, of_a_hundred(60))
    assert store.reservations.reserve(one, 70, of_a_hundred(70)), "its own reservation is replaced"
    store.runs.end(one, RunState.DONE)
    assert store.reservations.reserve(other, 60, of_a_hundred(60))
    assert store.reservations.outstanding() == 60


def test_what_a_run_has_spent_is_not_reserved_any_more(store: Store) -> None:
    one = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    other = store.runs.start(RunKind.MANUAL, campaign_id=C2)
    told: list[tuple[int, int]] = []

    def always(reserved: int, spent: int) -> bool:
        told.append((reserved, spent))
        return True

    assert store.reservations.reserve(one, 10, always)
    for _ in range(4):
        store.ledger.record(
            CallRecord(store.database.clock.now(), Side.SALESFORCE, "GET", "/x", 200, 0.1, True, run=one.run)
        )
    store.reservations.reserve(other, 1, always)
    store.reservations.reserve(one, 3, always)
    assert told == [(0, 0), (6, 0), (1, 4)]
    assert store.reservations.outstanding() == 1 + 3


def test_an_ended_run_shows_what_it_did(store: Store) -> None:
    lease = store.runs.start(RunKind.MANUAL, campaign_id=C1, campaign_name="Campaign 1")
    store.runs.set_plan(lease, "p1", Calls(3, 4))
    store.runs.end(lease, RunState.PARTIAL, counts=PlanCounts(added=2), calls=Calls(5, 6), error="one rejected")
    view = store.runs.get(lease.run)
    assert view is not None
    assert (view.state, view.counts.added, view.calls, view.predicted) == (
        RunState.PARTIAL,
        2,
        Calls(5, 6),
        Calls(3, 4),
    )
    assert store.runs.list(campaign_id=C1) == (view,)
    assert store.campaigns.get(C1).last_run == lease.run  # type: ignore[union-attr]
    with pytest.raises(LeaseLost):
        store.runs.end(lease, RunState.DONE)
    with pytest.raises(ValueError, match="running"):
        store.runs.end(lease, RunState.RUNNING)


# ---------------------------------------------------------------- the journal


def test_an_outcome_lands_with_all_that_follows_from_it_or_not_at_all(store: Store) -> None:
    lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.members.land_org([org(1)])
    store.journal.record_intent(lease, 1, Side.PREDICTIVE, {"rows": [1]}, key="k")
    rows = [
        JournalRow.of(plan_row(1), "written", data={"day": AT}),
        JournalRow.of(plan_row(2), "rejected", code="INVALID_EMAIL", message="no", remedy="correct it"),
    ]
    written = org(1, status="Responded", level="Opened", active=True, opens=3, synced=AT, opted_out=True)
    landing = Landing(
        base=[base(org(1), service(1))], service=[service(1)], org=[written, org(2)], base_gone=[(C1, person_id(9))]
    )
    note = Event(1, AT, Noted(lease.run, "info", "done"))
    broken = replace(landing, base=[base(org(1), service(1), opens=object())])
    with pytest.raises(SQLAlchemyError, match="type"):
        store.journal.record_outcome(lease, 1, rows, landing=broken, events=[note])
    assert len(store.journal.open_intents()) == 1
    assert store.members.sizes(C1).service == 0
    assert list(store.members.stream_org(C1)) == [org(1)]
    assert store.journal.events(lease.run) == ()

    store.journal.record_outcome(lease, 1, rows, landing=landing, events=[note])
    assert store.journal.open_intents() == ()
    assert store.members.sizes(C1).base == 1
    # What was not there before the write was not made by it.
    assert list(store.members.stream_org(C1)) == [written]
    assert store.members.count_differing(C1) == 1
    assert store.journal.events(lease.run) == (note,)
    (failed,) = store.journal.failed_rows(lease.run)
    assert (failed.code, failed.remedy) == ("INVALID_EMAIL", "correct it")
    assert list(store.journal.rows(lease.run)) == rows
    assert [row for _, _, row in store.journal.history(C1, person_id(1))] == rows[:1]


def test_an_intent_of_a_dead_run_is_closed_by_the_run_that_reconciles_it(store: Store, clock: ControlledClock) -> None:
    dead = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.journal.record_intent(dead, 3, Side.SALESFORCE, ["a"])
    clock.advance(31)
    alive = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    (intent,) = store.journal.open_intents(campaign_id=C1)
    assert (intent.run, intent.batch_no, intent.payload) == (dead.run, 3, ["a"])
    store.journal.record_outcome(alive, 3, [JournalRow.of(plan_row(1), "written")], run=intent.run)
    assert store.journal.open_intents() == ()
    assert store.journal.last_batch(dead.run) == 3


def test_progress_is_no_fact(store: Store) -> None:
    lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    started = Event(1, AT, RunStarted(lease.run, RunKind.MANUAL, C1, "Campaign 1", None, False))
    store.journal.append([started, Event(2, AT, Progress(lease.run, Phase.COMPARE, 1, 2, Calls()))])
    assert store.journal.events(lease.run) == (started,)
    assert store.journal.last_seq(lease.run) == 1


# ---------------------------------------------------------------- the ledger


def a_call(run: str = "", **fields: Any) -> CallRecord:
    values: dict[str, Any] = {
        "at": AT,
        "side": Side.SALESFORCE,
        "method": "GET",
        "path": "/x",
        "status": 200,
        "seconds": 0.1,
        "counted": True,
        "run": run,
        "campaign_id": C1,
        "purpose": "manual",
    }
    return CallRecord(**(values | fields))


def test_the_ledger_counts_a_batch_with_its_children(store: Store) -> None:
    parent = store.runs.start(RunKind.HOURLY)
    child = store.runs.start(RunKind.HOURLY, campaign_id=C1, parent=parent.run)
    store.ledger.record(a_call(parent.run, used=41, limit=1000))
    store.ledger.record(a_call(child.run, side=Side.PREDICTIVE))
    store.ledger.record(a_call(child.run, counted=False))
    store.ledger.record(a_call(at=AT - timedelta(hours=25)))
    assert store.ledger.calls_of(parent.run) == Calls(1, 1)
    meter = store.ledger.meter()
    assert (meter.used, meter.limit, meter.at, meter.ours, meter.others) == (41, 1000, AT, 1, 40)
    assert meter.by_purpose == (("manual", 1),)
    assert meter.by_campaign == ((C1, 1),)


def test_a_call_inside_a_transaction_is_kept_whatever_becomes_of_it(store: Store) -> None:
    def fails() -> None:
        with store.transaction():
            store.ledger.record(a_call("r"))
            store.facts.set("x", "y")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert store.facts.get("x") is None
    assert store.ledger.calls_of("r").salesforce == 1  # type: ignore[arg-type]


# ---------------------------------------------------------------- two processes

PROCESSES = 3


def _claim(barrier: Barrier, answers: Any, path: str, what: str) -> None:
    with open_store(path) as store:
        barrier.wait(60)
        if what == "tick":
            answers.put(store.schedule.claim(RunKind.HOURLY, AT, this_process()))
        elif what == "job":
            answers.put(store.queue.claim(this_process()) is not None)
        else:
            try:
                store.runs.start(RunKind.MANUAL, campaign_id=C1)
            except Locked:
                answers.put(False)
            else:
                answers.put(True)
        # The owner must live until all have tried; a dead one would rightly be taken over.
        barrier.wait(60)


def winners(path: str, what: str) -> int:
    return sum(at_once(_claim, [(path, what)] * PROCESSES))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["run", "tick", "job"])
def test_of_many_processes_one_wins(place: str, what: str) -> None:
    with open_store(place) as store:
        store.queue.add(Wanted(RunKind.VERIFY), "me")
    assert winners(place, what) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_control_without_the_unique_index_nothing_stops_two_runs(kind: str) -> None:
    """The promise above is the index's: take it away, and the same insert goes through twice."""
    with empty(kind) as place, open_store(place) as store:
        with store.database.write() as conn:
            conn.execute(text("DROP INDEX run_one_live"))
        # Both looked and saw nobody before either wrote: what two processes do when they race.
        first = store.runs._new(_lease(store, "a"), RunKind.MANUAL, None, False, C1)
        second = store.runs._new(_lease(store, "b"), RunKind.MANUAL, None, False, C1)
        _insert(store, first)
        _insert(store, second)
        assert len(store.runs.live()) == 2
    with empty(kind) as place, open_store(place) as store:
        _insert(store, first)
        with pytest.raises(IntegrityError, match=r"(?i)unique"):
            _insert(store, second)


def _lease(store: Store, name: str) -> Any:
    from sync.store.runs import Lease

    return Lease(name, 1, store.runs.owner, None, C1)  # type: ignore[arg-type]


def _insert(store: Store, values: dict[str, Any]) -> None:
    from sqlalchemy import insert

    from sync.store.schema import run

    with store.database.write() as conn:
        conn.execute(insert(run).values(values))


def test_ticks_fire_once_and_tell_what_became_of_them(store: Store) -> None:
    assert store.schedule.claim(RunKind.HOURLY, AT, "me")
    assert not store.schedule.claim(RunKind.HOURLY, AT, "you")
    assert store.schedule.claim(RunKind.NIGHTLY, AT, "you")
    store.schedule.finish(RunKind.HOURLY, AT, None, "me")
    last = store.schedule.last(RunKind.HOURLY)
    assert last is not None
    assert last.owner == "me"
    assert last.finished_at is not None
    assert [tick.due for tick in store.schedule.fired(RunKind.HOURLY, AT - timedelta(1))] == [AT]
    store.schedule.pause("maintenance")
    assert store.schedule.paused() == "maintenance"
    store.schedule.resume()
    assert store.schedule.paused() is None
