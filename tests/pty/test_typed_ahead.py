"""Keys that reach a terminal in one piece, as over a slow line: none is lost; the control takes the protection away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pty.screen import Terminal
from tests.pty.test_terminals import opened

Seen = Callable[[Terminal], bool]


def _story(now: Terminal) -> bool:
    return now.rows[3].strip() == "First7 Last7"


def _filtered(now: Terminal) -> bool:
    return "/ such words" in now.text and now.rows[3].startswith("   Log")


def _setting(now: Terminal) -> bool:
    return "nightly_closed" in now.text and "read_only" not in now.text


def _runs(now: Terminal) -> bool:
    return "No run yet" in now.text and "/" not in now.rows[-2]


BURSTS = (
    # The campaign under the cursor, its members, the filter, the one that passes it, the story of it.
    ("\r\x1b[Z/p7@\ry", _story),
    # Runs, then the log in their place, filtered.
    ("27/such words\r", _filtered),
    # A command, and on in the screen that it opens.
    (":settings\r/nightly_closed\r", _setting),
    # A filter is begun and left by escape, with the next key right behind it.
    ("/such\x1b2", _runs),
)


@pytest.mark.parametrize(
    ("keys", "seen"),
    [
        pytest.param(*BURSTS[0], id="members"),
        pytest.param(*BURSTS[1], id="log", marks=pytest.mark.slow),
        pytest.param(*BURSTS[2], id="settings", marks=pytest.mark.slow),
        pytest.param(*BURSTS[3], id="escape", marks=pytest.mark.slow),
    ],
)
def test_a_burst_reaches_the_screens_it_is_meant_for(
    terminal: Any, stored: Path, tmp_path: Path, keys: str, seen: Seen
) -> None:
    shown = opened(terminal("--config", str(stored), home=tmp_path))
    shown.send(keys)
    shown.wait(seen)


@pytest.mark.slow
def test_without_the_protection_a_burst_goes_astray(terminal: Any, stored: Path, tmp_path: Path) -> None:
    keys, seen = BURSTS[0]
    shown = opened(terminal("--config", str(stored), home=tmp_path, module="tests.pty.unprotected"))
    shown.send(keys)
    # That something does not come can only be waited for by time.
    shown.quiet()
    assert not seen(shown)
    assert shown.code is None
