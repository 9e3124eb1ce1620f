"""Both sides in this process, on files of a folder: what serves them, and what their users and strangers do to them.

Nothing here is the engine's. Whoever wants sockets serves ``org_app`` and ``service_app``; ``network`` needs none.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from sync.clock import ControlledClock
from sync.embedded.control import Control
from sync.embedded.faults import Faults
from sync.embedded.org.build import OrgOptions, build_org
from sync.embedded.org.router import template
from sync.embedded.service.app import create_app
from sync.embedded.service.outbox import Outbox
from sync.embedded.wire import Usage, Wire, service_template
from tests.house.inprocess import InProcess

ORG_PORT, SERVICE_PORT, _CONTROL_PORT = 1, 2, 3
"""Nothing listens there: whoever carries the requests tells the sides apart by these numbers."""
ORG_URL, SERVICE_URL = f"http://127.0.0.1:{ORG_PORT}", f"http://127.0.0.1:{SERVICE_PORT}"
TOKEN = "0123456789abcdef" * 3
ORG_FILE, SERVICE_FILE, STATE_FILE = "org.sqlite", "service.sqlite", "state.sqlite"
START = datetime(2026, 3, 10, 15, 0, 0, tzinfo=UTC)
"""A Tuesday, in the middle of the day in the org's time zone."""


class FrozenClock:
    """A time that stands until somebody moves the clock on top of it."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at

    def now(self) -> datetime:
        """Always the same instant."""
        return self._at

    def monotonic(self) -> float:
        """Seconds that stand as well."""
        return self._at.timestamp()


def frozen(at: datetime = START) -> ControlledClock:
    """A clock that moves only when it is moved."""
    return ControlledClock(FrozenClock(at))


class LoggedOutbox(Outbox):
    """An outbox that also writes down every hand-over: a mail handed over twice would replace its own file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._log = folder.parent / "deliveries.log"

    def deliver(self, mail_id: str, message: bytes) -> None:
        """Note the mail's id, its recipient and its subject, then take it."""
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{mail_id}\n")
        super().deliver(mail_id, message)


def deliveries(folder: Path) -> list[str]:
    """Ids of mails in the order of their hand-over."""
    log = folder / "deliveries.log"
    return log.read_text("utf-8").split() if log.exists() else []


@dataclass(slots=True)
class Campaign:
    """A campaign that was made here: its id and name, ids of its leads and of its member rows."""

    id: str
    name: str
    leads: list[str]
    members: list[str]


class Sides:
    """Org and service on the files of *folder*, opened anew or as they were left."""

    def __init__(self, folder: Path, clock: ControlledClock) -> None:
        self.folder, self.clock = folder, clock
        faults, usage = Faults(), Usage()
        self.built = build_org(OrgOptions(campaigns=0, members=1, path=folder / ORG_FILE), clock)
        schema = self.built.org.schema

        def org_calls(path: str) -> str | None:
            return template(path, schema) if path.startswith("/services/data/v") else None

        def service_calls(path: str) -> str | None:
            return service_template(path) if path.startswith("/v1/") else None

        self.service = create_app(
            database=str(folder / SERVICE_FILE),
            clock=clock,
            token=TOKEN,
            seed=1,
            outbox=folder / "outbox",
            audience_speed=0,
            public_url=SERVICE_URL,
            usage=lambda method, path: usage.add("predictive", method, service_template(path)),
            transport=LoggedOutbox(folder / "outbox"),
        )
        common = {"faults": faults, "clock": clock, "usage": usage}
        self.org_app = Wire(self.built.gateway.app, side="salesforce", count=org_calls, **common)
        self.service_app = Wire(self.service, side="predictive", count=service_calls, counts_itself=True, **common)
        self.network = InProcess({ORG_PORT: self.org_app, SERVICE_PORT: self.service_app})
        # The line of everybody else is without faults and without counting.
        control = Control(clock, faults, usage, self.built)
        self._line = InProcess(
            {ORG_PORT: self.built.gateway.app, SERVICE_PORT: self.service, _CONTROL_PORT: control.app}
        )
        self._numbers = itertools.count(1)

    @property
    def access_token(self) -> str:
        """The org's first session, the same each time it is opened."""
        return self.built.access_token

    def close(self) -> None:
        """Let go of the files."""
        self.network.end()
        self._line.end()
        self.built.org.store.close()
        self.service.state.service.db.close()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the control address; its JSON answer."""
        with httpx.Client(transport=self._line) as client:
            answer = client.request(method, f"http://127.0.0.1:{_CONTROL_PORT}{path}", json=body)
            assert answer.status_code < 300, answer.text
            return answer.json()

    # ------------------------------------------------------------ the org, as its users

    def records(self, *operations: dict[str, Any]) -> list[str]:
        """Operations of other users of the org, in one transaction; ids of the rows."""
        return self.built.gateway.transactions.apply(operations)

    def create(self, sobject: str, **values: Any) -> str:
        """One new record."""
        (made,) = self.records({"op": "create", "object": sobject, "values": values})
        return made

    def update(self, sobject: str, record_id: str, **values: Any) -> None:
        """Change one record."""
        self.records({"op": "update", "object": sobject, "id": record_id, "values": values})

    def delete(self, sobject: str, *ids: str) -> None:
        """Delete records."""
        self.records(*({"op": "delete", "object": sobject, "id": each} for each in ids))

    def campaign(self, members: int = 6, *, type: str = "Adaptive", **values: Any) -> Campaign:
        """A campaign that is ready for New Edition, with three statuses of its own and leads as members."""
        number = next(self._numbers)
        today = self.clock.now().date()
        header = {
            "Name": f"Campaign {number}",
            "IsActive": True,
            "Type": type,
            "Status": "In Progress",
            "StartDate": (today - timedelta(days=5)).isoformat(),
            "EndDate": (today + timedelta(days=60)).isoformat(),
            "PAM__Auto_Sync__c": True,
        } | values
        key = self.create("Campaign", **header)
        for at, (label, responded) in enumerate([("Registered", False), ("Attended", True)]):
            self.create("CampaignMemberStatus", CampaignId=key, Label=label, SortOrder=10 + at, HasResponded=responded)
        made = Campaign(key, header["Name"], [], [])
        for _ in range(members):
            self.join(made)
        return made

    def lead(self, **values: Any) -> str:
        """A new lead."""
        number = next(self._numbers)
        given = {"FirstName": "Ada", "LastName": f"Nr {number}", "Company": "Analytical", "Email": f"a{number}@x.org"}
        return self.create("Lead", **(given | values))

    def join(self, campaign: Campaign, lead: str | None = None, **member: Any) -> str:
        """A lead, or a new one, becomes a member; the member row's id."""
        lead = lead or self.lead()
        row = self.create("CampaignMember", **({"CampaignId": campaign.id, "LeadId": lead, "Status": "Sent"} | member))
        campaign.leads.append(lead)
        campaign.members.append(row)
        return row

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Rows as the REST interface shows them."""
        with httpx.Client(transport=self._line) as client:
            answer = client.get(
                f"{ORG_URL}/services/data/v66.0/query",
                params={"q": soql},
                headers={"Authorization": f"Bearer {self.access_token}"},
            )
            assert answer.status_code == 200, answer.text
            return list(answer.json()["records"])

    # ------------------------------------------------------------ the service, as its own activity

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request of somebody else to the service."""
        with httpx.Client(transport=self._line) as client:
            headers = {"Authorization": f"Bearer {TOKEN}", "Predictive-Client": "somebody-else"}
            answer = client.request(method, f"{SERVICE_URL}{path}", json=body, headers=headers)
            assert answer.status_code < 300, answer.text
            return answer.json() if answer.content else None

    def service_members(self, campaign_id: str) -> dict[str, dict[str, Any]]:
        """The service's members by person id."""
        items = self.call("GET", f"/v1/campaigns/{campaign_id}/members?limit=10000")["items"]
        return {item["person_id"]: item for item in items}

    def activity(self, campaign_id: str, person: str, **fields: Any) -> None:
        """Something happened to a member in the service."""
        who = "contact_id" if person.startswith("003") else "lead_id"
        row = {"op": "upsert", who: person, "fields": fields}
        answer = self.call("POST", f"/v1/campaigns/{campaign_id}/members:batch", {"rows": [row]})
        assert answer["outcomes"][0]["outcome"] in ("updated", "unchanged"), answer

    def editions(self, campaign_id: str) -> list[str]:
        """Ids of a campaign's editions in slot order."""
        items = self.call("GET", f"/v1/campaigns/{campaign_id}/editions")["items"]
        return [item["edition_id"] for item in sorted(items, key=lambda item: item["slot"])]

    def make_ready(self, edition_id: str, **fields: Any) -> None:
        """Give an edition content, send it to the test members, activate it."""
        content = {"subject": "Hello", "html": '<p>Hi</p><a href="https://x.org/a">a</a>', "days_delay": 0}
        self.call("PATCH", f"/v1/editions/{edition_id}", content | fields)
        self.call("POST", f"/v1/editions/{edition_id}/test-send", {})
        self.call("PATCH", f"/v1/editions/{edition_id}", {"active": True})
