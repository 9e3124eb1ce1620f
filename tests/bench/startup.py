"""Start-up and first paint, each beside its floor, alternating in one run because machines differ and are noisy."""

from __future__ import annotations

import compileall
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.box import sandbox
from tests.bench.peers import PEERS, Peer
from tests.bench.report import ROOT, Measure
from tests.bench.terminal import Paint, first_paint

RUNS = 9

CELLS = 700
"""Cells of the overview's first whole frame at 80×24: lines on top, a full list, key bar."""


def installed() -> None:
    """Compile our packages, as an installation does: an editable one would compile them at every start."""
    for package in ("console", "sync"):
        compileall.compile_dir(ROOT / package, quiet=1)


def _milliseconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    return (time.perf_counter() - began) * 1000


def help_measure() -> Measure:
    """``predictive --help`` beside the bare interpreter."""
    script = str(Path(sys.executable).with_name("predictive"))
    ours, bare = [], []
    for _ in range(RUNS):
        bare.append(_milliseconds([sys.executable, "-c", "pass"]))
        ours.append(_milliseconds([script, "--help"]))
    measure = Measure("Start-up", "predictive --help", "ms", ours, "≤ bare interpreter + 90 ms", None, {"bare": bare})
    return dataclasses.replace(measure, holds=measure.median <= statistics.median(bare) + 90)


def paint_measures() -> list[Measure]:
    """First paint and quit of the console with 200 campaigns, beside a Textual app with one label and two peers.

    A peer that cannot be installed here is left out of "beside", and said so in the note.
    """
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    label = [sys.executable, str(ROOT / "tests" / "bench" / "one_label.py")]
    peers = [peer for peer in PEERS if peer.install()]
    missing = [peer.name for peer in PEERS if peer not in peers]
    paints: dict[str, list[float]] = {name: [] for name in ("ours", "one label", *(peer.name for peer in peers))}
    quits: dict[str, list[float]] = {name: [] for name in ("ours", "one label")}
    with sandbox("--campaigns", "200", "--members", "20") as box, tempfile.TemporaryDirectory() as home:
        box.run("campaigns")
        env["XDG_CACHE_HOME"] = str(Path(box.config).parent / "cache")
        console = [sys.executable, "-m", "console.main", "--config", box.config]

        def ours() -> Paint:
            return first_paint(console, env=env, wait_for="▸", enough=CELLS)

        # The first opening reads the store; when it is left, it keeps the last view that the next ones begin with.
        ours()
        for peer in peers:
            _peer(peer, env, Path(home))
        for _ in range(RUNS):
            for name, paint in (("one label", first_paint(label, env=env)), ("ours", ours())):
                paints[name].append(paint.first_ms)
                quits[name].append(paint.quit_ms if paint.quit_ms is not None else float("inf"))
            for peer in peers:
                paints[peer.name].append(_peer(peer, env, Path(home)).first_ms)
    first = Measure(
        "Start-up",
        "first paint, 200 campaigns, 80×24",
        "ms",
        paints.pop("ours"),
        "≤ 1.5 × a Textual app with one label",
        None,
        paints,
        note=f"not installed: {', '.join(missing)}" if missing else "",
    )
    leave = Measure("Start-up", "quit, idle", "ms", quits["ours"], "≤ 500 ms", None, {"one label": quits["one label"]})
    return [
        dataclasses.replace(first, holds=first.median <= 1.5 * statistics.median(paints["one label"])),
        dataclasses.replace(leave, holds=leave.median <= 500),
    ]


def _peer(peer: Peer, env: dict[str, str], home: Path) -> Paint:
    """A peer's first paint; it may not end by its keys, then it is ended."""
    return first_paint(peer.command, env=peer.environment(env, home), keys=peer.leave, enough=40, leave=3.0)


def measures() -> list[Measure]:
    """All of them."""
    installed()
    return [help_measure(), *paint_measures()]
