"""OAuth's token endpoint over the one transport: grants in, tokens out, refusals classed.

Token requests are not counted by the platform. A refresh token may be good for one use only, therefore the request that
shows one is never repeated once it was handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from sync.errors import NotWhatItShouldBe, OutcomeUnknown, WrongCredentials
from sync.http.calls import Safety
from sync.http.channel import Channel, Secret
from sync.http.transport import Transport
from sync.model import Side
from sync.salesforce.session_adapter import LOGIN_NAME

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
KEEPING_SECONDS = 4
"""How long a process may take to keep a new refresh token; asking the keyring may take most of it."""
_AGAIN = "run 'predictive login' once more"


class _Answer(msgspec.Struct):
    access_token: str = ""
    refresh_token: str = ""
    instance_url: str = ""
    id: str = ""
    error: str = ""
    error_description: str = ""


_DECODER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the endpoint gave. ``refresh_token`` "" when there is none; ``identity`` is the user's address."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    instance_url: str
    identity: str

    @property
    def org_id(self) -> str:
        """The org of the identity address, "" when it has none."""
        parts = self.identity.rstrip("/").split("/")
        return parts[-2] if len(parts) > 2 else ""


class Refusal(WrongCredentials):
    """The endpoint refused the grant; ``code`` is OAuth's error code."""

    def __init__(self, code: str, description: str, where: str, remedy: str) -> None:
        text = f"the Salesforce org refused the login: {code}"
        super().__init__(
            f"{text}: {description}" if description else text,
            where=where,
            left_undone="nothing was read or written",
            remedy=remedy,
        )
        self.code = code


REMEDIES = {
    "invalid_client_id": "check client_id: it is the consumer key of the External Client App",
    "invalid_client": "check the client secret",
    "invalid_grant": _AGAIN,
    "invalid_app_access": "the user is not approved for the app: check its policies and the user's permission sets",
    "redirect_uri_mismatch": "add the redirect address to the app's callback URLs, or change redirect_port",
    "inactive_user": "the user is inactive",
    "unsupported_grant_type": "enable the flow in the External Client App",
}
"""What a person can do, by OAuth error code."""


class TokenEndpoint:
    """The token endpoint of an org or of a login host.

    Args:
        transport: the shared one.
        base_url: ``https://acme.my.salesforce.com``, ``https://login.salesforce.com``, ``https://test.salesforce.com``.
    """

    def __init__(self, transport: Transport, base_url: str) -> None:
        self._channel = Channel(transport, Side.SALESFORCE, base_url, LOGIN_NAME)
        self.base_url = self._channel.base_url

    def wait(self, seconds: float) -> None:
        """Wait as the transport does. Raises Cancelled."""
        self._channel.transport.wait(seconds)

    def grant(self, form: Mapping[str, str]) -> Grant:
        """One grant.

        Raises:
            Refusal: the endpoint said no.
            NotWhatItShouldBe: something else than a token answer came.
            OutcomeUnknown: no answer came; a single-use token may be used up.
            ServerDown: it cannot be reached.
        """
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        try:
            reply = self._channel.call(
                "POST",
                TOKEN_PATH,
                safety=Safety.WRITE,
                content=body,
                headers=_FORM,
                resource="token",
                counted=False,
            )
        except OutcomeUnknown as error:
            raise OutcomeUnknown(
                "the login got no answer",
                where=error.where,
                left_undone="nothing was read or written",
                remedy=f"try again; if the org refuses it then, {_AGAIN}",
            ) from error
        try:
            answer = _DECODER.decode(reply.content)
        except msgspec.DecodeError:
            answer = _Answer()
        if answer.error:
            remedy = REMEDIES.get(answer.error, "check the app, the user, and [orgs.NAME.salesforce]")
            raise Refusal(answer.error, answer.error_description, reply.url, remedy)
        if not reply.ok or not answer.access_token:
            raise NotWhatItShouldBe(
                f"the login answered HTTP {reply.status} without a token",
                where=reply.url,
                left_undone="nothing was read or written",
                remedy="check that the address is the org's My Domain and that no proxy answers in its place",
            )
        return Grant(answer.access_token, answer.refresh_token, answer.instance_url, answer.id)


class RefreshLogin:
    """Obtains access tokens with a refresh token; one that the org replaces is kept before anything else happens.

    Args:
        endpoint: where.
        client_id, client_secret: of the app that the login was made with; no secret for a public one.
        read: the refresh tokens there are, best first; asked anew each time, because another process may have got a
            new one.
        save: keeps a new one.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        client_secret: Secret | None,
        *,
        read: Callable[[], Iterable[str]],
        save: Callable[[str], None],
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._client_secret = client_secret
        self._read = read
        self._save = save

    def __repr__(self) -> str:
        return f"RefreshLogin({self._endpoint.base_url!r})"

    def __call__(self) -> str:
        """A new access token.

        Raises:
            WrongCredentials: no refresh token is good any more.
            whatever ``TokenEndpoint.grant`` and *save* raise.
        """
        tried: set[str] = set()
        refused: Refusal | None = None
        while (token := self._untried(tried, late=refused is not None)) is not None:
            tried.add(token)
            try:
                grant = self._endpoint.grant(
                    {
                        "grant_type": "refresh_token",
                        "client_id": self._client_id,
                        "client_secret": self._client_secret.reveal() if self._client_secret is not None else "",
                        "refresh_token": token,
                    }
                )
            except Refusal as error:
                if error.code != "invalid_grant":
                    raise
                # Another process may have used it up, and has kept its successor or is about to.
                refused = error
                continue
            if grant.refresh_token and grant.refresh_token != token:
                self._save(grant.refresh_token)
            return grant.access_token
        raise refused or WrongCredentials(
            "there is no login for this org yet",
            where=self._endpoint.base_url,
            left_undone="nothing was read or written",
            remedy="run 'predictive login'",
        )

    def _untried(self, tried: Collection[str], *, late: bool) -> str | None:
        """The best refresh token not tried yet; *late*: waited for, as long as keeping one takes."""
        for _ in range(KEEPING_SECONDS if late else 0):
            if (found := self._untried(tried, late=False)) is not None:
                return found
            self._endpoint.wait(1.0)
        return next((one for one in self._read() if one not in tried), None)
