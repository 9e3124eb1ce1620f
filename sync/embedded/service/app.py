"""The HTTP application: token, routing, problem details, idempotency, and the factory that puts it together.

Handlers run in starlette's thread pool; the store serialises writers. May import starlette.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sync.clock import Clock
from sync.embedded.service import idempotency, openapi, public, release, routes_send, routes_store
from sync.embedded.service.audience import Audience
from sync.embedded.service.database import Database
from sync.embedded.service.idempotency import Answer
from sync.embedded.service.operation import Call, Operation, decode
from sync.embedded.service.outbox import Outbox
from sync.embedded.service.problems import Problem, invalid
from sync.embedded.service.service import VERSION, Sender, Service, Transport

OPERATIONS = (*routes_store.OPERATIONS, *routes_send.OPERATIONS)
_HEADER_LIMIT = 255


def create_app(
    *,
    database: str,
    clock: Clock,
    token: str,
    seed: int,
    outbox: Path,
    audience_speed: float,
    public_url: str,
    usage: Callable[[str, str], None],
    sender: Sender | None = None,
    transport: Transport | None = None,
    hourly_limit: int = 5000,
) -> Starlette:
    """The service as an ASGI application.

    ``database``: SQLite path, ":memory:" or an SQLAlchemy URL. ``outbox``: folder of .eml files, used unless a
    ``transport`` is given. ``audience_speed``: how many times faster than people the simulated audience reacts,
    0 = there is none. ``public_url``: where recipients reach the tracking links. ``usage`` is called once for each
    authenticated request of /v1 with its method and path. ``hourly_limit``: mails of a clock hour (domain 2.2, rule 9).
    Mails left half-sent by a crash become ``unknown`` here.
    """
    service = Service(
        db=Database(database),
        clock=clock,
        transport=transport or Outbox(outbox),
        audience=Audience(seed, audience_speed),
        public_url=public_url.rstrip("/"),
        sender=sender or Sender(),
        hourly_limit=hourly_limit,
    )
    service.identify()
    release.recover(service)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.db.close()

    routes: list[BaseRoute] = [Route(op.path, _endpoint(service, op), methods=[op.method]) for op in OPERATIONS]
    routes += public.routes(service)
    routes.append(Route("/openapi.json", _document(service), methods=["GET"]))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={Problem: _problem, HTTPException: _http_problem, Exception: _failure},  # type: ignore[dict-item]
    )
    app.state.service = service
    app.add_middleware(_Gate, token=token, usage=usage)
    return app


class _Gate:
    """Lets only requests with the token through to /v1, and counts them."""

    def __init__(self, app: ASGIApp, token: str, usage: Callable[[str, str], None]) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] == "http" and (path == "/v1" or path.startswith("/v1/")):
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = Problem(
                    401, "unauthorized", "A valid bearer token is needed.", headers={"WWW-Authenticate": "Bearer"}
                )
                await refusal.response()(scope, receive, send)
                return
            self._usage(scope["method"], path)
        await self._app(scope, receive, send)


def _endpoint(service: Service, op: Operation) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(_answer, service, op, request, body)

    return endpoint


def _answer(service: Service, op: Operation, request: Request, body: bytes) -> Response:
    key = _header(request.headers, "idempotency-key") if op.method != "GET" else None
    client = _header(request.headers, "predictive-client")
    decoded = decode(op.request, body) if op.request is not None else None
    call = Call(request.path_params, request.query_params, decoded, client)
    if op.method == "GET":
        answer = _read(service, op, call)
    else:
        digest = idempotency.digest_of(op.method, f"{request.url.path}?{request.url.query}", body)
        with service.in_progress.hold(key, digest):
            answer = _write(service, op, call, key, digest)
    return Response(answer.body, status_code=answer.status, media_type="application/json")


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is not None and not 1 <= len(value) <= _HEADER_LIMIT:
        raise invalid("", f"{name} must have 1 to {_HEADER_LIMIT} characters")
    return value


def _read(service: Service, op: Operation, call: Call) -> Answer:
    if op.mode == "own":
        result = op.handler(service, call)
    else:
        with service.read() as conn:
            result = op.handler(conn, call)
    return Answer(result.status, msgspec.json.encode(result.value))


def _write(service: Service, op: Operation, call: Call, key: str | None, digest: str) -> Answer:
    if op.mode == "write":
        with service.work(call.client) as work:
            kept = idempotency.find(work.conn, key, digest, work.now)
            if kept is not None:
                return kept
            result = op.handler(work, call)
            answer = Answer(result.status, msgspec.json.encode(result.value))
            idempotency.keep(work.conn, key, digest, answer, work.now)
        return answer
    if key is not None:
        with service.db.read() as conn:
            kept = idempotency.find(conn, key, digest, service.clock.now())
        if kept is not None:
            return kept
    result = op.handler(service, call)
    answer = Answer(result.status, msgspec.json.encode(result.value))
    if key is not None:
        with service.db.write() as conn:
            idempotency.keep(conn, key, digest, answer, service.clock.now())
    return answer


def _document(service: Service) -> Callable[[Request], Any]:
    encoded = msgspec.json.encode(openapi.document(OPERATIONS, VERSION, service.public_url))

    async def endpoint(_request: Request) -> Response:
        return Response(encoded, media_type="application/json")

    return endpoint


async def _problem(_request: Request, error: Problem) -> Response:
    return error.response()


async def _http_problem(_request: Request, error: HTTPException) -> Response:
    codes = {404: "not_found", 405: "method_not_allowed"}
    detail = error.detail or "The request cannot be answered."
    code = codes.get(error.status_code, "http_error")
    headers = dict(error.headers) if error.headers else None
    return Problem(error.status_code, code, detail, headers=headers).response()


async def _failure(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again behind this answer, so the server's log has it.
    return Problem(500, "internal", "The service failed; nothing of this request was kept.").response()
