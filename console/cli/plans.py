"""Commands about plans: make one and look at it, save it, apply it; and the plan in words.

A plan is the value that the engine applies: what is shown here is exactly what apply will write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli.prose import columns, fit, number, safe, state
from sync.errors import ConfirmationNeeded, UsageError
from sync.model import RunKind, Side
from sync.plan import REMOVALS, Change, Plan, PlanRow
from sync.words import plural

if TYPE_CHECKING:
    from console.cli.invocation import Invocation

ROWS_SHOWN = 8
"""Rows of each group that the prose names; ``--csv`` writes all."""

_GROUPS: dict[Change, tuple[str, str, str]] = {
    Change.ADD: ("+", "member added", "members added"),
    Change.REMOVE: ("−", "member removed", "members removed"),
    Change.ORPHAN: ("−", "orphan, removed only if accepted by number", "orphans, removed only if accepted by number"),
    Change.NAME: ("~", "name changed", "names changed"),
    Change.EMAIL: ("~", "e-mail address changed", "e-mail addresses changed"),
    Change.STATUS: ("~", "status changed", "statuses changed"),
    Change.OPT_OUT: ("~", "opt-out", "opt-outs"),
    Change.OPT_IN: ("~", "opt-in", "opt-ins"),
    Change.TEST_FLAG: ("~", "test flag changed", "test flags changed"),
    Change.IDENTITY: ("~", "member moved to another record", "members moved to other records"),
    Change.HOLD: ("~", "member held or released", "members held or released"),
    Change.HEADER: ("~", "campaign header changed", "campaign headers changed"),
    Change.TEST_PEOPLE: ("~", "list of test members changed", "lists of test members changed"),
    Change.MARKER: ("~", "mark: active, synced", "marks: active, synced"),
    Change.LEVEL: ("~", "level changed", "levels changed"),
    Change.REASON: ("~", "reason changed", "reasons changed"),
    Change.COUNTERS: ("~", "counter changed", "counters changed"),
    Change.EDITION: ("~", "edition written", "editions written"),
    Change.CLICK_THROUGH: ("~", "click-through written", "click-throughs written"),
    Change.HISTORY: ("~", "hour of e-mail history written", "hours of e-mail history written"),
    Change.LOCK: ("~", "lock-out", "lock-outs"),
    Change.TEST_SEND: ("+", "test send", "test sends"),
}


def plan(invocation: Invocation) -> int:
    """Make a plan and show it; nothing is written to either side."""
    shell, options = invocation.shell(), invocation.options
    began = invocation.clock.monotonic()
    made = shell.make_plan(invocation.named(), kind=RunKind(options.kind or "manual"))
    seconds = invocation.clock.monotonic() - began
    left = _chosen(invocation, made)
    try:
        if options.out is not None:
            shell.save_plan(made.plan_id, Path(options.out))
            invocation.report.talk(f"saved: {options.out}")
        if options.csv is not None:
            shell.export_csv(made.plan_id, Path(options.csv))
            invocation.report.talk(f"written: {options.csv}")
    except OSError as error:
        raise UsageError(
            f"cannot write {error.filename}: {error.strerror}",
            left_undone="the plan was not saved there",
            remedy="check the path",
        ) from error
    code = refused_code(made) or (3 if options.detailed_exitcode and left else 0)
    shown = [] if options.json else words(made, _groups(invocation, made), _first_rows(invocation, made))
    invocation.report.plan(made, shown, calls=invocation.spent(), seconds=seconds, exit_code=code)
    return code


def apply(invocation: Invocation) -> int:
    """Apply a saved plan."""
    from console.cli.runs import guards

    passes, options = guards(invocation), invocation.options
    loaded = invocation.shell().load_plan(Path(options.file))
    left = _chosen(invocation, loaded)
    if left and not options.yes and not invocation.interactive:
        raise ConfirmationNeeded(
            f"{options.file} writes {plural(left, 'row')} and there is no terminal to ask on",
            left_undone="nothing was written",
            remedy="give --yes",
        )
    return ask_and_apply(invocation, loaded, passes, without_deletes=options.without_deletes)


def refused_code(made: Plan) -> int:
    """4 when some of the campaigns that were asked for are refused and the others planned, else 0."""
    return 4 if any(item.refused for item in made.campaigns) else 0


def ask_and_apply(invocation: Invocation, made: Plan, passes: dict[str, Any], *, without_deletes: bool) -> int:
    """Show *made*, ask where somebody can be asked, apply it; the run's exit code."""
    from console.cli.runs import finish

    shell = invocation.shell()
    left = shell.count_accepted(made.plan_id)
    if left and invocation.interactive and not invocation.options.yes:
        shown = words(made, _groups(invocation, made), _first_rows(invocation, made))
        removals = " without the removals" if without_deletes else ""
        invocation.confirm(shown, f"Apply {plural(left, 'change')}{removals}?")
    with invocation.stopping() as stop:
        result = shell.apply(
            made.plan_id,
            without_deletes=without_deletes,
            confirm_name=invocation.options.confirm,
            cancel=stop.cancel,
            **passes,
        )
    return finish(invocation, result)


def _chosen(invocation: Invocation, made: Plan) -> int:
    """Take rows in and out as the command line says; how many will be written."""
    from sync.choosing import Chosen

    options, shell = invocation.options, invocation.shell()
    chosen = Chosen.of(options.only, options.reject, options.accept)
    if not chosen.says_anything:
        return shell.count_accepted(made.plan_id)
    left = shell.choose(made.plan_id, chosen)
    invocation.report.talk(f"{number(left)} of {plural(made.rows, 'row')} will be written")
    return left


Groups = Sequence[tuple[Side, Change, int]]
RowsOf = Callable[[Side, Change], Sequence[PlanRow]]


def _groups(invocation: Invocation, made: Plan) -> Groups:
    return invocation.shell().plan_groups(made.plan_id)


def _first_rows(invocation: Invocation, made: Plan) -> RowsOf:
    def rows(side: Side, change: Change) -> Sequence[PlanRow]:
        return invocation.shell().plan_rows(made.plan_id, side=side, change=change, limit=ROWS_SHOWN)

    return rows


def words(made: Plan, groups: Groups, rows_of: RowsOf, *, most: int = ROWS_SHOWN) -> list[str]:
    """A plan as prose: what will happen, to whom, from what to what, why, and what it costs; *most* rows a group."""
    names = [safe(item.name) for item in made.campaigns if not item.skipped]
    lines = [f"{fit(', '.join(names) or 'no campaign', 60)} › {made.kind.value}", _cost(made)]
    for side in (Side.PREDICTIVE, Side.SALESFORCE):
        of_side = [(change, count) for where, change, count in groups if where is side]
        if of_side:
            lines += ["", f"  → {side.value.capitalize()}  {number(sum(count for _, count in of_side))}"]
        for change, count in of_side:
            lines += _group(change, count, rows_of(side, change)[:most])
    if made.counts.conflicts:
        lines += ["", f"  ▲ {plural(made.counts.conflicts, 'conflict')}: changed on both sides, Salesforce wins"]
    for item in made.campaigns:
        if item.skipped:
            lines.append(f"  · {safe(item.name)} is left out: {safe(item.skipped.removeprefix(f'{item.name}: '))}")
    lines += [f"  · {safe(note)}" for note in made.notes]
    refused = made.refused
    if refused:
        lines += ["", *(f"  ▲ guard {verdict.rule}: {safe(verdict.text)}" for verdict in refused)]
    elif made.rows:
        said = (f"{verdict.rule}: {safe(verdict.text)}" for verdict in made.guards)
        lines += ["", "  Guards  ✔ all pass", *(f"    {text}" for text in said)]
    return lines


def _cost(made: Plan) -> str:
    if not made.writes:
        offered = f"; {plural(made.offered, 'row')} may be accepted by number" if made.offered else ""
        return f"{state('nothing-to-do')}: both sides are in step{offered}"
    cost = made.cost
    return (
        f"{plural(made.writes, 'change')} · {plural(cost.predicted.salesforce, 'API call')} (at most "
        f"{number(cost.maximum.salesforce)}, lower bound {number(cost.lower_bound.salesforce)}) "
        f"· about {cost.seconds:.0f} s"
    )


def _group(change: Change, count: int, rows: Sequence[PlanRow]) -> list[str]:
    glyph, one, many = _GROUPS[change]
    lines = [f"    {glyph} {number(count)} {one if count == 1 else many}"]
    whole = change is Change.ADD or change in REMOVALS
    table = [
        [str(row.seq), row.label, *([] if whole else [_moved(row)]), f"{'▲ ' if row.conflict else ''}{row.reason}"]
        for row in rows
    ]
    headings = ["", "", ""] if whole else ["", "", "", ""]
    lines += [f"        {line}" for line in columns(headings, table, widest=60)[1:]]
    if count > len(rows):
        lines.append(f"        … and {number(count - len(rows))} more; --csv FILE writes all")
    return lines


def _moved(row: PlanRow) -> str:
    return f"{_value(row.before)} → {_value(row.after)}"


def _value(value: object) -> str:
    if value is None or value == "":
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return fit(safe(value), 40)
