"""Connections and transactions: SQLite (a path or ":memory:") or PostgreSQL (a URL).

Writers are serialised: on SQLite by BEGIN IMMEDIATE and a lock of this process, on PostgreSQL by an advisory
lock of the transaction. That makes the change feed's sequence the commit order on both. May import SQLAlchemy.
"""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, bindparam, create_engine, event, insert, select, text, update
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
    if where.startswith("postgresql://"):
        where = where.replace("postgresql://", "postgresql+psycopg://", 1)
    if "://" in where and not where.startswith("sqlite:"):
        return create_engine(where, hide_parameters=True)
    where = where.removeprefix("sqlite:///")
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


@functools.cache
def _insert_text(table: Table) -> str:
    columns = [column.name for column in table.c]
    return f"INSERT INTO {table.name} ({', '.join(map(_quoted, columns))}) VALUES ({', '.join('?' * len(columns))})"


@functools.cache
def _update_text(table: Table, keys: tuple[str, ...]) -> tuple[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
    columns = [column.name for column in table.c]
    values = [name for name in columns if name not in keys]
    sets = ", ".join(f"{_quoted(name)} = ?" for name in values)
    where = " AND ".join(f"{_quoted(name)} = ?" for name in keys)
    order = operator.itemgetter(*(columns.index(name) for name in (*values, *keys)))
    return f"UPDATE {table.name} SET {sets} WHERE {where}", order


def _quoted(name: str) -> str:
    return f'"{name}"'


def insert_rows(conn: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values are in column order.

    On SQLite by the driver's own executemany: the expression compiler's work for each row costs more than SQLite's.
    """
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(_insert_text(table), list(rows))
    else:
        names = [column.name for column in table.c]
        conn.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def update_rows(conn: Connection, table: Table, keys: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Set every column of rows found by their keys; values in column order."""
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        statement, order = _update_text(table, keys)
        conn.exec_driver_sql(statement, [order(row) for row in rows])
        return
    names = [f"v_{column.name}" for column in table.c]
    values: dict[str, Any] = {c.name: bindparam(f"v_{c.name}") for c in table.c if c.name not in keys}
    where = and_(*(table.c[key] == bindparam(f"v_{key}") for key in keys))
    conn.execute(update(table).where(where).values(values), [dict(zip(names, row, strict=True)) for row in rows])
