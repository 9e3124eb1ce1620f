"""The budget end to end: a small quota, the governor's ladder across processes, caps, and who spent what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from sync.bootstrap import Shell
from sync.events import Event, Noted, Phase, PhaseEnded, PhaseStarted, PlanMade, Progress
from sync.model import RunKind, RunState
from sync.settings import BudgetSettings
from sync.store.facts import GOVERNOR
from tests.engine.test_batches import started
from tests.engine.world import World


@contextmanager
def quota(world: World, most: int, remaining: int) -> Iterator[None]:
    """The org has a limit of *most* calls, of which *remaining* are left."""
    before = world.servers.control("GET", "/quota")
    world.servers.control("POST", "/quota", {"max": most, "used": 0})
    world.servers.control("POST", "/quota", {"remaining": remaining})
    try:
        yield
    finally:
        world.servers.control("POST", "/quota", before)


def gear(world: World) -> str | None:
    return world.store.facts.get(GOVERNOR)


def ticked(world: World, lead: str) -> bool:
    (row,) = world.query(f"SELECT HasOptedOutOfEmail FROM Lead WHERE Id = '{lead}'")
    return bool(row["HasOptedOutOfEmail"])


@pytest.mark.slow
def test_the_ladder_of_a_whole_org_is_walked_and_kept(world: World) -> None:
    """Warn, pause, stop; a stop holds in another shell on the same state until the meter is below the last line."""
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        lead = campaign.leads[0]
        with quota(world, 10_000, 10_000):
            most = world.servers.control("GET", "/quota")["max"]

            def leave(share: float) -> None:
                world.servers.control("POST", "/quota", {"remaining": round(most * (1 - share))})
                shell.load_limits()

            leave(0.82)
            world.activity(campaign, lead, level="Opened", opens=1)
            assert shell.batch(RunKind.HOURLY).exit_code == 0
            assert gear(world) == "warn"
            leave(0.92)
            assert shell.batch(RunKind.HOURLY).exit_code == 0
            assert gear(world) == "pause"
            leave(0.96)
            world.activity(campaign, lead, level="Clicked", clicks=1)
            world.service("POST", f"/v1/people/{campaign.leads[1]}:opt-out", {"scope": "global"})
            stopped = shell.batch(RunKind.HOURLY)
            assert (stopped.exit_code, stopped.state) == (4, RunState.PARTIAL)
            assert gear(world) == "stop"
            assert ticked(world, campaign.leads[1]), "opt-outs always get through"
            assert world.org_members(campaign)[campaign.members[0]]["PAM__Level__c"] == "Opened"
        told = [note.text for note in world.told(Noted) if "of its calls" in note.text]
        assert [text.split(" than ")[1][:3] for text in told] == ["80%", "90%", "95%"]
    with world.shell() as other, quota(world, 10_000, 10_000):
        # 80 % is below every line but that of resuming: what was stopped stays stopped, in every process.
        most = world.servers.control("GET", "/quota")["max"]
        world.servers.control("POST", "/quota", {"remaining": round(most * 0.2)})
        other.load_limits()
        held = other.sync([campaign.id])
        assert (held.exit_code, held.calls.salesforce) == (5, 0)
        assert "75%" in (held.error or "")
    with world.shell() as third:
        third.load_limits()
        assert third.limits().gear == "normal"
        assert third.sync([campaign.id]).exit_code == 0
        assert gear(world) == "normal"


@pytest.mark.slow
def test_at_a_pause_statistics_and_the_check_of_ids_wait(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        shell.edit_edition(campaign.id, "1", {"subject": "Hello", "html": "<p>x</p>"})
        world.clock.advance(timedelta(days=9).total_seconds())
        with quota(world, 10_000, 10_000):
            most = world.servers.control("GET", "/quota")["max"]
            world.servers.control("POST", "/quota", {"remaining": round(most * 0.08)})
            shell.load_limits()
            before = world.org_calls()
            shell.batch(RunKind.NIGHTLY)
            assert world.org_calls() - before == 1, "the poll alone, no read of ids"
            world.activity(campaign, campaign.leads[0], level="Opened", opens=1)
            paused = shell.batch(RunKind.HOURLY)
            assert (paused.counts.changed, paused.counts.editions_updated) == (1, 0)
        world.clock.advance(7200)
        assert shell.batch(RunKind.HOURLY).counts.editions_updated > 0
    assert gear(world) == "normal"


@pytest.mark.slow
def test_a_cap_of_this_console_refuses_before_the_first_write_but_for_opt_outs(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        spent = shell.limits().ours
    world.activity(campaign, campaign.leads[0], level="Opened", opens=1)
    world.service("POST", f"/v1/people/{campaign.leads[1]}:opt-out", {"scope": "global"})
    with world.shell(budget=BudgetSettings(daily_cap=spent + 1)) as shell:
        hour = shell.batch(RunKind.HOURLY)
        assert (hour.exit_code, hour.state) == (4, RunState.PARTIAL)
        assert ticked(world, campaign.leads[1])
        assert world.org_members(campaign)[campaign.members[0]]["PAM__Level__c"] is None
        refused = shell.sync([campaign.id])
        assert refused.exit_code == 5
        assert "a day" in (refused.error or "")
        allowed = shell.sync([campaign.id], allow={"budget": 50}, reason="month end")
        assert allowed.exit_code == 0
    with world.shell() as shell:
        assert shell.batch(RunKind.HOURLY).counts.changed >= 1


@pytest.mark.slow
def test_a_run_cap_counts_what_the_run_has_spent(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell(budget=BudgetSettings(run_cap=1)) as shell:
        result = shell.new_edition(campaign.id)
    assert result.exit_code == 5
    assert "the cap of 1 call" in (result.error or "")
    assert result.calls.salesforce <= 1


def upon(world: World, shell: Shell, wanted: Callable[[Any], bool], do: Callable[[], object]) -> None:
    """Once an event is told whose body is *wanted*, do something in the world, once."""
    waiting = [do]

    def heard(event: Event) -> None:
        world.events.append(event)
        if waiting and wanted(event.body):
            waiting.pop()()

    shell.listen(heard)


def left(world: World, calls: int) -> Callable[[], object]:
    """Others use the org up, but for so many calls."""
    return lambda: world.servers.control("POST", "/quota", {"remaining": calls})


@pytest.mark.slow
def test_others_who_use_the_org_up_end_a_read_and_the_next_run_completes_it(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        world.join(campaign, 60)
        world.servers.control("POST", "/settings", {"page_rows": 5})
        try:
            with quota(world, 10_000, 10_000):
                reading = lambda body: isinstance(body, Progress) and body.phase is Phase.READ_SALESFORCE  # noqa: E731
                upon(world, shell, reading, left(world, 10))
                result = shell.sync([campaign.id])
        finally:
            world.servers.control("POST", "/settings", {"page_rows": 2_000})
        assert (result.exit_code, result.state) == (4, RunState.PARTIAL)
        assert "stopped by its budget" in (result.error or "")
        assert len(world.service_members(campaign)) == 3, "an incomplete read writes nothing"
        world.clock.advance(3700)
        assert shell.sync([campaign.id]).counts.added == 60


@pytest.mark.slow
def test_the_quota_that_ends_before_the_writes_loses_nothing(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        for lead in campaign.leads:
            world.activity(campaign, lead, level="Opened", opens=1)
        with quota(world, 10_000, 10_000):
            upon(world, shell, lambda body: isinstance(body, PlanMade), left(world, 0))
            result = shell.batch(RunKind.HOURLY)
        assert (result.exit_code, result.state) == (4, RunState.PARTIAL)
        world.clock.advance(3700)
        assert shell.batch(RunKind.HOURLY).counts.changed == 3
        assert shell.verify([campaign.id]).exit_code == 0


@pytest.mark.slow
def test_the_governor_stops_between_two_batches_of_writes(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2_300)
        rows = [
            {"op": "upsert", "lead_id": lead, "member_id": member, "fields": {"level": "Opened", "opens": 1}}
            for lead, member in zip(campaign.leads, campaign.members, strict=True)
        ]
        world.service("POST", f"/v1/campaigns/{campaign.id}/members:batch", {"rows": rows})
        with quota(world, 10_000, 10_000):
            writing = lambda body: isinstance(body, PhaseStarted) and body.phase is Phase.WRITE_SALESFORCE  # noqa: E731
            upon(world, shell, writing, left(world, 50))
            result = shell.refresh([campaign.id])
        assert (result.exit_code, result.state) == (4, RunState.PARTIAL)
        assert 0 < result.counts.changed < 2_300
        world.clock.advance(3700)
        rest = shell.refresh([campaign.id])
        assert result.counts.changed + rest.counts.changed == 2_300


@pytest.mark.slow
def test_the_ledger_tells_who_spent_what_and_what_was_wasted(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        closed = started(world, shell, 2)
        world.update("Campaign", closed.id, Status="Completed", IsActive=False)
        shell.batch(RunKind.NIGHTLY, simulate=True)
        shell.load_campaigns()
        spent = shell.spending()
        limits = shell.limits()
    assert spent.total == limits.ours == sum(each.calls for each in spent.by_kind)
    assert sum(each.calls for each in spent.by_campaign) == sum(each.calls for each in spent.by_object) == spent.total
    campaigns = {each.key: each.calls for each in spent.by_campaign}
    assert campaigns[campaign.id] > 0, "a run of one campaign is its own"
    assert campaigns[closed.id] > 0
    assert campaigns[""] > 0, "the night was for all"
    kinds = {each.key: each.calls for each in spent.by_kind}
    assert kinds["initial"] > kinds["nightly"] > 0
    assert "CampaignMember" in {each.key for each in spent.by_object} | {"CampaignMember"}
    waste = {(each.rule, each.campaign_id): each for each in spent.waste}
    clear = waste["closed-auto-sync", closed.id]  # type: ignore[index]
    assert (clear.spent, clear.calls > 0) == (False, True)
    assert ("closed-auto-sync", campaign.id) not in waste
    assert ("simulations", None) in waste
    with world.shell() as shell:
        shell.clear_auto_sync(closed.id)
        assert closed.id not in {each.campaign_id for each in shell.spending().waste}


@pytest.mark.slow
def test_tonight_is_foretold_within_one(world: World) -> None:
    with world.shell() as shell:
        started(world, shell, 3)
        shell.batch(RunKind.NIGHTLY)
        for _ in range(2):
            told = dict(shell.limits().forecast)["tonight"]
            assert abs(shell.batch(RunKind.NIGHTLY).calls.salesforce - told) <= 1


def test_a_meter_that_nobody_asked_for_an_hour_is_asked_by_one_call(world: World) -> None:
    """Where everything stopped, nothing would ever tell that the meter went down."""
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        world.store.ledger.note_limits(99_000, 100_000, world.clock.now() + timedelta(seconds=1))
        world.clock.advance(2)
        assert shell.sync([campaign.id]).exit_code == 5
        world.clock.advance(3700)
        result = shell.sync([campaign.id])
        assert result.exit_code == 0
        assert gear(world) == "normal"


@pytest.mark.slow
def test_calls_reserved_by_a_live_run_are_not_granted_twice(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        told = world.store.ledger.told()
        assert told is not None
        other = world.store.runs.start(RunKind.MANUAL)
        room = int(told.limit * 0.95) - told.used
        assert world.store.reservations.reserve(other, room, lambda reserved, spent: True)
        refused = shell.sync([campaign.id])
        assert (refused.exit_code, refused.calls.salesforce) == (5, 0)
        assert "reserved" in (refused.error or "")
        world.store.runs.end(other, RunState.DONE)
        assert shell.sync([campaign.id]).exit_code == 0
    assert world.told(PhaseEnded)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (RunKind.MANUAL, {"side": "salesforce", "match": "composite"}),
        (RunKind.MANUAL, {"side": "predictive", "match": "/v1/changes"}),
        (RunKind.INITIAL, {"side": "salesforce", "match": "no such address"}),
        (RunKind.NIGHTLY, {"side": "salesforce", "match": "composite"}),
        (RunKind.HOURLY, {"side": "predictive", "match": "/v1/changes"}),
        (RunKind.HOURLY, {"side": "salesforce", "match": "composite"}),
        (RunKind.REFRESH, {"side": "predictive", "match": "/v1/changes"}),
    ],
)
def test_a_run_that_ends_before_its_plan_foresaw_what_it_spent(
    world: World, kind: RunKind, fault: dict[str, Any]
) -> None:
    """Predicted is within one of actual, also where the first read is refused; and the history keeps it."""
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        refused = {"kind": "status", "status": 400, "code": "MALFORMED_QUERY", "message": "no", "times": 99}
        world.servers.control("POST", "/faults", fault | refused)
        if kind is RunKind.INITIAL:
            world.update("Campaign", campaign.id, IsActive=False)  # refused by its preconditions
            result = shell.new_edition(campaign.id)
        elif kind is RunKind.MANUAL:
            result = shell.sync([campaign.id])
        elif kind is RunKind.REFRESH:
            result = shell.refresh([campaign.id])
        else:
            result = shell.batch(kind)
        world.servers.control("DELETE", "/faults")
        assert result.exit_code == (5 if kind is RunKind.INITIAL else 1), result.error
        assert result.plan_id is None
        spent, said = result.calls, result.predicted
        assert spent.salesforce + spent.predictive > 0
        assert abs(said.salesforce - spent.salesforce) <= 1
        assert abs(said.predictive - spent.predictive) <= 1
        assert said.salesforce + said.predictive > 0
        assert result.maximum.salesforce >= said.salesforce
        assert shell.run(result.run).predicted == said
