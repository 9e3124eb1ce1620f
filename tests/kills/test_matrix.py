"""A process killed at any request or commit, and then the same command again: what is left is that of a quiet run.

No edition twice, no mail twice, no member lost, nothing written twice. The points are not chosen: a recording run
numbers them, see ``tests.kills.points``. The whole matrix is slow; a sample of some kinds, by a fixed seed, is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kills.kinds import KINDS

ROOT = Path(__file__).parents[2]
FEWEST = 12
"""A run with fewer points than this would not be worth the name of a matrix."""

SEED = 20261126
QUICK = {"hourly": 2}
"""Kinds that the quick tests sample, and how many points of each."""


def matrix(kind: str, *arguments: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the matrix in a process of its own: the recording's line, and a line for each point."""
    command = [sys.executable, "-m", "tests.kills.matrix", kind, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    head, *cases = (json.loads(line) for line in done.stdout.splitlines())
    print(f"{kind}: {len(head['events'])} points, {len(cases)} of them killed; arguments {arguments}")
    assert len(head["events"]) >= FEWEST
    assert len(cases) == head["points"]
    return head, cases


def found(cases: list[dict[str, Any]]) -> list[str]:
    """What was not as it should be."""
    return [f"killed before {case['point']} ({case['before']}): {each}" for case in cases for each in case["problems"]]


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kill_at_any_point_leaves_what_an_undisturbed_run_leaves(kind: str) -> None:
    head, cases = matrix(kind)
    assert len(cases) == len(head["events"])
    assert found(cases) == []


@pytest.mark.parametrize("kind", sorted(QUICK))
def test_a_kill_at_points_drawn_by_a_seed(kind: str) -> None:
    _, cases = matrix(kind, "--sample", str(QUICK[kind]), "--seed", str(SEED))
    assert found(cases) == []


@pytest.mark.slow
def test_a_journal_that_forgets_its_intents_is_found_out() -> None:
    """The control: the same matrix over a state whose journal tells nobody what was left without an answer."""
    _, cases = matrix("refresh", "--forget")
    assert any("org writes UPDATE CampaignMember" in each for each in found(cases))
