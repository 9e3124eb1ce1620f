"""``predictive login``: as a person with a browser, as one over SSH, and with a login of Salesforce's command line."""

from __future__ import annotations

import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.cli.sides import PREDICTIVE, Box, environment


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Person:
    """A configuration of one org on a sandbox, and commands on it; this machine has no keyring."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.box, self.folder, self.port = box, folder, free_port()
        org = box.line["salesforce"]
        (folder / "keyring.py").write_text("raise RuntimeError('no backend')")
        self.config = folder / "config.toml"
        self.config.write_text(
            f"""
[orgs.mine.salesforce]
instance_url = "{org["instance_url"]}"
auth = "web"
client_id = "{self.credentials()["client_id"]}"
redirect_port = {self.port}
[orgs.mine.predictive]
base_url = "{box.line["predictive"]["base_url"]}"
[orgs.mine.state]
url = "mine.db"
"""
        )
        self.env = environment(
            box.home, PYTHONPATH=str(folder), PREDICTIVE_MINE_PREDICTIVE_TOKEN=box.line["predictive"]["token"]
        )

    def credentials(self) -> dict[str, str]:
        """What the sandbox's own configuration logs in with."""
        import tomllib

        own = Path(self.box.line["config"])
        salesforce = tomllib.loads(own.read_text())["orgs"]
        (org,) = salesforce.values()
        return {"client_id": org["salesforce"]["client_id"]}

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [*PREDICTIVE, "--config", str(self.config), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=self.env)

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [*PREDICTIVE, "--config", str(self.config), *words]
        return subprocess.run(
            command, input=given, capture_output=True, text=True, env=self.env, timeout=60, check=False
        )


@pytest.fixture
def person(box: Box, tmp_path: Path) -> Iterator[Person]:
    yield Person(box, tmp_path)
    box.control("POST", "/settings", {"rotate_refresh_tokens": False})


def address_of(process: subprocess.Popen[str]) -> str:
    """The address that a person is to open; a process that shows none within a minute is ended."""
    assert process.stderr is not None
    limit = threading.Timer(60, process.kill)
    limit.start()
    try:
        for line in process.stderr:
            if "/services/oauth2/authorize?" in line:
                return line.strip()
    finally:
        limit.cancel()
    raise AssertionError("no address was shown")


def approved(address: str) -> str:
    """Where the browser is sent back to once the person approved."""
    return httpx.get(address, follow_redirects=False, timeout=20).headers["Location"]


@pytest.mark.slow
def test_the_browser_comes_back_and_the_login_is_kept_and_used(person: Person) -> None:
    person.box.control("POST", "/settings", {"rotate_refresh_tokens": True})
    process = person.start("login")
    back = approved(address_of(process))
    assert urlsplit(back).port == person.port
    page = httpx.get(back.replace("localhost", "127.0.0.1"), timeout=20)
    assert "close this window" in page.text
    out, talk = process.communicate(timeout=60)
    assert process.returncode == 0, talk
    assert "logged in to mine" in out
    secrets = person.folder / "secrets.toml"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert parse_qs(urlsplit(back).query)["code"][0] not in out + talk
    done = person.run("campaigns")
    assert done.returncode == 0, done.stderr
    doctor = person.run("doctor")
    assert f"from file {secrets}" in doctor.stdout + doctor.stderr


@pytest.mark.slow
def test_over_ssh_the_address_is_pasted(person: Person) -> None:
    process = person.start("login", "--json")
    assert process.stdin is not None
    back = approved(address_of(process))
    process.stdin.write("something else\n")
    process.stdin.write(back + "\n")
    process.stdin.flush()
    out, talk = process.communicate(timeout=60)
    assert process.returncode == 0, talk
    assert "not the address" in talk, "what is no such address is said, and waiting goes on"
    assert '"type":"login"' in out.replace(" ", "")


@pytest.mark.slow
def test_a_login_of_the_command_line_is_taken_over_once(person: Person) -> None:
    host = urlsplit(person.box.line["salesforce"]["instance_url"]).netloc
    wrong = person.run("login", "--sf", given="force://PlatformCLI::5Aep@other.my.salesforce.com")
    assert wrong.returncode == 2
    assert "the login is for other.my.salesforce.com" in wrong.stderr
    assert not (person.folder / "secrets.toml").exists()
    none = person.run("login", "--sf", given="")
    assert none.returncode == 2
    assert "show-sfdx-auth-url" in none.stderr
    refused = person.run("login", "--sf", given=f"force://PlatformCLI::used-up@{host}")
    assert refused.returncode == 2
    assert "expired access/refresh token" in refused.stderr
    assert "used-up" not in refused.stderr


@pytest.mark.slow
def test_without_a_login_every_command_says_how_to_get_one(person: Person) -> None:
    done = person.run("campaigns")
    assert done.returncode == 2
    assert "predictive login" in done.stderr


@pytest.mark.slow
def test_a_way_that_needs_no_person_is_told_so(box: Box) -> None:
    ended = box.people("login")
    assert ended.code == 2
    assert "needs no person" in ended.talk
