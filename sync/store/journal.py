"""The journal: what was about to be written, what became of it, and the events that told of it.

May import the schema and the landing functions. A batch is written down as an intent before its request leaves and as
an outcome after, in one transaction with the rows, the base and the events that follow from it. An intent without an
outcome is what a crash left; it is read back before anything is repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from sync import codec
from sync.cheap import cheap
from sync.events import Event
from sync.failures import failure_of
from sync.ids import CampaignId, MemberId, PersonId, RunId
from sync.model import BaseMember, OrgMember, ServiceMember, Side
from sync.plan import Change, PlanRow, Scalar, Subject
from sync.store import landing as land
from sync.store.database import Database, chunks
from sync.store.members import Members
from sync.store.runs import Lease, Runs
from sync.store.schema import batch, event, row_journal, run
from sync.store.types import to_micros
from sync.views import FailedRow

WRITTEN, REJECTED, DRIFTED, UNKNOWN, UNSENT = "written", "rejected", "drifted", "unknown", "unsent"

HELD = "held"
"""In a row's data: an undo restored it against the other side's value."""

UNMENDED_DAYS = 30
"""How far back the error board looks."""


@cheap
@dataclass(frozen=True, slots=True)
class JournalRow:
    """What became of one row of a plan. ``state``: written, rejected, drifted, unknown or unsent.

    ``data`` holds what else undo needs: the values of a removed member, a version, what was found. ``reason`` and
    ``rule`` are the plan's: why it was written, and which rule decided.
    """

    seq: int
    side: Side
    campaign_id: str
    subject: Subject
    subject_id: str
    label: str
    change: Change
    field: str
    before: Scalar
    after: Scalar
    state: str
    code: str = ""
    message: str = ""
    remedy: str = ""
    member_id: str | None = None
    data: Mapping[str, Any] = dataclass_field(default_factory=dict)
    reason: str = ""
    rule: str = ""

    @classmethod
    def of(
        cls,
        row: PlanRow,
        state: str,
        *,
        code: str = "",
        message: str = "",
        remedy: str = "",
        after: Scalar = None,
        data: Mapping[str, Any] | None = None,
    ) -> JournalRow:
        """The journal's row for a plan's row; *after* where what was read back is another value than planned."""
        if data is None:
            data = {**row.values, HELD: True} if row.held else row.values
        return cls(
            row.seq,
            row.side,
            row.campaign_id,
            row.subject,
            row.subject_id,
            row.label,
            row.change,
            row.field,
            row.before,
            row.after if after is None else after,
            state,
            code,
            message,
            remedy,
            row.member_id,
            data,
            row.reason,
            row.rule,
        )

    def planned(self) -> PlanRow:
        """The row as the plan had it, without its reason."""
        return PlanRow(
            seq=self.seq,
            side=self.side,
            campaign_id=CampaignId(self.campaign_id),
            subject=self.subject,
            subject_id=self.subject_id,
            label=self.label,
            change=self.change,
            field=self.field,
            before=self.before,
            after=self.after,
            reason="",
            rule=self.rule,
            member_id=self.member_id,
            values=self.data,
        )


@dataclass(frozen=True, slots=True)
class FateRow:
    """A row without an answer, and the run that it belongs to."""

    run: RunId
    row: JournalRow


@dataclass(frozen=True, slots=True)
class Landing:
    """What the state takes over from an outcome, in the outcome's own transaction.

    ``org`` are rows that are there, as our own write left them: whose rows they are did not change.
    """

    base: Sequence[BaseMember] = ()
    base_gone: Sequence[tuple[CampaignId, PersonId]] = ()
    service: Sequence[ServiceMember] = ()
    service_gone: Sequence[tuple[CampaignId, PersonId]] = ()
    org: Sequence[OrgMember] = ()
    org_gone: Sequence[tuple[CampaignId, MemberId]] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch that was begun and of which nobody knows how it ended. ``payload`` is plain lists and dictionaries."""

    run: RunId
    batch_no: int
    side: Side
    campaign_id: CampaignId | None
    key: str | None
    payload: Any
    at: datetime


class Journal:
    """Intents, outcomes, rows and events. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database, members: Members, runs: Runs) -> None:
        self._database = database
        self._members = members
        self._runs = runs

    # ------------------------------------------------------------ batches

    def record_intent(
        self,
        lease: Lease,
        batch_no: int,
        side: Side,
        payload: Any,
        *,
        campaign_id: CampaignId | None = None,
        key: str | None = None,
    ) -> None:
        """Write down what is about to be sent.

        Args:
            lease: the run.
            batch_no: its number, unique in the run.
            side: where it goes.
            payload: whatever is needed to find out later what happened; JSON or dataclasses.
            campaign_id: the campaign, when the batch is of one.
            key: the idempotency key it is sent with.

        Raises:
            LeaseLost: the run is not ours any more; the request must not leave.
        """
        values = {
            "run_id": lease.run,
            "batch_no": batch_no,
            "side": side.value,
            "campaign_id": campaign_id if campaign_id is not None else lease.campaign_id,
            "key": key,
            "payload": msgspec.json.encode(payload).decode(),
            "state": "open",
            "intent_at": self._database.clock.now(),
        }
        with self._database.write(durable=True) as conn:
            self._runs.check(conn, lease)
            conn.execute(self._database.upsert(batch, only=tuple(values)), [values])

    def record_outcome(
        self,
        lease: Lease,
        batch_no: int,
        rows: Sequence[JournalRow],
        *,
        landing: Landing = Landing(),
        events: Sequence[Event] = (),
        run: RunId | None = None,
    ) -> None:
        """Write down how a batch ended, in one transaction with all that follows from it.

        Args:
            lease: the run that says so.
            batch_no: the batch; one without an intent is made and closed at once.
            rows: what became of each row.
            landing: what the state takes over.
            events: the facts that are told.
            run: the run whose intent it was, when another one left it open.

        Raises:
            LeaseLost: the run is not ours any more; nothing is recorded.
        """
        now = self._database.clock.now()
        of = run or lease.run
        with self._database.write(durable=True) as conn:
            self._runs.check(conn, lease)
            closed = conn.execute(
                update(batch)
                .where(batch.c.run_id == of, batch.c.batch_no == batch_no)
                .values(state="done", outcome_at=now)
            )
            if closed.rowcount == 0 and rows:
                first = rows[0]
                made = {
                    "run_id": of,
                    "batch_no": batch_no,
                    "side": first.side.value,
                    "campaign_id": first.campaign_id or None,
                    "payload": "null",
                    "state": "done",
                    "intent_at": now,
                    "outcome_at": now,
                }
                conn.execute(self._database.upsert(batch, only=tuple(made)), [made])
            at = to_micros(now)
            for some in chunks(rows):
                values = [_row_values(of, batch_no, row, at) for row in some]
                self._database.bulk(conn, row_journal, _COLUMNS, values)
            self._take_over(conn, landing)
            self.append(events)

    def _take_over(self, conn: Connection, taken: Landing) -> None:
        self._members.patch_org(taken.org)
        land.touch(conn, land.forget_org(self._database, conn, taken.org_gone))
        self._members.land_service(taken.service)
        land.touch(conn, land.forget_service(conn, taken.service_gone))
        self._members.put_base(taken.base)
        self._members.drop_base(taken.base_gone)

    def open_intents(self, *, run: RunId | None = None, campaign_id: CampaignId | None = None) -> tuple[Intent, ...]:
        """Batches without an outcome, oldest first; of a run, of a campaign, or all."""
        conditions = [batch.c.state == "open"]
        if run is not None:
            conditions.append(batch.c.run_id == run)
        if campaign_id is not None:
            conditions.append(batch.c.campaign_id == campaign_id)
        order = (batch.c.intent_at, batch.c.run_id, batch.c.batch_no)
        with self._database.read() as conn:
            return tuple(map(_intent, conn.execute(select(batch).where(*conditions).order_by(*order))))

    def last_batch(self, run_id: RunId) -> int:
        """The highest batch number of a run, 0 when it has none."""
        with self._database.read() as conn:
            found = conn.execute(select(func.max(batch.c.batch_no)).where(batch.c.run_id == run_id)).scalar()
            return int(found or 0)

    # ------------------------------------------------------------ events

    def append(self, events: Sequence[Event]) -> None:
        """Keep events; progress is left out."""
        rows = [
            {"run_id": each.body.run, "seq": each.seq, "at": each.at, "body": codec.encode_body(each)}
            for each in events
            if codec.journalled(each)
        ]
        if rows:
            with self._database.write() as conn:
                self._database.many(conn, self._database.upsert(event), rows)

    def events(self, run_id: RunId, after: int = 0) -> tuple[Event, ...]:
        """Events of a run whose sequence is greater than *after*, in order."""
        statement = (
            select(event.c.seq, event.c.at, event.c.body)
            .where(event.c.run_id == run_id, event.c.seq > after)
            .order_by(event.c.seq)
        )
        with self._database.read() as conn:
            return tuple(Event(seq, at, codec.decode_body(body)) for seq, at, body in conn.execute(statement))

    def last_seq(self, run_id: RunId) -> int:
        """Sequence of a run's newest event, 0 when it has none."""
        with self._database.read() as conn:
            return int(conn.execute(select(func.max(event.c.seq)).where(event.c.run_id == run_id)).scalar() or 0)

    # ------------------------------------------------------------ rows

    def wrote(self, run_id: RunId) -> bool:
        """Whether a row of a run or its children was written."""
        with self._database.read() as conn:
            where = (of_run(conn, run_id), row_journal.c.state == WRITTEN)
            return conn.execute(select(row_journal.c.seq).where(*where).limit(1)).first() is not None

    def failed_rows(self, run_id: RunId, limit: int = 10_000) -> tuple[FailedRow, ...]:
        """Rows of a run and its children that were not written, with code and remedy."""
        table = row_journal.c
        failed = table.state != literal_column(f"'{WRITTEN}'")
        with self._database.read() as conn:
            where = (of_run(conn, run_id), failed)
            statement = select(row_journal).where(*where).order_by(table.run_id, table.seq).limit(limit)
            return tuple(map(_failed, conn.execute(statement)))

    def unmended(
        self, campaign_id: CampaignId | None = None, *, days: int = UNMENDED_DAYS, limit: int = 10_000
    ) -> tuple[FailedRow, ...]:
        """The newest failed row of each record and field, newest first, unless a later row of it was written.

        Args:
            campaign_id: only this campaign's.
            days: how far back.
            limit: at most so many.
        """
        failed, later = row_journal.alias("f"), row_journal.alias("l")
        newer = or_(
            later.c.at > failed.c.at,
            and_(
                later.c.at == failed.c.at, tuple_(later.c.run_id, later.c.seq) > tuple_(failed.c.run_id, failed.c.seq)
            ),
        )
        same = and_(*(later.c[name] == failed.c[name] for name in ("campaign_id", "subject_id", "side", "field")))
        statement = (
            select(failed)
            .where(
                # The database takes its index of failed rows only for the very words of that index.
                failed.c.state != literal_column(f"'{WRITTEN}'"),
                failed.c.at > self._database.clock.now() - timedelta(days=days),
                ~select(later.c.seq).where(same, newer).exists(),
            )
            .order_by(failed.c.at.desc(), failed.c.run_id.desc(), failed.c.seq)
            .limit(limit)
        )
        if campaign_id is not None:
            statement = statement.where(failed.c.campaign_id == campaign_id)
        with self._database.read() as conn:
            return tuple(map(_failed, conn.execute(statement)))

    def of_unknown_fate(self, campaign_id: CampaignId) -> tuple[FateRow, ...]:
        """Rows of a campaign that were sent and got no answer, oldest first."""
        table = row_journal.c
        statement = (
            select(row_journal)
            .where(table.state == literal_column(f"'{UNKNOWN}'"), table.campaign_id == campaign_id)
            .order_by(table.at, table.run_id, table.seq)
        )
        with self._database.read() as conn:
            return tuple(FateRow(RunId(row.run_id), _journal_row(row)) for row in conn.execute(statement))

    def set_fate(self, rows: Sequence[FateRow], state: str, *, code: str, message: str) -> None:
        """Write down what became of rows of unknown fate."""
        remedy = failure_of(code).remedy if code else ""
        statement = (
            update(row_journal)
            .where(row_journal.c.run_id == bindparam("the_run"), row_journal.c.seq == bindparam("the_seq"))
            .values(state=state, code=code, message=message, remedy=remedy)
        )
        with self._database.write() as conn:
            for some in chunks(rows):
                conn.execute(statement, [{"the_run": each.run, "the_seq": each.row.seq} for each in some])

    def campaigns_of(self, run_id: RunId) -> tuple[CampaignId, ...]:
        """Campaigns about which a run and its parts have rows."""
        table = row_journal.c
        with self._database.read() as conn:
            where = (of_run(conn, run_id), table.campaign_id != "")
            statement = select(table.campaign_id).where(*where).distinct().order_by(table.campaign_id)
            return tuple(CampaignId(key) for key in conn.execute(statement).scalars())

    def rows(self, run_id: RunId, *, states: Collection[str] | None = None) -> Iterator[JournalRow]:
        """Rows of a run and its children in order, streamed."""
        with self._database.read() as conn:
            statement = select(row_journal).where(of_run(conn, run_id))
        if states is not None:
            statement = statement.where(row_journal.c.state.in_(list(states)))
        for window in self._database.stream(statement.order_by(row_journal.c.run_id, row_journal.c.seq)):
            for row in window:
                yield _journal_row(row)

    def person_of(self, campaign_id: CampaignId, member_id: MemberId) -> PersonId | None:
        """The person whose member row this was, as far as anything was written about it."""
        table = row_journal.c
        statement = (
            select(table.subject_id)
            .where(table.campaign_id == campaign_id, table.member_id == member_id, table.subject == "member")
            .limit(1)
        )
        with self._database.read() as conn:
            found = conn.execute(statement).scalar()
            return None if found is None else PersonId(found)

    def history(
        self, campaign_id: CampaignId, subject_id: str, limit: int = 100
    ) -> tuple[tuple[RunId, datetime, JournalRow], ...]:
        """What was written about one member, person or edition, newest first."""
        table = row_journal.c
        statement = (
            select(row_journal)
            .where(table.campaign_id == campaign_id, table.subject_id == subject_id)
            .order_by(table.at.desc(), table.run_id.desc(), table.seq.desc())
            .limit(limit)
        )
        with self._database.read() as conn:
            return tuple((RunId(row.run_id), row.at, _journal_row(row)) for row in conn.execute(statement))


def of_run(conn: Connection, run_id: RunId) -> ColumnElement[bool]:
    """Rows of a run and of its parts; of a part also those that its batch journalled for the part's campaign.

    The runs are looked up first: with them the rows come in the order of their key, however long the journal is.
    """
    table = row_journal.c
    part = conn.execute(select(run.c.parent, run.c.campaign_id).where(run.c.run_id == run_id)).first()
    if part is not None and part.parent is not None:
        # Hidden from the index of campaigns, which knows the whole history of one and not just this run's rows.
        campaign = func.coalesce(table.campaign_id, "")
        mine = or_(table.run_id == run_id, campaign == part.campaign_id)
        return and_(table.run_id.in_([run_id, part.parent]), mine)
    parts = conn.execute(select(run.c.run_id).where(run.c.parent == run_id)).scalars().all()
    return table.run_id.in_([run_id, *parts])


_COLUMNS = (
    "run_id",
    "seq",
    "batch_no",
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
    "data",
    "state",
    "code",
    "message",
    "remedy",
    "at",
    "reason",
    "rule",
)

_json = msgspec.json.Encoder()


def _scalar(value: Scalar) -> str:
    return "null" if value is None else _json.encode(value).decode()


def _row_values(run_id: RunId, batch_no: int, row: JournalRow, at: int) -> tuple[Any, ...]:
    """Values of a row in the order of ``_COLUMNS``; *at* in microseconds."""
    return (
        run_id,
        row.seq,
        batch_no,
        row.side._value_,
        row.campaign_id,
        row.subject._value_,
        row.subject_id,
        row.member_id,
        row.label,
        row.change._value_,
        row.field,
        _scalar(row.before),
        _scalar(row.after),
        _json.encode(codec.pack(row.data)).decode() if row.data else "{}",
        row.state,
        row.code,
        row.message,
        row.remedy,
        at,
        row.reason,
        row.rule,
    )


def _journal_row(row: Any) -> JournalRow:
    return JournalRow(
        seq=row.seq,
        side=Side(row.side),
        campaign_id=row.campaign_id,
        subject=Subject(row.subject),
        subject_id=row.subject_id,
        label=row.label,
        change=Change(row.change),
        field=row.field,
        before=msgspec.json.decode(row.before),
        after=msgspec.json.decode(row.after),
        state=row.state,
        code=row.code,
        message=row.message,
        remedy=row.remedy,
        member_id=row.member_id,
        data=codec.unpack(msgspec.json.decode(row.data)),
        reason=row.reason,
        rule=row.rule,
    )


def _failed(row: Row[Any]) -> FailedRow:
    return FailedRow(
        run=RunId(row.run_id),
        side=Side(row.side),
        campaign_id=row.campaign_id,
        subject_id=row.subject_id,
        label=row.label,
        field=row.field,
        state=row.state,
        code=row.code,
        message=row.message,
        remedy=row.remedy,
        seq=row.seq,
        at=row.at,
    )


def _intent(row: Row[Any]) -> Intent:
    return Intent(
        run=RunId(row.run_id),
        batch_no=row.batch_no,
        side=Side(row.side),
        campaign_id=row.campaign_id,
        key=row.key,
        payload=msgspec.json.decode(row.payload),
        at=row.intent_at,
    )
