"""The service as its clients meet it: over HTTP (ASGI transport), with a clock that stands still until moved."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.clock import ControlledClock
from sync.embedded.service.app import create_app

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday
CAMPAIGN = "701000000000001AAA"
OTHER = "701000000000002AAA"
STATUSES = [
    {"label": "Sent", "is_default": True, "has_responded": False, "sort_order": 1},
    {"label": "Interested", "is_default": False, "has_responded": False, "sort_order": 2},
    {"label": "Responded", "is_default": False, "has_responded": True, "sort_order": 3},
]
HTML = '<html><body><p>Hello {{ first_name }}</p><a href="https://shop.example/a?b=1&amp;c=2">Shop</a></body></html>'


class StandingClock:
    """A base clock that does not run on."""

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return 0.0


class House:
    """One service and a client of it."""

    campaign = CAMPAIGN
    other = OTHER

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.clock = ControlledClock(StandingClock())
        self.usage: list[tuple[str, str]] = []
        self.options: dict[str, Any] = {"database": str(folder / "service.db"), "audience_speed": 0.0, "seed": 7}
        self.options |= options
        self.loop = asyncio.new_event_loop()
        self.token = "secret"
        self.start()

    def start(self, **options: Any) -> None:
        """Start the service, again when it ran before (as after a crash)."""
        self.options |= options
        self.app = create_app(
            clock=self.clock,
            token=self.token,
            outbox=self.folder / "outbox",
            public_url="http://mail.example",
            usage=lambda method, path: self.usage.append((method, path)),
            **self.options,
        )
        self.service = self.app.state.service
        transport = httpx.ASGITransport(app=self.app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://mail.example")

    def close(self) -> None:
        self.loop.run_until_complete(self.http.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.service.db.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, with nothing added."""
        return self.loop.run_until_complete(self.http.request(method, path, **options))

    def call(self, method: str, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
        """A request with the token; its answer, whose status must be as expected."""
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        answer = (
            self.send(method, path, json=body, headers=sent)
            if body is not None
            else self.send(method, path, headers=sent)
        )
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, expect: int = 200) -> Any:
        return self.call("GET", path, expect=expect)

    # -- what tests need often -----------------------------------------------------------------------------

    def put_campaign(self, campaign_id: str = CAMPAIGN, expect: int = 201, **values: Any) -> Any:
        body = {"name": "Spring", "type": "adaptive", "is_active": True, "statuses": STATUSES} | values
        return self.call("PUT", f"/v1/campaigns/{campaign_id}", body, expect)

    def batch(self, rows: list[dict[str, Any]], campaign_id: str = CAMPAIGN, **headers: str) -> list[Any]:
        answer = self.call("POST", f"/v1/campaigns/{campaign_id}/members:batch", {"rows": rows}, **headers)
        return answer["outcomes"]

    def add(self, *people: str, campaign_id: str = CAMPAIGN, **fields: Any) -> list[Any]:
        return self.batch([upsert(person, **fields) for person in people], campaign_id)

    def members(self, campaign_id: str = CAMPAIGN) -> dict[str, Any]:
        return {m["person_id"]: m for m in self.get(f"/v1/campaigns/{campaign_id}/members")["items"]}

    def member(self, person: str, campaign_id: str = CAMPAIGN) -> Any:
        return self.members(campaign_id)[person]

    def editions(self, campaign_id: str = CAMPAIGN, operation: str = "first") -> list[Any]:
        path = f"/v1/campaigns/{campaign_id}/editions"
        return self.call("POST", path, {"operation": operation}, 201)["items"]

    def ready(self, edition: dict[str, Any], **values: Any) -> Any:
        """Fill, test and activate an edition."""
        if not self.get("/v1/test-members")["items"]:
            tester = {"person_id": "00QTESTER", "kind": "lead", "email": "tester@example.com", "first_name": "T"}
            self.call("PUT", "/v1/test-members", {"items": [tester]})
        path = f"/v1/editions/{edition['edition_id']}"
        self.call("PATCH", path, {"subject": "News for {{ first_name }}", "html": HTML, "active": True} | values)
        return self.call("POST", f"{path}/test-send")["edition"]

    def prepare(self, **body: Any) -> Any:
        return self.call("POST", "/v1/sends:prepare", body)

    def release(self, prepared: dict[str, Any], expect: int = 200, **headers: str) -> Any:
        path = f"/v1/sends/{prepared['send_id']}:release"
        return self.call("POST", path, {"expected": prepared["expected"]}, expect, **headers)

    def mail_everybody(self) -> Any:
        """Prepare and release what is due now."""
        return self.release(self.prepare())

    def mails(self, **filters: str) -> list[Any]:
        query = "&".join(f"{k}={v}" for k, v in filters.items())
        return self.get(f"/v1/mails?{query}")["items"]

    def mail_of(self, person: str, **filters: str) -> Any:
        (mail,) = self.mails(person_id=person, **filters)
        return mail

    def event(self, person: str, kind: str, **more: Any) -> Any:
        body = {"mail_id": self.mail_of(person)["mail_id"], "type": kind} | more
        return self.call("POST", "/v1/events", body)

    def changes(self, cursor: str | None = None, **query: Any) -> list[Any]:
        """The whole feed after a cursor."""
        items: list[Any] = []
        while True:
            asked = "&".join(f"{k}={v}" for k, v in ({"cursor": cursor} if cursor else {} | query).items())
            if cursor and query:
                asked += "&" + "&".join(f"{k}={v}" for k, v in query.items())
            page = self.get(f"/v1/changes?{asked}")
            items += page["items"]
            cursor = page["next"]
            if not page["more"]:
                return items

    def head(self) -> str:
        return self.get("/v1/changes?cursor=head")["next"]

    def files(self, prefix: str = "m") -> dict[str, EmailMessage]:
        """The outbox: mail id → message."""
        found = {}
        for path in sorted((self.folder / "outbox").glob(f"{prefix}*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            found[path.stem] = message
        return found


def upsert(person: str, **fields: Any) -> dict[str, Any]:
    """A batch row for a lead (or a contact, by its prefix) with an address of its own."""
    kind = "contact_id" if person.startswith("003") else "lead_id"
    given = {"email": f"{person.lower()}@example.com", "first_name": "Ann", "last_name": person} | fields
    return {"op": "upsert", kind: person, "member_id": f"00v{person}", "fields": given}


@pytest.fixture(name="upsert")
def upsert_row() -> Callable[..., dict[str, Any]]:
    return upsert


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Makes houses with options of ``create_app``."""
    made: list[House] = []

    def build(**options: Any) -> House:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(House(folder, **options))
        return made[-1]

    yield build
    for house in made:
        house.close()


@pytest.fixture
def house(make: Callable[..., House]) -> House:
    """A service with one active Adaptive campaign."""
    built = make()
    built.put_campaign()
    return built
