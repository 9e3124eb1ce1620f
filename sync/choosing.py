"""Rows of a plan as a person names them: by number, by kind, by side, by text; one word of each, several joined.

Pure. ``12``, ``20-25``, ``email``, ``predictive``, ``salesforce:status``, ``text=ada``; ``12,email`` is both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sync.errors import UsageError
from sync.model import Side
from sync.plan import Change

_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a plan: those of *numbers*, or those that side, kind and text choose.

    ``word`` is how a person wrote it.
    """

    word: str
    numbers: range | None = None
    side: Side | None = None
    change: Change | None = None
    text: str = ""


def rows_of(word: str) -> tuple[Rows, ...]:
    """What a word chooses; several parts are joined by commas.

    Raises:
        UsageError: a part is none of the forms; the nearest kind is named.
    """
    if word.strip().startswith("text="):
        return (_part(word.strip()),)  # a text may hold commas
    parts = tuple(_part(part.strip()) for part in word.split(",") if part.strip())
    if not parts:
        raise UsageError("no rows are named", remedy="give numbers, a kind, a side or text=…")
    return parts


def _part(part: str) -> Rows:
    found = _NUMBERS.fullmatch(part)
    if found:
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last:
            raise UsageError(f"{part!r} names no rows", remedy="numbers count from 1, the first one first: 3-7")
        return Rows(part, numbers=range(first, last + 1))
    if part.startswith("text="):
        if part == "text=":
            raise UsageError("text= names no rows", remedy="write what to look for: text=ada")
        return Rows(part, text=part.removeprefix("text="))
    side, colon, kind = part.partition(":")
    if not colon:
        if part in Side.__members__.values():
            return Rows(part, side=Side(part))
        return Rows(part, change=_change(part))
    if side not in Side.__members__.values():
        raise UsageError(f"{part!r}: {side!r} is no side", remedy="the sides are salesforce and predictive")
    return Rows(part, side=Side(side), change=_change(kind))


def _change(word: str) -> Change:
    from difflib import get_close_matches

    names = [change.value for change in Change]
    if word in names:
        return Change(word)
    near = get_close_matches(word, [*names, *(side.value for side in Side)], n=1)
    raise UsageError(
        f"{word!r} names no rows of a plan",
        left_undone="nothing was written",
        remedy=f"did you mean {near[0]!r}?" if near else f"numbers, text=…, a side, or one of {', '.join(names)}",
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person decides about a plan's rows: *only* these, then without those of *reject*, then with *accept*."""

    only: tuple[Rows, ...] = ()
    reject: tuple[Rows, ...] = ()
    accept: tuple[Rows, ...] = ()

    @classmethod
    def of(cls, only: Sequence[str], reject: Sequence[str], accept: Sequence[str]) -> Chosen:
        """From words of the command line. Raises UsageError."""
        given = (only, reject, accept)
        return cls(*(tuple(part for word in words for part in rows_of(word)) for words in given))

    @property
    def says_anything(self) -> bool:
        """False when the plan is taken as it is."""
        return bool(self.only or self.reject or self.accept)
