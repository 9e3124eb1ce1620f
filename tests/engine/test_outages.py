"""The org goes away in the middle of each kind of run: the run says so, nothing is lost, the next run completes it.

Every run is hit at each of its calls in turn (long; the quick suite takes one place of each). Afterwards both sides
must be what an undisturbed run would have made of them, by their own accounts and by the verifier's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sync.bootstrap import Shell
from sync.http.channel import Budget
from sync.model import RunKind, RunState
from sync.salesforce.auth import Login
from sync.salesforce.client import SalesforceOrg
from sync.salesforce.jobs import Waits
from sync.secrets import Secret
from sync.views import RunResult
from tests.engine.world import Campaign, World

ENDED_BADLY = {RunState.PARTIAL, RunState.FAILED, RunState.REFUSED}
ENDED_WELL = {RunState.DONE, RunState.NOTHING_TO_DO}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of run: what waits for it, and how it is started."""

    name: str
    prepare: Callable[[World, Shell, Campaign], None]
    run: Callable[[Shell, Campaign], RunResult]


def _nothing(_world: World, shell: Shell, _campaign: Campaign) -> None:
    """New Edition has everything before it; that there is such a campaign is known."""
    shell.load_campaigns()


def _changes(world: World, shell: Shell, campaign: Campaign) -> None:
    """Members come, go and change in the org."""
    shell.new_edition(campaign.id)
    world.update("Lead", campaign.leads[0], Email="new@example.org")
    world.update("CampaignMember", campaign.members[1], Status="Attended")
    world.delete("CampaignMember", campaign.members[2])
    world.join(campaign, 2)


def _activity(world: World, shell: Shell, campaign: Campaign) -> None:
    """Members act in the service."""
    shell.new_edition(campaign.id)
    shell.sync([campaign.id])
    for lead in campaign.leads[:4]:
        world.activity(campaign, lead, level="Opened", opens=2)
    world.activity(campaign, campaign.leads[4], level="Completed", completions=1)


KINDS = (
    Kind("initial", _nothing, lambda shell, campaign: shell.new_edition(campaign.id)),
    Kind("manual", _changes, lambda shell, campaign: shell.sync([campaign.id])),
    Kind("nightly", _changes, lambda shell, campaign: shell.batch(RunKind.NIGHTLY)),
    Kind("hourly", _activity, lambda shell, campaign: shell.batch(RunKind.HOURLY)),
    Kind("refresh", _activity, lambda shell, campaign: shell.refresh([campaign.id])),
)
by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
some = pytest.mark.parametrize("kind", KINDS[1::2], ids=lambda kind: kind.name)
"""Manual and hourly; the others are among the long ones."""

_MIDDLE = {"manual": 1, "hourly": 1}
"""Calls that pass before the trouble, where only one place is tried."""


@pytest.fixture(autouse=True)
def alone(world: World) -> Iterator[None]:
    """Campaigns of other tests stay out of the batches."""
    world.servers.control("DELETE", "/faults")
    for row in world.query("SELECT Id FROM Campaign WHERE PAM__Auto_Sync__c = true"):
        world.update("Campaign", row["Id"], PAM__Auto_Sync__c=False)
    yield
    world.servers.control("DELETE", "/faults")
    world.servers.control("POST", "/settings", {"bulk_seconds": 0.0, "bulk_polls": 0})


def use_org(shell: Shell, world: World, **more: Any) -> None:
    """The shell's org with other habits: no waits between attempts, and a login of its own."""
    transport = shell.org_transport()
    client, secret = world.servers.client_id, Secret(world.servers.client_secret)
    org = SalesforceOrg(
        transport,
        instance_url=world.servers.instance_url,
        mapping=shell.settings.mapping,
        access_token=Secret(world.servers.access_token),
        login=Login(transport, world.servers.instance_url, client, secret),
        budget=Budget(3, 0.0, 0.0),
        **more,
    )
    shell._parts = replace(shell.parts(), org=org)


def fault(world: World, kind: str, **more: Any) -> None:
    world.servers.control("POST", "/faults", {"kind": kind, "side": "salesforce", **more})


def settled(world: World, shell: Shell, kind: Kind, campaign: Campaign) -> None:
    """Both sides are what they should be, and nothing is left to do."""
    if kind.name == "refresh":  # it moves level and reason only; the hourly run has the rest
        assert shell.batch(RunKind.HOURLY).state in ENDED_WELL
    if kind.name == "initial":
        assert len(world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]) == 5, "never made twice"
    again = shell.sync([campaign.id])
    assert again.state is RunState.NOTHING_TO_DO, again
    verified = shell.verify([campaign.id])
    assert (verified.exit_code, verified.differences) == (0, ())
    if len(campaign.members) > 1_000:  # more than a page; the verifier has compared them
        return
    org, service = world.org_members(campaign), world.service_members(campaign)
    assert {row["LeadId"] for row in org.values()} == set(service)
    for row in org.values():
        assert row["PAM__Synced__c"] is not None
        assert row["Email"] == service[row["LeadId"]]["email"]
        assert row["PAM__Level__c"] == service[row["LeadId"]]["level"]


def calls_of(world: World, kind: Kind) -> int:
    """How many calls an undisturbed run of the kind takes, once the state knows what the org has of the fields."""
    for _ in range(2):
        campaign = world.campaign(9)
        with world.shell() as shell:
            kind.prepare(world, shell, campaign)
            ended = kind.run(shell, campaign)
        assert ended.state is RunState.DONE, ended
    return ended.calls.salesforce


def quota(world: World, kind: Kind, after: int) -> None:
    campaign = world.campaign(9)
    with world.shell() as shell:
        kind.prepare(world, shell, campaign)
        fault(world, "quota", after=after, times=None)
        ended = kind.run(shell, campaign)
        assert ended.state is RunState.PARTIAL, (after, ended)
        assert ended.exit_code == 4
        world.servers.control("DELETE", "/faults")
        following = kind.run(shell, campaign)
        assert following.state in ENDED_WELL, (after, following)
        settled(world, shell, kind, campaign)


@pytest.mark.slow
@some
def test_the_quota_ends_in_the_middle(world: World, kind: Kind) -> None:
    quota(world, kind, _MIDDLE[kind.name])


@pytest.mark.slow
@by_kind
def test_the_quota_ends_at_any_call(world: World, kind: Kind) -> None:
    for after in range(calls_of(world, kind)):
        quota(world, kind, after)


def expiry(world: World, kind: Kind, after: int) -> None:
    campaign = world.campaign(9)
    with world.shell() as shell:
        use_org(shell, world)
        kind.prepare(world, shell, campaign)
        fault(world, "session_expired", after=after, times=1)
        ended = kind.run(shell, campaign)
        assert ended.state is RunState.DONE, (after, ended)
        settled(world, shell, kind, campaign)


@pytest.mark.slow
@some
def test_a_session_ends_in_the_middle_and_the_run_goes_on(world: World, kind: Kind) -> None:
    expiry(world, kind, _MIDDLE[kind.name])


@pytest.mark.slow
@by_kind
def test_a_session_ends_at_any_call_and_the_run_goes_on(world: World, kind: Kind) -> None:
    for after in range(calls_of(world, kind)):
        expiry(world, kind, after)


@pytest.mark.slow
@by_kind
def test_a_session_that_cannot_be_renewed_ends_the_run_and_a_fresh_token_completes_it(world: World, kind: Kind) -> None:
    for after in range(calls_of(world, kind)):
        campaign = world.campaign(9)
        with world.shell() as shell:
            kind.prepare(world, shell, campaign)
            fault(world, "session_expired", after=after, times=None)
            ended = kind.run(shell, campaign)
            assert ended.state in ENDED_BADLY, (after, ended)
            assert ended.exit_code == 2, "wrong credentials"
            assert ("nothing was" in (ended.error or "")) is not world.store.journal.wrote(ended.run), ended.error
            world.servers.control("DELETE", "/faults")
            assert kind.run(shell, campaign).state in ENDED_WELL
            settled(world, shell, kind, campaign)


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 503])
@by_kind
def test_the_org_answers_pages_for_a_while(world: World, kind: Kind, status: int) -> None:
    """A page instead of JSON from the given call on, longer than the attempts last."""
    for after in range(calls_of(world, kind)):
        campaign = world.campaign(9)
        with world.shell() as shell:
            use_org(shell, world)
            kind.prepare(world, shell, campaign)
            fault(world, "html", status=status, after=after, times=None)
            ended = kind.run(shell, campaign)
            assert ended.state in ENDED_BADLY, (after, ended)
            world.servers.control("DELETE", "/faults")
            following = kind.run(shell, campaign)
            assert following.state in ENDED_WELL, (after, following)
            settled(world, shell, kind, campaign)


@pytest.mark.slow
def test_a_page_that_is_gone_with_the_next_attempt_disturbs_nothing(world: World) -> None:
    campaign = world.campaign(9)
    with world.shell() as shell:
        use_org(shell, world)
        fault(world, "html", status=503, after=1, times=2)
        assert shell.new_edition(campaign.id).state is RunState.DONE
        settled(world, shell, KINDS[0], campaign)


@pytest.mark.slow
def test_a_bulk_job_that_stalls_leaves_its_rows_unknown_and_the_next_run_completes_it(world: World) -> None:
    campaign = world.campaign(5_200)
    with world.shell() as shell:
        use_org(shell, world, waits=Waits(per_row=0.0, least=0.2, longest=0.2, most=1.0))
        world.servers.control("POST", "/settings", {"bulk_seconds": 1e6})
        ended = shell.new_edition(campaign.id)
        assert ended.state in ENDED_BADLY, ended
        assert "did not end" in (ended.error or "")
        world.servers.control("POST", "/settings", {"bulk_seconds": 0.0})
        use_org(shell, world, waits=Waits(per_row=0.0, least=0.5))
        following = shell.new_edition(campaign.id)
        assert following.state in ENDED_WELL, following
        settled(world, shell, KINDS[0], campaign)
