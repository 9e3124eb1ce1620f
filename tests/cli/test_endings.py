"""How a command ends: unexpected errors, signals, readers that go away, questions without anybody to answer."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from console.cli.invocation import run_command
from console.cli.parser import parse
from console.cli.prompt import commands, run
from console.cli.signals import Stopping
from console.cli.table import BY_NAME
from sync.errors import PredictiveError, UsageError
from tests.cli.sides import PREDICTIVE, environment, predictive, spawned


@pytest.mark.parametrize("words", [["limits"], ["sync", "X", "--json"]], ids=["list", "run"])
def test_an_unexpected_error_is_one_line_and_a_file(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SOME_TOKEN", "AttributeError-is-a-secret")
    options = parse(words)
    options.command = replace(options.command, handler="json:no_such_handler")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run_command(options) == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    out, talk = capsys.readouterr()
    assert len(talk.splitlines()) == 1
    assert "internal error AttributeError" in talk
    files = list(tmp_path.rglob("crash-*.txt"))
    assert len(files) == 1
    assert str(files[0]) in talk
    assert "no_such_handler" in files[0].read_text(encoding="utf-8")
    if options.json:
        assert '"type":"summary"' in out.splitlines()[-1]
    else:
        assert out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_the_first_signal_asks_a_run_to_stop(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with Stopping() as stop:
        os.kill(os.getpid(), number)
        assert stop.cancel.wait(5)
        assert stop.seen
    assert signal.getsignal(number) == before
    assert "once more stops at once" in capfd.readouterr().err


def alone(code: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that signals may end."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)


def test_the_second_signal_ends_the_process() -> None:
    code = (
        "import os, signal\nfrom console.cli.signals import Stopping\n"
        "with Stopping() as stop:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    stop.cancel.wait(5)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    print('still here')"
    )
    done = alone(code)
    assert (done.returncode, done.stdout) == (130, "")


def test_the_second_signal_ends_a_process_whose_main_thread_hears_none() -> None:
    """It may begin to wait for an answer just when the signal comes, and hears it when the answer is there."""
    code = (
        "import os, signal, threading, time\nfrom console.cli.signals import Stopping\n"
        "def press():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    stop.cancel.wait(5)\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "with Stopping(quiet=True) as stop:\n"
        "    signal.signal(signal.SIGINT, lambda *_: None)\n"
        "    threading.Thread(target=press).start()\n    time.sleep(60)"
    )
    done = alone(code)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PREDICTIVE, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(20)


@pytest.mark.skipif(not Path("/proc").exists(), reason="a folder that takes no file is Linux's")
@pytest.mark.parametrize("words", [("init", "--config", "/proc/no/c.toml"), ("init", "--metadata", "/proc/no")])
def test_a_place_that_cannot_be_written_comes_with_a_remedy(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = spawned(*words, home=tmp_path)
    assert (told.code, len(told.talk.splitlines())) == (2, 1)
    assert "check that its folder exists" in told.talk


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_said_and_is_no_success(tmp_path: Path, unbuffered: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*PREDICTIVE, "init", "--config", str(tmp_path / "c.toml")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path) | {"PYTHONUNBUFFERED": unbuffered},
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_full_disk_is_said_to_whoever_reads_lines_too(tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*PREDICTIVE, "--json", "init", "--config", str(tmp_path / "c.toml")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_a_state_on_a_full_disk_is_said_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import console.cli.reads

    def limits(_: object) -> int:
        with sqlite3.connect(tmp_path / "s.db") as conn:
            conn.execute("PRAGMA max_page_count=1")
            conn.execute("CREATE TABLE t (a)")
        return 0

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(console.cli.reads, "limits", limits)
    assert run_command(parse(["limits"])) == 1
    told = capsys.readouterr().err
    assert "is full" in told
    assert "free some space" in told
    assert "internal error" not in told


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_error(tmp_path: Path, closed: str) -> None:
    line = f"{shlex.join(PREDICTIVE)} init --config {shlex.quote(str(tmp_path / 'c.toml'))} {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment(tmp_path), check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert (tmp_path / "c.toml").exists()


def test_an_encoding_without_glyphs_is_no_error(tmp_path: Path) -> None:
    told = spawned("--help", home=tmp_path, PYTHONIOENCODING="ascii")
    assert told.code == 0
    assert "new-edition" in told.out


def test_doctor_works_without_a_configuration(tmp_path: Path) -> None:
    told = predictive("doctor", home=tmp_path)
    assert told.code == 2
    assert "predictive-console" in told.out
    assert "predictive init" in told.out
    assert told.talk == ""


@pytest.mark.slow
def test_init_writes_a_configuration_that_can_be_read_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert predictive("init", "--config", str(path), home=tmp_path).code == 0
    written = path.read_bytes()
    told = predictive("doctor", "--config", str(path), home=tmp_path)
    assert "configuration" in told.out
    assert "read-only" in told.out
    again = predictive("init", "--config", str(path), home=tmp_path)
    assert (again.code, len(again.talk.splitlines())) == (2, 1)
    assert path.read_bytes() == written


def test_init_writes_the_org_s_fields_as_source_into_a_new_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    told = predictive("init", "--metadata", str(folder), home=tmp_path)
    assert (told.code, str(folder) in told.out) == (0, True), told.talk
    assert (folder / "manifest" / "package.xml").is_file()
    again = predictive("init", "--metadata", str(folder), home=tmp_path)
    assert (again.code, len(again.talk.splitlines())) == (2, 1)


def test_migrate_says_from_which_revision_to_which(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    assert predictive("init", "--config", str(config), home=tmp_path).code == 0
    first, second = (predictive("migrate", "--config", str(config), "--json", home=tmp_path).lines[1] for _ in range(2))
    assert (first["type"], first["from"], second["from"]) == ("migrated", None, first["to"])
    assert second["to"] == first["to"]


def test_the_colon_prompt_offers_what_needs_no_question() -> None:
    offered = commands(parse(["--config", "none.toml", "--read-only"]))
    assert {"campaigns", "members", "limits", "plan", "verify", "doctor", "schedule pause"} <= set(offered)
    assert set(offered).isdisjoint({"sync", "apply", "batch", "new-edition", "demo", "sandbox", ""})
    assert set(offered) <= set(BY_NAME)
    # A failure is an error, so that the console does not show it as done.
    with pytest.raises(PredictiveError, match="cannot be read"):
        offered["limits"]([])
    with pytest.raises(UsageError, match="'--json'"):
        run(["limits", "--jso"])
    with pytest.raises(UsageError, match="help is for the shell"):
        run(["limits", "--help"])
