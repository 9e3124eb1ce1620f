"""What jobs of the Bulk API 2.0 have in common: their state, and waiting for their end with the fewest polls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from sync.errors import OutcomeUnknown, PredictiveError
from sync.http.calls import LongBody, Reply, Safety
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


class JobList(msgspec.Struct):
    """A page of the list of all jobs of the org; its rows have states and no counters."""

    records: list[Job]
    done: bool = True
    nextRecordsUrl: str | None = None


_JOB = msgspec.json.Decoder(Job)
_JOBS = msgspec.json.Decoder(JobList)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait for jobs: seconds until one is begun and seconds a row, at first; the least and the longest
    wait, and when to give up."""

    per_row: float = 0.002
    begun: float = 0.0
    least: float = 1.0
    longest: float = 300.0
    most: float = 7_200.0


class Paces(Protocol):
    """Seconds that a job took for each of its rows, by the kind of job; kept from one process to the next."""

    def load(self, kind: str) -> float | None:
        """As the last job of *kind* went; None before the first."""

    def save(self, kind: str, seconds: float) -> None:
        """As a job of *kind* went just now."""


def waits_for(base_url: str, *, here: Waits, elsewhere: Waits) -> Waits:
    """The waits by where the org is: on this machine it is quicker than others, and has no queue of jobs."""
    return here if urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1") else elsewhere


@dataclass(frozen=True, slots=True)
class Watched:
    """A job that was started and how many rows it has."""

    job: Job
    rows: int


class Jobs:
    """Requests about jobs of one kind.

    Args:
        channel: to the org.
        root: address of the kind, below the instance.
        waits: for jobs.
        paces: where it is kept how fast the org's jobs are, so that the first look at the next one comes in time.
        kind: under which name; by default the last part of *root*.
    """

    def __init__(self, channel: Channel, root: str, waits: Waits, paces: Paces | None = None, kind: str = "") -> None:
        self._channel = channel
        self._waits = waits
        self._paces, self._kind = paces, kind or root.rpartition("/")[2]
        known = paces.load(self._kind) if paces is not None else None
        self._per_row, self._begun = waits.per_row if known is None else known, waits.begun
        self.root = root

    def use(self, version: str) -> None:
        """Take another API version from now on."""
        self.root = f"/services/data/v{version}/{self.root.split('/', 4)[4]}"

    def call(
        self,
        method: str,
        path: str,
        *,
        safety: Safety,
        body: Any = None,
        csv_in: bytes | LongBody | None = None,
        csv_out: bool = False,
        headers: Mapping[str, str] = CALL_HEADERS,
        content_type: str = "text/csv",
        total: float | None = None,
    ) -> Reply:
        """One request that must succeed.

        Raises:
            as ``Channel.call`` and ``ensure_ok``.
        """
        sent = dict(headers)
        content: bytes | LongBody | None = csv_in
        if csv_in is not None:
            sent["Content-Type"] = content_type
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
        ended, error = self.wait_all((Watched(job, rows),))
        if error is not None:
            raise error
        return ended[job.id]

    def wait_all(self, watched: Sequence[Watched]) -> tuple[dict[str, Job], PredictiveError | None]:
        """Wait for the end of jobs that run at the same time.

        Each is looked at by itself, because only its own address has its counters; as long as several are not at
        their end, one call for the list of all jobs tells which are.

        Returns:
            The ended jobs by id, and why the others were not seen to end.
        """
        left = {one.job.id: one for one in watched}
        ended: dict[str, Job] = {}
        pause, waited = self.expected(max(one.rows for one in watched)), 0.0
        several = False
        try:
            while left and waited < self._waits.most:
                self._channel.transport.wait(pause)
                waited += pause
                ready = self._ended_of(left) if several else list(left)
                done, total = 0, 0
                for key in ready:
                    seen = self.look(left[key].job)
                    done, total = done + seen.numberRecordsProcessed, total + left[key].rows
                    if seen.state in ENDED:
                        self._learn(seen, left.pop(key).rows, waited)
                        ended[key] = seen
                several = len(left) > 1
                expected = _SPARE * waited * (total - done) / done if 0 < done < total else waited
                pause = self._bounded(expected + self._waits.least)
        except PredictiveError as error:
            return ended, error
        return ended, self._stalled(list(left), waited) if left else None

    def expected(self, rows: int) -> float:
        """Seconds after which a job of *rows* rows has most likely ended: when it is looked at first."""
        return self._bounded(self._begun + rows * self._per_row)

    def _ended_of(self, left: Mapping[str, Watched]) -> list[str]:
        """Those of the jobs that have ended, by one call a thousand jobs of the org."""
        path = f"{self.root}?jobType=V2Ingest"
        states: dict[str, str] = {}
        while path:
            reply = self.call("GET", path, safety=Safety.READ)
            try:
                page = _JOBS.decode(reply.content)
            except msgspec.DecodeError as problem:
                raise not_salesforce(reply.url, str(problem)) from problem
            states |= {job.id: job.state for job in page.records if job.id in left}
            path = page.nextRecordsUrl or "" if not page.done and len(states) < len(left) else ""
        return [key for key in left if states.get(key) in ENDED]

    def _learn(self, seen: Job, rows: int, waited: float) -> None:
        taken = seen.totalProcessingTime / 1_000 or waited
        self._per_row, self._begun = _SPARE * taken / max(rows, 1), min(self._begun, _SPARE * taken)
        if self._paces is not None:
            self._paces.save(self._kind, self._per_row)

    def _stalled(self, left: Sequence[str], waited: float) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"the Bulk job {', '.join(left)} did not end within {waited:.0f} s",
            where=self._channel.base_url,
            left_undone="it is not known which of its rows were written",
            remedy="look at it under Setup, Bulk Data Load Jobs; the rows are read before they are written again",
        )

    def _bounded(self, seconds: float) -> float:
        return min(max(self._waits.least, seconds), self._waits.longest)
