"""The plan: every write of a run, on either side, as a value that can be shown, saved, filtered and applied later.

Pure. A plan is a small header and rows; the rows live on disk and are read as a stream or a window. A row can only be
built against the ownership table (``sync.mapping.OWNERS``): a write against the owner cannot be expressed.
"""

from __future__ import annotations

from collections.abc import Mapping as AbcMapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from typing import Any

from sync.cheap import Word, cheap
from sync.ids import CampaignId, RunId
from sync.mapping import ORG_TAKES, SERVICE_TAKES, may_write
from sync.model import Calls, RunKind, Side

PLAN_FORMAT = 1
"""Rises when a saved plan of an older program can no longer be applied."""

RULES_VERSION = 2
"""Rises when the merge's rules change, so that a plan made by other rules is refused."""

Scalar = str | int | bool | None

_ORG = Side.SALESFORCE


class Change(Word):
    """What a row does; rows are grouped, counted, accepted and rejected by it."""

    ADD = "add"
    REMOVE = "remove"
    ORPHAN = "orphan"
    NAME = "name"
    EMAIL = "email"
    STATUS = "status"
    OPT_OUT = "opt-out"
    OPT_IN = "opt-in"
    TEST_FLAG = "test-flag"
    IDENTITY = "identity"
    HOLD = "hold"
    HEADER = "header"
    TEST_PEOPLE = "test-people"
    MARKER = "marker"
    LEVEL = "level"
    REASON = "reason"
    COUNTERS = "counters"
    EDITION = "edition"
    CLICK_THROUGH = "click-through"
    HISTORY = "history"
    LOCK = "lock"
    TEST_SEND = "test-send"


REMOVALS = frozenset({Change.REMOVE, Change.ORPHAN})
"""What takes a member away; what ``apply`` leaves out without the removals."""

OFFERED = frozenset({Change.ORPHAN})
"""Rows that a plan only offers: they are written when a person accepted them one by one, never otherwise."""


class Subject(Word):
    """What kind of record a row writes."""

    MEMBER = "member"
    PERSON = "person"
    CAMPAIGN = "campaign"
    EDITION = "edition"
    CLICK_THROUGH = "click-through"
    HISTORY = "history"
    TEST_PEOPLE = "test-people"


@cheap
@dataclass(frozen=True, slots=True)
class PlanRow:
    """One write.

    Attributes:
        seq: position in the plan, from 1, unique.
        side: the side that is written.
        campaign_id: campaign it belongs to; "" for rows about a person or the test list as a whole.
        subject, subject_id, label: the record; for members the id is the person id and the label "Name <e-mail>".
        member_id: CampaignMember id where there is one.
        change: the group it is shown in.
        field: our field name (``sync.mapping.OWNERS``); "member" for whole members added or removed.
        before, after: JSON scalars; for an added member ``values`` holds the fields and ``after`` is its label.
        reason: a sentence for people, why this is written.
        rule: the owner rule that decided, e.g. ``salesforce-owns``, ``three-way``, ``salesforce-wins``.
        conflict: both sides had changed differently.
        values: fields of an added member, edition, click-through or history row, by our names.
        version: the service row's version that the write is conditional on, None to write regardless.
        on_arrival: the service decides the value in this very run; ``after`` is what is expected.
        held: an undo restores a value that the owner's side contradicts; it is kept until that side agrees.
    """

    seq: int
    side: Side
    campaign_id: CampaignId
    subject: Subject
    subject_id: str
    label: str
    change: Change
    field: str
    before: Scalar
    after: Scalar
    reason: str
    rule: str
    member_id: str | None = None
    conflict: bool = False
    values: AbcMapping[str, Any] = dataclass_field(default_factory=dict)
    version: int | None = None
    on_arrival: bool = False
    held: bool = False

    def __post_init__(self) -> None:
        """Refuse what the ownership table forbids.

        Raises:
            ValueError: *side* owns the field, so it may not be written there.
        """
        taken = ORG_TAKES if self.side is _ORG else SERVICE_TAKES
        if self.field not in taken and not may_write(self.field, self.side):
            raise ValueError(f"{self.field} is owned by {self.side.value} and cannot be written there")

    @property
    def offered(self) -> bool:
        """True for a row that is written only when a person accepted it by its number."""
        return self.change in OFFERED


def numbered(row: PlanRow, seq: int) -> PlanRow:
    """Give a row that nobody else holds yet its place in the plan.

    In place: a plan has as many rows as members, and a checked copy of each costs more than making it.
    """
    object.__setattr__(row, "seq", seq)
    return row


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """What one guard says of a plan.

    Attributes:
        rule: name, as ``--allow RULE=LIMIT`` takes it.
        passed: True when the plan may be applied as far as this guard goes.
        figure, limit: what was counted and what is allowed.
        text: one sentence with both figures.
        campaign_id: None for the run as a whole.
        without_deletes: applying without the removals would pass it.
    """

    rule: str
    passed: bool
    figure: float
    limit: float
    text: str
    campaign_id: CampaignId | None = None
    without_deletes: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """What applying costs, said before the first write.

    ``predicted`` is fixed after the first poll; ``maximum`` assumes the most polls and retries; ``lower_bound`` is
    the fewest calls that any engine could need. Calls already spent for reading are included in all three; ``spent``
    says how many those were, so that a plan applied later can say what is still to come. ``seconds`` is the time that
    the calls still to come will take at the pace measured last.
    """

    predicted: Calls = Calls()
    maximum: Calls = Calls()
    lower_bound: Calls = Calls()
    seconds: float = 0.0
    spent: Calls = Calls()

    def still_to_come(self, spent: Calls) -> Cost:
        """The cost of applying the plan in a run that has spent *spent* calls of its own so far."""
        reading = Calls(min(1, self.spent.salesforce), min(1, self.spent.predictive))
        again = Calls(min(1, spent.salesforce), min(1, spent.predictive))
        return Cost(
            predicted=self.predicted - self.spent + spent,
            maximum=self.maximum - self.spent + spent,
            lower_bound=self.lower_bound - reading + again,
            seconds=self.seconds,
            spent=spent,
        )


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """Persons and rows of a plan or a run, with the meaning of ``--json``'s summary fields."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    conflicts: int = 0
    rejected: int = 0
    drifted: int = 0
    held: int = 0
    invisible: int = 0
    pending: int = 0
    salesforce_rows: int = 0
    predictive_rows: int = 0
    editions_created: int = 0
    editions_updated: int = 0
    mails_released: int = 0
    mails_sent: int = 0
    mails_unknown: int = 0
    test_members: int = 0

    def __add__(self, other: PlanCounts) -> PlanCounts:
        """Sum, field by field."""
        return PlanCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """A campaign's part of a plan: its counts, or why it is left out; *refused* where that will not pass by itself."""

    campaign_id: CampaignId
    name: str
    counts: PlanCounts = PlanCounts()
    skipped: str | None = None
    by_change: tuple[tuple[Side, Change, int], ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The header of a plan; its rows are kept by the store under ``plan_id``.

    ``made_at`` is the servers' time of the reads it was made from. ``undoes`` is the run whose inverse it is, and
    ``cannot`` says first what of that run cannot be undone; ``retries`` is the run whose failed rows it tries again.
    ``offered`` counts rows that are not accepted unless a person accepts each by its number.
    """

    plan_id: str
    kind: RunKind
    made_at: datetime
    org_id: str
    service_id: str
    mapping_digest: str
    campaigns: tuple[CampaignPlan, ...]
    counts: PlanCounts
    cost: Cost
    guards: tuple[GuardVerdict, ...]
    rows: int
    format: int = PLAN_FORMAT
    rules: int = RULES_VERSION
    run: RunId | None = None
    notes: tuple[str, ...] = ()
    undoes: RunId | None = None
    cannot: tuple[str, ...] = ()
    retries: RunId | None = None
    offered: int = 0

    @property
    def writes(self) -> int:
        """Rows that are written unless a person rejects them; those only offered are left out."""
        return self.rows - self.offered

    @property
    def refused(self) -> tuple[GuardVerdict, ...]:
        """The guards that do not let it pass."""
        return tuple(verdict for verdict in self.guards if not verdict.passed)
