"""What jobs of the Bulk API 2.0 have in common: their state, and waiting for their end with the fewest polls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sync.errors import OutcomeUnknown
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.salesforce.composite import CALL_HEADERS
from sync.salesforce.errors import ensure_ok, not_salesforce

ENDED = frozenset({"JobComplete", "Failed", "Aborted"})
_SPARE = 1.15
"""A poll a little late costs seconds, one too early a call."""


class Job(msgspec.Struct):
    """A job as its own address shows it."""

    id: str
    state: str = ""
    contentUrl: str = ""
    numberRecordsFailed: int = 0
    numberRecordsProcessed: int = 0
    totalProcessingTime: int = 0
    errorMessage: str | None = None


_JOB = msgspec.json.Decoder(Job)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait for jobs: seconds a row at first, the least and the longest wait, and when to give up."""

    per_row: float = 0.002
    least: float = 1.0
    longest: float = 300.0
    most: float = 7_200.0


def waits_for(base_url: str, per_row: float = 0.002) -> Waits:
    """An org on this machine is quick, others take their time."""
    local = urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")
    return Waits(per_row=per_row / 20, least=0.1) if local else Waits(per_row=per_row)


class Jobs:
    """Requests about jobs of one kind.

    Args:
        channel: to the org.
        root: address of the kind, below the instance.
        waits: for jobs.
    """

    def __init__(self, channel: Channel, root: str, waits: Waits) -> None:
        self._channel = channel
        self._waits = waits
        self._per_row = waits.per_row
        self.root = root

    def call(
        self,
        method: str,
        path: str,
        *,
        safety: Safety,
        body: Any = None,
        csv_in: bytes | None = None,
        csv_out: bool = False,
        headers: Mapping[str, str] = CALL_HEADERS,
        total: float | None = None,
    ) -> Reply:
        """One request that must succeed.

        Raises:
            as ``Channel.call`` and ``ensure_ok``.
        """
        sent = dict(headers)
        content = csv_in
        if csv_in is not None:
            sent["Content-Type"] = "text/csv"
        elif body is not None:
            content = msgspec.json.encode(body)
        if csv_out:
            sent["Accept"] = "text/csv"
        reply = self._channel.call(
            method, path, safety=safety, content=content, headers=sent, resource="bulk", any_type=True, total=total
        )
        ensure_ok(reply)
        return reply

    def read(self, reply: Reply) -> Job:
        """A job from an answer.

        Raises:
            NotWhatItShouldBe: it is none.
        """
        try:
            return _JOB.decode(reply.content)
        except msgspec.DecodeError as problem:
            raise not_salesforce(reply.url, str(problem)) from problem

    def look(self, job: Job) -> Job:
        """The job as it is now; a poll, and a call."""
        return self.read(self.call("GET", f"{self.root}/{job.id}", safety=Safety.READ))

    def wait(self, job: Job, rows: int) -> Job:
        """Wait for the end of a job of *rows* rows.

        Raises:
            OutcomeUnknown: its end was not seen.
            Cancelled: the wait was ended.
        """
        pause = self._bounded(rows * self._per_row)
        waited = 0.0
        while waited < self._waits.most:
            self._channel.transport.wait(pause)
            waited += pause
            seen = self.look(job)
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
