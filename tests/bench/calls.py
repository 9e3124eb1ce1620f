"""API calls of the runs, counted by the sandbox's control address, beside what the run predicted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.bench.report import Measure

PREDICTIVE = [sys.executable, "-m", "console.main"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: its ready line, and how to drive and count it."""

    line: dict[str, Any]

    @property
    def config(self) -> str:
        """Path of its configuration."""
        return str(self.line["config"])

    def usage(self) -> int:
        """Salesforce calls since start, as the sandbox counted them."""
        return int(httpx.get(f"{self.line['control_url']}/usage", timeout=30).json()["salesforce"])

    def org(self, method: str, path: str, **options: Any) -> Any:
        """A plain request to the org; these calls are counted too, so take usage before and after a run only."""
        base = self.line["salesforce"]
        answer = httpx.request(
            method,
            f"{base['instance_url']}/services/data/v{base['api_version']}{path}",
            headers={"Authorization": f"Bearer {base['access_token']}"},
            timeout=60,
            **options,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def run(self, *arguments: str) -> tuple[dict[str, Any], int]:
        """A command with ``--json``: its summary, and the Salesforce calls the sandbox counted for it."""
        before = self.usage()
        done = subprocess.run(
            [*PREDICTIVE, "--config", self.config, "--json", "--yes", *arguments],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode not in (0, 4):
            raise RuntimeError(f"{arguments}: exit {done.returncode}: {done.stderr[-800:]}")
        return json.loads(done.stdout.splitlines()[-1]), self.usage() - before


@contextmanager
def sandbox(*options: str) -> Iterator[Sandbox]:
    """Start ``predictive sandbox`` with *options*, end it at the end."""
    process = subprocess.Popen(
        [*PREDICTIVE, "sandbox", *options], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sandbox did not start (exit {process.wait(10)})")
        yield Sandbox(json.loads(line))
    finally:
        process.terminate()
        process.wait(30)


def _measure(name: str, summary: dict[str, Any], counted: int, line: str, most: int | None) -> Measure:
    predicted = summary["predicted_api_calls"]["salesforce"]
    exact = abs(predicted - counted) <= 1 and summary["api_calls"]["salesforce"] == counted
    return Measure(
        "Salesforce calls",
        name,
        "calls",
        [float(counted)],
        line=f"{line}, predicted within one",
        holds=exact and (most is None or counted <= most),
        beside={"predicted": [float(predicted)]},
        note=f"{summary['seconds']:.1f} s",
    )


def first_campaign(box: Sandbox) -> str:
    """Id of the oldest campaign."""
    found = box.org("GET", "/query", params={"q": "SELECT Id FROM Campaign ORDER BY CreatedDate, Id LIMIT 1"})
    return str(found["records"][0]["Id"])


def change_one_percent(box: Sandbox, campaign: str, members: int) -> None:
    """0.4 % new e-mail addresses, 0.3 % statuses by hand, in Collections of 200."""
    soql = f"SELECT Id, LeadId, ContactId FROM CampaignMember WHERE CampaignId = '{campaign}' ORDER BY Id LIMIT 2000"
    rows = box.org("GET", "/query", params={"q": soql})["records"]
    emails, statuses = members * 4 // 1000, members * 3 // 1000
    people = [
        {
            "attributes": {"type": "Contact" if row["ContactId"] else "Lead"},
            "id": row["ContactId"] or row["LeadId"],
            "Email": f"changed{number}@firma.example",
        }
        for number, row in enumerate(rows[:emails])
    ]
    people.sort(key=lambda row: str(row["attributes"]))
    edits = [
        {"attributes": {"type": "CampaignMember"}, "id": row["Id"], "Status": "Responded"}
        for row in rows[emails : emails + statuses]
    ]
    for records in (people, edits):
        for start in range(0, len(records), 200):
            box.org("PATCH", "/composite/sobjects", json={"records": records[start : start + 200]})


def measures() -> list[Measure]:
    """The call table, on small and middle sizes."""
    found = []
    with sandbox("--campaigns", "1", "--members", "10000") as box:
        campaign = first_campaign(box)
        found.append(_measure("first sync of 10,000 members", *box.run("new-edition", campaign), "≤ 12", 12))
        found.append(_measure("synchronize, nothing changed", *box.run("sync", campaign), "–", None))
        change_one_percent(box, campaign, 10_000)
        found.append(_measure("synchronize, 0.7 % of 10,000 changed", *box.run("sync", campaign), "≤ 5", 5))
        found.append(_measure("verify 10,000 members", *box.run("verify", campaign), "about 2", None))
    with sandbox("--campaigns", "40", "--members", "200", "--synced") as box:
        found.append(_measure("nightly, 40 campaigns, nothing changed", *box.run("batch", "nightly"), "≤ 3", 3))
    return found
