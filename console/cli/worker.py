"""``predictive worker``: timers and waiting runs without a screen, until SIGTERM or SIGINT; and runs left to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.cli import wire
from console.cli.prose import safe
from console.cli.signals import INTERRUPTED
from console.report import counted
from sync.words import plural

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.clock import Clock
    from sync.engine.worker import Turn
    from sync.errors import PredictiveError
    from sync.events import Event
    from sync.model import RunKind


def worker(invocation: Invocation) -> int:
    """Serve until told to stop. 0 when nothing was cut short, 130 when a run was."""
    from console.logbook import RunLog
    from sync.engine.worker import Worker

    shell, report, log = invocation.shell(), invocation.report, RunLog()
    # A secret that is nowhere is found out now, not in the middle of the night.
    shell.parts()
    as_lines = bool(invocation.options.json)

    def told(event: Event) -> None:
        log.event(event)
        if as_lines:
            report.event(event)

    shell.listen(told)
    turns: list[int] = []

    def ended(turn: Turn) -> None:
        turns.append(turn.exit_code)
        if turn.result is not None:
            for item in turn.result.campaigns if as_lines else ():
                report.say("", wire.run_campaign(item, turn.kind, simulated=turn.result.simulated))
        report.say(line_of(turn, invocation.clock), wire.turn(turn))

    def troubled(trouble: PredictiveError | None) -> None:
        at = f"{invocation.clock.now():%Y-%m-%d %H:%M:%S}Z"
        text = "the state answers again" if trouble is None else f"{trouble.line()} This worker waits for it."
        report.complain(safe(f"{at}  {text}"))

    with invocation.stopping() as stop:
        report.say("", _begins(invocation))
        report.talk(_greeting(invocation))
        cut = Worker(shell, stop.cancel, ended, troubled).serve()
    code = INTERRUPTED if cut else 0
    failed = sum(each in (1, 2, 7) for each in turns)
    report.talk(f"stopped after {plural(len(turns), 'run')}" + (f", {failed} failed" if failed else ""))
    report.say("", {"type": "summary", "items": len(turns), "failed": failed, "exit_code": code})
    return code


def _begins(invocation: Invocation) -> wire.Line:
    shell = invocation.shell()
    return {
        "type": "worker",
        "state": "started",
        "org": shell.settings.name,
        "owner": shell.store.runs.owner,
        "timers": shell.settings.timers.enabled,
        "simulated": shell.is_read_only(),
    }


def _greeting(invocation: Invocation) -> str:
    shell = invocation.shell()
    timers = "timers on" if shell.settings.timers.enabled else "timers off (timers.enabled), queued runs only"
    simulates = "; read-only, timers simulate" if shell.is_read_only() else ""
    return f"worker of {shell.settings.name}: {timers}{simulates}. Ctrl-C or SIGTERM ends it after the batch in flight."


def line_of(turn: Turn, clock: Clock) -> str:
    """A turn on one line: when it ended, what it was, how it ended, what it did and cost."""
    why = f" {turn.why}" if turn.why != "tick" else ""
    head = f"{clock.now():%Y-%m-%d %H:%M:%S}Z  {turn.kind.value}{why}"
    if turn.error is not None:
        return safe(f"{head}  failed  {turn.error.line()}")
    result = turn.result
    if result is None:
        return head
    simulated = " (simulated)" if result.simulated else ""
    did = result.error or counted(result.counts, simulated=result.simulated)
    calls = plural(result.calls.salesforce, "API call")
    return safe(f"{head}{simulated}  {result.state.value}  {did} · {calls} · {result.seconds:.1f} s · {result.run}")


def leave(invocation: Invocation, kind: RunKind, campaigns: Sequence[str], passes: dict[str, Any]) -> int:
    """``--queue``: let the run wait for a worker, and say under which id."""
    from sync.engine.gate import Choice, check_writable
    from sync.ids import CampaignId
    from sync.model import RunKind
    from sync.store.queue import Wanted

    shell = invocation.shell()
    called = {str(key): name for key, name in shell.called(invocation.named()).items()} if campaigns else {}
    wanted = Wanted(kind, tuple(map(CampaignId, campaigns)), **passes, called=called)
    Choice(False, wanted.allow, wanted.reason, wanted.confirm_name).check()
    if kind is not RunKind.VERIFY:
        check_writable(shell.parts())
    job = shell.store.queue.add(wanted, shell.store.runs.owner)
    there = len(shell.store.workers.living())
    waits = f"{plural(there, 'worker')} at work" if there else "no worker is there: start predictive worker"
    queued = shell.store.queue.get(job)
    line = wire.queued(queued) if queued is not None else {"type": "queued", "job": job}
    invocation.report.lines([f"{kind.value} waits as {job}; {waits}"], line)
    return 0
