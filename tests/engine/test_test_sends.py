"""Test sends are journalled like everything else that leaves: before, and with what became of it."""

from __future__ import annotations

import pytest

from sync.errors import PredictiveError, RemoteRejected
from sync.events import Noted
from sync.model import RunKind, RunState
from sync.plan import Change
from tests.engine.world import World

CONTENT = {"subject": "Hello", "html": '<a href="https://example.org/x">x</a>'}


def test_a_test_send_is_a_run_with_its_row_and_takes_the_campaign_from_nobody(world: World) -> None:
    campaign = world.campaign(1)
    world.join(campaign, 1, PAM__Test_Member__c=True)
    with world.shell() as shell:
        last = shell.new_edition(campaign.id)
        shell.edit_edition(campaign.id, "1", CONTENT)
        other = shell.store.runs.start(RunKind.MANUAL, campaign_id=shell.resolve(campaign.id).id)
        sent, people, edition = shell.test_send(campaign.id, "1")
        assert sent == len(people) > 0
        (view,) = [each for each in shell.runs(campaign_id=campaign.id) if each.kind is RunKind.TEST_SEND]
        assert (view.state, view.counts.mails_sent) == (RunState.DONE, 0), "test mails are in no count of mails"
        (row,) = shell.run_rows(view.run)
        assert (row.change, row.subject_id, row.after) == (Change.TEST_SEND, edition.id, f"{sent} test mails")
        assert people[0] in row.message
        assert world.store.journal.open_intents() == ()
        # How the campaign stands is what its last sync says.
        assert shell.detail(campaign.id).view.last_run_id == last.run
        shell.store.runs.end(other, RunState.CANCELLED)
        assert shell.plan_undo(view.run).cannot == ("1 row: test mails were sent and stay sent",)


@pytest.mark.slow
def test_a_refused_test_send_ends_refused_and_leaves_nothing_open(world: World) -> None:
    campaign = world.campaign(1)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        with pytest.raises(RemoteRejected):
            shell.test_send(campaign.id, "1")
        (view,) = [each for each in shell.runs(campaign_id=campaign.id) if each.kind is RunKind.TEST_SEND]
        assert view.state is RunState.REFUSED
        assert world.store.journal.open_intents() == ()
        assert shell.error_board() == ()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_test_send_without_an_answer_is_listed_and_never_repeated(world: World, kind: str) -> None:
    campaign = world.campaign(1)
    world.join(campaign, 1, PAM__Test_Member__c=True)
    with world.shell() as shell:
        shell.new_edition(campaign.id)
        shell.edit_edition(campaign.id, "1", CONTENT)
        fault = {"kind": kind, "side": "predictive", "match": "test-send", "times": 9}
        world.servers.control("POST", "/faults", fault)
        with pytest.raises(PredictiveError):
            shell.test_send(campaign.id, "1")
        world.servers.control("DELETE", "/faults")
        (view,) = [each for each in shell.runs(campaign_id=campaign.id) if each.kind is RunKind.TEST_SEND]
        assert view.state is RunState.FAILED
        assert len(world.store.journal.open_intents()) == 1
        assert shell.sync([campaign.id]).exit_code == 0
        assert world.store.journal.open_intents() == ()
        said = [body.text for body in world.told(Noted) if "test send of edition 1" in body.text]
        assert len(said) == 1
        tested = world.service("GET", f"/v1/campaigns/{campaign.id}/editions")["items"][0]["tested_at"]
        assert (tested is None) is (kind == "drop_before")
