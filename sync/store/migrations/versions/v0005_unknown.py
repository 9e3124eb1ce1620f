"""Rows without an answer are found by campaign, whatever the length of the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'unknown'")


def upgrade() -> None:
    """Add the index."""
    op.create_index("row_journal_unknown", "row_journal", ["campaign_id"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("row_journal_unknown", "row_journal")
