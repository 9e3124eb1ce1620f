"""Bulk API 2.0: one job updates any number of rows for four calls and one more when some failed.

Create, upload, close, wait, poll, and the failed rows when there are any. Each poll is a call of its own, so the first
wait is as long as the rows are expected to take, the next as long as the pace so far lets expect, and what a job took
teaches the next.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sync.errors import OutcomeUnknown, RemoteRejected
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.ports import OrgOutcome
from sync.salesforce.composite import WRITE_HEADERS
from sync.salesforce.errors import ensure_ok, not_salesforce, remedy_for

ENDED = frozenset({"JobComplete", "Failed", "Aborted"})
_SPARE = 1.15
"""A poll a little late costs seconds, one too early a call."""

NULL = "#N/A"
"""What sets a field to null; an empty cell leaves it as it is."""


class _Job(msgspec.Struct):
    id: str
    state: str = ""
    contentUrl: str = ""
    numberRecordsFailed: int = 0
    numberRecordsProcessed: int = 0
    totalProcessingTime: int = 0
    errorMessage: str | None = None


_JOB = msgspec.json.Decoder(_Job)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait for jobs: seconds a row at first, the least and the longest wait, and when to give up."""

    per_row: float = 0.002
    least: float = 1.0
    longest: float = 300.0
    most: float = 7_200.0


def waits_for(base_url: str) -> Waits:
    """An org on this machine is quick, others take their time."""
    local = urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")
    return Waits(per_row=0.0001, least=0.1) if local else Waits()


class Bulk:
    """Runs jobs.

    Args:
        channel: to the org.
        version: API version.
        waits: for jobs; by default by where the org is.
    """

    def __init__(self, channel: Channel, version: str, waits: Waits | None = None) -> None:
        self._channel = channel
        self._root = f"/services/data/v{version}/jobs/ingest"
        self._waits = waits or waits_for(channel.base_url)
        self._per_row = self._waits.per_row

    def update(self, sobject: str, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[OrgOutcome]:
        """Update rows given as (key, record id, values); their outcomes in the same order.

        Raises:
            RemoteRejected: the job could not be started; nothing was written.
            OutcomeUnknown: it was started and its end was not seen.
            ServerDown, QuotaExhausted: as any call.
        """
        job = self._create(sobject)
        self._upload(job, rows)
        self._close(job)
        ended = self._wait(job, len(rows))
        return self._outcomes(ended, rows)

    def _call(self, method: str, path: str, *, safety: Safety, body: Any = None, csv_in: bytes | None = None) -> Reply:
        headers = dict(WRITE_HEADERS)
        content = csv_in
        if csv_in is not None:
            headers["Content-Type"] = "text/csv"
        elif body is not None:
            content = msgspec.json.encode(body)
        if path.endswith(("Results", "records")):
            headers["Accept"] = "text/csv"
        reply = self._channel.call(
            method, path, safety=safety, content=content, headers=headers, resource="bulk", any_type=True
        )
        ensure_ok(reply)
        return reply

    def _job(self, reply: Reply) -> _Job:
        try:
            return _JOB.decode(reply.content)
        except msgspec.DecodeError as problem:
            raise not_salesforce(reply.url, str(problem)) from problem

    def _create(self, sobject: str) -> _Job:
        body = {"object": sobject, "operation": "update", "contentType": "CSV", "lineEnding": "LF"}
        try:
            return self._job(self._call("POST", self._root, safety=Safety.WRITE, body=body))
        except OutcomeUnknown as error:
            # A job without data does nothing; the platform clears it away.
            raise self._not_started(error) from error

    def _upload(self, job: _Job, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        path = "/" + job.contentUrl.lstrip("/") if job.contentUrl else f"{self._root}/{job.id}/batches"
        try:
            self._call("PUT", path, safety=Safety.WRITE, csv_in=as_csv(rows))
        except OutcomeUnknown as error:
            # Nothing is processed before the job is closed.
            raise self._not_started(error) from error

    def _close(self, job: _Job) -> None:
        path = f"{self._root}/{job.id}"
        try:
            self._call("PATCH", path, safety=Safety.WRITE, body={"state": "UploadComplete"})
        except OutcomeUnknown:
            if self._look(job).state == "Open":
                self._call("PATCH", path, safety=Safety.WRITE, body={"state": "UploadComplete"})

    def _look(self, job: _Job) -> _Job:
        return self._job(self._call("GET", f"{self._root}/{job.id}", safety=Safety.READ))

    def _wait(self, job: _Job, rows: int) -> _Job:
        pause = self._bounded(rows * self._per_row)
        waited = 0.0
        while waited < self._waits.most:
            self._channel.transport.wait(pause)
            waited += pause
            seen = self._look(job)
            if seen.state in ENDED:
                taken = seen.totalProcessingTime / 1_000 or waited
                self._per_row = _SPARE * taken / max(rows, 1)
                return seen
            done = seen.numberRecordsProcessed
            expected = _SPARE * waited * (rows - done) / done if 0 < done < rows else waited
            pause = self._bounded(expected + self._waits.least)
        raise OutcomeUnknown(
            f"the Bulk job {job.id} did not end within {waited:.0f} s",
            where=self._channel.base_url,
            left_undone="it is not known which of its rows were written",
            remedy="look at it under Setup, Bulk Data Load Jobs; the rows are read before they are written again",
        )

    def _bounded(self, seconds: float) -> float:
        return min(max(self._waits.least, seconds), self._waits.longest)

    def _outcomes(self, job: _Job, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[OrgOutcome]:
        failed: dict[str, str] = {}
        if job.numberRecordsFailed:
            failed = self._rows_of(job, "failedResults", "sf__Error")
        unread: dict[str, str] = {}
        if job.state != "JobComplete":
            unread = self._rows_of(job, "unprocessedrecords", "Id")
        return [self._outcome(key, record_id, failed, unread, job) for key, record_id, _ in rows]

    def _outcome(
        self, key: str, record_id: str, failed: Mapping[str, str], unread: Mapping[str, str], job: _Job
    ) -> OrgOutcome:
        if record_id[:15] in unread:
            message = job.errorMessage or f"the job ended {job.state}"
            return OrgOutcome(key, "unsent", record_id, message=message)
        error = failed.get(record_id[:15])
        if error is None:
            return OrgOutcome(key, "written", record_id)
        code, _, rest = error.partition(":")
        message = rest.rpartition(":")[0] or rest
        return OrgOutcome(key, "rejected", record_id, code, message, remedy_for(code))

    def _rows_of(self, job: _Job, resource: str, column: str) -> dict[str, str]:
        """Column by record id, of one of the job's result files (ids in either form, so by 15 characters)."""
        reply = self._call("GET", f"{self._root}/{job.id}/{resource}", safety=Safety.READ)
        found = csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig")))
        return {(row.get("Id") or row.get("sf__Id") or "")[:15]: row.get(column) or "" for row in found}

    def _not_started(self, error: OutcomeUnknown) -> RemoteRejected:
        return RemoteRejected(
            f"a Bulk job could not be started: {error.what}",
            code="JOB_NOT_STARTED",
            where=error.where,
            left_undone="nothing was written",
            remedy="try again later",
        )


def as_csv(rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> bytes:
    """Rows of (key, record id, values) as the job's data; a field that a row does not set stays empty: kept."""
    names = list(dict.fromkeys(name for _, _, values in rows for name in values))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Id", *names])
    for _, record_id, values in rows:
        writer.writerow([record_id, *(cell(values[name]) if name in values else "" for name in names)])
    return out.getvalue().encode()


def cell(value: Any) -> str:
    """A value as a CSV cell."""
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
