"""The API's objects and answers. With bodies.py, the OpenAPI document is made of these. May import msgspec."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

CampaignType = Literal["adaptive", "scheduled", "drip"]
Role = Literal["initial", "not_opened", "not_clicked", "not_complete", "complete", "scheduled", "drip"]
State = Literal["draft", "tested", "active", "expired", "blocked", "inactive"]
Level = Literal["Sent", "Opened", "Clicked", "Completed"]
Kind = Literal["lead", "contact"]
Scope = Literal["global", "campaign"]
Id = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
Short = Annotated[str, Meta(max_length=255)]

LEVELS: tuple[Level, ...] = ("Sent", "Opened", "Clicked", "Completed")


class Info(Struct, frozen=True):
    """Who answers, and what time it is there."""

    service_id: str
    version: str
    time: str


class Status(Struct, frozen=True):
    """One CampaignMemberStatus of a campaign; its label is as long as Salesforce lets it be."""

    label: Annotated[str, Meta(max_length=765)]
    is_default: bool = False
    has_responded: bool = False
    sort_order: Annotated[int, Meta(ge=-2_147_483_648, le=2_147_483_647)] = 0


class StatusOn(Struct, frozen=True):
    """Which status a level sets; null or absent = the default rule (sent: default, completed: first responded)."""

    sent: Short | None = None
    opened: Short | None = None
    clicked: Short | None = None
    completed: Short | None = None


class MemberCounts(Struct, frozen=True):
    """Members of a campaign: all, those that can be mailed, the others."""

    members: int
    active: int
    inactive: int


class CampaignStats(Struct, frozen=True):
    """Mails of a campaign; test sends are in none of them."""

    sent: int
    delivered: int
    opened: int
    clicked: int
    completed: int
    bounced: int
    opted_out: int
    complaints: int


class EditionStats(Struct, frozen=True):
    """Mails of an edition; members counted once for opened, clicked, completed; test sends are in none."""

    sent: int
    delivered: int
    opened: int
    clicked: int
    completed: int
    bounced: int
    opted_out: int


class Campaign(Struct, frozen=True):
    """A campaign's header, counts and statistics."""

    campaign_id: str
    name: str
    type: CampaignType
    status: str | None
    is_active: bool
    start_date: str | None
    end_date: str | None
    time_zone: str
    deleted: bool
    statuses: list[Status]
    status_on: StatusOn
    version: int
    created: str
    counts: MemberCounts
    by_status: dict[str, int]
    editions: int
    stats: CampaignStats


class Blocked(Struct, frozen=True):
    """One condition of sending that does not hold."""

    rule: str
    text: str


class Edition(Struct, frozen=True):
    """An e-mail edition with what keeps it from being sent."""

    edition_id: str
    campaign_id: str
    operation: str
    slot: int
    role: Role
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
    weekdays: list[int] | None
    tested_at: str | None
    salesforce_id: str | None
    state: State
    blocked_by: list[Blocked]
    version: int
    created: str
    stats: EditionStats


class TestSend(Struct, frozen=True):
    """What a test send did."""

    sent: int
    recipients: list[str]
    edition: Edition


class Member(Struct, frozen=True, gc=False):
    """A campaign member, whole."""

    campaign_id: str
    person_id: str
    member_id: str | None
    kind: Kind
    email: str | None
    first_name: str | None
    last_name: str | None
    status: str | None
    level: Level | None
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


OutcomeName = Literal["created", "updated", "unchanged", "deleted", "absent", "stale", "invalid"]


class Outcome(Struct, frozen=True):
    """What became of one row of a batch."""

    person_id: str | None
    outcome: OutcomeName
    version: int | None = None
    active: bool | None = None
    reason: str | None = None
    level: Level | None = None
    status: str | None = None
    error: str | None = None


class Outcomes(Struct, frozen=True):
    """Outcomes in the order of the rows."""

    outcomes: list[Outcome]


class TestMember(Struct, frozen=True):
    """A global test member of the org."""

    person_id: Id
    kind: Kind = "lead"
    email: Annotated[str, Meta(max_length=320)] | None = None
    first_name: Short | None = None
    last_name: Short | None = None


class TestMembersSet(Struct, frozen=True):
    """What the new list changed."""

    count: int
    added: int
    removed: int


class TestMemberList(Struct, frozen=True):
    """The global test members."""

    items: list[TestMember]


class PersonChange(Struct, frozen=True):
    """A person opted out or in; `scope` says where."""

    person_id: str
    opted_out: bool
    scope: Scope
    reason: str | None
    at: str


class ClickThrough(Struct, frozen=True):
    """A web page clicked from an edition."""

    click_id: str
    campaign_id: str
    edition_id: str
    url: str
    hits: int
    completion: bool


class History(Struct, frozen=True):
    """Mails of an edition sent in one hour of the campaign's time zone; `hour` is its start, 0 to 23."""

    history_id: str
    campaign_id: str
    edition_id: str
    subject: str | None
    date: str
    hour: int
    count: int


class Change(Struct, frozen=True):
    """One entry of the feed."""

    seq: int
    at: str
    type: Literal["member", "person", "edition", "click_through", "history"]
    op: Literal["upsert", "delete"]
    client: str | None
    campaign_id: str | None
    data: Any  # Member, PersonChange, Edition, ClickThrough or History, by type


class DueItem(Struct, frozen=True):
    """Members that are due for an edition."""

    campaign_id: str
    edition_id: str
    slot: int
    name: str | None
    count: int


class BlockedItem(Struct, frozen=True):
    """An edition that may not be sent now, and why."""

    campaign_id: str
    edition_id: str
    slot: int
    blocked_by: list[Blocked]


class SkippedItem(Struct, frozen=True):
    """Members that fit an edition and are not mailed: inactive, held, test_member, duplicate_email,
    hourly_limit, earlier_edition."""

    campaign_id: str
    edition_id: str
    reason: str
    count: int


class Prepared(Struct, frozen=True):
    """The frozen list, in counts."""

    send_id: str | None
    at: str
    expected: int
    items: list[DueItem]
    blocked: list[BlockedItem]
    first_time: list[str]
    skipped: list[SkippedItem]


class SentItem(Struct, frozen=True):
    """Mails sent of an edition."""

    campaign_id: str
    edition_id: str
    sent: int


class Released(Struct, frozen=True):
    """What a release did. `unknown`: handed over perhaps, never sent again."""

    send_id: str
    sent: int
    unknown: int
    failed: int
    dropped: int
    items: list[SentItem]


class Send(Struct, frozen=True):
    """A send: its list and, as far as it is released, its result."""

    send_id: str
    state: Literal["prepared", "releasing", "released"]
    at: str
    created: str
    expected: int
    sent: int
    unknown: int
    failed: int
    dropped: int
    items: list[SentItem]
    prepared: Prepared
    dropped_by: dict[str, int]


class Mail(Struct, frozen=True):
    """One mail of the journal."""

    mail_id: str
    campaign_id: str
    edition_id: str
    person_id: str
    send_id: str
    email: str
    state: Literal["intent", "sent", "unknown"]
    intent_at: str
    sent_at: str | None
    opened: bool
    clicked: bool
    completed: bool
    bounced: bool
    opted_out: bool
    complained: bool


class Affected(Struct, frozen=True):
    """The campaigns whose members changed."""

    person_id: str
    affected: list[str]


class EventTaken(Struct, frozen=True):
    """Whether the event changed anything: false for test mails."""

    mail_id: str
    counted: bool


class CampaignPage(Struct, frozen=True):
    """A page of campaigns."""

    items: list[Campaign]
    next: str | None


class EditionPage(Struct, frozen=True):
    """A page of editions."""

    items: list[Edition]
    next: str | None


class EditionsCreated(Struct, frozen=True):
    """The editions of an operation, and how many of them are new."""

    items: list[Edition]
    created: int


class MemberPage(Struct, frozen=True):
    """A page of members in person-id order."""

    items: list[Member]
    next: str | None


class ClickThroughPage(Struct, frozen=True):
    """A page of click-throughs."""

    items: list[ClickThrough]
    next: str | None


class HistoryPage(Struct, frozen=True):
    """A page of e-mail history."""

    items: list[History]
    next: str | None


class MailPage(Struct, frozen=True):
    """A page of the mail journal."""

    items: list[Mail]
    next: str | None


class ChangePage(Struct, frozen=True):
    """A page of the feed; `more` says whether there is more now."""

    items: list[Change]
    next: str
    more: bool


CHANGED: tuple[type[Struct], ...] = (Member, PersonChange, Edition, ClickThrough, History)
