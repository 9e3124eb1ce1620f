"""What the engine needs of the outside, as protocols. No implementation lives here.

``Org`` is the Salesforce side, ``Service`` the Predictive side; the store and the ledger are concrete
(``sync.store``), because both databases they run on share one implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from sync.cheap import cheap
from sync.ids import CampaignId, EditionId, MemberId, PersonId
from sync.mapping import refuse_against_owner
from sync.model import (
    Campaign,
    ClickThrough,
    Edition,
    HistoryHour,
    JobWait,
    OrgMember,
    PersonKind,
    PersonOptOut,
    ServiceMember,
    Side,
    TestPerson,
    WriteCost,
)
from sync.story import ServiceStory

# ---------------------------------------------------------------- ledger


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One HTTP request as the transport saw it.

    ``counted`` is False for what the platform does not count (token requests, the version list). ``status`` is None
    when no answer came. ``purpose`` is the run kind or command, ``run`` and ``campaign_id`` are "" when there is none.
    ``used`` and ``limit`` are the org's own meter from ``Sforce-Limit-Info``.
    """

    at: datetime
    side: Side
    method: str
    path: str
    status: int | None
    seconds: float
    counted: bool
    run: str = ""
    campaign_id: str = ""
    purpose: str = ""
    resource: str = ""
    used: int | None = None
    limit: int | None = None


class Ledger(Protocol):
    """Takes a record of each request, at once and durably."""

    def record(self, call: CallRecord) -> None:
        """Keep *call*."""


# ---------------------------------------------------------------- the org


@dataclass(frozen=True, slots=True)
class OrgIdentity:
    """Who the org is. ``time_zone`` is an IANA name, for the org's notion of today."""

    org_id: str
    name: str
    time_zone: str
    instance_url: str
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class PollScope:
    """What a poll looks at.

    Attributes:
        campaigns: these campaigns; None for all with auto-sync on, of which those that are not active give their
            header, never members.
        since: members whose own, lead's or contact's stamp is at or after it; None for all members.
        names: headers of campaigns with these names come, too, whether or not they are among *campaigns*.
        check: what ``Org.describe_check`` asks for comes along, unless it is known.
    """

    campaigns: tuple[CampaignId, ...] | None
    since: datetime | None
    names: tuple[str, ...] = ()
    check: bool = False


@dataclass(frozen=True, slots=True)
class MemberCounts:
    """The org's own count of a campaign's member rows, from the same call as the poll."""

    members: int
    leads: int
    contacts: int
    newest: datetime | None


@dataclass(slots=True)
class Poll:
    """The answer to a poll. ``pages`` is lazy: reading on may spend further calls, already counted in ``more_calls``.

    Attributes:
        campaigns: headers with status labels, by id.
        counts: member rows by campaign, as counted by the org (campaigns without members are absent).
        changed: how many member rows the pages will give in all.
        more_calls: Salesforce calls that reading the pages to the end will spend beyond those spent already.
        pages: member rows, each page a tuple, in member-id order.
        test_people: the org's global test members, None when the mapping has none.
        server_time: the org's clock at the poll; the next watermark comes from it.
        whole: the pages give every member of the scope, changed or not, so that a member they leave out is missing.
    """

    campaigns: Mapping[CampaignId, Campaign]
    counts: Mapping[CampaignId, MemberCounts]
    changed: int
    more_calls: int
    pages: Iterator[tuple[OrgMember, ...]]
    test_people: tuple[TestPerson, ...] | None
    server_time: datetime
    whole: bool = False


class MemberKey(NamedTuple):
    """A member row by its ids."""

    campaign_id: CampaignId
    member_id: MemberId
    person_id: PersonId


@dataclass(frozen=True, slots=True)
class IdRead:
    """All member ids of some campaigns with the person of each, and the org's count of each campaign from the same
    call. Only where every page came and the distinct ids equal the count may an id be called missing.

    ``pages`` is lazy and may spend further calls; the rows come in any order.
    """

    counts: Mapping[CampaignId, int]
    pages: Iterator[Sequence[MemberKey]]


class Presence(StrEnum):
    """Whether a lead or contact can still be seen."""

    READABLE = "readable"
    DELETED = "deleted"
    MERGED = "merged"
    INVISIBLE = "invisible"


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a lead or contact by id."""

    person_id: PersonId
    presence: Presence
    converted_to: PersonId | None = None
    merged_into: PersonId | None = None
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Headers:
    """The hourly run's first call: headers of the campaigns asked for, and people newly opted out.

    ``missing`` names campaigns that the org no longer shows. ``members`` are member rows that became those of somebody
    opted out, or whose person changed since: after a conversion or a merge a row may still be known as another's.
    """

    campaigns: Mapping[CampaignId, Campaign]
    missing: tuple[CampaignId, ...]
    opted_out: tuple[PersonOptOut, ...]
    members: tuple[MemberKey, ...]
    server_time: datetime


class OrgOperation(StrEnum):
    """How a row is written."""

    UPDATE = "update"
    UPSERT = "upsert"


@cheap
@dataclass(frozen=True, slots=True)
class OrgWrite:
    """One row to write in the org.

    Attributes:
        key: the caller's own key, given back with the outcome.
        sobject: API name.
        operation: update by ``record_id`` or upsert by ``external_field`` = ``external_id``.
        values: API field name → value (str, int, bool, None, date or datetime).
        campaign_id: for order (one campaign's rows together) and the ledger.
        expect: two-owner fields, API name → value that must still be there; the adapter reads them in calls that are
            made anyway and leaves a row that differs as drift.
        about: the caller's own, given back with the outcome; the adapter may keep it in a file meanwhile.
    """

    key: str
    sobject: str
    operation: OrgOperation
    values: Mapping[str, Any]
    campaign_id: str = ""
    record_id: str | None = None
    external_field: str | None = None
    external_id: str | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    about: Any = None

    def __post_init__(self) -> None:
        """Refuse what the ownership table forbids. Raises ValueError."""
        refuse_against_owner(self.sobject, self.values)


@cheap
@dataclass(frozen=True, slots=True)
class OrgOutcome:
    """What became of one row.

    Attributes:
        state: ``written``, ``rejected`` (code and message of the platform, our remedy), ``drifted`` (``found`` holds
            what was there), ``unknown`` (sent, no answer), or ``unsent`` (surely not executed: no connection, the
            daily limit, a cancel; the error is raised after it).
        record_id: the row's id where it is known.
        found: for written two-owner rows what the read-back gave, for drifted ones what stood there.
        overwritten: somebody's values of the last moment, after the read and before the write, that were lost to it.
    """

    key: str
    state: str
    record_id: str | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""
    found: Mapping[str, Any] = field(default_factory=dict)
    overwritten: Mapping[str, Any] = field(default_factory=dict)


class WriteMeter(Protocol):
    """Counts calls of writes that pass by; keeps none of them."""

    def add(self, write: OrgWrite) -> None:
        """A record with all that is written to it. Raises ValueError when it names no record."""

    def cost(self) -> WriteCost:
        """The calls that writing everything spends; asked once, at the end."""


class Org(Protocol):
    """The Salesforce side. Every method may raise ServerDown, NotWhatItShouldBe, WrongCredentials, QuotaExhausted."""

    def identity(self) -> OrgIdentity:
        """The org's identity; rides in a call or is remembered, at most one call per process."""

    def seen_org_id(self) -> str | None:
        """The id of the org that answers, as far as the session tells it; no call is made for it."""

    def list_campaigns(self) -> tuple[tuple[Campaign, ...], Mapping[CampaignId, Mapping[str, int]], datetime]:
        """All campaigns with labels, members by status, and the org's time. One call for up to 2,000 groups."""

    def poll(self, scope: PollScope) -> Poll:
        """One Composite of five queries, and further calls only as the pages are read."""

    def read_ids(self, campaign_ids: Sequence[CampaignId]) -> Iterator[IdRead]:
        """Member ids of campaigns for the delete rule; many small campaigns share a read, and a call."""

    def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[OrgMember, ...]]:
        """Every member of one campaign, afresh, in id order; 10,000 rows a call."""

    def read_some(
        self, wanted: Sequence[tuple[CampaignId, PersonId, MemberId | None]]
    ) -> Iterator[tuple[OrgMember, ...]]:
        """Named members of any campaigns, afresh, found by their person and by the member row where one is given; rows
        of others may be among them. A call holds 1,000 of them."""

    def read_people(self, person_ids: Sequence[PersonId]) -> Mapping[PersonId, Person]:
        """Presence of leads and contacts, deleted and merged ones included."""

    def headers(self, campaign_ids: Sequence[CampaignId], opted_out_since: datetime | None) -> Headers:
        """The hourly run's one call before anything is sent."""

    def meter(self) -> WriteMeter:
        """A meter of the calls that ``write`` would spend; pure arithmetic, no call."""

    def job_seconds(self, wait: JobWait) -> float:
        """Seconds that a wait for Bulk jobs is expected to take; no call."""

    def write(
        self,
        writes: Iterable[OrgWrite],
        *,
        before: Callable[[tuple[OrgWrite, ...]], None],
        after: Callable[[tuple[OrgWrite, ...], tuple[OrgOutcome, ...]], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Write rows in the fewest calls; *before* and *after* bracket each batch for the journal.

        *after* gets the same rows as *before*, in the same order, each with its outcome. A Bulk job is announced in
        several batches, all of them before it starts. A row of a batch whose answer never came is reported ``unknown``
        to *after*; then the error is raised. QuotaExhausted is raised between batches, never swallowed. Writes of one
        record share a row: give what the service alone owns and what has two owners as two writes with the same
        ``record_id``, and drift of the one leaves the other written at no cost.

        Raises:
            Cancelled: *cancelled* was true between two batches, or a wait was ended.
        """

    def describe_check(self, *, afresh: bool = True) -> tuple[tuple[str, str], ...]:
        """Mapped names that the org lacks, cannot be read or cannot be written: (API name, what is wrong).

        *afresh* False is content with what the org said less than a day ago, if nothing was wrong then: no call.
        """


# ---------------------------------------------------------------- the service


@dataclass(frozen=True, slots=True)
class ServiceIdentity:
    """Who the service is, and its clock."""

    service_id: str
    version: str
    time: datetime


@cheap
@dataclass(frozen=True, slots=True)
class MemberWrite:
    """One row of ``members:batch``. ``fields`` absent = keep, None = clear.

    ``was`` is the person under whom the service knows the member so far: the lead was converted, or two were merged.
    """

    key: str
    person_id: PersonId
    kind: PersonKind
    member_id: MemberId | None
    delete: bool = False
    lead_id: str | None = None
    was: PersonId | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    if_version: int | None = None


@cheap
@dataclass(frozen=True, slots=True)
class MemberOutcome:
    """Outcome of one row: created, updated, unchanged, deleted, absent, stale or invalid."""

    key: str
    person_id: PersonId
    outcome: str
    version: int | None
    active: bool | None
    reason: str | None
    level: str | None
    status: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of the change feed, decoded. ``cursor`` continues after it; ``more`` says that there is more now."""

    members: tuple[ServiceMember, ...]
    removed: tuple[tuple[CampaignId, PersonId], ...]
    people: tuple[PersonOptOut, ...]
    editions: tuple[Edition, ...]
    click_throughs: tuple[ClickThrough, ...]
    history: tuple[HistoryHour, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class CampaignStats:
    """A campaign as the service counts it."""

    campaign_id: CampaignId
    name: str
    type: str
    members: int
    active: int
    inactive: int
    editions: int
    by_status: Mapping[str, int]
    sent: int
    delivered: int
    opened: int
    clicked: int
    completed: int
    bounced: int
    opted_out: int


@dataclass(frozen=True, slots=True)
class PreparedItem:
    """How many mails of one edition are due."""

    campaign_id: CampaignId
    edition_id: EditionId
    slot: int
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frozen list of due mails. ``send_id`` is None for a dry run. ``first_time``: campaigns that never sent."""

    send_id: str | None
    at: datetime
    expected: int
    items: tuple[PreparedItem, ...]
    blocked: tuple[tuple[CampaignId, EditionId, tuple[str, ...]], ...]
    first_time: tuple[CampaignId, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a release."""

    sent: int
    unknown: int
    failed: int
    dropped: int
    by_edition: tuple[tuple[CampaignId, EditionId, int], ...]


@dataclass(frozen=True, slots=True)
class SendFate:
    """A release as the service knows it: ``state`` is prepared (it never arrived), releasing or released."""

    state: str
    sent: int = 0
    unknown: int = 0
    failed: int = 0
    dropped: int = 0


class Service(Protocol):
    """The Predictive side. Methods may raise ServerDown, NotWhatItShouldBe, WrongCredentials, RemoteRejected."""

    def identity(self) -> ServiceIdentity:
        """Identity and clock."""

    def list_campaigns(self) -> tuple[CampaignStats, ...]:
        """All campaigns with counts and statistics."""

    def put_campaign(self, campaign: Campaign, *, status_on: Mapping[str, str], time_zone: str, key: str) -> None:
        """Push a header with its status labels."""

    def editions(self, campaign_id: CampaignId) -> tuple[Edition, ...]:
        """Editions of a campaign in slot order."""

    def create_editions(self, campaign_id: CampaignId, operation: str) -> tuple[tuple[Edition, ...], int]:
        """Editions by campaign type, keyed by *operation* and slot; all editions and how many are new."""

    def patch_edition(self, edition_id: EditionId, fields: Mapping[str, Any], *, key: str) -> Edition:
        """Change content, active, dates, delay or ``salesforce_id``."""

    def test_send(self, edition_id: EditionId, *, key: str) -> tuple[int, tuple[str, ...], Edition]:
        """Send to the test members: count, addresses, the edition after it."""

    def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[ServiceMember, ...]]:
        """Every member of a campaign, in person-id order."""

    def write_members(
        self, campaign_id: CampaignId, rows: Sequence[MemberWrite], *, key: str
    ) -> tuple[MemberOutcome, ...]:
        """Up to 5,000 rows in one request, outcomes in order. OutcomeUnknown when no answer came."""

    def put_test_members(self, people: Sequence[TestPerson], *, key: str) -> int:
        """Replace the org's list of global test members; how many it holds now."""

    def head(self) -> str:
        """The change feed's present end, to start from after a snapshot."""

    def changes(self, cursor: str) -> Changes:
        """The next page of the feed, without what this client wrote. Raises CursorExpired."""

    def click_throughs(self, campaign_id: CampaignId) -> tuple[ClickThrough, ...]:
        """Click-throughs of a campaign."""

    def history(self, campaign_id: CampaignId) -> tuple[HistoryHour, ...]:
        """E-mail history of a campaign by hour."""

    def prepare(
        self, at: datetime | None, campaigns: Sequence[CampaignId] | None, *, dry_run: bool, key: str
    ) -> Prepared:
        """Freeze who is due; a dry run keeps nothing."""

    def release(self, send_id: str, expected: int, *, key: str) -> Released:
        """Hand the frozen list over for delivery."""

    def send_fate(self, send_id: str) -> SendFate:
        """What became of a frozen list; sends nothing. Raises RemoteRejected when the service does not know it."""

    def opt_out(self, person_id: PersonId, reason: str | None, *, key: str) -> None:
        """Opt a person out everywhere."""

    def opt_in(
        self, person_id: PersonId, campaign_id: CampaignId, edition_id: EditionId, reason: str, *, key: str
    ) -> tuple[CampaignId, ...]:
        """Opt a person in for one campaign from an edition on, so that no earlier edition is mailed; the campaigns
        whose members changed."""

    def story(self, campaign_id: CampaignId, person_id: PersonId) -> ServiceStory:
        """What only the service knows of one member: why each edition is mailed or not, mails, suppression, record.
        A person that was never a member of the campaign has no member and is not ``removed``."""


class CursorExpired(Exception):
    """The feed was trimmed past the cursor; take a snapshot and start from its head."""


def on_day(instant: datetime, time_zone: str) -> date:
    """The date of *instant* in an IANA time zone."""
    from zoneinfo import ZoneInfo

    return instant.astimezone(ZoneInfo(time_zone)).date()
