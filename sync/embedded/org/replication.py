"""``/sobjects/X/updated`` and ``/sobjects/X/deleted``: what changed within a window, and up to when that is certain.

Seconds are ignored, a window is longer than a minute, and ``latestDateCovered`` is held back by open transactions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.describe import is_replicated
from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import ObjectType
from sync.embedded.org.soql_filter import parse_instant
from sync.embedded.org.soql_scope import instant_text, visible

MOST_IDS = 600_000
UPDATED_DAYS, DELETED_DAYS = 30, 15
_DAY, _PURGE_AFTER = 86_400, 2 * 3_600


def _wrong_date(words: str) -> OrgError:
    return OrgError("INVALID_REPLICATION_DATE", words)


def _bound(call: Call, name: str) -> int:
    given = call.query.get(name)
    if not given:
        raise OrgError("MISSING_ARGUMENT", f"The {name} parameter is required")
    try:
        second = parse_instant(given.replace(" ", "+"))
    except ValueError:
        raise _wrong_date(f"{name} is no ISO 8601 instant with its offset: {given}") from None
    return second - second % 60


def _window(org: Org, call: Call, item: ObjectType, days: int) -> tuple[int, int]:
    if not is_replicated(item):
        raise OrgError("INVALID_TYPE_FOR_OPERATION", f"{item.name} is not replicable")
    start, end, now = _bound(call, "start"), _bound(call, "end"), org.seconds()
    if end - start <= 60:
        raise _wrong_date("startDate has to be more than one minute before endDate")
    if start < now - timedelta(days=days).total_seconds() - 60:
        raise _wrong_date(f"startDate cannot be more than {days} days ago")
    return start, end


def _covered(org: Org, end: int) -> str:
    """The safe next start: not after the end, the present, or the stamp of the oldest open transaction."""
    second = min([end, org.seconds(), *org.state.held.values()])
    return instant_text(second - second % 60)


def _few_enough(rows: list[Any]) -> list[Any]:
    if len(rows) > MOST_IDS:
        raise OrgError("EXCEEDED_ID_LIMIT", f"more than {MOST_IDS} ids; ask for a shorter window")
    return rows


def updated(org: Org, call: Call) -> Answer:
    """``GET /sobjects/X/updated?start=…&end=…``. Raises OrgError."""
    item = org.object(call.path[1])
    start, end = _window(org, call, item, UPDATED_DAYS)
    where = ["t.SystemModstamp >= ?", "t.SystemModstamp < ?", "t.IsDeleted = 0", *visible(org.view(), item, "t")]
    sql = f"SELECT t.Id FROM {item.name} t WHERE {' AND '.join(where)} ORDER BY t.Id LIMIT {MOST_IDS + 1}"
    with org.reading(call) as connection:
        found = _few_enough(connection.execute(sql, (start, end)).fetchall())
    encode = encoder(item.prefix)
    return Answer(200, {"ids": [encode(key) for (key,) in found], "latestDateCovered": _covered(org, end)})


def deleted(org: Org, call: Call) -> Answer:
    """``GET /sobjects/X/deleted?start=…&end=…``. Raises OrgError."""
    item = org.object(call.path[1])
    start, end = _window(org, call, item, DELETED_DAYS)
    shown = visible(org.view(), item, "t")
    sql = (
        f"SELECT t.Id, t.SystemModstamp FROM {item.name} t WHERE "
        + " AND ".join(["t.IsDeleted = 1", "t.SystemModstamp >= ?", "t.SystemModstamp < ?", *shown])
        + " UNION SELECT Id, At FROM _gone WHERE Object = ? AND At >= ? AND At < ?"
        + f" ORDER BY 1 LIMIT {MOST_IDS + 1}"
    )
    listed = item.name != "CampaignMember" or org.state.switches.deleted_lists_members
    bound = (start, end, item.name if listed else "", start, end)
    with org.reading(call) as connection:
        earliest = _earliest(org, connection.execute(f"SELECT count(*) FROM {item.name} WHERE IsDeleted = 1"))
        if start < earliest - 60:
            raise _wrong_date("startDate before the earliest date that the delete log holds")
        found = _few_enough(connection.execute(sql, bound).fetchall())
    encode = encoder(item.prefix)
    body = {
        "deletedRecords": [{"id": encode(key), "deletedDate": instant_text(at)} for key, at in found],
        "earliestDateAvailable": instant_text(earliest),
        "latestDateCovered": _covered(org, end),
    }
    return Answer(200, body)


def _earliest(org: Org, counted: Any) -> int:
    """How far the delete log goes back: 15 days, or two hours when it is longer than the org keeps."""
    kept = counted.fetchone()[0] <= org.state.switches.delete_log_rows
    second = org.seconds() - (DELETED_DAYS * _DAY if kept else _PURGE_AFTER)
    return second - second % 60
