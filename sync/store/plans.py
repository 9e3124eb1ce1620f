"""Plans: a header and rows that are read as a window or a stream, and the plan file.

May import the schema and the codec. Rows are kept as the JSON the file has, beside the few columns that lists filter
by. A plan is seen only when its last row is there, and is applied once.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, true, update

from sync import codec
from sync.errors import BadPlanFile, UsageError
from sync.ids import CampaignId, RunId
from sync.model import RunState, Side
from sync.plan import OFFERED, Change, Plan, PlanRow
from sync.store.database import Database, chunks
from sync.store.schema import plan, plan_row, run

KEPT_DAYS = 30

BIG_PLAN = 1_000
"""Rows from which a plan tells how long the next ones take; of smaller ones the requests do."""

_DRAFT = ""

_COLUMNS = ("plan_id", "seq", "side", "change", "campaign_id", "accepted", "search", "body")

_CSV = (
    "seq",
    "accepted",
    "side",
    "campaign_id",
    "subject",
    "subject_id",
    "member_id",
    "label",
    "change",
    "field",
    "before",
    "after",
    "conflict",
    "rule",
    "reason",
)


class Plans:
    """Stored plans. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ keeping

    def save(self, plan_id: str, rows: Iterable[PlanRow], header: Plan | Callable[[], Plan]) -> Plan:
        """Keep a plan, streamed; one of the same id is replaced.

        Args:
            plan_id: its id.
            rows: in order of ``seq``.
            header: the plan, or a function that makes it once all rows were taken.

        Raises:
            ValueError: the header counts other rows than came, or has another id.
            BadPlanFile: the plan of this id was applied.
        """
        return self._keep(plan_id, (codec.FileRow(row, not row.offered) for row in rows), header)

    def _keep(self, plan_id: str, rows: Iterable[codec.FileRow], header: Plan | Callable[[], Plan]) -> Plan:
        self._begin(plan_id)
        count = 0
        try:
            for some in chunks(rows):
                values = [_row_values(plan_id, item) for item in some]
                with self._database.write() as conn:
                    self._database.bulk(conn, plan_row, _COLUMNS, values)
                count += len(values)
            made = header() if callable(header) else header
            if made.rows != count or made.plan_id != plan_id:
                raise ValueError(f"plan {made.plan_id!r} says {made.rows} rows; {count} came for {plan_id!r}")
        except BaseException:
            self.delete(plan_id)
            raise
        with self._database.write() as conn:
            conn.execute(
                update(plan)
                .where(plan.c.plan_id == plan_id)
                .values(kind=made.kind.value, made_at=made.made_at, header=codec.encode_plan(made).decode())
            )
        return made

    def _begin(self, plan_id: str) -> None:
        now = self._database.clock.now()
        with self._database.write() as conn:
            if self.applied(plan_id) is not None:
                raise _applied(plan_id)
            conn.execute(delete(plan).where(plan.c.plan_id == plan_id))
            values = {"plan_id": plan_id, "kind": "", "made_at": now, "kept_at": now, "header": _DRAFT}
            self._database.many(conn, self._database.upsert(plan, only=tuple(values)), [values])

    def delete(self, plan_id: str) -> None:
        """Forget a plan and its rows."""
        with self._database.write() as conn:
            conn.execute(delete(plan).where(plan.c.plan_id == plan_id))

    def purge(self, days: int = KEPT_DAYS) -> int:
        """Forget plans kept longer than *days*; how many."""
        before = self._database.clock.now() - timedelta(days=days)
        with self._database.write() as conn:
            return conn.execute(delete(plan).where(plan.c.kept_at < before)).rowcount

    # ------------------------------------------------------------ reading

    def get(self, plan_id: str) -> Plan:
        """The header of a plan.

        Raises:
            UsageError: there is no such plan.
        """
        with self._database.read() as conn:
            found = conn.execute(
                select(plan.c.header).where(plan.c.plan_id == plan_id, plan.c.header != _DRAFT)
            ).scalar()
        if found is None:
            raise UsageError(f"there is no plan {plan_id!r}", remedy="make a plan, or load its file")
        return codec.decode_plan(found)

    def kept_at(self, plan_id: str) -> datetime:
        """When a plan was begun here, by this machine's clock: how long it was looked at is told by the same clock."""
        with self._database.read() as conn:
            at: datetime = conn.execute(select(plan.c.kept_at).where(plan.c.plan_id == plan_id)).scalar_one()
            return at

    def rows(
        self,
        plan_id: str,
        *,
        text: str = "",
        side: Side | None = None,
        change: Change | None = None,
        campaign_id: CampaignId | None = None,
        offset: int = 0,
        limit: int = 200,
    ) -> tuple[PlanRow, ...]:
        """A window of rows in order of ``seq``; *text* looks in label, record, field and both values."""
        where = _filter(plan_id, text, side, change, campaign_id)
        # The window is cut on a narrow index; the wide rows are fetched for what is shown only.
        inner = select(plan_row.c.seq).where(*where).order_by(plan_row.c.seq).offset(offset).limit(limit).subquery()
        statement = (
            select(plan_row.c.body)
            .join(inner, plan_row.c.seq == inner.c.seq)
            .where(plan_row.c.plan_id == plan_id)
            .order_by(plan_row.c.seq)
        )
        with self._database.read() as conn:
            return tuple(codec.decode_row(body) for body in conn.execute(statement).scalars())

    def count(
        self,
        plan_id: str,
        *,
        text: str = "",
        side: Side | None = None,
        change: Change | None = None,
        campaign_id: CampaignId | None = None,
    ) -> int:
        """How many rows ``rows`` would give with these filters."""
        where = _filter(plan_id, text, side, change, campaign_id)
        with self._database.read() as conn:
            return int(conn.execute(select(func.count()).select_from(plan_row).where(*where)).scalar_one())

    def groups(self, plan_id: str) -> tuple[tuple[Side, Change, int], ...]:
        """Rows by side and change, in the order in which changes are declared."""
        with self._database.read() as conn:
            found = conn.execute(
                select(plan_row.c.side, plan_row.c.change, func.count())
                .where(plan_row.c.plan_id == plan_id)
                .group_by(plan_row.c.side, plan_row.c.change)
            ).all()
        order = list(Change)
        made = [(Side(side), Change(change), int(count)) for side, change, count in found]
        return tuple(sorted(made, key=lambda each: (each[0] is Side.SALESFORCE, order.index(each[1]))))

    # ------------------------------------------------------------ the operator's choice

    def rejected(self, plan_id: str) -> set[int]:
        """Sequence numbers of the rows that the operator does not accept."""
        with self._database.read() as conn:
            found = conn.execute(
                select(plan_row.c.seq).where(plan_row.c.plan_id == plan_id, plan_row.c.accepted != true())
            )
            return set(found.scalars())

    def set_accepted(
        self,
        plan_id: str,
        seqs: Collection[int] | None,
        accepted: bool,
        *,
        change: Change | None = None,
        side: Side | None = None,
        text: str = "",
    ) -> int:
        """Accept or reject rows: those of *seqs*, or all that the filters choose when it is None; how many.

        A row that the plan only offers is accepted by its number, never by a filter.
        """
        where = _filter(plan_id, text, side, change, None)
        if accepted and seqs is None:
            where.append(plan_row.c.change.not_in([each.value for each in OFFERED]))
        count = 0
        with self._database.write() as conn:
            if seqs is None:
                return conn.execute(update(plan_row).where(*where).values(accepted=accepted)).rowcount
            for some in chunks(seqs):
                statement = update(plan_row).where(*where, plan_row.c.seq.in_(some)).values(accepted=accepted)
                count += conn.execute(statement).rowcount
        return count

    def count_accepted(
        self, plan_id: str, *, changes: Collection[Change] | None = None, campaign_id: CampaignId | None = None
    ) -> int:
        """How many rows will be written."""
        where = [*_filter(plan_id, "", None, None, campaign_id), plan_row.c.accepted == true()]
        if changes is not None:
            where.append(plan_row.c.change.in_([change.value for change in changes]))
        with self._database.read() as conn:
            return int(conn.execute(select(func.count()).select_from(plan_row).where(*where)).scalar_one())

    def accepted(
        self,
        plan_id: str,
        *,
        side: Side | None = None,
        campaign_id: CampaignId | None = None,
        changes: Collection[Change] | None = None,
        without: Collection[Change] = (),
    ) -> Iterator[PlanRow]:
        """Accepted rows in order of ``seq``, streamed."""
        where = [*_filter(plan_id, "", side, None, campaign_id), plan_row.c.accepted == true()]
        if changes is not None:
            where.append(plan_row.c.change.in_([change.value for change in changes]))
        if without:
            where.append(plan_row.c.change.not_in([change.value for change in without]))
        for window in self._database.stream(select(plan_row.c.body).where(*where).order_by(plan_row.c.seq)):
            for row in window:
                yield codec.decode_row(row[0])

    def numbered(self, plan_id: str, seqs: Collection[int]) -> Iterator[PlanRow]:
        """Rows by their numbers; those of a plan that was forgotten are left out."""
        with self._database.read() as conn:
            for some in chunks(seqs):
                found = conn.execute(
                    select(plan_row.c.body)
                    .where(plan_row.c.plan_id == plan_id, plan_row.c.seq.in_(some))
                    .order_by(plan_row.c.seq)
                )
                yield from [codec.decode_row(body) for body in found.scalars()]

    # ------------------------------------------------------------ once

    def applied(self, plan_id: str) -> RunId | None:
        """The run that applied a plan, None when none has."""
        with self._database.read() as conn:
            found = conn.execute(select(plan.c.applied_by).where(plan.c.plan_id == plan_id)).scalar()
            return None if found is None else RunId(found)

    def mark_applied(self, plan_id: str, run: RunId) -> None:
        """Take a plan for applying; nobody else can after it.

        Raises:
            BadPlanFile: it was applied before, or is not here.
        """
        with self._database.write(durable=True) as conn:
            done = conn.execute(
                update(plan)
                .where(plan.c.plan_id == plan_id, plan.c.applied_by.is_(None), plan.c.header != _DRAFT)
                .values(applied_by=run, applied_at=self._database.clock.now())
            )
        if done.rowcount != 1:
            raise _applied(plan_id)

    def pace(self, last: int = 3) -> float | None:
        """Mean seconds a row that the *last* big plans took which were carried out to their end; None before the
        first."""
        rows = select(func.max(plan_row.c.seq)).where(plan_row.c.plan_id == plan.c.plan_id).scalar_subquery()
        recent = (
            select(rows, plan.c.applied_at, run.c.ended)
            .join(run, run.c.run_id == plan.c.applied_by)
            .where(run.c.state == RunState.DONE.value, run.c.ended.is_not(None), rows >= BIG_PLAN)
            .order_by(plan.c.applied_at.desc())
            .limit(last)
        )
        with self._database.read() as conn:
            found = conn.execute(recent).all()
        seconds = sum((ended - began).total_seconds() for _, began, ended in found)
        return seconds / sum(count for count, _, _ in found) if seconds > 0 else None

    # ------------------------------------------------------------ files

    def export(self, plan_id: str, path: Path) -> None:
        """Write the plan file; it is there as a whole or not at all."""
        made = self.get(plan_id)
        with _written(path) as stream:
            for line in codec.plan_lines(made, self._all(plan_id)):
                stream.write(line)

    def export_csv(self, plan_id: str, path: Path) -> None:
        """Write the rows as CSV with a header, for a spreadsheet."""
        self.get(plan_id)
        with _written(path) as stream:
            # Spreadsheets take UTF-8 for what it is only when the file says so.
            stream.write("\ufeff".encode())
            for line in _csv_lines(self._all(plan_id)):
                stream.write(line.encode())

    def load(self, path: Path) -> Plan:
        """Take a plan in from its file, with the operator's choices.

        Raises:
            BadPlanFile: it cannot be read, is damaged in any way, of another format, or was applied here.
        """
        try:
            with path.open("rb") as stream:
                header, rows = codec.read_plan_lines(stream, where=str(path))
                return self._keep(header.plan_id, rows, header)
        except OSError as error:
            raise BadPlanFile(
                f"the plan file cannot be read: {error.strerror}",
                where=str(path),
                left_undone="nothing was written",
                remedy="check the path",
            ) from error

    def _all(self, plan_id: str) -> Iterator[codec.FileRow]:
        statement = (
            select(plan_row.c.body, plan_row.c.accepted).where(plan_row.c.plan_id == plan_id).order_by(plan_row.c.seq)
        )
        for window in self._database.stream(statement):
            for body, accepted in window:
                yield codec.FileRow(codec.decode_row(body), accepted)


def _filter(
    plan_id: str, text: str, side: Side | None, change: Change | None, campaign_id: CampaignId | None
) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [plan_row.c.plan_id == plan_id]
    if side is not None:
        where.append(plan_row.c.side == side.value)
    if change is not None:
        where.append(plan_row.c.change == change.value)
    if campaign_id is not None:
        where.append(plan_row.c.campaign_id == campaign_id)
    if text:
        where.append(plan_row.c.search.contains(text.casefold(), autoescape=True))
    return where


def _row_values(plan_id: str, item: codec.FileRow) -> tuple[Any, ...]:
    """Values of a row in the order of ``_COLUMNS``."""
    row = item.row
    words = (row.label, row.subject_id, row.member_id, row.field, row.before, row.after, row.reason)
    return (
        plan_id,
        row.seq,
        row.side._value_,
        row.change._value_,
        row.campaign_id,
        item.accepted,
        " ".join([str(word) for word in words if word is not None]).casefold(),
        codec.encode_row(row).decode(),
    )


def _applied(plan_id: str) -> BadPlanFile:
    return BadPlanFile(
        f"the plan {plan_id} was applied already",
        left_undone="nothing was written",
        remedy="make a new plan: it holds what is still to do",
    )


def _csv_lines(rows: Iterable[codec.FileRow]) -> Iterator[str]:
    out: list[str] = []

    class _Sink:
        def write(self, text: str) -> None:
            out.append(text)

    writer = csv.writer(_Sink())
    writer.writerow(_CSV)
    for item in rows:
        row = item.row
        writer.writerow([_cell(item.accepted if name == "accepted" else getattr(row, name)) for name in _CSV])
        yield "".join(out)
        out.clear()
    yield "".join(out)


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: names come from web forms."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


class _written:
    """A file that appears under its name only when all of it was written. Owner-only: plans hold people's addresses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")

    def __enter__(self) -> Any:
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise UsageError(
                f"the file cannot be written: {error.strerror}", where=str(self._path), remedy="check the path"
            ) from error
        self._stream = os.fdopen(descriptor, "wb")
        return self._stream

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        self._stream.close()
        if kind is not None:
            self._part.unlink(missing_ok=True)
            return
        try:
            self._part.replace(self._path)
        except OSError as error:
            self._part.unlink(missing_ok=True)
            raise UsageError(
                f"the file cannot be written: {error.strerror}", where=str(self._path), remedy="check the path"
            ) from error
