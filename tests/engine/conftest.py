"""One pair of servers and one state for all tests of the engine; the state is emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.clock import ControlledClock
from sync.embedded.process import EmbeddedServers, start_embedded
from sync.store.store import Store, open_store
from tests.engine.world import STATE, World, empty


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    with start_embedded(campaigns=1, members=5, audience_speed=0) as running:
        yield running


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("engine") / STATE) as store:
        yield store


@pytest.fixture
def world(servers: EmbeddedServers, state: Store, tmp_path: Path) -> Iterator[World]:
    clock = ControlledClock()
    empty(state, clock)
    yield World(servers, tmp_path, state, clock=clock)
    servers.control("DELETE", "/faults")
    # The servers are shared: whoever moved their clock leaves the present to the next test.
    servers.control("POST", "/clock", {"at": datetime.now(UTC).isoformat()})
