"""One request to the org as values, and what every resource needs to answer it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sync.clock import Clock
from sync.embedded.org.contention import Contention
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError, invalid_type
from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import ObjectType, Schema
from sync.embedded.org.soql_run import Queries
from sync.embedded.org.soql_scope import View, know_prefixes
from sync.embedded.org.state import OrgState
from sync.embedded.org.store import Store


@dataclass(frozen=True, slots=True)
class Call:
    """A request, or one inside a Composite: its path below the version, query, headers (lower case) and JSON body.

    ``pinned`` is the writer's connection of a Composite that is all or nothing; every part of it uses that one.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    version: str
    pinned: sqlite3.Connection | None = None
    instance_url: str = ""

    def inside(self, **changes: Any) -> Call:
        """The same call with some parts replaced."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body (None: empty; bytes: sent as they are, with the type the headers name) and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the org and its integration user are (row keys), and the org's time zone."""

    organization: int
    user: int
    zone: ZoneInfo


class Org:
    """The org behind the API: schema, rows, clock, state; reads and writes by call."""

    def __init__(self, schema: Schema, store: Store, clock: Clock, identity: Identity, state: OrgState) -> None:
        know_prefixes(schema)
        self.schema = schema
        self.store = store
        self.clock = clock
        self.identity = identity
        self.state = state
        self.queries = Queries(state.switches)
        self.contention = Contention()
        self.described_at = clock.now().replace(microsecond=0)

    @property
    def organization_id(self) -> str:
        """The org's own 18-character id."""
        return encoder("00D")(self.identity.organization)

    @property
    def user_id(self) -> str:
        """The integration user's 18-character id."""
        return encoder("005")(self.identity.user)

    def seconds(self) -> int:
        """The present second."""
        return int(self.clock.now().timestamp())

    def view(self, *, include_deleted: bool = False, at: datetime | None = None) -> View:
        """What a read sees now."""
        hidden = self.state.hidden_objects()
        return View(self.schema, at or self.clock.now(), self.identity.zone, include_deleted, hidden, self.user_id)

    def object(self, name: str) -> ObjectType:
        """The object of that name. Raises OrgError NOT_FOUND, as a resource address does."""
        found = self.schema.find(name)
        if found is None:
            raise OrgError("NOT_FOUND", "The requested resource does not exist")
        return found

    def row_object(self, name: Any) -> ObjectType:
        """The object a row's attributes name. Raises OrgError INVALID_TYPE."""
        found = self.schema.find(name) if isinstance(name, str) else None
        if found is None:
            raise invalid_type(str(name) if name is not None else "")
        return found

    @contextmanager
    def reading(self, call: Call) -> Iterator[sqlite3.Connection]:
        """A connection that sees the committed rows (and, in an all-or-nothing Composite, its own writes)."""
        if call.pinned is not None:
            yield call.pinned
            return
        with self.store.reading() as connection:
            yield connection

    @contextmanager
    def writing(self, call: Call) -> Iterator[Writer]:
        """A writer in a transaction of its own, or in a part of the Composite's transaction."""
        if call.pinned is None:
            arrived, share = self.clock.monotonic(), self.state.switches.lock_contention
            with self.store.writing() as connection:
                made = self._writer_for(call, connection)
                if share:
                    made.locks = self.contention.locks(arrived, share)
                yield made
            if made.locks is not None:
                self.contention.ended(self.clock.monotonic(), made.locks)
            return
        call.pinned.execute("SAVEPOINT part")
        try:
            yield self._writer_for(call, call.pinned)
        except BaseException:
            call.pinned.execute("ROLLBACK TO part")
            call.pinned.execute("RELEASE part")
            raise
        call.pinned.execute("RELEASE part")

    def _writer_for(self, call: Call, connection: sqlite3.Connection) -> Writer:
        made = self.writer(connection)
        if self.state.switches.assignment_rule:
            made.assigns = call.headers.get("sforce-auto-assign", "").strip().lower() != "false"
        words = call.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
        made.allows_duplicates = "allowsave=true" in words
        return made

    def writer(
        self,
        connection: sqlite3.Connection,
        *,
        stamp: int | None = None,
        holds: frozenset[tuple[str, int]] = frozenset(),
    ) -> Writer:
        """A writer on a connection; ``stamp`` where it is not the present second."""
        second = self.seconds() if stamp is None else stamp
        view = self.view(at=datetime.fromtimestamp(second, UTC))
        return Writer(connection, self.store, self.state, view, self.identity.user, second, holds)
