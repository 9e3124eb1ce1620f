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
from tests.bench.box import peak_of
from tests.bench.calls import line_of
from tests.bench.in_step import CAMPAIGNS, MEMBERS, World, world
from tests.bench.report import Measure

GROUP = "Two million members"
_SIZE = f"{CAMPAIGNS} campaigns of {MEMBERS:,} members"
_START_SECONDS, _MOST_MIB = 60.0, 2_048.0


def measures() -> Iterator[Measure]:
    """The sandbox's start; nothing changed; people touched; all compared."""
    yield from _sandbox_start()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), CAMPAIGNS, MEMBERS) as made:
        yield from night(made)


def _sandbox_start() -> Iterator[Measure]:
    began = time.perf_counter()
    with start_embedded(timeout=600, campaigns=CAMPAIGNS, members=MEMBERS, audience_speed=0) as servers:
        seconds, peak = time.perf_counter() - began, peak_of(servers.pid)
    yield Measure(GROUP, "sandbox starts", "s", [seconds], f"≤ {_START_SECONDS:.0f} s", seconds <= _START_SECONDS)
    yield _memory("the starting sandbox", peak)


def night(made: World) -> Iterator[Measure]:
    """The lines over a world in step."""
    name = "prepared: two members a campaign started by the engine, the others copied into all three databases"
    yield Measure(GROUP, name, "s", [made.seconds])
    nothing = made.box.run("batch", "nightly")
    yield line_of(f"nightly, {_SIZE}, nothing changed", nothing, 3)
    made.touch_people(0.05)
    touched = made.box.run("batch", "nightly")
    yield line_of(f"nightly, {_SIZE}, 5 % of the people touched without a change", touched, 8)
    verified = made.box.run("verify")
    yield line_of(f"verify {_SIZE}", verified, 12)
    for name, ran in (("nightly, nothing changed", nothing), ("nightly, 5 % touched", touched), ("verify", verified)):
        yield Measure(
            GROUP,
            f"{name}: processor time of the engine",
            "s",
            [ran.cpu],
            beside={"waited": [ran.seconds]},
            note=_load(),
        )
        yield _memory(f"the engine, {name}", ran.peak)
    yield _memory("sandbox and service together, after all of it", peak_of(made.servers.pid))


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def _memory(name: str, mib: float) -> Measure:
    return Measure(GROUP, f"peak memory of {name}", "MiB", [mib], f"≤ {_MOST_MIB:,.0f} MiB", mib <= _MOST_MIB)
