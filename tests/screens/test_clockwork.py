"""What the clock alone changes is shown when it changes, and until then the console sleeps."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from console.app import ConsoleApp
from console.pace import changed, next_change
from console.viewstate import Shared
from sync.model import RunKind
from sync.views import TimerView
from tests.screens.fakes import FakeBackend
from tests.screens.made import HOUR, MINUTE, NOW, eight_campaigns
from tests.screens.scenes import console, running
from tests.screens.test_journeys import text_of
from tests.screens.waiting import frame, press, settle, until

SECOND = timedelta(seconds=1)
NEXT_MINUTE = NOW.replace(second=0) + MINUTE
DUE = NOW + 14 * MINUTE
"""When the made-up hourly timer is due."""


def with_timers(backend: FakeBackend, *, longest: float = ConsoleApp.LONGEST) -> ConsoleApp:
    """The console with timers that fire by themselves, and sleeps of at most *longest* seconds."""
    app = ConsoleApp(backend, clock=backend.clock, org_name="acme", mode="writes")
    app.LONGEST = longest
    return app


def top(app: ConsoleApp) -> str:
    """The two lines on top."""
    return "\n".join(frame(app)[:2])


def next_wake() -> float:
    """Seconds until something is scheduled on this loop, whoever it is for."""
    loop = asyncio.get_running_loop()
    times = [handle.when() for handle in vars(loop)["_scheduled"] if not handle.cancelled()]
    return min(times, default=float("inf")) - loop.time()


# ---------------------------------------------------------------- when something changes


def shared(now: datetime = NOW, **values: Any) -> Shared:
    """What the top lines are made from."""
    return replace(Shared("acme", "writes", now), **values)


def hourly(left: timedelta, *, enabled: bool = True, paused: str | None = None) -> tuple[TimerView, ...]:
    """A timer that is due in so long."""
    return (TimerView(RunKind.HOURLY, NOW + left, enabled, simulated=False, paused=paused),)


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (shared(), NEXT_MINUTE),
        (shared(NEXT_MINUTE), NEXT_MINUTE + MINUTE),
        (shared(timers=hourly(5 * MINUTE + 7 * SECOND)), NOW + 7 * SECOND),
        (shared(timers=hourly(MINUTE)), NOW + SECOND),
        (shared(timers=hourly(30 * SECOND + SECOND / 4)), NOW + SECOND / 4),
        (shared(timers=hourly(SECOND)), NOW + SECOND),
        (shared(timers=hourly(-3 * SECOND)), NEXT_MINUTE),
        (shared(timers=hourly(30 * SECOND, paused="why")), NEXT_MINUTE),
        (shared(timers=hourly(30 * SECOND, enabled=False)), NEXT_MINUTE),
        (shared(limits=replace(FakeBackend().limits(), at=NOW - 20 * MINUTE - 55 * SECOND)), NOW + 5 * SECOND),
    ],
)
def test_the_next_change(state: Shared, change: datetime) -> None:
    assert next_change(state) == change
    assert not changed(state, change - SECOND / 100)
    assert changed(state, change)


def test_of_a_clock_that_was_set_back_nothing_is_known() -> None:
    assert changed(shared(), NOW - SECOND)


# ---------------------------------------------------------------- sleeping


async def shows(app: ConsoleApp, text: str, *, times: int = 1) -> None:
    """Wait until *text* is on screen so often."""
    await until(lambda: text_of(app).count(text) == times, f"the screen to say {text!r} {times} times")


async def test_an_idle_console_schedules_nothing_for_seconds() -> None:
    app = with_timers(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(lambda: next_wake() > 4, "nothing to be scheduled within seconds")
        await until(lambda: app.sleep_seconds() == app.LONGEST, "the look at the timers to end")


async def test_the_minute_turns_when_it_turns() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        backend.clock.at = NEXT_MINUTE - SECOND / 10
        assert 0.1 <= app.sleep_seconds() < 0.2
        app.wake()
        assert "11:46" in top(app)
        backend.clock.at = NEXT_MINUTE
        await until(lambda: "11:47" in top(app), "the clock on top to say 11:47", app.LONGEST - 1)


@pytest.mark.parametrize("jump", [3 * HOUR, -3 * HOUR])
async def test_a_clock_that_jumps_is_seen_after_the_longest_sleep(jump: timedelta) -> None:
    backend = FakeBackend()
    app = with_timers(backend, longest=0.05)
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.shared.loaded and "11:46" in top(app), "the first frame")
        backend.clock.at += jump
        await until(lambda: f"{backend.clock.at:%H:%M}" in top(app), "the clock on top to follow")


async def test_whoever_presses_a_key_sees_the_present_time() -> None:
    backend = FakeBackend()
    app = with_timers(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(lambda: next_wake() > 4, "nothing to be scheduled within seconds")
        backend.clock.at = NOW + 10 * MINUTE
        await press(pilot, "down")
        assert app.shared.now == backend.clock.at
        assert "11:56" in top(app)
        await until(lambda: next_wake() > 4, "all to be quiet again")


async def test_the_last_minute_is_counted_by_the_second() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "3")
        backend.clock.at = DUE - 2 * MINUTE
        app.wake()
        assert app.sleep_seconds() == app.LONGEST
        for left in (42, 41, 40):
            backend.clock.at = DUE - left * SECOND
            app.wake()
            await shows(app, f" {left}s ", times=2)
            assert 1.0 <= app.sleep_seconds() < 1.1


# ---------------------------------------------------------------- timers


async def test_a_due_timer_fires_when_it_is_due_without_anything_committed() -> None:
    backend = FakeBackend()
    backend.commits = 0
    app = with_timers(backend, longest=0.02)
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.shared.loaded and backend.calls.count("due_tick"), "a first look at the timers")
        backend.due = backend.schedule()[0]
        looked = backend.marked
        await until(lambda: backend.marked > looked + 5, "more looks")
        assert "fire" not in backend.calls, "a look that found nothing holds until the store changes or a timer is due"
        backend.clock.at = DUE
        await until(lambda: "fire" in backend.calls, "the timer to fire")
        await until(lambda: app.bridge.writing is None, "the run to end")
    assert backend.calls.count("fire") == 1


async def test_timers_are_read_again_only_once_something_was_committed() -> None:
    backend = FakeBackend()
    backend.commits = 0
    app = with_timers(backend, longest=0.02)
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.shared.loaded and backend.marked > 5, "a few looks")
        looks, marked = backend.calls.count("due_tick"), backend.marked
        await until(lambda: backend.marked > marked + 5, "a few more")
        assert backend.calls.count("due_tick") == looks
        backend.commits = 1
        await until(lambda: backend.calls.count("due_tick") == looks + 1, "the timers to be read")


async def test_a_tick_that_waits_for_a_run_fires_after_it() -> None:
    backend = FakeBackend()
    backend.commits = 0
    app = with_timers(backend, longest=0.02)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.shared.loaded and backend.marked > 2, "a first look at the timers")
        await running(pilot, backend)
        backend.due = backend.schedule()[0]
        backend.clock.at = DUE + SECOND
        asked = backend.calls.count("due_tick")
        await until(lambda: app.shared.now == backend.clock.at, "a tick of the run")
        assert backend.calls.count("due_tick") == asked
        backend.hold.set()
        await until(lambda: "fire" in backend.calls, "the timer to fire after the run")
        await until(lambda: app.bridge.writing is None, "the run to end")


# ---------------------------------------------------------------- runs


async def test_a_live_run_is_ticked_each_second_though_it_tells_nothing() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await running(pilot, backend)
        for seconds in (65, 66):
            assert app.sleep_seconds() == app.TICK
            # It began three seconds ago.
            backend.clock.at = NOW + seconds * SECOND
            await shows(app, f"01:0{seconds - 57}")
        backend.hold.set()
        await until(lambda: app.bridge.writing is None, "the run to end")


# ---------------------------------------------------------------- what others did


async def test_campaigns_are_read_again_once_something_was_committed() -> None:
    backend = FakeBackend()
    backend.commits = 0
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        backend.clock.at += MINUTE
        backend.calls.clear()
        app.look_again()
        await settle(pilot)
        assert "overview" not in backend.calls
        assert app.shared.now == backend.clock.at
        backend.views = tuple(replace(view, total=view.total + 1) for view in eight_campaigns())
        backend.commits = 1
        app.look_again()
        await settle(pilot)
        assert app.shared.campaigns == backend.views


async def test_campaigns_are_read_again_after_some_minutes_whatever_was_committed() -> None:
    backend = FakeBackend()
    backend.commits = 0
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        backend.clock.at += 5 * MINUTE
        backend.calls.clear()
        app.look_again()
        await settle(pilot)
        assert "overview" in backend.calls


async def test_ages_go_on_though_nothing_was_committed() -> None:
    backend = FakeBackend()
    backend.commits = 0
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "✔ 2m" in text_of(app)
        backend.clock.at += MINUTE
        app.look_again()
        await settle(pilot)
        assert "✔ 3m" in text_of(app)
