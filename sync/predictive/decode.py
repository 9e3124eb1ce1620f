"""The service's answers decoded from bytes and turned into our values. Pure; readers ignore unknown keys."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from sync.ids import CampaignId, EditionId, MemberId, PersonId
from sync.model import (
    Blocked,
    ClickThrough,
    Edition,
    HistoryHour,
    PersonKind,
    PersonOptOut,
    ServiceMember,
    Statistics,
)
from sync.ports import CampaignStats, Prepared, PreparedItem, Released, SendFate

Row = TypeVar("Row")

_KINDS = {kind.value: kind for kind in PersonKind}


@lru_cache(maxsize=4_096)
def instant(value: str) -> datetime:
    """An ISO 8601 instant as an aware UTC datetime."""
    return datetime.fromisoformat(value).astimezone(UTC)


class Listing(msgspec.Struct, Generic[Row]):
    """A page of a list."""

    items: list[Row]
    next: str | None = None


class Problem(msgspec.Struct):
    """RFC 9457 problem details."""

    title: str = ""
    status: int = 0
    detail: str = ""
    code: str = ""
    errors: list[Any] | None = None


class Info(msgspec.Struct):
    """Identity and clock."""

    service_id: str
    version: str
    time: datetime


class MemberRow(msgspec.Struct, gc=False):
    """A member."""

    campaign_id: str
    person_id: str
    kind: str
    member_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    status: str | None = None
    level: str | None = None
    reason: str | None = None
    active: bool = False
    test_member: bool = False
    opted_out: bool = False
    hold: str | None = None
    opens: int = 0
    clicks: int = 0
    completions: int = 0
    bounces: int = 0
    last_activity: str | None = None
    version: int = 0

    def value(self) -> ServiceMember:
        """As our value."""
        return ServiceMember(
            campaign_id=CampaignId(self.campaign_id),
            person_id=PersonId(self.person_id),
            member_id=MemberId(self.member_id) if self.member_id else None,
            kind=_KINDS[self.kind],
            first_name=self.first_name,
            last_name=self.last_name,
            email=self.email,
            status=self.status,
            level=self.level,
            reason=self.reason,
            active=self.active,
            test_member=self.test_member,
            opted_out=self.opted_out,
            hold=self.hold,
            opens=self.opens,
            clicks=self.clicks,
            completions=self.completions,
            bounces=self.bounces,
            last_activity=instant(self.last_activity) if self.last_activity else None,
            version=self.version,
        )


class GoneRow(msgspec.Struct):
    """Which member is gone."""

    campaign_id: str
    person_id: str


class PersonRow(msgspec.Struct):
    """A person's opt-out or opt-in."""

    person_id: str
    opted_out: bool
    scope: str = "global"
    at: datetime | None = None
    reason: str | None = None

    def value(self) -> PersonOptOut:
        """As our value."""
        return PersonOptOut(PersonId(self.person_id), self.opted_out, self.at)


class StatsRow(msgspec.Struct):
    """Counts of mails and of members."""

    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    completed: int = 0
    bounced: int = 0
    opted_out: int = 0

    def value(self) -> Statistics:
        """As our value."""
        return Statistics(
            self.sent, self.delivered, self.opened, self.clicked, self.completed, self.bounced, self.opted_out
        )


class BlockedRow(msgspec.Struct):
    """A condition of sending that does not hold."""

    rule: str
    text: str


class EditionRow(msgspec.Struct):
    """An edition."""

    edition_id: str
    campaign_id: str
    slot: int
    role: str = ""
    name: str | None = None
    subject: str | None = None
    active: bool = False
    state: str = ""
    blocked_by: list[BlockedRow] = []
    start_date: date | None = None
    end_date: date | None = None
    days_delay: int | None = None
    tested_at: datetime | None = None
    salesforce_id: str | None = None
    stats: StatsRow = msgspec.field(default_factory=StatsRow)
    version: int = 0

    def value(self) -> Edition:
        """As our value."""
        return Edition(
            id=EditionId(self.edition_id),
            campaign_id=CampaignId(self.campaign_id),
            slot=self.slot,
            role=self.role,
            name=self.name or "",
            subject=self.subject,
            active=self.active,
            state=self.state,
            blocked_by=tuple(Blocked(one.rule, one.text) for one in self.blocked_by),
            start_date=self.start_date,
            end_date=self.end_date,
            days_delay=self.days_delay,
            tested_at=self.tested_at,
            salesforce_id=self.salesforce_id,
            stats=self.stats.value(),
            version=self.version,
        )


class EditionsMade(msgspec.Struct):
    """Editions after New Edition."""

    items: list[EditionRow]
    created: int


class TestSent(msgspec.Struct):
    """What a test send did."""

    sent: int
    recipients: list[str]
    edition: EditionRow


class ClickRow(msgspec.Struct):
    """A click-through."""

    click_id: str
    campaign_id: str
    edition_id: str
    url: str
    hits: int = 0
    completion: bool = False

    def value(self) -> ClickThrough:
        """As our value."""
        return ClickThrough(
            self.click_id,
            CampaignId(self.campaign_id),
            EditionId(self.edition_id),
            self.url,
            self.hits,
            self.completion,
        )


class HistoryRow(msgspec.Struct):
    """An hour of e-mail history."""

    history_id: str
    campaign_id: str
    edition_id: str
    date: date
    hour: int
    count: int
    subject: str | None = None

    def value(self) -> HistoryHour:
        """As our value."""
        return HistoryHour(
            self.history_id,
            CampaignId(self.campaign_id),
            EditionId(self.edition_id),
            self.subject,
            self.date,
            self.hour,
            self.count,
        )


class CountsRow(msgspec.Struct):
    """Members of a campaign."""

    members: int = 0
    active: int = 0
    inactive: int = 0


class CampaignRow(msgspec.Struct):
    """A campaign with counts and statistics."""

    campaign_id: str
    name: str = ""
    type: str = ""
    counts: CountsRow = msgspec.field(default_factory=CountsRow)
    by_status: dict[str, int] = {}
    editions: int = 0
    stats: StatsRow = msgspec.field(default_factory=StatsRow)

    def value(self) -> CampaignStats:
        """As our value."""
        return CampaignStats(
            campaign_id=CampaignId(self.campaign_id),
            name=self.name,
            type=self.type,
            members=self.counts.members,
            active=self.counts.active,
            inactive=self.counts.inactive,
            editions=self.editions,
            by_status=self.by_status,
            sent=self.stats.sent,
            delivered=self.stats.delivered,
            opened=self.stats.opened,
            clicked=self.stats.clicked,
            completed=self.stats.completed,
            bounced=self.stats.bounced,
            opted_out=self.stats.opted_out,
        )


class ChangeRow(msgspec.Struct):
    """An entry of the feed; its data are decoded by type."""

    type: str
    op: str
    data: msgspec.Raw


class ChangePage(msgspec.Struct):
    """A page of the feed."""

    items: list[ChangeRow]
    next: str
    more: bool


class OutcomeRow(msgspec.Struct):
    """What became of a row of a batch."""

    outcome: str
    person_id: str | None = None
    version: int | None = None
    active: bool | None = None
    reason: str | None = None
    level: str | None = None
    status: str | None = None
    error: str | None = None


class Outcomes(msgspec.Struct):
    """Outcomes of a batch, in order."""

    outcomes: list[OutcomeRow]


class TestMembersSet(msgspec.Struct):
    """How many test members there are now."""

    count: int


class DueRow(msgspec.Struct):
    """Members due for an edition."""

    campaign_id: str
    edition_id: str
    slot: int
    count: int
    name: str | None = None


class BlockedEdition(msgspec.Struct):
    """An edition that may not be sent now."""

    campaign_id: str
    edition_id: str
    blocked_by: list[BlockedRow] = []


class PreparedRow(msgspec.Struct):
    """A frozen list in counts."""

    at: datetime
    expected: int
    items: list[DueRow]
    send_id: str | None = None
    blocked: list[BlockedEdition] = []
    first_time: list[str] = []

    def value(self) -> Prepared:
        """As our value."""
        items = tuple(
            PreparedItem(CampaignId(one.campaign_id), EditionId(one.edition_id), one.slot, one.name or "", one.count)
            for one in self.items
        )
        blocked = tuple(
            (CampaignId(one.campaign_id), EditionId(one.edition_id), tuple(why.text for why in one.blocked_by))
            for one in self.blocked
        )
        first = tuple(CampaignId(one) for one in self.first_time)
        return Prepared(self.send_id, self.at, self.expected, items, blocked, first)


class SentRow(msgspec.Struct):
    """Mails sent of an edition."""

    campaign_id: str
    edition_id: str
    sent: int


class ReleasedRow(msgspec.Struct):
    """What a release did."""

    sent: int
    unknown: int = 0
    failed: int = 0
    dropped: int = 0
    items: list[SentRow] = []

    def value(self) -> Released:
        """As our value."""
        by_edition = tuple((CampaignId(i.campaign_id), EditionId(i.edition_id), i.sent) for i in self.items)
        return Released(self.sent, self.unknown, self.failed, self.dropped, by_edition)


class SendRow(msgspec.Struct):
    """A send and, as far as it is released, its result."""

    state: str
    sent: int = 0
    unknown: int = 0
    failed: int = 0
    dropped: int = 0

    def value(self) -> SendFate:
        """As our value."""
        return SendFate(self.state, self.sent, self.unknown, self.failed, self.dropped)


PROBLEM = msgspec.json.Decoder(Problem)
INFO = msgspec.json.Decoder(Info)
MEMBERS = msgspec.json.Decoder(Listing[MemberRow])
EDITIONS = msgspec.json.Decoder(Listing[EditionRow])
EDITION = msgspec.json.Decoder(EditionRow)
MADE = msgspec.json.Decoder(EditionsMade)
TEST_SENT = msgspec.json.Decoder(TestSent)
CAMPAIGN = msgspec.json.Decoder(CampaignRow)
CAMPAIGNS = msgspec.json.Decoder(Listing[CampaignRow])
CLICKS = msgspec.json.Decoder(Listing[ClickRow])
HISTORY = msgspec.json.Decoder(Listing[HistoryRow])
CHANGES = msgspec.json.Decoder(ChangePage)
OUTCOMES = msgspec.json.Decoder(Outcomes)
TEST_MEMBERS = msgspec.json.Decoder(TestMembersSet)
PREPARED = msgspec.json.Decoder(PreparedRow)
RELEASED = msgspec.json.Decoder(ReleasedRow)
SEND = msgspec.json.Decoder(SendRow)
ANYTHING = msgspec.json.Decoder(dict[str, Any])

MEMBER_DATA = msgspec.json.Decoder(MemberRow)
GONE_DATA = msgspec.json.Decoder(GoneRow)
PERSON_DATA = msgspec.json.Decoder(PersonRow)
CLICK_DATA = msgspec.json.Decoder(ClickRow)
HISTORY_DATA = msgspec.json.Decoder(HistoryRow)
