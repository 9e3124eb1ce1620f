"""Someone who presses every key of a place: by the key table, each with what it does on screen."""

from __future__ import annotations

import re
from collections.abc import Callable

from console.keys import EVERYWHERE, KEYS, Key
from tests.pty.ground import Ground
from tests.pty.screen import NAMES, Terminal
from tests.pty.watched import Watched

DOWN, UP, END, HOME = "\x1b[B", "\x1b[A", "\x1b[F", "\x1b[H"

ENDED = re.compile(r"(?:✔ (?:done|nothing to do)|◐ partial|▲ refused|○ cancelled|✖ failed) +\d\d?:\d\d")

Seen = str | Callable[["Walker"], bool]
Press = tuple[str, str, str]
"""Place, id and name of a key."""


def bindings(place: str) -> set[Press]:
    """Every key of *place* under each of its names."""
    return {(place, key.id, name) for key in KEYS if place in key.where for name in key.keys}


class Walker:
    """Before the console in a terminal. What was pressed is kept, so that nothing is forgotten.

    Args:
        shown: the terminal.
        watched: nothing may flicker; not where somebody else paints, as tmux does.
        seconds: within which the first list is there.
    """

    def __init__(self, shown: Watched, *, watched: bool = True, seconds: float = 60) -> None:
        self.shown = shown
        self.pressed: set[Press] = set()
        shown.wait(_opened, seconds)
        if watched:
            shown.painted()

    @property
    def text(self) -> str:
        """The screen as one line, without the blanks between words."""
        return " ".join(self.shown.text.split())

    def row(self, word: str) -> str:
        """The first line with *word*."""
        return next((row for row in self.shown.rows if word in row), "")

    def holds(self, seen: Seen) -> bool:
        """True when a text is on screen (``!text``: is not), or a condition holds."""
        if not isinstance(seen, str):
            return seen(self)
        return seen[1:] not in self.text if seen.startswith("!") else seen in self.text

    def waits(self, *seen: Seen, seconds: float = 30) -> None:
        """Wait until all of *seen* hold. Raises AssertionError with the screen and what is missing."""
        try:
            self.shown.wait(lambda _: all(map(self.holds, seen)), seconds)
        except AssertionError as error:
            missing = [each for each in seen if not self.holds(each)]
            raise AssertionError(f"{missing} of {seen} did not come:\n{error}") from None

    def sends(self, keys: str, *seen: Seen, seconds: float = 30) -> None:
        """Send *keys* and wait for *seen*, of which something must be new."""
        assert seen, keys
        assert not all(map(self.holds, seen)), f"{seen} hold before {keys!r} is pressed:\n{self.shown.text}"
        self.shown.send(keys)
        self.waits(*seen, seconds=seconds)

    def presses(self, place: str, id: str, *seen: Seen, name: str = "", seconds: float = 30) -> None:
        """Press a key of the table and wait for what it does."""
        key = self.key(place, id)
        name = name or key.keys[0]
        self.sends(NAMES.get(name, name), *seen, seconds=seconds)
        self.pressed.add((place, id, name))

    @staticmethod
    def key(place: str, id: str) -> Key:
        """The key of *place* that does *id*."""
        return next(key for key in KEYS if key.id == id and (place in key.where or EVERYWHERE in key.where))

    def finds(self, name: str) -> None:
        """On the overview, the one campaign called *name* is under the cursor."""
        self.sends("/", filtering)
        if "esc shows all" in self.text:
            self.sends("\x15", "!esc shows all")
        self.sends(name, lambda now: name in now.row("esc shows all"))
        self.sends("\r", no_line, lambda now: "▸" in now.row(name[:12]) or "▸" in now.shown.text)

    def clears(self) -> None:
        """Empty the line of an open dialog."""
        where = next(y for y, row in enumerate(self.shown.rows) if "esc cancel" in row)
        self.sends("\x15", lambda now: not now.shown.rows[where - 2].partition("│")[2].partition("│")[0].strip())

    def reads(self, ground: Ground, place: str = "overview") -> None:
        """Read the org's list by its key: one call more is counted, and the note that it is read goes."""
        before = ground.box.usage()[0]
        self.presses(place, "load", lambda now: ground.box.usage()[0] > before and "1 Salesforce call" not in now.text)

    def opens(self, name: str) -> None:
        """From the overview into the campaign called *name*."""
        self.finds(name)
        self.sends("\r", "Editions", name[:12], "!Last sync")

    def to_tab(self, word: str) -> None:
        """Tab until *word* is on screen."""
        for _ in range(7):
            if word in self.text:
                return
            before = self.text
            self.sends("\t", lambda now, before=before: now.text != before)
        raise AssertionError(f"no tab has {word}")

    def to_group(self, *words: str) -> None:
        """Down until the line under the cursor has one of *words*."""
        for _ in range(20):
            if any(word in self.row("▸") for word in words):
                return
            before = self.text
            self.sends(DOWN, lambda now, before=before: now.text != before)

    def letter(self, label: str) -> str:
        """The key printed before *label* in an open menu."""
        found = re.search(rf"(\S) {re.escape(label)}", self.text)
        assert found is not None, f"no key for {label!r}:\n{self.shown.text}"
        return found[1]

    def column(self, x: int) -> list[str]:
        """What stands in a column, from the top."""
        return [row[x] for row in self.shown.rows]

    def colours(self) -> set[str]:
        """Grounds on screen."""
        screen = self.shown.screen
        return {screen.buffer[y][x].bg for y in range(screen.lines) for x in range(screen.columns)}

    def quits(self) -> None:
        """Leave; nothing broke and nothing flickered."""
        self.shown.look()
        self.shown.unwatched()
        self.shown.send("q")
        assert self.shown.ended() == 0, self.shown.text
        assert b"Traceback" not in self.shown.raw


def _opened(now: Terminal) -> bool:
    return "all keys" in now.rows[-1] and "▸" in now.text and "reading the store" not in now.text


def ended(now: Walker) -> bool:
    """The run on screen has ended: its title says how, beside how long it took."""
    return any(ENDED.search(row) for row in now.shown.rows[2:6])


def filtering(now: Walker) -> bool:
    """The line for a filter is open."""
    return now.shown.rows[-2].startswith(" / ")


def no_line(now: Walker) -> bool:
    """No line to type in is open above the key bar."""
    return not now.shown.rows[-2].startswith((" / ", " : "))
