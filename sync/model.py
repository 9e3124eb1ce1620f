"""The values the engine works with: campaigns, members on either side, editions, and what the two sides last agreed.

Pure: values in, values out. Field names are ours, not the wire's; ``mapping`` says how Salesforce names them. Every
instant is an aware UTC ``datetime``; every id has 18 characters (``sync.ids``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from sync.cheap import Word, cheap
from sync.ids import CampaignId, EditionId, MemberId, PersonId


class Side(Word):
    """The system that a value was read from or is written to."""

    SALESFORCE = "salesforce"
    PREDICTIVE = "predictive"


class CampaignType(StrEnum):
    """E-mail type of a campaign; it decides how many editions New Edition makes (5, 1, 1)."""

    ADAPTIVE = "adaptive"
    SCHEDULED = "scheduled"
    DRIP = "drip"


class CampaignState(StrEnum):
    """Life of a campaign. Closed: inactive after having started, past its end date, or Completed or Aborted."""

    PLANNED = "planned"
    ACTIVE = "active"
    CLOSED = "closed"


class PersonKind(Word):
    """What a person is in the org. A converted lead counts as the contact made from it."""

    LEAD = "lead"
    CONTACT = "contact"


class Level(StrEnum):
    """How far a member got with the e-mails. Levels only rise; a bounce is a counter and a reason, not a level."""

    SENT = "Sent"
    OPENED = "Opened"
    CLICKED = "Clicked"
    COMPLETED = "Completed"

    @property
    def rank(self) -> int:
        """0 for Sent to 3 for Completed."""
        return list(Level).index(self)


class RunKind(StrEnum):
    """What a run does; the value of ``kind`` in ``--json``."""

    INITIAL = "initial"
    MANUAL = "manual"
    HOURLY = "hourly"
    NIGHTLY = "nightly"
    REFRESH = "refresh"
    UNDO = "undo"
    RELEASE = "release"
    VERIFY = "verify"
    PLAN = "plan"
    OPT_IN = "opt-in"
    UNLOCK = "unlock"
    TEST_SEND = "test-send"


class RunState(StrEnum):
    """The one state in which a run is or ended."""

    RUNNING = "running"
    DONE = "done"
    NOTHING_TO_DO = "nothing-to-do"
    PARTIAL = "partial"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """True for each state but running."""
        return self is not RunState.RUNNING


@dataclass(frozen=True, slots=True)
class StatusLabel:
    """One row of CampaignMemberStatus: a status that members of the campaign may have."""

    label: str
    is_default: bool = False
    has_responded: bool = False
    sort_order: int = 0


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign's header as the org has it. Salesforce owns every field of it.

    ``type_label`` is the org's own text; ``type`` is None where that text is none of the three e-mail types.
    ``metrics`` are the figures that the org derives itself (``sync.metrics``), None when they were not read along.
    """

    id: CampaignId
    name: str
    type: CampaignType | None
    type_label: str | None
    is_active: bool
    status: str | None
    start_date: date | None
    end_date: date | None
    auto_sync: bool
    number_of_leads: int = 0
    number_of_contacts: int = 0
    number_of_converted: int = 0
    owner: str | None = None
    created: datetime | None = None
    stamp: datetime | None = None
    is_deleted: bool = False
    labels: tuple[StatusLabel, ...] = ()
    metrics: tuple[tuple[str, float | None], ...] | None = None

    def state(self, today: date) -> CampaignState:
        """Planned, active or closed on *today*, a date in the org's time zone."""
        ended = self.end_date is not None and self.end_date < today
        started = self.start_date is None or self.start_date <= today
        if self.is_deleted or ended or (self.status or "").lower() in ("completed", "aborted"):
            return CampaignState.CLOSED
        if self.is_active:
            return CampaignState.ACTIVE
        return CampaignState.CLOSED if started and self.start_date is not None else CampaignState.PLANNED


@cheap
@dataclass(frozen=True, slots=True)
class OrgMember:
    """A CampaignMember as the org has it, with what it shows of its lead or contact.

    ``stamp`` is the newest of the member's own, its lead's and its contact's SystemModstamp.
    ``synced`` is the marker's instant, None when the org has none.
    """

    member_id: MemberId
    campaign_id: CampaignId
    person_id: PersonId
    kind: PersonKind
    lead_id: str | None
    contact_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    opted_out: bool
    status: str | None
    test_member: bool = False
    level: str | None = None
    reason: str | None = None
    active: bool = False
    synced: datetime | None = None
    opens: int = 0
    clicks: int = 0
    completions: int = 0
    bounces: int = 0
    created: datetime | None = None
    stamp: datetime | None = None


@cheap
@dataclass(frozen=True, slots=True)
class ServiceMember:
    """A member as the Predictive service has it."""

    campaign_id: CampaignId
    person_id: PersonId
    member_id: MemberId | None
    kind: PersonKind
    first_name: str | None
    last_name: str | None
    email: str | None
    status: str | None
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
    last_activity: datetime | None = None
    version: int = 0


class StatusState(Word):
    """What is known of a member's two-owner status."""

    AGREED = "agreed"
    PENDING = "pending"
    HELD = "held"
    REJECTED = "rejected"


@cheap
@dataclass(frozen=True, slots=True)
class BaseMember:
    """What both sides last agreed for one member, the third leg of the merge.

    ``org_digest`` and ``service_digest`` are digests of the rows as they were when agreed (``sync.digest``): a side
    whose landed digest equals the base's has not changed. ``holds`` names fields that an undo restored, each with the
    owner's value that contradicts it (``sync.holds``).
    """

    campaign_id: CampaignId
    person_id: PersonId
    member_id: MemberId | None
    org_digest: str
    service_digest: str
    status: str | None
    org_status: str | None
    service_status: str | None
    status_state: StatusState = StatusState.AGREED
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    opted_out: bool = False
    test_member: bool = False
    level: str | None = None
    reason: str | None = None
    active: bool = False
    synced: datetime | None = None
    opens: int = 0
    clicks: int = 0
    completions: int = 0
    bounces: int = 0
    invisible: bool = False
    note: str | None = None
    holds: tuple[tuple[str, str | int | bool | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of mails (sent, delivered, bounced) and of members (opened, clicked, completed, opted out)."""

    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    completed: int = 0
    bounced: int = 0
    opted_out: int = 0


@dataclass(frozen=True, slots=True)
class Blocked:
    """One condition that keeps an edition from sending: the rule's name and a sentence for people."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Edition:
    """One e-mail of a campaign. Predictive owns it; ``salesforce_id`` is its row in the org once written."""

    id: EditionId
    campaign_id: CampaignId
    slot: int
    role: str
    name: str
    subject: str | None
    active: bool
    state: str
    blocked_by: tuple[Blocked, ...] = ()
    start_date: date | None = None
    end_date: date | None = None
    days_delay: int | None = None
    tested_at: datetime | None = None
    salesforce_id: str | None = None
    stats: Statistics = field(default_factory=Statistics)
    version: int = 0


@dataclass(frozen=True, slots=True)
class ClickThrough:
    """One web page clicked from an edition, with its hits."""

    id: str
    campaign_id: CampaignId
    edition_id: EditionId
    url: str
    hits: int
    completion: bool = False


@dataclass(frozen=True, slots=True)
class HistoryHour:
    """E-mails of one edition sent in one hour (``hour`` 0 to 23 is its start)."""

    id: str
    campaign_id: CampaignId
    edition_id: EditionId
    subject: str | None
    day: date
    hour: int
    count: int


@dataclass(frozen=True, slots=True)
class TestPerson:
    """A global test member: Test Group ``PAM`` and Test Member checked on the lead or contact."""

    person_id: PersonId
    kind: PersonKind
    first_name: str | None
    last_name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class PersonOptOut:
    """A person's global opt-out as one side has it."""

    person_id: PersonId
    opted_out: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Calls:
    """HTTP requests per side; Salesforce's count against the org-wide daily limit."""

    salesforce: int = 0
    predictive: int = 0

    def __add__(self, other: Calls) -> Calls:
        """Sum, side by side."""
        return Calls(self.salesforce + other.salesforce, self.predictive + other.predictive)

    def __sub__(self, other: Calls) -> Calls:
        """What is left after *other*, never below zero."""
        return Calls(max(0, self.salesforce - other.salesforce), max(0, self.predictive - other.predictive))


class JobWait(NamedTuple):
    """A wait for Bulk jobs: for those of one round side by side, by the ``rows`` of the largest, or for a ``serial``
    one, whose batches go one after the other."""

    rows: int
    serial: bool = False


class WriteCost(NamedTuple):
    """Calls that writing to the org takes: ``expected``, the ``least`` that any engine could need, and ``locked``: what
    is expected when the batches of a Bulk job refuse each other every row that they can. ``waits``: for Bulk jobs, in
    their order."""

    expected: int = 0
    least: int = 0
    locked: int = 0
    waits: tuple[JobWait, ...] = ()


NO_WRITES = WriteCost()
