"""Workers: who is there, runs that wait for one, and how often a tick was begun."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY: TypeEngine[str] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OPEN = sa.text("finished_at IS NULL")


def upgrade() -> None:
    op.add_column("tick", sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("1")))
    op.create_table(
        "worker",
        sa.Column("owner", KEY, primary_key=True),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("seen_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "queued",
        sa.Column("job_id", KEY, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("campaigns", sa.Text, nullable=False),
        sa.Column("choice", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("claimed_at", sa.BigInteger),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("run_id", KEY),
        sa.Column("error", sa.Text),
    )
    op.create_index("queued_open", "queued", ["asked_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_table("queued")
    op.drop_table("worker")
    op.drop_column("tick", "tries")
