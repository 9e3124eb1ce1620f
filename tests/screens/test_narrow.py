"""At 60 columns nothing that decides is cut away: columns fit, and what does not fit goes on in a second line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from console.filters import problem
from console.present import cells
from console.screens import batch_view, compare_view, doctor, member_view, overview_view
from console.screens.dialogs import GuardDialog
from console.screens.filter_view import filter_lines
from console.screens.log import entries, row
from sync.model import RunKind
from sync.plan import GuardVerdict
from sync.views import Check
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW, batch_results, eight_campaigns, run_views
from tests.screens.scenes import console, played
from tests.screens.test_journeys import text_of
from tests.screens.waiting import press, settle


def plain(line: tuple[tuple[str, str], ...]) -> str:
    return "".join(text for text, _ in line)


@pytest.mark.parametrize("width", [60, 76, 80, 120])
def test_a_batch_keeps_all_its_columns(width: int) -> None:
    head = plain(batch_view.head(width, simulated=True))
    assert cells(head) <= width
    assert head.rstrip().endswith("Members")
    for result in batch_results(eight_campaigns()):
        shown = plain(batch_view.row(result, width))
        assert cells(shown) < width
        assert "…" not in shown[-1:] or result.skipped


@pytest.mark.parametrize("width", [60, 80])
def test_a_simulation_stands_beside_the_real_run(width: int) -> None:
    real = next(run for run in run_views() if run.kind is RunKind.NIGHTLY and not run.simulated)
    lines = [plain(line) for line in compare_view.compare_lines(replace(real, simulated=True), real, NOW, width)]
    assert all(cells(line) < width and "…" not in line for line in lines)
    assert lines[-1].split()[-1] == str(real.calls.salesforce)


def test_fields_of_both_sides_have_gaps_between_their_titles() -> None:
    assert plain(member_view.field_head(60)).split() == ["Field", "Salesforce", "Predictive", "Agreed", "State"]


async def test_a_check_that_the_list_cuts_is_told_whole_beneath() -> None:
    async with played("doctor", (60, 20)) as app:
        screen = app.screen
        assert isinstance(screen, doctor.DoctorScreen)
        screen._checks = (Check("state", "ok", "sqlite:////a/very/long/path/that/no/narrow/list/can/show/state.db"),)
        screen.query_one(doctor.Grid).cursor = 0
        screen.refresh_all()
        shown = text_of(app)
        assert "…" in shown
        assert "show/state.db" in shown.replace("\n", "").replace(" ", "")


def test_of_a_runs_id_the_log_shows_what_tells_it_from_others() -> None:
    (entry,) = entries("2027-03-09T09:17:00Z INFO    run: 20270309-091700-a8b595: ended done after 0.2 s")
    shown = plain(row(entry, 60))
    assert "a8b595: ended done after 0.2 s" in shown
    assert "20270309" not in shown


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("text", ["~[", "a filter of very many words that nobody would type in one go ~["])
def test_a_filter_that_cannot_be_read_says_why_within_the_terminal(width: int, text: str) -> None:
    lines = [*filter_lines(text, 0, 8, width, problem=problem(text)), *overview_view.nothing_found(text, width)]
    assert all(cells(plain(line)) <= width for line in lines)
    assert "[ is no re" in plain(lines[0])
    assert "! means not." in plain(lines[-1])


@pytest.mark.parametrize("width", [60, 80, 120])
def test_how_much_a_filter_leaves_is_never_cut(width: int) -> None:
    (line, _) = filter_lines("a filter of very many words " * 5, 3, 12_480, width)
    assert cells(plain(line)) <= width
    assert plain(line).endswith("3 of 12,480; esc shows all")


async def test_a_guard_shows_each_way_on_and_the_whole_name() -> None:
    async with played("guard", (60, 24)) as app:
        shown = text_of(app)
        for words in ("esc cancel", "enter apply all", "ctrl+x apply 19 without removals", "Spring launch 2027"):
            assert words in shown
        assert "type the name Sp" not in shown


@pytest.mark.parametrize("entered", ["Café  au lait", "Cafe\u0301 au lait ", "Café au lait"])
async def test_a_name_is_the_same_however_its_marks_and_blanks_are_typed(entered: str) -> None:
    verdict = GuardVerdict("deletes", False, 61, 20, "61 members would be removed")
    answers: list[str | None] = []
    app = console(FakeBackend())
    async with app.run_test(size=(60, 24)) as pilot:
        await settle(pilot)
        app.push_screen(GuardDialog("Café au  lait", (verdict,), 0), answers.append)
        await settle(pilot)
        app.screen.query_one("#name", Input).value = entered
        app.screen.query_one("#reason", Input).value = "seen"
        await press(pilot, "enter", "enter")
    assert answers == ["typed:Café au  lait\nseen"], "the name goes on as the plan has it"
