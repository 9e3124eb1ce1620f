"""The planner of calls: rows to write in, requests with their cost out.

Pure; imports the ports' values only. A call is one Composite: at most five collections or queries, at most 200 rows
a collection, at most 2,000 ids a retrieve (Salesforce REST guide, "sObject Collections", "Composite"). The whole
Composite counts as one call of the org's daily limit, so the art is to leave no slot empty:

* Rows without ``expect`` go into any free slot, full collections first.
* Rows with ``expect`` (fields with two owners) are read in the call *before* the one that writes them, so that nothing
  is overwritten but what changed within one round trip. One retrieve serves twice: it follows the writes of its own
  call, so it reads back what batch k became and, with the same ids list, what batch k+1 is about to change. Another one
  stands before the writes of member rows: what it sees is what is written over, so a change made within that round
  trip is found and reported.
* Very many rows of one object without ``expect`` leave Composite for one Bulk API 2.0 job, in one request with its data
  where the CSV is short enough. A field with two owners never goes there: a job reads nothing before it writes.

The packer reads its rows as a stream with a look-ahead, and puts what waits beyond that on a shelf that the caller
gives, a file for example; therefore memory does not grow with a plan. It is
deterministic, therefore the cost that it predicts is the number of calls it makes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from sync.bulk_csv import characters
from sync.locks import NO_LOCKS, Locks, meeting, ways_of
from sync.packed import (
    BULK_CALLS,
    BULK_FROM,
    BULK_LEAST,
    BULK_READ_FROM,
    CHECKED_PER_CALL,
    EXPECTED_POLLS,
    IDS_PER_RETRIEVE,
    LOOK_AHEAD,
    MEMBER,
    MULTIPART_CALLS,
    MULTIPART_CHARACTERS,
    MULTIPART_FROM,
    MULTIPART_LEAST,
    ROWS_PER_BATCH,
    ROWS_PER_CALL,
    ROWS_PER_COLLECTION,
    ROWS_PER_PAGE,
    ROWS_PER_RESULT,
    SLOTS_PER_CALL,
    TWO_OWNERS,
    BulkJob,
    Collection,
    Packed,
    PackedBulk,
    PackedCall,
    PackedRow,
    Records,
    Retrieve,
)
from sync.ports import OrgOperation, OrgWrite

__all__ = [
    "BULK_CALLS",
    "BULK_FROM",
    "BULK_LEAST",
    "BULK_READ_FROM",
    "CHECKED_PER_CALL",
    "EXPECTED_POLLS",
    "IDS_PER_RETRIEVE",
    "LOOK_AHEAD",
    "MEMBER",
    "MULTIPART_CALLS",
    "MULTIPART_CHARACTERS",
    "MULTIPART_FROM",
    "MULTIPART_LEAST",
    "ROWS_PER_BATCH",
    "ROWS_PER_CALL",
    "ROWS_PER_COLLECTION",
    "ROWS_PER_PAGE",
    "ROWS_PER_RESULT",
    "SLOTS_PER_CALL",
    "TWO_OWNERS",
    "BulkJob",
    "Collection",
    "Lane",
    "Lanes",
    "Number",
    "Packed",
    "PackedBulk",
    "PackedCall",
    "PackedRow",
    "Records",
    "Retrieve",
    "Shelf",
    "Target",
    "bulk_read_calls",
    "compose",
    "composite_read_calls",
    "composites_left",
    "cost_of",
    "id_read_calls",
    "least_read_calls",
    "least_write_calls",
    "pack",
    "read_calls",
    "rest_calls",
    "target_of",
]

Target = tuple[str, str, str]


def target_of(write: OrgWrite) -> Target:
    """The record that a write is for: object, external field or "", id.

    Raises:
        ValueError: the write names no record, or has ``expect`` without a record id.
    """
    if write.operation is OrgOperation.UPDATE:
        if not write.record_id:
            raise ValueError(f"{write.key}: an update needs a record id")
        return (write.sobject, "", write.record_id)
    if not write.external_field or not write.external_id:
        raise ValueError(f"{write.key}: an upsert needs an external id and its field")
    if write.expect:
        raise ValueError(f"{write.key}: an upsert has no record that could be read before")
    return (write.sobject, write.external_field, write.external_id)


class _Pending:
    """A record waiting to be packed; ``gone`` once another entry has taken over its writes."""

    __slots__ = ("gone", "writes")

    def __init__(self, writes: list[OrgWrite]) -> None:
        self.writes = writes
        self.gone = False


class Shelf(Records, Protocol):
    """Where records wait that are too many to be held."""

    def put(self, rows: Iterable[PackedRow]) -> None:
        """Add records at the end."""


class _Held(list[PackedRow]):
    """A shelf in memory."""

    def put(self, rows: Iterable[PackedRow]) -> None:
        """See ``Shelf``."""
        self.extend(rows)


class _Lane:
    """A queue of pending records that knows how many of them are still to be packed. Those that came long ago are on
    a shelf."""

    __slots__ = ("_campaigns", "_new_shelf", "_queue", "_reader", "_shelf", "count")

    def __init__(self, new_shelf: Callable[[], Shelf]) -> None:
        self._queue: deque[_Pending] = deque()
        self._campaigns: Counter[str] = Counter()
        self._new_shelf = new_shelf
        self._shelf: Shelf | None = None
        self._reader: Iterator[PackedRow] | None = None
        self.count = 0

    @property
    def meets(self) -> int:
        """Of its records those that meet another batch when all of them go as one job."""
        return meeting(self._campaigns.values())

    def put(self, pending: _Pending) -> None:
        self._queue.append(pending)
        self.count += 1
        self._campaigns[pending.writes[0].campaign_id] += 1
        if len(self._queue) >= 2 * LOOK_AHEAD and self._reader is None:
            self._shelve(LOOK_AHEAD)

    def drop(self, pending: _Pending) -> None:
        pending.gone = True
        self.count -= 1
        self._campaigns[pending.writes[0].campaign_id] -= 1

    def peek(self) -> Iterator[PackedRow]:
        if self._shelf is not None and self._reader is None:
            yield from self._shelf
        yield from (PackedRow(tuple(pending.writes)) for pending in self._queue if not pending.gone)

    @property
    def like(self) -> PackedRow | None:
        return next(self.peek(), None)

    def take(self, most: int) -> list[PackedRow]:
        rows: list[PackedRow] = []
        if self._shelf is not None:
            if self._reader is None:
                self._reader = iter(self._shelf)
            rows += islice(self._reader, most)
            self.count -= len(rows)
            if len(rows) < most:
                self._shelf = self._reader = None
        while self._queue and len(rows) < most:
            pending = self._queue.popleft()
            if not pending.gone:
                pending.gone = True
                self.count -= 1
                rows.append(PackedRow(tuple(pending.writes)))
        self._campaigns.subtract(row.first.campaign_id for row in rows)
        return rows

    def take_all(self) -> Records:
        """Everything, without holding it."""
        if self._shelf is None or self._reader is not None:
            return tuple(self.take(self.count))
        self._shelve(len(self._queue))
        shelf, self._shelf, self.count = self._shelf, None, 0
        self._campaigns.clear()
        return shelf

    def _shelve(self, most: int) -> None:
        if self._shelf is None:
            self._shelf = self._new_shelf()
        self._shelf.put(self._leaving(most))

    def _leaving(self, most: int) -> Iterator[PackedRow]:
        for _ in range(most):
            pending = self._queue.popleft()
            if not pending.gone:
                # A further write of the record is a record of its own from now on.
                pending.gone = True
                yield PackedRow(tuple(pending.writes))


class Lane(Protocol):
    """Records of one kind, waiting to be packed."""

    count: int

    @property
    def like(self) -> PackedRow | None:
        """One that stands for all of them; may be None when there is none."""

    def take(self, most: int) -> list[PackedRow]:
        """The next *most* of them, or fewer."""


_L = TypeVar("_L", bound=Lane)
_K = TypeVar("_K")


class Lanes(Generic[_L]):
    """Records that wait, sorted by how they may be written.

    Attributes:
        checked: by object, what is read before it is written. upserts: by object and external field.
        shared: by object, plain updates of a field with two owners. updates: by object, the other updates.
        exhausted: nothing more will come.
    """

    def __init__(self, lane: Callable[[], _L]) -> None:
        self._lane = lane
        self.exhausted = False
        self.checked: dict[str, _L] = {}
        self.upserts: dict[tuple[str, str], _L] = {}
        self.shared: dict[str, _L] = {}
        self.updates: dict[str, _L] = {}

    @property
    def count(self) -> int:
        """Records waiting."""
        return sum(lane.count for lanes in (self.checked, self.upserts) for lane in lanes.values()) + self._plain

    @property
    def _plain(self) -> int:
        """Updates waiting that need no reading before."""
        return sum(lane.count for lanes in (self.shared, self.updates) for lane in lanes.values())

    def lane_of(self, write: OrgWrite) -> _L:
        """Where a write belongs."""
        if write.operation is OrgOperation.UPSERT:
            return self._there(self.upserts, (write.sobject, write.external_field or ""))
        if write.expect:
            return self._there(self.checked, write.sobject)
        return self._there(self.shared if TWO_OWNERS & write.values.keys() else self.updates, write.sobject)

    def _there(self, lanes: dict[_K, _L], key: _K) -> _L:
        found = lanes.get(key)
        if found is None:
            found = lanes[key] = self._lane()
        return found

    def next_checked(self, shared: set[str], free: int, most: int) -> list[PackedRow]:
        """Up to *most* checked rows; people before members, because an opt-out is urgent.

        Args:
            shared: objects that are retrieved anyway.
            free: how many further objects may be retrieved.
        """
        rows: list[PackedRow] = []
        for sobject in sorted(self.checked, key=lambda name: (name == MEMBER, name)):
            lane = self.checked[sobject]
            if not lane.count or len(rows) >= most or (sobject not in shared and free == 0):
                continue
            rows += lane.take(most - len(rows))
            free -= sobject not in shared
        return rows

    def next_collections(self, slots: int) -> list[Collection]:
        """Up to *slots* collections of plain rows; a partly filled one only when nothing more can join it."""
        out: list[Collection] = []
        for (sobject, external_field), lane in self.upserts.items():
            while len(out) < slots and self._worth(lane.count):
                rows = tuple(lane.take(ROWS_PER_COLLECTION))
                out.append(Collection(OrgOperation.UPSERT, rows, sobject, external_field))
        while len(out) < slots and self._worth(self._plain):
            out.append(Collection(OrgOperation.UPDATE, tuple(self.next_updates(ROWS_PER_COLLECTION))))
        return out

    def next_updates(self, most: int) -> list[PackedRow]:
        """Up to *most* plain updates, object by object."""
        rows: list[PackedRow] = []
        for lane in (*self.shared.values(), *self.updates.values()):
            rows += lane.take(most - len(rows))
        return rows

    def _worth(self, count: int) -> bool:
        return count > 0 and (self.exhausted or count >= ROWS_PER_COLLECTION)

    def worth_a_job(self) -> bool:
        """True when so many plain updates of an object wait that a job is cheaper."""
        return any(lane.count >= BULK_FROM for lane in self.updates.values())


class _Buffer(Lanes[_Lane]):
    """The look-ahead: rows sorted into lanes, writes of one record put together."""

    def __init__(self, writes: Iterable[OrgWrite], shelf: Callable[[], Shelf]) -> None:
        super().__init__(lambda: _Lane(shelf))
        self._source = iter(writes)
        self._places: dict[Target, tuple[_Pending, _Lane]] = {}

    def fill(self, target: int = LOOK_AHEAD) -> None:
        """Read on until *target* records wait or the source ends."""
        missing = target - self.count
        while missing > 0 and not self.exhausted:
            for _ in range(missing):
                write = next(self._source, None)
                if write is None:
                    self.exhausted = True
                    break
                self._put(write)
            missing = target - self.count

    def drain(self) -> list[tuple[str, int, Records]]:
        """Read the source to its end and hand out, of every object that has enough for a job, its rows and before them
        how many meet another batch."""
        while not self.exhausted:
            self.fill(self.count + LOOK_AHEAD)
            self.forget()
        big = [(name, lane) for name, lane in self.updates.items() if lane.count >= BULK_FROM]
        found = [(name, lane.meets, lane.take_all()) for name, lane in big]
        self.forget()
        return found

    def _put(self, write: OrgWrite) -> None:
        target = target_of(write)
        sobject = write.sobject
        known = self._places.get(target)
        if known is not None and not known[0].gone:
            pending, lane = known
            stays = lane is not self.updates.get(sobject) or not (write.expect or TWO_OWNERS & write.values.keys())
            if stays and (not write.expect or lane is self.checked.get(sobject)):
                pending.writes.append(write)
                return
            lane.drop(pending)
            pending = _Pending([*pending.writes, write])
        else:
            pending = _Pending([write])
        lane = self.lane_of(write)
        lane.put(pending)
        self._places[target] = (pending, lane)

    def forget(self) -> None:
        """Let go of places whose record has been packed."""
        if len(self._places) > 2 * LOOK_AHEAD:
            self._places = {target: place for target, place in self._places.items() if not place[0].gone}

    def short_job(self) -> BulkJob | None:
        """A job created with its data that spends fewer calls than Composites would, if there is one."""
        if not self.exhausted:
            return None
        for sobject, lane in self.updates.items():
            if lane.count < MULTIPART_FROM:
                continue
            if composites_left(self, without=lane) + MULTIPART_CALLS >= composites_left(self):
                continue
            rows = tuple(lane.peek())
            if _fits(rows):
                lane.take(lane.count)
                return BulkJob(sobject, rows, multipart=True)
        return None


class Number:
    """A number of records of one kind, none of them kept apart: as many as another lane holds, or none so far."""

    __slots__ = ("count", "like")

    def __init__(self, lane: Lane | None = None) -> None:
        self.count = lane.count if lane is not None else 0
        self.like = lane.like if lane is not None else None

    def take(self, most: int) -> list[PackedRow]:
        """See ``Lane``."""
        taken = min(most, self.count)
        self.count -= taken
        return [self.like] * taken if self.like is not None else []


def composites_left(lanes: Lanes[_L], *, without: _L | None = None) -> int:
    """Composites that everything which waits would take, but for one lane's records."""
    copy: Lanes[Number] = Lanes(Number)
    copy.checked = {key: Number(lane) for key, lane in lanes.checked.items()}
    copy.upserts = {key: Number(lane) for key, lane in lanes.upserts.items()}
    copy.shared = {key: Number(lane) for key, lane in lanes.shared.items()}
    copy.updates = {key: Number(lane) for key, lane in lanes.updates.items() if lane is not without}
    copy.exhausted = True
    calls = 0
    current: list[PackedRow] = []
    while current or copy.count:
        _, current = compose(copy, current)
        calls += 1
    return calls


def _fits(rows: Records) -> bool:
    """Whether the CSV of a job may ride in the request that creates it."""
    data = ((row.first.record_id or "", row.values) for row in rows)
    return characters(data, MULTIPART_CHARACTERS) <= MULTIPART_CHARACTERS


def pack(
    writes: Iterable[OrgWrite], *, bulk: bool = True, locks: Locks = NO_LOCKS, shelf: Callable[[], Shelf] = _Held
) -> Iterator[Packed]:
    """The calls that write *writes*, in the order in which they must be made.

    Each write is in exactly one call. Rows of one object keep their order; objects that are upserted go in the order
    in which they first appear, so that a parent given before its children arrives before them.

    Args:
        writes: rows, as a stream; a few ``LOOK_AHEAD`` of them are held.
        bulk: False keeps everything in Composites.
        locks: decides how jobs of several batches go.
        shelf: makes a place for the rows of a Bulk job, which wait until all of them are known; by default in memory.

    Raises:
        ValueError: a write names no record.
    """
    buffer = _Buffer(writes, shelf)
    current: list[PackedRow] = []
    while True:
        buffer.fill()
        if bulk and not current:
            if buffer.worth_a_job():
                jobs = (_jobs(name, rows, meets, locks) for name, meets, rows in buffer.drain())
                yield PackedBulk(tuple(chain.from_iterable(jobs)))
                continue
            short = buffer.short_job()
            if short is not None:
                yield PackedBulk((short,))
                continue
        if not current and buffer.count == 0:
            return
        call, current = compose(buffer, current)
        buffer.forget()
        yield call


def _jobs(sobject: str, rows: Records, meets: int, locks: Locks) -> Iterator[BulkJob]:
    start = 0
    for way in ways_of(sobject, len(rows), meets, locks):
        whole = way.rows == len(rows)
        mine = rows if whole else _Part(rows, start, way.rows)
        yield way.job(sobject, mine, short=whole and not way.batches and _fits(rows))
        start += way.rows


class _Part:
    """Some consecutive records of many."""

    def __init__(self, records: Records, start: int, count: int) -> None:
        self._records, self._start, self._count = records, start, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PackedRow]:
        return islice(self._records, self._start, self._start + self._count)


def compose(buffer: Lanes[_L], current: list[PackedRow]) -> tuple[PackedCall, list[PackedRow]]:
    """One Composite: a last look at *current*'s rows, the rows, their read-back, the read-ahead of the next batch, and
    plain rows; and the next batch."""
    needed = -(-len(current) // ROWS_PER_COLLECTION)
    # The platform stores another status than the one sent when it does not know it: members are always read back.
    must_read_back = {MEMBER} if any(row.first.sobject == MEMBER for row in current) else set()
    looks = tuple(_retrieve(sobject, [], current) for sobject in sorted(must_read_back))
    slots = SLOTS_PER_CALL - len(looks)
    upcoming = buffer.next_checked(must_read_back, slots - needed - len(must_read_back), CHECKED_PER_CALL)
    reads = list(dict.fromkeys((*must_read_back, *(row.first.sobject for row in upcoming))))
    collections = _current_collections(buffer, current)
    collections += buffer.next_collections(slots - len(collections) - len(reads))
    spare = slots - len(collections) - len(reads)
    for sobject in dict.fromkeys(row.first.sobject for row in current):
        if spare > 0 and sobject not in reads:
            reads.append(sobject)
            spare -= 1
    retrieves = tuple(_retrieve(sobject, current, upcoming) for sobject in reads)
    return PackedCall(tuple(collections), retrieves, looks), upcoming


def _current_collections(buffer: Lanes[_L], current: list[PackedRow]) -> list[Collection]:
    """*current* in collections of 200, the last one filled up with plain updates."""
    out = []
    for start in range(0, len(current), ROWS_PER_COLLECTION):
        rows = current[start : start + ROWS_PER_COLLECTION]
        if len(rows) < ROWS_PER_COLLECTION:
            rows = rows + buffer.next_updates(ROWS_PER_COLLECTION - len(rows))
        out.append(Collection(OrgOperation.UPDATE, tuple(rows)))
    return out


def _retrieve(sobject: str, current: list[PackedRow], upcoming: list[PackedRow]) -> Retrieve:
    back = [row for row in current if row.first.sobject == sobject]
    ahead = [row for row in upcoming if row.first.sobject == sobject]
    fields = dict.fromkeys(name for row in (*back, *ahead) for write in row.writes for name in write.expect)
    return Retrieve(
        sobject,
        tuple(fields),
        tuple(row.first.record_id or "" for row in back),
        tuple(row.first.record_id or "" for row in ahead),
    )


def cost_of(writes: Iterable[OrgWrite], *, bulk: bool = True, locks: Locks = NO_LOCKS) -> int:
    """Calls that writing *writes* spends when every answer comes and locks refuse what they are known to refuse (a Bulk
    job: within one)."""
    return sum(call.cost for call in pack(writes, bulk=bulk, locks=locks))


def least_write_calls(
    checked: int, plain: int, jobless: int, job_characters: int, *, bulk: bool = True, job_calls: int = BULK_LEAST
) -> int:
    """The fewest calls that any engine could write so many records with.

    A Composite takes 1,000 rows; records with ``expect`` cannot be written by the call that reads them first, and take
    two of its five slots for the last look and the read-back; a Bulk job takes any number of rows without a field of
    two owners for four calls, for two when its data is short, and for more where locks are in its way.

    Args:
        checked: records that are read before they are written. plain: the others.
        jobless: those of the plain ones that no job takes.
        job_characters: CSV of all that a job takes.
        bulk: whether there are jobs.
        job_calls: the fewest that a job with all of these takes.
    """
    if not checked and not plain:
        return 0
    with_reading = 1 + -(-checked // CHECKED_PER_CALL) if checked else 0
    together = max(with_reading, -(-(checked + plain) // ROWS_PER_CALL))
    if not bulk or plain == jobless:
        return together
    beside = max(with_reading, -(-(checked + jobless) // ROWS_PER_CALL))
    return min(together, beside + (MULTIPART_LEAST if job_characters <= MULTIPART_CHARACTERS else job_calls))


def composite_read_calls(rows: int) -> int:
    """Composites of five chained queries that read *rows* rows of 2,000 a page."""
    return -(-rows // (SLOTS_PER_CALL * ROWS_PER_PAGE))


def bulk_read_calls(rows: int) -> int:
    """Calls of a Bulk query: create, one poll and one to spare, and the pages of results."""
    return 3 + max(1, -(-rows // ROWS_PER_RESULT))


def rest_calls(rows: int) -> int:
    """Calls that reading *rows* further rows takes, when it is known how many there are."""
    return bulk_read_calls(rows) if rows >= BULK_READ_FROM else composite_read_calls(rows)


def least_read_calls(rows: int) -> int:
    """The fewest calls that read *rows* further rows: by Composites, or by a Bulk query whose first poll succeeds."""
    return min(composite_read_calls(rows), bulk_read_calls(rows) - 1)


def read_calls(rows: int) -> int:
    """Calls that reading *rows* rows takes from the start: the first Composite tells how many are left."""
    return min(1, rows) + rest_calls(max(0, rows - SLOTS_PER_CALL * ROWS_PER_PAGE))


def id_read_calls(rows: int) -> int:
    """Calls that read *rows* member ids: the first carries the org's count beside four pages."""
    with_count = (SLOTS_PER_CALL - 1) * ROWS_PER_PAGE
    return 1 + rest_calls(max(0, rows - with_count))
