"""Idempotency keys: the first answer of a write is kept for 7 days and given again, never computed twice.

The answer is stored in the write's own transaction. Only success is kept: a refused request wrote nothing and is
judged anew. May import SQLAlchemy.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from sync.embedded.service import schema
from sync.embedded.service.instants import iso
from sync.embedded.service.problems import Problem

KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered first."""

    status: int
    body: bytes


class InProgress:
    """The keys that are being worked on in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}

    @contextmanager
    def hold(self, key: str | None, digest: str) -> Iterator[None]:
        """Hold a key. Raises Problem 409 while somebody else does (422 when that was another request)."""
        if key is None:
            yield
            return
        with self._lock:
            held = self._keys.get(key)
            if held is not None and held != digest:
                raise _reused()
            if held is not None:
                raise Problem(409, "idempotency_in_progress", "The first request with this key is still in progress.")
            self._keys[key] = digest
        try:
            yield
        finally:
            with self._lock:
                del self._keys[key]


def _reused() -> Problem:
    return Problem(422, "idempotency_key_reused", "This Idempotency-Key was used for another request.")


def digest_of(method: str, target: str, body: bytes) -> str:
    """What a key stands for: method, path with query, and body."""
    return hashlib.sha256(b"\n".join((method.encode(), target.encode(), body))).hexdigest()


def find(conn: Connection, key: str | None, digest: str, now: datetime) -> Answer | None:
    """The kept answer. Raises Problem 422 when the key was used for another request."""
    if key is None:
        return None
    table = schema.idempotency
    row = conn.execute(
        select(table.c.digest, table.c.status, table.c.body).where(table.c.key == key, table.c.at > iso(now - KEPT))
    ).one_or_none()
    if row is None:
        return None
    if row[0] != digest:
        raise _reused()
    return Answer(row[1], zlib.decompress(row[2]))


def keep(conn: Connection, key: str | None, digest: str, answer: Answer, now: datetime) -> None:
    """Keep a first answer; inside the write's own transaction."""
    if key is None:
        return
    table = schema.idempotency
    conn.execute(delete(table).where(table.c.key == key))
    conn.execute(
        insert(table).values(
            key=key, digest=digest, status=answer.status, body=zlib.compress(answer.body, 1), at=iso(now)
        )
    )


def expire(conn: Connection, now: datetime) -> None:
    """Forget answers older than 7 days; inside a write transaction."""
    table = schema.idempotency
    conn.execute(delete(table).where(table.c.at <= iso(now - KEPT)))
