"""Batches without an answer: read before anything is repeated, on both sides, and the journal is made whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sync.engine.claims import open_claims
from sync.engine.gate import Choice
from sync.engine.reconcile import reconcile
from sync.engine.sync_run import sync_campaigns
from sync.errors import Refused
from sync.events import Noted
from sync.holds import UNDO_HOLD
from sync.ids import CampaignId
from sync.model import RunKind, RunState, Side
from sync.plan import PlanCounts
from sync.ports import Org, OrgWrite
from sync.store.journal import JournalRow
from tests.engine.world import Campaign, World


def rows(world: World, run: str) -> dict[tuple[str, str], str]:
    """State of each member row of a run by person and field."""
    found: list[JournalRow] = list(world.store.journal.rows(run))  # type: ignore[arg-type]
    return {(row.subject_id, row.field): row.state for row in found}


def lose(world: World, side: str, match: str, *, arrives: bool) -> None:
    """No answer to any request that fits, whether or not it was carried out."""
    kind = "drop_after" if arrives else "drop_before"
    world.servers.control("POST", "/faults", {"kind": kind, "side": side, "match": match, "method": "POST", "times": 9})


@pytest.mark.slow
@pytest.mark.parametrize("arrives", [True, False])
def test_a_batch_to_the_service_without_an_answer_is_known_after_the_next_read(world: World, arrives: bool) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron")
        world.delete("CampaignMember", campaign.members[1])
        lose(world, "predictive", "members:batch", arrives=arrives)
        lost = shell.sync([campaign.id])
        world.servers.control("DELETE", "/faults")
        assert (lost.exit_code, lost.state) == (1, RunState.FAILED)
        assert len(world.store.journal.open_intents()) == 1
        result = shell.sync([campaign.id])
        assert result.exit_code == 0
        assert world.store.journal.open_intents() == ()
        assert (result.counts.changed, result.counts.removed) == ((0, 0) if arrives else (1, 1))
        state = "written" if arrives else "unsent"
        told = rows(world, lost.run)
        assert told[campaign.leads[0], "last_name"] == told[campaign.leads[1], "member"] == state
        assert shell.error_board() == ()
        assert shell.verify([campaign.id]).exit_code == 0
        # What the lost run did can be taken back like anything else.
        undone = shell.undo(lost.run)
        assert undone.counts.added == (1 if arrives else 0)


@pytest.mark.slow
def test_a_batch_to_the_org_without_an_answer_is_known_after_the_next_read(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.activity(campaign, campaign.leads[0], level="Opened", opens=1, status="Attended")
        # The read of the status passes, the write behind it gets no answer.
        fault = {"kind": "drop_after", "side": "salesforce", "match": "/composite", "contains": '"w0"', "times": 9}
        world.servers.control("POST", "/faults", fault)
        lost = shell.batch(RunKind.HOURLY)
        world.servers.control("DELETE", "/faults")
        assert lost.exit_code == 1
        assert rows(world, lost.run)[campaign.leads[0], "status"] == "unknown"
        assert [group.kind for group in shell.error_board()] == ["unknown"]
        assert shell.sync([campaign.id]).exit_code == 0
        told = rows(world, lost.run)
        assert told[campaign.leads[0], "status"] == told[campaign.leads[0], "level"] == "written"
        assert shell.batch(RunKind.HOURLY).counts.changed == 0
        shell.undo(lost.run)
        assert world.org_members(campaign)[campaign.members[0]]["Status"] == "Sent"


class Died(BaseException):
    """The process ended."""


class Dying:
    """An org whose client ends with the answer to a write, before anything of it is kept."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def __getattr__(self, name: str) -> Any:
        return getattr(self._org, name)

    def write(self, writes: Iterable[OrgWrite], *, after: Callable[..., None], **more: Any) -> None:
        def die(*_answer: object) -> None:
            raise Died

        self._org.write(writes, after=die, **more)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [-5, 5])
def test_what_is_read_again_goes_by_the_clock_of_the_org_not_by_ours(world: World, hours: int) -> None:
    """Our clock is hours away; somebody moved the watermark on since the batch that got no answer."""
    world.clock.advance(hours * 3600)
    campaign = world.campaign(3)
    key = CampaignId(campaign.id)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        record = shell.store.campaigns.get(key)
        assert record is not None
        heard = record.watermark
        assert heard is not None
        (joined,) = world.join(campaign, 1)
        dying = replace(shell.parts(), org=Dying(shell.parts().org))  # type: ignore[arg-type]
        with pytest.raises(Died):
            sync_campaigns(dying, {key: campaign.name}, Choice())
        world.servers.control("POST", "/clock", {"advance": 7200})
        shell.store.campaigns.set_watermarks({key: heard + timedelta(hours=2)})

        live = open_claims(shell.parts(), RunKind.PLAN, {key: campaign.name}, cancel=None).live
        assert reconcile(live)
        live.end(RunState.NOTHING_TO_DO, PlanCounts())
        record = shell.store.campaigns.get(key)
        assert record is not None
        assert record.watermark is not None
        back = heard - record.watermark
        assert timedelta(minutes=13) < back <= timedelta(minutes=15), "as the org's clock stood at the batch"
        assert shell.sync([campaign.id]).exit_code == 0
        lost = next(view for view in shell.runs() if view.kind is RunKind.MANUAL and view.error)
        assert rows(world, lost.run)[campaign.leads[-1], "synced"] == "written"
        assert world.org_members(campaign)[joined]["PAM__Synced__c"] is not None


@pytest.mark.slow
def test_an_undo_whose_answer_was_lost_is_held_all_the_same(world: World) -> None:
    campaign = world.campaign(12)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron")
        world.delete("CampaignMember", campaign.members[1])
        (joined,) = world.join(campaign, 1)
        done = shell.sync([campaign.id])
        lose(world, "predictive", "members:batch", arrives=True)
        assert shell.undo(done.run).exit_code == 1
        world.servers.control("DELETE", "/faults")
        after = world.service_members(campaign)
        assert (set(after) == set(campaign.leads[:12]), after[campaign.leads[1]]["hold"]) == (True, UNDO_HOLD)
        result = shell.sync([campaign.id])
        assert (result.counts.added, result.counts.removed, result.counts.held) == (0, 0, 3)
        assert world.service_members(campaign) == after
        assert joined in world.org_members(campaign)


def test_nothing_is_said_of_holds_before_it_is_known_what_a_broken_undo_did(world: World) -> None:
    campaign = world.campaign(4)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        world.update("Lead", campaign.leads[0], LastName="Byron")
        done = shell.sync([campaign.id])
        lose(world, "predictive", "members:batch", arrives=True)
        assert shell.undo(done.run).exit_code == 1
        world.servers.control("DELETE", "/faults")
        for person in (None, campaign.leads[0]):
            with pytest.raises(Refused, match="not known yet") as caught:
                shell.release_hold(campaign.id, person, reason="asked")
            assert "synchronize" in caught.value.remedy
        assert shell.sync([campaign.id]).counts.held == 1
        assert shell.release_hold(campaign.id, None, reason="asked").exit_code == 0
        assert shell.sync([campaign.id]).counts.changed == 1


def test_the_fate_of_a_release_is_asked_for_and_nothing_is_sent_again(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        lease = shell.store.runs.start(RunKind.HOURLY, campaign_id=CampaignId(campaign.id))
        prepared = shell.parts().service.prepare(None, [CampaignId(campaign.id)], dry_run=False, key="k1")
        for number, send in enumerate([prepared.send_id or "no-such-send", "no-such-send"]):
            shell.store.journal.record_intent(lease, number + 1, Side.PREDICTIVE, {"send": send, "expected": 3})
        shell.store.runs.end(lease, RunState.FAILED)
        assert shell.sync([campaign.id]).exit_code == 0
    told = " ".join(body.text for body in world.told(Noted))
    assert "its fate is unknown and it is not repeated" in told
    assert (prepared.send_id is None) or "it never arrived, nobody was mailed by it" in told


@pytest.mark.slow
def test_a_batch_of_a_dead_process_is_settled_by_whoever_takes_one_of_its_campaigns(world: World) -> None:
    campaign: Campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        # A nightly run of a process that is gone: the batch journals, its part has the campaign.
        runs = shell.store.runs
        owner, runs.owner = runs.owner, f"{runs.owner.split(':')[0]}:4194303:1"
        batch = runs.start(RunKind.NIGHTLY)
        runs.start(RunKind.NIGHTLY, campaign_id=CampaignId(campaign.id), parent=batch.run)
        payload = {"members": [[campaign.leads[0], False]], "plan": "", "rows": []}
        shell.store.journal.record_intent(batch, 1, Side.PREDICTIVE, payload, campaign_id=CampaignId(campaign.id))
        runs.owner = owner
        assert shell.sync([campaign.id]).exit_code == 0
        assert shell.store.journal.open_intents() == ()
        assert shell.run(batch.run).state is RunState.FAILED


@pytest.mark.slow
def test_a_header_and_a_list_of_test_members_without_an_answer_are_pushed_again(world: World) -> None:
    campaign = world.campaign(3)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
        key = CampaignId(campaign.id)
        lease = shell.store.runs.start(RunKind.MANUAL, campaign_id=key)
        shell.store.journal.record_intent(lease, 1, Side.PREDICTIVE, {"header": key}, campaign_id=key)
        shell.store.journal.record_intent(lease, 2, Side.PREDICTIVE, {"test_people": 1})
        shell.store.runs.end(lease, RunState.FAILED)
        read = shell.store.facts.get(f"snapshot:{key}")
        result = shell.sync([campaign.id])
        assert (result.exit_code, result.counts.predictive_rows) == (0, 2)
        assert shell.store.facts.get(f"snapshot:{key}") == read, "no member was in doubt, so none was read again"
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
