"""A real SSH server on loopback for one test: its own keys, a free port, a process of this user, stopped by its id."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote

import pytest

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
"""
NEEDED = ("ssh", "ssh-keygen", "tmux")


def programs() -> str:
    """The path of sshd. Skips the test, and says what is missing, where SSH or tmux are not installed."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if sshd is None or missing:
        lacking = ", ".join([*missing, *([] if sshd else ["sshd"])])
        pytest.skip(f"no {lacking} here: apt-get install openssh-server openssh-client tmux")
    return sshd


class Server:
    """A running sshd that lets its user in by a key made for it.

    Args:
        sshd: path of the server.
        folder: for its keys and its log.
    """

    def __init__(self, sshd: str, folder: Path) -> None:
        self.folder = folder
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = folder / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, folder=folder), encoding="utf-8")
        if os.geteuid() == 0:
            # As root it gives up its rights into this folder, which its start script makes elsewhere.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = (folder / "sshd.log").open("wb")
        self._process = subprocess.Popen(
            [sshd, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        while not self._answers():
            assert self._process.poll() is None, (folder / "sshd.log").read_text()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
                return line.recv(8).startswith(b"SSH-2.0")
        except OSError:
            return False

    def reach(self, remote: str) -> list[str]:
        """The command that runs *remote* on the other end, in a terminal there."""
        options = {
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(self.folder / "known"),
            "LogLevel": "ERROR",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        where = ["-p", str(self.port), "-i", str(self.folder / "user"), f"{getpass.getuser()}@127.0.0.1"]
        return ["ssh", "-F", "none", "-tt", *given, *where, remote]

    def stop(self) -> None:
        """End it, by its id."""
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


TMUX = """\
set -g status off
set -g escape-time 10
set -g default-terminal "{inner}"
"""


def predictive(words: Sequence[str], env: Mapping[str, str], folder: Path, inner: str) -> str:
    """The remote command: ``predictive`` with *words* in a clean environment; with *inner* in a tmux of its own, whose
    windows are terminals of that kind."""
    given = " ".join(f"{name}={quote(value)}" for name, value in env.items())
    command = f"{quote(sys.executable)} -m console.main {' '.join(map(quote, words))}"
    here = f"cd {quote(str(Path(__file__).parents[2]))} && "
    if not inner:
        return f"{here}exec env -i TERM=$TERM {given} {command}"
    config = folder / "tmux.conf"
    config.write_text(TMUX.format(inner=inner), encoding="utf-8")
    socket_ = quote(str(folder / "tmux"))
    tmux = f"tmux -u -S {socket_} -f {quote(str(config))}"
    return f"{here}exec env -i TERM=$TERM {given} {tmux} new-session {quote(command)}"


def end_tmux(folder: Path) -> None:
    """End what is left in the tmux of *folder*; it outlives a connection that breaks."""
    if (folder / "tmux").exists():
        subprocess.run(
            ["tmux", "-S", str(folder / "tmux"), "kill-server"], capture_output=True, timeout=20, check=False
        )
