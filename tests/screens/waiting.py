"""Waits on conditions, bounded by the wall clock, saying what was awaited; nothing sleeps for a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    """Return once *condition* holds; fail after *seconds* with *what* was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        await asyncio.sleep(0.005)


def settled(app: ConsoleApp) -> bool:
    """True when no read is under way, no worker is left and no message waits."""
    queues = [app._message_queue, app.screen._message_queue]
    return (
        app.shared.loaded | bool(app.shared.trouble)
        and not app.bridge.reading
        and not any(not worker.is_finished for worker in app.workers)
        and all(not queue.qsize() for queue in queues if queue is not None)
    )


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until everything that was asked for has been answered and painted."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    for _ in range(3):
        await pilot.pause()
        await until(lambda: settled(app), "the console to settle")
    await pilot.pause()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each once the one before is done with."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def frame(app: ConsoleApp) -> list[str]:
    """The screen as text, line by line."""
    return [strip.text for strip in app.screen._compositor.render_strips()]
