"""Figures and short words as people read them: numbers, ages, shares, bars, sparklines, and text cut to cells.

Pure: values in, text out; "now" comes in by parameter. May import Textual's cell measure and nothing else of it, so
that every function can be tested without an app. A line on screen is a tuple of spans, a span is text with the name of
a tone; ``console.theme`` says what a tone looks like.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sync.model import Calls, RunState
from sync.words import plural

if TYPE_CHECKING:
    from sync.plan import PlanCounts

Span = tuple[str, str]
"""Text and the name of its tone; "" is ordinary text."""

Line = tuple[Span, ...]
"""One line of a screen."""

FILLS = "█▓▒░·"
"""Fills of the status bar, in the order of the campaign's statuses; told apart without colour."""

EIGHTHS = " ▏▎▍▌▋▊▉"
SPARKS = "▁▂▃▄▅▆▇█"
NONE = "–"
"""Shown where there is no figure, so that nothing is mistaken for zero."""

_KEEP_FORMAT = frozenset("\u200c\u200d")
_PRESENTATION = frozenset("\ufe0e\ufe0f")
"""Asks for a picture instead of a sign; terminals differ in how wide that is, and a row would move."""

_LONE_JOINER = re.compile(r"\u200d+(?=[\s\u200c\u200d]|$)|(?<![^\s\u200c\u200d])\u200d+")
"""A joiner with nothing to join would take the padding behind it, or the next span, for its other half."""

_STATES: dict[RunState, tuple[str, str, str]] = {
    RunState.RUNNING: ("◐", "running", "accent"),
    RunState.DONE: ("✔", "done", "good"),
    RunState.NOTHING_TO_DO: ("✔", "nothing to do", "good"),
    RunState.PARTIAL: ("◐", "partial", "attention"),
    RunState.REFUSED: ("▲", "refused", "attention"),
    RunState.CANCELLED: ("○", "cancelled", "dim"),
    RunState.FAILED: ("✖", "failed", "trouble"),
}


# ---------------------------------------------------------------- text in cells


@lru_cache(maxsize=8192)
def clean(text: str) -> str:
    """*text* on one line, without what would move the cursor or turn the reading direction of its neighbours."""
    if text.isascii() and text.isprintable():
        return text
    out = []
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        if category in ("Cc", "Zl", "Zp"):
            out.append(" ")
        elif char in _PRESENTATION or category == "Cs" or (category == "Cf" and char not in _KEEP_FORMAT):
            continue
        else:
            out.append(char)
    return _LONE_JOINER.sub("", "".join(out))


def cells(text: str) -> int:
    """Width of *text* in terminal cells."""
    return cell_len(text)


def crop(text: str, width: int) -> str:
    """*text* cleaned and cut to at most *width* cells, with ``…`` where something is missing."""
    text = clean(text)
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    used, keep = 0, 0
    for index, char in enumerate(text):
        wide = cell_len(char)
        if used + wide > width - 1:
            break
        used += wide
        keep = index + 1
    kept = text[:keep].rstrip("\u200d")
    while cell_len(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


@lru_cache(maxsize=16384)
def fit(text: str, width: int, align: str = "left") -> str:
    """*text* cut and padded to exactly *width* cells."""
    cut = crop(text, width)
    pad = " " * max(0, width - cell_len(cut))
    return pad + cut if align == "right" else cut + pad


def width_of(line: Line) -> int:
    """Cells of a whole line."""
    return sum(cell_len(text) for text, _ in line)


def crop_line(line: Iterable[Span], width: int) -> Line:
    """*line* cut to *width* cells, with ``…`` at the cut; blanks at its end are none that is missed."""
    out: list[Span] = []
    left = width
    spans = [(clean(text), tone) for text, tone in line]
    total = sum(cell_len(text) for text, _ in spans)
    if total <= width:
        return tuple(spans)
    while spans and not spans[-1][0].strip():
        total -= cell_len(spans.pop()[0])
    if spans:
        total -= cell_len(spans[-1][0]) - cell_len(spans[-1][0].rstrip())
        spans[-1] = (spans[-1][0].rstrip(), spans[-1][1])
    if total <= width:
        return tuple(spans)
    for text, tone in spans:
        size = cell_len(text)
        if size >= left:
            out.append((crop(text, left) if size > left else crop(text + "…", left), tone))
            break
        out.append((text, tone))
        left -= size
    return tuple(out)


def spread(left: Iterable[Span], right: Iterable[Span], width: int) -> Line:
    """One line of *width* cells with *right* at its right edge; *left* is cut when both do not fit."""
    right = tuple(right)
    room = max(0, width - width_of(right))
    cut = crop_line(left, max(0, room - 1))
    return (*cut, (" " * max(0, room - width_of(cut)), ""), *right)


def wrap(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* cells, broken between words where there are any."""
    lines: list[str] = []
    line = ""
    for word in clean(text).split():
        while cell_len(word) > width:
            head = crop(word, width).rstrip("…") or word[0]
            if line:
                lines.append(line)
                line = ""
            lines.append(head)
            word = word[len(head) :]
        joined = f"{line} {word}" if line else word
        if cell_len(joined) > width:
            lines.append(line)
            line = word
        else:
            line = joined
    return [*lines, line] if line else lines


# ---------------------------------------------------------------- figures


def count(number: int | None) -> str:
    """A number with thousands marks, ``–`` for none."""
    return NONE if number is None else f"{number:,}"


def percent(part: float | None, whole: float | None, digits: int = 1) -> str:
    """Share of *whole* in percent; ``–`` without a whole; never a rounded 0 or 100 that is not one."""
    if part is None or not whole:
        return NONE
    share = 100 * part / whole
    text = f"{share:.{digits}f}%"
    least = 10**-digits
    if 0 < share < least:
        return f"<{least:.{digits}f}%"
    if share < 100 and text == f"{100:.{digits}f}%":
        return f"{100 - least:.{digits}f}%"
    return text


def changes(counts: PlanCounts) -> str:
    """Persons added, removed and changed: ``+9 −2 ~10``; ``–`` when none."""
    parts = [
        f"{sign}{number:,}"
        for sign, number in (("+", counts.added), ("−", counts.removed), ("~", counts.changed))
        if number
    ]
    return " ".join(parts) or NONE


def calls(spent: Calls) -> str:
    """Calls of a run in words: ``6 calls · 3 requests``."""
    return f"{plural(spent.salesforce, 'call')} · {plural(spent.predictive, 'request')}"


# ---------------------------------------------------------------- time


def ago(then: datetime | None, now: datetime) -> str:
    """Short age: ``now``, ``2m``, ``3h``, ``yesterday``, ``4d``, ``12 Mar``, ``Mar 2025``; ``never`` for none."""
    if then is None:
        return "never"
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{int(seconds // 60)}m"
    days = (now.date() - then.astimezone(now.tzinfo).date()).days
    if seconds < 86400 and days <= 1:
        return f"{int(seconds // 3600)}h"
    if days <= 1:
        return "yesterday"
    if days < 14:
        return f"{days}d"
    return f"{then:%d %b}".lstrip("0") if days < 300 else f"{then:%b %Y}"


def since(then: datetime | None, now: datetime) -> str:
    """The age in a sentence: ``just now``, ``2m ago``, ``yesterday``, ``on 12 Mar``, ``never``."""
    age = ago(then, now)
    if age == "now":
        return "just now"
    if age in ("never", "yesterday"):
        return age
    return f"{age} ago" if age[-1] in "mhd" and age[0].isdigit() else f"on {age}"


def until(due: datetime | None, now: datetime) -> str:
    """Time left to *due*: ``40s``, ``14m``, ``13h``, ``3d``; ``due now`` when it has come; ``–`` for none."""
    if due is None:
        return NONE
    seconds = (due - now).total_seconds()
    if seconds <= 0:
        return "due now"
    if seconds < 60:
        return f"{int(seconds)}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)}h"
    return f"{int(seconds // 86400)}d"


def hhmm(at: datetime | None) -> str:
    """``11:46`` in UTC."""
    return NONE if at is None else f"{at.astimezone(UTC):%H:%M}"


def instant(at: datetime | None) -> str:
    """The absolute time of a detail: ``2027-03-01 11:46 UTC``."""
    return NONE if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def elapsed(seconds: float) -> str:
    """A running clock: ``00:02``, ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes:02}:{secs:02}"


def lasting(seconds: float) -> str:
    """A duration in words: ``3 s``, ``4 min``, ``1 h 20 min``; below a second ``1 s``, because nothing takes none."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


# ---------------------------------------------------------------- bars


def apportion(amounts: Sequence[int], width: int) -> list[int]:
    """*width* cells shared out by amount (largest remainder); what is there gets a cell while there is room."""
    total = sum(amounts)
    if total <= 0 or width <= 0:
        return [0] * len(amounts)
    exact = [amount * width / total for amount in amounts]
    shares = [int(share) for share in exact]
    order = sorted(range(len(amounts)), key=lambda i: (shares[i] - exact[i], i))
    for index in order[: width - sum(shares)]:
        shares[index] += 1
    for index, amount in enumerate(amounts):
        if amount and not shares[index]:
            donor = max(range(len(shares)), key=lambda i: (shares[i], -i))
            if shares[donor] > 1:
                shares[donor] -= 1
                shares[index] = 1
    return shares


def folded(members: Sequence[tuple[str, int]]) -> list[tuple[str, str, int]]:
    """Fill, label and number of each status; statuses beyond the last fill are shown together as ``others``."""
    if len(members) <= len(FILLS):
        return [(FILLS[i], label, number) for i, (label, number) in enumerate(members)]
    head = [(FILLS[i], label, number) for i, (label, number) in enumerate(members[: len(FILLS) - 1])]
    return [*head, (FILLS[-1], "others", sum(number for _, number in members[len(FILLS) - 1 :]))]


def status_bar(members: Sequence[tuple[str, int]], width: int = 10) -> str:
    """Members by status as one bar of *width* cells; a lone ``·`` for a campaign without members."""
    parts = folded(members)
    if not sum(number for _, _, number in parts):
        return fit("·", width)
    shares = apportion([number for _, _, number in parts], width)
    return "".join(fill * share for (fill, _, _), share in zip(parts, shares, strict=True))


def meter(share: float | None, width: int) -> str:
    """A bar of *width* cells filled by *share* in eighths of a cell; what is there is seen, full only when full."""
    if share is None or width <= 0:
        return " " * max(0, width)
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    if share < 1:
        eighths = min(width * 8 - 1, eighths)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (EIGHTHS[rest] if rest else "")
    return bar + " " * (width - len(bar))


def sparkline(values: Sequence[int], width: int) -> str:
    """*values* over time in at most *width* cells, neighbours added up; the highest fills the cell."""
    if not values or width <= 0 or not any(values):
        return ""
    size = min(width, len(values))
    bins = [sum(values[len(values) * i // size : len(values) * (i + 1) // size]) for i in range(size)]
    top = max(bins)
    return "".join(SPARKS[0] if not v else SPARKS[max(0, min(7, (v * 8 + top - 1) // top - 1))] for v in bins)


# ---------------------------------------------------------------- states


def run_state(state: RunState | None) -> tuple[str, str, str]:
    """Glyph, word and tone of a run's state; a signal never comes as colour alone."""
    return (" ", "never", "dim") if state is None else _STATES[state]


def sync_mark(
    state: RunState | None, then: datetime | None, now: datetime, *, locked: bool, paused: bool, closed_cost: bool
) -> tuple[str, str, str]:
    """Glyph, words and tone for a campaign's last run; a lock outranks a pause, which outranks the run itself."""
    if locked:
        return "■", "locked", "trouble"
    if closed_cost:
        return "▲", "closed", "attention"
    if paused:
        return "‖", "paused", "attention"
    if state is None or then is None:
        return " ", "never", "dim"
    glyph, _, tone = run_state(state)
    return glyph, ago(then, now), tone
