"""The database itself, and what the state knows of campaigns, content, people and members for lists."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from sync.clock import ControlledClock
from sync.digest import click_digest, edition_digest, history_digest
from sync.errors import ConfigError, FatalError
from sync.ids import CampaignId
from sync.model import ClickThrough, HistoryHour, PersonKind, PersonOptOut, RunKind, RunState, Statistics
from sync.model import TestPerson as GlobalTester
from sync.plan import PlanCounts, Subject
from sync.ports import CampaignStats
from sync.store import compare, migrate
from sync.store.migrations.versions import v0001_first
from sync.store.rows import ORG_COLUMNS, org_row
from sync.store.schema import metadata
from sync.store.store import Store, open_store
from sync.store.types import KEY
from tests.store.databases import shared
from tests.store.made import AT, C1, C2, TODAY, base, campaign, edition, member_id, org, person_id, service

# ---------------------------------------------------------------- the database


def shape(conn: Connection) -> list[tuple[object, ...]]:
    """Every column with type, null, default and key, and the text of every index; the order of columns is left out,
    because a column that came later stands last."""
    if conn.dialect.name == "postgresql":
        return _shape_there(conn)
    out: list[tuple[object, ...]] = []
    for name in sorted(metadata.tables):
        out += sorted((name, *row[1:]) for row in conn.exec_driver_sql(f"PRAGMA table_xinfo({name})"))
    indexes = text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name")
    return out + [tuple(row) for row in conn.execute(indexes)]


_COLUMNS = text(
    "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, is_identity, "
    "generation_expression FROM information_schema.columns WHERE table_schema = 'public' "
    "ORDER BY table_name, column_name"
)
_INDEXES = text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname")
_CONSTRAINTS = text(
    "SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2, 3"
)


def _shape_there(conn: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for asked in (_COLUMNS, _INDEXES, _CONSTRAINTS) for row in conn.execute(asked)]


@pytest.fixture
def new_one(bare_place: str) -> Iterator[Store]:
    """A state of the same kind beside it, as the program makes it anew."""
    kind = "sqlite" if bare_place.startswith("sqlite") else "postgresql"
    with shared(kind, bare=True) as url, open_store(url) as made:
        yield made


def test_a_migrated_database_equals_a_new_one(bare_place: str, new_one: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    old = create_engine(bare_place)
    with old.begin() as conn:
        v0001_first.create(conn)
        migrate.stamp(conn, migrate.FIRST)
    old.dispose()
    with (
        open_store(bare_place) as migrated,
        migrated.database.read() as conn,
        new_one.database.read() as wanted,
    ):
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert shape(conn) == shape(wanted)
        assert migrated.campaigns.all() == ()
        assert migrated.revisions == (migrate.FIRST, migrate.HEAD)
        assert new_one.revisions == (None, migrate.HEAD)


def test_the_newest_revision_is_the_one_the_program_asks_for() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert script.get_heads() == [migrate.HEAD]
    assert script.get_base() == migrate.FIRST == v0001_first.revision


def test_alembic_runs_the_first_revision_too(bare_place: str, new_one: Store) -> None:
    """An empty database that Alembic alone fills equals a new one."""
    with open_store(bare_place) as store:
        with store.database.write() as conn:
            metadata.drop_all(conn)
            conn.execute(text("DELETE FROM alembic_version"))
            migrate._run_later_revisions(conn, store.database)
        with store.database.read() as conn, new_one.database.read() as wanted:
            assert shape(conn) == shape(wanted)
        assert store.campaigns.all() == ()


def test_state_of_a_newer_program_is_left_alone(bare_place: str) -> None:
    with open_store(bare_place) as store, store.database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FatalError, match="newer program"):
        open_store(bare_place)


def test_opening_imports_no_alembic() -> None:
    code = (
        "import sys\nfrom sync.store.store import open_store\n"
        "open_store('sqlite://').close()\nassert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_naming_the_package_imports_no_database() -> None:
    code = "import sys, sync.store\nassert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("url", "said"),
    [("mysql://u:hush@h/d", "mysql"), ("nonsense://", "state_url"), ("/proc/nowhere/state.db", "cannot be opened")],
)
def test_a_state_that_cannot_be_opened_is_a_configuration_error(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_store(url)
    assert "hush" not in caught.value.line()


@pytest.mark.parametrize("url", ["postgresql://me@h/d", "postgres://me@h/d", "postgresql+psycopg://me@h/d"])
def test_postgresql_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    with pytest.raises(ConfigError, match="extra fleet") as caught:
        open_store(url)
    assert "predictive-console[fleet]" in caught.value.remedy


def test_the_tables_and_the_comparison_are_valid_on_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE" in str(CreateIndex(index).compile(dialect=dialect))
    for statement in compare.differing_keys(C1):
        sql = str(statement.compile(dialect=dialect))
        assert "EXCEPT" in sql
        assert "ORDER BY person_id" in sql


def test_ids_sort_byte_by_byte_on_both_databases(store: Store) -> None:
    """Where a language's rules sorted, a page of ids would continue at another place than the comparison expects."""
    made = [
        f"701{tail}AAA" for tail in ("00000000000B", "00000000000a", "0000000000_1", "0000000000Z1", "0000000000z1")
    ]
    one = campaign(1)
    store.campaigns.land([replace(one, id=CampaignId(key), name=key) for key in made])
    with store.database.read() as conn:
        column = metadata.tables["campaign"].c.campaign_id
        listed = list(conn.execute(select(column).where(column.in_(made)).order_by(column)).scalars())
        after = list(conn.execute(select(column).where(column > made[0], column.in_(made)).order_by(column)).scalars())
    assert listed == sorted(made)
    assert after == sorted(key for key in made if key > made[0])
    if store.database.is_sqlite:
        return
    # The server may stand in a locale that sorts so anyway; the columns must say it themselves.
    keys = {(table.name, column.name) for table in metadata.sorted_tables for column in table.c if column.type is KEY}
    with store.database.read() as conn:
        bytewise = text(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND collation_name = 'C'"
        )
        assert {tuple(row) for row in conn.execute(bytewise)} == keys


def test_of_rows_that_land_twice_at_once_the_last_one_holds(store: Store) -> None:
    rows = [org(1, email="a@x.org"), org(2), org(1, email="b@x.org")]
    values = [org_row(row, primary=True, at=0, run=None) for row in rows]
    with store.database.write() as conn:
        store.database.bulk(conn, metadata.tables["org_member"], ORG_COLUMNS, values)
    with store.database.read() as conn:
        column = metadata.tables["org_member"].c.email
        assert sorted(conn.execute(select(column)).scalars()) == sorted(["b@x.org", rows[1].email])


def test_transactions_join_and_roll_back_together(store: Store) -> None:
    def fails() -> None:
        with store.transaction():
            store.facts.set("a", "1")
            with store.transaction():
                store.campaigns.set_started(C1)
            assert store.facts.get("a") == "1"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert store.facts.get("a") is None
    assert not store.campaigns.get(C1).started  # type: ignore[union-attr]


def test_writers_of_many_threads_queue(store: Store) -> None:
    def work(number: int) -> None:
        for step in range(10):
            with store.database.write() as conn:
                store.database.one_at_a_time(conn, "count")
                known = int(store.facts.get("count") or 0)
                store.facts.set("count", str(known + 1))
                store.facts.set(f"{number}.{step}", "x")

    crowd = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert store.facts.get("count") == "40"


def test_errors_of_the_database_name_nobody(store: Store) -> None:
    broken = org(1, email="hush@example.com", opens=object())
    with pytest.raises(Exception, match="type") as caught:
        store.members.land_org([broken])
    assert "hush" not in str(caught.value)


# ---------------------------------------------------------------- campaigns


def test_headers_come_back_and_marks_outlast_a_new_reading(store: Store) -> None:
    store.campaigns.set_started(C1)
    store.campaigns.set_watermarks({C1: AT})
    store.campaigns.pause(C1, "holiday")
    store.campaigns.set_operation(C1, "op")
    renamed = campaign(1, name="Ångström", is_deleted=True, type=None, type_label="Webinar", labels=())
    store.campaigns.land([renamed], counts={C1: {"Sent": 3, "Responded": 1}})
    record = store.campaigns.get(C1)
    assert record is not None
    assert record.campaign == renamed
    assert (record.started, record.watermark, record.paused, record.operation) == (True, AT, "holiday", "op")
    assert (record.status_counts, record.total) == ({"Sent": 3, "Responded": 1}, 4)
    assert [each.campaign.id for each in store.campaigns.all()] == [C1, C2]
    assert store.campaigns.named("Ångström") == (renamed,)
    store.campaigns.land([renamed], counts={})
    assert store.campaigns.get(C1).total == 0  # type: ignore[union-attr]


def test_those_reconciled_longest_ago_come_first(store: Store) -> None:
    store.campaigns.land([campaign(3)])
    store.campaigns.set_reconciled([C1], AT)
    store.campaigns.set_reconciled([C2], AT - timedelta(1))
    every = [C1, C2, campaign(3).id]
    assert store.campaigns.reconciled_longest_ago(every, 2) == (campaign(3).id, C2)


# ---------------------------------------------------------------- content and people


def test_content_is_due_until_what_landed_is_written(store: Store) -> None:
    first = edition(1, stats=Statistics(sent=5))
    click = ClickThrough("k", C1, first.id, "https://x", 2)
    hour = HistoryHour("h", C1, first.id, "Hello", date(2026, 11, 1), 23, 7)
    store.content.land_editions([first, edition(2, campaign_id=C2)])
    store.content.land_clicks([click])
    store.content.land_history([hour])
    assert store.content.pending_editions([C1]) == (first,)
    assert len(store.content.pending_editions()) == 2
    store.content.mark_written(Subject.EDITION, {first.id: ("a0E1", edition_digest(first))})
    store.content.mark_written(Subject.CLICK_THROUGH, {"k": (None, click_digest(click))})
    store.content.mark_written(Subject.HISTORY, {"h": ("a0H1", history_digest(hour))})
    assert store.content.pending_editions([C1]) == ()
    assert store.content.pending_clicks() == ()
    assert store.content.pending_history() == ()
    assert store.content.salesforce_ids(Subject.EDITION, [first.id, "none"]) == {first.id: "a0E1"}

    newer = replace(first, stats=Statistics(sent=6))
    store.content.land_editions([newer])
    assert store.content.pending_editions([C1]) == (replace(newer, salesforce_id="a0E1"),)
    store.content.mark_written(Subject.EDITION, {first.id: (None, edition_digest(first))})
    assert store.content.pending_editions([C1]), "a value that landed since stays due"
    assert store.content.clicks(C1) == (click,)
    assert store.content.history(C1) == (hour,)


def test_an_opt_out_goes_each_way_once(store: Store) -> None:
    here, there, both = person_id(1), person_id(2), person_id(3)
    store.people.land_service_optouts([PersonOptOut(here, True, AT), PersonOptOut(both, True, AT)])
    store.people.land_org_optouts([PersonOptOut(there, True, AT), PersonOptOut(both, True, AT)])
    assert [each.person_id for each in store.people.to_tick()] == [here]
    assert [each.person_id for each in store.people.to_push()] == [there]
    store.people.mark_ticked([here])
    store.people.mark_pushed([there])
    assert (store.people.to_tick(), store.people.to_push()) == ((), ())
    store.people.land_org_optouts([PersonOptOut(here, False, AT)])
    assert store.people.to_tick() == (), "unticked by a user: not ticked again"
    store.people.land_service_optouts([PersonOptOut(here, False, AT)])
    store.people.land_service_optouts([PersonOptOut(here, True, AT)])
    assert [each.person_id for each in store.people.to_tick()] == [here], "out again after an Opt In"


def test_test_people_are_replaced_as_a_whole(store: Store) -> None:
    one = GlobalTester(person_id(1), PersonKind.LEAD, "Ada", None, "a@x.org")
    assert not store.people.test_people_read()
    store.people.land_test_people([one, replace(one, person_id=person_id(2))])
    store.people.land_test_people([one])
    assert store.people.test_people() == (one,)
    assert store.people.test_people_read()


# ---------------------------------------------------------------- views


def stats(**fields: int) -> CampaignStats:
    values = dict.fromkeys(("members", "active", "inactive", "editions", "delivered", "opened"), 0)
    values |= dict.fromkeys(("clicked", "completed", "bounced", "opted_out", "sent"), 0)
    return CampaignStats(C1, "Campaign 1", "adaptive", by_status={}, **(values | fields))


def test_the_overview_has_every_figure_of_a_campaign(store: Store, clock: ControlledClock) -> None:
    rows = [org(1), org(2, status="Responded"), org(3)]
    store.members.land_org(rows)
    store.members.land_service([service(1), service(2, active=False)])
    store.members.put_base([base(org(1), service(1)), base(org(2), service(2))])
    store.content.land_editions([edition(1, stats=Statistics(sent=5)), edition(2, stats=Statistics(sent=2, opened=1))])
    store.campaigns.land_stats([stats(sent=6, delivered=5)])
    store.campaigns.set_started(C1)
    lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.runs.end(lease, RunState.PARTIAL, error="1 row rejected")
    now = store.runs.start(RunKind.REFRESH, campaign_id=C1)
    view, other = store.views.overview(today=TODAY, next_runs={C1: AT})
    assert view.members == (("Sent", 2), ("Responded", 1))
    assert (view.total, view.active, view.inactive, view.unsynced) == (3, 1, 1, 1)
    assert (view.editions, view.sent, view.delivered, view.opened) == (2, 7, 5, 1)
    assert (view.last_state, view.last_note, view.last_run_id) == (RunState.PARTIAL, "1 row rejected", lease.run)
    assert (view.running, view.next_run, view.started, view.state) == (now.run, AT, True, "active")
    assert (other.total, other.running, other.last_run) == (0, None, None)
    detail = store.views.detail(C1, today=TODAY, next_runs={C1: AT})
    assert detail is not None
    assert detail.view == view
    assert len(detail.editions) == len(detail.runs) == 2


def test_warnings_say_what_needs_a_person(store: Store) -> None:
    def codes() -> set[str]:
        return {warning.code for warning in store.views.overview(today=TODAY)[0].warnings}

    assert codes() == {"not-started"}
    store.campaigns.set_started(C1)
    store.people.land_test_people([])
    store.campaigns.lock(C1, "counts differ")
    store.campaigns.pause(C1, "")
    assert codes() == {"never-synced", "no-test-member", "locked", "paused"}
    store.campaigns.unlock(C1)
    store.campaigns.land([campaign(1, end_date=TODAY - timedelta(1))])
    assert codes() == {"paused", "closed-auto-sync"}
    store.campaigns.land([campaign(1, type=None, type_label="Webinar", end_date=TODAY)])
    assert {"type", "ends-soon"} <= codes()


def test_rows_that_moved_are_a_warning_until_the_next_run(store: Store) -> None:
    def drifted() -> list[str]:
        view = store.views.campaign(C1, today=TODAY)
        assert view is not None
        return [each.text for each in view.warnings if each.code == "drifted"]

    for rows in (3, 0):
        lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
        store.runs.end(lease, RunState.PARTIAL if rows else RunState.DONE, counts=PlanCounts(drifted=rows))
        assert [text[:6] for text in drifted()] == (["3 rows"] if rows else [])


def test_members_of_both_sides_are_listed_with_what_differs(store: Store) -> None:
    store.members.land_org([org(1), org(2, last_name="Åland"), org(3), org(4, 1, created=AT + timedelta(1))])
    store.members.land_service(
        [service(1, level="Opened", active=True), service(2, last_name="Åland", active=False), service(9)]
    )
    store.members.put_base([base(org(1), service(1), invisible=True)])
    twin, one, two, three, gone = store.views.members(C1)
    assert (one.member_id, one.level, one.invisible, one.difference) == (member_id(1), "Opened", True, "level, active")
    assert (two.difference, three.difference) == ("", "not in Predictive")
    assert (twin.difference, gone.difference) == ("second row of this person", "not in Salesforce")
    assert store.views.count_members(C1) == 5
    assert store.views.members(C1, text="åLAND") == (two,)
    assert store.views.members(C1, text="p3@") == (three,)
    assert store.views.members(C1, level="Opened") == (twin, one)
    assert store.views.count_members(C1, level="", status="Sent") == 3
    for offset in range(6):
        assert store.views.members(C1, offset=offset, limit=2) == (twin, one, two, three, gone)[offset : offset + 2]


def test_members_are_chosen_by_what_is_special_about_them(store: Store) -> None:
    agreed, told = org(1), service(1)
    store.members.land_org([agreed, org(2), org(3, test_member=True), org(4, 1, created=AT + timedelta(1))])
    store.members.land_service([told, service(2, active=False, reason="Opt Out Direct"), service(9, active=False)])
    store.members.put_base([base(agreed, told), base(org(3), service(3), invisible=True)])

    def chosen(**filters: str) -> set[str]:
        found = {member.member_id for member in store.views.members(C1, **filters)}  # type: ignore[arg-type]
        assert store.views.count_members(C1, **filters) == len(found)  # type: ignore[arg-type]
        return {str(each) for each in found}

    assert chosen(only="inactive") == {member_id(2), member_id(3), member_id(9)}
    assert chosen(only="test") == {member_id(3)}
    assert chosen(only="hidden") == {member_id(3)}
    assert chosen(only="waits") == {member_id(2), member_id(3), member_id(9)}
    assert chosen(reason="opt out") == {member_id(2)}
    assert chosen(reason="100%") == set()
