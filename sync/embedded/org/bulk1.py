"""Bulk API (the first one): jobs of batches in CSV, JSON or XML below ``/services/async``.

A batch is worked off as it arrives, so that the first look finds it completed. Each request is a call. With the switch
``lock_contention`` the batches of a parallel job refuse each other rows of one campaign, those of a serial job never.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.embedded.org.bulk1_forms import Outcome, as_xml, fields_of, outcomes_in, records_in, values_in
from sync.embedded.org.bulk1_records import json_records
from sync.embedded.org.bulk_job import Job
from sync.embedded.org.bulk_jobs import Jobs, query_rows
from sync.embedded.org.bulk_rows import CHUNK, campaign_of, check_columns, external_ids, refuse_locked, write_row
from sync.embedded.org.core import Answer, Org
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import encoder
from sync.embedded.org.soql_scope import instant_text

_OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete", "query", "queryAll"})
_MOST_ROWS = 10_000
_TYPES = {"CSV": "text/csv", "JSON": "application/json", "XML": "application/xml"}
"""Clients compare these to the letter: this interface names no character set."""


class Refused(Exception):
    """An error of this interface: exception code, words, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status

    def answer(self, *, json: bool) -> Answer:
        """The error in this interface's form."""
        return _shown({"exceptionCode": self.code, "exceptionMessage": self.message}, "error", self.status, json)


@dataclass(slots=True)
class _Batch:
    id: str
    made: int
    raw: bytes = b""
    state: str = "Completed"
    message: str | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    header: Sequence[str] = ()
    rows: list[Any] = field(default_factory=list)

    def shown(self, job: str) -> dict[str, Any]:
        failed = sum(not success for _, success, _, _ in self.outcomes)
        return {
            "apexProcessingTime": 0,
            "apiActiveProcessingTime": 0,
            "createdDate": instant_text(self.made),
            "id": self.id,
            "jobId": job,
            "numberRecordsFailed": failed,
            "numberRecordsProcessed": len(self.outcomes) or len(self.rows),
            "state": self.state,
            "stateMessage": self.message,
            "systemModstamp": instant_text(self.made),
            "totalProcessingTime": 0,
        }


@dataclass(slots=True)
class _Job:
    job: Job
    content: str
    concurrency: str
    state: str = "Open"
    batches: dict[str, _Batch] = field(default_factory=dict)
    holds: dict[str, set[str]] = field(default_factory=dict)


class Bulk1:
    """The jobs of one org; ``batches`` of ``jobs`` count against the day's allowance that both interfaces share."""

    def __init__(self, org: Org, jobs: Jobs) -> None:
        self._org, self._shared = org, jobs
        self._jobs: dict[str, _Job] = {}
        self._count = 0
        self._lock = threading.Lock()

    def answer(self, method: str, path: Sequence[str], raw: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer of a request; ``path`` is what follows the version. Errors are in this interface's form."""
        json = "json" in headers.get("accept", "")
        if len(path) < 3:  # batches are told in the job's form, whatever a request without a body says of its body
            json = json or "json" in headers.get("content-type", "")
        try:
            found = self._jobs.get(path[1]) if len(path) > 1 else None
            json = json or (found is not None and found.content == "JSON")
            return self._answer(method, path, raw, found, json=json)
        except Refused as error:
            return error.answer(json=json)
        except OrgError as error:
            return Refused("InvalidBatch", f"{error.code} : {error.message}").answer(json=json)

    def _answer(self, method: str, path: Sequence[str], raw: bytes, found: _Job | None, *, json: bool) -> Answer:
        if path[:1] != ["job"] or len(path) > 6:
            raise Refused("InvalidUrl", "Destination URL not reset. Requested URL not found", 404)
        if len(path) == 1 and method == "POST":
            return _shown(self._told(self._made(fields_of(raw))), "jobInfo", 201, json)
        if found is None:
            raise Refused("InvalidJob", "Unable to find object", 404)
        if len(path) == 2:
            if method == "POST":
                self._change(found, fields_of(raw).get("state"))
            return _shown(self._told(found), "jobInfo", 200, json)
        if path[2] != "batch":
            raise Refused("InvalidUrl", "Requested URL not found", 404)
        if len(path) == 3:
            if method == "POST":
                return _shown(self._add(found, raw).shown(found.job.id), "batchInfo", 201, json)
            told = [batch.shown(found.job.id) for batch in found.batches.values()]
            return _shown({"batchInfo": told}, "batchInfoList", 200, json)
        batch = found.batches.get(path[3])
        if batch is None:
            raise Refused("InvalidBatch", "Unable to find batch", 404)
        if len(path) == 4:
            return _shown(batch.shown(found.job.id), "batchInfo", 200, json)
        if path[4] == "request":
            return Answer(200, batch.raw, {"Content-Type": _TYPES[found.content]})
        return self._results(found, batch, path[5] if len(path) == 6 else None, json=json)

    def _id(self, prefix: str) -> str:
        with self._lock:
            self._count += 1
            return encoder(prefix)(self._count + 1_000_000)

    def _made(self, given: Mapping[str, Any]) -> _Job:
        operation, content = str(given.get("operation")), str(given.get("contentType", "XML")).upper()
        if operation not in _OPERATIONS:
            raise Refused("InvalidJob", f"Unknown operation: {operation}")
        if content not in _TYPES:
            raise Refused("InvalidJob", f"Unable to parse Job: {given.get('contentType')} is not a valid content type")
        item = self._org.schema.find(str(given.get("object")))
        if item is None:
            raise Refused(
                "InvalidJob", f"InvalidEntity : Entity '{given.get('object')}' is not supported by the Bulk API."
            )
        external = item.find(str(given.get("externalIdFieldName"))) if operation == "upsert" else None
        if operation == "upsert" and external is None:
            raise Refused("InvalidJob", "External ID was blank for an upsert job.")
        job = Job(self._id("750"), "bulk1", item, operation, "66.0", self._org.seconds(), external=external)
        made = _Job(job, content, str(given.get("concurrencyMode", "Parallel")))
        self._jobs[job.id] = made
        return made

    @staticmethod
    def _change(found: _Job, state: Any) -> None:
        if state not in ("Closed", "Aborted") or found.state == "Aborted":
            raise Refused("InvalidJobState", f"Changing the state from {found.state} to {state} is not allowed")
        found.state = state

    def _told(self, found: _Job) -> dict[str, Any]:
        job, batches = found.job, list(found.batches.values())
        outcomes = [one for batch in batches for one in batch.outcomes]
        return {
            "apexProcessingTime": 0,
            "apiActiveProcessingTime": 0,
            "apiVersion": float(job.version),
            "assignmentRuleId": None,
            "concurrencyMode": found.concurrency,
            "contentType": found.content,
            "createdById": self._org.user_id,
            "createdDate": instant_text(job.created),
            "externalIdFieldName": job.external.name if job.external is not None else None,
            "id": job.id,
            "numberBatchesCompleted": sum(batch.state == "Completed" for batch in batches),
            "numberBatchesFailed": sum(batch.state == "Failed" for batch in batches),
            "numberBatchesInProgress": 0,
            "numberBatchesQueued": 0,
            "numberBatchesTotal": len(batches),
            "numberRecordsFailed": sum(not success for _, success, _, _ in outcomes),
            "numberRecordsProcessed": len(outcomes) + sum(len(batch.rows) for batch in batches),
            "numberRetries": 0,
            "object": job.item.name,
            "operation": job.operation,
            "state": found.state,
            "systemModstamp": instant_text(self._org.seconds()),
            "totalProcessingTime": 0,
        }

    def _add(self, found: _Job, raw: bytes) -> _Batch:
        if found.state != "Open":
            raise Refused("InvalidJobState", f"The job is {found.state}")
        query = found.job.operation in ("query", "queryAll")
        if not query and self._shared.batches.take() is None:
            raise Refused("ExceededQuota", "ApiBatchItems Limit exceeded.")
        batch = _Batch(self._id("751"), self._org.seconds(), raw)
        found.batches[batch.id] = batch
        try:
            if query:
                self._query(found, batch, raw.decode("utf-8", "replace"))
            else:
                self._write(found, batch)
        except OrgError as error:
            words = error.message if error.code == "InvalidBatch" else f"{error.code} : {error.message}"
            words = f"Failed to process query: {error.code}: {error.message}" if query else words
            batch.state, batch.message = "Failed", f"InvalidBatch : {words}"
        return batch

    def _query(self, found: _Job, batch: _Batch, soql: str) -> None:
        deleted, version = found.job.operation == "queryAll", found.job.version
        if found.content == "JSON":
            batch.rows = json_records(self._org, soql, include_deleted=deleted, version=version)
        else:
            batch.header, batch.rows = query_rows(self._org, soql, include_deleted=deleted)

    def _write(self, found: _Job, batch: _Batch) -> None:
        rows = values_in(found.content, batch.raw)
        if len(rows) > _MOST_ROWS:
            raise OrgError("InvalidBatch", f"Records per batch are limited to {_MOST_ROWS}")
        for values in rows:
            check_columns(found.job.operation, (name for name in values if name not in ("attributes", "type")))
        with self._org.store.writing() as connection:
            writer, job = self._org.writer(connection), found.job
            lost, ids = frozenset[str](), None
            for at, values in enumerate(rows):
                if at % CHUNK == 0:
                    part = rows[at : at + CHUNK]
                    lost, ids = self._lost(found, batch, writer, part), external_ids(job, part)
                given = str(next((v for n, v in values.items() if n.lower() == "id"), "") or "")
                try:
                    if lost:
                        refuse_locked(job, writer, values, lost)
                    key, created = write_row(job, writer, values, given, ids)
                    batch.outcomes.append((encoder(job.item.prefix)(key), True, created, ""))
                except OrgError as error:
                    words = f"{error.code}:{error.message}:{','.join(error.fields)} --"
                    batch.outcomes.append((None, False, False, words))

    def _lost(self, found: _Job, batch: _Batch, writer: Writer, rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        """The campaigns whose lock an earlier batch of a parallel job holds while 200 rows of this one want it."""
        share = self._org.state.switches.lock_contention
        if not share or found.concurrency != "Parallel":
            return frozenset()
        wanted = {c for values in rows if (c := campaign_of(found.job, writer, values)) is not None}
        held = {c for other, campaigns in found.holds.items() if other != batch.id for c in campaigns}
        found.holds.setdefault(batch.id, set()).update(wanted)
        draws = random.Random(f"{batch.id} {len(batch.outcomes)}")  # noqa: S311 - repeatable by intent
        return frozenset(c for c in sorted(wanted & held) if draws.random() < share)

    def _results(self, found: _Job, batch: _Batch, part: str | None, *, json: bool) -> Answer:
        content = {"Content-Type": _TYPES[found.content]}
        if found.job.operation not in ("query", "queryAll"):
            return Answer(200, outcomes_in(found.content, batch.outcomes), content)
        result = encoder("752")(int.from_bytes(batch.id[:15].encode()) % 1_000_000)
        if part is None:
            if json:
                return Answer(200, [result], {"Content-Type": _TYPES["JSON"]})
            return Answer(200, as_xml("result-list", {"result": result}), {"Content-Type": _TYPES["XML"]})
        if part != result:
            raise Refused("InvalidBatch", "Unable to find result", 404)
        return Answer(200, records_in(found.content, found.job.item.name, batch.header, batch.rows), content)


def _shown(values: Mapping[str, Any], name: str, status: int, json: bool) -> Answer:
    if json:
        return Answer(status, dict(values), {"Content-Type": _TYPES["JSON"]})
    return Answer(status, as_xml(name, values), {"Content-Type": _TYPES["XML"]})
