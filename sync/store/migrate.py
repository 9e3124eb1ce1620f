"""Brings a state database to the newest revision, under the database's own lock.

Alembic is imported only for a database that exists and is behind: a new one gets the tables that the program works
with, which needs SQLAlchemy alone. A test holds the two ways against each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from sync.errors import FatalError
from sync.store.schema import metadata

if TYPE_CHECKING:
    from sync.store.database import Database

FIRST = "0001"
HEAD = "0007"
"""The revision this program works with; a test holds it against the newest file under ``migrations/versions``."""

_PLACE = Path(__file__).parent / "migrations"


def to_newest(database: Database) -> str | None:
    """Create the tables of a new database, or run what it lacks.

    Returns:
        The revision that was found; None when the database was new.

    Raises:
        FatalError: the state was written by a newer program.
    """
    with database.read() as conn:
        if _revision(conn) == HEAD:
            return HEAD
    with database.write() as conn:
        database.one_at_a_time(conn, "migrate")
        stored = _revision(conn)  # another process may have been quicker
        if stored is None:
            _create(conn)
        elif stored != HEAD:
            _run_later_revisions(conn, database)
        return stored


def _revision(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    row = conn.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def _create(conn: Connection) -> None:
    metadata.create_all(conn, checkfirst=False)
    stamp(conn, HEAD)


def stamp(conn: Connection, revision: str) -> None:
    """Note that the tables on *conn*, which have no revision yet, are those of *revision*."""
    # As Alembic itself makes it.
    conn.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    conn.execute(text("INSERT INTO alembic_version (version_num) VALUES (:revision)"), {"revision": revision})


def _run_later_revisions(conn: Connection, database: Database) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_PLACE))
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs(HEAD, revision)

    try:
        with EnvironmentContext(config, script, fn=steps, destination_rev=HEAD) as environment:
            environment.configure(connection=conn, transactional_ddl=True)
            environment.run_migrations()
    except CommandError as error:
        raise FatalError(
            f"the state was written by a newer program ({error})",
            where=database.shown,
            left_undone="nothing was read or written",
            remedy="update predictive-console, or name another state_url",
        ) from error
