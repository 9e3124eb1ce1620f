"""The checklist of the platform's behaviour, its lines on calls, limits and answers; each test restates its part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.org.conftest import BASE, Api


def usage(api: Api, path: str = "/sobjects", **more: Any) -> str | None:
    return api.http.get(BASE + path, **more).headers.get("sforce-limit-info")


def switch(api: Api, **values: Any) -> None:
    for name, value in values.items():
        setattr(api.built.org.state.switches, name, value)


def test_every_data_answer_carries_the_limit_header(api: Api) -> None:
    """Sforce-Limit-Info: api-usage=U/M on every data response, errors too, not on /services/data/."""
    job = api.call("POST", "/jobs/ingest", json={"object": "Lead", "operation": "insert"})
    paths = ("/sobjects", "/nope", "/query?q=nonsense", "/limits", f"/jobs/ingest/{job['id']}", "/")
    assert [usage(api, path) for path in paths] == [f"api-usage={n}/100000" for n in range(2, 8)]
    for path in ("/services/data", "/services/data/"):
        answer = api.http.get(path, headers={"Authorization": ""})
        assert (answer.status_code, "sforce-limit-info" in answer.headers) == (200, False)


def test_the_day_rolls_by_the_clock(api: Api) -> None:
    """A rolling 24-h window with an injectable clock: calls come back as they grow old, not at midnight."""
    for hours in (0, 12, 11):
        api.clock.advance(hours * 3_600)
        usage(api)
    assert usage(api) == "api-usage=4/100000"
    api.clock.advance(3_600 + 1)
    assert usage(api) == "api-usage=4/100000"
    api.clock.advance(12 * 3_600)
    assert usage(api) == "api-usage=4/100000"


def test_the_last_call_of_the_day(api: Api) -> None:
    """403 REQUEST_LIMIT_EXCEEDED when the allocation is used up."""
    api.built.gateway.quota.use_up(1)
    assert usage(api) == "api-usage=100000/100000"
    assert api.error("GET", "/sobjects", 403) == ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def test_overrun_is_configurable(api: Api) -> None:
    """Configurable: an overrun lets calls beyond the limit through."""
    switch(api, overrun=2)
    api.built.gateway.quota.use_up(0)
    assert [api.http.get(f"{BASE}/sobjects").status_code for _ in range(3)] == [200, 200, 403]


@pytest.mark.parametrize(("count", "after"), [(True, 2), (False, 1)])
def test_whether_failed_calls_count_is_configurable(api: Api, count: bool, after: int) -> None:
    """Configurable: failed calls count (the default, which costs more) or not."""
    switch(api, failed_calls_count=count)
    api.call("GET", "/sobjects/Nope", 404)
    assert usage(api) == f"api-usage={after}/100000"


@pytest.mark.parametrize(("count", "after"), [(True, 3), (False, 2)])
def test_whether_unchanged_describes_count_is_configurable(api: Api, count: bool, after: int) -> None:
    """Configurable: a 304 counts (the default) or not; describe answers it for If-Modified-Since."""
    switch(api, unchanged_counts=count)
    for path in ("/sobjects/Lead/describe",):
        since = api.http.get(BASE + path).headers["last-modified"]
        answer = api.http.get(BASE + path, headers={"If-Modified-Since": since})
        assert (answer.status_code, answer.content) == (304, b"")
    assert usage(api) == f"api-usage={after}/100000"


def test_header_lag_is_configurable(api: Api) -> None:
    """Configurable: the header lags behind the true use; /limits does not."""
    switch(api, header_lag=3)
    assert [usage(api) for _ in range(5)] == [f"api-usage={n}/100000" for n in (0, 0, 0, 1, 2)]
    assert api.call("GET", "/limits")["DailyApiRequests"]["Remaining"] == 100_000 - 6


def test_whether_jobs_carry_the_header_is_configurable(api: Api) -> None:
    """Configurable: the limit header on /jobs."""
    assert usage(api, "/jobs/ingest") == "api-usage=1/100000"
    switch(api, header_on_jobs=False)
    assert usage(api, "/jobs/ingest") is None
    assert usage(api) == "api-usage=3/100000"


@pytest.mark.parametrize(("count", "after"), [(False, 1), (True, 2)])
def test_whether_logins_count_is_configurable(api: Api, count: bool, after: int) -> None:
    """Configurable: requests to the token endpoint count or (the default) do not."""
    switch(api, login_counts=count)
    client = api.built.client
    form = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.client_secret}
    assert api.http.post("/services/oauth2/token", data=form).status_code == 200
    assert usage(api) == f"api-usage={after}/100000"


@pytest.mark.parametrize(
    ("extra", "status", "code"), [(0, 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"), (1, 414, "URI_TOO_LONG")]
)
def test_too_long_addresses(api: Api, extra: int, status: int, code: str) -> None:
    """414 when the URI, 431 when URI and headers together exceed 16,384 bytes; a Composite body takes the statement."""
    start = f"{BASE}/query?q="
    answer = api.http.get(start + "x" * (16_384 - len(start) + extra))
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    (part,) = api.composite(
        ("q", "GET", "/query?q=SELECT+Id+FROM+Lead+WHERE+LastName+IN+('" + "','".join(["x"] * 20_000) + "')")
    )
    assert part["httpStatusCode"] == 200


def test_sessions_expire(api: Api) -> None:
    """401 INVALID_SESSION_ID after a session's life, by the clock; it costs no call."""
    switch(api, session_seconds=7_200)
    api.clock.advance(7_201)
    answer = api.http.get(f"{BASE}/sobjects")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert "sforce-limit-info" not in answer.headers


@pytest.mark.parametrize(("version", "status"), [("v30.0", 410), ("v31.0", 200), ("v68.0", 200), ("v69.0", 404)])
def test_versions_with_and_without_a_slash(api: Api, version: str, status: int) -> None:
    """Versions: the resource map, retired versions 410, unknown ones 404; deprecated ones carry a Warning."""
    for tail in ("", "/"):
        answer = api.http.get(f"/services/data/{version}{tail}")
        assert answer.status_code == status
        assert ("warning" in answer.headers) == (version == "v31.0")


def test_limits_and_record_counts(api: Api) -> None:
    """/limits with Max and Remaining of every member; /limits/recordCount of the objects asked for."""
    limits = api.call("GET", "/limits")
    assert len(limits) >= 45
    assert all({"Max", "Remaining"} <= set(one) for one in limits.values())
    counts = api.call("GET", "/limits/recordCount", params={"sObjects": "Lead,CampaignMember,Nope"})["sObjects"]
    assert {one["name"]: one["count"] for one in counts}["CampaignMember"] == 24
    assert {one["name"] for one in counts} == {"Lead", "CampaignMember"}


def test_describes_are_complete(shared: Api) -> None:
    """Describe: the list of objects, and each object's fields with every attribute that clients read."""
    listed = shared.call("GET", "/sobjects")
    assert (listed["encoding"], listed["maxBatchSize"]) == ("UTF-8", 200)
    for one in listed["sobjects"]:
        told = shared.call("GET", one["urls"]["describe"])
        assert told["keyPrefix"] == one["keyPrefix"]
        assert {f["name"] for f in told["fields"]} >= {"Id", "SystemModstamp"}
        assert len({frozenset(f) for f in told["fields"]}) == 1
    children = {c["relationshipName"] for c in shared.call("GET", "/sobjects/Campaign/describe")["childRelationships"]}
    assert children >= {"CampaignMembers", "CampaignMemberStatuses", "ChildCampaigns"}
