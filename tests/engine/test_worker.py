"""The worker: which ticks it fires by itself, what it takes over, and what becomes of runs that wait for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sync.bootstrap import Shell
from sync.engine import timers
from sync.engine.worker import Turn, Worker
from sync.errors import PredictiveError
from sync.ids import CampaignId
from sync.model import Calls, RunKind, RunState
from sync.plan import PlanCounts
from sync.settings import OrgSettings, load_settings
from sync.store.queue import Wanted
from sync.store.runs import LEASE
from sync.store.store import Store, open_store
from sync.views import RunResult
from tests.engine.world import World
from tests.house.crowd import at_once

LATE_NIGHT = timedelta(hours=3)
NOBODY = "elsewhere:1:1"
"""A process of another host: whether it lives, only its leases tell."""


class Patient:
    """Ends a worker when it has waited so often."""

    def __init__(self, waits: int) -> None:
        self._left = waits

    def is_set(self) -> bool:
        return self._left <= 0

    def wait(self, timeout: float) -> bool:
        self._left -= 1
        return self.is_set()


class UntilIdle:
    """Ends a worker when it has nothing to do."""

    def __init__(self) -> None:
        self._idle = False

    def is_set(self) -> bool:
        return self._idle

    def wait(self, timeout: float) -> bool:
        self._idle = True
        return True


def serve(shell: Shell) -> list[Turn]:
    """What a worker does until it is idle."""
    turns: list[Turn] = []
    Worker(shell, UntilIdle(), turns.append).serve()
    return turns


@contextmanager
def with_timers(world: World, *, nightly_ago: timedelta, hourly_ago: timedelta, **more: Any) -> Iterator[Shell]:
    """A shell whose timers were looked at a day ago, and whose newest ticks are so old."""
    now = world.clock.now()
    nightly, hourly = now - nightly_ago, now - hourly_ago
    table = replace(world.settings().timers, enabled=True, hourly_minute=hourly.minute, nightly=f"{nightly:%H:%M}")
    world.store.facts.set("timers.since", (now - timedelta(days=1)).isoformat())
    with world.shell(timers=table, **more) as shell:
        yield shell


def test_a_worker_runs_the_newest_missed_night_by_itself_and_no_late_hour(world: World) -> None:
    with with_timers(world, nightly_ago=LATE_NIGHT, hourly_ago=timedelta(minutes=30)) as shell:
        turns = serve(shell)
        assert [(turn.kind, turn.why) for turn in turns] == [(RunKind.NIGHTLY, "tick")]
        assert turns[0].result is not None
        assert turns[0].result.kind is RunKind.NIGHTLY
        missed = timers.missed(shell.store, shell.settings, RunKind.HOURLY, world.clock.now())
        assert len(missed) > 20, "they stay listed"
        assert serve(shell) == [], "a tick fires once"
        assert shell.store.workers.living() == (), "a worker that ends says so"


def test_a_state_that_does_not_answer_is_waited_for_and_the_night_is_begun_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[RunKind] = []
    turns: list[Turn] = []
    troubles: list[PredictiveError | None] = []

    def batch(self: Shell, kind: RunKind, **more: Any) -> RunResult:
        begun.append(kind)
        if len(begun) == 1:
            raise sqlite3.OperationalError("the server closed the connection")
        return real(self, kind, **more)

    real = Shell.batch
    monkeypatch.setattr(Shell, "batch", batch)
    with with_timers(world, nightly_ago=LATE_NIGHT, hourly_ago=timedelta(minutes=30)) as shell:
        Worker(shell, Patient(3), turns.append, troubles.append).serve()
    assert begun == [RunKind.NIGHTLY] * 2
    assert [(turn.kind, turn.why, turn.exit_code) for turn in turns] == [(RunKind.NIGHTLY, "taken-over", 0)]
    said, again = troubles
    assert again is None
    assert said is not None
    assert "does not answer" in said.line()


def test_a_defect_ends_a_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(self: Shell, kind: RunKind, **more: Any) -> RunResult:
        raise ZeroDivisionError

    monkeypatch.setattr(Shell, "batch", batch)
    with (
        with_timers(world, nightly_ago=LATE_NIGHT, hourly_ago=timedelta(minutes=30)) as shell,
        pytest.raises(ZeroDivisionError),
    ):
        Worker(shell, Patient(3), lambda turn: None).serve()


@pytest.mark.slow
def test_a_night_missed_for_long_and_paused_timers_are_left_alone(world: World) -> None:
    with with_timers(world, nightly_ago=timedelta(hours=7), hourly_ago=timedelta(minutes=6)) as shell:
        assert serve(shell) == []
    with with_timers(world, nightly_ago=LATE_NIGHT, hourly_ago=timedelta(minutes=1)) as shell:
        shell.pause_schedule("holidays")
        assert serve(shell) == []
        shell.resume_schedule()
        assert [turn.kind for turn in serve(shell)] == [RunKind.NIGHTLY, RunKind.HOURLY]


def test_a_read_only_worker_simulates(world: World) -> None:
    with with_timers(world, nightly_ago=LATE_NIGHT, hourly_ago=timedelta(minutes=30), read_only=True) as shell:
        (turn,) = serve(shell)
        assert turn.result is not None
        assert turn.result.simulated


@pytest.mark.parametrize(("late", "again"), [(timedelta(minutes=1), True), (timedelta(minutes=30), False)])
def test_an_hour_that_died_is_begun_anew_while_it_may_still_be_fired(
    world: World, late: timedelta, again: bool
) -> None:
    with with_timers(world, nightly_ago=timedelta(hours=7), hourly_ago=timedelta(minutes=1)) as shell:
        due = timers.timetable_of(shell.settings).newest_until(RunKind.HOURLY, world.clock.now())
        assert shell.store.schedule.claim(RunKind.HOURLY, due, NOBODY)
        assert serve(shell) == [], "its owner may still live"
        world.clock.advance((late + LEASE).total_seconds())
        # What came due meanwhile is another tick's matter.
        turns = [turn for turn in serve(shell) if turn.due == due]
        assert [(turn.kind, turn.why) for turn in turns] == ([(RunKind.HOURLY, "taken-over")] if again else [])


def test_a_lease_that_lasts_keeps_a_tick_with_its_owner(world: World) -> None:
    with with_timers(world, nightly_ago=timedelta(hours=7), hourly_ago=timedelta(minutes=1)) as shell:
        due = timers.timetable_of(shell.settings).newest_until(RunKind.HOURLY, world.clock.now())
        assert shell.store.schedule.claim(RunKind.HOURLY, due, NOBODY)
        world.clock.advance(20)
        shell.store.runs.owner = NOBODY
        shell.store.runs.start(RunKind.HOURLY)
        shell.store.runs.owner = "here:1:1"
        world.clock.advance(20)
        assert timers.left_tick(shell.store, shell.settings, world.clock.now()) is None
        world.clock.advance(11)
        left = timers.left_tick(shell.store, shell.settings, world.clock.now())
        assert left is not None
        assert left.due == due


def test_a_firing_that_kills_its_worker_each_time_is_given_up(world: World) -> None:
    with with_timers(world, nightly_ago=timedelta(hours=1), hourly_ago=timedelta(minutes=30)) as shell:
        due = timers.timetable_of(shell.settings).newest_until(RunKind.NIGHTLY, world.clock.now())
        shell.store.schedule.claim(RunKind.NIGHTLY, due, NOBODY)
        for _ in range(2):
            world.clock.advance(LEASE.total_seconds())
            left = timers.left_tick(shell.store, shell.settings, world.clock.now())
            assert left is not None
            assert shell.store.schedule.take_over(left, NOBODY)
        world.clock.advance(LEASE.total_seconds())
        assert timers.left_tick(shell.store, shell.settings, world.clock.now()) is None


@pytest.mark.slow
def test_what_waits_is_carried_out_as_its_command_would(world: World) -> None:
    campaign = world.campaign(3)
    key = CampaignId(campaign.id)
    with world.shell() as shell:
        shell.load_campaigns()
        queue = shell.store.queue
        jobs = [queue.add(Wanted(kind, (key,)), "me") for kind in (RunKind.INITIAL, RunKind.MANUAL, RunKind.REFRESH)]
        jobs += [queue.add(Wanted(RunKind.VERIFY), "me"), queue.add(Wanted(RunKind.NIGHTLY), "me")]
        gone = queue.add(Wanted(RunKind.HOURLY), "me")
        assert queue.withdraw(gone)
        turns = serve(shell)
        assert [turn.job for turn in turns] == jobs
        assert [turn.exit_code for turn in turns] == [0] * 5
        assert queue.open() == ()
        made = queue.get(jobs[0])
        assert made is not None
        assert turns[0].result is not None
        assert made.run == turns[0].result.run
    assert len(world.service_members(campaign)) == 3


@pytest.mark.slow
def test_what_another_run_has_waits_and_what_fails_says_why(world: World) -> None:
    campaign = world.campaign(1)
    key = CampaignId(campaign.id)
    with world.shell() as shell:
        shell.load_campaigns()
        queue = shell.store.queue
        lease = shell.store.runs.start(RunKind.MANUAL, campaign_id=key)
        job = queue.add(Wanted(RunKind.INITIAL, (key,)), "me")
        assert serve(shell) == []
        (waiting,) = queue.open()
        assert (waiting.owner, waiting.tries) == (None, 0)
        assert waiting.not_before > world.clock.now()
        shell.store.runs.end(lease, RunState.DONE)
        world.clock.advance(6)
        assert [turn.job for turn in serve(shell)] == [job]
        shell.store.campaigns.lock(key, "both sides lost members")
        job = queue.add(Wanted(RunKind.MANUAL, (key,)), "me")
        (turn,) = serve(shell)
        assert turn.exit_code == 7
        failed = queue.get(job)
        assert failed is not None
        assert "both sides lost members" in (failed.error or "")


# ---------------------------------------------------------------- the store's part


def test_a_name_that_waited_is_asked_for_when_it_is_carried_out(world: World) -> None:
    campaign, newer = world.campaign(1), world.campaign(1)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        called = {str(key): name for key, name in shell.called([campaign.name, newer.id]).items()}
        wanted = Wanted(RunKind.INITIAL, (CampaignId(campaign.id),), called=called)
        assert wanted.called == {campaign.id: campaign.name}
        shell.store.queue.add(wanted, "me")
        claimed = shell.store.queue.claim("me")
        assert claimed is not None
        world.update("Campaign", newer.id, Name=campaign.name)
        result = shell.carry_out(claimed[1], None)
        assert result.exit_code == 2
        assert newer.id in (result.error or "")


def test_a_job_is_taken_over_when_its_worker_is_gone_and_given_up_in_the_end(world: World) -> None:
    queue, clock = world.store.queue, world.clock
    job = queue.add(Wanted(RunKind.VERIFY), "me")
    for tries in (1, 2, 3):
        claimed = queue.claim(NOBODY)
        assert claimed is not None
        assert claimed[0] == job
        assert queue.claim("other:1:1") is None
        assert not queue.withdraw(job)
        assert queue.open()[0].tries == tries
        clock.advance(LEASE.total_seconds())
    assert queue.claim("other:1:1") is None
    given_up = queue.get(job)
    assert given_up is not None
    assert "3 times" in (given_up.error or "")
    queue.finish(job, NOBODY, None, None)
    assert queue.get(job) == given_up, "its last worker does not speak for it any more"


def test_who_lost_a_job_does_not_speak_for_it_any_more(world: World) -> None:
    queue = world.store.queue
    job = queue.add(Wanted(RunKind.VERIFY), "me")
    queue.claim(NOBODY)
    world.clock.advance(LEASE.total_seconds())
    assert queue.claim("other:1:1") is not None
    queue.finish(job, NOBODY, None, "too late")
    queue.put_back(job, NOBODY)
    (mine,) = queue.open()
    assert (mine.owner, mine.error) == ("other:1:1", None)


# ---------------------------------------------------------------- processes that look at one moment

PROCESSES = 3


def _look_and_fire(barrier: Barrier, fired: Any, config: Path, env: dict[str, str]) -> None:
    settings = _with_hourly(load_settings(config, env=env).org())
    with open_store(settings.state_url) as store:
        due = timers.due_tick(store, settings, store.database.clock.now(), simulated=False)
        barrier.wait(60)  # all have seen that it is due before anybody claims it
        count: list[RunKind] = []

        def batch(kind: RunKind) -> RunResult:
            count.append(kind)
            return _nothing(kind)

        if due is not None:
            timers.fire(store, due.kind, due.due, batch)
        fired.put((due is not None, len(count)))
        barrier.wait(60)


def _nothing(kind: RunKind) -> RunResult:
    none = Calls()
    return RunResult("r", kind, RunState.DONE, False, 0.0, PlanCounts(), none, none, none, none, ())  # type: ignore[arg-type]


def _with_hourly(settings: OrgSettings) -> OrgSettings:
    minute = int(os.environ["FIRED_AT"])
    return replace(settings, timers=replace(settings.timers, enabled=True, hourly_minute=minute, nightly="00:00"))


@pytest.mark.slow
@pytest.mark.parametrize("protected", [True, pytest.param(False, id="control")])
def test_of_processes_that_see_one_tick_at_one_moment_one_fires_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    """The control takes the primary key of the ticks away: then all of them fire."""
    config, env = world.config()
    url = load_settings(config, env=env).org().state_url
    with open_store(url) as store:
        now = store.database.clock.now()
        monkeypatch.setenv("FIRED_AT", str((now - timedelta(minutes=1)).minute))
        store.facts.set("timers.since", (now - timedelta(hours=2)).isoformat())
        store.schedule.claim(RunKind.NIGHTLY, now, "me")  # of the nights nothing is missed
        if not protected:
            _without_key(store)
    told = at_once(_look_and_fire, [(config, env)] * PROCESSES)
    assert all(saw for saw, _ in told)
    assert sum(count for _, count in told) == (1 if protected else PROCESSES)


def _without_key(store: Store) -> None:
    with store.database.write() as conn:
        conn.execute(text("CREATE TABLE bare AS SELECT * FROM tick"))
        conn.execute(text("DROP TABLE tick"))
        conn.execute(text("ALTER TABLE bare RENAME TO tick"))
