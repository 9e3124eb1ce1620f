"""Screens over a slow line: each is sent once, whole, and what is under a dialog stays in sight in few colours too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pty.walker import Walker
from tests.pty.watched import Watched, flashes

THIRD_ROW = b"\x1b[3;1H"
"""The blank line under the two on top, which nothing but a whole frame paints."""

WALK = (("7", "followed"), ("8", "read_only"), ("[", "followed"), ("\x1b", "Last sync"), ("b", "simulate nightly"),
        ("\x1b", "!simulate nightly"), ("?", "Here"), ("\x1b", "Last sync"), ("3", "Tonight"))  # fmt: skip


@pytest.fixture
def walker(stored: Path, tmp_path: Path) -> Iterator[Any]:
    """A walker before thirty campaigns in a terminal of some kind."""
    opened: list[Watched] = []

    def start(term: str, **options: Any) -> Walker:
        opened.append(Watched("--config", str(stored), home=tmp_path, term=term, **options))
        return Walker(opened[-1])

    yield start
    for one in opened:
        one.close()


@pytest.mark.slow
def test_a_screen_is_sent_whole_and_once(walker: Any) -> None:
    walk = walker("xterm-256color")
    # All that the first screen paints is there when a second one was opened and left.
    walk.sends("?", "Here")
    walk.sends("\x1b", "Last sync", "!Here")
    begun = len(walk.shown.raw)
    for keys, seen in WALK:
        walk.sends(keys, seen)
    # Whatever is sent twice comes before the next key is answered.
    walk.sends("1", "Last sync")
    assert bytes(walk.shown.raw[begun:]).count(THIRD_ROW) in (len(WALK), len(WALK) + 1)
    walk.quits()


@pytest.mark.slow
def test_a_dialog_leaves_in_sight_what_it_does_not_cover(walker: Any) -> None:
    walk = walker("linux", synchronized=False)
    above, beneath = walk.shown.rows[:3], walk.shown.rows[-1]
    walk.sends("b", "simulate nightly")
    assert walk.shown.rows[0][:20] == above[0][:20]
    assert walk.shown.rows[-1] == beneath
    walk.sends("\x1b", "!simulate nightly")
    walk.quits()


FULL, EMPTY = tuple(f"row {n} of something" for n in range(6)), ("",) * 6


@pytest.mark.parametrize(
    ("frames", "flickers"),
    [
        ((FULL, FULL), False),
        ((FULL, EMPTY), False),
        ((FULL, EMPTY, FULL), True),
        ((FULL, (*FULL[:3], "", *FULL[4:]), FULL), True),
        ((FULL, (FULL[0], *EMPTY[1:]), tuple(row.upper() for row in FULL)), True),
        ((FULL, ("Reading the store …", *EMPTY[1:]), tuple(row.upper() for row in FULL)), False),
        ((("", "◐ running", "a", "b"), ("", "◐ running", "", "b"), ("", "◐ running", "c", "b")), True),
        ((("", "◐ running", "a", "b"), ("", "◐ running", "d", "b"), ("", "◐ running", "c", "b")), False),
    ],
)
def test_what_counts_as_flicker(frames: tuple[tuple[str, ...], ...], flickers: bool) -> None:
    assert bool(flashes(frames)) is flickers
