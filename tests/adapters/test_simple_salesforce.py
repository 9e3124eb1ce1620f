"""simple-salesforce over our transport: it works against plain http, and each of its requests is in the ledger."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from sync.salesforce.auth import my_domain
from sync.salesforce.session_adapter import destination, is_counted, session_for
from tests.adapters.conftest import Sides


@pytest.fixture
def client(sides: Sides) -> Salesforce:
    return Salesforce(
        session=session_for(sides.servers.instance_url, sides.transport),
        session_id=sides.servers.access_token,
        instance_url=sides.servers.instance_url,
        version=sides.servers.api_version,
    )


def test_query_and_paging(sides: Sides, client: Any) -> None:
    sides.control("POST", "/settings", {"page_rows": 700})
    rows = client.query_all("SELECT Id, Email FROM CampaignMember ORDER BY Id")["records"]
    ids = [row["Id"] for row in rows]
    assert len(ids) == len(set(ids)) == client.query("SELECT COUNT() FROM CampaignMember")["totalSize"]
    assert client.api_usage["api-usage"].used > 0


def test_create_read_update_delete(client: Any) -> None:
    made = client.Lead.create({"LastName": "Ångström", "Company": "Test & Co", "Email": "a.b@example.com"})
    assert made["success"]
    assert client.Lead.get(made["id"])["LastName"] == "Ångström"
    assert client.Lead.update(made["id"], {"FirstName": "Siân"}) == 204
    assert client.Lead.get(made["id"])["FirstName"] == "Siân"
    assert client.Lead.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        client.Lead.get(made["id"])


def test_errors_come_through_as_its_own(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        client.query("SELECT Nonsense FROM Lead")
    assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_login_by_client_credentials_reaches_the_sandbox(sides: Sides) -> None:
    sf: Any = Salesforce(
        session=session_for(sides.servers.instance_url, sides.transport),
        consumer_key=sides.servers.client_id,
        consumer_secret=sides.servers.client_secret,
        domain="instance.my",
    )
    assert sf.query("SELECT Id FROM Organization")["totalSize"] == 1
    free = [call for call in sides.records.calls if not call.counted]
    assert [call.path for call in free] == ["/services/oauth2/token"]


def test_where_requests_go() -> None:
    sandbox = "http://127.0.0.1:8080"
    assert destination("https://127.0.0.1:8080/services/data/?q=1", sandbox) == f"{sandbox}/services/data/?q=1"
    assert destination("https://login.salesforce.com/services/oauth2/token", sandbox).startswith(f"{sandbox}/services")
    assert destination("https://example.com/x", sandbox) == "https://example.com/x"
    org = "https://acme.my.salesforce.com"
    for url in ("https://login.salesforce.com/services/oauth2/token", f"{org}/services/data/v66.0/limits"):
        assert destination(url, org) == url
    assert my_domain(org) == "acme.my"
    assert my_domain("https://acme--uat.sandbox.my.salesforce.com") == "acme--uat.sandbox.my"


@pytest.mark.parametrize("instance", ["https://acme.my.salesforce.mil", "https://acme.my.site.force.com"])
def test_a_login_outside_salesforce_com_goes_to_no_other_host(instance: str) -> None:
    """The stand-in for such an instance is a My Domain that somebody else may have."""
    assert my_domain(instance) == "instance.my"
    token = "/services/oauth2/token"
    assert destination(f"https://instance.my.salesforce.com{token}", instance) == instance + token


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/services/oauth2/token", False),
        ("/services/Soap/u/59.0", False),
        ("/services/data/", False),
        ("/services/data/v66.0/limits", True),
        ("/services/data/v66.0/query", True),
    ],
)
def test_what_the_platform_counts(path: str, counted: bool) -> None:
    assert is_counted(path) is counted


def test_nobody_pays_for_importing_it_who_does_not_log_in() -> None:
    script = (
        "import sys, sync.salesforce.client, sync.predictive.client\n"
        "loaded = {'simple_salesforce', 'requests', 'zeep'} & set(sys.modules)\n"
        "sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
