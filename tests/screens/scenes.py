"""The scenes of pictures and screenshots: how each is reached by keys alone, from the same made-up data."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.outside import Outside
from console.theme import DARK
from tests.screens.fakes import FakeBackend
from tests.screens.made import StillClock, many_campaigns
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


def _logged(folder: Path) -> Path:
    """A log as a day leaves it."""
    path = folder / "predictive.log"
    path.write_text(LOG, encoding="utf-8")
    return path


def plain_home(put: Callable[[str, str], object]) -> None:
    """Folders are shown below a home that is nobody's; *put* sets a variable of the environment."""
    put("HOME", "/home/ops")


@cache
def _folders() -> tempfile.TemporaryDirectory[str]:
    """Where this process keeps what scenes write; gone when it ends."""
    return tempfile.TemporaryDirectory(prefix="predictive-scenes-")


def outside() -> Outside:
    """A log and the example configuration, which is read from where the tests run."""
    folder = Path(tempfile.mkdtemp(dir=_folders().name))
    return Outside(log=_logged(folder), config=Path("config.example.toml"), exports=folder, env={"TERM": "xterm"})


LOG = """\
2027-03-09T09:17:00Z INFO    run: r-0309-0917: hourly began, campaign –
2027-03-09T09:17:04Z INFO    run: r-0309-0917: plan p-41, 212 rows, 3 calls predicted
2027-03-09T09:17:06Z WARNING run: r-0309-0917: row rejected: salesforce 00Q5g00000A1b2CEAR status of campaign \
7015g00000003AAA, FIELD_CUSTOM_VALIDATION_EXCEPTION
2027-03-09T09:17:09Z WARNING run: r-0309-0917: ended partial after 9.1 s, Salesforce calls: 3
2027-03-09T09:17:09Z WARNING alert: Onboarding drip EMEA: last run partial, 4 rows.
2027-03-09T10:17:00Z INFO    run: r-0309-1017: hourly began, campaign –
2027-03-09T10:17:05Z INFO    run: r-0309-1017: ended done after 5.0 s, Salesforce calls: 3
2027-03-09T11:02:41Z ERROR   command: sync: Salesforce does not answer (https://acme.my.salesforce.com). Nothing was \
written. Try again in a minute.
2027-03-09T11:40:12Z INFO    run: r-0309-1140: manual began, campaign 7015g00000001AAA
2027-03-09T11:40:15Z INFO    run: r-0309-1140: ended done after 2.9 s, Salesforce calls: 6
2027-03-09T11:40:15Z INFO    alert: Spring launch 2027: last run done, it is well again.
"""


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
    "log": (FakeBackend, typed("7")),
    "settings": (FakeBackend, typed("8", "down", "down")),
    "jump": (FakeBackend, typed("semicolon")),
}


ORGS: dict[str, dict[str, Any]] = {"settings": {"org_name": "main"}}
"""Scenes of another org than the usual one."""


@asynccontextmanager
async def played(name: str, size: tuple[int, int], *, dress: str = DARK) -> AsyncIterator[ConsoleApp]:
    """The console in a scene; what the scene holds goes on when the block ends."""
    make, drive = SCENES[name]
    backend = make()
    app = console(backend, dress=dress, outside=outside(), **ORGS.get(name, {}))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await drive(pilot, backend)
        yield app
        backend.hold.set()


async def shoot(name: str, size: tuple[int, int], dress: str = DARK) -> str:
    """The SVG of a scene."""
    async with played(name, size, dress=dress) as app:
        return app.export_screenshot(title="Predictive Console")


__all__ = ["SCENES", "StillClock", "console", "played", "press", "settle", "shoot"]
