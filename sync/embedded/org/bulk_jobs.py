"""Bulk API 2.0 jobs: rows as CSV, worked off in the background in transactions of 200.

An empty cell leaves a field as it is, ``#N/A`` sets it to null; results come in no order of the upload.
"""

from __future__ import annotations

import csv
import io
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.embedded.org.core import Org
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import decode, encoder
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.soql_compile import Shape, compile_query
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_scope import instant_text

CHUNK = 200
DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
_NULL = "#N/A"
Row = list[str]


@dataclass(slots=True)
class Job:
    """A job of either kind. ``done`` holds (id, created, row), ``failed`` (id, error, row), ``left`` unread rows."""

    id: str
    kind: str
    item: ObjectType
    operation: str
    version: str
    created: int
    delimiter: str = "COMMA"
    ending: str = "LF"
    external: Field | None = None
    soql: str = ""
    state: str = "Open"
    stamp: int = 0
    message: str | None = None
    data: bytes | None = None
    header: Row = field(default_factory=list)
    done: list[tuple[str, bool, Row]] = field(default_factory=list)
    failed: list[tuple[str, str, Row]] = field(default_factory=list)
    left: list[Row] = field(default_factory=list)
    milliseconds: int = 0

    def shown(self, user: str) -> dict[str, Any]:
        """The job as the list of jobs shows it."""
        base = f"services/data/v{self.version}/jobs/{self.kind}"
        body = {
            "id": self.id,
            "operation": self.operation,
            "object": self.item.name,
            "createdById": user,
            "createdDate": instant_text(self.created),
            "systemModstamp": instant_text(self.stamp or self.created),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "lineEnding": self.ending,
            "columnDelimiter": self.delimiter,
        }
        if self.kind == "ingest":
            body["contentUrl"] = f"{base}/{self.id}/batches"
            if self.external is not None:
                body["externalIdFieldName"] = self.external.name
        return body

    def told(self, user: str) -> dict[str, Any]:
        """The job with its counters, as its own address shows it."""
        body = {
            **self.shown(user),
            "jobType": "V2Ingest" if self.kind == "ingest" else "V2Query",
            "retries": 0,
            "numberRecordsProcessed": len(self.done) + len(self.failed),
            "totalProcessingTime": self.milliseconds,
        }
        if self.kind == "ingest":
            body.update(
                numberRecordsFailed=len(self.failed), apiActiveProcessingTime=self.milliseconds, apexProcessingTime=0
            )
        if self.message is not None:
            body["errorMessage"] = self.message
        return body

    def text(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
        """Rows as the job's kind of CSV, every cell quoted."""
        out = io.StringIO()
        end = "\r\n" if self.ending == "CRLF" else "\n"
        writer = csv.writer(out, delimiter=DELIMITERS[self.delimiter], lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        writer.writerows(rows)
        return out.getvalue().encode()


class Jobs:
    """The jobs of the org. ``start`` works one off in a thread of its own; jobs of one org take turns."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs: dict[str, Job] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._turn = threading.Lock()

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
        if job is None or job.kind != kind:
            raise OrgError("NOT_FOUND", "The requested resource does not exist")
        return job

    def all(self, kind: str) -> list[Job]:
        """Every job of a kind."""
        with self._lock:
            return [job for job in self._jobs.values() if job.kind == kind]

    def remove(self, job: Job) -> None:
        """Forget a job and its results."""
        with self._lock:
            self._jobs.pop(job.id, None)

    def start(self, job: Job) -> None:
        """Begin to work a job off."""
        job.state = "UploadComplete"
        job.stamp = self._org.seconds()
        threading.Thread(target=self._work, args=(job,), name=f"bulk-{job.id}", daemon=True).start()

    def _work(self, job: Job) -> None:
        with self._turn:
            if job.state != "UploadComplete":
                return
            job.state = "InProgress"
            began = self._org.clock.monotonic()
            try:
                (self._ingest if job.kind == "ingest" else self._query)(job)
                ended = "JobComplete" if job.state == "InProgress" else job.state
            except OrgError as error:
                job.message, ended = f"{error.code} : {error.message}", "Failed"
            job.milliseconds = int((self._org.clock.monotonic() - began) * 1000)
            job.stamp, job.state = self._org.seconds(), ended

    def _ingest(self, job: Job) -> None:
        text = (job.data or b"").decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text), delimiter=DELIMITERS[job.delimiter])
        job.header = next(rows, [])
        if not job.header:
            raise OrgError("InvalidBatch", "The CSV has no header row")
        todo = [row for row in rows if row]
        for start in range(0, len(todo), CHUNK):
            if job.state != "InProgress":
                job.left = todo[start:]
                break
            with self._org.store.writing() as connection:
                writer = self._org.writer(connection)
                for row in todo[start : start + CHUNK]:
                    self._row(job, writer, row)
        order = random.Random(job.id)  # noqa: S311 - results come in no order, the same one each time
        order.shuffle(job.done)
        order.shuffle(job.failed)

    def _row(self, job: Job, writer: Writer, row: Row) -> None:
        given = ""
        try:
            if len(row) != len(job.header):
                raise OrgError("InvalidBatch", f"the row has {len(row)} cells, the header {len(job.header)}")
            values = row_values(job.header, row)
            given = str(next((v for n, v in values.items() if n.lower() == "id"), "") or "")
            key, created = self._write(job, writer, values, given)
            job.done.append((encoder(job.item.prefix)(key), created, row))
        except OrgError as error:
            job.failed.append((given, f"{error.code}:{error.message}:{','.join(error.fields)} --", row))

    @staticmethod
    def _write(job: Job, writer: Writer, values: Mapping[str, Any], given: str) -> tuple[int, bool]:
        item = job.item
        if job.operation == "insert":
            return writer.create(item, values), True
        if job.operation == "upsert" and job.external is not None and job.external.type != "id":
            name = job.external.name
            return writer.upsert(item, job.external, values.get(name), values)
        found = decode(given)
        if found is None or found[0] != item.prefix:
            if not given:
                raise OrgError("MISSING_ARGUMENT", "Id not specified")
            raise OrgError("MALFORMED_ID", f"{item.label} ID: id value of incorrect type: {given}", ("Id",))
        if job.operation in ("delete", "hardDelete"):
            writer.delete(item, found[1])
        else:
            writer.update(item, found[1], values)
        return found[1], False

    def _query(self, job: Job) -> None:
        view = self._org.view(include_deleted=job.operation == "queryAll")
        compiled = compile_query(parse(job.soql), view)
        if compiled.shape is None:
            raise OrgError("FEATURENOTENABLED", "Aggregate Relationships not supported in Bulk Query")
        columns = list(_columns(compiled.shape))
        job.header = [name for name, _, _ in columns]
        with self._org.store.reading() as connection:
            for found in connection.execute(compiled.sql(compiled.columns, compiled.limit), compiled.params):
                job.done.append(("", False, [_cell(found[i], convert) for _, i, convert in columns]))


def _columns(shape: Shape, path: str = "") -> Iterator[tuple[str, int, Any]]:
    for name, index, convert in shape.leaves:
        yield path + name, index, convert
    for name, node in shape.nodes.items():
        yield from _columns(node, f"{path}{name}.")


def _cell(value: Any, convert: Any) -> str:
    if value is None:
        return ""
    shown = convert(value) if convert is not None else value
    if isinstance(shown, bool):
        return "true" if shown else "false"
    return shown.replace("+0000", "Z") if convert is instant_text else str(shown)


def row_values(header: Sequence[str], row: Sequence[str]) -> dict[str, Any]:
    """A CSV row as the values to write: empty cells left out, ``#N/A`` null, ``Link__r.Ext__c`` as a reference."""
    values: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=True):
        if cell == "":
            continue
        value = None if cell == _NULL else cell
        link, dot, target = name.partition(".")
        values[link] = {target: value} if dot else value
    return values
