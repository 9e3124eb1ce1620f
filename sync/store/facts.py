"""Single facts about this state: who the two sides are, where the feed stands, what the org last said of its limits.

May import the schema. Values are text; the names are here so that nobody spells one differently.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from sync.clock import Clock
from sync.store.database import Database
from sync.store.schema import fact

SERVICE_CURSOR = "service.cursor"
SERVICE_ID = "service.id"
ORG_ID = "org.id"
ORG_NAME = "org.name"
INSTANCE_URL = "org.instance_url"
TIME_ZONE = "org.time_zone"
ORG_AHEAD = "org.ahead"
"""Seconds that the org's clock was ahead of ours when it last answered; absent while they agree to the minute."""
OPT_OUTS_SINCE = "org.opt_outs_since"
TEST_PEOPLE_PUSHED = "test_people.pushed"
TEST_PEOPLE_AT = "test_people.read_at"
HEADER_PUSHED = "header.pushed:"
"""Before a campaign's id: the header that the service has, in words."""

CLIENT_ID = "client.id"
SLOW_POLLS = "org.slow_polls"
SCHEDULE_PAUSED = "schedule.paused"
LIMITS = "org.limits"
GOVERNOR = "governor"
LOCKS = "org.lock_share"
"""What is known of the org's locks: the share that they refuse, or what ``sync.locks`` keeps before that."""

JOB_PACE = "org.job_pace:"
"""Before a kind of Bulk job: seconds a row that the last one took."""

DESCRIBED = "org.described"

KEPT_FOR = timedelta(days=1)
"""How long something is trusted that the org was asked for once."""

TOTALS_GAP = "totals-gap:"
"""With the campaign's id behind it: member rows known beyond the campaign's own totals when its ids were read last."""


class Facts:
    """Text by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """The value of *key*, None when it was never set."""
        with self._database.read() as conn:
            value: str | None = conn.execute(select(fact.c.value).where(fact.c.key == key)).scalar()
            return value

    def set(self, key: str, value: str | None) -> None:
        """Set *key*; None removes it."""
        with self._database.write() as conn:
            if value is None:
                conn.execute(delete(fact).where(fact.c.key == key))
            else:
                conn.execute(self._database.upsert(fact), [{"key": key, "value": value}])

    def client_id(self) -> str:
        """The name under which this state writes to the service, made once."""
        known = self.get(CLIENT_ID)
        if known is not None:
            return known
        with self._database.write() as conn:
            self._database.one_at_a_time(conn, CLIENT_ID)
            made = conn.execute(select(fact.c.value).where(fact.c.key == CLIENT_ID)).scalar()
            if made is None:
                made = f"console-{uuid.uuid4().hex[:16]}"
                conn.execute(self._database.upsert(fact), [{"key": CLIENT_ID, "value": made}])
            return str(made)


class JobPaces:
    """How fast the org's Bulk jobs are: seconds a row by the kind of job (``ingest``, ``query``)."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def load(self, kind: str) -> float | None:
        """As the last job of *kind* went; None before the first."""
        found = self._facts.get(JOB_PACE + kind)
        return None if found is None else float(found)

    def save(self, kind: str, seconds: float) -> None:
        """As a job of *kind* went just now."""
        self._facts.set(JOB_PACE + kind, f"{seconds:.9f}")


class KeptFact:
    """One text that is good for a day.

    Args:
        facts: where it is kept.
        key: its name there.
        clock: tells its age.
    """

    def __init__(self, facts: Facts, key: str, clock: Clock) -> None:
        self._facts, self._key, self._clock = facts, key, clock

    def load(self) -> str | None:
        """The text; None when there is none, or it is too old or from the future."""
        at, _, text = (self._facts.get(self._key) or "").partition(" ")
        try:
            age = self._clock.now() - datetime.fromisoformat(at)
        except ValueError:
            return None
        return text if timedelta(0) <= age < KEPT_FOR else None

    def save(self, text: str | None) -> None:
        """Keep *text* from now on; None forgets."""
        self._facts.set(self._key, None if text is None else f"{self._clock.now().isoformat()} {text}")
