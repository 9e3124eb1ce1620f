"""One sandbox for a worker's whole session, made on first use; tests take campaigns of their own from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sides import Box


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder without configuration, state or logs."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def box(home: Path) -> Iterator[Box]:
    """Both servers, freshly seeded, nothing synchronized."""
    running = Box.start(home, "--campaigns", "8", "--members", "60", "--seed", "7")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_box(home: Path) -> Iterator[Box]:
    """Servers of this test alone, small."""
    running = Box.start(home, "--campaigns", "3", "--members", "40")
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
