"""A kill at any point of New Edition loses nothing and makes nothing twice: the next click finishes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sync.model import RunKind, RunState
from tests.engine.world import World

ROOT = Path(__file__).parents[2]


def kill(world: World, campaign: str, kind: str, phase: str) -> None:
    """New Edition in a process that dies at that event."""
    config, env = world.config()
    died = subprocess.run(
        [sys.executable, "-m", "tests.engine.killed", str(config), campaign, kind, phase],
        cwd=ROOT,
        env=os.environ | env,
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert died.returncode == 9, died.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        ("PhaseStarted", "write Predictive"),
        ("Progress", "write Predictive"),
        ("PhaseStarted", "write Salesforce"),
        ("Progress", "write Salesforce"),
    ],
)
def test_the_next_click_finishes_what_a_kill_left(world: World, kind: str, phase: str) -> None:
    campaign = world.campaign(5)
    kill(world, campaign.id, kind, phase)
    with world.shell() as shell:
        result = shell.new_edition(campaign.id)
        assert (result.exit_code, result.error) == (0, None)
        checked = shell.verify([campaign.id])
        assert (checked.exit_code, checked.differences) == (0, ())
        assert shell.sync([campaign.id]).counts.changed == 0
    rows = world.query(
        f"SELECT PAM__External_Id__c FROM PAM__Email_Edition__c WHERE PAM__Campaign__c = '{campaign.id}'"
    )
    assert len({row["PAM__External_Id__c"] for row in rows}) == len(rows) == 5
    editions = world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]
    assert len(editions) == 5
    assert all(each["salesforce_id"] for each in editions)
    assert all(row["PAM__Synced__c"] for row in world.org_members(campaign).values())


def test_a_run_whose_process_is_gone_is_told_as_failed_by_whoever_looks(world: World) -> None:
    campaign = world.campaign(3)
    kill(world, campaign.id, "PhaseStarted", "write Salesforce")
    with world.shell() as shell:
        (left,) = shell.store.runs.live()
        told = next(run for run in shell.runs(campaign_id=campaign.id) if run.kind is RunKind.INITIAL)
        assert (told.run, told.state) == (left.run, RunState.FAILED)
        assert "process ended" in (told.error or "")


def test_a_run_whose_process_is_gone_can_be_taken_back_at_once(world: World) -> None:
    campaign = world.campaign(3)
    kill(world, campaign.id, "PhaseStarted", "write Salesforce")
    with world.shell() as shell:
        (left,) = shell.store.runs.live()
        plan = shell.plan_undo(left.run)
        assert (plan.undoes, plan.counts.removed) == (left.run, 3)
