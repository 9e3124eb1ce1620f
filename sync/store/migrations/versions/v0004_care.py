"""The journal keeps why a row was written and by which rule; campaigns keep what broke their seal or locked them."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    import sqlalchemy as sa
    from alembic import op

    op.add_column("row_journal", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("row_journal", sa.Column("rule", sa.Text, nullable=False, server_default=""))
    op.add_column("campaign", sa.Column("broken_at", sa.BigInteger))
    op.add_column("campaign", sa.Column("differences", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("campaign", sa.Column("locked_rule", sa.Text))


def downgrade() -> None:
    """Drop them."""
    from alembic import op

    for table, names in (
        ("row_journal", ("reason", "rule")),
        ("campaign", ("broken_at", "differences", "locked_rule")),
    ):
        for name in names:
            op.drop_column(table, name)
