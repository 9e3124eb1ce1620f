"""A first sync of 100,000 members beside a client that fetches the same rows and throws them away, and writes the same.

The other client keeps nothing, compares nothing and journals nothing; its bodies are made before its time begins, and
it asks for the end of its Bulk job ten times a second. Each has a fresh sandbox of its own on the same machine, one
right after the other. Beside the seconds that passed stand the CPU seconds of either client, which a busy machine
stretches less; ours are those of the whole process, its start included.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import httpx

from sync.bulk_csv import as_csv
from sync.mapping import Mapping
from sync.salesforce.decode import Codec
from tests.bench.box import Sandbox, sandbox
from tests.bench.report import Measure

MEMBERS = 100_000
PAGE, PAGES, BATCH = 2_000, 5, 5_000
FACTOR = 1.5


class Thrower:
    """The client that throws away what it fetches."""

    def __init__(self, box: Sandbox) -> None:
        org, service = box.line["salesforce"], box.line["predictive"]
        self._root = f"/services/data/v{org['api_version']}"
        headers = {"Authorization": f"Bearer {org['access_token']}", "Accept-Encoding": "identity"}
        self._org = httpx.Client(base_url=org["instance_url"], headers=headers, timeout=600)
        headers = {"Authorization": f"Bearer {service['token']}", "Predictive-Client": "thrower"}
        self._service = httpx.Client(base_url=service["base_url"], headers=headers, timeout=600)

    def fetch(self, campaign: str) -> None:
        """All members with all fields that a sync reads, five pages a call."""
        fields = ", ".join(Codec(Mapping()).member_fields)
        after, more = "", True
        while more:
            parts, start = [], f" AND Id > '{after}'" if after else ""
            for number in range(PAGES):
                where = f"WHERE CampaignId = '{campaign}'{start}"
                soql = f"SELECT {fields} FROM CampaignMember {where} ORDER BY Id LIMIT {PAGE}"
                url = f"{self._root}/query/?q={quote_plus(soql, safe='@{}[]')}"
                parts.append({"method": "GET", "url": url, "referenceId": f"p{number}"})
                start = f" AND Id > '@{{p{number}.records[{PAGE - 1}].Id}}'"
            body = {"collateSubrequests": False, "compositeRequest": parts}
            answer = self._org.post(f"{self._root}/composite", json=body)
            answer.raise_for_status()
            # Only where the next call starts is looked for, from behind.
            place = answer.content.rfind(b'"Id":"00v')
            last = answer.content[place + 6 : place + 24].decode() if place >= 0 else ""
            more = b"PROCESSING_HALTED" not in answer.content and bool(last) and last != after
            after = last

    def add(self, campaign: str, bodies: list[bytes]) -> None:
        """The members to the service."""
        for number, body in enumerate(bodies):
            headers = {"Content-Type": "application/json", "Idempotency-Key": f"thrower-{number}"}
            answer = self._service.post(f"/v1/campaigns/{campaign}/members:batch", content=body, headers=headers)
            answer.raise_for_status()

    def mark(self, data: bytes) -> None:
        """The synced markers to the org, by one job."""
        wanted = {"object": "CampaignMember", "operation": "update", "contentType": "CSV", "lineEnding": "LF"}
        made = self._org.post(f"{self._root}/jobs/ingest", json=wanted)
        made.raise_for_status()
        job = f"{self._root}/jobs/ingest/{made.json()['id']}"
        self._org.put(f"{job}/batches", content=data, headers={"Content-Type": "text/csv"}).raise_for_status()
        self._org.patch(job, json={"state": "UploadComplete"}).raise_for_status()
        while self._org.get(job).json()["state"] not in ("JobComplete", "Failed", "Aborted"):
            time.sleep(0.1)

    def editions(self, campaign: str) -> None:
        """The editions, made by the service, as rows of the org."""
        headers = {"Idempotency-Key": "thrower-editions"}
        path = f"/v1/campaigns/{campaign}/editions"
        made = self._service.post(path, json={"operation": "thrower"}, headers=headers)
        made.raise_for_status()
        names = Mapping()
        rows = [
            {
                "attributes": {"type": names.edition},
                names.edition_external_id: each["edition_id"],
                names.edition_campaign: campaign,
                "Name": each["name"],
            }
            for each in made.json()["items"]
        ]
        path = f"{self._root}/composite/sobjects/{names.edition}/{names.edition_external_id}"
        answer = self._org.patch(path, json={"allOrNone": True, "records": rows})
        answer.raise_for_status()
        assert all(each["success"] for each in answer.json()), answer.text

    def header(self, campaign: str, name: str) -> None:
        """The campaign itself, without which the service takes no members."""
        body: dict[str, Any] = {
            "name": name,
            "type": "adaptive",
            "status": None,
            "is_active": True,
            "start_date": None,
            "end_date": None,
            "time_zone": "UTC",
            "deleted": False,
            "status_on": {},
            "statuses": [{"label": "Sent", "is_default": True, "has_responded": False, "sort_order": 1}],
        }
        headers = {"Idempotency-Key": "thrower-header"}
        self._service.put(f"/v1/campaigns/{campaign}", json=body, headers=headers).raise_for_status()


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds that passed, and CPU seconds of the client."""

    seconds: float
    cpu: float


def thrown_away(members: int) -> Took:
    """The client that throws away."""
    with sandbox("--campaigns", "1", "--members", str(members)) as box:
        campaign = box.first_campaign()
        rows = box.rows(
            "SELECT Id, LeadId, ContactId, FirstName, LastName, Email FROM CampaignMember "
            f"WHERE CampaignId = '{campaign}'"
        )
        bodies = [
            json.dumps({"rows": [_row(row) for row in rows[start : start + BATCH]]}).encode()
            for start in range(0, len(rows), BATCH)
        ]
        values = {"PAM__Synced__c": "2026-11-23T01:00:00Z", "PAM__Active__c": True}
        data = as_csv((row["Id"], values) for row in rows).encode()
        client = Thrower(box)
        began, cpu = time.perf_counter(), time.process_time()
        client.fetch(campaign)
        client.header(campaign, "thrown away")
        client.add(campaign, bodies)
        client.editions(campaign)
        client.mark(data)
        return Took(time.perf_counter() - began, time.process_time() - cpu)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    who = "contact_id" if row["ContactId"] else "lead_id"
    fields = {"first_name": row["FirstName"], "last_name": row["LastName"], "email": row["Email"], "status": "Sent"}
    return {"op": "upsert", who: row["ContactId"] or row["LeadId"], "member_id": row["Id"], "fields": fields}


def synced(members: int) -> Took:
    """Our first sync."""
    with sandbox("--campaigns", "1", "--members", str(members)) as box:
        campaign = box.first_campaign()
        before = _of_children()
        ran = box.run("new-edition", campaign)
        return Took(float(ran.summary["seconds"]), _of_children() - before)


def _of_children() -> float:
    """CPU seconds of the processes that ended; the sandbox runs on, so it is not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measures() -> Iterator[Measure]:
    """One line."""
    other, ours = thrown_away(MEMBERS), synced(MEMBERS)
    yield Measure(
        "End to end",
        f"first sync of {MEMBERS:,} members",
        "s",
        [ours.seconds],
        f"≤ {FACTOR} × the same fetched and thrown away, and written",
        ours.seconds <= FACTOR * other.seconds,
        {
            "thrown away": [other.seconds],
            "ratio": [ours.seconds / other.seconds],
            "CPU ours": [ours.cpu],
            "CPU thrown away": [other.cpu],
        },
    )
