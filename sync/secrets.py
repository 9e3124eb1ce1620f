"""Secrets: where they are looked for, in which order, and a value that never shows itself.

Standard library only; keyring is imported in a child process and only when nothing before it had the secret, because
over SSH a keyring may be missing or wait for a display that nobody sees. Order: environment, a file that only its
owner can read, keyring.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sync.atomic import write_toml
from sync.errors import ConfigError

KEYRING_SERVICE = "predictive-console"
KEYRING_SECONDS = 3.0
_MASK = "••••••"

_ASK_KEYRING = """
import json, sys
service, name = json.load(sys.stdin)
import keyring
json.dump(keyring.get_password(service, name), sys.stdout)
"""


_REVEALED: set[str] = set()


def revealed() -> frozenset[str]:
    """Every secret that this process has sent so far, for whoever masks texts before they are written anywhere."""
    return frozenset(_REVEALED)


_TELL_KEYRING = """
import json, sys
service, name, value = json.load(sys.stdin)
import keyring
keyring.set_password(service, name, value)
sys.exit(0 if keyring.get_password(service, name) == value else 'it did not keep the entry')
"""


class Secret:
    """A text that shows itself to nobody but the caller of ``reveal``: not in repr, str, formats or pickles."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that sends it."""
        _REVEALED.add(self.__value)
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.__value == self.__value

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Found:
    """A secret and where it came from, for ``doctor``: ``environment NAME``, ``file PATH``, ``keyring``."""

    secret: Secret
    source: str


def tell_keyring(name: str, secret: Secret, *, seconds: float = KEYRING_SECONDS) -> None:
    """Keep *secret* as the keyring's entry *name*, by a child process; it goes there by a pipe, not by its arguments.

    Raises:
        OSError: the keyring is missing, broken, or did not answer in time; the text says which.
    """
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", _TELL_KEYRING],
            input=json.dumps([KEYRING_SERVICE, name, secret.reveal()]),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"the keyring did not answer within {seconds:g} seconds") from error
    if child.returncode != 0:
        last = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OSError(f"the keyring cannot be used: {last[:160]}")


def ask_keyring(name: str, *, seconds: float = KEYRING_SECONDS) -> str | None:
    """The keyring's entry *name*, asked in a child process.

    Raises:
        OSError: the keyring is missing, broken, or did not answer in time; the text says which.
    """
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", _ASK_KEYRING],
            input=json.dumps([KEYRING_SERVICE, name]),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"the keyring did not answer within {seconds:g} seconds") from error
    if child.returncode != 0:
        last = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OSError(f"the keyring cannot be used: {last[:160]}")
    value = json.loads(child.stdout)
    return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where one secret of one org is looked for. Nothing is looked up before ``resolve``.

    Attributes:
        org, section, key: e.g. ``main``, ``salesforce``, ``client_secret``.
        file: the owner-only file, None when there is none to look in.
        file_named: the configuration names the file, so it must be there.
    """

    org: str
    section: str
    key: str
    file: Path | None = None
    file_named: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def env_name(self) -> str:
        """Name of the environment variable that overrides everything else."""
        org = "".join(char if char.isascii() and char.isalnum() else "_" for char in self.org).upper()
        # The service is called Predictive itself: PREDICTIVE_MAIN_PREDICTIVE_TOKEN.
        return f"PREDICTIVE_{org}_{self.section.upper()}_{self.key.upper()}"

    @property
    def label(self) -> str:
        """What people call it."""
        if self.section == "predictive":
            return "service token"
        return {"refresh_token": "org login", "private_key": "org private key"}.get(self.key, "org secret")

    @property
    def keyring_name(self) -> str:
        """Name of the keyring's entry."""
        return f"{self.org}.{self.section}.{self.key}"

    def resolve(
        self,
        *,
        say: Callable[[str], None] = lambda _line: None,
        ask: Callable[[str], str | None] = ask_keyring,
    ) -> Found | None:
        """Look the secret up.

        Args:
            say: takes one plain line when a place cannot be asked and the next one is.
            ask: asks the keyring.

        Raises:
            ConfigError: the file is readable by others, is no TOML, or is named and missing.
        """
        value = self.env.get(self.env_name)
        if value:
            return Found(Secret(value), f"environment {self.env_name}")
        value = self._from_file()
        if value:
            return Found(Secret(value), f"file {self.file}")
        try:
            value = ask(self.keyring_name)
        except OSError as error:
            say(f"{error}; {self.section} {self.key} of {self.org} was not looked up there")
            return None
        return Found(Secret(value), "keyring") if value else None

    def everywhere(self, *, ask: Callable[[str], str | None] = ask_keyring) -> Iterator[Found]:
        """Every place that has the secret, in the order in which they are looked in; asked one by one."""
        value = self.env.get(self.env_name)
        if value:
            yield Found(Secret(value), f"environment {self.env_name}")
        value = self._from_file()
        if value:
            yield Found(Secret(value), f"file {self.file}")
        with suppress(OSError):
            value = ask(self.keyring_name)
            if value:
                yield Found(Secret(value), "keyring")

    def replace(
        self,
        secret: Secret,
        *,
        say: Callable[[str], None] = lambda _line: None,
        tell: Callable[[str, Secret], None] = tell_keyring,
    ) -> str:
        """Keep *secret* where the one before it is: the file if it has one, so that it does not hide the new one in the
        keyring; else as ``keep`` does. Raises ConfigError."""
        if self.file is not None and self._from_file():
            keep_owner_only(self.file, (self.org, self.section, self.key), secret)
            return f"file {self.file}"
        return self.keep(secret, say=say, tell=tell)

    def keep(
        self,
        secret: Secret,
        *,
        say: Callable[[str], None] = lambda _line: None,
        tell: Callable[[str, Secret], None] = tell_keyring,
    ) -> str:
        """Keep *secret* in the keyring, else in the owner-only file; where it is now, in a word or two.

        Args:
            say: takes one plain line when the keyring cannot be used and the file is.
            tell: tells the keyring.

        Raises:
            ConfigError: neither takes it.
        """
        try:
            tell(self.keyring_name, secret)
        except OSError as error:
            if self.file is None:
                raise ConfigError(f"{error}, and there is no secrets file", remedy=f"set {self.env_name}") from error
            say(str(error))
            keep_owner_only(self.file, (self.org, self.section, self.key), secret)
            return f"file {self.file}"
        return "keyring"

    def require(self, *, say: Callable[[str], None] = lambda _line: None, remedy: str = "") -> Secret:
        """The secret.

        Args:
            say: as for ``resolve``.
            remedy: what to do when it is nowhere, instead of where to put it.

        Raises:
            ConfigError: it is nowhere; the text says how to give it.
        """
        found = self.resolve(say=say)
        if found is None:
            raise ConfigError(
                f"no {self.section} {self.key} for the org {self.org!r}",
                where=str(self.file) if self.file else "",
                left_undone="nothing was read or written",
                remedy=remedy
                or f"set {self.env_name}, or put it into the owner-only secrets file, or run "
                f"'keyring set {KEYRING_SERVICE} {self.keyring_name}'",
            )
        return found.secret

    def _from_file(self) -> str | None:
        if self.file is None:
            return None
        content = read_owner_only(self.file, named=self.file_named)
        orgs = content.get("orgs", content)
        section = orgs.get(self.org, {}) if isinstance(orgs, dict) else {}
        values = section.get(self.section, {}) if isinstance(section, dict) else {}
        value = values.get(self.key) if isinstance(values, dict) else None
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{self.keyring_name} is no text", where=str(self.file), remedy="put it into quotes")
        return value


def read_owner_only(path: Path, *, named: bool) -> dict[str, Any]:
    """The content of a secrets file; empty when it is not there and was not *named*.

    Raises:
        ConfigError: others can read it, it belongs to somebody else, cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as stream:
            problem = _too_open(os.fstat(stream.fileno()))
            if problem:
                raise ConfigError(
                    f"the secrets file {problem}",
                    where=str(path),
                    left_undone="no secret was read from it",
                    remedy=f"chmod 600 {path}",
                )
            return tomllib.load(stream)
    except FileNotFoundError as error:
        if not named:
            return {}
        raise ConfigError(
            "the secrets file is missing", where=str(path), remedy="make it, or drop secrets_file"
        ) from error
    except tomllib.TOMLDecodeError as error:
        # The parser's message tells the place and never the text.
        raise ConfigError(
            f"the secrets file is no TOML: {error}",
            where=str(path),
            left_undone="no secret was read from it",
            remedy="correct the line",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secrets file cannot be read: {type(error).__name__}", where=str(path)) from error


def read_owner_only_text(path: Path) -> str:
    """The text of a file that holds one secret, e.g. a private key.

    Raises:
        ConfigError: others can read it, it belongs to somebody else, or it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            problem = _too_open(os.fstat(stream.fileno()))
            content = b"" if problem else stream.read()
    except OSError as error:
        raise ConfigError(
            f"the file of a secret cannot be read: {error.strerror}", where=str(path), remedy="check the path"
        ) from error
    if problem:
        raise ConfigError(f"the file of a secret {problem}", where=str(path), remedy=f"chmod 600 {path}")
    return content.decode("utf-8", "replace")


def keep_owner_only(path: Path, place: tuple[str, str, str], secret: Secret) -> None:
    """Put a secret into a secrets file that only its owner can read; whatever else is in it stays.

    Raises:
        ConfigError: others can read the file that is there, or it cannot be written; it stands as it was.
    """
    content = read_owner_only(path, named=False)
    orgs = content["orgs"] if isinstance(content.get("orgs"), dict) else content
    org, section, key = place
    orgs.setdefault(org, {}).setdefault(section, {})[key] = secret.reveal()
    write_toml(path, content, "the secrets file")


def _too_open(status: os.stat_result) -> str:
    if os.name != "posix":
        return ""
    if status.st_uid not in (os.getuid(), 0):
        return "belongs to somebody else"
    mode = stat.S_IMODE(status.st_mode)
    return f"can be read by others (mode {mode:04o})" if mode & 0o077 else ""
