"""Terminals of the tests, and a state without servers: what can be seen and done without the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import bigstate
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
