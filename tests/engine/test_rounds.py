"""The nightly reconciliation by id: what counts hide is found, and every campaign has its turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sync.engine.nightly import RECONCILE_AFTER, turn_of
from sync.ids import CampaignId
from sync.model import RunKind
from sync.packing import id_read_calls
from tests.engine.tampering import Exchange
from tests.engine.test_batches import started
from tests.engine.test_lockout import lying_org
from tests.engine.world import World

NIGHT = timedelta(days=1)


@pytest.mark.slow
def test_a_removal_that_the_counts_hide_is_found_by_id(world: World) -> None:
    """One member is removed while another, older than every watermark, becomes visible: no count differs."""
    with world.shell() as shell:
        campaign = world.campaign(6)
        hidden, removed = campaign.leads[0], campaign.leads[5]
        world.servers.control("POST", "/sharing", {"hide": [hidden]})
        assert shell.new_edition(campaign.id).exit_code == 0
        assert hidden not in world.service_members(campaign)
        world.servers.control("POST", "/clock", {"advance": 3600})
        shell.batch(RunKind.NIGHTLY)  # moves the watermark beyond every stamp
        world.servers.control("POST", "/clock", {"advance": 3600})
        world.delete("CampaignMember", campaign.members[5])
        world.servers.control("POST", "/sharing", {"show": [hidden]})
        blind = shell.batch(RunKind.NIGHTLY)
        assert (blind.counts.added, blind.counts.removed) == (0, 0), "no count differs, and its turn is later"
        world.clock.advance((RECONCILE_AFTER + NIGHT).total_seconds())
        found = shell.batch(RunKind.NIGHTLY)
        assert (found.counts.added, found.counts.removed) == (1, 1)
    members = world.service_members(campaign)
    assert (hidden in members, removed in members) == (True, False)


@pytest.mark.slow
def test_a_campaign_whose_ids_did_not_all_come_keeps_its_turn(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 4)
    before = world.store.campaigns.get(CampaignId(campaign.id))
    assert before is not None
    world.clock.advance((RECONCILE_AFTER + NIGHT).total_seconds())
    lost = []

    def lose_one(exchange: Exchange) -> None:
        for part in exchange.answer.get("compositeResponse", ()) if isinstance(exchange.answer, dict) else ():
            rows = part["body"].get("records", ()) if isinstance(part["body"], dict) else ()
            if rows and "LeadId" in rows[0] and "LastName" not in rows[0]:
                lost.append(rows.pop())

    with lying_org(world, lose_one) as shell:
        result = shell.batch(RunKind.NIGHTLY)
    assert lost
    assert result.counts.removed == 0
    after = world.store.campaigns.get(CampaignId(campaign.id))
    assert after is not None
    assert after.reconciled_at == before.reconciled_at
    with world.shell() as shell:
        shell.batch(RunKind.NIGHTLY)
    done = world.store.campaigns.get(CampaignId(campaign.id))
    assert done is not None
    assert done.reconciled_at != before.reconciled_at


def test_every_campaign_has_its_turn_the_longest_waiting_first() -> None:
    sizes = {CampaignId(f"701{number:012d}AAA"): 300 + 157 * number for number in range(40)}
    sizes[CampaignId("701999999999999AAA")] = 60_000  # more than one call holds: it goes alone
    last: dict[CampaignId, datetime | None] = dict.fromkeys(sizes)
    now, rounds = datetime(2026, 11, 1, 1, tzinfo=UTC), list[tuple[CampaignId, ...]]()
    for _ in range(60):
        order = sorted(sizes, key=lambda key: (last[key] is not None, last[key] or now, key))
        turn = turn_of([(key, sizes[key], last[key]) for key in order], now)
        rows = sum(sizes[key] for key in turn)
        assert len(turn) <= 1 or id_read_calls(rows) == 1
        waiting = [key for key in sizes if last[key] is None]
        assert not waiting or turn, "while one waits, nobody has a night off"
        assert all(last[key] is None for key in turn) or not waiting
        for key in turn:
            last[key] = now
        rounds.append(turn)
        now += NIGHT
    nights = next(night for night in range(60) if {key for turn in rounds[: night + 1] for key in turn} == set(sizes))
    least = -(-sum(sizes.values()) // 8_000)
    assert nights + 1 <= 2 * least, f"{nights + 1} nights for a round that {least} calls hold"
    gaps = {key: [night for night, turn in enumerate(rounds) if key in turn] for key in sizes}
    assert all(b - a > RECONCILE_AFTER / NIGHT for at in gaps.values() for a, b in pairwise(at))
