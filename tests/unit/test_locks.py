"""What locks cost: expected from the share that the org was measured to refuse, and bounded."""

from __future__ import annotations

import pytest

from sync import locks, packing
from sync.locks import Locks
from sync.metering import WriteMeter
from sync.model import WriteCost
from sync.packing import PackedBulk, cost_of, pack
from sync.ports import OrgOperation, OrgWrite


def markers(count: int, sobject: str = "CampaignMember") -> list[OrgWrite]:
    return [
        OrgWrite(f"k{n}", sobject, OrgOperation.UPDATE, {"PAM__Opens__c": n}, record_id=f"00v{n:015d}")
        for n in range(count)
    ]


def write_cost(writes: list[OrgWrite], locks: Locks) -> WriteCost:
    """By the meter, which must tell what the packer makes."""
    meter = WriteMeter(locks=locks)
    for write in writes:
        meter.add(write)
    found = meter.cost()
    assert found.expected == cost_of(writes, locks=locks)
    rounds = [packed for packed in pack(writes, locks=locks) if isinstance(packed, PackedBulk)]
    assert found.job_rows == tuple(max(len(job.rows) for job in packed.jobs) for packed in rounds)
    return found


def test_a_job_of_one_batch_meets_nobody() -> None:
    assert locks.expected_refusals(10_000, 1.0) == 0
    assert locks.share_of(10_000, 50) is None, "what refused those rows was not the job itself"
    assert write_cost(markers(10_000), locks=Locks(1.0))[:3] == (packing.BULK_CALLS, 4, packing.BULK_CALLS)


def test_what_a_job_measured_foresees_the_next() -> None:
    refused = 27_000
    share = locks.share_of(100_000, refused)
    assert share == 0.3
    assert locks.expected_refusals(100_000, share) == refused
    assert locks.again_calls(refused) == 1 + 3 + 3, "failed rows; create, close, poll; three batches"


@pytest.mark.parametrize(
    ("rows", "share", "serial", "expected", "locked"),
    [
        (12_000, 0.0, False, 5, 8),  # the second batch's 2,000 rows: failed rows and two Composites
        (12_000, 0.3, True, 6, 6),  # 5 and one to spare for the poll
    ],
)
def test_the_cheaper_way_is_taken(rows: int, share: float, serial: bool, expected: int, locked: int) -> None:
    writes = markers(rows)
    (packed,) = pack(writes, locks=Locks(share))
    assert isinstance(packed, PackedBulk)
    assert packed.jobs[0].serial is serial
    assert write_cost(writes, locks=Locks(share))[:3] == (expected, 4, locked)


def test_side_by_side_stays_where_few_are_refused_or_batches_are_many() -> None:
    chosen = {(n, s): locks.serial_is_cheaper(n, s) for n, s in ((20_000, 0.3), (100_000, 0.3), (40_000, 0.02))}
    assert chosen == {(20_000, 0.3): True, (100_000, 0.3): False, (40_000, 0.02): False}
    assert not any(locks.serial_is_cheaper(rows, 0.0) for rows in (10_001, 50_000, 1_000_000))


def test_rows_of_other_objects_share_no_parent_that_they_lock() -> None:
    assert write_cost(markers(12_000, "PAM__Email_Edition__c"), locks=Locks(1.0)).expected == packing.BULK_CALLS
