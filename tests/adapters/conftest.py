"""Embedded servers for the adapters' tests: one child process a worker, faults and counts cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sync.clock import SystemClock
from sync.embedded.process import EmbeddedServers, start_embedded
from sync.http.channel import Budget
from sync.http.transport import Transport
from sync.mapping import Mapping
from sync.model import Campaign, Side
from sync.ports import PollScope
from sync.predictive.client import PredictiveService
from sync.salesforce.auth import Login
from sync.salesforce.client import SalesforceOrg
from tests.adapters.support import Hidden, Records

MEMBERS = 2_100


@dataclass(slots=True)
class Sides:
    """Both adapters over real HTTP, and the control address."""

    servers: EmbeddedServers
    transport: Transport
    records: Records
    org: SalesforceOrg
    service: PredictiveService
    slept: list[float]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return self.servers.control(method, path, body)

    def fault(self, kind: str, **more: Any) -> None:
        self.control("POST", "/faults", {"kind": kind, "side": "salesforce", **more})

    def usage(self) -> dict[str, int]:
        report = self.control("GET", "/usage")
        return {side: report[side] for side in ("salesforce", "predictive")}

    def spent(self) -> int:
        """Salesforce calls since the test began, by the org's own count."""
        return self.usage()["salesforce"]

    def first_campaign(self) -> Campaign:
        campaigns, _, _ = self.org.list_campaigns()
        return min(campaigns, key=lambda campaign: (campaign.created, campaign.id))

    def total(self, campaign: Campaign) -> int:
        """Members of a campaign now: tests share one org, and some take members away."""
        _, by_status, _ = self.org.list_campaigns()
        return sum(by_status[campaign.id].values())

    def members(self, campaign: Campaign) -> list[Any]:
        poll = self.org.poll(PollScope((campaign.id,), None))
        return [member for page in poll.pages for member in page]

    def login(self, client_id: str, secret: Hidden) -> Login:
        """A login by client credentials."""
        return Login(self.transport, self.servers.instance_url, client_id, secret)

    def new_org(self, **more: Any) -> SalesforceOrg:
        given = {"access_token": Hidden(self.servers.access_token), "mapping": Mapping(), **more}
        return SalesforceOrg(
            self.transport, instance_url=self.servers.instance_url, budget=Budget(3, 0.0, 0.0), **given
        )


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    with start_embedded(campaigns=4, members=MEMBERS) as running:
        yield running


@pytest.fixture
def sides(servers: EmbeddedServers) -> Iterator[Sides]:
    servers.control("DELETE", "/faults")
    servers.control("DELETE", "/rules")
    servers.control("POST", "/settings", {"page_rows": 2_000})
    servers.control("POST", "/usage:reset")
    records, slept = Records(), list[float]()
    with Transport(records, SystemClock(), sleep=slept.append) as transport:
        budget = Budget(attempts=3, first=0.0, longest=0.0)
        org = SalesforceOrg(
            transport,
            instance_url=servers.instance_url,
            mapping=Mapping(),
            access_token=Hidden(servers.access_token),
            budget=budget,
        )
        service = PredictiveService(
            transport,
            base_url=servers.service_url,
            token=Hidden(servers.service_token),
            client="console-1",
            budget=budget,
        )
        yield Sides(servers, transport, records, org, service, slept)
        # Whatever a test did: our ledger and the servers' own counts agree.
        usage = servers.control("GET", "/usage")
        assert records.counted(Side.SALESFORCE) == usage["salesforce"]
        assert records.counted(Side.PREDICTIVE) == usage["predictive"]
