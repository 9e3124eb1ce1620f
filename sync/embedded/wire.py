"""The wire of both servers: an ASGI layer that delays, refuses, breaks or drops answers as the faults say.

It also counts the requests that came in, and stamps every answer with the controlled clock's Date.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any, Protocol

import anyio.to_thread
import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync.clock import Clock
from sync.embedded.faults import Fault, Faults

_HTML = b"""<!DOCTYPE html><html><head><title>Down for maintenance</title></head>
<body><h1>We are down for maintenance.</h1><p>Sorry for the inconvenience. We'll be back shortly.</p></body></html>"""
_STEP = 0.05


class Dropped(ConnectionError):
    """The connection was closed without an answer, where there is no transport to close (in-process clients)."""


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


class LongRequests(Protocol):
    """Refuses requests while too many others last too long."""

    def enter(self) -> int | None:
        """A number for a request that begins; None when it is refused."""
        ...

    def leave(self, number: int) -> None:
        """A request of this number ended."""
        ...


class Wire:
    """The layer around one server's application. ``count`` names a counted request's kind, or is None for others.

    ``long`` refuses data requests while too many others last too long.
    """

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
        long: LongRequests | None = None,
    ) -> None:
        self._app, self._side, self._faults, self._clock = app, side, faults, clock
        self._usage, self._count, self._counts_itself, self._long = usage, count, counts_itself, long

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith("//"):  # an address put together from an instance that ends in a slash
            clean = {"path": "/" + scope["path"].lstrip("/"), "raw_path": b"/" + scope["raw_path"].lstrip(b"/")}
            scope = {**scope, **clean}
        template = self._count(scope["path"])
        if self._long is None or template is None:
            await self._serve(scope, receive, send, template)
            return
        number = self._long.enter()
        if number is None:
            self._usage.add(self._side, scope["method"], template)
            await self._read(receive)
            await self._refuse(Fault("concurrency"), self._dated(send), self._side)
            return
        try:
            await self._serve(scope, receive, send, template)
        finally:
            self._long.leave(number)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, template: str | None) -> None:
        target = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
        body = b""
        if self._faults.reads_bodies(self._side):
            body = await self._read(receive)
            receive = _again(body, receive)
            body = _unpacked(scope, body)
        taken = self._faults.take(self._side, scope["method"], target, body)
        rule = taken.rule
        reaches = rule is None or rule.kind in ("drop_after", "truncate") or rule.commit
        if template is not None and not (reaches and self._counts_itself):
            self._usage.add(self._side, scope["method"], template)
        await self._wait(taken.seconds)
        for effect in taken.effects:
            if effect.kind == "short_pages":
                scope = {**scope, "page_rows": effect.rows}
            else:
                await anyio.to_thread.run_sync(self._faults.effect, effect)
        if rule is None:
            await self._app(scope, receive, self._dated(send))
        elif rule.kind == "drop_before":
            await self._read(receive)
            self._drop(send)
        elif rule.kind == "drop_after":
            await self._app(scope, receive, _nowhere)
            self._drop(send)
        elif rule.kind == "truncate":
            await self._truncated(scope, receive, send, clean=rule.clean)
        else:
            if rule.commit:
                await self._app(scope, receive, _nowhere)
            else:
                await self._read(receive)
            await self._refuse(rule, self._dated(send), self._side)

    async def _wait(self, seconds: float) -> None:
        """Wait by the servers' clock, so that moving it ends the wait."""
        until = self._clock.monotonic() + seconds
        while seconds and (left := until - self._clock.monotonic()) > 0:
            await asyncio.sleep(min(left, _STEP))

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
    async def _read(receive: Receive) -> bytes:
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return b"".join(parts)

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

    async def _truncated(self, scope: Scope, receive: Receive, send: Send, *, clean: bool) -> None:
        """Half of an answer: broken off, or (``clean``) ended as if that were all of it."""
        parts: list[bytes] = []
        start: Message = {}

        async def keep(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        body = b"".join(parts)
        half = body[: len(body) // 2]
        if clean:
            kept = [(n, v) for n, v in start["headers"] if n.lower() != b"content-length"]
            start = {**start, "headers": [*kept, (b"content-length", str(len(half)).encode())]}
        await self._dated(send)(start)
        await send({"type": "http.response.body", "body": half, "more_body": not clean})
        if clean or not body:
            return
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise Dropped("closed within the answer")
        send.__self__.disconnected = True  # type: ignore[attr-defined]
        transport.close()


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive that gives a body that was read already, and then what comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _unpacked(scope: Scope, body: bytes) -> bytes:
    if (b"content-encoding", b"gzip") not in scope["headers"]:
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError):
        return body


async def _nowhere(_message: Message) -> None:
    return
