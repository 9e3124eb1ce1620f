"""The API version: agreed on with an org that does not have the configured one, at no call and once a process."""

from __future__ import annotations

import json

import httpx
import pytest

from sync.errors import RemoteRejected
from sync.http.channel import Budget
from sync.http.transport import Transport
from sync.mapping import Mapping
from sync.model import Side
from sync.salesforce.client import SalesforceOrg
from sync.salesforce.composite import agreed_version
from tests.adapters.support import Hidden, Records, StillClock

BASE = "https://acme.my.salesforce.com"
ORGANIZATION = {"Id": "00DgL0000000001UAA", "Name": "Acme", "TimeZoneSidKey": "UTC"}


class OldOrg:
    """Has versions up to *newest* and answers *status* for others."""

    def __init__(self, newest: str, status: int, *, listed: list[str] | None = None) -> None:
        self.newest, self.status = newest, status
        self.listed = listed if listed is not None else ["40.0", "60.0", newest]
        self.paths: list[str] = []
        self.inner: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.paths.append(path)
        if path == "/services/data/":
            return httpx.Response(200, json=[{"label": "", "url": "", "version": one} for one in self.listed])
        if not path.startswith(f"/services/data/v{self.newest}/"):
            return httpx.Response(self.status, json=[{"errorCode": "NOT_FOUND", "message": "no such version"}])
        if not path.endswith("/composite"):
            return httpx.Response(200, json=ORGANIZATION)
        parts = json.loads(request.content)["compositeRequest"]
        self.inner += [part["url"] for part in parts]
        page = {"totalSize": 0, "done": True, "records": []}
        bodies = [ORGANIZATION if "/sobjects/Organization" in part["url"] else page for part in parts]
        subs = [
            {"referenceId": part["referenceId"], "httpStatusCode": 200, "body": body, "httpHeaders": {}}
            for part, body in zip(parts, bodies, strict=True)
        ]
        headers = {"Date": "Mon, 23 Nov 2026 01:00:00 GMT"}
        return httpx.Response(200, json={"compositeResponse": subs}, headers=headers)


def org_on(network: OldOrg) -> tuple[SalesforceOrg, Records]:
    records, clock = Records(), StillClock()
    transport = Transport(records, clock, sleep=clock.sleep, network=httpx.MockTransport(network))
    token = Hidden("00DgL0000000001!x")
    return SalesforceOrg(
        transport, instance_url=BASE, mapping=Mapping(), access_token=token, budget=Budget(1, 0.0, 0.0)
    ), records


@pytest.mark.parametrize("status", [404, 410])
def test_an_older_org_is_met_with_its_newest_version(status: int) -> None:
    network = OldOrg("64.0", status)
    org, records = org_on(network)
    org.list_campaigns()
    org.list_campaigns()
    assert org.api_version == "64.0"
    assert network.paths.count("/services/data/") == 1
    assert {path.split("/")[3] for path in network.inner} == {"v64.0"}, "also in the parts of a Composite"
    assert [call.counted for call in records.calls if call.path == "/services/data/"] == [False]


def test_the_identity_asked_for_first_is_met_so_too() -> None:
    network = OldOrg("64.0", 404)
    org, _ = org_on(network)
    assert org.identity().name == "Acme"
    assert network.paths[-1].startswith("/services/data/v64.0/sobjects/Organization")


def test_what_is_not_there_in_any_version_stays_an_error() -> None:
    network = OldOrg("99.0", 404, listed=["66.0", "99.0"])
    org, records = org_on(network)
    with pytest.raises(RemoteRejected, match="no such version"):
        org.list_campaigns()
    assert sum(call.counted for call in records.calls if call.side is Side.SALESFORCE) == 1


@pytest.mark.parametrize(
    ("listed", "agreed"),
    [
        (b'[{"version":"64.0"},{"version":"65.0"},{"version":"67.0"}]', "65.0"),
        (b'[{"version":"9.0"},{"version":"40.0"}]', None),
        (b'[{"version":"66.0"}]', "66.0"),
        (b'[{"version":"soon"}]', None),
        (b"<html>", None),
    ],
)
def test_which_version_is_agreed_on(listed: bytes, agreed: str | None) -> None:
    assert agreed_version(listed, "66.0") == agreed
