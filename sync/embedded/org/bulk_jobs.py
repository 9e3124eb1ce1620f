"""The org's Bulk API 2.0 jobs: their states over time, by its clock and by how often they were looked at.

A job without delay is worked off in a thread of its own. A slow one has its first half written when it is first seen in
progress, and the rest when it is due, so that aborting it leaves rows on both sides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.bulk_job import DELIMITERS, ENDED, Job
from sync.embedded.org.bulk_results import Cell, Results
from sync.embedded.org.bulk_rows import Chunk, Ingest, chunks_of, shuffled, uploaded
from sync.embedded.org.core import Org
from sync.embedded.org.errors import OrgError, not_found
from sync.embedded.org.ids import decode, encoder
from sync.embedded.org.quota import Quota
from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_scope import instant_text
from sync.embedded.org.soql_shape import Compiled, Shape

KEPT_SECONDS, OPEN_SECONDS = 7 * 86_400, 86_400
MOST_BATCHES, MOST_QUERIES = 15_000, 10_000
_CHUNK = 5_000


class Jobs:
    """The jobs of the org; they take turns. ``batches`` and ``queries`` count against the day's allowances."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs: dict[str, Job] = {}
        self._chunks: dict[str, list[Chunk]] = {}
        self._ingest = Ingest(org)
        self._count = 0
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self.batches = Quota(org.clock, MOST_BATCHES)
        self.queries = Quota(org.clock, MOST_QUERIES)

    def add(self, make: Callable[[str], Job]) -> Job:
        """Keep a new job, made from its id."""
        with self._lock:
            self._count += 1
            job = make(encoder("750")(self._count))
            self._jobs[job.id] = job
            return job

    def get(self, kind: str, text: str) -> Job:
        """The job of an id. Raises OrgError NOT_FOUND."""
        found = decode(text)
        job = self._jobs.get(encoder(found[0])(found[1])) if found is not None and found[1] >= 0 else None
        if job is None or job.kind != kind or self._org.seconds() - job.created > KEPT_SECONDS:
            raise not_found()
        if job.state == "Open" and self._org.seconds() - job.created > OPEN_SECONDS:
            job.state, job.message = "Failed", "The job was open for more than a day"
        return job

    def all(self, kind: str) -> list[Job]:
        """Every job of a kind."""
        with self._lock:
            return [job for job in self._jobs.values() if job.kind == kind]

    def remove(self, job: Job) -> None:
        """Forget a job and its results. Raises OrgError while it is open or in progress."""
        if job.state in ("Open", "InProgress"):
            raise OrgError("INVALIDJOBSTATE", f"A job that is {job.state} cannot be deleted")
        with self._lock:
            self._jobs.pop(job.id, None)
            self._chunks.pop(job.id, None)
        if job.results is not None:
            job.results.close()

    def start(self, job: Job) -> None:
        """Begin to work a job off."""
        state = self._org.state
        slow = state.slow_jobs.pop(0) if state.slow_jobs else None
        seconds = slow.seconds if slow is not None else state.switches.bulk_seconds
        job.polls = slow.polls if slow is not None else state.switches.bulk_polls
        if slow is not None and slow.state is not None:
            job.ending_state, job.message = slow.state, slow.message
        job.due = self._org.clock.now().timestamp() + seconds
        job.slow = bool(seconds or job.polls)
        job.state, job.stamp = "UploadComplete", self._org.seconds()
        if not job.slow:
            threading.Thread(target=self._finish, args=(job,), name=f"bulk-{job.id}", daemon=True).start()

    def abort(self, job: Job) -> None:
        """Stop a job; what it has written stays, the rest is unprocessed. Raises OrgError once it has ended."""
        if job.state in ENDED:
            raise OrgError("INVALIDJOBSTATE", f"Changing state from {job.state} to Aborted is not allowed")
        job.state = "Aborted"
        with self._turn:
            job.stamp = self._org.seconds()
            chunks = self._chunks.pop(job.id, None)
            job.left += uploaded(job) if chunks is None else [row for chunk in chunks for row in chunk.rows]
            shuffled(job)

    def look(self, job: Job) -> None:
        """What looking at a slow job does to it: it goes on, or is due."""
        if job.polls > 0 and job.state in ("UploadComplete", "InProgress"):
            job.polls -= 1
            self._begin(job)
        self._settle(job)

    def settle(self) -> None:
        """Let every slow job go on that the clock has made due."""
        for job in tuple(self._jobs.values()):
            self._settle(job)

    def _settle(self, job: Job) -> None:
        if not job.slow or job.polls or job.state not in ("UploadComplete", "InProgress"):
            return
        if self._org.clock.now().timestamp() >= job.due:
            self._finish(job)
        else:
            self._begin(job)

    def _begin(self, job: Job) -> None:
        """Into progress, with the first half of the rows written."""
        with self._turn:
            if job.state != "UploadComplete":
                return
            job.state = "InProgress"
            if job.kind == "ingest" and self._prepared(job):
                chunks = self._chunks[job.id]
                for _ in range(len(chunks) // 2):
                    self._ingest.carry_out(job, chunks.pop(0))

    def _prepared(self, job: Job) -> bool:
        """Read the job's rows; False when it failed over them."""
        try:
            found = chunks_of(job, self._org.state.switches.bulk_rows)
            batches = max((chunk.batch for chunk in found), default=0) + 1
            if self.batches.take(batches) is None:
                raise OrgError("LIMIT_EXCEEDED", "ApiBatchItems Limit exceeded.")
            job.parallel = batches > 1
            self._chunks[job.id] = found
        except OrgError as error:
            job.left = uploaded(job)
            self._fail(job, error)
            return False
        return True

    def _fail(self, job: Job, error: OrgError) -> None:
        job.message, job.stamp, job.state = f"{error.code} : {error.message}", self._org.seconds(), "Failed"

    def _finish(self, job: Job) -> None:
        with self._turn:
            if job.state not in ("UploadComplete", "InProgress"):
                return
            job.state = "InProgress"
            began = self._org.clock.monotonic()
            try:
                if job.kind == "query":
                    self._query(job)
                elif not self._work(job):
                    return
            except OrgError as error:
                self._fail(job, error)
                return
            job.milliseconds = int((self._org.clock.monotonic() - began) * 1000)
            if job.state == "InProgress":
                job.stamp, job.state = self._org.seconds(), job.ending_state

    def _work(self, job: Job) -> bool:
        """Write the rows that are left; False when they could not be read."""
        if job.id not in self._chunks and not self._prepared(job):
            return False
        chunks = self._chunks[job.id]
        if job.ending_state != "JobComplete":
            job.left = [row for chunk in chunks[len(chunks) // 2 :] for row in chunk.rows]
            del chunks[len(chunks) // 2 :]
        while chunks and job.state == "InProgress":
            self._ingest.carry_out(job, chunks.pop(0))
        shuffled(job)
        return True

    def _query(self, job: Job) -> None:
        header, cells, chunks = query_chunks(self._org, job.soql, include_deleted=job.operation == "queryAll")
        end = "\r\n" if job.ending == "CRLF" else "\n"
        folder = self._org.store.path.parent
        job.results = Results(header, cells, delimiter=DELIMITERS[job.delimiter], end=end, folder=folder)
        for rows in chunks:
            if job.state != "InProgress":
                break
            job.results.add(rows)
        job.results.finish()


def query_rows(org: Org, soql: str, *, include_deleted: bool) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of a bulk query's CSV, columns in the order of the statement. Raises OrgError."""
    header, cells, chunks = query_chunks(org, soql, include_deleted=include_deleted)
    return header, [
        ["" if value is None else (cell or str)(value) for value, cell in zip(row, cells, strict=True)]
        for rows in chunks
        for row in rows
    ]


def bulk_statement(org: Org, soql: str, *, include_deleted: bool) -> tuple[ast.Query, Compiled, Shape]:
    """A statement, compiled, with the shape of its records. Raises OrgError for one that bulk queries do not take."""
    org.state.check_query(soql)
    query = parse(soql)
    compiled = compile_query(query, org.view(include_deleted=include_deleted))
    if compiled.shape is None or compiled.children:
        raise OrgError("FEATURENOTENABLED", "Aggregate Relationships not supported in Bulk Query")
    for barred, name in ((query.offset, "OFFSET"), (any(isinstance(s, ast.TypeOf) for s in query.select), "TYPEOF")):
        if barred:
            raise OrgError("FEATURENOTENABLED", f"{name} not supported in Bulk Query")
    return query, compiled, compiled.shape


def query_chunks(
    org: Org, soql: str, *, include_deleted: bool
) -> tuple[list[str], list[Cell], Iterator[list[tuple[Any, ...]]]]:
    """Header of a bulk query's CSV, how its values become texts, and its rows of stored values, some thousand at a
    time; columns in the order of the statement. Raises OrgError."""
    query, compiled, shape = bulk_statement(org, soql, include_deleted=include_deleted)
    found = {name.lower(): (name, index, convert) for name, index, convert in _columns(shape)}
    asked = [".".join(s.path.parts).lower() for s in query.select if isinstance(s, ast.Selected)]
    columns = [found.pop(name) for name in asked if name in found]
    columns += found.values()
    wanted = [compiled.columns[index] for _, index, _ in columns]

    def chunks() -> Iterator[list[tuple[Any, ...]]]:
        with org.store.reading() as connection:
            rows = connection.execute(compiled.sql(wanted, compiled.limit), compiled.params)
            while some := rows.fetchmany(_CHUNK):
                yield some

    return [name for name, _, _ in columns], [_cell(convert) for _, _, convert in columns], chunks()


def _columns(shape: Shape, path: str = "") -> Iterator[tuple[str, int, Any]]:
    for name, index, convert in shape.leaves:
        yield path + name, index, convert
    for name, node in shape.nodes.items():
        yield from _columns(node, f"{path}{name}.")


def _cell(convert: Any) -> Cell:
    """How values become texts, from how they become JSON."""
    if convert is bool:
        return _truth
    return _instant if convert is instant_text else convert


def _truth(value: Any) -> str:
    return "true" if value else "false"


def _instant(value: Any) -> str:
    return instant_text(value).replace("+0000", "Z")
