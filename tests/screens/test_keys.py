"""The key table: no key means two things on one screen, each has its method, and a key that cannot be used says why."""

from __future__ import annotations

from importlib import import_module

import pytest

from console.app import ConsoleApp
from console.keys import EVERYWHERE, KEYS, Situation, hints, keys_for, table
from console.palette import COMMANDS, find, parse
from console.screens.base import ConsoleScreen

PLACES = {
    ("overview",): ("overview", "OverviewScreen"),
    ("campaign",): ("campaign", "CampaignScreen"),
    ("campaign", "members"): ("campaign", "CampaignScreen"),
    ("campaign", "clicks"): ("campaign", "CampaignScreen"),
    ("campaign", "metrics"): ("campaign", "CampaignScreen"),
    ("campaign", "campaign_runs"): ("campaign", "CampaignScreen"),
    ("plan",): ("plan", "PlanScreen"),
    ("run",): ("run", "RunScreen"),
    ("runs",): ("runs", "RunsScreen"),
    ("schedule",): ("schedule", "ScheduleScreen"),
    ("api",): ("api", "ApiScreen"),
    ("doctor",): ("doctor", "DoctorScreen"),
    ("log",): ("log", "LogScreen"),
    ("settings",): ("settings", "SettingsScreen"),
    ("help",): ("help", "HelpScreen"),
    ("errors",): ("errors", "ErrorsScreen"),
    ("member",): ("member", "MemberScreen"),
    ("journal",): ("journal", "JournalScreen"),
}
BY_GRID = {"open", "show", "open_run", "turn", "change"}


def screen_class(places: tuple[str, ...]) -> type[ConsoleScreen]:
    module, name = PLACES[places]
    found: type[ConsoleScreen] = getattr(import_module(f"console.screens.{module}"), name)
    return found


@pytest.mark.parametrize("places", list(PLACES), ids="-".join)
def test_a_key_means_one_thing(places: tuple[str, ...]) -> None:
    pressed = [name for key in keys_for(*places) for name in key.keys]
    assert len(pressed) == len(set(pressed))


@pytest.mark.parametrize("places", list(PLACES), ids="-".join)
def test_every_key_of_a_screen_does_something(places: tuple[str, ...]) -> None:
    screen = screen_class(places)
    bound = {binding.key for binding in screen.BINDINGS}  # type: ignore[union-attr]
    for key in keys_for(*places):
        if key.id in BY_GRID:
            continue
        assert hasattr(screen, f"do_{key.id}") or hasattr(ConsoleApp, f"do_{key.id}"), key.id
        assert set(key.keys) <= bound, key.id


def test_ids_are_unique_and_the_place_is_known() -> None:
    assert len({key.id for key in KEYS}) == len(KEYS)
    known = {place for places in PLACES for place in places} | {EVERYWHERE}
    assert all(set(key.where) <= known for key in KEYS)
    assert all(len(row) == 3 and row[2].endswith(".") for row in table())


def test_help_is_always_the_last_hint() -> None:
    for places in PLACES:
        assert hints(keys_for(*places), Situation())[-1][1] == "all keys"


@pytest.mark.parametrize(
    ("id", "now", "reason"),
    [
        ("sync", Situation(), "No campaign is chosen"),
        ("sync", Situation(campaign=True), "no editions yet"),
        ("sync", Situation(campaign=True, started=True, closed=True), "closed"),
        ("sync", Situation(campaign=True, started=True, running="Nightly"), "Nightly is running"),
        ("sync", Situation(campaign=True, started=True, locked="40 rows"), "Locked: 40 rows"),
        ("sync", Situation(campaign=True, started=True, read_only=True), ""),
        ("new_edition", Situation(campaign=True, read_only=True), "read-only"),
        ("new_edition", Situation(campaign=True, type_known=False), "none of Adaptive"),
        ("apply", Situation(), "still being made"),
        ("apply", Situation(plan=True), "Nothing is left"),
        ("apply", Situation(plan=True, rows_in_plan=3, read_only=True), "read-only"),
        ("apply", Situation(plan=True, rows_in_plan=3), ""),
        ("apply_kept", Situation(plan=True, rows_in_plan=3), "no removals"),
        ("clear_auto", Situation(campaign=True), "closed campaign whose auto-sync"),
        ("cancel", Situation(), "has ended"),
        ("test_send", Situation(campaign=True), "No edition is chosen"),
        ("view_run", Situation(), "Nothing is running"),
    ],
)
def test_reasons(id: str, now: Situation, reason: str) -> None:
    key = next(key for key in KEYS if key.id == id)
    said = key.why(now)
    assert reason in said
    assert bool(said) == bool(reason)


def test_the_confirming_key_never_opens_a_dialog() -> None:
    assert [key.id for key in KEYS if "y" in key.keys] == ["why"], "a screen, which asks nothing"


def test_commands_are_split_like_a_shell_does() -> None:
    assert parse('predictive sync "Spring launch 2027"') == ("sync", ("Spring launch 2027",))
    assert parse("batch nightly --simulate") == ("batch", ("nightly", "--simulate"))
    assert parse('plan "open quote') == ("plan", ('"open', "quote"))
    assert parse("") == ("", ())
    assert find("sched") is not None
    assert find("r") is None
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
