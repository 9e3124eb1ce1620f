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


@pytest.mark.slow
def test_what_a_refusal_for_the_budget_names_every_run_takes(poor_box: Box) -> None:
    box = poor_box
    campaign = box.new_campaign(4)["Id"]
    runs = (("new-edition", campaign), ("verify", campaign), ("refresh", campaign), ("sync", campaign))
    box.control("POST", "/quota", {"used": 0})
    assert box.run("campaigns").code == 0
    for words in runs:
        box.control("POST", "/quota", {"used": QUOTA - 2})
        box.run("limits")
        if words[0] == "refresh":
            person = sorted(box.org_members(campaign))[0]
            box.service("POST", f"/v1/people/{person}:opt-out", {"scope": "campaign", "campaign_id": campaign})
        refused = box.run(*words)
        assert (refused.code, "--allow budget=CALLS --reason TEXT" in refused.talk) == (5, True), words
        box.control("POST", "/quota", {"used": QUOTA - 10})
        let = box.run(*words, "--allow", "budget=10", "--reason", "the last calls are for this")
        assert (let.code, let.summary["error"]) == (0, None), words
