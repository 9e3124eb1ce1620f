"""Secrets: the order in which they are looked up, and that they never show themselves."""

from __future__ import annotations

import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from sync.errors import ConfigError
from sync.secrets import Secret, SecretRef, ask_keyring
from sync.settings import parse_settings

HUSH = "hush-9f3b"


def in_keyring(name: str) -> str | None:
    return {"main.salesforce.client_secret": "from keyring"}.get(name)


def no_keyring(_name: str) -> str | None:
    return None


def ref(file: Path | None = None, named: bool = False, **env: str) -> SecretRef:
    return SecretRef("main", "salesforce", "client_secret", file, named, env)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text('[main.salesforce]\nclient_secret = "from file"\n')
    path.chmod(0o600)
    return path


def test_a_secret_shows_itself_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(HUSH)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>30}", repr([secret])]
    logging.getLogger("x").warning("login with %s and %r", secret, {"k": secret})
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown += traceback.format_exception(error)
    assert not [text for text in [*shown, caplog.text] if HUSH in text]
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)
    assert secret.reveal() == HUSH
    assert secret == Secret(HUSH)
    assert secret != HUSH


def test_environment_then_file_then_keyring(private: Path) -> None:
    name = "PREDICTIVE_MAIN_SALESFORCE_CLIENT_SECRET"
    found = ref(private, **{name: "from env"}).resolve(ask=in_keyring)
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("from env", f"environment {name}")
    found = ref(private).resolve(ask=in_keyring)
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("from file", f"file {private}")
    private.unlink()
    found = ref(private).resolve(ask=in_keyring)
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("from keyring", "keyring")
    assert ref(private).resolve(ask=no_keyring) is None


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_read_is_refused(private: Path, mode: int) -> None:
    private.chmod(mode)
    with pytest.raises(ConfigError, match="by others") as caught:
        ref(private).resolve(ask=in_keyring)
    assert "chmod 600" in caught.value.remedy
    assert "from file" not in caught.value.line()
    # What the environment says needs no file at all.
    assert ref(private, PREDICTIVE_MAIN_SALESFORCE_CLIENT_SECRET="x").resolve(ask=in_keyring) is not None


def test_a_damaged_or_missing_named_file_is_an_error_that_repeats_nothing(private: Path) -> None:
    private.write_text(f'[main\nclient_secret = "{HUSH}"')
    with pytest.raises(ConfigError, match="no TOML") as caught:
        ref(private).resolve(ask=no_keyring)
    assert HUSH not in "".join(traceback.format_exception(caught.value))
    private.write_text("[main.salesforce]\nclient_secret = 5\n")
    with pytest.raises(ConfigError, match="no text"):
        ref(private).resolve(ask=no_keyring)
    private.unlink()
    with pytest.raises(ConfigError, match="missing"):
        ref(private, named=True).resolve(ask=no_keyring)


def test_a_keyring_that_cannot_be_asked_is_one_plain_line(private: Path) -> None:
    def broken(_name: str) -> str | None:
        raise OSError("the keyring did not answer within 3 seconds")

    said: list[str] = []
    private.unlink()
    assert ref(private).resolve(say=said.append, ask=broken) is None
    assert said == [
        "the keyring did not answer within 3 seconds; salesforce client_secret of main was not looked up there"
    ]


def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A keyring as the child process finds it: the first module of that name on its path."""
    (tmp_path / "keyring.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_the_keyring_is_asked_in_a_child_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _module(tmp_path, monkeypatch, "def get_password(service, name):\n    return f'{service}/{name}'\n")
    assert ask_keyring("main.predictive.token", seconds=30) == "predictive-console/main.predictive.token"
    _module(tmp_path, monkeypatch, "def get_password(service, name):\n    return None\n")
    assert ask_keyring("x", seconds=30) is None


def test_a_keyring_that_hangs_or_breaks_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _module(tmp_path, monkeypatch, "import threading\nthreading.Event().wait()\n")
    with pytest.raises(OSError, match=r"within 0\.5 seconds"):
        ask_keyring("x", seconds=0.5)
    _module(tmp_path, monkeypatch, "raise RuntimeError('no backend')\n")
    with pytest.raises(OSError, match="no backend"):
        ask_keyring("x", seconds=30)


def test_settings_carry_references_and_no_secret(tmp_path: Path) -> None:
    text = b"""
[orgs."my org".salesforce]
instance_url = "https://example.my.salesforce.com"
[orgs."my org".predictive]
base_url = "https://p.example.com"
"""
    env = {"PREDICTIVE_MY_ORG_PREDICTIVE_TOKEN": HUSH}
    org = parse_settings(text, tmp_path / "config.toml", env=env).org()
    assert HUSH not in repr(org)
    assert org.predictive.token.require().reveal() == HUSH
    assert org.salesforce.access_token.env_name == "PREDICTIVE_MY_ORG_SALESFORCE_ACCESS_TOKEN"


def test_a_missing_secret_says_how_to_give_it(private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _module(tmp_path, monkeypatch, "def get_password(service, name):\n    return None\n")
    private.unlink()
    with pytest.raises(ConfigError) as caught:
        ref(private).require()
    assert "PREDICTIVE_MAIN_SALESFORCE_CLIENT_SECRET" in caught.value.remedy
    assert "keyring set predictive-console main.salesforce.client_secret" in caught.value.remedy
