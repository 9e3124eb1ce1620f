"""Requests and replies as values, who they are made for, and what of an address may be shown.

Pure apart from one context variable, which tells the ledger for which run a request was made.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Protocol
from urllib.parse import urlsplit

from sync.model import Side


class Safety(Enum):
    """What a repeat of a request could do when it is not known whether the first one arrived."""

    READ = auto()
    """Nothing: it only reads."""

    KEYED = auto()
    """Nothing: an idempotency key makes the other side answer the first result again."""

    WRITE = auto()
    """A second write: never repeated blindly; whoever asked must read first."""


class LongBody(Protocol):
    """A body that is not held in memory: its bytes block by block, from the first on as often as wanted."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request, complete.

    ``counted`` False: the platform does not count it. ``resource`` names what it is about, for the ledger.
    """

    side: Side
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | LongBody | None = None
    counted: bool = True
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, read to its end. Header names are lower case; ``url`` may be shown to people."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        """Content type without parameters, lower case; "" when there is none."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """True when the body claims to be JSON of any kind."""
        return self.media_type == "application/json" or self.media_type.endswith("+json")

    @property
    def server_time(self) -> datetime | None:
        """The server's clock from the ``Date`` header; None when there is none that can be read."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            return None


class NoAnswer(Exception):
    """No complete answer came.

    Args:
        reason: for people, without secrets.
        sent: False when surely nothing of the request reached the other side's program.
        where: address that may be shown.
    """

    def __init__(self, reason: str, *, sent: bool, where: str) -> None:
        super().__init__(f"{reason} ({where})")
        self.reason = reason
        self.sent = sent
        self.where = where


@dataclass(frozen=True, slots=True)
class Purpose:
    """For whom requests are made; ``cancel`` ends every wait made on their behalf."""

    purpose: str = ""
    run: str = ""
    campaign_id: str = ""
    cancel: threading.Event | None = None


_PURPOSE: ContextVar[Purpose] = ContextVar("sync.http.purpose")
_NOBODY = Purpose()


def present_purpose() -> Purpose:
    """The purpose that requests of this thread are made for now."""
    return _PURPOSE.get(_NOBODY)


@contextmanager
def made_for(
    purpose: str | None = None,
    *,
    run: str | None = None,
    campaign_id: str | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[None]:
    """Requests of this thread within the block are made for this; what is None stays as it was outside."""
    given = {"purpose": purpose, "run": run, "campaign_id": campaign_id, "cancel": cancel}
    token = _PURPOSE.set(replace(_PURPOSE.get(_NOBODY), **{k: v for k, v in given.items() if v is not None}))  # type: ignore[arg-type]
    try:
        yield
    finally:
        _PURPOSE.reset(token)


_TOKEN_PATHS = ("/t/o/", "/t/c/", "/t/x/", "/u/")


def shown_path(path: str) -> str:
    """A path without what must stay secret: the query, and the tokens of tracking and unsubscribe links."""
    path = path.split("?", 1)[0].split("#", 1)[0]
    for start in _TOKEN_PATHS:
        if path.startswith(start):
            return f"{start}…"
    return path


def shown_url(url: str) -> str:
    """Scheme, host, port and path: no user, password, query or link token."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}://{host}{port}{shown_path(parts.path)}"


def limit_info(header: str | None) -> tuple[int, int] | None:
    """(used, limit) of ``Sforce-Limit-Info``, leniently: other parts are ignored, nonsense gives None.

    Only the part that starts with ``api-usage=`` counts; ``per-app-api-usage=17/250`` is another meter.
    """
    for part in (header or "").split(";"):
        name, _, value = part.strip().partition("=")
        used, slash, limit = value.partition("/")
        if name.strip().lower() == "api-usage" and slash and used.strip().isdigit() and limit.strip().isdigit():
            return int(used), int(limit)
    return None
