"""The values of the planner of calls: what a call holds, what it costs, and the platform's limits behind both.

Pure; imports values only. Made by ``sync.packing``, sent by the org's adapter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sync.cheap import cheap
from sync.model import JobWait
from sync.ports import OrgOperation, OrgWrite

ROWS_PER_COLLECTION = 200
SLOTS_PER_CALL = 5
ROWS_PER_CALL = ROWS_PER_COLLECTION * SLOTS_PER_CALL
CHECKED_PER_CALL = ROWS_PER_COLLECTION * (SLOTS_PER_CALL - 2)
"""Rows with two owners in a call: one slot looks at them before they are written, one reads them back."""

IDS_PER_RETRIEVE = 2_000
ROWS_PER_PAGE = 2_000
LOOK_AHEAD = 6_000
"""Rows that are looked at together; must exceed ``BULK_FROM``."""

EXPECTED_POLLS = 2
"""Polls that a job is expected to take; it may take one fewer or one more."""

BULK_LEAST = 4
"""Create, upload, close and one poll."""

BULK_CALLS = BULK_LEAST - 1 + EXPECTED_POLLS
"""What a job is expected to cost: a second poll, or the failed rows."""

BULK_FROM = BULK_CALLS * ROWS_PER_CALL + 1
"""Rows of one object from which a job is cheaper than Composites."""

ROWS_PER_BATCH = 10_000
"""Rows that the platform works off as one batch of a Bulk job."""

ROWS_PER_JOB = 750_000
"""Most rows of one job: its data may have 100 MB (Bulk API 2.0 guide), and a member's row has some 130 characters at
most."""

MULTIPART_LEAST = 2
"""Create with the data in it, and one poll."""

MULTIPART_CALLS = MULTIPART_LEAST - 1 + EXPECTED_POLLS
"""What a job that is created with its data is expected to cost."""

MULTIPART_FROM = MULTIPART_CALLS * ROWS_PER_CALL + 1
"""Rows of one object from which such a job may be cheaper than Composites."""

MULTIPART_CHARACTERS = 100_000
"""Most characters of CSV in a multipart create (Bulk API 2.0 guide, "Create a Job")."""

ROWS_PER_RESULT = 250_000
"""Rows in a page of a Bulk query's results: some tens of megabytes."""

BULK_READ_FROM = 20_001
"""Rows still to be read from which a Bulk query is no dearer than chained Composites when its first poll succeeds."""

TWO_OWNERS = frozenset({"Status", "HasOptedOutOfEmail"})
"""Fields that a person may have changed since they were read; a Bulk job would overwrite that."""

MEMBER = "CampaignMember"


@cheap
@dataclass(frozen=True, slots=True)
class PackedRow:
    """One record to write; several writes of the same record share it."""

    writes: tuple[OrgWrite, ...]

    @property
    def first(self) -> OrgWrite:
        """The write that says which record it is."""
        return self.writes[0]

    @property
    def checked(self) -> bool:
        """True when a field with two owners must be read before it is written."""
        return any(write.expect for write in self.writes)

    @property
    def values(self) -> dict[str, object]:
        """What is set, later writes over earlier ones."""
        return {name: value for write in self.writes for name, value in write.values.items()}


class Records(Protocol):
    """Records in an order, in memory or not; read as often as wanted."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[PackedRow]: ...


def job_shares(rows: int) -> list[int]:
    """How many rows each of the jobs has that so many rows of one object make."""
    full, rest = divmod(rows, ROWS_PER_JOB)
    return [ROWS_PER_JOB] * full + [rest] * (rest > 0)


@dataclass(frozen=True, slots=True)
class Collection:
    """Up to 200 rows in one slot: updates of any objects, or upserts of one object by one external id."""

    operation: OrgOperation
    rows: tuple[PackedRow, ...]
    sobject: str = ""
    external_field: str = ""


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Two-owner fields of up to 2,000 records of one object, read after the collections of the same call.

    ``reads_back`` and ``reads_ahead`` tell which of the records were just written and which come next.
    """

    sobject: str
    fields: tuple[str, ...]
    reads_back: tuple[str, ...]
    reads_ahead: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids to ask for, each once, what was written first."""
        return tuple(dict.fromkeys((*self.reads_back, *self.reads_ahead)))


@dataclass(frozen=True, slots=True)
class PackedCall:
    """One Composite: *looks* come first, then *collections*, then *retrieves*."""

    collections: tuple[Collection, ...]
    retrieves: tuple[Retrieve, ...] = ()
    looks: tuple[Retrieve, ...] = ()

    @property
    def rows(self) -> tuple[PackedRow, ...]:
        """All rows, in order."""
        return tuple(row for collection in self.collections for row in collection.rows)

    @property
    def writes(self) -> tuple[OrgWrite, ...]:
        """All writes, in order."""
        return tuple(write for row in self.rows for write in row.writes)

    @property
    def cost(self) -> int:
        """Calls it spends."""
        return 1


@dataclass(frozen=True, slots=True)
class BulkJob:
    """One Bulk job: updates of one object by id, never with a field of two owners.

    Attributes:
        multipart: its CSV is short enough to be created, filled and closed by one request.
        batches: of a serial job (the first Bulk API), where they go one after the other because side by side they would
            refuse each other rows.
        again: calls that rows refused by locks are expected to take a second time.
        meeting: rows that meet another batch's lock.
        trial: it finds out how many of those are refused; they go with the serial job that follows.
    """

    sobject: str
    rows: Records
    multipart: bool = False
    batches: int = 0
    again: int = 0
    meeting: int = 0
    trial: bool = False

    @property
    def serial(self) -> bool:
        """Whether its batches go one after the other."""
        return self.batches > 0

    @property
    def started(self) -> int:
        """Calls until the platform works it off."""
        if self.serial:
            return 2 + self.batches
        return 1 if self.multipart else BULK_LEAST - 1


@dataclass(frozen=True, slots=True)
class PackedBulk:
    """Jobs that run at the same time, each on rows of its own; the serial ones after the others."""

    jobs: tuple[BulkJob, ...]

    @property
    def rows(self) -> Iterator[PackedRow]:
        """All rows, in order, one by one."""
        return (row for job in self.jobs for row in job.rows)

    @property
    def writes(self) -> Iterator[OrgWrite]:
        """All writes, in order, one by one."""
        return (write for row in self.rows for write in row.writes)

    @property
    def cost(self) -> int:
        """Calls they are expected to spend: each is looked at once, and one look too many for all of them."""
        return sum(job.started + 1 + job.again for job in self.jobs) + EXPECTED_POLLS - 1


def waits_of(jobs: Iterable[tuple[int, bool]]) -> Iterator[JobWait]:
    """The waits for the jobs of one round, by the rows of each and whether it is serial."""
    given = tuple(jobs)
    if side_by_side := [rows for rows, serial in given if not serial]:
        yield JobWait(max(side_by_side))
    yield from (JobWait(rows, serial) for rows, serial in given if serial)


Packed = PackedCall | PackedBulk
