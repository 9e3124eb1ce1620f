"""Fills a fresh org: users, accounts, people, campaigns, statuses, members.

Members are written by INSERT … SELECT over a pool of people, so that two million of them take seconds. Everything is
relative to the instant given; the same seed gives the same org.
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import gcd
from typing import Any
from zoneinfo import ZoneInfo

from sync.embedded.org.core import Identity
from sync.embedded.org.store import Store
from sync.embedded.seed.campaigns import CampaignSeed, campaign_seeds
from sync.embedded.seed.people import People, Person

ZONE = "America/Chicago"
_DAY = 86_400
_MOST_SHARED = 50_000
_ODD_SHARE = 0.15
_USERS = (
    ("integration@predictive.example", "Integration", "User"),
    ("maria.keller@acme.example", "Maria", "Keller"),
    ("tom.okafor@acme.example", "Tom", "Okafor"),
    ("ines.duarte@acme.example", "Inês", "Duarte"),
    ("yuki.mori@acme.example", "優希", "森"),
)


@dataclass(slots=True)
class Loader:
    """Writes rows of a fresh org, stamped relative to ``now``."""

    store: Store
    connection: sqlite3.Connection
    random: random.Random
    now: datetime
    members: int
    campaigns: int
    users: list[int] = field(default_factory=list)
    pool: int = 0
    odd: int = 0

    @property
    def second(self) -> int:
        """The present second."""
        return int(self.now.timestamp())

    def add(self, name: str, rows: list[dict[str, Any]]) -> int:
        """Insert rows that all have the same columns; the key of the first."""
        if not rows:
            return 0
        first = self.store.take_keys(name, len(rows))
        columns = list(rows[0])
        marks = ", ".join("?" * (len(columns) + 1))
        self.connection.executemany(
            f"INSERT INTO {name} (Id, {', '.join(columns)}) VALUES ({marks})",
            ((first + i, *row.values()) for i, row in enumerate(rows)),
        )
        return first

    def stamps(self, days: float) -> dict[str, Any]:
        """The system fields of a row made so many days ago."""
        at = self.second - int(days * _DAY)
        user = self.users[0] if self.users else 0
        return {
            "CreatedDate": at,
            "CreatedById": user,
            "LastModifiedDate": at,
            "LastModifiedById": user,
            "SystemModstamp": at,
        }

    def organization(self) -> int:
        """The org's own row, and its users."""
        first = self.store.take_keys("User", len(_USERS))
        self.users = [first + i for i in range(len(_USERS))]
        administrator = {"Name": "System Administrator", "UserType": "Standard", **self.stamps(800)}
        profile = self.add("Profile", [administrator])
        marks = ", ".join("?" * 19)
        for key, (name, given, family) in zip(self.users, _USERS, strict=True):
            stamps = self.stamps(700)
            row = {
                "Id": key,
                "Username": name,
                "FirstName": given,
                "LastName": family,
                "Email": name,
                "Alias": name[:8],
                "IsActive": 1,
                "TimeZoneSidKey": ZONE,
                "LocaleSidKey": "en_US",
                "LanguageLocaleKey": "en_US",
                "EmailEncodingKey": "UTF-8",
                "UserType": "Standard",
                "ProfileId": profile,
                "UserPermissionsMarketingUser": 1,
                **stamps,
            }
            self.connection.execute(f"INSERT INTO User ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        return self.add(
            "Organization",
            [
                {
                    "Name": "Acme Sandbox",
                    "InstanceName": "CS42",
                    "OrganizationType": "Enterprise Edition",
                    "IsSandbox": 1,
                    "TimeZoneSidKey": ZONE,
                    "DefaultLocaleSidKey": "en_US",
                    "LanguageLocaleKey": "en_US",
                    "PrimaryContact": "Maria Keller",
                    "Country": "US",
                    **self.stamps(800),
                }
            ],
        )

    def people(self) -> None:
        """Accounts, ordinary people, odd people and global test members; the pools the members come from."""
        wanted = max(self.members, min(_MOST_SHARED, self.members * 2)) + 50
        makers = People(self.random, max(8, min(4_000, wanted // 12)))
        accounts = [
            {
                "Name": n,
                "BillingCity": c,
                "BillingCountry": k,
                "Industry": i,
                "OwnerId": self.users[1],
                **self.stamps(600),
            }
            for n, c, k, i in makers.account_rows()
        ]
        first_account = self.add("Account", accounts)
        ordinary = [makers.ordinary(lead=i % 2 == 0) for i in range(wanted)]
        self.connection.execute(
            "CREATE TEMP TABLE _pool (I INTEGER PRIMARY KEY, LeadId INTEGER, ContactId INTEGER, Converted INTEGER)"
        )
        self.connection.execute(
            "CREATE TEMP TABLE _odd (I INTEGER PRIMARY KEY, LeadId INTEGER, ContactId INTEGER, Converted INTEGER)"
        )
        keys = self._write_people(ordinary, first_account)
        rows = [(i, *key, 0) for i, key in enumerate(keys)]
        self.connection.executemany("INSERT INTO _pool VALUES (?, ?, ?, ?)", rows)
        self.pool = wanted
        cases = [makers.odd(i, ordinary) for i in range(max(24, int(self.members * _ODD_SHARE) + 1))]
        flat = [person for case in cases for person in case]
        flat_keys = iter(self._write_people(flat, first_account))
        odd_rows: list[tuple[int | None, int | None, int]] = []
        for number, case in enumerate(cases):
            found = [next(flat_keys) for _ in case]
            odd_rows += self._convert(found, both=number % 24 == 3) if len(found) == 2 else [(*found[0], 0)]
        self.connection.executemany(
            "INSERT INTO _odd VALUES (?, ?, ?, ?)", ((i, *row) for i, row in enumerate(odd_rows))
        )
        self.odd = len(odd_rows)
        if self.store.schema.package:
            self._write_people([makers.test_member(i) for i in range(4)], first_account)

    def _convert(self, pair: list[tuple[int | None, int | None]], *, both: bool) -> list[tuple[Any, Any, int]]:
        """A lead that became a contact: two members of a campaign, or one that carries both ids."""
        lead, contact = pair[0][0], pair[1][1]
        day = (self.now - timedelta(days=9)).date().isoformat()
        self.connection.execute(
            "UPDATE Lead SET IsConverted = 1, Status = 'Closed - Converted', ConvertedContactId = ?, ConvertedDate = ?,"
            " ConvertedAccountId = (SELECT AccountId FROM Contact WHERE Id = ?) WHERE Id = ?",
            (contact, day, contact, lead),
        )
        return [(lead, None, 1), (None, contact, 0)] if both else [(lead, contact, 1)]

    def _write_people(self, people: list[Person], first_account: int) -> list[tuple[int | None, int | None]]:
        leads: list[dict[str, Any]] = []
        contacts: list[dict[str, Any]] = []
        places: list[tuple[bool, int]] = []
        for person in people:
            row = self._person_row(person)
            if person.lead:
                row.update(
                    Company=person.company, City=person.city, Country=person.country, Status="Open - Not Contacted"
                )
            else:
                row.update(
                    AccountId=first_account + person.account, MailingCity=person.city, MailingCountry=person.country
                )
            target = leads if person.lead else contacts
            places.append((person.lead, len(target)))
            target.append(row)
        lead_key, contact_key = self.add("Lead", leads), self.add("Contact", contacts)
        return [(lead_key + i, None) if lead else (None, contact_key + i) for lead, i in places]

    def _person_row(self, person: Person) -> dict[str, Any]:
        row: dict[str, Any] = {
            "LastName": person.last,
            "FirstName": person.first,
            "Email": person.email,
            "Title": person.title,
            "LeadSource": person.source,
            "OwnerId": self.users[1 + len(person.last) % 4],
            "HasOptedOutOfEmail": int(person.opted_out),
            **self.stamps(self.random.uniform(4, 500)),
        }
        if self.store.schema.package:
            row.update(
                PAM__Test_Group__c="PAM" if person.test else None,
                PAM__Test_Member__c=int(person.test),
                PAM__Score__c=person.score,
            )
        return row

    def campaign(self, number: int, seed: CampaignSeed, zone: ZoneInfo) -> None:
        """A campaign with its statuses and members."""
        today = self.now.astimezone(zone).date()
        age = 400 - number * 270 / max(1, self.campaigns)
        row = {
            "Name": seed.name,
            "Type": seed.type,
            "Status": seed.status,
            "IsActive": int(seed.active),
            "StartDate": None if seed.start is None else (today + timedelta(days=seed.start)).isoformat(),
            "EndDate": None if seed.end is None else (today + timedelta(days=seed.end)).isoformat(),
            "Description": seed.description,
            "OwnerId": self.users[1 + number % 4],
            **self.stamps(age),
        }
        if self.store.schema.package:
            row["PAM__Auto_Sync__c"] = int(seed.auto_sync)
        key = self.add("Campaign", [row])
        statuses = [("Sent", False), ("Responded", True), *seed.extra_statuses]
        self.add(
            "CampaignMemberStatus",
            [
                {
                    "CampaignId": key,
                    "Label": label,
                    "SortOrder": i + 1,
                    "IsDefault": int(i == 0),
                    "HasResponded": int(responded),
                    **self.stamps(age),
                }
                for i, (label, responded) in enumerate(statuses)
            ],
        )
        odd = min(self.odd, int(self.members * _ODD_SHARE)) if seed.odd and number else 0
        self._members(key, number, age, statuses, "_pool", self.pool, self.members - odd)
        if odd:
            self._members(key, number, age, statuses, "_odd", self.odd, odd)

    def _members(
        self,
        campaign: int,
        number: int,
        age: float,
        statuses: list[tuple[str, bool]],
        pool: str,
        size: int,
        count: int,
    ) -> None:
        """``count`` members from a pool, no person twice; statuses by a fixed pattern, mostly the default."""
        first = self.store.take_keys("CampaignMember", count)
        step = 1 if pool == "_odd" else self._step(size, number)
        offset = number * (5 if pool == "_odd" else 7_919) % size
        created = self.second - int(age * _DAY) + 3_600
        span = int((age - 3) * _DAY) - 7_200
        pick = "(s.J * 31 + :number * 17) % 100"
        bound: dict[str, Any] = {"number": number}
        status, responded = ":status0", "0"
        shares = (68, 80, 92, 100, 100)
        for index, (label, has_responded) in enumerate(statuses):
            bound[f"status{index}"] = label
            if index:
                low = shares[index - 1] if index < len(shares) else 100
                status = f"CASE WHEN {pick} >= {low} THEN :status{index} ELSE {status} END"
                responded = f"CASE WHEN {pick} >= {low} THEN {int(has_responded)} ELSE {responded} END"
        at = ":created + (s.J * 7919) % :span"
        columns = (
            "Id, IsDeleted, CampaignId, LeadId, ContactId, _Converted, Status, HasResponded, "
            "FirstRespondedDate, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp"
        )
        values = (
            f":first + s.J, 0, :campaign, p.LeadId, p.ContactId, p.Converted, {status}, {responded}, "
            f"CASE WHEN ({responded}) THEN date({at}, 'unixepoch') END, {at}, :user, {at}, :user, {at}"
        )
        if self.store.schema.package and pool == "_pool" and number % 3 == 1:
            columns += ", PAM__Test_Member__c"
            values += ", s.J < 2"
        bound.update(
            first=first,
            campaign=campaign,
            created=created,
            span=span,
            user=self.users[1],
            offset=offset,
            step=step,
            size=size,
            count=count,
        )
        self.connection.execute(
            f"INSERT INTO CampaignMember ({columns}) SELECT {values} FROM _seq s "
            f"CROSS JOIN {pool} p ON p.I = (:offset + s.J * :step) % :size WHERE s.J < :count",
            bound,
        )

    @staticmethod
    def _step(size: int, number: int) -> int:
        step = 2 * (number % 97) + 1
        while gcd(step, size) != 1:
            step += 2
        return step

    def sequence(self) -> None:
        """The numbers from 0 that the members of a campaign are counted by."""
        self.connection.execute("CREATE TEMP TABLE _seq (J INTEGER PRIMARY KEY)")
        self.connection.executemany("INSERT INTO _seq VALUES (?)", ((j,) for j in range(self.members)))


def load(store: Store, *, campaigns: int, members: int, seed: int, now: datetime) -> Identity:
    """Fill a fresh store and finish it (indexes, roll-ups); who the org and its user are."""
    zone = ZoneInfo(ZONE)
    store.writer.execute("PRAGMA journal_mode=OFF")
    with store.writing() as connection:
        loader = Loader(store, connection, random.Random(seed), now, members, campaigns)  # noqa: S311 - repeatable
        organization = loader.organization()
        loader.people()
        loader.sequence()
        for number, one in enumerate(campaign_seeds(campaigns)):
            loader.campaign(number, one, zone)
    for name in ("_pool", "_odd", "_seq"):
        store.writer.execute(f"DROP TABLE temp.{name}")
    store.finish()
    return Identity(organization, loader.users[0], zone)


def known_identity(store: Store) -> Identity:
    """Who the org of an already filled store is."""
    organization, zone = store.writer.execute("SELECT Id, TimeZoneSidKey FROM Organization").fetchone()
    user = store.writer.execute("SELECT min(Id) FROM User").fetchone()[0]
    return Identity(organization, user, ZoneInfo(zone))
