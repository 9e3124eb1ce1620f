"""The night over 200 campaigns of 10,000 members, verifying them all, and what the big org takes of the machine.

The night is a dear one: the ids of one campaign are due to be compared, as they are once a week.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sync.embedded.process import start_embedded
from tests.bench.box import Ran, cpu_of, peak_of
from tests.bench.calls import line_of
from tests.bench.in_step import CAMPAIGNS, MEMBERS, world
from tests.bench.report import Measure

GROUP = "Two million members"
_SIZE = f"{CAMPAIGNS} campaigns of {MEMBERS:,} members"
_START_SECONDS, _MOST_MIB = 60.0, 2_048.0


def measures() -> Iterator[Measure]:
    """The sandbox's start; nothing changed; people touched."""
    yield from _sandbox_start()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), CAMPAIGNS, MEMBERS) as made:
        name = "prepared: two members a campaign started by the engine, the others copied into all three databases"
        yield Measure(GROUP, name, "s", [made.seconds])
        nothing = made.box.run("batch", "nightly")
        yield line_of(f"nightly, {_SIZE}, nothing changed", nothing, 3)
        made.touch_people(0.05)
        touched = made.box.run("batch", "nightly")
        yield line_of(f"nightly, {_SIZE}, 5 % of the people touched without a change", touched, 8)
        yield from _use("nightly, nothing changed", nothing)
        yield from _use("nightly, 5 % touched", touched)
        yield _memory("sandbox and service together, after these nights", peak_of(made.servers.pid))


def verified() -> Iterator[Measure]:
    """All rows of both sides compared: a section of its own, because it takes minutes."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), CAMPAIGNS, MEMBERS) as made:
        ran = made.box.run("verify")
        yield line_of(f"verify {_SIZE}", ran, 12)
        yield from _use("verify", ran)
        yield _memory("sandbox and service together, after verifying", peak_of(made.servers.pid))


def _sandbox_start() -> Iterator[Measure]:
    began = time.perf_counter()
    with start_embedded(timeout=600, campaigns=CAMPAIGNS, members=MEMBERS, audience_speed=0) as servers:
        waited, cpu, peak = time.perf_counter() - began, cpu_of(servers.pid), peak_of(servers.pid)
    name, line = "sandbox starts: its processor time", f"≤ {_START_SECONDS:.0f} s"
    yield Measure(GROUP, name, "s", [cpu], line, cpu <= _START_SECONDS, {"waited": [waited]}, _load())
    yield _memory("the sandbox when it has started", peak)


def _use(name: str, ran: Ran) -> Iterator[Measure]:
    yield Measure(GROUP, f"{name}: processor time of the engine", "s", [ran.cpu], "", None, _waited(ran), _load())
    yield _memory(f"the engine, {name}", ran.peak)


def _waited(ran: Ran) -> dict[str, list[float]]:
    return {"waited": [ran.seconds]}


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def _memory(name: str, mib: float) -> Measure:
    return Measure(GROUP, f"peak memory of {name}", "MiB", [mib], f"≤ {_MOST_MIB:,.0f} MiB", mib <= _MOST_MIB)
