"""OAuth: the token endpoint, the sessions it opens, and who the user is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sync.clock import Clock
from sync.embedded.org.ids import DIGITS

_TOKEN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Client:
    """The External Client App that may log in: its consumer key and secret, and a refresh token it may show."""

    client_id: str
    client_secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Client(client_id={self.client_id!r})"


class OAuthError(Exception):
    """A refusal of the token endpoint: OAuth error code, description and HTTP status."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status

    def body(self) -> dict[str, str]:
        """The answer's JSON."""
        return {"error": self.error, "error_description": self.description}


class Sessions:
    """Open sessions by access token; an idle one ends after ``lifetime`` seconds (0: never)."""

    def __init__(self, clock: Clock, organization_id: str, client: Client, seed: int) -> None:
        self._clock = clock
        self._organization = organization_id[:15]
        self._client = client
        self._random = random.Random(seed)  # noqa: S311 - a sandbox's tokens are repeatable by intent
        self._open: dict[str, float] = {}
        self._lock = threading.Lock()

    def open(self) -> str:
        """A new session's access token."""
        with self._lock:
            secret = "".join(self._random.choices(DIGITS + "._", k=_TOKEN_LENGTH))
            token = f"{self._organization}!{secret}"
            self._open[token] = self._clock.now().timestamp()
            return token

    def end_all(self) -> int:
        """End every session; how many there were."""
        with self._lock:
            count = len(self._open)
            self._open.clear()
            return count

    def end(self, token: str) -> None:
        """End one session."""
        with self._lock:
            self._open.pop(token, None)

    def holds(self, authorization: str | None, lifetime: float) -> bool:
        """Whether an Authorization header carries an open session; using it keeps it open."""
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() not in ("bearer", "oauth"):
            return False
        now = self._clock.now().timestamp()
        with self._lock:
            last = self._open.get(token.strip())
            if last is None:
                return False
            if lifetime and now - last > lifetime:
                del self._open[token.strip()]
                return False
            self._open[token.strip()] = now
            return True

    def grant(self, body: bytes, authorization: str | None) -> str:
        """The token endpoint: an access token for the right credentials. Raises OAuthError."""
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        grant = form.get("grant_type")
        if grant not in ("client_credentials", "refresh_token"):
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        client_id, secret = self._credentials(form, authorization)
        if client_id != self._client.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if grant == "refresh_token":
            if secret is not None and not hmac.compare_digest(secret, self._client.client_secret):
                raise OAuthError("invalid_client", "invalid client credentials")
            if not hmac.compare_digest(form.get("refresh_token", ""), self._client.refresh_token):
                raise OAuthError("invalid_grant", "expired access/refresh token")
            return self.open()
        if secret is None or not hmac.compare_digest(secret, self._client.client_secret):
            basic = (authorization or "").lower().startswith("basic ")
            raise OAuthError("invalid_client", "invalid client credentials", 401 if basic else 400)
        return self.open()

    @staticmethod
    def _credentials(form: Mapping[str, str], authorization: str | None) -> tuple[str | None, str | None]:
        kind, _, value = (authorization or "").partition(" ")
        if kind.lower() == "basic":
            try:
                client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except ValueError:
                raise OAuthError("invalid_client", "invalid client credentials", 401) from None
            return client_id, secret
        return form.get("client_id"), form.get("client_secret")

    def answer(self, token: str, instance_url: str, identity_path: str, *, refresh: bool) -> dict[str, Any]:
        """What the token endpoint answers; there is no expiry in it, as on the platform."""
        issued = str(int(self._clock.now().timestamp() * 1000))
        identity = instance_url + identity_path
        signed = hmac.new(self._client.client_secret.encode(), (identity + issued).encode(), hashlib.sha256)
        body = {
            "access_token": token,
            "signature": base64.b64encode(signed.digest()).decode(),
            "scope": "api",
            "instance_url": instance_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }
        return {**body, "refresh_token": self._client.refresh_token} if refresh else body
