"""Bulk API 2.0 query: any number of rows for three or four calls and one a quarter of a million rows.

Rows come in no order. The job itself must not be ordered or limited, or the platform stops splitting its work.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from sync.errors import RemoteRejected
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.packing import ROWS_PER_RESULT
from sync.salesforce.jobs import Jobs, Paces, Waits, waits_for
from sync.salesforce.soql import PAGE, Select
from sync.words import plural

RESULT_SECONDS = 120.0
"""A page of results is tens of megabytes; the only requests that may take longer than the others."""


_HERE, _ELSEWHERE = Waits(0.00003, 2.0, 0.1), Waits(0.0002, 10.0)
"""A query that is looked at too early costs a call more than it must; long enough for the first look to be the last."""


class BulkQuery:
    """Reads by jobs.

    Args:
        channel: to the org.
        version: API version.
        waits: for jobs; by default by where the org is.
        paces: where it is kept how fast jobs are.
    """

    def __init__(self, channel: Channel, version: str, waits: Waits | None = None, paces: Paces | None = None) -> None:
        root = f"/services/data/v{version}/jobs/query"
        self._jobs = Jobs(channel, root, waits or waits_for(channel.base_url, here=_HERE, elsewhere=_ELSEWHERE), paces)
        self._where = channel.base_url

    def use(self, version: str) -> None:
        """Take another API version from now on."""
        self._jobs.use(version)

    def pages(self, select: Select, expected: int) -> Iterator[list[dict[str, str]]]:
        """Rows by field name, as text, "" for null; in pages of 2,000 so that readers see their progress.

        Args:
            select: without order and limit.
            expected: about how many rows there are, for the wait.

        Raises:
            RemoteRejected: the job failed.
        """
        body = {"operation": "query", "query": select.text(), "contentType": "CSV", "lineEnding": "LF"}
        job = self._jobs.read(self._jobs.call("POST", self._jobs.root, safety=Safety.READ, body=body))
        ended = self._jobs.wait(job, expected)
        if ended.state != "JobComplete":
            raise RemoteRejected(
                f"the Bulk query ended {ended.state}: {ended.errorMessage or 'without a reason'}",
                code="BULK_QUERY_FAILED",
                where=self._where,
                left_undone="the read is not complete",
                remedy="try again; with fewer campaigns it is read without Bulk",
            )
        locator = ""
        while True:
            path = f"{self._jobs.root}/{job.id}/results?maxRecords={ROWS_PER_RESULT}"
            path += f"&locator={locator}" if locator else ""
            reply = self._jobs.call("GET", path, safety=Safety.READ, csv_out=True, total=RESULT_SECONDS)
            rows = 0
            for page in _rows(reply):
                rows += len(page)
                yield page
            self._check(rows, reply)
            locator = reply.headers.get("sforce-locator", "null")
            # The last page carries the word, not an empty header.
            if locator in ("", "null"):
                return

    def _check(self, rows: int, reply: Reply) -> None:
        said = reply.headers.get("sforce-numberofrecords", "")
        if said.isdigit() and int(said) != rows:
            raise RemoteRejected(
                f"a page of a Bulk query holds {plural(rows, 'row')} and says {said}",
                code="BULK_QUERY_FAILED",
                where=self._where,
                left_undone="the read is not complete",
                remedy="try again later",
            )


def _rows(reply: Reply) -> Iterator[list[dict[str, str]]]:
    with io.TextIOWrapper(io.BytesIO(reply.content), encoding="utf-8-sig", newline="") as text:
        page: list[dict[str, str]] = []
        for row in csv.DictReader(text):
            page.append(row)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page
