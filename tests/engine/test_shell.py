"""What the shell does beside runs: one-key clearing of auto-sync, doctor, meter, pauses, editions found by any name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.errors import UsageError
from sync.model import RunKind
from tests.engine.world import World


def test_auto_sync_is_cleared_with_one_key(world: World) -> None:
    campaign = world.campaign(1)
    with world.shell() as shell:
        assert shell.resolve(campaign.id).auto_sync
        shell.clear_auto_sync(campaign.id)
        assert not shell.resolve(campaign.id).auto_sync
    (row,) = world.query(f"SELECT PAM__Auto_Sync__c FROM Campaign WHERE Id = '{campaign.id}'")
    assert row["PAM__Auto_Sync__c"] is False


def test_doctor_is_content_and_never_shows_a_secret(world: World) -> None:
    with world.shell() as shell:
        checks = shell.doctor()
    assert {check.state for check in checks} == {"ok"}
    said = repr(checks)
    assert world.servers.access_token not in said
    assert world.servers.service_token not in said


def test_doctor_names_what_is_missing_without_the_network(world: World) -> None:
    settings = world.settings()
    with world.shell(mapping=settings.mapping.with_overrides({"member_level": "PAM__Nope__c"})) as shell:
        trouble = [check for check in shell.doctor() if check.state == "trouble"]
    assert any("PAM__Nope__c" in check.name for check in trouble)
    assert all(check.remedy for check in trouble)


def test_the_meter_counts_ours_and_forecasts_the_batches(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        night = shell.batch(RunKind.NIGHTLY)
        limits = shell.limits()
    assert limits.used is not None
    assert 0 < limits.ours <= limits.used
    # How many calls a night takes depends on what else changed in the shared org of late.
    assert dict(limits.forecast)["nightly"] == night.calls.salesforce >= 1


@pytest.mark.slow
def test_a_paused_campaign_is_left_out_of_the_batches(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        shell.pause_schedule("holidays", campaign.id)
        world.join(campaign, 1)
        result = shell.batch(RunKind.NIGHTLY)
        mine = next(each for each in result.campaigns if each.campaign_id == campaign.id)
        assert "holidays" in (mine.skipped or "")
        shell.resume_schedule(campaign.id)
        assert shell.batch(RunKind.NIGHTLY).counts.added == 1


def test_editions_are_found_by_slot_role_and_name(world: World) -> None:
    campaign = world.campaign(1)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        for name in ("2", "Not Opened", "not_opened", "NOT OPENED"):
            assert shell.edit_edition(campaign.id, name, {"subject": "Second"}).slot == 2
        with pytest.raises(UsageError, match="no edition"):
            shell.edit_edition(campaign.id, "Nothing", {"subject": "x"})


def test_a_run_replays_from_its_journal(world: World) -> None:
    campaign = world.campaign(2)
    with world.shell() as shell:
        result = shell.new_edition(campaign.id)
        told = [event for event in world.events if event.body.run == result.run]
        kept = shell.events(result.run)
        view = shell.run(result.run)
    assert [event for event in told if type(event.body).__name__ != "Progress"] == list(kept)
    assert (view.counts, view.calls, view.state) == (result.counts, result.calls, result.state)


def test_what_is_closed_goes_by_the_orgs_clock(world: World) -> None:
    with world.shell() as shell:
        campaign = world.campaign(0, EndDate=(datetime.now(UTC).date() + timedelta(days=1)).isoformat())

        def states() -> list[str]:
            return [
                view.state
                for seen in (shell.load_campaigns, shell.overview)
                for view in seen()
                if view.campaign.id == campaign.id
            ]

        assert states() == ["active"] * 2
        world.servers.control("POST", "/clock", {"advance": 3 * 86_400})
        assert states() == ["closed"] * 2, "its last day is over there, whatever this machine's clock says"
