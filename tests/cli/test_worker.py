"""``predictive worker`` as real processes on one state: ticks, the queue, signals, deaths, one budget."""

from __future__ import annotations

import json
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tomli_w

from sync.settings import load_settings
from sync.store.store import Store, open_store
from tests.cli.sides import PREDICTIVE, Box, Ended, Row, environment, spawned

pytestmark = pytest.mark.slow


def config_of(box: Box, *, timers: bool = False) -> Path:
    """The sandbox's configuration; with timers, whose hourly tick is due and whose nightly is far off."""
    path = Path(box.line["config"])
    if not timers:
        return path
    now = datetime.now(UTC)
    values = tomllib.loads(path.read_text())
    values["orgs"]["sandbox"]["timers"] = {
        "enabled": True,
        "hourly_minute": (now - timedelta(minutes=1)).minute,
        "nightly": f"{now + timedelta(hours=3):%H:%M}",
    }
    other = path.with_name("timers.toml")
    other.write_text(tomli_w.dumps(values))
    return other


def state(box: Box) -> Store:
    """The state that all processes share."""
    return open_store(load_settings(Path(box.line["config"]), env={}).org().state_url)


class Working:
    """A worker that said that it is there."""

    def __init__(self, box: Box, config: Path) -> None:
        self.process = subprocess.Popen(
            [*PREDICTIVE, "--config", str(config), "worker", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(box.home),
        )
        self.lines: list[Row] = [self._next("version"), self._next("worker")]

    def _next(self, kind: str) -> Row:
        line = self.until(kind)
        assert line is not None, self.process.communicate()
        return line

    def until(self, kind: str) -> Row | None:
        """The next line of a type; None when the worker ended before."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line: Row = json.loads(text)
            if line["type"] == kind:
                return line
        return None

    def end(self, number: int = signal.SIGTERM) -> tuple[int, list[Row], str]:
        """Send a signal and wait: exit code, remaining lines, talk."""
        self.process.send_signal(number)
        out, talk = self.process.communicate(timeout=60)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], talk


@contextmanager
def working(box: Box, config: Path) -> Iterator[Working]:
    worker = Working(box, config)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.communicate(timeout=30)


def until_in_flight(box: Box, *workers: Working) -> None:
    """Until a planted fault was met: a batch to the service is in flight."""
    while not sum(fault["hits"] for fault in box.control("GET", "/faults")["faults"]):
        assert all(worker.process.poll() is None for worker in workers)


def started(box: Box, members: int) -> str:
    """A started campaign with somebody whom Predictive does not know yet."""
    campaign = str(box.new_campaign(members)["Id"])
    assert box.run("new-edition", campaign).code == 0
    lead = box.create("Lead", LastName="New", Company="X", Email=f"new.{campaign}@firma.example")
    box.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    return campaign


def slow_batches(box: Box, seconds: float) -> None:
    box.control(
        "POST", "/faults", {"kind": "latency", "side": "predictive", "match": "members:batch", "seconds": seconds}
    )


def test_two_workers_fire_a_tick_once_and_say_so(own_box: Box) -> None:
    box = own_box
    config = config_of(box, timers=True)
    assert spawned("--config", str(config), "schedule", "pause", "--json", home=box.home).code == 0
    with state(box) as store:
        store.facts.set("timers.since", (datetime.now(UTC) - timedelta(hours=2)).isoformat())
    with working(box, config) as one, working(box, config) as other:
        listed = spawned("--config", str(config), "schedule", "--json", home=box.home).lines
        owners = {line["owner"] for line in listed if line["type"] == "worker"}
        assert owners == {worker.lines[1]["owner"] for worker in (one, other)}
        assert [line["workers"] for line in listed if line["type"] == "timer"] == [2, 2]
        assert spawned("--config", str(config), "schedule", "resume", "--json", home=box.home).code == 0
        with state(box) as store:
            while not any(run.kind.value == "hourly" and run.state.ended for run in store.runs.list()):
                assert one.process.poll() is None
                assert other.process.poll() is None
        # Each looks once more before it ends; nothing is left to fire.
        ends = [worker.end() for worker in (one, other)]
    assert [code for code, _, _ in ends] == [0, 0], ends
    turns = [line for _, lines, _ in ends for line in lines if line["type"] == "turn"]
    assert [(turn["kind"], turn["why"], turn["state"]) for turn in turns] == [("hourly", "tick", "nothing-to-do")]
    assert all(lines[-1]["type"] == "summary" for _, lines, _ in ends)
    assert sorted(lines[-1]["items"] for _, lines, _ in ends) == [0, 1]
    with state(box) as store:
        assert len([run for run in store.runs.list() if run.kind.value == "hourly" and run.parent is None]) == 1
        assert store.workers.living() == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_after_its_batch_and_another_goes_on(box: Box, number: signal.Signals) -> None:
    campaign = started(box, 3)
    slow_batches(box, 1.5)
    queued = box.run("sync", campaign, "--queue")
    job = queued.lines[1]["job"]
    assert (queued.code, queued.lines[1]["owner"]) == (0, None)
    with working(box, config_of(box)) as worker:
        until_in_flight(box, worker)
        code, lines, talk = worker.end(number)
    box.control("DELETE", "/faults")
    assert code == 130, talk
    assert "stopping after the batch in flight" in talk
    assert "Traceback" not in talk
    turn = next(line for line in lines if line["type"] == "turn")
    assert (turn["state"], turn["job"], turn["added"]) == ("cancelled", job, 1), "the batch in flight was finished"
    assert len(box.service_members(campaign)) == 4
    with state(box) as store:
        (waiting,) = store.queue.open()
        assert (waiting.job, waiting.owner) == (job, None)
        assert not store.runs.live()
        assert not store.journal.open_intents()
    with working(box, config_of(box)) as worker:
        turn = worker.until("turn") or {}
        assert (turn["job"], turn["exit_code"]) == (job, 0)
        assert worker.end()[0] == 0
    assert box.unequal(campaign, activity=False) == []


def test_the_second_signal_ends_a_worker_at_once(box: Box) -> None:
    campaign = started(box, 2)
    slow_batches(box, 20)
    assert box.run("sync", campaign, "--queue").code == 0
    with working(box, config_of(box)) as worker:
        until_in_flight(box, worker)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.stderr is not None
        while "once more stops at once" not in (line := worker.process.stderr.readline()):
            assert line
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(5) == 130
    box.control("DELETE", "/faults")
    with working(box, config_of(box)) as worker:
        assert (worker.until("turn") or {})["exit_code"] == 0
        assert worker.end()[0] == 0
    assert box.unequal(campaign, activity=False) == []


def test_a_killed_workers_run_is_carried_out_by_another(box: Box) -> None:
    campaign = started(box, 3)
    slow_batches(box, 10.0)
    job = box.run("sync", campaign, "--queue").lines[1]["job"]
    with working(box, config_of(box)) as one, working(box, config_of(box)) as other:
        until_in_flight(box, one, other)
        with state(box) as store:
            (mine,) = store.queue.open()
        victim, heir = (one, other) if mine.owner == one.lines[1]["owner"] else (other, one)
        victim.process.kill()
        victim.process.wait(10)
        box.control("DELETE", "/faults")
        turn = heir.until("turn") or {}
        assert (turn["job"], turn["exit_code"]) == (job, 0), turn
        assert heir.end()[0] == 0
    with state(box) as store:
        over = store.queue.get(job)
        assert over is not None
        assert (over.tries, over.run) == (2, turn["run"])
        assert not store.journal.open_intents()
        assert [run.state.value for run in store.runs.list(campaign_id=campaign, limit=2)][1] == "failed"  # type: ignore[arg-type]
    assert len(box.service_members(campaign)) == 4
    assert box.unequal(campaign, activity=False) == []


def test_a_waiting_run_is_withdrawn_and_shown(box: Box) -> None:
    campaign = started(box, 1)
    job = box.run("sync", campaign, "--queue").lines[1]["job"]
    listed = [line for line in box.run("schedule").lines if line["type"] == "queued"]
    assert [(line["job"], line["kind"], line["campaigns"]) for line in listed] == [(job, "manual", [campaign])]
    assert any(
        line["name"] == "workers" and line["state"] == "attention" and "1 run waits" in line["text"]
        for line in box.run("doctor").lines
        if line["type"] == "check"
    )
    assert box.run("runs", "cancel", job).code == 0
    assert not [line for line in box.run("schedule").lines if line["type"] == "queued"]
    assert box.run("runs", "cancel", job).code == 2
    assert box.people("sync", campaign, "--queue", "--read-only").code == 5


QUOTA, CAMPAIGNS = 18, 12


def test_commands_and_a_worker_that_start_at_once_stay_within_one_quota(home: Path) -> None:
    box = Box.start(home, "--campaigns", "1", "--members", "5")
    try:
        made = [str(box.new_campaign(30)["Id"]) for _ in range(CAMPAIGNS)]
        assert box.run("campaigns").code == 0
        jobs = [box.run("new-edition", key, "--queue").lines[1]["job"] for key in made[: CAMPAIGNS // 2]]
        box.control("POST", "/quota", {"max": QUOTA, "used": 0})

        def start(campaign: str) -> Ended:
            words = ("--config", box.line["config"], "new-edition", campaign, "--json")
            return spawned(*words, home=home, timeout=120)

        with working(box, config_of(box)) as worker, ThreadPoolExecutor(CAMPAIGNS) as pool:
            codes = [ended.code for ended in pool.map(start, made[CAMPAIGNS // 2 :])]
            turns = [worker.until("turn") or {} for _ in jobs]
            assert worker.end()[0] == 0
        codes += [turn["exit_code"] for turn in turns]
        assert box.control("GET", "/quota")["used"] <= QUOTA
        assert set(codes) <= {0, 4, 5}, (codes, turns)
        assert 0 in codes, "somebody got through"
        assert set(codes) != {0}, "and not everybody could"
        with state(box) as store:
            assert store.reservations.outstanding() == 0
            assert not store.runs.live()
            assert store.queue.open() == ()
    finally:
        box.stop()
