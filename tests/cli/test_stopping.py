"""The stop ladder on real processes: the first signal ends a run after its batch, the second ends the process at once;
pause and resume reach it from another process."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.sides import PREDICTIVE, Box, Row, environment


@contextmanager
def syncing(box: Box, *campaigns: str, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """``predictive sync`` in a process of its own, while its first batch to the service is in flight."""
    with under_way(box, "sync", *campaigns, match="members:batch", seconds=seconds) as process:
        yield process


@contextmanager
def under_way(box: Box, *words: str, match: str, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, while its first request to the service that fits is in flight."""
    slow = {"kind": "latency", "side": "predictive", "match": match, "seconds": seconds}
    box.control("POST", "/faults", slow)
    process = subprocess.Popen(
        [*PREDICTIVE, "--config", box.line["config"], *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(box.home),
    )
    try:
        while not sum(fault["hits"] for fault in box.control("GET", "/faults")["faults"]):
            assert process.poll() is None, process.communicate()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)
        box.control("DELETE", "/faults")


def with_someone_new(box: Box) -> str:
    """A started campaign with a member that Predictive does not know yet."""
    campaign = str(box.new_campaign(3)["Id"])
    assert box.run("new-edition", campaign).code == 0
    lead = box.create("Lead", LastName="New", Company="X", Email=f"new.{campaign}@firma.example")
    box.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    return campaign


def last_run(box: Box) -> Row:
    """The newest run, with its rows."""
    newest = next(line for line in box.run("runs").lines if line["type"] == "run")
    return next(line for line in box.run("runs", newest["run"]).lines if line["type"] == "run")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_the_batch_in_flight_and_says_so(box: Box, number: signal.Signals) -> None:
    campaign = with_someone_new(box)
    with syncing(box, campaign, seconds=1.5) as process:
        process.send_signal(number)
        out, talk = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopping after the batch in flight" in talk
    assert "Traceback" not in talk
    summary = json.loads(out.splitlines()[-1])
    assert (summary["state"], summary["exit_code"]) == ("cancelled", 130)
    # The batch that was in flight has arrived, and the journal knows it.
    assert len(box.service_members(campaign)) == 4
    assert last_run(box)["counts"]["added"] == 1, out[-1500:]
    assert box.run("sync", campaign).summary["added"] == 0
    assert box.unequal(campaign, activity=False) == []


@pytest.mark.slow
def test_a_verification_that_is_stopped_is_told_so_by_the_journal_too(box: Box) -> None:
    campaign = with_someone_new(box)
    with under_way(box, "verify", campaign, match="/members", seconds=1.5) as process:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    summary = json.loads(out.splitlines()[-1])
    assert (process.returncode, summary["state"], summary["run"]) == (130, "cancelled", last_run(box)["run"])
    assert last_run(box)["state"] == "cancelled"


@pytest.mark.slow
def test_the_second_signal_ends_at_once_and_the_next_run_reads_before_it_repeats(box: Box) -> None:
    campaign = with_someone_new(box)
    with syncing(box, campaign, seconds=5.0) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "once more stops at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(3) == 130
    result = box.run("sync", campaign)
    assert result.code == 0, (result.out, result.talk)
    assert len(box.service_members(campaign)) == 4
    assert box.unequal(campaign, activity=False) == []
    assert box.run("verify", campaign).code == 0


@pytest.mark.slow
def test_another_process_holds_a_run_and_lets_it_go_on(box: Box) -> None:
    first, second = sorted((with_someone_new(box), with_someone_new(box)))
    with syncing(box, first, second, seconds=3.0) as process:
        runs = [line for line in box.run("runs").lines if line["type"] == "run" and line["state"] == "running"]
        part = next(line["run"] for line in runs if line["parent"])
        asked = box.run("runs", "pause", part)
        whole = asked.lines[1]["run"]
        assert (asked.code, whole) == (0, next(line["run"] for line in runs if not line["parent"]))
        while not last_state(box, whole)["paused"]:
            assert process.poll() is None
        assert (len(box.service_members(first)), len(box.service_members(second))) == (4, 3)
        assert box.run("sync", second).code == 7
        assert box.run("runs", "resume", whole).code == 0
        out, talk = process.communicate(timeout=30)
    assert process.returncode == 0, talk
    assert json.loads(out.splitlines()[-1])["added"] == 2
    ended = box.run("runs", "cancel", whole)
    assert (ended.code, "does not live" in ended.talk) == (2, True)


def last_state(box: Box, run: str) -> Row:
    """One run."""
    return next(line for line in box.run("runs", run).lines if line["type"] == "run")
