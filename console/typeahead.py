"""Keys typed ahead: each waits until the screen is there that the keys before it lead to.

Over a slow line several keys arrive in one piece. Textual puts a key into the queue of the widget that has the focus at
that instant, so that a key behind one that opens a screen, a dialog or a prompt would reach what is being left. Here a
key is handled only once all that the one before it began has come to rest; a key that comes alone is not held at all.

Imports Textual; knows of screens only what the protocol says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.events import Event, Key
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.worker import Worker

LONGEST = 1.0
"""Seconds after which the next key is handled whatever still goes on: a longer wait can be seen, and left by a key."""

PAUSE = 0.001
AT_ONCE = 30
"""Looks without a pause in between, since what is under way mostly ends within one turn of the loop."""

LEAVES = ("q",)
"""Keys that mean the same whatever is shown: as the first of all they wait for nothing that is still being read."""

CANCELS = ("escape", "enter")
"""Keys that may answer a question that nobody has read yet: they do nothing but cancel it."""


def _busy(pump: MessagePump, own: int = 0) -> bool:
    return pump.message_queue_size > own or pump._pending_message is not None


class TypeAhead:
    """The keys of *app*; *reading* tells whether the screen in front still reads what it shows."""

    def __init__(self, app: App[Any], reading: Callable[[], bool]) -> None:
        self._app = app
        self._reading = reading
        self._waiting: deque[tuple[Event, Screen[Any] | None]] = deque()
        self._handed: Event | None = None
        self._began = False
        self._worker: Worker[None] | None = None

    @property
    def waiting(self) -> bool:
        """Keys are held back or just on their way again."""
        return bool(self._waiting) or self._handed is not None

    def holds(self, event: Event) -> bool:
        """True when *event* has to wait; it is posted to the app again when its turn has come."""
        if event is self._handed or (not self._waiting and self._handed is None and self._at_rest()):
            self._handed, self._began = None, True
            return False
        self._waiting.append((event, self._on_top))
        if self._worker is None or self._worker.is_finished:
            self._worker = self._app.run_worker(self._hand_on, group="typed ahead")
        return True

    async def _hand_on(self) -> None:
        while self._waiting:
            await self._rest()
            event, typed_at = self._waiting.popleft()
            if self._on_top is None:
                self._waiting.clear()
            elif not self._answers_unread(event, typed_at):
                self._handed = event
                if not self._app.post_message(event):
                    self._handed = None

    async def _rest(self) -> None:
        """Until the key before was handled and what it began has come to rest, the latter no longer than LONGEST."""
        loop = asyncio.get_running_loop()
        end, looks = loop.time() + LONGEST, 0
        while self._handed is not None or (loop.time() < end and not (self._at_rest() and not self._unread())):
            await asyncio.sleep(0 if looks < AT_ONCE else PAUSE)
            looks += 1

    def _unread(self) -> bool:
        """What the next key is meant for is still being read."""
        event = self._waiting[0][0]
        leaves = not self._began and isinstance(event, Key) and event.key in LEAVES
        return not leaves and self._reading()

    def close(self) -> None:
        """The app ends; what was typed ahead is nobody's."""
        self._waiting.clear()

    @property
    def _on_top(self) -> Screen[Any] | None:
        return next(iter(self._app.screen_stack[-1:]), None)

    def _answers_unread(self, event: Event, typed_at: Screen[Any] | None) -> bool:
        """A question must be seen before it is answered: what was typed before it opened is thrown away."""
        here = self._on_top
        unread = here is not typed_at and getattr(here, "read_first", False)
        return bool(unread) and not (isinstance(event, Key) and event.key in CANCELS)

    def _at_rest(self) -> bool:
        """Nothing is under way that a key began: no message, no widget that is only being made, no callback."""
        screen = self._on_top
        if screen is None or _busy(self._app) or screen._callbacks:
            return False
        return all(
            getattr(node, "is_mounted", True) and not _busy(node) for node in screen.walk_children(with_self=True)
        )
