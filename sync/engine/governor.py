"""The governor: one budget of Salesforce calls for all runs and all processes that share this state.

Imports the pure core and the store. The org's meter is the whole org's; a run asks before it spends, what it may spend
is set aside until it has spent it or ended, and the gear is kept in the store, so that a stop holds in every process
until the meter is below the threshold of resuming. Opt-outs are asked about, never held back.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial

from sync.budget import BudgetVerdict, Gear, Ladder, Meter, judge
from sync.engine.gate import Choice
from sync.engine.live import LiveRun
from sync.engine.parts import Parts
from sync.errors import QuotaExhausted, Refused
from sync.guard import BUDGET
from sync.plan import GuardVerdict
from sync.settings import OrgSettings
from sync.store.facts import GOVERNOR
from sync.store.store import Store
from sync.words import plural

ASK_AFTER = timedelta(hours=1)
"""What the org said longer ago refuses no run: the org is asked anew, for one call."""

_SAID = {
    Gear.WARN: "the org has used more than {warn:.0%} of its calls",
    Gear.PAUSE: "the org has used more than {pause:.0%} of its calls: statistics and the nightly check of ids wait",
    Gear.STOP: "the org has used more than {stop:.0%} of its calls: everything but opt-outs stops until less than "
    "{resume:.0%} are used",
}


def meter_of(parts: Parts, *, reserved: int | None = None, spent: int = 0) -> Meter:
    """The API allowance as last told; *reserved* by other runs, by all live ones when None."""
    ledger = parts.store.ledger
    told = ledger.told()
    held = parts.store.reservations.outstanding() if reserved is None else reserved
    ours = ledger.ours()
    if told is None:
        return Meter(None, None, ours, held, spent)
    # The org's header may lag behind; less than we made ourselves it cannot have counted.
    return Meter(max(told.used, ours), told.limit, ours, held, spent)


def ladder_from(settings: OrgSettings) -> Ladder:
    """The governor's thresholds from the settings."""
    budget = settings.budget
    return Ladder(warn=budget.warn, pause=budget.pause, stop=budget.stop, resume=budget.resume)


def ladder_of(parts: Parts) -> Ladder:
    """The same of a run's settings."""
    return ladder_from(parts.settings)


def kept_gear_of(store: Store) -> Gear:
    """The gear that the store keeps: the last that anybody shifted to."""
    return Gear(store.facts.get(GOVERNOR) or Gear.NORMAL.value)


def kept_gear(parts: Parts) -> Gear:
    """The same of a run's store."""
    return kept_gear_of(parts.store)


def shift(parts: Parts, live: LiveRun | None = None) -> Gear:
    """The gear by the meter as last told and the gear before; kept, and said in the run where it is a new one."""
    told = parts.store.ledger.told()
    used, limit = (told.used, told.limit) if told is not None else (None, None)
    ladder = ladder_of(parts)
    with parts.store.transaction():
        before = kept_gear(parts)
        gear = ladder.gear(used, limit, before)
        if gear is not before:
            parts.store.facts.set(GOVERNOR, gear.value)
    if live is not None and gear is not before and gear in _SAID:
        text = _SAID[gear].format(warn=ladder.warn, pause=ladder.pause, stop=ladder.stop, resume=ladder.resume)
        live.note(f"{text} ({used} of {limit})", level="warning")
    return gear


def check_budget(live: LiveRun, needed: int, choice: Choice, *, essential: bool = False) -> GuardVerdict | None:
    """Whether *needed* further calls may be spent; sets them aside. The refusing verdict, or None.

    From here on the run is watched: should others use the org up meanwhile, it ends between two calls, partial.
    """
    parts = live.parts
    shift(parts, live)
    free = essential or choice.allow.get(BUDGET, -1) >= needed
    verdicts: list[BudgetVerdict] = []

    def fits(reserved: int, spent: int) -> bool:
        verdict = _judged(parts, needed, meter_of(parts, reserved=reserved, spent=spent), essential=essential)
        verdicts.append(verdict)
        return verdict.passed or free

    granted = parts.store.reservations.reserve(live.lease, needed, fits)
    if not granted and _is_old(parts):
        # Where all calls stopped, nothing tells any more that the meter went down: one call asks.
        with suppress(QuotaExhausted):
            parts.org.list_campaigns()
        shift(parts, live)
        granted = parts.store.reservations.reserve(live.lease, needed, fits)
    if not granted:
        verdict = verdicts[-1]
        return GuardVerdict(BUDGET, False, verdict.figure, verdict.limit or 0, verdict.text)
    if free:
        live.watch, live.afford = _at_will, _any_number
    else:
        live.watch, live.afford = partial(_watch, live), partial(_afford, live, choice)
    return None


def _at_will() -> None:
    """Nobody stops what an operator let through, nor opt-outs."""


def _any_number(_calls: int) -> None:
    """The same of what a read turns out to need."""


def _is_old(parts: Parts) -> bool:
    told = parts.store.ledger.told()
    return told is not None and parts.clock.now() - told.at > ASK_AFTER


def foresee(parts: Parts, needed: int) -> BudgetVerdict:
    """Whether so many calls could be spent now; nothing is set aside."""
    return _judged(parts, needed, meter_of(parts), essential=False)


def _judged(parts: Parts, needed: int, meter: Meter, *, essential: bool) -> BudgetVerdict:
    budget = parts.settings.budget
    return judge(
        needed,
        meter,
        ladder_of(parts),
        daily_cap=budget.daily_cap,
        run_cap=budget.run_cap,
        before=kept_gear(parts),
        essential=essential,
    )


def _afford(live: LiveRun, choice: Choice, calls: int) -> None:
    """Calls that a read turned out to need. Raises Refused when they do not fit: nothing was written yet."""
    stopped = check_budget(live, calls, choice)
    if stopped is not None:
        live.guarded((stopped,))
        raise Refused(stopped.text, rule=BUDGET)


def _watch(live: LiveRun) -> None:
    """Raises QuotaExhausted when the meter has passed the stop although the run's calls were set aside: others, outside
    this state, used them."""
    told = live.parts.store.ledger.told()
    if told is None:
        return
    used, limit = told.used, told.limit
    ladder = ladder_of(live.parts)
    # The last call that a run was granted may bring the meter to the line; only what is beyond it is others' doing.
    if not limit or used <= int(limit * ladder.stop):
        return
    shift(live.parts, live)
    raise QuotaExhausted(
        f"the run was stopped by its budget: {used:,} of the org's {plural(limit, 'call')} are used",
        left_undone="rows not yet written stay planned, nothing is lost",
        remedy=f"run it again when less than {ladder.resume:.0%} are used; opt-outs go on meanwhile",
    )
