"""A live run is held, let go on, or stopped, by whoever shares its state: after the batch, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sync.errors import Cancelled, Locked, UsageError
from sync.events import Event, Phase, Progress
from sync.ids import RunId
from sync.model import RunKind, RunState
from sync.views import RunResult, RunView
from tests.engine.world import Campaign, World


class Running:
    """A sync in a thread of its own; ``at_batch`` is called once, after its first batch to the service."""

    def __init__(self, world: World, campaigns: list[Campaign], at_batch: Callable[[RunId], object]) -> None:
        self._world = world
        self._ids = [campaign.id for campaign in campaigns]
        self._at_batch: Callable[[RunId], object] | None = at_batch
        self.result: RunResult | None = None
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        with self._world.shell() as shell:
            shell.listen(self._heard)
            self.result = shell.sync(self._ids)

    def _heard(self, event: Event) -> None:
        body = event.body
        if isinstance(body, Progress) and body.phase is Phase.WRITE_PREDICTIVE and self._at_batch is not None:
            call, self._at_batch = self._at_batch, None
            call(body.run)

    def ended(self) -> RunResult:
        self.thread.join(30)
        assert self.result is not None
        return self.result


def until(holds: Callable[[], bool]) -> None:
    """Wait until *holds*; fails after 30 s."""
    waited = threading.Event()
    for _ in range(3_000):
        if holds():
            return
        waited.wait(0.01)
    raise AssertionError("it never came to hold")


@contextmanager
def two_to_sync(world: World) -> Iterator[tuple[Campaign, Campaign]]:
    """Two started campaigns, each with a member that Predictive does not know yet, in the order they are written."""
    pair = sorted((world.campaign(3), world.campaign(3)), key=lambda each: each.id)
    with world.shell() as shell:
        for campaign in pair:
            shell.new_edition(campaign.id)
            world.join(campaign, 1)
    yield pair[0], pair[1]


@pytest.mark.slow
def test_a_held_run_stays_alive_and_goes_on_where_it_was(world: World) -> None:
    with two_to_sync(world) as (first, second), world.shell() as shell:
        running = Running(world, [first, second], shell.pause_run)
        until(lambda: any(view.paused for view in world.store.runs.live()))
        held: RunView = next(view for view in world.store.runs.live() if view.parent is None)
        # The batch in flight was finished, the next one not begun.
        assert (len(world.service_members(first)), len(world.service_members(second))) == (4, 3)
        assert world.store.journal.open_intents() == ()
        # Longer than a lease: it is renewed, so nobody takes the campaign over.
        for _ in range(3):
            before = world.clock.now()
            world.clock.advance(20)
            until(lambda at=before: _lease_until(world, held.run) > at.timestamp() + 20)  # type: ignore[misc]
        with pytest.raises(Locked):
            shell.sync([second.id])
        assert shell.resume_run(held.run) == held.run
        result = running.ended()
        assert (result.exit_code, result.state, result.counts.added) == (0, RunState.DONE, 2)
        assert not shell.run(held.run).paused
        assert len(world.service_members(second)) == 4


@pytest.mark.slow
def test_a_plan_that_is_stopped_ends_as_interrupted(world: World) -> None:
    campaign = world.campaign(2)
    stop = threading.Event()
    with world.shell() as shell:
        done = shell.new_edition(campaign.id)
        stop.set()
        for ask in (
            lambda: shell.plan_undo(done.run, cancel=stop),
            lambda: shell.make_plan([campaign.id], cancel=stop),
        ):
            with pytest.raises(Cancelled) as caught:
                ask()
            assert caught.value.exit_code == 130
        assert world.store.runs.live() == ()


def test_nothing_is_asked_of_a_run_whose_process_is_gone(world: World) -> None:
    with world.shell() as shell:
        runs = shell.store.runs
        owner, runs.owner = runs.owner, f"{runs.owner.split(':')[0]}:4194303:1"
        run = runs.start(RunKind.NIGHTLY).run
        runs.owner = owner
        for ask in (shell.cancel_run, shell.pause_run, shell.resume_run):
            with pytest.raises(UsageError, match="does not live"):
                ask(run)


def _lease_until(world: World, run: RunId) -> float:
    with world.store.database.read() as conn:
        micros = conn.exec_driver_sql("SELECT lease_until FROM run WHERE run_id = ?", (run,)).scalar_one()
    return float(micros) / 1e6


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True], ids=["running", "held"])
def test_a_cancel_from_elsewhere_ends_the_run_after_its_batch(world: World, held: bool) -> None:
    with two_to_sync(world) as (first, second), world.shell() as shell:
        running = Running(world, [first, second], shell.pause_run if held else shell.cancel_run)
        if held:
            until(lambda: any(view.paused for view in world.store.runs.live()))
            shell.cancel_run(world.store.runs.live()[0].run)
        result = running.ended()
        assert (result.exit_code, result.state) == (130, RunState.CANCELLED)
        assert (len(world.service_members(first)), len(world.service_members(second))) == (4, 3)
        assert world.store.journal.open_intents() == ()
        done = shell.sync([first.id, second.id])
        assert (done.exit_code, done.counts.added) == (0, 1)
        assert shell.verify([first.id, second.id]).exit_code == 0
