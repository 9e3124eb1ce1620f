"""Bulk API 2.0 ingest: one job updates any number of rows for four calls, one more when some failed.

Create, upload, close, wait, poll, and the failed rows when there are any. Each poll is a call of its own, so the first
wait is as long as the rows are expected to take, the next as long as the pace so far lets expect, and what a job took
teaches the next.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from sync.errors import OutcomeUnknown, RemoteRejected
from sync.http.calls import Safety
from sync.http.channel import Channel
from sync.ports import OrgOutcome
from sync.salesforce.composite import WRITE_HEADERS
from sync.salesforce.errors import remedy_for
from sync.salesforce.jobs import Job, Jobs, Waits, waits_for

NULL = "#N/A"
"""What sets a field to null; an empty cell leaves it as it is."""


class Bulk:
    """Runs jobs.

    Args:
        channel: to the org.
        version: API version.
        waits: for jobs; by default by where the org is.
    """

    def __init__(self, channel: Channel, version: str, waits: Waits | None = None) -> None:
        root = f"/services/data/v{version}/jobs/ingest"
        self._jobs = Jobs(channel, root, waits or waits_for(channel.base_url))

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
        ended = self._jobs.wait(job, len(rows))
        return self._outcomes(ended, rows)

    def _create(self, sobject: str) -> Job:
        body = {"object": sobject, "operation": "update", "contentType": "CSV", "lineEnding": "LF"}
        try:
            reply = self._jobs.call("POST", self._jobs.root, safety=Safety.WRITE, body=body, headers=WRITE_HEADERS)
        except OutcomeUnknown as error:
            # A job without data does nothing; the platform clears it away.
            raise self._not_started(error) from error
        return self._jobs.read(reply)

    def _upload(self, job: Job, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        path = "/" + job.contentUrl.lstrip("/") if job.contentUrl else f"{self._jobs.root}/{job.id}/batches"
        try:
            self._jobs.call("PUT", path, safety=Safety.WRITE, csv_in=as_csv(rows))
        except OutcomeUnknown as error:
            # Nothing is processed before the job is closed.
            raise self._not_started(error) from error

    def _close(self, job: Job) -> None:
        path, body = f"{self._jobs.root}/{job.id}", {"state": "UploadComplete"}
        try:
            self._jobs.call("PATCH", path, safety=Safety.WRITE, body=body)
        except OutcomeUnknown:
            if self._jobs.look(job).state == "Open":
                self._jobs.call("PATCH", path, safety=Safety.WRITE, body=body)

    def _outcomes(self, job: Job, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[OrgOutcome]:
        failed: dict[str, str] = {}
        if job.numberRecordsFailed:
            failed = self._rows_of(job, "failedResults", "sf__Error")
        unread: dict[str, str] = {}
        if job.state != "JobComplete":
            unread = self._rows_of(job, "unprocessedrecords", "Id")
        return [self._outcome(key, record_id, failed, unread, job) for key, record_id, _ in rows]

    def _outcome(
        self, key: str, record_id: str, failed: Mapping[str, str], unread: Mapping[str, str], job: Job
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

    def _rows_of(self, job: Job, resource: str, column: str) -> dict[str, str]:
        """Column by record id, of one of the job's result files (ids in either form, so by 15 characters)."""
        path = f"{self._jobs.root}/{job.id}/{resource}"
        reply = self._jobs.call("GET", path, safety=Safety.READ, csv_out=True)
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
