"""The night over 200 campaigns of 10,000 members, and verifying them all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.calls import line_of
from tests.bench.in_step import CAMPAIGNS, MEMBERS, world
from tests.bench.report import Measure


def measures() -> Iterator[Measure]:
    """Nothing changed; people touched; all compared."""
    size = f"{CAMPAIGNS} campaigns of {MEMBERS:,} members"
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), CAMPAIGNS, MEMBERS) as made:
        yield line_of(f"nightly, {size}, nothing changed", made.box.run("batch", "nightly"), 3)
        made.touch_people(0.05)
        touched = made.box.run("batch", "nightly")
        yield line_of(f"nightly, {size}, 5 % of the people touched without a change", touched, 8)
        yield line_of(f"verify {size}", made.box.run("verify"), 12)
