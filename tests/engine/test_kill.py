"""A kill at any point of New Edition loses nothing and makes nothing twice: the next click finishes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.world import World

ROOT = Path(__file__).parents[2]


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
    config, env = world.config()
    died = subprocess.run(
        [sys.executable, "-m", "tests.engine.killed", str(config), campaign.id, kind, phase],
        cwd=ROOT,
        env=os.environ | env,
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert died.returncode == 9, died.stderr.decode()
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
