"""Two consoles and a worker on one state: processes that look at the last calls at one moment share one budget."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from sync.budget import Ladder, Meter, judge
from sync.ids import CampaignId
from sync.model import RunKind
from sync.store.store import open_store
from tests.house.crowd import at_once

PROCESSES, TRIES, NEEDED, LIMIT = 3, 4, 10, 100
ROOM = 95
"""Calls below the governor's stop."""


def _spend(barrier: Barrier, results: Any, path: str, number: int, protected: bool) -> None:
    granted = 0
    with open_store(path) as store:
        for turn in range(TRIES):
            key = CampaignId(f"701{number:06d}{turn:06d}AAA")
            lease = store.runs.start(RunKind.MANUAL, campaign_id=key)

            def fits(reserved: int, spent: int) -> bool:
                meter = Meter(0, LIMIT, reserved=reserved if protected else 0, spent=spent)
                return judge(NEEDED, meter, Ladder()).passed

            barrier.wait(30)  # all processes look at the same moment
            granted += store.reservations.reserve(lease, NEEDED, fits)
        results.put(granted * NEEDED)
        barrier.wait(30)  # nobody's reservations end before all are counted


@pytest.mark.slow
@pytest.mark.parametrize("protected", [True, pytest.param(False, id="control", marks=pytest.mark.slow)])
def test_processes_share_one_budget(place: str, protected: bool) -> None:
    """The control counts nobody else's reservations: then the same processes are granted more than there is."""
    open_store(place).close()
    granted = sum(at_once(_spend, [(place, number, protected) for number in range(PROCESSES)]))
    if protected:
        assert granted == ROOM // NEEDED * NEEDED
    else:
        assert granted > ROOM
