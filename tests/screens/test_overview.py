"""The overview by keys: marks, orders, saved views, the pulse."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import savedviews
from console.screens.plan import PlanScreen
from sync.errors import FatalError
from tests.screens.fakes import FakeBackend
from tests.screens.made import campaign_id
from tests.screens.scenes import console
from tests.screens.test_journeys import note, text_of, typed
from tests.screens.waiting import press, settle


async def test_marked_campaigns_are_synchronized_together_and_the_others_left_out_by_count() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "space", "space", "space")
        shown = text_of(app)
        assert "3 marked, 18,792 members" in shown
        assert shown.count("●") == 4
        await press(pilot, "n")
        assert "3 campaigns are marked; this takes one" in note(app)
        await press(pilot, "s")
        assert isinstance(app.screen, PlanScreen)
        asked = backend.asked[backend.calls.index("make_plan")]
        assert len(asked["ids"]) == 2, "the locked one is left out"
        await press(pilot, "escape")
        assert "1 of 3 marked campaigns cannot take part" in note(app)
        await press(pilot, "escape")
        assert "marked" not in text_of(app).split("\n")[-6]
        await press(pilot, "A")
        assert "8 marked" in text_of(app)
        await press(pilot, "A", "r")
        assert backend.asked[backend.calls.index("refresh")]["ids"] == (campaign_id(5),)


async def test_any_column_orders_and_again_turns_round() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "o", "m")
        lines = text_of(app).split("\n")
        assert "Members▾" in lines[3]
        assert "Spring launch 2027" in lines[4]
        await press(pilot, "o", "m")
        lines = text_of(app).split("\n")
        assert "Members▴" in lines[3]
        assert "Ζητήματα πελατών" in lines[4]


@pytest.mark.slow
async def test_a_view_is_saved_and_taken_again(tmp_path: Path) -> None:
    kept = tmp_path / "last.json"
    app = console(FakeBackend(), last_view=kept)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await typed(pilot, "type:drip")
        await press(pilot, "enter", "o", "o", "V", "s")
        await typed(pilot, "drips by opens")
        await press(pilot, "enter")
        assert "Saved as “drips by opens”" in note(app)
        await press(pilot, "escape")
        assert "Spring launch 2027" in text_of(app)
    again = console(FakeBackend(), last_view=kept)
    async with again.run_test(size=(80, 24)) as again_pilot:
        await settle(again_pilot)
        await press(again_pilot, "V", "f")
        shown = text_of(again)
        assert "/ type:drip" in shown
        assert "Open▾" in shown
        assert "Spring launch 2027" not in shown
        await press(again_pilot, "V", "x", "a", "enter")
        assert [view.name for view in savedviews.read(kept.with_name("views.json"))] == ["drips by opens"]
        await press(again_pilot, "V", "x", "a", "y")
        assert "“drips by opens” is deleted" in note(again)
        assert savedviews.read(kept.with_name("views.json")) == ()
        # What is on screen stays; there is nothing left to delete.
        assert "/ type:drip" in text_of(again)
        await press(again_pilot, "V", "x")
        assert "none is saved" in text_of(again)


async def test_a_half_written_expression_says_so_and_breaks_nothing() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await typed(pilot, "~[")
        await press(pilot, "enter")
        assert "no regular expression" in text_of(app)


async def test_the_pulse_says_what_waits_and_since_when() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "204 changes wait, the oldest 3h · 21,000 rows/h" in text_of(app)


async def test_a_store_that_cannot_be_read_is_said_and_tried_again() -> None:
    backend = FakeBackend(fail={"overview": FatalError("the state was written by a newer program")})
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Reading the store" not in text_of(app)
        assert "The store cannot be read" in text_of(app)
        assert text_of(app).count("written by a newer program") >= 2
        backend.fail.clear()
        app.look_again()
        await settle(pilot)
        assert "Spring launch 2027" in text_of(app)
