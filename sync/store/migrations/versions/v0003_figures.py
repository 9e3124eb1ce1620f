"""The org's own campaign figures beside the service's, and statistics by the hour for charts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY: TypeEngine[str] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("campaign", sa.Column("metrics", sa.Text, nullable=False, server_default="{}"))
    op.add_column("campaign", sa.Column("metrics_at", sa.BigInteger))
    op.create_table(
        "statistic_hour",
        sa.Column("campaign_id", KEY, primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True),
        *(
            sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
            for name in ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")
        ),
    )


def downgrade() -> None:
    op.drop_table("statistic_hour")
    op.drop_column("campaign", "metrics_at")
    op.drop_column("campaign", "metrics")
