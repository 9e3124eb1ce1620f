"""What threads and widgets tell the screens, each as one message. Imports Textual's message and pure values of sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from sync.events import Event


class EngineEvents(Message, bubble=False):
    """Events of one job since the last repaint, already thinned out; at most three of these a second and job."""

    def __init__(self, job: int, events: tuple[Event, ...]) -> None:
        super().__init__()
        self.job = job
        self.events = events


class JobEnded(Message, bubble=False):
    """A job's thread is done; its value or error is in ``Job``. Comes after its last ``EngineEvents``."""

    def __init__(self, job: int) -> None:
        super().__init__()
        self.job = job


class RowOpened(Message):
    """Enter was pressed on a grid's row."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class RowMoved(Message):
    """The grid's cursor went to another row."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class RowsWanted(Message):
    """The grid is about to show rows that it does not hold."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first = first
        self.last = last


class FilterChanged(Message):
    """The text of the filter line, as it is typed; ``done`` when it was closed (enter keeps it, esc empties it)."""

    def __init__(self, text: str, done: bool) -> None:
        super().__init__()
        self.text = text
        self.done = done


class CommandTyped(Message):
    """A line was entered at the ``:`` prompt."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
