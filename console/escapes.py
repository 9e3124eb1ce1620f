"""The escape key and the key behind it when a terminal sends both in one piece, as over a slow line.

A terminal sends the escape key as the character that also begins the sequences of arrows and function keys, and Alt
with a key as the same two characters as escape and then that key. Textual takes two of them in one piece as Alt, and
then one or both are lost; nothing here uses Alt, so they are the two keys that were pressed. Imports Textual's parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

_KEY = r"\x1b*[\r -MQ-WYZ`-~]"
"""A character with which no sequence begins, behind any escapes."""

_PLAIN, _APART = re.compile(_KEY), re.compile(rf"\x1b(?={_KEY})")


class Parser(XTermParser):
    """Input with escape told from what follows it, in the same piece or in the next."""

    def __init__(self, debug: bool = False) -> None:
        self._ends_with_escape = False
        super().__init__(debug)

    def feed(self, data: str) -> Iterable[Message]:
        """The events of *data*; an empty text is the end of input."""
        if self._ends_with_escape and _PLAIN.match(data):
            yield from self._pressed()
        self._ends_with_escape = data.endswith("\x1b")
        begun = 0
        for found in _APART.finditer(data):
            yield from super().feed(data[begun : found.end()])
            yield from self._pressed()
            begun = found.end()
        if begun < len(data) or not data:
            yield from super().feed(data[begun:])

    def _pressed(self) -> Iterable[Message]:
        """The escape that was read last is the key: no more is waited for that might make a sequence of it."""
        if self._awaiting.timeout is not None:
            self._timeout_time = 0.0
            yield from self.tick()
