"""What the kill matrix and the state machine found, each in its smallest form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sync.store.database import Database
from tests.machine.seam import Fate, Killed
from tests.machine.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


@pytest.mark.parametrize("early", range(3))
def test_a_click_that_dies_before_its_run_is_over_is_resumed_and_no_new_one(stage: Stage, early: int) -> None:
    """What says that the click is over is committed with the end of its run, or there would be a second edition."""

    def click(on: Stage, die_before: int | None) -> tuple[str, Fate]:
        campaign = on.sides.campaign(2, type="Scheduled")
        on.shell.load_campaigns()
        fate = on.cast(die_before=die_before)
        with suppress(Killed):
            on.shell.new_edition(campaign.id)
        return campaign.id, fate

    measured = Stage()
    _, fate = click(measured, None)
    measured.close()
    campaign, died = click(stage, fate.events - early)
    assert died.dead
    stage.another_owner()
    assert stage.shell.new_edition(campaign).exit_code == 0
    assert len(stage.sides.editions(campaign)) == 1


def test_what_was_changed_while_a_record_was_hidden_is_seen_once_it_is_shown(stage: Stage) -> None:
    campaign = stage.campaigns[0]
    lead = campaign.leads[0]
    stage.sides.update("Lead", lead, LastName="Changed")
    stage.sides.control("POST", "/sharing", {"hide": [lead]})
    stage.clock.advance(3600)
    assert stage.shell.sync([campaign.id]).counts.invisible == 1
    stage.clock.advance(3600)
    stage.sides.control("POST", "/sharing", {"show": [lead]})
    assert stage.shell.sync([campaign.id]).exit_code == 0
    member = stage.sides.service_members(campaign.id)[lead]
    assert (member["last_name"], member["hold"]) == ("Changed", None)


def test_the_error_of_a_commit_that_fails_is_the_one_that_is_told(tmp_path: Path) -> None:
    broken = False

    def commit() -> None:
        if broken:
            raise OSError("the disk is full")

    database = Database(tmp_path / "state.sqlite", before_commit=commit)
    broken = True
    with pytest.raises(OSError, match="the disk is full"), database.write(durable=True):
        pass
    broken = False
    with database.write(durable=True):
        pass
    database.close()
