"""Start-up and first paint, each beside its floor, alternating in one run because machines differ and are noisy."""

from __future__ import annotations

import compileall
import dataclasses
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.box import sandbox
from tests.bench.report import ROOT, Measure
from tests.bench.terminal import first_paint

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
    """First paint and quit of the console with 200 campaigns, beside a Textual app with one label."""
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    label = [sys.executable, str(ROOT / "tests" / "bench" / "one_label.py")]
    ours, floor, quits, floor_quits = [], [], [], []
    with sandbox("--campaigns", "200", "--members", "20") as box:
        box.run("campaigns")
        env["XDG_CACHE_HOME"] = str(Path(box.config).parent / "cache")
        console = [sys.executable, "-m", "console.main", "--config", box.config]
        # The first opening reads the store; when it is left, it keeps the last view that the next ones begin with.
        first_paint(console, env=env, wait_for="▸", enough=CELLS)
        for _ in range(RUNS):
            paint = first_paint(label, env=env)
            floor.append(paint.first_ms)
            floor_quits.append(paint.quit_ms)
            paint = first_paint(console, env=env, wait_for="▸", enough=CELLS)
            ours.append(paint.first_ms)
            quits.append(paint.quit_ms)
    name = "first paint, 200 campaigns, 80×24"
    paint = Measure("Start-up", name, "ms", ours, "≤ 1.5 × a Textual app with one label", None, {"one label": floor})
    leave = Measure("Start-up", "quit, idle", "ms", quits, "≤ 500 ms", None, {"one label": floor_quits})
    return [
        dataclasses.replace(paint, holds=paint.median <= 1.5 * statistics.median(floor)),
        dataclasses.replace(leave, holds=leave.median <= 500),
    ]


def measures() -> list[Measure]:
    """All of them."""
    installed()
    return [help_measure(), *paint_measures()]
