"""Runs of the past as lines. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from console.present import Line, ago, changes, count, crop, fit, lasting, run_state
from sync.model import RunKind, RunState
from sync.views import RunView


def _name_width(width: int) -> int:
    return max(14, min(40, width - (64 if width < 100 else 88)))


def head(width: int) -> Line:
    """Titles."""
    line = [
        ("   ", ""),
        (fit("When", 10), "head"),
        (fit("Run", 13), "head"),
        (fit("Campaign", _name_width(width)), "head"),
        ("  ", ""),
        (fit("State", 16), "head"),
        (fit("Members", 14), "head"),
        (fit("Calls", 5, "right"), "head"),
    ]
    if width >= 100:
        line += [(fit("Took", 9, "right"), "head"), ("  ", ""), (fit("By", 12), "head")]
    return tuple(line)


def row(run: RunView, now: datetime, width: int) -> Line:
    """One run."""
    glyph, word, tone = run_state(run.state)
    kind = f"{run.kind.value}{' sim.' if run.simulated else ''}"
    line = [
        ("   ", ""),
        (fit(ago(run.started, now), 10), ""),
        (fit(kind, 13), "dim"),
        (fit(run.campaign_name or "all", _name_width(width)), "" if run.campaign_name else "dim"),
        ("  ", ""),
        (glyph + " ", tone),
        (fit(word, 14), ""),
        (fit(changes(run.counts), 14), ""),
        (fit(count(run.calls.salesforce), 5, "right"), "dim"),
    ]
    if width >= 100:
        took = lasting((run.ended - run.started).total_seconds()) if run.ended else "–"
        line += [(fit(took, 9, "right"), "dim"), ("  ", ""), (crop(run.owner, 12), "dim")]
    return tuple(line)


_FIELDS: dict[str, Callable[[RunView], str]] = {
    "kind": lambda run: run.kind.value + (" simulated" if run.simulated else ""),
    "state": lambda run: run.state.value,
    "campaign": lambda run: run.campaign_name or "all",
    "by": lambda run: run.owner,
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
    said = run.error or f"{run.calls.salesforce} calls, {run.calls.predictive} requests"
    undone = " · undone" if run.undone_by else f" · undoes {run.undoes}" if run.undoes else ""
    words = f"{run.run} · {run.started:%Y-%m-%d %H:%M:%S} UTC · {run.owner} · {said}{undone}"
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
