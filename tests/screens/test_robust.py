"""What must hold whatever comes: odd names and sizes, few colours, crashes, and what loads before the first paint."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

import pytest

from console import lastview
from console.app import ConsoleApp
from console.host import Gone
from console.present import cells
from console.screens.plan import PlanScreen
from console.theme import ANSI, DRESSES, LIGHT, tones
from console.widgets.grid import Grid
from sync.views import CampaignView
from tests.screens.fakes import FakeBackend
from tests.screens.made import eight_campaigns, many_campaigns, view
from tests.screens.scenes import SCENES, console
from tests.screens.waiting import frame, press, settle

ROOT = Path(__file__).resolve().parents[2]

ODD_NAMES = (
    "[bold red]not markup[/] [link=x] $accent",
    "مرحبا بالعالم حملة الربيع",
    "\u202eright to left override\u202c",
    "春の新製品キャンペーン2027年度版のとても長い名前",
    "👩‍👩‍👧‍👦 family 🇩🇪 flags ☎️",
    "Z̸̢̛a̵l̷g̶o̴ combining e\u0301\u0301",
    "x" * 255,
    "two\nlines\tand \x1b[31mcolour\x1b[0m",
    "   ",
)


def odd_campaigns() -> tuple[CampaignView, ...]:
    """A campaign for each odd name."""
    return tuple(
        view(n, name, "drip", 1000 - n, (5, 3, 1, 1, 1), (0.3, 0.1), owner=name[:60])
        for n, name in enumerate(ODD_NAMES, 1)
    )


@pytest.mark.parametrize(
    "size",
    [pytest.param((60, 20), marks=pytest.mark.slow), (80, 24), pytest.param((200, 60), marks=pytest.mark.slow)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
async def test_odd_names_stay_in_their_cells(size: tuple[int, int]) -> None:
    app = console(FakeBackend(odd_campaigns()))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        lines = frame(app)
        assert len(lines) == size[1]
        assert all(cells(line) == size[0] for line in lines)
        assert any("[bold red]" in line for line in lines)
        assert not any("\x1b" in line or "\u202e" in line for line in lines)
        for _ in ODD_NAMES:
            await press(pilot, "enter")
            assert all(cells(line) == size[0] for line in frame(app))
            await press(pilot, "escape", "down")


EVERY_SCENE = [(name, (60, 20)) for name in SCENES]
EVERY_SCENE += [(name, (200, 60)) for name in ("overview-200", "plan", "campaign", "members", "simulated")]


@pytest.mark.parametrize(("name", "size"), EVERY_SCENE, ids=[f"{name}-{size[0]}" for name, size in EVERY_SCENE])
async def test_every_scene_fits_every_terminal(name: str, size: tuple[int, int]) -> None:
    make, drive = SCENES[name]
    backend = make()
    app = console(backend)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await drive(pilot, backend)
        lines = frame(app)
        backend.hold.set()
    assert all(cells(line) == size[0] for line in lines)
    assert lines[-1].rstrip().endswith("? all keys")
    assert "acme-production" in lines[0]
    assert "11:46" in lines[0]


async def test_sixty_columns_keep_name_figures_and_state() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        lines = frame(app)
    row = next(line for line in lines if "Spring launch 2027" in line)
    assert "12,480" in row
    assert "34.2%" in row
    assert "✔ 2m" in row
    assert "61.9%" in lines[0]


async def test_a_resize_keeps_cursor_and_frame() -> None:
    app = console(FakeBackend(many_campaigns()))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await press(pilot, "pagedown", "pagedown")
        name = app.screen.chosen.campaign.name  # type: ignore[attr-defined]
        for size in ((60, 20), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            lines = frame(app)
            assert all(cells(line) == size[0] for line in lines)
            assert any(" ▸ " in line and name[:10] in line for line in lines)


@pytest.mark.parametrize("dress", [ANSI, LIGHT])
async def test_other_dresses_paint_the_same_words(dress: str) -> None:
    frames = []
    for each in (None, dress):
        app = console(FakeBackend(), **({"dress": each} if each else {}))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            frames.append(frame(app))
    assert frames[0] == frames[1]


def test_sixteen_colours_name_no_other_colour() -> None:
    for style in tones(DRESSES[ANSI]).values():
        for color in (style.color, style.bgcolor):
            assert color is None or color.number is None or color.number < 16
            assert color is None or color.triplet is None


def test_every_dress_has_every_tone() -> None:
    known = [set(tones(dress)) for dress in DRESSES.values()]
    assert all(names == known[0] for names in known)


async def test_dark_and_light_by_a_key() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "D")
        assert app.theme == LIGHT
        await press(pilot, "D")
        assert app.theme != LIGHT


async def test_without_colour_every_state_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = console(FakeBackend(), mode="PRODUCTION")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        shown = "\n".join(frame(app))
    for word in ("PRODUCTION", "■ locked", "▲ closed", "◐ 1h", "✔ 2m", "▸"):
        assert word in shown


@pytest.mark.slow
async def test_a_hundred_thousand_members_cost_pages_not_rows() -> None:
    backend = FakeBackend(members=100_000)
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab")
        grid = app.screen.query_one(Grid)
        assert grid.count == 100_000
        for _ in range(30):
            await press(pilot, "pagedown")
        assert backend.calls.count("members") <= 4
        assert len(list(app.screen.walk_children())) < 30


async def test_idle_costs_no_read_and_no_call() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = list(backend.calls)
        for _ in range(20):
            app.tick()
        await settle(pilot)
        assert backend.calls == before


async def test_first_frame_comes_from_the_last_view(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    old = tuple(replace(each, total=each.total + 1) for each in eight_campaigns())
    lastview.write(path, "acme-production", old, FakeBackend().limits())
    backend = FakeBackend()
    app = console(backend, last_view=path)
    assert [each.total for each in app.shared.campaigns] == [each.total for each in old]
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.shared.campaigns == eight_campaigns()
        app.leave()
    campaigns, _ = lastview.read(path, "acme-production")
    assert [each.total for each in campaigns] == [each.total for each in eight_campaigns()]


async def test_an_uncaught_error_ends_with_one_line_and_no_secret() -> None:
    class Broken(FakeBackend):
        pass

    app = console(Broken())
    said = io.StringIO()

    async def breaks_down() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            token = "00Dsecret!token"  # stands in the frame of the failing call

            def fail() -> float:
                return len(token) / 0

            app.call_later(fail)
            await pilot._wait_for_screen()
            await settle(pilot)

    with redirect_stderr(said), pytest.raises(ZeroDivisionError):
        await breaks_down()
    assert app.return_code == 1
    shown = " ".join(said.getvalue().split())
    assert "unexpected error (ZeroDivisionError" in shown
    assert "Traceback" not in shown
    assert "00Dsecret" not in shown


LOADED = """
import asyncio, sys
from console.app import ConsoleApp
from tests.screens.fakes import FakeBackend

async def main():
    backend = FakeBackend()
    app = ConsoleApp(backend, clock=backend.clock, org_name="acme", timers=False)
    async with app.run_test(size=(80, 24)):
        heavy = ("sqlalchemy", "alembic", "httpx", "simple_salesforce", "requests", "sync.bootstrap", "sync.store")
        print(",".join(name for name in heavy if name in sys.modules) or "none")

asyncio.run(main())
"""


def test_the_first_paint_loads_no_database_and_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "none"


async def test_an_answer_after_the_last_screen_is_shown_to_nobody() -> None:
    backend = FakeBackend()
    app = ConsoleApp(backend, clock=backend.clock, org_name="acme", timers=False)
    async with app.run_test(size=(80, 24)):
        pass
    with pytest.raises(Gone):
        _ = app.front

    async def late() -> None:
        app.front.say("late", "✔", "good")

    await app.unseen(late)


async def test_a_tick_after_the_last_screen_paints_nothing() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
    shown = app.shared
    app.tick()
    assert app.shared is shown


async def test_rows_of_a_plan_that_come_when_it_was_left_end_nothing() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        plan = app.front
        assert isinstance(plan, PlanScreen)
        await press(pilot, "escape")
        assert app.front.PLACE == "overview"
        # As they do on a busy machine, between the removal of the list and the end of what was read for it.
        await plan._fetch([(plan.outline.groups[0].key, 0)], "")
        assert app.is_running
