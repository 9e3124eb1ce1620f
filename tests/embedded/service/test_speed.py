"""The figures that clients are promised, in processor seconds of client and service; not part of the quick run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.embedded.service.conftest import CAMPAIGN, House

pytestmark = pytest.mark.slow


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    answer = act()
    return time.process_time() - start, answer


def test_batches_pages_and_sends_are_quick(make: Callable[..., House], upsert: Callable[..., Any]) -> None:
    house = make(audience_speed=1)
    house.put_campaign()
    house.ready(house.editions()[0])
    for half in range(2):
        rows = [upsert(f"00Q{half}{i:05d}") for i in range(5000)]
        seconds, outcomes = timed(lambda rows=rows: house.batch(rows))  # type: ignore[misc]
        assert {o["outcome"] for o in outcomes} == {"created"}
        assert seconds < 1
    seconds, page = timed(lambda: house.get(f"/v1/campaigns/{CAMPAIGN}/members?limit=10000"))
    assert len(page["items"]) == 10_000
    assert seconds < 0.5
    prepared = house.prepare()
    seconds, result = timed(lambda: house.release(prepared))
    assert result["sent"] == 5000
    assert seconds < 10
    house.clock.advance(80 * 3600)
    seconds, _ = timed(lambda: house.get(f"/v1/campaigns/{CAMPAIGN}"))
    assert seconds < 5
