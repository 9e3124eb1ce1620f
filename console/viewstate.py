"""What the screens show, as immutable values, and the pure functions that change them.

Pure. A screen holds one of these, replaces it when something happens, and paints it; the same journal always gives the
same state and the same frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from console.filters import matches
from console.orders import ordered
from sync.model import Calls, RunKind, RunState
from sync.views import CampaignResult, CampaignView, LimitsView, PulseView, TimerView

if TYPE_CHECKING:
    # Events are loaded by the functions that read them: the first frame is painted before there are any.
    from sync.events import (
        Event,
        Guarded,
        Noted,
        Phase,
        PhaseEnded,
        PhaseStarted,
        PlanMade,
        Progress,
        RowFailed,
        RunEnded,
        RunStarted,
    )
    from sync.plan import PlanCounts

# ---------------------------------------------------------------- shared by all screens


@dataclass(frozen=True, slots=True)
class Shared:
    """What the two lines on top need: the same on every screen.

    ``loaded`` is False until the store was read; until then the figures are those of the last view or none.
    """

    org: str
    mode: str
    now: datetime
    limits: LimitsView | None = None
    timers: tuple[TimerView, ...] = ()
    campaigns: tuple[CampaignView, ...] = ()
    pulse: PulseView | None = None
    loaded: bool = False
    trouble: str = ""


def needing(campaigns: Iterable[CampaignView]) -> int:
    """How many campaigns need a person."""
    return sum(bool(view.warnings or view.locked) for view in campaigns)


# ---------------------------------------------------------------- overview


@dataclass(frozen=True, slots=True)
class OverviewState:
    """Filter, order, the campaign under the cursor and the marked ones (ids)."""

    text: str = ""
    order: str = "attention"
    reverse: bool = False
    chosen: str = ""
    marked: frozenset[str] = frozenset()


def visible(state: OverviewState, campaigns: Sequence[CampaignView]) -> tuple[CampaignView, ...]:
    """The campaigns that pass the filter, in order."""
    kept = [view for view in campaigns if matches(view, state.text)]
    return ordered(kept, state.order, reverse=state.reverse)


# ---------------------------------------------------------------- a run


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of a run: rows done of those expected, and calls spent; ``ended`` once it is over."""

    done: int = 0
    total: int | None = None
    calls: Calls = Calls()
    ended: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run as its events tell it so far; a batch adds up its children.

    ``steps`` is keyed by (run, step). ``first`` and ``last`` are the instants of the first and newest event. ``parts``
    are the campaigns of a batch that ended or were left out.
    """

    title: str = ""
    root: str = ""
    kind: RunKind | None = None
    simulated: bool = False
    first: datetime | None = None
    last: datetime | None = None
    steps: tuple[tuple[tuple[str, Phase], StepState], ...] = ()
    children: tuple[RunStarted, ...] = ()
    parts: tuple[CampaignResult, ...] = ()
    failures: tuple[RowFailed, ...] = ()
    failed_rows: int = 0
    guards: tuple[Guarded, ...] = ()
    notes: tuple[Noted, ...] = ()
    plan: PlanMade | None = None
    end: RunEnded | None = None
    error: str = ""
    spent: Calls = field(default_factory=Calls)

    @property
    def live(self) -> bool:
        """True until the run as a whole ended."""
        return self.end is None and not self.error

    def step(self, phase: Phase) -> StepState | None:
        """One step over the run and all its children; None when it never began."""
        found = [step for (_, at), step in self.steps if at is phase]
        if not found:
            return None
        known = [step.total for step in found if step.total is not None]
        return StepState(
            done=sum(step.done for step in found),
            total=sum(known) if len(known) == len(found) else None,
            calls=sum((step.calls for step in found), Calls()),
            ended=all(step.ended for step in found),
            text=found[-1].text if len(found) == 1 else "",
        )

    @property
    def current(self) -> Phase | None:
        """The step under way, the last one when several are."""
        from sync.events import Phase

        return next((phase for phase in reversed(Phase) if (step := self.step(phase)) and not step.ended), None)


MOST_FAILURES = 500
"""Rows kept for the list; the count goes on beyond it."""


def told(run: RunProgress, event: Event) -> RunProgress:
    """*run* after *event*."""
    from sync.events import (
        CampaignSkipped,
        Guarded,
        Noted,
        PhaseEnded,
        PhaseStarted,
        PlanMade,
        Progress,
        RowFailed,
        RunEnded,
        RunStarted,
    )
    from sync.plan import PlanCounts

    body = event.body
    run = replace(run, first=run.first or event.at, last=event.at)
    match body:
        case RunStarted():
            if run.root:
                return replace(run, children=(*run.children, body))
            return replace(run, root=body.run, kind=body.kind, simulated=body.simulated)
        case PhaseStarted() | Progress() | PhaseEnded():
            return _stepped(run, body)
        case PlanMade():
            return replace(run, plan=body)
        case Guarded():
            return replace(run, guards=(*run.guards, body))
        case RowFailed():
            kept = run.failures if len(run.failures) >= MOST_FAILURES else (*run.failures, body)
            return replace(run, failures=kept, failed_rows=run.failed_rows + 1)
        case CampaignSkipped():
            left_out = CampaignResult(
                body.campaign_id, body.name, None, PlanCounts(), skipped=body.why, saved_calls=body.saved_calls
            )
            return replace(run, parts=(*run.parts, left_out))
        case Noted():
            return replace(run, notes=(*run.notes[-49:], body))
        case RunEnded():
            return replace(run, end=body) if body.run == run.root else _part_ended(run, body)


def _part_ended(run: RunProgress, end: RunEnded) -> RunProgress:
    """A campaign's part ended; that of one that was left out after it began ends, too, and stays left out."""
    began = next((child for child in run.children if child.run == end.run), None)
    if began is None or began.campaign_id is None:
        return run
    if any(part.campaign_id == began.campaign_id for part in run.parts):
        return run
    name = began.campaign_name or began.campaign_id
    part = CampaignResult(began.campaign_id, name, end.state, end.counts, error=end.error, run=end.run)
    return replace(run, parts=(*run.parts, part))


def _stepped(run: RunProgress, body: PhaseStarted | Progress | PhaseEnded) -> RunProgress:
    from sync.events import PhaseEnded, PhaseStarted, Progress

    steps = dict(run.steps)
    key = (str(body.run), body.phase)
    old = steps.get(key, StepState())
    match body:
        case PhaseStarted():
            new = StepState(total=body.total)
        case Progress():
            new = replace(old, done=body.done, total=old.total if body.total is None else body.total, calls=body.calls)
        case PhaseEnded():
            new = replace(old, done=body.done, calls=body.calls, ended=True, text=body.text)
    steps[key] = new
    return replace(run, steps=tuple(steps.items()))


def replayed(title: str, events: Iterable[Event]) -> RunProgress:
    """The state that a journal gives."""
    run = RunProgress(title=title)
    for event in events:
        run = told(run, event)
    return run


def ended_early(run: RunProgress, error: str) -> RunProgress:
    """*run* when its thread ended with an error and no ``RunEnded`` told so."""
    return run if run.end else replace(run, error=error)


def closed_with(run: RunProgress, state: RunState, counts: PlanCounts, calls: Calls, seconds: float) -> RunProgress:
    """*run* with the end that its result names, when the events did not bring one."""
    if run.end is not None or run.error:
        return run
    from sync.events import RunEnded
    from sync.ids import RunId

    return replace(run, end=RunEnded(RunId(run.root), state, counts, calls, seconds))
