"""The addresses of Bulk API 2.0: ``/jobs/ingest`` and ``/jobs/query``. Each request is a call, polls too."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Any

import msgspec

from sync.embedded.org.bulk_job import DELIMITERS, ENDED, OPERATIONS, Job
from sync.embedded.org.bulk_jobs import Jobs
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json, not_found
from sync.embedded.org.resources import PAGE_ROWS, body_of
from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_parse import parse

_LISTED = 1_000
_PAGES = 5
_CSV = {"Content-Type": "text/csv"}


class Bulk:
    """Answers the requests about jobs."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.jobs = Jobs(org)

    def answer(self, org: Org, call: Call) -> Answer:
        """The answer of a call below ``/jobs``. Raises OrgError."""
        _, kind, *rest = call.path
        if kind not in ("ingest", "query") or len(rest) > 2:
            raise not_found()
        if not rest:
            return self._list(kind, call) if call.method == "GET" else self._create(kind, call)
        job = self.jobs.get(kind, rest[0])
        if len(rest) == 1:
            return self._job(job, call)
        if call.method == "PUT" and kind == "ingest" and rest[1] == "batches":
            return self._upload(job, call)
        if call.method != "GET":
            raise OrgError("METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed")
        if kind == "ingest":
            return self._results(job, rest[1])
        return self._pages(job, call) if rest[1].lower() == "resultpages" else self._query_results(job, rest[1], call)

    def _list(self, kind: str, call: Call) -> Answer:
        """Jobs of the whole org in no fixed order, 1,000 a page, without their counters."""
        jobs = sorted(self.jobs.all(kind), key=lambda job: (hash_of(job.id), job.id))
        if call.query.get("jobType", "") not in ("", "V2Ingest" if kind == "ingest" else "V2Query"):
            jobs = []
        start = _offset(call.query.get("queryLocator"))
        part = jobs[start : start + _LISTED]
        for job in part:
            self.jobs.look(job)
        after = start + _LISTED
        following = None
        if after < len(jobs):
            following = f"/services/data/v{call.version}/jobs/{kind}?queryLocator={_locator(after)}"
        records = [job.listed(self._org.user_id) for job in part]
        return Answer(200, {"done": following is None, "records": records, "nextRecordsUrl": following})

    def _create(self, kind: str, call: Call) -> Answer:
        if call.method != "POST":
            raise OrgError("METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed")
        content: bytes | None = None
        if isinstance(call.body, bytes):
            given, content = _parts(call)
            if len(content.decode("utf-8", "replace")) > self._org.state.switches.multipart_most:
                raise OrgError("INVALIDJOB", "The data of a multipart job is limited to 100,000 characters")
        else:
            given = body_of(call)
        if kind == "query" and self.jobs.queries.take() is None:
            raise OrgError("LIMIT_EXCEEDED", "DailyBulkV2QueryJobs Limit exceeded.")
        job = self.jobs.add(lambda name: self._made(kind, name, given, call.version))
        if kind == "query" or content is not None:
            job.data = content
            self.jobs.start(job)
            return Answer(200, {**job.shown(self._org.user_id), "state": "UploadComplete"})
        return Answer(200, job.shown(self._org.user_id))

    def _made(self, kind: str, name: str, given: Mapping[str, Any], version: str) -> Job:
        delimiter, ending = given.get("columnDelimiter", "COMMA"), given.get("lineEnding", "LF")
        if (
            not isinstance(delimiter, str)
            or delimiter not in DELIMITERS
            or ending not in ("LF", "CRLF")
            or given.get("contentType", "CSV") != "CSV"
        ):
            raise OrgError("INVALIDJOB", "columnDelimiter, lineEnding or contentType is not supported")
        operation, now = given.get("operation"), self._org.seconds()
        if kind == "query":
            if operation not in ("query", "queryAll") or not isinstance(given.get("query"), str):
                raise OrgError("INVALIDJOB", "A query job needs operation and query")
            compiled = compile_query(parse(given["query"]), self._org.view())
            return Job(name, kind, compiled.item, operation, version, now, delimiter, ending, soql=given["query"])
        if not isinstance(operation, str) or operation not in OPERATIONS:
            raise OrgError("INVALIDJOB", f"Unknown operation: {operation or ''}")
        item = self._org.schema.find(str(given.get("object")))
        if item is None:
            raise OrgError("INVALIDENTITY", f"Entity '{given.get('object', '')}' is not supported by the Bulk API.")
        external = item.find(str(given.get("externalIdFieldName"))) if operation == "upsert" else None
        if operation == "upsert" and (external is None or not (external.external_id or external.type == "id")):
            raise OrgError("INVALIDJOB", "externalIdFieldName has to name an external id field")
        return Job(name, kind, item, operation, version, now, delimiter, ending, external)

    def _job(self, job: Job, call: Call) -> Answer:
        if call.method == "DELETE":
            self.jobs.remove(job)
            return Answer(204)
        if call.method == "PATCH":
            state = body_of(call).get("state")
            if state == "Aborted":
                self.jobs.abort(job)
            elif state == "UploadComplete" and job.state == "Open" and job.kind == "ingest":
                self.jobs.start(job)
                return Answer(200, {**job.shown(self._org.user_id), "state": "UploadComplete"})
            else:
                raise OrgError("INVALIDJOBSTATE", f"Changing state from {job.state} to {state} is not allowed")
        if call.method == "GET":
            self.jobs.look(job)
        return Answer(200, job.told(self._org.user_id))

    @staticmethod
    def _upload(job: Job, call: Call) -> Answer:
        if not isinstance(call.body, bytes):
            raise OrgError("INVALIDJOB", "The data of a job has to be text/csv")
        if job.state != "Open" or job.data is not None:
            raise OrgError("INVALIDJOBSTATE", f"Data can be uploaded once, while the job is open, not {job.state}")
        job.data = call.body
        return Answer(201)

    @staticmethod
    def _results(job: Job, name: str) -> Answer:
        name = name.lower()  # the guide itself spells them in several ways
        if name not in ("successfulresults", "failedresults", "unprocessedrecords"):
            raise not_found()
        if job.state not in ENDED:
            raise OrgError("INVALIDJOBSTATE", f"The job is {job.state}")
        if name == "successfulresults":
            rows: list[list[Any]] = [[i, "true" if new else "false", *row] for i, new, row in job.done]
            return Answer(200, job.text(["sf__Id", "sf__Created", *job.header], rows), _CSV)
        if name == "failedresults":
            rows = [[i, error, *row] for i, error, row in job.failed]
            return Answer(200, job.text(["sf__Id", "sf__Error", *job.header], rows), _CSV)
        return Answer(200, job.text(job.header, job.left), _CSV)

    @staticmethod
    def _ready(job: Job, call: Call) -> None:
        if call.version != job.version:
            raise OrgError("VERSION_MISMATCH", "The job was created with another API version", status=409)
        if job.state != "JobComplete":
            raise OrgError("INVALIDJOBSTATE", f"The job is {job.state}")

    @staticmethod
    def _most(job: Job, call: Call) -> int:
        """The rows of a page: what is asked for, and what a fault's short page allows."""
        asked = call.query.get("maxRecords", "")
        if asked and (not asked.isdigit() or int(asked) < 1):
            raise OrgError("INVALIDJOB", f"maxRecords has to be a whole number from 1 on, not {asked}")
        forced = call.headers.get(PAGE_ROWS)
        most = int(asked) if asked else job.found or 1
        return min(most, int(forced)) if forced else most

    def _query_results(self, job: Job, name: str, call: Call) -> Answer:
        if name != "results":
            raise not_found()
        self._ready(job, call)
        start, most = _offset(call.query.get("locator")), self._most(job, call)
        assert job.results is not None
        content, rows = job.results.page(start, most)
        locator = _locator(start + most) if start + most < job.found else "null"
        headers = {**_CSV, "Sforce-Locator": locator, "Sforce-NumberOfRecords": str(rows)}
        return Answer(200, content, headers)

    def _pages(self, job: Job, call: Call) -> Answer:
        """Addresses of up to five result pages, which may be read at the same time."""
        self._ready(job, call)
        base, start = f"/services/data/v{call.version}/jobs/query/{job.id}", _offset(call.query.get("locator"))
        asked = call.query.get("maxRecords")
        most, tail = self._most(job, call), f"&maxRecords={asked}" if asked else ""
        starts = range(start, max(job.found, 1), most)[:_PAGES]
        after = start + most * len(starts)
        done = after >= job.found
        following = None if done else f"{base}/resultPages?locator={_locator(after)}{tail}"
        pages = [{"resultUrl": f"{base}/results?locator={_locator(at)}{tail}"} for at in starts]
        return Answer(200, {"resultPages": pages, "nextRecordsUrl": following, "done": done})


def hash_of(text: str) -> int:
    """A number that puts ids into no order that a client could rely on, the same one each time."""
    return zlib.crc32(text.encode())


def _locator(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def _offset(locator: str | None) -> int:
    """The offset that a locator stands for. Raises OrgError."""
    if not locator:
        return 0
    try:
        return int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except ValueError:
        raise OrgError("INVALID_QUERY_LOCATOR", "invalid query locator") from None


def _parts(call: Call) -> tuple[Mapping[str, Any], bytes]:
    """(job, data) of a multipart create. Raises OrgError."""
    head = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + call.body, policy=policy.HTTP)
    found = (
        {
            str(p.get_param("name", header="content-disposition")): p.get_payload(decode=True)
            for p in message.iter_parts()
        }
        if message.is_multipart()
        else {}
    )
    job, content = found.get("job"), found.get("content")
    if not isinstance(job, bytes) or not isinstance(content, bytes):
        raise malformed_json("A multipart job has the parts job and content")
    try:
        given = msgspec.json.decode(job)
    except msgspec.DecodeError as error:
        raise malformed_json(str(error)) from None
    if not isinstance(given, Mapping):
        raise malformed_json("the part job has to hold an object")
    return given, content
