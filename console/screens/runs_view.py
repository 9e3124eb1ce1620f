"""Runs of the past as lines. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from console.present import Line, ago, calls, changes, count, crop, fit, lasting, run_state
from sync.model import RunKind, RunState
from sync.views import RunView


@dataclass(frozen=True, slots=True)
class _Columns:
    """Cells of each column; 0 leaves it out."""

    when: int
    kind: int
    campaign: int
    state: int
    members: int
    calls: int
    took: int
    by: int


def _columns(width: int, named: bool) -> _Columns:
    """What fits; where all runs are of one campaign, its name makes room for how long they took and who ran them."""
    if width < 76:
        return _Columns(10, 12, width - 51 if named else 0, 12, 11, 0 if named else 5, 0, 0)
    took = 9 if width >= (104 if named else 76) else 0
    by = 16 if width >= (104 if named else 92) else 0
    campaign = max(14, min(40, width - (64 if not took else 92))) if named else 0
    return _Columns(10, 13, campaign, 16, 14, 5, took, by)


def head(width: int, *, named: bool = True) -> Line:
    """Titles; without the campaign's where all rows are of one."""
    to = _columns(width, named)
    cells = (
        ("When", to.when, "left"),
        ("Run", to.kind, "left"),
        ("Campaign", to.campaign, "left"),
        ("State", to.state, "left"),
        ("Members", to.members, "left"),
        ("Calls", to.calls, "right"),
        ("Took", to.took, "right"),
        ("  By", to.by, "left"),
    )
    return (("   ", ""), *((fit(title, size, side), "head") for title, size, side in cells if size))


def row(run: RunView, now: datetime, width: int, *, named: bool = True) -> Line:
    """One run."""
    to = _columns(width, named)
    glyph, word, tone = run_state(run.state)
    took = lasting((run.ended - run.started).total_seconds()) if run.ended else "–"
    kind = f"{run.kind.value}{' sim.' if run.simulated else ''}"
    # Narrow lists have no room for "nothing to do".
    word = word.partition(" to ")[0] if to.state < 16 else word
    cells = (
        (ago(run.started, now), to.when, "left", ""),
        (kind if len(kind) < to.kind else crop(kind.rstrip("."), to.kind - 1), to.kind, "left", "dim"),
        (crop(run.campaign_name or "all", to.campaign - 1), to.campaign, "left", "" if run.campaign_name else "dim"),
        (glyph, 2, "left", tone),
        (word, to.state - 2, "left", ""),
        (crop(changes(run.counts), to.members - 1), to.members, "left", ""),
        (count(run.calls.salesforce), to.calls, "right", "dim"),
        (took, to.took, "right", "dim"),
        (f"  {run.by}", to.by, "left", "dim"),
    )
    return (("   ", ""), *((fit(text, size, side), how) for text, size, side, how in cells if size))


_FIELDS: dict[str, Callable[[RunView], str]] = {
    "kind": lambda run: run.kind.value + (" simulated" if run.simulated else ""),
    "state": lambda run: run.state.value,
    "campaign": lambda run: run.campaign_name or "all",
    "by": lambda run: run.by,
    "day": lambda run: f"{run.started:%Y-%m-%d}",
}


def matches(run: RunView, text: str) -> bool:
    """True when the run has every word: in its campaign, kind, state, owner, day or id; ``field:value`` looks in one of
    them, ``!`` before either means not."""
    body = " ".join((*(have(run) for have in _FIELDS.values()), run.run)).casefold()
    for word in text.casefold().split():
        negated = word.startswith("!") and len(word) > 1
        word = word[1:] if negated else word
        name, colon, value = word.partition(":")
        found = value in _FIELDS[name](run).casefold() if colon and name in _FIELDS else word in body
        if found == negated:
            return False
    return True


def no_undo(run: RunView | None) -> str:
    """Why a run cannot be undone; "" when it can."""
    if run is None:
        return "No run is chosen."
    if run.state is RunState.RUNNING:
        return "It is still live; c stops it."
    if run.undone_by is not None:
        return f"It was undone already, by run {run.undone_by}."
    counts = run.counts
    people = counts.added + counts.removed + counts.changed
    wrote = counts.salesforce_rows + counts.predictive_rows + people + counts.editions_created
    if run.simulated or run.kind in (RunKind.PLAN, RunKind.VERIFY) or not wrote:
        return "It wrote nothing."
    return ""


def detail(run: RunView | None, width: int) -> Line:
    """The run under the cursor in full."""
    if run is None:
        return ()
    said = run.error or calls(run.calls)
    undone = " · undone" if run.undone_by else f" · undoes {run.undoes}" if run.undoes else ""
    words = f"{said}{undone} · {run.started:%Y-%m-%d %H:%M:%S} UTC · {run.run} · {run.by}"
    return (("   ", ""), (crop(words, width - 4), "dim"))


def teaching() -> tuple[Line, ...]:
    """What an empty history says."""
    return (
        (("   No run yet.", "strong"),),
        (),
        (("   Each run is kept here with what it changed, its calls and its journal, to be replayed.", "dim"),),
        (
            ("   ", ""),
            ("esc", "key"),
            (" back; ", "dim"),
            ("n", "key"),
            (" New Edition or ", "dim"),
            ("s", "key"),
            (" Synchronize makes the first.", "dim"),
        ),
    )
