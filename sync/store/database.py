"""The connection to the state database: one a thread, transactions that join, the same statements on both databases.

May import SQLAlchemy and the migrations. On SQLite: WAL, so that readers never wait; ``BEGIN IMMEDIATE`` for every
write, so that two writers queue instead of failing half way; a busy timeout; foreign keys on. On PostgreSQL writers
queue by a lock by name, which a frozen process loses. A transaction of a thread is joined by everything the thread
does in it, so that several calls become one commit.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import QueuePool

from sync.clock import Clock, SystemClock
from sync.errors import ConfigError, PredictiveError, RetriableError
from sync.store import migrate

BUSY_SECONDS = 20.0
"""How long a writer waits for another one; the longest transaction (a page of 10,000 rows) takes about a second."""

CHUNK = 1_000
"""Rows a bulk statement takes at once; more brings nothing, and the bound of parameters is far off."""

ROWS_AT_ONCE = 5_000
"""Rows that PostgreSQL is given in one statement: more takes memory and gains nothing."""

GROWN = 20_000
"""Rows that land in a table before PostgreSQL is asked to look at it again."""

FROZEN_SECONDS = 30
"""How long PostgreSQL lets a write transaction stand still; then its process is frozen, and others must go on."""

_CACHE_KIB = 24_576
_WAL_PAGES = 4_000

_KEYS_AT_ONCE = (1, 8, 64, 250, 500, CHUNK)
"""For how many keys a look-up is compiled."""

_CAMPAIGN, _KEY = "of_campaign", "of_key"

_T = TypeVar("_T")


class Database:
    """Engine and transactions. Safe to use from any thread; each thread has a connection of its own.

    Args:
        url: a file path, a SQLAlchemy URL, or ``sqlite://`` for a file that lives as long as this object.
        clock: the time that rows are stamped with.
        before_commit: called in every write transaction, when all of it is done but the commit itself.

    Raises:
        ConfigError: the URL cannot be understood, or the file cannot be opened. RetriableError: the server is down.
        FatalError: a newer program wrote the state.
    """

    def __init__(
        self, url: str | Path, clock: Clock | None = None, *, before_commit: Callable[[], None] | None = None
    ) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._local = threading.local()
        self._compiled: dict[tuple[Any, ...], tuple[str, itemgetter[Any] | None]] = {}
        self._look_ups: dict[tuple[str, int], tuple[str, itemgetter[Any]]] = {}
        self._grown: Counter[str] = Counter()
        self._upserts: dict[tuple[Any, ...], Executable] = {}
        self.url = self._normal(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._engine()
        if before_commit is not None:
            self._announce_commits(before_commit)
        try:
            self.found_revision = migrate.to_newest(self)
        except DatabaseError as error:
            self.close()
            raise self._cannot_open(str(error.orig)) from error
        except BaseException:
            self.close()
            raise

    @property
    def shown(self) -> str:
        """The database's place without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def temporary(self) -> bool:
        """True for a database that ends with this object."""
        return self._folder is not None

    def close(self) -> None:
        """Close every connection; a temporary database is gone after it."""
        self.engine.dispose()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def let_go(self) -> None:
        """Close the connections of a server that went away; the next statement makes new ones."""
        self._local.writing = None
        self.engine.dispose()

    # ------------------------------------------------------------ transactions

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A write transaction, or the one this thread is in already. Rolled back when the block raises.

        Args:
            durable: the commit waits for the disk, so that it and all before it survive a power cut. A killed process
                loses nothing either way. What can be read again (landed rows) need not wait; intents and outcomes do.
        """
        outer: Connection | None = getattr(self._local, "writing", None)
        if outer is not None:
            yield outer
            return
        try:
            with self.engine.connect() as plain:
                conn = plain.execution_options(immediate=True)
                with self._synchronous(conn, durable), conn.begin():
                    self._local.writing = conn
                    try:
                        yield conn
                    finally:
                        self._local.writing = None
        finally:
            self._run_later()

    @contextmanager
    def _synchronous(self, conn: Connection, durable: bool) -> Iterator[None]:
        if not durable or not self.is_sqlite or self.temporary:
            yield
            return
        raw: Any = conn.connection.dbapi_connection
        raw.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            # A commit that failed leaves its transaction to the pool's rollback; its error must not be hidden by ours.
            if not raw.in_transaction:
                raw.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state. Inside a write transaction of this thread: that one."""
        outer: Connection | None = getattr(self._local, "writing", None)
        if outer is not None:
            yield outer
            return
        with self.engine.connect() as conn, conn.begin():
            yield conn

    def one_at_a_time(self, conn: Connection, what: str) -> None:
        """Let one transaction at a time go on from here, for what is read, judged and then written.

        SQLite's writers queue anyway; on PostgreSQL this is a lock by name that ends with the transaction.
        """
        if not self.is_sqlite:
            conn.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"predictive-console.{what}"))))

    @property
    def writing(self) -> bool:
        """True while this thread is inside a write transaction."""
        return getattr(self._local, "writing", None) is not None

    def later(self, action: Callable[[], None]) -> None:
        """Do *action* when this thread's write transaction has ended, however it ended."""
        if not hasattr(self._local, "after"):
            self._local.after = []
        self._local.after.append(action)

    def stream(self, statement: Executable, *, window: int = 2_000) -> Iterator[Sequence[Sequence[Any]]]:
        """Windows of rows on a connection of their own: memory does not grow with the result.

        Sees what was committed when the first window was read.
        """
        with self.engine.connect() as conn, conn.begin():
            result = conn.execution_options(stream_results=True, max_row_buffer=window).execute(statement)
            with result:
                yield from result.partitions(window)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection of its own on which several statements see one state: as at the first of them."""
        with self.engine.connect() as plain:
            # SQLite's read transactions are snapshots anyway.
            conn = plain if self.is_sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
            with conn.begin():
                yield conn

    def _run_later(self) -> None:
        actions: list[Callable[[], None]] = getattr(self._local, "after", [])
        self._local.after = []
        for action in actions:
            action()

    # ------------------------------------------------------------ statements for both databases

    def upsert(self, table: Table, *, keep: Iterable[str] = (), only: Iterable[str] | None = None) -> Executable:
        """``INSERT … ON CONFLICT (key) DO UPDATE`` of *table*, for executemany with dictionaries.

        Args:
            table: its primary key is the conflict target.
            keep: columns that an existing row keeps.
            only: the columns that are given (all when None); others take their default and are kept on conflict.
        """
        names = tuple(only) if only is not None else tuple(column.name for column in table.columns)
        kept = (*(column.name for column in table.primary_key), *keep)
        asked = (table.name, names, kept)
        known = self._upserts.get(asked)
        if known is None:
            # Written once: the columns of ``excluded`` cost more to make than a small statement takes to run.
            known = self._upserts[asked] = self._upsert(table, names, kept)
        return known

    def _upsert(self, table: Table, names: tuple[str, ...], kept: tuple[str, ...]) -> Executable:
        make = sqlite.insert if self.is_sqlite else postgresql.insert
        statement = make(table)
        keys = [column.name for column in table.primary_key]
        changed = {name: statement.excluded[name] for name in names if name not in kept}
        if not changed:
            return statement.on_conflict_do_nothing(index_elements=keys)
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    @staticmethod
    def many(conn: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any] | None:
        """Executemany, and nothing for no rows."""
        return conn.execute(statement, rows) if rows else None

    def bulk(
        self,
        conn: Connection,
        table: Table,
        names: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
        *,
        keep: Iterable[str] = (),
    ) -> None:
        """Upsert *rows* whose values are the driver's own already (instants as microseconds), in the order of *names*.

        The statement is the one of ``upsert``, compiled once; handing the driver its own values spares a third of the
        time that landing takes.
        """
        if not rows:
            return
        key = (table.name, tuple(names), tuple(keep))
        known = self._compiled.get(key)
        if known is None:
            statement: Any = self.upsert(table, keep=keep, only=names)
            compiled = statement.compile(dialect=self.engine.dialect, column_keys=list(names))
            order = [names.index(name) for name in compiled.positiontup or names]
            sql = str(compiled) if self.is_sqlite else self._in_columns(table, names, str(compiled))
            in_order = order == list(range(len(names)))
            known = self._compiled[key] = (sql, None if in_order else itemgetter(*order))
        sql, ordered = known
        if self.is_sqlite:
            conn.exec_driver_sql(sql, list(rows if ordered is None else map(ordered, rows)))
            return
        # One statement may touch a row once; of rows given twice the last one holds, as it does one by one.
        at = itemgetter(*(names.index(column.name) for column in table.primary_key))
        for chunk in chunks({at(row): row for row in rows}.values(), ROWS_AT_ONCE):
            conn.exec_driver_sql(sql, dict(zip(names, map(list, zip(*chunk, strict=True)), strict=True)))
        self._grew(table, len(rows))

    def _grew(self, table: Table, rows: int) -> None:
        """Have PostgreSQL look at a table again that grew: until it does so by itself, a minute later, it takes a
        campaign for a handful of rows and walks all of them for each person asked for."""
        self._grown[table.name] += rows
        if self._grown[table.name] >= GROWN:
            self._grown[table.name] = 0
            name = self.engine.dialect.identifier_preparer.quote(table.name)

            def analyze() -> None:
                with self.engine.connect() as conn, conn.begin():
                    conn.exec_driver_sql(f"ANALYZE {name}")

            self.later(analyze)

    def _in_columns(self, table: Table, names: Sequence[str], sql: str) -> str:
        """The upsert that takes a list for each column: PostgreSQL is asked once for many rows, not once for each."""
        quote = self.engine.dialect.identifier_preparer.quote
        columns = ", ".join(map(quote, names))
        types = [str(table.c[name].type.compile(self.engine.dialect)).partition(" ")[0] for name in names]
        lists = ", ".join(f"%({name})s::{kind}[]" for name, kind in zip(names, types, strict=True))
        into, conflict = quote(table.name), sql[sql.index(" ON CONFLICT") :]
        return f"INSERT INTO {into} ({columns}) SELECT * FROM unnest({lists}) AS given ({columns}){conflict}"

    def set_many(
        self,
        conn: Connection,
        table: Table,
        names: Sequence[str],
        keys: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        """Set columns of rows that are there, each named by its keys; *rows* hold the driver's own values, those of
        *names* and then those of *keys*."""
        if not rows:
            return
        key = (table.name, tuple(names), tuple(keys), "set")
        known = self._compiled.get(key)
        given = [f"to_{name}" for name in names] + [f"of_{name}" for name in keys]
        if known is None:
            statement: Any = update(table).values({name: bindparam(f"to_{name}") for name in names})
            for name in keys:
                statement = statement.where(table.c[name] == bindparam(f"of_{name}"))
            compiled = statement.compile(dialect=self.engine.dialect)
            order = [given.index(name) for name in compiled.positiontup or given]
            known = self._compiled[key] = (str(compiled), itemgetter(*order))
        sql, ordered = known
        if self.is_sqlite and ordered is not None:
            conn.exec_driver_sql(sql, list(map(ordered, rows)))
        else:
            conn.exec_driver_sql(sql, [dict(zip(given, row, strict=True)) for row in rows])

    def look_up(
        self,
        conn: Connection,
        name: str,
        statement: Callable[[Any, Any], Executable],
        campaign_id: str,
        keys: Collection[str],
    ) -> list[Any]:
        """Rows of one campaign by many keys, as tuples of the driver's own values (instants as microseconds).

        SQLAlchemy spells and types each of a thousand keys anew every time; here the statement is compiled once for a
        few numbers of keys, and a shorter list is filled up with its last key.

        Args:
            conn: a connection of this database.
            name: of the statement; one name, one statement.
            statement: makes it from what stands for the campaign and for the list of keys.
            campaign_id: the campaign.
            keys: what to look for, in any number.
        """
        out: list[Any] = []
        for some in chunks(keys):
            count = next(size for size in _KEYS_AT_ONCE if size >= len(some))
            known = self._look_ups.get((name, count))
            if known is None:
                known = self._look_ups[name, count] = self._for_keys(statement, count)
            sql, ordered = known
            given = [campaign_id, *some, *[some[-1]] * (count - len(some))]
            values: Any = ordered(given) if self.is_sqlite else dict(zip(_key_names(count), given, strict=True))
            result = conn.exec_driver_sql(sql, values)
            out += result.cursor.fetchall() if result.cursor is not None else ()
            result.close()
        return out

    def _for_keys(self, statement: Callable[[Any, Any], Executable], count: int) -> tuple[str, itemgetter[Any]]:
        # The values only tell how many there are and what they are.
        keys: Any = bindparam(_KEY, [""] * count, type_=Text(), expanding=True)
        made: Any = statement(bindparam(_CAMPAIGN, "", type_=Text()), keys)
        compiled = made.compile(dialect=self.engine.dialect, compile_kwargs={"render_postcompile": True})
        names = _key_names(count)
        places = {name: place for place, name in enumerate(names)}
        return str(compiled), itemgetter(*[places[name] for name in compiled.positiontup or names])

    # ------------------------------------------------------------ opening

    def _announce_commits(self, before_commit: Callable[[], None]) -> None:
        @event.listens_for(self.engine, "commit")
        def committing(conn: Connection) -> None:
            if not conn.get_execution_options().get("immediate"):
                return
            try:
                before_commit()
            except BaseException:
                # Whoever ends a process here means that its transaction ends too; its lock would outlive it otherwise.
                conn.connection.rollback()
                raise

    def _cannot_open(self, why: str) -> PredictiveError:
        remedy = "check that the folder exists and is yours, or set another state url"
        if not self.is_sqlite:
            # What a server says itself is about the URL; without a word of one it is down, which passes.
            if "FATAL" not in why or "starting up" in why or "shutting down" in why:
                return RetriableError(
                    f"the state database does not answer: {' '.join(why.split())}",
                    where=self.shown,
                    left_undone="nothing was read or written",
                    remedy="check that the server runs, then run it again; or set another state url",
                )
            remedy = "check that the server takes the user and database of the url, or set another state url"
        elif "not a database" in why or "malformed" in why:
            remedy = "the file is damaged or something else: restore it, move it away, or set another state url"
        return ConfigError(
            f"the state database cannot be opened: {why}",
            where=self.shown,
            left_undone="nothing was read or written",
            remedy=remedy,
        )

    def _normal(self, url: str | Path) -> URL:
        text = str(url)
        if text in ("sqlite://", ":memory:"):
            self._folder = tempfile.TemporaryDirectory(prefix="predictive-state-", ignore_cleanup_errors=True)
            return URL.create("sqlite", database=str(Path(self._folder.name) / "state.db"))
        if "://" not in text:
            return URL.create("sqlite", database=str(Path(text).expanduser()))
        try:
            made = make_url(text)
        except ArgumentError as error:
            raise ConfigError("state_url is no URL of a database", where=text.partition("@")[2] or text) from error
        if made.get_backend_name() in ("postgresql", "postgres"):
            return made.set(drivername="postgresql+psycopg")
        if made.get_backend_name() != "sqlite":
            raise ConfigError(
                f"state_url names {made.get_backend_name()!r}",
                where=made.render_as_string(hide_password=True),
                remedy="state lives in SQLite (a path) or PostgreSQL (postgresql://…)",
            )
        return made

    def _postgresql(self) -> Engine:
        try:
            engine = create_engine(
                self.url,
                pool_size=8,
                max_overflow=24,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={
                    "connect_timeout": 10,
                    "application_name": "predictive-console",
                    "options": f"-c lock_timeout={int(BUSY_SECONDS * 1000)}",
                },
            )
        except ImportError as error:
            raise ConfigError(
                "a state in PostgreSQL needs the extra fleet",
                where=self.shown,
                left_undone="nothing was read or written",
                remedy="pipx install 'predictive-console[fleet]', or pip install 'psycopg[binary]'",
            ) from error

        @event.listens_for(engine, "begin")
        def begin(conn: Connection) -> None:
            # Writers queue as SQLite's do: then what holds there, holds here, and no two of them can lock each other.
            if conn.get_execution_options().get("immediate"):
                conn.exec_driver_sql(_WRITERS_QUEUE)

        return engine

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            return self._postgresql()
        if self._folder is None and self.url.database:
            try:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._cannot_open(error.strerror or str(error)) from error
        engine = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=64,
            # Values are people's names and addresses; they have no place in a traceback.
            hide_parameters=True,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "cached_statements": 256},
        )
        synchronous = "OFF" if self._folder is not None else "NORMAL"

        @event.listens_for(engine, "connect")
        def prepare(raw: Any, _record: object) -> None:
            # The driver must not begin transactions by itself: reads would then hold locks at the wrong time.
            raw.isolation_level = None
            for pragma in (
                f"busy_timeout={int(BUSY_SECONDS * 1000)}",
                "journal_mode=WAL",
                f"synchronous={synchronous}",
                "foreign_keys=ON",
                f"cache_size=-{_CACHE_KIB}",
                f"wal_autocheckpoint={_WAL_PAGES}",
            ):
                raw.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begin(conn: Connection) -> None:
            conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("immediate") else "BEGIN")

        return engine


_WRITERS_QUEUE = (
    "SELECT pg_advisory_xact_lock(hashtext('predictive-console.write')), "
    f"set_config('idle_in_transaction_session_timeout', '{FROZEN_SECONDS}s', true)"
)


def _key_names(count: int) -> list[str]:
    """Names of a look-up's parameters, as SQLAlchemy spells those of a list."""
    return [_CAMPAIGN, *[f"{_KEY}_{number}" for number in range(1, count + 1)]]


def chunks(rows: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """*rows* in lists of at most *size*, never held as a whole."""
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk
