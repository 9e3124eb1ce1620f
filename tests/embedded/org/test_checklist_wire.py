"""The checklist of the platform's behaviour, its line on what happens on the wire; each test restates its part."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from sync.embedded.process import EmbeddedServers
from tests.embedded.org.conftest import BASE
from tests.embedded.org.test_servers import fault

LEAD = {"LastName": "x", "Company": "Wire"}


@pytest.fixture
def http(servers: EmbeddedServers) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {servers.access_token}"}
    with httpx.Client(base_url=servers.instance_url, headers=headers, trust_env=False) as client:
        yield client
    servers.control("DELETE", "/faults")


def count(http: httpx.Client) -> int:
    soql = "SELECT COUNT() FROM Lead WHERE Company = 'Wire'"
    return int(http.get(f"{BASE}/query", params={"q": soql}).json()["totalSize"])


def test_a_maintenance_page(servers: EmbeddedServers, http: httpx.Client) -> None:
    """HTML 503: the maintenance page is no JSON, whatever was asked for."""
    fault(servers, kind="html", match="/limits")
    answer = http.get(f"{BASE}/limits", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html;charset=UTF-8")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_an_edge_without_a_route(servers: EmbeddedServers, http: httpx.Client) -> None:
    """420: the edge knows no route; the body may be empty."""
    fault(servers, kind="status", status=420, body="", match="/limits")
    answer = http.get(f"{BASE}/limits")
    assert (answer.status_code, answer.content) == (420, b"")


@pytest.mark.parametrize(("kind", "committed"), [("drop_before", 0), ("drop_after", 1)])
def test_a_connection_lost_before_or_after_the_commit(
    servers: EmbeddedServers, http: httpx.Client, kind: str, committed: int
) -> None:
    """Dropped connection before/after commit: the client cannot tell which, only reading tells."""
    before = count(http)
    fault(servers, kind=kind, method="POST", match="/sobjects/Lead")
    with pytest.raises(httpx.RemoteProtocolError):
        http.post(f"{BASE}/sobjects/Lead", json=LEAD)
    assert count(http) - before == committed


@pytest.mark.parametrize("clean", [False, True])
def test_a_truncated_gzip_body(servers: EmbeddedServers, http: httpx.Client, clean: bool) -> None:
    """Truncated gzip: cut off, or ended as if it were whole; neither can be unpacked."""
    fault(servers, kind="truncate", match="describe", clean=clean)
    unpacking, raw = zlib.decompressobj(16 + zlib.MAX_WBITS), b""
    try:
        with http.stream("GET", f"{BASE}/sobjects/Lead/describe", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            for part in answer.iter_raw():
                raw += part
    except httpx.RemoteProtocolError:
        assert not clean
    else:
        assert clean
    unpacking.decompress(raw)
    assert not unpacking.eof


def test_a_session_that_expires_between_two_requests(servers: EmbeddedServers, http: httpx.Client) -> None:
    """401 expiry: every session ends; the next request of each client is refused until it logs in again."""
    other = servers.ready["salesforce"]
    form = {"grant_type": "refresh_token", "client_id": other["client_id"], "refresh_token": other["refresh_token"]}
    token = httpx.post(f"{servers.instance_url}/services/oauth2/token", data=form, trust_env=False).json()
    fault(servers, kind="session_expired", times=2)
    for _ in range(2):
        assert http.get(f"{BASE}/limits").json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert http.get(f"{BASE}/limits").status_code == 200
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert http.get(f"{BASE}/limits", headers=headers).status_code == 200


def test_twenty_five_long_requests_refuse_the_next(servers: EmbeddedServers) -> None:
    """More than 25 requests of 20 seconds and more at once are refused; by the clock, so that nobody waits."""

    async def play() -> tuple[int, str, int]:
        headers = {"Authorization": f"Bearer {servers.access_token}"}
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(
            base_url=servers.instance_url, headers=headers, trust_env=False, limits=limits, timeout=30
        ) as client:
            long = [asyncio.create_task(client.get(f"{BASE}/sobjects/Lead")) for _ in range(25)]
            while servers.control("GET", "/faults")["faults"][0]["hits"] < 25:
                await asyncio.sleep(0.01)
            early = await client.get(f"{BASE}/limits")
            servers.control("POST", "/clock", {"advance": 21})
            refused = await client.get(f"{BASE}/limits")
            servers.control("POST", "/clock", {"advance": 3_600})
            statuses = {answer.status_code for answer in await asyncio.gather(*long)}
            after = await client.get(f"{BASE}/limits")
            assert (early.status_code, statuses) == (200, {200})
            return refused.status_code, refused.json()[0]["message"], after.status_code

    servers.control("DELETE", "/faults")
    fault(servers, kind="latency", match="/sobjects/Lead", seconds=3_600, times=None)
    try:
        status, message, after = asyncio.run(play())
    finally:
        servers.control("DELETE", "/faults")
    assert (status, after) == (403, 200)
    assert message == "ConcurrentRequests (Concurrent API Requests) Limit exceeded."


def test_header_names_as_the_platform_writes_them(servers: EmbeddedServers) -> None:
    """Clients that keep headers in a plain dictionary (Airbyte's reader of bulk results) find ``Content-Type``."""
    address = urlsplit(servers.instance_url)
    request = f"GET {BASE}/limits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {servers.access_token}\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    names = {line.partition(b":")[0] for line in received.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert names >= {b"Content-Type", b"Content-Length", b"Date", b"Sforce-Limit-Info", b"Vary"}
