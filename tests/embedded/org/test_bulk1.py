"""The first Bulk API: bodies in XML, and locks between the batches of a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.embedded.org.conftest import Api

ROOT = "/services/async/66.0/job"
SPACE = "http://www.force.com/2009/06/asyncapi/dataload"
XML = {"Content-Type": "application/xml; charset=UTF-8"}


class Old:
    """Requests with the session where this interface wants it."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def send(self, method: str, path: str, body: str = "", kind: str = XML["Content-Type"]) -> Any:
        headers = {"X-SFDC-Session": self.api.built.access_token, "Content-Type": kind}
        return self.api.http.request(method, ROOT + path, content=body.encode(), headers=headers)

    def xml(self, method: str, path: str, body: str = "") -> ElementTree.Element:
        answer = self.send(method, path, body)
        assert answer.headers["content-type"] == "application/xml"
        return ElementTree.fromstring(answer.text)

    def job(self, operation: str, sobject: str, more: str = "<contentType>XML</contentType>") -> str:
        found = self.xml(
            "POST",
            "",
            f'<?xml version="1.0"?><jobInfo xmlns="{SPACE}"><operation>{operation}</operation>'
            f"<object>{sobject}</object>{more}</jobInfo>",
        )
        return text(found, "id")


def text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{{{SPACE}}}{name}") or ""


@pytest.fixture
def old(api: Api) -> Old:
    return Old(api)


def rows_of(*rows: str) -> str:
    inner = "".join(f"<sObject>{row}</sObject>" for row in rows)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><sObjects xmlns="{SPACE}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{inner}</sObjects>'
    )


def test_rows_and_results_in_xml(old: Old) -> None:
    job = old.job("insert", "Lead")
    data = rows_of("<LastName>A &amp; B</LastName><Company>C</Company>", "<LastName>No company</LastName>")
    batch = text(old.xml("POST", f"/{job}/batch", data), "id")
    told = old.xml("GET", f"/{job}/batch/{batch}")
    assert (text(told, "state"), text(told, "numberRecordsFailed")) == ("Completed", "1")
    good, bad = old.xml("GET", f"/{job}/batch/{batch}/result")
    assert (text(good, "success"), text(good, "created"), text(bad, "success")) == ("true", "true", "false")
    errors = bad.find(f"{{{SPACE}}}errors")
    assert errors is not None
    assert (text(errors, "statusCode"), text(errors, "fields")) == ("REQUIRED_FIELD_MISSING", "Company")
    assert old.api.call("GET", f"/sobjects/Lead/{text(good, 'id')}")["LastName"] == "A & B"
    assert old.send("GET", f"/{job}/batch/{batch}/request").text == data


def test_nil_makes_null_and_an_empty_element_changes_nothing(old: Old) -> None:
    key = old.api.create("Lead", LastName="x", Company="y", Title="Boss", City="Ulm")
    job = old.job("update", "Lead")
    old.xml("POST", f"/{job}/batch", rows_of(f'<Id>{key}</Id><Title xsi:nil="true"/><City></City>'))
    found = old.api.call("GET", f"/sobjects/Lead/{key}")
    assert (found["Title"], found["City"]) == (None, "Ulm")


def test_a_query_in_xml(old: Old) -> None:
    old.api.create("Lead", LastName="<Odd>", Company="y")
    job = old.job("query", "Lead")
    batch = text(
        old.xml("POST", f"/{job}/batch", "SELECT Id, LastName, Title FROM Lead WHERE LastName = '<Odd>'"), "id"
    )
    result = text(old.xml("GET", f"/{job}/batch/{batch}/result"), "result")
    (record,) = old.xml("GET", f"/{job}/batch/{batch}/result/{result}")
    assert (text(record, "type"), text(record, "LastName")) == ("Lead", "<Odd>")
    title = record.find(f"{{{SPACE}}}Title")
    assert title is not None
    assert title.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"


@pytest.mark.parametrize("body", ["<sObjects", '<!DOCTYPE a [<!ENTITY b "c">]><sObjects/>', "<other/>"])
def test_a_batch_that_is_no_such_xml_fails(old: Old, body: str) -> None:
    job = old.job("insert", "Lead")
    told = old.xml("POST", f"/{job}/batch", body)
    assert (text(told, "state"), text(told, "stateMessage")[:12]) == ("Failed", "InvalidBatch")


def test_the_session_comes_in_a_header_of_its_own(old: Old) -> None:
    """A bearer token is none here, and the refusal has status 400: clients renew their session by its code."""
    answer = old.api.http.post(ROOT, content=b"<jobInfo/>", headers=XML)
    assert (answer.status_code, "<exceptionCode>InvalidSessionId</exceptionCode>" in answer.text) == (400, True)


@pytest.mark.parametrize(("mode", "failed"), [("Parallel", "12"), ("Serial", "0")])
def test_batches_side_by_side_refuse_each_other_rows_of_a_campaign(old: Old, mode: str, failed: str) -> None:
    old.api.built.org.state.switches.lock_contention = 1.0
    campaign, leads = old.api.campaign(), old.api.people(24)
    job = old.job(
        "insert", "CampaignMember", f"<concurrencyMode>{mode}</concurrencyMode><contentType>XML</contentType>"
    )
    for some in (leads[:12], leads[12:]):
        data = rows_of(*(f"<CampaignId>{campaign}</CampaignId><LeadId>{lead}</LeadId>" for lead in some))
        old.xml("POST", f"/{job}/batch", data)
    told = old.xml("POST", f"/{job}", f'<jobInfo xmlns="{SPACE}"><state>Closed</state></jobInfo>')
    assert (text(told, "state"), text(told, "numberRecordsFailed")) == ("Closed", failed)


def test_records_in_json_have_types(old: Old) -> None:
    """As in REST, with relationships within each other; instants and days are milliseconds since 1970."""
    kind = "application/json"
    made = old.send("POST", "", '{"operation": "query", "object": "CampaignMember", "contentType": "JSON"}', kind)
    where = f"/{made.json()['id']}/batch"
    soql = (
        "SELECT Id, HasResponded, CreatedDate, FirstRespondedDate, Campaign.StartDate, Campaign.NumberOfLeads, "
        "Lead.Email FROM CampaignMember WHERE HasResponded = true AND LeadId != null LIMIT 1"
    )
    batch = old.send("POST", where, soql, kind).json()
    (result,) = old.send("GET", f"{where}/{batch['id']}/result").json()
    (record,) = old.send("GET", f"{where}/{batch['id']}/result/{result}").json()
    plain = old.api.query(soql)["records"][0]
    assert record["attributes"] == plain["attributes"]
    assert (record["HasResponded"], record["Lead"]) == (True, plain["Lead"])
    assert record["CreatedDate"] == datetime.fromisoformat(plain["CreatedDate"]).timestamp() * 1_000
    start = datetime.fromisoformat(plain["Campaign"]["StartDate"]).replace(tzinfo=UTC)
    assert record["Campaign"]["StartDate"] == start.timestamp() * 1_000
    assert record["Campaign"]["NumberOfLeads"] == plain["Campaign"]["NumberOfLeads"]


def test_why_a_batch_failed(old: Old) -> None:
    """As the platform words it: what failed, then the code of it."""
    query = old.job("query", "Lead")
    batch = old.xml("POST", f"/{query}/batch", "SELECT Nope FROM Lead")
    words = text(batch, "stateMessage")
    assert words.startswith("InvalidBatch : Failed to process query: INVALID_FIELD: ")
    removal = old.job("delete", "Lead")
    batch = old.xml("POST", f"/{removal}/batch", rows_of("<Id>00QgL000000FJWyUAO</Id><Title>x</Title>"))
    assert text(batch, "stateMessage") == "InvalidBatch : The 'delete' batch must contain only ids"


def test_batches_are_told_in_the_form_of_their_job(old: Old) -> None:
    """Clients that speak JSON of jobs (Singer's tap) read the batches of a CSV job as XML, from GETs as well."""
    kind = "application/json"
    made = old.send("POST", "", '{"operation": "query", "object": "Lead", "contentType": "CSV"}', kind)
    assert made.headers["content-type"] == kind
    job = made.json()["id"]
    batch = text(
        ElementTree.fromstring(old.send("POST", f"/{job}/batch", "SELECT Id FROM Lead", "text/csv").text), "id"
    )
    assert old.send("POST", f"/{job}", '{"state": "Closed"}', kind).json()["state"] == "Closed"
    for path in ("/batch", f"/batch/{batch}", f"/batch/{batch}/result"):
        told = old.send("GET", f"/{job}{path}", kind=kind)
        assert told.headers["content-type"] == "application/xml", path
        assert ElementTree.fromstring(told.text) is not None
    assert old.send("GET", "/750gL00000zzzzzAAA", kind=kind).json()["exceptionCode"] == "InvalidJob"
