"""``why``, ``opt-in`` and ``runs unlock`` on the command line: what they print, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.ids import CampaignId
from sync.settings import load_settings
from sync.store.store import open_store
from tests.cli.sides import Box, Row


@pytest.fixture
def campaign(box: Box) -> str:
    """A campaign of its own, started."""
    made = box.new_campaign(4)
    assert box.run("new-edition", made["Id"]).code == 0
    return str(made["Id"])


def lock(box: Box, campaign: str) -> None:
    """As a critical inconsistency does."""
    with open_store(load_settings(Path(box.line["config"]), env={}).org().state_url) as store:
        store.campaigns.lock(CampaignId(campaign), "its counts differ", "counts")


def one_of_kind(lines: list[Row], kind: str) -> list[Row]:
    return [line for line in lines if line.get("type") == kind]


@pytest.mark.slow
def test_why_prints_lines_for_programs_and_a_story_for_people(box: Box, campaign: str) -> None:
    member = next(iter(box.org_members(campaign).values()))
    before = box.usage()[0]
    ended = box.run("why", campaign, member["Id"])
    assert ended.code == 0
    assert box.usage()[0] == before, "no Salesforce call"
    (story,) = one_of_kind(ended.lines, "story")
    assert story["person_id"] == (member["ContactId"] or member["LeadId"])
    assert {line["field"] for line in one_of_kind(ended.lines, "field")} >= {"email", "status", "opted_out", "level"}
    assert one_of_kind(ended.lines, "step")
    mailings = one_of_kind(ended.lines, "mailing")
    assert [line["slot"] for line in mailings] == [1, 2, 3, 4, 5]
    assert {"rule", "text", "value", "holds"} <= set(mailings[0]["conditions"][0])
    assert (mailings[0]["verdict"], mailings[0]["decided"]) == ("not due", "edition_active")
    told = box.people("why", campaign, story["email"])
    assert told.code == 0
    assert "✖ false  The edition is active" in told.out
    nobody = box.run("why", campaign, "nobody@example.org")
    assert (nobody.code, "has no member" in nobody.talk) == (2, True)


@pytest.mark.slow
def test_opt_in_needs_edition_and_reason_and_says_what_the_org_says(box: Box, campaign: str) -> None:
    member = next(iter(box.org_members(campaign).values()))
    person = member["ContactId"] or member["LeadId"]
    box.service("POST", f"/v1/people/{person}:opt-out", {"scope": "global"})
    assert box.run("opt-in", campaign, person).code == 2
    words = ("--from-edition", "complete", "--reason", "wrote to us")
    assert box.run("opt-in", campaign, person, *words, "--read-only").code == 5
    ended = box.run("opt-in", campaign, person, *words)
    assert ended.code == 0, ended.talk
    (done,) = one_of_kind(ended.lines, "opted-in")
    assert (done["active"], done["edition"], done["before"]) == (True, "5 Complete", "Opt Out Indirect")
    listed = {line["run"]: line["kind"] for line in box.run("runs").lines if line["type"] == "run"}
    assert listed[done["run"]] == "opt-in"


def test_a_locked_campaign_is_exit_7_until_it_is_unlocked_with_a_reason(box: Box, campaign: str) -> None:
    assert box.run("runs", "unlock", campaign, "--reason", "why not").code == 2
    lock(box, campaign)
    refused = box.run("sync", campaign)
    assert (refused.code, "runs unlock" in refused.talk) == (7, True)
    assert box.run("runs", "unlock", campaign).code == 2
    ended = box.run("runs", "unlock", campaign, "--reason", "counted by hand")
    assert ended.code == 0
    assert one_of_kind(ended.lines, "unlocked")[0]["was"] == "its counts differ"
    assert box.run("sync", campaign).code == 0


@pytest.mark.slow
def test_limits_tell_spenders_and_waste(box: Box, campaign: str) -> None:
    (limits,) = one_of_kind(box.run("limits").lines, "limits")
    assert limits["ours"] == limits["spending"]["total"] > 0
    assert limits["gear"] == "normal"
    assert "tonight" in limits["forecast"]
    assert {each["key"] for each in limits["spending"]["by_kind"]} >= {"initial", "limits"}
    assert any(each["rule"] == "closed-auto-sync" for each in limits["spending"]["waste"])
    assert "Waste" in box.people("limits").out
