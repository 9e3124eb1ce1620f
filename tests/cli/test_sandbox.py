"""``predictive sandbox``: its one line, its configuration, the ways it ends; ``predictive demo`` without a terminal."""

from __future__ import annotations

import json
import os
import signal
import ssl
import stat
from pathlib import Path

import httpx
import pytest

from tests.cli.sides import Box, spawned


def test_the_line_and_the_configuration(box: Box) -> None:
    line = box.line
    assert set(line) >= {"salesforce", "predictive", "control_url", "config"}
    assert set(line["salesforce"]) >= {"instance_url", "access_token", "api_version", "tls_url", "ca"}
    assert set(line["predictive"]) >= {"base_url", "token"}
    assert line["salesforce"]["access_token"].startswith("00D")
    assert line["salesforce"]["instance_url"].startswith("http://127.0.0.1:")
    assert line["salesforce"]["tls_url"].startswith("https://127.0.0.1:")
    config = Path(line["config"])
    text = config.read_text(encoding="utf-8")
    assert line["salesforce"]["access_token"] not in text
    assert line["predictive"]["token"] not in text
    for path in config.parent.iterdir():
        if path.name.startswith("secrets"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    trusted = httpx.Client(verify=ssl.create_default_context(cafile=line["salesforce"]["ca"]))
    assert trusted.get(f"{line['salesforce']['tls_url']}/services/data").status_code == 200
    trusted.close()


def test_the_first_campaign_is_ready(box: Box) -> None:
    first = box.campaigns()[0]
    members = box.org_members(first["Id"])
    assert len(members) == 60
    assert (first["IsActive"], first["PAM__Auto_Sync__c"]) == (True, True)
    assert {bool(row["ContactId"]) for row in members.values()} == {True, False}


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, id="ctrl-c", marks=pytest.mark.slow), pytest.param(signal.SIGTERM, id="terminate")],
)
def test_it_ends_quickly_and_leaves_nothing(home: Path, number: int) -> None:
    box = Box.start(home, "--campaigns", "1", "--members", "10")
    folder = Path(box.line["config"]).parent
    address = box.line["salesforce"]["instance_url"]
    assert folder.is_dir()
    assert box.stop(number) in (0, 130)
    assert not folder.exists()
    with pytest.raises(httpx.TransportError):
        httpx.get(address, timeout=5)


@pytest.mark.slow
def test_the_servers_end_with_a_sandbox_that_was_killed(home: Path) -> None:
    box = Box.start(home, "--campaigns", "1", "--members", "10")
    address = box.line["salesforce"]["instance_url"]
    box.process.kill()
    box.process.wait(10)
    box.stop(0) if box.process.poll() is None else None
    for stream in (box.process.stdout, box.process.stderr):
        if stream is not None:
            stream.close()
    for _ in range(200):
        try:
            httpx.get(address, timeout=0.2)
        except httpx.TransportError:
            break
        os.sched_yield()
    else:
        pytest.fail("the servers outlived the sandbox")


@pytest.mark.slow
@pytest.mark.parametrize("campaigns", ["2", "12"])
def test_synced_leaves_nothing_to_do(home: Path, campaigns: str) -> None:
    box = Box.start(home, "--campaigns", campaigns, "--members", "15", "--synced")
    try:
        assert box.usage() == (0, 0)
        nightly = box.run("batch", "nightly")
        assert (nightly.code, nightly.summary["state"]) == (0, "nothing-to-do"), nightly.out
        assert nightly.summary["writes"] == {"salesforce": 0, "predictive": 0}
        hourly = box.run("batch", "hourly")
        assert (hourly.code, hourly.summary["state"]) == (0, "nothing-to-do"), hourly.out
        for item in box.run("campaigns").lines[1:-1]:
            if item["state"] != "closed":
                assert item["editions"] in (1, 5), item
        assert box.run("verify").summary["differences"] == 0
    finally:
        box.stop()


@pytest.mark.slow
def test_the_tour_without_a_terminal(home: Path) -> None:
    told = spawned("demo", home=home, timeout=120)
    assert told.code == 0, (told.out[-3000:], told.talk)
    assert "both sides are equal" in told.out
    assert len(told.out.splitlines()) <= 150
    assert "\x1b" not in told.out


@pytest.mark.slow
def test_the_tour_as_json(home: Path) -> None:
    told = spawned("demo", "--headless", "--json", home=home, timeout=120)
    assert told.code == 0, (told.out[-3000:], told.talk)
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert lines[0]["type"] == "version"
    assert lines[-1]["type"] == "summary"
    assert {line["type"] for line in lines[1:-1]} == {"step"}
