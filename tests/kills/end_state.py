"""What a case left behind, read from the files of both sides and of the engine by plain SQL, in a form to compare.

Left out is what may differ between two ways to the same end: stamps, ids that are drawn, the engine's journal.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.house.sides import ORG_FILE, SERVICE_FILE, STATE_FILE, deliveries

State = dict[str, dict[str, Any]]

_STAMPS = {"CreatedDate", "LastModifiedDate", "SystemModstamp", "LastModifiedById", "CreatedById", "LastActivityDate"}
_ORG_TABLES = {
    "Campaign": "Id",
    "CampaignMember": "Id",
    "CampaignMemberStatus": "Id",
    "Lead": "Id",
    "Contact": "Id",
    "PAM__Email_Edition__c": "PAM__External_Id__c",
    "PAM__Click_Through__c": "PAM__External_Id__c",
    "PAM__Email_History__c": "PAM__External_Id__c",
}
_DRAWN = {"PAM__Email_Edition__c": {"Id", "Name"}, "PAM__Click_Through__c": {"Id", "Name", "PAM__Email_Edition__c"}}
_DRAWN["PAM__Email_History__c"] = _DRAWN["PAM__Click_Through__c"]
_SERVICE_TABLES = {
    "campaigns": ("campaign_id",),
    "editions": ("campaign_id", "slot"),
    "members": ("campaign_id", "person_id"),
    "suppressions": ("person_id", "campaign_id", "kind"),
    "mails": ("edition_id", "person_id"),
    "links": ("edition_id", "n"),
    "history": ("edition_id", "date", "hour"),
    "test_members": ("person_id",),
}
_SERVICE_DRAWN = {"editions": {"operation", "salesforce_id"}, "mails": {"mail_id", "send_id"}}
_DRAWN_ID = re.compile(r"[0-9a-f]{16}")


def _rows(connection: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    connection.row_factory = sqlite3.Row
    return [dict(row) for row in connection.execute(query)]


def watch_writes(folder: Path) -> None:
    """Let the org's file count the writes of each row from now on, and those that changed nothing but stamps."""
    with closing(sqlite3.connect(folder / ORG_FILE, isolation_level=None)) as org:
        org.execute("CREATE TABLE _writes (what TEXT, row INTEGER, empty INTEGER)")
        for table in _ORG_TABLES:
            names = [row[1] for row in org.execute(f"PRAGMA table_info({table})") if row[1] not in _STAMPS]
            same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in names)
            for event, row, empty in (("INSERT", "NEW", "0"), ("DELETE", "OLD", "0"), ("UPDATE", "NEW", same)):
                org.execute(
                    f"CREATE TRIGGER _count_{table}_{event} AFTER {event} ON {table} BEGIN "
                    f"INSERT INTO _writes VALUES ('{event} {table}', {row}.Id, {empty}); END"
                )


def read(folder: Path) -> State:
    """Everything that has to be the same however often the process was killed."""
    found: State = {}
    with closing(sqlite3.connect(folder / SERVICE_FILE)) as service:
        slots = _slots(service)
        _service(service, slots, found)
    with closing(sqlite3.connect(folder / ORG_FILE)) as org:
        _org(org, slots, found)
    with closing(sqlite3.connect(folder / STATE_FILE)) as state:
        _engine(state, found)
    found["mails handed over more than once"] = {mail: n for mail, n in Counter(deliveries(folder)).items() if n > 1}
    outbox = folder / "outbox"
    found["outbox"] = {"mails": len(list(outbox.iterdir())) if outbox.exists() else 0}
    return found


def _slots(service: sqlite3.Connection) -> dict[str, str]:
    """The drawn part of an edition's id, to campaign and slot."""
    query = "SELECT edition_id, campaign_id, slot FROM editions"
    return {str(row[0]).removeprefix("ed_"): f"{row[1]}/{row[2]}" for row in service.execute(query)}


def _plain(value: Any, slots: dict[str, str]) -> Any:
    """A value in which editions are called by campaign and slot."""
    if isinstance(value, str):
        return _DRAWN_ID.sub(lambda match: slots.get(match[0], match[0]), value)
    return value


def _org(org: sqlite3.Connection, slots: dict[str, str], found: State) -> None:
    for table, key in _ORG_TABLES.items():
        left_out = _STAMPS | _DRAWN.get(table, set())
        part: dict[str, Any] = {}
        for at, row in enumerate(_rows(org, f"SELECT * FROM {table} ORDER BY Id")):
            name = str(_plain(row[key], slots))
            # The same external id twice would be the same edition twice: both must show.
            name = name if name not in part else f"{name} again, {at}"
            part[name] = {column: _plain(value, slots) for column, value in row.items() if column not in left_out}
        found[f"org {table}"] = part
    tables = {row[0] for row in org.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "_writes" in tables:
        # A keyed row of statistics that is sent again with the same values is the same row; a member or a person that
        # is written again was not read before it was repeated.
        counted = org.execute("SELECT what, row, count(*), sum(empty) FROM _writes GROUP BY what, row").fetchall()
        times = {f"{what} {row}": n - empty if "PAM__" in what else n for what, row, n, empty in counted}
        found["org writes"] = {what: n for what, n in times.items() if n}


def _service(service: sqlite3.Connection, slots: dict[str, str], found: State) -> None:
    for table, keys in _SERVICE_TABLES.items():
        left_out = _SERVICE_DRAWN.get(table, set())
        part: dict[str, Any] = {}
        for row in _rows(service, f"SELECT * FROM {table}"):
            name = " ".join(str(_plain(row[key], slots)) for key in keys)
            assert name not in part, f"two rows {name} in {table}"
            part[name] = {column: _plain(value, slots) for column, value in row.items() if column not in left_out}
            if table == "editions":
                part[name]["known to the org"] = row["salesforce_id"] is not None
        found[f"service {table}"] = part


def _engine(state: sqlite3.Connection, found: State) -> None:
    base = _rows(state, "SELECT * FROM base_member")
    drawn = {"org_digest", "service_digest", "updated", "synced"}
    found["agreed"] = {
        f"{row['campaign_id']} {row['person_id']}": {k: v for k, v in row.items() if k not in drawn} for row in base
    }
    found["in step"] = {
        f"{row['campaign_id']} {row['person_id']}": [bool(row["org_digest"]), bool(row["service_digest"])]
        for row in base
    }
    found["campaigns"] = {
        row["campaign_id"]: {name: row[name] for name in ("started", "operation", "pushed_digest") if name in row}
        for row in _rows(state, "SELECT * FROM campaign")
    }
    found["open intents"] = {"count": state.execute("SELECT count(*) FROM batch WHERE state = 'open'").fetchone()[0]}
    alive = "SELECT count(*) FROM run WHERE state = 'running'"
    found["live runs"] = {"count": state.execute(alive).fetchone()[0]}


def ended(folder: Path) -> bool:
    """True when the newest run that belongs to no other says that it is over."""
    with closing(sqlite3.connect(folder / STATE_FILE)) as state:
        row = state.execute("SELECT state FROM run WHERE parent IS NULL ORDER BY started DESC, rowid DESC").fetchone()
    return row is not None and row[0] != "running"


def differences(wanted: State, found: State) -> list[str]:
    """Where two states are not the same, a line each."""
    lines: list[str] = []
    for section in sorted(wanted.keys() | found.keys()):
        one, two = wanted.get(section, {}), found.get(section, {})
        moved = [key for key in sorted(one.keys() | two.keys()) if one.get(key) != two.get(key)]
        lines += (f"{section} {key}: {_shown(one.get(key), two.get(key))}" for key in moved)
    return lines


def _shown(wanted: Any, found: Any) -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        moved = {name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)}
        return ", ".join(f"{name} {found.get(name)!r} instead of {wanted.get(name)!r}" for name in sorted(moved))
    return f"{json.dumps(found, default=str)[:200]} instead of {json.dumps(wanted, default=str)[:200]}"
