"""What real clients need of a Salesforce-compatible server, found by running several; one test a need."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator

import httpx
import pytest

from sync.embedded.process import EmbeddedServers
from tests.embedded.org.conftest import BASE, Api
from tests.embedded.org.test_bulk import ended

LEAD = {"LastName": "Need", "Company": "Client"}


def test_chunked_request_bodies(servers: EmbeddedServers) -> None:
    """Chunked request bodies without Content-Length, over a real connection."""
    body = json.dumps(LEAD).encode()

    def parts() -> Iterator[bytes]:
        yield body[:7]
        yield body[7:]

    headers = {"Authorization": f"Bearer {servers.access_token}", "Content-Type": "application/json"}
    url = f"{servers.instance_url}{BASE}/sobjects/Lead"
    with httpx.Client(trust_env=False, headers=headers) as client:
        sent = client.post(url, content=parts())
    assert (sent.status_code, sent.request.headers.get("transfer-encoding")) == (201, "chunked")


def test_gzip_both_ways(api: Api) -> None:
    """gzip of bodies both ways."""
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert api.http.post(
        f"{BASE}/sobjects/Lead", content=gzip.compress(json.dumps(LEAD).encode()), headers=packed
    ).is_success
    answer = api.http.get(f"{BASE}/sobjects/Lead/describe", headers={"Accept-Encoding": "gzip, deflate"})
    assert (answer.headers["content-encoding"], answer.json()["name"]) == ("gzip", "Lead")


def test_pretty_printed_answers(api: Api) -> None:
    """X-PrettyPrint: 1 is answered in lines."""
    answer = api.http.get(f"{BASE}/limits", headers={"X-PrettyPrint": "1"})
    assert answer.text.startswith("{\n")
    assert len(answer.text.splitlines()) > 40


def test_the_version_list_without_a_session(api: Api) -> None:
    """GET /services/data without auth."""
    found = api.http.get("/services/data", headers={"Authorization": ""}).json()
    assert found[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}


def test_the_resource_map(api: Api) -> None:
    """GET /services/data/vXX.0 is a map of resources, identity among them."""
    found = api.call("GET", "/services/data/v60.0")
    assert found["sobjects"] == "/services/data/v60.0/sobjects"
    assert api.http.get(found["identity"]).status_code == 200


def test_who_is_logged_in(api: Api) -> None:
    """/id/{org}/{user}, /services/oauth2/userinfo and /sobjects/User/{id} tell the same user name."""
    told = api.http.get("/services/oauth2/userinfo").json()
    by_id = api.http.get(told["id"]).json()
    user = api.call("GET", f"/sobjects/User/{told['user_id']}")
    assert told["preferred_username"] == by_id["username"] == user["Username"]


def test_queries_of_the_organization(api: Api) -> None:
    """Organization queries: whether it is a sandbox, its name, instance and name space."""
    row = api.one("SELECT Id, Name, IsSandbox, InstanceName, NamespacePrefix, OrganizationType FROM Organization")
    assert (row["Id"], row["IsSandbox"], row["NamespacePrefix"]) == (api.built.org.organization_id, True, None)


def test_columns_of_a_query(api: Api) -> None:
    """query?columns=true."""
    params = {"q": "SELECT Id FROM Campaign", "columns": "true"}
    assert api.call("GET", "/query", params=params)["columnMetadata"][0]["columnName"] == "Id"


@pytest.mark.parametrize("name", ["Campaign", "CampaignMember", "Lead"])
def test_describe_with_every_attribute_of_a_field(api: Api, name: str) -> None:
    """Describe with complete field attributes."""
    needed = {
        "name",
        "label",
        "type",
        "length",
        "createable",
        "updateable",
        "filterable",
        "sortable",
        "nillable",
        "custom",
    }
    needed |= {"calculated", "externalId", "idLookup", "unique", "picklistValues", "referenceTo", "relationshipName"}
    needed |= {"defaultValue", "precision", "scale", "digits", "soapType", "groupable", "nameField", "autoNumber"}
    told = api.call("GET", f"/sobjects/{name}/describe")
    assert all(needed <= set(field) for field in told["fields"])
    assert {"childRelationships", "recordTypeInfos", "urls", "keyPrefix", "replicateable"} <= set(told)


def test_collections_of_every_kind(api: Api) -> None:
    """Collections create, update, delete, and retrieve by POST."""
    ids = [r["id"] for r in api.collection("POST", [LEAD, LEAD], "Lead")]
    assert all(r["success"] for r in api.collection("PATCH", [{"id": i, "Title": "t"} for i in ids], "Lead"))
    found = api.call("POST", "/composite/sobjects/Lead", json={"ids": ids, "fields": ["Title"]})
    assert [r["Title"] for r in found] == ["t", "t"]
    assert all(r["success"] for r in api.call("DELETE", "/composite/sobjects", params={"ids": ",".join(ids)}))


def test_the_form_of_an_access_token(api: Api) -> None:
    """Access tokens of the form 00D + 12 characters, an exclamation mark, and a secret."""
    head, mark, secret = api.built.access_token.partition("!")
    assert (len(head), head[:3], mark) == (15, "00D", "!")
    assert len(secret) >= 80


def test_forms_of_ids_dates_types_and_empty_answers(api: Api) -> None:
    """JSON with its character set, 18-character ids, dates with +0000, 204 with an empty body on update and delete."""
    made = api.http.post(f"{BASE}/sobjects/Lead", json=LEAD)
    assert made.headers["content-type"] == "application/json;charset=UTF-8"
    key = made.json()["id"]
    assert len(key) == 18
    assert api.call("GET", f"/sobjects/Lead/{key}")["CreatedDate"] == "2027-03-01T09:00:00.000+0000"
    for answer in (
        api.http.patch(f"{BASE}/sobjects/Lead/{key}", json={"Title": "x"}),
        api.http.delete(f"{BASE}/sobjects/Lead/{key}"),
    ):
        assert (answer.status_code, answer.content) == (204, b"")


def test_the_text_null_in_the_last_locator(api: Api) -> None:
    """The literal text null in Sforce-Locator on the last page, also of an empty result."""
    job = api.call(
        "POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Lead WHERE LastName = 'none'"}
    )
    ended(api, job, "query")
    answer = api.http.get(f"{BASE}/jobs/query/{job['id']}/results")
    assert (answer.headers["sforce-locator"], answer.headers["sforce-numberofrecords"]) == ("null", "0")
    assert list(csv.reader(io.StringIO(answer.text))) == [["Id"]]
