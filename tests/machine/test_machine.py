"""The state machine at three sizes, and what it has to have gone through to count.

The quick sample and the long one are always the same; ``make soak`` draws anew by a seed that it prints.
"""

from __future__ import annotations

import ast
import os
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.machine import EXERCISED, FAULTS, Machine, Weather

QUICK = {
    "steps": 100,
    "settled": 6,
    "runs manual": 8,
    "runs hourly": 8,
    "runs without a fault": 15,
    "kills": 2,
    "mails": 10,
}
LONG = {
    "steps": 2000,
    "settled": 80,
    "runs manual": 150,
    "runs hourly": 150,
    "runs nightly": 20,
    "runs refresh": 5,
    "previews": 10,
    "runs without a fault": 300,
    "mails": 300,
    "kills": 30,
    "conflicts": 3,
    "conversions": 10,
    "merges": 10,
    "removed and added again": 15,
    "sharing": 10,
    "short pages": 5,
    "in-flight transactions": 10,
    "opt-outs in the org": 10,
    "opt-outs in the service": 10,
    "time-out before commit": 5,
    "time-out after commit": 5,
    "fault status": 10,
    "fault html": 2,
    "fault drop_before": 2,
    "fault drop_after": 2,
    "fault truncate": 2,
    "fault session_expired": 1,
    "fault quota": 2,
    "fault concurrency": 2,
    "fault row": 2,
}


def run(examples: int, steps: int, *, at: int | None = None) -> None:
    """Run the machine; *at* seeds it, None takes the examples that are always the same."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=at is None,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        # A failure prints its steps; making them fewer would take longer than the whole run may.
        phases=[Phase.explicit, Phase.generate] if at is None else list(Phase),
        suppress_health_check=list(HealthCheck),
    )
    machine = Machine if at is None else seed(at)(Machine)
    run_state_machine_as_test(machine, settings=chosen)
    print(dict(sorted(EXERCISED.items())))


def every_fault() -> None:
    """Each fault on either side at the first requests of a sync and of an hour: chance alone leaves some out."""
    machine = Machine()
    machine.begin()
    try:
        for number, (fault, side, after) in enumerate(product(FAULTS, ("salesforce", "predictive"), (0, 1))):
            weather = Weather(faults=({"side": side, "after": after} | fault,))
            machine.rename(number=number, text=after)
            machine.activity(number=number, level=1 + number % 4, count=1 + number, status=None)
            machine.sync_all(weather=weather)
            machine.hour(weather=weather)
            machine.nothing_falls()
        machine.settle()
    finally:
        machine.stage.close()


def lacking(wanted: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What did not happen often enough: how often it did, and should have."""
    return {what: (EXERCISED[what], least) for what, least in wanted.items() if EXERCISED[what] < least}


def test_a_sample_of_users_faults_and_deaths_breaks_nothing() -> None:
    EXERCISED.clear()
    run(10, 25)
    assert lacking(QUICK) == {}


@pytest.mark.slow
def test_thousands_of_steps_of_users_faults_and_deaths_break_nothing() -> None:
    EXERCISED.clear()
    every_fault()
    run(100, 30)
    assert lacking(LONG) == {}


@pytest.mark.skipif("SOAK_SEED" not in os.environ, reason="a long run of its own: make soak")
def test_a_long_run_breaks_nothing() -> None:
    at = int(os.environ["SOAK_SEED"])
    examples, steps = int(os.environ.get("SOAK_EXAMPLES", "1000")), int(os.environ.get("SOAK_STEPS", "50"))
    print(f"seed {at}, {examples} runs of up to {steps} steps")
    EXERCISED.clear()
    every_fault()
    run(examples, steps, at=at)
    assert lacking(LONG if examples >= 200 else {}) == {}


def test_the_model_knows_nothing_of_the_engine() -> None:
    """What it imports is the standard library's: a mistake of the engine cannot be its own."""
    tree = ast.parse((Path(__file__).parent / "model.py").read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"__future__", "collections", "dataclasses"}
