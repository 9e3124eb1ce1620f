"""Was anything committed to the state since? One cheap question, asked before the reads that cost something.

May import the database. On SQLite a connection is kept for it alone: the database counts for each connection what the
others commit. PostgreSQL tells which transactions are over; those of other databases on its server count, too, so that
it may say that something happened when nothing did here, never the reverse.
"""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import PoolProxiedConnection

from sync.store.database import Database


class Witness:
    """Tells one state from the next. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._kept: PoolProxiedConnection | None = None
        self._opened = 0

    def mark(self) -> str:
        """A text that is another one once anything was committed, by whatever process or thread."""
        if not self._database.is_sqlite:
            with self._database.read() as conn:
                return str(conn.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one())
        with self._lock:
            raw: Any = self._connection()
            return f"{self._opened}.{raw.execute('PRAGMA data_version').fetchone()[0]}"

    def close(self) -> None:
        """Close the connection that is kept."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None

    def _connection(self) -> Any:
        if self._kept is None:
            # Each connection counts from a start of its own: the text says which one it was.
            self._opened += 1
            self._kept = self._database.engine.raw_connection()
            self._kept.detach()
        return self._kept.dbapi_connection
