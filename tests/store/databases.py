"""Empty databases for tests: a temporary SQLite file, and PostgreSQL where a server is named.

With ``PREDICTIVE_TEST_POSTGRES`` set to the URL of a server, the store's tests run on both.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

SERVER = os.environ.get("PREDICTIVE_TEST_POSTGRES")
KINDS = ["sqlite", *(["postgresql"] if SERVER else [])]


@contextmanager
def empty(kind: str) -> Iterator[str]:
    """A URL for ``open_store`` whose database is empty and ends with the block."""
    if kind == "sqlite":
        yield "sqlite://"
        return
    server = make_url(SERVER or "").set(drivername="postgresql+psycopg")
    name = f"store_{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as conn:
            conn.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()
