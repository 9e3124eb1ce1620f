"""The API meter: the org's figure, ours, everyone else's, the thresholds, and what is to come.

Imports Textual and the base screen; asking the org is a key, never a timer.
"""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult

from console.present import Line, cells, count, crop, fit, instant, meter, percent, since
from console.screens.base import ConsoleScreen, bindings_for
from console.screens.topline_view import meter_tone
from console.widgets.paint import Lines
from sync.views import LimitsView

_THRESHOLDS = {
    "warn": "warn",
    "pause": "statistics in the background wait",
    "stop": "all but opt-outs stop",
    "resume": "all resumes below",
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
    """Marks under the bar where the thresholds are."""
    size = max(10, min(60, width - 52))
    marks = [" "] * (size + 2)
    for name, share in limits.thresholds:
        if name != "resume":
            marks[min(size, 1 + round(share * size))] = "▴"
    return ((" " * 21, ""), ("".join(marks), "dim"))


def lines(limits: LimitsView | None, now: datetime, width: int) -> tuple[Line, ...]:
    """The whole screen."""
    if limits is None or limits.used is None or not limits.limit:
        ours = limits.ours if limits else 0
        return (
            (("   API calls", "strong"),),
            (),
            (("   The org has not told its meter yet: it comes with the first call.", "dim"),),
            (("   ", ""), ("g", "key"), (" asks for it (1 call).", "")),
            (),
            (("   This store's own calls in the last 24 hours: ", "dim"), (count(ours), "")),
        )
    share = limits.used / limits.limit
    left = limits.limit - limits.used
    told = f"told {instant(limits.at)}, {since(limits.at, now)}" if limits.at else "never told"
    out: list[Line] = [
        (("   API calls of the org, rolling 24 hours", "strong"), (f"   {crop(told, max(10, width - 46))}", "dim")),
        (),
        _bar("used", limits.used, limits.limit, width, meter_tone(share) if share >= 0.8 else "accent"),
        _scale(limits, width),
        _bar(f"ours, {limits.window} h", limits.ours, limits.limit, width, "bar"),
        _bar("everyone else", limits.others, limits.limit, width, "bar"),
        _bar("left", left, limits.limit, width, "bar"),
        (),
    ]
    out.append((("   Thresholds", "strong"),))
    for name, at in limits.thresholds:
        reached = share >= at if name != "resume" else False
        tone = ("▲ ", "attention") if reached else ("  ", "")
        out.append(
            (
                ("   ", ""),
                tone,
                (fit(f"{at:.0%}", 6, "right"), ""),
                ("  ", ""),
                (_THRESHOLDS.get(name, name), "dim"),
                (f"  at {count(int(at * limits.limit))}", "faint"),
            )
        )
    if limits.forecast:
        out += [(), (("   Forecast", "strong"),)]
        size = max(cells(name) for name, _ in limits.forecast)
        for name, figure in limits.forecast:
            out.append((("     ", ""), (fit(name, size + 2), "dim"), (fit(_figure(figure), 10, "right"), "")))
    return tuple(out)


def _figure(figure: float) -> str:
    return count(round(figure)) if figure >= 10 or float(figure).is_integer() else f"{figure:.1f}"


class ApiScreen(ConsoleScreen):
    """The meter."""

    PLACE = "api"
    AUTO_FOCUS = ""
    BINDINGS = bindings_for("api")

    def body(self) -> ComposeResult:
        """One block of lines."""
        yield Lines(id="lines")

    def paint(self) -> None:
        """From what all screens share."""
        shared = self.host.shared
        self.query_one("#lines", Lines).show(lines(shared.limits, shared.now, self.size.width))

    def do_ask_meter(self) -> None:
        """One call."""
        self.say("Asking the org: 1 Salesforce call …", "◐")
        self.host.small(
            "API meter", lambda backend, cancel: backend.load_limits(), lambda _: "The org's meter is read."
        )
