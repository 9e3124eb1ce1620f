"""A small org in this process, and the real servers in a child process (one for the whole session)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sync.clock import ControlledClock
from sync.embedded.org.build import BuiltOrg, OrgOptions, build_org
from sync.embedded.process import EmbeddedServers, start_embedded

START = datetime(2027, 3, 1, 9, 0, 0, tzinfo=UTC)
BASE = "/services/data/v66.0"


class InProcess(httpx.BaseTransport):
    """Requests to the org's application in this process, on one event loop."""

    def __init__(self, built: BuiltOrg) -> None:
        self._inner = httpx.ASGITransport(built.gateway.app)
        self._runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def respond() -> httpx.Response:
            answer = await self._inner.handle_async_request(request)
            content = b"".join([part async for part in answer.stream])
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)

        return self._runner.run(respond())

    def close(self) -> None:
        self._runner.close()


class Api:
    """The REST API of an org in this process, and its clock."""

    def __init__(self, built: BuiltOrg, clock: ControlledClock) -> None:
        self.built, self.clock = built, clock
        self.http = httpx.Client(
            transport=InProcess(built),
            base_url="http://127.0.0.1",
            headers={"Authorization": f"Bearer {built.access_token}", "Accept-Encoding": "identity"},
        )

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """One request below the version; its JSON body (None when empty)."""
        answer = self.http.request(method, path if path.startswith("/services") else BASE + path, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def query(self, soql: str, status: int = 200) -> Any:
        """The answer of a query."""
        return self.call("GET", "/query", status, params={"q": soql})

    def rows(self, soql: str) -> list[dict[str, Any]]:
        """The records of a query, without their attributes."""
        return [{k: v for k, v in r.items() if k != "attributes"} for r in self.query(soql)["records"]]

    def one(self, soql: str) -> dict[str, Any]:
        """The only record of a query."""
        (row,) = self.rows(soql)
        return row

    def error(self, method: str, path: str, status: int, **more: Any) -> tuple[str, str]:
        """(code, message) of a refused request."""
        (body,) = self.call(method, path, status, **more)
        return body["errorCode"], body["message"]

    def create(self, name: str, **values: Any) -> str:
        """A new record's id."""
        return self.call("POST", f"/sobjects/{name}", 201, json=values)["id"]

    def collection(self, method: str, rows: list[dict[str, Any]], kind: str = "CampaignMember", **more: Any) -> Any:
        """Rows of one type through the collections resource."""
        records = [{"attributes": {"type": kind}, **row} for row in rows]
        return self.call(method, "/composite/sobjects", json={"records": records, **more})

    def composite(self, *parts: tuple[Any, ...], **more: Any) -> list[dict[str, Any]]:
        """Parts (reference, method, url below the version, body) in one Composite."""
        request = [
            {
                "referenceId": part[0],
                "method": part[1],
                "url": BASE + part[2],
                **({"body": part[3]} if len(part) > 3 else {}),
            }
            for part in parts
        ]
        return self.call("POST", "/composite", json={"compositeRequest": request, **more})["compositeResponse"]

    def people(self, count: int, kind: str = "Lead") -> list[str]:
        """Fresh people with addresses."""
        rows = [
            {
                "LastName": f"Person {i}",
                "Email": f"p{i}.{kind.lower()}@fresh.example.com",
                **({"Company": "Fresh"} if kind == "Lead" else {}),
            }
            for i in range(count)
        ]
        return [r["id"] for r in self.collection("POST", rows, kind)]

    def campaign(self, **values: Any) -> str:
        """A new campaign's id."""
        return self.create("Campaign", **{"Name": "Test campaign", **values})


def make_api(**options: Any) -> Api:
    """An org seeded at ``START``; its clock stands with the machine's seconds passing."""
    clock = ControlledClock()
    clock.set(START)
    return Api(build_org(OrgOptions(**{"campaigns": 2, "members": 12, **options}), clock), clock)


@pytest.fixture
def api() -> Iterator[Api]:
    """A fresh small org."""
    made = make_api()
    yield made
    made.http.close()
    made.built.org.store.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    """An org for tests that only read: the default size, with every oddity."""
    made = make_api(campaigns=12, members=60)
    yield made
    made.http.close()
    made.built.org.store.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """The org in a child process, over HTTP and TLS, with its control address."""
    with start_embedded(only="org", campaigns=3, members=2_100, seed=7, at="2027-03-01T09:00:00Z") as running:
        yield running
