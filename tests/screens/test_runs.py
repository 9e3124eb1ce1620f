"""Runs by keys: failures by type and another try, the journal, undo, pause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.app import ConsoleApp
from console.failureboard import Board, Place
from console.present import cells
from console.screens import runs_view
from console.screens.errors import ErrorsScreen
from console.screens.journal import JournalScreen
from console.screens.plan import PlanScreen
from console.screens.runs import RunsScreen
from sync.board import group_failures
from sync.ids import RunId
from sync.model import RunState
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW, failed_board, run_views
from tests.screens.scenes import console
from tests.screens.test_journeys import note, text_of, typed
from tests.screens.waiting import half_way, press, send, settle, until


async def test_failed_rows_stand_by_type_and_a_selection_is_planned_anew() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "6")
        assert isinstance(app.screen, ErrorsScreen)
        shown = text_of(app)
        assert "not mended since: 23 rows" in shown
        assert "14 × a validation rule of the org" in shown
        assert "change the row or the rule" in shown
        await press(pilot, "enter", "down", "space", "down", "space")
        assert "t tries the 2 marked rows again" in text_of(app)
        await press(pilot, "t")
        assert isinstance(app.screen, PlanScreen)
        assert "2 failed rows › Try again" in text_of(app)
        assert backend.asked[backend.calls.index("plan_retry")] == {"run": "r0042", "seqs": (1, 2), "code": None}
        assert "apply" not in backend.calls
        await press(pilot, "a")
        assert "Try again: apply 21 changes to 2 failed rows?" in text_of(app)
        await press(pilot, "y")
        assert "2 failed rows › Try again" in text_of(app)


@pytest.mark.slow
async def test_the_journal_of_a_run_is_read_by_windows_and_filtered() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "down", "l")
        assert isinstance(app.screen, JournalScreen)
        shown = text_of(app)
        assert "Onboarding drip EMEA › journal  1,200 rows" in shown
        assert "Sent → Responded" in shown
        await press(pilot, "f", "f")
        shown = text_of(app)
        assert "133 rows rejected" in shown
        assert "fill the reason in Salesforce" in shown
        await press(pilot, "escape", "slash")
        await typed(pilot, "email")
        await press(pilot, "enter")
        assert "400 rows" in text_of(app)
        await press(pilot, "escape", "escape")
        assert not isinstance(app.screen, JournalScreen)


async def test_undo_is_a_preview_that_says_first_what_stays() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "down", "u")
        assert isinstance(app.screen, PlanScreen)
        shown = text_of(app)
        assert "Onboarding drip EMEA › Undo manual of 10:46" in shown
        lines = shown.split("\n")
        first = next(number for number, line in enumerate(lines) if "What cannot be undone" in line)
        assert "12 e-mails were sent and stay sent" in lines[first + 1]
        assert first < next(number for number, line in enumerate(lines) if "→ Predictive" in line)
        assert backend.asked[backend.calls.index("plan_undo")]["run"] == "r0041"
        assert "apply" not in backend.calls
        await press(pilot, "escape", "down", "u")
        assert "It wrote nothing" in note(app)


def test_why_a_run_cannot_be_undone() -> None:
    runs = {run.run: run for run in run_views()}
    assert runs_view.no_undo(runs[RunId("r0041")]) == ""
    assert "live" in runs_view.no_undo(replace(runs[RunId("r0041")], state=RunState.RUNNING))
    assert "undone already" in runs_view.no_undo(replace(runs[RunId("r0041")], undone_by=RunId("r0050")))
    assert "wrote nothing" in runs_view.no_undo(runs[RunId("r0037")]), "a simulation"
    assert "No run" in runs_view.no_undo(None)


async def test_a_run_holds_and_goes_on() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "s", "a")
        backend.hold.clear()
        backend.halfway.clear()
        await send(pilot, "y")
        assert isinstance(app, ConsoleApp)
        await half_way(app)
        await press(pilot, "p")
        assert backend.calls.count("pause_run") == 1
        assert "held after the batch under way" in text_of(app)
        await press(pilot, "p")
        assert backend.calls.count("resume_run") == 1
        assert "held after" not in text_of(app)
        backend.hold.set()
        await until(lambda: app.bridge.writing is None, "the run to end")
        await settle(pilot)
        await press(pilot, "p")
        assert "This run has ended" in note(app)


async def test_the_list_of_runs_says_which_filter_is_in_force() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2")
        assert "esc shows all" not in text_of(app)
        await press(pilot, "slash")
        await typed(pilot, "kind:nightly")
        await press(pilot, "enter")
        shown = text_of(app)
        assert f"/ kind:nightly  2 of {len(run_views())}; esc shows all" in shown
        await press(pilot, "slash")
        await typed(pilot, " nobody")
        await press(pilot, "enter")
        shown = text_of(app)
        assert f"0 of {len(run_views())}" in shown
        assert "No run passes the filter." in shown
        assert "No run yet" not in shown
        await press(pilot, "escape")
        assert "esc shows all" not in text_of(app)
        assert isinstance(app.screen, RunsScreen)


def test_runs_are_found_by_field_and_by_what_they_are_not() -> None:
    def found(text: str) -> set[str]:
        return {str(run.run) for run in run_views() if runs_view.matches(run, text)}

    assert found("kind:nightly") == {"r0039", "r0037"}
    assert found("kind:nightly !simulated") == {"r0039"}
    assert found("state:partial campaign:onboarding") == {"r0041"}
    assert found("day:2027-03-07") == {"r0036"}
    assert found("spring launch") == {"r0038", "r0036"}


def test_the_board_marks_and_chooses_rows_of_one_run() -> None:
    rows = [*failed_board(), *(replace(row, run=RunId("r0041")) for row in failed_board() if row.seq < 3)]
    board = Board().with_groups(group_failures(rows))
    group = Place(board.groups[0])
    assert board.selection(group).seqs == tuple(range(1, 15))  # type: ignore[union-attr]
    marked = board.toggled(group)
    chosen = marked.selection(None)
    assert chosen is not None
    assert (chosen.run, len(chosen.seqs), chosen.others) == ("r0042", 14, 2)
    assert marked.toggled(group).marked == frozenset()
    less = marked.with_groups(group_failures(row for row in rows if row.seq > 5))
    assert len(less.marked) == 9, "marks of rows that are gone go with them"
    assert [marked.turned(group).at(number).row is None for number in (0, 1, 17)] == [True, False, True]  # type: ignore[union-attr]
    assert NOW - timedelta(hours=1) == board.groups[0].newest


@pytest.mark.parametrize("width", [60, 76, 80, 92, 104, 120])
@pytest.mark.parametrize("named", [True, False])
def test_a_run_keeps_its_columns_within_the_terminal(width: int, named: bool) -> None:
    one = replace(run_views()[0], owner="box/4026531836:28067:10851", state=RunState.NOTHING_TO_DO)
    head = "".join(text for text, _ in runs_view.head(width, named=named))
    row = "".join(text for text, _ in runs_view.row(one, NOW, width, named=named))
    assert cells(head) < width
    assert cells(row) < width
    assert ("Campaign" in head) is named
    assert ("box:28067" in row) is (width >= (104 if named else 92))
    assert "4026531836" not in row
    detail = "".join(text for text, _ in runs_view.detail(replace(one, error="The org is locked."), width))
    assert detail.startswith("   The org is locked."), "what went wrong comes first"
