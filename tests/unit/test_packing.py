"""The planner of calls: what it packs is complete, within the platform's limits, and costs what it says."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import packed, packing
from sync.bulk_csv import Row, as_csv, characters
from sync.metering import WriteMeter
from sync.packing import TWO_OWNERS, PackedBulk, PackedCall, PackedRow, cost_of, pack, target_of
from sync.ports import OrgOperation, OrgWrite
from tests.measured import measured

MARKER = {"PAM__Synced__c": "2026-11-23T01:00:00Z"}


def update(number: int, sobject: str = "CampaignMember", *, checked: bool = False, key: str | None = None) -> OrgWrite:
    name, value = ("Status", "Responded") if sobject == "CampaignMember" else ("HasOptedOutOfEmail", True)
    marked = MARKER if sobject == "CampaignMember" else {name: value}
    return OrgWrite(
        key=key or f"{sobject}-{number}-{checked}",
        sobject=sobject,
        operation=OrgOperation.UPDATE,
        values={name: value} if checked else marked,
        record_id=f"{sobject[:3]}{number:015d}",
        expect={name: "Sent"} if checked else {},
    )


def upsert(number: int, sobject: str) -> OrgWrite:
    return OrgWrite(
        key=f"{sobject}-{number}",
        sobject=sobject,
        operation=OrgOperation.UPSERT,
        values={"PAM__Hits__c": number},
        external_field="PAM__External_Id__c",
        external_id=f"x-{number}",
    )


@st.composite
def workloads(draw: st.DrawFn) -> list[OrgWrite]:
    sizes = draw(
        st.fixed_dictionaries(
            {
                "plain": st.integers(0, 1_900),
                "status": st.integers(0, 1_900),
                "lead": st.integers(0, 250),
                "contact": st.integers(0, 250),
                "edition": st.integers(0, 450),
                "click": st.integers(0, 450),
            }
        )
    )
    overlap = draw(st.booleans())
    rows = [
        *(update(n) for n in range(sizes["plain"])),
        *(update(n if overlap else n + 100_000, checked=True) for n in range(sizes["status"])),
        *(update(n, "Lead", checked=True) for n in range(sizes["lead"])),
        *(update(n, "Contact", checked=True) for n in range(sizes["contact"])),
        *(upsert(n, "PAM__Email_Edition__c") for n in range(sizes["edition"])),
        *(upsert(n, "PAM__Click_Through__c") for n in range(sizes["click"])),
    ]
    random.Random(draw(st.integers(0, 9))).shuffle(rows)
    return rows


def composites(writes: list[OrgWrite]) -> list[PackedCall]:
    calls = list(pack(writes, bulk=False))
    assert all(isinstance(call, PackedCall) for call in calls)
    return [call for call in calls if isinstance(call, PackedCall)]


@settings(max_examples=25, deadline=None)
@given(workloads())
def test_each_write_once_within_the_limits_and_at_the_cost_said(writes: list[OrgWrite]) -> None:
    calls = composites(writes)

    assert Counter(w.key for call in calls for w in call.writes) == Counter(w.key for w in writes)
    for call in calls:
        assert 1 <= len(call.collections) + len(call.retrieves) + len(call.looks) <= 5
        assert all(1 <= len(collection.rows) <= 200 for collection in call.collections)
        assert all(1 <= len(read.ids) <= 2_000 for read in call.retrieves)
        for collection in call.collections:
            operations = {row.first.operation for row in collection.rows}
            assert operations == {collection.operation}
            if collection.operation is OrgOperation.UPSERT:
                assert {row.first.sobject for row in collection.rows} == {collection.sobject}
        targets = [target_of(row.first) for row in call.rows]
        assert len(targets) == len(set(targets)), "one record twice in a call"
    assert cost_of(writes, bulk=False) == len(calls)
    assert measured(WriteMeter(bulk=False), writes)[1] <= len(calls)


@settings(max_examples=15, deadline=None)
@given(workloads())
def test_what_has_two_owners_is_read_in_the_call_before_and_statuses_are_read_back(writes: list[OrgWrite]) -> None:
    before: set[str] = set()
    for call in composites(writes):
        checked = {row.first.record_id or "" for row in call.rows if row.checked}
        assert checked <= before, "written without having been read in the call before"
        statuses = {r.first.record_id for r in call.rows if r.checked and r.first.sobject == "CampaignMember"}
        back = {i for read in call.retrieves for i in read.reads_back}
        assert statuses <= back
        assert statuses <= {i for read in call.looks for i in read.ids}, "written without a last look"
        before = {i for read in call.retrieves for i in read.reads_ahead}
    assert not before


_BIG = st.sampled_from([0, 1, 199, 2_999, 3_100, 4_400, 5_000, 5_001, 6_000, 7_300, 12_001])


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.tuples(_BIG, _BIG, _BIG, _BIG, _BIG), st.booleans(), st.integers(0, 9))
def test_a_meter_says_what_the_packer_makes(sizes: tuple[int, ...], bulk: bool, seed: int) -> None:
    """At every border of a job, in any order, with rows of several objects and lengths."""
    plain, other, checked, shared, edition = sizes
    writes = [
        *levels(plain, "Sent"),
        *(replace(update(n), sobject="Edition__c") for n in range(other)),
        *(update(n + 100_000, checked=True) for n in range(checked)),
        *boxes(shared),
        *(upsert(n, "PAM__Click_Through__c") for n in range(edition)),
    ]
    writes = list({target_of(write): write for write in writes}.values())
    random.Random(seed).shuffle(writes)
    assert measured(WriteMeter(bulk=bulk), writes)[0] == cost_of(writes, bulk=bulk)


@pytest.mark.slow
def test_a_meter_keeps_nothing_of_what_it_counts() -> None:
    def peak(count: int) -> int:
        meter = WriteMeter()
        tracemalloc.start()
        try:
            for number in range(count):
                meter.add(update(number))
                meter.add(update(number + 100_000, checked=True))
            assert meter.cost()[0] > 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(5_000)  # what is made once and kept for all meters
    assert peak(10_000) < peak(5_000) + 200_000


@pytest.mark.parametrize("text", ["", "plain", "a,b", 'say "so"', "two\nlines", " #N/A", "ü"])
def test_the_length_of_a_csv_is_known_without_making_it(text: str) -> None:
    rows: list[Row] = [("1", {"A": text}), ("2", {"B": None, "A": True}), ("3", {}), ("4", {"Odd, name": text})]
    assert characters(rows) == len(as_csv(rows))


@settings(max_examples=15, deadline=None)
@given(workloads())
def test_order_is_kept_within_an_object_and_kind(writes: list[OrgWrite]) -> None:
    targets = Counter(target_of(w) for w in writes)
    alone = [w for w in writes if targets[target_of(w)] == 1]
    placed = {w.key: index for index, w in enumerate(w for call in composites(writes) for w in call.writes)}
    last: dict[tuple[str, bool], int] = {}
    for write in alone:
        lane = (write.sobject, bool(write.expect))
        assert placed[write.key] > last.get(lane, -1)
        last[lane] = placed[write.key]


@pytest.mark.parametrize(
    ("plain", "checked", "calls"),
    [(0, 0, 0), (1, 0, 1), (1_000, 0, 1), (1_001, 0, 2), (0, 1, 2), (0, 600, 2), (0, 601, 3),
     (0, 1_800, 4), (0, 6_000, 11), (800, 600, 2), (801, 600, 3), (4_999, 0, 5)],
)  # fmt: skip
def test_calls_for_members(plain: int, checked: int, calls: int) -> None:
    writes = [*(update(n) for n in range(plain)), *(update(n + 9_000, checked=True) for n in range(checked))]
    assert cost_of(writes) == measured(WriteMeter(), writes)[0] == calls
    assert calls - measured(WriteMeter(), writes)[1] <= 1


def test_a_status_and_a_level_of_one_member_share_a_row() -> None:
    writes = [update(n) for n in range(200)] + [update(n, checked=True) for n in range(200)]
    calls = composites(writes)
    assert [len(call.rows) for call in calls] == [0, 200]
    assert [len(row.writes) for row in calls[1].rows] == [2] * 200


def test_opt_outs_and_statuses_together_cost_two_calls() -> None:
    writes = [
        *(update(n, "Lead", checked=True) for n in range(30)),
        *(update(n, "Contact", checked=True) for n in range(20)),
        *(update(n, checked=True) for n in range(500)),
    ]
    assert len(composites(writes)) == 2


def test_parents_given_first_arrive_first() -> None:
    writes = [w for n in range(50) for w in (upsert(n, "PAM__Email_Edition__c"), upsert(n, "PAM__Click_Through__c"))]
    (call,) = composites(writes)
    assert [c.sobject for c in call.collections] == ["PAM__Email_Edition__c", "PAM__Click_Through__c"]


def test_very_many_rows_without_two_owners_become_one_job() -> None:
    writes = [update(n) for n in range(10_000)] + [update(n + 90_000, checked=True) for n in range(10)]
    job, *rest = pack(writes)
    assert isinstance(job, PackedBulk)
    assert len(list(job.rows)) == 10_000
    assert not any(write.expect for write in job.writes)
    assert cost_of(writes) == measured(WriteMeter(), writes)[0] == packing.BULK_CALLS + len(rest) == 7
    assert measured(WriteMeter(), writes)[1] == 6
    assert cost_of(writes, bulk=False) > cost_of(writes)


class Counted(list[PackedRow]):
    """A shelf that tells how many were put on it."""

    put_there = 0

    def put(self, rows: Iterable[PackedRow]) -> None:
        """See ``Shelf``."""
        before = len(self)
        self.extend(rows)
        Counted.put_there += len(self) - before


@pytest.mark.parametrize("count", [9_000, 12_000, 20_000])
def test_what_waits_for_a_job_is_put_on_the_shelf_and_comes_once_in_its_order(count: int) -> None:
    Counted.put_there = 0
    plain = [update(n) for n in range(count)]
    checked = [update(n + 90_000, checked=True) for n in range(count)]
    first = packing.LOOK_AHEAD
    writes = [*plain[:first], *(one for pair in zip(plain[first:], checked, strict=False) for one in pair)]
    checked = checked[: count - first]
    job, *rest = pack(writes, shelf=Counted)
    assert isinstance(job, PackedBulk)
    assert [write.key for write in job.writes] == [write.key for write in plain]
    assert [write.key for call in rest for write in call.writes] == [write.key for write in checked]
    assert Counted.put_there >= count - 2 * packing.LOOK_AHEAD
    assert measured(WriteMeter(), writes)[0] == cost_of(writes)


@pytest.mark.parametrize("shelf", [packing._Held, Counted])
def test_rows_that_no_job_may_hold_make_several(monkeypatch: pytest.MonkeyPatch, shelf: type[Counted]) -> None:
    """The platform takes 100 MB of data a job."""
    monkeypatch.setattr(packed, "ROWS_PER_JOB", 8_000)
    writes = [update(n) for n in range(20_000)]
    (jobs,) = pack(writes, shelf=shelf)
    assert isinstance(jobs, PackedBulk)
    assert [len(job.rows) for job in jobs.jobs] == [8_000, 8_000, 4_000]
    assert [write.key for write in jobs.writes] == [write.key for write in writes]
    assert measured(WriteMeter(), writes)[0] == cost_of(writes) == jobs.cost


def boxes(count: int) -> list[OrgWrite]:
    return [
        OrgWrite(f"b{n}", "Lead", OrgOperation.UPDATE, {"HasOptedOutOfEmail": True}, record_id=f"00Q{n:015d}")
        for n in range(count)
    ]


def test_a_field_with_two_owners_is_in_no_job_however_many_there_are() -> None:
    statuses = [
        OrgWrite(f"s{n}", "CampaignMember", OrgOperation.UPDATE, {"Status": "Sent"}, record_id=f"00v{n:015d}")
        for n in range(6_000)
    ]
    for writes in (boxes(6_000), statuses, [w for pair in zip(boxes(6_000), statuses, strict=True) for w in pair]):
        assert all(isinstance(call, PackedCall) for call in pack(writes))
        assert cost_of(writes) == measured(WriteMeter(), writes)[1] == -(-len(writes) // 1_000)


def test_a_row_that_gets_a_field_with_two_owners_leaves_the_job() -> None:
    plain = [update(n) for n in range(6_000)]
    late = [replace(one, key=f"late-{one.key}", values={"Status": "Sent"}) for one in plain[:10]]
    for writes in ([*late, *plain], [*plain[:5_990], *late, *plain[5_990:]]):
        jobs = [call for call in pack(writes) if isinstance(call, PackedBulk)]
        assert [len(list(job.rows)) for job in jobs] == [5_990]
        assert not any(TWO_OWNERS & write.values.keys() for job in jobs for write in job.writes)
        assert Counter(w.key for call in pack(writes) for w in call.writes) == Counter(w.key for w in writes)


def levels(count: int, text: str) -> list[OrgWrite]:
    return [
        OrgWrite(f"l{n}", "CampaignMember", OrgOperation.UPDATE, {"L__c": text}, record_id=f"00v{n:015d}")
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "text", "calls", "least"),
    [
        (3_000, "Sent", 3, 2),
        (3_001, "Sent", packing.MULTIPART_CALLS, 2),
        (4_000, "Sent", packing.MULTIPART_CALLS, 2),
        (4_500, "Sent", 4, 4),  # 24 characters a row do not fit any more: one Composite, then a short job
        (3_100, "a text that makes a row long", 4, 4),
        (5_001, "Sent", 5, 4),
    ],
)
def test_short_data_rides_in_the_request_that_creates_the_job(count: int, text: str, calls: int, least: int) -> None:
    writes = levels(count, text)
    packed = list(pack(writes))
    assert cost_of(writes) == measured(WriteMeter(), writes)[0] == calls
    assert measured(WriteMeter(), writes)[1] == min(least, -(-count // 1_000))
    short = [job for call in packed if isinstance(call, PackedBulk) for job in call.jobs if job.multipart]
    assert all(characters((r.first.record_id or "", r.values) for r in job.rows) <= 100_000 for job in short)


def test_rows_that_fit_into_calls_made_anyway_are_no_job() -> None:
    """A job for what rides along would be dearer: the statuses' first call has four free slots."""
    writes = [*levels(3_100, "Sent"), *(update(n + 90_000, checked=True) for n in range(1_400))]
    assert all(isinstance(call, PackedCall) for call in pack(writes))
    assert cost_of(writes) == cost_of(writes, bulk=False) == 6


def test_several_objects_with_very_many_rows_run_as_jobs_side_by_side() -> None:
    markers = [update(n) for n in range(6_000)]
    scores = [replace(one, key=f"x{one.key}", sobject="Edition__c") for one in markers]
    (together,) = pack([*markers, *scores])
    assert isinstance(together, PackedBulk)
    assert sorted(job.sobject for job in together.jobs) == ["CampaignMember", "Edition__c"]
    assert together.cost == 2 * 3 + 2 + 1


def test_a_stream_is_read_only_as_far_as_it_must_be() -> None:
    taken = 0

    def stream() -> object:
        nonlocal taken
        for n in range(30_000):
            taken += 1
            yield upsert(n, "PAM__Click_Through__c")

    first = next(pack(stream()))  # type: ignore[arg-type]
    assert isinstance(first, PackedCall)
    assert len(first.rows) == 1_000
    assert taken == packing.LOOK_AHEAD


@pytest.mark.parametrize(
    ("rows", "calls"),
    [(0, 1), (8_000, 1), (8_001, 2), (18_000, 2), (18_001, 3), (28_000, 3), (28_001, 5), (100_000, 5)],
)
def test_calls_for_ids(rows: int, calls: int) -> None:
    assert packing.id_read_calls(rows) == calls


def test_a_write_without_a_record_is_refused() -> None:
    with pytest.raises(ValueError, match="record id"):
        list(pack([OrgWrite("k", "Lead", OrgOperation.UPDATE, {"HasOptedOutOfEmail": True})]))
