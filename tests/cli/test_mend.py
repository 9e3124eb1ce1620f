"""Undo, retry and release from the command line: what is said, what is printed, how it exits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.sides import Box


@pytest.fixture(scope="module")
def campaign(box: Box) -> Iterator[str]:
    """A started campaign whose first member was renamed and whose second was removed, both synchronized."""
    made = str(box.new_campaign(12)["Id"])
    assert box.run("new-edition", made).code == 0
    yield made
    box.control("DELETE", "/rules")


@pytest.mark.slow
def test_a_run_is_taken_back_and_its_holds_are_released(box: Box, campaign: str) -> None:
    people = box.org_members(campaign)
    renamed, removed = sorted(people)[:2]
    before = box.service_members(campaign)[renamed]["last_name"]
    box.update("Lead", renamed, LastName="Byron")
    box.delete("CampaignMember", people[removed]["Id"])
    done = box.run("sync", campaign).summary
    assert (done["changed"], done["removed"]) == (1, 1)

    told = box.run("undo", done["run"])
    summary = told.summary
    assert (told.code, summary["kind"], summary["state"]) == (0, "undo", "done")
    assert (summary["added"], summary["changed"], summary["drifted"]) == (1, 1, 0)
    assert box.service_members(campaign)[renamed]["last_name"] == before
    assert box.service_members(campaign)[removed]["hold"]
    shown = {line["run"]: line for line in box.run("runs").lines if line["type"] == "run"}
    assert shown[done["run"]]["undone_by"] == summary["run"]
    assert box.run("sync", campaign).summary["held"] == 2
    again = box.run("undo", done["run"])
    assert (again.code, again.summary["state"]) == (0, "nothing-to-do")

    assert box.run("runs", "release", campaign, renamed).code == 2
    released = box.run("runs", "release", campaign, renamed, "--reason", "it was right")
    assert (released.code, released.summary["kind"]) == (0, "release")
    after = box.run("sync", campaign).summary
    assert (after["changed"], after["held"]) == (1, 1)
    assert box.run("runs", "release", campaign, "--reason", "all of them").code == 2
    assert box.run("runs", "release", campaign, "--all", "--reason", "all of them").code == 0
    assert box.run("sync", campaign).summary["removed"] == 1
    assert box.run("runs", "release", campaign, "--all", "--reason", "again").code == 2
    people_say = box.people("runs", summary["run"])
    assert f"undoes run {done['run']}" in people_say.out


@pytest.mark.slow
def test_what_stays_is_said_first(box: Box) -> None:
    made = str(box.new_campaign(3)["Id"])
    started = box.run("new-edition", made).summary
    told = box.run("undo", started["run"], "--confirm", "another name")
    lines = [line["type"] for line in told.lines]
    stays = next(i for i, line in enumerate(told.lines) if "cannot be undone: 5 editions" in str(line.get("text")))
    assert stays < lines.index("summary")
    # Three of three members is more than a fifth, but not more than ten: no guard objects.
    assert (told.code, told.summary["removed"]) == (0, 3)


@pytest.mark.slow
def test_failed_rows_are_shown_by_cause_and_tried_again(box: Box, campaign: str) -> None:
    person, row = next((key, one) for key, one in sorted(box.org_members(campaign).items()) if one["LeadId"])
    member = box.service_members(campaign)[person]
    fields = {"op": "upsert", "lead_id": person, "member_id": row["Id"], "fields": {"status": "Responded"}}
    box.service("POST", f"/v1/campaigns/{campaign}/members:batch", {"rows": [fields]})
    assert member["status"] != "Responded"
    box.control("POST", "/rules", {"object": "CampaignMember", "field": "Status", "equals": "Responded"})
    hour = box.run("batch", "hourly").summary
    assert (hour["exit_code"], hour["rejected"]) == (4, 1)
    (run,) = [line for line in box.run("runs", hour["run"]).lines if line["type"] == "run"]
    (group,) = run["failures"]
    assert (group["code"], group["kind"], group["rows"]) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "rule", 1)
    seq = str(run["failed_rows"][0]["seq"])
    assert "1 row: a validation rule of the org" in box.people("runs", hour["run"]).out
    board = [line for line in box.run("runs", "errors", campaign).lines if line["type"] == "failures"]
    assert [(line["code"], line["rows"]) for line in board] == [("FIELD_CUSTOM_VALIDATION_EXCEPTION", 1)]
    box.control("DELETE", "/rules")
    assert box.run("runs", "retry", hour["run"], "--row", "x").code == 2
    assert box.run("runs", "retry", hour["run"], "--code", "OTHER").code == 2
    done = box.run("runs", "retry", hour["run"], "--row", seq)
    assert (done.code, done.summary["changed"]) == (0, 1)
    assert box.org_members(campaign)[person]["Status"] == "Responded"
    assert "No row waits" in box.people("runs", "errors", campaign).talk


@pytest.mark.slow
def test_a_run_that_is_not_there_or_wrote_nothing_is_refused(box: Box, campaign: str) -> None:
    assert box.run("undo", "no-such-run").code == 2
    plan = box.run("plan", campaign).summary
    refused = box.run("undo", plan["run"])
    assert (refused.code, "wrote nothing" in refused.talk) == (5, True)
    assert box.run("runs", "pause", plan["run"]).code == 2
