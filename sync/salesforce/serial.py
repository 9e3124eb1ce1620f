"""Updates by the first Bulk API in serial mode: batches of one job one after the other, so that none refuses another a
lock (Bulk API guide, "concurrencyMode").

Create, one request for each batch of 10,000 rows, close, wait, poll; the list of batches and the results of those with
failures when there are any. Results come in the order of the rows. This interface takes the session in a header of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from sync.errors import NotWhatItShouldBe, OutcomeUnknown, PredictiveError
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.packing import ROWS_PER_BATCH
from sync.ports import OrgOutcome
from sync.salesforce.bulk import ELSEWHERE, HERE, UPLOAD_SECONDS, JobRow, all_rows
from sync.salesforce.composite import WRITE_HEADERS
from sync.salesforce.errors import RowError, not_salesforce, remedy_for
from sync.salesforce.jobs import Job, Jobs, Waits, waits_for

_ROOT = "/services/async/"
SESSION_HEADERS = {_ROOT: "X-SFDC-Session"}

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
    """A batch that was handed over, and its rows."""

    id: str
    rows: Sequence[JobRow]


class Serial(Jobs):
    """Runs serial jobs.

    Args:
        channel: to the org; it must send the token as ``SESSION_HEADERS`` says.
        version: API version.
        waits: for jobs; by default by where the org is.
    """

    def __init__(self, channel: Channel, version: str, waits: Waits | None = None) -> None:
        super().__init__(channel, "", waits or waits_for(channel.base_url, here=HERE, elsewhere=ELSEWHERE))
        self.use(version)

    def use(self, version: str) -> None:
        """Take another API version from now on."""
        self.root = f"{_ROOT}{version}/job"

    def update(self, sobject: str, rows: Sequence[JobRow]) -> tuple[list[OrgOutcome], PredictiveError | None]:
        """Update rows by one job.

        Returns:
            Their outcomes in the same order, ``unsent`` and ``unknown`` as ``Bulk.run`` gives them; and the error that
            the caller raises once it has kept them.
        """
        body = {"operation": "update", "object": sobject, "concurrencyMode": "Serial", "contentType": "JSON"}
        try:
            job = self._read(_JOB, self._post("", msgspec.json.encode(body)))
        except PredictiveError as error:
            # Also without an answer: a job without batches does nothing.
            return all_rows(rows, "unsent", error), error
        outcomes: list[OrgOutcome] = []
        sent: list[_Sent] = []
        trouble: PredictiveError | None = None
        for content, some in _batches(rows):
            if trouble is not None:
                outcomes += all_rows(some, "unsent", trouble)
                continue
            try:
                batch = self._read(_BATCH, self._post(f"/{job.id}/batch", content))
                sent.append(_Sent(batch.id, some))
            except PredictiveError as error:
                trouble = error
                lost = isinstance(error, (OutcomeUnknown, NotWhatItShouldBe))
                outcomes += all_rows(some, "unknown" if lost else "unsent", error)
        try:
            written = self._ended(job, sent)
        except PredictiveError as error:
            written = [one for each in sent for one in all_rows(each.rows, "unknown", error)]
            trouble = error
        return [*written, *outcomes], trouble

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

    def _ended(self, job: _Job, sent: Sequence[_Sent]) -> list[OrgOutcome]:
        """Close the job, wait for its end, and read what became of the rows."""
        self._close(job)
        seen = self.wait(Job(job.id), sum(len(each.rows) for each in sent))
        told: dict[str, _Batch] = {}
        if seen.numberRecordsFailed:
            path = f"{self.root}/{job.id}/batch"
            told = {one.id: one for one in self._read(_BATCHES, self._get(path)).batchInfo}
        return [one for each in sent for one in self._outcomes(job, each, told.get(each.id))]

    def _close(self, job: _Job) -> None:
        """Tell that no further batch comes; the batches are worked off whether or not this is heard."""
        try:
            self._post(f"/{job.id}", b'{"state":"Closed"}')
        except OutcomeUnknown:
            return

    def _outcomes(self, job: _Job, sent: _Sent, told: _Batch | None) -> list[OrgOutcome]:
        if told is None or (told.state == "Completed" and not told.numberRecordsFailed):
            return [OrgOutcome(key, "written", record_id) for key, record_id, _ in sent.rows]
        if told.state != "Completed" and not told.numberRecordsProcessed:
            message = told.stateMessage or f"the batch ended {told.state}"
            return [OrgOutcome(key, "unsent", record_id, message=message) for key, record_id, _ in sent.rows]
        results = self._read(_ROWS, self._get(f"{self.root}/{job.id}/batch/{sent.id}/result"))
        if len(results) != len(sent.rows):
            raise not_salesforce(self.root, f"{len(results)} results of {len(sent.rows)} rows")
        return [_outcome(row, result) for row, result in zip(sent.rows, results, strict=True)]

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


def _batches(rows: Sequence[JobRow]) -> Iterator[tuple[bytes, Sequence[JobRow]]]:
    """The bodies of the batches with their rows."""
    start, size, encoded = 0, 0, list[bytes]()
    for at, (_, record_id, values) in enumerate(rows):
        one = msgspec.json.encode({"Id": record_id, **values})
        if encoded and (len(encoded) == ROWS_PER_BATCH or size + len(one) > BATCH_BYTES):
            yield b"[" + b",".join(encoded) + b"]", rows[start:at]
            start, size, encoded = at, 0, []
        encoded.append(one)
        size += len(one) + 1
    if encoded:
        yield b"[" + b",".join(encoded) + b"]", rows[start:]


def _outcome(row: JobRow, result: _Row) -> OrgOutcome:
    key, record_id, _ = row
    if result.success:
        return OrgOutcome(key, "written", record_id)
    error = result.errors[0] if result.errors else RowError("UNKNOWN_EXCEPTION", "refused without a reason")
    return OrgOutcome(key, "rejected", record_id, error.statusCode, error.message, remedy_for(error.statusCode))
