"""The configuration as the settings screen shows and changes it: keys with value, default and what they may hold.

May import ``sync.settings`` and ``sync.secrets``. A change is validated as a whole before it is written, written beside
and renamed, and the file as it was stays as ``config.toml.bak``.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.configedit import Edited, changed
from sync import setting_rules as rules
from sync.atomic import write_text
from sync.errors import ConfigError
from sync.secrets import SecretRef
from sync.setting_rules import Rule
from sync.settings import ConsoleSettings, OrgSettings, parse_settings

SECRETS = (("salesforce", "client_secret"), ("salesforce", "access_token"), ("predictive", "token"))


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of one org, or of the console, which looks the same for all orgs.

    Attributes:
        path: where it stands in the file.
        section: ``""`` for the org itself, ``console`` for the console, else the part.
        value: as it holds now, from file or default; for a secret where it comes from.
        given: it stands in the file.
        rule: what it may hold; None for a secret.
    """

    path: tuple[str, ...]
    section: str
    key: str
    value: Any
    given: bool
    rule: Rule | None = None
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration as it was read."""

    path: Path
    text: str
    org: OrgSettings
    settings: tuple[Setting, ...]
    look: ConsoleSettings = ConsoleSettings()


def read(path: Path, org: str, env: Mapping[str, str]) -> Document:
    """Every key of *org* and of the console. Raises ConfigError as ``sync.settings`` does."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the configuration cannot be read: {error.strerror}", where=str(path)) from error
    settings = parse_settings(text.encode(), path, env=env)
    found = settings.org(org)
    whole = tomllib.loads(text)
    content, look = whole["orgs"][org], whole.get("console", {})
    out = [_setting(("orgs", org, key), "", key, found, content, rule) for key, rule in rules.ORG.items()]
    for part, known in rules.PARTS.items():
        given = content.get(part, {})
        out += [_setting(("orgs", org, part, key), part, key, found, given, rule) for key, rule in known.items()]
    out += [
        Setting(("console", key), "console", key, getattr(settings.console, key), key in look, rule)
        for key, rule in rules.CONSOLE.items()
    ]
    out += [_secret(found, section, key) for section, key in SECRETS]
    return Document(path, text, found, tuple(out), settings.console)


def _setting(
    path: tuple[str, ...], section: str, key: str, org: OrgSettings, given: Mapping[str, Any], rule: Rule
) -> Setting:
    if key in given:
        value = given[key]
    elif section == "state":
        value = org.state_url
    elif section == "status_on":
        value = None
    else:
        value = getattr(getattr(org, section) if section else org, key)
    return Setting(path, section, key, value, key in given, rule)


def _secret(org: OrgSettings, section: str, key: str) -> Setting:
    ref: SecretRef = getattr(getattr(org, section), key)
    return Setting((), "secrets", f"{section}.{key}", "", given=False, secret=ref)


def typed(setting: Setting, text: str) -> Any:
    """What somebody typed as the value it stands for: a plain text, or TOML (a number, true, a list).

    Raises:
        ConfigError: the key cannot hold it.
    """
    assert setting.rule is not None
    candidates: list[Any] = [text.strip()]
    with suppress(tomllib.TOMLDecodeError):
        candidates.append(tomllib.loads(f"value = {text.strip()}")["value"])
    for value in candidates:
        try:
            setting.rule.read(value)
        except ValueError:
            continue
        return value
    raise ConfigError(
        f"{setting.key} cannot be {text.strip()[:60]!r}",
        left_undone="nothing was changed",
        remedy=f"allowed: {setting.rule.allowed}",
    )


def write(document: Document, setting: Setting, value: Any, env: Mapping[str, str]) -> Edited:
    """Set *setting* to *value* (None: take it out), if the whole is then still a configuration.

    Raises:
        ConfigError: it would not be, the file changed since it was read, or it cannot be written; it stands as it was.
    """
    edited = changed(document.text, setting.path, value)
    parse_settings(edited.text.encode(), document.path, env=env)
    try:
        if document.path.read_text(encoding="utf-8-sig") != document.text:
            raise ConfigError(
                "the configuration was changed by somebody else meanwhile",
                where=str(document.path),
                left_undone="nothing was written",
                remedy="it is shown anew; change it again",
            )
        mode = document.path.stat().st_mode & 0o777
        shutil.copy2(document.path, backup_of(document.path))
        # A link keeps pointing where it points: what it points at is replaced.
        target = document.path.resolve()
        write_text(target, edited.text)
        os.chmod(target, mode)
    except OSError as error:
        raise ConfigError(
            f"the configuration cannot be written: {error.strerror}",
            where=str(document.path),
            left_undone="it stands as it was",
        ) from error
    return edited


def backup_of(path: Path) -> Path:
    """Where the file as it was before the last change is kept."""
    return path.with_name(f"{path.name}.bak")
