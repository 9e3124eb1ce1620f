"""Both servers in a child process, and what tests do to them: as a user of the org, as mail activity, as a stranger.

Campaigns are made per test, each with a state of its own, so tests share the servers and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from sync.bootstrap import Shell
from sync.clock import ControlledClock
from sync.embedded.process import EmbeddedServers
from sync.events import Event
from sync.settings import OrgSettings, load_settings
from sync.store.schema import metadata
from sync.store.store import Store

_TOML = """
[orgs.t]
read_only = false
[orgs.t.salesforce]
instance_url = "{org}"
auth = "token"
[orgs.t.predictive]
base_url = "{service}"
[orgs.t.state]
url = "{state}"
"""
STATE = "state.db"
_numbers = itertools.count(1)


def empty(store: Store, clock: ControlledClock) -> None:
    """A state as if it were new, at another clock."""
    store.database.clock = clock
    with store.transaction(), store.database.write() as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(table.delete())


@dataclass(slots=True)
class Campaign:
    """A campaign of a test: its id, the ids of its leads and of its member rows, in the order they were made."""

    id: str
    name: str
    leads: list[str]
    members: list[str]


@dataclass(slots=True)
class World:
    """The servers, and this test's state of the engine."""

    servers: EmbeddedServers
    folder: Path
    store: Store
    events: list[Event] = field(default_factory=list)
    clock: ControlledClock = field(default_factory=ControlledClock)

    # ------------------------------------------------------------ the engine

    @property
    def state(self) -> Path:
        """The state's file; emptied for each test, because a new database each time takes longer than most tests."""
        return Path(self.store.url.removeprefix("sqlite:///"))

    def config(self) -> tuple[Path, dict[str, str]]:
        """A configuration file and the environment that holds its secrets."""
        text = _TOML.format(org=self.servers.instance_url, service=self.servers.service_url, state=self.state)
        path = self.folder / "c.toml"
        path.write_text(text)
        return path, {
            "PREDICTIVE_T_SALESFORCE_ACCESS_TOKEN": self.servers.access_token,
            "PREDICTIVE_T_PREDICTIVE_TOKEN": self.servers.service_token,
        }

    def settings(self, **changes: Any) -> OrgSettings:
        path, env = self.config()
        return replace(load_settings(path, env=env).org(), **changes)

    @contextmanager
    def shell(self, *, read_only: bool | None = None, **changes: Any) -> Iterator[Shell]:
        shell = Shell(self.settings(**changes), self.store, self.clock, self.events.append, read_only)
        try:
            yield shell
        finally:
            shell.disconnect()

    def told(self, kind: type) -> list[Any]:
        """Bodies of a kind among the events told so far."""
        return [event.body for event in self.events if isinstance(event.body, kind)]

    # ------------------------------------------------------------ the org, as another user

    def records(self, *operations: dict[str, Any]) -> list[str]:
        answer: dict[str, Any] = self.servers.control("POST", "/records", {"operations": list(operations)})
        return list(answer["ids"])

    def campaign(
        self, members: int = 12, *, type: str = "Adaptive", auto_sync: bool | None = True, **values: Any
    ) -> Campaign:
        number = next(_numbers)
        name = f"Campaign {number}"
        today = datetime.now(UTC).date()
        header = {
            "Name": name,
            "IsActive": True,
            "Type": type,
            "Status": "In Progress",
            "StartDate": (today - timedelta(days=5)).isoformat(),
            "EndDate": (today + timedelta(days=30)).isoformat(),
        } | values
        if auto_sync is not None:  # None: an org without the field
            header["PAM__Auto_Sync__c"] = auto_sync
        (campaign,) = self.records({"op": "create", "object": "Campaign", "values": header})
        self.records(
            *(
                {
                    "op": "create",
                    "object": "CampaignMemberStatus",
                    "values": {"CampaignId": campaign, "Label": label, "SortOrder": 10 + at, "HasResponded": responded},
                }
                for at, (label, responded) in enumerate([("Registered", False), ("Attended", True)])
            )
        )
        made = Campaign(campaign, name, [], [])
        self.join(made, members)
        return made

    def join(self, campaign: Campaign, count: int = 1, **member: Any) -> list[str]:
        """New leads, and members made of them."""
        leads = self.records(
            *(
                {
                    "op": "create",
                    "object": "Lead",
                    "values": {
                        "FirstName": "Ada",
                        "LastName": f"Nr {next(_numbers)}",
                        "Company": "Analytical",
                        "Email": f"ada{next(_numbers)}@example.org",
                    },
                }
                for _ in range(count)
            )
        )
        rows = self.records(
            *(
                {
                    "op": "create",
                    "object": "CampaignMember",
                    "values": {"CampaignId": campaign.id, "LeadId": lead, "Status": "Sent"} | member,
                }
                for lead in leads
            )
        )
        campaign.leads += leads
        campaign.members += rows
        return rows

    def update(self, sobject: str, record_id: str, **values: Any) -> None:
        self.records({"op": "update", "object": sobject, "id": record_id, "values": values})

    def delete(self, sobject: str, *ids: str) -> None:
        self.records(*({"op": "delete", "object": sobject, "id": each} for each in ids))

    def query(self, soql: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.servers.instance_url}/services/data/v66.0/query",
            params={"q": soql},
            headers={"Authorization": f"Bearer {self.servers.access_token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return list(answer.json()["records"])

    def org_members(self, campaign: Campaign) -> dict[str, dict[str, Any]]:
        """Member rows by member id."""
        fields = (
            "Id, LeadId, ContactId, Status, FirstName, LastName, Email, PAM__Level__c, PAM__Reason__c, PAM__Synced__c, "
            "PAM__Active__c, PAM__Opens__c, PAM__Clicks__c"
        )
        rows = self.query(f"SELECT {fields} FROM CampaignMember WHERE CampaignId = '{campaign.id}'")
        return {row["Id"]: row for row in rows}

    def later(self, seconds: float) -> None:
        """The clock of both servers goes on."""
        self.servers.control("POST", "/clock", {"advance": seconds})

    def org_calls(self) -> int:
        return int(self.servers.control("GET", "/usage")["salesforce"])

    # ------------------------------------------------------------ the service, as its own activity

    def service(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(
            method,
            f"{self.servers.service_url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.servers.service_token}", "Predictive-Client": "somebody-else"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def service_members(self, campaign: Campaign) -> dict[str, dict[str, Any]]:
        """The service's members by person id."""
        items = self.service("GET", f"/v1/campaigns/{campaign.id}/members?limit=10000")["items"]
        return {item["person_id"]: item for item in items}

    def activity(self, campaign: Campaign, person: str, **fields: Any) -> None:
        """Something happened to a member in the service."""
        member = self.service_members(campaign)[person]
        who = "contact_id" if person.startswith("003") else "lead_id"
        row = {"op": "upsert", who: person, "member_id": member["member_id"], "fields": fields}
        answer = self.service("POST", f"/v1/campaigns/{campaign.id}/members:batch", {"rows": [row]})
        assert answer["outcomes"][0]["outcome"] == "updated", answer
