"""OAuth: the token endpoint with its grants, authorizing in a browser, introspection and revocation.

Grants: client credentials, JWT bearer, user name and password, authorization code with PKCE, refresh token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sync.clock import Clock, SystemClock
from sync.embedded.org.jwt import JwtError, read_claims
from sync.embedded.org.sessions import Client, Sessions
from sync.embedded.org.state import Switches

COMMAND_LINE = "PlatformCLI"
"""The public client of Salesforce's own command line, which every org knows."""

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CODE_SECONDS = 15 * 60
_SCOPE = "api web refresh_token id"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_LOGIN_HOSTS = frozenset({"https://login.salesforce.com", "https://test.salesforce.com"})


class OAuthError(Exception):
    """A refusal: OAuth error code, description and HTTP status."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status

    def body(self) -> dict[str, str]:
        """The answer's JSON."""
        return {"error": self.error, "error_description": self.description}


def form_of(body: bytes, query: str = "") -> dict[str, str]:
    """The parameters of a request: its form, then its address."""
    given = "&".join(part for part in (query, body.decode("utf-8", "replace")) if part)
    return dict(parse_qsl(given, keep_blank_values=True))


@dataclass(frozen=True, slots=True, repr=False)
class _Code:
    client_id: str
    redirect: str
    challenge: str | None
    made: float


@dataclass(frozen=True, slots=True, repr=False)
class Granted:
    """A new session, and the refresh token that is to be answered with it."""

    access_token: str
    refresh_token: str | None = None


@dataclass(slots=True, repr=False)
class OAuth:
    """Grants sessions of one org.

    ``is_user`` knows user names, ``certificate`` (PEM) is what assertions are checked against, ``machine`` the clock
    that clients go by.
    """

    clock: Clock
    sessions: Sessions
    client: Client
    switches: Switches
    is_user: Callable[[str], bool]
    certificate: bytes | None = None
    machine: Clock = field(default_factory=SystemClock)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _refresh: dict[str, str] = field(default_factory=dict)
    _sessions_of: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._refresh[self.client.refresh_token] = self.client.client_id

    # ------------------------------------------------------------ clients

    def _known(self, client_id: str | None) -> str:
        if client_id not in (self.client.client_id, COMMAND_LINE):
            raise OAuthError("invalid_client_id", "client identifier invalid")
        return client_id

    def _authenticated(self, form: Mapping[str, str], authorization: str | None, *, required: bool) -> str:
        """The client of a request. Raises OAuthError when it is unknown, or its secret wrong (or missing)."""
        client_id, secret, basic = form.get("client_id"), form.get("client_secret"), False
        kind, _, value = (authorization or "").partition(" ")
        if kind.lower() == "basic":
            basic = True
            try:
                client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except ValueError:
                raise OAuthError("invalid_client", "invalid client credentials", 401) from None
        known = self._known(client_id)
        if known == COMMAND_LINE and not required:
            return known
        wrong = bool(secret) and not hmac.compare_digest((secret or "").encode(), self.client.client_secret.encode())
        if wrong or (required and not secret):
            raise OAuthError("invalid_client", "invalid client credentials", 401 if basic else 400)
        return known

    # ------------------------------------------------------------ the token endpoint

    def grant(self, form: Mapping[str, str], authorization: str | None, hosts: frozenset[str]) -> Granted:
        """A session for the right credentials; ``hosts`` are the org's own addresses. Raises OAuthError."""
        grants: Mapping[str | None, Callable[[], Granted]] = {
            "client_credentials": lambda: self._client_credentials(form, authorization),
            "refresh_token": lambda: self._refreshed(form, authorization),
            "password": lambda: self._password(form, authorization),
            "authorization_code": lambda: self._authorization_code(form, authorization),
            JWT_GRANT: lambda: self._assertion(form, hosts),
        }
        grant = grants.get(form.get("grant_type"))
        if grant is None:
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        return grant()

    def _client_credentials(self, form: Mapping[str, str], authorization: str | None) -> Granted:
        self._authenticated(form, authorization, required=True)
        return Granted(self.sessions.open())

    def _password(self, form: Mapping[str, str], authorization: str | None) -> Granted:
        self._authenticated(form, authorization, required=True)
        if not self.accepts(form.get("username", ""), form.get("password", "")):
            raise OAuthError("invalid_grant", "authentication failure")
        return Granted(self.sessions.open())

    def accepts(self, username: str, password: str) -> bool:
        """Whether a user name goes with a password, which may have the security token behind it."""
        right = (self.client.password, self.client.password + self.client.security_token)
        return self.is_user(username) and any(hmac.compare_digest(password.encode(), one.encode()) for one in right)

    def _assertion(self, form: Mapping[str, str], hosts: frozenset[str]) -> Granted:
        if self.certificate is None:
            raise OAuthError("invalid_client", "the app has no certificate")
        try:
            claims = read_claims(form.get("assertion", ""), self.certificate)
        except JwtError as error:
            raise OAuthError("invalid_grant", f"invalid assertion: {error}") from None
        self._known(claims.get("iss"))
        audience = claims.get("aud")
        if not {str(one).rstrip("/") for one in (audience if isinstance(audience, list) else [audience])} & (
            hosts | _LOGIN_HOSTS
        ):
            raise OAuthError("invalid_grant", "audience is invalid")
        expires = claims.get("exp")
        # A moved clock is the sandbox's own affair: a client signs by the machine's.
        present = min(self.clock.now().timestamp(), self.machine.now().timestamp())
        if not isinstance(expires, int | float | str) or not str(expires).isdigit() or int(expires) < present:
            raise OAuthError("invalid_grant", "invalid assertion: expired")
        if not self.is_user(str(claims.get("sub", claims.get("prn", "")))):
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        return Granted(self.sessions.open())

    def _refreshed(self, form: Mapping[str, str], authorization: str | None) -> Granted:
        client_id = self._authenticated(form, authorization, required=False)
        given = form.get("refresh_token", "")
        with self._lock:
            good = self._refresh.get(given) == client_id
            if good and self.switches.rotate_refresh_tokens:
                del self._refresh[given]
        if not good:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        following = self._new_refresh(client_id) if self.switches.rotate_refresh_tokens else given
        token = self.sessions.open()
        self._sessions_of.setdefault(following, []).append(token)
        return Granted(token, following if following != given else None)

    def _new_refresh(self, client_id: str) -> str:
        token = "5Aep861" + self.sessions.secret()
        with self._lock:
            self._refresh[token] = client_id
        return token

    # ------------------------------------------------------------ the web-server flow

    def authorize(self, form: Mapping[str, str]) -> str:
        """The address a browser is sent back to, with a code or an error; the user has approved already.

        Raises OAuthError when the client or its redirect address is wrong, so that there is nowhere to send it.
        """
        client_id, redirect = self._known(form.get("client_id")), form.get("redirect_uri", "")
        try:
            parts = urlsplit(redirect)
            loopback = parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK
        except ValueError:
            loopback = False
        if not loopback:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        state = {"state": form["state"]} if "state" in form else {}
        mark = "&" if parts.query else "?"
        challenge, method = form.get("code_challenge"), form.get("code_challenge_method", "S256")
        error = None
        if form.get("response_type") != "code":
            error = ("unsupported_response_type", "response type not supported")
        elif challenge is None and self.switches.pkce_required:
            error = ("invalid_request", "missing required code challenge")
        elif method != "S256":  # the platform hashes also where no method is named
            error = ("invalid_request", "code challenge method not supported")
        if error is not None:
            return redirect + mark + urlencode({"error": error[0], "error_description": error[1], **state})
        code = "aPrx" + self.sessions.secret(60)
        with self._lock:
            now = self.clock.now().timestamp()
            self._codes[code] = _Code(client_id, redirect, challenge, now)
        return redirect + mark + urlencode({"code": code, **state})

    def _authorization_code(self, form: Mapping[str, str], authorization: str | None) -> Granted:
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)
        if code is None or self.clock.now().timestamp() - code.made > _CODE_SECONDS:
            raise OAuthError("invalid_grant", "expired authorization code")
        client_id = self._authenticated(form, authorization, required=code.challenge is None)
        if client_id != code.client_id or form.get("redirect_uri") != code.redirect:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if code.challenge is not None and not _verified(code, form.get("code_verifier", "")):
            raise OAuthError("invalid_grant", "invalid code verifier")
        refresh, token = self._new_refresh(client_id), self.sessions.open()
        self._sessions_of[refresh] = [token]
        return Granted(token, refresh)

    # ------------------------------------------------------------ what clients ask about tokens

    def revoke(self, token: str) -> None:
        """End a session, or a refresh token with its sessions. Raises OAuthError for an unknown token."""
        with self._lock:
            refresh = self._refresh.pop(token, None)
        for one in self._sessions_of.pop(token, []):
            self.sessions.end(one)
        if refresh is None and not self.sessions.end(token):
            raise OAuthError("invalid_token", f"invalid token: {token[:6]}…")

    def introspect(self, form: Mapping[str, str], authorization: str | None, who: Mapping[str, str]) -> dict[str, Any]:
        """Whether a token is good, and whose. Raises OAuthError for a client that may not ask."""
        client_id = self._authenticated(form, authorization, required=True)
        token = form.get("token", "")
        refresh = token in self._refresh
        if not refresh and not self.sessions.is_open(token, self.switches.session_seconds):
            return {"active": False}
        now = int(self.clock.now().timestamp())
        kind = "refresh_token" if refresh else "access_token"
        more = {} if refresh else {"iat": now, "nbf": now, "exp": now + int(self.switches.session_seconds or 7_200)}
        return {"active": True, "scope": _SCOPE, "client_id": client_id, "token_type": kind, **who, **more}

    def answer(self, granted: Granted, instance_url: str, identity_path: str) -> dict[str, Any]:
        """What the token endpoint answers; there is no expiry in it, as on the platform."""
        issued = str(int(self.clock.now().timestamp() * 1000))
        identity = instance_url + identity_path
        signed = hmac.new(self.client.client_secret.encode(), (identity + issued).encode(), hashlib.sha256)
        body = {
            "access_token": granted.access_token,
            "signature": base64.b64encode(signed.digest()).decode(),
            "scope": _SCOPE if granted.refresh_token else "api",
            "instance_url": instance_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }
        return {**body, "refresh_token": granted.refresh_token} if granted.refresh_token else body


def _verified(code: _Code, verifier: str) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return bool(verifier) and hmac.compare_digest(digest.encode(), (code.challenge or "").rstrip("=").encode())
