"""Faults on the wire, for both servers: an ASGI layer that delays, refuses, breaks or drops answers on order.

It also counts the requests that came in, and stamps every answer with the controlled clock's Date.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync.clock import Clock

KINDS = (
    "status",
    "html",
    "drop_before",
    "drop_after",
    "truncate",
    "latency",
    "session_expired",
    "quota",
    "concurrency",
    "row",
)
_HTML = b"""<!DOCTYPE html><html><head><title>Down for maintenance</title></head>
<body><h1>We are down for maintenance.</h1><p>Sorry for the inconvenience. We'll be back shortly.</p></body></html>"""


class Dropped(ConnectionError):
    """The connection was closed without an answer, where there is no transport to close (in-process clients)."""


@dataclass(slots=True)
class Fault:
    """A rule: the next ``times`` requests that fit (None: all), after ``after`` that pass, get this fault."""

    kind: str
    side: str | None = None
    match: str = ""
    method: str | None = None
    times: int | None = 1
    after: int = 0
    status: int | None = None
    code: str | None = None
    message: str | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    object: str | None = None
    operation: str | None = None
    hits: int = 0


def fault_of(given: Any) -> Fault:
    """A rule from JSON. Raises ValueError with what is wrong."""
    if not isinstance(given, Mapping):
        raise ValueError("a fault is an object")
    known = set(Fault.__slots__) - {"hits"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}; a fault has {', '.join(sorted(known))}")
    if given.get("kind") not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}")
    if given.get("side") not in (None, "salesforce", "predictive"):
        raise ValueError("side is salesforce or predictive")
    return Fault(**given)


class Faults:
    """The rules in force; the first that fits a request is used, latencies add to it."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, rules: list[Fault]) -> None:
        """Put rules behind those there are."""
        with self._lock:
            self.rules.extend(rules)

    def clear(self) -> None:
        """Take every rule away."""
        with self._lock:
            self.rules.clear()

    def take(self, side: str, method: str, target: str) -> tuple[float, Fault | None]:
        """(seconds to wait, fault to show) for a request; counts the rules that it used."""
        delay = 0.0
        with self._lock:
            for rule in self.rules:
                if not self._fits(rule, side, method, target):
                    continue
                if rule.after > 0:
                    rule.after -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                rule.hits += 1
                delay += rule.seconds
                if rule.kind != "latency":
                    return delay, rule
        return delay, None

    @staticmethod
    def _fits(rule: Fault, side: str, method: str, target: str) -> bool:
        if rule.times == 0 or rule.kind == "row" or rule.side not in (None, side):
            return False
        if side == "salesforce" and rule.kind in _REFUSALS and not target.startswith("/services/data/"):
            return False  # logins and the version list need no session and count against no limit
        return rule.match in target and (rule.method is None or rule.method.upper() == method)


class Usage:
    """Requests that came in since the start (or the last reset), by side, method and kind of address."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, side: str, method: str, template: str) -> None:
        """Count one request."""
        with self._lock:
            self._counts[(side, method, template)] += 1

    def reset(self) -> None:
        """Start from nothing."""
        with self._lock:
            self._counts.clear()

    def report(self) -> dict[str, Any]:
        """The counts as JSON."""
        with self._lock:
            rows = sorted(self._counts.items())
        totals = {side: sum(n for (s, _, _), n in rows if s == side) for side in ("salesforce", "predictive")}
        by = [{"side": s, "method": m, "path": p, "count": n} for (s, m, p), n in rows]
        return {**totals, "by": by}


_ID = re.compile(r"^(?:[A-Za-z0-9]{15}|[A-Za-z0-9]{18}|[0-9a-f-]{32,36}|[A-Za-z_]*\d[\w-]*)(?=:|$)")


def service_template(path: str) -> str:
    """An address of the service with its ids left out."""
    parts = path.partition("?")[0].strip("/").split("/")
    return "/" + "/".join(p if i < 2 else _ID.sub("{id}", p) for i, p in enumerate(parts))


def _problem(side: str, status: int, code: str, message: str) -> tuple[bytes, str]:
    if side == "salesforce":
        return msgspec.json.encode([{"message": message, "errorCode": code}]), "application/json;charset=UTF-8"
    body = {"type": "about:blank", "title": code, "status": status, "detail": message}
    return msgspec.json.encode(body), "application/problem+json"


_REFUSALS = {
    "session_expired": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "quota": (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "concurrency": (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
}


def _refusal(rule: Fault, side: str) -> tuple[int, bytes, str, Mapping[str, str]]:
    """(status, body, content type, headers) of a fault that answers by itself."""
    if rule.kind == "html":
        return rule.status or 503, _HTML, "text/html;charset=UTF-8", rule.headers
    status, code, message = _REFUSALS.get(rule.kind, (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."))
    headers = dict(rule.headers)
    if side == "predictive" and rule.kind in ("quota", "concurrency"):
        status, code, message = 429, "Too many requests", "The service limits its requests"
        headers.setdefault("Retry-After", "1")
    status, code, message = rule.status or status, rule.code or code, rule.message or message
    body, kind = _problem(side, status, code, message)
    if isinstance(rule.body, str):
        return status, rule.body.encode(), headers.pop("Content-Type", "text/html;charset=UTF-8"), headers
    if rule.body is not None:
        body = msgspec.json.encode(rule.body)
    return status, body, kind, headers


class Wire:
    """The layer around one server's application. ``count`` names a counted request's kind, or is None for others."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        side: str,
        faults: Faults,
        clock: Clock,
        usage: Usage,
        count: Callable[[str], str | None],
        counts_itself: bool = False,
    ) -> None:
        self._app, self._side, self._faults, self._clock = app, side, faults, clock
        self._usage, self._count, self._counts_itself = usage, count, counts_itself

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        target = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
        delay, rule = self._faults.take(self._side, scope["method"], target)
        template = self._count(scope["path"])
        reaches = rule is None or rule.kind in ("drop_after", "truncate")
        if template is not None and not (reaches and self._counts_itself):
            self._usage.add(self._side, scope["method"], template)
        if delay:
            await asyncio.sleep(delay)
        if rule is None:
            await self._app(scope, receive, self._dated(send))
        elif rule.kind == "drop_before":
            await self._read(receive)
            self._drop(send)
        elif rule.kind == "drop_after":
            await self._app(scope, receive, _nowhere)
            self._drop(send)
        elif rule.kind == "truncate":
            await self._truncated(scope, receive, send)
        else:
            await self._read(receive)
            await self._refuse(rule, self._dated(send), self._side)

    def _dated(self, send: Send) -> Send:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"date" for name, _ in headers):
                    headers.append((b"date", format_datetime(self._clock.now(), usegmt=True).encode()))
                    message = {**message, "headers": headers}
            await send(message)

        return dated

    @staticmethod
    async def _read(receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body"):
                return

    @staticmethod
    def _drop(send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise Dropped("closed without an answer")
        send.__self__.disconnected = True  # type: ignore[attr-defined]  # uvicorn then sends no answer of its own
        transport.abort()

    @staticmethod
    async def _refuse(rule: Fault, send: Send, side: str) -> None:
        status, body, kind, headers = _refusal(rule, side)
        fields = {"content-type": kind, "content-length": str(len(body)), **headers}
        pairs = [(n.lower().encode(), v.encode()) for n, v in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        cut = False

        async def half(message: Message) -> None:
            nonlocal cut
            if cut:
                return
            if message["type"] == "http.response.body":
                body = message.get("body", b"")
                message, cut = {**message, "body": body[: len(body) // 2], "more_body": True}, True
            await send(message)

        await self._app(scope, receive, half)
        if not cut:
            return
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise Dropped("closed within the answer")
        send.__self__.disconnected = True  # type: ignore[attr-defined]
        transport.close()


async def _nowhere(_message: Message) -> None:
    return
