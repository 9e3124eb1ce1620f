"""The command table, the parser on it, and what ``--help`` costs."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from console.cli.parser import parse
from console.cli.table import BY_NAME, COMMANDS, COMMON, Command, usage
from sync.errors import UsageError

HEAVY = ("textual", "rich", "sqlalchemy", "alembic", "httpx", "simple_salesforce", "requests", "starlette", "uvicorn")


def sample(command: Command) -> list[str]:
    """A value for each positional argument and option that *command* needs."""
    needed = [item for item in command.arguments if not item.is_option and item.count in ("", "+")]
    words = [item.choices[0] if item.choices else f"a {item.name.lower()}" for item in needed]
    return words + [word for item in command.arguments if item.required for word in (item.name, "some text")]


COMMON_WORDS = [
    ["--config", "some.toml"],
    ["--config=some.toml"],
    ["--org", "acme"],
    ["--json"],
    ["--yes"],
    ["--read-only"],
    ["--no-mouse"],
    ["--config", "some.toml", "--org", "acme", "--json", "--yes", "--read-only", "--no-mouse"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name or "console")
@pytest.mark.parametrize("common", COMMON_WORDS, ids=" ".join)
def test_common_options_stand_before_or_after(command: Command, common: list[str]) -> None:
    own = [*command.name.split(), *sample(command)]
    before, after = vars(parse([*common, *own])), vars(parse([*own, *common]))
    assert before == after
    assert before["command"] is command
    for option in COMMON:
        given = any(word.partition("=")[0] == option.name for word in common)
        assert bool(before[option.dest]) is given


@pytest.mark.parametrize("second", ["pause", "resume"])
@pytest.mark.parametrize("common", COMMON_WORDS, ids=" ".join)
def test_common_options_stand_between_the_words_of_a_command(second: str, common: list[str]) -> None:
    between = parse(["schedule", *common, second, "--note", "pause"])
    assert vars(between) == vars(parse([*common, "schedule", second, "--note", "pause"]))
    assert between.command.name == f"schedule {second}"
    assert parse(["schedule", *common]).command.name == "schedule"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name or "console")
def test_every_handler_exists_and_help_names_every_argument(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    module, function = command.handler.split(":")
    assert callable(getattr(import_module(module), function))
    with pytest.raises(SystemExit) as stop:
        parse([*command.name.split(), "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for argument in (*COMMON, *command.arguments):
        assert (argument.name if argument.is_option or not argument.choices else argument.choices[0]) in text
    assert usage(command).startswith(command.name)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["synk"], "'sync'"),
        (["shedule"], "'schedule'"),
        (["sync", "X", "--jsn"], "'--json'"),
        (["batch", "hourly", "--simulat"], "'--simulate'"),
        (["batch", "weekly"], "weekly"),
        (["sync"], "CAMPAIGN"),
        (["members", "X", "--config"], "--config"),
        (["limits", "surplus"], "'surplus'"),
        (["sandbox", "--members", "many"], "whole number"),
        (["sandbox", "--members", "-3"], "-3"),
        (["edition", "X", "1", "--active", "perhaps"], "perhaps"),
        # Abbreviations would change meaning when an option is added.
        (["batch", "hourly", "--sim"], "'--sim'"),
    ],
)
def test_wrong_words_say_what_and_the_nearest(words: list[str], expected: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(words)
    assert expected in error.value.line()
    assert error.value.exit_code == 2


def test_wrong_words_end_with_two_one_line_and_nothing_on_standard_output() -> None:
    done = run(["synk"])
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "'sync'" in done.stderr


def test_commands_of_the_contract_are_in_the_table() -> None:
    expected = {
        "", "demo", "sandbox", "campaigns", "members", "editions", "runs", "limits", "schedule", "schedule pause",
        "schedule resume", "plan", "apply", "new-edition", "sync", "refresh", "edition", "test-send", "batch", "verify",
        "doctor", "init",
    }  # fmt: skip
    assert expected <= set(BY_NAME)


@pytest.mark.parametrize("words", [["--help"], ["sync", "--help"], ["--version"], ["synk"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, json\nfrom console.main import main\ncode = main(sys.argv[1:])\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=30, check=False)
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "argparse" in loaded
    assert loaded.isdisjoint(HEAVY), loaded.intersection(HEAVY)


def test_help_is_quick() -> None:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def seconds(words: list[str]) -> float:
        begin = spent()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
        return spent() - begin

    # The child's own processor time, and the least of several: what other tests do beside it only adds to the work.
    bare = min(seconds(["-c", "pass"]) for _ in range(5))
    helped = min(seconds(["-m", "console.main", "--help"]) for _ in range(5))
    assert helped - bare <= 0.090


def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """``predictive`` with *words*, no terminal on any stream."""
    return subprocess.run(
        [sys.executable, "-m", "console.main", *words],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        **options,
    )
