"""What the org has, laid down on disk while it is read: rows may come in any order and be more than memory holds.

Standard library, ids and model only: the verifier shares no store and no digest with the engine. A shelf is a nameless
SQLite file of its own, gone with the object; its cache has a bound whatever lies on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from sync.ids import CampaignId, MemberId, PersonId
from sync.model import OrgMember, ServiceMember

SALESFORCE_FIELDS = ("member_id", "first_name", "last_name", "email", "test_member")
PREDICTIVE_FIELDS = ("level", "reason", "active", "opens", "clicks", "completions", "bounces")
TWO_OWNERS = ("status", "opted_out")
COMPARED = (*SALESFORCE_FIELDS, *TWO_OWNERS, *PREDICTIVE_FIELDS)

Laid = tuple[PersonId, MemberId, bytes]
"""A person's primary row: person, member row, mark of its values."""

_LAY = """
INSERT INTO laid VALUES (?, ?, ?, ?, ?)
ON CONFLICT (campaign, person) DO UPDATE SET member = excluded.member, age = excluded.age, mark = excluded.mark
WHERE excluded.age < laid.age
"""


def mark_of(row: OrgMember | ServiceMember, fields: Iterable[str]) -> bytes:
    """16 bytes that are equal where all *fields* are; empty text, false, 0 and nothing are the same."""
    values = tuple(getattr(row, name) or None for name in fields)
    return blake2b(repr(values).encode(), digest_size=16).digest()


class Shelf:
    """The org's members by campaign and person. Of several rows of a person the oldest counts.

    Args:
        fields: those that are compared.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = tuple(fields)
        # "" is a temporary file that the library opens once its cache is full, and removes itself.
        self._file = sqlite3.connect("", isolation_level=None)
        # What is lost with the process is read again, so nothing is journalled; 32 MiB of cache whatever lies here.
        for pragma in ("cache_size = -32768", "journal_mode = OFF", "synchronous = OFF"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute(
            "CREATE TABLE laid (campaign TEXT, person TEXT, member TEXT, age TEXT, mark BLOB,"
            " PRIMARY KEY (campaign, person)) WITHOUT ROWID"
        )

    def lay(self, rows: Iterable[OrgMember]) -> None:
        """Put rows down."""
        self._file.execute("BEGIN")
        self._file.executemany(
            _LAY, ((row.campaign_id, row.person_id, row.member_id, age_of(row), self.mark(row)) for row in rows)
        )
        self._file.execute("COMMIT")

    def mark(self, row: OrgMember | ServiceMember) -> bytes:
        """The mark of a row of either side."""
        return mark_of(row, self._fields)

    def of(self, campaign_id: CampaignId) -> Iterator[Laid]:
        """A campaign's persons in order, a window at a time."""
        last = ""
        while True:
            window = self._file.execute(
                "SELECT person, member, mark FROM laid WHERE campaign = ? AND person > ? ORDER BY person LIMIT 2000",
                (campaign_id, last),
            ).fetchall()
            for person, member, mark in window:
                yield PersonId(person), MemberId(member), mark
            if not window:
                return
            last = window[-1][0]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def age_of(row: OrgMember) -> str:
    """What sorts a person's rows, the oldest first."""
    return f"{row.created.isoformat() if row.created else '9999'} {row.member_id}"
