"""One peer over the shared transport: its address, its credentials, and the one retry budget.

Repeats only what is safe to repeat. A read, or a write with an idempotency key, is repeated after any passing trouble,
also when its answer was cut off; an org's write only when the other side surely did not execute it (no connection, 401,
420, 429, 503). Everything else without an answer is ``OutcomeUnknown``: whoever asked reads before writing again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from sync.errors import NotWhatItShouldBe, OutcomeUnknown, PredictiveError, ServerDown, WrongCredentials
from sync.http.calls import LongBody, NoAnswer, Outgoing, Reply, Safety
from sync.http.transport import Transport
from sync.model import Side

_REFUSED_UNREAD = (420, 429, 503)
"""Answers of a gateway or an overloaded server that did not look at the request."""

_PASSING = (*_REFUSED_UNREAD, 500, 502, 504)
"""Answers after which the same request may work."""


class Secret(Protocol):
    """A value that shows itself only when asked."""

    def reveal(self) -> str:
        """The value."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How often and how long a request is repeated: *attempts* in all, waits from *first* doubling to *longest*."""

    attempts: int = 4
    first: float = 0.5
    longest: float = 8.0


class Session:
    """The token of one peer, renewed by one thread at a time.

    Args:
        token: the token there is already, or None.
        login: obtains a new one; None when only a token was given.
        remedy: what a person does when the token is refused.
    """

    def __init__(self, token: str | None, login: Callable[[], str] | None, *, remedy: str) -> None:
        if token is None and login is None:
            raise ValueError("a session needs a token or a way to get one")
        self._token = token
        self._login = login
        self._lock = threading.Lock()
        self.remedy = remedy

    def __repr__(self) -> str:
        return "Session(…)"

    def token(self) -> str:
        """The present token; logs in at first use."""
        with self._lock:
            if self._token is None:
                assert self._login is not None
                self._token = self._login()
            return self._token

    def owner(self) -> str | None:
        """What stands before the token's "!", where the platform puts the org's id; None without a mark or a token."""
        with self._lock:
            before, mark, _ = (self._token or "").partition("!")
            return before if mark else None

    def renew(self, refused: str) -> bool:
        """Replace the *refused* token; when another thread did so already, use its. False when there is no login."""
        with self._lock:
            if self._token == refused:
                if self._login is None:
                    return False
                self._token = None
                self._token = self._login()
            return True


class _Again(Exception):
    """The request may be repeated; ``error`` is what to raise when it may not be any more."""

    def __init__(self, error: PredictiveError, after: float | None = None) -> None:
        super().__init__(error.what)
        self.error = error
        self.after = after


class Channel:
    """Sends requests to one peer.

    Args:
        transport: the shared one.
        side: for the ledger.
        base_url: scheme, host and port.
        name: what people call the peer, e.g. "the Salesforce org".
        session: its token, None for none.
        budget: of repeats.
        also_in: headers that carry the token, too, by how the path begins.
        expired: says of a reply that the token is refused; by default 401.
        busy: says of a reply that is neither 5xx nor 429 whether it means "too much at once, later".
    """

    def __init__(
        self,
        transport: Transport,
        side: Side,
        base_url: str,
        name: str,
        *,
        session: Session | None = None,
        budget: Budget | None = None,
        busy: Callable[[Reply], bool] | None = None,
        also_in: Mapping[str, str] | None = None,
        expired: Callable[[Reply], bool] | None = None,
    ) -> None:
        self.transport = transport
        self.side = side
        self.base_url = base_url.rstrip("/")
        self.name = name
        self.budget = budget or Budget()
        self._session = session
        self._also_in = also_in or {}
        self._expired = expired or (lambda reply: reply.status == 401)
        self._busy = busy or (lambda reply: False)
        # A little chance keeps several processes from coming back at the same instant.
        self._backing_off = wait_exponential(self.budget.first, self.budget.longest) + wait_random(0, self.budget.first)

    def call(
        self,
        method: str,
        path: str,
        *,
        safety: Safety,
        content: bytes | LongBody | None = None,
        headers: Mapping[str, str] | None = None,
        resource: str = "",
        counted: bool = True,
        any_type: bool = False,
        total: float | None = None,
    ) -> Reply:
        """Send and return the answer, whatever its status below 500 (401 and 429 aside).

        Args:
            path: below the base URL, with its query.
            safety: what a repeat could do.
            any_type: accept answers that are not JSON; a page of HTML is none.
            total: seconds it may take in all, where the transport's own are too few.

        Raises:
            ServerDown: no connection, no answer to what only reads, or a gateway's error, repeatedly.
            OutcomeUnknown: a write was handed over and no usable answer came.
            WrongCredentials: the token was refused, also a new one.
            NotWhatItShouldBe: the answer is not JSON, or a redirect.
            Cancelled: while waiting to repeat.
        """
        all_headers = {"Accept": "application/json", **(headers or {})}
        if content is not None:
            all_headers.setdefault("Content-Type", "application/json; charset=UTF-8")
        out = Outgoing(self.side, method, self.base_url + path, all_headers, content, counted, resource)
        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self.budget.attempts),
            wait=self._pause,
            sleep=self.transport.wait,
            reraise=True,
        )
        try:
            reply = retrying(self._attempt, out, safety, total)
        except _Again as last:
            raise last.error from last.__cause__
        if not any_type:
            self._check_type(reply, safety)
        elif reply.media_type == "text/html":
            # No answer of an API: of a proxy or a page of maintenance, whatever its status says.
            if reply.ok and safety is Safety.WRITE:
                raise self._unknown("it answered with a page", reply.url)
            self._check_type(reply, safety)
        return reply

    def _pause(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome is not None else None
        if isinstance(failure, _Again) and failure.after is not None:
            return min(failure.after, self.budget.longest)
        return self._backing_off(state)

    def _attempt(self, out: Outgoing, safety: Safety, total: float | None) -> Reply:
        try:
            reply = self._signed(out, total)
        except NoAnswer as problem:
            if not problem.sent:
                raise _Again(self._down(problem.reason, problem.where)) from problem
            if safety is Safety.WRITE:
                raise self._unknown(problem.reason, problem.where) from problem
            error = self._down(problem.reason, problem.where) if safety is Safety.READ else None
            raise _Again(error or self._unknown(problem.reason, problem.where)) from problem
        if reply.status in _PASSING or self._busy(reply):
            text = f"it answered {reply.status}"
            if safety is Safety.READ or reply.status in _REFUSED_UNREAD or self._busy(reply):
                raise _Again(self._down(text, reply.url), _retry_after(reply))
            if safety is Safety.WRITE:
                raise self._unknown(text, reply.url)
            raise _Again(self._unknown(text, reply.url), _retry_after(reply))
        if _cut_off(reply):
            text = "its answer was cut off"
            if safety is Safety.WRITE:
                raise self._unknown(text, reply.url)
            raise _Again((self._down if safety is Safety.READ else self._unknown)(text, reply.url))
        return reply

    def _signed(self, out: Outgoing, total: float | None) -> Reply:
        """Send with the token; a refused one is renewed once and the very same request replayed once."""
        if self._session is None:
            return self._sent(out, None, total)
        token = self._session.token()
        reply = self._sent(out, token, total)
        if not self._expired(reply):
            return reply
        if self._session.renew(token):
            reply = self._sent(out, self._session.token(), total)
            if not self._expired(reply):
                return reply
        raise WrongCredentials(
            f"{self.name} refused the login: the token is expired or wrong",
            where=reply.url,
            left_undone="nothing was written",
            remedy=self._session.remedy,
        )

    def _sent(self, out: Outgoing, token: str | None, total: float | None) -> Reply:
        if token is None:
            return self.transport.exchange(out, total=total)
        headers = {**out.headers, "Authorization": f"Bearer {token}"}
        path = out.url.removeprefix(self.base_url)
        headers |= {name: token for start, name in self._also_in.items() if path.startswith(start)}
        return self.transport.exchange(
            Outgoing(out.side, out.method, out.url, headers, out.content, out.counted, out.resource), total=total
        )

    def _check_type(self, reply: Reply, safety: Safety) -> None:
        if reply.is_json or (reply.ok and not reply.content):
            return
        kind = f"{reply.media_type or 'no content type'} with status {reply.status}"
        if 300 <= reply.status < 400:
            kind = f"a redirect ({reply.status})"
        undone = "nothing was read"
        if safety is not Safety.READ:
            undone = "what was sent may not have been written; it is read before it is sent again"
        raise NotWhatItShouldBe(
            f"{self.name} answered {kind} instead of JSON",
            where=reply.url,
            left_undone=undone,
            remedy=f"check that the address is that of {self.name} and that no proxy or login page stands between",
        )

    def _down(self, reason: str, where: str) -> ServerDown:
        return ServerDown(
            f"cannot reach {self.name}: {reason}",
            where=where,
            left_undone="nothing was written",
            remedy="check that it is running and that the address is right, then try again",
        )

    def _unknown(self, reason: str, where: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{self.name} got a write and gave no usable answer: {reason}",
            where=where,
            left_undone="it is not known whether it was written",
            remedy="it is read before anything is repeated",
        )


def _cut_off(reply: Reply) -> bool:
    """True when an answer ended as if whole although its JSON was not: the last byte does not close the first."""
    first, last = reply.content[:64].lstrip()[:1], reply.content[-64:].rstrip()[-1:]
    return reply.ok and reply.is_json and {b"{": b"}", b"[": b"]"}.get(first, last) != last


def _retry_after(reply: Reply) -> float | None:
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None
