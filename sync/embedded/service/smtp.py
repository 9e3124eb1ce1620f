"""Sends by SMTP: the transport for a real mail server, in place of the outbox.

Whether a refusal is certain decides whether a mail may be tried again: everything before the message's data is
certain, and so is the server's own "no" after it; a connection lost in between leaves the fate unknown.
Standard library only.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_string
from email.utils import parseaddr

from sync.embedded.service.service import DeliveryError

_ACCEPTED = 250


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where and how to log in. ``tls``: "starttls", "implicit" or "none" (loopback and tests)."""

    host: str
    port: int = 587
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: str = "starttls"
    timeout: float = 15.0


class Smtp:
    """A transport over one connection that is kept and opened anew when it broke. Safe from any thread."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._connection: smtplib.SMTP | None = None

    def deliver(self, mail_id: str, message: bytes) -> None:
        """Hand over one message to the address in its To header. Raises DeliveryError, or what broke meanwhile."""
        headers = message_from_string(message.partition(b"\r\n\r\n")[0].decode())
        to, sender = (parseaddr(str(headers[name]))[1] for name in ("To", "From"))
        with self._lock:
            connection = self._envelope(mail_id, sender, to)
            try:
                code, reply = connection.data(message)
            except smtplib.SMTPDataError as error:
                self._drop()
                raise DeliveryError(f"the mail server refuses {mail_id}: {error.smtp_code}") from error
            except (OSError, smtplib.SMTPException):
                self._drop()
                raise  # the message may have arrived
            if code != _ACCEPTED:
                self._drop()
                raise DeliveryError(f"the mail server refuses {mail_id}: {code} {reply.decode(errors='replace')}")

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._drop()

    def _envelope(self, mail_id: str, sender: str, to: str) -> smtplib.SMTP:
        """A connection that took sender and recipient; a stale one is replaced once."""
        fresh = self._connection is None
        try:
            connection = self._connection = self._connection or self._open()
            international = not (sender + to).isascii()
            if international and not connection.has_extn("smtputf8"):
                raise DeliveryError(f"{to} needs SMTPUTF8, which the mail server does not offer")
            options = ("SMTPUTF8", "BODY=8BITMIME") if international else ()
            for code, reply in (connection.mail(sender, options), connection.rcpt(to)):
                if code not in (250, 251):
                    with contextlib.suppress(smtplib.SMTPException, OSError):
                        connection.rset()
                    raise DeliveryError(f"the mail server refuses {mail_id}: {code} {reply.decode(errors='replace')}")
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            if not fresh:
                return self._envelope(mail_id, sender, to)
            raise DeliveryError(f"the mail server cannot be used: {error}") from error
        return connection

    def _open(self) -> smtplib.SMTP:
        server = self._server
        connection: smtplib.SMTP
        if server.tls == "implicit":
            context = ssl.create_default_context()
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
            if server.tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
        if server.username is not None:
            connection.login(server.username, server.password or "")
        connection.ehlo_or_helo_if_needed()
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
