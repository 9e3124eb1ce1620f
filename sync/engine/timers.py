"""Timers: which tick is due, who fires it, and what it becomes. A tick fires once, whatever consoles are open.

Imports schedule, settings and the store. Ticks that send mail are never caught up without confirmation; an org that is
read-only simulates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sync.errors import Locked
from sync.ids import RunId
from sync.model import RunKind, RunState
from sync.schedule import Timetable, may_catch_up, parse_time
from sync.settings import OrgSettings
from sync.store.queue import MOST_TRIES
from sync.store.schedule import Tick
from sync.store.store import Store
from sync.views import RunResult, TimerView

KINDS = (RunKind.NIGHTLY, RunKind.HOURLY)
_SINCE = "timers.since"


def timetable_of(settings: OrgSettings) -> Timetable:
    """The configured timetable."""
    timers = settings.timers
    return Timetable(timers.hourly_minute, parse_time(timers.nightly))


def views(store: Store, settings: OrgSettings, now: datetime, *, simulated: bool) -> tuple[TimerView, ...]:
    """Each timer with its next firing, its last one, and what was missed. *simulated*: the org is read-only."""
    workers = len(store.workers.living())
    return tuple(replace(_view(store, settings, kind, now, simulated), workers=workers) for kind in KINDS)


def _view(store: Store, settings: OrgSettings, kind: RunKind, now: datetime, simulated: bool) -> TimerView:
    last = store.schedule.last(kind)
    run = store.runs.get(last.run) if last is not None and last.run is not None else None
    return TimerView(
        kind=kind,
        due=timetable_of(settings).next_after(kind, now),
        enabled=settings.timers.enabled,
        simulated=simulated,
        paused=store.schedule.paused(),
        last_due=last.due if last is not None else None,
        last_run=last.run if last is not None else None,
        last_state=run.state if run is not None else None,
        missed=missed(store, settings, kind, now),
    )


def missed(store: Store, settings: OrgSettings, kind: RunKind, now: datetime) -> tuple[datetime, ...]:
    """Ticks that nobody fired since the timers were first looked at, oldest first."""
    since = _baseline(store, kind)
    if since is None or not settings.timers.enabled:
        return ()
    fired = {tick.due for tick in store.schedule.fired(kind, since)}
    return tuple(due for due in timetable_of(settings).missed(kind, since, now) if due not in fired)


def _baseline(store: Store, kind: RunKind) -> datetime | None:
    last = store.schedule.last(kind)
    text = store.facts.get(_SINCE)
    marks = [last.due] if last is not None else []
    if text:
        marks.append(datetime.fromisoformat(text))
    return max(marks, default=None)


def due_tick(store: Store, settings: OrgSettings, now: datetime, *, simulated: bool) -> TimerView | None:
    """The tick that is to be fired now, None when there is none.

    The first look only notes the time: a console that was never open before has missed nothing. Of several missed
    ticks the newest one counts; one that is too late to be caught up by itself stays among the missed ones.
    """
    if not settings.timers.enabled or store.schedule.paused() is not None:
        return None
    if store.facts.get(_SINCE) is None:
        store.facts.set(_SINCE, now.isoformat())
        return None
    for kind in KINDS:
        open_ticks = missed(store, settings, kind, now)
        if open_ticks and may_catch_up(kind, open_ticks[-1], now, confirmed=False):
            view = _view(store, settings, kind, now, simulated)
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


def left_tick(store: Store, settings: OrgSettings, now: datetime) -> Tick | None:
    """The newest firing whose process died over it and that may be begun anew by itself, None when there is none.

    It may, as long as the tick might have been fired late: a nightly for six hours, one that sends mail for five
    minutes. What is older stays as it is; the next run reads what it left open.
    """
    if not settings.timers.enabled or store.schedule.paused() is not None:
        return None
    for kind in KINDS:
        last = store.schedule.last(kind)
        if last is None or last.tries >= MOST_TRIES or not may_catch_up(kind, last.due, now, confirmed=False):
            continue
        if store.schedule.is_left(last):
            return last
    return None


def fire(
    store: Store, kind: RunKind, due: datetime, batch: Callable[[RunKind], RunResult], *, left: Tick | None = None
) -> RunResult | None:
    """Claim a tick and run it; None when another process has it, or another batch is alive.

    Args:
        batch: runs, or simulates, the batch of a kind.
        left: the firing as its owner left it, to be taken over.
    """
    owner = store.runs.owner
    claimed = store.schedule.claim(kind, due, owner) if left is None else store.schedule.take_over(left, owner)
    if not claimed:
        return None
    run: RunId | None = None
    try:
        result = batch(kind)
        run = result.run
    except Locked:
        return None
    finally:
        store.schedule.finish(kind, due, run, owner)
    return result if result.state is not RunState.RUNNING else None
