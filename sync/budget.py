"""What a run costs, and whether it may be spent: arithmetic of calls, the governor's ladder, caps.

Pure. Salesforce's allowance belongs to the whole org and rolls over 24 hours, so "used" is the org's own figure and
capacity comes back little by little. The service has no such limit; its calls are counted, not governed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sync.model import NO_WRITES, Calls, WriteCost
from sync.plan import Cost
from sync.words import plural

SERVICE_BATCH = 5000
"""Most rows of one ``members:batch`` request."""

NO_CALLS = Calls()
"""Nothing spent."""

POLL_RETRIES = 2
"""Further attempts that one poll may take in the worst case."""


class Gear(StrEnum):
    """How far the governor lets the engine go."""

    NORMAL = "normal"
    WARN = "warn"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Ladder:
    """Shares of the daily limit at which the governor shifts; below ``resume`` a pause or stop ends."""

    warn: float = 0.80
    pause: float = 0.90
    stop: float = 0.95
    resume: float = 0.75

    def gear(self, used: int | None, limit: int | None, before: Gear = Gear.NORMAL) -> Gear:
        """The gear for a meter reading. Unknown meters do not stop anything: the org itself refuses in time.

        Args:
            used, limit: the org's meter.
            before: the gear so far; having paused or stopped, it holds until the meter is below ``resume``.
        """
        if used is None or not limit:
            return Gear.NORMAL
        share = used / limit
        if share >= self.stop:
            return Gear.STOP
        if share >= self.pause:
            return Gear.STOP if before is Gear.STOP else Gear.PAUSE
        if before in (Gear.PAUSE, Gear.STOP) and share >= self.resume:
            return before
        return Gear.WARN if share >= self.warn else Gear.NORMAL


@dataclass(frozen=True, slots=True)
class Meter:
    """The state of the API allowance.

    Attributes:
        used, limit: the org's own figures, None until it told them.
        ours_today: calls of this state in the last 24 hours.
        reserved: calls that other live runs of this state may still make.
        spent: calls that this run made so far.
    """

    used: int | None
    limit: int | None
    ours_today: int = 0
    reserved: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class BudgetVerdict:
    """Whether a run may be afforded. ``figure`` calls are needed, ``limit`` are left."""

    passed: bool
    figure: int
    limit: int | None
    text: str


def judge(
    needed: int,
    meter: Meter,
    ladder: Ladder,
    *,
    daily_cap: int | None = None,
    run_cap: int | None = None,
    before: Gear = Gear.NORMAL,
    essential: bool = False,
) -> BudgetVerdict:
    """Say whether *needed* further Salesforce calls fit.

    Args:
        needed: calls still to be made.
        meter: the org's meter, what is reserved, what was spent.
        ladder: the governor's thresholds; all but essential calls end at ``stop``.
        daily_cap, run_cap: own limits, None for none.
        before: the governor's gear so far.
        essential: opt-outs: neither the governor, nor a cap, nor anybody's reservation holds them back; only the org's
            own limit does.
    """
    bounds: list[tuple[int, str]] = []
    if meter.used is not None and meter.limit:
        told = f"{meter.used:,} of the org's {plural(meter.limit, 'call')} are used"
        if essential:
            bounds.append((max(0, meter.limit - meter.used), told))
        else:
            room = max(0, int(meter.limit * ladder.stop) - meter.used - meter.reserved)
            if needed and ladder.gear(meter.used, meter.limit, before) is Gear.STOP:
                room, told = 0, f"{told}; only opt-outs go on until less than {ladder.resume:.0%} are"
            elif meter.reserved:
                told = f"{told}, {meter.reserved} are reserved by other runs"
            bounds.append((room, told))
    if daily_cap is not None and not essential:
        left = max(0, daily_cap - meter.ours_today - meter.reserved)
        bounds.append((left, f"the cap of {plural(daily_cap, 'call')} a day of this console"))
    if run_cap is not None and not essential:
        bounds.append((max(0, run_cap - meter.spent), f"the cap of {plural(run_cap, 'call')} a run"))
    if not bounds:
        return BudgetVerdict(True, needed, None, f"{plural(needed, 'call')}; the org has not told its limit yet")
    left, why = min(bounds)
    if needed <= left:
        return BudgetVerdict(True, needed, left, f"{plural(needed, 'call')} needed, {left:,} left ({why})")
    return BudgetVerdict(
        False,
        needed,
        left,
        f"{plural(needed, 'call is', 'calls are')} needed and {left:,} {'is' if left == 1 else 'are'} left ({why}). "
        "Wait until older calls age out, narrow the run to fewer campaigns, or allow more with "
        "--allow budget=CALLS --reason TEXT",
    )


TREND = timedelta(hours=3)
"""How far back the meter's own readings tell where it goes."""

LEAST_TREND = timedelta(minutes=30)
"""Readings closer together tell of one run, not of where the meter goes."""

ROLLS = timedelta(hours=24)
"""The meter's window: what is spent now is gone from it by then."""


def reached_at(readings: Sequence[tuple[datetime, int]], limit: int, now: datetime) -> datetime | None:
    """When the limit would be reached if the meter goes on as in the last three hours; None when it does not rise, when
    that is too short a time to tell, or when it lies beyond the window, within which what is spent now ages out.

    Args:
        readings: (instant, calls used) as the org told them, oldest first.
    """
    recent = [(at, used) for at, used in readings if at >= now - TREND]
    if not recent:
        return None
    (start, first), (end, last) = recent[0], recent[-1]
    if last >= limit:
        return now
    if last <= first or end - start < LEAST_TREND:
        return None
    at = end + timedelta(seconds=(limit - last) * (end - start).total_seconds() / (last - first))
    return at if at <= now + ROLLS else None


def service_batches(rows_by_campaign: Iterable[int]) -> int:
    """Requests that writing so many rows per campaign takes."""
    return sum(-(-rows // SERVICE_BATCH) for rows in rows_by_campaign)


def cost(
    spent: Calls,
    *,
    salesforce: WriteCost = NO_WRITES,
    predictive: int = 0,
    after: Calls = NO_CALLS,
    polls: int = 1,
    retries: int = 3,
    seconds: float = 0.0,
    least: int = 0,
) -> Cost:
    """The three figures of a plan.

    Args:
        spent: calls made for reading, included in all three.
        salesforce: calls that the writes will take.
        predictive: requests that the writes to the service will take.
        after: calls for what follows the writes (counting the other side, reading editions).
        polls: how many polls the reads took; the worst case assumes each repeated.
        retries: attempts that one write call may take at most.
        seconds: expected duration.
        least: the fewest calls that could have read what was read.
    """
    writes = salesforce.expected
    predicted = spent + Calls(writes, predictive) + after
    worst = Calls(
        spent.salesforce
        + polls * POLL_RETRIES
        + retries * (salesforce.locked + after.salesforce)
        + (2 if writes else 0),
        spent.predictive + retries * (predictive + after.predictive) + 2,
    )
    reading = min(max(1, least), spent.salesforce)
    bounds = Calls(reading + salesforce.least, min(1, spent.predictive) + min(predictive, predicted.predictive))
    return Cost(predicted=predicted, maximum=worst, lower_bound=bounds, seconds=seconds, spent=spent)
