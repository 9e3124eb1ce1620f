"""A stage whose engine reaches the two sides over real HTTP: servers on loopback, a thread for both."""

from __future__ import annotations

import asyncio
import threading

import httpx

from sync.embedded.listening import listen, quiet_server
from tests.house.sides import ORG_PORT, SERVICE_PORT, Sides
from tests.machine.stage import Stage

_SECONDS = 15.0
"""Longest that a request, or the end of a server, may take."""


class Served:
    """Both sides, served on free ports until :meth:`end`."""

    def __init__(self, sides: Sides) -> None:
        listening = {ORG_PORT: listen(0), SERVICE_PORT: listen(0)}
        self.ports = {port: sock.getsockname()[1] for port, sock in listening.items()}
        apps = {ORG_PORT: sides.org_app, SERVICE_PORT: sides.service_app}
        self._servers = {port: quiet_server(app) for port, app in apps.items()}
        self.requests = 0

        async def serve() -> None:
            await asyncio.gather(*(server.serve([listening[port]]) for port, server in self._servers.items()))

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="sides", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """No request any more."""
        for server in self._servers.values():
            server.should_exit = True
        self._thread.join(_SECONDS)
        assert not self._thread.is_alive(), "a server did not end"


class OverSockets(httpx.BaseTransport):
    """Carries requests to the ports where the sides are served. Closing is left to the stage: clients come and go."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request over a real connection, its answer read to the end."""
        self._served.requests += 1
        request.url = request.url.copy_with(port=self._served.ports[request.url.port or 80])
        request.extensions = {**request.extensions, "timeout": httpx.Timeout(_SECONDS).as_dict()}
        answer = self._inner.handle_request(request)
        answer.read()
        return answer

    def close(self) -> None:
        """A client is done; the servers are not."""

    def end(self) -> None:
        """Let go of the connections."""
        self._inner.close()


class SocketStage(Stage):
    """A stage of which every request of the engine is a real one."""

    served: Served | None = None
    over: OverSockets | None = None

    def network(self) -> httpx.BaseTransport:
        """Served from the first request on."""
        if self.over is None:
            self.served = Served(self.sides)
            self.over = OverSockets(self.served)
        return self.over

    def close(self) -> None:
        """Take everything down."""
        if self.over is not None and self.served is not None:
            self.over.end()
            self.served.end()
        super().close()
