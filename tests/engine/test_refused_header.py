"""The service refuses one campaign's header: that campaign waits and says why, the others are mailed and written."""

from __future__ import annotations

import pytest

from sync.model import RunKind, RunState
from tests.engine.test_batches import ready_to_send, started
from tests.engine.world import World

BACKWARDS = {"StartDate": "2026-03-02", "EndDate": "2026-03-01"}
"""An org takes an end before the start; the service does not."""


@pytest.mark.slow
def test_the_hour_goes_on_without_the_campaign_whose_header_is_refused(world: World) -> None:
    with world.shell() as shell:
        wrong, right = (started(world, shell, 3) for _ in range(2))
        for campaign in (wrong, right):
            ready_to_send(world, shell, campaign)
        world.update("Campaign", wrong.id, **BACKWARDS)
        result = shell.batch(RunKind.HOURLY)
        ends = {each.campaign_id: each for each in result.campaigns}
        assert (result.exit_code, ends[right.id].state) == (1, RunState.DONE)
        assert (ends[right.id].counts.mails_sent, ends[wrong.id].counts.mails_sent) == (3, 0)
        assert ends[wrong.id].state is RunState.FAILED
        assert "the end date is before the start date" in (ends[wrong.id].error or "")

        # Mended in the org, the next hour takes the header and mails.
        world.update("Campaign", wrong.id, StartDate=None, EndDate=None)
        again = shell.batch(RunKind.HOURLY)
        ends = {each.campaign_id: each for each in again.campaigns}
        assert (again.exit_code, ends[wrong.id].counts.mails_sent) == (0, 3)


@pytest.mark.slow
def test_alone_it_ends_the_run_and_the_journal_keeps_why(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 2)
        world.update("Campaign", campaign.id, **BACKWARDS)
        result = shell.sync([campaign.id])
        assert (result.state, result.exit_code) == (RunState.FAILED, 1)
        (row,) = world.store.journal.rows(result.run, states=("rejected",))
        assert "the end date is before the start date" in row.message
