"""A week with a moved clock: 200 campaigns, hourly and nightly, 1 % churn a day, and what other ways would have cost.

Each day 0.4 % of the members get another e-mail address, 0.3 % a status by hand, 0.2 % are added, 0.1 % removed, and
1 % act in the service. Beside the calls stand those of a client that moves one row a call, of one that asks each
campaign once a run and writes 200 rows a call, and of one that asks each campaign five queries a run and writes so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sync.bootstrap import Shell, open_shell
from sync.clock import ControlledClock
from sync.model import RunKind
from sync.settings import load_settings
from sync.views import RunResult
from tests.bench.in_step import World, world
from tests.bench.report import Measure

CAMPAIGNS, MEMBERS, DAYS = 200, 500, 7
HOUR = 3_600.0
NIGHT = 1
GROUP = "Salesforce calls a day"


@dataclass(slots=True)
class Day:
    """Calls of one day, and those of the three other ways."""

    calls: int = 0
    row: int = 0
    batch: int = 0
    queries: int = 0
    exact: bool = True
    runs: list[int] = field(default_factory=list)

    def take(self, result: RunResult, calls: int) -> None:
        """Count one run."""
        counts = result.counts
        read = counts.changed + counts.added + counts.removed
        written = counts.changed if result.kind is RunKind.HOURLY else counts.added
        self.calls += calls
        self.runs.append(calls)
        self.row += CAMPAIGNS + read + written
        self.batch += CAMPAIGNS + -(-written // 200)
        self.queries += 5 * CAMPAIGNS + -(-written // 200)
        self.exact &= abs(result.predicted.salesforce - calls) <= 1 and result.calls.salesforce == calls


def update(sobject: str, record: str, **values: Any) -> dict[str, Any]:
    """A change by another user of the org."""
    return {"op": "update", "object": sobject, "id": record, "values": values}


class Week:
    """The campaigns' life, and the runs."""

    def __init__(self, made: World, shell: Shell, clock: ControlledClock) -> None:
        self.made, self.shell, self.clock = made, shell, clock
        self._next = 0
        service = made.servers
        self._service = httpx.Client(
            base_url=service.service_url,
            headers={"Authorization": f"Bearer {service.service_token}", "Predictive-Client": "mail"},
            timeout=60,
        )

    def day(self) -> Day:
        """Twenty-four hours."""
        day = Day()
        for hour in range(24):
            self.made.box.later(HOUR)
            self.clock.advance(HOUR)
            self._act(hour)
            self._run(day, RunKind.HOURLY)
            if hour == NIGHT:
                self._churn()
                self._run(day, RunKind.NIGHTLY)
        return day

    def _run(self, day: Day, kind: RunKind) -> None:
        before = self.made.box.usage()
        result = self.shell.batch(kind)
        if result.exit_code not in (0, 4):
            raise RuntimeError(f"{kind.value}: {result.state.value}: {result.error}")
        day.take(result, self.made.box.usage() - before)

    def _number(self) -> int:
        """A member that nothing was done to yet."""
        self._next += 1
        return self._next % len(self.made.copies)

    def _churn(self) -> None:
        made = self.made
        emails = [self._number() for _ in range(MEMBERS * 4 // 1_000)]
        changes: list[dict[str, Any]] = [
            {
                "op": "update",
                "object": made.copies[n].kind,
                "id": made.copies[n].person,
                "values": {"Email": f"new{self._next}x{n}@x.example"},
            }
            for n in emails
        ]
        statuses, removed = [self._number(), self._number()], self._number()
        for place in range(CAMPAIGNS):
            here = statuses if place % 2 else statuses[:1]
            changes += [
                {
                    "op": "update",
                    "object": "CampaignMember",
                    "id": made.member(place, n),
                    "values": {"Status": "Responded"},
                }
                for n in here
            ]
            if place % 2:
                changes.append({"op": "delete", "object": "CampaignMember", "id": made.member(place, removed)})
        made.box.records(changes)
        (lead,) = made.box.records(
            [
                {
                    "op": "create",
                    "object": "Lead",
                    "values": {"LastName": f"N {self._next}", "Company": "N", "Email": "n@x.example"},
                }
            ]
        )
        made.box.records(
            {
                "op": "create",
                "object": "CampaignMember",
                "values": {"CampaignId": one, "LeadId": lead, "Status": "Sent"},
            }
            for one in made.campaigns
        )

    def _act(self, hour: int) -> None:
        """1 % of all members a day, an equal share of the campaigns each hour."""
        share = CAMPAIGNS // 24 + 1
        number = self._number()
        for place in range(hour * share, min(CAMPAIGNS, (hour + 1) * share)):
            rows = [
                {
                    "op": "upsert",
                    f"{self.made.copies[n].kind.lower()}_id": self.made.copies[n].person,
                    "member_id": self.made.member(place, n),
                    "fields": {"level": "Opened", "opens": 1 + self._next},
                }
                for n in ((number + k) % len(self.made.copies) for k in range(MEMBERS // 100))
            ]
            answer = self._service.post(
                f"/v1/campaigns/{self.made.campaigns[place]}/members:batch", json={"rows": rows}
            )
            answer.raise_for_status()


def measures() -> Iterator[Measure]:
    """One line: the days' calls beside the others'."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), CAMPAIGNS, MEMBERS) as made:
        clock = ControlledClock()
        settings = load_settings(Path(made.box.config), env={}).org()
        with open_shell(settings, clock=clock) as shell:
            made.box.later(2 * HOUR)
            clock.advance(2 * HOUR)
            week = Week(made, shell, clock)
            days = [week.day() for _ in range(DAYS)]
    ways = {"one row a call": "row", "200 rows a call": "batch", "five queries a campaign": "queries"}
    yield Measure(
        GROUP,
        f"a day of a week: {CAMPAIGNS} campaigns of {MEMBERS} members, hourly and nightly, 1 % churn",
        "calls",
        [float(day.calls) for day in days],
        "predicted within one in each run",
        all(day.exact for day in days),
        {name: [float(getattr(day, key)) for day in days] for name, key in ways.items()},
        f"{sum(len(day.runs) for day in days)} runs",
    )
