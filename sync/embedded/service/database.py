"""Connections and transactions: SQLite (a path or ":memory:") or PostgreSQL (a URL).

Writers are serialised: on SQLite by BEGIN IMMEDIATE and a lock of this process, on PostgreSQL by an advisory
lock of the transaction. That makes the change feed's sequence the commit order on both. May import SQLAlchemy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text, update
from sqlalchemy.pool import StaticPool

from sync.embedded.service import schema

_WRITER_KEY = 0x50C0501E


class Database:
    """Opens the store, creates its tables, hands out read and write transactions. Safe from any thread."""

    def __init__(self, where: str) -> None:
        self._write_lock = threading.RLock()
        self._memory = where in (":memory:", "")
        self.engine = _engine(where, memory=self._memory)
        self._postgres = self.engine.dialect.name == "postgresql"
        schema.metadata.create_all(self.engine)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction; committed at the end, rolled back on any exception."""
        with self._write_lock, self.engine.connect() as conn:
            if self._postgres:
                conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _WRITER_KEY})
            else:
                conn.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield conn
            except BaseException:
                conn.rollback()
                raise
            conn.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the store. Not to be opened inside a write: pass its connection on instead."""
        # A database in memory has one connection, which readers and the writer share.
        gate: AbstractContextManager[object] = self._write_lock if self._memory else nullcontext()
        with gate, self.engine.connect() as conn:
            if self._postgres:
                conn.execute(text("set transaction isolation level repeatable read"))
            else:
                conn.exec_driver_sql("BEGIN")
            try:
                yield conn
            finally:
                conn.rollback()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(where: str, *, memory: bool) -> Engine:
    if "://" in where:
        return create_engine(where)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": 30}}
    if memory:
        options["poolclass"] = StaticPool
    else:
        options |= {"pool_size": 8, "max_overflow": 64}
    engine = create_engine(f"sqlite:///{':memory:' if memory else where}", **options)

    @event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # transactions are begun here, not by the driver
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=NORMAL")
        raw.execute("PRAGMA cache_size=-32000")
        raw.execute("PRAGMA temp_store=MEMORY")

    return engine


def read_meta(conn: Connection, key: str) -> str | None:
    """One of the service's own settings, or None."""
    value: str | None = conn.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).scalar()
    return value


def write_meta(conn: Connection, key: str, value: str) -> None:
    """Set one of the service's own settings."""
    done = conn.execute(update(schema.meta).where(schema.meta.c.key == key).values(value=value))
    if done.rowcount == 0:
        conn.execute(insert(schema.meta).values(key=key, value=value))


def next_number(conn: Connection, key: str) -> int:
    """The next of a row of numbers, from 1; inside a write transaction only."""
    number = int(read_meta(conn, key) or 0) + 1
    write_meta(conn, key, str(number))
    return number
