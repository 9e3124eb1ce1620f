"""The command against both servers, start to end; each outcome is compared by plain HTTP, calls by the servers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sides import PREDICTIVE, Box, Ended, Row, environment, predictive
from tests.cli.test_report import SUMMARY_KEYS

HTML = '<p>See <a href="https://www.example.com/x">this</a></p>'


def counted(box: Box, *words: str) -> Ended:
    """Run a command and hold its summary against the servers' own count of requests."""
    before = box.usage()
    ended = box.run(*words)
    after = box.usage()
    spent = {"salesforce": after[0] - before[0], "predictive": after[1] - before[1]}
    assert ended.summary["api_calls"] == spent, (words, ended.summary, ended.talk)
    assert set(ended.summary) >= SUMMARY_KEYS
    return ended


def done(box: Box, *words: str, state: str = "done") -> Row:
    """A counted run that ends well: its summary."""
    ended = counted(box, *words)
    assert (ended.code, ended.summary["state"]) == (0, state), (ended.summary, ended.talk, ended.out[-2000:])
    predicted = ended.summary["predicted_api_calls"]["salesforce"]
    assert abs(predicted - ended.summary["api_calls"]["salesforce"]) <= 1, ended.summary
    return ended.summary


@pytest.fixture
def first(box: Box) -> Row:
    """A campaign of this test's own: active, adaptive, 40 members, ready for New Edition."""
    return box.new_campaign(40)


def started(box: Box, campaign: str) -> Row:
    """New Edition on *campaign*."""
    return done(box, "new-edition", campaign)


def stir(box: Box, campaign: str) -> dict[str, Any]:
    """In the org: 3 people added, 2 removed, one e-mail address changed, one status set by hand."""
    members = box.org_members(campaign)
    rows = sorted(members.values(), key=lambda row: row["Id"])
    gone = [row["ContactId"] or row["LeadId"] for row in rows[:2]]
    for row in rows[:2]:
        box.delete("CampaignMember", row["Id"])
    added = []
    for number in range(3):
        lead = box.create("Lead", LastName=f"Newman{number}", Company="New", Email=f"new{number}@new.example")
        box.create("CampaignMember", CampaignId=campaign, LeadId=lead)
        added.append(lead)
    lead_row = next(row for row in rows[2:] if not row["ContactId"])
    box.update("Lead", lead_row["LeadId"], Email="moved@firma.example")
    by_hand = next(row for row in rows[2:] if row is not lead_row)
    labels = box.query(f"SELECT Label FROM CampaignMemberStatus WHERE CampaignId = '{campaign}' ORDER BY SortOrder")
    other = next(item["Label"] for item in labels if item["Label"] != by_hand["Status"])
    box.update("CampaignMember", by_hand["Id"], Status=other)
    return {
        "gone": gone,
        "added": added,
        "moved": lead_row["LeadId"],
        "by_hand": by_hand["ContactId"] or by_hand["LeadId"],
        "status": other,
    }


def sending(box: Box, campaign: str) -> None:
    """Content, no delay, test-sent, active: the first edition may go out."""
    page = box.home / "edition.html"
    page.write_text(HTML, encoding="utf-8")
    edited = box.run("edition", campaign, "1", "--subject", "Hello", "--html", str(page), "--delay", "0")
    assert edited.code == 0, edited.talk
    tested = box.run("test-send", campaign, "1")
    assert (tested.code, tested.lines[1]["sent"] > 0) == (0, True), tested.talk
    active = box.run("edition", campaign, "1", "--active", "on")
    assert active.lines[1]["active"] is True, active.talk
    # A weekday's morning is within everybody's sending hours.
    box.control("POST", "/clock", {"advance": _to_morning(box)})


def _to_morning(box: Box) -> float:
    from datetime import datetime, timedelta

    now = datetime.fromisoformat(box.service("GET", "/v1/info")["time"])
    at = now.replace(hour=10, minute=0, second=0, microsecond=0)
    while at <= now or at.isoweekday() > 5:
        at += timedelta(days=1)
    return (at - now).total_seconds()


# ---------------------------------------------------------------- the four syncs


def test_initial_sync(box: Box, first: Row) -> None:
    campaign = first["Id"]
    summary = started(box, campaign)
    assert (summary["kind"], summary["added"], summary["removed"], summary["campaigns"]) == ("initial", 40, 0, 1)
    assert summary["editions"]["created"] == 5
    assert box.unequal(campaign, activity=True) == []
    org = box.org_members(campaign)
    assert len(org) == 40
    assert all(row["PAM__Synced__c"] for row in org.values())
    editions = box.listed(f"/v1/campaigns/{campaign}/editions")
    assert sorted(item["slot"] for item in editions) == [1, 2, 3, 4, 5]
    rows = box.query("SELECT Id, PAM__Campaign__c, PAM__External_Id__c FROM PAM__Email_Edition__c")
    ours = {row["Id"] for row in rows if row["PAM__Campaign__c"] == campaign}
    assert ours == {item["salesforce_id"] for item in editions}
    again = box.run("new-edition", campaign)
    assert again.code in (0, 5)
    assert len(box.listed(f"/v1/campaigns/{campaign}/editions")) == 5
    verified = box.run("verify", campaign)
    assert (verified.code, verified.summary["differences"]) == (0, 0)


def test_manual_sync(box: Box, first: Row) -> None:
    campaign = first["Id"]
    started(box, campaign)
    assert done(box, "sync", campaign, state="nothing-to-do")["unchanged"] == 40
    stirred = stir(box, campaign)
    summary = done(box, "sync", campaign)
    assert (summary["added"], summary["removed"], summary["changed"]) == (3, 2, 2)
    assert summary["unchanged"] == 36
    assert box.unequal(campaign, activity=True) == []
    members = box.service_members(campaign)
    assert set(stirred["added"]) <= set(members)
    assert set(stirred["gone"]).isdisjoint(members)
    assert members[stirred["moved"]]["email"] == "moved@firma.example"
    assert members[stirred["by_hand"]]["status"] == stirred["status"]
    assert done(box, "sync", campaign, state="nothing-to-do")["writes"] == {"salesforce": 0, "predictive": 0}


def test_hourly_batch_refresh_and_nightly(own_box: Box) -> None:
    box = own_box
    campaign = box.campaigns()[0]["Id"]
    started(box, campaign)
    sending(box, campaign)
    simulated = counted(box, "batch", "hourly", "--simulate")
    due = simulated.summary["mails"]
    assert simulated.summary["simulated"] is True
    assert box.service("GET", f"/v1/campaigns/{campaign}")["stats"]["sent"] == 0
    sent = done(box, "batch", "hourly")
    assert sent["mails"]["sent"] == sent["mails"]["released"] > 0
    assert sent["mails"]["unknown"] == 0
    assert max(due["sent"], due["released"]) == sent["mails"]["sent"]
    box.control("POST", "/clock", {"advance": 7200})
    pulled = done(box, "batch", "hourly")
    assert pulled["changed"] > 0
    assert box.unequal(campaign, activity=True) == []
    stats = box.service("GET", f"/v1/campaigns/{campaign}")["stats"]
    assert stats["opened"] > 0
    rows = box.query(
        f"SELECT PAM__Sent__c, PAM__Opened__c FROM PAM__Email_Edition__c WHERE PAM__Campaign__c = '{campaign}'"
    )
    assert sum(row["PAM__Sent__c"] or 0 for row in rows) == stats["sent"]
    assert sum(row["PAM__Opened__c"] or 0 for row in rows) == stats["opened"]
    box.control("POST", "/clock", {"advance": 3600})
    refreshed = counted(box, "refresh", campaign)
    assert (refreshed.code, refreshed.summary["kind"]) == (0, "refresh")
    org, service = box.org_members(campaign), box.service_members(campaign)
    assert {key: row["PAM__Level__c"] for key, row in org.items()} == {
        key: row["level"] for key, row in service.items()
    }
    stir(box, campaign)
    nightly = counted(box, "batch", "nightly")
    assert nightly.code in (0, 4)
    assert nightly.summary["added"] == 3
    assert [item for item in box.unequal(campaign, activity=False) if "status" not in item] == []
    told = {line["id"]: line for line in nightly.lines if line["type"] == "campaign"}
    assert told[campaign]["state"] == "done"


# ---------------------------------------------------------------- preview


@pytest.mark.slow
def test_plan_saved_shown_and_applied_once(box: Box, first: Row, tmp_path: Path) -> None:
    campaign = first["Id"]
    started(box, campaign)
    assert box.run("plan", campaign, "--detailed-exitcode").code == 0
    stir(box, campaign)
    saved, table = tmp_path / "plan.ndjson", tmp_path / "plan.csv"
    planned = counted(box, "plan", campaign, "--out", str(saved), "--csv", str(table), "--detailed-exitcode")
    assert planned.code == 3
    assert (planned.summary["kind"], planned.summary["added"], planned.summary["removed"]) == ("plan", 3, 2)
    assert len(table.read_text(encoding="utf-8").splitlines()) == planned.summary["rows"] + 1
    shown = box.people("plan", campaign)
    assert "+ 3 members added" in shown.out
    assert "− 2 members removed" in shown.out
    assert "moved@firma.example" in shown.out
    refused = box.run("apply", str(saved))
    assert refused.code == 2
    assert "--yes" in refused.talk
    assert "3 members" not in refused.out
    applied = counted(box, "apply", str(saved), "--yes")
    assert applied.code == 0, applied.talk
    assert (applied.summary["added"], applied.summary["removed"], applied.summary["changed"]) == (3, 2, 2)
    assert box.unequal(campaign, activity=True) == []
    again = box.run("apply", str(saved), "--yes")
    assert (again.code, len(again.talk.splitlines())) == (2, 1)


@pytest.mark.slow
def test_a_row_that_moved_since_is_left_and_said(box: Box, first: Row, tmp_path: Path) -> None:
    campaign = first["Id"]
    started(box, campaign)
    stirred = stir(box, campaign)
    saved = tmp_path / "plan.ndjson"
    assert box.run("plan", campaign, "--out", str(saved)).code == 0
    member = box.org_members(campaign)[stirred["by_hand"]]
    labels = box.query(f"SELECT Label FROM CampaignMemberStatus WHERE CampaignId = '{campaign}'")
    third = next(row["Label"] for row in labels if row["Label"] not in (member["Status"],))
    box.update("CampaignMember", member["Id"], Status=third)
    applied = box.run("apply", str(saved), "--yes")
    assert (applied.code, applied.summary["drifted"]) == (4, 1), applied.talk
    assert box.org_members(campaign)[stirred["by_hand"]]["Status"] == third
    assert box.run("sync", campaign).code == 0
    assert box.unequal(campaign, activity=True) == []


# ---------------------------------------------------------------- guards, refusals, verify


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("edition", "1", "--delay", "99999"), 2, "--delay takes at most 3650. "),
        (("edition", "1", "--subject", "S" * 2000), 2, "--subject takes at most "),
        (("edition", "1", "--from", "2027-01-01"), 2, "have the campaign's dates (/start_date)."),
        (("edition", "1", "--active", "on"), 5, "--subject TEXT --html FILE"),
        (("test-send", "2"), 5, "--subject TEXT --html FILE"),
    ],
    ids=["delay", "subject", "dates", "active", "test-send"],
)
def test_what_an_edition_does_not_take_is_said_with_a_remedy(
    box: Box, first: Row, words: tuple[str, ...], code: int, said: str
) -> None:
    started(box, first["Id"])
    command, *rest = words
    ended = box.people(command, first["Id"], *rest)
    assert (ended.code, ended.out, len(ended.talk.splitlines())) == (code, "", 1)
    assert said in ended.talk


@pytest.mark.slow
def test_undo_counts_the_calls_of_its_plan(box: Box, first: Row) -> None:
    started(box, first["Id"])
    stir(box, first["Id"])
    run = done(box, "sync", first["Id"])["run"]
    undone = counted(box, "undo", run)
    assert (undone.code, undone.summary["kind"]) == (0, "undo")
    assert undone.summary["api_calls"]["salesforce"] >= 1, "what it takes back is looked at first"


@pytest.mark.slow
def test_guard_on_removals(box: Box, first: Row) -> None:
    campaign = first["Id"]
    started(box, campaign)
    for row in list(box.org_members(campaign).values())[:16]:
        box.delete("CampaignMember", row["Id"])
    before = box.service_members(campaign)
    refused = counted(box, "sync", campaign, "--yes")
    assert (refused.code, refused.summary["state"]) == (5, "refused")
    assert "deletes" in refused.out
    assert box.service_members(campaign) == before
    assert box.run("sync", campaign, "--allow", "deletes=15", "--reason", "too few").code == 5
    assert box.run("sync", campaign, "--confirm", "Another name").code in (2, 5)
    assert box.service_members(campaign) == before
    passed = done(box, "sync", campaign, "--allow", "deletes=16", "--reason", "cleaned up by hand")
    assert passed["removed"] == 16
    assert box.unequal(campaign, activity=True) == []


@pytest.mark.slow
def test_typing_the_name_lets_removals_pass(box: Box, first: Row) -> None:
    campaign = first["Id"]
    started(box, campaign)
    for row in list(box.org_members(campaign).values())[:16]:
        box.delete("CampaignMember", row["Id"])
    assert done(box, "sync", campaign, "--confirm", first["Name"])["removed"] == 16


def test_refusals_write_nothing(box: Box, first: Row) -> None:
    campaign = first["Id"]
    assert box.run("sync", campaign).code == 5
    for words in (("new-edition", campaign), ("batch", "hourly"), ("refresh", campaign)):
        refused = box.run("--read-only", *words)
        assert refused.code == 5, (words, refused.talk)
    assert campaign not in {item["campaign_id"] for item in box.listed("/v1/campaigns")}
    assert not any(row["PAM__Synced__c"] for row in box.org_members(campaign).values())


def test_a_plan_of_several_campaigns_names_the_one_that_was_never_started(box: Box) -> None:
    going, fresh = box.new_campaign(2), box.new_campaign(1)
    assert box.run("plan", fresh["Id"]).code == 5
    started(box, going["Id"])
    lead = next(iter(box.org_members(going["Id"])))
    box.update("Lead", lead, LastName="Planned")
    told = box.run("plan", going["Id"], fresh["Id"], "--detailed-exitcode")
    lines = {line["id"]: line for line in told.lines if line["type"] == "campaign"}
    assert (lines[going["Id"]]["state"], lines[going["Id"]]["changed"]) == ("done", 1)
    assert lines[fresh["Id"]]["state"] == "refused"
    assert "predictive new-edition" in lines[fresh["Id"]]["error"]
    assert (told.code, told.summary["exit_code"], told.summary["state"]) == (4, 4, "partial")
    assert f"{fresh['Name']} is left out" in box.people("plan", going["Id"], fresh["Id"]).out


@pytest.mark.slow
def test_verify_finds_what_somebody_else_wrote(box: Box, first: Row) -> None:
    campaign = first["Id"]
    started(box, campaign)
    assert counted(box, "verify", campaign).code == 0
    person = next(iter(box.service_members(campaign).values()))
    key = "contact_id" if person["kind"] == "contact" else "lead_id"
    row = {"op": "upsert", key: person["person_id"], "member_id": person["member_id"], "fields": {"last_name": "Else"}}
    box.service("POST", f"/v1/campaigns/{campaign}/members:batch", {"rows": [row]})
    found = counted(box, "verify", campaign)
    assert (found.code, found.summary["differences"]) == (3, 1)
    difference = next(line for line in found.lines if line["type"] == "difference")
    assert (difference["field"], difference["predictive"]) == ("last_name", "Else")


# ---------------------------------------------------------------- lists


@pytest.mark.slow
def test_lists_print_items_between_version_and_summary(box: Box, first: Row) -> None:
    campaign = first["Id"]
    started(box, campaign)
    listed = box.run("campaigns")
    assert listed.code == 0
    items = listed.lines[1:-1]
    assert {item["id"] for item in items} == {row["Id"] for row in box.campaigns()}
    mine = next(item for item in items if item["id"] == campaign)
    assert (mine["type"], mine["editions"], sum(mine["members"].values())) == ("adaptive", 5, 40)
    members = box.run("members", first["Name"]).lines[1:-1]
    assert {item["person_id"] for item in members} == set(box.service_members(campaign))
    assert len(box.run("editions", campaign[:15]).lines[1:-1]) == 5
    one_edition = box.run("--read-only", "edition", campaign, "initial")
    assert (one_edition.code, one_edition.lines[1]["slot"]) == (0, 1), one_edition.talk
    runs = box.run("runs").lines[1:-1]
    initial = next(item for item in runs if item["kind"] == "initial")
    one = box.run("runs", initial["run"]).lines[1]
    assert (one["state"], one["failed_rows"]) == ("done", [])
    limits = box.run("limits").lines[1]
    assert limits["used"] >= limits["ours"] > 0
    timers = box.run("schedule").lines[1:-1]
    assert {item["kind"] for item in timers} == {"hourly", "nightly"}
    assert box.run("schedule", "pause", "--note", "holiday").code == 0
    assert all(item["paused"] for item in box.run("schedule").lines[1:-1])
    assert box.run("schedule", "resume").code == 0
    assert not any(item["paused"] for item in box.run("schedule").lines[1:-1])
    for words in (("campaigns",), ("members", campaign), ("editions", campaign), ("runs",), ("limits",), ("schedule",)):
        # Options after the command here, before it everywhere else.
        shown = predictive(*words, "--config", box.line["config"], "--org", "sandbox", home=box.home)
        assert shown.code == 0, shown.talk
        assert shown.out
        assert "\x1b" not in shown.out


def test_doctor(box: Box) -> None:
    told = box.run("doctor")
    assert told.code == 0, told.out
    names = {line["name"] for line in told.lines[1:-1]}
    assert {"version", "package console", "package sync", "configuration", "state", "terminal"} <= names
    where = box.line
    assert where["salesforce"]["access_token"] not in told.out
    assert where["predictive"]["token"] not in told.out


# ---------------------------------------------------------------- interruption


@contextmanager
def slowed(box: Box, seconds: float) -> Iterator[None]:
    """Every answer of the org comes late."""
    box.control("POST", "/faults", {"kind": "latency", "side": "salesforce", "seconds": seconds, "times": None})
    try:
        yield
    finally:
        box.control("DELETE", "/faults")


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGTERM, id="terminate")],
)
def test_interrupted_then_continued(box: Box, first: Row, number: int) -> None:
    campaign = first["Id"]
    with slowed(box, 0.25):
        process = subprocess.Popen(
            [*PREDICTIVE, "--config", box.line["config"], "new-edition", campaign, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(box.home),
        )
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["type"] == "run-started":
                break
        process.send_signal(number)
        out, talk = process.communicate(timeout=30)
    assert process.returncode == 130, (out, talk)
    assert json.loads(out.splitlines()[-1])["state"] == "cancelled"
    assert "Traceback" not in talk
    assert started(box, campaign)["campaigns"] == 1
    assert box.unequal(campaign, activity=True) == []
    assert len(box.listed(f"/v1/campaigns/{campaign}/editions")) == 5


@pytest.mark.slow
def test_a_campaign_that_another_run_has_is_locked(box: Box, first: Row) -> None:
    campaign = first["Id"]
    started(box, campaign)
    with slowed(box, 0.5):
        process = subprocess.Popen(
            [*PREDICTIVE, "--config", box.line["config"], "sync", campaign, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(box.home),
        )
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["type"] == "run-started":
                break
        locked = box.run("sync", campaign)
        assert locked.code == 7, (locked.out, locked.talk)
        process.communicate(timeout=30)
    assert process.returncode == 0
