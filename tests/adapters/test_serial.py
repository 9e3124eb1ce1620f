"""Jobs whose batches do not meet: what they cost, what they tell of each row, and when rows go that way."""

from __future__ import annotations

import csv
import gzip
import io
import re
from typing import Any

import httpx
import msgspec
import pytest

from sync.errors import OutcomeUnknown, RemoteRejected
from sync.http.channel import Budget
from sync.http.transport import Transport
from sync.locks import Locks, locks_from
from sync.mapping import Mapping
from sync.model import WriteCost
from sync.packing import BULK_CALLS
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.salesforce.client import SalesforceOrg
from sync.salesforce.serial import Serial
from sync.salesforce.verdict import outcomes
from tests.adapters.conftest import Sides
from tests.adapters.support import Hidden, Records, StillClock

BASE = "https://acme.my.salesforce.com"
DATE = {"Date": "Mon, 23 Nov 2026 01:00:00 GMT"}


class Contending:
    """An org whose parallel batches refuse each other every third row, and whose serial ones never do."""

    def __init__(self, every: int = 3) -> None:
        self.every = every
        self.requests: list[str] = []
        self.modes: list[str] = []
        self.data: list[str] = []
        self.batches: list[int] = []
        self.written: set[str] = set()
        self.trouble: dict[str, httpx.Response | Exception] = {}

    @property
    def refused(self) -> list[str]:
        return [key for number, key in enumerate(self.data) if number >= 10_000 and number % self.every == 0]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        name = f"{request.method} {re.sub(r'75[0-9A-Za-z]{13,16}', '*', path.split('/', 4)[-1])}"
        self.requests.append(name)
        if name in self.trouble:
            found = self.trouble.pop(name)
            if isinstance(found, Exception):
                raise found
            return found
        return self.old(request, path) if path.startswith("/services/async/") else self.new(request, path)

    def new(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "PUT":
            self.data = [row["Id"] for row in csv.DictReader(io.StringIO(plain(request).decode()))]
            return httpx.Response(201)
        if path.endswith("failedResults"):
            lines = ['"sf__Id","sf__Error","Id"', *(f'"","UNABLE_TO_LOCK_ROW:unable:--","{k}"' for k in self.refused)]
            return httpx.Response(200, text="\n".join(lines), headers={"Content-Type": "text/csv"})
        if request.method == "GET":
            self.written |= set(self.data) - set(self.refused)
        job = {"id": "750000000000001AAA", "state": "JobComplete", "numberRecordsFailed": len(self.refused)}
        return httpx.Response(200, json={**job, "numberRecordsProcessed": len(self.data)})

    def old(self, request: httpx.Request, path: str) -> httpx.Response:
        assert request.headers["X-SFDC-Session"] == "00Dx!y"
        if path.endswith("/batch") and request.method == "POST":
            rows = msgspec.json.decode(plain(request))
            self.batches.append(len(rows))
            self.written |= {row["Id"] for row in rows}
            return httpx.Response(201, json={"id": f"7510000000000{len(self.batches):02d}", "state": "Queued"})
        if path.endswith("/job"):
            self.modes.append(msgspec.json.decode(request.content)["concurrencyMode"])
            return httpx.Response(201, json={"id": "750000000000009", "state": "Open"})
        total = len(self.batches)
        job = {"id": "750000000000009", "state": "Closed", "numberBatchesTotal": total, "numberBatchesCompleted": total}
        return httpx.Response(200, json=job)


def plain(request: httpx.Request) -> bytes:
    """The body without its compression."""
    packed = request.headers.get("content-encoding") == "gzip"
    return gzip.decompress(request.content) if packed else request.content


class World:
    """An adapter over such an org, as one process has it."""

    def __init__(self, org: Contending, **more: Any) -> None:
        clock = StillClock()
        transport = Transport(Records(), clock, sleep=clock.sleep, network=httpx.MockTransport(org))
        self.known: list[Locks] = []
        self.org = SalesforceOrg(
            transport,
            instance_url=BASE,
            mapping=Mapping(),
            budget=Budget(2, 0, 0),
            on_locks=self.known.append,
            **{"access_token": Hidden("00Dx!y"), **more},
        )

    def cost(self, count: int) -> WriteCost:
        meter = self.org.meter()
        for one in markers(count):
            meter.add(one)
        return meter.cost()

    def write(self, count: int) -> dict[str, OrgOutcome]:
        outcomes: dict[str, OrgOutcome] = {}
        self.org.write(
            markers(count),
            before=lambda batch: None,
            after=lambda batch, found: outcomes.update({one.key: one for one in found}),
            cancelled=lambda: False,
        )
        return outcomes


def markers(count: int) -> list[OrgWrite]:
    return [
        OrgWrite(f"k{n}", "CampaignMember", OrgOperation.UPDATE, {"PAM__Opens__c": 1}, record_id=f"00v{n:012d}")
        for n in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 2, 7, 10**9])
def test_whatever_locks_refuse_each_job_costs_what_was_said(every: int) -> None:
    org = Contending(every)
    world = World(org)
    expected = []
    for _ in range(3):
        foreseen = world.cost(21_000)
        org.requests.clear()
        org.written.clear()
        assert {outcome.state for outcome in world.write(21_000).values()} == {"written"}
        assert len(org.written) == 21_000
        assert abs(foreseen.expected - len(org.requests)) <= 1
        expected.append(foreseen.expected)
        # Each run is a process of its own.
        world = World(org, locks=locks_from(world.org._writer.locks.text))
    assert world.org._writer.locks == Locks(share={1: 1.0, 2: 0.5, 7: 0.143}.get(every, 0.0))
    assert expected[:2] == [3 + 3 + 1, 4 + 3 + 1 + 1], "one by one; then a trial of two batches and the others"
    if every == 10**9:
        assert expected[2] == BULK_CALLS


@pytest.mark.slow
def test_an_org_that_began_to_refuse_is_found_out_and_its_rows_go_again() -> None:
    org = Contending(every=2)
    world = World(org, locks=Locks(0.0))
    foreseen = world.cost(40_000)
    assert {outcome.state for outcome in world.write(40_000).values()} == {"written"}
    assert len(org.written) == 40_000
    assert foreseen.expected < len(org.requests) <= foreseen.locked, "said as a bound"
    assert (org.modes, org.batches) == (["Serial"], [10_000, 5_000])
    assert world.known == [Locks(0.5)]


@pytest.mark.slow
def test_what_a_trial_was_refused_fares_with_the_job_behind_it_as_any_other_row() -> None:
    org = Contending(every=1_000)
    org.trouble["POST job/*/batch"] = httpx.Response(
        400, json={"exceptionCode": "InvalidBatch", "exceptionMessage": "no"}
    )
    found: dict[str, OrgOutcome] = {}
    world = World(org, locks=Locks(trial=True))
    with pytest.raises(RemoteRejected):
        world.org.write(
            markers(25_000),
            before=lambda batch: None,
            after=lambda batch, ends: found.update({one.key: one for one in ends}),
            cancelled=lambda: False,
        )
    refused = [f"k{n}" for n in range(10_000, 20_000, 1_000)]
    assert {key for key, one in found.items() if one.state == "unsent"} == {
        *refused,
        *(f"k{n}" for n in range(20_000, 25_000)),
    }
    assert sum(one.state == "written" for one in found.values()) == 20_000 - len(refused)


def rows(count: int) -> list[tuple[str, str, dict[str, Any]]]:
    return [(f"k{n}", f"00v{n:012d}", {"PAM__Opens__c": n}) for n in range(count)]


def serial(org: Contending) -> Serial:
    return World(org).org._serial


@pytest.mark.parametrize(
    ("lost", "state"),
    [
        (httpx.ReadTimeout("t"), "unknown"),
        (httpx.Response(400, json={"exceptionCode": "InvalidBatch", "exceptionMessage": "no"}), "unsent"),
    ],
)
def test_a_batch_without_an_answer_is_unknown_and_a_refused_one_unsent(lost: Any, state: str) -> None:
    org = Contending()
    org.trouble["POST 66.0/job/*/batch".replace("66.0/", "")] = lost
    verdict, error = serial(org).update("CampaignMember", rows(3))
    assert isinstance(error, OutcomeUnknown if state == "unknown" else RemoteRejected)
    assert [one.state for one in outcomes(verdict, rows(3))] == [state] * 3


def test_a_job_that_cannot_be_made_writes_nothing() -> None:
    org = Contending()
    org.trouble["POST job"] = httpx.ReadTimeout("t")
    verdict, error = serial(org).update("CampaignMember", rows(3))
    assert isinstance(error, OutcomeUnknown)
    assert [one.state for one in outcomes(verdict, rows(3))] == ["unsent"] * 3
    assert org.requests == ["POST job"]


def test_an_ended_session_is_renewed_though_it_is_told_by_status_400() -> None:
    org = Contending()
    body = {"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid session id"}
    org.trouble["POST job"] = httpx.Response(400, json=body)
    made = World(org, access_token=None, login=lambda: "00Dx!y").org
    verdict, error = made._serial.update("CampaignMember", rows(2))
    assert error is None
    assert [one.state for one in outcomes(verdict, rows(2))] == ["written"] * 2


def test_the_sandbox_says_of_each_row_what_became_of_it(sides: Sides) -> None:
    members = sides.members(sides.first_campaign())[:5]
    wanted = [(f"k{n}", one.member_id, {"PAM__Opens__c": 7 + n}) for n, one in enumerate(members)]
    wanted[2] = ("k2", "00v0000000zzzzz", {"PAM__Opens__c": 1})
    before = sides.spent()
    verdict, error = sides.org._serial.update("CampaignMember", wanted)
    assert error is None
    found = list(outcomes(verdict, wanted))
    assert [one.state for one in found] == ["written", "written", "rejected", "written", "written"]
    assert found[2].code in ("MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY")
    assert sides.spent() - before == 6, "create, batch, close, poll; the list of batches and the results"
