"""Walks through the list of campaigns and the screens of one: every key, what is seen, what the command line says."""

from __future__ import annotations

from tests.pty.ground import Ground
from tests.pty.walker import Walker, ended, filtering, no_line


def overview(walk: Walker, ground: Ground) -> None:
    """Every key of the list of campaigns."""
    _list(walk, ground)
    _batches(walk)
    _campaign_verbs(walk, ground)


def _list(walk: Walker, ground: Ground) -> None:
    fresh = ground.fresh()
    walk.reads(ground, "overview")
    assert ground.listed(fresh)["state"] == "active"
    walk.presses("overview", "filter", filtering)
    walk.sends(fresh["Name"], f"/ {fresh['Name']} 1 of")
    walk.sends("\r", no_line)
    walk.presses("overview", "unfilter", "!esc shows all")
    walk.presses("overview", "mark", "● 1 marked")
    walk.presses("overview", "mark_all", lambda now: "marked" in now.text and "● 1 marked" not in now.text)
    walk.sends("\x1b", "!marked")
    walk.presses("overview", "sort", "Order the campaigns by")
    walk.sends("m", "Members▾", "!Order the campaigns by")
    walk.presses("overview", "reverse", "Members▴")
    walk.presses("overview", "views", "save this view")
    walk.sends("s", "Save this view")
    walk.sends("big ones\r", "Saved as “big ones”")
    walk.presses("overview", "reverse", "Members▾")
    walk.sends("V", "save this view", "big ones")
    letter = walk.letter("big ones")
    walk.sends(letter, "Members▴", "!save this view")
    walk.sends("V", "save this view")
    walk.sends(walk.letter("all campaigns"), "!save this view", "!Members▴", "!Members▾")


def _batches(walk: Walker) -> None:
    for letter, title in (("i", "Simulated hourly"), ("m", "Simulated nightly"), ("h", "Hourly"), ("n", "Nightly")):
        walk.presses("overview", "batch", "run hourly now", "simulate nightly")
        if letter in "hn":
            walk.sends(letter, f"Run the {title.lower()} batch now?")
            walk.sends("y", title, ended)
        else:
            walk.sends(letter, title, ended, "Nothing was written and nothing was sent")
        walk.sends("\x1b", "Last sync")


def _campaign_verbs(walk: Walker, ground: Ground) -> None:
    box, one, fresh, closed = ground.box, ground.started(), ground.fresh(), ground.started()
    ground.close(closed)
    walk.reads(ground)
    before = {kind: ground.ids(kind) for kind in ("refresh", "verify")}
    person = ground.joined(one)
    walk.finds(one["Name"])
    walk.presses("overview", "open", "Editions", "Initial", "!Last sync")
    walk.sends("\x1b", "Last sync")
    walk.presses("overview", "sync", "› Synchronize", "+ 1 member added")
    assert person not in box.service_members(one["Id"])
    walk.sends("\x1b", "Last sync")
    walk.presses("overview", "refresh", "› Refresh", ended)
    assert len(ground.ids("refresh") - before["refresh"]) == 1
    walk.sends("\x1b", "Last sync")
    walk.presses("overview", "verify", "nothing is written")
    walk.sends("o", "› Verify", ended)
    assert len(ground.ids("verify") - before["verify"]) == 1
    walk.sends("\x1b", "Last sync")
    walk.finds(fresh["Name"])
    walk.presses("overview", "new_edition", "New Edition for")
    walk.sends("y", "› New Edition", ended)
    assert len(ground.says("editions", fresh["Id"]).lines) == 5 + 2
    assert box.unequal(fresh["Id"], activity=False) == []
    walk.sends("\x1b", "Last sync")
    walk.presses("overview", "pause_one", "Pause the timers for")
    walk.sends("cleaning up\r", "leave", "P is pressed again")
    assert "cleaning up" in str(ground.listed(fresh)["warnings"])
    walk.waits("‖")
    walk.sends("P", "Timers take", "again")
    assert "cleaning up" not in str(ground.listed(fresh).get("warnings"))
    ground.lock(fresh)
    assert ground.says("sync", fresh["Id"], code=7)
    walk.reads(ground)
    walk.waits("■ locked")
    walk.presses("overview", "unlock", "Unlock", "its counts differ")
    walk.sends("counted by hand\r", "is unlocked")
    ground.says("sync", fresh["Id"])
    walk.finds(closed["Name"])
    walk.presses("overview", "clear_auto", "Take auto-sync off")
    walk.sends("y", "is off")
    assert not next(each for each in box.campaigns() if each["Id"] == closed["Id"])["PAM__Auto_Sync__c"]
    walk.sends("\x1b", "!esc shows all")


def campaign(walk: Walker, ground: Ground) -> None:
    """Every key of one campaign."""
    box, one, fresh, closed = ground.box, ground.started(), ground.fresh(), ground.started()
    ground.close(closed)
    walk.reads(ground)
    person = ground.joined(one)
    walk.opens(one["Name"])
    walk.presses("campaign", "sync", "› Synchronize", "+ 1 member added")
    assert person not in box.service_members(one["Id"])
    walk.sends("\x1b", "Editions", "Initial", "!Last sync")
    walk.presses("campaign", "refresh", "› Refresh", ended)
    assert ground.runs("refresh", one)
    walk.sends("\x1b", "Editions", "Initial", "!Last sync")
    walk.presses("campaign", "verify", "nothing is written")
    walk.sends("o", "› Verify", ended)
    walk.sends("\x1b", "Editions", "Initial", "!Last sync")
    walk.presses("campaign", "edit", "Subject of")
    walk.sends("Guten Tag\r", "has its new subject")
    assert _edition(ground, one["Id"])["subject"] == "Guten Tag"
    edition = _edition(ground, one["Id"])["id"]
    box.service("PATCH", f"/v1/editions/{edition}", {"html": "<p>Hi</p>"})
    walk.presses("campaign", "test_send", "to the test members?")
    walk.sends("y", "test members", "!to the test members?", lambda now: "Sent to" in now.text or "No test" in now.text)
    walk.presses("campaign", "activate", "Activate")
    walk.sends("y", "is active")
    assert _edition(ground, one["Id"])["active"]
    walk.sends("a", "Deactivate")
    walk.sends("y", "is inactive")
    assert not _edition(ground, one["Id"])["active"]
    walk.presses("campaign", "pause_one", "Pause the timers for")
    walk.sends("cleaning up\r", "P is pressed again")
    assert "cleaning up" in str(ground.listed(one)["warnings"])
    walk.sends("P", "Timers take")
    walk.presses("campaign", "tab", "No page was clicked")
    walk.presses("campaign", "tab_back", "Initial")
    walk.presses("campaign", "back", "Last sync")
    walk.sends("\x1b", "!esc shows all")

    walk.opens(fresh["Name"])
    walk.presses("campaign", "new_edition", "New Edition for")
    walk.sends("y", "› New Edition", ended)
    assert box.unequal(fresh["Id"], activity=False) == []
    ground.lock(fresh)
    walk.sends("\x1b", "Editions", "Initial", "!Last sync")
    walk.presses("campaign", "unlock", "Unlock", "its counts differ")
    walk.sends("counted by hand\r", "is unlocked")
    ground.says("sync", fresh["Id"])
    walk.sends("\x1b", "Last sync")
    walk.sends("\x1b", "!esc shows all")

    walk.opens(closed["Name"])
    walk.presses("campaign", "clear_auto", "Take auto-sync off")
    walk.sends("y", "is off")
    assert not next(each for each in box.campaigns() if each["Id"] == closed["Id"])["PAM__Auto_Sync__c"]


def _edition(ground: Ground, campaign_id: str) -> dict[str, object]:
    return next(line for line in ground.says("editions", campaign_id).lines if line.get("slot") == 1)


def members(walk: Walker, ground: Ground) -> None:
    """Every key of a campaign's members."""
    one = ground.started()
    walk.reads(ground)
    walk.opens(one["Name"])
    walk.sends("\x1b[Z", "@fi")
    person = ground.joined(one, "Zykov")
    walk.presses("members", "load_members", "members read")
    assert any(line.get("person_id") == person for line in ground.says("members", one["Id"]).lines)
    walk.presses("members", "filter", filtering)
    walk.sends("Zykov", lambda now: "Zykov" in now.text and "L1" not in now.text)
    walk.sends("\r", no_line)
    walk.sends("\x1b", "L1")
    for id, seen in (("status", "status Sent"), ("level", "level Sent"), ("only", "not mailed")):
        walk.presses("members", id, seen)
        walk.sends("\x1b", f"!{seen}")
    walk.presses("members", "why", "Why mailed or not")


def clicks(walk: Walker, ground: Ground) -> None:
    """The key of the lists of clicks and of e-mail history."""
    walk.sends("\r", "Editions")
    walk.sends("\t", "clicked")
    walk.presses("clicks", "filter", filtering)
    walk.sends("pricing", lambda now: "pricing" in now.shown.rows[-2])
    walk.sends("\r", no_line, "/ pricing 0 of", "No page passes the filter")
    walk.sends("/", lambda now: "pricing" in now.shown.rows[-2])
    walk.sends("\x1b", no_line)


def metrics(walk: Walker, ground: Ground) -> None:
    """The key of a campaign's figures."""
    walk.sends("\r", "Editions")
    for seen in ("clicked", "sent yet", "Salesforce"):
        walk.sends("\t", seen)
    walk.reads(ground, "metrics")


def member(walk: Walker, ground: Ground) -> None:
    """Every key of one member: opted out, then with a value that an undo holds."""
    box, one = ground.box, ground.started()
    people = sorted(box.org_members(one["Id"]))
    out, renamed = people[0], people[1]
    box.service("POST", f"/v1/people/{out}:opt-out", {"scope": "global"})
    box.update("Lead", renamed, LastName="Byron")
    done = ground.says("sync", one["Id"]).summary
    ground.says("undo", done["run"])
    names = {person: box.service_members(one["Id"])[person]["email"] for person in (out, renamed)}
    walk.reads(ground)
    walk.opens(one["Name"])
    walk.sends("\x1b[Z", "@fi")
    walk.sends("g", "members read")
    walk.sends(f"/{names[out]}\r", lambda now: names[out] in now.text and "L3" not in now.text)
    walk.sends("y", "Why mailed or not", "every condition")
    walk.presses("member", "opt_in", "which edition may be the first")
    walk.sends("a", "Opt in from edition 1 on")
    walk.sends("wrote to us\r", "!Opt in from edition 1 on", "pted in")
    assert box.service_members(one["Id"])[out]["active"]
    walk.presses("member", "tab", lambda now: "Predictive" in now.row("Salesforce"))
    walk.presses("member", "tab_back", "every condition")
    box.service("POST", f"/v1/people/{out}:opt-out", {"scope": "global"})
    walk.presses("member", "ask_again", "opted out in Predictive")
    walk.presses("member", "back", "!Why mailed or not")
    walk.sends("\x1b", "L3")
    walk.sends(f"/{names[renamed]}\r", lambda now: names[renamed] in now.text and "L3" not in now.text)
    walk.sends("y", "Why mailed or not", "every condition", names[renamed])
    walk.presses("member", "release", "Release what is held")
    walk.sends("it was right\r", "Released")
    assert ground.says("sync", one["Id"]).summary["changed"] == 1
    assert box.service_members(one["Id"])[renamed]["last_name"] == "Byron"


def everywhere(walk: Walker, ground: Ground) -> None:
    """Every key that works on every screen."""
    for id, seen in (
        ("view_runs", "When Run"),
        ("view_schedule", "Tonight"),
        ("view_api", "By run kind"),
        ("view_doctor", "set-up"),
        ("view_errors", "Failed rows"),
        ("view_log", "followed"),
        ("view_settings", "read_only"),
        ("before", "followed"),
        ("after", "read_only"),
        ("view_overview", "Last sync"),
    ):
        walk.presses("everywhere", id, seen)
    walk.presses("everywhere", "copy", "clipboard")
    walk.presses("everywhere", "jump", lambda now: now.column(1)[4:6] == ["a", "b"])
    walk.sends("b", lambda now: now.column(1)[5] == "▸")
    walk.presses("everywhere", "orgs", "Which org?", "you are here")
    walk.sends("b", lambda now: "spare" in now.shown.rows[0] and "read-only" in now.shown.rows[0])
    walk.sends("@", "Which org?")
    walk.sends("a", lambda now: "sandbox" in now.shown.rows[0] and "writes" in now.shown.rows[0], "▸")
    walk.presses("everywhere", "prompt", "sync CAMPAIGN")
    walk.sends("schedule\r", "Tonight")
    walk.presses("everywhere", "palette", "Search for commands")
    walk.sends("simulate at", "!Search for commands", "Simulate at", "!Pause or resume")
    walk.sends("\r", "Simulate the", "In UTC")
    walk.sends("\x1b", "!In UTC")
    colours = walk.colours()
    walk.presses("everywhere", "dress", lambda now: now.colours() != colours)
    light = walk.colours()
    walk.sends("D", lambda now: now.colours() != light)
    for name in walk.key("everywhere", "help").keys:
        walk.presses("everywhere", "help", "Here", name=name)
        walk.sends("\x1b", "Tonight", "!Here")
    one = ground.started()
    ground.joined(one)
    ground.slow(1.5)
    walk.sends("1", "Last sync")
    walk.reads(ground)
    walk.finds(one["Name"])
    walk.sends("s", "+ 1 member added")
    walk.sends("a", "Apply 3 changes")
    walk.sends("y", "◐ running")
    walk.sends("1", "Last sync")
    walk.presses("everywhere", "view_run", "write Predictive", "!Last sync")
    walk.presses("everywhere", "quit", "Leave while a run is writing?")
    walk.sends("\r", "!Leave while a run is writing?")
    walk.waits(ended)
    ground.calm()
