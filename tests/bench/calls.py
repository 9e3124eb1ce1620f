"""API calls of the runs, counted by the sandbox, beside what each run predicted and the lower bound it stated."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.box import Ran, Sandbox, sandbox
from tests.bench.report import Measure

GROUP = "Salesforce calls"
HOUR = 3_600.0
CONTENTION = 0.3
"""Share of the steps of parallel bulk batches that lose the campaign's lock."""


def line_of(name: str, ran: Ran, most: int | None = None, *, note: str = "") -> Measure:
    """One line: holds when the sandbox counted no more than *most*, and what was predicted within one."""
    predicted = ran.summary["predicted_api_calls"]["salesforce"]
    counted = ran.summary["api_calls"]["salesforce"] == ran.calls
    holds = counted and abs(predicted - ran.calls) <= 1 and (most is None or ran.calls <= most)
    beside = {
        "predicted": [float(predicted)],
        "lower bound": [float(ran.summary["lower_bound_api_calls"]["salesforce"])],
    }
    line = f"≤ {most}, predicted within one" if most is not None else "predicted within one"
    return Measure(GROUP, name, "calls", [float(ran.calls)], line, holds, beside, note or f"{ran.seconds:.1f} s")


def first_sync(members: int, most: int) -> Iterator[Measure]:
    """New Edition, and the manual syncs and the verification that follow it."""
    size = f"{members:,}"
    with sandbox("--campaigns", "1", "--members", str(members)) as box:
        campaign = box.first_campaign()
        yield line_of(f"first sync of {size} members", box.run("new-edition", campaign), most)
        yield from _manual(box, campaign, members)


def first_syncs(members: int, most: int, *, contention: float) -> Iterator[Measure]:
    """New Edition of campaign after campaign: what locks refuse is not known to the first one, found out by the second
    and known to the third."""
    name = f"first sync of {members:,} members"
    how = "with" if contention else "without"
    with sandbox("--campaigns", "3", "--members", str(members)) as box:
        box.control("POST", "/settings", {"lock_contention": contention})
        first, second, third = box.campaigns()
        yield line_of(f"{name} {how} lock contention, never met before", box.run("new-edition", first), most)
        yield line_of(f"the next one {how} it, which finds that out", box.run("new-edition", second), most)
        yield line_of(f"the one after it, {how} lock contention known", box.run("new-edition", third), most)
        box.later(2 * HOUR)
        yield line_of("synchronize after that, nothing changed", box.run("sync", first))


def _manual(box: Sandbox, campaign: str, members: int) -> Iterator[Measure]:
    size = f"{members:,}"
    rows = box.members(campaign)
    box.churn(campaign, rows, members, removals=False)
    yield line_of(f"1 % of {size} changed, no removals, right after the first sync", box.run("sync", campaign), 5)
    box.churn(campaign, rows, members, removals=True)
    yield line_of(f"1 % of {size} changed, with removals, right after it", box.run("sync", campaign), 10)
    box.later(2 * HOUR)
    yield line_of(f"synchronize {size}, nothing changed, two hours later", box.run("sync", campaign))
    box.later(2 * HOUR)
    rows = box.members(campaign)
    box.churn(campaign, rows, members, removals=False)
    yield line_of(f"1 % of {size} changed, no removals", box.run("sync", campaign), 5)
    box.later(2 * HOUR)
    box.churn(campaign, rows[: members // 2], members, removals=True)
    yield line_of(f"1 % of {size} changed, with removals", box.run("sync", campaign), 10)
    yield line_of(f"verify {size} members", box.run("verify", campaign))


def measures() -> Iterator[Measure]:
    """One campaign: small and large, with and without lock contention."""
    yield from first_sync(10_000, 12)
    yield from first_sync(100_000, 20)
    yield from first_syncs(100_000, 20, contention=0.0)
    yield from first_syncs(100_000, 30, contention=CONTENTION)
