"""Walks through the views beside the campaigns: schedule, meter, doctor, log, settings, help."""

from __future__ import annotations

from tests.pty.ground import Ground
from tests.pty.walker import DOWN, Walker, ended, filtering


def schedule(walk: Walker, ground: Ground) -> None:
    """Every key of the timers."""
    walk.sends("3", "Tonight")
    kinds = ("hourly", "nightly")
    before = {run for kind in kinds for run in ground.ids(kind)}
    walk.presses("schedule", "batch", "run hourly now")
    walk.sends("\x1b", "!run hourly now")
    walk.presses("schedule", "simulate", "imulated", ended)
    walk.sends("\x1b", "Tonight")
    walk.presses("schedule", "simulate_at", "run at", "In UTC")
    walk.clears()
    walk.sends("tomorrow 01:00\r", "Simulated", ended)
    made = [line for kind in kinds for line in ground.runs(kind) if line["run"] not in before]
    assert [line["simulated"] for line in made] == [True, True]
    walk.sends("\x1b", "Tonight")
    walk.presses("schedule", "pause", "Pause the timers")
    walk.sends("until noon\r", "The timers are paused", "until noon")
    assert "until noon" in ground.says("schedule").out
    walk.sends("p", "The timers run again", "!until noon")
    assert "until noon" not in ground.says("schedule").out
    walk.presses("schedule", "back", "Last sync")


def api(walk: Walker, ground: Ground) -> None:
    """Every key of the meter."""
    closed = ground.started()
    ground.close(closed)
    walk.reads(ground)
    walk.sends("4", "By run kind")
    calls = ground.box.usage()[0]
    walk.presses("api", "ask_meter", "meter is read")
    assert ground.box.usage()[0] == calls + 1
    walk.presses("api", "tab", "!several campaigns")
    walk.presses("api", "tab_back", "several campaigns")
    walk.sends("\x1b[Z", "clears auto-sync")
    while closed["Name"] not in walk.row("clears auto-sync"):
        now = walk.row("clears auto-sync")
        walk.sends(DOWN, lambda then, now=now: then.row("clears auto-sync") != now)
    walk.presses("api", "clear_auto", "Take auto-sync off")
    walk.sends("y", "is off.")
    assert not next(each for each in ground.box.campaigns() if each["Id"] == closed["Id"])["PAM__Auto_Sync__c"]
    walk.presses("api", "back", "Last sync")


def doctor(walk: Walker, ground: Ground) -> None:
    """Every key of the checks; it finds what the command line finds."""
    walk.sends("5", "checks now")
    walk.presses("doctor", "check", "checks", "!checks now", "!Checking", "✔", seconds=60)
    said = {line["name"]: line["state"] for line in ground.box.run("doctor").lines if line.get("type") == "check"}
    assert said
    shown = [name for name in said if name in walk.text]
    assert shown, walk.text
    walk.presses("doctor", "back", "Last sync")


def log(walk: Walker, ground: Ground) -> None:
    """Every key of the log, after a refused row was logged."""
    one = ground.started(3)
    ground.refusing(one)
    ground.calm()
    walk.sends("7", "followed")
    walk.presses("log", "follow", "standing still")
    walk.sends("f", "followed")
    walk.presses("log", "log_level", "warnings and errors")
    walk.sends("l", "· errors")
    walk.sends("l", "all levels")
    walk.presses("log", "filter", filtering)
    walk.sends("nothing like that\r", "No line passes")
    walk.sends("\x1b", "!No line passes")
    walk.presses("log", "back", "Last sync")


def settings(walk: Walker, ground: Ground) -> None:
    """Every key of the configuration; the file holds what was typed, and its default again."""
    walk.sends("8", "read_only")
    walk.presses("settings", "filter", filtering)
    walk.sends("hourly_minute\r", "hourly_minute", "!read_only", lambda now: "hourly_minute" in now.row("▸"))
    walk.presses("settings", "change", "write it")
    walk.clears()
    walk.sends("99\r", "✖")
    assert "hourly_minute" not in ground.settings["timers"]
    walk.sends("\r", "write it")
    walk.clears()
    walk.sends("23\r", "hourly_minute is 23")
    assert ground.settings["timers"]["hourly_minute"] == 23
    walk.presses("settings", "unset", "Take hourly_minute out")
    walk.sends("y", "takes its default")
    assert "hourly_minute" not in ground.settings["timers"]
    walk.sends("\x1b", "read_only")
    walk.presses("settings", "back", "Last sync")


def help(walk: Walker, ground: Ground) -> None:
    """The key of the help, which lists every key of the screen beneath."""
    walk.sends("?", "Here")
    walk.presses("help", "back", "Last sync")
