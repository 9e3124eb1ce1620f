"""Fixtures of the screens' tests: no animation, no colour setting of the machine, and frames compared as SVG."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TEXTUAL_FPS", "500")  # read once, at Textual's import: tests need not wait for a frame's time

from collections.abc import Callable

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion

from console.app import ConsoleApp
from tests.screens.scenes import plain_home


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same terminal everywhere."""
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    plain_home(monkeypatch.setenv)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def same_picture(snapshot: SnapshotAssertion) -> Callable[[ConsoleApp], None]:
    """Compare what is on screen with the picture that is kept."""

    def compare(app: ConsoleApp) -> None:
        picture = app.export_screenshot(simplify=True)
        assert picture == snapshot.use_extension(SVGImageExtension)

    return compare


def pytest_configure(config: pytest.Config) -> None:
    """Pictures are made by one Python only: another may order glyphs of the same frame differently."""
    if config.getoption("update_snapshots", default=False) and sys.version_info[:2] != (3, 11):
        raise pytest.UsageError("pictures are made with Python 3.11 only")
