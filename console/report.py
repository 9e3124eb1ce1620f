"""Headless output: one report for people, one as JSON lines, both readers of the same events and views.

Standard output carries data only, standard error talk. A reader that goes away (``| head``) ends the output, not the
run. Imports values of ``sync`` only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TextIO

from console.cli import wire
from console.cli.prose import columns, number, safe, state
from sync.errors import PredictiveError
from sync.events import (
    CampaignSkipped,
    Event,
    Guarded,
    Noted,
    Phase,
    PhaseEnded,
    PhaseStarted,
    Progress,
    RowFailed,
    RunEnded,
    RunStarted,
)
from sync.model import Calls, RunKind
from sync.plan import Plan, PlanCounts
from sync.views import RunResult
from sync.words import plural

_LINE_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}
"""What JSON may hold as it is and some readers take for the end of a line; only texts hold any."""

ROWS_SHOWN = 12
"""Failed rows and differences that people see; ``--json`` and ``runs RUN`` give all."""

_ACTING = frozenset({Phase.SEND, Phase.WRITE_PREDICTIVE, Phase.WRITE_SALESFORCE, Phase.CHECK})


class Report(Protocol):
    """Takes what a command has to say. ``wants_items``: lists are printed as items, not as a table."""

    def event(self, told: Event) -> None:
        """Something happened in a run."""

    def talk(self, text: str) -> None:
        """A sentence for people, on standard error."""

    def complain(self, text: str) -> None:
        """A sentence that has to be read whatever the format, on standard error."""

    def items(
        self,
        rows: Iterable[wire.Line],
        headings: Sequence[str],
        cells: Callable[[wire.Line], list[object]],
        *,
        empty: str,
    ) -> int:
        """A list, item by item; how many there were."""

    def lines(self, text: Sequence[str], value: wire.Line) -> None:
        """One thing, in words or as *value*."""

    def say(self, text: str, value: wire.Line) -> None:
        """One of many things that a command says while it goes on, in words ("" for none) or as *value*."""

    def result(self, result: RunResult) -> None:
        """The end of a run."""

    def plan(self, plan: Plan, shown: Sequence[str], *, calls: Calls, seconds: float, exit_code: int) -> None:
        """A plan that is not applied; *shown* is its prose."""

    def failure(self, error: PredictiveError, run: RunKind | None, *, simulated: bool, calls: Calls) -> None:
        """The command ended with an error, after so many *calls*."""

    def lost(self) -> OSError | None:
        """Why standard output did not take everything; a reader that had enough is no reason."""


class _Out:
    """A stream that survives its reader."""

    __slots__ = ("_gone", "_lock", "_stream", "lost")

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False
        self.lost: OSError | None = None
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """One line, flushed."""
        with self._lock:
            if self._gone:
                return
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                self._gone = True
            except OSError as error:
                # A full disk, or a terminal that went away: the run goes on, the exit code tells.
                self._gone, self.lost = True, error


class JsonReport:
    """One JSON object a line: version, events or items, summary."""

    def __init__(self, out: TextIO, talk: TextIO, program: str) -> None:
        self._out = _Out(out)
        self._talk = _Out(talk)
        self._summed = False
        self._print(wire.version(program))

    def _print(self, line: wire.Line) -> None:
        self._out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS))
        self._summed = self._summed or line.get("type") == "summary"

    def event(self, told: Event) -> None:
        """Events as lines; progress ticks only where a step begins, for they repeat."""
        if isinstance(told.body, Progress):
            return
        self._print(wire.event(told))

    def talk(self, text: str) -> None:
        """Nothing: events carry it."""

    def complain(self, text: str) -> None:
        """The sentence."""
        self._talk.write(text)

    def items(
        self,
        rows: Iterable[wire.Line],
        headings: Sequence[str],
        cells: Callable[[wire.Line], list[object]],
        *,
        empty: str,
    ) -> int:
        """Items, then a summary with their number."""
        count = 0
        for row in rows:
            self._print(row)
            count += 1
        self._print({"type": "summary", "items": count})
        return count

    def lines(self, text: Sequence[str], value: wire.Line) -> None:
        """The value, then a summary."""
        self._print(value)
        self._print({"type": "summary", "items": 1})

    def say(self, text: str, value: wire.Line) -> None:
        """The value."""
        self._print(value)

    def result(self, result: RunResult) -> None:
        """Failed rows, differences, campaigns, summary."""
        for failed in result.failed_rows:
            self._print({"type": "failed-row", **wire.plain(failed)})
        for found in result.differences:
            self._print({"type": "difference", **wire.plain(found)})
        for item in result.campaigns:
            self._print(wire.run_campaign(item, result.kind, simulated=result.simulated))
        self._print(wire.summary(result))
        if result.error:
            self._talk.write(result.error)

    def plan(self, plan: Plan, shown: Sequence[str], *, calls: Calls, seconds: float, exit_code: int) -> None:
        """Campaigns and summary, kind ``plan``."""
        for line in wire.plan_lines(plan, calls=calls, seconds=seconds, refused=_refusals(plan), exit_code=exit_code):
            self._print(line)

    def failure(self, error: PredictiveError, run: RunKind | None, *, simulated: bool, calls: Calls) -> None:
        """The error on standard error, and a summary as the last line whatever happened."""
        self._talk.write(error.line())
        if self._summed:
            return
        if run is not None:
            line = error.line()
            self._print(
                wire.failed_summary(run, simulated=simulated, error=line, exit_code=error.exit_code, calls=calls)
            )
        else:
            self._print({"type": "summary", "items": 0, "error": error.line(), "exit_code": error.exit_code})

    def lost(self) -> OSError | None:
        """What kept a line from standard output."""
        return self._out.lost


class HumanReport:
    """Aligned text; what a run is doing goes to standard error while it does it.

    Where nobody watches (a log, a pipe) the steps wait until the run is about to write or send: one that fails before
    has one line to say, and that is all there is then.
    """

    def __init__(self, out: TextIO, talk: TextIO) -> None:
        self._out = _Out(out)
        self._talk = _Out(talk)
        self._waiting: list[str] | None = None if talk.isatty() else []

    def event(self, told: Event) -> None:
        """The few events that a person wants to read as they come."""
        if isinstance(told.body, PhaseStarted) and told.body.phase in _ACTING:
            self._watch()
        line = _sentence(told)
        if line is None:
            return
        if self._waiting is None:
            self._talk.write(line)
        else:
            self._waiting.append(line)

    def _watch(self) -> None:
        for line in self._waiting or ():
            self._talk.write(line)
        self._waiting = None

    def talk(self, text: str) -> None:
        """A sentence."""
        self._talk.write(text)

    complain = talk

    def items(
        self,
        rows: Iterable[wire.Line],
        headings: Sequence[str],
        cells: Callable[[wire.Line], list[object]],
        *,
        empty: str,
    ) -> int:
        """A table, or *empty* on standard error."""
        table = [cells(row) for row in rows]
        if not table:
            self._talk.write(empty)
            return 0
        for line in columns(headings, table):
            self._out.write(line)
        return len(table)

    def lines(self, text: Sequence[str], value: wire.Line) -> None:
        """The words."""
        for line in text:
            self._out.write(line)

    def say(self, text: str, value: wire.Line) -> None:
        """The words."""
        if text:
            self._out.write(text)

    def result(self, result: RunResult) -> None:
        """Campaign by campaign, then what needs a person, then the cost."""
        if result.error and len(result.campaigns) <= 1 and not result.failed_rows:
            # Nothing was done, so there is no data: the one line that says why goes where errors go.
            self._talk.write(safe(result.error))
            return
        self._watch()
        for line in result_lines(result):
            self._out.write(line)
        if result.error:
            self._talk.write(safe(result.error))

    def plan(self, plan: Plan, shown: Sequence[str], *, calls: Calls, seconds: float, exit_code: int) -> None:
        """The prose."""
        self._watch()
        for line in shown:
            self._out.write(line)

    def failure(self, error: PredictiveError, run: RunKind | None, *, simulated: bool, calls: Calls) -> None:
        """One line on standard error."""
        self._talk.write(safe(error.line()))

    def lost(self) -> OSError | None:
        """What kept a line from standard output."""
        return self._out.lost


def _refusals(plan: Plan) -> str | None:
    return "; ".join(verdict.text for verdict in plan.refused) or None


_DID = {RunKind.RELEASE: "holds released, the next sync decides", RunKind.UNLOCK: "unlocked"}
"""What runs did that write to neither side."""


def counted(counts: PlanCounts, *, simulated: bool = False, kind: RunKind | None = None) -> str:
    """The counts that are not zero, e.g. ``9 added, 2 removed, 12,469 unchanged``; for what a *kind* does beside
    writing its own words."""
    parts = [
        (counts.added, "added"),
        (counts.removed, "removed"),
        (counts.changed, "changed"),
        (counts.conflicts, "conflicts"),
        (counts.rejected, "rejected"),
        (counts.drifted, "drifted"),
        (counts.held, "held"),
        (counts.invisible, "invisible"),
        (counts.pending, "pending"),
        (counts.unchanged, "unchanged"),
    ]
    words = [f"{number(count)} {word}" for count, word in parts if count]
    if counts.editions_created:
        words.append(plural(counts.editions_created, "new edition"))
    if simulated and counts.mails_released:
        words.append(f"{plural(counts.mails_released, 'mail')} due")
    if counts.mails_sent:
        words.append(f"{plural(counts.mails_sent, 'mail')} sent")
    unsent = counts.mails_released - counts.mails_sent - counts.mails_unknown
    if unsent > 0 and not simulated:
        words.append(f"{plural(unsent, 'mail')} not sent")
    if counts.mails_unknown:
        words.append(f"{plural(counts.mails_unknown, 'mail')} of unknown fate, listed, not sent again")
    return ", ".join(words) or (_DID.get(kind) if kind is not None else None) or "nothing to do"


def cost(calls: Calls, predicted: Calls, maximum: Calls, lower_bound: Calls) -> str:
    """Salesforce calls spent beside what was said beforehand."""
    return (
        f"{plural(calls.salesforce, 'API call')} (predicted {number(predicted.salesforce)}, at most "
        f"{number(maximum.salesforce)}, lower bound {number(lower_bound.salesforce)}) · "
        f"{plural(calls.predictive, 'service request')}"
    )


def result_lines(result: RunResult) -> list[str]:
    """A run's end in words."""
    rows = [
        [
            item.name,
            state("skipped" if item.skipped else item.state.value if item.state else "done"),
            _why(item.skipped, item.saved_calls)
            if item.skipped
            else item.error or counted(item.counts, simulated=result.simulated, kind=result.kind),
        ]
        for item in result.campaigns
    ]
    lines = columns(["Campaign", "State", "What"], rows) if rows else []
    if result.failed_rows:
        lines += ["", *_failed(result)]
    if result.differences:
        lines += ["", *_differences(result)]
    kind = f"{result.kind.value}{' (simulated)' if result.simulated else ''}"
    lines += [
        "",
        f"{kind}  {state(result.state.value)}  {counted(result.counts, simulated=result.simulated, kind=result.kind)}",
        _totals(result),
    ]
    return lines[1:] if lines[0] == "" else lines


def _totals(result: RunResult) -> str:
    rows = result.counts
    spent = cost(result.calls, result.predicted, result.maximum, result.lower_bound)
    return (
        f"{plural(rows.predictive_rows, 'row')} → Predictive, {plural(rows.salesforce_rows, 'row')} → Salesforce "
        f"· {spent} · {result.seconds:.1f} s · run {result.run}"
    )


def _why(reason: str, saved: int) -> str:
    return f"{reason} ({plural(saved, 'call')} saved)" if saved else reason


def _failed(result: RunResult) -> list[str]:
    rows = [
        [f"→ {row.side.value}", row.label, row.field, row.state, row.code, f"{row.message} {row.remedy}".strip()]
        for row in result.failed_rows[:ROWS_SHOWN]
    ]
    lines = columns(["Side", "Record", "Field", "State", "Code", "Why"], rows)
    return [*lines, *_more(len(result.failed_rows), f"predictive runs {result.run}")]


def _differences(result: RunResult) -> list[str]:
    rows = [
        [found.label, found.field, found.salesforce, found.predictive, found.kind]
        for found in result.differences[:ROWS_SHOWN]
    ]
    lines = columns(["Record", "Field", "Salesforce", "Predictive", "What"], rows)
    return [*lines, *_more(len(result.differences), "--json")]


def _more(count: int, where: str) -> list[str]:
    return [f"… and {number(count - ROWS_SHOWN)} more: {where}"] if count > ROWS_SHOWN else []


def _sentence(told: Event) -> str | None:
    match told.body:
        case RunStarted(campaign_name=name) if name:
            return safe(name)
        case PhaseEnded(phase=phase, done=done, calls=calls, text=text):
            spent = plural(calls.salesforce + calls.predictive, "request")
            return safe(f"  {phase.value:<18} ✔ {text or number(done):<32} {spent}")
        case Guarded(verdict=verdict) if not verdict.passed:
            return safe(f"  ▲ guard {verdict.rule}: {verdict.text}")
        case CampaignSkipped(name=name, why=why, saved_calls=saved):
            return safe(f"  · {name}: {_why(why, saved)}")
        case Noted(level=level, text=text):
            return safe(f"  {'▲' if level in ('attention', 'warning') else '·'} {text}")
        case RowFailed() | RunEnded():
            return None
        case _:
            return None
