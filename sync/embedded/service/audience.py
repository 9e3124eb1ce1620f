"""The simulated audience: people who receive, open, click, complete, bounce, opt out, complain.

Seeded: what a mail's reader does depends on the seed and the mail's id only. A released mail gets its plan of
reactions; those that are due by the clock are applied before anything is read, in due order, exactly once, through
the same door as the real tracking links. May import SQLAlchemy.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select

from sync.clock import Clock
from sync.embedded.service import schema, tracking
from sync.embedded.service.database import Database
from sync.embedded.service.instants import from_milliseconds, milliseconds
from sync.embedded.service.work import Work

_BATCH = 2000
_HARD, _SOFT, _OPENS, _CLICKS, _COMPLETES, _OPTS_OUT, _COMPLAINS = 0.015, 0.010, 0.40, 0.25, 0.30, 0.006, 0.001
_LONGEST = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Reaction:
    """One thing that a reader will do, so long after the mail was sent. ``choice`` picks a link."""

    after: timedelta
    kind: str  # a tracking kind, or hard, soft
    choice: int = 0


def reactions_to(seed: int, mail_id: str, links: int) -> list[Reaction]:
    """What the reader of a mail with so many links does, in order. Pure."""
    chance = random.Random(f"{seed}:{mail_id}")  # noqa: S311 - a simulation wants to be repeatable
    fate = chance.random()
    arrival = timedelta(seconds=2 + chance.random() * 40)
    if fate < _HARD:
        return [Reaction(arrival, "hard")]
    if fate < _HARD + _SOFT:
        return [Reaction(arrival + timedelta(minutes=chance.random() * 30), "soft")]
    plan = [Reaction(arrival, "delivered")]
    opened = arrival + min(_LONGEST, timedelta(minutes=chance.lognormvariate(4.4, 1.1)))
    if chance.random() < _OPENS:
        plan.append(Reaction(opened, "open"))
        if links and chance.random() < _CLICKS:
            completes = chance.random() < _COMPLETES
            clicked = opened + timedelta(seconds=15 + chance.random() * 240)
            # The first link is the call to action; who completes went there.
            choice = 0 if completes else chance.randrange(links)
            plan.append(Reaction(clicked, "click", choice))
            if completes:
                plan.append(Reaction(clicked + timedelta(seconds=60 + chance.random() * 1200), "complete", choice))
    leaves = chance.random()
    if leaves < _OPTS_OUT:
        plan.append(Reaction(plan[-1].after + timedelta(seconds=30 + chance.random() * 600), "opt_out"))
    elif leaves < _OPTS_OUT + _COMPLAINS:
        plan.append(Reaction(plan[-1].after + timedelta(seconds=30 + chance.random() * 600), "complaint"))
    return plan


class Audience:
    """Plans reactions and applies those that are due. ``speed`` 0 = nobody reacts. Safe from any thread."""

    def __init__(self, seed: int, speed: float) -> None:
        self._seed = seed
        self._speed = speed
        self._lock = threading.Lock()
        self._next: int | None = None  # when the earliest reaction is due; None = not known, look

    def plan(self, conn: Connection, sent: Iterable[tuple[str, int]], at: datetime) -> None:
        """Plan what follows mails (id, number of links) sent at an instant; in the transaction that records them."""
        if self._speed <= 0:
            return
        rows = [
            {
                "due": milliseconds(at + reaction.after / self._speed),
                "mail_id": mail_id,
                "step": step,
                "kind": reaction.kind,
                "choice": reaction.choice,
            }
            for mail_id, links in sent
            for step, reaction in enumerate(reactions_to(self._seed, mail_id, links))
        ]
        if rows:
            conn.execute(insert(schema.reactions), rows)
            self._next = None

    def settle(self, db: Database, clock: Clock, *, has_address: bool) -> None:
        """Apply every reaction that is due by now."""
        while True:
            now = clock.now()
            with self._lock:
                if self._next is not None and self._next > milliseconds(now):
                    return
            if self._speed <= 0 and self._next is None and not self._any(db):
                self._next = 2**62
                return
            if self._batch(db, now, has_address=has_address) < _BATCH:
                return

    def _any(self, db: Database) -> bool:
        with db.read() as conn:
            return conn.execute(select(schema.reactions.c.due).limit(1)).first() is not None

    def _batch(self, db: Database, now: datetime, *, has_address: bool) -> int:
        table = schema.reactions
        with db.write() as conn:
            rows = conn.execute(
                select(table.c.due, table.c.mail_id, table.c.step, table.c.kind, table.c.choice)
                .where(table.c.due <= milliseconds(now))
                .order_by(table.c.due, table.c.mail_id, table.c.step)
                .limit(_BATCH)
            ).all()
            if rows:
                work = Work(conn, now, has_address=has_address)
                _react(work, [tuple(row) for row in rows])
                work.flush()
                done = [{"a": row.due, "b": row.mail_id, "c": row.step} for row in rows]
                conn.execute(
                    delete(table).where(
                        and_(
                            table.c.due == bindparam("a"),
                            table.c.mail_id == bindparam("b"),
                            table.c.step == bindparam("c"),
                        )
                    ),
                    done,
                )
            earliest = conn.execute(select(func.min(table.c.due))).scalar()
            with self._lock:
                self._next = 2**62 if earliest is None else int(earliest)
        return len(rows)


def _react(work: Work, rows: Sequence[tuple[int, str, int, str, int]]) -> None:
    work.load_mails(row[1] for row in rows)
    by_campaign: dict[str, set[str]] = {}
    for mail in work.mails.values():
        by_campaign.setdefault(mail.campaign_id, set()).add(mail.person_id)
    for campaign_id, person_ids in by_campaign.items():
        work.load_members(campaign_id, person_ids)
    for due, mail_id, _, kind, choice in rows:
        found = work.mail(mail_id)
        if found is None:
            continue
        at = from_milliseconds(due)
        if kind in ("hard", "soft"):
            tracking.apply(work, found, "bounce", at, hard=kind == "hard")
            continue
        link = None
        if kind in ("click", "complete"):
            links = work.links_of(found.edition_id)
            link = links[choice % len(links)] if links else None
        tracking.apply(work, found, kind, at, link=link)  # type: ignore[arg-type]
