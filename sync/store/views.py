"""What lists show, by window, straight from SQL: campaigns with all their figures, and members of both sides.

May import the schema. No figure is counted here that grows with the members: the overview reads one row a campaign,
a member list reads the rows it shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, exists, func, null, or_, select

from sync.ids import CampaignId, RunId
from sync.metrics import metrics_of
from sync.model import CampaignState, Edition, RunKind, RunState
from sync.store.campaigns import METRICS, CampaignRecord, record_of
from sync.store.content import Content
from sync.store.database import Database
from sync.store.people import People
from sync.store.runs import Runs
from sync.store.schema import base_member, campaign, edition, org_member, run, service_member
from sync.store.statistics import Curves
from sync.store.warn import Known, warnings_of
from sync.views import CampaignDetail, CampaignView, MemberView

_STATS = ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")


class Views:
    """Read-only views. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database, content: Content, people: People, runs: Runs) -> None:
        self._database = database
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
                    select(run.c.run_id, run.c.kind, run.c.state, run.c.ended, run.c.error).where(
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

    # ------------------------------------------------------------ members

    def members(
        self,
        campaign_id: CampaignId,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        offset: int = 0,
        limit: int = 200,
        off: frozenset[str] = frozenset(),
    ) -> tuple[MemberView, ...]:
        """A window of members in person-id order: the org's rows, then those that only the service has.

        A person's second row stands beside the primary one.

        Args:
            campaign_id: the campaign.
            text: looked for in names and e-mail, upper and lower case alike.
            status, level: exactly these; ``level`` "" means none yet.
            offset, limit: the window.
            off: fields that the org's mapping switches off; they are no difference.
        """
        out: list[MemberView] = []
        with self._database.read() as conn:
            where = _org_where(campaign_id, text, status, level)
            found = conn.execute(_org_window(campaign_id, where, level, offset, limit))
            out += (_org_view(row, off) for row in found)
            if len(out) < limit and _may_differ(conn, campaign_id):
                first = 0
                if not out and offset:
                    first = max(0, offset - int(conn.execute(_org_count(campaign_id, where, level)).scalar_one()))
                alone = _alone_where(campaign_id, text, status, level)
                statement = _service_window(alone, first, limit - len(out))
                out += map(_service_view, conn.execute(statement))
        return tuple(out)

    def count_members(
        self, campaign_id: CampaignId, *, text: str = "", status: str | None = None, level: str | None = None
    ) -> int:
        """How many members these filters choose."""
        where = _org_where(campaign_id, text, status, level)
        alone = _alone_where(campaign_id, text, status, level)
        with self._database.read() as conn:
            count = conn.execute(_org_count(campaign_id, where, level)).scalar_one()
            if _may_differ(conn, campaign_id):
                count += conn.execute(select(func.count()).select_from(_ALONE).where(*alone)).scalar_one()
            return int(count)


_SIDES = org_member.outerjoin(
    service_member,
    (service_member.c.campaign_id == org_member.c.campaign_id) & (service_member.c.person_id == org_member.c.person_id),
)
_ALL = _SIDES.outerjoin(
    base_member,
    (base_member.c.campaign_id == org_member.c.campaign_id) & (base_member.c.person_id == org_member.c.person_id),
)
_nobody = org_member.alias("nobody")
_ALONE = service_member.outerjoin(
    _nobody,
    (_nobody.c.campaign_id == service_member.c.campaign_id) & (_nobody.c.person_id == service_member.c.person_id),
)
# The service decides the level; the org's column is what it was told last.
_the_level: ColumnElement[str | None] = case(
    (service_member.c.person_id.is_not(None), service_member.c.level), else_=org_member.c.level
)


# The order of the index itself, so that a window far down is reached by walking it and nothing is sorted.
_ORDER = (org_member.c.person_id, org_member.c.is_primary, org_member.c.digest, org_member.c.member_id)


def _may_differ(conn: Connection, campaign_id: CampaignId) -> bool:
    """False where all members were agreed on when last counted: then the service has nobody whom the org has not."""
    touched = conn.execute(select(campaign.c.touched).where(campaign.c.campaign_id == campaign_id)).scalar()
    return touched is not False


def _org_where(campaign_id: CampaignId, text: str, status: str | None, level: str | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [org_member.c.campaign_id == campaign_id]
    if text:
        where.append(org_member.c.search.contains(text.casefold(), autoescape=True))
    if status is not None:
        where.append(org_member.c.status == status)
    if level is not None:
        where.append(_the_level == level if level else or_(_the_level.is_(null()), _the_level == ""))
    return where


def _alone_where(
    campaign_id: CampaignId, text: str, status: str | None, level: str | None
) -> list[ColumnElement[bool]]:
    table = service_member.c
    where: list[ColumnElement[bool]] = [table.campaign_id == campaign_id, _nobody.c.member_id.is_(null())]
    if text:
        where.append(table.search.contains(text.casefold(), autoescape=True))
    if status is not None:
        where.append(table.status == status)
    if level is not None:
        where.append(table.level == level if level else or_(table.level.is_(null()), table.level == ""))
    return where


def _org_window(
    campaign_id: CampaignId, where: list[ColumnElement[bool]], level: str | None, offset: int, limit: int
) -> Any:
    source = _SIDES if level is not None else org_member
    # The window is cut before anything is joined that only the shown rows need.
    inner = (
        select(org_member.c.member_id)
        .select_from(source)
        .where(*where)
        .order_by(*_ORDER)
        .offset(offset)
        .limit(limit)
        .subquery()
    )
    service, base = service_member.c, base_member.c
    return (
        select(
            org_member,
            service.person_id.label("s_person"),
            service.member_id.label("s_member_id"),
            service.first_name.label("s_first_name"),
            service.last_name.label("s_last_name"),
            service.email.label("s_email"),
            service.status.label("s_status"),
            service.level.label("s_level"),
            service.reason.label("s_reason"),
            service.active.label("s_active"),
            service.test_member.label("s_test_member"),
            service.opted_out.label("s_opted_out"),
            service.opens.label("s_opens"),
            service.clicks.label("s_clicks"),
            service.completions.label("s_completions"),
            service.bounces.label("s_bounces"),
            service.last_activity,
            base.person_id.label("b_person"),
            base.invisible,
            base.synced.label("b_synced"),
        )
        .select_from(_ALL)
        .join(inner, inner.c.member_id == org_member.c.member_id)
        .where(org_member.c.campaign_id == campaign_id)
        .order_by(*_ORDER)
    )


def _org_count(campaign_id: CampaignId, where: list[ColumnElement[bool]], level: str | None) -> Any:
    source = _SIDES if level is not None else org_member
    return select(func.count()).select_from(source).where(*where)


def _service_window(where: list[ColumnElement[bool]], offset: int, limit: int) -> Any:
    base = base_member.c
    return (
        select(service_member, base.invisible)
        .select_from(
            _ALONE.outerjoin(
                base_member,
                (base.campaign_id == service_member.c.campaign_id) & (base.person_id == service_member.c.person_id),
            )
        )
        .where(*where)
        .order_by(service_member.c.person_id)
        .offset(offset)
        .limit(limit)
    )


_OWNED = ("level", "reason", "active", "opens", "clicks", "completions", "bounces")
_COMPARED = ("first_name", "last_name", "email", "status", "test_member", "opted_out", *_OWNED)


def _org_view(row: Row[Any], off: frozenset[str]) -> MemberView:
    known = row._mapping
    both = known["s_person"] is not None
    own = {name: known[f"s_{name}"] if both else known[name] for name in _OWNED}
    if not row.is_primary:
        difference = "second row of this person"
    elif not both:
        difference = "not in Predictive"
    else:
        fields = [name for name in _COMPARED if name not in off and known[name] != known[f"s_{name}"]]
        difference = ", ".join(name.replace("_", " ") for name in fields)
    return MemberView(
        member_id=row.member_id,
        person_id=row.person_id,
        kind=row.kind,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        status=row.status,
        test_member=row.test_member,
        synced=row.synced or known["b_synced"],
        last_activity=row.last_activity,
        invisible=bool(row.invisible),
        difference=difference,
        **own,
    )


def _service_view(row: Row[Any]) -> MemberView:
    return MemberView(
        member_id=row.member_id,
        person_id=row.person_id,
        kind=row.kind,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        status=row.status,
        test_member=row.test_member,
        synced=None,
        last_activity=row.last_activity,
        invisible=bool(row.invisible),
        difference="not in Salesforce",
        **{name: row._mapping[name] for name in _OWNED},
    )


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
        last_state=last_state,
        last_error=None if last is None else last.error,
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
