"""Two well-known Textual applications beside ours, each in a virtual environment of its own under ``.venv/peers``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import ROOT

FOLDER = ROOT / ".venv" / "peers"


@dataclass(frozen=True, slots=True)
class Peer:
    """An application: what is installed, its command, the keys that leave it."""

    name: str
    packages: tuple[str, ...]
    words: tuple[str, ...]
    leave: bytes

    @property
    def home(self) -> Path:
        """Its environment."""
        return FOLDER / self.name

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [str(self.home / "bin" / self.name), *self.words]

    def install(self) -> bool:
        """Have it installed; False when that is not possible here, e.g. without a package index."""
        if Path(self.command[0]).exists():
            return True
        try:
            subprocess.run([sys.executable, "-m", "venv", str(self.home)], check=True, capture_output=True, timeout=120)
            subprocess.run(
                [str(self.home / "bin" / "python"), "-m", "pip", "install", "--quiet", *self.packages],
                check=True, capture_output=True, timeout=600,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return False
        return Path(self.command[0]).exists()

    def environment(self, env: Mapping[str, str], home: Path) -> dict[str, str]:
        """*env* with a home of its own, so that nothing of this machine is read."""
        kept = {name: value for name, value in env.items() if not name.startswith("XDG_")}
        return {**kept, "HOME": str(home)}


# The newest tree-sitter ends posting with a segmentation fault.
PEERS = (
    Peer("harlequin", ("harlequin",), ("--adapter", "sqlite", ":memory:"), b"\x11"),
    Peer("posting", ("posting", "tree-sitter==0.25.2"), (), b"\x03"),
)
