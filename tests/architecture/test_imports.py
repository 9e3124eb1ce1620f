"""What is loaded when: the static import graph cannot tell a deferred import from an eager one, a process can."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

NETWORK = {"httpx", "httpcore", "requests", "simple_salesforce"}
DATABASE = {"sqlalchemy", "alembic"}
SERVERS = {"starlette", "uvicorn", "lark", "cryptography"}
UI = {"textual", "rich"}

PURE = (
    "sync.activity",
    "sync.budget",
    "sync.bulk_csv",
    "sync.cheap",
    "sync.deployable",
    "sync.digest",
    "sync.draft",
    "sync.errors",
    "sync.events",
    "sync.failures",
    "sync.guard",
    "sync.holds",
    "sync.ids",
    "sync.locks",
    "sync.mapping",
    "sync.merge",
    "sync.metrics",
    "sync.model",
    "sync.packed",
    "sync.packing",
    "sync.plan",
    "sync.ports",
    "sync.rules",
    "sync.schedule",
    "sync.settle",
    "sync.status",
    "sync.story",
    "sync.words",
    "sync.views",
)


def loaded_by(module: str) -> set[str]:
    """Every module that a fresh interpreter has loaded after ``import module``, parents included."""
    code = f"import json, sys, {module}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_loads_the_standard_library_only(module: str) -> None:
    loaded = loaded_by(module)
    ours = {name for name in loaded if name.partition(".")[0] in ("sync", "console")}
    assert ours <= {"sync", *PURE}
    assert loaded.isdisjoint(NETWORK | DATABASE | SERVERS | UI | {"sqlite3", "asyncio", "subprocess"})


def test_the_engine_runs_without_a_console_and_without_servers() -> None:
    loaded = loaded_by("sync.bootstrap")
    # httpx brings rich for its own command line; Textual would be ours.
    assert loaded.isdisjoint(SERVERS | {"textual", "console", "keyring"})
    assert not any(name.startswith("sync.embedded") for name in loaded)


def test_settings_load_without_database_network_and_keyring() -> None:
    assert loaded_by("sync.settings").isdisjoint(NETWORK | DATABASE | SERVERS | UI | {"keyring"})


def test_the_console_loads_neither_database_nor_network_before_its_first_paint() -> None:
    loaded = loaded_by("console.app")
    assert "textual" in loaded
    assert loaded.isdisjoint(NETWORK | DATABASE | SERVERS | {"keyring"})
    # Nor what the first frame does not show: each of these costs a twentieth of it.
    later = {"sync.events", "sync.plan", "sync.settings", "console.masking", "console.logbook", "console.cli.parser"}
    assert loaded.isdisjoint(later)


def test_spawning_the_embedded_servers_loads_none_of_them_here() -> None:
    assert loaded_by("sync.embedded.process").isdisjoint(NETWORK | DATABASE | SERVERS | UI)
