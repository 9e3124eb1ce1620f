"""The configuration: every key known and documented, every wrong one named with what would be right."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from sync.errors import ConfigError
from sync.guard import GuardLimits
from sync.mapping import Mapping
from sync.service_settings import PORT
from sync.setting_rules import CAMPAIGN_GUARDS
from sync.settings import (
    BudgetSettings,
    Settings,
    TimerSettings,
    config_places,
    known_keys,
    load_settings,
    parse_settings,
    write_settings,
)

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SMALL = """
[orgs.main.salesforce]
instance_url = "https://example.my.salesforce.com"
client_id = "abc"
[orgs.main.predictive]
base_url = "http://127.0.0.1:8080/"
"""


def parsed(text: str) -> Settings:
    return parse_settings(text.encode(), Path("/etc/pc/config.toml"), env={})


def test_the_example_loads_and_says_the_defaults() -> None:
    org = load_settings(EXAMPLE, env={}).org()
    assert org.source == EXAMPLE
    assert org.mapping == Mapping()
    assert org.guards == GuardLimits()
    assert org.budget == BudgetSettings()
    assert org.timers == TimerSettings()
    assert (org.read_only, org.production, org.takeover, org.nightly_closed) == (True, False, False, False)


def test_every_key_is_in_the_example() -> None:
    """Keys without a default stand there as comments; taking the comment signs away must give them all."""
    lines = [line.removeprefix("# ") if "= " in line or line.startswith("# [") else line for line in _config_lines()]
    content = tomllib.loads("\n".join(lines))

    def paths(table: dict[str, Any], prefix: str = "") -> set[str]:
        out: set[str] = set()
        for key, value in table.items():
            out |= paths(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
        return out

    named = {path.replace("orgs.main.", "orgs.NAME.") for path in paths(content)}
    of_campaigns = {path for path in named if path.startswith("orgs.NAME.guards.campaigns.")}
    assert {path.rpartition(".")[2] for path in of_campaigns} <= set(CAMPAIGN_GUARDS)
    assert named - of_campaigns == set(known_keys())


def test_a_campaign_has_limits_of_its_own_and_the_orgs_where_it_names_none() -> None:
    guards = "[orgs.main.guards]\ndelete_floor = 3\n[orgs.main.guards.campaigns.'Spring fair']\nflood_first = 9000\n"
    org = parsed(f"{SMALL}{guards}[orgs.main.guards.campaigns.701000000000001]\ndelete_floor = 70\n").org()
    assert org.guards == GuardLimits(delete_floor=3)
    assert org.campaign_guards == {
        "Spring fair": GuardLimits(delete_floor=3, flood_first=9000),
        "701000000000001AAA": GuardLimits(delete_floor=70),
    }
    for wrong, said in (("delete_run = 5", "delete_run"), ("flood_frist = 5", "flood_first")):
        with pytest.raises(ConfigError) as caught:
            parsed(f"{SMALL}[orgs.main.guards.campaigns.'Spring fair']\n{wrong}\n")
        assert said in caught.value.line()


def _config_lines() -> list[str]:
    text = EXAMPLE.read_text(encoding="utf-8")
    return text[text.index("# The org that is meant") :].splitlines()


def test_the_service_alone_has_defaults_secrets_of_its_own_and_checked_keys() -> None:
    example, plain = load_settings(EXAMPLE, env={}).service, parsed(SMALL).service
    assert (example.port, example.hourly_limit, example.smtp) == (plain.port, plain.hourly_limit, plain.smtp)
    assert (plain.port, plain.address) == (PORT, ""), "a postal address is nobody's to make up"
    text = "[service]\nstate = 's'\nsender_email = 'a@b.example'\n[service.smtp]\nhost = 'mail.example'\n"
    given = parsed(SMALL + text).service
    assert given.smtp is not None
    assert (given.folder, given.smtp.host, given.smtp.port) == (Path("/etc/pc/s"), "mail.example", 587)
    assert given.token.env_name == "PREDICTIVE_SERVICE_API_TOKEN"
    assert given.smtp.password.env_name == "PREDICTIVE_SERVICE_SMTP_PASSWORD"
    for wrong, told in (
        ("[service]\nprot = 1", "'port'"),
        ("[service]\nport = 70000", "service.port"),
        ("[service]\n[service.smtp]\nhost = 'x'", "service.sender_email"),
        ("[service.smtp]\npassword = 'x'", "secret"),
        ("service = 1", "[service]"),
    ):
        with pytest.raises(ConfigError) as caught:
            parsed(wrong)
        assert told in caught.value.line()


def test_a_small_file_is_enough() -> None:
    org = parsed(SMALL).org()
    assert org.name == "main"
    assert org.predictive.base_url == "http://127.0.0.1:8080"
    assert (org.salesforce.auth, org.salesforce.client_id) == ("client-credentials", "abc")
    assert org.read_only, "a new org starts read-only"
    assert not org.timers.enabled
    assert org.state_url.endswith("main.db")
    assert parsed(SMALL.replace('client_id = "abc"', "")).org().salesforce.auth == "token"


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = SMALL + 'ca = "own.pem"\n[orgs.main.state]\nurl = "state/main.db"\n'
    path.write_text(text)
    org = load_settings(path, env={}).org()
    assert org.state_url == str(tmp_path / "state" / "main.db")
    assert org.predictive.ca == tmp_path / "own.pem"
    assert org.salesforce.client_secret.file == tmp_path / "secrets.toml"
    path.write_text(text.replace("state/main.db", "postgresql://h/d"))
    assert load_settings(path, env={}).org().state_url == "postgresql://h/d"


def test_several_orgs_need_a_name() -> None:
    two = SMALL + SMALL.replace("orgs.main", "orgs.test")
    with pytest.raises(ConfigError, match=r"several orgs.*main, test"):
        parsed(two).org()
    assert parsed(two).org("test").name == "test"
    assert parsed('default_org = "test"\n' + two).org().name == "test"
    with pytest.raises(ConfigError) as caught:
        parsed(two).org("mian")
    assert "'main'" in caught.value.remedy
    with pytest.raises(ConfigError, match="default_org"):
        parsed('default_org = "prod"\n' + two)


WRONG = [
    ("[orgs.main]\nred_only = true", "orgs.main.red_only", "'read_only'"),
    ("[orgs.main.budgte]\nwarn = 1.0", "orgs.main.budgte", "'budget'"),
    ("[orgs.main.guards]\ndelete_shar = 0.1", "orgs.main.guards.delete_shar", "'delete_share'"),
    ("[orgs.main.mapping]\nmember_levle = 'X'", "orgs.main.mapping.member_levle", "'member_level'"),
    ("[orgs.main]\nread_only = 'yes'", "orgs.main.read_only", "true or false"),
    ("[orgs.main]\nread_only = 1", "orgs.main.read_only", "true or false"),
    ("[orgs.main]\ntest_members = ['x']", "orgs.main.test_members", "record ids"),
    ("[orgs.main.budget]\nwarn = 80", "orgs.main.budget.warn", "from 0 to 1"),
    ("[orgs.main.budget]\nwarn = true", "orgs.main.budget.warn", "from 0 to 1"),
    ("[orgs.main.budget]\nwarn = 0.96", "orgs.main.budget", "warn ≤ pause"),
    ("[orgs.main.budget]\ndaily_cap = 0", "orgs.main.budget.daily_cap", "from 1"),
    ("[orgs.main.timers]\nhourly_minute = 60", "orgs.main.timers.hourly_minute", "0 to 59"),
    ("[orgs.main.timers]\nnightly = '25:00'", "orgs.main.timers.nightly", "HH:MM"),
    ("[orgs.main.mapping]\nmember_level = 'a b'", "orgs.main.mapping.member_level", "API name"),
    ("[orgs.main.status_on]\nbounced = 'X'", "orgs.main.status_on.bounced", "opened"),
    ("[orgs.main]\nstate = 'x.db'", "orgs.main.state", "a table"),
    ("[orgs]\nother = 3", "orgs.other", "a table"),
    ("[orgs.x.salesforce]\ninstance_url='http://example.com'", "instance_url", "https://"),
    ("[orgs.x.salesforce]\ninstance_url='https://u:p@example.com'", "instance_url", "without user"),
    ("[orgs.x.salesforce]\ninstance_url='https://e.com'\nauth='client-credentials'", "orgs.x.predictive.base_url", ""),
    ("[orgs.main.salesforce.client]\nid = 'x'", "orgs.main.salesforce.client", "client_id"),
    ("defalt_org = 'main'", "defalt_org", "'default_org'"),
]


@pytest.mark.parametrize(("text", "key", "remedy"), WRONG, ids=[key for _, key, _ in WRONG])
def test_what_is_wrong_is_named_with_file_key_and_remedy(text: str, key: str, remedy: str) -> None:
    whole = f"{text}\n{SMALL}" if not text.startswith("[orgs.main.salesforce") else SMALL + text
    with pytest.raises(ConfigError) as caught:
        parsed(whole)
    assert key in caught.value.what
    assert caught.value.where == str(Path("/etc/pc/config.toml"))
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("key", ["client_secret", "access_token", "password", "predictive_token", "api_key"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as caught:
        parsed(SMALL.replace("[orgs.main.predictive]", f'{key} = "hush-hush"\n[orgs.main.predictive]'))
    assert "owner-only" in caught.value.remedy
    assert "hush" not in caught.value.line()


def test_client_credentials_need_a_client_id() -> None:
    with pytest.raises(ConfigError, match="client_id is missing"):
        parsed(SMALL.replace('client_id = "abc"', 'auth = "client-credentials"'))


def test_a_given_file_is_read_or_it_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = config_places()[0]
    write_settings(found, tomllib.loads(SMALL))
    assert load_settings(None, env={}).org().source == found
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_settings(path, env={})
    broken = tmp_path / "broken.toml"
    for text in (b"[orgs", b"\xff\xfe"):
        broken.write_bytes(text)
        with pytest.raises(ConfigError, match="no TOML"):
            load_settings(broken, env={})


def test_without_a_file_only_who_needs_an_org_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "here"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "there"))
    settings = load_settings(None, env={})
    with pytest.raises(ConfigError, match="no configuration yet") as caught:
        settings.org()
    assert str(tmp_path / "here") in caught.value.where
    assert str(tmp_path / "there") in caught.value.where
    assert "predictive demo" in caught.value.remedy


def test_what_is_written_is_read_and_is_the_owners(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    content = tomllib.loads(SMALL) | {"default_org": "main"}
    write_settings(path, content)
    assert tomllib.loads(path.read_text()) == content
    assert path.stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_settings(tmp_path / "file" / "config.toml", content)


def test_mapping_guards_and_flags_reach_the_values() -> None:
    org = parsed(
        SMALL
        + '[orgs.main]\nproduction = true\nauto_sync = ["701000000000001"]\n[orgs.main.mapping]\nmember_level = ""\n'
        + '[orgs.main.guards]\ndelete_floor = 3\n[orgs.main.status_on]\nopened = "Opened"\n'
    ).org()
    assert org.production
    assert org.auto_sync == ("701000000000001AAA",)
    assert org.mapping.member_level == ""
    assert org.guards.delete_floor == 3
    assert org.status_on == {"opened": "Opened"}
    assert {item.name for item in fields(GuardLimits)} <= {key.rpartition(".")[2] for key in known_keys()}
