"""The line in which a filter or a command is typed, above the key bar; there only while it is used.

Imports Textual's Input; tells its owner by messages and knows no screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Input

from console.messages import CommandTyped, FilterChanged
from console.widgets.paint import Lines

Suggest = Callable[[str], "str | None"]


class _Suggester(Suggester):
    """A function as Textual's kind of suggester."""

    def __init__(self, suggest: Suggest) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suggest = suggest

    async def get_suggestion(self, value: str) -> str | None:
        """What most likely is meant."""
        return self._suggest(value)


class Prompt(Horizontal):
    """``/`` filters as one types; ``:`` takes a command.

    Args:
        sign: ``/`` or ``:``.
        text: what stands in it at first.
        hint: grey text while it is empty.
        suggest: gives what most likely is meant by what was typed, beginning with it.
    """

    DEFAULT_CSS = """
    Prompt { height: 1; width: 1fr; }
    Prompt > Lines { width: 3; }
    Prompt > Input { width: 1fr; height: 1; border: none; padding: 0; background: transparent; }
    Prompt > Input:focus { border: none; background-tint: transparent 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False, priority=True),
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]

    def __init__(self, sign: str, text: str, hint: str, suggest: Suggest | None = None) -> None:
        super().__init__()
        self._sign = sign
        self._text = text
        self._hint = hint
        self._suggest = suggest
        self.left = False
        """It was closed and only waits to be taken away."""

    def compose(self) -> ComposeResult:
        """The sign and the line."""
        yield Lines(((f" {self._sign} ", "key"),))
        suggester = _Suggester(self._suggest) if self._suggest is not None else None
        line = Input(self._text, placeholder=self._hint, select_on_focus=False, suggester=suggester)
        line.cursor_blink = False
        yield line

    def on_mount(self) -> None:
        """Take the keys."""
        self.screen.set_focus(self.query_one(Input))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._sign == "/":
            self.post_message(FilterChanged(event.value, done=False))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._sign == "/":
            self.post_message(FilterChanged(event.value, done=True))
        else:
            self.post_message(CommandTyped(event.value))

    def action_complete(self) -> None:
        """Tab takes the suggestion."""
        line = self.query_one(Input)
        found = self._suggest(line.value) if self._suggest is not None and line.value else None
        if found is not None:
            line.value = found
            line.cursor_position = len(found)

    def action_leave(self) -> None:
        """Esc: no filter, no command."""
        self.post_message(FilterChanged("", done=True) if self._sign == "/" else CommandTyped(""))
