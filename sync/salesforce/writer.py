"""Writing rows: in the calls that ``sync.packing`` plans, read before where two own a field, read back afterwards.

Every row ends in exactly one outcome. Rows that were locked are tried again, up to three times, after the others; a
field that the org lacks is left out and listed. Nothing whose fate is unknown is repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from sync.errors import (
    Cancelled,
    NotWhatItShouldBe,
    OutcomeUnknown,
    PredictiveError,
    RemoteRejected,
)
from sync.http.calls import Safety
from sync.packing import Collection, PackedBulk, PackedCall, PackedRow, Retrieve, pack
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.salesforce import decode
from sync.salesforce.bulk import Bulk
from sync.salesforce.composite import WRITE_HEADERS, Answers, Composite, Part
from sync.salesforce.decode import RowResult, id18
from sync.salesforce.errors import LOCKED, NO_FIELD, missing_column, remedy_for

LOCK_WAITS = (3.0, 6.0, 9.0)
"""Seconds before locked rows are tried again; the platform itself waits about ten for a lock."""

GONE = "ENTITY_IS_DELETED"

Before = Callable[[tuple[OrgWrite, ...]], None]
After = Callable[[tuple[OrgWrite, ...], tuple[OrgOutcome, ...]], None]
Found = dict[tuple[str, str], dict[str, Any] | None]


class Writer:
    """Writes rows to one org.

    Args:
        composite: for calls.
        bulk: for jobs.
    """

    def __init__(self, composite: Composite, bulk: Bulk) -> None:
        self._composite = composite
        self._bulk = bulk
        self.dropped: set[tuple[str, str]] = set()

    def write(
        self, writes: Iterable[OrgWrite], *, before: Before, after: After, cancelled: Callable[[], bool], bulk: bool
    ) -> None:
        """See ``Org.write``."""
        pending: Iterable[OrgWrite] = writes
        for wait in (*LOCK_WAITS, None):
            attempt = _Round(self, before, after, last=wait is None)
            attempt.run(pending, cancelled, bulk=bulk)
            if not attempt.again:
                return
            pending = attempt.again
            if attempt.locked and wait is not None:
                self._composite.channel.transport.wait(wait)

    # -------------------------------------------------------- what a round needs

    def values(self, writes: Sequence[OrgWrite]) -> dict[str, Any]:
        """The values to send for one record, later writes over earlier ones, dropped names left out."""
        values: dict[str, Any] = {}
        for write in writes:
            for name, value in write.values.items():
                if name and (write.sobject, name) not in self.dropped:
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

    def job(self, packed: PackedBulk, rows: Sequence[PackedRow]) -> list[OrgOutcome]:
        """A Bulk job; the outcome of each row's first write, in order."""
        return self._bulk.update(
            packed.sobject, [(row.first.key, row.first.record_id or "", self.values(row.writes)) for row in rows]
        )


class _Round:
    """One pass over rows. ``again`` holds what is to be tried once more."""

    def __init__(self, writer: Writer, before: Before, after: After, *, last: bool) -> None:
        self._writer = writer
        self._before = before
        self._after = after
        self._last = last
        self._found: Found = {}
        self.again: list[OrgWrite] = []
        self.locked = False

    def run(self, writes: Iterable[OrgWrite], cancelled: Callable[[], bool], *, bulk: bool) -> None:
        for packed in pack(writes, bulk=bulk):
            if cancelled():
                raise Cancelled("writing was stopped", left_undone="rows that were not sent yet were left undone")
            if isinstance(packed, PackedBulk):
                self._job(packed)
            else:
                self._call(packed)

    # -------------------------------------------------------- one Composite

    def _call(self, packed: PackedCall) -> None:
        self._read_what_is_missing(packed)
        outcomes: dict[str, OrgOutcome] = {}
        live: list[tuple[Collection, list[PackedRow]]] = []
        for collection in packed.collections:
            rows = [row for row in (self._undrifted(row, outcomes) for row in collection.rows) if row is not None]
            live.append((collection, rows))
        parts = [self._writer.part(f"w{i}", c, rows) for i, (c, rows) in enumerate(live) if rows]
        reads = [self._writer.retrieve(f"r{i}", read) for i, read in enumerate(packed.retrieves)]
        batch = packed.writes
        if batch:
            self._before(batch)
        sent = [write.key for _, rows in live for row in rows for write in row.writes]
        answers: Answers | None = None
        if parts or reads:
            answers = self._send([*parts, *reads], bool(parts), batch, sent, outcomes)
        self._found = {}
        if answers is not None:
            for i, read in enumerate(packed.retrieves):
                self._take_found(answers, f"r{i}", read)
            for i, (_, rows) in enumerate(live):
                if rows:
                    self._take_results(answers, f"w{i}", rows, outcomes)
        self._tell(batch, outcomes)

    def _send(
        self,
        parts: Sequence[Part],
        writing: bool,
        batch: tuple[OrgWrite, ...],
        sent: Sequence[str],
        outcomes: dict[str, OrgOutcome],
    ) -> Answers:
        try:
            return self._writer.send(parts, writing=writing)
        except PredictiveError as error:
            # After these two nobody knows; every other error means that the org did not execute the request.
            unknown = writing and isinstance(error, OutcomeUnknown | NotWhatItShouldBe)
            state = "unknown" if unknown else "unsent"
            outcomes.update({key: OrgOutcome(key, state, message=error.what, remedy=error.remedy) for key in sent})
            self._tell(batch, outcomes)
            raise

    def _tell(self, batch: tuple[OrgWrite, ...], outcomes: dict[str, OrgOutcome]) -> None:
        decided = tuple(write for write in batch if write.key in outcomes)
        if decided:
            self._after(decided, tuple(outcomes[write.key] for write in decided))

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

    def _undrifted(self, row: PackedRow, outcomes: dict[str, OrgOutcome]) -> PackedRow | None:
        """The row without the writes whose expected value is no longer there; None when nothing is left."""
        if not row.checked:
            return row
        record = self._found.get((row.first.sobject, row.first.record_id or ""))
        if record is None:
            for write in row.writes:
                outcomes[write.key] = OrgOutcome(
                    write.key,
                    "rejected",
                    write.record_id,
                    GONE,
                    "the record is gone or not visible",
                    remedy_for(GONE),
                )
            return None
        kept = []
        for write in row.writes:
            drift = {
                name: record.get(name)
                for name, expected in write.expect.items()
                if record.get(name) != expected and record.get(name) != write.values.get(name)
            }
            if drift:
                found = {name: record.get(name) for name in write.expect}
                outcomes[write.key] = OrgOutcome(write.key, "drifted", write.record_id, found=found)
            else:
                kept.append(write)
        return PackedRow(tuple(kept)) if kept else None

    # -------------------------------------------------------- results

    def _take_results(
        self, answers: Answers, reference: str, rows: Sequence[PackedRow], outcomes: dict[str, OrgOutcome]
    ) -> None:
        reply = answers[reference]
        error = reply.error
        if error is not None:
            results = [RowResult(False, None, [{"statusCode": error.errorCode, "message": error.message}])] * len(rows)
            if reply.status >= 500:
                for row in rows:
                    self._outcome(row, outcomes, "unknown", code=error.errorCode, message=error.message)
                return
        else:
            results = reply.read(decode.RESULTS)
        if len(results) != len(rows):
            for row in rows:
                self._outcome(row, outcomes, "unknown", message="the answer has another number of rows")
            return
        for row, result in zip(rows, results, strict=True):
            self._take_result(row, result, outcomes)

    def _take_result(self, row: PackedRow, result: RowResult, outcomes: dict[str, OrgOutcome]) -> None:
        if result.success:
            record_id = id18(result.id) if result.id else row.first.record_id
            self._outcome(row, outcomes, "written", record_id=record_id)
            return
        first = result.errors[0] if result.errors else {}
        code, message = str(first.get("statusCode", "")), str(first.get("message", ""))
        self.take_refusal(row, code, message, outcomes)

    def take_refusal(self, row: PackedRow, code: str, message: str, outcomes: dict[str, OrgOutcome]) -> None:
        """A refused row: tried again when it was locked or has a field that the org lacks, else rejected."""
        if code == LOCKED and not self._last:
            self.locked = True
            self.again += row.writes
            return
        dropped = code == NO_FIELD and self._drop_field(row, message)
        if dropped and self._writer.values(row.writes) and not self._last:
            self.again += row.writes
            return
        self._outcome(row, outcomes, "rejected", code=code, message=message)

    def _drop_field(self, row: PackedRow, message: str) -> bool:
        column = missing_column(message)
        if column is None or not any(column[1] in write.values for write in row.writes):
            return False
        self._writer.dropped.add((row.first.sobject, column[1]))
        return True

    def _outcome(
        self,
        row: PackedRow,
        outcomes: dict[str, OrgOutcome],
        state: str,
        *,
        record_id: str | None = None,
        code: str = "",
        message: str = "",
    ) -> None:
        record = self._found.get((row.first.sobject, row.first.record_id or "")) or {}
        for write in row.writes:
            found = {name: record[name] for name in write.expect if name in record} if state == "written" else {}
            outcomes[write.key] = OrgOutcome(
                write.key, state, record_id or write.record_id, code, message, remedy_for(code), found
            )

    # -------------------------------------------------------- one job

    def _job(self, packed: PackedBulk) -> None:
        batch = packed.writes
        self._before(batch)
        outcomes: dict[str, OrgOutcome] = {}
        try:
            results = self._writer.job(packed, packed.rows)
        except PredictiveError as error:
            state = "unsent" if isinstance(error, RemoteRejected) else "unknown"
            outcomes.update({w.key: OrgOutcome(w.key, state, message=error.what, remedy=error.remedy) for w in batch})
            self._tell(batch, outcomes)
            raise
        for row, result in zip(packed.rows, results, strict=True):
            if result.state == "rejected":
                self.take_refusal(row, result.code, result.message, outcomes)
            else:
                self._outcome(row, outcomes, result.state, message=result.message)
        self._tell(batch, outcomes)


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
