"""The filter of the overview: words, ``field:value``, figures with ``>`` and ``<``, ``~regex``, and ``!`` for "not".

Pure. A filter is typed letter by letter, so a half-written one never fails: what cannot be read yet is left out of the
filter and named by ``problem``.
"""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sync.views import CampaignView

FIELDS: dict[str, Callable[[CampaignView], str]] = {
    "state": lambda view: view.state,
    "type": lambda view: view.campaign.type_label or "",
    "status": lambda view: view.campaign.status or "",
    "owner": lambda view: view.campaign.owner or "",
    "last": lambda view: "" if view.last_state is None else view.last_state.value,
    "id": lambda view: view.campaign.id,
    "auto": lambda view: "on" if view.campaign.auto_sync else "off",
    "warn": lambda view: " ".join(warned.code for warned in view.warnings),
}
"""Fields that a filter can name; ``warn:`` alone asks for any warning."""

FIGURES: dict[str, Callable[[CampaignView], float]] = {
    "members": lambda view: view.total,
    "active": lambda view: view.active,
    "inactive": lambda view: view.inactive,
    "sent": lambda view: view.sent,
    "open": lambda view: 100 * view.opened / view.delivered if view.delivered else 0,
    "click": lambda view: 100 * view.clicked / view.delivered if view.delivered else 0,
    "pending": lambda view: view.pending,
}
"""Figures that a filter can compare; ``open`` and ``click`` are percentages of what was delivered."""

_COMPARED = re.compile(rf"({'|'.join(FIGURES)})(>=|<=|>|<|=)(\d+(?:\.\d+)?)%?")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter: a test, and whether it is to fail."""

    passes: Callable[[CampaignView], bool]
    negated: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as read: its terms, all of which must hold, and what could not be read, "" when all could."""

    terms: tuple[Term, ...]
    problem: str = ""

    def passes(self, view: CampaignView) -> bool:
        """True when every term holds."""
        return all(term.passes(view) != term.negated for term in self.terms)


def _words(text: str) -> list[str]:
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="")
        lexer.whitespace_split = True
        lexer.commenters = ""
        lexer.escape = ""
        lexer.quotes = '"'
        return list(lexer)
    except ValueError:
        # A quote that is not closed yet.
        return text.split()


def _haystack(view: CampaignView) -> str:
    return view.campaign.name


def _pattern_of(source: str, have: Callable[[CampaignView], str]) -> Callable[[CampaignView], bool]:
    pattern = re.compile(source, re.IGNORECASE)
    return lambda view: pattern.search(have(view)) is not None


def _test(word: str) -> Callable[[CampaignView], bool]:
    """The test of one word. Raises re.error for a regular expression that is none (yet)."""
    compared = _COMPARED.fullmatch(word.casefold())
    if compared:
        figure, compare, limit = FIGURES[compared[1]], _OPERATORS[compared[2]], float(compared[3])
        return lambda view: compare(figure(view), limit)
    name, colon, value = word.partition(":")
    if colon and name.casefold() in FIELDS:
        have = FIELDS[name.casefold()]
        if value.startswith("~"):
            return _pattern_of(value[1:], have)
        wanted = value.casefold()
        return lambda view: wanted in have(view).casefold() if wanted else bool(have(view))
    if word.startswith("~"):
        return _pattern_of(word[1:], _haystack)
    sought = word.casefold()
    return lambda view: sought in view.campaign.name.casefold() or sought == view.campaign.id.casefold()


@lru_cache(maxsize=64)
def parse(text: str) -> Filter:
    """Read a filter. Words are parted by blanks; ``"two words"`` are one."""
    terms: list[Term] = []
    problem = ""
    for word in _words(text):
        negated = word.startswith("!") and len(word) > 1
        body = word[1:] if negated else word
        try:
            terms.append(Term(_test(body), negated))
        except re.error as error:
            problem = f"{body} is no regular expression: {error.msg}"
    return Filter(tuple(terms), problem)


def matches(view: CampaignView, text: str) -> bool:
    """True when *view* passes the filter *text*."""
    return parse(text).passes(view)


def problem(text: str) -> str:
    """What of *text* cannot be read, in words; "" when all can."""
    return parse(text).problem
