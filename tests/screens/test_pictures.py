"""Pictures of the screens, kept as SVG and compared cell by cell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.app import ConsoleApp
from tests.screens.scenes import SCENES, console
from tests.screens.waiting import settle

NARROW = (
    "overview",
    "empty",
    "campaign",
    "members",
    "plan",
    "guard",
    "run",
    "run-ended",
    "simulated",
    "schedule",
    "errors",
    "member",
    "metrics",
    "help",
)
WIDE = ("overview-200", "campaign", "plan", "run-ended", "api")
PICTURES = [(name, (80, 24)) for name in NARROW] + [(name, (120, 36)) for name in WIDE]


@pytest.mark.parametrize(("name", "size"), PICTURES, ids=[f"{name}-{size[0]}x{size[1]}" for name, size in PICTURES])
async def test_screen_looks_as_kept(
    name: str, size: tuple[int, int], same_picture: Callable[[ConsoleApp], None]
) -> None:
    make, drive = SCENES[name]
    backend = make()
    app = console(backend)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await drive(pilot, backend)
        same_picture(app)
        backend.hold.set()
