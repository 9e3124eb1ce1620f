"""``predictive login``: a person logs in to the org in a browser, or a login of Salesforce's command line is taken
over.

Over SSH, where the browser is on another machine, the address that it was sent back to is pasted here.
"""

from __future__ import annotations

import queue
import secrets
import sys
import threading
from typing import TYPE_CHECKING

from console.cli.loopback import Loopback
from sync.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.salesforce.oauth import Grant
    from sync.salesforce.web_login import WebLogin
    from sync.settings import OrgSettings

PATIENCE = 600.0
"""Seconds that a person may take; the org's codes live about as long."""

_LOOK = 0.5


def login(invocation: Invocation) -> int:
    """Log in and keep the refresh token."""
    org = invocation.org_settings()
    if org.salesforce.auth != "web":
        raise UsageError(
            f'{org.name} logs in by auth = "{org.salesforce.auth}", which needs no person',
            left_undone="nothing was saved",
            remedy=f'set auth = "web" in [orgs.{org.name}.salesforce] to log in by a browser',
        )
    return _take_over(invocation, org) if invocation.options.sf else _by_browser(invocation, org)


def _by_browser(invocation: Invocation, org: OrgSettings) -> int:
    from sync.signing_in import web_login

    settings = org.salesforce
    shell = invocation.shell()
    attempt = web_login(settings, shell.org_transport(), token=secrets.token_urlsafe)
    with invocation.stopping() as stop, Loopback(settings.redirect_port) as loopback:
        where = settings.login_url or settings.instance_url
        _say(f"Open this address in a browser and log in to {where}:")
        _say(attempt.address)
        if loopback.trouble:
            _say(f"Port {settings.redirect_port} cannot be listened on ({loopback.trouble}).")
        _say("Is the browser on another machine? It ends at an address that it cannot reach: paste that address here.")
        grant = _awaited(attempt, loopback.returned, stop.cancel)
    if not grant.refresh_token:
        raise UsageError(
            "the org gave no refresh token, so the login would end with this session",
            left_undone="nothing was saved",
            remedy="allow the app the scope refresh_token (Perform requests at any time)",
        )
    return _keep(invocation, org, (settings.client_id or "", "", grant.refresh_token), grant)


def _awaited(attempt: WebLogin, returned: queue.SimpleQueue[str], cancel: threading.Event) -> Grant:
    """The tokens for the first address that is this attempt's, by loopback or by pasting."""
    threading.Thread(target=_read_pasted, args=(returned,), name="paste", daemon=True).start()
    left = PATIENCE
    while left > 0:
        if cancel.is_set():
            raise Cancelled("the login was stopped", left_undone="nothing was saved")
        try:
            address = returned.get(timeout=_LOOK)
        except queue.Empty:
            left -= _LOOK
            continue
        try:
            return attempt.redeem(address)
        except UsageError as error:
            _say(error.line())
    raise UsageError("nobody logged in", left_undone="nothing was saved", remedy="run 'predictive login' once more")


def _say(text: str) -> None:
    """On standard error, also for a reader of JSON lines: without the address nobody can log in."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _read_pasted(returned: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        if line.strip():
            returned.put(line)


def _take_over(invocation: Invocation, org: OrgSettings) -> int:
    """A login of Salesforce's command line, once, from its auth URL on standard input."""
    from sync.salesforce.web_login import read_auth_url

    client_id, secret, token, host = read_auth_url(sys.stdin.read())
    wanted = org.salesforce.instance_url.partition("://")[2].lower()
    if host.lower() not in (wanted, wanted.partition(":")[0]):
        raise UsageError(
            f"the login is for {host}, {org.name} is {wanted}",
            left_undone="nothing was saved",
            remedy=f"take the alias of that org, or correct instance_url in [orgs.{org.name}.salesforce]",
        )
    return _keep(invocation, org, (client_id, secret, token), None)


def _keep(invocation: Invocation, org: OrgSettings, got: tuple[str, str, str], grant: Grant | None) -> int:
    """Save what was got (client id and secret, refresh token), then use it once: what is said to work has worked."""
    from sync.signing_in import keep_login

    settings, (client_id, secret, token) = org.salesforce, got
    place = keep_login(settings, token, client_id=client_id, client_secret=secret, say=_say)
    lines = [f"✔ logged in to {org.name}; the login is kept in the {place}"]
    if grant is not None and grant.instance_url and grant.instance_url.rstrip("/") != settings.instance_url:
        lines.append(f"  the org says that its own address is {grant.instance_url}: check instance_url")
    with invocation.stopping():
        identity = invocation.shell().parts().org.identity()
    lines.append(f"  {identity.name} ({identity.org_id})")
    value: dict[str, object] = {"type": "login", "org": org.name, "org_id": identity.org_id, "kept": place}
    invocation.report.lines(lines, value)
    return 0
