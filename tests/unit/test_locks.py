"""What locks cost: what is not known of them costs what was said, and is found out; what is known is foreseen."""

from __future__ import annotations

import pytest

from sync import locks, packing
from sync.locks import Locks, locks_from
from sync.metering import WriteMeter
from sync.model import JobWait, WriteCost
from sync.packed import waits_of
from sync.packing import PackedBulk, cost_of, pack
from sync.ports import OrgOperation, OrgWrite


def markers(count: int, sobject: str = "CampaignMember", *, campaigns: int = 1) -> list[OrgWrite]:
    return [
        OrgWrite(
            f"k{n}",
            sobject,
            OrgOperation.UPDATE,
            {"PAM__Opens__c": n},
            f"701{n * campaigns // count:015d}",
            record_id=f"00v{n:015d}",
        )
        for n in range(count)
    ]


def jobs_of(writes: list[OrgWrite], locks: Locks) -> list[PackedBulk]:
    return [packed for packed in pack(writes, locks=locks) if isinstance(packed, PackedBulk)]


def write_cost(writes: list[OrgWrite], locks: Locks) -> WriteCost:
    """By the meter, which must tell what the packer makes."""
    meter = WriteMeter(locks=locks)
    for write in writes:
        meter.add(write)
    found = meter.cost()
    assert found.expected == cost_of(writes, locks=locks)
    rounds = [[(len(job.rows), job.serial) for job in packed.jobs] for packed in jobs_of(writes, locks)]
    assert found.waits == tuple(wait for each in rounds for wait in waits_of(each))
    return found


def test_a_job_of_one_batch_meets_nobody() -> None:
    assert locks.meeting([10_000]) == 0
    assert locks.share_of(0, 50) is None, "what refused those rows was not the job itself"
    for known in (Locks(), Locks(trial=True), Locks(1.0)):
        assert write_cost(markers(10_000), known)[:3] == (packing.BULK_CALLS, 4, packing.BULK_CALLS)


def test_campaigns_that_a_batch_holds_meet_nobody_however_many_they_are() -> None:
    writes = markers(30_000, campaigns=15)
    for known in (Locks(), Locks(trial=True), Locks(1.0)):
        assert write_cost(writes, known)[:3] == (packing.BULK_CALLS, 4, packing.BULK_CALLS)


def test_of_several_campaigns_those_meet_that_are_larger_than_a_batch() -> None:
    assert locks.meeting([10_000, 12_000, 3_000, 25_000]) == 2_000 + 15_000
    writes = [*markers(15_000, campaigns=3), *(_moved(write) for write in markers(12_000))]
    assert [job.serial for packed in jobs_of(writes, Locks()) for job in packed.jobs] == [True]
    (packed,) = jobs_of(writes, Locks(0.0))
    assert packed.jobs[0].meeting == 2_000
    assert write_cost(writes, Locks(trial=True)).waits == (JobWait(27_000, serial=True),), "no job to find a share by"


def _moved(write: OrgWrite) -> OrgWrite:
    record = f"00w{(write.record_id or '')[3:]}"
    return OrgWrite(f"m{write.key}", write.sobject, write.operation, write.values, "701z", record_id=record)


@pytest.mark.parametrize("rows", [12_000, 20_000, 60_000])
def test_what_is_not_known_goes_one_by_one_and_costs_what_was_said(rows: int) -> None:
    found = write_cost(markers(rows), Locks())
    assert found.expected == found.locked == found.least + 1 == locks.serial_calls(rows) + 1
    assert found.waits == (JobWait(rows, serial=True),)


def test_the_second_such_job_finds_out_by_two_of_its_batches() -> None:
    found = write_cost(markers(100_000), Locks(trial=True))
    assert found.waits == (JobWait(20_000), JobWait(80_000, serial=True))
    without, refused_all = 4 + (3 + 8), 4 + 1 + (3 + 9)
    assert (without + refused_all) / 2 == found.expected, "within one of either"
    assert found.locked == refused_all
    (packed,) = jobs_of(markers(100_000), Locks(trial=True))
    assert [(job.trial, job.meeting) for job in packed.jobs] == [(True, 10_000), (False, 0)]


@pytest.mark.parametrize("rows", [12_000, 20_000])
def test_a_job_without_more_than_a_trial_s_batches_makes_none(rows: int) -> None:
    assert write_cost(markers(rows), Locks(trial=True)).waits == (JobWait(rows, serial=True),)


@pytest.mark.parametrize("known", [Locks(), Locks(trial=True), Locks(0.0), Locks(0.125)])
def test_what_is_known_is_kept_as_text(known: Locks) -> None:
    assert locks_from(known.text) == known


def test_what_a_job_measured_foresees_the_next() -> None:
    refused = 27_000
    share = locks.share_of(90_000, refused)
    assert share == 0.3
    assert locks.expected_refusals(90_000, share) == refused
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
    (packed,) = jobs_of(writes, Locks(share))
    assert packed.jobs[0].serial is serial
    assert write_cost(writes, locks=Locks(share))[:3] == (expected, expected - 1, locked)


def test_side_by_side_stays_where_few_are_refused_or_batches_are_many() -> None:
    def cheaper(rows: int, share: float) -> bool:
        return locks.serial_is_cheaper(rows, rows - 10_000, share)

    chosen = {(n, s): cheaper(n, s) for n, s in ((20_000, 0.3), (100_000, 0.3), (40_000, 0.02))}
    assert chosen == {(20_000, 0.3): True, (100_000, 0.3): False, (40_000, 0.02): False}
    assert not any(cheaper(rows, 0.0) for rows in (10_001, 50_000, 1_000_000))


def test_rows_of_other_objects_share_no_parent_that_they_lock() -> None:
    for known in (Locks(), Locks(1.0)):
        assert write_cost(markers(12_000, "PAM__Email_Edition__c"), known).expected == packing.BULK_CALLS
