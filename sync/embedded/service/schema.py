"""The service's tables, in SQLAlchemy Core. Nothing here knows a rule; created by the service itself.

Text that is compared or sorted by the service is ASCII (ids, instants, labels of ours), so that SQLite and
PostgreSQL sort alike; ids get the C collation on PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

_Id = String().with_variant(String(collation="C"), "postgresql")


def _counter(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, default=0)


meta = Table("meta", metadata, Column("key", _Id, primary_key=True), Column("value", Text, nullable=False))

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", _Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", String, nullable=False),
    Column("status", Text),
    Column("is_active", Boolean, nullable=False),
    Column("start_date", String),
    Column("end_date", String),
    Column("time_zone", String, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("statuses", Text, nullable=False),
    Column("status_on", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created", String, nullable=False),
    sqlite_with_rowid=False,
)

tallies = Table(
    "tallies",
    metadata,
    Column("campaign_id", _Id, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("active", Boolean, primary_key=True),
    Column("n", Integer, nullable=False),
    sqlite_with_rowid=False,
)

editions = Table(
    "editions",
    metadata,
    Column("edition_id", _Id, primary_key=True),
    Column("campaign_id", _Id, nullable=False),
    Column("operation", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("role", String, nullable=False),
    Column("name", Text),
    Column("subject", Text),
    Column("html", Text),
    Column("text", Text),
    Column("active", Boolean, nullable=False),
    Column("start_date", String),
    Column("end_date", String),
    Column("days_delay", Integer),
    Column("not_before", Integer),
    Column("not_after", Integer),
    Column("weekdays", String),
    Column("tested_at", String),
    Column("salesforce_id", String),
    Column("activated", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created", String, nullable=False),
    _counter("sent"),
    _counter("opened"),
    _counter("clicked"),
    _counter("completed"),
    _counter("bounced"),
    _counter("opted_out"),
    _counter("complaints"),
    UniqueConstraint("campaign_id", "slot"),
)

members = Table(
    "members",
    metadata,
    Column("campaign_id", _Id, primary_key=True),
    Column("person_id", _Id, primary_key=True),
    Column("member_id", _Id),
    Column("kind", String, nullable=False),
    Column("email", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("status", Text),
    Column("level", Integer),
    Column("reason", String),
    Column("active", Boolean, nullable=False),
    Column("test_member", Boolean, nullable=False),
    Column("opted_out", Boolean, nullable=False),
    Column("hold", Text),
    _counter("opens"),
    _counter("clicks"),
    _counter("completions"),
    _counter("bounces"),
    Column("added_at", String, nullable=False),
    Column("last_activity", String),
    Column("version", Integer, nullable=False),
    # A deleted member stays as a tombstone: history and suppression are found again when it is re-added.
    Column("deleted", Boolean, nullable=False),
    Column("last_sent_at", String),
    Column("last_slot", Integer),
    Column("from_slot", Integer),
    sqlite_with_rowid=False,
)
Index("members_person", members.c.person_id)

suppressions = Table(
    "suppressions",
    metadata,
    Column("person_id", _Id, primary_key=True),
    Column("campaign_id", _Id, primary_key=True),  # "" = everywhere
    Column("kind", String, primary_key=True),  # opt_out, complaint, bounce
    Column("reason", Text),
    Column("email", Text),
    Column("at", String, nullable=False),
    sqlite_with_rowid=False,
)

mails = Table(
    "mails",
    metadata,
    Column("mail_id", _Id, primary_key=True),
    Column("campaign_id", _Id, nullable=False),
    Column("edition_id", _Id, nullable=False),
    Column("person_id", _Id, nullable=False),
    Column("send_id", _Id, nullable=False),
    Column("email", Text, nullable=False),
    Column("state", String, nullable=False),  # intent, sent, unknown
    Column("intent_at", String, nullable=False),
    Column("sent_at", String),
    Column("delivered", Boolean, nullable=False, default=False),
    Column("opened", Boolean, nullable=False, default=False),
    Column("clicked", Boolean, nullable=False, default=False),
    Column("completed", Boolean, nullable=False, default=False),
    Column("bounced", Boolean, nullable=False, default=False),
    Column("opted_out", Boolean, nullable=False, default=False),
    Column("complained", Boolean, nullable=False, default=False),
    # The invariant "no edition twice to one person" is the database's.
    UniqueConstraint("edition_id", "person_id", name="mails_once"),
    sqlite_with_rowid=False,
)
Index("mails_person", mails.c.person_id, mails.c.campaign_id)
Index("mails_send", mails.c.send_id)
Index("mails_open_state", mails.c.state, sqlite_where=mails.c.state != "sent", postgresql_where=mails.c.state != "sent")

test_mails = Table(
    "test_mails",
    metadata,
    Column("mail_id", _Id, primary_key=True),
    Column("campaign_id", _Id, nullable=False),
    Column("edition_id", _Id, nullable=False),
    Column("person_id", _Id, nullable=False),
    Column("email", Text, nullable=False),
    Column("sent_at", String, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("edition_id", _Id, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("click_id", _Id, nullable=False, unique=True),
    Column("campaign_id", _Id, nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("completion", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    Column("edition_id", _Id, primary_key=True),
    Column("date", String, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("history_id", _Id, nullable=False),
    Column("campaign_id", _Id, nullable=False, index=True),
    Column("subject", Text),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

hours = Table(
    "hours",
    metadata,
    Column("hour", String, primary_key=True),  # "2026-11-23T01", UTC
    Column("mails", Integer, nullable=False),
)

sends = Table(
    "sends",
    metadata,
    Column("send_id", _Id, primary_key=True),
    Column("at", String, nullable=False),
    Column("state", String, nullable=False),  # prepared, releasing, released
    Column("expected", Integer, nullable=False),
    Column("prepared", Text, nullable=False),  # the answer of prepare
    Column("created", String, nullable=False),
)

send_items = Table(
    "send_items",
    metadata,
    Column("send_id", _Id, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("campaign_id", _Id, nullable=False),
    Column("edition_id", _Id, nullable=False),
    Column("person_id", _Id, nullable=False),
    Column("outcome", String),  # null until released: sent, unknown, failed, dropped, intent
    Column("detail", Text),
    sqlite_with_rowid=False,
)

test_members = Table(
    "test_members",
    metadata,
    Column("person_id", _Id, primary_key=True),
    Column("kind", String, nullable=False),
    Column("email", Text),
    Column("first_name", Text),
    Column("last_name", Text),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),
    Column("type", String, nullable=False),
    Column("op", String, nullable=False),
    Column("client", Text),
    Column("campaign_id", _Id),
    Column("data", LargeBinary, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("digest", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", String, nullable=False),
)

reactions = Table(
    "reactions",
    metadata,
    Column("due", BigInteger, primary_key=True),  # milliseconds since 1970
    Column("mail_id", _Id, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("choice", Integer, nullable=False),
    sqlite_with_rowid=False,
)
