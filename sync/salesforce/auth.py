"""Logging in: OAuth client credentials and JWT bearer by simple-salesforce, over the one transport.

Client credentials need the org's My Domain; it is taken from the instance address. Token requests are not counted by
the platform, therefore the ledger keeps them as not counted.
"""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import urlsplit

from sync.errors import ConfigError, NotWhatItShouldBe, PredictiveError, ServerDown, WrongCredentials
from sync.http.channel import Budget, Secret
from sync.http.transport import Transport
from sync.salesforce.session_adapter import STAND_IN, session_for

_SUFFIX = ".salesforce.com"
_TEST_HOSTS = (".sandbox.", ".scratch.")


def my_domain(instance_url: str) -> str:
    """What simple-salesforce calls the domain: the host without ``.salesforce.com``.

    Any other host gets a stand-in that the session adapter sends to the instance itself.
    """
    host = urlsplit(instance_url).hostname or ""
    return host.removesuffix(_SUFFIX) if host.endswith(_SUFFIX) else STAND_IN


def login_host(instance_url: str, login_url: str | None) -> str:
    """What simple-salesforce calls the domain of a JWT login: ``login``, ``test`` for a sandbox or a scratch org, or a
    My Domain.

    *login_url* decides, or else the instance address.
    """
    if login_url is not None:
        return my_domain(login_url)
    host = urlsplit(instance_url).hostname or ""
    return "test" if "--" in host or any(part in host for part in _TEST_HOSTS) else "login"


class _Login:
    """Obtains a new access token each time it is called."""

    remedy = ""

    def __init__(self, transport: Transport, instance_url: str) -> None:
        self._transport = transport
        self._instance_url = instance_url.rstrip("/")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._instance_url!r})"

    def _arguments(self) -> dict[str, Any]:
        """What simple-salesforce's login takes."""
        raise NotImplementedError

    def __call__(self) -> str:
        """A new access token.

        Raises:
            WrongCredentials: the org refused id or secret.
            NotWhatItShouldBe: a page or something foreign came where JSON belongs.
            ServerDown: no usable answer came, repeatedly.
            Cancelled: while waiting to repeat.
        """
        import requests
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed
        from simple_salesforce.login import SalesforceLogin

        # These grants ask for a token and change nothing, so that a repeat does no harm.
        session = session_for(self._instance_url, self._transport, resource="token", patience=Budget())
        try:
            with warnings.catch_warnings():
                # It warns of an app policy at each JWT login; a refusal is told with its remedy here.
                warnings.simplefilter("ignore", UserWarning)
                token, _ = SalesforceLogin(session=session, **self._arguments())
        except SalesforceAuthenticationFailed as error:
            raise self._refused(error) from None
        except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
            # simple-salesforce takes whatever comes for a token answer; HTML and foreign JSON end in these.
            raise self._no_answer(error) from None
        if not isinstance(token, str) or not token:
            raise self._no_answer(ValueError("no token in the answer"))
        return token

    def _refused(self, error: Exception) -> PredictiveError:
        code = getattr(error, "code", None) or "refused"
        if isinstance(code, int):
            # simple-salesforce gives the HTTP status, no OAuth error, exactly when the answer was no JSON.
            return self._no_json(code)
        return WrongCredentials(
            f"the Salesforce org refused the login: {code}",
            where=f"{self._instance_url}/services/oauth2/token",
            left_undone="nothing was read or written",
            remedy=self.remedy,
        )

    def _no_json(self, status: int) -> PredictiveError:
        kind = ServerDown if status >= 500 else NotWhatItShouldBe
        return kind(
            f"the login of the Salesforce org answered HTTP {status} with something else than JSON",
            where=f"{self._instance_url}/services/oauth2/token",
            left_undone="nothing was read or written",
            remedy="check that the instance address is the org's My Domain and that no proxy answers in its place",
        )

    def _no_answer(self, error: Exception) -> PredictiveError:
        kind = "cannot be reached" if isinstance(error, OSError) else "gave an answer that is none"
        return ServerDown(
            f"the login of the Salesforce org {kind}",
            where=f"{self._instance_url}/services/oauth2/token",
            left_undone="nothing was read or written",
            remedy="check that it is running and that the instance address is the org's My Domain",
        )


class Login(_Login):
    """Logs in by client credentials.

    Args:
        transport: the shared one.
        instance_url: the org's address.
        client_id, client_secret: of the External Client App.
    """

    remedy = "check client id and secret, and that the app's client credentials flow has a run-as user"

    def __init__(self, transport: Transport, instance_url: str, client_id: str, client_secret: Secret) -> None:
        super().__init__(transport, instance_url)
        self._client_id = client_id
        self._client_secret = client_secret

    def _arguments(self) -> dict[str, Any]:
        return {
            "domain": my_domain(self._instance_url),
            "consumer_key": self._client_id,
            "consumer_secret": self._client_secret.reveal(),
        }


class JwtLogin(_Login):
    """Logs in by a signed assertion (JWT bearer).

    Args:
        transport: the shared one.
        instance_url: the org's address.
        client_id: of the External Client App that holds the certificate.
        username: whom the app may act for.
        private_key: of that certificate, PEM.
        login_url: ``https://login.salesforce.com``, ``https://test.salesforce.com`` or a My Domain; by default by the
            instance address.
    """

    remedy = "check client_id and username, that the app holds the key's certificate, and that the user is approved"

    def __init__(
        self,
        transport: Transport,
        instance_url: str,
        client_id: str,
        username: str,
        private_key: Secret,
        login_url: str | None = None,
    ) -> None:
        super().__init__(transport, instance_url)
        self._client_id = client_id
        self._username = username
        self._private_key = private_key
        self._login_url = login_url

    def _arguments(self) -> dict[str, Any]:
        self._check_key()
        return {
            "username": self._username,
            "consumer_key": self._client_id,
            "privatekey": self._private_key.reveal(),
            "domain": login_host(self._instance_url, self._login_url),
        }

    def _check_key(self) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            load_pem_private_key(self._private_key.reveal().encode(), None)
        except (ValueError, TypeError):
            raise ConfigError(
                "the private key of the JWT login is no PEM without a password",
                where="salesforce private_key",
                left_undone="nothing was read or written",
                remedy="give the RSA key that belongs to the certificate in the External Client App",
            ) from None
