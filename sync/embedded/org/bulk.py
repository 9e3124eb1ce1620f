"""The addresses of Bulk API 2.0: ``/jobs/ingest`` and ``/jobs/query``. Each request is a call, polls too."""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Any

import msgspec

from sync.embedded.org.bulk_jobs import DELIMITERS, OPERATIONS, Job, Jobs
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json, not_found
from sync.embedded.org.resources import body_of
from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_parse import parse

MULTIPART_MOST = 100_000
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
            return self._list(kind) if call.method == "GET" else self._create(kind, call)
        job = self.jobs.get(kind, rest[0])
        if len(rest) == 1:
            return self._job(job, call)
        if call.method == "PUT" and kind == "ingest" and rest[1] == "batches":
            return self._upload(job, call)
        if call.method != "GET":
            raise OrgError("METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed")
        return self._query_results(job, rest[1], call) if kind == "query" else self._results(job, rest[1])

    def _list(self, kind: str) -> Answer:
        shown = [job.shown(self._org.user_id) for job in self.jobs.all(kind)]
        return Answer(200, {"done": True, "records": shown, "nextRecordsUrl": None})

    def _create(self, kind: str, call: Call) -> Answer:
        if call.method != "POST":
            raise OrgError("METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed")
        content: bytes | None = None
        if isinstance(call.body, bytes):
            given, content = _parts(call)
        else:
            given = body_of(call)
        job = self.jobs.add(lambda name: self._made(kind, name, given, call.version))
        if kind == "query" or content is not None:
            job.data = content
            self.jobs.start(job)
            return Answer(200, {**job.shown(self._org.user_id), "state": "UploadComplete"})
        return Answer(200, job.shown(self._org.user_id))

    def _made(self, kind: str, name: str, given: Mapping[str, Any], version: str) -> Job:
        delimiter, ending = given.get("columnDelimiter", "COMMA"), given.get("lineEnding", "LF")
        if delimiter not in DELIMITERS or ending not in ("LF", "CRLF") or given.get("contentType", "CSV") != "CSV":
            raise OrgError("INVALIDJOB", "columnDelimiter, lineEnding or contentType is not supported")
        operation, now = given.get("operation"), self._org.seconds()
        if kind == "query":
            if operation not in ("query", "queryAll") or not isinstance(given.get("query"), str):
                raise OrgError("INVALIDJOB", "A query job needs operation and query")
            compiled = compile_query(parse(given["query"]), self._org.view())
            return Job(name, kind, compiled.item, operation, version, now, delimiter, ending, soql=given["query"])
        if operation not in OPERATIONS:
            raise OrgError("INVALIDJOB", f"Unknown operation: {operation}")
        item = self._org.schema.find(str(given.get("object")))
        if item is None:
            raise OrgError("INVALIDENTITY", f"Entity '{given.get('object')}' is not supported by the Bulk API.")
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
            if state == "Aborted" and job.state in ("Open", "UploadComplete", "InProgress"):
                job.state = "Aborted"
            elif state == "UploadComplete" and job.state == "Open" and job.kind == "ingest":
                self.jobs.start(job)
                return Answer(200, {**job.shown(self._org.user_id), "state": "UploadComplete"})
            else:
                raise OrgError("INVALIDJOBSTATE", f"Changing state from {job.state} to {state} is not allowed")
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
        if name == "successfulResults":
            rows: list[list[Any]] = [[i, "true" if new else "false", *row] for i, new, row in job.done]
            return Answer(200, job.text(["sf__Id", "sf__Created", *job.header], rows), _CSV)
        if name == "failedResults":
            rows = [[i, error, *row] for i, error, row in job.failed]
            return Answer(200, job.text(["sf__Id", "sf__Error", *job.header], rows), _CSV)
        if name == "unprocessedrecords":
            return Answer(200, job.text(job.header, job.left), _CSV)
        raise not_found()

    @staticmethod
    def _query_results(job: Job, name: str, call: Call) -> Answer:
        if name != "results":
            raise not_found()
        if call.version != job.version:
            raise OrgError("VERSION_MISMATCH", "The job was created with another API version", status=409)
        if job.state != "JobComplete":
            raise OrgError("INVALIDJOBSTATE", f"The job is {job.state}")
        start = int(call.query.get("locator") or 0)
        most = int(call.query.get("maxRecords") or len(job.done) or 1)
        part = [row for _, _, row in job.done[start : start + most]]
        locator = str(start + most) if start + most < len(job.done) else "null"
        headers = {**_CSV, "Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(part))}
        return Answer(200, job.text(job.header, part), headers)


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
    if len(content.decode("utf-8", "replace")) > MULTIPART_MOST:
        raise OrgError("INVALIDJOB", "The data of a multipart job is limited to 100,000 characters")
    try:
        given = msgspec.json.decode(job)
    except msgspec.DecodeError as error:
        raise malformed_json(str(error)) from None
    if not isinstance(given, Mapping):
        raise malformed_json("the part job has to hold an object")
    return given, content
