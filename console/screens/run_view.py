"""A run as lines: progress, steps, what failed, and its end in words.

Pure: ``RunProgress`` and a result in, lines out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from console.present import (
    NONE,
    Line,
    count,
    crop,
    crop_line,
    elapsed,
    fit,
    lasting,
    meter,
    percent,
    run_state,
    spread,
    wrap,
)
from console.viewstate import RunProgress, StepState
from sync.events import Phase
from sync.model import RunKind, RunState
from sync.plan import PlanCounts
from sync.views import CampaignResult, Difference, RunResult
from sync.words import plural

WRITING = (Phase.SEND, Phase.WRITE_PREDICTIVE, Phase.WRITE_SALESFORCE)
UNITS = {
    Phase.READ_SALESFORCE: "members",
    Phase.READ_PREDICTIVE: "members",
    Phase.COMPARE: "changes",
    Phase.SEND: "e-mails",
    Phase.WRITE_PREDICTIVE: "rows",
    Phase.WRITE_SALESFORCE: "rows",
    Phase.CHECK: "members",
}


def share_done(run: RunProgress) -> tuple[int, int | None]:
    """Rows written and to be written; before writing began, those of the step under way."""
    writing = [step for phase in WRITING if (step := run.step(phase))]
    if writing:
        totals = [step.total for step in writing]
        known = [total for total in totals if total is not None]
        return sum(step.done for step in writing), sum(known) if len(known) == len(totals) else None
    current = run.current
    step = run.step(current) if current else None
    return (step.done, step.total) if step else (0, None)


def progress_words(run: RunProgress, now: datetime) -> str:
    """How far the run is, in a few words for the line on top."""
    done, total = share_done(run)
    if total:
        return percent(done, total, 0)
    return run.current.value if run.current else ""


def seconds_of(run: RunProgress, now: datetime) -> float:
    """How long it has run, or ran."""
    if run.first is None:
        return 0.0
    if run.end is not None:
        return run.end.seconds
    return ((run.last or now) if run.error else now).timestamp() - run.first.timestamp()


def title_line(run: RunProgress, now: datetime, width: int) -> Line:
    """Title, state in a word, clock."""
    seconds = seconds_of(run, now)
    if run.live:
        right = [("◐ ", "accent"), ("running", ""), (f"  {elapsed(seconds)} ", "strong")]
    elif run.end is not None:
        glyph, word, tone = run_state(run.end.state)
        right = [(f"{glyph} ", tone), (word, ""), (f"  {elapsed(seconds)} ", "strong")]
    else:
        right = [("✖ ", "trouble"), ("failed", ""), (f"  {elapsed(seconds)} ", "strong")]
    simulated = [(" simulated", "attention")] if run.simulated and "imulated" not in run.title else []
    return spread([("   ", ""), (run.title, "strong"), (" ", ""), *simulated], right, width)


def bar_line(run: RunProgress, now: datetime, width: int) -> Line:
    """The progress bar with rate and what is left."""
    done, total = share_done(run)
    seconds = seconds_of(run, now)
    if not run.live:
        return _ended_bar(run, width)
    if not total:
        where = run.current.value if run.current else "starting"
        return (("   ", ""), ("▕", "faint"), (" " * max(8, width // 2), ""), ("▏", "faint"), (f" {where} …", "dim"))
    rate = done / seconds if seconds >= 1 else 0
    words = f" {count(done)} of {count(total)}"
    if rate >= 1:
        words += f"   {rate:,.0f}/s   {lasting(max(0.0, (total - done) / rate))} left"
    size = max(8, width - len(words) - 6)
    return (("   ", ""), ("▕", "faint"), (meter(done / total, size), "accent"), ("▏", "faint"), (words, ""))


def _ended_bar(run: RunProgress, width: int) -> Line:
    if run.end is None:
        return ()
    done, total = share_done(run)
    parts = [plural(run.end.calls.salesforce, "call"), plural(run.end.calls.predictive, "request")]
    parts.append(lasting(run.end.seconds))
    if run.plan and run.simulated:
        # What a simulation spent are its own reads; what it foresees is the real run's.
        parts.append(f"for real {plural(run.plan.predicted.salesforce, 'call')}")
    elif run.plan:
        parts[0] += f" (predicted {count(run.plan.predicted.salesforce)})"
    if total and not run.simulated and width >= 76:
        parts.insert(0, f"{count(done)} of {plural(total, 'row')}")
    return crop_line((("   ", ""), (" · ".join(parts), "dim")), width)


def step_lines(run: RunProgress, width: int) -> tuple[Line, ...]:
    """The steps in order; those not begun are faint."""
    lines: list[Line] = []
    for phase in Phase:
        step = run.step(phase)
        if phase is Phase.SEND and step is None:
            continue
        if step is None and not run.live:
            continue
        lines.append(_step_line(phase, step, width))
    return tuple(lines)


def _step_line(phase: Phase, step: StepState | None, width: int) -> Line:
    name = ("   " + fit(phase.value, 20), "")
    if step is None:
        return ((name[0], "faint"), ("·", "faint"))
    sign = ("✔ ", "good") if step.ended else ("◐ ", "accent")
    unit = UNITS[phase]
    if step.total is not None and not step.ended:
        words = f"{count(step.done)} of {count(step.total)} {unit}"
    else:
        words = plural(step.done, unit.rstrip("s"), unit)
    if step.text and width < 100:
        words = step.text if len(step.text) < 30 else words
    spent = []
    if step.calls.salesforce:
        spent.append(plural(step.calls.salesforce, "call"))
    if step.calls.predictive:
        spent.append(plural(step.calls.predictive, "request"))
    said = min(30, width - 38)
    line: list[tuple[str, str]] = [name, sign, (fit(words, said), ""), (fit(" · ".join(spent), 22), "dim")]
    if step.text and width >= 100:
        line.append((crop(step.text, width - 78), "dim"))
    return crop_line(line, width)


def failure_lines(run: RunProgress, width: int, most: int = 3) -> tuple[Line, ...]:
    """Counts of what was left, and the failures grouped by what is wrong."""
    if not run.failed_rows and not run.notes:
        return ()
    lines: list[Line] = []
    drifted = sum(row.drifted for row in run.failures)
    if run.failed_rows:
        parts = [
            ("   ", ""),
            ("rejected ", "dim"),
            (count(run.failed_rows - drifted), ""),
            ("   drifted ", "dim"),
            (count(drifted), ""),
        ]
        if run.plan and run.plan.counts.conflicts:
            parts += [("   conflicts ", "dim"), (count(run.plan.counts.conflicts), "")]
        lines.append(tuple(parts))
    groups = Counter((row.drifted, row.code, row.message) for row in run.failures)
    for (drift, code, message), number in groups.most_common(most):
        sign = ("◐ ", "attention") if drift else ("✖ ", "trouble")
        words = "changed since the preview" if drift else code
        lines.append(crop_line((("   ", ""), sign, (f"{number} × {words}", ""), (f"  {message}", "dim")), width - 1))
    for note in [note for note in run.notes if note.level in ("warning", "error")][-2:]:
        sign = ("✖ ", "trouble") if note.level == "error" else ("▲ ", "attention")
        lines.append(crop_line((("   ", ""), sign, (note.text, "")), width - 1))
    return tuple(lines)


def _people(counts: PlanCounts) -> list[tuple[int, str]]:
    """Members added, removed, changed; the noun stands once, with the first."""
    said = [(counts.added, "added"), (counts.removed, "removed"), (counts.changed, "changed")]
    first = next((word for number, word in said if number), "")
    return [(number, f"{plural(number, 'member') if word == first else count(number)} {word}") for number, word in said]


def _did(run: RunProgress) -> list[str]:
    assert run.end is not None
    counts = run.end.counts
    said = (
        (counts.mails_released * run.simulated, plural(counts.mails_released, "e-mail")),
        *_people(counts),
        (counts.editions_created, plural(counts.editions_created, "edition") + " made"),
        (counts.mails_sent, plural(counts.mails_sent, "e-mail") + " sent"),
        (counts.mails_unknown, plural(counts.mails_unknown, "e-mail") + " of unknown fate, never sent again"),
        (counts.rejected, f"{count(counts.rejected)} rejected"),
        (counts.drifted, f"{count(counts.drifted)} left because they moved"),
        (counts.held, f"{count(counts.held)} held"),
        (counts.invisible, f"{count(counts.invisible)} hidden and kept"),
        (counts.pending, f"{count(counts.pending)} wait for the hourly run"),
    )
    words = [text for number, text in said if number > 0]
    return ["there would be " + words[0], *words[1:]] if run.simulated and words else words


def campaigns_of(run: RunProgress, result: RunResult | None) -> tuple[CampaignResult, ...]:
    """The campaigns of a batch that ended, from its result or, for a run of the past, from its events."""
    return result.campaigns if result is not None else () if run.live else run.parts


def _rows_alone(run: RunProgress) -> str:
    """What a run did that changed no member: rows of headers, editions and figures; of a plan what it plans."""
    assert run.end is not None
    counts, verb = run.end.counts, "would be written" if run.simulated else "written"
    if run.kind is RunKind.PLAN and run.plan is not None:
        counts, verb = run.plan.counts, "planned; a plan writes none of them"
    rows = counts.salesforce_rows + counts.predictive_rows
    return f"{plural(rows, 'row')} {verb}" if rows else ""


def _nothing_done(run: RunProgress, state: RunState, parts: Sequence[CampaignResult]) -> str:
    """What is true of a run that changed nothing: only who was compared can be said to agree."""
    if state not in (RunState.DONE, RunState.NOTHING_TO_DO):
        return "nothing was written"
    left = [part for part in parts if part.skipped is not None]
    taken = len(parts) - len(left)
    batch = run.kind in (RunKind.HOURLY, RunKind.NIGHTLY)
    if batch and not parts:
        return "no campaign takes part"
    if left and not taken:
        one = f"{left[0].name} was left out: {left[0].skipped}"
        return one if len(left) == 1 else f"all {plural(len(left), 'campaign')} were left out, nothing was compared"
    if run.kind is RunKind.HOURLY:
        said = "no e-mail is due and no activity is new"
    elif run.kind is RunKind.REFRESH:
        said = "level and reason are as they were"
    else:
        said = "both sides agree"
    if not left:
        return said
    return f"{said} in {plural(taken, 'campaign')}, {count(len(left))} {'was' if len(left) == 1 else 'were'} left out"


def end_lines(run: RunProgress, result: RunResult | None, width: int) -> tuple[Line, ...]:
    """The end in words and the next key."""
    if run.live:
        return ()
    if run.end is None:
        return (
            (("   ✖ ", "trouble"), (crop(run.error, width - 6), "")),
            (("   ", ""), ("esc", "key"), (" back", "dim")),
        )
    end = run.end
    glyph, word, tone = run_state(end.state)
    parts = _did(run)
    if result is not None and result.differences:
        parts = [plural(len(result.differences), "difference"), *parts]
        glyph, tone = "▲", "attention"
    said = ", ".join(parts) or _rows_alone(run) or _nothing_done(run, end.state, campaigns_of(run, result))
    first, *more = wrap(f"{word}: {said}.", width - 6)
    lines: list[Line] = [(("   ", ""), (f"{glyph} ", tone), (word, "strong"), (first[len(word) :], ""))]
    lines += [((f"     {part}", ""),) for part in more[:2]]
    if run.simulated:
        lines.append((("   ", ""), ("Nothing was written and nothing was sent.", "dim")))
    error = end.error or (result.error if result else None)
    if error:
        lines.append(crop_line((("   ", ""), (error, "")), width))
    return tuple(lines)


def difference_row(difference: Difference, width: int) -> Line:
    """One field in which the sides differ: what stands on either."""
    name = 34 if width >= 100 else 24
    left, right = difference.salesforce or NONE, difference.predictive or NONE
    line = [
        ("   ", ""),
        ("≠ ", "attention"),
        (fit(difference.label, name), ""),
        (" ", ""),
        (fit(difference.field, 10), "dim"),
    ]
    sides = [("Salesforce ", "dim"), (left, ""), ("  Predictive ", "dim"), (right, "")]
    kind = [] if difference.kind == "difference" else [(f"  {difference.kind}", "dim")]
    return crop_line([*line, *sides, *kind], width)
