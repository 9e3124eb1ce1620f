"""The lines of ``--json``: each value that the command line shows, as a JSON object with stable keys.

Pure: values in, dictionaries out. Keys are only ever added; ``SCHEMA`` rises when one changes its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from sync.events import Event
from sync.model import Calls, Edition, RunKind, RunState
from sync.plan import GuardVerdict, Plan, PlanCounts
from sync.views import (
    CampaignResult,
    CampaignView,
    Check,
    FailureGroup,
    LimitsView,
    MemberView,
    QueuedView,
    RunResult,
    RunView,
    TimerView,
    WorkerView,
)

if TYPE_CHECKING:
    from sync.engine.worker import Turn

SCHEMA = 1

NO_CALLS = Calls()

Line = dict[str, Any]


def plain(value: Any) -> Any:
    """*value* as JSON knows it: instants as ISO 8601 UTC with Z, enumerations by value, dataclasses by field."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in value]
    return value


def version(program: str) -> Line:
    """The first line."""
    return {"type": "version", "schema": SCHEMA, "program": program}


def event(told: Event) -> Line:
    """An event; its type is the event's name, e.g. ``phase-ended``."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(told.body).__name__).lower()
    return {"type": name, "seq": told.seq, "at": plain(told.at), **plain(told.body)}


def counts(value: PlanCounts) -> Line:
    """Persons, rows, editions, mails: the part that summary and campaign lines share."""
    return {
        "added": value.added,
        "removed": value.removed,
        "changed": value.changed,
        "unchanged": value.unchanged,
        "conflicts": value.conflicts,
        "rejected": value.rejected,
        "drifted": value.drifted,
        "held": value.held,
        "invisible": value.invisible,
        "pending": value.pending,
        "writes": {"salesforce": value.salesforce_rows, "predictive": value.predictive_rows},
        "editions": {"created": value.editions_created, "updated": value.editions_updated},
        "mails": {"released": value.mails_released, "sent": value.mails_sent, "unknown": value.mails_unknown},
        "test_members": value.test_members,
    }


def guard(verdict: GuardVerdict) -> Line:
    """What one guard says."""
    return {
        "rule": verdict.rule,
        "passed": verdict.passed,
        "figure": verdict.figure,
        "limit": verdict.limit,
        "text": verdict.text,
        "campaign": verdict.campaign_id,
        "without_deletes": verdict.without_deletes,
    }


def run_campaign(result: CampaignResult, kind: RunKind, *, simulated: bool) -> Line:
    """A campaign of a run: its state and counts, or why it was left out."""
    return {
        "type": "campaign",
        "id": result.campaign_id,
        "name": result.name,
        "run": result.run,
        "kind": kind.value,
        "state": "skipped" if result.skipped and result.state is None else plain(result.state),
        "simulated": simulated,
        "skipped": result.skipped,
        "saved_calls": result.saved_calls,
        "error": result.error,
        **counts(result.counts),
        "guards": [guard(verdict) for verdict in result.guards],
    }


def _calls(value: Calls) -> Line:
    return {"salesforce": value.salesforce, "predictive": value.predictive}


def summary(result: RunResult) -> Line:
    """The last line of a run. ``campaigns`` counts those worked on, ``skipped`` those left out."""
    skipped = sum(1 for item in result.campaigns if item.skipped)
    return {
        "type": "summary",
        "run": result.run,
        "kind": result.kind.value,
        "state": result.state.value,
        "simulated": result.simulated,
        "seconds": round(result.seconds, 3),
        **counts(result.counts),
        "api_calls": _calls(result.calls),
        "predicted_api_calls": _calls(result.predicted),
        "predicted_api_calls_max": _calls(result.maximum),
        "lower_bound_api_calls": _calls(result.lower_bound),
        "campaigns": len(result.campaigns) - skipped,
        "skipped": skipped,
        "differences": len(result.differences),
        "plan": result.plan_id,
        "error": result.error,
        "exit_code": result.exit_code,
    }


def failed_summary(kind: RunKind, *, simulated: bool, error: str, exit_code: int, calls: Calls = NO_CALLS) -> Line:
    """The last line of a run that ended before it had a result: every key, all counts zero, but for *calls* made."""
    state = {130: RunState.CANCELLED, 4: RunState.PARTIAL, 1: RunState.FAILED}.get(exit_code, RunState.REFUSED)
    nothing = RunResult(
        run="",  # type: ignore[arg-type]
        kind=kind,
        state=state,
        simulated=simulated,
        seconds=0.0,
        counts=PlanCounts(),
        calls=calls,
        predicted=calls,
        maximum=calls,
        lower_bound=NO_CALLS,
        campaigns=(),
        error=error,
        exit_code=exit_code,
    )
    return {**summary(nothing), "run": None}


def plan_lines(plan: Plan, *, calls: Calls, seconds: float, refused: str | None, exit_code: int) -> list[Line]:
    """Campaign lines and summary of a plan that was made and not applied; counts are planned ones."""
    refused_ones = any(item.refused for item in plan.campaigns)
    planned = RunState.DONE if plan.rows else RunState.NOTHING_TO_DO
    state = RunState.PARTIAL if refused_ones else planned
    result = RunResult(
        run=plan.run or "",  # type: ignore[arg-type]
        kind=RunKind.PLAN,
        state=state,
        simulated=True,
        seconds=seconds,
        counts=plan.counts,
        calls=calls,
        predicted=plan.cost.predicted,
        maximum=plan.cost.maximum,
        lower_bound=plan.cost.lower_bound,
        campaigns=tuple(
            CampaignResult(
                campaign_id=item.campaign_id,
                name=item.name,
                state=RunState.REFUSED if item.refused else None if item.skipped else planned,
                counts=item.counts,
                skipped=None if item.refused else item.skipped,
                error=item.skipped if item.refused else None,
                guards=tuple(verdict for verdict in plan.guards if verdict.campaign_id == item.campaign_id),
            )
            for item in plan.campaigns
        ),
        plan_id=plan.plan_id,
        error=refused,
        exit_code=exit_code,
    )
    last = {
        **summary(result),
        "run": plan.run,
        "planned_kind": plan.kind.value,
        "rows": plan.rows,
        "guards": [guard(verdict) for verdict in plan.guards],
        "notes": list(plan.notes),
        "undoes": plan.undoes,
        "cannot": list(plan.cannot),
    }
    return [*(run_campaign(item, RunKind.PLAN, simulated=True) for item in result.campaigns), last]


def campaign(view: CampaignView) -> Line:
    """An item of ``campaigns``. ``type`` is the campaign's e-mail type; ``item`` tells what the line is."""
    header = view.campaign
    return {
        "item": "campaign",
        "id": header.id,
        "name": header.name,
        "type": plain(header.type),
        "type_label": header.type_label,
        "state": view.state,
        "status": header.status,
        "is_active": header.is_active,
        "start_date": plain(header.start_date),
        "end_date": plain(header.end_date),
        "auto_sync": header.auto_sync,
        "owner": header.owner,
        "members": dict(view.members),
        "total": view.total,
        "active": view.active,
        "inactive": view.inactive,
        "unsynced": view.unsynced,
        "editions": view.editions,
        "started": view.started,
        "sent": view.sent,
        "delivered": view.delivered,
        "opened": view.opened,
        "clicked": view.clicked,
        "completed": view.completed,
        "bounced": view.bounced,
        "opted_out": view.opted_out,
        "last_run": plain(view.last_run),
        "last_run_id": view.last_run_id,
        "last_kind": plain(view.last_kind),
        "last_state": plain(view.last_state),
        "running": view.running,
        "next_run": plain(view.next_run),
        "locked": view.locked,
        "paused": view.paused,
        "verified": plain(view.verified),
        "broken": plain(view.broken),
        "differences": view.differences,
        "pending": view.pending,
        "warnings": [plain(item) for item in view.warnings],
        "read_at": plain(view.read_at),
    }


def member(view: MemberView) -> Line:
    """An item of ``members``."""
    return {"type": "member", **plain(view)}


def edition(value: Edition) -> Line:
    """An item of ``editions``."""
    return {
        "type": "edition",
        "id": value.id,
        "campaign": value.campaign_id,
        "salesforce_id": value.salesforce_id,
        "slot": value.slot,
        "role": value.role,
        "name": value.name,
        "subject": value.subject,
        "active": value.active,
        "state": value.state,
        "blocked_by": [plain(item) for item in value.blocked_by],
        "start_date": plain(value.start_date),
        "end_date": plain(value.end_date),
        "days_delay": value.days_delay,
        "tested_at": plain(value.tested_at),
        **plain(value.stats),
    }


def run(view: RunView) -> Line:
    """An item of ``runs``."""
    return {
        "type": "run",
        "run": view.run,
        "kind": view.kind.value,
        "campaign": view.campaign_id,
        "campaign_name": view.campaign_name,
        "parent": view.parent,
        "state": view.state.value,
        "simulated": view.simulated,
        "started": plain(view.started),
        "ended": plain(view.ended),
        "counts": counts(view.counts),
        "api_calls": _calls(view.calls),
        "predicted_api_calls": _calls(view.predicted),
        "owner": view.owner,
        "error": view.error,
        "plan": view.plan_id,
        "stopping": view.stopping,
        "pausing": view.pausing,
        "paused": plain(view.paused),
        "undoes": view.undoes,
        "undone_by": view.undone_by,
    }


def failures(group: FailureGroup) -> Line:
    """Failed rows of one type, without the rows."""
    return {
        "code": group.code,
        "kind": group.kind,
        "cause": group.cause,
        "remedy": group.remedy,
        "passes": group.passes,
        "rows": group.count,
        "people": group.people,
        "campaigns": [{"id": key, "name": name, "rows": count} for key, name, count in group.campaigns],
    }


def limits(view: LimitsView) -> Line:
    """The item of ``limits``."""
    return {
        "type": "limits",
        "used": view.used,
        "limit": view.limit,
        "ours": view.ours,
        "others": view.others,
        "window": view.window,
        "thresholds": dict(view.thresholds),
        "forecast": dict(view.forecast),
        "at": plain(view.at),
        "gear": view.gear,
        "reserved": view.reserved,
        "limit_reached_at": plain(view.reached_at),
    }


def timer(view: TimerView) -> Line:
    """An item of ``schedule``."""
    return {"type": "timer", **plain(view)}


def check(value: Check) -> Line:
    """An item of ``doctor``."""
    return {"type": "check", **plain(value)}


def worker(view: WorkerView) -> Line:
    """A worker that is there, among the items of ``schedule``."""
    return {"type": "worker", **plain(view)}


def queued(view: QueuedView) -> Line:
    """A run that waits for a worker or that one has in hand, among the items of ``schedule``."""
    return {"type": "queued", **plain(view)}


def turn(value: Turn) -> Line:
    """What a worker says when a run of it is over: why it was run, and what a run's summary says."""
    line: Line = {"type": "turn", "why": value.why, "due": plain(value.due), "job": value.job}
    if value.result is not None:
        return {**summary(value.result), **line}
    error = value.error.line() if value.error is not None else ""
    return {**failed_summary(value.kind, simulated=False, error=error, exit_code=value.exit_code), **line}
