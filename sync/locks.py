"""What locks cost: how many rows of a Bulk job its own batches refuse each other, and what a second go at them takes.

Pure. The platform works a Bulk API 2.0 job off in batches of 10,000 rows, side by side. A write to a member locks its
campaign, whose roll-ups change with it, so batches of one campaign refuse each other rows. How many is the org's own
matter and is measured: the *share* of the rows that met another batch and were refused. A job of one batch meets
nobody. More rows than that go a second time by the first Bulk API in its serial mode, one batch after the other, where
none refuses another: create, one request a batch, close, poll.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.packed import BULK_CALLS, BULK_FROM, BULK_LEAST, MEMBER, ROWS_PER_BATCH, ROWS_PER_CALL

_SERIAL_FRAME = 3
"""Create, close and one poll."""


@dataclass(frozen=True, slots=True)
class Locks:
    """What is known of the org's locks: ``share`` of the rows that meet another batch of their job and are refused, 0.0
    when nothing is. ``serial``: jobs of several batches go one batch after the other whatever it costs."""

    share: float = 0.0
    serial: bool = False


NO_LOCKS = Locks()


@dataclass(frozen=True, slots=True)
class Way:
    """How a job goes: ``batches`` of a serial one, else 0; calls that refused rows are expected to take ``again``, and
    at the ``worst``, when every row that meets another batch is refused."""

    batches: int
    again: int
    worst: int


def way_of(sobject: str, rows: int, locks: Locks) -> Way:
    """How a job of so many rows of an object goes by what is known of the locks."""
    # Only members have a parent that many of them share and all of them change.
    member = sobject == MEMBER
    share = locks.share if member else 0.0
    if rows > ROWS_PER_BATCH and (locks.serial or serial_is_cheaper(rows, share)):
        return Way(batches_of(rows), 0, 0)
    worst = again_calls(meeting(rows)) if member else 0
    return Way(0, again_calls(expected_refusals(rows, share)), worst)


def batches_of(rows: int) -> int:
    """Batches in which the platform works off a job of so many rows."""
    return -(-rows // ROWS_PER_BATCH)


def meeting(rows: int) -> int:
    """Rows of a parallel job that meet another batch's lock: all but as many as one batch has, which holds it."""
    return max(0, rows - ROWS_PER_BATCH)


def share_of(rows: int, refused: int) -> float | None:
    """The share that a parallel job of so many rows measured; None of a job of one batch, which measures nothing."""
    met = meeting(rows)
    return min(1.0, round(refused / met, 3)) if met else None


def expected_refusals(rows: int, share: float) -> int:
    """Rows of a parallel job that its own batches will refuse."""
    return round(meeting(rows) * share)


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


def serial_is_cheaper(rows: int, share: float) -> bool:
    """Whether a job had better be serial from the start, by what the org's locks are known to refuse."""
    return serial_calls(rows) + 1 < BULK_CALLS + again_calls(expected_refusals(rows, share))
