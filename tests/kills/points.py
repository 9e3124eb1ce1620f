"""The points of a run at which its process can be killed: every request and every commit of the state, numbered.

The seams are constructor arguments: what carries requests, and what is told before each commit. A process killed
right after event n and one killed right before event n + 1 leave the same behind, because nothing outlives a process
but what it committed and what it was heard to ask for. So each gap between two events is one point, and the kill comes
at its end: the request of event n + 1 was not sent, or its transaction holds everything but the commit.
"""

from __future__ import annotations

import os
import signal

import httpx


class Seam:
    """Numbers the events of this process from 1, and kills it before the one that is asked for.

    Args:
        die_before: number of the event that never happens; None: the process lives.
    """

    def __init__(self, die_before: int | None = None) -> None:
        self._die_before = die_before
        self.events: list[str] = []

    def reach(self, what: str) -> None:
        """The next event is about to happen."""
        self.events.append(what)
        if len(self.events) == self._die_before:
            os.kill(os.getpid(), signal.SIGKILL)

    def commit(self) -> None:
        """The state is about to be committed."""
        self.reach("commit")


class SeamedNetwork(httpx.BaseTransport):
    """Real HTTP over the sockets that stand for the two sides, each request an event."""

    def __init__(self, seam: Seam, sockets: dict[int, str]) -> None:
        self._seam = seam
        # There is no certificate on a socket of this machine, and loading the authorities takes longer than a run.
        self._over = {port: httpx.HTTPTransport(uds=path, verify=False) for port, path in sockets.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        self._seam.reach(f"{request.method} {request.url.path}")
        return self._over[request.url.port or 80].handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        for transport in self._over.values():
            transport.close()
