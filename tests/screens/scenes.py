"""The scenes of pictures and screenshots: how each is reached by keys alone, from the same made-up data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.theme import DARK
from tests.screens.fakes import FakeBackend, StillClock
from tests.screens.waiting import press, settle

Drive = Callable[[Pilot[Any], FakeBackend], Awaitable[None]]


def console(backend: FakeBackend, *, mode: str = "writes", dress: str = DARK, **more: Any) -> ConsoleApp:
    """The console over *backend*, with a clock that stands."""
    return ConsoleApp(
        backend, clock=backend.clock, org_name=more.pop("org_name", "acme-production"), mode=mode, dress=dress, timers=False, **more
    )  # fmt: skip


async def overview(pilot: Pilot[Any], backend: FakeBackend) -> None:
    """The first screen."""


SCENES: dict[str, tuple[Callable[[], FakeBackend], Drive]] = {
    "overview": (FakeBackend, overview),
}


async def shoot(name: str, size: tuple[int, int], dress: str = DARK) -> str:
    """The SVG of a scene."""
    make, drive = SCENES[name]
    backend = make()
    app = console(backend, dress=dress)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await drive(pilot, backend)
        await settle(pilot)
        svg = app.export_screenshot(title="Predictive Console")
        backend.hold.set()
        return svg


__all__ = ["SCENES", "StillClock", "console", "press", "settle", "shoot"]
