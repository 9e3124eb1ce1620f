"""A store for each test, in a database that ends with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.clock import ControlledClock
from sync.store.store import Store, open_store
from tests.store.databases import KINDS, empty, shared
from tests.store.made import AT, campaign


@pytest.fixture
def clock() -> ControlledClock:
    made = ControlledClock()
    made.set(AT)
    return made


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, clock: ControlledClock) -> Iterator[Store]:
    with empty(request.param) as url, open_store(url, clock=clock) as made:
        made.campaigns.land([campaign(1), campaign(2)])
        yield made


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """A URL of an empty state that other processes can open, too."""
    with shared(request.param) as url:
        yield url


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same of a database without tables."""
    with shared(request.param, bare=True) as url:
        yield url
