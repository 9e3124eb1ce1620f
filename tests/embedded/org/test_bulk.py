"""Bulk API 2.0: jobs of rows and of queries."""

from __future__ import annotations

import csv
import io
import threading
from typing import Any

import pytest

from sync.embedded.org.state import RowFault
from tests.embedded.org.conftest import BASE, Api

JOBS = "/jobs/ingest"


def ended(api: Api, job: dict[str, Any], kind: str = "ingest") -> dict[str, Any]:
    """The job once its thread has ended."""
    for thread in threading.enumerate():
        if thread.name == f"bulk-{job['id']}":
            thread.join(20)
    return api.call("GET", f"/jobs/{kind}/{job['id']}")


def table(api: Api, path: str) -> list[dict[str, str]]:
    answer = api.http.get(BASE + path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def run(api: Api, data: str, **options: Any) -> dict[str, Any]:
    """Create, upload, close; the job as it ended."""
    body = {"object": "CampaignMember", "operation": "update", "contentType": "CSV", "lineEnding": "LF", **options}
    job = api.call("POST", JOBS, json=body)
    assert job["state"] == "Open"
    assert job["contentUrl"] == f"{BASE[1:]}/jobs/ingest/{job['id']}/batches"
    url = "/" + job["contentUrl"]
    api.call("PUT", url, 201, content=data.encode(), headers={"Content-Type": "text/csv"})
    assert api.call("PATCH", f"{JOBS}/{job['id']}", json={"state": "UploadComplete"})["state"] == "UploadComplete"
    return ended(api, job)


def test_update_keeps_empty_cells_and_nulls_with_a_mark(api: Api) -> None:
    ids = [r["Id"] for r in api.rows("SELECT Id FROM CampaignMember ORDER BY Id")]
    api.collection("PATCH", [{"id": i, "PAM__Level__c": "Sent", "PAM__Opens__c": 3} for i in ids])
    rows = [f"{i},Opened,{'#N/A' if n % 2 else ''},true" for n, i in enumerate(ids)]
    rows[5] = "00vgL000000zzzz,Opened,,true"
    job = run(api, "Id,PAM__Level__c,PAM__Opens__c,PAM__Active__c\n" + "\n".join(rows))
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 24, 1)
    found = api.rows("SELECT PAM__Level__c, PAM__Opens__c, PAM__Active__c FROM CampaignMember ORDER BY Id")
    assert found[0] == {"PAM__Level__c": "Opened", "PAM__Opens__c": 3.0, "PAM__Active__c": True}
    assert found[1] == {"PAM__Level__c": "Opened", "PAM__Opens__c": None, "PAM__Active__c": True}
    (failed,) = table(api, f"{JOBS}/{job['id']}/failedResults")
    assert failed["sf__Error"] == "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id: --"
    assert failed["Id"] == "00vgL000000zzzz"
    good = table(api, f"{JOBS}/{job['id']}/successfulResults")
    assert {r["sf__Id"] for r in good} == set(ids) - {ids[5]}
    assert [r["sf__Id"] for r in good] != sorted(r["sf__Id"] for r in good)
    assert {r["sf__Created"] for r in good} == {"false"}


def test_insert_upsert_and_delete(api: Api) -> None:
    campaign, leads = api.campaign(), api.people(3)
    body = "CampaignId,LeadId\n" + "\n".join(f"{campaign},{lead}" for lead in [*leads, leads[0]])
    job = run(api, body, operation="insert")
    assert job["numberRecordsFailed"] == 1
    assert (
        table(api, f"{JOBS}/{job['id']}/failedResults")[0]["sf__Error"]
        == "DUPLICATE_VALUE:Already a campaign member.: --"
    )
    made = [r["sf__Id"] for r in table(api, f"{JOBS}/{job['id']}/successfulResults")]
    edition = api.create("PAM__Email_Edition__c", PAM__Campaign__c=campaign, PAM__External_Id__c="ed")
    body = f"PAM__External_Id__c;PAM__Campaign__c;PAM__Email_Edition__r.PAM__External_Id__c\nc1;{campaign};ed"
    options = {
        "object": "PAM__Click_Through__c",
        "operation": "upsert",
        "externalIdFieldName": "PAM__External_Id__c",
        "columnDelimiter": "SEMICOLON",
    }
    assert run(api, body, **options)["numberRecordsFailed"] == 0
    assert run(api, body, **options)["numberRecordsFailed"] == 0
    assert api.rows("SELECT PAM__Email_Edition__c FROM PAM__Click_Through__c") == [{"PAM__Email_Edition__c": edition}]
    assert run(api, "Id\n" + "\n".join(made), operation="delete")["numberRecordsFailed"] == 0
    assert api.query(f"SELECT COUNT() FROM CampaignMember WHERE CampaignId = '{campaign}'")["totalSize"] == 0


def test_multipart_jobs_start_at_once(api: Api) -> None:
    (lead,) = api.people(1)
    files = {
        "job": (None, b'{"object":"Lead","operation":"update","contentType":"CSV"}', "application/json"),
        "content": ("content", f"Id,FirstName\n{lead},Zoë".encode(), "text/csv"),
    }
    job = api.http.post(BASE + JOBS, files=files).json()
    assert job["state"] == "UploadComplete"
    assert ended(api, job)["state"] == "JobComplete"
    assert api.call("GET", f"/sobjects/Lead/{lead}")["FirstName"] == "Zoë"
    assert [j["id"] for j in api.call("GET", JOBS)["records"]] == [job["id"]]
    files["content"] = ("content", b"Id,FirstName\n" + b"x" * 100_000, "text/csv")
    assert api.http.post(BASE + JOBS, files=files).status_code == 400


def test_row_faults_reach_jobs(api: Api) -> None:
    leads = api.people(5)
    api.built.org.state.row_faults.append(RowFault("Lead", "UNABLE_TO_LOCK_ROW", "locked", times=2))
    job = run(api, "Id,Title\n" + "\n".join(f"{lead},x" for lead in leads), object="Lead")
    assert job["numberRecordsFailed"] == 2


def test_query_jobs(api: Api) -> None:
    soql = "SELECT Id, Email, PAM__Active__c, Campaign.Name, SystemModstamp, FirstRespondedDate FROM CampaignMember"
    job = api.call("POST", "/jobs/query", json={"operation": "query", "query": soql})
    assert ended(api, job, "query")["numberRecordsProcessed"] == 24
    url = f"{BASE}/jobs/query/{job['id']}/results?maxRecords=20"
    first = api.http.get(url)
    assert (first.headers["sforce-locator"], first.headers["sforce-numberofrecords"]) == ("MjA", "20")
    last = api.http.get(f"{url}&locator=MjA")
    assert (last.headers["sforce-locator"], last.headers["sforce-numberofrecords"]) == ("null", "4")
    rows = list(csv.DictReader(io.StringIO(first.text)))
    assert list(rows[0]) == ["Id", "Email", "PAM__Active__c", "Campaign.Name", "SystemModstamp", "FirstRespondedDate"]
    assert (rows[0]["PAM__Active__c"], rows[0]["SystemModstamp"][-5:]) == ("false", ".000Z")
    api.call("GET", f"/services/data/v65.0/jobs/query/{job['id']}/results", 409)
    api.call("DELETE", f"/jobs/query/{job['id']}", 204)
    assert api.error("GET", f"/jobs/query/{job['id']}", 404) == ("NOT_FOUND", "The requested resource does not exist")


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT(Id) FROM Lead",
        "SELECT Status FROM Lead GROUP BY Status",
        "SELECT Id, (SELECT Id FROM CampaignMembers) FROM Campaign",
        "SELECT Id FROM Lead LIMIT 5 OFFSET 5",
        "SELECT TYPEOF Owner WHEN User THEN Name END FROM Lead",
    ],
)
def test_statements_that_bulk_queries_do_not_take(api: Api, soql: str) -> None:
    job = api.call("POST", "/jobs/query", json={"operation": "query", "query": soql})
    failed = ended(api, job, "query")
    assert (failed["state"], "not supported in Bulk Query" in failed["errorMessage"]) == ("Failed", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"object": "Lead", "operation": "nope"}, "INVALIDJOB"),
        ({"object": "Nope", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Lead", "operation": "upsert", "externalIdFieldName": "Title"}, "INVALIDJOB"),
    ],
)
def test_refused_jobs(api: Api, body: dict[str, str], code: str) -> None:
    assert api.error("POST", JOBS, 400, json=body)[0] == code


def test_states(api: Api) -> None:
    job = api.call("POST", JOBS, json={"object": "Lead", "operation": "insert"})
    assert api.call("PATCH", f"{JOBS}/{job['id']}", json={"state": "Aborted"})["state"] == "Aborted"
    assert api.error("PATCH", f"{JOBS}/{job['id']}", 400, json={"state": "UploadComplete"})[0] == "INVALIDJOBSTATE"
    assert (
        api.error("PUT", f"{JOBS}/{job['id']}/batches", 400, content=b"x", headers={"Content-Type": "text/csv"})[0]
        == "INVALIDJOBSTATE"
    )
