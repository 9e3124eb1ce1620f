"""The two lines on top of every screen, in words: org, mode, meter, clock; what needs a person and what comes next.

Pure: ``Shared`` and the live run in, lines out.
"""

from __future__ import annotations

from datetime import timedelta

from console.present import Line, cells, count, crop, hhmm, meter, percent, since, spread, until
from console.viewstate import RunProgress, Shared, needing
from sync.model import RunKind
from sync.words import plural

STALE = timedelta(minutes=15)
"""Beyond it the meter shows its age."""


def meter_tone(share: float | None) -> str:
    """Quiet below the warning threshold, then attention, then trouble."""
    if share is None or share < 0.8:
        return "dim"
    return "attention" if share < 0.95 else "trouble"


def top_lines(shared: Shared, width: int) -> Line:
    """Org, mode, API meter and clock on one line of *width* cells; words give way before figures do."""
    mode = (f" {shared.mode} ", "badge") if shared.mode == "PRODUCTION" else (shared.mode, "dim")
    clock = hhmm(shared.now) + (" UTC" if width >= 100 else "")
    limits = shared.limits
    right: list[tuple[str, str]] = []
    if limits and limits.used is not None and limits.limit:
        share = limits.used / limits.limit
        tone = meter_tone(share)
        glyph = "" if share < 0.8 else "▲ "
        bar = 10 if width >= 80 else 5
        stale = limits.at is not None and shared.now - limits.at > STALE
        age = f" {since(limits.at, shared.now)}" if stale and width >= 76 else ""
        figures = (
            f"{count(limits.used)} of {count(limits.limit)}" if width >= 72 else percent(limits.used, limits.limit)
        )
        right += [
            ("API ", "dim"),
            (glyph, tone),
            ("▕", "faint"),
            (meter(share, bar), tone if glyph else "bar"),
            ("▏", "faint"),
            (f" {figures}", "" if not glyph else tone),
            (age, "dim"),
        ]
    else:
        right += [("API not read yet", "dim")]
    right += [("  ", ""), (clock, "strong"), (" ", "")]
    room = width - sum(cells(text) for text, _ in right) - cells(mode[0]) - 4
    left = [(" ", ""), (crop(shared.org, max(6, room)), "strong"), ("  ", ""), mode]
    return spread(left, right, width)


def _next(shared: Shared) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for timer in sorted(shared.timers, key=lambda timer: timer.due):
        word = "nightly 01:00 UTC" if timer.kind is RunKind.NIGHTLY and timer.due.hour == 1 else timer.kind.value
        if timer.paused is not None:
            out += [(" · ", "faint"), (f"‖ {timer.kind.value} paused", "attention")]
        elif not timer.enabled:
            out += [(" · ", "faint"), (f"{timer.kind.value} off", "dim")]
        else:
            simulated = " simulated" if timer.simulated else ""
            out += [(" · ", "faint"), (f"{word}{simulated} in {until(timer.due, shared.now)}", "dim")]
    return out


def news_lines(shared: Shared, run: RunProgress | None, progress: str) -> tuple[Line, ...]:
    """What needs a person, what comes next, and what is running; then the same with less, for narrow terminals."""
    if shared.trouble:
        return (((" ✖ ", "trouble"), (shared.trouble, "")),)
    if not shared.loaded and not shared.campaigns:
        return (((" reading the store …", "dim"),),)
    need = needing(shared.campaigns)
    missed = sum(len(timer.missed) for timer in shared.timers)
    out: list[tuple[str, str]] = [(" ", "")]
    if need:
        out += [("▲ ", "attention"), (f"{need:,} need{'s' if need == 1 else ''} you", "strong")]
    else:
        out += [("✔ ", "good"), ("nothing needs you", "dim")]
    if missed:
        out += [(" · ", "faint"), (f"▲ {plural(missed, 'missed tick')}, 3 shows them", "attention")]
    if run is not None and run.live:
        live = [(" · ", "faint"), ("◐ ", "accent"), (f"{run.title} {progress}".rstrip(), "accent")]
        return (*out, *live, (", 0 shows it", "dim")), (*out, *live)
    timers = _next(shared)
    return (*out, *timers, (" · ", "faint"), ("nothing running", "dim")), (*out, *timers), (*out, *timers[:2])
