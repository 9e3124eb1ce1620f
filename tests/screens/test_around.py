"""Getting around by keys: back and forward, jump letters, copying, other orgs, alerts, settings, log, crash reports."""

from __future__ import annotations

import io
import tomllib
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from console.app import ConsoleApp
from console.cli.crash import keep
from console.outside import Door, Outside
from console.theme import DARK, LIGHT
from sync.model import RunState
from sync.secrets import Secret
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW, eight_campaigns, view
from tests.screens.scenes import console
from tests.screens.waiting import frame, handled, press, settle, until

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"
SIZE = (80, 24)


def text(app: ConsoleApp) -> str:
    return "\n".join(frame(app))


@pytest.mark.slow
async def test_back_and_forward_land_where_one_was() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "down", "enter")
        name = app.shared.campaigns[1].campaign.name
        await press(pilot, "2", "4")
        places = []
        for key in ("[", "[", "[", "[", "]", "]"):
            await press(pilot, key)
            places.append(app.front.PLACE)
        assert places == ["runs", "campaign", "overview", "overview", "campaign", "runs"]
        await press(pilot, "[")
        assert name in text(app)
        await press(pilot, "escape", "]")
        assert app.front.PLACE == "campaign"
        await press(pilot, "escape", "3", "]")
        assert app.front.PLACE == "schedule"
        assert "Nothing lies ahead" in text(app)


async def test_two_keystrokes_reach_any_row_in_sight() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        before = frame(app)
        await press(pilot, ";")
        over = frame(app)
        letters = [line[1] for line in over[4:12]]
        assert letters == list("abcdefgh")
        # Nothing but the letters is painted over.
        assert [line[3:] for line in over] == [line[3:] for line in before]
        await press(pilot, "e")
        assert app.screen.query_one("#grid").cursor == 4  # type: ignore[attr-defined]
        await press(pilot, ";", "escape")
        assert app.screen.query_one("#grid").cursor == 4  # type: ignore[attr-defined]
        assert [line[1] for line in frame(app)[4:12]].count("▸") == 1


async def test_a_copy_is_sent_and_asked_for_again_written_to_a_file(tmp_path: Path) -> None:
    app = console(FakeBackend(), outside=Outside(env={"TERM": "xterm-256color"}, exports=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "Y")
        assert "No terminal confirms" in text(app)
        assert not list(tmp_path.iterdir())
        await press(pilot, "Y")
        (file,) = tmp_path.iterdir()
    assert "Spring launch 2027" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0


async def test_without_a_clipboard_the_copy_is_a_file_at_once(tmp_path: Path) -> None:
    app = console(FakeBackend(), outside=Outside(env={"TERM": "linux"}, exports=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "?", "Y")
        assert "has no clipboard" in text(app)
    (file,) = tmp_path.iterdir()
    assert "Synchronize: Reads both sides" in file.read_text(encoding="utf-8")


def other_org() -> FakeBackend:
    return FakeBackend((view(90, "Autumn fair", "drip", 12, (1, 1, 1, 1, 1), (0.3, 0.1)),))


async def test_another_org_shows_nothing_of_the_one_before() -> None:
    backend = FakeBackend()
    orgs = {
        "acme-production": lambda: Door("acme-production", "writes", backend),
        "acme-test": lambda: Door("acme-test", "read-only", other_org()),
    }
    app = console(backend, outside=Outside(orgs=orgs, env={"TERM": "xterm"}))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "@")
        assert "you are here" in text(app)
        await press(pilot, "b")
        lines = text(app)
        assert "acme-test" in lines.splitlines()[0]
        assert "read-only" in lines.splitlines()[0]
        assert "Autumn fair" in lines
        assert "Spring launch" not in lines
        assert app.front.PLACE == "overview"
        await press(pilot, "n")
        assert "read-only" in text(app)


async def test_an_alert_and_the_answer_to_a_key_stand_beside_each_other() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(60, 24)) as pilot:
        await settle(pilot)
        for first in ("say", "alert"):
            if first == "say":
                app.front.say("Auto-sync is off.", "✔", "good")
            app.front.alert("Spring launch 2027 needs nobody any more, and this is said at some length.", "✔", "good")
            if first != "say":
                app.front.say("Auto-sync is off.", "✔", "good")
            await settle(pilot)
            shown = text(app)
            assert shown.index("✔ Auto-sync is off.") < shown.index("✔ Spring launch 2027 needs nobody any more")
            await press(pilot, "D")
            assert "needs nobody" not in text(app), "the next key takes both away"


async def test_an_alert_is_said_once_and_recovery_too(tmp_path: Path) -> None:
    backend = FakeBackend()
    rung: list[int] = []
    app = console(backend, outside=Outside(bell=True, env={"TERM": "xterm"}, log=tmp_path / "predictive.log"))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        app.bell = lambda: rung.append(1)  # type: ignore[method-assign]
        first, *rest = eight_campaigns()
        backend.views = (replace(first, last_state=RunState.FAILED, last_run=NOW, last_note="no answer"), *rest)
        app.reload()
        await settle(pilot)
        assert "last run failed, no answer" in text(app)
        assert len(rung) == 1
        await press(pilot, "down")
        app.front.say("something else")
        app.reload()
        await settle(pilot)
        assert "no answer" not in text(app).splitlines()[-3]
        backend.views = (replace(first, last_state=RunState.DONE), *rest)
        app.reload()
        await settle(pilot)
        assert "well again" in text(app)
        assert len(rung) == 1
        await press(pilot, "7")
        lines = text(app)
    assert "last run failed" in lines
    assert "well again" in lines


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A configuration file of one's own."""
    path = tmp_path / "config.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def opened(backend: FakeBackend, config: Path) -> ConsoleApp:
    """The console on a configuration."""

    def door() -> Door:
        org = tomllib.loads(config.read_text(encoding="utf-8"))["orgs"]["main"]
        return Door("main", "read-only" if org["read_only"] else "writes", backend)

    env = {"PREDICTIVE_MAIN_PREDICTIVE_TOKEN": "token-of-the-environment"}
    outside = Outside(config=config, orgs={"main": door}, env=env)
    return console(backend, org_name="main", mode="read-only", outside=outside)


@pytest.mark.slow
async def test_a_setting_is_changed_by_keys_and_holds_at_once(configured: Path) -> None:
    app = opened(FakeBackend(), configured)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "8")
        assert "Nothing is written to either side" in text(app)
        await press(pilot, "enter")
        assert "true → false" in text(app)
        await press(pilot, "enter")
        assert b"read_only = true" in configured.read_bytes()
        await press(pilot, "enter", "y")
        assert b"read_only = false\n# Shows a banner" in configured.read_bytes()
        assert "writes" in frame(app)[0]
        await press(pilot, "/", *"hourly_m", "enter", "enter", "backspace", "backspace", *"77", "enter")
        assert "a whole number from 0 to 59" in text(app)
        assert b"hourly_minute = 17" in configured.read_bytes()
        await press(pilot, "enter", "backspace", "backspace", "5", "enter")
        assert b"hourly_minute = 5" in configured.read_bytes()


@pytest.mark.slow
async def test_how_the_console_looks_is_set_and_seen_at_once(configured: Path) -> None:
    app = opened(FakeBackend(), configured)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "8", "/", *"console theme", "enter", "enter")
        assert "16 colours" in text(app)
        await press(pilot, *["backspace"] * 4, *"light", "enter")
        assert app.theme == LIGHT
        assert b'theme = "light"' in configured.read_bytes()
        await press(pilot, "x", "y")
        assert app.theme == DARK
        await press(pilot, "escape", "/", *"bell", "enter", "enter", "y")
        assert app.outside.bell
        assert b"bell = true" in configured.read_bytes()


@pytest.mark.slow
async def test_a_secret_is_typed_unseen_and_never_shown(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The child process that would ask the keyring finds none.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    app = opened(FakeBackend(), configured)
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "8", "/", *"secret of", "enter")
        seen = [text(app)]
        assert "nowhere" in seen[0]
        await press(pilot, "enter", *"hush-hush")
        seen.append(text(app))
        await press(pilot, "enter")
        seen.append(text(app))
        await press(pilot, "escape", "/", *"token", "enter")
        seen.append(text(app))
    assert "environment PREDICTIVE_MAIN_PREDICTIVE_TOKEN" in seen[-1]
    assert not [one for one in seen if "hush" in one or "token-of-the-environment" in one]
    kept = configured.with_name("secrets.toml")
    assert kept.stat().st_mode & 0o077 == 0
    assert tomllib.loads(kept.read_text(encoding="utf-8")) == {"main": {"salesforce": {"client_secret": "hush-hush"}}}


@pytest.mark.slow
async def test_the_log_is_followed_filtered_and_stands_still(tmp_path: Path) -> None:
    log = tmp_path / "predictive.log"
    log.write_text("".join(f"2027-03-09T09:{n:02}:00Z INFO    run: line {n}\n" for n in range(40)), encoding="utf-8")
    app = console(FakeBackend(), outside=Outside(log=log, env={}))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        assert "line 39" in text(app)
        with log.open("a", encoding="utf-8") as stream:
            stream.write("2027-03-09T10:00:00Z ERROR   command: went wrong\n")
        await until(lambda: "went wrong" in text(app), "the new line to be shown")
        await press(pilot, "l", "l")
        assert "line 39" not in text(app)
        assert "1 line of 41" in text(app)
        await press(pilot, "l", "/", *"line 1", "enter", "up")
        assert "standing still" in text(app)
        assert "line 2:" not in text(app)


async def test_a_crash_says_where_its_report_lies_and_tells_no_secret(
    tmp_path: Path,
) -> None:
    env = {"A_TOKEN": "tok-12345678", "TERM": "xterm"}
    app = console(FakeBackend(), outside=Outside(env=env, keep_crash=partial(keep, env=env, folder=tmp_path)))
    secret = Secret("s3cret-of-the-org")

    def boom() -> None:
        local_variable = secret.reveal()
        raise RuntimeError(f"no answer with tok-12345678 and {local_variable}")

    async def breaks_down() -> None:
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            app.call_later(boom)
            await handled(pilot)
            await settle(pilot)

    written = io.StringIO()
    with redirect_stderr(written), pytest.raises(RuntimeError):
        await breaks_down()
    (report,) = tmp_path.iterdir()
    kept = report.read_text(encoding="utf-8")
    said = "".join(written.getvalue().splitlines())
    assert str(report) in said
    assert "that was journalled" in said
    assert "Traceback" not in said
    assert "boom" in kept
    for text_ in (kept, said):
        assert "tok-12345678" not in text_
        assert "s3cret-of-the-org" not in text_


async def test_help_names_the_keys_of_the_list_that_has_the_cursor() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "?", "end")
        lines = text(app)
        await press(pilot, "home")
        assert "   Here" in text(app)
    assert "Where the cursor is" in lines
    assert "↑ k" in lines


@pytest.mark.slow
async def test_the_prompt_completes_and_unknown_words_go_to_the_shells_command() -> None:
    asked: list[Any] = []
    commands = {"runs": lambda words: str(asked.append(tuple(words)) or "one line")}
    app = console(FakeBackend(), commands=commands)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, ":", *"campaign spri", "tab", "enter")
        assert app.front.PLACE == "campaign"
        await press(pilot, ":", *"runs r-7", "enter")
        assert asked == [("r-7",)]
        assert "one line" in text(app)
        await press(pilot, ":", *"sync", "enter")
        assert "sync CAMPAIGN" in text(app)
