"""A simulated batch beside the last real one, and instants as people type them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from console.present import Line, count, crop_line, fit, since
from sync.model import RunKind
from sync.schedule import foreseeable, foreseen_at
from sync.views import RunView

_CLOCK = re.compile(r"(?:(today|tomorrow)\s+)?(\d{1,2}):(\d{2})", re.IGNORECASE)
_AHEAD = re.compile(r"\+\s*(\d+)\s*(m|h|d)", re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


_FIGURES: tuple[tuple[str, Callable[[RunView], int]], ...] = (
    ("e-mails", lambda run: run.counts.mails_released or run.counts.mails_sent),
    ("members added", lambda run: run.counts.added),
    ("members removed", lambda run: run.counts.removed),
    ("members changed", lambda run: run.counts.changed),
    ("rows → Predictive", lambda run: run.counts.predictive_rows),
    ("rows → Salesforce", lambda run: run.counts.salesforce_rows),
    ("Salesforce calls", lambda run: (run.predicted if run.simulated else run.calls).salesforce),
)


def instant_of(text: str, now: datetime) -> datetime | None:
    """The instant that *text* names, in UTC: ISO 8601, ``HH:MM`` (the next one), ``tomorrow HH:MM``, ``+3h``; None when
    it names none."""
    text = text.strip()
    if ahead := _AHEAD.fullmatch(text):
        try:
            return foreseeable(now + timedelta(**{_UNITS[ahead[2].lower()]: int(ahead[1])}))
        except (ValueError, OverflowError):
            return None
    if clock := _CLOCK.fullmatch(text):
        hour, minute = int(clock[2]), int(clock[3])
        if hour > 23 or minute > 59:
            return None
        at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        day = (clock[1] or "").lower()
        return at + timedelta(days=day == "tomorrow" or (not day and at <= now))
    try:
        return foreseen_at(text)
    except ValueError:
        return None


def last_of(runs: Iterable[RunView], kind: RunKind, *, simulated: bool) -> RunView | None:
    """The newest ended batch of this kind, real or simulated."""
    return next(
        (
            run
            for run in runs
            if run.kind is kind and run.simulated is simulated and run.parent is None and run.state.ended
        ),
        None,
    )


def compare_lines(simulated: RunView | None, real: RunView | None, now: datetime, width: int) -> tuple[Line, ...]:
    """What the simulation says beside what the last real run of the kind did; nothing without either."""
    if simulated is None and real is None:
        return ()

    def title(run: RunView | None, word: str) -> str:
        return f"{word}, {since(run.started, now)}" if run else f"{word}: none yet"

    name, figure_width = (20, 24) if width >= 76 else (17, (width - 22) // 2)
    last = "last real" if width >= 76 else "real"
    lines: list[Line] = [
        (
            ("   ", ""),
            (fit("", name), ""),
            (fit(title(simulated, "simulated"), figure_width, "right"), "head"),
            (fit(title(real, last), figure_width, "right"), "head"),
        )
    ]
    for label, of in _FIGURES:
        figures = [None if run is None else of(run) for run in (simulated, real)]
        if any(figures) or label == "Salesforce calls":
            first, second = (fit(count(figure), figure_width, "right") for figure in figures)
            lines.append((("   ", ""), (fit(label, name), "dim"), (first, ""), (second, "")))
    return tuple(crop_line(line, width) for line in lines)
