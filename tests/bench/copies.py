"""Copies of started members: rows of the org, the service and the state made from those of a lead and a contact.

Every campaign gets the same people. What the engine and the service made of the two templates is kept column by
column; who it is, ids and digests are set for each copy, the digests by the store's own functions. Rows go in by plain
SQL, in key order, with the secondary indexes made afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sync.digest import org_digest, service_digest
from sync.embedded.org.ids import encoder
from sync.model import OrgMember, ServiceMember
from sync.store.rows import org_member, search_text, service_member

PEOPLE, ROWS = 60_000_000, 70_000_000
"""Row keys of the copies, far above those that the org gives."""

LEAD, CONTACT = "Lead", "Contact"
_PREFIX = {LEAD: "00Q", CONTACT: "003"}
_BOTH = (LEAD, CONTACT)


@dataclass(frozen=True, slots=True)
class Copy:
    """One person of all campaigns."""

    number: int
    kind: str
    person: str
    first: str
    last: str
    email: str

    @property
    def key(self) -> int:
        """Row key in its table."""
        return PEOPLE + self.number


def copy_of(number: int) -> Copy:
    """The *number*-th person: leads and contacts in turn."""
    kind = _BOTH[number % 2]
    person = encoder(_PREFIX[kind])(PEOPLE + number)
    return Copy(number, kind, person, "Ada", f"Nr {number}", f"ada{number}@firma.example")


class _Like:
    """A value that looks like a member to the functions that make digests."""

    member_id: str

    def __init__(self, values: OrgMember | ServiceMember) -> None:
        for item in fields(values):
            setattr(self, item.name, getattr(values, item.name))

    def be(self, one: Copy, member: str) -> Any:
        self.member_id, self.first_name, self.last_name, self.email = member, one.first, one.last, one.email
        return self


Row = dict[str, Any]
Template = Mapping[str, Row]
"""Rows of a campaign by kind of person."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that nobody else uses, in one transaction."""
    connection = sqlite3.connect(path, timeout=60)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        with connection:
            yield connection
    finally:
        connection.close()


@contextmanager
def unindexed(connection: sqlite3.Connection, *tables: str) -> Iterator[None]:
    """The tables without their secondary indexes and triggers, which are there again afterwards."""
    marks = ", ".join("?" * len(tables))
    found = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL "
        f"AND tbl_name IN ({marks})",
        tables,
    ).fetchall()
    for kind, name, _ in found:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, _, text in found:
        connection.execute(text)


def rows_of(connection: sqlite3.Connection, statement: str) -> tuple[list[str], list[Row]]:
    """Column names and rows of a statement."""
    cursor = connection.execute(statement)
    names = [column[0] for column in cursor.description]
    return names, [dict(zip(names, row, strict=True)) for row in cursor]


class Made:
    """Rows made of a template: some columns are set for each copy, the others stay.

    Args:
        names: columns in order.
        template: by kind of person.
        set_here: those that are set, in the order in which ``row`` takes their values.
    """

    def __init__(self, names: Sequence[str], template: Template, set_here: Sequence[str]) -> None:
        places = [names.index(name) for name in set_here]
        marks = [f"v[{places.index(i)}]" if i in places else f"t[{i}]" for i in range(len(names))]
        # One expression for a row, because there are millions of them.
        self._row = eval(f"lambda t, v: ({', '.join(marks)},)")
        self._template = {kind: [row[name] for name in names] for kind, row in template.items()}

    def row(self, kind: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """One copy's row."""
        made: tuple[Any, ...] = self._row(self._template[kind], values)
        return made


def insert(connection: sqlite3.Connection, table: str, names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    """Put rows into a table."""
    marks = ", ".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)


# -------------------------------------------------------------------- the state


def widen_state(path: Path, campaigns: Sequence[str], copies: Sequence[Copy]) -> None:
    """Landed rows of both sides and base of every copy."""
    with opened(path) as state, unindexed(state, "org_member", "service_member", "base_member"):
        for place, campaign in enumerate(campaigns):
            _campaign_state(state, campaign, place * len(copies), copies)
        # As after more than a week: the next night compares the ids of one campaign, too.
        state.execute("UPDATE campaign SET reconciled_at = reconciled_at - ?", (8 * 86_400 * 1_000_000,))


def _campaign_state(state: sqlite3.Connection, campaign: str, first: int, copies: Sequence[Copy]) -> None:
    where = f"WHERE campaign_id = '{campaign}'"
    tables = {
        table: rows_of(state, f"SELECT * FROM {table} {where}")
        for table in ("org_member", "service_member", "base_member")
    }
    kinds = {
        row["person_id"]: LEAD if row["person_id"].startswith("00Q") else CONTACT for row in tables["org_member"][1]
    }
    by_kind = {table: {kinds[row["person_id"]]: row for row in rows} for table, (_, rows) in tables.items()}
    row_of = encoder("00v")
    orgs = {kind: _Like(_value(org_member, OrgMember, row)) for kind, row in by_kind["org_member"].items()}
    services = {
        kind: _Like(_value(service_member, ServiceMember, row)) for kind, row in by_kind["service_member"].items()
    }
    org = Made(
        tables["org_member"][0],
        by_kind["org_member"],
        ("member_id", "person_id", "lead_id", "contact_id", "first_name", "last_name", "email", "digest", "search"),
    )
    service = Made(
        tables["service_member"][0],
        by_kind["service_member"],
        ("member_id", "person_id", "first_name", "last_name", "email", "digest", "search"),
    )
    base = Made(
        tables["base_member"][0],
        by_kind["base_member"],
        ("member_id", "person_id", "first_name", "last_name", "email", "org_digest", "service_digest"),
    )
    made: dict[str, list[tuple[Any, ...]]] = {table: [] for table in tables}
    for one in copies:
        member = row_of(ROWS + first + one.number)
        mine, theirs = org_digest(orgs[one.kind].be(one, member)), service_digest(services[one.kind].be(one, member))
        text = search_text(one.first, one.last, one.email)
        lead, contact = (one.person, None) if one.kind == LEAD else (None, one.person)
        who, called = (member, one.person), (one.first, one.last, one.email)
        made["org_member"].append(org.row(one.kind, (*who, lead, contact, *called, mine, text)))
        made["service_member"].append(service.row(one.kind, (*who, *called, theirs, text)))
        made["base_member"].append(base.row(one.kind, (*who, *called, mine, theirs)))
    for table, rows in made.items():
        insert(state, table, tables[table][0], iter(rows))


def _value(make: Any, kind: Any, row: Row) -> Any:
    return make([row[item.name] for item in fields(kind)])


# -------------------------------------------------------------------- the org and the service


def widen_org(path: Path, campaigns: Sequence[str], copies: Sequence[Copy], old: int) -> None:
    """People, and a member of each in every campaign, last changed at *old* (seconds)."""
    stamps = {"SystemModstamp": old, "CreatedDate": old, "LastModifiedDate": old}
    with opened(path) as org:
        known = {kind: f"SELECT Id FROM {kind} WHERE Email = '{template_email(kind)}'" for kind in _BOTH}
        for kind in _BOTH:
            names, (template,) = rows_of(org, f"SELECT * FROM {kind} WHERE Email = '{template_email(kind)}'")
            made = Made(names, {kind: template | stamps}, ("Id", "FirstName", "LastName", "Email"))
            people = (made.row(kind, (one.key, one.first, one.last, one.email)) for one in copies if one.kind == kind)
            insert(org, kind, names, people)
        links = {LEAD: "LeadId", CONTACT: "ContactId"}
        templates: dict[int, dict[str, Row]] = {}
        names = []
        for kind in _BOTH:
            names, found = rows_of(org, f"SELECT * FROM CampaignMember WHERE {links[kind]} IN ({known[kind]})")
            for row in found:
                templates.setdefault(row["CampaignId"], {})[kind] = row | stamps
        keys = {encoder("701")(key): key for key in templates}
        with unindexed(org, "CampaignMember"):
            for place, campaign in enumerate(campaigns):
                made = Made(names, templates[keys[campaign]], ("Id", "LeadId", "ContactId"))
                first = ROWS + place * len(copies)
                insert(org, "CampaignMember", names, (made.row(one.kind, _org_link(first, one)) for one in copies))
        for kind in _BOTH:
            grown = sum(one.kind == kind for one in copies)
            org.execute(f"UPDATE _rollup SET {kind}s = {kind}s + ? WHERE Active > 0", (grown,))
            org.execute(f"UPDATE _tally SET N = N + ? WHERE N > 0 AND {links[kind]} IS NOT NULL AND {_HERE}", (grown,))
        org.execute("UPDATE _rollup SET Active = Leads + Contacts WHERE Active > 0")
        org.execute("ANALYZE")


# Campaigns whose members are copied; the seeded one has nothing synced.
_HERE = "CampaignId IN (SELECT CampaignId FROM _rollup WHERE Active > 0)"


def template_email(kind: str) -> str:
    """Address of the person that copies of a kind are made of."""
    return f"{kind.lower()}@template.example"


def _org_link(first: int, one: Copy) -> tuple[int, int | None, int | None]:
    lead, contact = (one.key, None) if one.kind == LEAD else (None, one.key)
    return first + one.number, lead, contact


def widen_service(path: Path, campaigns: Sequence[str], copies: Sequence[Copy]) -> None:
    """A member of each person in every campaign."""
    row_of = encoder("00v")
    with opened(path) as service:
        templates: dict[str, dict[str, Row]] = {}
        names = []
        for kind in _BOTH:
            names, found = rows_of(service, f"SELECT * FROM members WHERE email = '{template_email(kind)}'")
            for row in found:
                templates.setdefault(row["campaign_id"], {})[kind] = row
        with unindexed(service, "members"):
            for place, campaign in enumerate(campaigns):
                made = Made(names, templates[campaign], ("person_id", "member_id", "first_name", "last_name", "email"))
                first = ROWS + place * len(copies)
                rows = (
                    made.row(one.kind, (one.person, row_of(first + one.number), one.first, one.last, one.email))
                    for one in copies
                )
                insert(service, "members", names, rows)
        marks = ", ".join("?" * len(campaigns))
        service.execute(
            f"UPDATE tallies SET n = n + ? WHERE n > 0 AND campaign_id IN ({marks})", (len(copies), *campaigns)
        )
