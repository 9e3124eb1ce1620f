"""Questions over a screen: confirm, choose, type a line, get past a guard. Cancel is always the default.

Enter cancels and esc cancels; what does something has a key of its own, which is never the key that opened the
dialog. Imports Textual and the painters; an answer goes back as the screen's result and the opener acts on it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key as KeyPressed
from textual.screen import ModalScreen
from textual.widgets import Input

from console.frames import Whole
from console.messages import RowOpened
from console.present import Line, cells, crop, fit, width_of, wrap
from console.widgets.grid import Grid
from console.widgets.paint import Lines, forget
from sync.plan import GuardVerdict

INNER = 66
"""Cells of text inside a dialog at 80 columns."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a menu: its key, what it answers, words, a quieter explanation, and why it cannot be chosen."""

    key: str
    answer: str
    label: str
    text: str = ""
    why_not: str = ""


class Dialog(Whole[str], ModalScreen[str]):
    """Base: a title, lines, and what the subclass adds. Dismisses with "" when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    def __init__(self, title: str, text: Sequence[str] = ()) -> None:
        super().__init__()
        self._title = title
        self._text = tuple(text)

    @property
    def inner(self) -> int:
        """Cells for text."""
        return min(INNER, int(self.app.size.width * 0.96) - 8)

    def heading(self) -> tuple[Line, ...]:
        """Title and text, wrapped."""
        lines: list[Line] = [((part, "strong"),) for part in wrap(self._title, self.inner)]
        lines.append(())
        for paragraph in self._text:
            lines += [((part, ""),) for part in wrap(paragraph, self.inner)]
        return tuple(lines)

    def on_unmount(self) -> None:
        """Nothing of it is painted again."""
        forget(self)

    def action_cancel(self) -> None:
        """Nothing is done."""
        self.dismiss("")


class Ask(Dialog):
    """A question whose ways on have keys of their own; enter and esc cancel.

    Keys that were typed before it opened do not answer it.

    Args:
        ways: key, label, answer of each way on.
        cancel: what not doing it is called.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "cancel", "Cancel", show=False)]
    read_first = True

    def __init__(
        self,
        title: str,
        text: Sequence[str],
        ways: Sequence[tuple[str, str, str]],
        *,
        cancel: str = "cancel",
        tone: str = "",
    ) -> None:
        super().__init__(title, text)
        self._ways = tuple(ways)
        self._cancel = cancel
        self._tone = tone

    def compose(self) -> ComposeResult:
        """Question and ways."""
        with Vertical(id="box"):
            yield Lines(*self.heading())
            yield Lines((), _ways(self._ways, self._cancel, self._tone))

    def on_key(self, event: KeyPressed) -> None:
        """A way's key answers."""
        for key, _, answer in self._ways:
            if event.character == key:
                event.stop()
                self.dismiss(answer)


def _ways(ways: Sequence[tuple[str, str, str]], cancel: str, tone: str = "") -> Line:
    line: list[tuple[str, str]] = [("enter", "key"), (f" {cancel}", "strong")]
    for key, label, _ in ways:
        line += [("    ", ""), (key, "key"), (f" {label}", tone)]
    return tuple(line)


class Menu(Dialog):
    """A short list; a letter or enter chooses, what cannot be chosen says why."""

    AUTO_FOCUS = "Grid"

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__(title)
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        """The choices."""
        with Vertical(id="box"):
            yield Lines(*self.heading())
            yield Grid(self._row, id="grid")
            yield Lines((), (("esc", "key"), (" cancel", "strong")), id="said")

    def on_mount(self) -> None:
        """As high as there are choices."""
        grid = self.query_one(Grid)
        grid.styles.height = len(self._choices)
        grid.show(len(self._choices))

    def _row(self, index: int, width: int) -> Line:
        choice = self._choices[index]
        size = max(len(each.label) for each in self._choices)
        quiet = "faint" if choice.why_not else ""
        label = min(size, max(16, width // 2))
        rest = width - label - 8
        text = choice.why_not or choice.text
        return (
            ("   ", ""),
            (choice.key, "faint" if choice.why_not else "key"),
            (" ", ""),
            (fit(choice.label, label), quiet),
            ("  ", ""),
            (crop(text, rest), "dim"),
        )

    def _choose(self, choice: Choice) -> None:
        if choice.why_not:
            self.query_one("#said", Lines).show(((), ((f"Not now: {choice.why_not}.", "attention"),)))
        else:
            self.dismiss(choice.answer)

    def on_row_opened(self, message: RowOpened) -> None:
        """Enter chooses the line."""
        message.stop()
        self._choose(self._choices[message.index])

    def on_key(self, event: KeyPressed) -> None:
        """Its letter chooses the line."""
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                self._choose(choice)


class AskText(Dialog):
    """One line of text; enter takes it unless it is empty, esc cancels.

    Args:
        text: what it is for.
        value: what stands in it at first.
        hidden: what is typed is not shown.
    """

    def __init__(
        self,
        title: str,
        text: Sequence[str],
        *,
        value: str = "",
        does: str = "take it",
        hidden: bool = False,
    ) -> None:
        super().__init__(title, text)
        self._value = value
        self._does = does
        self._hidden = hidden

    def compose(self) -> ComposeResult:
        """Question and line."""
        with Vertical(id="box"):
            yield Lines(*self.heading(), ())
            line = Input(self._value, select_on_focus=False, password=self._hidden)
            line.cursor_blink = False
            yield line
            yield Lines(
                (), (("esc", "key"), (" cancel", "strong"), ("    ", ""), ("enter", "key"), (f" {self._does}", ""))
            )

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.dismiss(event.value.strip())


def _plain(name: str) -> str:
    """A name as somebody can type it: letters with marks in one form, single blanks."""
    return " ".join(unicodedata.normalize("NFC", name).split())


class GuardDialog(Dialog):
    """A guard refused: its figures, and the ways on. Answers ``kept`` or ``typed:NAME<newline>REASON``.

    Args:
        name: what has to be typed to go on over the limit.
        verdicts: the guards that refuse.
        kept: how many changes are left without the removals; 0 when that would not pass either.
    """

    def __init__(self, name: str, verdicts: Sequence[GuardVerdict], kept: int) -> None:
        super().__init__("Refused by a guard; nothing was written.")
        self._to_type = name
        self._verdicts = tuple(verdicts)
        self._kept = kept

    def compose(self) -> ComposeResult:
        """Figures, ways on, and the two lines to type in."""
        with Vertical(id="box"):
            yield Lines(*self.heading())
            yield Lines(*self._figures())
            name, reason = Input(placeholder=self._to_type, id="name"), Input(placeholder="reason", id="reason")
            name.cursor_blink = reason.cursor_blink = False
            yield name
            yield Lines((("and why, for the journal", "dim"),))
            yield reason
            yield Lines((), *self._foot(), id="said")

    def _figures(self) -> tuple[Line, ...]:
        lines: list[Line] = []
        for verdict in self._verdicts:
            for place, part in enumerate(wrap(verdict.text, self.inner - 4)):
                lines.append((("▲ " if not place else "  ", "attention"), (part, "")))
            lines.append(((f"  rule {verdict.rule}: {verdict.figure:g} found, {verdict.limit:g} allowed", "dim"),))
        lines.append(())
        asked, name = "To apply all of it over the limit, type the name ", crop(self._to_type, 30)
        if cells(asked) + cells(name) <= self.inner:
            lines.append(((asked, "dim"), (name, "strong")))
        else:
            lines += [((asked, "dim"),), ((name, "strong"),)]
        return tuple(lines)

    def _foot(self) -> tuple[Line, ...]:
        cancel: Line = (("esc", "key"), (" cancel", "strong"))
        kept: Line = (("ctrl+x", "key"), (f" apply {self._kept:,} without removals", "")) if self._kept else ()
        all_: Line = (("enter", "key"), (" apply all", ""))
        gap: Line = (("    ", ""),)
        whole: Line = (*cancel, *((*gap, *kept) if kept else ()), *gap, *all_)
        if width_of(whole) <= self.inner:
            return (whole,)
        return ((*cancel, *gap, *all_), kept)

    def on_mount(self) -> None:
        """The name first."""
        self.query_one("#name", Input).focus()

    def on_key(self, event: KeyPressed) -> None:
        """Without the removals."""
        if event.key == "ctrl+x" and self._kept:
            event.stop()
            event.prevent_default()
            self.dismiss("kept")

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        name, reason = self.query_one("#name", Input), self.query_one("#reason", Input)
        said = self.query_one("#said", Lines)
        if _plain(name.value) != _plain(self._to_type):
            said.show((*self._foot(), (("The name is not the same; nothing was written.", "attention"),)))
            name.focus()
        elif not reason.value.strip():
            if event.input is reason:
                said.show((*self._foot(), (("A reason is needed; it is kept with the run.", "attention"),)))
            reason.focus()
        else:
            self.dismiss(f"typed:{self._to_type}\n{reason.value.strip()}")
