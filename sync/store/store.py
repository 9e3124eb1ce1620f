"""The state database as the engine sees it: one object, its parts by subject, and transactions over all of them.

The only entry of this package. Importing it imports SQLAlchemy, so who draws a first picture imports it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sync.clock import Clock
from sync.ids import CampaignId
from sync.ports import Changes
from sync.store import landing
from sync.store.campaigns import Campaigns
from sync.store.content import Content
from sync.store.database import Database
from sync.store.facts import SERVICE_CURSOR, Facts
from sync.store.id_reads import IdReads
from sync.store.journal import Journal
from sync.store.journal_lists import JournalLists
from sync.store.ledger import Ledger
from sync.store.members import Members
from sync.store.migrate import HEAD
from sync.store.people import People
from sync.store.plans import Plans
from sync.store.pulse import Pulse
from sync.store.queue import Queue
from sync.store.reservations import Reservations
from sync.store.runs import Runs
from sync.store.schedule import Schedule
from sync.store.views import Views
from sync.store.wishes import Asked
from sync.store.witness import Witness
from sync.store.workers import Workers


class Store:
    """The state. Safe to use from any thread; each thread reads and writes on a connection of its own.

    Args:
        url: a file path, a SQLAlchemy URL of SQLite or PostgreSQL, or ``sqlite://`` for one that ends with the object.
        clock: the time that rows are stamped with.
        owner: who holds runs started here; this process unless a test says otherwise.
        before_commit: called in every write transaction right before it is committed.
        journal: keeps intents and outcomes; a test that needs one that forgets gives its own.

    Raises:
        ConfigError: the database cannot be opened.
        FatalError: a newer program wrote it.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        clock: Clock | None = None,
        owner: str | None = None,
        before_commit: Callable[[], None] | None = None,
        journal: type[Journal] = Journal,
    ) -> None:
        self.database = Database(url, clock, before_commit=before_commit)
        self.witness = Witness(self.database)
        self.facts = Facts(self.database)
        self.campaigns = Campaigns(self.database)
        self.members = Members(self.database)
        self.id_reads = IdReads(self.database)
        self.content = Content(self.database)
        self.people = People(self.database, self.facts)
        self.runs = Runs(self.database, self.campaigns.recount, owner)
        self.asked = Asked(self.database, self.runs)
        self.reservations = Reservations(self.database, self.runs)
        self.journal = journal(self.database, self.members, self.runs)
        self.journal_lists = JournalLists(self.database)
        self.plans = Plans(self.database)
        self.ledger = Ledger(self.database, self.facts)
        self.workers = Workers(self.database)
        self.queue = Queue(self.database, self.workers)
        self.schedule = Schedule(self.database, self.facts, self.workers)
        self.views = Views(self.database, self.content, self.people, self.runs)
        self.pulse = Pulse(self.database)

    @property
    def url(self) -> str:
        """Where the state is, without a password."""
        return self.database.shown

    @property
    def revisions(self) -> tuple[str | None, str]:
        """The revision that was found on opening, None for a new state, and the one that it has now."""
        return self.database.found_revision, HEAD

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything that this thread does in the block is one commit, or nothing. No request may be made in it."""
        with self.database.write(durable=True):
            yield

    def apply_changes(self, changes: Changes) -> frozenset[CampaignId]:
        """Take in one page of the service's feed and move the cursor, in one transaction.

        What it brings waits as landed rows whose digest is not base's, and leaves when base has it.

        Returns:
            Campaigns of which something new came.
        """
        with self.database.write(durable=True) as conn:
            _, touched = landing.land_service(self.database, conn, changes.members)
            # Within a page the order of versions is lost; what was removed and added again is among the members.
            alive = {(row.campaign_id, row.person_id) for row in changes.members}
            touched |= landing.forget_service(conn, [key for key in changes.removed if key not in alive])
            landing.touch(conn, touched)
            self.people.land_service_optouts(changes.people)
            self.content.land_editions(changes.editions)
            self.content.land_clicks(changes.click_throughs)
            self.content.land_history(changes.history)
            self.facts.set(SERVICE_CURSOR, changes.cursor)
        for others in (changes.editions, changes.click_throughs, changes.history):
            touched |= {each.campaign_id for each in others}
        return frozenset(touched)

    def close(self) -> None:
        """Close every connection."""
        self.ledger.close()
        self.witness.close()
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(url: str | Path, *, clock: Clock | None = None, owner: str | None = None) -> Store:
    """Open the state, creating or migrating it. See ``Store``."""
    return Store(url, clock=clock, owner=owner)
