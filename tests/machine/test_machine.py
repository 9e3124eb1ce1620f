"""The state machine at three sizes, and what it has to have gone through to count.

The quick sample and the long one are always the same; ``make soak`` draws anew by a seed that it prints.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from sync.holds import let_go
from sync.store.journal import Journal, Landing
from tests.machine.machine import CALM, EXERCISED, FAULTS, Machine, Weather
from tests.machine.sockets import SocketStage
from tests.machine.stage import Stage
from tests.machine.undoing import UndoMachine

_M = TypeVar("_M", bound=Machine)

# What is drawn differs between versions of Python; the least is what any draw of so many steps has.
QUICK = {
    "steps": 60,
    "settled": 6,
    "runs manual": 8,
    "runs hourly": 8,
    "runs without a fault": 8,
    "kills": 2,
    "mails": 5,
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
    "removed and added again": 8,
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


UNDO = {
    "undos": 15,
    "undos in bad weather": 3,
    "kept out by an undo": 1,
    "kept in by an undo": 1,
    "values held by an undo": 1,
    "statuses put aside by an undo": 8,
    "statuses that were held through a run": 10,
    "holds that lasted through a run": 15,
    "releases": 2,
    "settled": 10,
}
SOCKETS = {
    "settled": 3,
    "runs manual": 44,
    "runs hourly": 44,
    "mails": 10,
    "requests over sockets": 250,
    "fault status": 5,
    "fault drop_before": 1,
    "fault drop_after": 1,
    "fault truncate": 1,
    "undos": 1,
}


def run(examples: int, steps: int, *, at: int | None = None, of: type[Machine] = Machine) -> None:
    """Run a machine; *at* seeds it, None takes the examples that are always the same."""
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
    machine = of if at is None else seed(at)(of)
    run_state_machine_as_test(machine, settings=chosen)
    print(dict(sorted(EXERCISED.items())))


class SocketMachine(UndoMachine):
    """Everything, and every request of the engine over a real connection."""

    staged = SocketStage

    def teardown(self) -> None:
        """Count what went over the wire."""
        served = self.stage.served if hasattr(self, "stage") and isinstance(self.stage, SocketStage) else None
        super().teardown()
        EXERCISED["requests over sockets"] += served.requests if served is not None else 0


@contextmanager
def begun(machine: _M) -> Iterator[_M]:
    """*machine* for steps by hand, settled and closed when they are done."""
    machine.begin()
    try:
        yield machine
    finally:
        machine.teardown()


def every_undo(of: type[UndoMachine]) -> None:
    """Somebody who came, went, or has another name by a sync, which is taken back, in each weather; then other runs, a
    release, and what both sides end as."""
    for weather in (CALM, Weather(dying=12), Weather(timeouts=((3, True),))):
        with begun(of()) as machine:
            for change, given in (
                ("newcomer", {"camp": 0, "status": "Sent", "ticked": False}),
                ("rename", {"number": 1, "text": 1}),
                ("leave", {"number": 2, "again": False}),
                ("status_in_org", {"number": 3, "status": "Attended"}),
            ):
                getattr(machine, change)(**given)
                machine.sync_all(weather=CALM)
                machine.undo(weather=weather)
                machine.sync_all(weather=CALM)
                machine.hour(weather=CALM)
                machine.nothing_falls()
            for moves in (False, True):
                machine.take_back_a_status(number=4, on=3, weather=weather, moves=moves)
                machine.hour(weather=CALM)
                machine.sync_all(weather=CALM)
            machine.release(camp=0, weather=CALM)


def every_fault(of: type[Machine] = Machine) -> None:
    """Each fault on either side at the first requests of a sync and of an hour: chance alone leaves some out."""
    with begun(of()) as machine:
        for number, (fault, side, after) in enumerate(product(FAULTS, ("salesforce", "predictive"), (0, 1))):
            weather = Weather(faults=({"side": side, "after": after} | fault,))
            machine.rename(number=number, text=after)
            machine.activity(number=number, level=1 + number % 4, count=1 + number, status=None)
            machine.sync_all(weather=weather)
            machine.hour(weather=weather)
            machine.nothing_falls()


def some_deaths() -> None:
    """Two owners that die in the middle of a sync: chance alone may let all of so few live."""
    machine = Machine()
    machine.begin()
    try:
        for at in (9, 16):
            machine.rename(number=at, text=at)
            machine.sync_all(weather=Weather(dying=at))
            machine.nothing_falls()
    finally:
        machine.teardown()


def deaths() -> None:
    """A sync and an hour whose process dies: which examples are drawn differs between versions of Python."""
    with begun(Machine()) as machine:
        for number, change in enumerate((machine.sync_all, machine.hour)):
            machine.rename(number=number, text=number)
            machine.activity(number=number, level=1, count=1, status=None)
            change(weather=Weather(dying=6))
            machine.nothing_falls()


def lacking(wanted: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What did not happen often enough: how often it did, and should have."""
    return {what: (EXERCISED[what], least) for what, least in wanted.items() if EXERCISED[what] < least}


def test_a_sample_of_users_faults_and_deaths_breaks_nothing() -> None:
    EXERCISED.clear()
    some_deaths()
    run(5, 20)
    assert lacking(QUICK) == {}


@pytest.mark.slow
def test_thousands_of_steps_of_users_faults_and_deaths_break_nothing() -> None:
    EXERCISED.clear()
    every_fault()
    run(100, 30)
    assert lacking(LONG) == {}


@pytest.mark.slow
def test_runs_are_taken_back_in_any_order_and_held_until_they_are_released() -> None:
    EXERCISED.clear()
    every_undo(UndoMachine)
    run(20, 30, of=UndoMachine)
    assert lacking(UNDO) == {}


class Forgetful(Journal):
    """Keeps outcomes, and forgets what an undo holds."""

    def record_outcome(self, *args: Any, landing: Landing = Landing(), **more: Any) -> None:  # noqa: B008
        kept = [let_go(base) for base in landing.base]
        super().record_outcome(*args, landing=replace(landing, base=kept), **more)


class ForgetfulStage(Stage):
    """An engine that does not hold what an undo restored."""

    journal = Forgetful


@pytest.mark.slow
@pytest.mark.parametrize("staged", [Stage, ForgetfulStage])
@pytest.mark.parametrize("what", ["a member", "a status"])
def test_a_hold_that_is_forgotten_is_found_out(staged: type[Stage], what: str) -> None:
    """A control: the same steps break nothing where holds are kept."""
    machine = UndoMachine()
    machine.staged = staged
    machine.begin()
    try:
        if what == "a member":
            machine.newcomer(camp=0, status="Sent", ticked=False)
            machine.sync_all(weather=CALM)
            machine.undo(weather=CALM)
        else:
            machine.take_back_a_status(number=2, on=3, weather=CALM, moves=False)
        if staged is Stage:
            machine.sync_all(weather=CALM)
            machine.settle()
        else:
            with pytest.raises(AssertionError, match=r"without a release|the service's status became"):
                machine.sync_all(weather=CALM)
    finally:
        machine.stage.close()


@pytest.mark.slow
def test_hundreds_of_steps_over_real_sockets_break_nothing() -> None:
    EXERCISED.clear()
    every_fault(SocketMachine)
    every_undo(SocketMachine)
    run(5, 25, of=SocketMachine)
    assert lacking(SOCKETS) == {}


@pytest.mark.skipif("SOAK_SEED" not in os.environ, reason="a long run of its own: make soak")
def test_a_long_run_breaks_nothing() -> None:
    at = int(os.environ["SOAK_SEED"])
    examples, steps = int(os.environ.get("SOAK_EXAMPLES", "1000")), int(os.environ.get("SOAK_STEPS", "50"))
    print(f"seed {at}, {examples} runs of up to {steps} steps")
    EXERCISED.clear()
    every_fault()
    run(examples, steps, at=at, of=UndoMachine)
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
    assert imported <= {"__future__", "collections", "dataclasses", "typing"}
