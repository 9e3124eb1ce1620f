"""API calls of the runs, counted by the sandbox, beside what each run predicted and the lower bound it stated."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.box import Ran, Sandbox, sandbox
from tests.bench.report import Measure

GROUP = "Salesforce calls"
HOUR = 3_600.0
CONTENTION = 0.3
"""Share of the steps of parallel bulk batches that lose the campaign's lock."""


def line_of(name: str, ran: Ran, most: int | None = None, *, note: str = "", exact: bool = True) -> Measure:
    """One line: holds when the sandbox counted no more than *most*, and what was predicted within one; not *exact*: no
    more than the plan named as the most."""
    predicted = ran.summary["predicted_api_calls"]["salesforce"]
    counted = ran.summary["api_calls"]["salesforce"] == ran.calls
    named = ran.summary["predicted_api_calls_max"]["salesforce"]
    within = abs(predicted - ran.calls) <= 1 if exact else ran.calls <= named
    holds = counted and within and (most is None or ran.calls <= most)
    beside = {
        "predicted": [float(predicted)],
        **({} if exact else {"named as the most": [float(named)]}),
        "lower bound": [float(ran.summary["lower_bound_api_calls"]["salesforce"])],
    }
    line = f"≤ {most}" if most is not None else ""
    line = ", ".join(part for part in (line, "predicted within one" if exact else "≤ what the plan named") if part)
    return Measure(GROUP, name, "calls", [float(ran.calls)], line, holds, beside, note or f"{ran.seconds:.1f} s")


def first_sync(members: int, most: int, *, contention: float = 0.0) -> Iterator[Measure]:
    """New Edition, and with locks left alone the manual syncs and the verification that follow it."""
    size = f"{members:,}"
    with sandbox("--campaigns", "2" if contention else "1", "--members", str(members)) as box:
        campaign = box.first_campaign()
        if contention:
            box.control("POST", "/settings", {"lock_contention": contention})
            # How many rows the locks of an org refuse is not known before its first big job, and from then on is.
            name = f"first sync of {size} members, with lock contention"
            yield line_of(f"{name} never met before", box.run("new-edition", campaign), most, exact=False)
            yield line_of(f"{name} known", box.run("new-edition", box.second_campaign()), most)
            box.later(2 * HOUR)
            yield line_of("synchronize after that, nothing changed", box.run("sync", campaign))
            return
        yield line_of(f"first sync of {size} members", box.run("new-edition", campaign), most)
        yield from _manual(box, campaign, members)


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
    yield from first_sync(100_000, 30, contention=CONTENTION)
