"""Editions, click-throughs and e-mail history: what the service has, and which of it the org has been told.

May import the schema. Each row carries the digest of what landed and the digest of what was written to the org; they
differ while a write is due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, bindparam, or_, select, true, union, update

from sync.codec import Codec
from sync.digest import click_digest, edition_digest, history_digest
from sync.ids import CampaignId, EditionId
from sync.model import Blocked, ClickThrough, Edition, HistoryHour, Statistics
from sync.plan import Subject
from sync.store.database import Database, chunks
from sync.store.schema import click_through, edition, history_hour

_BLOCKED: Codec[tuple[Blocked, ...]] = Codec(tuple[Blocked, ...])
_STATS = ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")
_EDITION = (
    "campaign_id",
    "slot",
    "role",
    "name",
    "subject",
    "active",
    "state",
    "start_date",
    "end_date",
    "days_delay",
    "tested_at",
    "version",
)
_CLICK = ("campaign_id", "edition_id", "url", "hits", "completion")
_HISTORY = ("campaign_id", "edition_id", "subject", "day", "hour", "count")

_TABLES: dict[Subject, tuple[Table, str]] = {
    Subject.EDITION: (edition, "edition_id"),
    Subject.CLICK_THROUGH: (click_through, "click_id"),
    Subject.HISTORY: (history_hour, "history_id"),
}


class Content:
    """What the service publishes beside members. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def land_editions(self, editions: Iterable[Edition]) -> None:
        """Upsert editions. A Salesforce id that is known already outlasts a landing without one."""
        now = self._database.clock.now()
        for chunk in chunks(editions):
            rows = [_edition_row(each, now) for each in {each.id: each for each in chunk}.values()]
            with self._database.write() as conn:
                self._database.many(
                    conn, self._database.upsert(edition, keep=("salesforce_id", "written_digest")), rows
                )
                named = [
                    {"the_id": row["edition_id"], "the_row": row["salesforce_id"]}
                    for row in rows
                    if row["salesforce_id"]
                ]
                self._database.many(conn, _NAME_ROW, named)

    def land_clicks(self, clicks: Iterable[ClickThrough]) -> None:
        """Upsert click-throughs."""
        self._land(click_through, "click_id", _CLICK, clicks, click_digest)

    def land_history(self, hours: Iterable[HistoryHour]) -> None:
        """Upsert hours of e-mail history."""
        self._land(history_hour, "history_id", _HISTORY, hours, history_digest)

    def _land(self, table: Table, key: str, names: Collection[str], values: Iterable[Any], digest: Any) -> None:
        only = (key, *names, "digest")
        for chunk in chunks(values):
            unique = {each.id: each for each in chunk}.values()
            rows = [
                {key: each.id, "digest": digest(each), **{name: getattr(each, name) for name in names}}
                for each in unique
            ]
            with self._database.write() as conn:
                self._database.many(conn, self._database.upsert(table, only=only), rows)

    # ------------------------------------------------------------ reading

    def editions(self, campaign_id: CampaignId) -> tuple[Edition, ...]:
        """Editions of a campaign in slot order."""
        return self._editions(edition.c.campaign_id == campaign_id)

    def edition(self, edition_id: EditionId) -> Edition | None:
        """One edition, None when it never landed."""
        found = self._editions(edition.c.edition_id == edition_id)
        return found[0] if found else None

    def blocked(self) -> tuple[Edition, ...]:
        """Active editions of all campaigns that something keeps from sending."""
        return self._editions((edition.c.active == true()) & (edition.c.blocked_by != "[]"))

    def clicks(self, campaign_id: CampaignId) -> tuple[ClickThrough, ...]:
        """Click-throughs of a campaign, most hits first within an edition."""
        order = (click_through.c.edition_id, click_through.c.hits.desc(), click_through.c.url)
        return tuple(map(_click, self._rows(click_through, click_through.c.campaign_id == campaign_id, order)))

    def history(self, campaign_id: CampaignId) -> tuple[HistoryHour, ...]:
        """E-mail history of a campaign, newest hour first."""
        order = (history_hour.c.day.desc(), history_hour.c.hour.desc(), history_hour.c.history_id)
        return tuple(map(_hour, self._rows(history_hour, history_hour.c.campaign_id == campaign_id, order)))

    def pending_editions(self, campaign_ids: Collection[CampaignId] | None = None) -> tuple[Edition, ...]:
        """Editions whose row in the org is missing or older."""
        return self._editions(_due(edition, campaign_ids))

    def pending_clicks(self, campaign_ids: Collection[CampaignId] | None = None) -> tuple[ClickThrough, ...]:
        """Click-throughs whose row in the org is missing or older."""
        order = (click_through.c.campaign_id, click_through.c.click_id)
        return tuple(map(_click, self._rows(click_through, _due(click_through, campaign_ids), order)))

    def pending_history(self, campaign_ids: Collection[CampaignId] | None = None) -> tuple[HistoryHour, ...]:
        """Hours of history whose row in the org is missing or older."""
        order = (history_hour.c.campaign_id, history_hour.c.history_id)
        return tuple(map(_hour, self._rows(history_hour, _due(history_hour, campaign_ids), order)))

    def campaigns_due(self) -> frozenset[CampaignId]:
        """Campaigns of which an edition, a click-through or an hour of history is missing or older in the org."""
        due = [select(table.c.campaign_id).where(_due(table, None)) for table in (edition, click_through, history_hour)]
        with self._database.read() as conn:
            return frozenset(map(CampaignId, conn.execute(union(*due)).scalars()))

    def _editions(self, condition: Any) -> tuple[Edition, ...]:
        order = (edition.c.campaign_id, edition.c.slot, edition.c.edition_id)
        return tuple(map(_edition, self._rows(edition, condition, order)))

    def _rows(self, table: Table, condition: Any, order: Collection[Any]) -> list[Row[Any]]:
        with self._database.read() as conn:
            return list(conn.execute(select(table).where(condition).order_by(*order)))

    # ------------------------------------------------------------ written

    def mark_written(self, kind: Subject, written: Mapping[str, tuple[str | None, str]]) -> None:
        """Note what the org has: id → (Salesforce id or None, digest of the value that was written).

        A value that landed since has another digest and stays due.
        """
        table, key = _TABLES[kind]
        base = update(table).where(table.c[key] == bindparam("the_id"))
        with self._database.write() as conn:
            plain = [{"the_id": one, "the_digest": digest} for one, (_, digest) in written.items()]
            self._database.many(conn, base.values(written_digest=bindparam("the_digest")), plain)
            named = [{"the_id": one, "the_row": row} for one, (row, _) in written.items() if row]
            self._database.many(conn, base.values(salesforce_id=bindparam("the_row")), named)

    def salesforce_ids(self, kind: Subject, ids: Collection[str]) -> dict[str, str]:
        """Salesforce ids of rows that have one."""
        table, key = _TABLES[kind]
        out: dict[str, str] = {}
        with self._database.read() as conn:
            for some in chunks(ids):
                found = conn.execute(
                    select(table.c[key], table.c.salesforce_id).where(
                        table.c[key].in_(some), table.c.salesforce_id.is_not(None)
                    )
                )
                out.update((str(one), str(row)) for one, row in found)
        return out


_NAME_ROW = (
    update(edition).where(edition.c.edition_id == bindparam("the_id")).values(salesforce_id=bindparam("the_row"))
)


def _due(table: Table, campaign_ids: Collection[CampaignId] | None) -> Any:
    due = or_(table.c.written_digest.is_(None), table.c.written_digest != table.c.digest)
    return due if campaign_ids is None else due & table.c.campaign_id.in_(list(campaign_ids))


def _edition_row(each: Edition, now: datetime) -> dict[str, Any]:
    out: dict[str, Any] = {name: getattr(each, name) for name in _EDITION}
    out.update({name: getattr(each.stats, name) for name in _STATS})
    out["edition_id"] = each.id
    out["blocked_by"] = _BLOCKED.encode(each.blocked_by)
    out["salesforce_id"] = each.salesforce_id
    out["digest"] = edition_digest(each)
    out["written_digest"] = None
    out["read_at"] = now
    return out


def _edition(row: Row[Any]) -> Edition:
    return Edition(
        id=EditionId(row.edition_id),
        blocked_by=_BLOCKED.decode(row.blocked_by),
        salesforce_id=row.salesforce_id,
        stats=Statistics(**{name: getattr(row, name) for name in _STATS}),
        **{name: getattr(row, name) for name in _EDITION},
    )


def _click(row: Row[Any]) -> ClickThrough:
    return ClickThrough(id=row.click_id, **{name: row._mapping[name] for name in _CLICK})


def _hour(row: Row[Any]) -> HistoryHour:
    return HistoryHour(id=row.history_id, **{name: row._mapping[name] for name in _HISTORY})
