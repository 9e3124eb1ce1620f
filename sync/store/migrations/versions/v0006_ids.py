"""The ids of member rows as they are read; and which of them belong to a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.store.types import KEY

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "id_read",
        sa.Column("campaign_id", KEY, primary_key=True),
        sa.Column("member_id", KEY, primary_key=True),
        sa.Column("person_id", KEY, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("id_read_of_person", "id_read", ["campaign_id", "person_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("id_read")
