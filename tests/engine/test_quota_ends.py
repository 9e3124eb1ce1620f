"""The org's quota ends at every step of every run kind: the run ends in the right state, and the next completes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.bootstrap import Shell
from sync.events import Phase, PhaseEnded, PhaseStarted, PlanMade, RunStarted
from sync.model import RunKind, RunState
from sync.views import RunResult
from tests.engine.test_batches import ready_to_send, started
from tests.engine.test_budget import left, quota, upon
from tests.engine.world import Campaign, World

Do = Callable[[Shell, Campaign], RunResult]
KINDS: dict[str, Do] = {
    "initial": lambda shell, campaign: shell.new_edition(campaign.id),
    "manual": lambda shell, campaign: shell.sync([campaign.id]),
    "hourly": lambda shell, campaign: shell.batch(RunKind.HOURLY),
    "nightly": lambda shell, campaign: shell.batch(RunKind.NIGHTLY),
    "refresh": lambda shell, campaign: shell.refresh([campaign.id]),
    "verify": lambda shell, campaign: shell.verify([campaign.id]),
}
STEPS: dict[str, Callable[[Any], bool]] = {
    "at its start": lambda body: isinstance(body, RunStarted),
    "after reading Salesforce": lambda body: isinstance(body, PhaseEnded) and body.phase is Phase.READ_SALESFORCE,
    "with the plan": lambda body: isinstance(body, PlanMade),
    "while writing Predictive": lambda body: isinstance(body, PhaseStarted) and body.phase is Phase.WRITE_PREDICTIVE,
    "while writing Salesforce": lambda body: isinstance(body, PhaseStarted) and body.phase is Phase.WRITE_SALESFORCE,
}
ENDS = (RunState.PARTIAL, RunState.REFUSED, RunState.DONE, RunState.NOTHING_TO_DO)
"""Ends of a run that the budget stopped, or that needed no further call."""


def prepared(world: World, shell: Shell, kind: str) -> Campaign:
    """A campaign with something to do for every kind of run."""
    if kind == "initial":
        return world.campaign(6)
    campaign = started(world, shell, 6)
    ready_to_send(world, shell, campaign)
    world.join(campaign, 2)
    world.update("Lead", campaign.leads[0], FirstName="Grace")
    world.activity(campaign, campaign.leads[1], level="Opened", opens=1)
    world.service("POST", f"/v1/people/{campaign.leads[2]}:opt-out", {"scope": "global"})
    return campaign


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_quota_ends_and_nothing_is_lost(world: World, kind: str, step: str) -> None:
    with world.shell() as shell:
        campaign = prepared(world, shell, kind)
        with quota(world, 10_000, 10_000):
            upon(world, shell, STEPS[step], left(world, 0))
            result = KINDS[kind](shell, campaign)
        assert result.state in ENDS, result.error
        assert result.exit_code in (0, 3, 4, 5), result.error
        assert not world.store.runs.live()
        mailed = world.service("GET", f"/v1/mails?campaign_id={campaign.id}")["items"]
        world.clock.advance(3700)
        world.events.clear()
        shell.listen(world.events.append)
        if kind == "initial":
            assert shell.new_edition(campaign.id).exit_code == 0
        assert shell.sync([campaign.id]).exit_code == 0
        assert shell.batch(RunKind.HOURLY).exit_code == 0
        assert shell.verify([campaign.id]).exit_code == 0
        editions = world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"]
        assert len(editions) == 5
        again = world.service("GET", f"/v1/mails?campaign_id={campaign.id}")["items"]
    pairs = [(mail["edition_id"], mail["person_id"]) for mail in again]
    assert len(pairs) == len(set(pairs)), "no edition twice"
    assert {mail["mail_id"] for mail in mailed} <= {mail["mail_id"] for mail in again}
