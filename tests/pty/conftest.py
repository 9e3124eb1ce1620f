"""Terminals of the tests, and a state without servers: what can be seen and done without the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import bigstate
from tests.cli.sides import Box
from tests.pty.ground import Ground
from tests.pty.screen import Terminal


@pytest.fixture
def terminal() -> Iterator[Any]:
    """Opens terminals and ends what is left of them."""
    opened: list[Terminal] = []

    def start(*words: str, **options: Any) -> Terminal:
        opened.append(Terminal(*words, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose state holds thirty campaigns; nothing answers at its addresses."""
    return bigstate.make(tmp_path_factory.mktemp("stored"), campaigns=30, members=400)


@pytest.fixture
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A sandbox in step and a configuration for it; for each walk its own, so that none finds what others left."""
    box = Box.start(tmp_path_factory.mktemp("home"), "--campaigns", "2", "--members", "12", "--synced")
    yield Ground.on(box, tmp_path_factory.mktemp("walk"))
    box.stop()
