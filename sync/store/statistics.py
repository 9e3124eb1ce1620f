"""Statistics of campaigns over time, for charts, and members counted once for the metrics.

May import the schema. The service tells whole values; what they had come to is kept by the hour, and only where they
changed, so that a campaign costs a row for each hour in which something happened.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from sync.ids import CampaignId
from sync.metrics import MemberFigures
from sync.model import Statistics
from sync.store.database import Database
from sync.store.schema import edition, service_member, statistic_hour

KEPT = timedelta(days=90)
FIGURES = ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")


def remember(database: Database, conn: Connection, campaign_id: CampaignId, now: datetime) -> None:
    """Keep what the campaign's editions have come to by the present hour, when that is news."""
    sums = conn.execute(
        select(*(func.coalesce(func.sum(edition.c[name]), 0).label(name) for name in FIGURES)).where(
            edition.c.campaign_id == campaign_id
        )
    ).one()
    table = statistic_hour.c
    last = conn.execute(
        select(*(table[name] for name in FIGURES))
        .where(table.campaign_id == campaign_id)
        .order_by(table.hour.desc())
        .limit(1)
    ).first()
    values = [int(each) for each in sums]
    if not any(values) or (last is not None and values == list(last)):
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    row = {"campaign_id": campaign_id, "hour": hour, **dict(zip(FIGURES, values, strict=True))}
    conn.execute(database.upsert(statistic_hour), [row])
    conn.execute(delete(statistic_hour).where(table.campaign_id == campaign_id, table.hour < now - KEPT))


class Curves:
    """Reads for charts and metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def curve(self, campaign_id: CampaignId) -> tuple[tuple[datetime, Statistics], ...]:
        """Hours, the oldest first, each with what the editions had come to by its end; others had no news."""
        table = statistic_hour.c
        with self._database.read() as conn:
            rows = conn.execute(
                select(table.hour, *(table[name] for name in FIGURES))
                .where(table.campaign_id == campaign_id)
                .order_by(table.hour)
            )
            return tuple((row.hour, Statistics(*row[1:])) for row in rows)

    def members(self, campaign_id: CampaignId) -> MemberFigures:
        """Members counted once."""
        own = service_member.c
        with self._database.read() as conn:
            row = conn.execute(
                select(
                    func.count().label("total"),
                    func.count().filter(own.active).label("active"),
                    func.count().filter(own.opens > 0).label("opened"),
                    func.count().filter(own.clicks > 0).label("clicked"),
                    func.count().filter(own.completions > 0).label("completed"),
                    func.count().filter(own.reason == "Opt Out Direct").label("opted_out"),
                ).where(own.campaign_id == campaign_id)
            ).one()
            delivered = conn.execute(
                select(func.coalesce(func.sum(edition.c.delivered), 0)).where(edition.c.campaign_id == campaign_id)
            ).scalar_one()
        return MemberFigures(*row, delivered=int(delivered))
