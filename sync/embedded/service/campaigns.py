"""Campaign headers: upsert, validation, and the header with counts and statistics as the API shows it.

Counts come from kept figures (members by status, mails by edition), so a list of 200 campaigns of 10,000 members
costs three small reads. Runs inside a unit of work, or reads on a connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection, func, insert, select, update

from sync.embedded.service import bodies, schema, wire
from sync.embedded.service.instants import zone
from sync.embedded.service.problems import Problem, conflict, invalid
from sync.embedded.service.records import CampaignRow
from sync.embedded.service.work import Work

_PLAIN = ("name", "type", "status", "is_active", "time_zone", "deleted", "statuses", "status_on")
_CLEARED: dict[str, Any] = {"is_active": False, "deleted": False, "time_zone": "UTC"}


def put(work: Work, campaign_id: str, body: bodies.CampaignPut) -> bool:
    """Create or change a campaign; True when it is new. Raises Problem 422, or 409 type_locked."""
    old = work.campaign(campaign_id)
    values = _given(body)
    if old is None:
        missing = [name for name in ("name", "type") if name not in values]
        if missing:
            errors = [{"pointer": f"/{name}", "detail": "a new campaign needs this"} for name in missing]
            raise Problem(422, "invalid", f"A new campaign needs {' and '.join(missing)}.", errors)
        name, kind = values["name"], values["type"]
        fresh = CampaignRow(
            campaign_id, name, kind, None, False, None, None, "UTC", False, [], wire.StatusOn(), 1, work.at
        )  # fmt: skip
        new = msgspec.structs.replace(fresh, **values)
    else:
        new = msgspec.structs.replace(old, **values)
    _check(new)
    if old is None:
        work.conn.execute(insert(schema.campaigns).values(**new.columns()))
    elif new != old:
        _change(work, old, new)
        return False
    work.put_campaign(new)
    return old is None


def _given(body: bodies.CampaignPut) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _PLAIN:
        value = getattr(body, name)
        if value is not UNSET:
            values[name] = _CLEARED.get(name) if value is None else value
    for name in ("start_date", "end_date"):
        value = getattr(body, name)
        if value is not UNSET:
            values[name] = value.isoformat() if isinstance(value, date) else None
    for name, empty in (("statuses", []), ("status_on", wire.StatusOn())):
        if name in values and values[name] is None:
            values[name] = empty
    return values


def _check(campaign: CampaignRow) -> None:
    try:
        zone(campaign.time_zone)
    except ValueError as error:
        raise invalid("/time_zone", str(error)) from error
    if campaign.start_date and campaign.end_date and campaign.end_date < campaign.start_date:
        raise invalid("/end_date", "the end date is before the start date")
    labels = [status.label for status in campaign.statuses]
    if len(set(labels)) != len(labels):
        raise invalid("/statuses", "a status label is there twice")
    if sum(status.is_default for status in campaign.statuses) > 1:
        raise invalid("/statuses", "only one status can be the default")


def _change(work: Work, old: CampaignRow, new: CampaignRow) -> None:
    editions = work.editions_of(old.campaign_id)
    if new.type != old.type and editions:
        raise conflict("type_locked", "The type cannot change: the campaign has editions.")
    new = msgspec.structs.replace(new, version=old.version + 1)
    table = schema.campaigns
    work.conn.execute(update(table).where(table.c.campaign_id == old.campaign_id).values(**new.columns()))
    work.put_campaign(new)
    if (new.start_date, new.end_date) != (old.start_date, old.end_date) and new.type != "scheduled":
        for edition in editions:
            work.republish_edition(edition.edition_id)


def shown(conn: Connection, rows: Iterable[CampaignRow]) -> list[wire.Campaign]:
    """Campaigns with their counts and statistics."""
    wanted = list(rows)
    ids = [row.campaign_id for row in wanted]
    counts: dict[str, list[tuple[str, bool, int]]] = {}
    table = schema.tallies
    query = select(table.c.campaign_id, table.c.status, table.c.active, table.c.n)
    for cid, status, active, n in conn.execute(query.where(table.c.campaign_id.in_(ids), table.c.n > 0)):
        counts.setdefault(cid, []).append((status, active, n))
    sums = _edition_sums(conn, ids)
    return [_shown(row, counts.get(row.campaign_id, []), sums.get(row.campaign_id, (0,) * 8)) for row in wanted]


def _edition_sums(conn: Connection, ids: list[str]) -> dict[str, tuple[int, ...]]:
    e = schema.editions.c
    figures = (e.sent, e.opened, e.clicked, e.completed, e.bounced, e.opted_out, e.complaints)
    query = select(e.campaign_id, func.count(), *(func.sum(figure) for figure in figures))
    rows = conn.execute(query.where(e.campaign_id.in_(ids)).group_by(e.campaign_id))
    return {row[0]: tuple(int(value) for value in row[1:]) for row in rows}


def _shown(row: CampaignRow, counts: list[tuple[str, bool, int]], sums: tuple[int, ...]) -> wire.Campaign:
    editions, sent, opened, clicked, completed, bounced, opted_out, complaints = sums
    members = sum(n for _, _, n in counts)
    active = sum(n for _, is_active, n in counts if is_active)
    by_status: dict[str, int] = {}
    for status, _, n in sorted(counts):
        by_status[status] = by_status.get(status, 0) + n
    header = {name: getattr(row, name) for name in CampaignRow.__struct_fields__}
    return wire.Campaign(
        **header,
        counts=wire.MemberCounts(members, active, members - active),
        by_status=by_status,
        editions=editions,
        stats=wire.CampaignStats(sent, sent - bounced, opened, clicked, completed, bounced, opted_out, complaints),
    )


def page(conn: Connection, after: str | None, limit: int) -> tuple[list[wire.Campaign], str | None]:
    """Campaigns in id order."""
    table = schema.campaigns
    query = select(table).order_by(table.c.campaign_id).limit(limit + 1)
    if after is not None:
        query = query.where(table.c.campaign_id > after)
    rows = [CampaignRow.of(row) for row in conn.execute(query)]
    items = shown(conn, rows[:limit])
    return items, (items[-1].campaign_id if len(rows) > limit else None)
