"""What each key of the configuration may hold. Pure data: a rule reads a value or refuses it, and says what is allowed.

Ids pass through ``sync.ids`` so that both spellings of a record are one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from sync.guard import OF_A_RUN, GuardLimits
from sync.ids import to18
from sync.mapping import Mapping as ApiNames

WAYS = '"client-credentials", "jwt", "web" and "token"'
"""Of logging in to an org."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SECRET = re.compile(r"secret|token|password|passwd|private_?key|api_?key|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """``read`` gives the value as it is used or raises ValueError; ``allowed`` is for people."""

    allowed: str
    read: Callable[[Any], Any]


def is_secret_name(key: str) -> bool:
    """True for a key whose name speaks of a secret."""
    return _SECRET.search(key) is not None


def _flag() -> Rule:
    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Rule("true or false", read)


def _text(allowed: str = "a text", pattern: str = r"(?s).*\S.*") -> Rule:
    def read(value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise ValueError
        return value

    return Rule(allowed, read)


def _whole(least: int, most: int | None = None) -> Rule:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError
        if most is not None and value > most:
            raise ValueError
        return value

    return Rule(f"a whole number from {least}" + ("" if most is None else f" to {most}"), read)


def _share() -> Rule:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError
        return float(value)

    return Rule("a share from 0 to 1, e.g. 0.2 for 20 %", read)


def _one_of(*values: str) -> Rule:
    def read(value: Any) -> str:
        if value not in values:
            raise ValueError
        return str(value)

    return Rule(" or ".join(f'"{value}"' for value in values), read)


def _url() -> Rule:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        parts = urlsplit(value)
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError
        # A token sent in the clear is everybody's: plain HTTP is for this machine only.
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError
        return value.rstrip("/")

    return Rule("an https:// address without user and query (http:// on this machine only)", read)


def _proxy() -> Rule:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        if not value:
            return ""
        parts = urlsplit(value)
        # A password of the proxy belongs into the environment (HTTPS_PROXY), which is looked at without this key.
        if parts.scheme not in ("http", "https", "socks5") or not parts.hostname or parts.username:
            raise ValueError
        return value.rstrip("/")

    return Rule('http://host:port, https:// or socks5://, without a password; "" for none whatever is set', read)


def _ids() -> Rule:
    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError
        return tuple(to18(item) for item in value)

    return Rule("a list of record ids (15 or 18 characters)", read)


_API_NAME = r"|[A-Za-z][A-Za-z0-9_]*"

TOP: Mapping[str, Rule] = {
    "default_org": _text("the name of an org"),
    "secrets_file": _text("the path of a file that only you can read"),
}

ORG: Mapping[str, Rule] = {
    "read_only": _flag(),
    "production": _flag(),
    "takeover": _flag(),
    "nightly_closed": _flag(),
    "auto_sync": _ids(),
    "test_members": _ids(),
}

CONSOLE: Mapping[str, Rule] = {
    "theme": _one_of("auto", "dark", "light", "16"),
    "bell": _flag(),
}


def _limit(default: object) -> Rule:
    return _share() if isinstance(default, float) else _whole(0)


PARTS: Mapping[str, Mapping[str, Rule]] = {
    "state": {"url": _text("a path, sqlite:///PATH or postgresql://…")},
    "salesforce": {
        "instance_url": _url(),
        "api_version": _text('a version such as "66.0"', r"\d{2,3}\.0"),
        "auth": _one_of("client-credentials", "jwt", "web", "token"),
        "client_id": _text("the client id of an External Client App"),
        "username": _text("a user name of the org, like an e-mail address", r"\S+@\S+"),
        "private_key_file": _text("the path of a PEM file that only you can read"),
        "login_url": _url(),
        "redirect_port": _whole(1, 65_535),
        "proxy": _proxy(),
        "ca": _text("the path of a PEM file"),
    },
    "predictive": {"base_url": _url(), "proxy": _proxy(), "ca": _text("the path of a PEM file")},
    "mapping": {item.name: _text('an API name, or "" to switch it off', _API_NAME) for item in fields(ApiNames)},
    "guards": {item.name: _limit(item.default) for item in fields(GuardLimits)},
    "budget": {
        "warn": _share(),
        "pause": _share(),
        "stop": _share(),
        "resume": _share(),
        "daily_cap": _whole(1),
        "run_cap": _whole(1),
    },
    "timers": {
        "enabled": _flag(),
        "hourly_minute": _whole(0, 59),
        "nightly": _text('a time of day in UTC as "HH:MM"', r"([01]\d|2[0-3]):[0-5]\d"),
    },
    "status_on": {level: _text("a status label") for level in ("sent", "opened", "clicked", "completed")},
}

SERVICE: Mapping[str, Rule] = {
    "state": _text("a folder, sqlite:///PATH or postgresql://…"),
    "port": _whole(0, 65535),
    "public_url": _url(),
    "outbox": _text("the path of a folder"),
    "sender_name": _text(),
    "sender_email": _text("an e-mail address", r"[^@\s<>]+@[^@\s<>]+"),
    "company": _text(),
    "address": _text("a postal address"),
    "hourly_limit": _whole(1),
}

SMTP: Mapping[str, Rule] = {
    "host": _text("the name of a mail server", r"\S+"),
    "port": _whole(1, 65535),
    "username": _text(),
    "tls": _one_of("starttls", "implicit", "none"),
}

BELOW: Mapping[str, tuple[str, ...]] = {"guards": ("campaigns",)}
"""Parts of an org that hold further tables."""

CAMPAIGN_GUARDS: Mapping[str, Rule] = {name: rule for name, rule in PARTS["guards"].items() if name not in OF_A_RUN}
