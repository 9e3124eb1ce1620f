"""Sockets on loopback, and servers on them that leave signals and logs to their process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn.server import Server

_LONGEST_HEAD = 1_048_576


def listen(port: int) -> socket.socket:
    """A listening socket on loopback. Raises OSError."""
    # Named TCP, or the event loop leaves Nagle on and every answer waits 40 ms for an acknowledgement.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(512)
    sock.setblocking(False)
    return sock


def address_of(sock: socket.socket, scheme: str = "http") -> str:
    """The address of a listening socket."""
    return f"{scheme}://127.0.0.1:{sock.getsockname()[1]}"


def quiet_server(
    app: ASGIApp, *, certificate: Path | None = None, lifespan: Literal["auto", "on", "off"] = "off"
) -> Server:
    """A server that writes no log and sets no signal handler; ``serve`` runs it, ``should_exit`` ends it."""
    from uvicorn.config import Config
    from uvicorn.server import Server

    class Quiet(Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # one handler for all servers is set by this module

    config = Config(
        app,
        http="h11",
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=120,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
        timeout_graceful_shutdown=1,
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
    )
    return Quiet(config)
