"""The Predictive service alone, on loopback, for as long as its process wants it: with the real time, on a kept state.

A proxy in front of it does TLS and the outside address. One process serves a state: the mails that another one is
handing over just now would look like those of a crash.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sync.clock import Clock
from sync.embedded.listening import address_of, listen, quiet_server

if TYPE_CHECKING:
    import socket

    from sync.embedded.service.service import Sender, Transport

_START_SECONDS = 30.0


class StateTaken(Exception):
    """Another process serves this state."""


@dataclass(frozen=True, slots=True)
class Alone:
    """What is served. ``state``: a folder or a database URL; ``folder`` takes the lock, and the outbox unless said."""

    state: str | None
    folder: Path
    outbox: Path
    token: str
    port: int
    public_url: str | None
    hourly_limit: int
    sender: Sender
    transport: Transport | None

    @property
    def database(self) -> str:
        """Where the store is: the URL, or the file in the folder."""
        return self.state if self.state is not None and "://" in self.state else str(self.folder / "service.sqlite")


class ServiceAlone:
    """A running service. ``base_url``, ``public_url``, ``service_id``; ``alive`` until ``stop``."""

    def __init__(self, what: Alone, clock: Clock, *, ignore: Callable[[str, str], None] = lambda _m, _p: None) -> None:
        """Start it and wait until it answers.

        Raises:
            StateTaken: another process serves the state. OSError: the port or the folder cannot be used.
        """
        from sync.embedded.service.app import create_app

        what.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(what.folder / "service.lock")
        self._socket: socket.socket | None = None
        try:
            self._socket = listen(what.port)
            self.base_url = address_of(self._socket)
            self.public_url = what.public_url or self.base_url
            app = create_app(
                database=what.database,
                clock=clock,
                token=what.token,
                seed=0,
                outbox=what.outbox,
                audience_speed=0.0,  # people answer, nobody simulates them
                public_url=self.public_url,
                usage=ignore,
                sender=what.sender,
                transport=what.transport,
                hourly_limit=what.hourly_limit,
            )
        except BaseException:
            self._release()
            raise
        self.service_id: str = app.state.service.service_id
        self._server = quiet_server(app, lifespan="on")
        self._thread = threading.Thread(target=self._run, args=(self._socket,), name="service", daemon=True)
        self._thread.start()
        self._await_start()

    def _run(self, sock: socket.socket) -> None:
        asyncio.run(self._server.serve([sock]))

    def _await_start(self) -> None:
        tick = threading.Event()
        for _ in range(int(_START_SECONDS / 0.005)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            tick.wait(0.005)
        self._release()
        raise OSError("the server did not start")

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End it: requests under way are answered, a send that is under way goes on at the next release."""
        self._server.should_exit = True
        self._thread.join(10)
        self._release()

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)
            self._lock = None


def _locked(path: Path) -> int | None:
    """A lock that ends with the process, however it ends; None where the system has none. Raises StateTaken."""
    if os.name != "posix":
        return None
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StateTaken(str(path)) from error
    return handle
