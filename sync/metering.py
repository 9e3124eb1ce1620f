"""What writing a stream of records will cost, found while they pass; none of them is kept.

Pure; imports the planner of calls and runs its own steps over counts instead of rows: a record waits as one of its
kind, for a plan's memory must not grow with what it writes. Each record comes once, with all that is written to it;
then the figure is the number of calls that ``sync.packing.pack`` makes of the same records.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace

from sync.bulk_csv import Size, row_cells
from sync.locks import NO_LOCKS, Locks, least_job_calls, meeting, ways_of
from sync.model import JobWait, WriteCost
from sync.packed import (
    BULK_FROM,
    LOOK_AHEAD,
    MEMBER,
    MULTIPART_CALLS,
    MULTIPART_CHARACTERS,
    MULTIPART_FROM,
    BulkJob,
    PackedBulk,
    PackedRow,
    waits_of,
)
from sync.packing import Lanes, Number, compose, composites_left, least_write_calls, target_of
from sync.ports import OrgOperation, OrgWrite

_Shape = tuple[tuple[str, ...], int, str]
"""The names that a row sets, the length of its cells, and its campaign."""


class _Counted(Number):
    """Records of one kind, with what tells how long their CSV is."""

    __slots__ = ("_campaigns", "_shapes", "_size")

    def __init__(self) -> None:
        super().__init__()
        self._campaigns: Counter[str] = Counter()
        self._shapes: deque[_Shape] = deque()
        self._size: Size | None = None

    def put(self, write: OrgWrite) -> None:
        """One more; of an update that a job could take it is kept how long it is."""
        if self.like is None:
            self.like = PackedRow((replace(write, key="", values={}),))
        self.count += 1
        if self._size is not None:
            self._size.add(write.record_id or "", write.values)
            self._campaigns[write.campaign_id] += 1
        elif write.operation is OrgOperation.UPDATE and not write.expect:
            cells = row_cells(write.record_id or "", write.values)
            self._shapes.append((tuple(write.values), cells, write.campaign_id))

    def take(self, most: int) -> list[PackedRow]:
        """See ``Lane``."""
        rows = super().take(most)
        for _ in range(min(len(rows), len(self._shapes))):
            self._shapes.popleft()
        return rows

    def sum_up(self) -> None:
        """All of them go into a job, and all that are still to come: their lengths need no longer be kept apart."""
        if self._size is None:
            self._size = self._summed()
            self._campaigns.update(campaign_id for _, _, campaign_id in self._shapes)
            self._shapes.clear()

    @property
    def meets(self) -> int:
        """Of its records, which are summed up, those that meet another batch when all of them go as one job."""
        return meeting(self._campaigns.values())

    @property
    def short(self) -> bool:
        """True when the CSV of all of them may ride in the request that creates the job."""
        return (self._size or self._summed()).characters <= MULTIPART_CHARACTERS

    def _summed(self) -> Size:
        size = Size(MULTIPART_CHARACTERS)
        for names, cells, _ in self._shapes:
            size.add_row(names, cells)
        return size


class WriteMeter:
    """Counts calls. Feed it with :meth:`add`, then ask for :meth:`cost` once.

    Args:
        bulk: False keeps everything in Composites.
        locks: decides how jobs of several batches go.
    """

    def __init__(self, *, bulk: bool = True, locks: Locks = NO_LOCKS) -> None:
        self._bulk = bulk
        self._locks = locks
        self._worse = 0
        self._lanes = Lanes(_Counted)
        self._draining = False
        self._current: list[PackedRow] = []
        self._calls = 0
        self._waits: list[JobWait] = []
        self._checked = self._plain = self._jobless = 0
        self._members: Counter[str] = Counter()
        self._job = Size(MULTIPART_CHARACTERS)

    def add(self, write: OrgWrite) -> None:
        """One record.

        Raises:
            ValueError: the write names no record.
        """
        target_of(write)
        lane = self._lanes.lane_of(write)
        lane.put(write)
        takes_job = lane is self._lanes.updates.get(write.sobject)
        self._checked += bool(write.expect)
        self._plain += not write.expect
        self._jobless += not write.expect and not takes_job
        if takes_job:
            self._job.add(write.record_id or "", write.values)
            if write.sobject == MEMBER:
                self._members[write.campaign_id] += 1
            if self._draining and lane.count >= BULK_FROM:
                lane.sum_up()
        while not self._draining and self._lanes.count >= LOOK_AHEAD:
            if self._bulk and not self._current and self._lanes.worth_a_job():
                self._drain()
            else:
                self._step()

    def cost(self) -> WriteCost:
        """Calls that writing everything spends when every answer comes and locks refuse what they are known to refuse
        (a Bulk job: within one)."""
        self._lanes.exhausted = True
        while self._current or self._lanes.count:
            if self._bulk and not self._current and self._jobs():
                continue
            self._step()
        least = least_write_calls(
            self._checked,
            self._plain,
            self._jobless,
            self._job.characters,
            bulk=self._bulk,
            job_calls=least_job_calls(self._members.total(), meeting(self._members.values()), self._locks),
        )
        return WriteCost(self._calls, least, self._calls + self._worse, tuple(self._waits))

    def _step(self) -> None:
        call, self._current = compose(self._lanes, self._current)
        self._calls += call.cost

    def _drain(self) -> None:
        """A job will be made: from here on the rest is only counted, because a job takes what is still to come."""
        self._draining = True
        for lane in self._lanes.updates.values():
            if lane.count >= BULK_FROM:
                lane.sum_up()

    def _jobs(self) -> bool:
        """Make the jobs that the packer would make now."""
        big = [(name, lane) for name, lane in self._lanes.updates.items() if lane.count >= BULK_FROM]
        for _, lane in big:
            lane.sum_up()
        shaped = [(job, rows) for name, lane in big for job, rows in self._big(name, lane)]
        self._waits += waits_of((rows, job.serial) for job, rows in shaped)
        jobs = tuple(job for job, _ in shaped)
        for _, lane in big:
            lane.take(lane.count)
        if not jobs:
            jobs = self._short_job()
        self._calls += PackedBulk(jobs).cost if jobs else 0
        return bool(jobs)

    def _big(self, name: str, lane: _Counted) -> Iterator[tuple[BulkJob, int]]:
        """The jobs of an object, and how many rows each has."""
        for way in ways_of(name, lane.count, lane.meets, self._locks):
            self._worse += way.worst - way.again
            yield way.job(name, (), short=way.rows == lane.count and lane.short), way.rows

    def _short_job(self) -> tuple[BulkJob, ...]:
        for name, lane in self._lanes.updates.items():
            if lane.count < MULTIPART_FROM:
                continue
            saved = composites_left(self._lanes) - composites_left(self._lanes, without=lane)
            if saved <= MULTIPART_CALLS or not lane.short:
                continue
            self._waits.append(JobWait(lane.count))
            lane.take(lane.count)
            return (BulkJob(name, (), multipart=True),)
        return ()
