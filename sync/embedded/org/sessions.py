"""Sessions of the org: access tokens, who may open them, and when they end."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from sync.clock import Clock
from sync.embedded.org.ids import DIGITS

_TOKEN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Client:
    """Who may log in: the External Client App's key, secret and refresh token, the user's password and token."""

    client_id: str
    client_secret: str
    refresh_token: str
    password: str = ""
    security_token: str = ""

    def __repr__(self) -> str:
        return f"Client(client_id={self.client_id!r})"


class Sessions:
    """Open sessions by access token; an idle one ends after ``lifetime`` seconds (0: never)."""

    def __init__(self, clock: Clock, organization_id: str, seed: int) -> None:
        self._clock = clock
        self._organization = organization_id[:15]
        self._random = random.Random(seed)  # noqa: S311 - a sandbox's tokens are repeatable by intent
        self._open: dict[str, float] = {}
        self._lock = threading.Lock()

    def secret(self, length: int = _TOKEN_LENGTH) -> str:
        """A new secret of so many characters."""
        with self._lock:
            return "".join(self._random.choices(DIGITS + "._", k=length))

    def open(self) -> str:
        """A new session's access token."""
        token = f"{self._organization}!{self.secret()}"
        with self._lock:
            self._open[token] = self._clock.now().timestamp()
        return token

    def end_all(self) -> int:
        """End every session; how many there were."""
        with self._lock:
            count = len(self._open)
            self._open.clear()
            return count

    def end(self, token: str) -> bool:
        """End one session; whether it was open."""
        with self._lock:
            return self._open.pop(token, None) is not None

    def is_open(self, token: str, lifetime: float) -> bool:
        """Whether an access token is that of an open session; using it keeps it open."""
        now = self._clock.now().timestamp()
        with self._lock:
            last = self._open.get(token)
            if last is None:
                return False
            if lifetime and now - last > lifetime:
                del self._open[token]
                return False
            self._open[token] = now
            return True

    def holds(self, authorization: str | None, lifetime: float) -> bool:
        """Whether an Authorization header carries an open session."""
        kind, _, token = (authorization or "").partition(" ")
        return kind.lower() in ("bearer", "oauth") and self.is_open(token.strip(), lifetime)
