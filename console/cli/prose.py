"""Words and columns for people at a shell: aligned tables, thousands marks, short times, glyphs that carry a word.

Pure, standard library only. No colour: a glyph and a word say it, in every terminal and in a file. What other people
typed (names, error texts) passes ``safe``, so that it cannot move the cursor or turn the direction of a line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

GLYPHS = {
    "done": "✔",
    "nothing-to-do": "✔",
    "partial": "◐",
    "refused": "▲",
    "cancelled": "■",
    "failed": "✖",
    "running": "▸",
    "skipped": "·",
    "ok": "✔",
    "attention": "▲",
    "trouble": "✖",
}

_WORDS = {"nothing-to-do": "nothing to do"}


def safe(text: object) -> str:
    """*text* on one line, control and direction-changing characters made visible as ``?``; None becomes a dash."""
    if text is None:
        return "–"
    plain = str(text)
    if plain.isprintable():
        return plain
    # Zero-width joiners belong to people's names and emoji; other format characters can hide or turn text.
    return "".join(
        char if char.isprintable() or char in "\u200c\u200d" else " " if char in "\n\t" else "?" for char in plain
    )


def width(text: str) -> int:
    """Terminal cells of *text*: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )


def fit(text: str, cells: int) -> str:
    """*text* cut to *cells*, with an ellipsis where something is missing."""
    if width(text) <= cells:
        return text
    kept = ""
    for char in text:
        if width(kept + char) > cells - 1:
            break
        kept += char
    return kept + "…"


def state(name: str) -> str:
    """Glyph and word, e.g. ``✔ done``."""
    return f"{GLYPHS.get(name, '·')} {_WORDS.get(name, name)}"


def number(value: float | None) -> str:
    """With thousands marks; a dash for nothing known."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


WRITABLE = "check that its folder exists, is yours and has room, or name another"
"""What to do about a file that cannot be written."""


def instant(at: datetime | None) -> str:
    """ISO date and time to the minute, UTC; a dash for never."""
    return moment(at, "%Y-%m-%d %H:%M")


def moment(at: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """ISO date and time to the second, UTC, where the order of things matters; a dash for never."""
    return "–" if at is None else at.astimezone(UTC).strftime(form)


def columns(headings: Sequence[str], rows: Iterable[Sequence[object]], *, widest: int = 40) -> list[str]:
    """Lines of a table. A heading that ends with ``>`` aligns its column to the right.

    A cell has at most *widest* cells; the last column is never cut.
    """
    right = [heading.endswith(">") for heading in headings]
    titles = [heading.rstrip(">") for heading in headings]
    last = len(titles) - 1
    body = [
        [safe(cell) if index == last else fit(safe(cell), widest) for index, cell in enumerate(row)] for row in rows
    ]
    widths = [max(width(line[index]) for line in [titles, *body]) for index in range(len(titles))]
    lines = []
    for line in [titles, *body]:
        cells = []
        for index, cell in enumerate(line):
            gap = " " * (widths[index] - width(cell))
            cells.append(gap + cell if right[index] else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return lines
