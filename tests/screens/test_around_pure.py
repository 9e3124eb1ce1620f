"""Getting around, as pure functions: trail, clipboard, alerts, completion, one TOML value changed, the log read."""

from __future__ import annotations

import base64
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console import clipboard
from console.alerts import alerts
from console.cli.table import BY_NAME, COMMANDS
from console.config import backup_of, read, typed, write
from console.configedit import changed
from console.keys import KEYS
from console.palette import COMMANDS as SCREENS
from console.palette import complete, meant, needs_words
from console.screens.log import entries, passes
from console.trail import Stop, Trail
from console.viewstate import Shared
from sync.errors import ConfigError
from sync.model import RunKind, RunState
from sync.views import LimitsView, TimerView, Warned
from tests.screens.made import NOW, eight_campaigns

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"


def at(trail: Trail) -> str:
    return "/".join(trail.here.key)


# ---------------------------------------------------------------- trail


def test_the_trail_goes_back_and_forward_and_forgets_what_lay_ahead() -> None:
    trail = Trail()
    for name in ("runs", "api"):
        trail.visit(Stop((name,)))
    assert trail.step(1) is None
    assert trail.step(-1) is not None
    assert at(trail) == "runs"
    assert trail.step(1) is not None
    assert at(trail) == "api"
    trail.came_back(("overview",))
    assert at(trail) == "overview"
    assert trail.step(-1) is None
    trail.visit(Stop(("doctor",)))
    assert trail.step(1) is None
    trail.visit(Stop(("doctor",)))
    assert [stop.key for stop in trail.stops] == [("overview",), ("doctor",)]


def test_the_trail_stays_small() -> None:
    trail = Trail()
    for number in range(500):
        trail.visit(Stop((str(number),)))
    assert len(trail.stops) < 100
    assert at(trail) == "499"


# ---------------------------------------------------------------- clipboard


def test_copying_is_one_sequence_with_the_text_in_base64() -> None:
    sent = clipboard.sequence("Ζήτημα\n", {"TERM": "xterm-256color"})
    assert sent == "\x1b]52;c;" + base64.b64encode("Ζήτημα\n".encode()).decode() + "\x07"


def test_within_tmux_it_goes_to_tmux_and_past_it() -> None:
    sent = clipboard.sequence("hi", {"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
    assert sent == "\x1b]52;c;aGk=\x07" + "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"


def test_gnu_screen_takes_it_in_pieces_that_make_up_the_whole() -> None:
    text = "0123456789" * 100
    sent = clipboard.sequence(text, {"TERM": "screen", "STY": "1.pts"})
    pieces = [part.removesuffix("\x1b\\") for part in sent.split("\x1bP")[1:]]
    assert all(len(piece) <= clipboard.CHUNK for piece in pieces)
    assert "".join(pieces) == clipboard.sequence(text, {"TERM": "xterm"})


@pytest.mark.parametrize(
    ("text", "env", "why"),
    [
        ("x", {"TERM": "linux"}, "linux has no clipboard"),
        ("x", {}, "unknown"),
        ("x", {"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "macOS Terminal"),
        ("é" * 40_000, {"TERM": "xterm"}, "80,000 bytes"),
        ("x" * clipboard.LARGEST, {"TERM": "xterm"}, ""),
        ("x", {"TERM": "screen", "TERM_PROGRAM": "Apple_Terminal", "TMUX": "1"}, ""),
    ],
)
def test_where_no_clipboard_can_be_reached_the_reason_is_said(text: str, env: dict[str, str], why: str) -> None:
    said = clipboard.why_not(text, env)
    assert why in said
    assert bool(said) == bool(why)
    assert len(base64.b64encode(b"x" * clipboard.LARGEST)) < 100_000


# ---------------------------------------------------------------- alerts


def loaded(**more: object) -> Shared:
    return replace(Shared("acme", "writes", NOW, campaigns=eight_campaigns(), loaded=True), **more)


def texts(before: Shared, after: Shared) -> list[str]:
    return [alert.text for alert in alerts(before, after)]


def with_first(shared: Shared, **more: object) -> Shared:
    first, *rest = shared.campaigns
    return replace(shared, campaigns=(replace(first, **more), *rest))


def test_an_alert_comes_on_a_change_and_on_recovery_and_not_again() -> None:
    well = loaded()
    assert not alerts(well, well)
    failed = with_first(well, last_state=RunState.FAILED, last_run=NOW, last_note="no answer")
    name = well.campaigns[0].campaign.name
    assert texts(well, failed) == [f"{name}: last run failed, no answer."]
    assert not alerts(failed, failed)
    again = with_first(failed, last_run=NOW + timedelta(hours=1))
    assert not alerts(failed, again)
    good = with_first(again, last_state=RunState.DONE, last_run=NOW + timedelta(hours=2))
    (alert,) = alerts(again, good)
    assert alert.good
    assert "well again" in alert.text


def test_locks_warnings_meter_and_store_are_told() -> None:
    well = loaded(limits=LimitsView(700, 1000, 1, 1, 24, (), (), NOW))
    worse = with_first(well, locked="40 rows", warnings=(Warned("closed", "is closed"),))
    assert len(texts(well, worse)) == 2
    assert [alert.good for alert in alerts(worse, well)] == [True, True]
    near = replace(well, limits=LimitsView(910, 1000, 1, 1, 24, (), (), NOW))
    assert texts(well, near) == ["API calls passed 90% of the org's limit; 4 shows the meter."]
    assert alerts(near, well)[0].good
    lost = replace(well, trouble="disk I/O error")
    assert "cannot be read" in texts(well, lost)[0]
    assert alerts(lost, well)[0].good
    timer = TimerView(RunKind.HOURLY, NOW, True, False)
    late = replace(well, timers=(replace(timer, missed=(NOW,)),))
    assert texts(replace(well, timers=(timer,)), late) == ["1 tick missed; 3 shows the schedule."]
    assert not alerts(late, late)


def test_the_first_look_and_another_org_tell_nothing() -> None:
    worse = with_first(loaded(), locked="40 rows")
    assert not alerts(replace(loaded(), loaded=False), worse)
    assert not alerts(loaded(), replace(worse, org="other"))


# ---------------------------------------------------------------- commands


def test_every_command_of_the_shell_that_the_prompt_offers_has_one_meaning() -> None:
    shell = {command.name for command in COMMANDS if command.prompt}
    for command in SCREENS:
        assert command.text
        assert command.usage.startswith(command.name)
        assert command.name in BY_NAME or command.own
    for name in shell:
        found, told, words = meant(name, shell)
        assert (found.name if found else told) == name
        assert words == ()


@pytest.mark.parametrize(
    ("line", "screen", "name", "words"),
    [
        ("sync Spring launch", "sync", "sync", ("Spring", "launch")),
        ("plan Spring --out p.ndjson", None, "plan", ("Spring", "--out", "p.ndjson")),
        ("runs", "runs", "runs", ()),
        ("runs r-17", None, "runs", ("r-17",)),
        ("schedule pause --note x", None, "schedule pause", ("--note", "x")),
        ("batch nightly --simulate", "batch", "batch", ("nightly", "--simulate")),
        ("batch nightly --at 2027-01-01", None, "batch", ("nightly", "--at", "2027-01-01")),
        ("verify", None, "verify", ()),
        ("nonsense", None, "nonsense", ()),
    ],
)
def test_a_line_means_a_screen_or_the_shells_own_command(
    line: str, screen: str | None, name: str, words: tuple[str, ...]
) -> None:
    shell = {command.name for command in COMMANDS if command.prompt}
    found, told, rest = meant(line, shell)
    assert (found.name if found else None) == screen
    assert (told, rest) == (name, words)


def test_names_of_commands_and_campaigns_are_completed() -> None:
    names = [command.name for command in SCREENS] + ["schedule pause", "why"]
    campaigns = ["Spring launch 2027", "Partner"]
    assert complete("sch", names, campaigns) == "schedule"
    assert complete("sync spr", names, campaigns) == "sync Spring launch 2027"
    assert complete('edition "Par', names, campaigns) == 'edition "Partner"'
    assert complete("limits x", names, campaigns) is None
    assert complete("", names, campaigns) is None
    assert needs_words("sync")
    assert not needs_words("doctor")


# ---------------------------------------------------------------- one value of a TOML file

PLACES = [
    (("orgs", "main", "read_only"), False),
    (("orgs", "main", "timers", "nightly"), "02:30"),
    (("orgs", "main", "guards", "delete_share"), 0.05),
    (("orgs", "main", "budget", "daily_cap"), 500),
    (("orgs", "main", "status_on", "sent"), 'Sent "now" # really'),
    (("orgs", "main", "auto_sync"), ["7015g00000001AAA", "7015g00000002AAA"]),
    (("orgs", "main", "guards", "flood_run"), None),
    (("orgs", "other.org", "timers", "enabled"), True),
    (("default_org",), "main"),
    (("secrets_file",), "s.toml"),
]


@pytest.mark.parametrize(("path", "value"), PLACES, ids=lambda each: ".".join(each) if isinstance(each, tuple) else "")
def test_one_value_is_changed_and_every_comment_stays(path: tuple[str, ...], value: object) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    edited = changed(text, path, value)
    assert edited.commented
    found: object = tomllib.loads(edited.text)
    for name in path:
        assert isinstance(found, dict)
        found = found.get(name)
    assert found == value
    kept = [line for line in text.splitlines() if line.startswith("# ") and "=" not in line]
    assert [line for line in edited.text.splitlines() if line in kept] == kept
    assert abs(len(edited.text.splitlines()) - len(text.splitlines())) <= 3


def test_a_comment_behind_the_value_and_lists_over_lines_survive() -> None:
    text = "[a]\nb = 1  # why\nc = [\n  1, # one\n  2,\n]\nd = 4\n"
    assert changed(text, ("a", "b"), 2).text == text.replace("b = 1", "b = 2")
    assert changed(text, ("a", "c"), [3]).text == "[a]\nb = 1  # why\nc = [3]\nd = 4\n"
    assert changed(text, ("a", "e"), True).text == text + "e = true\n"


def test_what_lines_cannot_express_is_written_anew_and_said_so() -> None:
    edited = changed("# note\na = { b = 1 }\n", ("a", "b"), 2)
    assert not edited.commented
    assert tomllib.loads(edited.text) == {"a": {"b": 2}}


def test_a_change_is_checked_first_keeps_a_backup_and_never_overwrites_another(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    path.chmod(0o640)
    before = path.read_bytes()
    document = read(path, "main", {})
    known = {(setting.section, setting.key): setting for setting in document.settings}
    share = known["guards", "delete_share"]
    with pytest.raises(ConfigError, match="cannot be"):
        typed(share, "much")
    assert typed(share, "0.1") == 0.1
    assert typed(known["timers", "nightly"], "03:00") == "03:00"
    auth = known["salesforce", "client_id"]
    with pytest.raises(ConfigError, match="client_id is missing"):
        write(document, auth, None, {})
    assert path.read_bytes() == before
    write(document, share, 0.1, {})
    assert b"delete_share = 0.1  # more than" in path.read_bytes()
    assert backup_of(path).read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(ConfigError, match="by somebody else"):
        write(document, share, 0.3, {})
    assert b"delete_share = 0.1 " in path.read_bytes()


# ---------------------------------------------------------------- the log


def test_a_piece_of_log_is_read_filtered_and_belongs_together() -> None:
    text = (
        "half a line\n2027-03-09T09:17:00Z INFO    run: r-1: hourly began\n"
        "2027-03-09T09:18:00Z ERROR   console: unexpected\n    Traceback (most recent call last):\n"
    )
    found = entries(text)
    assert [(entry.level, entry.first) for entry in found] == [("INFO", True), ("ERROR", True), ("ERROR", False)]
    assert [passes(entry, "", "WARNING") for entry in found] == [False, True, True]
    assert [passes(entry, "hourly", "INFO") for entry in found] == [True, False, False]
    assert [passes(entry, "!hourly", "INFO") for entry in found] == [False, True, True]


def test_no_two_keys_everywhere_share_a_letter() -> None:
    names = [name for key in KEYS if "everywhere" in key.where for name in key.keys]
    assert len(names) == len(set(names))


def test_a_pause_is_no_alert_and_a_lock_is_one() -> None:
    view = eight_campaigns()[0]
    quiet = replace(view, warnings=())

    def told(**more: object) -> list[str]:
        before, after = (
            Shared("acme", "writes", NOW, campaigns=(each,), loaded=True) for each in (quiet, replace(quiet, **more))
        )
        return [alert.text for alert in alerts(before, after)]

    assert told(paused="cleaning up", warnings=(Warned("paused", "Timers leave it out: cleaning up."),)) == []
    assert told(locked="counts differ", warnings=(Warned("locked", "Locked: counts differ."),)) == [
        "Spring launch 2027 is locked: counts differ"
    ]
    assert told(warnings=(Warned("drifted", "4 rows moved."),)) == ["Spring launch 2027: 4 rows moved."]
