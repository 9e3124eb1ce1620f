"""What keys start: screens to go to, plans to make, runs to watch, questions to ask first. The app's verbs.

Imports Textual and the dialogs; screens other than the overview are imported when first opened, which keeps them out
of the first paint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.around import Around
from console.present import hhmm, instant
from console.viewstate import RunProgress
from sync.errors import PredictiveError
from sync.model import RunKind
from sync.views import RunResult, RunView
from sync.words import plural

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from console.backend import Backend
    from console.bridge import Job
    from console.failureboard import Selection
    from console.screens.dialogs import Choice
    from sync.plan import Plan


class Work(Around):
    """The app's verbs; every public method answers a key, a command or a timer."""

    # ------------------------------------------------------------ where to

    def open_campaign(self, campaign_id: str, tab: str = "") -> None:
        """Into one campaign."""
        from console.screens.campaign import CampaignScreen

        self.go(("campaign", campaign_id), lambda: CampaignScreen(campaign_id, tab))

    def do_view_runs(self) -> None:
        """Runs of the past."""
        from console.screens.runs import RunsScreen

        self.top_level("runs", RunsScreen)

    def do_view_schedule(self) -> None:
        """The timers."""
        from console.screens.schedule import ScheduleScreen

        self.top_level("schedule", ScheduleScreen)

    def do_view_api(self) -> None:
        """The meter."""
        from console.screens.api import ApiScreen

        self.top_level("api", ApiScreen)

    def do_view_doctor(self) -> None:
        """Checks of the set-up."""
        from console.screens.doctor import DoctorScreen

        self.top_level("doctor", DoctorScreen)

    def do_view_log(self) -> None:
        """What the program did."""
        from console.screens.log import LogScreen

        self.top_level("log", LogScreen)

    def do_view_settings(self) -> None:
        """The configuration."""
        from console.screens.settings import SettingsScreen

        self.top_level("settings", SettingsScreen)

    def do_copy(self) -> None:
        """The row under the cursor, or the text on screen."""
        text, what = self.front.copied()
        if text:
            self.copy(text, what)
        else:
            self.front.say("There is nothing to copy.", "·", "attention")

    def do_view_run(self) -> None:
        """The run under way."""
        writing = self.bridge.writing
        if writing is not None and not (self.front.PLACE == "run" and self.shown_job == writing.number):
            self.open_run(writing.number)

    def do_help(self) -> None:
        """All keys of the screen beneath."""
        from console.screens.help import HelpScreen, focused_keys

        front = self.front
        focused = focused_keys(front.focused)
        self.push_screen(HelpScreen(front.key_list(), front.situation(), front.PLACE, focused))

    def do_palette(self) -> None:
        """The command palette."""
        self.action_command_palette()

    def do_quit(self) -> None:
        """Leave; ask first when a run writes."""
        writing = self.bridge.writing
        if writing is None:
            self.leave()
            return
        if self._leaving:
            self.finish_and_leave()
            return
        self.ask(
            "Leave while a run is writing?",
            (
                f"{writing.title} is under way.",
                "It stops after its present batch; what was written is journalled, the rest waits for the next run.",
            ),
            (("y", "stop after this batch and leave", "y"),),
            lambda answer: self.finish_and_leave() if answer == "y" else None,
            cancel="stay",
        )

    # ------------------------------------------------------------ questions

    def ask(
        self,
        title: str,
        text: Sequence[str],
        ways: Sequence[tuple[str, str, str]],
        then: Callable[[str], None],
        *,
        cancel: str = "cancel",
        tone: str = "",
    ) -> None:
        """A question over the screen; enter and esc cancel, each way has a key that is not the one that opened it."""
        from console.screens.dialogs import Ask

        self.push_screen(Ask(title, tuple(text), tuple(ways), cancel=cancel, tone=tone), lambda got: then(got or ""))

    def ask_text(
        self,
        title: str,
        text: Sequence[str],
        then: Callable[[str], None],
        *,
        does: str,
        value: str = "",
        hidden: bool = False,
    ) -> None:
        """A line to type over the screen; *then* gets it without blanks around and never empty, and nothing after esc.

        Args:
            title, text: what is asked and what it is for.
            then: what to do with it.
            does: what enter does, in a word.
            value: what stands in the line at first.
            hidden: what is typed is not shown.
        """
        from console.screens.dialogs import AskText

        def entered(answer: str | None) -> None:
            if answer:
                then(answer)

        self.push_screen(AskText(title, text, value=value, does=does, hidden=hidden), entered)

    def choose(self, title: str, choices: Sequence[Choice], then: Callable[[str], None]) -> None:
        """A short menu."""
        from console.screens.dialogs import Menu

        self.push_screen(Menu(title, tuple(choices)), lambda got: then(got or ""))

    # ------------------------------------------------------------ runs

    def start_run(self, title: str, do: Callable[[Backend, threading.Event], RunResult]) -> None:
        """Start a run in its own thread and show it."""
        job: Job[RunResult] = self.bridge.act(title, do, writes=True)
        self.progress[job.number] = RunProgress(title=title)
        self.open_run(job.number)

    def open_run(self, number: int) -> None:
        """The screen of a live job."""
        from console.screens.run import RunScreen

        self.shown_job = number
        if self.front.PLACE == "run":
            self.pop_screen()
        self.go(("run", str(number)), lambda: RunScreen(number))

    def open_past(self, run: RunView) -> None:
        """The screen of a run of the past, replayed."""
        from console.screens.run import RunScreen

        self.go(("run", str(run.run)), lambda: RunScreen(0, run))

    def start_plan(self, campaign_ids: Sequence[str]) -> None:
        """Plan a manual sync and show it; nothing is written."""
        names = [view.campaign.name for view in self.shared.campaigns if view.campaign.id in campaign_ids]
        title = names[0] if len(names) == 1 else plural(len(campaign_ids), "campaign")
        ids = tuple(campaign_ids)
        self.preview(title, "Synchronize", lambda b, cancel: b.make_plan(ids, kind=RunKind.MANUAL, cancel=cancel))

    def preview(self, title: str, does: str, make: Callable[[Backend, threading.Event], Plan]) -> None:
        """Make a plan in its own thread and show it; nothing is written."""
        from console.screens.plan import PlanScreen

        job: Job[Plan] = self.bridge.act(f"{title} › {does}", make, writes=False)
        self.progress[job.number] = RunProgress(title=job.title)
        self.go(("plan", str(job.number)), lambda: PlanScreen(job, title, does))

    def start_undo(self, run: RunView) -> None:
        """Plan the inverse of a run and show it."""
        title = run.campaign_name or "All campaigns"
        self.preview(
            title,
            f"Undo {run.kind.value} of {hhmm(run.started)}",
            lambda b, cancel: b.plan_undo(run.run, cancel=cancel),
        )

    def start_retry(self, selection: Selection | None) -> None:
        """Plan failed rows anew and show them."""
        if selection is None:
            return
        run, seqs = selection.run, selection.seqs
        self.preview(
            plural(len(seqs), "failed row"), "Try again", lambda b, cancel: b.plan_retry(run, seqs=seqs, cancel=cancel)
        )
        if selection.others:
            self.front.say(f"{plural(selection.others, 'marked row')} of other runs wait for another try.")

    def open_journal(self, run_id: str, title: str) -> None:
        """Every row of a run."""
        from console.screens.journal import JournalScreen

        self.go(("journal", run_id), lambda: JournalScreen(run_id, title))

    def open_member(self, campaign_id: str, person_id: str, name: str) -> None:
        """The story of one member."""
        from console.screens.member import MemberScreen

        self.go(("member", campaign_id, person_id), lambda: MemberScreen(campaign_id, person_id, name))

    def do_view_errors(self) -> None:
        """What failed, by type."""
        from console.screens.errors import ErrorsScreen

        self.top_level("errors", ErrorsScreen)

    def start_apply(
        self,
        plan: Plan,
        title: str,
        *,
        without_deletes: bool,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
    ) -> None:
        """Apply a plan and watch it."""
        allowed = dict(allow or {})
        self.start_run(
            title,
            lambda backend, cancel: backend.apply(
                plan.plan_id,
                without_deletes=without_deletes,
                allow=allowed,
                reason=reason,
                confirm_name=confirm_name,
                cancel=cancel,
            ),
        )

    def start_load(self) -> None:
        """Read the org's list: 1 call, said as it begins."""
        self.front.say("Reading the org's campaigns: 1 Salesforce call …", "◐")
        self.small(
            "Campaign list", lambda b, cancel: b.load_campaigns(), lambda v: f"{plural(len(v), 'campaign')} read."
        )

    def do_batch(self) -> None:
        """Menu: run or simulate, hourly or nightly."""
        from console.screens.dialogs import Choice

        read_only = "read-only" if self.situation().read_only else ""
        self.choose(
            "Batch",
            (
                Choice("h", "hourly", "run hourly now", "sends what is due, brings activity back", read_only),
                Choice("n", "nightly", "run nightly now", "members of every campaign with auto-sync", read_only),
                Choice("i", "simulate hourly", "simulate hourly", "who would be mailed, what would be written"),
                Choice("m", "simulate nightly", "simulate nightly", "nothing is sent, nothing is written"),
            ),
            self.start_batch,
        )

    def start_batch(self, which: str, at: datetime | None = None) -> None:
        """Start what the batch menu, a key or a command named: ``[simulate ]hourly|nightly``; *at* simulates only."""
        if not which:
            return
        simulate = which.startswith("simulate")
        kind = RunKind.HOURLY if which.endswith("hourly") else RunKind.NIGHTLY
        title = f"{'Simulated ' if simulate else ''}{kind.value}"
        title = title[0].upper() + title[1:] + (f" at {instant(at)}" if at else "")

        def go(answer: str) -> None:
            if answer == "y":
                self.start_run(title, lambda b, cancel: b.batch(kind, simulate=simulate, at=at, cancel=cancel))

        if simulate:
            go("y")
            return
        does = (
            "E-mails that are due are sent to real people; activity comes back to Salesforce."
            if kind is RunKind.HOURLY
            else "Members of every campaign with auto-sync that is not closed are synchronized, without a preview."
        )
        self.ask(f"Run the {kind.value} batch now?", (does, "m or i in the menu shows it without doing it."),
                 (("y", f"run {kind.value}", "y"),), go)  # fmt: skip

    # ------------------------------------------------------------ small jobs

    def small(
        self,
        title: str,
        do: Callable[[Backend, threading.Event], Any],
        said: Callable[[Any], str],
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """A job that has no screen: its end is a note, its failure too; *then* reads anew what it changed."""
        job = self.bridge.act(title, do, writes=False)

        async def wait() -> None:
            try:
                value = await self.bridge.result(job)
                if then is not None:
                    await then()
            except PredictiveError as error:
                self.front.say_error(error)
            else:
                words = said(value)
                if words:
                    self.front.say(words, "✔", "good")

        self.beside(wait, f"small-{job.number}")
