"""Logging in: OAuth client credentials by simple-salesforce, over the one transport.

The flow needs the org's My Domain; it is taken from the instance address. Token requests are not counted by the
platform, therefore the ledger keeps them as not counted.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from sync.errors import NotWhatItShouldBe, PredictiveError, ServerDown, WrongCredentials
from sync.http.channel import Secret
from sync.http.transport import Transport
from sync.salesforce.session_adapter import session_for

_SUFFIX = ".salesforce.com"


def my_domain(instance_url: str) -> str:
    """What simple-salesforce calls the domain: the host without ``.salesforce.com``.

    A host that is none of Salesforce's gets a name that the session adapter sends to the instance itself.
    """
    host = urlsplit(instance_url).hostname or ""
    return host.removesuffix(_SUFFIX) if host.endswith(_SUFFIX) else "instance.my"


class Login:
    """Obtains a new access token each time it is called.

    Args:
        transport: the shared one.
        instance_url: the org's address.
        client_id, client_secret: of the External Client App.
    """

    def __init__(self, transport: Transport, instance_url: str, client_id: str, client_secret: Secret) -> None:
        self._transport = transport
        self._instance_url = instance_url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret

    def __repr__(self) -> str:
        return f"Login({self._instance_url!r})"

    def __call__(self) -> str:
        """A new access token.

        Raises:
            WrongCredentials: the org refused id or secret.
            NotWhatItShouldBe: a page or something foreign came where JSON belongs.
            ServerDown: no usable answer came.
        """
        import requests
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed
        from simple_salesforce.login import SalesforceLogin

        session = session_for(self._instance_url, self._transport, resource="token")
        try:
            token, _ = SalesforceLogin(
                session=session,
                domain=my_domain(self._instance_url),
                consumer_key=self._client_id,
                consumer_secret=self._client_secret.reveal(),
            )
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
            remedy="check client id and secret, and that the app's client credentials flow has a run-as user",
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
