"""A proxy before one of the servers that changes answers on their way: a peer that contradicts itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass(slots=True)
class Exchange:
    """A request and the answer to it; a tamperer changes ``status`` and ``answer`` in place."""

    method: str
    path: str
    body: Any
    status: int
    answer: Any


@contextmanager
def tampered(url: str, change: Callable[[Exchange], None]) -> Iterator[str]:
    """The address of a proxy before *url* while the block lasts; *change* sees every JSON answer."""
    client = httpx.Client(timeout=30, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            dropped = {"host", "content-length", "connection", "accept-encoding"}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            reply = client.request(self.command, url + self.path, content=body, headers=headers)
            payload, status = reply.content, reply.status_code
            kind = reply.headers.get("content-type", "")
            if "json" in kind and payload:
                sent = json.loads(body) if body and "json" in (self.headers.get("Content-Type") or "json") else None
                exchange = Exchange(self.command, self.path, sent, status, json.loads(payload))
                change(exchange)
                if exchange.status != status:
                    kind = "application/problem+json"
                payload, status = json.dumps(exchange.answer).encode(), exchange.status
            self.send_response(status)
            for name, value in reply.headers.items():
                if name.lower() in ("sforce-limit-info", "sforce-locator", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        client.close()
