"""Clients that others wrote, unmodified, and what they were seen to need of an org.

simple-salesforce over TLS and salesforce-bulk over plain HTTP run here. By hand also: Salesforce's own command line
(2.146: logins by token, browser, JWT, auth URL; query, records, tree and bulk both ways, search, users, limits),
jsforce 3.10 (all of its query, CRUD, both bulk interfaces, SOAP and OAuth logins), Airbyte's source 2.10 and Singer's
tap 2.8 (both ways to read of each), nforce 1, nforce8 2, aio-sf, aiosalesforce, SalesforcePy.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import requests
from salesforce_bulk import CsvDictsAdapter, SalesforceBulk
from salesforce_bulk.salesforce_bulk import BulkApiError
from salesforce_bulk.util import IteratorBytesIO
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceRefusedRequest

from sync.embedded.process import EmbeddedServers
from tests.embedded.org.conftest import BASE, Api


@pytest.fixture
def library(servers: EmbeddedServers) -> Iterator[Salesforce]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = servers.ca
        yield Salesforce(session_id=servers.access_token, instance_url=servers.tls_url, session=session)


@pytest.fixture
def bulk(servers: EmbeddedServers) -> SalesforceBulk:
    return SalesforceBulk(sessionId=servers.access_token, host=servers.instance_url)


def people(count: int, company: str) -> list[dict[str, str]]:
    return [{"LastName": f"Person {n}", "Company": company} for n in range(count)]


# ------------------------------------------------------------------ simple-salesforce


def test_the_library_queries(library: Salesforce) -> None:
    soql = "SELECT Id, (SELECT Id FROM CampaignMembers LIMIT 3) FROM Campaign ORDER BY CreatedDate LIMIT 2"
    rows = library.query(soql)["records"]
    assert [row["CampaignMembers"]["totalSize"] for row in rows] == [3, 3]
    everything = library.query_all("SELECT Id FROM CampaignMember", include_deleted=True)
    assert everything["totalSize"] == len(everything["records"]) > 6_000
    first = library.query("SELECT Id FROM CampaignMember")
    more = library.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert more["records"][0]["Id"] != first["records"][0]["Id"]
    with pytest.raises(SalesforceMalformedRequest) as refused:
        library.query("SELECT Nope FROM Lead")
    assert refused.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_the_library_works_on_rows_and_their_changes(library: Salesforce) -> None:
    made = library.Lead.create({"LastName": "Row", "Company": "Library"})["id"]
    library.Lead.update(made, {"Title": "Boss"})
    assert library.Lead.get(made)["Title"] == "Boss"
    now = datetime.fromisoformat(str(library.Lead.get(made)["SystemModstamp"]).replace("+0000", "+00:00"))
    window = (now - timedelta(hours=1), now + timedelta(minutes=5))
    assert made in library.Lead.updated(*window)["ids"]
    library.Lead.delete(made)
    assert made in {row["id"] for row in library.Lead.deleted(*window)["deletedRecords"]}
    assert {field["name"] for field in library.Lead.describe()["fields"]} >= {"Email", "PAM__Score__c"}
    assert library.Lead.metadata()["objectDescribe"]["name"] == "Lead"


def test_the_library_works_in_bulk(library: Salesforce) -> None:
    inserted = library.bulk2.Lead.insert(records=people(30, "Bulk 2"), batch_size=20, wait=0.01)
    assert [(one["numberRecordsProcessed"], one["numberRecordsFailed"]) for one in inserted] == [(20, 0), (10, 0)]
    (page,) = library.bulk2.Lead.query("SELECT Id FROM Lead WHERE Company = 'Bulk 2'", wait=0.01)
    ids = [row["Id"] for row in csv.DictReader(io.StringIO(page))]
    assert len(ids) == 30
    rows = [{"Id": key, "Title": "T"} for key in [*ids[:5], "00QgL00000zzzzzzzz"]]
    (updated,) = library.bulk2.Lead.update(records=rows, wait=0.01)
    assert updated["numberRecordsFailed"] == 1
    assert "sf__Error" in library.bulk2.Lead.get_failed_records(updated["job_id"])
    assert library.bulk2.Lead.get_all_ingest_records(updated["job_id"])["failedRecords"][0]["Id"].startswith("00QgL")
    (deleted,) = library.bulk2.Lead.delete(records=[{"Id": key} for key in ids[:5]], wait=0.01)
    assert deleted["numberRecordsFailed"] == 0
    pages = list(library.bulk2.Lead.query_all("SELECT Id FROM Lead WHERE Company = 'Bulk 2'", wait=0.01))
    assert len(list(csv.DictReader(io.StringIO(pages[0])))) == 30
    first = library.bulk.Lead.insert(people(3, "Bulk 1"))
    assert all(row["success"] for row in first)
    assert len(library.bulk.Lead.query("SELECT Id FROM Lead WHERE Company = 'Bulk 1'")) == 3


def test_the_library_upserts_and_sees_the_meter(library: Salesforce) -> None:
    campaign = library.Campaign.create({"Name": "Bulk upsert"})["id"]
    rows = [{"PAM__External_Id__c": "u1", "PAM__Campaign__c": campaign, "PAM__Subject__c": "S"}]
    for _ in range(2):
        (done,) = library.bulk2.PAM__Email_Edition__c.upsert(
            records=rows, external_id_field="PAM__External_Id__c", wait=0.01
        )
        assert done["numberRecordsFailed"] == 0
    found = library.query(f"SELECT COUNT() FROM PAM__Email_Edition__c WHERE PAM__Campaign__c = '{campaign}'")
    assert found["totalSize"] == 1
    used = library.api_usage["api-usage"].used
    library.limits()
    library.query("SELECT COUNT() FROM Lead")
    assert library.api_usage["api-usage"].used == used + 2


def test_the_library_tells_the_daily_limit_from_other_refusals(library: Salesforce, servers: EmbeddedServers) -> None:
    servers.control("POST", "/faults", [{"kind": "quota", "match": "/query"}])
    with pytest.raises(SalesforceRefusedRequest) as refused:
        library.query("SELECT Id FROM Lead")
    assert refused.value.content[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


# ------------------------------------------------------------------ salesforce-bulk (the first Bulk API, plain HTTP)


def test_salesforce_bulk_inserts_and_reads_results_in_order(bulk: SalesforceBulk) -> None:
    job = bulk.create_insert_job("Lead", contentType="CSV", concurrency="Parallel")
    rows = [*people(3, "First Bulk"), {"LastName": "no company", "Company": ""}]
    batch = bulk.post_batch(job, CsvDictsAdapter(iter(rows)))
    bulk.wait_for_batch(job, batch)
    bulk.close_job(job)
    results = bulk.get_batch_results(batch)
    assert [r.success for r in results] == ["true", "true", "true", "false"]
    assert results[3].error.startswith("REQUIRED_FIELD_MISSING:Required fields are missing: [Company]:Company --")
    status = bulk.job_status(job)
    assert (status["state"], status["numberBatchesCompleted"], status["numberRecordsFailed"]) == ("Closed", "1", "1")


@pytest.mark.parametrize("content", ["CSV", "JSON"])
def test_salesforce_bulk_queries(bulk: SalesforceBulk, content: str) -> None:
    job = bulk.create_query_job("Campaign", contentType=content)
    batch = bulk.query(job, "SELECT Id, Name FROM Campaign WHERE IsActive = true")
    bulk.close_job(job)
    bulk.wait_for_batch(job, batch)
    (result,) = bulk.get_all_results_for_query_batch(batch)
    text = IteratorBytesIO(result).read().decode()
    rows = json.loads(text) if content == "JSON" else list(csv.DictReader(io.StringIO(text)))
    assert "Spring launch 2027" in {row["Name"] for row in rows}


def test_salesforce_bulk_is_told_what_is_wrong(bulk: SalesforceBulk, servers: EmbeddedServers) -> None:
    with pytest.raises(BulkApiError, match="InvalidJob"):
        bulk.create_insert_job("Nope", contentType="CSV")
    with pytest.raises(BulkApiError, match="InvalidSessionId"):
        SalesforceBulk(sessionId="wrong", host=servers.instance_url).create_insert_job("Lead")
    job = bulk.create_query_job("Lead", contentType="CSV")
    batch = bulk.query(job, "SELECT Nope FROM Lead")
    status = bulk.batch_status(batch, job)
    assert (status["state"], "INVALID_FIELD" in status["stateMessage"]) == ("Failed", True)


def test_each_request_of_the_first_bulk_api_is_a_call(bulk: SalesforceBulk, servers: EmbeddedServers) -> None:
    servers.control("POST", "/usage:reset")
    before = servers.control("GET", "/quota")["used"]
    job = bulk.create_insert_job("Lead", contentType="CSV")
    batch = bulk.post_batch(job, CsvDictsAdapter(iter(people(1, "Counted"))))
    bulk.batch_status(batch, job)
    usage = servers.control("GET", "/usage")
    assert usage["salesforce"] == 3
    assert servers.control("GET", "/quota")["used"] - before == 3
    assert "/services/async/{version}/job/{id}/batch/{id}" in {one["path"] for one in usage["by"]}


# ------------------------------------------------------------------ what the others were seen to need


def test_an_address_may_begin_with_two_slashes(servers: EmbeddedServers) -> None:
    """The command line puts paths behind an instance that ends in a slash."""
    headers = {"Authorization": f"Bearer {servers.access_token}"}
    answer = httpx.get(f"{servers.instance_url}/{BASE}/limits", headers=headers, trust_env=False)
    assert answer.status_code == 200


def test_the_resource_map_names_an_absolute_identity(api: Api) -> None:
    """jsforce follows it as it is; the command line asks for the version without a slash behind it."""
    where = api.call("GET", "/services/data/v68.0")["identity"]
    assert api.http.get(where).json()["username"] == "integration@predictive.example"


@pytest.mark.parametrize("header", ["Bearer {}", "OAuth {}", "bearer {}"])
def test_sessions_in_every_spelling(api: Api, header: str) -> None:
    """Older clients say OAuth; some write the scheme small."""
    headers = {"Authorization": header.format(api.built.access_token)}
    assert api.http.get(f"{BASE}/limits", headers=headers).status_code == 200


def test_small_things_that_clients_rely_on(api: Api) -> None:
    """204 without a body, 201 with a Location, 18-character ids, dates with +0000, JSON with a character set."""
    made = api.http.post(f"{BASE}/sobjects/Lead", json={"LastName": "x", "Company": "y"})
    key = made.json()["id"]
    assert made.headers["location"] == f"{BASE}/sobjects/Lead/{key}"
    assert made.headers["content-type"] == "application/json;charset=UTF-8"
    assert len(key) == 18
    changed = api.http.patch(f"{BASE}/sobjects/Lead/{key}", json={"Title": "z"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert api.call("GET", f"/sobjects/Lead/{key}")["CreatedDate"].endswith(".000+0000")
    assert api.call("GET", f"/sobjects/Lead/{key}")["CreatedDate"].startswith("2027-03-01")
    assert api.built.access_token.startswith(api.built.org.organization_id[:15] + "!")


def test_a_method_within_the_address(api: Api) -> None:
    """Clients whose HTTP library knows no PATCH name it in the address of a POST."""
    (lead,) = api.people(1)
    api.call("POST", f"/sobjects/Lead/{lead}", 204, params={"_HttpMethod": "PATCH"}, json={"Title": "x"})
    assert api.call("GET", f"/sobjects/Lead/{lead}")["Title"] == "x"


def test_plans_of_statements(api: Api) -> None:
    """query?explain= is answered with a plan and runs nothing."""
    told: dict[str, Any] = api.call("GET", "/query", params={"explain": "SELECT Id FROM Lead"})
    assert (told["plans"][0]["sobjectType"], told["sourceQuery"]) == ("Lead", "SELECT Id FROM Lead")
    assert api.error("GET", "/query", 400, params={"explain": "SELECT Nope FROM Lead"})[0] == "INVALID_FIELD"
