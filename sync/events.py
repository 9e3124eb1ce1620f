"""What the engine tells while it works: a closed union of frozen events, stamped once.

Pure. Console and headless output are two readers of the same events; a saved journal replays any screen. Facts are
journalled in the transaction of their outcome; ``Progress`` is not journalled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.ids import CampaignId, RunId
from sync.model import Calls, RunKind, RunState, Side
from sync.plan import GuardVerdict, PlanCounts


class Phase(StrEnum):
    """The steps of a run, in the order in which they happen."""

    READ_SALESFORCE = "read Salesforce"
    READ_PREDICTIVE = "read Predictive"
    COMPARE = "compare"
    SEND = "send e-mails"
    WRITE_PREDICTIVE = "write Predictive"
    WRITE_SALESFORCE = "write Salesforce"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run was claimed. ``campaign_id`` is None for a batch; ``parent`` is the batch of a child run."""

    run: RunId
    kind: RunKind
    campaign_id: CampaignId | None
    campaign_name: str | None
    parent: RunId | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A step began; ``total`` rows are expected, None when unknown."""

    run: RunId
    phase: Phase
    total: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is. Not journalled, may be dropped or merged by readers."""

    run: RunId
    phase: Phase
    done: int
    total: int | None
    calls: Calls


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A step ended with *done* rows for *calls* requests; ``text`` says more where there is more to say."""

    run: RunId
    phase: Phase
    done: int
    calls: Calls
    text: str = ""


@dataclass(frozen=True, slots=True)
class PlanMade:
    """The plan stands: nothing was written yet."""

    run: RunId
    plan_id: str
    counts: PlanCounts
    predicted: Calls
    maximum: Calls
    lower_bound: Calls


@dataclass(frozen=True, slots=True)
class Guarded:
    """A guard gave its verdict."""

    run: RunId
    verdict: GuardVerdict


@dataclass(frozen=True, slots=True)
class RowFailed:
    """A row was rejected, or left because its value had moved (``drifted``)."""

    run: RunId
    side: Side
    campaign_id: CampaignId
    subject_id: str
    label: str
    field: str
    code: str
    message: str
    remedy: str
    drifted: bool


@dataclass(frozen=True, slots=True)
class CampaignSkipped:
    """A campaign was left out of a batch, and what that saves."""

    run: RunId
    campaign_id: CampaignId
    name: str
    why: str
    saved_calls: int = 0


@dataclass(frozen=True, slots=True)
class Noted:
    """Something a person should know: a warning or a plain fact."""

    run: RunId
    level: str
    text: str
    campaign_id: CampaignId | None = None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run reached its one final state."""

    run: RunId
    state: RunState
    counts: PlanCounts
    calls: Calls
    seconds: float
    error: str | None = None


Body = (
    RunStarted
    | PhaseStarted
    | Progress
    | PhaseEnded
    | PlanMade
    | Guarded
    | RowFailed
    | CampaignSkipped
    | Noted
    | RunEnded
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event with its stamp: sequence within the run's journal and instant."""

    seq: int
    at: datetime
    body: Body
