"""The call ledger: every HTTP request, kept at once, and the meter made of it.

May import the schema. The ledger writes on a connection of its own, one insert a request, and does not wait for the
disk: a killed process loses nothing, a power cut may lose the last calls.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, true

from sync.codec import Codec
from sync.ids import RunId
from sync.model import Calls, Side
from sync.ports import CallRecord
from sync.store.database import Database
from sync.store.facts import LIMITS, Facts
from sync.store.schema import call, run

KEPT = timedelta(days=90)
WINDOW = timedelta(hours=24)
"""The org's meter looks back so far; what it said before that tells nothing."""


@dataclass(frozen=True, slots=True)
class _Limits:
    used: int
    limit: int
    at: datetime


_LIMITS: Codec[_Limits] = Codec(_Limits)


@dataclass(frozen=True, slots=True)
class Meter:
    """The org's calls.

    Attributes:
        used, limit, at: what the org last said, and when; None when it never did.
        ours: counted Salesforce calls of this state in the window; ``others`` is the rest of ``used``.
        by_hour: (start of the hour, calls), oldest first; by_purpose, by_campaign: (name, calls), most first.
    """

    used: int | None
    limit: int | None
    at: datetime | None
    ours: int
    others: int | None
    window: int
    by_hour: tuple[tuple[datetime, int], ...] = ()
    by_purpose: tuple[tuple[str, int], ...] = ()
    by_campaign: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """The org's meter: calls used of the limit, as it said at an instant."""

    used: int
    limit: int
    at: datetime


class Ledger:
    """A ``sync.ports.Ledger`` over the state database. Safe to use from any thread."""

    def __init__(self, database: Database, facts: Facts) -> None:
        self._database = database
        self._facts = facts
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._spent = Calls()

    def record(self, call_record: CallRecord) -> None:
        """Keep a request. Inside a transaction of this thread it is kept when that has ended."""
        if call_record.counted:
            one = Calls(1, 0) if call_record.side is Side.SALESFORCE else Calls(0, 1)
            with self._lock:
                self._spent += one
        if self._database.writing:
            self._database.later(lambda: self._write(call_record))
        else:
            self._write(call_record)

    @property
    def spent(self) -> Calls:
        """Counted requests that went through this object, for whomever: what this process has made."""
        return self._spent

    def note_limits(self, used: int, limit: int, at: datetime) -> None:
        """Keep what the org says of its limit."""
        self._facts.set(LIMITS, _LIMITS.encode(_Limits(used, limit, at)))

    def close(self) -> None:
        """Close the ledger's connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _write(self, record: CallRecord) -> None:
        values = {
            "at": record.at,
            "side": record.side.value,
            "method": record.method,
            "path": record.path,
            "status": record.status,
            "seconds": record.seconds,
            "counted": record.counted,
            "run_id": record.run,
            "campaign_id": record.campaign_id,
            "purpose": record.purpose,
            "resource": record.resource,
            "used": record.used,
            "allowed": record.limit,
        }
        with self._lock:
            conn = self._own()
            with conn.begin():
                conn.execute(_INSERT, values)

    def _own(self) -> Connection:
        if self._connection is None or self._connection.closed:
            conn = self._database.engine.connect().execution_options(immediate=True)
            self._connection = conn
        return self._connection

    # ------------------------------------------------------------ reading

    def calls_of(self, run_id: RunId) -> Calls:
        """Counted requests of a run and of its children."""
        children = select(run.c.run_id).where(run.c.parent == run_id)
        statement = (
            select(call.c.side, func.count())
            .where(or_(call.c.run_id == run_id, call.c.run_id.in_(children)), call.c.counted == true())
            .group_by(call.c.side)
        )
        with self._database.read() as conn:
            found = {str(side): int(count) for side, count in conn.execute(statement)}
        return Calls(found.get(Side.SALESFORCE.value, 0), found.get(Side.PREDICTIVE.value, 0))

    def pace(self, side: Side, last: int = 50) -> float | None:
        """Mean seconds of the *last* answered requests to *side*; None before the first."""
        recent = (
            select(call.c.seconds)
            .where(call.c.side == side.value, call.c.counted == true(), call.c.status.is_not(None))
            .order_by(call.c.call_id.desc())
            .limit(last)
            .subquery()
        )
        with self._database.read() as conn:
            found = conn.execute(select(func.avg(recent.c.seconds))).scalar()
        return None if found is None else float(found)

    def last_answer(self, side: Side) -> tuple[datetime, int] | None:
        """When *side* last answered anything, and with which status; None before the first answer."""
        statement = (
            select(call.c.at, call.c.status)
            .where(call.c.side == side.value, call.c.status.is_not(None))
            .order_by(call.c.call_id.desc())
            .limit(1)
        )
        with self._database.read() as conn:
            row = conn.execute(statement).first()
            return None if row is None else (row.at, int(row.status))

    def told(self) -> Told | None:
        """What the org last said; None when it never did, or longer ago than its meter looks back. One look at the
        newest rows."""
        with self._database.read() as conn:
            row = conn.execute(_LAST_TOLD).first()
        noted = self._facts.get(LIMITS)
        known = None if noted is None else _LIMITS.decode(noted)
        if row is not None and (known is None or row.at >= known.at):
            known = _Limits(row.used, row.allowed, row.at)
        if known is None or self._database.clock.now() - known.at > WINDOW:
            return None
        return Told(known.used, known.limit, known.at)

    def ours(self, window_hours: int = 24) -> int:
        """Counted Salesforce calls of this state in the window."""
        since = self._database.clock.now() - timedelta(hours=window_hours)
        where = and_(call.c.at > since, call.c.side == Side.SALESFORCE.value, call.c.counted == true())
        with self._database.read() as conn:
            return int(conn.execute(select(func.count()).select_from(call).where(where)).scalar_one())

    def readings(self, window_hours: int = 24) -> tuple[tuple[datetime, int], ...]:
        """What the org said of its meter in the window, oldest first: (instant, calls used)."""
        since = self._database.clock.now() - timedelta(hours=window_hours)
        where = (call.c.at > since, call.c.used.is_not(None), call.c.side == Side.SALESFORCE.value)
        with self._database.read() as conn:
            found = conn.execute(select(call.c.at, call.c.used).where(*where).order_by(call.c.call_id))
            return tuple((at, int(used)) for at, used in found)

    def spent_by(self, column: str, window_hours: int = 24) -> tuple[tuple[str, int], ...]:
        """Counted Salesforce calls of the window by ``campaign_id``, ``purpose`` (run kind or command) or ``resource``
        (object), most first; "" is what belongs to none or to several."""
        since = self._database.clock.now() - timedelta(hours=window_hours)
        where = and_(call.c.at > since, call.c.side == Side.SALESFORCE.value, call.c.counted == true())
        with self._database.read() as conn:
            return tuple((str(name), int(count)) for name, count in conn.execute(_grouped(call.c[column], where)))

    def meter(self, window_hours: int = 24) -> Meter:
        """The org's meter beside ours."""
        now = self._database.clock.now()
        since = now - timedelta(hours=window_hours)
        where = and_(call.c.at > since, call.c.side == Side.SALESFORCE.value, call.c.counted == true())
        with self._database.read() as conn:
            stamps: list[datetime] = list(conn.execute(select(call.c.at).where(where)).scalars())
            purposes = conn.execute(_grouped(call.c.purpose, where)).all()
            campaigns = conn.execute(_grouped(call.c.campaign_id, where)).all()
            told = conn.execute(_LAST_TOLD).first()
            noted = self._facts.get(LIMITS)
        known = None if noted is None else _LIMITS.decode(noted)
        if told is not None and (known is None or told.at >= known.at):
            known = _Limits(told.used, told.allowed, told.at)
        ours = len(stamps)
        return Meter(
            used=known.used if known else None,
            limit=known.limit if known else None,
            at=known.at if known else None,
            ours=ours,
            others=max(0, known.used - ours) if known else None,
            window=window_hours,
            by_hour=_hours(stamps),
            by_purpose=tuple((str(name), int(count)) for name, count in purposes),
            by_campaign=tuple((str(name), int(count)) for name, count in campaigns if name),
        )

    def purge(self) -> int:
        """Drop calls older than 90 days; how many."""
        with self._database.write() as conn:
            return conn.execute(delete(call).where(call.c.at < self._database.clock.now() - KEPT)).rowcount


_INSERT = insert(call)
_LAST_TOLD = (
    select(call.c.used, call.c.allowed, call.c.at)
    .where(call.c.used.is_not(None), call.c.allowed.is_not(None))
    .order_by(call.c.call_id.desc())
    .limit(1)
)


def _grouped(column: Any, where: Any) -> Any:
    return select(column, func.count()).where(where).group_by(column).order_by(func.count().desc(), column)


def _hours(stamps: list[datetime]) -> tuple[tuple[datetime, int], ...]:
    counts = Counter(stamp.replace(minute=0, second=0, microsecond=0) for stamp in stamps)
    return tuple(sorted(counts.items()))
