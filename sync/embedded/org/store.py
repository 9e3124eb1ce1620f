"""The org's rows in SQLite: tables, indexes and roll-ups derived from the schema; one writer, many readers.

Row keys are integers (see ``ids``), instants are whole seconds since 1970 (the platform's stamps have no finer
resolution), dates are ISO texts. Roll-up counts per campaign, and tallies of its members by status, are kept by
triggers, so that reading them is a look-up.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import Schema
from sync.embedded.org.soql_dates import zoned

FIRST_KEY = 3_650_000
"""Keys start here, so that ids look like those of an org that has lived a while."""

_LEVEL = "ifnull({r}.PAM__Level__c, '')"
_ROLLUPS: tuple[tuple[str, str, bool], ...] = (
    ("Leads", "{r}.LeadId IS NOT NULL", False),
    ("Contacts", "({r}.ContactId IS NOT NULL OR {r}._Converted)", False),
    ("Converted", "({r}.LeadId IS NOT NULL AND {r}._Converted)", False),
    ("Responses", "{r}.HasResponded", False),
    ("Active", "({r}.PAM__Synced__c IS NOT NULL AND {r}.PAM__Active__c)", True),
    ("Opened", f"({_LEVEL} IN ('Opened','Clicked','Completed') OR ifnull({{r}}.PAM__Opens__c, 0) > 0)", True),
    ("Clicked", f"({_LEVEL} IN ('Clicked','Completed') OR ifnull({{r}}.PAM__Clicks__c, 0) > 0)", True),
    ("Completed", f"({_LEVEL} = 'Completed' OR ifnull({{r}}.PAM__Completions__c, 0) > 0)", True),
    ("DeliveredMembers", "({r}.PAM__Level__c IS NOT NULL AND ifnull({r}.PAM__Bounces__c, 0) = 0)", True),
    ("OptOutDirect", "(ifnull({r}.PAM__Reason__c, '') = 'Opt Out Direct')", True),
)

# ``cm_newest`` serves the tallies alone: its condition is written so that no other statement is drawn to it.
_INDEXES = (
    (
        "CREATE INDEX IF NOT EXISTS cm_campaign ON CampaignMember"
        " (CampaignId, Id, IsDeleted, LeadId, ContactId, SystemModstamp)"
    ),
    (
        "CREATE INDEX IF NOT EXISTS cm_newest ON CampaignMember"
        " (CampaignId, LeadId IS NULL, ContactId IS NULL, SystemModstamp) WHERE NOT IsDeleted"
    ),
    "CREATE INDEX IF NOT EXISTS cm_stamp ON CampaignMember (SystemModstamp, CampaignId)",
    "CREATE INDEX IF NOT EXISTS cm_lead ON CampaignMember (LeadId, CampaignId) WHERE LeadId IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS cm_contact ON CampaignMember (ContactId, CampaignId) WHERE ContactId IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS cms_campaign ON CampaignMemberStatus (CampaignId)",
    "CREATE INDEX IF NOT EXISTS lead_stamp ON Lead (SystemModstamp)",
    "CREATE INDEX IF NOT EXISTS lead_email ON Lead (Email)",
    "CREATE INDEX IF NOT EXISTS contact_stamp ON Contact (SystemModstamp)",
    "CREATE INDEX IF NOT EXISTS contact_email ON Contact (Email)",
    "CREATE INDEX IF NOT EXISTS contact_account ON Contact (AccountId)",
)


_GONE = (
    "CREATE TABLE IF NOT EXISTS _gone (Object TEXT NOT NULL, Id INTEGER NOT NULL, At INTEGER NOT NULL, "
    "PRIMARY KEY (Object, Id)) WITHOUT ROWID"
)

_TALLIES = """
CREATE TABLE IF NOT EXISTS _tally (
    CampaignId INTEGER NOT NULL, Status TEXT, LeadId INTEGER, ContactId INTEGER, N INTEGER NOT NULL
)
"""
"""Members that are not deleted, by campaign, status, and whether they have a lead and a contact (1, or NULL)."""

_TALLY_INDEX = "CREATE INDEX IF NOT EXISTS tally_campaign ON _tally (CampaignId)"
_TALLY_FILL = """
INSERT INTO _tally SELECT m.CampaignId, m.Status COLLATE BINARY, nullif(m.LeadId IS NOT NULL, 0),
    nullif(m.ContactId IS NOT NULL, 0), count(*)
FROM CampaignMember m WHERE m.IsDeleted = 0
GROUP BY m.CampaignId, m.Status COLLATE BINARY, m.LeadId IS NOT NULL, m.ContactId IS NOT NULL
"""
_TALLIED = ("CampaignId", "Status", "IsDeleted", "LeadId", "ContactId")


def _tally_statements(row: str, step: str) -> str:
    """SQL of a trigger that counts the row ``NEW`` or ``OLD`` by *step* (+ 1 or - 1)."""
    key = f"{row}.CampaignId, {row}.Status, nullif({row}.LeadId IS NOT NULL, 0), nullif({row}.ContactId IS NOT NULL, 0)"
    same = (
        f"CampaignId = {row}.CampaignId AND Status IS {row}.Status COLLATE BINARY "
        f"AND LeadId IS nullif({row}.LeadId IS NOT NULL, 0) AND ContactId IS nullif({row}.ContactId IS NOT NULL, 0)"
    )
    return (
        f"INSERT INTO _tally SELECT {key}, 0 WHERE {row}.IsDeleted = 0 "
        f"AND NOT EXISTS (SELECT 1 FROM _tally WHERE {same}); "
        f"UPDATE _tally SET N = N {step} WHERE {row}.IsDeleted = 0 AND {same};"
    )


def fold(text: str | None) -> str | None:
    """The text without case, for comparisons beyond ASCII."""
    return text.casefold() if text is not None else None


def _id_text(prefix: str, key: int | None) -> str | None:
    return encoder(prefix)(key) if key is not None else None


class Store:
    """The database file of one org. ``path`` None keeps it in a directory of its own that ``close`` removes."""

    def __init__(self, schema: Schema, path: Path | None = None) -> None:
        self.schema = schema
        self._temporary = Path(tempfile.mkdtemp(prefix="org-")) if path is None else None
        self.path = path if path is not None else self._temporary_file()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._readers: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._all: list[sqlite3.Connection] = []
        fresh = not self.path.exists() or self.path.stat().st_size == 0
        self.writer = self._connect()
        self.writer.execute("PRAGMA cache_size=-128000")
        self.fresh = fresh
        if not fresh:
            self.writer.execute("PRAGMA journal_mode=WAL")
            self.writer.execute(_GONE)
            self._keep_tallies()
        self._next: dict[str, int] = {}
        if fresh:
            self._create_tables()
        self._load_sequences()

    def _temporary_file(self) -> Path:
        assert self._temporary is not None
        return self._temporary / "org.sqlite"

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=400, timeout=30
        )
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-24000")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.create_function("id_text", 2, _id_text, deterministic=True)
        connection.create_function("fold", 1, fold, deterministic=True)
        connection.create_function("zoned", 2, zoned, deterministic=True)
        self._all.append(connection)
        return connection

    def _create_tables(self) -> None:
        run = self.writer.execute
        for item in self.schema.objects:
            columns = []
            for field in item.stored:
                if field.name == "Id":
                    columns.append("Id INTEGER PRIMARY KEY")
                else:
                    tail = " NOT NULL DEFAULT 0" if field.type == "boolean" else ""
                    columns.append(f"{field.name} {field.column_type}{tail}")
            if item.name == "CampaignMember":
                columns.append("_Converted INTEGER NOT NULL DEFAULT 0")
            run(f"CREATE TABLE {item.name} ({', '.join(columns)})")
        counts = ", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name, _, _ in self._rollups())
        run(f"CREATE TABLE _rollup (CampaignId INTEGER PRIMARY KEY, {counts})")
        run("CREATE TABLE _sequence (Object TEXT PRIMARY KEY, Next INTEGER NOT NULL)")
        run(_GONE)
        run("CREATE TABLE _hidden (Object TEXT NOT NULL, Id INTEGER NOT NULL, PRIMARY KEY (Object, Id))")

    def _rollups(self) -> list[tuple[str, str, bool]]:
        return [(n, e, p) if self.schema.package or not p else (n, "0", p) for n, e, p in _ROLLUPS]

    def finish(self) -> None:
        """Index the tables and start the triggers; called once, after the seed data is in (or there is none)."""
        run = self.writer.execute
        with self.writing():
            for statement in _INDEXES:
                run(statement)
            if self.schema.package:
                for name in ("PAM__Email_Edition__c", "PAM__Click_Through__c", "PAM__Email_History__c"):
                    stem = name.removeprefix("PAM__").removesuffix("__c").lower()
                    run(f"CREATE INDEX IF NOT EXISTS {stem}_campaign ON {name} (PAM__Campaign__c)")
                    run(f"CREATE INDEX IF NOT EXISTS {stem}_external ON {name} (PAM__External_Id__c)")
            self._fill_rollups()
            self._create_triggers()
            self._keep_tallies()
            for name, following in self._next.items():
                run("INSERT OR REPLACE INTO _sequence VALUES (?, ?)", (name, following))
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA analysis_limit=1000")
        run("ANALYZE")

    def _fill_rollups(self) -> None:
        names = ", ".join(name for name, _, _ in self._rollups())
        sums = ", ".join(f"total({e.format(r='m')})" for _, e, _ in self._rollups())
        self.writer.execute("DELETE FROM _rollup")
        self.writer.execute(
            f"INSERT INTO _rollup (CampaignId, {names}) SELECT m.CampaignId, {sums} FROM CampaignMember m "
            "WHERE m.IsDeleted = 0 GROUP BY m.CampaignId"
        )
        self.writer.execute("INSERT OR IGNORE INTO _rollup (CampaignId) SELECT Id FROM Campaign")

    def _create_triggers(self) -> None:
        def change(plus: str | None, minus: str | None) -> str:
            parts = []
            for name, expression, _ in self._rollups():
                added = f" + ({expression.format(r=plus)}) * ({plus}.IsDeleted = 0)" if plus else ""
                taken = f" - ({expression.format(r=minus)}) * ({minus}.IsDeleted = 0)" if minus else ""
                parts.append(f"{name} = {name}{added}{taken}")
            return ", ".join(parts)

        run = self.writer.execute
        run(
            "CREATE TRIGGER IF NOT EXISTS campaign_new AFTER INSERT ON Campaign BEGIN "
            "INSERT OR IGNORE INTO _rollup (CampaignId) VALUES (NEW.Id); END"
        )
        for event, plus, minus in (("INSERT", "NEW", None), ("DELETE", None, "OLD"), ("UPDATE", "NEW", "OLD")):
            row = plus or minus
            run(
                f"CREATE TRIGGER IF NOT EXISTS member_{event.lower()} AFTER {event} ON CampaignMember BEGIN "
                f"UPDATE _rollup SET {change(plus, minus)} WHERE CampaignId = {row}.CampaignId; END"
            )

    def _keep_tallies(self) -> None:
        """Fill the tallies, unless they are there, and have triggers keep them."""
        run = self.writer.execute
        if run("SELECT 1 FROM sqlite_master WHERE name = 'tally_campaign'").fetchone():
            return
        run(next(text for text in _INDEXES if "cm_newest" in text))
        run(_TALLIES)
        run("DELETE FROM _tally")
        run(_TALLY_FILL)
        plus, minus = _tally_statements("NEW", "+ 1"), _tally_statements("OLD", "- 1")
        moved = " OR ".join(f"OLD.{name} IS NOT NEW.{name} COLLATE BINARY" for name in _TALLIED)
        for event, body in (
            ("INSERT ON CampaignMember", plus),
            ("DELETE ON CampaignMember", minus),
            (f"UPDATE OF {', '.join(_TALLIED)} ON CampaignMember WHEN {moved}", f"{minus} {plus}"),
        ):
            name = event.partition(" ")[0].lower()
            run(f"CREATE TRIGGER IF NOT EXISTS tally_{name} AFTER {event} BEGIN {body} END")
        # Last, because its being there says that all the rest is.
        run(_TALLY_INDEX)

    def _load_sequences(self) -> None:
        for name, following in self.writer.execute("SELECT Object, Next FROM _sequence"):
            self._next[name] = following

    def take_keys(self, name: str, count: int = 1) -> int:
        """The first of ``count`` new row keys of an object; keys are never given twice. Under the writer's lock."""
        first = self._next.get(name, FIRST_KEY)
        self._next[name] = first + count
        return first

    def was_given(self, name: str, key: int) -> bool:
        """Whether a row of this key ever existed (so that its absence means it was deleted for good)."""
        return FIRST_KEY <= key < self._next.get(name, FIRST_KEY)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The one writer's connection inside a transaction: committed at the end, rolled back on an exception."""
        with self.lock:
            before = dict(self._next)
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield self.writer
                for name, following in self._next.items():
                    if before.get(name) != following:
                        self.writer.execute("INSERT OR REPLACE INTO _sequence VALUES (?, ?)", (name, following))
            except BaseException:
                self.writer.execute("ROLLBACK")
                raise
            self.writer.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A reader's connection with one consistent view of the committed rows."""
        try:
            connection = self._readers.get_nowait()
        except Empty:
            connection = self._connect()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")
            self._readers.put(connection)

    def close(self) -> None:
        """Close every connection and remove a temporary file."""
        with self.lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
