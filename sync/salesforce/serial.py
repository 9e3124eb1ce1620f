"""Updates by the first Bulk API in serial mode: batches of one job one after the other, so that none refuses another a
lock (Bulk API guide, "concurrencyMode").

Create, one request for each batch of 10,000 rows, close, wait, poll; the list of batches and the results of those with
failures when there are any. Results come in the order of the rows. This interface takes the session in a header of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import msgspec

from sync.errors import NotWhatItShouldBe, OutcomeUnknown, PredictiveError
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.packing import ROWS_PER_BATCH
from sync.salesforce.bulk import ELSEWHERE, UPLOAD_SECONDS
from sync.salesforce.composite import WRITE_HEADERS
from sync.salesforce.errors import RowError, not_salesforce, remedy_for
from sync.salesforce.jobs import Job, Jobs, Paces, Waits, waits_for
from sync.salesforce.verdict import Fate, JobRow, Rows, Stretch, Verdict, all_rows, short_id
from sync.words import plural

_ROOT = "/services/async/"
SESSION_HEADERS = {_ROOT: "X-SFDC-Session"}

_HERE = Waits(0.00001, 0.3, 0.1)
"""Such an org works a batch off while it takes it."""

BATCH_BYTES = 9_500_000
"""A batch holds at most 10 MB."""


class _Job(msgspec.Struct):
    id: str
    state: str = ""
    numberBatchesCompleted: int = 0
    numberBatchesFailed: int = 0
    numberBatchesTotal: int = 0
    numberRecordsFailed: int = 0
    numberRecordsProcessed: int = 0
    totalProcessingTime: int = 0


class _Batch(msgspec.Struct):
    id: str
    state: str = ""
    stateMessage: str | None = None
    numberRecordsFailed: int = 0
    numberRecordsProcessed: int = 0


class _Batches(msgspec.Struct):
    batchInfo: list[_Batch]


class _Row(msgspec.Struct):
    success: bool = False
    id: str | None = None
    errors: list[RowError] = []


_JOB, _BATCH = msgspec.json.Decoder(_Job), msgspec.json.Decoder(_Batch)
_BATCHES, _ROWS = msgspec.json.Decoder(_Batches), msgspec.json.Decoder(list[_Row])


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch that was handed over: its id, and how many of the job's rows it has."""

    id: str
    rows: int


class Serial(Jobs):
    """Runs serial jobs.

    Args:
        channel: to the org; it must send the token as ``SESSION_HEADERS`` says.
        version: API version.
        waits: for jobs; by default by where the org is.
        paces: where it is kept how fast the org's serial jobs are.
    """

    def __init__(self, channel: Channel, version: str, waits: Waits | None = None, paces: Paces | None = None) -> None:
        mine = waits or waits_for(channel.base_url, here=_HERE, elsewhere=ELSEWHERE)
        super().__init__(channel, "", mine, paces, kind="serial")
        self.use(version)

    def use(self, version: str) -> None:
        """Take another API version from now on."""
        self.root = f"{_ROOT}{version}/job"

    def update(self, sobject: str, rows: Rows) -> tuple[Verdict, PredictiveError | None]:
        """Update rows by one job.

        Returns:
            What became of them, ``unsent`` and ``unknown`` as ``Bulk.run`` gives them; and the error that the caller
            raises once it has kept that.
        """
        body = {"operation": "update", "object": sobject, "concurrencyMode": "Serial", "contentType": "JSON"}
        try:
            job = self._read(_JOB, self._post("", msgspec.json.encode(body)))
        except PredictiveError as error:
            # Also without an answer: a job without batches does nothing.
            return (all_rows(rows, "unsent", error),), error
        sent: list[_Sent] = []
        left: list[Stretch] = []
        trouble: PredictiveError | None = None
        reached = 0
        for content, some in _batches(rows):
            try:
                batch = self._read(_BATCH, self._post(f"/{job.id}/batch", content))
            except PredictiveError as error:
                trouble = error
                lost = isinstance(error, (OutcomeUnknown, NotWhatItShouldBe))
                left = [
                    all_rows(range(some), "unknown" if lost else "unsent", error),
                    all_rows(range(len(rows) - reached - some), "unsent", error),
                ]
                break
            sent.append(_Sent(batch.id, some))
            reached += some
        try:
            written = self._ended(job, sent, rows)
        except PredictiveError as error:
            written = [all_rows(range(each.rows), "unknown", error) for each in sent]
            trouble = error
        return (*written, *left), trouble

    def look(self, job: Job) -> Job:
        """The job as it is now; a poll, and a call."""
        reply = self.call("GET", f"{self.root}/{job.id}", safety=Safety.READ)
        found = self._read(_JOB, reply)
        ended = found.numberBatchesCompleted + found.numberBatchesFailed >= found.numberBatchesTotal
        return Job(
            found.id,
            "JobComplete" if ended or found.state in ("Aborted", "Failed") else "InProgress",
            numberRecordsFailed=found.numberRecordsFailed + found.numberBatchesFailed,
            numberRecordsProcessed=found.numberRecordsProcessed,
            totalProcessingTime=found.totalProcessingTime,
        )

    def _ended(self, job: _Job, sent: Sequence[_Sent], rows: Rows) -> list[Stretch]:
        """Close the job, wait for its end, and read what became of the rows."""
        self._close(job)
        seen = self.wait(Job(job.id), sum(each.rows for each in sent))
        if not seen.numberRecordsFailed:
            return [Stretch(each.rows) for each in sent]
        path = f"{self.root}/{job.id}/batch"
        told = {one.id: one for one in self._read(_BATCHES, self._get(path)).batchInfo}
        source = iter(rows)
        return [self._outcomes(job, each, told.get(each.id), tuple(islice(source, each.rows))) for each in sent]

    def _close(self, job: _Job) -> None:
        """Tell that no further batch comes; the batches are worked off whether or not this is heard."""
        try:
            self._post(f"/{job.id}", b'{"state":"Closed"}')
        except OutcomeUnknown:
            return

    def _outcomes(self, job: _Job, sent: _Sent, told: _Batch | None, rows: Sequence[JobRow]) -> Stretch:
        if told is None:
            raise not_salesforce(self.root, f"a list of batches without {sent.id}")
        if told.state == "Completed" and not told.numberRecordsFailed:
            return Stretch(sent.rows)
        if told.state != "Completed" and not told.numberRecordsProcessed:
            message = told.stateMessage or f"the batch ended {told.state}"
            return Stretch(sent.rows, Fate("unsent", message=message))
        results = self._read(_ROWS, self._get(f"{self.root}/{job.id}/batch/{sent.id}/result"))
        if len(results) != sent.rows:
            raise not_salesforce(self.root, f"{plural(len(results), 'result')} of {plural(sent.rows, 'row')}")
        apart = {
            short_id(record_id): _fate(result)
            for (_, record_id, _), result in zip(rows, results, strict=True)
            if not result.success
        }
        return Stretch(sent.rows, apart=apart)

    def _get(self, path: str) -> Reply:
        return self.call("GET", path, safety=Safety.READ)

    @staticmethod
    def _read(decoder: msgspec.json.Decoder[T], reply: Reply) -> T:
        try:
            return decoder.decode(reply.content)
        except msgspec.DecodeError as problem:
            raise not_salesforce(reply.url, str(problem)) from problem

    def _post(self, path: str, content: bytes) -> Reply:
        return self.call(
            "POST",
            self.root + path,
            safety=Safety.WRITE,
            csv_in=content,
            content_type="application/json; charset=UTF-8",
            headers=WRITE_HEADERS,
            total=UPLOAD_SECONDS,
        )


def _batches(rows: Rows) -> Iterator[tuple[bytes, int]]:
    """The bodies of the batches, and how many rows each has."""
    size, encoded = 0, list[bytes]()
    for _, record_id, values in rows:
        one = msgspec.json.encode({"Id": record_id, **values})
        if encoded and (len(encoded) == ROWS_PER_BATCH or size + len(one) > BATCH_BYTES):
            yield b"[" + b",".join(encoded) + b"]", len(encoded)
            size, encoded = 0, []
        encoded.append(one)
        size += len(one) + 1
    if encoded:
        yield b"[" + b",".join(encoded) + b"]", len(encoded)


def _fate(result: _Row) -> Fate:
    error = result.errors[0] if result.errors else RowError("UNKNOWN_EXCEPTION", "refused without a reason")
    return Fate("rejected", error.statusCode, error.message, remedy_for(error.statusCode))
