"""Frames over a slow line: a screen that opens is painted whole and at once, and the same frame is not sent twice.

Textual paints the regions of a new screen first, so that lines of the screen before stand between them for a moment,
then all of it once more; and it repaints everything twice after a screen is closed. Two of its private methods are
overridden here, for its pinned version. Imports Textual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual._compositor import CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from sync.clock import Clock

Result = TypeVar("Result")

AGAIN = 0.5
"""Seconds in which the same whole frame is not sent again; later it is, and mends what others wrote on the terminal."""


class Sent(CompositorUpdate):
    """A frame as it goes to the terminal."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render_segments(self, console: Console) -> str:
        """Its text."""
        return self.text


class Whole(Screen[Result]):
    """A screen that is painted whole when it is to be painted whole anyway."""

    def _compositor_refresh(self) -> None:
        if self._repaint_required and self.is_current and not self.app._batch_count:
            self._repaint_required = False
            self._compositor._dirty_regions.add(self._compositor.size.region)
        super()._compositor_refresh()


class SentOnce(App[int]):
    """An app that sends a whole frame once; it needs a clock."""

    clock: Clock
    _last_sent: tuple[str, float] = ("", 0.0)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if renderable is not None and not self._batch_count and not self.is_headless:
            text = renderable.render_segments(self.console) if isinstance(renderable, LayoutUpdate) else ""
            before, at = self._last_sent
            now = self.clock.monotonic()
            self._last_sent = (text, now)
            if text:
                if text == before and now - at < AGAIN:
                    return
                renderable = cast("RenderableType", Sent(text))
        super()._display(screen, renderable)
