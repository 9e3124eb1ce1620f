"""The configuration: TOML into frozen values, each wrong key and value named with file, key and what would be right.

May import the pure core and ``sync.secrets``. There is no fallback: a file that is given must be readable, a key that
is not known is an error with the nearest known one, and a secret has no place in the file at all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as AbcMapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sync import setting_rules as rules
from sync.atomic import write_toml
from sync.errors import ConfigError
from sync.guard import GuardLimits
from sync.ids import looks_like_id, to18
from sync.mapping import Mapping
from sync.secrets import SecretRef
from sync.service_settings import NAME, SecretPlaces, ServiceSettings, service_settings
from sync.setting_rules import Rule

APP = "predictive-console"
API_VERSION = "66.0"
GuardSettings = GuardLimits
_PLACES = ("ca", "private_key_file")


@dataclass(frozen=True, slots=True)
class SalesforceSettings:
    """How the org is reached.

    Attributes:
        auth: ``client-credentials``, ``jwt``, ``web`` (a login made by ``predictive login``) or ``token``.
        client_secret, access_token, private_key, refresh_token, app: where those are looked for; *app* is the client
            id that a login was made with.
        username: whom a JWT login acts for. private_key_file: an owner-only PEM file, in place of ``private_key``.
        login_url: where a person or an assertion logs in, when it is not the org's own address.
        redirect_port: of the loopback address that the browser is sent back to.
        proxy: for both ways of this org's requests; the environment's when None. ca: a PEM file to trust beside the
            system's own.
    """

    instance_url: str
    client_secret: SecretRef
    access_token: SecretRef
    private_key: SecretRef
    refresh_token: SecretRef
    app: SecretRef
    api_version: str = API_VERSION
    auth: str = "client-credentials"
    client_id: str | None = None
    username: str | None = None
    private_key_file: Path | None = None
    login_url: str | None = None
    redirect_port: int = 1717
    proxy: str | None = None
    ca: Path | None = None

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """The secrets that this way of logging in needs."""
        return {
            "token": (self.access_token,),
            "jwt": () if self.private_key_file is not None else (self.private_key,),
            "web": (self.refresh_token,),
        }.get(self.auth, (self.client_secret,))


@dataclass(frozen=True, slots=True)
class PredictiveSettings:
    """How the Predictive service is reached."""

    base_url: str
    token: SecretRef
    proxy: str | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """Shares of the org's daily limit at which the governor acts, and caps in calls (None: no cap)."""

    warn: float = 0.80
    pause: float = 0.90
    stop: float = 0.95
    resume: float = 0.75
    daily_cap: int | None = None
    run_cap: int | None = None


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """Timers: the hourly run's minute, the nightly run's time of day in UTC as ``HH:MM``."""

    enabled: bool = False
    hourly_minute: int = 17
    nightly: str = "01:00"


@dataclass(frozen=True, slots=True)
class OrgSettings:
    """One org.

    Attributes:
        read_only: nothing is written; scheduled runs are simulations.
        production: shows a banner.
        takeover: write although other users wrote the package's fields lately.
        state_url: path or URL of the state database.
        nightly_closed: the nightly run also takes closed campaigns, as the product first did.
        status_on: level (sent, opened, clicked, completed) → status label; the default rule where it is absent.
        campaign_guards: limits of single campaigns, by id (18 characters) or exact name.
        auto_sync, test_members: campaigns and people of an org without the package's fields.
        source: the file it came from.
    """

    name: str
    salesforce: SalesforceSettings
    predictive: PredictiveSettings
    # It may hold a password, which has no place in a traceback.
    state_url: str = field(repr=False)
    read_only: bool = True
    production: bool = False
    takeover: bool = False
    nightly_closed: bool = False
    mapping: Mapping = field(default_factory=Mapping)
    guards: GuardLimits = field(default_factory=GuardLimits)
    campaign_guards: AbcMapping[str, GuardLimits] = field(default_factory=dict)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    timers: TimerSettings = field(default_factory=TimerSettings)
    status_on: AbcMapping[str, str] = field(default_factory=dict)
    auto_sync: tuple[str, ...] = ()
    test_members: tuple[str, ...] = ()
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """The console: its theme (auto, dark, light, 16), and whether an alert rings the terminal's bell."""

    theme: str = "auto"
    bell: bool = False

    @property
    def dress(self) -> str | None:
        """Name of the console's theme, None for what the terminal can show."""
        return None if self.theme == "auto" else f"predictive-{self.theme}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration.

    Attributes:
        orgs: by name.
        default_org: the one that is meant when none is named.
        source: the file, None when there is none.
        looked: where a file was looked for.
        console: how the console looks.
        service: how the embedded service runs alone.
    """

    orgs: AbcMapping[str, OrgSettings] = field(default_factory=dict)
    default_org: str | None = None
    source: Path | None = None
    looked: tuple[Path, ...] = ()
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    service: ServiceSettings = field(default_factory=lambda: service_settings({}, None, SecretPlaces()))

    def org(self, name: str | None = None) -> OrgSettings:
        """An org by name; without a name the default one, or the only one.

        Raises:
            ConfigError: there is no configuration, no such org, or none is meant without a name.
        """
        if self.source is None:
            raise ConfigError(
                "there is no configuration yet",
                where=", ".join(str(path) for path in self.looked),
                left_undone="nothing was read or written",
                remedy="try 'predictive demo', or start one with 'predictive init' (config.example.toml has every key)",
            )
        name = name or self.default_org
        if name is None and len(self.orgs) == 1:
            (name,) = self.orgs
        if name is None:
            raise ConfigError(
                f"several orgs and no default_org: {', '.join(sorted(self.orgs))}" if self.orgs else "there is no org",
                where=str(self.source),
                remedy="name one with --org, or set default_org" if self.orgs else "add a table [orgs.NAME]",
            )
        found = self.orgs.get(name)
        if found is None:
            near = get_close_matches(name, self.orgs, n=1)
            known = ", ".join(sorted(self.orgs)) or "none"
            raise ConfigError(
                f"there is no org {name!r}",
                where=str(self.source),
                left_undone="nothing was read or written",
                remedy=f"did you mean {near[0]!r}?" if near else f"known orgs: {known}",
            )
        return found


def default_config_path() -> Path:
    """Where the configuration is kept when nobody says otherwise."""
    from platformdirs import user_config_path

    return user_config_path(APP) / "config.toml"


def config_places() -> tuple[Path, ...]:
    """Where a configuration is looked for, in order: the user's own, then the machine's."""
    from platformdirs import site_config_path

    return default_config_path(), site_config_path(APP) / "config.toml"


def load_settings(path: Path | None, *, env: AbcMapping[str, str], org: str | None = None) -> Settings:
    """Read the configuration.

    Args:
        path: the file that was asked for; None to look in the usual places. A given file is read or it is an error.
        env: the environment, for secrets only; looked at when a secret is needed.
        org: the org that is meant; only checked to exist when it is asked for with ``Settings.org``.

    Raises:
        ConfigError: unreadable, no TOML, an unknown key, or a wrong value.
    """
    looked = config_places() if path is None else (path,)
    for place in looked:
        try:
            text = place.read_bytes()
        except FileNotFoundError as error:
            if path is None:
                continue
            raise _unreadable(place, "it does not exist") from error
        except OSError as error:
            raise _unreadable(place, error.strerror or type(error).__name__) from error
        settings = parse_settings(text, place, env=env, looked=looked)
        return settings if org is None else replace(settings, default_org=org)
    return Settings(looked=looked, service=service_settings({}, None, SecretPlaces(env=env)))


def parse_settings(text: bytes, source: Path, *, env: AbcMapping[str, str], looked: tuple[Path, ...] = ()) -> Settings:
    """The configuration of a file's text. Raises ConfigError as ``load_settings`` does."""
    try:
        content = tomllib.loads(text.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration is no TOML: {error}",
            where=str(source),
            left_undone="nothing was read or written",
            remedy="correct the line",
        ) from error
    reader = _Reader(source, env)
    top = reader.table(content, rules.TOP, "", below=("orgs", "console", NAME))
    tables = content.get("orgs", {})
    if not isinstance(tables, dict):
        raise reader.wrong("orgs", "a table for each org: [orgs.NAME]", tables)
    secrets_file, named = source.parent / "secrets.toml", "secrets_file" in top
    if named:
        secrets_file = reader.place(top["secrets_file"])
    orgs = {name: reader.org(name, table, secrets_file, named) for name, table in tables.items()}
    default = top.get("default_org")
    if default is not None and default not in orgs:
        raise reader.wrong("default_org", f"one of {', '.join(sorted(orgs)) or 'the orgs'}", default)
    look = reader.table(reader.part(content, "console", ""), rules.CONSOLE, "console")
    service = reader.service(content.get(NAME, {}), SecretPlaces(secrets_file, named, env))
    return Settings(orgs, default, source, looked or (source,), ConsoleSettings(**look), service)


def write_settings(path: Path, content: AbcMapping[str, Any]) -> None:
    """Write a configuration as TOML, as a whole or not at all, readable by its owner only.

    Raises:
        ConfigError: it cannot be written.
    """
    write_toml(path, content, "the configuration")


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the configuration cannot be read: {why}",
        where=str(path),
        left_undone="nothing was read or written",
        remedy="check --config; there is no fallback to another file",
    )


class _Reader:
    """Reads tables by rules and names what is wrong."""

    def __init__(self, source: Path, env: AbcMapping[str, str]) -> None:
        self._source = source
        self._env = env

    def org(self, name: str, table: Any, secrets_file: Path, named: bool) -> OrgSettings:
        """One ``[orgs.NAME]``."""
        prefix = f"orgs.{name}"
        if not isinstance(table, dict):
            raise self.wrong(prefix, "a table", table)
        values = self.table(table, rules.ORG, prefix, below=tuple(rules.PARTS))
        parts = {
            part: self.table(self.part(table, part, prefix), known, f"{prefix}.{part}", below=rules.BELOW.get(part, ()))
            for part, known in rules.PARTS.items()
        }
        for part, key in (("salesforce", "instance_url"), ("predictive", "base_url")):
            if key not in parts[part]:
                raise ConfigError(
                    f"{prefix}.{part}.{key} is missing",
                    where=str(self._source),
                    left_undone="nothing was read or written",
                    remedy=f"add {key} to [{prefix}.{part}]; see config.example.toml",
                )

        def secret(section: str, key: str) -> SecretRef:
            return SecretRef(name, section, key, secrets_file, named, self._env)

        budget = BudgetSettings(**parts["budget"])
        if not budget.resume <= budget.warn <= budget.pause <= budget.stop:
            raise self.wrong(f"{prefix}.budget", "resume ≤ warn ≤ pause ≤ stop", parts["budget"])
        salesforce = dict(parts["salesforce"])
        salesforce.setdefault("auth", "client-credentials" if "client_id" in salesforce else "token")
        self._check_login(prefix, salesforce)
        state = parts["state"].get("url")
        return OrgSettings(
            name=name,
            salesforce=SalesforceSettings(
                client_secret=secret("salesforce", "client_secret"),
                access_token=secret("salesforce", "access_token"),
                private_key=secret("salesforce", "private_key"),
                refresh_token=secret("salesforce", "refresh_token"),
                app=secret("salesforce", "app"),
                **self._with_ca(salesforce),
            ),
            predictive=PredictiveSettings(token=secret("predictive", "token"), **self._with_ca(parts["predictive"])),
            state_url=_default_state(name) if state is None else self._state(state),
            mapping=Mapping(**parts["mapping"]),
            guards=GuardLimits(**parts["guards"]),
            campaign_guards=self._campaign_guards(self.part(table, "guards", prefix), parts["guards"], prefix),
            budget=budget,
            timers=TimerSettings(**parts["timers"]),
            status_on=parts["status_on"],
            source=self._source,
            **values,
        )

    def _campaign_guards(
        self, guards: AbcMapping[str, Any], of_org: AbcMapping[str, Any], prefix: str
    ) -> dict[str, GuardLimits]:
        """``[orgs.NAME.guards.campaigns."CAMPAIGN"]``: what it does not name is as the org's."""
        out = {}
        where = f"{prefix}.guards.campaigns"
        for key, table in self.part(guards, "campaigns", f"{prefix}.guards").items():
            if not isinstance(table, dict):
                raise self.wrong(f"{where}.{key}", "a table of limits", table)
            own = self.table(table, rules.CAMPAIGN_GUARDS, f"{where}.{key}")
            out[to18(key) if looks_like_id(key) else key] = GuardLimits(**(dict(of_org) | own))
        return out

    def _check_login(self, prefix: str, salesforce: AbcMapping[str, Any]) -> None:
        """What the way of logging in needs beside its secret."""
        auth = salesforce["auth"]
        needs = {
            "client-credentials": {"client_id": "the client id of the External Client App"},
            "jwt": {"client_id": "the client id of the External Client App", "username": "whom the app acts for"},
        }.get(auth, {})
        for key, what in needs.items():
            if key not in salesforce:
                raise ConfigError(
                    f"{prefix}.salesforce.{key} is missing",
                    where=str(self._source),
                    left_undone="nothing was read or written",
                    remedy=f'auth = "{auth}" needs {what}; other ways are {rules.WAYS}',
                )

    def service(self, table: Any, places: SecretPlaces) -> ServiceSettings:
        """``[service]`` with ``[service.smtp]``."""
        if not isinstance(table, dict):
            raise self.wrong(NAME, "a table: [service]", table)
        values = self.table(table, rules.SERVICE, NAME, below=("smtp",))
        if "outbox" in values:
            values["outbox"] = self.place(values["outbox"])
        if "state" in values:
            values["state"] = self._state(values["state"])
        if "smtp" not in table:
            return service_settings(values, None, places)
        smtp = self.table(self.part(table, "smtp", NAME), rules.SMTP, f"{NAME}.smtp")
        for key, given in ((f"{NAME}.smtp.host", "host" in smtp), (f"{NAME}.sender_email", "sender_email" in values)):
            if not given:
                raise ConfigError(
                    f"{key} is missing",
                    where=str(self._source),
                    left_undone="nothing was read or written",
                    remedy="a mail server needs it; see config.example.toml",
                )
        return service_settings(values, smtp, places)

    def table(
        self, table: AbcMapping[str, Any], known: AbcMapping[str, Rule], prefix: str, *, below: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The checked values of a table; the tables *below* it are left to the caller. Raises ConfigError."""
        out: dict[str, Any] = {}
        for key, value in table.items():
            if key in below:
                continue
            where = f"{prefix}.{key}" if prefix else key
            rule = known.get(key)
            if rule is None:
                raise self._unknown(key, where, [*known, *below])
            try:
                out[key] = rule.read(value)
            except ValueError:
                raise self.wrong(where, rule.allowed, value) from None
        return out

    def place(self, text: str) -> Path:
        """A path of the configuration; relative ones count from its folder."""
        return self._source.parent / Path(text).expanduser()

    def wrong(self, key: str, allowed: str, value: Any) -> ConfigError:
        """The error of a wrong value."""
        shown = repr(value) if not isinstance(value, dict) else "this table"
        return ConfigError(
            f"{key} cannot be {shown[:80]}",
            where=str(self._source),
            left_undone="nothing was read or written",
            remedy=f"allowed: {allowed}",
        )

    def _unknown(self, key: str, where: str, known: list[str]) -> ConfigError:
        if rules.is_secret_name(key):
            return ConfigError(
                f"{where} looks like a secret, which has no place in the configuration",
                where=str(self._source),
                left_undone="nothing was read or written",
                remedy="remove it (and change the secret: it was in a plain file), then give it by environment, in the "
                "owner-only secrets file, or in the keyring",
            )
        near = get_close_matches(key, known, n=1, cutoff=0.5)
        return ConfigError(
            f"unknown key {where}",
            where=str(self._source),
            left_undone="nothing was read or written",
            remedy=f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(known))}",
        )

    def part(self, table: AbcMapping[str, Any], part: str, prefix: str) -> AbcMapping[str, Any]:
        """A sub-table as it was read, empty when it is not there. Raises ConfigError."""
        found = table.get(part, {})
        if not isinstance(found, dict):
            raise self.wrong(f"{prefix}.{part}", f"a table: [{prefix}.{part}]", found)
        return found

    def _with_ca(self, values: AbcMapping[str, Any]) -> dict[str, Any]:
        return {key: self.place(value) if key in _PLACES else value for key, value in values.items()}

    def _state(self, url: str) -> str:
        return url if "://" in url else str(self.place(url))


def _default_state(name: str) -> str:
    from platformdirs import user_state_path

    safe = "".join(char if char.isalnum() or char in "-_" else "_" for char in name)
    return str(user_state_path(APP) / f"{safe}.db")


def known_keys() -> tuple[str, ...]:
    """Every key of the configuration by its path, with ``NAME`` for an org's name."""
    out = [*rules.TOP, *(f"console.{key}" for key in rules.CONSOLE), *(f"orgs.NAME.{key}" for key in rules.ORG)]
    for part, known in rules.PARTS.items():
        out += [f"orgs.NAME.{part}.{key}" for key in known]
    out += [f"{NAME}.{key}" for key in rules.SERVICE]
    out += [f"{NAME}.smtp.{key}" for key in rules.SMTP]
    return tuple(out)


__all__ = [
    "APP",
    "BudgetSettings",
    "GuardSettings",
    "OrgSettings",
    "PredictiveSettings",
    "SalesforceSettings",
    "Settings",
    "TimerSettings",
    "config_places",
    "default_config_path",
    "known_keys",
    "load_settings",
    "parse_settings",
    "write_settings",
]
