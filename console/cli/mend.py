"""Commands about runs that were started: stop or hold a live one, try failed rows again, undo, release a hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.cli import wire
from console.cli.plans import ask_and_apply
from console.cli.prose import number
from console.cli.runs import finish, guards
from sync.errors import UsageError

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.views import FailureGroup


def undo(invocation: Invocation) -> int:
    """Take a run back: what stays is said first, then the plan is shown, asked for and applied."""
    passes = guards(invocation)
    with invocation.stopping() as stop:
        plan = invocation.shell().plan_undo(invocation.options.run, cancel=stop.cancel)
    return ask_and_apply(invocation, plan, passes, without_deletes=False)


def retry(invocation: Invocation) -> int:
    """Try failed rows again, planned from the values as they are now."""
    passes, options = guards(invocation), invocation.options
    seqs = [_number(word) for word in options.row] or None
    with invocation.stopping() as stop:
        plan = invocation.shell().plan_retry(options.run, seqs=seqs, code=options.code, cancel=stop.cancel)
    return ask_and_apply(invocation, plan, passes, without_deletes=False)


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise UsageError(f"--row {word}: no number", remedy="predictive runs RUN shows the rows' numbers") from None


def release(invocation: Invocation) -> int:
    """Give a member whose values an undo holds back to the rules of ownership, or all of a campaign."""
    shell, options = invocation.shell(), invocation.options
    if (options.person is None) is not options.all:
        raise UsageError("release one PERSON, or --all of the campaign", left_undone="nothing was released")
    campaign = shell.resolve(options.campaign)
    return finish(invocation, shell.release_hold(campaign.id, options.person, reason=options.reason or ""))


def cancel(invocation: Invocation) -> int:
    """Ask a live run to stop after its batch, or withdraw one that waits for a worker."""
    shell, named = invocation.shell(), invocation.options.run
    job = shell.store.queue.get(named)
    if job is not None and job.owner is None and shell.store.queue.withdraw(named):
        invocation.report.lines([f"{named}: withdrawn"], {"type": "withdrawn", "job": named})
        return 0
    if job is not None:
        over = f"is over{f', as run {job.run}' if job.run else ''}" if job.finished_at else "is in a worker's hands"
        raise UsageError(
            f"{named} {over}",
            left_undone="nothing was withdrawn",
            remedy="predictive runs lists the runs; cancel takes their ids, too",
        )
    return _asked(invocation, invocation.shell().cancel_run(invocation.options.run), "stops after the batch in flight")


def pause(invocation: Invocation) -> int:
    """Ask a live run to hold after its batch."""
    asked = invocation.shell().pause_run(invocation.options.run)
    return _asked(invocation, asked, f"holds after the batch in flight; predictive runs resume {asked} lets it go on")


def resume(invocation: Invocation) -> int:
    """Let a held run go on."""
    return _asked(invocation, invocation.shell().resume_run(invocation.options.run), "goes on")


def errors(invocation: Invocation) -> int:
    """The error board: rows that failed last and were not mended since, by type."""
    shell, wanted = invocation.shell(), invocation.options.campaign
    groups = shell.error_board(shell.resolve(wanted).id if wanted is not None else None)
    invocation.report.items(
        ({"type": "failures", **wire.failures(group), "runs": _runs(group)} for group in groups),
        ["Rows>", "People>", "Code", "Cause", "Passes", "Campaigns", "Run", "What to do"],
        lambda line: [
            number(line["rows"]),
            number(line["people"]),
            line["code"],
            line["cause"],
            "by itself" if line["passes"] else "",
            ", ".join(item["name"] or "all" for item in line["campaigns"]),
            line["runs"][0] if line["runs"] else "",
            line["remedy"],
        ],
        empty="No row waits for anybody.",
    )
    if groups:
        invocation.report.talk(
            "predictive runs RUN names the rows; predictive runs retry RUN [--code CODE] [--row N] tries them again."
        )
    return 0


def _runs(group: FailureGroup) -> list[str]:
    """The runs of the rows that are told, the newest first."""
    return list(dict.fromkeys(row.run for row in sorted(group.rows, key=lambda row: row.run, reverse=True)))


def _asked(invocation: Invocation, asked: str, does: str) -> int:
    wanted = invocation.options.run
    part = "" if asked == wanted else f" ({wanted} is a part of it)"
    invocation.report.lines([f"✔ asked: run {asked}{part} {does}"], {"type": "asked", "run": asked})
    return 0
