"""Both sides as a stranger sees them: plain HTTP, none of the engine's code, and the sandbox process that runs them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from console.main import main

PREDICTIVE = [sys.executable, "-m", "console.main"]

Row = dict[str, Any]


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a command, with a home of its own so that nothing of this machine is read or written."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PREDICTIVE", "SALESFORCE"))
    }
    return {**kept, "HOME": str(home), "TERM": "dumb", **more}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    talk: str

    @property
    def lines(self) -> list[Row]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> Row:
        """The last line, which is a summary."""
        last = self.lines[-1]
        assert last["type"] == "summary", (last, self.talk)
        return last


def predictive(*words: str, home: Path, **env: str) -> Ended:
    """Run the command's own entry in this process: the same code without an interpreter's start and its imports."""
    out, talk = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(home, **env), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(talk),
    ):
        code = main(list(words))
    return Ended(code, out.getvalue(), talk.getvalue())


def spawned(*words: str, home: Path, timeout: float = 60, **env: str) -> Ended:
    """Run the command as a process of its own with no terminal on any stream."""
    done = subprocess.run(
        [*PREDICTIVE, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        env=environment(home, **env),
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(slots=True)
class Box:
    """A running ``predictive sandbox`` and plain clients of its two servers."""

    process: subprocess.Popen[str]
    line: Row
    home: Path
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    @classmethod
    def start(cls, home: Path, *options: str) -> Box:
        """Start it and wait for its line."""
        process = subprocess.Popen(
            [*PREDICTIVE, "sandbox", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment(home),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"no line: exit {process.wait(10)}: {process.stderr.read()}")
        return cls(process, json.loads(line), home)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.http.close()
        self.process.send_signal(number)
        code = self.process.wait(20)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def run(self, *words: str) -> Ended:
        """A command on this sandbox's configuration, with ``--json``."""
        return predictive("--config", self.line["config"], *words, "--json", home=self.home)

    def people(self, *words: str) -> Ended:
        """The same for people."""
        return predictive("--config", self.line["config"], *words, home=self.home)

    # ------------------------------------------------------------ control

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the control address."""
        answer = self.http.request(method, f"{self.line['control_url']}{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def usage(self) -> tuple[int, int]:
        """Requests counted since start: org, service."""
        told = self.control("GET", "/usage")
        return told["salesforce"], told["predictive"]

    # ------------------------------------------------------------ the org

    def org(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        """A REST request below ``/services/data/vNN.N``."""
        where = self.line["salesforce"]
        answer = self.http.request(
            method,
            f"{where['instance_url']}/services/data/v{where['api_version']}{path}",
            json=body,
            params=params,
            headers={"Authorization": f"Bearer {where['access_token']}"},
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def query(self, soql: str) -> list[Row]:
        """All rows of a query."""
        page = self.org("GET", "/query", q=soql)
        rows: list[Row] = page["records"]
        while not page["done"]:
            page = self.org("GET", "/query/" + page["nextRecordsUrl"].rpartition("/")[2])
            rows += page["records"]
        return rows

    def create(self, kind: str, **fields: Any) -> str:
        """A new record; its id."""
        return str(self.org("POST", f"/sobjects/{kind}", fields)["id"])

    def update(self, kind: str, record: str, **fields: Any) -> None:
        """Change a record."""
        self.org("PATCH", f"/sobjects/{kind}/{record}", fields)

    def delete(self, kind: str, record: str) -> None:
        """Delete a record."""
        self.org("DELETE", f"/sobjects/{kind}/{record}")

    def campaigns(self) -> list[Row]:
        """Campaigns, oldest first."""
        return self.query(
            "SELECT Id, Name, Type, IsActive, Status, StartDate, EndDate, PAM__Auto_Sync__c FROM Campaign "
            "ORDER BY CreatedDate, Id"
        )

    def new_campaign(self, members: int) -> Row:
        """A campaign with *members* leads that is ready for New Edition."""
        today = datetime.now(UTC).date()
        name = f"Campaign {uuid.uuid4().hex[:8]}"
        made = self.create(
            "Campaign",
            Name=name,
            Type="Adaptive",
            Status="In Progress",
            IsActive=True,
            StartDate=(today - timedelta(days=10)).isoformat(),
            EndDate=(today + timedelta(days=60)).isoformat(),
            PAM__Auto_Sync__c=True,
        )
        people = [
            {
                "attributes": {"type": "Lead"},
                "FirstName": f"F{number}",
                "LastName": f"L{number}",
                "Company": name,
                "Email": f"{name[9:]}.{number}@firma.example",
            }
            for number in range(members)
        ]
        leads = self.org("POST", "/composite/sobjects", {"allOrNone": True, "records": people})
        rows = [{"attributes": {"type": "CampaignMember"}, "CampaignId": made, "LeadId": lead["id"]} for lead in leads]
        self.org("POST", "/composite/sobjects", {"allOrNone": True, "records": rows})
        return {"Id": made, "Name": name}

    def org_members(self, campaign: str) -> dict[str, Row]:
        """Member rows by person (contact if there is one, else lead)."""
        rows = self.query(
            "SELECT Id, LeadId, ContactId, Status, PAM__Level__c, PAM__Reason__c, PAM__Active__c, PAM__Synced__c, "
            "Lead.FirstName, Lead.LastName, Lead.Email, Contact.FirstName, Contact.LastName, Contact.Email "
            f"FROM CampaignMember WHERE CampaignId = '{campaign}'"
        )
        return {row["ContactId"] or row["LeadId"]: row for row in rows}

    # ------------------------------------------------------------ the service

    def service(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        """A request below the service's address."""
        where = self.line["predictive"]
        answer = self.http.request(
            method,
            f"{where['base_url']}{path}",
            json=body,
            params=params,
            headers={"Authorization": f"Bearer {where['token']}"},
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def listed(self, path: str) -> list[Row]:
        """All items of a list."""
        items: list[Row] = []
        cursor = ""
        while True:
            page = self.service("GET", path, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            if not page["next"]:
                return items
            cursor = page["next"]

    def service_members(self, campaign: str) -> dict[str, Row]:
        """The service's members by person."""
        return {row["person_id"]: row for row in self.listed(f"/v1/campaigns/{campaign}/members")}

    # ------------------------------------------------------------ comparing

    def unequal(self, campaign: str, *, activity: bool) -> list[str]:
        """What differs between both sides' members: existence, name, e-mail, status, and (*activity*) level, reason."""
        org, service = self.org_members(campaign), self.service_members(campaign)
        found = [f"{person}: only in the org" for person in org.keys() - service.keys()]
        found += [f"{person}: only in the service" for person in service.keys() - org.keys()]
        for person in org.keys() & service.keys():
            here, there = org[person], service[person]
            who = here["Contact"] if here["ContactId"] else here["Lead"]
            pairs = {
                "member_id": (here["Id"], there["member_id"]),
                "first_name": (who["FirstName"], there["first_name"]),
                "last_name": (who["LastName"], there["last_name"]),
                "email": (who["Email"], there["email"]),
                "status": (here["Status"], there["status"]),
            }
            if activity:
                pairs["level"] = (here["PAM__Level__c"], there["level"])
                pairs["reason"] = (here["PAM__Reason__c"], there["reason"])
                pairs["active"] = (here["PAM__Active__c"], there["active"])
            found += [f"{person} {name}: {a!r} | {b!r}" for name, (a, b) in pairs.items() if a != b]
        return found
