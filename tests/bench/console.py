"""The console over a terminal: members on screen, key to paint, what it costs to leave it open, a run's progress.

The real command on a real store in a pseudo-terminal; only the run whose events come at a given rate is made up.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import bigstate
from tests.bench.report import ROOT, Measure
from tests.bench.startup import installed
from tests.bench.terminal import Terminal

MEMBERS = 100_000
IDLE_SECONDS = 60.0
IDLE_TIMES = 3
PROGRESS_SECONDS = 8.0
KEYS = 40
CHANGES = 1_000
GROUP = "Console"

UP, DOWN, PAGE_DOWN, BACK_TAB = b"\x1b[A", b"\x1b[B", b"\x1b[6~", b"\x1b[Z"


def environment(folder: Path) -> dict[str, str]:
    """A terminal of 16 million colours, and folders of its own."""
    own = {name: str(folder / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    return {**os.environ, **own, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _within(measure: Measure, most: float) -> Measure:
    return dataclasses.replace(measure, holds=measure.median <= most)


def cursor_line(now: Terminal) -> str:
    """The row under the cursor."""
    return next((line for line in now.screen.display if line.startswith(" ▸")), "")


def _key(shown: Terminal, key: bytes) -> float:
    """Milliseconds from a key to the bytes that put the cursor on another row."""
    before = cursor_line(shown)
    pressed = shown.send(key)
    return (shown.until(lambda now: cursor_line(now) not in ("", before), "the cursor to move") - pressed) * 1000


def _members(config: Path, env: dict[str, str]) -> Iterator[Measure]:
    """Open the tab of 100,000 members, go through it page by page."""
    open_ms, grown, pages = [], [], []
    for _ in range(3):
        with Terminal([sys.executable, "-m", "console.main", "--config", str(config)], env=env) as shown:
            shown.until(lambda now: "The big one" in cursor_line(now), "the list")
            shown.calm()
            shown.send(b"\r")
            shown.until(lambda now: "Editions" in now.text, "the campaign")
            shown.calm()
            before = shown.rss()
            pressed = shown.send(BACK_TAB)
            seen = shown.until(lambda now: "@example.com" in now.text, "the members")
            open_ms.append((seen - pressed) * 1000)
            shown.calm()
            for _ in range(KEYS // 2):
                pages.append(_key(shown, PAGE_DOWN))
                shown.calm(0.05)
            grown.append(shown.rss() - before)
            shown.send(b"q")
            shown.ended()
    name = f"{MEMBERS:,} members on screen"
    yield _within(Measure(GROUP, name, "ms", open_ms, "≤ 100 ms from the key", None), 100)
    yield _within(Measure(GROUP, "memory for them, after twenty pages", "MiB", grown, "≤ 10 MiB", None), 10)
    yield _within(Measure(GROUP, "page down in them", "ms", pages, "≤ 15 ms", None), 15)


def _keys(shown: Terminal, env: dict[str, str]) -> Iterator[Measure]:
    """The cursor by a row, beside a Textual app with one label that says the last key; in turns."""
    label = [sys.executable, str(ROOT / "tests" / "bench" / "one_key.py")]
    with Terminal(label, env=env) as floor:
        floor.until(lambda now: cursor_line(now) != "", "the label")
        floor.calm()
        waits: dict[str, list[float]] = {"ours": [], "one label": []}
        costs: dict[str, list[float]] = {"ours": [], "one label": []}
        for number in range(KEYS):
            for name, one in (("one label", floor), ("ours", shown)):
                before = one.spent()
                waits[name].append(_key(one, DOWN if number // 12 % 2 == 0 else UP))
                one.calm(0.05)
                costs[name].append(one.spent() - before)
        floor.send(b"q")
        floor.ended()
    shown.calm()
    beside = {"one label": waits["one label"]}
    yield _within(Measure(GROUP, "cursor key to paint", "ms", waits["ours"], "≤ 10 ms", None, beside), 10)
    beside = {"one label": costs["one label"]}
    whole = "cursor key, processor time until all is painted"
    yield Measure(GROUP, whole, "ms", costs["ours"], "no line", None, beside)


def _keys_in_a_run(env: dict[str, str], rate: int) -> Measure:
    """The cursor by a row while a run tells *rate* events a second."""
    with _running(env, rate) as shown:
        shown.send(b"1")
        shown.until(lambda now: cursor_line(now) != "", "the list")
        waits = sorted(_key(shown, DOWN if number // 5 % 2 == 0 else UP) for number in range(KEYS))
        name = "cursor key to paint during such a run, 95 of 100 within"
        return _within(Measure(GROUP, name, "ms", [waits[int(len(waits) * 0.95) - 1]], "≤ 30 ms", None), 30)


def _open(config: Path, env: dict[str, str]) -> Iterator[Measure]:
    """The overview of 200 campaigns: key to paint, then nothing but its clock."""
    with Terminal([sys.executable, "-m", "console.main", "--config", str(config)], env=env) as shown:
        shown.until(lambda now: "The big one" in cursor_line(now), "the list")
        shown.calm()
        yield from _keys(shown, env)
        yield from _idle(shown, env)
        shown.send(b"q")
        shown.ended()


def _idle(shown: Terminal, env: dict[str, str]) -> Iterator[Measure]:
    """Nothing but its clock, beside a Textual app with one label, in the same seconds."""
    label = [sys.executable, str(ROOT / "tests" / "bench" / "one_label.py")]
    sent: list[float] = []
    costs: dict[str, list[float]] = {"ours": [], "one label": []}
    with Terminal(label, env=env) as floor:
        floor.until(lambda now: "one label" in now.text, "the label")
        floor.calm()
        for _ in range(IDLE_TIMES):
            before, labels = shown.spent(), floor.spent()
            came, _, passed = shown.passes(IDLE_SECONDS)
            sent.append(came / passed)
            costs["ours"].append((shown.spent() - before) / passed / 10)
            costs["one label"].append((floor.spent() - labels) / passed / 10)
        floor.send(b"q")
        floor.ended()
    idle = f"left open for {IDLE_SECONDS:.0f} s, with its clock"
    yield _within(Measure(GROUP, idle, "B/s", sent, "≤ 250 B/s", None), 250)
    beside = {"one label": costs["one label"]}
    whole = f"{idle}: processor"
    yield _within(Measure(GROUP, whole, "% of a core", costs["ours"], "≤ 0.5 %", None, beside), 0.5)


@contextmanager
def _running(env: dict[str, str], rate: int) -> Iterator[Terminal]:
    """The console with a run on screen that tells *rate* events a second."""
    with Terminal([sys.executable, "-m", "tests.bench.busy", str(rate)], env=env) as shown:
        shown.until(lambda now: "▸" in now.text, "the list")
        shown.calm()
        shown.send(b"b")
        shown.until(lambda now: "run nightly now" in now.text, "the menu")
        shown.send(b"n")
        shown.until(lambda now: "enter cancel" in now.text, "the question")
        shown.send(b"y")
        shown.until(lambda now: "1,000,000" in now.text, "the run")
        yield shown


def _progress(env: dict[str, str], rate: int) -> Measure:
    """A run that tells *rate* events a second."""
    with _running(env, rate) as shown:
        shown.passes(1.0)
        came, _, passed = shown.passes(PROGRESS_SECONDS)
    name = f"progress of a run that tells {rate:,} events a second"
    return _within(Measure(GROUP, name, "B/s", [came / passed], "≤ 2,000 B/s", None), 2_000)


def _growth() -> Measure:
    """Screens opened and left."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.churn", str(CHANGES)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    name = f"memory after {CHANGES:,} changes of screen"
    return _within(Measure(GROUP, name, "MiB", [float(done.stdout.split()[-1])], "≤ 5 MiB", None), 5)


def measures() -> Iterator[Measure]:
    """All of them."""
    installed()
    with tempfile.TemporaryDirectory(prefix="predictive-bench-") as name:
        folder = Path(name)
        env = environment(folder)
        config = bigstate.make(folder, campaigns=200, members=MEMBERS)
        groups: tuple[Callable[[Path, dict[str, str]], Iterator[Measure]], ...] = (_members, _open)
        for group in groups:
            yield from group(config, env)
        for rate in (20, 2_000):
            yield _progress(env, rate)
        yield _keys_in_a_run(env, 2_000)
    yield _growth()
