"""``predictive service``: the Predictive service alone in the foreground until SIGTERM or SIGINT, on a kept state."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli.signals import Stopping
from sync.errors import ConfigError, FatalError, Locked, UsageError

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.embedded.alone import Alone
    from sync.embedded.service.service import Transport
    from sync.service_settings import ServiceSettings

PORT_VARIABLE = "PREDICTIVE_SERVICE_PORT"
_NO_NAME = "predictive@localhost"


def service(invocation: Invocation) -> int:
    """Start, print the one line, stay."""
    settings = _settings(invocation)
    token = settings.token.resolve(say=invocation.report.talk)
    if token is None:
        raise ConfigError(
            "the service has no token for its clients",
            left_undone="nothing was started",
            remedy=f"set {settings.token.env_name} to a long random text, or give it in the owner-only secrets file",
        )
    transport, mails_go = _delivery(settings, invocation)
    served = _alone(settings, token.secret.reveal(), transport)
    with Stopping(quiet=True) as stop:
        running = _start(served, invocation, settings.port)
        try:
            ready = {
                "predictive": {"base_url": running.base_url},
                "public_url": running.public_url,
                "service_id": running.service_id,
                "state": _shown(served.database),
                "mails": mails_go or f"outbox {served.outbox}",
            }
            sys.stdout.write(json.dumps(ready, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            if not settings.address:
                invocation.report.talk(
                    "service.address is not set: without a postal address in the footer no edition may send"
                )
            while not stop.cancel.wait(0.5):
                if not running.alive:
                    raise FatalError("the service ended by itself")
        finally:
            running.stop()
    return 0


def _settings(invocation: Invocation) -> ServiceSettings:
    """The table of the configuration, with what the environment and the command line say instead."""
    options, settings = invocation.options, invocation.load_settings().service
    named = os.environ.get(PORT_VARIABLE)
    if options.port is not None:
        settings = replace(settings, port=options.port)
    elif named is not None:
        if not named.isascii() or not named.isdigit():
            raise ConfigError(f"{PORT_VARIABLE} is no port: {named!r}", left_undone="nothing was started")
        settings = replace(settings, port=int(named))
    if settings.port > 65535:
        raise UsageError(f"{settings.port} is no port", left_undone="nothing was started")
    if options.state is not None:
        settings = replace(settings, state=options.state)
    if options.outbox is not None:
        settings = replace(settings, outbox=Path(options.outbox), smtp=None)
    return settings


def _delivery(settings: ServiceSettings, invocation: Invocation) -> tuple[Transport | None, str]:
    smtp = settings.smtp
    if smtp is None:
        return None, ""
    from sync.embedded.service.smtp import Smtp, SmtpServer

    password = smtp.password.resolve(say=invocation.report.talk) if smtp.username else None
    if smtp.username and password is None:
        raise ConfigError(
            f"no password for {smtp.username} at the mail server {smtp.host}",
            left_undone="nothing was started",
            remedy=f"set {smtp.password.env_name}, or give it in the owner-only secrets file",
        )
    secret = password.secret.reveal() if password is not None else None
    server = SmtpServer(smtp.host, smtp.port, smtp.username, secret, smtp.tls)
    return Smtp(server), f"smtp {smtp.host}:{smtp.port}"


def _alone(settings: ServiceSettings, token: str, transport: Transport | None) -> Alone:
    from sync.embedded.alone import Alone
    from sync.embedded.service.service import Sender

    sender = Sender(
        settings.sender_name or settings.company or "Predictive",
        settings.sender_email or _NO_NAME,
        settings.company,
        settings.address,
    )
    return Alone(
        state=settings.state,
        folder=settings.folder,
        outbox=settings.outbox or settings.folder / "outbox",
        token=token,
        port=settings.port,
        public_url=settings.public_url,
        hourly_limit=settings.hourly_limit,
        sender=sender,
        transport=transport,
    )


def _start(served: Alone, invocation: Invocation, port: int) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    from sync.embedded.alone import ServiceAlone, StateTaken

    try:
        return ServiceAlone(served, invocation.clock)
    except StateTaken as error:
        raise Locked(
            "another service runs on this state",
            where=str(error),
            left_undone="nothing was started",
            remedy="end it first, or name another --state",
        ) from error
    except OSError as error:
        raise FatalError(
            f"the service cannot start: {error.strerror or error}",
            where=f"port {port}, {served.folder}",
            left_undone="nothing was started",
        ) from error
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"the service's database cannot be opened: {reason[0]}",
            where=_shown(served.database),
            left_undone="nothing was started",
            remedy="check service.state; PostgreSQL needs the extra fleet",
        ) from error


def _shown(database: str) -> str:
    """Where the store is, without a password."""
    if "://" not in database:
        return database
    from sqlalchemy import make_url

    with suppress(ValueError, AttributeError):
        return make_url(database).render_as_string(hide_password=True)
    return database.partition("@")[2]
