"""200 campaigns of 10,000 members on both sides and in the state, as after a nightly run, in minutes instead of hours.

New Edition is done by the engine for one member of each campaign. The other members are copies of that one, written
straight into the three databases: the same people in every campaign, with old stamps. Nothing of it is measured; that
all three agree is seen by the runs that follow, which would find every copy that does not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sync.digest import org_digest, service_digest
from sync.embedded.org.ids import encoder
from sync.embedded.process import EmbeddedServers, start_embedded
from sync.engine.parts import Parts
from sync.ids import CampaignId, MemberId, PersonId
from sync.model import BaseMember, OrgMember, ServiceMember
from sync.store.rows import BASE_FIELDS, ORG_COLUMNS, SERVICE_COLUMNS, base_row, org_row, service_row
from sync.store.types import to_micros
from tests.bench.box import Sandbox

CAMPAIGNS, MEMBERS = 200, 10_000
_LEADS, _ROWS = 60_000_000, 70_000_000
"""Row keys of the copies, far above those that the org gives."""

_FIRST = "a@b.example"
"""Address of the one member that the copies are made of."""

_CONFIG = """
[orgs.bench]
read_only = false
[orgs.bench.salesforce]
instance_url = "{org}"
auth = "token"
[orgs.bench.predictive]
base_url = "{service}"
[orgs.bench.state]
url = "state.db"
"""


@dataclass(slots=True)
class World:
    """The servers' folder, a configuration, and the sandbox as commands see it."""

    folder: Path
    servers: EmbeddedServers
    box: Sandbox
    members: int
    campaigns: list[str] = field(default_factory=list)

    def member(self, place: int, number: int) -> str:
        """Id of the *number*-th copy in the *place*-th campaign."""
        return encoder("00v")(_ROWS + place * self.members + number)

    def lead(self, number: int) -> str:
        """Id of the person of the *number*-th copy of every campaign."""
        return encoder("00Q")(_LEADS + number)

    def touch_people(self, share: float) -> int:
        """Move the stamps of a share of the people without changing a value; how many."""
        count = int(self.members * share)
        with closing(_open(self.folder / "org.sqlite")) as org, org:
            now = int(datetime.now(UTC).timestamp())
            where = "WHERE Id >= ? AND Id < ?"
            org.execute(f"UPDATE Lead SET SystemModstamp = ? {where}", (now, _LEADS, _LEADS + count))
        return count


@contextmanager
def world(folder: Path, campaigns: int = CAMPAIGNS, members: int = MEMBERS) -> Iterator[World]:
    """Both sides and the state in step."""
    with start_embedded(campaigns=1, members=2, audience_speed=0, data_dir=folder, quota=1_000_000) as servers:
        config = folder / "config.toml"
        config.write_text(_CONFIG.format(org=servers.instance_url, service=servers.service_url))
        secrets = folder / "secrets.toml"
        secrets.touch(0o600)
        secrets.write_text(
            f'[bench.salesforce]\naccess_token = "{servers.access_token}"\n'
            f'[bench.predictive]\ntoken = "{servers.service_token}"\n'
        )
        line = {
            "config": str(config),
            "control_url": servers.control_url,
            "salesforce": {
                "instance_url": servers.instance_url,
                "access_token": servers.access_token,
                "api_version": servers.api_version,
            },
        }
        made = World(folder, servers, Sandbox(line), members)
        _start(made, campaigns, members)
        _widen(made, members)
        yield made


def _start(made: World, campaigns: int, members: int) -> None:
    """Campaigns of one member, started."""
    from sync.bootstrap import open_shell
    from sync.model import RunKind, RunState
    from sync.settings import load_settings

    today = datetime.now(UTC).date()
    seeded = made.box.first_campaign()
    made.box.records([{"op": "update", "object": "Campaign", "id": seeded, "values": {"PAM__Auto_Sync__c": False}}])
    header = {
        "IsActive": True,
        "Type": "Scheduled",
        "Status": "In Progress",
        "StartDate": (today - timedelta(days=5)).isoformat(),
        "EndDate": (today + timedelta(days=30)).isoformat(),
        "PAM__Auto_Sync__c": True,
    }
    ids = made.box.records(
        {"op": "create", "object": "Campaign", "values": header | {"Name": f"Bench {number}"}}
        for number in range(campaigns)
    )
    (lead,) = made.box.records(
        [
            {
                "op": "create",
                "object": "Lead",
                "values": {"FirstName": "Ada", "LastName": "One", "Company": "C", "Email": "a@b.example"},
            }
        ]
    )
    made.box.records(
        {"op": "create", "object": "CampaignMember", "values": {"CampaignId": one, "LeadId": lead, "Status": "Sent"}}
        for one in ids
    )
    made.campaigns = ids
    settings = load_settings(Path(made.box.config), env={}).org()
    with open_shell(settings) as shell:
        shell.load_campaigns()
        for one in ids:
            ended = shell.new_edition(one)
            assert ended.state is RunState.DONE, ended
        for kind in (RunKind.NIGHTLY, RunKind.HOURLY, RunKind.NIGHTLY):
            ended = shell.batch(kind)
        assert ended.state is RunState.NOTHING_TO_DO, ended
        _copy_state(shell.parts(), ids, members)


def _names(number: int) -> tuple[str, str, str]:
    return "Ada", f"Nr {number}", f"ada{number}@firma.example"


def _copy_state(parts: Parts, campaigns: Sequence[str], members: int) -> None:
    """The members' copies in the state: rows as the store makes them, member id and digests set anew."""
    store = parts.store
    lead_of, row_of = encoder("00Q"), encoder("00v")
    leads = [PersonId(lead_of(_LEADS + number)) for number in range(members)]
    at = to_micros(datetime.now(UTC))
    with closing(_open(Path(store.url.removeprefix("sqlite:///")))) as state:
        state.execute("PRAGMA synchronous=OFF")
        for place, campaign in enumerate(campaigns):
            key = CampaignId(campaign)
            ((member, person),) = store.members.known_member_ids(key).items()
            org = store.members.org_by_member(key, (member,))[member]
            service = store.members.service_rows(key, (person,))[person]
            base = store.members.base_rows(key, (person,))[person]
            made = [
                _copies(org, service, base, leads[n], MemberId(row_of(_ROWS + place * members + n)), n)
                for n in range(members)
            ]
            with state:
                rows = [org_row(one[0], primary=True, at=at, run=None) for one in made]
                _insert_tuples(state, "org_member", ORG_COLUMNS, rows)
                _insert_tuples(state, "service_member", SERVICE_COLUMNS, [service_row(one[1], None) for one in made])
                _insert_tuples(state, "base_member", BASE_FIELDS, [base_row(one[2]) for one in made])


def _copies(
    org: OrgMember, service: ServiceMember, base: BaseMember, person: PersonId, member: MemberId, number: int
) -> tuple[OrgMember, ServiceMember, BaseMember]:
    first, last, email = _names(number)
    names: dict[str, Any] = {"first_name": first, "last_name": last, "email": email}
    one = replace(org, member_id=member, person_id=person, lead_id=person, **names)
    other = replace(service, member_id=member, person_id=person, **names)
    agreed = replace(
        base,
        member_id=member,
        person_id=person,
        org_digest=org_digest(one),
        service_digest=service_digest(other),
        **names,
    )
    return one, other, agreed


def _insert_tuples(
    connection: sqlite3.Connection, table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    marks = ", ".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=60)


def _widen(made: World, members: int) -> None:
    """The members' copies on both sides."""
    old = int((datetime.now(UTC) - timedelta(days=3)).timestamp())
    stamps = {"SystemModstamp": old, "CreatedDate": old, "LastModifiedDate": old}
    lead_of, row_of = encoder("00Q"), encoder("00v")
    with closing(_open(made.folder / "org.sqlite")) as org, org:
        names, (template,) = _rows(org, f"SELECT * FROM Lead WHERE Email = '{_FIRST}'")
        _insert(org, "Lead", names, (template | stamps | _lead(n) for n in range(members)))
        names, found = _rows(org, "SELECT * FROM CampaignMember WHERE LeadId = " + str(template["Id"]))
        found = [row for row in found if row["PAM__Synced__c"] is not None]
        campaigns = [int(row["CampaignId"]) for row in sorted(found, key=lambda row: row["CampaignId"])]
        places = {campaign: place for place, campaign in enumerate(campaigns)}
        copies = (
            row
            | {
                "Id": _ROWS + places[row["CampaignId"]] * members + n,
                "LeadId": _LEADS + n,
                "SystemModstamp": old,
                "CreatedDate": old,
                "LastModifiedDate": old,
            }
            for row in found
            for n in range(members)
        )
        _insert(org, "CampaignMember", names, copies)
        # The servers' connections read the new statistics when the schema has changed.
        for statement in ("ANALYZE", "CREATE TABLE _grown (Id INTEGER)", "DROP TABLE _grown"):
            org.execute(statement)
    with closing(_open(made.folder / "service.sqlite")) as service, service:
        campaign_of = encoder("701")
        keys = {campaign_of(campaign): place for campaign, place in places.items()}
        names, found = _rows(service, f"SELECT * FROM members WHERE email = '{_FIRST}'")
        members_of = (
            row
            | {
                "person_id": lead_of(_LEADS + n),
                "member_id": row_of(_ROWS + keys[row["campaign_id"]] * members + n),
                **dict(zip(("first_name", "last_name", "email"), _names(n), strict=True)),
            }
            for row in found
            for n in range(members)
        )
        _insert(service, "members", names, members_of)
        service.execute("UPDATE tallies SET n = n + ? WHERE n = 1", (members,))


def _lead(number: int) -> dict[str, Any]:
    first, last, email = _names(number)
    return {"Id": _LEADS + number, "FirstName": first, "LastName": last, "Email": email}


def _rows(connection: sqlite3.Connection, statement: str) -> tuple[list[str], list[dict[str, Any]]]:
    cursor = connection.execute(statement)
    names = [column[0] for column in cursor.description]
    return names, [dict(zip(names, row, strict=True)) for row in cursor]


def _insert(connection: sqlite3.Connection, table: str, names: Sequence[str], rows: Iterator[dict[str, Any]]) -> None:
    marks = ", ".join("?" * len(names))
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", ([row[name] for name in names] for row in rows)
    )
