"""The API meter, the last 24 hours, who spent and what was wasted, as lines. Pure."""

from __future__ import annotations

from datetime import datetime

from console.present import (
    Line,
    count,
    crop_line,
    fit,
    hhmm,
    instant,
    meter,
    percent,
    since,
    sparkline,
    until,
    width_of,
)
from console.screens.topline_view import meter_tone
from sync.views import LimitsView, Spender, Spending, Waste
from sync.words import plural

TABS = ("campaigns", "kinds", "objects", "waste")
TITLES = {"campaigns": "By campaign", "kinds": "By run kind", "objects": "By object", "waste": "Waste"}
_THRESHOLDS = {"warn": "warn", "pause": "statistics wait", "stop": "only opt-outs", "resume": "all again below"}
_COMES = {"hourly": "an hour", "nightly": "a night"}
_GEARS = {
    "normal": "",
    "warn": "near the limit: runs go on",
    "pause": "statistics in the background wait",
    "stop": "everything but opt-outs is stopped",
}


def _bar(label: str, part: int | None, whole: int | None, width: int, tone: str) -> Line:
    share = part / whole if part is not None and whole else None
    size = max(10, min(60, width - 52))
    return (
        ("   ", ""),
        (fit(label, 18), ""),
        ("▕", "faint"),
        (meter(share, size), tone),
        ("▏", "faint"),
        (fit(count(part), 10, "right"), ""),
        (fit(percent(part, whole), 8, "right"), "dim"),
    )


def _scale(limits: LimitsView, width: int) -> Line:
    """Marks under the bar where the thresholds are, named beside it."""
    size = max(10, min(60, width - 52))
    marks = [" "] * (size + 2)
    for name, share in limits.thresholds:
        if name != "resume":
            marks[min(size, 1 + round(share * size))] = "▴"
    return ((" " * 21, ""), ("".join(marks), "dim"))


def head_lines(limits: LimitsView | None, spending: Spending | None, now: datetime, width: int) -> tuple[Line, ...]:
    """The meter with thresholds, what is to come, and our calls hour by hour."""
    if limits is None or limits.used is None or not limits.limit:
        ours = limits.ours if limits else 0
        return (
            (("   API calls", "strong"),),
            (),
            (("   The org has not told its meter yet: it comes with the first call.", "dim"),),
            (("   ", ""), ("g", "key"), (" asks for it (1 call).", "")),
            (),
            (("   This store's own calls in the last 24 hours: ", "dim"), (count(ours), "")),
            *_hours(spending, width),
        )
    share = limits.used / limits.limit
    title = "API calls of the org, rolling 24 hours" if width >= 76 else "API calls, rolling 24 hours"
    told = "never told"
    if limits.at:
        # The day is told by the age; where there is room it stands there, too.
        told = f"told {instant(limits.at) if width >= 90 else hhmm(limits.at)}, {since(limits.at, now)}"
    out: list[Line] = [
        crop_line(((f"   {title}", "strong"), (f"   {told}", "dim")), width - 1),
        (),
        _bar("used", limits.used, limits.limit, width, meter_tone(share) if share >= 0.8 else "accent"),
        _scale(limits, width),
        _bar(f"ours, {limits.window} h", limits.ours, limits.limit, width, "bar"),
        _bar("everyone else", limits.others, limits.limit, width, "bar"),
        *_within(_thresholds(limits, share, wide=width >= 92), width),
        *_within(_forecast(limits, now), width),
    ]
    if gear := _GEARS.get(limits.gear, limits.gear):
        out.append((("   ▲ ", "attention"), (f"The governor: {gear}.", "")))
    return (*out, *_hours(spending, width))


def _thresholds(limits: LimitsView, share: float, *, wide: bool) -> Line:
    line: list[tuple[str, str]] = [("   ", ""), (fit("thresholds", 19), "")]
    shown = [(name, at) for name, at in limits.thresholds if wide or name != "resume"]
    for place, (name, at) in enumerate(shown):
        reached = share >= at and name != "resume"
        line += [
            (" · " if place else "", "faint"),
            (f"{at:.0%} ", "strong" if reached else ""),
            (_THRESHOLDS.get(name, name), "attention" if reached else "dim"),
        ]
    return tuple(line)


def _forecast(limits: LimitsView, now: datetime) -> Line:
    line: list[tuple[str, str]] = [("   ", ""), (fit("to come", 19), "")]
    if limits.reserved:
        line += [(f"{count(limits.reserved)} reserved by runs", ""), (" · ", "faint")]
    known = [(name, figure) for name, figure in limits.forecast if name != "hours until the limit"]
    for place, (name, figure) in enumerate(known):
        line += [(" · " if place else "", "faint"), (f"{_COMES.get(name, name)} ", "dim"), (_figure(figure), "")]
    line.append((" · ", "faint"))
    if limits.reached_at is not None:
        line += [("limit reached in ", "attention"), (until(limits.reached_at, now), "strong")]
    else:
        line.append(("limit not in sight", "dim"))
    return tuple(line)


def _within(line: Line, width: int) -> tuple[Line, ...]:
    """*line*, or two of it parted at its last dot that fits, so that nothing of it is lost in a narrow terminal."""
    if width_of(line) <= width:
        return (line,)
    dots = [place for place, (text, _) in enumerate(line) if text == " · " and width_of(line[:place]) <= width]
    if not dots:
        return (crop_line(line, width),)
    rest: Line = ((" " * 22, ""), *line[dots[-1] + 1 :])
    return line[: dots[-1]], crop_line(rest, width)


def _figure(figure: float) -> str:
    return count(round(figure)) if figure >= 10 or float(figure).is_integer() else f"{figure:.1f}"


def _hours(spending: Spending | None, width: int) -> tuple[Line, ...]:
    if spending is None or not sum(spending.by_hour):
        return ()
    curve = sparkline(spending.by_hour, 24)
    words = f"  at most {count(max(spending.by_hour))}, now {count(spending.by_hour[-1])}"
    if width < 76:
        curve, words = sparkline(spending.by_hour, 12), words.replace("at most", "most")
    return (crop_line((("   ", ""), (fit("ours, by the hour", 19), ""), (curve, "accent"), (words, "dim")), width),)


# ---------------------------------------------------------------- who spent


def tab_line(tab: str, spending: Spending | None) -> Line:
    """The lists; waste with how much of it there is."""
    line: list[tuple[str, str]] = [("   ", "")]
    for name in TABS:
        words = TITLES[name]
        if name == "waste" and spending is not None and spending.waste:
            words = f"▲ {words} {len(spending.waste)}"
        line += [(words, "tab" if name == tab else "dim"), ("   ", "")]
    return tuple(line)


def spenders(spending: Spending | None, tab: str) -> tuple[Spender, ...]:
    """The rows of a list of spenders."""
    if spending is None:
        return ()
    return {"campaigns": spending.by_campaign, "kinds": spending.by_kind, "objects": spending.by_object}.get(tab, ())


def spender_row(spender: Spender, total: int, width: int) -> Line:
    """One spender with its share of our calls."""
    size = max(8, min(30, width - 60))
    return crop_line(
        (
            ("   ", ""),
            (fit(spender.name, max(16, width - size - 32)), ""),
            (fit(count(spender.calls), 9, "right"), ""),
            (fit(percent(spender.calls, total), 8, "right"), "dim"),
            ("  ", ""),
            (meter(spender.calls / total if total else None, size), "bar"),
        ),
        width,
    )


def waste_row(waste: Waste, width: int) -> Line:
    """Calls that bring nothing."""
    sign = ("▲ ", "attention") if waste.spent else ("· ", "dim")
    name = 26 if width < 100 else 40
    return crop_line(
        (
            ("   ", ""),
            sign,
            (fit(waste.name, name), ""),
            (fit(count(waste.calls), 7, "right"), ""),
            (f"  {waste.text}", "dim"),
        ),
        width,
    )


def waste_line(waste: Waste | None, width: int) -> Line:
    """What to do about it."""
    if waste is None:
        return ()
    if waste.rule == "closed-auto-sync":
        calls = f"{plural(waste.calls, 'call')} a night"
        return crop_line((("   ", ""), ("w", "key"), (f" clears auto-sync of {waste.name}: {calls}", "")), width)
    return crop_line((("   ", ""), (waste.text, "dim")), width)


def nothing_lines(tab: str, known: bool) -> tuple[Line, ...]:
    """What an empty list says."""
    if not known:
        return ((("   Reading the ledger …", "dim"),),)
    if tab == "waste":
        return ((("   ✔ ", "good"), ("No call was spent in vain, and no closed campaign waits for the night.", "")),)
    return ((("   No call in the last 24 hours.", "dim"),),)
