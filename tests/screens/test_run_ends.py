"""What a run says when it ended: only what is true of who took part."""

from __future__ import annotations

import pytest

from console.screens.run_view import end_lines
from console.viewstate import RunProgress, replayed
from sync import events as told
from sync.events import Body, Event
from sync.ids import RunId
from sync.model import Calls, RunKind, RunState
from sync.plan import PlanCounts
from tests.screens.made import NOW, campaign_id

ROOT = RunId("batch")


def ended(kind: RunKind, state: RunState, *parts: str, simulated: bool = False) -> RunProgress:
    """A batch that changed nothing; of *parts* those after ``-`` were left out."""
    bodies: list[Body] = [told.RunStarted(ROOT, kind, None, None, None, simulated)]
    for number, name in enumerate(parts):
        ident, child = campaign_id(number), RunId(f"part{number}")
        if name.startswith("-"):
            bodies.append(told.CampaignSkipped(ROOT, ident, name[1:], "closed: costs nothing here", 2))
        else:
            bodies.append(told.RunStarted(child, kind, ident, name, ROOT, simulated))
            bodies.append(told.RunEnded(child, state, PlanCounts(), Calls(), 1.0))
    bodies.append(told.RunEnded(ROOT, state, PlanCounts(), Calls(2, 1), 3.0))
    return replayed("Batch", [Event(number, NOW, body) for number, body in enumerate(bodies)])


NOTHING = RunState.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (ended(RunKind.NIGHTLY, NOTHING, "Spring", "Autumn"), "nothing to do: both sides agree."),
        (ended(RunKind.NIGHTLY, NOTHING, "Spring", "-Old"), "both sides agree in 1 campaign, 1 was left out."),
        (ended(RunKind.NIGHTLY, NOTHING, "-Old", "-Older"), "all 2 campaigns were left out, nothing was compared."),
        (ended(RunKind.NIGHTLY, NOTHING, "-Old"), "Old was left out: closed: costs nothing here."),
        (ended(RunKind.NIGHTLY, NOTHING), "no campaign takes part."),
        (ended(RunKind.HOURLY, NOTHING, "Spring"), "no e-mail is due and no activity is new."),
        (ended(RunKind.REFRESH, NOTHING, "Spring"), "level and reason are as they were."),
        (ended(RunKind.NIGHTLY, RunState.CANCELLED, "Spring"), "cancelled: nothing was written."),
        (ended(RunKind.NIGHTLY, RunState.REFUSED, "Spring"), "refused: nothing was written."),
        (ended(RunKind.NIGHTLY, RunState.FAILED), "failed: nothing was written."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_run_that_changed_nothing_says_what_is_true(run: RunProgress, said: str) -> None:
    words = "".join(text for line in end_lines(run, None, 120) for text, _ in line)
    assert said in words
    assert ("both sides agree" in words) is ("both sides agree" in said)


@pytest.mark.parametrize(
    ("kind", "state", "simulated", "said"),
    [
        (RunKind.PLAN, NOTHING, False, "nothing to do: 19 rows planned; a plan writes none of them."),
        (RunKind.MANUAL, RunState.DONE, False, "done: 2 rows written."),
        (RunKind.NIGHTLY, RunState.CANCELLED, False, "cancelled: 2 rows written."),
        (RunKind.NIGHTLY, RunState.DONE, True, "done: 2 rows would be written."),
    ],
    ids=str,
)
def test_rows_of_no_member_are_told_too(kind: RunKind, state: RunState, simulated: bool, said: str) -> None:
    planned = PlanCounts(added=3, salesforce_rows=6, predictive_rows=13)
    wrote = PlanCounts() if kind is RunKind.PLAN else PlanCounts(salesforce_rows=1, predictive_rows=1)
    bodies: list[Body] = [
        told.RunStarted(ROOT, kind, campaign_id(1), "Spring", None, simulated),
        told.PlanMade(ROOT, "p1", planned, Calls(2, 1), Calls(2, 1), Calls(2, 1)),
        told.RunEnded(ROOT, state, wrote, Calls(2, 1), 3.0),
    ]
    run = replayed("Spring", [Event(number, NOW, body) for number, body in enumerate(bodies)])
    words = "".join(text for line in end_lines(run, None, 120) for text, _ in line)
    assert said in words
    assert "agree" not in words


def test_a_simulation_that_left_all_out_claims_no_agreement() -> None:
    run = ended(RunKind.NIGHTLY, NOTHING, "-Old", "-Older", simulated=True)
    words = " ".join(text for line in end_lines(run, None, 80) for text, _ in line)
    assert "agree" not in words
    assert "left out" in words
    assert "Nothing was written and nothing was sent." in words
