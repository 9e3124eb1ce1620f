"""What the console needs of the world beneath it: a thin protocol over the shell, met by the bridge and by test fakes.

Pure: values of sync only. Reads come from the store and are quick, yet they are never called on the UI's thread;
actions may use the network, run each in a thread of their own on a backend of their own, and tell their progress to
the listener. Every method may raise ``PredictiveError``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sync.events import Event
from sync.model import Campaign, Edition, RunKind, Side
from sync.plan import Change, Plan, PlanRow
from sync.story import MemberStory, OptedIn, Unlocked
from sync.views import (
    CampaignDetail,
    CampaignView,
    Check,
    FailedRow,
    FailureGroup,
    JournalRowView,
    LimitsView,
    MemberView,
    PulseView,
    RunResult,
    RunView,
    Spending,
    TimerView,
)


class Cancel(Protocol):
    """Told to stop: looked at between batches. ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """True once a person asked to stop."""
        ...


class Reads(Protocol):
    """What is read from the store without the network."""

    def overview(self) -> tuple[CampaignView, ...]:
        """Every campaign that the store knows."""
        ...

    def mark(self) -> str:
        """A text that is another one once anything was committed to the store; costs next to nothing."""
        ...

    def pulse(self) -> PulseView:
        """Runs under way, what waits and since when, rows written by the hour."""
        ...

    def detail(self, campaign_id: str) -> CampaignDetail:
        """One campaign with editions, clicks, history and runs."""
        ...

    def members(
        self,
        campaign_id: str,
        *,
        text: str,
        status: str | None,
        level: str | None,
        reason: str,
        only: str,
        offset: int,
        limit: int,
    ) -> tuple[MemberView, ...]:
        """A window of a campaign's members; *only* is "", test, inactive, waits or hidden."""
        ...

    def count_members(
        self, campaign_id: str, *, text: str, status: str | None, level: str | None, reason: str, only: str
    ) -> int:
        """How many members the same filter gives."""
        ...

    def runs(self, *, campaign_id: str | None, limit: int) -> tuple[RunView, ...]:
        """Newest runs first."""
        ...

    def batches(self, kind: RunKind) -> tuple[RunView, ...]:
        """The newest runs of a kind of batch, newest first, without their parts."""
        ...

    def run(self, run_id: str) -> RunView:
        """One run."""
        ...

    def events(self, run_id: str) -> tuple[Event, ...]:
        """The journal of a run; replaying it gives the run's screen again."""
        ...

    def failed_rows(self, run_id: str) -> tuple[FailedRow, ...]:
        """Rows that were rejected or left as drift."""
        ...

    def error_board(self, campaign_id: str | None = None) -> tuple[FailureGroup, ...]:
        """Rows that failed last and were not mended since, by type; of all campaigns or of one."""
        ...

    def run_rows(self, run_id: str, *, text: str, state: str, offset: int, limit: int) -> tuple[JournalRowView, ...]:
        """A window of a run's journal; *state* is "", written, rejected, drifted or unknown."""
        ...

    def count_run_rows(self, run_id: str, *, text: str, state: str) -> int:
        """How many rows the same filter gives."""
        ...

    def limits(self) -> LimitsView:
        """The API meter as last heard."""
        ...

    def spending(self) -> Spending:
        """Who spent the calls of the last 24 hours, by campaign, run kind and object; and what was wasted."""
        ...

    def schedule(self) -> tuple[TimerView, ...]:
        """The timers with their next firing."""
        ...

    def resolve(self, text: str) -> Campaign:
        """The campaign with this id or exact name; UnknownCampaign or AmbiguousCampaign otherwise."""
        ...

    def plan(self, plan_id: str) -> Plan:
        """Header of a stored plan."""
        ...

    def plan_rows(
        self, plan_id: str, *, text: str, side: Side | None, change: Change | None, offset: int, limit: int
    ) -> tuple[PlanRow, ...]:
        """A window of a plan's rows."""
        ...

    def count_plan_rows(self, plan_id: str, *, text: str, side: Side | None, change: Change | None) -> int:
        """How many rows the same filter gives."""
        ...

    def plan_groups(self, plan_id: str) -> tuple[tuple[Side, Change, int], ...]:
        """Rows by side and change."""
        ...

    def rejected(self, plan_id: str) -> Collection[int]:
        """Sequence numbers of the rows that a person took out of the plan."""
        ...

    def set_accepted(
        self,
        plan_id: str,
        seqs: Sequence[int] | None,
        accepted: bool,
        *,
        change: Change | None = None,
        side: Side | None = None,
        text: str = "",
    ) -> None:
        """Take rows out of the plan or put them back: those in *seqs*, or all that the filter gives."""
        ...


class Actions(Protocol):
    """What may use the network or write."""

    def load_campaigns(self) -> tuple[CampaignView, ...]:
        """Read the org's list of campaigns: 1 Salesforce call."""
        ...

    def load_members(self, campaign_id: str) -> int:
        """Read one campaign's members of both sides afresh, for display."""
        ...

    def load_limits(self) -> LimitsView:
        """Ask the org for its meter: 1 Salesforce call."""
        ...

    def make_plan(self, campaign_ids: Sequence[str], *, kind: RunKind, cancel: Cancel) -> Plan:
        """Read both sides and store a plan; nothing is written."""
        ...

    def apply(
        self,
        plan_id: str,
        *,
        without_deletes: bool,
        allow: Mapping[str, float],
        reason: str,
        confirm_name: str | None,
        cancel: Cancel,
    ) -> RunResult:
        """Write what the plan says."""
        ...

    def plan_undo(self, run_id: str, *, cancel: Cancel) -> Plan:
        """Read both sides and store the inverse of a run as a plan, for ``apply``; ``Plan.cannot`` says what stays."""
        ...

    def plan_retry(
        self, run_id: str, *, seqs: Sequence[int] | None = None, code: str | None = None, cancel: Cancel
    ) -> Plan:
        """Store a plan of a run's failed rows (those of *seqs*, of *code*, or all) as they are now, for ``apply``."""
        ...

    def retry(
        self,
        run_id: str,
        *,
        seqs: Sequence[int] | None = None,
        code: str | None = None,
        allow: Mapping[str, float] = {},
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel,
    ) -> RunResult:
        """``plan_retry`` and ``apply`` in one go."""
        ...

    def cancel_run(self, run_id: str) -> str:
        """Ask a live run of any process to stop after its batch; the id of the run asked (a part's batch is asked)."""
        ...

    def pause_run(self, run_id: str) -> str:
        """Ask a live run of any process to hold after its batch; ``RunView.paused`` tells when it does."""
        ...

    def resume_run(self, run_id: str) -> str:
        """Let a held run go on."""
        ...

    def release_hold(self, campaign_id: str, person: str | None, *, reason: str) -> RunResult:
        """Give a member whose values an undo holds back to the rules of ownership (None: all of the campaign); the next
        sync applies them."""
        ...

    def new_edition(self, campaign_id: str, *, cancel: Cancel) -> RunResult:
        """The initial sync."""
        ...

    def refresh(self, campaign_ids: Sequence[str], *, cancel: Cancel) -> RunResult:
        """Level and reason, now."""
        ...

    def batch(self, kind: RunKind, *, simulate: bool, at: datetime | None = None, cancel: Cancel) -> RunResult:
        """The hourly or nightly batch, or its simulation, at an instant if one is given."""
        ...

    def verify(self, campaign_ids: Sequence[str] | None, *, cancel: Cancel) -> RunResult:
        """Compare both sides afresh."""
        ...

    def save_plan(self, plan_id: str, path: Path) -> None:
        """Write the plan to a file that ``predictive apply`` takes."""
        ...

    def edit_edition(self, campaign_id: str, edition: str, fields: Mapping[str, Any]) -> Edition:
        """Change an edition in the service."""
        ...

    def test_send(self, campaign_id: str, edition: str) -> tuple[int, tuple[str, ...], Edition]:
        """Send an edition to the test members: count, addresses, the edition after it."""
        ...

    def clear_auto_sync(self, campaign_id: str) -> None:
        """Take the auto-sync box off a closed campaign."""
        ...

    def why(self, campaign_id: str, person: str) -> MemberStory:
        """A member's whole story; the service is asked once, Salesforce is not. *person* is a lead, contact or member
        id, an e-mail address or a name; UsageError when none or several members match."""
        ...

    def opt_in(self, campaign_id: str, person: str, *, from_edition: str, reason: str) -> OptedIn:
        """Opt a member in again, from one edition on (slot, id, role or name), with a reason for the journal."""
        ...

    def unlock(self, campaign_id: str, reason: str) -> Unlocked:
        """Lift a campaign's lock-out, with a reason for the journal; UsageError when it is not locked."""
        ...

    def pause_schedule(self, note: str, campaign_id: str | None = None) -> None:
        """Hold timers back, with a note that says why."""
        ...

    def resume_schedule(self, campaign_id: str | None = None) -> None:
        """Let them run again."""
        ...

    def doctor(self) -> tuple[Check, ...]:
        """Check login, fields, clocks, state."""
        ...

    def due_tick(self, now: datetime) -> TimerView | None:
        """The timer that is due now, if any."""
        ...

    def fire(self, kind: RunKind, due: datetime, *, cancel: Cancel) -> RunResult | None:
        """Claim the tick and run it; None when another process has it."""
        ...


class Backend(Reads, Actions, Protocol):
    """All of it, for one thread at a time."""

    def listen(self, on_event: Callable[[Event], None]) -> None:
        """Where the events of this backend's actions go; called before the first action."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
