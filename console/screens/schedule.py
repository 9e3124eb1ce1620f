"""The schedule: next hourly and nightly with countdown, what they did last, what was missed.

Imports Textual and the base screen; the timers come with what all screens share.
"""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult

from console.messages import RowOpened
from console.present import Line, crop, fit, hhmm, instant, plural, run_state, since, until
from console.screens.base import ConsoleScreen, bindings_for
from console.screens.dialogs import AskText
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.model import RunKind
from sync.views import CampaignView, TimerView


def head(width: int) -> Line:
    """Titles."""
    return (
        ("   ", ""),
        (fit("Timer", 10), "head"),
        (fit("Next", 26), "head"),
        (fit("In", 8), "head"),
        (fit("Last", 28), "head"),
    )


def row(timer: TimerView, now: datetime, width: int) -> Line:
    """One timer."""
    glyph, word, tone = run_state(timer.last_state)
    line: list[tuple[str, str]] = [("   ", ""), (fit(timer.kind.value, 10), "strong")]
    if timer.paused is not None:
        line += [("‖ ", "attention"), (fit(f"paused: {timer.paused or 'no note'}", 32), "")]
    elif not timer.enabled:
        line += [(fit("off; timers.enabled in the configuration", 34), "dim")]
    else:
        simulated = " simulated" if timer.simulated else ""
        line += [(fit(f"{instant(timer.due)}{simulated}", 26), ""), (fit(until(timer.due, now), 8), "accent")]
    last = since(timer.last_due, now) if timer.last_due else ""
    line += [(f"{glyph} ", tone), (crop(f"{word} {last}", max(10, width - 52)), "" if timer.last_due else "dim")]
    return tuple(line)


def notes(
    timers: tuple[TimerView, ...], campaigns: tuple[CampaignView, ...], now: datetime, width: int
) -> tuple[Line, ...]:
    """What was missed, and which campaigns the night takes or leaves."""
    lines: list[Line] = [()]
    for timer in timers:
        if timer.missed:
            times = ", ".join(hhmm(at) for at in timer.missed[-4:])
            text = (
                f"{timer.kind.value}: {plural(len(timer.missed), 'tick')} missed while nothing was open ({times} UTC)."
            )
            lines.append((("   ", ""), ("▲ ", "attention"), (crop(text, width - 6), "")))
            lines.append(
                (
                    ("     ", ""),
                    ("b", "key"),
                    (" runs it now; ticks that send e-mails are never caught up by themselves.", "dim"),
                )
            )
    auto = [view for view in campaigns if view.campaign.auto_sync]
    taken = sum(view.state != "closed" and view.started for view in auto)
    closed = sum(view.state == "closed" for view in auto)
    fresh = sum(view.state != "closed" and not view.started for view in auto)
    lines.append((("   ", ""), ("Tonight  ", "strong"), (f"{plural(taken, 'campaign')} with auto-sync", "")))
    if fresh:
        lines.append(((" " * 12, ""), (f"{fresh} left out: New Edition was never done", "dim")))
    if closed:
        lines.append(((" " * 12, ""), (f"{closed} left out: closed; costs nothing", "dim")))
    lines.append(())
    lines.append((("   Timers run while a console or a worker is open; two of them fire a tick once.", "dim"),))
    return tuple(lines)


class ScheduleScreen(ConsoleScreen):
    """Timers."""

    PLACE = "schedule"
    BINDINGS = bindings_for("schedule")

    def body(self) -> ComposeResult:
        """Timers and notes."""
        yield Lines((("   Schedule", "strong"),), ())
        yield Grid(self._line, head, id="grid")
        yield Lines(id="notes")

    @property
    def timers(self) -> tuple[TimerView, ...]:
        """Sorted by when they are due."""
        return tuple(sorted(self.host.shared.timers, key=lambda timer: timer.due))

    def paint(self) -> None:
        """Timers and notes."""
        grid = self.query_one(Grid)
        grid.empty = ((("   No timer is known; the store was not read yet.", "dim"),),)
        grid.styles.height = len(self.timers) + 1
        grid.show(len(self.timers))
        shared = self.host.shared
        self.query_one("#notes", Lines).show(notes(self.timers, shared.campaigns, shared.now, self.size.width))

    def paint_top(self) -> None:
        """The countdown goes with the clock."""
        super().paint_top()
        if self.is_mounted:
            self.query_one(Grid).repaint()

    def _line(self, index: int, width: int) -> Line:
        return row(self.timers[index], self.host.shared.now, width)

    def on_row_opened(self, message: RowOpened) -> None:
        """Enter offers what can be done with the timer."""
        self.host.do_batch()

    def do_simulate(self) -> None:
        """Simulate the chosen timer's batch."""
        timers, cursor = self.timers, self.query_one(Grid).cursor
        kind = timers[cursor].kind if cursor < len(timers) else RunKind.NIGHTLY
        self.host.start_batch(f"simulate {kind.value}")

    def do_pause(self) -> None:
        """Pause with a note, or resume."""
        host = self.host
        if host.situation().paused:
            host.small("Resume", lambda backend, cancel: backend.resume_schedule(), lambda _: "The timers run again.")
            return

        def pause(note: str | None) -> None:
            if note:
                text = note.strip()
                host.small(
                    "Pause", lambda backend, cancel: backend.pause_schedule(text), lambda _: "The timers are paused."
                )

        self.app.push_screen(
            AskText("Pause the timers", ("A note for whoever looks next: why, and until when.",), does="pause"), pause
        )
