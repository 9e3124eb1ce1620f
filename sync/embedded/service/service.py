"""What one running service has: store, clock, secret, sender, transport, audience; and its transactions.

Everything that varies (time, seed, disk, network) comes in by parameter.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from sync.clock import Clock
from sync.embedded.service.audience import Audience
from sync.embedded.service.database import Database, read_meta, write_meta
from sync.embedded.service.idempotency import InProgress
from sync.embedded.service.problems import conflict
from sync.embedded.service.work import Work

VERSION = "1.0.0"


class Releasing:
    """The sends that are being released in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: set[str] = set()

    def enter(self, send_id: str) -> None:
        """Raises Problem 409 when the send is being released already."""
        with self._lock:
            if send_id in self._ids:
                raise conflict("release_in_progress", "The send is being released right now.")
            self._ids.add(send_id)

    def leave(self, send_id: str) -> None:
        """The release ended, one way or another."""
        with self._lock:
            self._ids.discard(send_id)


class DeliveryError(Exception):
    """A mail that was certainly not handed over; anything else a transport raises leaves its fate unknown."""


class Transport(Protocol):
    """Hands a finished message over; returns when it was taken."""

    def deliver(self, mail_id: str, message: bytes) -> None:
        """Hand over one message. Raises DeliveryError when it certainly was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails are from, and the postal address that their footer must show (domain 2.2, rule 11)."""

    name: str = "Predictive"
    email: str = "news@predictive.example"
    company: str = "Predictive Demo Company"
    address: str = "1 Market Street, San Francisco, CA 94105, USA"


@dataclass(slots=True)
class Service:
    """The parts of one running service. ``identify`` first."""

    db: Database
    clock: Clock
    transport: Transport
    audience: Audience
    public_url: str
    sender: Sender = field(default_factory=Sender)
    hourly_limit: int = 5000
    service_id: str = ""
    secret: bytes = b""
    in_progress: InProgress = field(default_factory=InProgress)
    releasing: Releasing = field(default_factory=Releasing)

    def identify(self) -> None:
        """Read, or make, what is this database's own for good: its id and the key that signs tracking links."""
        with self.db.write() as conn:
            service_id = read_meta(conn, "service_id")
            if service_id is None:
                write_meta(conn, "service_id", service_id := uuid.uuid4().hex)
                write_meta(conn, "secret", secrets.token_hex(32))
            self.service_id = service_id
            self.secret = bytes.fromhex(read_meta(conn, "secret") or "")

    @property
    def has_address(self) -> bool:
        """Whether the footer's street address is set."""
        return bool(self.sender.address.strip())

    @contextmanager
    def work(self, client: str | None = None) -> Iterator[Work]:
        """One write transaction as a unit of work, flushed and committed at its end."""
        with self.db.write() as conn:
            work = Work(conn, self.clock.now(), client=client, has_address=self.has_address)
            yield work
            work.flush()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view, with the audience's due reactions applied first."""
        self.settle()
        with self.db.read() as conn:
            yield conn

    def settle(self) -> None:
        """Apply the audience's reactions that are due by the clock."""
        self.audience.settle(self.db, self.clock, has_address=self.has_address)
