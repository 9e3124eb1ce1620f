"""What the kill matrix and the state machine found, each in its smallest form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sync.model import RunKind
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


def test_a_deleted_person_is_known_as_deleted_however_short_the_pages_are(stage: Stage) -> None:
    """What a short page leaves out is asked for again, or the rest would count as invisible and be kept."""
    campaign = stage.campaigns[0]
    stage.sides.control("POST", "/settings", {"page_rows": 1})
    stage.sides.delete("Lead", *campaign.leads[:3])
    result = stage.shell.sync([campaign.id])
    assert (result.counts.removed, result.counts.invisible) == (3, 0)
    assert stage.sides.service_members(campaign.id).keys() == set(campaign.leads[3:])


def test_who_takes_over_the_member_of_somebody_who_is_out_is_out_in_the_other_campaigns_too(stage: Stage) -> None:
    """The service's feed leaves out what this client causes, so the state has to know it by itself."""
    here, there = stage.campaigns
    stays, goes = here.leads[0], there.leads[0]
    stage.sides.update("Lead", goes, HasOptedOutOfEmail=True)
    assert stage.shell.sync([there.id]).exit_code == 0
    stage.sides.records({"op": "merge", "id": stays, "loser": goes})
    assert stage.shell.sync([here.id, there.id]).exit_code == 0
    assert stage.shell.batch(RunKind.HOURLY).exit_code == 0
    (row,) = stage.sides.query(
        f"SELECT PAM__Reason__c, PAM__Active__c FROM CampaignMember WHERE LeadId = '{stays}' "
        f"AND CampaignId = '{here.id}'"
    )
    assert (row["PAM__Reason__c"], row["PAM__Active__c"]) == ("Opt Out Indirect", False)
