"""One pair of servers for all tests of the engine; a world with a state of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.embedded.process import EmbeddedServers, start_embedded
from tests.engine.world import World


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    with start_embedded(campaigns=1, members=5, audience_speed=0) as running:
        yield running


@pytest.fixture
def world(servers: EmbeddedServers, tmp_path: Path) -> Iterator[World]:
    yield World(servers, tmp_path)
    servers.control("DELETE", "/faults")
