"""Consoles in processes of their own on one small quota: together they stay below the governor's line."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync.settings import load_settings
from sync.store.store import open_store
from tests.cli.sides import Box, Ended, spawned

QUOTA, CAMPAIGNS, STOP = 40, 6, 0.95


@pytest.fixture
def poor_box(home: Path) -> Iterator[Box]:
    running = Box.start(home, "--campaigns", "1", "--members", "5", "--quota", str(QUOTA))
    try:
        yield running
    finally:
        running.stop()


@pytest.mark.slow
def test_processes_that_start_at_once_stay_within_one_quota(poor_box: Box, home: Path) -> None:
    box = poor_box
    made = [box.new_campaign(30)["Id"] for _ in range(CAMPAIGNS)]
    box.control("POST", "/quota", {"used": 0})

    def start(campaign: str) -> Ended:
        words = ("--config", box.line["config"], "new-edition", campaign, "--json")
        return spawned(*words, home=home, timeout=120)

    with ThreadPoolExecutor(CAMPAIGNS) as pool:
        ends = list(pool.map(start, made))
    used = box.control("GET", "/quota")["used"]
    assert used <= QUOTA
    codes = sorted(ended.code for ended in ends)
    assert set(codes) <= {0, 4, 5}, [ended.talk for ended in ends]
    assert codes[0] == 0, "somebody got through"
    with open_store(load_settings(Path(box.line["config"]), env={}).org().state_url) as store:
        assert store.reservations.outstanding() == 0
        assert not store.runs.live()
    if codes[-1] != 0:
        assert used <= QUOTA * STOP + CAMPAIGNS, "at most one asking call each beyond the line"
    box.control("POST", "/clock", {"advance": 25 * 3600})
    box.control("POST", "/quota", {"max": 10_000, "used": 0})
    assert spawned("--config", box.line["config"], "limits", "--json", home=home).code == 0
    for campaign in made:
        assert start(campaign).code == 0
    verified = box.run("verify", *made)
    assert (verified.code, verified.summary["differences"]) == (0, 0)
