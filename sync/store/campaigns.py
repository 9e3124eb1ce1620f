"""Campaigns: headers as the org has them, counts, and the marks that runs leave on them.

May import the schema and the comparison's counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, null, or_, select, true, update

from sync.codec import Codec
from sync.ids import CampaignId, RunId
from sync.model import Campaign, CampaignType, StatusLabel, StatusState
from sync.ports import CampaignStats
from sync.store import compare, statistics
from sync.store.database import Database, chunks
from sync.store.schema import base_member, campaign, org_member, service_member

LABELS: Codec[tuple[StatusLabel, ...]] = Codec(tuple[StatusLabel, ...])
COUNTS: Codec[dict[str, int]] = Codec(dict[str, int])
STATS: Codec[CampaignStats] = Codec(CampaignStats)
METRICS: Codec[dict[str, float | None]] = Codec(dict[str, float | None])

_HEADER = (
    "name",
    "type_label",
    "is_active",
    "status",
    "start_date",
    "end_date",
    "auto_sync",
    "number_of_leads",
    "number_of_contacts",
    "number_of_converted",
    "owner",
    "created",
    "stamp",
    "is_deleted",
)


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign with everything the state knows of it.

    Attributes:
        status_counts: member rows by status in the org; ``counts_at`` is when they were read or last counted.
        total, active, inactive, unsynced: member rows in the org; members the service may and may not mail; members
            never synced.
        pending, waiting: members with activity that waits; members that differ from what was agreed in any way.
        touched: landed rows may differ from base.
        operation: the unfinished New Edition's id.
        last_run: the newest ended run that touched it.
        metrics: the org's own figures by key of ``sync.metrics``; ``metrics_at`` is when they were read.
    """

    campaign: Campaign
    status_counts: Mapping[str, int]
    counts_at: datetime | None
    total: int
    active: int
    inactive: int
    unsynced: int
    pending: int
    waiting: int
    rejected: int
    held: int
    invisible: int
    touched: bool
    watermark: datetime | None
    started: bool
    operation: str | None
    pushed_digest: str | None
    verified_at: datetime | None
    broken_at: datetime | None
    differences: int
    reconciled_at: datetime | None
    paused: str | None
    locked: str | None
    locked_at: datetime | None
    locked_rule: str | None
    stats: CampaignStats | None
    stats_at: datetime | None
    last_run: RunId | None
    header_at: datetime | None
    metrics: Mapping[str, float | None]
    metrics_at: datetime | None


class Campaigns:
    """Headers, counts and marks. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def land(
        self,
        campaigns: Iterable[Campaign],
        *,
        counts: Mapping[CampaignId, Mapping[str, int]] | None = None,
    ) -> None:
        """Upsert headers; *counts* gives members by status for those whose counts were read with them.

        A campaign that *counts* leaves out has no members, if *counts* is given at all.
        """
        now = self._database.clock.now()
        landed = tuple(campaigns)
        values = [_header(each, now) for each in landed]
        only = ("campaign_id", *_HEADER, "type", "labels", "header_at")
        with self._database.write() as conn:
            self._database.many(conn, self._database.upsert(campaign, only=only), values)
            for each, row in zip(landed, values, strict=True):
                if each.metrics is not None:
                    self._set(row["campaign_id"], metrics=METRICS.encode(dict(each.metrics)), metrics_at=now)
            if counts is None:
                return
            for row in values:
                by_status = dict(counts.get(row["campaign_id"], {}))
                self._set(
                    row["campaign_id"],
                    status_counts=COUNTS.encode(by_status),
                    total=sum(by_status.values()),
                    counts_at=now,
                )

    def get(self, campaign_id: CampaignId) -> CampaignRecord | None:
        """One campaign, None when it was never read."""
        with self._database.read() as conn:
            row = conn.execute(select(campaign).where(campaign.c.campaign_id == campaign_id)).first()
            return None if row is None else record_of(row)

    def all(self) -> tuple[CampaignRecord, ...]:
        """Every campaign, oldest first, as the org lists them."""
        with self._database.read() as conn:
            found = conn.execute(select(campaign).order_by(campaign.c.created, campaign.c.campaign_id))
            return tuple(record_of(row) for row in found)

    def named(self, name: str) -> tuple[Campaign, ...]:
        """Campaigns with exactly this name."""
        with self._database.read() as conn:
            found = conn.execute(select(campaign).where(campaign.c.name == name).order_by(campaign.c.campaign_id))
            return tuple(record_of(row).campaign for row in found)

    def names(self) -> tuple[tuple[CampaignId, str], ...]:
        """Ids and names of all campaigns, to find the nearest one to what somebody typed."""
        with self._database.read() as conn:
            found = conn.execute(select(campaign.c.campaign_id, campaign.c.name).order_by(campaign.c.campaign_id))
            return tuple((CampaignId(key), str(name)) for key, name in found)

    # ------------------------------------------------------------ marks

    def last_heard(self) -> datetime | None:
        """The org's own clock when it last told how far a campaign was read; None when none ever was."""
        with self._database.read() as conn:
            found: datetime | None = conn.execute(select(func.max(campaign.c.watermark))).scalar()
            return found

    def set_watermarks(self, watermarks: Mapping[CampaignId, datetime]) -> None:
        """Move the instants up to which campaigns were read, by the org's clock."""
        with self._database.write():
            for campaign_id, at in watermarks.items():
                self._set(campaign_id, watermark=at)

    def set_started(self, campaign_id: CampaignId, started: bool = True) -> None:
        """New Edition was done."""
        self._set(campaign_id, started=started)

    def set_operation(self, campaign_id: CampaignId, operation: str | None) -> None:
        """Keep the id of a New Edition that has begun; None when it ended."""
        self._set(campaign_id, operation=operation)

    def set_pushed(self, campaign_id: CampaignId, digest: str | None) -> None:
        """Digest of the header that the service has."""
        self._set(campaign_id, pushed_digest=digest)

    def set_verified(self, campaign_ids: Collection[CampaignId], at: datetime) -> None:
        """Both sides were found equal: the seal is whole."""
        self._set_many(campaign_ids, verified_at=at, broken_at=None, differences=0)

    def set_broken(self, campaign_id: CampaignId, differences: int, at: datetime) -> None:
        """The verifier found *differences* fields; when both sides were last equal stays known."""
        self._set(campaign_id, broken_at=at, differences=differences)

    def set_reconciled(self, campaign_ids: Collection[CampaignId], at: datetime) -> None:
        """All member ids were read and compared."""
        self._set_many(campaign_ids, reconciled_at=at)

    def reconciled_longest_ago(self, campaign_ids: Collection[CampaignId], limit: int) -> tuple[CampaignId, ...]:
        """Of *campaign_ids*, those whose ids were compared longest ago, never-compared ones first."""
        order = (campaign.c.reconciled_at.is_not(None), campaign.c.reconciled_at, campaign.c.campaign_id)
        with self._database.read() as conn:
            found = conn.execute(
                select(campaign.c.campaign_id)
                .where(campaign.c.campaign_id.in_(list(campaign_ids)))
                .order_by(*order)
                .limit(limit)
            )
            return tuple(found.scalars())

    def pause(self, campaign_id: CampaignId, note: str) -> None:
        """Timers leave the campaign out from now on."""
        self._set(campaign_id, paused=note or "paused")

    def resume(self, campaign_id: CampaignId) -> None:
        """Timers take the campaign again."""
        self._set(campaign_id, paused=None)

    def lock(self, campaign_id: CampaignId, reason: str, rule: str = "") -> None:
        """Lock the campaign out until a person lifts it; runs are refused with *reason*. *rule* names the check."""
        self._set(campaign_id, locked=reason, locked_at=self._database.clock.now(), locked_rule=rule)

    def unlock(self, campaign_id: CampaignId) -> None:
        """Lift the lock-out."""
        self._set(campaign_id, locked=None, locked_at=None, locked_rule=None)

    def land_stats(self, stats: Iterable[CampaignStats]) -> None:
        """The service's own counts; campaigns that the org does not show are left out."""
        now = self._database.clock.now()
        with self._database.write():
            for each in stats:
                self._set(each.campaign_id, stats=STATS.encode(each), stats_at=now)

    def _set(self, campaign_id: CampaignId, **values: Any) -> None:
        with self._database.write() as conn:
            conn.execute(update(campaign).where(campaign.c.campaign_id == campaign_id).values(**values))

    def _set_many(self, campaign_ids: Collection[CampaignId], **values: Any) -> None:
        with self._database.write() as conn:
            for some in chunks(campaign_ids):
                conn.execute(update(campaign).where(campaign.c.campaign_id.in_(some)).values(**values))

    # ------------------------------------------------------------ what has moved

    def touched(self, campaign_ids: Collection[CampaignId] | None = None) -> tuple[CampaignId, ...]:
        """Campaigns whose landed rows may differ from base; in all others nothing can differ."""
        statement = select(campaign.c.campaign_id).where(campaign.c.touched == true())
        with self._database.read() as conn:
            found = [CampaignId(key) for key in conn.execute(statement.order_by(campaign.c.campaign_id)).scalars()]
        if campaign_ids is None:
            return tuple(found)
        asked = set(campaign_ids)
        return tuple(key for key in found if key in asked)

    def recount(self, campaign_id: CampaignId) -> None:
        """Count members anew from the landed rows, and whether any differs from base.

        The counts by status are replaced only where member rows have landed: otherwise the org's list knows more.
        """
        with self._database.write() as conn:
            values = dict(conn.execute(_counts(campaign_id)).one()._mapping)
            values["waiting"] = conn.execute(compare.count_differing(campaign_id)).scalar_one()
            values["touched"] = values["waiting"] > 0
            by_status = {
                label or "": count
                for label, count in conn.execute(
                    select(org_member.c.status, func.count())
                    .where(org_member.c.campaign_id == campaign_id)
                    .group_by(org_member.c.status)
                )
            }
            if by_status:
                values["status_counts"] = COUNTS.encode(by_status)
                values["total"] = sum(by_status.values())
                values["counts_at"] = self._database.clock.now()
            self._set(campaign_id, **values)
            statistics.remember(self._database, conn, campaign_id, self._database.clock.now())


def _counts(campaign_id: CampaignId) -> Any:
    def counted(table: Any, *conditions: Any) -> Any:
        return (
            select(func.count()).select_from(table).where(table.c.campaign_id == campaign_id, *conditions)
        ).scalar_subquery()

    base = base_member.c
    return select(
        counted(service_member, service_member.c.active).label("active"),
        counted(service_member, ~service_member.c.active).label("inactive"),
        counted(base_member, base.status_state == StatusState.REJECTED.value).label("rejected"),
        counted(base_member, or_(base.status_state == StatusState.HELD.value, base.holds.is_not(null()))).label("held"),
        counted(base_member, base.invisible).label("invisible"),
        compare.count_pending(campaign_id).scalar_subquery().label("pending"),
        compare.count_unsynced(campaign_id).scalar_subquery().label("unsynced"),
    )


def _header(each: Campaign, now: datetime) -> dict[str, Any]:
    out: dict[str, Any] = {name: getattr(each, name) for name in _HEADER}
    out["campaign_id"] = each.id
    out["type"] = None if each.type is None else each.type.value
    out["labels"] = LABELS.encode(each.labels)
    out["header_at"] = now
    return out


def record_of(row: Row[Any]) -> CampaignRecord:
    """The record of a row of the table ``campaign``."""
    header = Campaign(
        id=CampaignId(row.campaign_id),
        type=None if row.type is None else CampaignType(row.type),
        labels=LABELS.decode(row.labels),
        **{name: getattr(row, name) for name in _HEADER},
    )
    return CampaignRecord(
        campaign=header,
        status_counts=COUNTS.decode(row.status_counts),
        counts_at=row.counts_at,
        total=row.total,
        active=row.active,
        inactive=row.inactive,
        unsynced=row.unsynced,
        pending=row.pending,
        waiting=row.waiting,
        rejected=row.rejected,
        held=row.held,
        invisible=row.invisible,
        touched=row.touched,
        watermark=row.watermark,
        started=row.started,
        operation=row.operation,
        pushed_digest=row.pushed_digest,
        verified_at=row.verified_at,
        broken_at=row.broken_at,
        differences=row.differences,
        reconciled_at=row.reconciled_at,
        paused=row.paused,
        locked=row.locked,
        locked_at=row.locked_at,
        locked_rule=row.locked_rule,
        stats=None if row.stats is None else STATS.decode(row.stats),
        stats_at=row.stats_at,
        last_run=row.last_run,
        header_at=row.header_at,
        metrics=METRICS.decode(row.metrics),
        metrics_at=row.metrics_at,
    )
