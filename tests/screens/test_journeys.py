"""Journeys by keys alone: what an operator does, from the first frame to the end of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.screens.campaign import CampaignScreen
from console.screens.overview import OverviewScreen
from console.screens.plan import PlanScreen
from console.screens.run import RunScreen
from console.widgets.bars import Note
from console.widgets.grid import Grid
from console.widgets.prompt import Prompt
from sync.errors import ServerDown
from sync.model import RunState
from sync.views import Difference
from tests.screens.fakes import FakeBackend
from tests.screens.made import campaign_id, eight_campaigns, many_campaigns
from tests.screens.scenes import console
from tests.screens.waiting import frame, half_way, press, send, settle, until


def text_of(app: ConsoleApp) -> str:
    """The screen as one text."""
    return "\n".join(frame(app))


def note(app: ConsoleApp) -> str:
    """What the note says."""
    return app.front.query_one(Note).said


async def typed(pilot: Pilot[Any], words: str) -> None:
    """Type words into the line that is open."""
    await send(pilot, *words)
    await settle(pilot)


@pytest.mark.slow
async def test_synchronize_with_preview() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        assert isinstance(app.screen, PlanScreen)
        shown = text_of(app)
        assert "21 changes · 6 calls (lower bound 5) · about 3 s" in shown
        assert "− 2 members removed" in shown
        assert "apply" not in backend.calls
        await press(pilot, "down", "down", "down", "space")
        assert backend.left_out == {10}
        assert "1 left out" in text_of(app)
        await press(pilot, "a")
        assert "Apply 20 changes to Spring launch 2027?" in text_of(app)
        await press(pilot, "enter")
        assert "apply" not in backend.calls, "enter cancels"
        await press(pilot, "a", "a")
        assert "apply" not in backend.calls, "the opening key does not confirm"
        await press(pilot, "y")
        assert isinstance(app.screen, RunScreen)
        assert backend.calls.count("apply") == 1
        shown = text_of(app)
        assert "◐ partial" in shown
        assert "4 × FIELD_CUSTOM_VALIDATION_EXCEPTION" in shown
        await press(pilot, "e")
        assert "a validation rule of the org refused the row" in text_of(app)
        await press(pilot, "enter", "down")
        assert "fill the reason in Salesforce" in text_of(app)
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_a_whole_group_is_left_out_and_put_back() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s", "down", "space")
        assert backend.left_out == set(range(1, 10))
        assert "12 changes" in text_of(app)
        await press(pilot, "space")
        assert not backend.left_out
        await press(pilot, "up", "space")
        assert len(backend.left_out) == 18
        assert " 3 changes" in text_of(app)


async def test_apply_without_removals() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s", "x")
        assert "Apply 19 changes" in text_of(app)
        assert "2 members stay" in text_of(app)
        await press(pilot, "y")
        asked = backend.asked[backend.calls.index("apply")]
        assert asked["without_deletes"] is True


@pytest.mark.slow
async def test_a_guard_refuses_until_the_name_and_a_reason_are_typed() -> None:
    backend = FakeBackend(refused=True)
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s", "a")
        assert "61% of the campaign's members would be removed" in text_of(app)
        await typed(pilot, "spring launch 2027")
        await press(pilot, "enter")
        assert "The name is not the same" in text_of(app)
        await press(pilot, *["backspace"] * 18)
        await typed(pilot, "Spring launch 2027")
        await press(pilot, "enter", "enter")
        assert "A reason is needed" in text_of(app)
        assert "apply" not in backend.calls
        await typed(pilot, "list was cleaned")
        await press(pilot, "enter")
        asked = backend.asked[backend.calls.index("apply")]
        assert asked["confirm_name"] == "Spring launch 2027"
        assert asked["reason"] == "list was cleaned"
        assert isinstance(app.screen, RunScreen)


async def test_a_refused_plan_goes_on_without_removals() -> None:
    backend = FakeBackend(refused=True)
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s", "a", "ctrl+x", "y")
        assert backend.asked[backend.calls.index("apply")]["without_deletes"] is True


async def test_filter_of_the_plan_opens_what_it_finds() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s", "slash")
        await typed(pilot, "jean")
        shown = text_of(app)
        assert "Jean Hoa" in shown
        assert "members removed" not in shown
        await press(pilot, "escape")
        assert "members removed" in text_of(app)


async def test_new_edition_says_what_it_does_and_cancel_is_the_default() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "end", "up")
        await press(pilot, "n")
        shown = text_of(app)
        assert "New Edition for Trial win-back [beta] /red/?" in shown
        assert "5 editions, inactive and empty" in shown
        await press(pilot, "n", "enter")
        assert "new_edition" not in backend.calls
        await press(pilot, "n", "y")
        assert backend.calls.count("new_edition") == 1
        assert isinstance(app.screen, RunScreen)


async def test_new_edition_says_who_stays_out_and_offers_to_release_them_first() -> None:
    backend = FakeBackend(tuple(replace(view, held=15) for view in eight_campaigns()))
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "end", "up")
        await press(pilot, "n")
        assert "15 members stay as an undo left them" in " ".join(text_of(app).replace("│", " ").split())
        await press(pilot, "r")
        await typed(pilot, "a mistake")
        await press(pilot, "enter")
        assert backend.calls.count("release_hold") == 1
        asked = backend.asked[backend.calls.index("release_hold")]
        assert (asked["person"], asked["reason"]) == (None, "a mistake")
        assert "new_edition" not in backend.calls


async def test_simulate_nightly() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "b", "m")
        assert backend.asked[backend.calls.index("batch")]["simulate"] is True
        shown = text_of(app)
        assert "Would mail" in shown
        assert "left out: closed, 2 calls saved" in shown
        assert "Nothing was written and nothing was sent." in shown


async def test_verify_lists_what_differs() -> None:
    class Differing(FakeBackend):
        def verify(self, campaign_ids: Any = None, *, cancel: Any = None) -> Any:
            found = Difference(campaign_id(1), "003x", "Olga Ivanova <o@x.example>", "email", "new@x.example", None)
            return replace(super().verify(campaign_ids), state=RunState.DONE, differences=(found,))

    app = console(Differing())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "v", "o")
        shown = text_of(app)
        assert "Olga Ivanova" in shown
        assert "Salesforce new@x.example" in shown
        assert "1 difference" in shown


async def test_filter_and_back_where_one_was() -> None:
    app = console(FakeBackend(many_campaigns()))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await typed(pilot, "type:drip reg")
        await press(pilot, "enter", "down", "down")
        chosen = app.screen.query_one(Grid).cursor
        name = app.screen.chosen.campaign.name  # type: ignore[attr-defined]
        await press(pilot, "enter")
        assert isinstance(app.screen, CampaignScreen)
        assert name in text_of(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)
        assert app.screen.query_one(Grid).cursor == chosen == 2
        await press(pilot, "escape")
        assert "Spring launch 2027" in text_of(app)
        await press(pilot, "slash")
        await typed(pilot, "qqq")
        assert "No campaign has “qqq”" in text_of(app)


async def test_a_line_that_is_left_is_gone_at_once() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await typed(pilot, "spring")
        assert app.front.open_prompt is not None
        app.front.close_line()
        # Nothing was handled yet since: the line is not taken apart before eyes.
        assert [prompt.display for prompt in app.front.query(Prompt)] == [False]
        await settle(pilot)
        assert isinstance(app.screen.focused, Grid)


async def test_read_only_says_why() -> None:
    backend = FakeBackend()
    app = console(backend, mode="read-only")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n")
        assert "read-only" in note(app)
        await press(pilot, "s", "a")
        assert "read-only" in note(app)
        assert "apply" not in backend.calls


async def test_a_failing_store_is_one_calm_line() -> None:
    error = ServerDown("The state database is locked", where="state.db", remedy="close the other console")
    backend = FakeBackend(fail={"overview": error})
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        shown = text_of(app)
        assert "✖ The state database is locked" in shown
        assert "close the other console" in note(app)
        assert "Traceback" not in shown


async def test_a_plan_that_cannot_be_made_says_so_and_leaves_the_keys_alive() -> None:
    error = ServerDown("Salesforce did not answer in 15 s", left_undone="nothing was written", remedy="r tries again")
    app = console(FakeBackend(fail={"make_plan": error}))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        assert "Salesforce did not answer in 15 s" in note(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_a_run_that_fails_ends_in_words() -> None:
    app = console(FakeBackend(fail={"refresh": ServerDown("Predictive is down", remedy="try again later")}))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "r")
        assert isinstance(app.screen, RunScreen)
        assert "Predictive is down. try again later." in text_of(app)


async def test_a_run_goes_on_behind_other_screens_and_is_cancelled() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        backend.hold.clear()
        await send(pilot, "r")
        await until(backend.halfway.is_set, "the run to be half-way")
        await half_way(app)
        await send(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)
        assert "Spring launch 2027 › Refresh 39%" in text_of(app)
        await send(pilot, "s")
        assert "is running; 0 shows it" in note(app)
        await send(pilot, "0")
        assert isinstance(app.screen, RunScreen)
        await send(pilot, "c")
        assert "after the present batch" in note(app)
        backend.hold.set()
        await until(lambda: app.bridge.writing is None, "the run to end")
        await settle(pilot)
        assert "○ cancelled" in text_of(app)


async def test_leaving_while_a_run_writes_asks_and_finishes_the_batch() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        backend.hold.clear()
        await send(pilot, "r")
        await until(backend.halfway.is_set, "the run to be half-way")
        await send(pilot, "q")
        assert "Leave while a run is writing?" in text_of(app)
        await send(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        await send(pilot, "q", "y")
        assert app.is_running
        assert "Leaves after the batch in flight" in note(app)
        await send(pilot, "q")
        assert isinstance(app.screen, RunScreen), "it is not asked again"
        assert "Leaves after the batch in flight" in note(app)
        backend.hold.set()
        await until(lambda: app.return_value is not None, "the app to leave")
    assert app.return_value == 0
    assert app.return_code == 0


@pytest.mark.slow
async def test_members_by_window_filter_and_level() -> None:
    backend = FakeBackend(members=100_000)
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab", "end")
        assert "person99999@" in text_of(app)
        assert backend.calls.count("members") <= 3
        await press(pilot, "l", "l")
        assert "20,000 members: level Opened" in text_of(app)
        await press(pilot, "escape", "slash")
        await typed(pilot, "person4242@")
        await press(pilot, "enter")
        assert "1 members with “person4242@”" in text_of(app) or "1 member" in text_of(app)


@pytest.mark.slow
async def test_editions_are_tested_activated_and_named() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "down", "down", "t", "y")
        assert "Sent to 2 test members" in note(app)
        await press(pilot, "a")
        assert "Activate “Not Clicked”?" in text_of(app)
        await press(pilot, "y")
        assert backend.asked[backend.calls.index("edit_edition")]["fields"] == {"active": True}
        await press(pilot, "e")
        await typed(pilot, "New subject")
        await press(pilot, "enter")
        assert {"subject": "New subject"} in [asked.get("fields") for asked in backend.asked]


async def test_the_waste_is_cleared_by_one_key() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "w")
        assert "Only for a closed campaign" in note(app)
        await press(pilot, "end", "w", "y")
        assert backend.asked[backend.calls.index("clear_auto_sync")]["id"] == campaign_id(8)
        assert "is off" in note(app)


async def test_a_due_timer_is_fired_once_and_watched_on_request() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.look_at_timers()
        await settle(pilot)
        assert "fire" not in backend.calls
        backend.due = backend.schedule()[0]
        backend.hold.clear()
        app.look_at_timers()
        await until(backend.halfway.is_set, "the hourly run to be half-way")
        await half_way(app)
        app.look_at_timers()
        await settle(pilot)
        assert "◐ Hourly 39%" in text_of(app)
        assert isinstance(app.screen, OverviewScreen), "a timer takes nobody's screen away"
        backend.hold.set()
        await until(lambda: app.bridge.writing is None, "the run to end")
        await settle(pilot)
        assert backend.calls.count("fire") == 1
        assert "nothing running" in text_of(app)


async def test_schedule_is_paused_with_a_note_and_resumed() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "3", "p")
        await typed(pilot, "migration")
        await press(pilot, "enter")
        assert backend.paused == "migration"
        assert "paused: migration" in text_of(app)
        await press(pilot, "p")
        assert backend.paused is None


@pytest.mark.slow
async def test_commands_equal_the_command_line() -> None:
    backend = FakeBackend()
    said: list[tuple[str, ...]] = []

    def why(words: Any) -> str:
        said.append(tuple(words))
        return "Because it was unsubscribed."

    def bundle(words: Any) -> str:
        return "first line\nsecond [b]line[/b]"

    app = console(backend, commands={"why": why, "bundle": bundle})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "colon")
        await typed(pilot, "sync Partner newsletter")
        await press(pilot, "enter")
        assert isinstance(app.screen, PlanScreen)
        assert backend.asked[backend.calls.index("make_plan")]["ids"] == (campaign_id(2),)
        await press(pilot, "escape", "colon")
        await typed(pilot, "sync Nobody")
        await press(pilot, "enter")
        assert "No campaign is called Nobody" in note(app)
        await press(pilot, "colon")
        await typed(pilot, "why a b")
        await press(pilot, "enter")
        assert said == [("a", "b")]
        assert "unsubscribed" in note(app)
        await press(pilot, "colon")
        await typed(pilot, "bundle")
        await press(pilot, "enter")
        assert "second [b]line[/b]" in text_of(app)
        await press(pilot, "escape", "colon")
        await typed(pilot, "frobnicate")
        await press(pilot, "enter")
        assert "No command is called frobnicate" in note(app)


async def test_the_palette_finds_a_campaign() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "ctrl+p")
        for char in "onbo":
            await send(pilot, char)
        await until(lambda: "Onboarding drip EMEA" in text_of(app), "the campaign in the palette")
        await send(pilot, "enter")
        await until(lambda: isinstance(app.screen, CampaignScreen), "the campaign's screen")


async def test_the_first_list_is_read_by_a_key() -> None:
    backend = FakeBackend(())
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "No campaign is known yet" in text_of(app)
        assert "load_campaigns" not in backend.calls
        await press(pilot, "g")
        assert "Spring launch 2027" in text_of(app)
        assert "8 campaigns read" in note(app)


async def test_a_past_run_is_replayed() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "down", "enter")
        shown = text_of(app)
        assert "Replayed from the journal" in shown
        assert "4 × FIELD_CUSTOM_VALIDATION_EXCEPTION" in shown
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, OverviewScreen)
