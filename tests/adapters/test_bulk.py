"""Bulk jobs: calls, waits, outcomes of rows, and what a lost answer means; the platform's side is a fake."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sync import packing
from sync.bulk_csv import as_csv
from sync.clock import SystemClock
from sync.errors import OutcomeUnknown, RemoteRejected
from sync.http.channel import Budget, Channel, Session
from sync.http.transport import Transport
from sync.ids import to18
from sync.mapping import Mapping
from sync.model import Side
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.salesforce.bulk import Bulk, JobRows
from sync.salesforce.bulk_query import BulkQuery
from sync.salesforce.client import SalesforceOrg
from sync.salesforce.jobs import Paces, Waits
from sync.salesforce.soql import Select
from sync.salesforce.verdict import Stretch
from sync.store.facts import JobPaces
from sync.store.store import open_store
from tests.adapters.conftest import Sides
from tests.adapters.support import Hidden, Records, StillClock
from tests.measured import measured

BASE = "https://acme.my.salesforce.com"
ROOT = "/services/data/v66.0/jobs/ingest"


class FakeJobs:
    """An org's Bulk API: one job, states as told, some rows failing."""

    def __init__(
        self, *, states: tuple[str, ...] = ("InProgress", "JobComplete"), failing: dict[str, str] | None = None
    ):
        self.states = list(states)
        self.failing = failing or {}
        self.requests: list[httpx.Request] = []
        self.rows: list[dict[str, str]] = []
        self.state = "Open"
        self.trouble: dict[str, Exception] = {}
        self.cut: list[int] = []

    def job(self) -> httpx.Response:
        failed = len([row for row in self.rows if {row["Id"], row["Id"][:15]} & self.failing.keys()])
        body = {
            "id": "750000000000001AAA",
            "state": self.state,
            "contentUrl": f"{ROOT[1:]}/750000000000001AAA/batches",
            "numberRecordsFailed": failed,
            "numberRecordsProcessed": self.reached,
            "totalProcessingTime": 10_000,
        }
        return httpx.Response(200, json=body)

    @property
    def reached(self) -> int:
        if self.state == "Failed":
            return min(1, len(self.rows))
        return len(self.rows) // (2 if self.state == "InProgress" else 1)

    def table(self, lines: list[str]) -> httpx.Response:
        """A file of results; as many characters of it are missing as ``cut`` says next."""
        text = "\n".join(lines)
        return httpx.Response(
            200, text=text[: len(text) - (self.cut.pop(0) if self.cut else 0)], headers={"Content-Type": "text/csv"}
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path, method = request.url.path, request.method
        if "multipart" in request.headers.get("content-type", ""):
            data = request.content.decode().split("\r\n\r\n")[2].rpartition("\r\n--")[0]
            self.rows = list(csv.DictReader(io.StringIO(data)))
            self.state = "UploadComplete"
        if method == "PUT":
            self.rows = list(csv.DictReader(io.StringIO(request.content.decode())))
        if method == "PATCH":
            self.state = "UploadComplete"
        if method in self.trouble:
            raise self.trouble.pop(method)
        if path.endswith("failedResults"):
            lines = ['"sf__Id","sf__Error","Id"']
            lines += [f'"{key}","{self.failing[key]}","{key}"' for key in self.failing]
            return self.table(lines)
        if path.endswith("unprocessedrecords"):
            return self.table(["Id", *(row["Id"] for row in self.rows[1:])])
        if method == "PUT":
            return httpx.Response(201)
        if method == "GET" and self.states:
            self.state = self.states.pop(0)
        return self.job()


class World:
    def __init__(self, jobs: FakeJobs, paces: Paces | None = None) -> None:
        self.clock = StillClock()
        self.records = Records()
        self.transport = Transport(self.records, self.clock, sleep=self.clock.sleep, network=httpx.MockTransport(jobs))
        session = Session("token", None, remedy="")
        channel = Channel(self.transport, Side.SALESFORCE, BASE, "the org", session=session, budget=Budget(2, 0, 0))
        self.bulk = Bulk(channel, "66.0", Waits(per_row=0.001, least=1.0, longest=60.0, most=300.0), paces=paces)


def member(number: int) -> str:
    return to18(f"00vgL{number:010d}")


def rows(count: int) -> list[tuple[str, str, dict[str, Any]]]:
    return [(f"k{n}", member(n), {"PAM__Active__c": True}) for n in range(count)]


def states(stretch: Stretch) -> set[str]:
    return {fate.state for fate in stretch.fates}


def test_a_job_without_failures_costs_four_calls_and_one_more_poll() -> None:
    jobs = FakeJobs(states=("InProgress", "JobComplete", "JobComplete"))
    world = World(jobs)
    outcomes = world.bulk.update("CampaignMember", rows(6_000))
    assert [request.method for request in jobs.requests] == ["POST", "PUT", "PATCH", "GET", "GET"]
    assert {outcome.state for outcome in outcomes} == {"written"}
    assert [outcome.key for outcome in outcomes][:2] == ["k0", "k1"]
    assert world.clock.slept == [6.0, 7.9], "as long as the rows should take, then what the pace so far lets expect"
    world.bulk.update("CampaignMember", rows(6_000))
    assert world.clock.slept[2] == 11.5, "what the first took teaches the second"


def test_what_a_job_took_is_known_to_the_next_process() -> None:
    with open_store("sqlite://") as store:
        first = World(FakeJobs(states=("JobComplete",)), JobPaces(store.facts))
        assert first.bulk.expected(6_000) == 6.0
        first.bulk.update("CampaignMember", rows(6_000))
        second = World(FakeJobs(states=("JobComplete",)), JobPaces(store.facts))
        assert second.bulk.expected(6_000) == pytest.approx(11.5)
        second.bulk.update("CampaignMember", rows(6_000))
    assert second.clock.slept == pytest.approx([11.5])
    assert World(FakeJobs()).bulk.expected(6_000) == 6.0, "of an org of which nothing is known"


def test_failed_rows_cost_one_call_and_keep_their_reasons() -> None:
    bad, locked = member(1), member(2)
    jobs = FakeJobs(
        failing={
            bad: "FIELD_CUSTOM_VALIDATION_EXCEPTION:No: not like this:Status --",
            locked[:15]: "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--",
        }
    )
    outcomes = {o.key: o for o in World(jobs).bulk.update("CampaignMember", rows(5))}
    assert outcomes["k1"].state == "rejected"
    assert (outcomes["k1"].code, outcomes["k1"].message) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No: not like this")
    assert outcomes["k2"].code == "UNABLE_TO_LOCK_ROW"
    assert [outcomes[f"k{n}"].state for n in (0, 3, 4)] == ["written"] * 3


def test_rows_that_a_failed_job_never_reached_are_unsent() -> None:
    jobs = FakeJobs(states=("Failed",))
    outcomes = World(jobs).bulk.update("CampaignMember", rows(3))
    assert [outcome.state for outcome in outcomes] == ["written", "unsent", "unsent"]


@pytest.mark.parametrize("cut", [8, 40, 90, 10_000])
@pytest.mark.parametrize("state", ["JobComplete", "Failed"])
def test_a_file_of_results_that_was_cut_is_read_once_more_and_then_believed_in_nothing(state: str, cut: int) -> None:
    failing = {member(0): "FIELD_CUSTOM_VALIDATION_EXCEPTION:no:--", member(1): "UNKNOWN_EXCEPTION:no:--"}
    jobs = FakeJobs(states=(state,), failing=failing if state == "JobComplete" else {})
    jobs.cut = [cut]
    outcomes = World(jobs).bulk.update("CampaignMember", rows(3))
    whole = ["rejected", "rejected", "written"] if state == "JobComplete" else ["written", "unsent", "unsent"]
    assert [outcome.state for outcome in outcomes] == whole
    again = FakeJobs(states=(state,), failing=jobs.failing)
    again.cut = [cut, cut]
    found, error = World(again).bulk.run((JobRows("CampaignMember", rows(3)),))
    assert isinstance(error, OutcomeUnknown)
    assert [states(stretch) for stretch in found] == [{"unknown"}]


def test_short_data_is_created_filled_and_closed_by_one_request() -> None:
    jobs = FakeJobs(states=("JobComplete",))
    outcomes, error = World(jobs).bulk.run((JobRows("CampaignMember", rows(10), multipart=True),))
    assert error is None
    assert [request.method for request in jobs.requests] == ["POST", "GET"]
    assert states(outcomes[0]) == {"written"}
    assert len(jobs.rows) == 10
    assert jobs.requests[0].headers["Sforce-Auto-Assign"] == "FALSE"


def test_data_that_became_too_long_is_uploaded_instead() -> None:
    jobs = FakeJobs(states=("JobComplete",))
    World(jobs).bulk.run((JobRows("CampaignMember", rows(6_000), multipart=True),))
    assert [request.method for request in jobs.requests] == ["POST", "PUT", "PATCH", "GET"]


def test_a_lost_answer_to_a_create_with_data_leaves_the_rows_unknown() -> None:
    jobs = FakeJobs()
    jobs.trouble["POST"] = httpx.ReadTimeout("t")
    outcomes, error = World(jobs).bulk.run((JobRows("CampaignMember", rows(3), multipart=True),))
    assert isinstance(error, OutcomeUnknown)
    assert states(outcomes[0]) == {"unknown"}
    assert len(jobs.requests) == 1, "never blindly repeated"


class ManyJobs:
    """Several jobs at once; each ends at its own instant of the clock."""

    def __init__(self, clock: StillClock, *seconds: float) -> None:
        self.clock, self.seconds = clock, list(seconds)
        self.asked: list[str] = []

    def job(self, number: int) -> dict[str, Any]:
        state = "JobComplete" if self.clock.seconds >= self.seconds[number] else "InProgress"
        return {"id": f"75000000000000{number}", "state": state, "totalProcessingTime": 1_000}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(ROOT).strip("/")
        self.asked.append(f"{request.method} {path}".strip())
        if request.method == "POST":
            return httpx.Response(200, json=self.job(sum(one.startswith("POST") for one in self.asked) - 1))
        if request.method in ("PUT", "PATCH"):
            return httpx.Response(201 if request.method == "PUT" else 200, json={"id": path[:15]})
        if path:
            return httpx.Response(200, json=self.job(int(path[14])))
        listed = [self.job(number) for number in range(len(self.seconds))]
        return httpx.Response(200, json={"records": listed, "done": True})


def test_several_jobs_are_watched_with_one_call() -> None:
    world = World(FakeJobs())
    jobs = ManyJobs(world.clock, 3.0, 40.0, 41.0)
    network = httpx.MockTransport(jobs)
    with Transport(Records(), world.clock, sleep=world.clock.sleep, network=network) as transport:
        channel = Channel(transport, Side.SALESFORCE, BASE, "the org")
        bulk = Bulk(channel, "66.0", Waits(per_row=0.001, least=4.0, longest=60.0, most=300.0))
        outcomes, error = bulk.run([JobRows(name, rows(3)) for name in ("CampaignMember", "A__c", "B__c")])
    assert error is None
    assert [states(each) for each in outcomes] == [{"written"}] * 3
    looks = [one for one in jobs.asked if one.startswith("GET")]
    assert looks[:3] == [f"GET 75000000000000{n}" for n in range(3)], "each once"
    assert "GET" in looks[3:], "those still at work by the list"
    assert len(looks) < 9, "not each job at each look"


def test_of_several_jobs_those_seen_to_end_have_outcomes() -> None:
    world = World(FakeJobs())
    jobs = ManyJobs(world.clock, 1.0, 1e9)
    network = httpx.MockTransport(jobs)
    with Transport(Records(), world.clock, sleep=world.clock.sleep, network=network) as transport:
        channel = Channel(transport, Side.SALESFORCE, BASE, "the org")
        bulk = Bulk(channel, "66.0", Waits(per_row=0.001, least=4.0, longest=60.0, most=100.0))
        outcomes, error = bulk.run([JobRows(name, rows(3)) for name in ("CampaignMember", "A__c")])
    assert isinstance(error, OutcomeUnknown)
    assert [states(each) for each in outcomes] == [{"written"}, {"unknown"}]


def test_a_lost_answer_before_the_close_means_nothing_was_written() -> None:
    for method in ("POST", "PUT"):
        jobs = FakeJobs()
        jobs.trouble[method] = httpx.ReadTimeout("t")
        with pytest.raises(RemoteRejected, match="could not be started"):
            World(jobs).bulk.update("CampaignMember", rows(3))
        assert jobs.state == "Open"


def test_a_lost_answer_to_the_close_is_looked_up() -> None:
    jobs = FakeJobs(states=("UploadComplete", "JobComplete"))
    jobs.trouble["PATCH"] = httpx.ReadTimeout("t")
    outcomes = World(jobs).bulk.update("CampaignMember", rows(3))
    assert {outcome.state for outcome in outcomes} == {"written"}
    assert [request.method for request in jobs.requests].count("PATCH") == 1


def test_a_job_that_never_ends_is_unknown() -> None:
    jobs = FakeJobs(states=())
    with pytest.raises(OutcomeUnknown, match="did not end"):
        World(jobs).bulk.update("CampaignMember", rows(3))


def test_cells() -> None:
    given = [
        ("1", {"Text": 'He said "no", twice', "Box": True, "At": "2026-11-23T01:00:00Z"}),
        ("2", {"Text": None, "Number": 0, "Box": False}),
    ]
    read = list(csv.DictReader(io.StringIO(as_csv(given))))
    assert read[0] == {
        "Id": "1",
        "Text": 'He said "no", twice',
        "Box": "true",
        "At": "2026-11-23T01:00:00Z",
        "Number": "",
    }
    assert read[1] == {"Id": "2", "Text": "#N/A", "Box": "false", "At": "", "Number": "0"}


@pytest.mark.slow
def test_very_many_markers_go_as_one_job_and_locked_rows_once_more() -> None:
    locked = member(7)
    jobs = FakeJobs(states=("JobComplete",), failing={locked: "UNABLE_TO_LOCK_ROW:unable to obtain:--"})
    composites: list[httpx.Request] = []

    def network(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/composite"):
            return jobs(request)
        composites.append(request)
        body = [{"id": locked, "success": True, "errors": []}]
        sub = {"referenceId": "w0", "httpStatusCode": 200, "body": body, "httpHeaders": {}}
        headers = {"Date": "Mon, 23 Nov 2026 01:00:00 GMT"}
        return httpx.Response(200, json={"compositeResponse": [sub]}, headers=headers)

    clock = StillClock()
    at = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    writes = [
        OrgWrite(f"k{n}", "CampaignMember", OrgOperation.UPDATE, {"PAM__Synced__c": at}, record_id=member(n))
        for n in range(10_000)
    ]
    outcomes: dict[str, OrgOutcome] = {}
    with Transport(Records(), clock, sleep=clock.sleep, network=httpx.MockTransport(network)) as transport:
        org = SalesforceOrg(transport, instance_url=BASE, mapping=Mapping(), access_token=Hidden("00Dx!y"))
        assert measured(org.meter(), writes) == (5, 4)
        org.write(
            writes,
            before=lambda batch: None,
            after=lambda batch, found: outcomes.update({one.key: one for one in found}),
            cancelled=lambda: False,
        )
    assert len(outcomes) == 10_000
    assert {outcome.state for outcome in outcomes.values()} == {"written"}
    assert jobs.rows[0]["PAM__Synced__c"] == "2026-11-23T01:00:00Z"
    assert len(jobs.requests) == 5, "create, upload, close, one poll, the failed rows"
    assert len(composites) == 1, "the locked row"


@pytest.mark.slow
def test_a_query_job_gives_the_same_members_as_pages(sides: Sides) -> None:
    campaign = sides.first_campaign()
    changed = [member for page in sides.org.read_members(campaign.id) for member in page][:1]
    values = {"PAM__Level__c": "Opened", "PAM__Opens__c": 4, "PAM__Active__c": True, "PAM__Reason__c": 'a "b", c'}
    sides.control("POST", "/records", {"object": "CampaignMember", "id": changed[0].member_id, "values": values})
    members = [member for page in sides.org.read_members(campaign.id) for member in page]
    before = sides.spent()
    with Transport(sides.records, SystemClock()) as transport:
        org = SalesforceOrg(
            transport,
            instance_url=sides.servers.instance_url,
            mapping=Mapping(),
            access_token=Hidden(sides.servers.access_token),
        )
        jobs = BulkQuery(org.composite.channel, org.composite.version)
        select = org.queries.members((f"CampaignId = '{campaign.id}'",), None)
        rows = [row for page in jobs.pages(select, len(members)) for row in page]
    found = [org.codec.member_of_csv(row) for row in rows]
    assert sorted(found, key=lambda one: one.member_id if one else "") == members
    assert sides.spent() - before <= packing.bulk_read_calls(len(members))


def test_results_are_read_page_by_page_to_the_word_null() -> None:
    asked: list[str] = []

    def network(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/results"):
            return httpx.Response(200, json={"id": "750000000000001AAA", "state": "JobComplete"})
        asked.append(request.url.params.get("locator", ""))
        number = len(asked)
        headers = {"Sforce-Locator": "null" if number == 3 else f"L{number}", "Content-Type": "text/csv"}
        return httpx.Response(200, text=f'"Id","Name"\n"{number}","Ann ""A"" \n{number}"\n', headers=headers)

    clock = StillClock()
    with Transport(Records(), clock, sleep=clock.sleep, network=httpx.MockTransport(network)) as transport:
        channel = Channel(transport, Side.SALESFORCE, BASE, "the org")
        pages = list(BulkQuery(channel, "66.0").pages(Select(("Id", "Name"), "Lead"), 3))
    assert asked == ["", "L1", "L2"]
    assert [row["Id"] for page in pages for row in page] == ["1", "2", "3"]
    assert pages[0][0]["Name"] == 'Ann "A" \n1'


def test_a_failed_query_job_says_why() -> None:
    body = {"id": "750000000000001AAA", "state": "Failed", "errorMessage": "no such column"}
    clock = StillClock()
    network = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    with Transport(Records(), clock, sleep=clock.sleep, network=network) as transport:
        channel = Channel(transport, Side.SALESFORCE, BASE, "the org")
        with pytest.raises(RemoteRejected, match="no such column"):
            list(BulkQuery(channel, "66.0").pages(Select(("Id",), "Lead"), 3))


def test_when_a_read_leaves_composite() -> None:
    assert packing.read_calls(10_000) == 1
    assert packing.read_calls(30_000) == 3
    assert packing.read_calls(100_000) == 5
    assert packing.rest_calls(2_000_000) == 11


class Swallow(FakeJobs, httpx.BaseTransport):
    """Takes any number of rows and keeps none."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            assert isinstance(request.stream, httpx.SyncByteStream)
            taken = sum(len(block) for block in request.stream)
            assert taken == int(request.headers["content-length"]), "its length is told beforehand"
            return httpx.Response(201)
        request.read()
        return self(request)


def peak_of_a_job(count: int, *, shelved: bool = True) -> int:
    """Most memory that writing so many rows took; the caller's own values come back with each."""
    clock = StillClock()
    transport = Transport(Records(), clock, sleep=clock.sleep, network=Swallow())
    org = SalesforceOrg(transport, instance_url=BASE, mapping=Mapping(), access_token=Hidden("t"))
    if not shelved:
        # The control: rows wait in memory.
        org._writer._shelf = packing._Held  # type: ignore[assignment]
    given = (
        OrgWrite(
            f"k{n}", "CampaignMember", OrgOperation.UPDATE, {"PAM__Opens__c": n}, record_id=member(n), about=(n, f"{n}")
        )
        for n in range(count)
    )
    announced: list[int] = []
    told: list[int] = []

    def after(writes: tuple[OrgWrite, ...], outcomes: tuple[OrgOutcome, ...]) -> None:
        assert all(write.about == (int(write.key[1:]), write.key[1:]) for write in writes)
        assert {one.state for one in outcomes} == {"written"}
        told.append(len(writes))

    tracemalloc.start()
    try:
        org.write(given, before=lambda writes: announced.append(len(writes)), after=after, cancelled=lambda: False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert announced == told
    assert sum(told) == count
    return peak


@pytest.mark.slow
def test_of_a_job_memory_holds_no_row() -> None:
    # Both beyond the look-ahead, which is held.
    few, many = peak_of_a_job(20_000), peak_of_a_job(45_000)
    assert many - few < 1_000_000, (few, many)
    assert peak_of_a_job(45_000, shelved=False) - many > 10_000_000, "a control: the measure sees rows that are held"
