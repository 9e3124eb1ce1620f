"""Escape and another key in one piece are two keys; sequences that begin with escape stay what they are."""

from __future__ import annotations

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste

from console.escapes import Parser


def keys(*pieces: str, parser: type[XTermParser] = Parser) -> list[str]:
    """Names of the keys that *pieces* give, the end of input included; a paste is ``paste:TEXT``."""
    reader = parser(debug=False)
    events = [event for piece in (*pieces, "") for event in reader.feed(piece)]
    return [f"paste:{event.text}" if isinstance(event, Paste) else event.key for event in events
            if isinstance(event, Key | Paste)]  # fmt: skip


@pytest.mark.parametrize(
    ("piece", "found"),
    [
        ("\x1b2", ["escape", "2"]),
        ("\x1bq", ["escape", "q"]),
        ("\x1b ", ["escape", "space"]),
        ("\x1b/ab\r", ["escape", "slash", "a", "b", "enter"]),
        ("\x1b\r", ["escape", "enter"]),
        ("ab\x1b\x1bs", ["a", "b", "escape", "escape", "s"]),
        ("\x1b\x1b[B\x1bu", ["escape", "down", "escape", "u"]),
        ("\x1bOP\x1b[6~\x1b[Z", ["f1", "pagedown", "shift+tab"]),
        ("\x1b[200~two\nlines\x1b[201~\x1b1", ["paste:two\nlines", "escape", "1"]),
        ("\x1b", ["escape"]),
    ],
    ids=repr,
)
def test_keys_of_one_piece(piece: str, found: list[str]) -> None:
    assert keys(piece) == found


def test_a_sequence_that_comes_in_parts_is_none_that_is_parted() -> None:
    assert keys("\x1b", "[B") == ["down"]
    assert keys("\x1b[", "6~x") == ["pagedown", "x"]


def test_a_key_that_comes_right_behind_escape_is_another_one() -> None:
    assert keys("\x1b", "q") == ["escape", "q"]
    assert keys("\x1b", "\x1b", "2a") == ["escape", "escape", "2", "a"]


def test_what_a_terminal_answers_is_no_key() -> None:
    assert keys("\x1b[?2026;2$y\x1b3") == ["escape", "3"]


def test_without_it_escape_would_be_lost() -> None:
    # The control: as Textual reads it by itself.
    assert "escape" not in keys("\x1b2", parser=XTermParser)
