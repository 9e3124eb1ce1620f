"""The scenes of pictures and screenshots: how each is reached by keys alone, from the same made-up data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.theme import DARK
from tests.screens.fakes import FakeBackend, StillClock, many_campaigns
from tests.screens.waiting import half_way, press, send, settle

Drive = Callable[[Pilot[Any], FakeBackend], Awaitable[None]]


def console(backend: FakeBackend, *, mode: str = "writes", dress: str = DARK, **more: Any) -> ConsoleApp:
    """The console over *backend*, with a clock that stands."""
    return ConsoleApp(
        backend,
        clock=backend.clock,
        org_name=more.pop("org_name", "acme-production"),
        mode=mode,
        dress=dress,
        timers=False,
        **more,
    )


def typed(*keys: str) -> Drive:
    """A scene that is reached by keys."""

    async def drive(pilot: Pilot[Any], backend: FakeBackend) -> None:
        await press(pilot, *keys)

    return drive


async def running(pilot: Pilot[Any], backend: FakeBackend) -> None:
    """A run that is stopped half-way."""
    await press(pilot, "s", "a")
    backend.hold.clear()
    backend.halfway.clear()
    await send(pilot, "y")
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await half_way(app)
    await settle(pilot)


def refusing() -> FakeBackend:
    """A backend whose plan a guard refuses."""
    return FakeBackend(refused=True)


def crowded() -> FakeBackend:
    """Two hundred campaigns and 100,000 members."""
    return FakeBackend(many_campaigns(), members=100_000)


def empty() -> FakeBackend:
    """A store that knows nothing yet."""
    return FakeBackend(())


SCENES: dict[str, tuple[Callable[[], FakeBackend], Drive]] = {
    "overview": (FakeBackend, typed()),
    "overview-200": (crowded, typed("pagedown")),
    "empty": (empty, typed()),
    "campaign": (FakeBackend, typed("enter", "down", "down")),
    "campaign-overview": (FakeBackend, typed("enter", "shift+tab", "shift+tab")),
    "history": (FakeBackend, typed("enter", "tab", "tab")),
    "metrics": (FakeBackend, typed("enter", "tab", "tab", "tab")),
    "members": (crowded, typed("enter", "shift+tab", "down")),
    "new-edition": (FakeBackend, typed("end", "up", "up", "n")),
    "plan": (FakeBackend, typed("s", *["down"] * 6, "enter", "down", "down", "down")),
    "apply": (FakeBackend, typed("s", "a")),
    "guard": (refusing, typed("s", "a")),
    "run": (FakeBackend, running),
    "run-ended": (FakeBackend, typed("s", "a", "y")),
    "simulated": (FakeBackend, typed("b", "m")),
    "member": (FakeBackend, typed("enter", "shift+tab", "y", "down")),
    "runs": (FakeBackend, typed("2", "down")),
    "undo": (FakeBackend, typed("2", "down", "u")),
    "journal": (FakeBackend, typed("2", "down", "l")),
    "errors": (FakeBackend, typed("6", "enter", "down", "space")),
    "schedule": (FakeBackend, typed("3")),
    "api": (FakeBackend, typed("4")),
    "doctor": (FakeBackend, typed("5", "g")),
    "help": (FakeBackend, typed("question_mark")),
}


async def shoot(name: str, size: tuple[int, int], dress: str = DARK) -> str:
    """The SVG of a scene."""
    make, drive = SCENES[name]
    backend = make()
    app = console(backend, dress=dress)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await drive(pilot, backend)
        svg = app.export_screenshot(title="Predictive Console")
        backend.hold.set()
        return svg


__all__ = ["SCENES", "StillClock", "console", "press", "settle", "shoot"]
