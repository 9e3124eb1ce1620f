"""The import contracts of ``pyproject.toml``: kept by the sources, and able to notice a breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RUN = "import sys\nsys.path.insert(0, '.')\nfrom importlinter.cli import lint_imports_command\nlint_imports_command()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the tree at *folder*."""
    return subprocess.run(
        [sys.executable, "-c", _RUN, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_sources_keep_every_contract() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout[-3000:]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    assert f"{len(contracts)} kept, 0 broken" in done.stdout


def test_a_breach_is_noticed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("console", "sync"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    guilty = tmp_path / "sync" / "guard.py"
    guilty.write_text(
        guilty.read_text(encoding="utf-8") + "\nimport sqlite3\nimport console.report\n", encoding="utf-8"
    )
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "sync.guard -> sqlite3" in done.stdout
    assert "sync.guard -> console.report" in done.stdout
