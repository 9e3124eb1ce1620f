"""The servers in their own process: control address, faults on the wire, TLS, clients by others, the end."""

from __future__ import annotations

import json
import os
import signal
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from sync.embedded.process import EmbeddedError, EmbeddedServers, start_embedded
from tests.embedded.org.conftest import BASE


@pytest.fixture
def http(servers: EmbeddedServers) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {servers.access_token}"}
    with httpx.Client(base_url=servers.instance_url, headers=headers, trust_env=False) as client:
        yield client
    servers.control("DELETE", "/faults")


def fault(servers: EmbeddedServers, **rule: Any) -> None:
    servers.control("POST", "/faults", [{"side": "salesforce", **rule}])


def test_the_ready_line(servers: EmbeddedServers) -> None:
    org = servers.ready["salesforce"]
    assert set(org) >= {"instance_url", "access_token", "api_version", "tls_url", "ca", "client_id", "client_secret"}
    assert org["instance_url"].startswith("http://127.0.0.1:")
    assert servers.ready["predictive"] is None
    assert servers.access_token not in repr(servers)
    assert Path(servers.ca).read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_usage_is_counted_by_kind_of_address(servers: EmbeddedServers, http: httpx.Client) -> None:
    servers.control("POST", "/usage:reset")
    user = http.get("/services/oauth2/userinfo").json()["user_id"]
    http.get("/services/data")
    http.get(f"{BASE}/sobjects/User/{user}")
    http.get(f"{BASE}/sobjects/User/{user}")
    http.post(f"{BASE}/composite", json={"compositeRequest": []})
    assert servers.control("GET", "/usage") == {
        "salesforce": 3,
        "predictive": 0,
        "by": [
            {"side": "salesforce", "method": "GET", "path": "/services/data/v{version}/sobjects/User/{id}", "count": 2},
            {"side": "salesforce", "method": "POST", "path": "/services/data/v{version}/composite", "count": 1},
        ],
    }


def test_the_clock_is_set_and_advanced(servers: EmbeddedServers, http: httpx.Client) -> None:
    assert servers.control("POST", "/clock", {"at": "2027-03-02T10:00:00+01:00"})["now"].startswith(
        "2027-03-02T09:00:00"
    )
    assert servers.control("POST", "/clock", {"advance": 3600})["now"].startswith("2027-03-02T10:00:0")
    assert http.get("/services/data").headers["date"].startswith("Tue, 02 Mar 2027 10:00:0")
    with pytest.raises(EmbeddedError, match="offset"):
        servers.control("POST", "/clock", {"at": "2027-03-02T10:00:00"})


def test_faults_that_answer(servers: EmbeddedServers, http: httpx.Client) -> None:
    fault(servers, kind="html", match="/sobjects", after=1)
    fault(servers, kind="status", status=500, match="/limits", method="get")
    fault(servers, kind="session_expired", match="/queryAll")
    fault(servers, kind="quota", match="/composite")
    fault(servers, kind="status", status=420, body="no route", match="/services/data")
    assert [http.get(f"{BASE}/sobjects").status_code for _ in range(3)] == [420, 503, 200]
    assert http.get(f"{BASE}/limits").json()[0]["errorCode"] == "UNKNOWN_EXCEPTION"
    expired = http.get(f"{BASE}/queryAll?q=x")
    assert (expired.status_code, expired.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert http.post(f"{BASE}/composite").json()[0]["message"] == "TotalRequests Limit exceeded."
    assert [f["hits"] for f in servers.control("GET", "/faults")["faults"]] == [1] * 5
    with pytest.raises(EmbeddedError, match="kind is one of"):
        servers.control("POST", "/faults", [{"kind": "nonsense"}])


@pytest.mark.parametrize("kind", ["session_expired", "quota", "concurrency"])
def test_refusals_of_the_data_interface_leave_the_login_alone(
    servers: EmbeddedServers, http: httpx.Client, kind: str
) -> None:
    fault(servers, kind=kind, side="salesforce")
    assert http.get("/services/data").status_code == 200
    login = http.post("/services/oauth2/token", data={"grant_type": "client_credentials"})
    assert login.json()["error"].startswith("invalid_client")
    assert http.get(f"{BASE}/limits").status_code in (401, 403)
    assert http.get(f"{BASE}/limits").status_code == 200


def test_dropped_connections(servers: EmbeddedServers, http: httpx.Client) -> None:
    def count() -> int:
        soql = "SELECT COUNT() FROM Lead WHERE Company = 'Dropped'"
        return int(http.get(f"{BASE}/query", params={"q": soql}).json()["totalSize"])

    body = {"LastName": "x", "Company": "Dropped"}
    for kind, committed in (("drop_before", 0), ("drop_after", 1)):
        fault(servers, kind=kind, method="POST")
        with pytest.raises(httpx.RemoteProtocolError):
            http.post(f"{BASE}/sobjects/Lead", json=body)
        assert count() == committed
    fault(servers, kind="truncate", match="describe")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{BASE}/sobjects/Lead/describe")
    assert http.get(f"{BASE}/sobjects/Lead/describe").status_code == 200


def test_latency_is_waited_out(servers: EmbeddedServers, http: httpx.Client) -> None:
    fault(servers, kind="latency", seconds=30, match="/limits")
    with pytest.raises(httpx.ReadTimeout):
        http.get(f"{BASE}/limits", timeout=0.3)
    assert http.get(f"{BASE}/limits").status_code == 200


def test_chunked_bodies_and_long_addresses(http: httpx.Client) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"LastName": "Chunk'
        yield 'é", "Company": "x"}'.encode()

    created = http.post(f"{BASE}/sobjects/Lead", content=parts(), headers={"Content-Type": "application/json"})
    assert created.status_code == 201
    for size, status in ((17_000, 414), (60_000, 414)):
        answer = http.get(f"{BASE}/query?q=" + "x" * size)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, "URI_TOO_LONG")
    assert http.get(f"{BASE}/sobjects", headers={"X-Long": "y" * 17_000}).status_code == 431


def test_readers_and_writers_at_once(http: httpx.Client, servers: EmbeddedServers) -> None:
    headers = dict(http.headers)
    campaign = http.post(f"{BASE}/sobjects/Campaign", json={"Name": "At once"}).json()["id"]

    def work(number: int) -> list[bool]:
        with httpx.Client(base_url=servers.instance_url, headers=headers, trust_env=False) as own:
            rows = [
                {"attributes": {"type": "Lead"}, "LastName": f"{number}-{i}", "Company": "At once"} for i in range(20)
            ]
            ids = [r["id"] for r in own.post(f"{BASE}/composite/sobjects", json={"records": rows}).json()]
            members = [{"attributes": {"type": "CampaignMember"}, "CampaignId": campaign, "LeadId": i} for i in ids]
            found = own.post(f"{BASE}/composite/sobjects", json={"records": members}).json()
            own.get(f"{BASE}/query", params={"q": "SELECT Id, Email FROM CampaignMember LIMIT 2000"}).raise_for_status()
            return [r["success"] for r in found]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(found) for found in pool.map(work, range(8)))
    count = http.get(f"{BASE}/sobjects/Campaign/{campaign}?fields=NumberOfLeads").json()["NumberOfLeads"]
    assert count == 160


def test_control_of_records_sharing_rules_and_quota(servers: EmbeddedServers, http: httpx.Client) -> None:
    servers.control("POST", "/usage:reset")
    (lead,) = servers.control(
        "POST", "/records", {"op": "create", "object": "Lead", "values": {"LastName": "Hidden", "Company": "x"}}
    )["ids"]
    servers.control("POST", "/sharing", {"hide": [lead]})
    assert http.get(f"{BASE}/sobjects/Lead/{lead}").status_code == 404
    servers.control("POST", "/sharing", {"show": [lead]})
    servers.control("POST", "/rules", {"object": "Lead", "field": "Title", "equals": "X", "message": "No X."})
    assert http.patch(f"{BASE}/sobjects/Lead/{lead}", json={"Title": "X"}).json()[0]["message"] == "No X."
    servers.control("DELETE", "/rules")
    held = servers.control("POST", "/transactions", {"id": lead, "values": {"Title": "Held"}})
    assert http.get(f"{BASE}/sobjects/Lead/{lead}?fields=Title").json()["Title"] is None
    servers.control("POST", f"/transactions/{held['id']}:commit")
    assert http.get(f"{BASE}/sobjects/Lead/{lead}?fields=Title").json()["Title"] == "Held"
    held = servers.control("POST", "/transactions", {"operations": [{"id": lead, "values": {"Title": "Again"}}]})
    assert servers.control("GET", "/transactions")["open"] == [held["id"]]
    assert servers.control("POST", "/transactions", {"commit": held["id"]})["ids"] == [lead]
    assert http.get(f"{BASE}/sobjects/Lead/{lead}?fields=Title").json()["Title"] == "Again"
    for wrong in ({"commit": held["id"]}, {}):
        with pytest.raises(EmbeddedError):
            servers.control("POST", "/transactions", wrong)
    with pytest.raises(EmbeddedError, match="unknown setting"):
        servers.control("POST", "/settings", {"nope": 1})
    assert servers.control("POST", "/settings", {"page_rows": 250})["page_rows"] == 250
    page = http.get(f"{BASE}/query", params={"q": "SELECT Id FROM CampaignMember"}).json()
    assert (len(page["records"]), page["done"]) == (250, False)
    servers.control("POST", "/settings", {"page_rows": 2000})
    assert servers.control("GET", "/usage")["salesforce"] == 6
    quota = servers.control("GET", "/quota")
    assert servers.control("POST", "/quota", {"max": quota["used"]})["max"] == quota["used"]
    assert http.get(f"{BASE}/limits").status_code == 403
    assert servers.control("POST", "/quota", {"max": quota["max"], "used": 7}) == {"used": 7, "max": quota["max"]}


@pytest.fixture
def library(servers: EmbeddedServers) -> Iterator[Salesforce]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = servers.ca
        yield Salesforce(session_id=servers.access_token, instance_url=servers.tls_url, session=session, version="66.0")


def test_simple_salesforce_reads(library: Salesforce) -> None:
    first = library.query("SELECT Id, Name FROM Campaign ORDER BY CreatedDate LIMIT 1")["records"][0]
    assert first["Name"] == "Spring launch 2027"
    soql = f"SELECT Id, Email, Campaign.Name FROM CampaignMember WHERE CampaignId = '{first['Id']}'"
    everything = library.query_all(soql)
    assert (everything["totalSize"], len(everything["records"]), everything["done"]) == (2_100, 2_100, True)
    assert len(list(library.query_all_iter(soql))) == 2_100
    assert library.Lead.describe()["name"] == "Lead"
    assert {o["name"] for o in library.describe()["sobjects"]} >= {"CampaignMember"}
    assert library.limits()["DailyApiRequests"]["Remaining"] > 0
    assert library.is_sandbox() is True
    assert library.api_usage["api-usage"].total == 100_000


def test_simple_salesforce_writes(library: Salesforce) -> None:
    created = library.Lead.create({"LastName": "Łukasiewicz", "Company": "Lib"})
    assert created["success"]
    assert library.Lead.update(created["id"], {"FirstName": "Jan"}) == 204
    assert library.Lead.get(created["id"])["Name"] == "Jan Łukasiewicz"
    campaign = library.Campaign.create({"Name": "Lib"})["id"]
    edition = library.PAM__Email_Edition__c.upsert(
        "PAM__External_Id__c/lib-1", {"PAM__Campaign__c": campaign, "Name": "I"}
    )
    assert edition == 201
    assert library.PAM__Email_Edition__c.get_by_custom_id("PAM__External_Id__c", "lib-1")["Name"] == "I"
    answer = library.restful(
        "composite",
        method="POST",
        json={
            "compositeRequest": [
                {
                    "method": "POST",
                    "url": f"{BASE}/sobjects/CampaignMember",
                    "referenceId": "m",
                    "body": {"CampaignId": campaign, "LeadId": created["id"]},
                },
                {"method": "GET", "url": f"{BASE}/sobjects/CampaignMember/@{{m.id}}", "referenceId": "g"},
            ]
        },
    )
    assert answer["compositeResponse"][1]["body"]["Name"] == "Jan Łukasiewicz"
    rows = library.restful(
        "composite/sobjects",
        method="PATCH",
        json={"records": [{"attributes": {"type": "Lead"}, "id": created["id"], "Title": "T"}]},
    )
    assert rows[0]["success"]
    assert library.Lead.delete(created["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        library.Lead.get(created["id"])
    with pytest.raises(SalesforceMalformedRequest) as refused:
        library.query("SELECT Nope FROM Lead")
    assert refused.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_simple_salesforce_logs_in_with_client_credentials(servers: EmbeddedServers) -> None:
    class ToSandbox(requests.adapters.HTTPAdapter):
        """Sends the library's fixed login host to the sandbox."""

        def send(self, request: Any, **more: Any) -> Any:
            request.url = servers.tls_url + request.path_url
            return super().send(request, **more)

    with requests.Session() as session:
        session.trust_env = False
        session.verify = servers.ca
        session.mount("https://", ToSandbox())
        found = Salesforce(
            consumer_key=servers.client_id,
            consumer_secret=servers.client_secret,
            domain="acme.my",
            session=session,
            version="66.0",
        )
        assert found.query("SELECT COUNT() FROM Campaign")["totalSize"] >= 3


def test_tls_needs_the_sandboxes_own_authority(servers: EmbeddedServers) -> None:
    trusted = ssl.create_default_context(cafile=servers.ca)
    with httpx.Client(base_url=servers.tls_url, verify=trusted, trust_env=False) as client:
        assert client.get("/services/data").status_code == 200
    with httpx.Client(base_url=servers.tls_url, trust_env=False) as client, pytest.raises(httpx.ConnectError):
        client.get("/services/data")


@pytest.mark.slow
def test_it_ends_with_its_input_keeps_its_data_and_obeys_signals(tmp_path: Path) -> None:
    options: dict[str, Any] = {"only": "org", "campaigns": 1, "members": 3, "data_dir": tmp_path / "org"}
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"kind": "html", "side": "salesforce"}]))
    running = start_embedded(**options, faults=faults)
    headers = {"Authorization": f"Bearer {running.access_token}"}
    with httpx.Client(base_url=running.instance_url, headers=headers, trust_env=False) as client:
        assert client.get(f"{BASE}/limits").status_code == 503
        assert client.post(f"{BASE}/sobjects/Lead", json={"LastName": "Kept", "Company": "x"}).status_code == 201
    assert running.stop() == 0
    again = start_embedded(**options)
    headers = {"Authorization": f"Bearer {again.access_token}"}
    answer = httpx.get(
        f"{again.instance_url}{BASE}/query?q=SELECT+Id+FROM+Lead+WHERE+LastName='Kept'",
        headers=headers,
        trust_env=False,
    )
    assert answer.json()["totalSize"] == 1
    os.kill(again.pid, signal.SIGTERM)
    assert again.process.wait(5) == 0
    again.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="cannot start"):
        start_embedded(only="org", faults=tmp_path / "missing.json")
