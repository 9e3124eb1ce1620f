"""How the screens look: a picture of each at 120×36, every scene as text at 80×24 and 60×20, one in 16 colours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syrupy.assertion import SnapshotAssertion

from console.app import ConsoleApp
from console.theme import ANSI, DARK
from tests.screens.scenes import SCENES, played
from tests.screens.waiting import frame

SCREENS = (
    "overview-200",
    "campaign",
    "members",
    "member",
    "plan",
    "run-ended",
    "runs",
    "journal",
    "errors",
    "schedule",
    "api",
    "doctor",
    "settings",
    "log",
    "help",
)
PICTURES = [*((name, DARK) for name in SCREENS), ("overview", ANSI)]
FRAMES = [
    pytest.param(name, size, id=f"{name}-{size[0]}x{size[1]}", marks=[pytest.mark.slow] * (size[0] < 80))
    for name in SCENES
    for size in ((80, 24), (60, 20))
]


@pytest.mark.parametrize(("name", "dress"), PICTURES, ids=[f"{name}-{dress}" for name, dress in PICTURES])
async def test_screen_looks_as_kept(name: str, dress: str, same_picture: Callable[[ConsoleApp], None]) -> None:
    async with played(name, (120, 36), dress=dress) as app:
        same_picture(app)


@pytest.mark.parametrize(("name", "size"), FRAMES)
async def test_scene_reads_as_kept(name: str, size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    async with played(name, size) as app:
        assert "\n".join(line.rstrip() for line in frame(app)) == snapshot
