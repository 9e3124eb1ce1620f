"""The shape of the source: who owns the two package names, docstring-only packages, no drawers for odds and ends."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from console.cli.doctor import PACKAGES, owner

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for package in ("console", "sync") for path in (ROOT / package).rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def test_both_package_names_belong_to_this_distribution_alone() -> None:
    assert [owner(package, distributions()).state for package in PACKAGES] == ["ok", "ok"]


@pytest.mark.parametrize("package", PACKAGES)
def test_another_project_with_the_same_package_is_named(package: str, tmp_path: Path) -> None:
    # As pip leaves it: the other project's files, and a RECORD that lists them.
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    info = tmp_path / "other_project-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-project\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\nother_project-1.0.dist-info/METADATA,,\n", encoding="utf-8")
    found = owner(package, [*distributions(), Distribution.at(info)])
    assert found.state == "trouble"
    assert "other-project" in found.text
    assert found.remedy


def test_the_top_level_holds_what_it_should_and_nothing_else() -> None:
    allowed = {
        "pyproject.toml", "README.md", "console", "sync", "tests", "screenshots", "config.example.toml", "Makefile",
        "LICENSE", "CHANGELOG.md",
    }  # fmt: skip
    # What builds and runs leave behind is ignored by git and by this test alike.
    built = {"build", "dist", "snapshot_report.html"}
    found = {
        path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__")) and "egg-info" not in path.name
    }
    assert found - built <= allowed


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name == "__init__.py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_packages_hold_a_docstring_only(path: Path) -> None:
    # Two top-level names that others use too: whatever is in __init__ would run for them.
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) <= 1
    assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def test_no_module_is_a_drawer_and_every_module_says_what_it_is() -> None:
    assert [path for path in MODULES if path.stem in DRAWERS] == []
    silent = [path for path in MODULES if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None]
    assert silent == []


def test_the_sources_name_no_secret_file_and_no_machine() -> None:
    private = ("/work/", "/root/", "/home/")
    found = [(path.name, word) for path in MODULES for word in private if word in path.read_text(encoding="utf-8")]
    assert found == []


def test_the_command_and_the_wheel_are_what_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"predictive": "console.main:main"}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["console", "sync"]
    assert [str(ROOT / name) for name in ("console/py.typed", "sync/py.typed") if not (ROOT / name).exists()] == []
