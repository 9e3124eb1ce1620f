"""Which login an org's settings mean: the one place where secrets, settings and the ways of logging in meet.

Imported by the composition root and by ``predictive login``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sync.errors import ConfigError
from sync.http.transport import Transport
from sync.salesforce.auth import JwtLogin, Login
from sync.salesforce.oauth import RefreshLogin, TokenEndpoint
from sync.salesforce.web_login import WebLogin
from sync.secrets import Secret, read_owner_only_text
from sync.settings import SalesforceSettings


def login_of(settings: SalesforceSettings, transport: Transport) -> Callable[[], str] | None:
    """What obtains access tokens; None when the settings hold one.

    Raises:
        ConfigError: a secret is nowhere, or a key file cannot be read.
    """
    if settings.auth == "token":
        return None
    login = _login_of(settings, transport)
    # A token that was shown once is known to whoever masks logs.
    return lambda: Secret(login()).reveal()


def _login_of(settings: SalesforceSettings, transport: Transport) -> Callable[[], str]:
    if settings.auth == "web":
        return stored_login(settings, transport)
    if settings.client_id is None:
        raise ConfigError("salesforce.client_id is missing", remedy="see config.example.toml")
    if settings.auth == "jwt":
        return JwtLogin(
            transport,
            settings.instance_url,
            settings.client_id,
            settings.username or "",
            _private_key(settings),
            settings.login_url,
        )
    return Login(transport, settings.instance_url, settings.client_id, settings.client_secret.require())


def login_endpoint(settings: SalesforceSettings, transport: Transport) -> TokenEndpoint:
    """Where a person logs in and tokens are refreshed."""
    return TokenEndpoint(transport, settings.login_url or settings.instance_url)


def web_login(settings: SalesforceSettings, transport: Transport, *, token: Callable[[int], str]) -> WebLogin:
    """An attempt of a person to log in. Raises ConfigError without a client id."""
    if settings.client_id is None:
        raise ConfigError(
            "salesforce.client_id is missing",
            left_undone="nothing was saved",
            remedy="give the client id of an External Client App, or take over an sf login: predictive login --sf",
        )
    secret = settings.client_secret.resolve()
    return WebLogin(
        login_endpoint(settings, transport),
        settings.client_id,
        secret.secret if secret is not None else None,
        port=settings.redirect_port,
        token=token,
    )


def keep_login(
    settings: SalesforceSettings,
    token: str,
    *,
    client_id: str,
    client_secret: str = "",
    say: Callable[[str], None] = lambda _line: None,
) -> str:
    """Keep a refresh token and the app that it belongs to; where the token is now.

    Args:
        token: the refresh token.
        client_id, client_secret: of the app; no secret when it has none, or when it is known already.
        say: takes one plain line when the keyring cannot be used and the owner-only file is.

    Raises:
        ConfigError: nothing takes them.
    """
    if client_secret:
        settings.client_secret.replace(Secret(client_secret))
    settings.app.replace(Secret(client_id))
    return settings.refresh_token.replace(Secret(token), say=say)


def stored_login(settings: SalesforceSettings, transport: Transport) -> RefreshLogin:
    """The login that ``predictive login`` has made.

    Raises:
        ConfigError: there is none.
    """
    settings.refresh_token.require(remedy="run 'predictive login'")
    app = settings.app.resolve()
    client_id = app.secret.reveal() if app is not None else settings.client_id
    if client_id is None:
        raise ConfigError(
            "it is not known which app the login was made with",
            where="salesforce.client_id",
            left_undone="nothing was read or written",
            remedy="run 'predictive login' once more, or set client_id",
        )
    secret = settings.client_secret.resolve()

    def tokens() -> Iterator[str]:
        return (found.secret.reveal() for found in settings.refresh_token.everywhere())

    def save(token: str) -> None:
        settings.refresh_token.replace(Secret(token))

    return RefreshLogin(
        login_endpoint(settings, transport),
        client_id,
        secret.secret if secret is not None else None,
        read=tokens,
        save=save,
    )


def _private_key(settings: SalesforceSettings) -> Secret:
    if settings.private_key_file is not None:
        return Secret(read_owner_only_text(settings.private_key_file))
    return settings.private_key.require()
