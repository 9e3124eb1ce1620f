"""Waits on conditions, bounded by the wall clock, saying what was awaited; nothing sleeps for a fixed time."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Callable
from typing import Any

from textual.events import Key
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot

from console.app import ConsoleApp
from sync.events import Phase


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    """Return once *condition* holds; fail after *seconds* with *what* was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        await asyncio.sleep(0.005)


def answered(app: ConsoleApp) -> bool:
    """True when the store was read and nothing that was asked for is still under way."""
    return bool(
        (app.shared.loaded or app.shared.trouble)
        and not app.bridge.reading
        and not app.typed.waiting
        and all(worker.is_finished for worker in app.workers)
        and not app.screen._layout_required
        and not app.screen._dirty_widgets
    )


async def handled(pilot: Pilot[Any]) -> None:
    """Wait until app, screen and widgets have handled what was in their queues; by counting, not by idleness."""
    await pilot._wait_for_screen()


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until everything that was asked for has been answered, handled and painted."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    calm = 0
    while calm < 2:
        await handled(pilot)
        calm = calm + 1 if answered(app) else 0
        if not calm:
            await until(lambda: answered(app), "the console to settle")
    await handled(pilot)


async def send(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys and wait until each was handled, not until what it started has ended."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        try:
            char: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
        except KeyError:
            char = name if len(name) == 1 else None
        event = Key(name, char)
        event.set_sender(app)
        assert app._driver is not None
        app._driver.send_message(event)
        await handled(pilot)
        await until(lambda: not app.typed.waiting, "the key's turn")
        for _ in range(3):
            await handled(pilot)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each once everything that the one before started has ended."""
    for key in keys:
        await send(pilot, key)
        await settle(pilot)


async def half_way(app: ConsoleApp) -> None:
    """Wait until a held run has told all of its first half."""

    def told() -> bool:
        steps = [run.step(Phase.WRITE_SALESFORCE) for run in app.progress.values()]
        return any(step is not None and step.done == 200 for step in steps)

    await until(told, "the run to have told its first half")


def frame(app: ConsoleApp) -> list[str]:
    """The screen as text, line by line."""
    return [strip.text for strip in app.screen._compositor.render_strips()]
