"""The API screen by keys: hours, spenders, waste with the key that ends it, and the governor's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.screens.api_view import head_lines
from sync.views import Spending
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW, campaign_id
from tests.screens.scenes import console
from tests.screens.test_journeys import note, text_of
from tests.screens.waiting import press, settle


def words(lines: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


async def test_who_spent_and_what_is_wasted() -> None:
    backend = FakeBackend()
    spent = backend.spending()
    closed = next(view for view in backend.views if view.state == "closed")
    waste = replace(spent.waste[0], campaign_id=closed.campaign.id, name=closed.campaign.name)
    backend.spending = lambda: replace(spent, waste=(waste,))  # type: ignore[method-assign]
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "4")
        shown = text_of(app)
        assert "Spring launch 2027                800   19.4%" in shown
        assert "ours, by the hour" in shown
        assert "at most 900, now 15" in shown
        assert "an hour 3 · a night 9 · tonight 14 · limit not in sight" in shown
        await press(pilot, "down", "w")
        assert "Only for a closed campaign" in note(app)
        await press(pilot, "tab")
        assert "nightly" in text_of(app)
        await press(pilot, "shift+tab", "shift+tab")
        shown = text_of(app)
        assert "w clears auto-sync of Webinar 2026-10: 6 calls a night" in shown
        await press(pilot, "w", "y")
        assert backend.asked[backend.calls.index("clear_auto_sync")] == {"id": closed.campaign.id}
        await press(pilot, "tab", "down", "enter")
        assert "Spring launch 2027  adaptive · active" in text_of(app)


def test_near_the_limit_the_governor_and_the_hour_are_named() -> None:
    limits = replace(FakeBackend().limits(), used=110_000, gear="stop", reserved=7, reached_at=NOW + timedelta(hours=3))
    said = words(head_lines(limits, None, NOW, 120))
    assert "The governor: everything but opt-outs is stopped." in said
    assert "7 reserved by runs" in said
    assert "limit reached in 3h" in said


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_line_fits(width: int) -> None:
    backend = FakeBackend()
    spending = Spending(24, 10**6, (), (), (), (), (10**6,) * 24)
    for line in head_lines(backend.limits(), spending, NOW, width):
        assert sum(len(text) for text, _ in line) <= width


def test_an_org_that_never_told_its_meter_teaches_the_key() -> None:
    said = words(head_lines(None, None, NOW, 80))
    assert "g asks for it (1 call)" in said
    assert campaign_id(1) not in said
