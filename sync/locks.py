"""What locks cost: how a Bulk job goes where its own batches would refuse each other rows, and what that takes.

Pure. The platform works a Bulk API 2.0 job off in batches of 10,000 rows, side by side. A write to a member locks its
campaign, whose roll-ups change with it, so batches that hold rows of one campaign refuse each other some of them. Rows
come sorted by campaign; therefore only those of a campaign with more rows than a batch *meet* another batch: all but as
many as one batch has, which holds the lock. How many of them are refused is the org's own matter, cannot be asked, and
is measured: the *share* of the rows that met.

As long as it is not known, such a job goes by the first Bulk API in its serial mode, one batch after the other, where
none refuses another: create, one request a batch, close, poll. That costs what a plan says, whatever the locks do. The
next such job finds the share out by a *trial*: two batches of it go side by side, the others one by one behind them,
together with whatever the trial was refused; so it costs two calls more at most when there are refusals. From then on
each job goes the way that is expected to be the cheapest, and measures anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sync.packed import (
    BULK_CALLS,
    BULK_FROM,
    BULK_LEAST,
    MEMBER,
    ROWS_PER_BATCH,
    ROWS_PER_CALL,
    BulkJob,
    Records,
    job_shares,
)

_SERIAL_FRAME = 3
"""Create, close and one poll."""

TRIAL_ROWS = 2 * ROWS_PER_BATCH
"""Rows of a trial: the fewest of which every row beyond a batch meets another one."""

_TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Locks:
    """What is known of the org's locks.

    Attributes:
        share: of the rows that meet another batch of their job, how many are refused; None as long as it is unknown.
        trial: the share is unknown, and the next job that can is to find it out.
        serial: jobs of several batches go one batch after the other whatever it costs.
    """

    share: float | None = None
    trial: bool = False
    serial: bool = False

    @property
    def text(self) -> str | None:
        """What is known, to be kept; None when nothing is."""
        return _TRIAL if self.trial else None if self.share is None else str(self.share)


NO_LOCKS = Locks()


def locks_from(text: str | None) -> Locks:
    """What was kept as ``Locks.text``."""
    return Locks(trial=True) if text == _TRIAL else Locks(float(text)) if text else NO_LOCKS


@dataclass(frozen=True, slots=True)
class Way:
    """How some of an object's rows go: a job of ``rows``.

    Attributes:
        batches: of a serial job, else 0.
        meeting: rows that meet another batch of it, and may be refused.
        again: calls that refused rows are expected to take. worst: at the most, when every row that meets another
            batch is refused.
        trial: what is refused goes with the job that follows.
    """

    rows: int
    batches: int = 0
    meeting: int = 0
    again: int = 0
    worst: int = 0
    trial: bool = False

    def job(self, sobject: str, rows: Records, *, short: bool) -> BulkJob:
        """The job that goes this way; *short*: its data would fit into the request that creates it."""
        return BulkJob(
            sobject,
            rows,
            multipart=short and not self.batches,
            batches=self.batches,
            again=self.again,
            meeting=self.meeting,
            trial=self.trial,
        )


def ways_of(sobject: str, rows: int, meeting: int, locks: Locks) -> Iterator[Way]:
    """The jobs that so many rows of an object make, by what is known of the locks, in the order of the rows.

    Args:
        sobject: API name.
        rows: of all jobs together. meeting: those of them that meet another batch; see ``meeting``.
        locks: what is known.
    """
    shares = job_shares(rows)
    for count in shares:
        # Only members have a parent that many of them share and all of them change.
        meets = min(meeting, _beyond(count)) if sobject == MEMBER else 0
        if locks.trial and len(shares) == 1 and count > TRIAL_ROWS and meets == _beyond(count):
            # A look to spare is expected anyway; the failed rows, and one batch more, are one call beyond that.
            yield Way(TRIAL_ROWS, meeting=_beyond(TRIAL_ROWS), worst=1, trial=True)
            yield Way(count - TRIAL_ROWS, batches_of(count - TRIAL_ROWS))
        elif _goes_serial(count, meets, locks):
            yield Way(count, batches_of(count))
        else:
            expected = again_calls(expected_refusals(meets, locks.share or 0.0))
            yield Way(count, meeting=meets, again=expected, worst=again_calls(meets))


def _goes_serial(rows: int, meets: int, locks: Locks) -> bool:
    if locks.serial:
        return rows > ROWS_PER_BATCH
    if not meets:
        return False
    return locks.share is None or serial_is_cheaper(rows, meets, locks.share)


def batches_of(rows: int) -> int:
    """Batches in which the platform works off a job of so many rows."""
    return -(-rows // ROWS_PER_BATCH)


def meeting(by_campaign: Iterable[int]) -> int:
    """Rows of a parallel job, sorted by campaign, that meet another batch's lock, by the rows of each campaign."""
    return sum(map(_beyond, by_campaign))


def _beyond(rows: int) -> int:
    """All rows but as many as one batch has."""
    return max(0, rows - ROWS_PER_BATCH)


def share_of(meets: int, refused: int) -> float | None:
    """The share that a parallel job measured; None of a job in which nobody met."""
    return min(1.0, round(refused / meets, 3)) if meets else None


def expected_refusals(meets: int, share: float) -> int:
    """Rows of a parallel job that its own batches will refuse."""
    return round(meets * share)


def serial_calls(rows: int) -> int:
    """Calls of a serial job without failures whose end the first poll sees."""
    return _SERIAL_FRAME + batches_of(rows)


def again_calls(refused: int) -> int:
    """Calls of the second go: which rows were refused, then those rows on the cheapest way where they meet nobody."""
    if not refused:
        return 0
    if refused < BULK_FROM:
        return 1 + -(-refused // ROWS_PER_CALL)
    return 1 + (BULK_LEAST if refused <= ROWS_PER_BATCH else serial_calls(refused))


def least_job_calls(rows: int, meets: int, locks: Locks) -> int:
    """The fewest calls of a job by which any engine could be sure to write so many rows, by what is known of the locks;
    *meets* of them meet another batch when it is parallel."""
    if not meets:
        return BULK_LEAST
    if locks.share is None:
        return serial_calls(rows)
    return min(serial_calls(rows), BULK_LEAST + again_calls(expected_refusals(meets, locks.share)))


def serial_is_cheaper(rows: int, meets: int, share: float) -> bool:
    """Whether a job had better be serial from the start, by what the org's locks are known to refuse."""
    return serial_calls(rows) + 1 < BULK_CALLS + again_calls(expected_refusals(meets, share))
