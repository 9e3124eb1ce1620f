"""Runs may be held and may undo others; what was agreed keeps values that wait for the other side after an undo."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Text, text
from sqlalchemy.types import TypeEngine

from sync.store.migrations.columns import add, drop

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")


def change(conn: Connection) -> None:
    """Add the columns on *conn*."""
    add(
        conn,
        "run",
        Column("pause_wanted", Boolean, nullable=False, server_default=text("false")),
        Column("paused_at", BigInteger),
        Column("undoes", KEY),
    )
    conn.execute(text("CREATE INDEX run_by_undone ON run (undoes) WHERE undoes IS NOT NULL"))
    add(conn, "base_member", Column("holds", Text))


def upgrade() -> None:
    """The same where Alembic is at work."""
    from alembic import op

    change(op.get_bind())


def downgrade() -> None:
    """Drop them."""
    from alembic import op

    op.get_bind().execute(text("DROP INDEX run_by_undone"))
    drop(op.get_bind(), "base_member", "holds")
    drop(op.get_bind(), "run", "undoes", "paused_at", "pause_wanted")
