"""What changed between two looks at the store that a person should be told: trouble, and its end. Pure.

An alert is a change of state, so it comes once; what stays as it is says nothing. The first look after the console was
opened tells nothing either: the overview shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.viewstate import Shared
from sync.model import RunState
from sync.views import CampaignView, LimitsView
from sync.words import plural

_BAD = (RunState.FAILED, RunState.PARTIAL, RunState.REFUSED)
_GOOD = (RunState.DONE, RunState.NOTHING_TO_DO)
_TOLD = ("locked", "paused")
"""Warnings that are no alert of their own: a lock is told above, a pause is what somebody just did, with a note."""
_LEVELS = (0.95, 0.9, 0.8)


@dataclass(frozen=True, slots=True)
class Alert:
    """One change: ``good`` when something is well again."""

    text: str
    good: bool = False


def alerts(before: Shared, after: Shared) -> tuple[Alert, ...]:
    """What changed for the worse, then what recovered."""
    if before.org != after.org or not before.loaded:
        return ()
    found = list(_store(before, after))
    if after.loaded:
        known = {view.campaign.id: view for view in before.campaigns}
        for view in after.campaigns:
            old = known.get(view.campaign.id)
            if old is not None:
                found += _campaign(old, view)
        found += _meter(before.limits, after.limits)
        found += _missed(before, after)
    return tuple(sorted(found, key=lambda alert: alert.good))


def _store(before: Shared, after: Shared) -> Iterator[Alert]:
    if after.trouble and not before.trouble:
        yield Alert(f"The store cannot be read: {after.trouble}")
    elif before.trouble and not after.trouble:
        yield Alert("The store can be read again.", good=True)


def _campaign(old: CampaignView, new: CampaignView) -> Iterator[Alert]:
    name = new.campaign.name
    if new.locked and not old.locked:
        yield Alert(f"{name} is locked: {new.locked}")
    elif old.locked and not new.locked:
        yield Alert(f"{name} is unlocked.", good=True)
    if new.last_run != old.last_run and new.last_state is not old.last_state:
        if new.last_state in _BAD:
            note = f", {new.last_note}" if new.last_note else ""
            yield Alert(f"{name}: last run {new.last_state.value}{note}.")
        elif old.last_state in _BAD and new.last_state in _GOOD:
            yield Alert(f"{name}: last run {new.last_state.value}, it is well again.", good=True)
    had, has = (
        {warned.code: warned.text for warned in view.warnings if warned.code not in _TOLD} for view in (old, new)
    )
    for code in has.keys() - had.keys():
        yield Alert(f"{name}: {has[code]}")
    if had and not has and not new.locked:
        yield Alert(f"{name} needs nobody any more.", good=True)


def level(limits: LimitsView | None) -> float:
    """The highest threshold that the meter passed; 0 for none."""
    if limits is None or limits.used is None or not limits.limit:
        return 0.0
    share = limits.used / limits.limit
    return next((each for each in _thresholds(limits) if share >= each), 0.0)


def _thresholds(limits: LimitsView) -> tuple[float, ...]:
    found = tuple(sorted((at for name, at in limits.thresholds if name != "resume"), reverse=True))
    return found or _LEVELS


def _meter(old: LimitsView | None, new: LimitsView | None) -> Iterator[Alert]:
    was, now = level(old), level(new)
    if now > was:
        yield Alert(f"API calls passed {now:.0%} of the org's limit; 4 shows the meter.")
    elif was and not now:
        yield Alert("API calls are below every threshold again.", good=True)


def _missed(before: Shared, after: Shared) -> Iterator[Alert]:
    had = {(timer.kind, at) for timer in before.timers for at in timer.missed}
    new = [at for timer in after.timers for at in timer.missed if (timer.kind, at) not in had]
    if new:
        yield Alert(f"{plural(len(new), 'tick')} missed; 3 shows the schedule.")
