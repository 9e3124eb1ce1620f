"""Which words are people's names, for whoever masks a text before it leaves this machine. May import the schema."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import select

from sync.store.database import Database
from sync.store.schema import org_member, service_member, test_person

_PART = re.compile(r"[^\W_]+")
"""Names are taken apart at every sign: "Anne-Marie O'Brien" is four words, as in any text that names her."""


def known_names(database: Database, words: Collection[str]) -> frozenset[str]:
    """Those of *words* (lower case) that are part of a first or last name of anybody in the store.

    Every person is looked at, page by page: a text of a few thousand words is small, the people may be millions.
    """
    wanted = frozenset(words)
    found: set[str] = set()
    for table in (org_member, service_member, test_person):
        names = select(table.c.first_name, table.c.last_name).distinct()
        for page in database.stream(names):
            for row in page:
                for name in row:
                    if name:
                        found.update(wanted.intersection(_PART.findall(name.casefold())))
    return frozenset(found)
