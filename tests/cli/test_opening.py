"""The console's short way to its first paint: the same options and the same org as the long way, or the long way."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest

from console.cli import opening
from console.cli.interactive import _read
from console.cli.invocation import Invocation
from console.cli.parser import parse
from console.cli.quick import quick
from console.report import HumanReport
from sync.clock import SystemClock

CONFIG = """\
[orgs.{name}]
production = true
read_only = false
[orgs.{name}.salesforce]
instance_url = "https://acme.my.salesforce.com"
auth = "token"
[orgs.{name}.predictive]
base_url = "https://predictive.example.com"
[console]
theme = "light"
bell = true
"""


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--read-only"],
        ["--config", "a.toml", "--org=acme", "--no-mouse"],
        ["--json", "--yes", "--config=x y.toml"],
        ["--org", ""],
    ],
    ids=" ".join,
)
def test_the_short_way_reads_what_the_parser_reads(words: list[str]) -> None:
    short = quick(words)
    assert short is not None
    # The parser also keeps that nobody asked for the version.
    assert {**vars(short), "version": None} == vars(parse(words))


@pytest.mark.parametrize(
    "words",
    [["campaigns"], ["--help"], ["--version"], ["--config"], ["--org", "--json"], ["--json=1"], ["--nonsense"], ["--"]],
    ids=" ".join,
)
def test_everything_else_is_left_to_the_parser(words: list[str]) -> None:
    assert quick(words) is None


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration and a cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(name="acme"), encoding="utf-8")
    return path


def read(config: Path) -> opening.Opening:
    """The long way."""
    options = Namespace(config=str(config), org=None, read_only=False)
    return _read(Invocation(options, lambda: HumanReport(None, None), SystemClock()))  # type: ignore[arg-type]


def test_what_was_read_is_remembered_as_long_as_the_file_is_the_same(config: Path) -> None:
    assert opening.recall(str(config), None) is None
    found = read(config)
    assert (found.org, found.mode, found.dress, found.bell) == ("acme", "PRODUCTION", "predictive-light", True)
    assert opening.recall(str(config), None) == found
    assert opening.recall(str(config), "other") is None
    text = CONFIG.format(name="acme").replace("production = true", "production = false ")
    state = config.stat()
    config.write_text(text, encoding="utf-8")
    os.utime(config, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert opening.recall(str(config), None) is None
    assert read(config).mode == "writes"
    config.unlink()
    assert opening.recall(str(config), None) is None


def test_a_file_that_comes_before_the_remembered_one_counts(config: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.toml"
    found = read(config)
    known = opening.Opening(**{**vars_of(found), "before": opening.before(config, (earlier, config))})
    opening.remember(None, None, known)
    assert opening.recall(None, None) == known
    earlier.write_text("", encoding="utf-8")
    assert opening.recall(None, None) is None


def vars_of(found: opening.Opening) -> dict[str, object]:
    """Its fields."""
    return {name: getattr(found, name) for name in found.__dataclass_fields__}
