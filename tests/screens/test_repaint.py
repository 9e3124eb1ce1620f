"""A repaint shows the same as the toolkit's own, and touches no widget that does not show in the changed lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from textual._compositor import Compositor
from textual.geometry import Region
from textual.widget import Widget

from console.app import ConsoleApp
from console.theme import DARK, LIGHT
from console.widgets.repaint import Repainter, runs
from tests.screens.fakes import FakeBackend
from tests.screens.made import many_campaigns
from tests.screens.scenes import console, played
from tests.screens.waiting import frame, press, send, settle

SIZE = (80, 24)


def test_numbers_in_a_row_make_a_run() -> None:
    assert runs([1, 2, 3, 7, 9, 10]) == [(1, 4), (7, 8), (9, 11)]
    assert runs([]) == []


@pytest.mark.parametrize("name", ["overview", "campaign", "members", "plan"])
async def test_the_toolkit_paints_the_same(name: str) -> None:
    async with played(name, SIZE) as app:
        ours = app.screen._compositor
        assert isinstance(ours, Repainter)
        for crop, lines in (
            (Region(0, 0, *SIZE), set(range(24))),
            (Region(0, 5, 80, 19), {5, 6, 23}),
            (Region(4, 2, 30, 4), {3}),
        ):
            mine = ours._render_chops(crop, lines.__contains__)
            stock = Compositor._render_chops(ours, crop, lines.__contains__)
            assert [dict(mine[y]) for y in lines] == [dict(stock[y]) for y in lines]


@contextmanager
def rendered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Notes the name of every widget that is rendered."""
    names: list[str] = []
    render = Widget.render_lines

    def noted(self: Widget, crop: Region) -> object:
        names.append(self.id or type(self).__name__)
        return render(self, crop)

    with monkeypatch.context() as patch:
        patch.setattr(Widget, "render_lines", noted)
        yield names


@pytest.mark.parametrize("protected", [True, False])
async def test_a_cursor_key_renders_what_it_changes(monkeypatch: pytest.MonkeyPatch, protected: bool) -> None:
    if not protected:
        monkeypatch.setattr(Repainter, "_render_chops", Compositor._render_chops)
    app = console(FakeBackend(many_campaigns()))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        with rendered(monkeypatch) as names:
            await send(pilot, "down")
            await settle(pilot)
    first = names[: names.index("grid") + 1]
    # Both rows of the list at once, and nothing before or beneath them; then the lines about the campaign.
    assert (first == ["grid"]) is protected
    assert ({"top", "news", "OverviewScreen", "body", "list"}.isdisjoint(names)) is protected


def grounds(app: ConsoleApp) -> set[object]:
    """Colours of the background of all cells."""
    strips = app.screen._compositor.render_strips()
    return {segment.style.bgcolor for strip in strips for segment in strip if segment.style and segment.text}


async def test_another_dress_paints_on_another_ground() -> None:
    app = console(FakeBackend(), dress=DARK)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        dark = grounds(app)
        await press(pilot, "D")
        light = grounds(app)
        assert app.theme == LIGHT
        assert dark.isdisjoint(light)
        await press(pilot, "D", "down", "up")
        assert grounds(app) == dark
        assert " ▸ " in frame(app)[4]
