"""What lists show, straight from SQL: campaigns with all their figures; members come from ``member_lists``.

May import the schema. No figure of the overview is counted here that grows with the members: it reads one row a
campaign.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from sync.ids import CampaignId, RunId
from sync.metrics import ACCOUNTS, metrics_of
from sync.model import CampaignState, Edition, RunKind, RunState
from sync.store.campaigns import METRICS, CampaignRecord, record_of
from sync.store.content import Content
from sync.store.database import Database
from sync.store.member_lists import MemberLists
from sync.store.people import People
from sync.store.runs import COUNTS, Runs
from sync.store.schema import base_member, campaign, edition, run
from sync.store.statistics import Curves
from sync.store.warn import Known, warnings_of
from sync.views import CampaignDetail, CampaignView

_STATS = ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")


class Views(MemberLists):
    """Read-only views. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database, content: Content, people: People, runs: Runs) -> None:
        super().__init__(database)
        self._curves = Curves(database)
        self._content = content
        self._people = people
        self._runs = runs

    # ------------------------------------------------------------ campaigns

    def overview(
        self, *, today: date, next_runs: Mapping[CampaignId, datetime] | None = None
    ) -> tuple[CampaignView, ...]:
        """Every campaign. *today* is the date in the org's time zone; *next_runs* says when timers touch which."""
        return self._campaigns(today, next_runs or {})

    def campaign(
        self, campaign_id: CampaignId, *, today: date, next_runs: Mapping[CampaignId, datetime] | None = None
    ) -> CampaignView | None:
        """One campaign, None when it was never read."""
        found = self._campaigns(today, next_runs or {}, campaign.c.campaign_id == campaign_id)
        return found[0] if found else None

    def detail(
        self,
        campaign_id: CampaignId,
        *,
        today: date,
        next_runs: Mapping[CampaignId, datetime] | None = None,
        runs: int = 50,
    ) -> CampaignDetail | None:
        """Everything about one campaign but its members, None when it was never read."""
        view = self.campaign(campaign_id, today=today, next_runs=next_runs)
        if view is None:
            return None
        with self._database.read() as conn:
            figures, at = conn.execute(
                select(campaign.c.metrics, campaign.c.metrics_at).where(campaign.c.campaign_id == campaign_id)
            ).one()
        own = METRICS.decode(figures)
        return CampaignDetail(
            view,
            self._content.editions(campaign_id),
            self._content.clicks(campaign_id),
            self._content.history(campaign_id),
            self._runs.list(campaign_id=campaign_id, limit=runs),
            curve=self._curves.curve(campaign_id),
            metrics=metrics_of(own, self._curves.members(campaign_id) if view.started else None),
            metrics_at=at,
        )

    def _campaigns(
        self, today: date, next_runs: Mapping[CampaignId, datetime], *where: ColumnElement[bool]
    ) -> tuple[CampaignView, ...]:
        with self._database.read() as conn:
            agreed = exists().where(base_member.c.campaign_id == campaign.c.campaign_id).label("agreed")
            rows = conn.execute(
                select(campaign, agreed).where(*where).order_by(campaign.c.created, campaign.c.campaign_id)
            ).all()
            records = [record_of(row) for row in rows]
            synced = {row.campaign_id for row in rows if row.agreed}
            last = {
                row.run_id: row
                for row in conn.execute(
                    select(run.c.run_id, run.c.kind, run.c.state, run.c.ended, run.c.error, run.c.counts).where(
                        run.c.run_id.in_(select(campaign.c.last_run).where(*where))
                    )
                )
            }
            running = {
                row[0]: RunId(row[1])
                for row in conn.execute(
                    select(run.c.campaign_id, run.c.run_id).where(
                        run.c.state == RunState.RUNNING.value, run.c.campaign_id.is_not(None)
                    )
                )
            }
            editions, sums = self._editions_of(conn, where)
        test_people = len(self._people.test_people()) if self._people.test_people_read() else None
        return tuple(
            _view(
                record,
                today=today,
                editions=editions.get(record.campaign.id, ()),
                sums=sums.get(record.campaign.id, {}),
                last=last.get(record.last_run),
                running=running.get(record.campaign.id),
                next_run=next_runs.get(record.campaign.id),
                synced=record.campaign.id in synced,
                test_people=test_people,
            )
            for record in records
        )

    def _editions_of(
        self, conn: Any, where: tuple[ColumnElement[bool], ...]
    ) -> tuple[dict[str, list[Edition]], dict[str, dict[str, int]]]:
        """Active editions that are blocked, for the warnings, and sums over all editions, by campaign."""
        chosen = edition.c.campaign_id.in_(select(campaign.c.campaign_id).where(*where))
        totals = [func.sum(edition.c[name]).label(name) for name in _STATS]
        sums = {
            row.campaign_id: dict(row._mapping)
            for row in conn.execute(
                select(edition.c.campaign_id, func.count().label("editions"), *totals)
                .where(chosen)
                .group_by(edition.c.campaign_id)
            )
        }
        blocked: dict[str, list[Edition]] = defaultdict(list)
        for each in self._content.blocked():
            blocked[each.campaign_id].append(each)
        return blocked, sums


def _view(
    record: CampaignRecord,
    *,
    today: date,
    editions: Any,
    sums: Mapping[str, int],
    last: Any,
    running: RunId | None,
    next_run: datetime | None,
    synced: bool,
    test_people: int | None,
) -> CampaignView:
    header, stats = record.campaign, record.stats
    figures = {name: (getattr(stats, name) if stats else sums.get(name, 0)) for name in _STATS}
    # Statistics that the feed brought since are newer than the list's; both only rise.
    figures = {name: max(value, sums.get(name, 0)) for name, value in figures.items()}
    last_state = None if last is None else RunState(last.state)
    known = Known(
        started=record.started,
        synced=synced,
        test_people=test_people,
        locked=record.locked,
        paused=record.paused,
        rejected=record.rejected,
        held=record.held,
        invisible=record.invisible,
        accounts=int(record.metrics.get(ACCOUNTS) or 0),
        last_state=last_state,
        last_error=None if last is None else last.error,
        last_drifted=0 if last is None else COUNTS.decode(last.counts).drifted,
    )
    state: CampaignState = header.state(today)
    return CampaignView(
        campaign=header,
        state=state.value,
        members=_by_label(record),
        total=record.total,
        active=record.active if synced or stats is None else stats.active,
        inactive=record.inactive if synced or stats is None else stats.inactive,
        unsynced=record.unsynced if synced else record.total,
        editions=max(sums.get("editions", 0), stats.editions if stats else 0),
        started=record.started,
        held=record.held,
        **figures,
        last_run=None if last is None else last.ended,
        last_run_id=record.last_run,
        last_kind=None if last is None else RunKind(last.kind),
        last_state=last_state,
        last_note="" if last is None else (last.error or ""),
        running=running,
        next_run=next_run,
        locked=record.locked,
        paused=record.paused,
        verified=record.verified_at,
        broken=record.broken_at,
        differences=record.differences,
        pending=record.pending,
        warnings=warnings_of(header, known, today, editions),
        read_at=record.counts_at or record.header_at,
    )


def _by_label(record: CampaignRecord) -> tuple[tuple[str, int], ...]:
    """Members by status in the order of the campaign's labels; statuses that are no label any more come last."""
    labels = [label.label for label in sorted(record.campaign.labels, key=lambda each: each.sort_order)]
    counts = record.status_counts
    rest = sorted(set(counts) - set(labels))
    return tuple((label, counts.get(label, 0)) for label in [*labels, *rest])
