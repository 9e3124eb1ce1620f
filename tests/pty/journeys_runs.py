"""Walks through plans, runs, their journals and what failed in them."""

from __future__ import annotations

from tests.pty.ground import Ground
from tests.pty.walker import DOWN, Walker, ended, filtering, no_line


def plan(walk: Walker, ground: Ground) -> None:
    """Every key of a plan: rows are left out, it is saved, written without removals, and written."""
    box, one = ground.box, ground.started(6)
    added = [ground.joined(one, name) for name in ("Adams", "Brown")]
    gone = ground.left(one)
    walk.reads(ground)
    walk.finds(one["Name"])
    walk.sends("s", "2 members added", "1 member removed", "7 changes")
    walk.presses("plan", "filter", filtering)
    walk.sends("Adams\r", "/ Adams 3 rows", "!Brown")
    walk.presses("plan", "back", "Brown")
    # The cursor goes to a row of its own: side, group, row.
    walk.sends(DOWN + DOWN, lambda now: "▸" in now.row("Adams")[:3])
    walk.presses("plan", "toggle", "✕", "6 changes")
    walk.sends(" ", "!✕", "7 changes")
    walk.sends("\x1b[A", "space leaves all of them out")
    walk.presses("plan", "show", "▸ show")
    walk.sends("\r", "!▸ show")
    file = ground.folder / f"plan-{walk.shown.screen.columns}.ndjson"
    walk.presses("plan", "save", "Save the plan to a file")
    walk.clears()
    walk.sends(f"{file}\r", "Saved to")
    assert file.is_file()
    walk.presses("plan", "apply_kept", "Apply 6 changes")
    walk.sends("y", "› Synchronize", ended)
    assert set(added) <= set(box.service_members(one["Id"]))
    assert gone in box.service_members(one["Id"])
    told = ground.box.run("apply", str(file))
    assert told.code != 0
    assert "applied already" in told.talk
    box.update("Lead", added[0], LastName="Zappa")
    walk.sends("\x1b", "Last sync")
    walk.sends("s", "name changed", "2 changes ·")
    walk.presses("plan", "apply", "Apply 2 changes")
    walk.sends("y", "› Synchronize", ended)
    assert box.service_members(one["Id"])[added[0]]["last_name"] == "Zappa"
    assert gone not in box.service_members(one["Id"])
    counts = ground.runs("manual", one)[0]["counts"]
    assert (counts["changed"], counts["removed"]) == (1, 1)
    _guard(walk, ground)


def _guard(walk: Walker, ground: Ground) -> None:
    """A guard refuses; without removals it goes on by its key."""
    box, big = ground.box, ground.started(14)
    for row in sorted(each["Id"] for each in box.org_members(big["Id"]).values())[:12]:
        box.delete("CampaignMember", row)
    box.update("Lead", sorted(box.org_members(big["Id"]))[-1], LastName="Zidane")
    walk.sends("\x1b", "Last sync")
    walk.sends("\x1b", "!esc shows all")
    walk.reads(ground)
    walk.finds(big["Name"])
    walk.sends("s", "12 members removed", "refuses")
    walk.sends("a", "Refused by a guard")
    walk.sends("\x18", "Apply 1 change")
    walk.sends("y", "› Synchronize", ended)
    assert len(box.service_members(big["Id"])) == 14


def run(walk: Walker, ground: Ground) -> None:
    """Every key of a run: held, let go on, stopped; then of one that failed in parts."""
    first, second = ground.started(), ground.started()
    for each in (first, second):
        ground.joined(each)
    walk.reads(ground)
    ground.slow(2.0)
    walk.finds(first["Name"])
    walk.sends(" ", "● 1 marked")
    walk.finds(second["Name"])
    walk.sends(" ", "● 2 marked")
    walk.sends("s", "2 members added")
    walk.sends("a", "Apply 6 changes")
    walk.sends("y", "◐ running")
    walk.waits(lambda now: ground.box.control("GET", "/faults")["faults"][0]["hits"] > 0)
    walk.presses("run", "hold", "It holds after the present batch")
    walk.waits(lambda _: bool(ground.runs("manual")[0]["paused"]))
    both = [len(ground.box.service_members(each["Id"])) for each in (first, second)]
    assert sorted(both) == [4, 5]
    walk.sends("p", "The run goes on")
    walk.presses("run", "cancel", "Stops after the present batch")
    walk.waits(ended)
    ground.calm()
    assert ground.runs("manual")[0]["state"] in ("cancelled", "done")
    _failed(walk, ground)


def _failed(walk: Walker, ground: Ground) -> None:
    box, one = ground.box, ground.started()
    ground.refusing(one)
    try:
        walk.sends("2", "When Run", "hourly")
        walk.sends("/kind:hourly state:partial\r", no_line, "state:partial 2 of")
        walk.sends("\r", "Replayed from the journal", "rejected")
        walk.presses("run", "details", "2 ×", "!rejected")
        walk.presses("run", "mark_row", "2 marked")
        walk.sends(" ", "!2 marked")
    finally:
        ground.calm()
    walk.presses("run", "retry", "› Try again", "2 changes ·")
    walk.sends("\x1b", "2 ×")
    walk.sends("\x1b", "!2 ×")
    walk.presses("run", "rows", "› journal")
    walk.sends("\x1b", "Replayed from the journal")
    walk.presses("run", "back", "!Replayed from the journal", "partial")
    walk.sends("\x1b", "initial")
    box.update("Lead", sorted(box.org_members(one["Id"]))[0], LastName="Zimmer")
    done = ground.says("sync", one["Id"]).summary
    walk.sends("1", "Last sync")
    walk.sends("2", "When Run")
    walk.sends(f"/{done['run']}\r", no_line, "!initial")
    walk.sends("\r", "Replayed from the journal")
    walk.presses("run", "undo", "› Undo manual", "1 change ·")
    walk.sends("a", "apply")
    walk.sends("y", ended)
    assert ground.runs("undo")[0]["undoes"] == done["run"]
    assert "Zimmer" not in str(box.service_members(one["Id"]))


def runs(walk: Walker, ground: Ground) -> None:
    """Every key of the list of runs."""
    one = ground.started()
    person = ground.joined(one)
    done = ground.says("sync", one["Id"]).summary
    walk.sends("2", "When Run")
    walk.presses("runs", "filter", filtering)
    walk.sends(f"{done['run']}\r", no_line, "!initial")
    walk.presses("runs", "open_run", "Replayed from the journal")
    walk.sends("\x1b", "When Run")
    walk.presses("runs", "rows", "› journal")
    walk.sends("\x1b", "When Run")
    walk.presses("runs", "undo", "› Undo manual", "1 member removed")
    walk.sends("a", "apply 3")
    walk.sends("y", ended)
    assert person not in ground.box.service_members(one["Id"])
    undone = ground.runs("undo")[0]
    assert undone["undoes"] == done["run"]
    walk.sends("\x1b", "When Run")
    walk.sends("\x1b", "initial")
    walk.presses("runs", "back", "Last sync")


def campaign_runs(walk: Walker, ground: Ground) -> None:
    """Every key of the list of a campaign's runs."""
    one = ground.started()
    person = ground.joined(one)
    ground.says("sync", one["Id"])
    walk.reads(ground)
    walk.opens(one["Name"])
    walk.sends("\x1b[Z", "@fi")
    walk.to_tab("manual")
    walk.presses("campaign_runs", "open_run", "Replayed from the journal")
    walk.sends("\x1b", "manual", "!Replayed from the journal")
    walk.presses("campaign_runs", "rows", "› journal")
    walk.sends("\x1b", "manual", "!› journal")
    walk.presses("campaign_runs", "undo", "› Undo manual", "1 member removed")
    walk.sends("a", "apply 3")
    walk.sends("y", ended)
    assert person not in ground.box.service_members(one["Id"])


def journal(walk: Walker, ground: Ground) -> None:
    """Every key of a run's journal."""
    one = ground.started(3)
    ground.refusing(one)
    ground.calm()
    walk.sends("2", "When Run")
    walk.sends("/kind:hourly state:partial\r", no_line, "state:partial 2 of")
    walk.sends("l", "› journal", "rows")
    walk.presses("journal", "row_state", "written")
    walk.sends("f", "2 rows rejected")
    walk.sends("\x1b", "!rejected")
    walk.presses("journal", "filter", filtering)
    walk.sends("nobody like that\r", "No row is like that")
    walk.sends("\x1b", "!No row is like that")
    walk.presses("journal", "back", "When Run")


def errors(walk: Walker, ground: Ground) -> None:
    """Every key of the board of what failed; the rows are tried again and mended."""
    box, one = ground.box, ground.started()
    ground.refusing(one)
    refused = [person for person, row in box.service_members(one["Id"]).items() if row["status"] == "Responded"]
    ground.calm()
    walk.sends("6", "Failed rows", "×")
    walk.to_group("Responded", "FIELD_CUSTOM")
    opened = "▾" in walk.row("FIELD_CUSTOM")
    walk.presses("errors", "turn", lambda now: ("▾" in now.row("FIELD_CUSTOM")) is not opened)
    if not opened:
        walk.sends("\r", lambda now: "▸" in now.row("FIELD_CUSTOM")[8:])
    walk.presses("errors", "mark_row", "marked")
    walk.presses("errors", "retry", "› Try again", "2 changes ·")
    walk.sends("a", "apply")
    walk.sends("y", "› Try again", ended)
    assert {box.org_members(one["Id"])[person]["Status"] for person in refused} == {"Responded"}
    assert not [line for line in ground.says("runs", "errors", one["Id"]).lines if line["type"] == "failures"]
    walk.sends("\x1b", "Failed rows")
    walk.presses("errors", "back", "Last sync")
