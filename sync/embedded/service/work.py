"""The unit of work: everything one transaction reads and changes, written at once at its end.

Each record that changed is written once, gets one new version and one whole entry in the change feed, however
many events touched it; the counts per status and the edition statistics move with it. That is the one door
through which members, mails, statistics and click-throughs change. May import SQLAlchemy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import Connection, Table, and_, insert, select, tuple_, update

from sync.embedded.service import schema
from sync.embedded.service.database import insert_rows, read_meta, update_rows, write_meta
from sync.embedded.service.instants import iso
from sync.embedded.service.records import (
    CampaignRow,
    EditionState,
    HistoryState,
    LinkState,
    MailState,
    MemberState,
    astuple,
    member_wire,
)

_CHUNK = 1000
_ENCODER = msgspec.json.Encoder()
Flag = Literal["delivered", "opened", "clicked", "completed", "bounced", "opted_out", "complained"]
_COUNTED = {
    "opened": "opened", "clicked": "clicked", "completed": "completed", "bounced": "bounced",
    "opted_out": "opted_out", "complained": "complaints",
}  # fmt: skip
K = TypeVar("K")
S = TypeVar("S", bound=msgspec.Struct)
Suppressions = dict[tuple[str, str, str], tuple[str | None, str | None]]
_ABSENT: tuple[Any, ...] = ()


class Work:
    """One write transaction's records. ``flush`` before the commit."""

    def __init__(self, conn: Connection, now: datetime, *, client: str | None = None, has_address: bool = True) -> None:
        self.conn = conn
        self.now = now
        self.at = iso(now)
        self.client = client
        self.has_address = has_address
        self.members: dict[tuple[str, str], MemberState] = {}
        self.editions: dict[str, EditionState] = {}
        self.mails: dict[str, MailState] = {}
        self.links: dict[tuple[str, int], LinkState] = {}
        self.history: dict[tuple[str, str, int], HistoryState] = {}
        self._campaigns: dict[str, CampaignRow | None] = {}
        self._before: dict[tuple[str, Any], tuple[Any, ...]] = {}
        self._missing: set[tuple[str, str]] = set()
        self._linked: set[str] = set()
        self._feed: list[tuple[str, str, str | None, str | None, bytes]] = []
        self._followed: set[tuple[str, str]] = set()
        self._republish: set[str] = set()

    # -- reading -------------------------------------------------------------------------------------------

    def campaign(self, campaign_id: str) -> CampaignRow | None:
        """A campaign's header."""
        if campaign_id not in self._campaigns:
            row = self.conn.execute(
                select(schema.campaigns).where(schema.campaigns.c.campaign_id == campaign_id)
            ).one_or_none()
            self._campaigns[campaign_id] = None if row is None else CampaignRow.of(row)
        return self._campaigns[campaign_id]

    def load_members(self, campaign_id: str, person_ids: Iterable[str]) -> None:
        """Fetch these persons' members (and tombstones) of a campaign that are not here yet."""
        wanted = sorted(
            {p for p in person_ids if (campaign_id, p) not in self.members and (campaign_id, p) not in self._missing}
        )
        table = schema.members
        for part in _parts(wanted):
            rows = self.conn.execute(
                select(table).where(table.c.campaign_id == campaign_id, table.c.person_id.in_(part))
            )
            self._take_members(rows)
        self._missing.update((campaign_id, p) for p in wanted if (campaign_id, p) not in self.members)

    def load_people(self, person_ids: Iterable[str]) -> list[MemberState]:
        """These persons' live members in every campaign."""
        wanted = sorted(set(person_ids))
        found: list[MemberState] = []
        table = schema.members
        for part in _parts(wanted):
            rows = self.conn.execute(select(table).where(table.c.person_id.in_(part)))
            found += self._take_members(rows)
        known = {m.key for m in found}
        chosen = set(wanted)
        found += [m for key, m in self.members.items() if key[1] in chosen and key not in known]
        return [m for m in found if not m.deleted]

    def _take_members(self, rows: Iterable[Sequence[Any]]) -> list[MemberState]:
        taken = []
        for row in rows:
            key = (row[0], row[1])
            state = self.members.get(key)
            if state is None:
                state = self.members[key] = MemberState(*row)
                self._before["member", key] = tuple(row)
            taken.append(state)
        return taken

    def member(self, campaign_id: str, person_id: str) -> MemberState | None:
        """A member or its tombstone."""
        key = (campaign_id, person_id)
        if key not in self.members and key not in self._missing:
            self.load_members(campaign_id, [person_id])
        return self.members.get(key)

    def edition(self, edition_id: str) -> EditionState | None:
        """An edition."""
        if edition_id not in self.editions:
            table = schema.editions
            row = self.conn.execute(select(table).where(table.c.edition_id == edition_id)).one_or_none()
            if row is None:
                return None
            self._take("edition", self.editions, edition_id, EditionState(*row))
        return self.editions[edition_id]

    def editions_of(self, campaign_id: str) -> list[EditionState]:
        """A campaign's editions in slot order."""
        table = schema.editions
        rows = self.conn.execute(select(table).where(table.c.campaign_id == campaign_id))
        for row in rows:
            if row[0] not in self.editions:
                self._take("edition", self.editions, row[0], EditionState(*row))
        return sorted((e for e in self.editions.values() if e.campaign_id == campaign_id), key=lambda e: e.slot)

    def load_mails(self, mail_ids: Iterable[str]) -> None:
        """Fetch mails of the journal."""
        table = schema.mails
        for part in _parts(sorted({m for m in mail_ids if m not in self.mails})):
            for row in self.conn.execute(select(table).where(table.c.mail_id.in_(part))):
                self._take("mail", self.mails, row[0], MailState(*row))

    def mail(self, mail_id: str) -> MailState | None:
        """A mail of the journal; None for an unknown id or a test mail's."""
        if mail_id not in self.mails:
            self.load_mails([mail_id])
        return self.mails.get(mail_id)

    def links_of(self, edition_id: str) -> list[LinkState]:
        """An edition's links, in the order of their numbers."""
        if edition_id not in self._linked:
            table = schema.links
            for row in self.conn.execute(select(table).where(table.c.edition_id == edition_id)):
                self._take("link", self.links, (row[0], row[1]), LinkState(*row))
            self._linked.add(edition_id)
        return sorted((s for k, s in self.links.items() if k[0] == edition_id), key=lambda s: s.n)

    def history_at(self, edition: EditionState, day: str, hour: int) -> HistoryState:
        """The history entry of an edition's hour, made when it is not there."""
        key = (edition.edition_id, day, hour)
        if key not in self.history:
            table = schema.history
            row = self.conn.execute(
                select(table).where(and_(table.c.edition_id == key[0], table.c.date == day, table.c.hour == hour))
            ).one_or_none()
            if row is not None:
                self._take("history", self.history, key, HistoryState(*row))
            else:
                self.history[key] = HistoryState(
                    edition.edition_id, day, hour, f"hi_{edition.edition_id.removeprefix('ed_')}_{day}_{hour:02d}",
                    edition.campaign_id, edition.subject, 0,
                )  # fmt: skip
        return self.history[key]

    def _take(self, kind: str, into: dict[K, S], key: K, state: S) -> None:
        into[key] = state
        self._before[kind, key] = astuple(state)

    # -- changing ------------------------------------------------------------------------------------------

    def put_campaign(self, row: CampaignRow) -> None:
        """The header as this transaction has just stored it."""
        self._campaigns[row.campaign_id] = row

    def add_member(self, state: MemberState) -> None:
        """A member that is not stored yet, not even as a tombstone."""
        self.members[state.key] = state
        self._missing.discard(state.key)

    def add_edition(self, state: EditionState) -> None:
        """An edition that is not stored yet."""
        self.editions[state.edition_id] = state

    def add_link(self, state: LinkState) -> None:
        """A link that is not stored yet."""
        self.links[state.edition_id, state.n] = state

    def add_mail(self, state: MailState) -> None:
        """A mail whose row this transaction inserted itself."""
        self._take("mail", self.mails, state.mail_id, state)

    def mark(self, mail: MailState, flag: Flag) -> bool:
        """Set a flag of a mail and count it in its edition; False when it was set before."""
        if getattr(mail, flag):
            return False
        setattr(mail, flag, True)
        edition = self.edition(mail.edition_id)
        if edition is not None and flag in _COUNTED:
            setattr(edition, _COUNTED[flag], getattr(edition, _COUNTED[flag]) + 1)
        return True

    def publish(self, kind: str, op: str, campaign_id: str | None, data: msgspec.Struct) -> None:
        """An entry of the feed besides those that records get by themselves."""
        self._feed.append((kind, op, self.client, campaign_id, _ENCODER.encode(data)))

    def republish_edition(self, edition_id: str) -> None:
        """Publish an edition whose shown values changed through its campaign, with a new version."""
        self._republish.add(edition_id)

    # -- writing -------------------------------------------------------------------------------------------

    def follows(self, member: MemberState) -> None:
        """A member that the client did not name changes in consequence of what it wrote: that is no write of its own,
        and whoever leaves those out is told of it."""
        self._followed.add((member.campaign_id, member.person_id))

    def flush(self) -> None:
        """Write every changed record, the counts per status and the feed."""
        self._flush_members()
        self._flush_editions()
        self._flush("mail", self.mails, schema.mails, ("mail_id",), None)
        self._flush("link", self.links, schema.links, ("edition_id", "n"), self._publish_link)
        self._flush("history", self.history, schema.history, ("edition_id", "date", "hour"), self._publish_history)
        self._flush_feed()

    def _flush_members(self) -> None:
        moved: Counter[tuple[str, str, bool]] = Counter()
        new: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        for key, state in self.members.items():
            before = self._before.get(("member", key), _ABSENT)
            after = astuple(state)
            if before == after:
                continue
            state.version += 1
            after = astuple(state)
            (changed if before else new).append(after)
            if before and not before[21]:
                moved[before[0], before[7] or "", bool(before[10])] -= 1
            if not state.deleted:
                moved[state.campaign_id, state.status or "", state.active] += 1
            self._before["member", key] = after
            op = "delete" if state.deleted else "upsert"
            client = None if key in self._followed else self.client
            self._feed.append(("member", op, client, state.campaign_id, _ENCODER.encode(member_wire(state))))
        insert_rows(self.conn, schema.members, new)
        update_rows(self.conn, schema.members, ("campaign_id", "person_id"), changed)
        self._move_tallies(moved)

    def _move_tallies(self, moved: Counter[tuple[str, str, bool]]) -> None:
        table = schema.tallies
        for (campaign_id, status, active), step in sorted(moved.items()):
            if step == 0:
                continue
            here = and_(table.c.campaign_id == campaign_id, table.c.status == status, table.c.active == active)
            if self.conn.execute(update(table).where(here).values(n=table.c.n + step)).rowcount == 0:
                self.conn.execute(insert(table).values(campaign_id=campaign_id, status=status, active=active, n=step))

    def _flush_editions(self) -> None:
        for edition_id in self._republish:
            edition = self.edition(edition_id)
            if edition is not None:
                edition.version += 1
        self._republish.clear()
        self._flush("edition", self.editions, schema.editions, ("edition_id",), self._publish_edition)

    def _publish_edition(self, state: EditionState) -> None:
        campaign = self.campaign(state.campaign_id)
        if campaign is not None:
            self.publish(
                "edition", "upsert", state.campaign_id, state.wire(campaign, self.now, has_address=self.has_address)
            )

    def _publish_link(self, state: LinkState) -> None:
        if state.hits or state.completion:
            self.publish("click_through", "upsert", state.campaign_id, state.wire())

    def _publish_history(self, state: HistoryState) -> None:
        self.publish("history", "upsert", state.campaign_id, state.wire())

    def _flush(
        self, kind: str, states: dict[K, S], table: Table, keys: tuple[str, ...], publish: Callable[[S], None] | None
    ) -> None:
        new: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        for key, state in states.items():
            before = self._before.get((kind, key), _ABSENT)
            after = astuple(state)
            if before == after:
                continue
            (changed if before else new).append(after)
            self._before[kind, key] = after
            if publish is not None:
                publish(state)
        insert_rows(self.conn, table, new)
        update_rows(self.conn, table, keys, changed)

    def _flush_feed(self) -> None:
        if not self._feed:
            return
        seq = int(read_meta(self.conn, "feed_seq") or 0)
        rows = [
            (seq + i, self.at, kind, op, client, campaign_id, data)
            for i, (kind, op, client, campaign_id, data) in enumerate(self._feed, 1)
        ]
        insert_rows(self.conn, schema.changes, rows)
        write_meta(self.conn, "feed_seq", str(seq + len(rows)))
        self._feed.clear()


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[i : i + _CHUNK] for i in range(0, len(values), _CHUNK))


def suppressions_of(conn: Connection, person_ids: Iterable[str]) -> Suppressions:
    """(person, campaign or "", kind) → (reason, e-mail) for these persons."""
    table = schema.suppressions
    found: Suppressions = {}
    for part in _parts(sorted(set(person_ids))):
        query = select(table.c.person_id, table.c.campaign_id, table.c.kind, table.c.reason, table.c.email)
        for row in conn.execute(query.where(table.c.person_id.in_(part))):
            found[row[0], row[1], row[2]] = (row[3], row[4])
    return found


def suppress(
    work: Work, person_id: str, campaign_id: str, kind: str, reason: str | None, email: str | None = None
) -> bool:
    """Remember by person that nothing may be sent (everywhere, or in a campaign); False when it was so before."""
    table = schema.suppressions
    key = tuple_(table.c.person_id, table.c.campaign_id, table.c.kind) == tuple_(person_id, campaign_id, kind)
    row = {"reason": reason, "email": email, "at": work.at}
    if work.conn.execute(update(table).where(key).values(**row)).rowcount:
        return False
    work.conn.execute(insert(table).values(person_id=person_id, campaign_id=campaign_id, kind=kind, **row))
    return True
