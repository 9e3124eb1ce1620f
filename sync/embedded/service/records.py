"""Stored rows as values: what a unit of work holds and changes, and how each becomes its wire shape.

Member, edition, mail and link rows are mutable inside one transaction (see work.py) and have their table's columns
in the table's order. May import msgspec and the pure modules of the service.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from sync.embedded.service import rules, wire
from sync.embedded.service.instants import zone


class MemberState(Struct, gc=False):
    """A row of `members`. `level` is 0 to 3 or None; `deleted` marks a tombstone."""

    campaign_id: str
    person_id: str
    member_id: str | None
    kind: wire.Kind
    email: str | None
    first_name: str | None
    last_name: str | None
    status: str | None
    level: int | None
    reason: str | None
    active: bool
    test_member: bool
    opted_out: bool
    hold: str | None
    opens: int
    clicks: int
    completions: int
    bounces: int
    added_at: str
    last_activity: str | None
    version: int
    deleted: bool
    last_sent_at: str | None
    last_slot: int | None
    from_slot: int | None

    @property
    def key(self) -> tuple[str, str]:
        """(campaign, person)."""
        return (self.campaign_id, self.person_id)

    def deactivate(self, reason: str) -> None:
        """Make inactive; a stronger reason replaces a weaker one, never the reverse."""
        if rules.rank(reason) > rules.rank(self.reason):
            self.reason = reason
        self.active = False

    def wire(self) -> wire.Member:
        """The member as the API shows it."""
        return member_wire(self)


def member_wire(m: MemberState) -> wire.Member:
    """A stored member as the API shows it."""
    return wire.Member(
        m.campaign_id, m.person_id, m.member_id, m.kind, m.email, m.first_name, m.last_name, m.status,
        None if m.level is None else wire.LEVELS[m.level],
        m.reason, m.active, m.test_member, m.opted_out, m.hold, m.opens, m.clicks, m.completions, m.bounces,
        m.added_at, m.last_activity, m.version,
    )  # fmt: skip


class MailState(Struct, gc=False):
    """A row of `mails`."""

    mail_id: str
    campaign_id: str
    edition_id: str
    person_id: str
    send_id: str
    email: str
    state: str
    intent_at: str
    sent_at: str | None
    delivered: bool = False
    opened: bool = False
    clicked: bool = False
    completed: bool = False
    bounced: bool = False
    opted_out: bool = False
    complained: bool = False


class LinkState(Struct, gc=False):
    """A row of `links`."""

    edition_id: str
    n: int
    click_id: str
    campaign_id: str
    url: str
    hits: int
    completion: bool

    def wire(self) -> wire.ClickThrough:
        """The click-through as the API shows it."""
        return wire.ClickThrough(self.click_id, self.campaign_id, self.edition_id, self.url, self.hits, self.completion)


class HistoryState(Struct, gc=False):
    """A row of `history`."""

    edition_id: str
    date: str
    hour: int
    history_id: str
    campaign_id: str
    subject: str | None
    count: int

    def wire(self) -> wire.History:
        """The history entry as the API shows it."""
        return wire.History(
            self.history_id, self.campaign_id, self.edition_id, self.subject, self.date, self.hour, self.count
        )


class CampaignRow(Struct, frozen=True):
    """A row of `campaigns`, decoded."""

    campaign_id: str
    name: str
    type: wire.CampaignType
    status: str | None
    is_active: bool
    start_date: str | None
    end_date: str | None
    time_zone: str
    deleted: bool
    statuses: list[wire.Status]
    status_on: wire.StatusOn
    version: int
    created: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> CampaignRow:
        """From a row of the table."""
        values = list(row)
        values[9] = msgspec.json.decode(values[9], type=list[wire.Status])
        values[10] = msgspec.json.decode(values[10], type=wire.StatusOn)
        return cls(*values)

    def columns(self) -> dict[str, Any]:
        """As values for the table."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        values["statuses"] = msgspec.json.encode(self.statuses).decode()
        values["status_on"] = msgspec.json.encode(self.status_on).decode()
        return values

    @property
    def facts(self) -> rules.CampaignFacts:
        """What the sending rules look at."""
        return rules.CampaignFacts(
            is_active=self.is_active,
            deleted=self.deleted,
            status=self.status,
            start_date=_date(self.start_date),
            end_date=_date(self.end_date),
            where=zone(self.time_zone),
        )


class EditionState(Struct):
    """A row of `editions`."""

    edition_id: str
    campaign_id: str
    operation: str
    slot: int
    role: wire.Role
    name: str | None
    subject: str | None
    html: str | None
    text: str | None
    active: bool
    start_date: str | None
    end_date: str | None
    days_delay: int | None
    not_before: int | None
    not_after: int | None
    weekdays: str | None
    tested_at: str | None
    salesforce_id: str | None
    activated: bool
    version: int
    created: str
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    completed: int = 0
    bounced: int = 0
    opted_out: int = 0
    complaints: int = 0

    @property
    def has_content(self) -> bool:
        """Whether there is something to send: subject and HTML."""
        return bool((self.subject or "").strip()) and bool((self.html or "").strip())

    @property
    def weekday_list(self) -> list[int] | None:
        """Allowed ISO weekdays; None = every day."""
        return None if self.weekdays is None else json.loads(self.weekdays)

    @property
    def facts(self) -> rules.EditionFacts:
        """What the sending rules look at."""
        days = self.weekday_list
        return rules.EditionFacts(
            role=self.role,
            active=self.active,
            has_content=self.has_content,
            start_date=_date(self.start_date),
            end_date=_date(self.end_date),
            not_before=self.not_before,
            not_after=self.not_after,
            weekdays=None if days is None else tuple(days),
            tested=self.tested_at is not None,
            activated=self.activated,
            sent=self.sent,
        )

    def stats(self) -> wire.EditionStats:
        """Counts of mails; delivered = sent and not bounced (domain 6)."""
        return wire.EditionStats(
            sent=self.sent,
            delivered=self.sent - self.bounced,
            opened=self.opened,
            clicked=self.clicked,
            completed=self.completed,
            bounced=self.bounced,
            opted_out=self.opted_out,
        )

    def wire(self, campaign: CampaignRow, now: datetime, *, has_address: bool) -> wire.Edition:
        """The edition as the API shows it at ``now``; Adaptive and Drip show the campaign's dates (3151)."""
        own = self.role == "scheduled"
        facts, campaign_facts = self.facts, campaign.facts
        blocks = rules.blocked_by(campaign_facts, facts, now, has_address=has_address)
        return wire.Edition(
            edition_id=self.edition_id,
            campaign_id=self.campaign_id,
            operation=self.operation,
            slot=self.slot,
            role=self.role,
            name=self.name,
            subject=self.subject,
            html=self.html,
            text=self.text,
            active=self.active,
            start_date=self.start_date if own else campaign.start_date,
            end_date=self.end_date if own else campaign.end_date,
            days_delay=self.days_delay,
            not_before=self.not_before,
            not_after=self.not_after,
            weekdays=self.weekday_list,
            tested_at=self.tested_at,
            salesforce_id=self.salesforce_id,
            state=rules.edition_state(campaign_facts, facts, blocks),
            blocked_by=blocks,
            version=self.version,
            created=self.created,
            stats=self.stats(),
        )


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def astuple(state: Struct) -> tuple[Any, ...]:
    """A state's values in column order."""
    return msgspec.structs.astuple(state)
