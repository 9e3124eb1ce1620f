"""The real console in real terminals: nothing flickers, every action has a key, few colours and odd terminals work."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.keys import EVERYWHERE, KEYS
from tests.pty.screen import NAMES, Terminal

CLEARS = re.compile(rb"\x1b\[[23]?J|\x1bc|\x1b\[\?1049")
TRUE_COLOUR = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")


def opened(shown: Terminal) -> Terminal:
    """Wait for the whole first frame with the store's figures."""
    shown.wait(lambda now: "▸" in now.text and "all keys" in now.rows[-1] and "reading the store" not in now.text)
    return shown


WALK = (
    ("\r", "Editions"), ("\x1b[Z", "@example.com"), ("\x1b[6~", ""), ("\x1b[6~", ""), ("\x1b", "!@example.com"),
    ("2", ""), ("3", "ightly"), ("4", "API"), ("5", "set-up"), ("6", ""), ("7", "Log"), ("8", "Settings"),
    ("\x1b[B", ""), ("[", "Log"), ("]", "Settings"), ("1", "Campaign"), ("?", "Here"), ("\x1b[6~", ""),
    ("\x1b", "Last sync"), (";", ""), ("b", ""), ("/", "words"), ("002\r", "esc shows all"),
    ("\x1b", "!esc shows all"), (":", "CAMPAIGN"), ("help\r", "Here"), ("\x1b", "Last sync"),
    ("b", "simulate nightly"), ("\x1b", "!simulate nightly"), ("D", ""), ("D", ""),
)  # fmt: skip
"""Keys through every kind of screen, and what is seen after each: a word, or "!" and one that is not there any more.

After a lone escape there is always something to wait for: right behind it a terminal's next key is another one.
"""


def holds(shown: Terminal, seen: str) -> bool:
    """What is awaited is on screen."""
    return seen[1:] not in shown.text if seen.startswith("!") else seen in shown.text


def thin_frames(shown: Terminal) -> dict[int, Any]:
    """Places in the walk at which a frame held much less than both the one before and the one after: a flash."""
    found = {}
    shown.filled.clear()
    for place, (keys, seen) in enumerate(WALK):
        before = shown.visible()
        shown.send(keys)
        shown.wait(lambda now, seen=seen: bool(now.filled) and holds(now, seen))
        after = shown.visible()
        # What is painted later than the word is looked at with the next key, so nothing has to be waited out.
        if min(shown.filled) < 0.6 * min(before, after):
            found[place] = (keys, before, after, list(shown.filled))
        shown.filled.clear()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("term", ["xterm-256color", "linux"])
def test_nothing_flickers(terminal: Any, stored: Path, tmp_path: Path, term: str) -> None:
    flashes: dict[int, Any] | None = None
    # A screen that takes longer than a frame may be held is shown as far as it is, so a machine that stands still for a
    # moment makes a flash somewhere. What flickers does so each time, at the same key.
    for number in range(3):
        home = tmp_path / str(number)
        home.mkdir()
        shown = opened(terminal("--config", str(stored), home=home, term=term))
        begun = len(shown.raw)
        found = thin_frames(shown)
        assert not CLEARS.search(bytes(shown.raw[begun:]))
        if term == "linux":
            assert b"38;2;" not in shown.raw
            assert b"38;5;" not in shown.raw
        shown.send("q")
        assert shown.ended() == 0
        assert b"Traceback" not in shown.raw
        flashes = found if flashes is None else {place: flashes[place] for place in flashes.keys() & found.keys()}
        if not flashes:
            break
    assert not flashes


@pytest.mark.slow
def test_a_frame_that_blanks_would_be_seen(terminal: Any, stored: Path, tmp_path: Path) -> None:
    shown = opened(terminal("--config", str(stored), home=tmp_path))
    before = shown.visible()
    shown.filled.clear()
    # The control: what a full clear and a new paint look like to the test above.
    shown.screen.erase_in_display(2)
    shown.resize(81, 24)
    shown.wait(lambda now: "all keys" in now.rows[-1])
    assert min(shown.filled) < before
    assert CLEARS.search(b"\x1b[2J")


def written(name: str) -> str:
    """What a terminal sends for a key."""
    return NAMES.get(name, name)


PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "overview": (),
    "campaign": (("\r", "Editions"),),
    "members": (("\r", "Editions"), ("\x1b[Z", "@example.com")),
    "runs": (("2", "No run yet"),),
    "errors": (("6", "Failed rows"),),
    "schedule": (("3", "ightly"),),
    "api": (("4", "API"),),
    "doctor": (("5", "set-up"),),
    "log": (("7", "Log"),),
    "settings": (("8", "Settings"),),
    "help": (("?", "Here"),),
}
AWAY = (
    "quit", "clear_auto", "check", "load", "load_members", "ask_meter", "simulate", "simulate_at", "change", "unset",
)  # fmt: skip
"""Keys that leave, write, or wait for a network that is not there; journeys of other tests press them."""


def at_home(shown: Terminal) -> None:
    """Back to the list of campaigns, whatever is open: what is typed in one piece waits for what it is meant for."""
    shown.send("\x1b\x1b1")
    shown.wait(lambda now: "▸" in now.text and "Members" in now.text and "all keys" in now.rows[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("place", "term"), [("overview", "xterm-256color"), *((place, "linux") for place in PLACES)])
def test_every_key_of_a_screen_works_in_a_terminal(
    terminal: Any, stored: Path, tmp_path: Path, place: str, term: str
) -> None:
    shown = opened(terminal("--config", str(stored), "--no-mouse", home=tmp_path, term=term))
    for key in KEYS:
        own = place in key.where or (place == "overview" and EVERYWHERE in key.where)
        if key.id in AWAY or not own:
            continue
        at_home(shown)
        for way, seen in PLACES[place]:
            shown.send(way)
            shown.wait(lambda now, seen=seen: seen in now.text)
        # The keys of the way home come behind it, and are handled only when it was.
        shown.send(written(key.keys[0]))
    at_home(shown)
    shown.send("q")
    assert shown.ended() == 0
    assert b"Traceback" not in shown.raw
    assert not re.search(rb"\x1b\[\?(100[0236]|1015)h", shown.raw)


@pytest.fixture
def copied(terminal: Any, stored: Path, tmp_path: Path) -> Any:
    """Raw bytes of a copy under an environment."""

    def copy(**more: str) -> Iterator[bytes]:
        shown = opened(terminal("--config", str(stored), home=tmp_path, more=more))
        begun = len(shown.raw)
        shown.send("Y")
        shown.wait(lambda now: "clipboard" in now.text)
        return bytes(shown.raw[begun:])

    return copy


@pytest.mark.slow
@pytest.mark.parametrize("within", ["", "tmux"])
def test_a_copy_reaches_the_terminal(copied: Any, within: str) -> None:
    raw = copied(**({"TMUX": "/tmp/tmux-1/default,1,0", "TERM": "tmux-256color"} if within else {}))
    found = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", raw)
    assert found is not None
    assert "The big one" in base64.b64decode(found[1]).decode()
    assert (b"\x1bPtmux;\x1b\x1b]52;c;" + found[1] + b"\x07\x1b\\" in raw) is bool(within)


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_paint_is_told_what_works(
    terminal: Any, stored: Path, tmp_path: Path, term: str
) -> None:
    shown = terminal("--config", str(stored), home=tmp_path, term=term, columns=200)
    assert shown.ended() == 2
    assert "predictive campaigns, plan, sync" in shown.text
    assert b"\x1b[?1049h" not in shown.raw


@pytest.mark.slow
def test_without_colour_only_greys_are_sent(terminal: Any, stored: Path, tmp_path: Path) -> None:
    more = {"NO_COLOR": "1", "COLORTERM": "truecolor"}
    shown = opened(terminal("--config", str(stored), home=tmp_path, more=more))
    shown.send("\r")
    shown.wait(lambda now: "Editions" in now.text)
    colours = set(TRUE_COLOUR.findall(bytes(shown.raw)))
    assert all(red == green == blue for red, green, blue in colours)


@pytest.mark.slow
def test_from_sixty_columns_to_two_hundred(terminal: Any, stored: Path, tmp_path: Path) -> None:
    shown = opened(terminal("--config", str(stored), home=tmp_path))
    begun = len(shown.raw)
    for columns, lines in ((60, 20), (200, 60), (80, 24)):
        shown.resize(columns, lines)
        shown.wait(
            lambda now, lines=lines: (
                "all keys" in now.rows[lines - 1] and "bench" in now.rows[0] and "The big one" in now.text
            )
        )
    assert not CLEARS.search(bytes(shown.raw[begun:]))


@pytest.mark.slow
def test_what_is_typed_ahead_of_a_prompt_is_not_lost(terminal: Any, stored: Path, tmp_path: Path) -> None:
    shown = opened(terminal("--config", str(stored), home=tmp_path))
    shown.send(":settings\r")
    shown.wait(lambda now: "Settings" in now.text and "read_only" in now.text)


@pytest.mark.slow
def test_errors_that_go_into_a_file_take_no_frame_with_them(terminal: Any, stored: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    line = f'exec "{sys.executable}" -m console.main --config "{stored}" 2>"{errors}"'
    shown = opened(terminal("-c", line, program=["sh"], home=tmp_path))
    shown.send("q")
    assert shown.ended() == 0
    assert errors.read_bytes() == b""
