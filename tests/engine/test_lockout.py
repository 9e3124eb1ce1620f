"""What locks a campaign until a person lifts it: each critical inconsistency, and that nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sync.bootstrap import Shell
from sync.errors import Locked
from sync.model import RunKind
from sync.store.facts import ORG_ID
from sync.views import RunResult
from tests.engine.tampering import Exchange, tampered
from tests.engine.test_batches import started
from tests.engine.world import Campaign, World

Change = Callable[[Exchange], None]


@contextmanager
def lying_service(world: World, change: Change) -> Iterator[Shell]:
    settings = world.settings().predictive
    with (
        tampered(world.servers.service_url, change) as url,
        world.shell(predictive=replace(settings, base_url=url)) as shell,
    ):
        yield shell


@contextmanager
def lying_org(world: World, change: Change) -> Iterator[Shell]:
    settings = world.settings().salesforce
    with (
        tampered(world.servers.instance_url, change) as url,
        world.shell(salesforce=replace(settings, instance_url=url)) as shell,
    ):
        yield shell


def locked_by(world: World, campaign: Campaign) -> str | None:
    record = world.store.campaigns.get(campaign.id)  # type: ignore[arg-type]
    assert record is not None
    assert (record.locked is None) == (record.locked_rule is None)
    return record.locked_rule


def assert_locked(world: World, campaign: Campaign, rule: str, result: RunResult | None = None) -> None:
    """Locked by *rule*, journalled, and refused until it is lifted."""
    assert locked_by(world, campaign) == rule
    if result is not None:
        assert result.exit_code == 7, result.error
        (row,) = [row for row in world.store.journal.rows(result.run) if row.field == "locked"]
        assert (row.rule, row.subject_id) == (rule, campaign.id)
    with world.shell() as shell:
        with pytest.raises(Locked, match="is locked") as caught:
            shell.sync([campaign.id])
        assert "runs unlock" in caught.value.remedy
        assert any(warned.code == "locked" for warned in shell.detail(campaign.id).view.warnings)


def begun(world: World, members: int = 3) -> Campaign:
    with world.shell() as shell:
        return started(world, shell, members)


@pytest.mark.slow
def test_counts_that_nothing_explains(world: World) -> None:
    campaign, other = begun(world), begun(world)

    def miscount(exchange: Exchange) -> None:
        for item in exchange.answer.get("items", ()) if exchange.path.startswith("/v1/campaigns?") else ():
            if item["campaign_id"] == campaign.id:
                item["counts"]["members"] += 1

    with lying_service(world, miscount) as shell:
        result = shell.batch(RunKind.NIGHTLY)
    assert_locked(world, campaign, "counts")
    assert locked_by(world, other) is None
    assert {each.campaign_id: each.state.value for each in result.campaigns if each.state}[campaign.id] == "failed"
    assert result.exit_code == 1


def test_a_count_that_a_second_look_explains_locks_nothing(world: World) -> None:
    campaign = begun(world)
    wrong = [1]

    def miscount_once(exchange: Exchange) -> None:
        if exchange.path.startswith("/v1/campaigns?") and wrong:
            wrong.pop()
            for item in exchange.answer["items"]:
                item["counts"]["members"] += 1

    with lying_service(world, miscount_once) as shell:
        assert shell.batch(RunKind.NIGHTLY).exit_code == 0
    assert not wrong
    assert locked_by(world, campaign) is None


def test_a_service_whose_record_contradicts_the_request(world: World) -> None:
    campaign = begun(world)
    world.join(campaign, 1)

    def reused(exchange: Exchange) -> None:
        if exchange.path.endswith("/members:batch"):
            exchange.status = 422
            exchange.answer = {"title": "Unprocessable", "detail": "used before", "code": "idempotency_key_reused"}

    with lying_service(world, reused) as shell:
        result = shell.sync([campaign.id])
    assert_locked(world, campaign, "idempotency", result)


@pytest.mark.slow
def test_a_member_row_that_two_persons_claim(world: World) -> None:
    campaign, other = begun(world), begun(world)
    (intruder,) = world.records(
        {"op": "create", "object": "Lead", "values": {"LastName": "Double", "Company": "X", "Email": "d@example.org"}}
    )
    row = {"op": "upsert", "lead_id": intruder, "member_id": campaign.members[0], "fields": {"email": "d@example.org"}}
    world.service("POST", f"/v1/campaigns/{campaign.id}/members:batch", {"rows": [row]})
    world.join(other, 1)
    with world.shell() as shell:
        result = shell.batch(RunKind.NIGHTLY)
        assert locked_by(world, campaign) == "claimed-twice"
        assert locked_by(world, other) is None
        assert result.counts.added == 1, "the other campaign goes on"
        shell.unlock(campaign.id, "looked at it")
        again = shell.sync([campaign.id])
    assert_locked(world, campaign, "claimed-twice", again)


@pytest.mark.slow
def test_a_converted_lead_claims_nothing_twice(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        lead = campaign.leads[0]
        world.servers.control("POST", "/records", {"operations": [{"op": "convert", "object": "Lead", "id": lead}]})
        assert shell.sync([campaign.id]).exit_code == 0
    assert locked_by(world, campaign) is None


def test_another_org_under_the_same_configuration(world: World) -> None:
    campaign = begun(world)
    (lead,) = campaign.leads[:1]
    world.update("Lead", lead, FirstName="Grace")
    mine = world.store.facts.get(ORG_ID)
    world.store.facts.set(ORG_ID, "00D000000000099AAA")
    with world.shell() as shell:
        result = shell.sync([campaign.id])
        assert_locked(world, campaign, "other-org", result)
        assert world.service_members(campaign)[lead]["first_name"] == "Ada", "nothing was written"
        with pytest.raises(Locked, match="the org that answers"):
            shell.load_campaigns()
        shell.unlock(campaign.id, "the sandbox was refreshed")
        assert shell.sync([campaign.id]).exit_code == 0
    assert world.store.facts.get(ORG_ID) == mine


@pytest.mark.slow
def test_an_answer_of_the_service_about_another_record(world: World) -> None:
    campaign = begun(world)
    world.join(campaign, 2)

    def swapped(exchange: Exchange) -> None:
        if exchange.path.endswith("/members:batch"):
            exchange.answer["outcomes"].reverse()

    with lying_service(world, swapped) as shell:
        result = shell.sync([campaign.id])
    assert_locked(world, campaign, "other-record", result)


@pytest.mark.slow
def test_an_answer_of_the_org_about_another_record(world: World) -> None:
    campaign = begun(world, 2)
    for lead in campaign.leads:
        world.activity(campaign, lead, level="Opened")

    def swapped(exchange: Exchange) -> None:
        for part in exchange.answer.get("compositeResponse", ()) if isinstance(exchange.answer, dict) else ():
            rows = part["body"]
            if isinstance(rows, list) and rows and all(isinstance(row, dict) and "success" in row for row in rows):
                rows.reverse()

    with lying_org(world, swapped) as shell:
        result = shell.refresh([campaign.id])
    assert_locked(world, campaign, "other-record", result)


@pytest.mark.slow
def test_another_service_under_the_same_configuration(world: World) -> None:
    campaign = begun(world)

    def other(exchange: Exchange) -> None:
        if exchange.path.startswith("/v1/changes"):
            exchange.status, exchange.answer = (
                410,
                {"title": "Gone", "detail": "another database", "code": "cursor_expired"},
            )
        elif exchange.path == "/v1/info":
            exchange.answer["service_id"] = "0" * 32

    with lying_service(world, other) as shell:
        result = shell.sync([campaign.id])
    assert_locked(world, campaign, "other-service", result)
    with world.shell() as shell:
        shell.unlock(campaign.id, "it was moved")
        assert shell.sync([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_what_is_merely_wrong_locks_nothing(world: World) -> None:
    campaign = begun(world, 4)
    world.update("CampaignMember", campaign.members[0], Status="Registered")

    def broken(exchange: Exchange) -> None:
        if exchange.path.endswith("/members:batch"):
            exchange.status, exchange.answer = 400, {"title": "Bad Request", "detail": "no", "code": "malformed_json"}

    with lying_service(world, broken) as shell:
        assert shell.sync([campaign.id]).exit_code == 1
    with world.shell() as shell:
        world.delete("CampaignMember", *campaign.members[1:])
        world.servers.control("POST", "/faults", {"kind": "drop_after", "side": "salesforce", "times": 1})
        shell.sync([campaign.id])
        world.servers.control("DELETE", "/faults")
        shell.batch(RunKind.NIGHTLY)
    assert locked_by(world, campaign) is None
