"""The demo over a real SSH connection on loopback, in tmux and without: previewed, written, started, simulated, left by
keys alone; the command line and the service tell the same."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.sides import predictive
from tests.pty import sshd
from tests.pty.walker import Walker, ended
from tests.pty.watched import Watched

pytestmark = pytest.mark.slow

NAME = "Spring launch 2027"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd.Server]:
    """An SSH server of this test's own."""
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    running = sshd.Server(sshd.programs(), folder)
    yield running
    running.stop()


class Demo:
    """The demo's servers and state, as a stranger on the same machine sees them."""

    def __init__(self, folder: Path, home: Path) -> None:
        (config,) = folder.glob("predictive-*/config.toml")
        self.config, self.home = config, home
        self._org = tomllib.loads(config.read_text("utf-8"))["orgs"]["demo"]
        self._secrets = tomllib.loads(config.with_name("secrets.toml").read_text("utf-8"))["demo"]
        self._http = httpx.Client(timeout=30)

    def says(self, *words: str) -> list[dict[str, Any]]:
        """What a command prints, line by line."""
        ended = predictive("--config", str(self.config), *words, "--json", home=self.home)
        assert ended.code == 0, ended.talk
        return ended.lines

    def rename(self, lead: str, last_name: str) -> None:
        """A user of the org gives a lead another name."""
        org = self._org["salesforce"]
        told = self._http.post(
            f"{org['instance_url']}/services/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": org["client_id"],
                "client_secret": self._secrets["salesforce"]["client_secret"],
            },
        )
        self._http.patch(
            f"{org['instance_url']}/services/data/v{org['api_version']}/sobjects/Lead/{lead}",
            json={"LastName": last_name},
            headers={"Authorization": f"Bearer {told.json()['access_token']}"},
        ).raise_for_status()

    def close(self) -> None:
        """Let go of its connections."""
        self._http.close()

    def member(self, campaign: str, person: str) -> dict[str, Any]:
        """The service's member."""
        answer = self._http.get(
            f"{self._org['predictive']['base_url']}/v1/campaigns/{campaign}/members",
            headers={"Authorization": f"Bearer {self._secrets['predictive']['token']}"},
        )
        found: dict[str, Any] = next(item for item in answer.json()["items"] if item["person_id"] == person)
        return found


@pytest.mark.parametrize(
    ("term", "inner"),
    [("xterm-256color", "tmux-256color"), ("linux", "screen"), ("linux", "")],
    ids=["tmux", "tmux-linux", "linux"],
)
def test_a_day_of_work_over_ssh(server: sshd.Server, tmp_path: Path, term: str, inner: str) -> None:
    temporary, home = tmp_path / "tmp", tmp_path / "home"
    for folder in (temporary, home):
        folder.mkdir()
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": str(temporary)}
    remote = sshd.predictive(["demo"], env, tmp_path, inner)
    shown = Watched(program=server.reach(remote), home=home, term=term, synchronized=False)
    held = ExitStack()
    try:
        walk = Walker(shown, watched=not inner)
        demo = held.enter_context(closing(Demo(temporary, home)))
        campaign = next(line["id"] for line in demo.says("campaigns") if line.get("name") == NAME)

        walk.finds(NAME)
        walk.sends("n", "New Edition for")
        walk.sends("y", "› New Edition", ended)
        assert [line["slot"] for line in demo.says("editions", campaign) if "slot" in line]
        walk.sends("\x1b", "Last sync")

        person = next(line["person_id"] for line in demo.says("members", campaign) if line.get("kind") == "lead")
        demo.rename(person, "Zzyzx")
        walk.sends("s", "name changed", "1 change")
        assert demo.member(campaign, person)["last_name"] != "Zzyzx"
        walk.sends("a", "Apply 1 change")
        walk.sends("y", "› Synchronize", ended)
        assert demo.member(campaign, person)["last_name"] == "Zzyzx"
        walk.sends("\x1b", "Last sync")

        walk.sends("b", "simulate nightly")
        walk.sends("m", "Simulated nightly", ended, "Nothing was written")
        nightly = next(line for line in demo.says("runs") if line.get("kind") == "nightly" and not line["parent"])
        assert nightly["simulated"]
        walk.quits()
    finally:
        held.close()
        sshd.end_tmux(tmp_path)
        shown.close()
    assert not list(temporary.glob("predictive-*")), "the demo left its folder"
    if term == "linux":
        assert b"38;5;" not in shown.raw
        assert b"38;2;" not in shown.raw
