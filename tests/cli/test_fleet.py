"""A fleet: commands and workers of one org on a state in PostgreSQL, over the command line, and what it says when it
cannot be had."""

from __future__ import annotations

import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from tests.cli.sides import Box, Ended, Row, spawned
from tests.cli.test_worker import slow_batches, started, until_in_flight, working
from tests.house.postgres import database

pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(own_box: Box) -> Iterator[Box]:
    """A sandbox whose configuration names an empty database."""
    path = Path(own_box.line["config"])
    values = tomllib.loads(path.read_text())
    with database(bare=True) as url:
        values["orgs"]["sandbox"]["state"]["url"] = url.replace("postgresql+psycopg://", "postgresql://")
        path.write_text(tomli_w.dumps(values))
        yield own_box


def test_a_state_in_postgresql_from_first_to_last(fleet: Box) -> None:
    box = fleet
    migrated = box.run("migrate")
    assert migrated.code == 0, migrated.talk
    campaign = started(box, 4)
    synced = box.run("sync", campaign)
    assert (synced.code, synced.summary["added"]) == (0, 1), synced.talk
    assert box.unequal(campaign, activity=False) == []
    lead = next(iter(box.org_members(campaign)))
    box.update("Lead", lead, LastName="Renamed")
    night = box.run("batch", "nightly")
    assert (night.code, night.summary["changed"]) == (0, 1), night.talk
    assert box.service_members(campaign)[lead]["last_name"] == "Renamed"
    hour = box.run("batch", "hourly")
    assert hour.code == 0, hour.talk
    verified = box.run("verify")
    assert (verified.code, verified.summary["differences"]) == (0, 0)
    plan = box.run("plan", campaign)
    assert (plan.code, plan.summary["rows"]) == (0, 0)
    undone = box.run("undo", synced.summary["run"])
    assert undone.code in (0, 4), undone.talk
    for words in (("campaigns",), ("members", campaign), ("runs",), ("limits",), ("schedule",), ("runs", "errors")):
        assert box.run(*words).code == 0, words
    doctor = box.run("doctor")
    assert doctor.code == 0
    assert "postgresql" in next(line["text"] for line in doctor.lines if line.get("name") == "state")


def test_of_workers_on_one_database_another_goes_on_where_one_was_killed(fleet: Box) -> None:
    box = fleet
    campaigns = [started(box, 2) for _ in range(3)]
    slow_batches(box, 8.0)
    config = Path(box.line["config"])
    with working(box, config) as one, working(box, config) as other:
        jobs = [box.run("sync", key, "--queue").lines[1]["job"] for key in campaigns]
        until_in_flight(box, one, other)
        # Each has a campaign of its own in hand by now, or will; the victim's is the one that it had.
        one.process.kill()
        one.process.wait(10)
        box.control("DELETE", "/faults")
        seen: dict[str, Row] = {}
        while set(jobs) - seen.keys():
            line = other.until("turn") or {}
            assert line["exit_code"] == 0, line
            seen[line["job"]] = line
            if set(jobs) - seen.keys() and not _open(box):
                break
        assert not _open(box)
        code, _, talk = other.end()
        assert code == 0, talk
    for key in campaigns:
        assert box.unequal(key, activity=False) == []
    assert box.run("verify", *campaigns).code == 0


def _open(box: Box) -> list[Row]:
    return [line for line in box.run("schedule").lines if line["type"] == "queued"]


def test_two_commands_on_one_campaign_are_one_run(fleet: Box) -> None:
    box = fleet
    campaign = started(box, 2)
    slow_batches(box, 6.0)
    with working(box, Path(box.line["config"])) as worker:
        assert box.run("sync", campaign, "--queue").code == 0
        until_in_flight(box, worker)
        locked = box.run("sync", campaign)
        assert locked.code == 7, locked.talk
        code, _, _ = worker.end(signal.SIGTERM)
        assert code == 130
    box.control("DELETE", "/faults")


def _said(box: Box, url: str) -> Ended:
    path = Path(box.line["config"])
    values = tomllib.loads(path.read_text())
    values["orgs"]["sandbox"]["state"]["url"] = url
    other = path.with_name("other.toml")
    other.write_text(tomli_w.dumps(values))
    return spawned("--config", str(other), "runs", "--json", home=box.home)


def test_a_database_that_does_not_answer_is_said_without_its_password(box: Box) -> None:
    ended = _said(box, "postgresql://me:hush@127.0.0.1:9/state")
    assert ended.code == 1
    assert "the state database does not answer" in ended.talk
    assert len(ended.talk.strip().splitlines()) == 1
    assert "hush" not in ended.talk + ended.out
    assert "Traceback" not in ended.talk
