"""What can happen to an engine between two of its words: no answer in time, or its end. For engines in this process."""

from __future__ import annotations

from collections.abc import Callable

import httpx


class Killed(BaseException):
    """The process is dead: no code of it runs on, so nothing that is reached afterwards may happen either."""


class Fate:
    """Decides at each request and each commit of one engine whether its process still lives.

    Args:
        die_before: the number of the event before which it dies; None: it lives.
        timeouts: request number → True when the time runs out after the other side carried it out, False when before.
        tick: called at each request, so that time goes on.
    """

    def __init__(
        self, *, die_before: int | None = None, timeouts: dict[int, bool] | None = None, tick: Callable[[], None]
    ) -> None:
        self._die_before, self._timeouts, self._tick = die_before, timeouts or {}, tick
        self.events = self._requests = 0
        self.dead = False
        self.timed_out: list[bool] = []

    def _reach(self) -> None:
        self.events += 1
        if self.dead or self.events == self._die_before:
            self.dead = True
            raise Killed

    def commit(self) -> None:
        """A commit is about to happen."""
        self._reach()

    def request(self) -> bool | None:
        """A request is about to be sent; True or False when its answer will not come in time."""
        self._reach()
        self._tick()
        self._requests += 1
        late = self._timeouts.get(self._requests)
        if late is not None:
            self.timed_out.append(late)
        return late


class FatedNetwork(httpx.BaseTransport):
    """Carries requests to *inner* as far as the present fate allows."""

    def __init__(self, fate: Callable[[], Fate], inner: httpx.BaseTransport) -> None:
        self._fate, self._inner = fate, inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        late = self._fate().request()
        if late is False:
            raise httpx.ReadTimeout("no answer, and nobody has read it", request=request)
        response = self._inner.handle_request(request)
        if late:
            raise httpx.ReadTimeout("carried out, but no answer in time", request=request)
        return response
