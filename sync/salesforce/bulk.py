"""Bulk API 2.0 ingest: a job updates any number of rows for four calls, one more when some failed.

Create, upload, close, wait, poll, and the failed rows when there are any; data of at most 100,000 characters rides in
the request that creates the job. Each poll is a call of its own, so the first wait is as long as the rows are expected
to take, the next as long as the pace so far lets expect, and what a job took teaches the next. Several jobs run at
the same time and are waited for together.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sync.bulk_csv import Row, csv_blocks
from sync.errors import OutcomeUnknown, PredictiveError, RemoteRejected
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.packing import MULTIPART_CHARACTERS
from sync.ports import OrgOutcome
from sync.salesforce.composite import WRITE_HEADERS
from sync.salesforce.errors import remedy_for
from sync.salesforce.jobs import Job, Jobs, Paces, Waits, Watched, waits_for
from sync.salesforce.spill import Body
from sync.salesforce.verdict import Fate, JobRow, Rows, Stretch, all_rows, is_short_id, outcomes, short_id
from sync.words import plural

UPLOAD_SECONDS = 120.0
"""An upload may be a hundred megabytes; it takes longer than other requests."""

HERE, ELSEWHERE = Waits(0.0001, 0.3, 0.1), Waits(0.002, 10.0)


@dataclass(frozen=True, slots=True)
class JobRows:
    """What one job is to write. ``multipart``: in the request that creates it, if the data is short enough."""

    sobject: str
    rows: Rows
    multipart: bool = False


class Bulk:
    """Runs jobs.

    Args:
        channel: to the org.
        version: API version.
        waits: for jobs; by default by where the org is.
        paces: where it is kept how fast jobs are.
        folder: where the data waits for its upload.
    """

    def __init__(
        self,
        channel: Channel,
        version: str,
        waits: Waits | None = None,
        *,
        paces: Paces | None = None,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder
        root = f"/services/data/v{version}/jobs/ingest"
        self._jobs = Jobs(channel, root, waits or waits_for(channel.base_url, here=HERE, elsewhere=ELSEWHERE), paces)

    def expected(self, rows: int) -> float:
        """Seconds that a job of *rows* rows is waited for before it is looked at."""
        return self._jobs.expected(rows)

    def use(self, version: str) -> None:
        """Take another API version from now on."""
        self._jobs.use(version)

    def update(self, sobject: str, rows: Sequence[JobRow]) -> list[OrgOutcome]:
        """Update rows by one job; their outcomes in the same order.

        Raises:
            RemoteRejected: the job could not be started; nothing was written.
            OutcomeUnknown: it was started and its end was not seen.
            ServerDown, QuotaExhausted: as any call.
        """
        (stretch,), error = self.run((JobRows(sobject, rows),))
        if error is not None:
            raise error
        return list(outcomes((stretch,), rows))

    def run(self, wanted: Sequence[JobRows]) -> tuple[list[Stretch], PredictiveError | None]:
        """Run jobs at the same time.

        Returns:
            What became of each job's rows: ``unsent`` where the job was surely not started, ``unknown`` where its end
            was not seen. And the error that the caller raises once it has kept that.
        """
        started: list[Watched] = []
        refused: PredictiveError | None = None
        for each in wanted:
            try:
                started.append(Watched(self._start(each), len(each.rows)))
            except PredictiveError as error:
                refused = error
                break
        ended, late = self._jobs.wait_all(started) if started else ({}, None)
        problem = late or refused
        out: list[Stretch] = []
        for number, each in enumerate(wanted):
            job = ended.get(started[number].job.id) if number < len(started) else None
            if job is None:
                doubtful = number < len(started) or (number == len(started) and isinstance(refused, OutcomeUnknown))
                out.append(all_rows(each.rows, "unknown" if doubtful else "unsent", problem))
                continue
            try:
                out.append(self._outcomes(job, each.rows))
            except PredictiveError as error:
                problem = error
                out.append(all_rows(each.rows, "unknown", error))
        return out, problem

    def _start(self, wanted: JobRows) -> Job:
        """A job with its data, closed for uploads: the platform works it off from now on."""
        data, characters = Body(self._folder), 0

        def rows() -> Iterator[Row]:
            return ((record_id, values) for _, record_id, values in wanted.rows)

        for block in csv_blocks(rows):
            data.add(block.encode())
            characters += len(block)
        if wanted.multipart and characters <= MULTIPART_CHARACTERS:
            return self._create_with(wanted.sobject, data.whole().decode())
        job = self._create(wanted.sobject)
        self._upload(job, data)
        self._close(job)
        return job

    def _create(self, sobject: str) -> Job:
        try:
            reply = self._jobs.call(
                "POST", self._jobs.root, safety=Safety.WRITE, body=_job_of(sobject), headers=WRITE_HEADERS
            )
        except OutcomeUnknown as error:
            # A job without data does nothing; the platform clears it away.
            raise self._not_started(error) from error
        return self._jobs.read(reply)

    def _create_with(self, sobject: str, data: str) -> Job:
        """Create, fill and close in one request; when its answer is lost, the rows may have been written."""
        mark = secrets.token_hex(16)
        job = msgspec.json.encode(_job_of(sobject)).decode()
        body = (
            f'--{mark}\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Disposition: form-data; name="job"'
            f"\r\n\r\n{job}\r\n"
            f'--{mark}\r\nContent-Type: text/csv; charset=UTF-8\r\nContent-Disposition: form-data; name="content"; '
            f'filename="content"\r\n\r\n{data}\r\n--{mark}--\r\n'
        )
        reply = self._jobs.call(
            "POST",
            self._jobs.root,
            safety=Safety.WRITE,
            csv_in=body.encode(),
            content_type=f"multipart/form-data; boundary={mark}",
            headers=WRITE_HEADERS,
        )
        return self._jobs.read(reply)

    def _upload(self, job: Job, data: Body) -> None:
        path = "/" + job.contentUrl.lstrip("/") if job.contentUrl else f"{self._jobs.root}/{job.id}/batches"
        try:
            self._jobs.call("PUT", path, safety=Safety.WRITE, csv_in=data, total=UPLOAD_SECONDS)
        except OutcomeUnknown as error:
            # Nothing is processed before the job is closed.
            raise self._not_started(error) from error

    def _close(self, job: Job) -> None:
        path, body = f"{self._jobs.root}/{job.id}", {"state": "UploadComplete"}
        try:
            self._jobs.call("PATCH", path, safety=Safety.WRITE, body=body)
        except OutcomeUnknown as lost:
            try:
                seen = self._jobs.look(job)
            except PredictiveError:
                raise lost from None
            if seen.state == "Open":
                self._jobs.call("PATCH", path, safety=Safety.WRITE, body=body)

    def _outcomes(self, job: Job, rows: Rows) -> Stretch:
        apart: dict[str, Fate] = {}
        if job.numberRecordsFailed:
            failed = self._rows_of(job, "failedResults", "sf__Error", job.numberRecordsFailed)
            for record, error in failed.items():
                code, _, rest = error.partition(":")
                apart[record] = Fate("rejected", code, rest.rpartition(":")[0] or rest, remedy_for(code))
        if job.state != "JobComplete":
            unsent = Fate("unsent", message=job.errorMessage or f"the job ended {job.state}")
            left = len(rows) - job.numberRecordsProcessed
            apart |= dict.fromkeys(self._rows_of(job, "unprocessedrecords", "Id", left), unsent)
        return Stretch(len(rows), apart=apart)

    def _rows_of(self, job: Job, resource: str, column: str, expected: int) -> dict[str, str]:
        """Column by record id, of one of the job's result files (ids in either form, so by 15 characters).

        A row that is missing there would pass for written; so the file is read once more, and believed only when it has
        as many rows as the job counts.

        Raises:
            OutcomeUnknown: it has not.
        """
        path = f"{self._jobs.root}/{job.id}/{resource}"
        for _ in range(2):
            reply = self._jobs.call("GET", path, safety=Safety.READ, csv_out=True)
            found, whole = _result_rows(reply, column)
            if whole and len(found) == expected:
                return found
        raise OutcomeUnknown(
            f"a Bulk job counts {plural(expected, 'row')} in its {resource} and lists {len(found):,}",
            where=reply.url,
            left_undone="it is not known which of its rows were written",
            remedy="the rows are read before they are written again",
        )

    def _not_started(self, error: OutcomeUnknown) -> RemoteRejected:
        return RemoteRejected(
            f"a Bulk job could not be started: {error.what}",
            code="JOB_NOT_STARTED",
            where=error.where,
            left_undone="nothing was written",
            remedy="try again later",
        )


def _result_rows(reply: Reply, column: str) -> tuple[dict[str, str], bool]:
    """*column* by 15 characters of the record id, and whether each row has an id and all of its cells."""
    found, whole = dict[str, str](), True
    for row in csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig", "replace"))):
        key = short_id(row.get("Id") or row.get("sf__Id") or "")
        whole = whole and is_short_id(key) and None not in row.values()
        found[key] = row.get(column) or ""
    return found, whole


def _job_of(sobject: str) -> dict[str, str]:
    return {"object": sobject, "operation": "update", "contentType": "CSV", "lineEnding": "LF"}
