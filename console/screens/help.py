"""All keys of the screen beneath, made from the live key table: a key that cannot be used now says why.

Imports Textual, the key table and the base screen.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widget import Widget

from console.keys import EVERYWHERE, Key, Situation
from console.present import Line, crop, fit, wrap
from console.screens.base import ConsoleScreen, bindings_for
from console.widgets.grid import Grid

SIGNS = "✔ done   ◐ partial or running   ▲ needs attention   ✖ failed   ■ locked   ‖ paused"
FILLS = "█▓▒░· members by status, in the order of the campaign's statuses; figures stand beneath"
OWNERS = (
    "Salesforce owns members, names, e-mails, test flags, the campaign's header. Predictive owns level, reason, "
    "active, counts, editions, clicks, history. The status has two owners; when both changed it, Salesforce wins."
)


Focused = tuple[tuple[str, str], ...]
"""Keys and words of each binding of the widget that has the keys."""

_FACES = {"up": "↑", "down": "↓", "pageup": "pgup", "pagedown": "pgdn", "left": "←", "right": "→", "escape": "esc"}


def focused_keys(widget: Widget | None) -> Focused:
    """The live bindings of *widget*, those that do the same on one line."""
    out: dict[str, list[str]] = {}
    for bound in widget.BINDINGS if widget is not None else ():
        if isinstance(bound, Binding) and bound.description:
            names = [_FACES.get(name.strip(), name.strip()) for name in bound.key.split(",")]
            out.setdefault(bound.description, []).extend(names)
    return tuple((" ".join(names), text) for text, names in out.items())


def lines(keys: tuple[Key, ...], now: Situation, width: int, focused: Focused = ()) -> tuple[Line, ...]:
    """Keys of the place first, then those that work everywhere, then what the signs mean."""
    own = [key for key in keys if EVERYWHERE not in key.where]
    everywhere = [key for key in keys if EVERYWHERE in key.where]
    out: list[Line] = []
    for title, group in (("Here", own), ("Everywhere", everywhere)):
        out.append((("   " + title, "strong"),))
        for key in group:
            out += _key_lines(key, key.why(now), width)
        out.append(())
    if focused:
        out.append((("   Where the cursor is", "strong"),))
        out += [(("   ", ""), (fit(faces, 14), "key"), (f" {text}", "")) for faces, text in focused]
        out.append(())
    out += [
        (("   Signs", "strong"),),
        (("   " + crop(SIGNS, width - 4), ""),),
        (("   " + crop(FILLS, width - 4), ""),),
    ]
    out += [(), (("   Who owns what", "strong"),), *(((f"   {part}", ""),) for part in wrap(OWNERS, width - 6))]
    return tuple(out)


def _key_lines(key: Key, why: str, width: int) -> list[Line]:
    faces = " ".join(face for face in dict.fromkeys((key.face, *key.keys[1:2])) if face != "f1")
    label = f"{key.label[0].upper()}{key.label[1:]}: " if key.label and not key.text.startswith(key.label) else ""
    first, *more = wrap(label + key.text, width - 14)
    size = len(label) if first.startswith(label) else 0
    out: list[Line] = [
        (
            ("   ", ""),
            (fit(faces, 8), "faint" if why else "key"),
            (first[:size], "dim" if why else "strong"),
            (first[size:], "dim" if why else ""),
        )
    ]
    out += [((" " * 11, ""), (part, "dim" if why else "")) for part in more]
    out += [((" " * 11, ""), (part, "attention")) for part in wrap(f"Not now: {why}", width - 14)] if why else []
    return out


class HelpScreen(ConsoleScreen):
    """Help over another screen.

    Args:
        keys, now: the table and the situation of the screen beneath.
        place: its name.
        focused: what the widget that had the keys does with them.
    """

    PLACE = "help"
    BINDINGS = bindings_for("help")

    def __init__(self, keys: tuple[Key, ...], now: Situation, place: str, focused: Focused = ()) -> None:
        super().__init__()
        self._focused = focused
        self._of = keys
        self._now = now
        self._of_place = place
        self._lines: tuple[Line, ...] = ()

    def places(self) -> tuple[str, ...]:
        """Only what works everywhere, and back."""
        return ("help",)

    def body(self) -> ComposeResult:
        """A list without a cursor."""
        yield Grid(self._line, id="grid")

    def paint(self) -> None:
        """Wrap for this width."""
        self._lines = lines(self._of, self._now, self.size.width, self._focused)
        grid = self.query_one(Grid)
        grid.show_cursor = False
        grid.show(len(self._lines))

    def _line(self, index: int, width: int) -> Line:
        return self._lines[index]

    async def action_press(self, name: str) -> None:
        """Esc, ? and q close the help; other keys that work everywhere do what they do."""
        if name in ("escape", "question_mark", "f1", "q"):
            self.host.back()
            return
        await super().action_press(name)
