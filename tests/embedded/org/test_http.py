"""The org over HTTP: versions, sessions, quota, encodings, sizes, paging."""

from __future__ import annotations

import base64
import gzip

import pytest

from tests.embedded.org.conftest import BASE, START, Api, make_api


def test_the_version_list_is_free(api: Api) -> None:
    answer = api.http.get("/services/data", headers={"Authorization": ""})
    versions = answer.json()
    assert "sforce-limit-info" not in answer.headers
    assert (versions[0]["version"], versions[-1]["version"]) == ("31.0", "68.0")
    assert next(v for v in versions if v["version"] == "66.0") == {
        "label": "Spring '26",
        "url": "/services/data/v66.0",
        "version": "66.0",
    }
    assert versions[-1]["label"] == "Winter '27"


@pytest.mark.parametrize(
    ("version", "status"), [("v31.0", 200), ("v68.0", 200), ("v30.0", 410), ("v69.0", 404), ("vx", 404)]
)
def test_versions(api: Api, version: str, status: int) -> None:
    assert api.http.get(f"/services/data/{version}/").status_code == status


def test_the_resource_map(api: Api) -> None:
    assert api.call("GET", "/")["query"] == f"{BASE}/query"
    assert api.call("GET", "/")["identity"].startswith("http://127.0.0.1/id/00D")


def test_the_limit_header_counts_the_call_it_answers(api: Api) -> None:
    for number in (1, 2, 3):
        answer = api.http.get(f"{BASE}/sobjects/Nope" if number == 2 else f"{BASE}/sobjects")
        assert answer.headers["sforce-limit-info"] == f"api-usage={number}/100000"
    assert api.call("GET", "/limits")["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_996}


def test_the_day_rolls() -> None:
    api = make_api(quota=3)
    try:
        api.call("GET", "/sobjects")
        api.clock.advance(3_600)
        for _ in range(2):
            api.call("GET", "/sobjects")
        refused = api.http.get(f"{BASE}/sobjects")
        assert (refused.status_code, refused.headers["sforce-limit-info"]) == (403, "api-usage=3/3")
        assert refused.json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        api.clock.advance(23 * 3_600 + 1)
        assert api.http.get(f"{BASE}/sobjects").headers["sforce-limit-info"] == "api-usage=3/3"
        assert api.http.get(f"{BASE}/sobjects").status_code == 403
    finally:
        api.http.close()
        api.built.org.store.close()


def test_sessions(api: Api) -> None:
    for header in ("", "Bearer nope", f"Basic {api.built.access_token}"):
        answer = api.http.get(f"{BASE}/sobjects", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert api.http.get(f"{BASE}/sobjects").headers["sforce-limit-info"].startswith("api-usage=1/")
    token = api.built.access_token
    assert token.startswith(api.built.org.organization_id[:15] + "!")
    api.built.org.state.switches.session_seconds = 7_200
    api.clock.advance(7_000)
    api.call("GET", "/sobjects")
    api.clock.advance(7_300)
    api.call("GET", "/sobjects", 401)


def test_client_credentials(api: Api) -> None:
    client = api.built.client
    form = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.client_secret}
    granted = api.http.post("/services/oauth2/token", data=form)
    body = granted.json()
    assert granted.status_code == 200
    assert set(body) == {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"}
    assert body["instance_url"] == "http://127.0.0.1"
    as_new = {"Authorization": f"Bearer {body['access_token']}"}
    assert api.http.get(f"{BASE}/sobjects", headers=as_new).status_code == 200
    user = api.http.get("/services/oauth2/userinfo", headers=as_new).json()
    identity = api.http.get(body["id"], headers=as_new).json()
    assert user["user_id"] == identity["user_id"] == body["id"].rsplit("/", 1)[1]
    assert user["preferred_username"] == api.call("GET", f"/sobjects/User/{user['user_id']}")["Username"]
    basic = base64.b64encode(f"{client.client_id}:{client.client_secret}".encode()).decode()
    answer = api.http.post(
        "/services/oauth2/token", data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
    )
    assert answer.status_code == 200
    renewed = api.http.post(
        "/services/oauth2/token", data={**form, "grant_type": "refresh_token", "refresh_token": client.refresh_token}
    )
    assert renewed.status_code == 200
    assert client.client_secret not in repr(client)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "device"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
    ],
)
def test_refused_logins(api: Api, change: dict[str, str], error: str) -> None:
    client = api.built.client
    form = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.client_secret}
    answer = api.http.post("/services/oauth2/token", data={**form, **change})
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


def test_encodings(api: Api) -> None:
    packed = api.http.get(f"{BASE}/sobjects/Lead/describe", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"] == "application/json;charset=UTF-8"
    plain = api.http.get(f"{BASE}/sobjects/Lead/describe")
    assert "content-encoding" not in plain.headers
    assert plain.json() == packed.json()
    pretty = api.http.get(f"{BASE}/sobjects/Lead/describe", headers={"X-PrettyPrint": "1"})
    assert pretty.text.startswith('{\n  "')
    body = gzip.compress(b'{"LastName": "Packed", "Company": "x"}')
    assert (
        api.http.post(
            f"{BASE}/sobjects/Lead",
            content=body,
            headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
        ).status_code
        == 201
    )
    assert (
        api.http.post(f"{BASE}/sobjects/Lead", content=b"<x/>", headers={"Content-Type": "text/xml"}).status_code == 415
    )
    assert api.http.post(f"{BASE}/query").status_code == 405


def test_too_long_addresses(api: Api) -> None:
    url = f"{BASE}/query?q="
    assert api.http.get(url + "x" * (16_384 - len(url))).status_code == 431
    assert api.http.get(url + "x" * (16_385 - len(url))).status_code == 414


def test_the_date_is_the_orgs(api: Api) -> None:
    assert api.http.get("/services/data").headers["date"] == START.strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_paging_and_locators(api: Api) -> None:
    api.built.org.state.switches.page_rows = 10
    soql = "SELECT Id, Campaign.Name FROM CampaignMember ORDER BY Id DESC"
    first = api.query(soql)
    assert (first["totalSize"], first["done"], len(first["records"])) == (24, False, 10)
    assert first["nextRecordsUrl"].startswith(f"{BASE}/query/01g")
    assert first["nextRecordsUrl"].endswith("-10")
    removed = api.rows("SELECT Id FROM CampaignMember ORDER BY Id LIMIT 1")[0]["Id"]
    api.call("DELETE", f"/sobjects/CampaignMember/{removed}", 204)
    second = api.call("GET", first["nextRecordsUrl"])
    third = api.call("GET", second["nextRecordsUrl"])
    assert third["done"] is True
    assert "nextRecordsUrl" not in third
    ids = [r["Id"] for page in (first, second, third) for r in page["records"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 23
    assert len(api.call("GET", first["nextRecordsUrl"])["records"]) == 10
    api.clock.advance(2 * 86_400 + 1)
    assert api.error("GET", first["nextRecordsUrl"], 400) == ("INVALID_QUERY_LOCATOR", "invalid query locator")


def test_batch_size_and_limits_of_a_page() -> None:
    api = make_api(campaigns=1, members=2_050)
    try:
        first = api.query("SELECT Id FROM CampaignMember")
        assert (len(first["records"]), first["totalSize"]) == (2_000, 2_050)
        smaller = api.call(
            "GET",
            "/query",
            params={"q": "SELECT Id FROM CampaignMember"},
            headers={"Sforce-Query-Options": "batchSize=500"},
        )
        assert (len(smaller["records"]), smaller["nextRecordsUrl"][-4:]) == (500, "-500")
        assert api.query("SELECT Id FROM CampaignMember LIMIT 2020")["totalSize"] == 2_020
        code, text = api.error(
            "GET", "/query", 400, params={"q": "SELECT Id, COUNT(Status) FROM CampaignMember GROUP BY Id"}
        )
        assert (code, text.startswith("Aggregate query does not support queryMore()")) == ("EXCEEDED_ID_LIMIT", True)
    finally:
        api.http.close()
        api.built.org.store.close()


def test_a_defect_of_the_org_is_answered_as_the_platform_answers_its_own(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api.built.gateway._router, "dispatch", broken)
    answer = api.http.get(f"{BASE}/limits")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (500, "UNKNOWN_EXCEPTION")
    assert "sforce-limit-info" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/sobjects/Lead", "GET,HEAD,POST"),
        ("OPTIONS", "/query", "GET,HEAD"),
        ("GET", "/graphql", "POST"),
        ("POST", "/sobjects/Lead/00QgL000000FJWyUAO", "DELETE,GET,HEAD,PATCH"),
    ],
)
def test_a_method_that_an_address_does_not_take(api: Api, method: str, path: str, allowed: str) -> None:
    """405 in the form of every error, with the methods that it takes in the words and in ``Allow``."""
    answer = api.http.request(method, BASE + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    words = f"HTTP Method '{method}' not allowed. Allowed are {allowed}"
    assert answer.json() == [{"message": words, "errorCode": "METHOD_NOT_ALLOWED"}]
