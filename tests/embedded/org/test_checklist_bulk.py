"""The checklist of the platform's behaviour, its line on Bulk API 2.0; each test restates its part of the line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.org.conftest import BASE, Api
from tests.embedded.org.test_bulk import JOBS, ended, run, table


@pytest.fixture
def slow(api: Api) -> Api:
    """The org with jobs that take two polls."""
    api.built.org.state.switches.bulk_polls = 2
    return api


def started(api: Api, data: str, **options: Any) -> str:
    """A job of leads with its data uploaded and closed; its address."""
    job = api.call("POST", JOBS, json={"object": "Lead", "operation": "update", **options})
    where = f"{JOBS}/{job['id']}"
    api.call("PUT", f"{where}/batches", 201, content=data.encode(), headers={"Content-Type": "text/csv"})
    assert api.call("PATCH", where, json={"state": "UploadComplete"})["state"] == "UploadComplete"
    return where


def titles(api: Api, leads: list[str], title: str = "New") -> str:
    return "Id,Title\n" + "\n".join(f"{lead},{title}" for lead in leads) + "\n"


def test_states_over_time_by_polls(slow: Api) -> None:
    """States over time: Open, UploadComplete, InProgress, JobComplete, as polls see them."""
    where = started(slow, titles(slow, slow.people(3)))
    assert [slow.call("GET", where)["state"] for _ in range(3)] == ["InProgress", "JobComplete", "JobComplete"]
    assert slow.call("GET", where)["numberRecordsProcessed"] == 3


def test_states_over_time_by_the_clock(api: Api) -> None:
    """States over time: a job is done when the org's clock says so, also when nobody polls it."""
    api.built.org.state.switches.bulk_seconds = 600
    (lead,) = api.people(1)
    where = started(api, titles(api, [lead]))
    assert api.call("GET", where)["state"] == "InProgress"
    api.clock.advance(599)
    assert api.call("GET", where)["state"] == "InProgress"
    api.clock.advance(2)
    assert api.call("GET", f"/sobjects/Lead/{lead}")["Title"] == "New"
    assert api.call("GET", where)["state"] == "JobComplete"


def test_query_jobs_take_time_too(slow: Api) -> None:
    """States over time: a query job begins at UploadComplete; its results are refused until it is done."""
    job = slow.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM CampaignMember"})
    assert job["state"] == "UploadComplete"
    where = f"/jobs/query/{job['id']}"
    assert slow.call("GET", where)["state"] == "InProgress"
    assert slow.error("GET", f"{where}/results", 400)[0] == "INVALIDJOBSTATE"
    assert slow.call("GET", where)["state"] == "JobComplete"
    assert len(table(slow, f"{where}/results")) == 24


def test_an_aborted_job_leaves_rows_on_both_sides(slow: Api) -> None:
    """States over time: what an aborted job has written stays; the rest is in unprocessedrecords."""
    leads = [lead for _ in range(3) for lead in slow.people(200)]
    where = started(slow, titles(slow, leads))
    assert slow.call("GET", where)["state"] == "InProgress"
    assert slow.error("DELETE", where, 400)[0] == "INVALIDJOBSTATE"
    assert slow.call("PATCH", where, json={"state": "Aborted"})["state"] == "Aborted"
    done, left = table(slow, f"{where}/successfulResults"), table(slow, f"{where}/unprocessedrecords")
    assert (len(done), len(left)) == (200, 400)
    assert slow.query("SELECT COUNT() FROM Lead WHERE Title = 'New'")["totalSize"] == 200
    assert {r["Id"] for r in done} | {r["Id"] for r in left} == set(leads)
    assert slow.error("PATCH", where, 400, json={"state": "Aborted"})[0] == "INVALIDJOBSTATE"


def test_a_job_that_fails_says_why_and_leaves_the_rest_unprocessed(api: Api) -> None:
    """States over time: a Failed job carries its errorMessage; unprocessed rows are told apart from failed ones."""
    job = run(api, "Id,Nope\n00QgL000000x,1\n", object="Lead")
    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : Field name not found : Nope")
    job = run(api, "Id,Title\r\n00QgL000000x,1\r\n", object="Lead")
    assert job["errorMessage"].startswith("ClientInputError : LineEnding is invalid on user data")


def test_results_are_not_in_the_order_of_the_upload(api: Api) -> None:
    """Unordered results: a client has to carry its own key."""
    leads = api.people(40)
    job = run(api, titles(api, leads), object="Lead")
    found = [row["Id"] for row in table(api, f"{JOBS}/{job['id']}/successfulResults")]
    assert sorted(found) == sorted(leads)
    assert found != leads


def test_a_mark_for_null_and_an_empty_cell_to_keep(api: Api) -> None:
    """#N/A sets a field to null; an empty cell is ignored, also on update."""
    first, second = api.people(2)
    for lead in (first, second):
        api.call("PATCH", f"/sobjects/Lead/{lead}", 204, json={"Title": "Old", "FirstName": "Kept"})
    run(api, f"Id,Title,FirstName\n{first},#N/A,\n{second},,#N/A\n", object="Lead")
    rows = api.rows(f"SELECT Title, FirstName FROM Lead WHERE Id IN ('{first}', '{second}') ORDER BY Id")
    assert rows == [{"Title": None, "FirstName": "Kept"}, {"Title": "Old", "FirstName": None}]


@pytest.mark.parametrize(("contention", "lost"), [(0.0, 0), (1.0, 20)])
def test_parallel_batches_contend_for_a_campaigns_lock(api: Api, contention: float, lost: int) -> None:
    """Internal batches (10,000 rows, here 20) run in parallel; lock contention is switchable and off by default."""
    api.built.org.state.switches.bulk_rows = 20
    api.built.org.state.switches.lock_contention = contention
    campaign, leads = api.campaign(), api.people(40)
    data = "CampaignId,LeadId\n" + "\n".join(f"{campaign},{lead}" for lead in leads) + "\n"
    job = run(api, data, operation="insert")
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", lost)
    errors = {row["sf__Error"].partition(":")[0] for row in table(api, f"{JOBS}/{job['id']}/failedResults")}
    assert errors == ({"UNABLE_TO_LOCK_ROW"} if lost else set())


def test_rows_sorted_by_campaign_and_single_batches_do_not_contend(api: Api) -> None:
    """One internal batch is serial, and batches of different campaigns do not meet."""
    api.built.org.state.switches.bulk_rows = 20
    api.built.org.state.switches.lock_contention = 1.0
    one, other, leads = api.campaign(), api.campaign(Name="Other"), api.people(20)
    rows = [f"{one},{lead}" for lead in leads]
    assert run(api, "CampaignId,LeadId\n" + "\n".join(rows), operation="insert")["numberRecordsFailed"] == 0
    more = api.people(20)
    rows = [f"{one},{lead}" for lead in more] + [f"{other},{lead}" for lead in leads]
    assert run(api, "CampaignId,LeadId\n" + "\n".join(rows), operation="insert")["numberRecordsFailed"] == 0


def test_batches_of_a_day_are_limited(api: Api) -> None:
    """15,000 internal batches and 10,000 query jobs a rolling day, shown by /limits; queries use no batches."""
    api.built.org.state.switches.bulk_rows = 2
    run(api, titles(api, api.people(5)), object="Lead")
    job = api.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Lead"})
    ended(api, job, "query")
    limits = api.call("GET", "/limits")
    assert limits["DailyBulkApiBatches"] == {"Max": 15_000, "Remaining": 14_997}
    assert limits["DailyBulkV2QueryJobs"] == {"Max": 10_000, "Remaining": 9_999}


def test_pages_of_results_and_the_last_locator(shared: Api) -> None:
    """Sforce-Locator is the literal text null on the last page; resultPages lists up to five addresses."""
    job = shared.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM CampaignMember"})
    total = ended(shared, job, "query")["numberRecordsProcessed"]
    where, found, locator = f"{BASE}/jobs/query/{job['id']}/results", 0, ""
    while locator != "null":
        page = shared.http.get(where, params={"maxRecords": 100, **({"locator": locator} if locator else {})})
        found, locator = found + int(page.headers["sforce-numberofrecords"]), page.headers["sforce-locator"]
    assert found == total == 720
    pages = shared.call("GET", f"/jobs/query/{job['id']}/resultPages", params={"maxRecords": 100})
    assert (len(pages["resultPages"]), pages["done"]) == (5, False)
    rest = shared.call("GET", pages["nextRecordsUrl"])
    assert (len(rest["resultPages"]), rest["done"], rest["nextRecordsUrl"]) == (3, True, None)
    urls = [page["resultUrl"] for page in pages["resultPages"] + rest["resultPages"]]
    assert sum(len(table(shared, url.removeprefix(BASE))) for url in urls) == total


def test_gone_after_delete_and_bound_to_its_version(api: Api) -> None:
    """404 after delete, 409 for another API version than the one the job was made with."""
    job = api.call("POST", "/jobs/query", json={"operation": "queryAll", "query": "SELECT Id FROM Lead"})
    where = f"jobs/query/{ended(api, job, 'query')['id']}"
    for resource in ("results", "resultPages"):
        assert api.error("GET", f"/services/data/v65.0/{where}/{resource}", 409)[0] == "VERSION_MISMATCH"
    api.call("DELETE", f"/{where}", 204)
    for resource in ("", "/results"):
        assert api.error("GET", f"/{where}{resource}", 404) == ("NOT_FOUND", "The requested resource does not exist")


def test_one_list_shows_the_states_of_all_jobs_without_counters(slow: Api) -> None:
    """GET /jobs/ingest shows the state of every job, in no fixed order, 1,000 a page, and no record counters."""
    made = [started(slow, titles(slow, slow.people(1))).rsplit("/", 1)[1] for _ in range(4)]
    listed = slow.call("GET", JOBS, params={"jobType": "V2Ingest"})
    assert (listed["done"], listed["nextRecordsUrl"]) == (True, None)
    assert sorted(row["id"] for row in listed["records"]) == sorted(made)
    assert {row["state"] for row in listed["records"]} == {"InProgress"}
    assert not any("numberRecordsFailed" in row for row in listed["records"])
    again = slow.call("GET", JOBS)["records"]
    assert {row["state"] for row in again} == {"JobComplete"}


@pytest.mark.parametrize(("length", "status"), [(100_000, 200), (100_001, 400)])
def test_multipart_creates_in_one_call_up_to_its_limit(api: Api, length: int, status: int) -> None:
    """Multipart: create, data and close in one call, at most 100,000 characters."""
    head = "Id,Title\n"
    job = b'{"object":"Lead","operation":"update","contentType":"CSV"}'
    files = {
        "job": (None, job, "application/json"),
        "content": ("content", (head + "x" * (length - len(head))).encode(), "text/csv"),
    }
    assert api.http.post(BASE + JOBS, files=files).status_code == status


def test_hard_delete_leaves_nothing_for_query_all(api: Api) -> None:
    """hardDelete passes the recycle bin by; delete fills it."""
    soft, hard = api.people(2)
    assert run(api, f"Id\n{soft}\n", object="Lead", operation="delete")["numberRecordsFailed"] == 0
    assert run(api, f"Id\n{hard}\n", object="Lead", operation="hardDelete")["numberRecordsFailed"] == 0
    soql = f"SELECT Id FROM Lead WHERE Id IN ('{soft}', '{hard}')"
    assert [r["Id"] for r in api.call("GET", "/queryAll", params={"q": soql})["records"]] == [soft]


def test_jobs_and_results_are_kept_for_a_week_and_stay_open_for_a_day(api: Api) -> None:
    """A job may stay open for 24 hours; results are kept for 7 days, then 404."""
    left_open = api.call("POST", JOBS, json={"object": "Lead", "operation": "insert"})["id"]
    done = run(api, titles(api, api.people(1)), object="Lead")["id"]
    api.clock.advance(86_401)
    assert api.call("GET", f"{JOBS}/{left_open}")["state"] == "Failed"
    assert len(table(api, f"{JOBS}/{done}/successfulResults")) == 1
    api.clock.advance(6 * 86_400)
    assert api.error("GET", f"{JOBS}/{done}", 404)[0] == "NOT_FOUND"


def test_what_is_deleted_is_named_by_ids_alone(api: Api) -> None:
    """Deletes: any column beside the id fails the job, and nothing is deleted."""
    (lead,) = api.people(1)
    job = run(api, f"Id,Title\n{lead},x\n", object="Lead", operation="delete")
    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : The 'delete' batch must contain only ids")
    assert api.call("GET", f"/sobjects/Lead/{lead}")["Id"] == lead
    assert run(api, f"Id\n{lead}\n", object="Lead", operation="delete")["numberRecordsFailed"] == 0


def test_an_external_id_twice_in_a_job(api: Api) -> None:
    """Upserts: rows of one transaction that share an external id are refused, all of them."""
    campaign = api.campaign()
    rows = "".join(f"{key},{campaign},{n}\n" for n, key in enumerate(("a", "b", "a")))
    options = {"object": "PAM__Email_History__c", "operation": "upsert", "externalIdFieldName": "PAM__External_Id__c"}
    job = run(api, f"PAM__External_Id__c,PAM__Campaign__c,PAM__Count__c\n{rows}", **options)
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 2)
    errors = {row["sf__Error"] for row in table(api, f"{JOBS}/{job['id']}/failedResults")}
    assert errors == {"DUPLICATE_VALUE:Duplicate external id specified: a:PAM__External_Id__c --"}


def test_rows_that_no_job_came_to(slow: Api) -> None:
    """Unprocessed rows: all of a job that was aborted in the queue, or open, and of one that failed over its data."""
    slow.built.org.state.switches.bulk_seconds = 600
    data = titles(slow, slow.people(3))
    queued = started(slow, data)
    job = slow.call("POST", JOBS, json={"object": "Lead", "operation": "update"})
    opened = f"{JOBS}/{job['id']}"
    slow.call("PUT", f"{opened}/batches", 201, content=data.encode(), headers={"Content-Type": "text/csv"})
    for where in (queued, opened):
        assert slow.call("PATCH", where, json={"state": "Aborted"})["state"] == "Aborted"
        left = table(slow, f"{where}/unprocessedrecords")
        assert (list(left[0]), len(left)) == (["Id", "Title"], 3)
    slow.built.org.state.switches.bulk_polls = slow.built.org.state.switches.bulk_seconds = 0
    failed = run(slow, "Id,Nope\n1,2\n3,4\n")
    assert (failed["state"], failed["errorMessage"]) == ("Failed", "InvalidBatch : Field name not found : Nope")
    left = table(slow, f"{JOBS}/{failed['id']}/unprocessedrecords")
    assert left == [{"Id": "1", "Nope": "2"}, {"Id": "3", "Nope": "4"}]


def test_words_for_true_and_false(api: Api) -> None:
    """Rows: true and false have several words, in capitals or not."""
    words = {"true": True, "1": True, "Yes": True, "y": True, "ON": True}
    words |= {"false": False, "0": False, "No": False, "n": False, "OFF": False}
    data = "LastName,Company,HasOptedOutOfEmail\n" + "".join(f"Word {word},1,{word}\n" for word in words)
    job = run(api, data, object="Lead", operation="insert")
    assert job["numberRecordsFailed"] == 0
    found = api.query("SELECT LastName, Company, HasOptedOutOfEmail FROM Lead WHERE LastName LIKE 'Word %'")["records"]
    assert {row["LastName"].removeprefix("Word "): row["HasOptedOutOfEmail"] for row in found} == words
    assert {row["Company"] for row in found} == {"1"}


def test_values_of_the_wrong_type(api: Api) -> None:
    """Rows: a cell that is no number or truth value is an error of its field; nothing there is JSON."""
    data = "LastName,Company,HasOptedOutOfEmail,PAM__Score__c\nA,B,maybe,1\nC,B,true,many\nD,B,false,2\n"
    job = run(api, data, object="Lead", operation="insert")
    assert job["numberRecordsFailed"] == 2
    errors = {row["LastName"]: row["sf__Error"] for row in table(api, f"{JOBS}/{job['id']}/failedResults")}
    code = "INVALID_TYPE_ON_FIELD_IN_RECORD"
    assert errors["A"].startswith(f"{code}:")
    assert errors["A"].endswith("value not of required type: maybe:HasOptedOutOfEmail --")
    assert errors["C"].endswith("value not of required type: many:PAM__Score__c --")
