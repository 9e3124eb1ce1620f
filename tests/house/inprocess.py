"""HTTP without sockets: an httpx transport that hands requests to ASGI applications in this very thread.

The applications are those that are served elsewhere, with their layer of faults; only the wire is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from sync.embedded.wire import Dropped


class InProcess(httpx.BaseTransport):
    """Applications by port. One loop for all requests; closing is left to :meth:`end`, because clients come and
    go while the servers stay."""

    def __init__(self, apps: Mapping[int, Any]) -> None:
        self._apps = dict(apps)
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request; an answer that was dropped on the way is a closed connection."""
        return self._loop.run_until_complete(_served(self._apps[request.url.port or 80], request, request.read()))

    def close(self) -> None:
        """A client is done; the servers are not."""

    def end(self) -> None:
        """No request any more."""
        self._loop.close()


async def _served(app: Any, request: httpx.Request, body: bytes) -> httpx.Response:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": (request.url.host, request.url.port or 80),
    }
    asked = False
    never = asyncio.get_running_loop().create_future()
    status, headers = 0, []
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await never  # a client that does not hang up
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Dropped as gone:
        raise httpx.RemoteProtocolError(str(gone), request=request) from gone
    return httpx.Response(status, headers=headers, content=b"".join(parts), request=request)
