"""One job of Bulk API 2.0 as a value, and what is shown of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.embedded.org.bulk_results import Results
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.soql_scope import instant_text

DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
ENDED = frozenset({"JobComplete", "Failed", "Aborted"})
Row = list[str]


@dataclass(slots=True)
class Job:
    """A job of either kind. ``done`` holds (id, created, row), ``failed`` (id, error, row), ``left`` unread rows;
    ``results`` what a query found.

    A ``slow`` job takes time: ``due`` is the org's instant before which it does not end, ``polls`` how often it is
    still seen in progress, ``ending_state`` how it ends.
    ``step`` and ``holds`` are the campaigns locked by the batches' present step; ``parallel``: there are several.
    """

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
    results: Results | None = None
    milliseconds: int = 0
    slow: bool = False
    due: float = 0.0
    polls: int = 0
    ending_state: str = "JobComplete"
    parallel: bool = False
    step: int = -1
    holds: set[str] = field(default_factory=set)

    @property
    def found(self) -> int:
        """Rows that a query has found so far."""
        return len(self.results) if self.results is not None else 0

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

    def listed(self, user: str) -> dict[str, Any]:
        """The job as a row of the list of all jobs, which has no counters."""
        return {**self.shown(user), "jobType": "V2Ingest" if self.kind == "ingest" else "V2Query"}

    def told(self, user: str) -> dict[str, Any]:
        """The job with its counters, as its own address shows it."""
        body = {
            **self.listed(user),
            "retries": 0,
            "numberRecordsProcessed": len(self.done) + len(self.failed) + self.found,
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
