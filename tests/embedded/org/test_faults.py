"""Faults on the wire and in the org, by file and by the control address."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.embedded.faults import KINDS, Fault, Faults, fault_of, read_faults
from sync.embedded.process import EmbeddedError, EmbeddedServers, start_embedded
from tests.embedded.org.conftest import BASE
from tests.embedded.org.test_servers import fault

EXAMPLE = Path(__file__).parent.parent / "faults.example.json"
COUNT = "SELECT COUNT() FROM Lead WHERE Company = '{}'"


@pytest.fixture
def http(servers: EmbeddedServers) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {servers.access_token}"}
    with httpx.Client(base_url=servers.instance_url, headers=headers, trust_env=False) as client:
        yield client
    servers.control("DELETE", "/faults")


def count(http: httpx.Client, company: str) -> int:
    return int(http.get(f"{BASE}/query", params={"q": COUNT.format(company)}).json()["totalSize"])


def test_the_example_file_is_the_format_and_uses_every_kind() -> None:
    rules = [fault_of(one) for one in read_faults(EXAMPLE)]
    assert {rule.kind for rule in rules} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("{}", "under faults"),
        ('[{"kind": "latency"}, {"kind": "nope"}]', "fault 2: kind is one of"),
        ('[{"kind": "status", "nth": 0}]', "nth counts from 1"),
        ('[{"kind": "status", "status": "500"}]', 'status of a fault cannot be "500"'),
        ('[{"kind": "status", "commit": 1}]', "commit of a fault cannot be 1"),
        ('[{"kind": "status", "pattern": "("}]', "pattern is no regular expression"),
        ('[{"kind": "status", "matches": "x"}]', "unknown key matches"),
        ('[{"kind": "slow_job", "state": "Stuck"}]', "Failed or Aborted"),
        ('[{"kind": "in_flight"}]', "needs operations"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_fault(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"faults\.json: ") as refused:
        read_faults(path)
    assert words in str(refused.value)


def test_servers_do_not_start_with_a_wrong_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"kind": "nope"}]')
    with pytest.raises(EmbeddedError, match=r"cannot start: .*faults\.json: fault 1: kind is one of"):
        start_embedded(only="org", faults=path, campaigns=1, members=1)


def test_which_requests_fit() -> None:
    faults = Faults()
    faults.add([fault_of({"kind": "html", "pattern": r"/query\?q=.*Lead$", "nth": 2, "contains": "x"})])
    faults.add([fault_of({"kind": "status", "probability": 0.5, "seed": 1, "times": None})])
    target, seen = "/services/data/v66.0/query?q=SELECT Id FROM Lead", []
    for body in (b"x", b"y", b"x", b"x"):
        taken = faults.take("salesforce", "GET", target, body)
        seen.append(taken.rule.kind if taken.rule else None)
    assert seen[2] == "html"
    many = [faults.take("salesforce", "GET", "/services/data/v66.0/limits").rule is not None for _ in range(200)]
    assert 60 < sum(many) < 140
    again = Faults()
    again.add([fault_of({"kind": "status", "probability": 0.5, "seed": 1, "times": None})])
    first = [again.take("salesforce", "GET", "/").rule is not None for _ in range(200)]
    again.rules[0] = fault_of({"kind": "status", "probability": 0.5, "seed": 1, "times": None})
    assert [again.take("salesforce", "GET", "/").rule is not None for _ in range(200)] == first


def test_errors_before_and_after_the_commit(servers: EmbeddedServers, http: httpx.Client) -> None:
    body = {"LastName": "x", "Company": "After an error"}
    for commit, there in ((False, 0), (True, 1)):
        fault(servers, kind="status", status=503, method="POST", commit=commit, contains="After an error")
        assert http.post(f"{BASE}/sobjects/Lead", json=body).status_code == 503
        assert count(http, "After an error") == there


def test_an_answer_cut_in_its_gzip_but_ended_as_if_whole(servers: EmbeddedServers, http: httpx.Client) -> None:
    fault(servers, kind="truncate", match="describe", clean=True)
    with http.stream("GET", f"{BASE}/sobjects/Lead/describe", headers={"Accept-Encoding": "gzip"}) as answer:
        assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
        raw = b"".join(answer.iter_raw())
    assert len(raw) == int(answer.headers["content-length"])
    assert raw[:2] == b"\x1f\x8b"
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(raw)


def test_short_pages_of_one_request(servers: EmbeddedServers, http: httpx.Client) -> None:
    soql = "SELECT Id FROM CampaignMember LIMIT 500"
    fault(servers, kind="short_pages", match="/query", rows=30)
    short = http.get(f"{BASE}/query", params={"q": soql}).json()
    assert (len(short["records"]), short["done"], short["totalSize"]) == (30, False, 500)
    rest = http.get(short["nextRecordsUrl"]).json()
    assert (len(rest["records"]), rest["done"]) == (470, True)
    mine = http.get(f"{BASE}/query", params={"q": soql}, headers={"X-Sandbox-Page-Rows": "5"}).json()
    assert len(mine["records"]) == 500


def test_a_transaction_in_flight_commits_later_with_its_old_stamp(servers: EmbeddedServers, http: httpx.Client) -> None:
    operation = {"op": "create", "object": "Lead", "values": {"LastName": "Late", "Company": "In flight"}}
    fault(servers, kind="in_flight", match="/limits", seconds=90, operations=[operation])
    began = http.get(f"{BASE}/limits").headers["date"]
    assert count(http, "In flight") == 0
    servers.control("POST", "/clock", {"advance": 91})
    soql = "SELECT SystemModstamp FROM Lead WHERE Company = 'In flight'"
    (row,) = http.get(f"{BASE}/query", params={"q": soql}).json()["records"]
    stamped = row["SystemModstamp"]
    assert stamped[11:19] <= began[17:25]


def test_a_slow_job_and_a_used_up_quota(servers: EmbeddedServers, http: httpx.Client) -> None:
    fault(servers, kind="slow_job", match="/jobs/query", method="POST", polls=2)
    job = {"operation": "query", "query": "SELECT Id FROM Campaign"}
    where = f"{BASE}/jobs/query/" + http.post(f"{BASE}/jobs/query", json=job).json()["id"]
    assert [http.get(where).json()["state"] for _ in range(2)] == ["InProgress", "JobComplete"]
    fault(servers, kind="use_up_quota", remaining=1)
    assert [http.get(f"{BASE}/limits").status_code for _ in range(2)] == [200, 403]
    servers.control("POST", "/clock", {"advance": 86_401})
    assert http.get(f"{BASE}/limits").status_code == 200


def test_a_query_fails_also_within_a_composite(servers: EmbeddedServers, http: httpx.Client) -> None:
    fault(servers, kind="query", contains="from campaignmember", times=2)
    parts = [
        {"method": "GET", "url": f"{BASE}/query?q=SELECT+COUNT()+FROM+{name}", "referenceId": name}
        for name in ("Campaign", "CampaignMember")
    ]
    answers = http.post(f"{BASE}/composite", json={"compositeRequest": parts}).json()["compositeResponse"]
    assert [a["httpStatusCode"] for a in answers] == [200, 400]
    assert answers[1]["body"][0]["errorCode"] == "QUERY_TIMEOUT"
    job = {"operation": "query", "query": "SELECT Id FROM CampaignMember"}
    where = f"{BASE}/jobs/query/" + http.post(f"{BASE}/jobs/query", json=job).json()["id"]
    while (state := http.get(where).json())["state"] not in ("JobComplete", "Failed"):
        pass
    assert (state["state"], state["errorMessage"].split()[0]) == ("Failed", "QUERY_TIMEOUT")
    assert http.get(f"{BASE}/query?q=SELECT+COUNT()+FROM+CampaignMember").status_code == 200


@pytest.fixture(scope="module")
def service() -> Iterator[EmbeddedServers]:
    with start_embedded(only="service") as running:
        yield running


@pytest.mark.parametrize(
    ("rule", "outcome", "kept"),
    [
        ({"kind": "status", "status": 500}, 500, False),
        ({"kind": "status", "status": 502, "commit": True}, 502, True),
        ({"kind": "html"}, 503, False),
        ({"kind": "quota"}, 429, False),
        ({"kind": "session_expired"}, 401, False),
        ({"kind": "drop_before"}, None, False),
        ({"kind": "drop_after"}, None, True),
        ({"kind": "truncate"}, None, True),
        ({"kind": "latency", "seconds": 0.01}, 200, True),
    ],
)
def test_the_service_has_the_same_faults(
    service: EmbeddedServers, rule: dict[str, Any], outcome: int | None, kept: bool
) -> None:
    key = f"701gL00000{zlib.crc32(json.dumps(rule).encode()) % 10**5:05}AAA"
    service.control("DELETE", "/faults")
    service.control("POST", "/faults", [{"side": "predictive", "method": "PUT", "match": "/v1/campaigns/", **rule}])
    headers = {"Authorization": f"Bearer {service.service_token}", "Idempotency-Key": key}
    with httpx.Client(base_url=service.service_url, headers=headers, trust_env=False) as client:
        url = f"/v1/campaigns/{key}"
        try:
            found: int | None = client.put(url, json={"name": "By fault", "type": "adaptive"}).status_code
        except httpx.RemoteProtocolError:
            found = None
        assert (found if found != 201 else 200) == outcome
        assert (client.get(url).status_code == 200) == kept


def test_a_rule_shows_itself_as_json() -> None:
    shown: dict[str, Any] = Fault("status", status=500).shown()
    assert json.loads(json.dumps(shown))["status"] == 500
