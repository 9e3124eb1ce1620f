"""The schedule: next hourly and nightly with countdown, what they did last, what was missed.

Imports Textual and the base screen; the timers come with what all screens share.
"""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult

from console.backend import Backend
from console.messages import RowMoved, RowOpened
from console.present import Line, crop, fit, hhmm, instant, run_state, since, until, wrap
from console.screens.base import ConsoleScreen, bindings_for
from console.screens.compare_view import compare_lines, instant_of, last_of
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.model import RunKind
from sync.views import CampaignView, RunView, TimerView
from sync.words import plural


def head(width: int) -> Line:
    """Titles."""
    return (
        ("   ", ""),
        (fit("Timer", 10), "head"),
        (fit("Next", 26), "head"),
        (fit("In", 8), "head"),
        (fit("Last tick", 28), "head"),
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
    there = max((timer.workers for timer in timers), default=0)
    who = f"{plural(there, 'worker')} at work. " if there else ""
    said = f"{who}Timers run while a console or a worker is open; two of them fire a tick once."
    lines += [((f"   {part}", "dim"),) for part in wrap(said, width - 6)]
    return tuple(lines)


class ScheduleScreen(ConsoleScreen):
    """Timers."""

    PLACE = "schedule"
    BINDINGS = bindings_for("schedule")

    def __init__(self) -> None:
        super().__init__()
        self._runs: tuple[RunView, ...] | None = None

    def body(self) -> ComposeResult:
        """Timers and notes."""
        yield Lines((("   Schedule", "strong"),), ())
        yield Grid(self._line, head, id="grid")
        yield Lines(id="notes")
        yield Lines(id="compare", classes="gap")

    def on_mount(self) -> None:
        """Read what the batches did."""
        self.load(self._read, "runs")

    async def _read(self) -> None:
        def read(backend: Backend) -> tuple[RunView, ...]:
            return tuple(each for kind in (RunKind.HOURLY, RunKind.NIGHTLY) for each in backend.batches(kind))

        self._runs = await self.host.bridge.read(read)
        self.refresh_all()

    def on_screen_resume(self) -> None:
        """Back on top: a simulation may have ended."""
        if self._runs is not None:
            self.load(self._read, "runs")
        super().on_screen_resume()

    def run_went_on(self, job: int) -> None:
        """A run ended: read anew."""
        if self.host.bridge.writing is None:
            self.load(self._read, "runs")

    def on_row_moved(self, message: RowMoved) -> None:
        """The other timer's runs."""
        self._paint_compared()

    @property
    def kind(self) -> RunKind:
        """The batch of the timer under the cursor."""
        timers, cursor = self.timers, self.query_one(Grid).cursor
        return timers[cursor].kind if cursor < len(timers) else RunKind.NIGHTLY

    def _paint_compared(self) -> None:
        runs, kind = self._runs or (), self.kind
        lines = compare_lines(
            last_of(runs, kind, simulated=True), last_of(runs, kind, simulated=False), self.host.shared.now,
            self.size.width,
        )  # fmt: skip
        title = (("   ", ""), (kind.value.capitalize(), "strong"), (" as simulated and as it was", "dim"))
        self.query_one("#compare", Lines).show((title, *lines) if lines else ())

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
        self._paint_compared()

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
        self.host.start_batch(f"simulate {self.kind.value}")

    def do_simulate_at(self) -> None:
        """The same at an instant that is typed."""
        host, kind = self.host, self.kind
        due = next((timer.due for timer in self.timers if timer.kind is kind), None)

        def simulate(answer: str) -> None:
            at = instant_of(answer, host.shared.now)
            if at is None:
                self.say(f"“{answer}” is no instant: 01:00, tomorrow 01:00, +3h or 2027-03-10T01:00.", "▲",
                         "attention")  # fmt: skip
            else:
                host.start_batch(f"simulate {kind.value}", at)

        about = "In UTC: 01:00, tomorrow 01:00, +3h, or 2027-03-10T01:00. Nothing is written and nothing is sent."
        value = f"{due:%Y-%m-%dT%H:%M}" if due else ""
        host.ask_text(f"Simulate the {kind.value} run at", (about,), simulate, does="simulate", value=value)

    def do_pause(self) -> None:
        """Pause with a note, or resume."""
        host = self.host
        if host.situation().paused:
            host.small("Resume", lambda backend, cancel: backend.resume_schedule(), lambda _: "The timers run again.")
            return

        def pause(note: str) -> None:
            host.small(
                "Pause", lambda backend, cancel: backend.pause_schedule(note), lambda _: "The timers are paused."
            )

        about = "A note for whoever looks next: why, and until when."
        host.ask_text("Pause the timers", (about,), pause, does="pause")
