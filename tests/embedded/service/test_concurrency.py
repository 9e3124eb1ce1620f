"""Many clients at once on one database file: nothing is lost, the feed is gapless and in commit order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sync.embedded.service import bodies, feed, members, sending
from tests.embedded.service.conftest import CAMPAIGN, House


def test_writers_readers_and_the_audience_at_once(make: Callable[..., House]) -> None:
    house = make(audience_speed=1000.0)
    house.put_campaign()
    house.ready(house.editions()[0])
    house.add(*(f"00Q{i:03d}" for i in range(100)))
    house.mail_everybody()
    house.clock.advance(3 * 86400)
    service, failures, seen = house.service, [], []
    start = threading.Barrier(6)

    def write(me: int) -> None:
        for i in range(10):
            rows = [
                bodies.BatchRow(
                    "upsert", lead_id=f"00W{me}{i}{j}", fields=bodies.MemberFields(email=f"{me}{i}{j}@e.co")
                )
                for j in range(5)
            ]
            with service.work(f"writer {me}") as work:
                campaign = work.campaign(CAMPAIGN)
                assert campaign is not None
                members.batch(work, campaign, rows)

    def read(_: int) -> None:
        cursor = None
        for _ in range(15):
            with service.read() as conn:
                page = feed.read(conn, cursor, 5000, None)
            seen.append([change.seq for change in page.items])
            cursor = page.next

    def prepare(_: int) -> None:
        for _ in range(5):
            sending.prepare(service, bodies.SendsPrepare())

    def run(act: Callable[[int], None], me: int) -> None:
        start.wait(10)
        try:
            act(me)
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            failures.append(error)

    acts: list[Any] = [write, write, write, read, prepare, prepare]
    threads = [threading.Thread(target=run, args=(act, me)) for me, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    read_in_order = [seq for page in seen for seq in page]
    assert read_in_order == list(range(1, len(read_in_order) + 1))
    everything = house.changes()
    assert [change["seq"] for change in everything] == list(range(1, len(everything) + 1))
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["counts"]["members"] == 250
    assert len(house.members()) == 250
    assert sorted(s["send_id"] for s in _sends(house)) == [f"send_{n:08d}" for n in range(1, 12)]


def _sends(house: House) -> list[Any]:
    return [house.get(f"/v1/sends/send_{n:08d}") for n in range(1, 12)]
