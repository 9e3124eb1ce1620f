"""What people look at: rows of lists and results of runs, as values read from the store.

Pure. The command line prints them, the console paints them; both read the same values. Every figure that can grow
old carries the instant it was read at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sync.ids import CampaignId, RunId
from sync.model import Calls, Campaign, ClickThrough, Edition, HistoryHour, RunKind, RunState, Side, Statistics

if TYPE_CHECKING:
    from sync.metrics import Metric
    from sync.plan import GuardVerdict, PlanCounts


@dataclass(frozen=True, slots=True)
class Warned:
    """Something about a campaign that needs a person: ``code`` is stable, ``text`` is a sentence with the remedy."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign as the overview shows it.

    Attributes:
        members: status label → number of members in the org when last read, in the order of the labels.
        total, active, inactive, unsynced: members by what Predictive may send them; ``unsynced`` has no marker yet.
        editions: how many; sent to opted_out are the service's own counts over all editions.
        started: New Edition was done.
        last_run, last_state, last_kind, last_note: the newest ended run that touched it.
        next_run: when a timer will touch it next, None when none will.
        verified: when the verifier last found both sides equal; broken: when it last found *differences* fields that
            differ, None when it found none since.
        held: members of whom an undo holds something, until Salesforce agrees or a person releases it.
        read_at: when the org's figures were read.
    """

    campaign: Campaign
    state: str
    members: tuple[tuple[str, int], ...]
    total: int
    active: int
    inactive: int
    unsynced: int
    editions: int
    started: bool
    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    completed: int = 0
    bounced: int = 0
    opted_out: int = 0
    last_run: datetime | None = None
    last_run_id: RunId | None = None
    last_kind: RunKind | None = None
    last_state: RunState | None = None
    last_note: str = ""
    running: RunId | None = None
    next_run: datetime | None = None
    locked: str | None = None
    paused: str | None = None
    verified: datetime | None = None
    broken: datetime | None = None
    differences: int = 0
    pending: int = 0
    held: int = 0
    warnings: tuple[Warned, ...] = ()
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as both sides have it, for lists. ``difference`` names fields that wait for a run."""

    member_id: str | None
    person_id: str
    kind: str
    first_name: str | None
    last_name: str | None
    email: str | None
    status: str | None
    level: str | None
    reason: str | None
    active: bool
    test_member: bool
    synced: datetime | None
    opens: int = 0
    clicks: int = 0
    completions: int = 0
    bounces: int = 0
    last_activity: datetime | None = None
    invisible: bool = False
    difference: str = ""


_OWNER = re.compile(r"(?P<host>[^:/]+)(?:/\d+)?:(?P<pid>\d+):\d+")
"""What ``sync.store.owner`` makes: host and name space of process ids, id, start."""


def process_of(owner: str) -> str:
    """A run's owner as people look for it: ``host:pid``, without what tells two processes of one id apart."""
    found = _OWNER.fullmatch(owner)
    return f"{found['host']}:{found['pid']}" if found else owner


@dataclass(frozen=True, slots=True)
class RunView:
    """A run of the journal.

    ``stopping`` and ``pausing``: somebody asked a live run to stop, or to hold, after its batch; ``paused`` since when
    it holds. ``undoes`` is the run that this one undid, ``undone_by`` the newest one that undid this.
    """

    run: RunId
    kind: RunKind
    state: RunState
    campaign_id: CampaignId | None
    campaign_name: str | None
    parent: RunId | None
    simulated: bool
    started: datetime
    ended: datetime | None
    counts: PlanCounts
    calls: Calls
    predicted: Calls
    owner: str
    error: str | None = None
    plan_id: str | None = None
    stopping: bool = False
    pausing: bool = False
    paused: datetime | None = None
    undoes: RunId | None = None
    undone_by: RunId | None = None

    @property
    def by(self) -> str:
        """The process that ran it, as people look for it."""
        return process_of(self.owner)


@dataclass(frozen=True, slots=True)
class LimitsView:
    """The API meter.

    Attributes:
        used, limit: the org's, as it told them at ``at``; None when it never did.
        ours: what this store's ledger counted in ``window`` hours; ``others`` is the rest.
        forecast: calls that the next runs will take, by name; ``tonight`` is the next nightly batch.
        gear: how far the governor lets runs go: normal, warn, pause (statistics wait), stop (all but opt-outs).
        reserved: calls that live runs have set aside and not made yet.
        reached_at: when the limit would be reached if the meter goes on rising as it does; None when it does not.
    """

    used: int | None
    limit: int | None
    ours: int
    others: int | None
    window: int
    thresholds: tuple[tuple[str, float], ...]
    forecast: tuple[tuple[str, float], ...]
    at: datetime | None
    gear: str = "normal"
    reserved: int = 0
    reached_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spender:
    """Who spent Salesforce calls: a campaign (``name`` is its id where the store does not know it), a run kind or
    command, an object. An empty ``key`` stands for what belongs to none, or to several at once."""

    key: str
    name: str
    calls: int


@dataclass(frozen=True, slots=True)
class Waste:
    """Calls that bring nothing.

    Attributes:
        rule: ``closed-auto-sync`` (clear the box), ``failed-runs``, ``simulations``.
        campaign_id: the campaign, None where it is none in particular.
        calls: a night for a campaign, in the window for the others.
        spent: whether they are being spent, or only would be by a console that takes closed campaigns along.
        text: a sentence with the remedy.
    """

    rule: str
    campaign_id: CampaignId | None
    name: str
    calls: int
    spent: bool
    text: str


@dataclass(frozen=True, slots=True)
class Spending:
    """Salesforce calls of this store in ``window`` hours, by what they were for, most first; and what was wasted.
    ``by_hour`` has a figure for each of those hours, the oldest first."""

    window: int
    total: int
    by_campaign: tuple[Spender, ...]
    by_kind: tuple[Spender, ...]
    by_object: tuple[Spender, ...]
    waste: tuple[Waste, ...]
    by_hour: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PulseView:
    """How the org's state lives: runs under way, members whose activity waits for a run, the instant of the oldest
    such activity (None when nothing waits), and rows written in each of the last 24 hours, the oldest first."""

    running: int
    waiting: int
    oldest: datetime | None
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TimerView:
    """The next firing of a timer, and what it did last; ``workers`` that are there to fire it, consoles aside."""

    kind: RunKind
    due: datetime
    enabled: bool
    simulated: bool
    paused: str | None = None
    last_due: datetime | None = None
    last_run: RunId | None = None
    last_state: RunState | None = None
    missed: tuple[datetime, ...] = ()
    workers: int = 0


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker that is there: its process, since when, and the runs that it has in hand."""

    owner: str
    started: datetime
    runs: tuple[RunId, ...] = ()


@dataclass(frozen=True, slots=True)
class QueuedView:
    """A run that waits for a worker, or that one has in hand.

    Attributes:
        campaigns: ids; () for all that the kind takes.
        not_before: when it may be begun; later than ``asked_at`` after another run had its campaign.
        owner: the worker that has it, None while it waits.
        tries: how often it was begun.
    """

    job: str
    kind: RunKind
    campaigns: tuple[CampaignId, ...]
    asked_by: str
    asked_at: datetime
    not_before: datetime
    owner: str | None = None
    claimed_at: datetime | None = None
    tries: int = 0
    finished_at: datetime | None = None
    run: RunId | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which the two sides differ, found by the verifier."""

    campaign_id: CampaignId
    person_id: str
    label: str
    field: str
    salesforce: str | None
    predictive: str | None
    kind: str = "difference"


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that was rejected or left as drift, with the platform's code and our remedy.

    ``seq`` is its number in the run's journal, which a retry takes; ``at`` when it failed.
    """

    run: RunId
    side: Side
    campaign_id: str
    subject_id: str
    label: str
    field: str
    state: str
    code: str
    message: str
    remedy: str
    seq: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JournalRowView:
    """One row of a run's journal: who, which field, from what to what, and what became of it (written, rejected,
    drifted or unknown)."""

    run: RunId
    seq: int
    side: Side
    campaign_id: str
    subject_id: str
    label: str
    change: str
    field: str
    before: str | None
    after: str | None
    state: str
    code: str
    message: str
    remedy: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed rows of one type, for the error board.

    Attributes:
        code: the platform's or our own code. kind: class of the failure (``sync.failures.FailureClass``).
        cause, remedy: what it means, what a person can do.
        passes: True when the next run may simply try again.
        count: rows. people: distinct records among them.
        campaigns: (id, name, rows) of each campaign concerned.
        rows: the first of them. newest: when the last one failed.
    """

    code: str
    kind: str
    cause: str
    remedy: str
    passes: bool
    count: int
    people: int
    campaigns: tuple[tuple[str, str, int], ...]
    rows: tuple[FailedRow, ...]
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What a run did to one campaign, or why it left it out."""

    campaign_id: CampaignId
    name: str
    state: RunState | None
    counts: PlanCounts
    skipped: str | None = None
    saved_calls: int = 0
    error: str | None = None
    run: RunId | None = None
    guards: tuple[GuardVerdict, ...] = ()


@dataclass(frozen=True, slots=True)
class RunResult:
    """The end of a run: one value for the summary line, the exit code and the run screen."""

    run: RunId
    kind: RunKind
    state: RunState
    simulated: bool
    seconds: float
    counts: PlanCounts
    calls: Calls
    predicted: Calls
    maximum: Calls
    lower_bound: Calls
    campaigns: tuple[CampaignResult, ...]
    failed_rows: tuple[FailedRow, ...] = ()
    differences: tuple[Difference, ...] = ()
    plan_id: str | None = None
    error: str | None = None
    exit_code: int = 0
    locked: bool = False


@dataclass(frozen=True, slots=True)
class CampaignDetail:
    """Everything the campaign screen shows beside its members, which are read by window.

    ``curve`` holds, for each hour with news, what the editions had come to by its end. ``metrics_at`` is when the
    org's own figures were read, None when they never were.
    """

    view: CampaignView
    editions: tuple[Edition, ...]
    click_throughs: tuple[ClickThrough, ...]
    history: tuple[HistoryHour, ...]
    runs: tuple[RunView, ...]
    curve: tuple[tuple[datetime, Statistics], ...] = ()
    metrics: tuple[Metric, ...] = ()
    metrics_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``doctor``: state is ``ok``, ``attention`` or ``trouble``; the remedy says what to do."""

    name: str
    state: str
    text: str
    remedy: str = ""
