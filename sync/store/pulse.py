"""The pulse of an org's state: runs under way, what waits, how old the oldest of it is, rows written by the hour.

May import the schema. Reads only; what it costs grows with what waits, not with the members that agree.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from sync.model import RunState
from sync.store.database import Database
from sync.store.runs import COUNTS
from sync.store.schema import base_member, campaign, run, service_member
from sync.views import PulseView

HOURS = 24


class Pulse:
    """Reads of the pulse."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def view(self, now: datetime) -> PulseView:
        """The pulse at *now*; ``rows`` are the last 24 hours, the oldest first, by the hour in which a run ended."""
        with self._database.read() as conn:
            running = conn.execute(
                select(func.count()).where(run.c.state == RunState.RUNNING.value, run.c.parent.is_(None))
            ).scalar_one()
            waits = conn.execute(select(func.coalesce(func.sum(campaign.c.pending), 0))).scalar_one()
            own, base = service_member.c, base_member.c
            agreed = (base.campaign_id == own.campaign_id) & (base.person_id == own.person_id)
            oldest = None
            if waits:
                oldest = conn.execute(
                    select(func.min(own.last_activity))
                    .select_from(service_member.join(base_member, agreed))
                    .where(
                        own.campaign_id.in_(select(campaign.c.campaign_id).where(campaign.c.pending > 0)),
                        base.service_digest != own.digest,
                    )
                ).scalar()
            since = now - timedelta(hours=HOURS)
            ended = conn.execute(
                select(run.c.ended, run.c.counts).where(
                    run.c.started >= since - timedelta(hours=HOURS),
                    run.c.ended >= since,
                    run.c.parent.is_(None),
                    ~run.c.simulated,
                )
            ).all()
        rows = [0] * HOURS
        for at, text in ended:
            place = int((at - since).total_seconds() // 3600)
            counts = COUNTS.decode(text)
            rows[min(HOURS - 1, max(0, place))] += counts.salesforce_rows + counts.predictive_rows
        return PulseView(int(running), int(waits), oldest, tuple(rows))
