"""Pictures of the screens, kept as SVG and compared cell by cell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.app import ConsoleApp
from tests.screens.scenes import SCENES, console
from tests.screens.waiting import settle


@pytest.mark.parametrize("name", list(SCENES))
@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
async def test_screen_looks_as_kept(name: str, size: tuple[int, int], same_picture: Callable[[ConsoleApp], None]) -> None:
    make, drive = SCENES[name]
    backend = make()
    app = console(backend)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await drive(pilot, backend)
        await settle(pilot)
        same_picture(app)
        backend.hold.set()
