"""The tables. What they hold and why each index is there; the same on SQLite and PostgreSQL.

Imports SQLAlchemy only. A change here needs a new revision under ``migrations/versions``; a test compares the two.
Rows of members are landed in bulk, so they carry no foreign keys; what belongs to a run or a plan goes with it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.sql.schema import SchemaItem

from sync.store.types import KEY, Instant

metadata = MetaData()


def _flag(name: str, *, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("true" if default else "false"))


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _person() -> list[SchemaItem]:
    return [
        Column("first_name", Text),
        Column("last_name", Text),
        Column("email", Text),
    ]


def _decided() -> list[SchemaItem]:
    """What the service decides about a member."""
    return [
        Column("level", Text),
        Column("reason", Text),
        _flag("active"),
        _count("opens"),
        _count("clicks"),
        _count("completions"),
        _count("bounces"),
    ]


campaign = Table(
    "campaign",
    metadata,
    Column("campaign_id", KEY, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", Text),
    Column("type_label", Text),
    _flag("is_active"),
    Column("status", Text),
    Column("start_date", Date),
    Column("end_date", Date),
    _flag("auto_sync"),
    _count("number_of_leads"),
    _count("number_of_contacts"),
    _count("number_of_converted"),
    Column("owner", Text),
    Column("created", Instant),
    Column("stamp", Instant),
    _flag("is_deleted"),
    Column("labels", Text, nullable=False, server_default="[]"),
    Column("header_at", Instant),
    # what was counted, when last read or after the last run
    Column("status_counts", Text, nullable=False, server_default="{}"),
    Column("counts_at", Instant),
    _count("total"),
    _count("active"),
    _count("inactive"),
    _count("unsynced"),
    _count("pending"),
    _count("waiting"),
    _count("rejected"),
    _count("held"),
    _count("invisible"),
    _flag("touched"),
    # progress and marks
    Column("watermark", Instant),
    _flag("started"),
    Column("operation", Text),
    Column("pushed_digest", Text),
    Column("verified_at", Instant),
    Column("reconciled_at", Instant),
    Column("paused", Text),
    Column("locked", Text),
    Column("locked_at", Instant),
    Column("stats", Text),
    Column("stats_at", Instant),
    Column("last_run", KEY),
    # the figures that the org derives itself, and when they were read
    Column("metrics", Text, nullable=False, server_default="{}"),
    Column("metrics_at", Instant),
    # a broken seal: when the sides were last found different, and in how many fields
    Column("broken_at", Instant),
    _count("differences"),
    # which check locked the campaign
    Column("locked_rule", Text),
)

# What the editions of a campaign had come to by the end of an hour: whole values, kept only where they changed.
statistic_hour = Table(
    "statistic_hour",
    metadata,
    Column("campaign_id", KEY, primary_key=True),
    Column("hour", Instant, primary_key=True),
    _count("sent"),
    _count("delivered"),
    _count("opened"),
    _count("clicked"),
    _count("completed"),
    _count("bounced"),
    _count("opted_out"),
)

org_member = Table(
    "org_member",
    metadata,
    Column("campaign_id", KEY, primary_key=True),
    Column("member_id", KEY, primary_key=True),
    Column("person_id", KEY, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lead_id", KEY),
    Column("contact_id", KEY),
    *_person(),
    _flag("opted_out"),
    Column("status", Text),
    _flag("test_member"),
    Column("synced", Instant),
    *_decided(),
    Column("created", Instant),
    Column("stamp", Instant),
    Column("digest", Text, nullable=False),
    _flag("is_primary", default=True),
    Column("search", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("seen_run", KEY),
    # holds all that the comparison looks at, so that unchanged members cost one look into an index
    Index("org_member_compare", "campaign_id", "person_id", "is_primary", "digest"),
    sqlite_with_rowid=False,
)

service_member = Table(
    "service_member",
    metadata,
    Column("campaign_id", KEY, primary_key=True),
    Column("person_id", KEY, primary_key=True),
    Column("member_id", KEY),
    Column("kind", Text, nullable=False),
    *_person(),
    Column("status", Text),
    *_decided(),
    _flag("test_member"),
    _flag("opted_out"),
    Column("hold", Text),
    Column("last_activity", Instant),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("digest", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("snapshot", Text),
    Index("service_member_compare", "campaign_id", "person_id", "digest"),
    sqlite_with_rowid=False,
)

base_member = Table(
    "base_member",
    metadata,
    Column("campaign_id", KEY, primary_key=True),
    Column("person_id", KEY, primary_key=True),
    Column("member_id", KEY),
    Column("org_digest", Text, nullable=False),
    Column("service_digest", Text, nullable=False),
    Column("status", Text),
    Column("org_status", Text),
    Column("service_status", Text),
    Column("status_state", Text, nullable=False),
    *_person(),
    _flag("opted_out"),
    _flag("test_member"),
    Column("synced", Instant),
    *_decided(),
    _flag("invisible"),
    Column("note", Text),
    # fields that an undo restored, each with the owner's value that contradicts it; NULL for none
    Column("holds", Text),
    Index("base_member_compare", "campaign_id", "person_id", "org_digest", "service_digest"),
    sqlite_with_rowid=False,
)

# Ids of member rows as a read of all of them brings them, until its conclusions are drawn.
id_read = Table(
    "id_read",
    metadata,
    Column("campaign_id", KEY, primary_key=True),
    Column("member_id", KEY, primary_key=True),
    Column("person_id", KEY, nullable=False),
    Index("id_read_of_person", "campaign_id", "person_id"),
    sqlite_with_rowid=False,
)

edition = Table(
    "edition",
    metadata,
    Column("edition_id", KEY, primary_key=True),
    Column("campaign_id", KEY, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("subject", Text),
    _flag("active"),
    Column("state", Text, nullable=False),
    Column("blocked_by", Text, nullable=False, server_default="[]"),
    Column("start_date", Date),
    Column("end_date", Date),
    Column("days_delay", Integer),
    Column("tested_at", Instant),
    Column("salesforce_id", KEY),
    _count("sent"),
    _count("delivered"),
    _count("opened"),
    _count("clicked"),
    _count("completed"),
    _count("bounced"),
    _count("opted_out"),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("digest", Text, nullable=False),
    Column("written_digest", Text),
    Column("read_at", Instant, nullable=False),
    Index("edition_of_campaign", "campaign_id", "slot"),
)

click_through = Table(
    "click_through",
    metadata,
    Column("click_id", KEY, primary_key=True),
    Column("campaign_id", KEY, nullable=False),
    Column("edition_id", KEY, nullable=False),
    Column("url", Text, nullable=False),
    _count("hits"),
    _flag("completion"),
    Column("salesforce_id", KEY),
    Column("digest", Text, nullable=False),
    Column("written_digest", Text),
    Index("click_through_of_campaign", "campaign_id", "edition_id"),
)

history_hour = Table(
    "history_hour",
    metadata,
    Column("history_id", KEY, primary_key=True),
    Column("campaign_id", KEY, nullable=False),
    Column("edition_id", KEY, nullable=False),
    Column("subject", Text),
    Column("day", Date, nullable=False),
    Column("hour", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("salesforce_id", KEY),
    Column("digest", Text, nullable=False),
    Column("written_digest", Text),
    Index("history_hour_of_campaign", "campaign_id", "day", "hour"),
)

person_optout = Table(
    "person_optout",
    metadata,
    Column("person_id", KEY, primary_key=True),
    _flag("service_out"),
    Column("service_at", Instant),
    _flag("org_out"),
    Column("org_at", Instant),
    # ticked in the org as far as we know; pushed to the service as far as we know
    _flag("ticked"),
    _flag("pushed"),
    Index(
        "person_optout_to_tick",
        "person_id",
        sqlite_where=text("service_out AND NOT ticked"),
        postgresql_where=text("service_out AND NOT ticked"),
    ),
    Index(
        "person_optout_to_push",
        "person_id",
        sqlite_where=text("org_out AND NOT pushed"),
        postgresql_where=text("org_out AND NOT pushed"),
    ),
)

test_person = Table(
    "test_person",
    metadata,
    Column("person_id", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    *_person(),
)

run = Table(
    "run",
    metadata,
    Column("run_id", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("campaign_id", KEY),
    Column("campaign_name", Text),
    Column("parent", KEY),
    _flag("simulated"),
    # what the run has to itself while it lives: a campaign's id, or "batch"; NULL for runs that write nothing
    Column("claim", KEY),
    Column("owner", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("counts", Text, nullable=False, server_default="{}"),
    _count("salesforce_calls"),
    _count("predictive_calls"),
    _count("predicted_salesforce"),
    _count("predicted_predictive"),
    _count("reserved"),
    _flag("cancel_wanted"),
    Column("plan_id", KEY),
    Column("error", Text),
    _flag("pause_wanted"),
    Column("paused_at", Instant),
    # the run that this one undid
    Column("undoes", KEY),
    # the promise "one live run a campaign, one live batch an org" is the database's, not the program's
    Index(
        "run_one_live",
        "claim",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index("run_by_time", "started"),
    Index("run_by_campaign", "campaign_id", "started"),
    Index("run_by_parent", "parent"),
    Index(
        "run_by_undone",
        "undoes",
        sqlite_where=text("undoes IS NOT NULL"),
        postgresql_where=text("undoes IS NOT NULL"),
    ),
)

batch = Table(
    "batch",
    metadata,
    Column("run_id", KEY, ForeignKey("run.run_id", ondelete="CASCADE"), primary_key=True),
    Column("batch_no", Integer, primary_key=True),
    Column("side", Text, nullable=False),
    Column("campaign_id", KEY),
    Column("key", Text),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("intent_at", Instant, nullable=False),
    Column("outcome_at", Instant),
    Index("batch_open", "run_id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
)

row_journal = Table(
    "row_journal",
    metadata,
    Column("run_id", KEY, ForeignKey("run.run_id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("batch_no", Integer),
    Column("side", Text, nullable=False),
    Column("campaign_id", KEY, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", KEY, nullable=False),
    Column("member_id", KEY),
    Column("label", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("data", Text, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("remedy", Text, nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    # why it was written, and the rule that decided
    Column("reason", Text, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default=""),
    Index("row_journal_of_subject", "campaign_id", "subject_id"),
    Index(
        "row_journal_unknown",
        "campaign_id",
        sqlite_where=text("state = 'unknown'"),
        postgresql_where=text("state = 'unknown'"),
    ),
    Index(
        "row_journal_failed",
        "run_id",
        "seq",
        sqlite_where=text("state <> 'written'"),
        postgresql_where=text("state <> 'written'"),
    ),
)

event = Table(
    "event",
    metadata,
    Column("run_id", KEY, ForeignKey("run.run_id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("body", Text, nullable=False),
)

call = Table(
    "call",
    metadata,
    Column("call_id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("side", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer),
    Column("seconds", Float, nullable=False),
    _flag("counted"),
    Column("run_id", KEY, nullable=False),
    Column("campaign_id", KEY, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("resource", Text, nullable=False),
    # the org's own meter, where the answer told it
    Column("used", Integer),
    Column("allowed", Integer),
    Index("call_by_time", "at"),
    Index("call_by_run", "run_id"),
)

plan = Table(
    "plan",
    metadata,
    Column("plan_id", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("kept_at", Instant, nullable=False),
    Column("header", Text, nullable=False),
    Column("applied_by", KEY),
    Column("applied_at", Instant),
    Index("plan_by_time", "kept_at"),
)

plan_row = Table(
    "plan_row",
    metadata,
    Column("plan_id", KEY, ForeignKey("plan.plan_id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("side", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("campaign_id", KEY, nullable=False),
    _flag("accepted", default=True),
    Column("search", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("plan_row_by_change", "plan_id", "side", "change", "seq"),
    Index("plan_row_by_campaign", "plan_id", "campaign_id", "seq"),
    Index(
        "plan_row_rejected", "plan_id", "seq", sqlite_where=text("NOT accepted"), postgresql_where=text("NOT accepted")
    ),
    sqlite_with_rowid=False,
)

tick = Table(
    "tick",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("due", Instant, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("run_id", KEY),
    # how often it was begun: the firing of a process that died is taken over
    Column("tries", Integer, nullable=False, server_default=text("1")),
)

worker = Table(
    "worker",
    metadata,
    Column("owner", KEY, primary_key=True),
    Column("started", Instant, nullable=False),
    # it lives at least until then; its runs' leases say so as well
    Column("seen_until", Instant, nullable=False),
)

queued = Table(
    "queued",
    metadata,
    Column("job_id", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("campaigns", Text, nullable=False),
    Column("choice", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    # who has it in hand, NULL while it waits
    Column("owner", Text),
    Column("claimed_at", Instant),
    _count("tries"),
    Column("finished_at", Instant),
    Column("run_id", KEY),
    Column("error", Text),
    Index(
        "queued_open",
        "asked_at",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
)

fact = Table(
    "fact",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
