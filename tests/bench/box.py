"""A running sandbox for measurements: how to run commands on it, change its org as other users do, and count its calls.

All changes go by the control address, which is never counted as a call of either side.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

PREDICTIVE = [sys.executable, "-m", "console.main"]
CHUNK = 2_000
LONGEST = 3_600.0
"""Seconds after which a command is ended."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did: its summary, the calls that the sandbox counted, wall and processor seconds, peak MiB."""

    summary: dict[str, Any]
    calls: int
    seconds: float
    cpu: float = 0.0
    peak: float = 0.0


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def peak_of(pid: int) -> float:
    """The most memory that a process ever held, in MiB; Linux only."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1_024


def cpu_of(pid: int) -> float:
    """Processor seconds that a process has used so far; Linux only."""
    spent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Sandbox:
    """A running sandbox, by its ready line."""

    line: dict[str, Any]
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10**9)))

    @property
    def config(self) -> str:
        """Path of its configuration."""
        return str(self.line["config"])

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the control address."""
        answer = httpx.request(method, self.line["control_url"] + path, json=body, timeout=600)
        answer.raise_for_status()
        return answer.json()

    def usage(self) -> int:
        """Salesforce calls since start, as the sandbox counted them."""
        return int(self.control("GET", "/usage")["salesforce"])

    def later(self, seconds: float) -> None:
        """Move the clock of both servers on."""
        self.control("POST", "/clock", {"advance": seconds})

    def records(self, operations: Iterable[dict[str, Any]]) -> list[str]:
        """Changes by another user of the org; ids of what was created."""
        given, ids = list(operations), []
        for start in range(0, len(given), CHUNK):
            ids += self.control("POST", "/records", {"operations": given[start : start + CHUNK]})["ids"]
        return [str(each) for each in ids]

    def rows(self, soql: str) -> list[dict[str, Any]]:
        """All rows of a query; its calls are counted, so it must not stand inside a measurement."""
        base = self.line["salesforce"]
        path: str | None = f"/services/data/v{base['api_version']}/query"
        found: list[dict[str, Any]] = []
        headers = {"Authorization": f"Bearer {base['access_token']}"}
        params: dict[str, str] | None = {"q": soql}
        while path:
            answer = httpx.get(base["instance_url"] + path, params=params, headers=headers, timeout=60)
            answer.raise_for_status()
            page = answer.json()
            found, path, params = [*found, *page["records"]], page.get("nextRecordsUrl"), None
        return found

    def run(self, *arguments: str) -> Ran:
        """A command with ``--json``."""
        before, began = self.usage(), time.perf_counter()
        command = [*PREDICTIVE, "--config", self.config, "--json", "--yes", *arguments]
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as talk,
            tempfile.NamedTemporaryFile() as used_file,
        ):
            measuring = [sys.executable, str(Path(__file__).with_name("child.py")), used_file.name, *command]
            # In a group of its own, so that its end is the command's end, too.
            process = subprocess.Popen(
                measuring, stdin=subprocess.DEVNULL, stdout=out, stderr=talk, start_new_session=True
            )
            end = threading.Timer(LONGEST, lambda: os.killpg(process.pid, signal.SIGKILL))
            end.start()
            process.wait()
            end.cancel()
            told, errors = (_whole(each) for each in (out, talk))
            used = json.loads(used_file.read() or b'{"code": -9}')
        if used["code"] not in (0, 4):
            raise RuntimeError(f"{arguments}: exit {used['code']}: {errors[-800:]}")
        seconds = time.perf_counter() - began
        return Ran(json.loads(told.splitlines()[-1]), self.usage() - before, seconds, used["cpu"], used["peak"])

    # ------------------------------------------------------------ churn

    def first_campaign(self) -> str:
        """Id of the oldest campaign."""
        return str(self.rows("SELECT Id FROM Campaign ORDER BY CreatedDate, Id LIMIT 1")[0]["Id"])

    def campaigns(self) -> list[str]:
        """Ids of all campaigns, the oldest first."""
        return [str(row["Id"]) for row in self.rows("SELECT Id FROM Campaign ORDER BY CreatedDate, Id")]

    def members(self, campaign: str) -> list[dict[str, Any]]:
        """Its members with their person."""
        return self.rows(f"SELECT Id, LeadId, ContactId FROM CampaignMember WHERE CampaignId = '{campaign}'")

    def churn(self, campaign: str, members: Sequence[dict[str, Any]], of: int, *, removals: bool) -> None:
        """1 % of *of* members: 0.4 new e-mail addresses, 0.3 statuses by hand, 0.2 added, 0.1 removed."""
        emails, statuses, added, removed = (max(1, of * share // 1000) for share in (4, 3, 2, 1))
        picked = random.Random(next(self._numbers)).sample(list(members), emails + statuses + removed)
        changes = [self._email(row) for row in picked[:emails]]
        changes += [
            {"op": "update", "object": "CampaignMember", "id": row["Id"], "values": {"Status": "Responded"}}
            for row in picked[emails : emails + statuses]
        ]
        if removals:
            changes += [
                {"op": "delete", "object": "CampaignMember", "id": row["Id"]} for row in picked[emails + statuses :]
            ]
        self.records(changes)
        self.join(campaign, added)

    def _email(self, row: dict[str, Any]) -> dict[str, Any]:
        person, number = row["ContactId"] or row["LeadId"], next(self._numbers)
        kind = "Contact" if row["ContactId"] else "Lead"
        return {"op": "update", "object": kind, "id": person, "values": {"Email": f"changed{number}@firma.example"}}

    def join(self, campaign: str, count: int) -> None:
        """New leads, and members made of them."""
        leads = self.records(
            {
                "op": "create",
                "object": "Lead",
                "values": {"LastName": f"New {n}", "Company": "New", "Email": f"new{n}@firma.example"},
            }
            for n in (next(self._numbers) for _ in range(count))
        )
        self.records(
            {
                "op": "create",
                "object": "CampaignMember",
                "values": {"CampaignId": campaign, "LeadId": lead, "Status": "Sent"},
            }
            for lead in leads
        )


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
