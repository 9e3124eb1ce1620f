"""How the embedded Predictive service runs alone: the configuration's table ``[service]``, its defaults, its secrets.

Pure but for the user's state folder. The secrets are the API's token and the mail server's password; they are looked
for as every other secret is, under the name ``service``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.secrets import SecretRef

NAME = "service"
PORT = 8470


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The mail server. ``tls``: "starttls", "implicit" or "none"."""

    host: str
    password: SecretRef
    port: int = 587
    username: str | None = None
    tls: str = "starttls"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The service alone.

    Attributes:
        token: what its clients must show.
        state: a folder, or the URL of a database; None: the user's own state folder.
        port: on loopback; 0 takes a free one.
        public_url: where recipients reach the tracking links; None: this machine only.
        outbox: the folder of .eml files, used unless there is a mail server; None: beside the state.
        sender_name, sender_email: who mails are from.
        company, address: the footer; without a postal address nothing is sent.
        hourly_limit: most mails of a clock hour.
        smtp: the mail server.
    """

    token: SecretRef
    state: str | None = None
    port: int = PORT
    public_url: str | None = None
    outbox: Path | None = None
    sender_name: str = ""
    sender_email: str = ""
    company: str = ""
    address: str = ""
    hourly_limit: int = 5000
    smtp: SmtpSettings | None = None

    @property
    def folder(self) -> Path:
        """Where database and outbox are unless something else is said."""
        from platformdirs import user_state_path

        if self.state is not None and "://" not in self.state:
            return Path(self.state)
        return user_state_path("predictive-console") / NAME


@dataclass(frozen=True, slots=True)
class SecretPlaces:
    """Where secrets are looked for: the owner-only file, whether the configuration names it, the environment."""

    file: Path | None = None
    named: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def ref(self, section: str, key: str) -> SecretRef:
        """One secret of the service."""
        return SecretRef(NAME, section, key, self.file, self.named, self.env)


def service_settings(
    values: Mapping[str, Any], smtp: Mapping[str, Any] | None, places: SecretPlaces
) -> ServiceSettings:
    """From the checked values of ``[service]`` and ``[service.smtp]``."""
    server = None if smtp is None else SmtpSettings(password=places.ref("smtp", "password"), **smtp)
    return ServiceSettings(token=places.ref("api", "token"), smtp=server, **values)
