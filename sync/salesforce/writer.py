"""Writing rows: in the calls that ``sync.packing`` plans, read before where two own a field, read back afterwards.

Every row ends in exactly one outcome, told together with those of the batch it was announced in. Locked rows are tried
again up to three times within their batch; a field that the org lacks is left out and listed. Nothing whose fate is
unknown is repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sync.errors import Cancelled, NotWhatItShouldBe, OutcomeUnknown, PredictiveError
from sync.failures import FailureClass, failure_of
from sync.http.calls import Safety
from sync.locks import NO_LOCKS, Locks, share_of
from sync.packing import (
    BulkJob,
    Collection,
    Packed,
    PackedBulk,
    PackedCall,
    PackedRow,
    Records,
    Retrieve,
    pack,
)
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.salesforce import decode
from sync.salesforce.bulk import Bulk, JobRows
from sync.salesforce.composite import WRITE_HEADERS, Answers, Composite, Part, SubReply
from sync.salesforce.decode import id18
from sync.salesforce.errors import LOCKED, NO_FIELD, missing_column, remedy_for
from sync.salesforce.serial import Serial
from sync.salesforce.spill import Shelf
from sync.salesforce.trial import Joined, refused_of, went_again
from sync.salesforce.verdict import Fate, JobRow, Stretch, Verdict, all_rows, split, walk

LOCK_WAITS = (3.0, 6.0, 9.0)
"""Seconds before rows are tried again that were locked or timed out; the platform itself waits about ten for a lock."""

ONE_BY_ONE = Locks(serial=True)
"""Rows that locks refused go a second time in batches that do not meet."""

GONE = "ENTITY_IS_DELETED"

ANNOUNCED = 2_000
"""Rows of a job that are announced, and told, together."""

Before = Callable[[tuple[OrgWrite, ...]], None]
After = Callable[[tuple[OrgWrite, ...], tuple[OrgOutcome, ...]], None]
_T = TypeVar("_T")
Found = dict[tuple[str, str], dict[str, Any] | None]
Outcomes = dict[str, OrgOutcome]


class Passes(Enum):
    """Why a refused row may be tried again: what refused it passes, or the field that the org lacks is left out."""

    LOCK = auto()
    FIELD = auto()


@dataclass(slots=True)
class Again:
    """Writes that may be tried again; ``locked`` when some wait for a lock."""

    writes: list[OrgWrite] = field(default_factory=list)
    locked: bool = False


class Writer:
    """Writes rows to one org.

    Args:
        composite: for calls.
        bulk: for jobs.
        serial: for jobs whose batches go one after the other.
        locks: what is known of the org's locks.
        on_locks: told when a job finds out more of them.
        folder: where the rows of a job wait for their outcome.
    """

    def __init__(
        self,
        composite: Composite,
        bulk: Bulk,
        serial: Serial,
        locks: Locks = NO_LOCKS,
        on_locks: Callable[[Locks], None] = lambda locks: None,
        folder: Path | None = None,
    ) -> None:
        self._shelf = partial(Shelf, folder)
        self._composite = composite
        self._bulk = bulk
        self._serial = serial
        self._on_locks = on_locks
        self.locks = locks
        self.dropped: set[tuple[str, str]] = set()

    def write(
        self, writes: Iterable[OrgWrite], *, before: Before, after: After, cancelled: Callable[[], bool], bulk: bool
    ) -> None:
        """See ``Org.write``."""
        pipeline = _Pipeline(self)
        for packed in pack(writes, bulk=bulk, locks=self.locks, shelf=self._shelf):
            if cancelled():
                raise Cancelled("writing was stopped", left_undone="rows that were not sent yet were left undone")
            if isinstance(packed, PackedBulk):
                self._run_jobs(packed, before, after, bulk=bulk)
                continue
            batch = packed.writes
            outcomes: Outcomes = {}
            if batch:
                before(batch)
            trouble: PredictiveError | None = None
            try:
                again = pipeline.step(packed, outcomes, last=False)
                if again.writes:
                    self._try_again(again.writes, again.locked, outcomes, bulk=bulk)
                    # The waits made what was read ahead old.
                    pipeline = _Pipeline(self)
            except PredictiveError as error:
                trouble = error
            if batch:
                after(batch, tuple(_decided(write, outcomes.get(write.key), trouble) for write in batch))
            if trouble is not None:
                raise trouble

    def _run_jobs(self, packed: PackedBulk, before: Before, after: After, *, bulk: bool) -> None:
        """Jobs of any number of rows; of these nothing is held meanwhile but the keys of those that are tried again."""
        for rows in _together(packed.rows):
            before(_writes(rows))
        verdict, trouble = self.jobs(packed)
        keys: set[str] = set()
        locked = False
        apart = any(stretch.apart or stretch.fate.state == "rejected" for stretch in verdict)
        for row, fate in walk(verdict, packed.rows, _record_id) if apart else ():
            if fate.state == "rejected" and (why := self.passes(row, fate.code, fate.message)):
                keys.add(row.first.key)
                locked = locked or why is Passes.LOCK
        outcomes: Outcomes = {}
        if keys and trouble is None:
            waiting = (write for row in packed.rows if row.first.key in keys for write in row.writes)
            try:
                self._try_again(waiting, locked, outcomes, bulk=bulk)
            except PredictiveError as error:
                trouble = error
        for told in _together(walk(verdict, packed.rows, _record_id)):
            ends = [
                _decided(write, outcomes.get(write.key), trouble) if row.first.key in keys else _end(write, fate)
                for row, fate in told
                for write in row.writes
            ]
            after(_writes([row for row, _ in told]), tuple(ends))
        if trouble is not None:
            raise trouble

    def _try_again(self, waiting: Iterable[OrgWrite], locked: bool, outcomes: Outcomes, *, bulk: bool) -> None:
        for number, wait in enumerate(LOCK_WAITS, 1):
            if locked:
                self._composite.channel.transport.wait(wait)
            pipeline, again = _Pipeline(self), Again()
            for packed in pack(waiting, bulk=bulk, locks=ONE_BY_ONE, shelf=self._shelf):
                left = pipeline.step(packed, outcomes, last=number == len(LOCK_WAITS))
                again.writes += left.writes
                again.locked = again.locked or left.locked
            if not again.writes:
                return
            waiting, locked = again.writes, again.locked

    def passes(self, row: PackedRow, code: str, message: str) -> Passes | None:
        """Why a refused row may be tried again; None when it may not."""
        if failure_of(code).kind is FailureClass.WAIT:
            return Passes.LOCK
        if code != NO_FIELD:
            return None
        column = missing_column(message)
        if column is None or not any(column[1] in write.values for write in row.writes):
            return None
        self.dropped.add((row.first.sobject, column[1]))
        return Passes.FIELD if self.values(row.writes) else None

    # -------------------------------------------------------- what a pipeline needs

    def values(self, writes: Sequence[OrgWrite], *, flat: bool = False) -> dict[str, Any]:
        """The values to send for one record, later writes over earlier ones, dropped names left out; *flat* as a job
        names and takes them."""
        values: dict[str, Any] = {}
        for write in writes:
            for name, value in write.values.items():
                if not name or (write.sobject, name) in self.dropped:
                    continue
                if flat:
                    values[name] = value
                else:
                    _put(values, name, value)
        return values

    def send(self, parts: Sequence[Part], *, writing: bool) -> Answers:
        """One call."""
        return self._composite.send(parts, safety=Safety.WRITE if writing else Safety.READ, resource="write")

    def part(self, reference: str, collection: Collection, rows: Sequence[PackedRow]) -> Part:
        """A collection as a subrequest."""
        records = []
        for row in rows:
            first = row.first
            record: dict[str, Any] = {"attributes": {"type": first.sobject}}
            if collection.operation is OrgOperation.UPDATE:
                record["id"] = first.record_id
            else:
                record[collection.external_field] = first.external_id
            records.append(record | self.values(row.writes))
        path = f"{self._composite.root}/composite/sobjects"
        if collection.operation is OrgOperation.UPSERT:
            path += f"/{collection.sobject}/{collection.external_field}"
        return Part(reference, "PATCH", path, {"allOrNone": False, "records": records}, WRITE_HEADERS)

    def retrieve(self, reference: str, read: Retrieve) -> Part:
        """A retrieve as a subrequest."""
        body = {"ids": list(read.ids), "fields": ["Id", *read.fields]}
        return Part(reference, "POST", f"{self._composite.root}/composite/sobjects/{read.sobject}", body)

    def jobs(self, packed: PackedBulk) -> tuple[Verdict, PredictiveError | None]:
        """Bulk jobs; what became of their rows, in order, and what to raise once that is kept."""
        wanted = [
            JobRows(job.sobject, self._rows_of(job.rows, flat=not job.serial), job.multipart) for job in packed.jobs
        ]
        side_by_side = [each for each, job in zip(wanted, packed.jobs, strict=True) if not job.serial]
        found, error = self._bulk.run(side_by_side) if side_by_side else ([], None)
        parallel = iter(found)
        verdict: list[Stretch] = []
        refused: list[JobRow] = []
        for each, job in zip(wanted, packed.jobs, strict=True):
            if not job.serial:
                stretch = next(parallel)
                self._measure(job, stretch)
                if job.trial and error is None:
                    refused = refused_of(stretch, self._rows_of(job.rows, flat=False))
                verdict.append(stretch)
            elif error is not None:
                verdict.append(all_rows(each.rows, "unsent", error))
            else:
                written, error = self._serial.update(each.sobject, Joined(each.rows, refused))
                mine, again = split(written, len(each.rows))
                if refused:
                    verdict[-1], refused = went_again(verdict[-1], refused, again), []
                verdict += mine
                self._went_serial(error)
        return tuple(verdict), error

    def _rows_of(self, records: Records, *, flat: bool) -> JobRecords:
        return JobRecords(records, partial(self._job_row, flat=flat))

    def _job_row(self, row: PackedRow, *, flat: bool) -> JobRow:
        return row.first.key, _record_id(row), self.values(row.writes, flat=flat)

    def _measure(self, job: BulkJob, stretch: Stretch) -> None:
        """Learn from a parallel job what share of its rows locks refuse."""
        if all(fate.state in ("written", "rejected") for fate in stretch.fates):
            share = share_of(job.meeting, sum(fate.code == LOCKED for fate in stretch.apart.values()))
            if share is not None:
                self._know(Locks(share))

    def _went_serial(self, error: PredictiveError | None) -> None:
        """As long as nobody knows what locks refuse, the next job finds it out."""
        if error is None and self.locks.share is None:
            self._know(Locks(trial=True))

    def _know(self, locks: Locks) -> None:
        if locks != self.locks:
            self.locks = locks
            self._on_locks(locks)


class JobRecords:
    """A job's rows as it takes them, made one by one."""

    def __init__(self, records: Records, make: Callable[[PackedRow], JobRow]) -> None:
        self._records, self._make = records, make

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[JobRow]:
        return map(self._make, self._records)


class _Pipeline:
    """Makes calls one after the other and knows what the last one read."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._found: Found = {}

    def step(self, packed: Packed, outcomes: Outcomes, *, last: bool) -> Again:
        """Make one call, or run one job.

        Args:
            packed: what to send.
            outcomes: takes the outcome of each write that is decided.
            last: nothing is tried again after this.

        Returns:
            The writes that may be tried again.

        Raises:
            PredictiveError: those writes that have no outcome in *outcomes* by then were surely not executed.
        """
        pass_ = _Pass(self._writer, outcomes, last=last)
        if isinstance(packed, PackedBulk):
            self._job(packed, pass_)
        else:
            self._call(packed, pass_)
        return pass_.again

    def _call(self, packed: PackedCall, pass_: _Pass) -> None:
        self._read_what_is_missing(packed)
        live: list[tuple[Collection, list[PackedRow]]] = []
        for collection in packed.collections:
            rows = [row for row in (self._undrifted(row, pass_.outcomes) for row in collection.rows) if row is not None]
            live.append((collection, rows))
        writes = [self._writer.part(f"w{i}", c, rows) for i, (c, rows) in enumerate(live) if rows]
        reads = [self._writer.retrieve(f"r{i}", read) for i, read in enumerate(packed.retrieves)]
        looks = [self._writer.retrieve(f"l{i}", read) for i, read in enumerate(packed.looks)] if writes else []
        expected, self._found = self._found, {}
        if not writes and not reads:
            return
        try:
            answers = self._writer.send([*looks, *writes, *reads], writing=bool(writes))
        except (OutcomeUnknown, NotWhatItShouldBe) as error:
            for _, rows in live:
                for row in rows:
                    pass_.tell(row, "unknown", message=error.what, remedy=error.remedy)
            raise
        for i, read in enumerate(packed.looks if looks else ()):
            self._take_found(answers, f"l{i}", read)
        pass_.race(expected, self._found)
        self._found = {}
        for i, read in enumerate(packed.retrieves):
            self._take_found(answers, f"r{i}", read)
        for i, (_, rows) in enumerate(live):
            if rows:
                pass_.take(answers[f"w{i}"], rows, self._found)

    def _job(self, packed: PackedBulk, pass_: _Pass) -> None:
        verdict, error = self._writer.jobs(packed)
        for row, fate in walk(verdict, packed.rows, _record_id):
            if fate.state == "rejected":
                pass_.refuse(row, fate.code, fate.message)
            else:
                pass_.tell(row, fate.state, message=fate.message, remedy=fate.remedy)
        if error is not None:
            raise error

    def _read_what_is_missing(self, packed: PackedCall) -> None:
        """Read in a call of its own what the call before should have read and did not."""
        wanted: dict[str, list[PackedRow]] = {}
        for row in packed.rows:
            first = row.first
            if row.checked and (first.sobject, first.record_id or "") not in self._found:
                wanted.setdefault(first.sobject, []).append(row)
        if not wanted:
            return
        reads = []
        for sobject, rows in wanted.items():
            names = dict.fromkeys(name for row in rows for write in row.writes for name in write.expect)
            reads.append(Retrieve(sobject, tuple(names), (), tuple(row.first.record_id or "" for row in rows)))
        parts = [self._writer.retrieve(f"r{i}", read) for i, read in enumerate(reads)]
        answers = self._writer.send(parts, writing=False)
        for i, read in enumerate(reads):
            answers[f"r{i}"].read(decode.RECORDS)
            self._take_found(answers, f"r{i}", read)

    def _take_found(self, answers: Answers, reference: str, read: Retrieve) -> None:
        reply = answers[reference]
        if not reply.ok:
            return
        records: list[dict[str, Any] | None] = reply.read(decode.RECORDS)
        for record_id, record in zip(read.ids, records, strict=False):
            self._found[(read.sobject, record_id)] = record

    def _undrifted(self, row: PackedRow, outcomes: Outcomes) -> PackedRow | None:
        """The row without the writes whose expected value is no longer there; None when nothing is left."""
        if not row.checked:
            return row
        record = self._found.get((row.first.sobject, row.first.record_id or ""))
        if record is None:
            for write in row.writes:
                text = "the record is gone or not visible"
                outcomes[write.key] = OrgOutcome(write.key, "rejected", write.record_id, GONE, text, remedy_for(GONE))
            return None
        kept = []
        for write in row.writes:
            # Somebody else's change to the very value that would be written is no drift.
            moved = [
                name
                for name, expected in write.expect.items()
                if record.get(name) not in (expected, write.values.get(name))
            ]
            if moved:
                found = {name: record.get(name) for name in write.expect}
                outcomes[write.key] = OrgOutcome(write.key, "drifted", write.record_id, found=found)
            else:
                kept.append(write)
        return PackedRow(tuple(kept)) if kept else None


class _Pass:
    """Results of one call or job become outcomes, or rows to be tried again."""

    def __init__(self, writer: Writer, outcomes: Outcomes, *, last: bool) -> None:
        self._writer = writer
        self._last = last
        self.outcomes = outcomes
        self.again = Again()
        self._lost: Found = {}

    def race(self, expected: Found, looked: Found) -> None:
        """Hold what stood there right before the writes against what was *expected*, read one call before."""
        for key, record in looked.items():
            before = expected.get(key)
            if record is not None and before is not None:
                self._lost[key] = {name: value for name, value in record.items() if value != before.get(name, value)}

    def take(self, reply: SubReply, rows: Sequence[PackedRow], found: Found) -> None:
        """The results of a collection."""
        error = reply.error
        if error is not None:
            for row in rows:
                if reply.status >= 500:
                    self.tell(row, "unknown", code=error.errorCode, message=error.message)
                else:
                    self.refuse(row, error.errorCode, error.message)
            return
        try:
            results = decode.RESULTS.decode(reply.body)
        except msgspec.DecodeError:
            results = []
        if len(results) != len(rows):
            for row in rows:
                self.tell(row, "unknown", message="the answer has another number of rows, or another form")
            return
        for row, result in zip(rows, results, strict=True):
            if result.success:
                record_id = id18(result.id) if result.id else None
                self.tell(row, "written", record_id=record_id, found=found)
            else:
                first = result.errors[0] if result.errors else {}
                self.refuse(row, str(first.get("statusCode", "")), str(first.get("message", "")))

    def refuse(self, row: PackedRow, code: str, message: str) -> None:
        """A refused row: tried again when what refused it passes (a lock, a time-out) or when it has a field that the
        org lacks, else rejected."""
        why = None if self._last else self._writer.passes(row, code, message)
        if why is None:
            self.tell(row, "rejected", code=code, message=message)
            return
        self.again.writes += row.writes
        self.again.locked = self.again.locked or why is Passes.LOCK

    def tell(
        self,
        row: PackedRow,
        state: str,
        *,
        record_id: str | None = None,
        code: str = "",
        message: str = "",
        remedy: str = "",
        found: Found | None = None,
    ) -> None:
        """The outcome of a record's writes."""
        record = (found or {}).get((row.first.sobject, row.first.record_id or "")) or {}
        for write in row.writes:
            seen = {name: record[name] for name in write.expect if name in record}
            lost = self._lost.get((row.first.sobject, row.first.record_id or "")) or {}
            over = {name: lost[name] for name in write.expect if name in lost and lost[name] != write.values.get(name)}
            self.outcomes[write.key] = OrgOutcome(
                write.key,
                state,
                record_id or write.record_id,
                code,
                message,
                remedy or remedy_for(code),
                seen,
                over if state in ("written", "unknown") else {},
            )


def _together(source: Iterable[_T]) -> Iterator[list[_T]]:
    """As many as are announced, and told, together."""
    left = iter(source)
    while some := list(islice(left, ANNOUNCED)):
        yield some


def _writes(rows: Iterable[PackedRow]) -> tuple[OrgWrite, ...]:
    return tuple(write for row in rows for write in row.writes)


def _record_id(row: PackedRow) -> str:
    return row.first.record_id or ""


def _decided(write: OrgWrite, outcome: OrgOutcome | None, trouble: PredictiveError | None) -> OrgOutcome:
    """What has no outcome when trouble came was not sent, or refused unread."""
    if outcome is not None:
        return outcome
    assert trouble is not None, f"{write.key} has no outcome"
    return OrgOutcome(write.key, "unsent", write.record_id, message=trouble.what, remedy=trouble.remedy)


def _end(write: OrgWrite, fate: Fate) -> OrgOutcome:
    remedy = fate.remedy or remedy_for(fate.code)
    return OrgOutcome(write.key, fate.state, write.record_id, fate.code, fate.message, remedy)


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set a value; ``Parent__r.External__c`` becomes a nested reference by external id."""
    parent, dot, child = name.partition(".")
    if dot:
        values[parent] = {child: value}
    else:
        values[name] = wire(value)


def wire(value: Any) -> Any:
    """A value as REST takes it: instants in UTC with seconds."""
    if isinstance(value, datetime):
        return msgspec.to_builtins(value.replace(microsecond=0))
    return value
