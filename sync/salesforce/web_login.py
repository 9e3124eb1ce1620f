"""The web-server flow with PKCE: an address for the browser, and what comes back redeemed for tokens.

Randomness comes in by parameter. The code is bound to this attempt by ``state`` and by the verifier that only this
process knows, so that a link from elsewhere cannot slip another org's login in.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from sync.errors import UsageError, WrongCredentials
from sync.http.channel import Secret
from sync.salesforce.oauth import REMEDIES, Grant, TokenEndpoint

AUTHORIZE_PATH = "/services/oauth2/authorize"
SCOPE = "api refresh_token"
CALLBACK_PATH = "/OauthRedirect"


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


class WebLogin:
    """One attempt to log in.

    Args:
        endpoint: of the org or login host.
        client_id, client_secret: of the External Client App; no secret for a public one.
        port: of the loopback address that the browser is sent back to; one of the app's callback URLs.
        token: gives so many random bytes as URL-safe text.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        client_secret: Secret | None,
        *,
        port: int,
        token: Callable[[int], str],
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._client_secret = client_secret
        self._state = token(24)
        self._verifier = token(48)
        self.redirect_uri = f"http://localhost:{port}{CALLBACK_PATH}"

    def __repr__(self) -> str:
        return f"WebLogin({self._endpoint.base_url!r})"

    @property
    def address(self) -> str:
        """What the browser is to open."""
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": self._state,
            "code_challenge": challenge_of(self._verifier),
            "code_challenge_method": "S256",
        }
        return f"{self._endpoint.base_url}{AUTHORIZE_PATH}?{urlencode(asked)}"

    def redeem(self, returned: str) -> Grant:
        """The tokens for the address that the browser was sent back to.

        Raises:
            UsageError: the address is none of this attempt.
            WrongCredentials: the person or the org said no.
            whatever ``TokenEndpoint.grant`` raises.
        """
        found = {name: values[0] for name, values in parse_qs(urlsplit(returned.strip()).query).items()}
        if found.get("error"):
            code = found["error"]
            raise WrongCredentials(
                f"the login was refused: {code}: {found.get('error_description', '')}".rstrip(": "),
                left_undone="nothing was saved",
                remedy=REMEDIES.get(code, "try again, or ask the org's administrator"),
            )
        if "code" not in found or found.get("state") != self._state:
            raise UsageError(
                "this is not the address that the browser was sent back to by this login",
                left_undone="nothing was saved",
                remedy=f"paste the whole address that begins with {self.redirect_uri}?code=",
            )
        return self._endpoint.grant(
            {
                "grant_type": "authorization_code",
                "client_id": self._client_id,
                "client_secret": self._client_secret.reveal() if self._client_secret is not None else "",
                "redirect_uri": self.redirect_uri,
                "code": found["code"],
                "code_verifier": self._verifier,
            }
        )


def read_auth_url(text: str) -> tuple[str, str, str, str]:
    """(client id, client secret, refresh token, host) of a login of Salesforce's command line.

    Args:
        text: ``force://clientId:secret:refreshToken@host``, or the JSON that holds it as ``sfdxAuthUrl``.

    Raises:
        UsageError: it is neither.
    """
    import json

    found = text.strip()
    if found.startswith("{"):
        try:
            body = json.loads(found)
            found = str(body.get("result", body).get("sfdxAuthUrl", ""))
        except (ValueError, AttributeError):
            found = ""
    rest = found.removeprefix("force://")
    # The refresh token may hold "=", the secret may be empty; the host is what follows the last "@".
    credentials, at, host = rest.rpartition("@")
    parts = credentials.split(":")
    if rest == found or not at or not host or len(parts) not in (2, 3) or not parts[0] or not parts[-1]:
        raise UsageError(
            "this is no auth URL of Salesforce's command line",
            left_undone="nothing was saved",
            remedy="sf org auth show-sfdx-auth-url -o ALIAS --json | predictive login --sf",
        )
    secret = parts[1] if len(parts) == 3 else ""
    return parts[0], secret, parts[-1], host.removeprefix("https://").rstrip("/")
