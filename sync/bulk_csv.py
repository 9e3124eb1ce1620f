"""Rows as the CSV of a Bulk API 2.0 job: what its upload holds, and how many characters that is.

Pure; imported by the planner of calls, which must know whether the data fits into the request that creates the job,
and by the adapter that sends it. An empty cell keeps a field, ``#N/A`` sets it to null.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

NULL = "#N/A"
"""What sets a field to null."""

Row = tuple[str, Mapping[str, Any]]
"""A record's id and the values to set, by API name (``Parent__r.External__c`` for a reference by external id)."""


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The names that any of the rows sets, in the order in which they first appear."""
    return list(dict.fromkeys(name for _, values in rows for name in values))


def as_csv(rows: Iterable[Row]) -> str:
    """The job's data with its header; a field that a row does not set stays empty: kept."""
    given = list(rows)
    names = columns_of(given)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Id", *names])
    for record_id, values in given:
        writer.writerow([record_id, *(cell(values[name]) if name in values else "" for name in names)])
    return out.getvalue()


def characters(rows: Iterable[Row]) -> int:
    """How many characters :func:`as_csv` gives."""
    return len(as_csv(rows))


def cell(value: Any) -> str:
    """A value as a cell: instants in UTC with seconds, nothing as null."""
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
