"""Timers: which tick is due, who fires it, and what it becomes. A tick fires once, whatever consoles are open.

Imports schedule, settings and the store. Ticks that send mail are never caught up without confirmation; an org that is
read-only simulates.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sync.engine.parts import Parts
from sync.errors import Locked
from sync.ids import RunId
from sync.model import RunKind, RunState
from sync.schedule import Timetable, may_catch_up, parse_time
from sync.store.owner import this_process
from sync.views import RunResult, TimerView

KINDS = (RunKind.NIGHTLY, RunKind.HOURLY)
_SINCE = "timers.since"


def timetable(parts: Parts) -> Timetable:
    """The configured timetable."""
    timers = parts.settings.timers
    return Timetable(timers.hourly_minute, parse_time(timers.nightly))


def views(parts: Parts, now: datetime) -> tuple[TimerView, ...]:
    """Each timer with its next firing, its last one, and what was missed."""
    return tuple(_view(parts, kind, now) for kind in KINDS)


def _view(parts: Parts, kind: RunKind, now: datetime) -> TimerView:
    last = parts.store.schedule.last(kind)
    run = parts.store.runs.get(last.run) if last is not None and last.run is not None else None
    return TimerView(
        kind=kind,
        due=timetable(parts).next_after(kind, now),
        enabled=parts.settings.timers.enabled,
        simulated=parts.read_only,
        paused=parts.store.schedule.paused(),
        last_due=last.due if last is not None else None,
        last_run=last.run if last is not None else None,
        last_state=run.state if run is not None else None,
        missed=missed(parts, kind, now),
    )


def missed(parts: Parts, kind: RunKind, now: datetime) -> tuple[datetime, ...]:
    """Ticks that nobody fired since the timers were first looked at, oldest first."""
    since = _baseline(parts, kind)
    if since is None or not parts.settings.timers.enabled:
        return ()
    fired = {tick.due for tick in parts.store.schedule.fired(kind, since)}
    return tuple(due for due in timetable(parts).missed(kind, since, now) if due not in fired)


def _baseline(parts: Parts, kind: RunKind) -> datetime | None:
    last = parts.store.schedule.last(kind)
    text = parts.store.facts.get(_SINCE)
    marks = [last.due] if last is not None else []
    if text:
        marks.append(datetime.fromisoformat(text))
    return max(marks, default=None)


def due_tick(parts: Parts, now: datetime) -> TimerView | None:
    """The tick that is to be fired now, None when there is none.

    The first look only notes the time: a console that was never open before has missed nothing. Of several missed
    ticks the newest one counts; one that is too late to be caught up by itself stays among the missed ones.
    """
    if not parts.settings.timers.enabled or parts.store.schedule.paused() is not None:
        return None
    if parts.store.facts.get(_SINCE) is None:
        parts.store.facts.set(_SINCE, now.isoformat())
        return None
    for kind in KINDS:
        open_ticks = missed(parts, kind, now)
        if open_ticks and may_catch_up(kind, open_ticks[-1], now, confirmed=False):
            view = _view(parts, kind, now)
            return TimerView(
                kind=kind,
                due=open_ticks[-1],
                enabled=True,
                simulated=view.simulated,
                last_due=view.last_due,
                last_run=view.last_run,
                last_state=view.last_state,
                missed=open_ticks[:-1],
            )
    return None


def fire(parts: Parts, kind: RunKind, due: datetime, batch: Callable[[RunKind, bool], RunResult]) -> RunResult | None:
    """Claim a tick and run it; None when another process has it, or another batch is alive.

    Args:
        batch: runs the batch of a kind, simulated when the second argument is true.
    """
    if not parts.store.schedule.claim(kind, due, this_process()):
        return None
    run: RunId | None = None
    try:
        result = batch(kind, parts.read_only)
        run = result.run
    except Locked:
        return None
    finally:
        parts.store.schedule.finish(kind, due, run)
    return result if result.state is not RunState.RUNNING else None
