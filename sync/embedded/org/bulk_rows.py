"""The rows of Bulk API 2.0 ingest jobs: CSV to values, transactions of 200, batches that may contend for locks.

An empty cell leaves a field as it is, ``#N/A`` sets it to null.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.embedded.org.bulk_job import DELIMITERS, Job, Row
from sync.embedded.org.core import Org
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError
from sync.embedded.org.external_ids import ExternalIds, given_id
from sync.embedded.org.ids import decode, encoder, normalise
from sync.embedded.org.schema import ObjectType
from sync.embedded.org.values import UnreadableValue

CHUNK = 200
_NULL = "#N/A"
_TRUTH = dict.fromkeys(("yes", "y", "true", "on", "1"), True) | dict.fromkeys(("no", "n", "false", "off", "0"), False)
_PARENTS = ("campaignid", "pam__campaign__c")


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


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one transaction: the number of their internal batch, and of the step within it."""

    batch: int
    step: int
    rows: Sequence[Row]


def uploaded(job: Job) -> list[Row]:
    """The rows that were uploaded to the job, as its delimiter parts them; notes its header."""
    text = (job.data or b"").decode("utf-8-sig", "replace")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[job.delimiter])
    job.header = next(rows, [])
    return [row for row in rows if row]


def check_columns(operation: str, names: Iterable[str]) -> None:
    """Raise OrgError InvalidBatch for columns beside the id where rows are deleted."""
    if operation in ("delete", "hardDelete") and {name.lower() for name in names} != {"id"}:
        raise OrgError("InvalidBatch", f"The '{operation}' batch must contain only ids")


def chunks_of(job: Job, batch_rows: int) -> list[Chunk]:
    """The job's rows as the org works them off; batches run in parallel, so their steps are interleaved.

    Raises OrgError for data that is no CSV of this job.
    """
    todo = uploaded(job)
    first, line, _ = (job.data or b"").partition(b"\n")
    if first.endswith(b"\r") != (job.ending == "CRLF") and line:
        raise OrgError(
            "ClientInputError", f"LineEnding is invalid on user data. Current LineEnding setting is {job.ending}"
        )
    if not job.header:
        raise OrgError("InvalidBatch", "The CSV has no header row")
    for name in job.header:
        known = job.item.find(name) if "." not in name else job.item.by_relationship.get(name.partition(".")[0].lower())
        if known is None:
            raise OrgError("InvalidBatch", f"Field name not found : {name}")
    check_columns(job.operation, job.header)
    made = []
    for batch, start in enumerate(range(0, len(todo), batch_rows)):
        part = todo[start : start + batch_rows]
        made += [Chunk(batch, step // CHUNK, part[step : step + CHUNK]) for step in range(0, len(part), CHUNK)]
    return sorted(made, key=lambda chunk: (chunk.step, chunk.batch))


class Ingest:
    """Works an ingest job's chunks off."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def carry_out(self, job: Job, chunk: Chunk) -> None:
        """Write one chunk in a transaction of its own."""
        with self._org.store.writing() as connection:
            writer = self._org.writer(connection)
            lost = self._lost(job, chunk, writer)
            ids = external_ids(job, [dict(zip(job.header, row, strict=False)) for row in chunk.rows])
            for row in chunk.rows:
                self._row(job, writer, row, lost, ids)

    def _lost(self, job: Job, chunk: Chunk, writer: Writer) -> frozenset[str]:
        """The campaigns whose lock another batch of the job holds while this chunk wants it."""
        share = self._org.state.switches.lock_contention
        if not share or (chunk.batch == 0 and not job.parallel):
            return frozenset()
        wanted = {
            c
            for row in chunk.rows
            if (c := campaign_of(job, writer, dict(zip(job.header, row, strict=False)))) is not None
        }
        if chunk.step != job.step:
            job.step, job.holds = chunk.step, set()
        draws = random.Random(f"{job.id} {chunk.batch} {chunk.step}")  # noqa: S311 - repeatable by intent
        lost = {c for c in sorted(wanted & job.holds) if draws.random() < share}
        job.holds |= wanted - lost
        return frozenset(lost)

    def _row(self, job: Job, writer: Writer, row: Row, lost: frozenset[str], ids: ExternalIds | None) -> None:
        given = ""
        try:
            if len(row) != len(job.header):
                raise OrgError("InvalidBatch", f"the row has {len(row)} cells, the header {len(job.header)}")
            values = row_values(job.header, row)
            given = str(next((v for n, v in values.items() if n.lower() == "id"), "") or "")
            if lost:
                refuse_locked(job, writer, values, lost)
            key, created = write_row(job, writer, values, given, ids)
            job.done.append((encoder(job.item.prefix)(key), created, row))
        except OrgError as error:
            job.failed.append((given, f"{error.code}:{error.message}:{','.join(error.fields)} --", row))


def campaign_of(job: Job, writer: Writer, values: Mapping[str, Any]) -> str | None:
    """The campaign (15 characters) whose lock a row wants, None when it wants none."""
    cells = {name.lower(): str(value or "") for name, value in values.items()}
    for name in _PARENTS:
        if name in cells:
            return normalise(cells[name])
    found = decode(cells.get("id", ""))
    if job.item.name != "CampaignMember" or found is None:
        return None
    kept = writer.connection.execute("SELECT CampaignId FROM CampaignMember WHERE Id = ?", (found[1],)).fetchone()
    return encoder("701")(kept[0])[:15] if kept else None


def refuse_locked(job: Job, writer: Writer, values: Mapping[str, Any], lost: frozenset[str]) -> None:
    """Raise OrgError UNABLE_TO_LOCK_ROW for a row of one of the *lost* campaigns."""
    campaign = campaign_of(job, writer, values)
    if campaign in lost:
        raise OrgError(
            "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {campaign}"
        )


def external_ids(job: Job, rows: Sequence[Mapping[str, Any]]) -> ExternalIds | None:
    """The external ids of rows that go into one transaction; None of a job that has none."""
    by_key = job.operation == "upsert" and job.external is not None and job.external.type != "id"
    return ExternalIds(job.item, job.external, rows) if by_key and job.external is not None else None


def write_row(
    job: Job, writer: Writer, values: Mapping[str, Any], given: str, ids: ExternalIds | None
) -> tuple[int, bool]:
    """Write one row; ``given`` is its id, ``ids`` are the external ids of the rows around it.

    The row's key, and whether it was created. Raises OrgError.
    """
    try:
        return _write(job, writer, _with_truth(job.item, values), given, ids)
    except UnreadableValue as error:
        raise error.in_row from None


def _with_truth(item: ObjectType, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with the words that rows may have for true and false (Data Loader guide, "Data Types")."""
    meant = {
        name: _TRUTH[value.lower()]
        for name, value in values.items()
        if isinstance(value, str)
        and value.lower() in _TRUTH
        and (field := item.find(name)) is not None
        and field.type == "boolean"
    }
    return {**values, **meant} if meant else values


def _write(
    job: Job, writer: Writer, values: Mapping[str, Any], given: str, ids: ExternalIds | None
) -> tuple[int, bool]:
    item = job.item
    if job.operation == "insert":
        return writer.create(item, values), True
    if ids is not None and job.external is not None:
        key = given_id(job.external, values)
        ids.check(key)
        return writer.upsert(item, job.external, key, values)
    found = decode(given)
    if found is None or found[0] != item.prefix:
        if not given:
            if job.operation == "upsert":
                return writer.create(item, values), True
            raise OrgError("MISSING_ARGUMENT", "Id not specified")
        raise OrgError("MALFORMED_ID", f"{item.label} ID: id value of incorrect type: {given}", ("Id",))
    if job.operation in ("delete", "hardDelete"):
        writer.delete(item, found[1])
        if job.operation == "hardDelete":
            writer.connection.execute(f"DELETE FROM {item.name} WHERE Id = ?", (found[1],))
            writer.note_gone(item.name, [found[1]])
    else:
        writer.update(item, found[1], values)
    return found[1], False


def shuffled(job: Job) -> None:
    """Put results into no order of the upload, the same one each time."""
    order = random.Random(job.id)  # noqa: S311 - repeatable by intent
    order.shuffle(job.done)
    order.shuffle(job.failed)
