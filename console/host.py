"""The ground of the app: what all screens share, the bridge, leaving. ``work`` adds the verbs, ``app`` the jobs.

Imports Textual and the console's pure modules; the shell comes in as a function that opens a backend, called in worker
threads after the first paint, so that SQLAlchemy, httpx and the rest are not loaded before something is seen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.events import Event, Key, Paste
from textual.screen import Screen
from textual.worker import Worker

from console import lastview
from console.bridge import Bridge
from console.frames import SentOnce
from console.keys import Situation
from console.outside import Commands, Door, OpenBackend, Outside
from console.present import clean
from console.screens.base import ConsoleScreen
from console.theme import ANSI, DARK, DRESSES, LIGHT, textual_theme, tones
from console.trail import Trail
from console.typeahead import TypeAhead
from console.viewstate import RunProgress, Shared
from sync.clock import Clock
from sync.errors import PredictiveError
from sync.views import CampaignView, RunResult

if TYPE_CHECKING:
    from textual.driver import Driver
    from textual.timer import Timer

    from console.backend import Backend
    from sync.settings import ConsoleSettings

SLOT = 300
"""Seconds for which campaigns and meter stand when nothing is committed and no timer is due; the midnights of all time
zones fall between two of these slots."""

COMMAND = "command"
"""Group of the worker that looks for the campaigns of a typed command."""


class Gone(Exception):
    """No screen is left to be told anything: the app shuts down."""


class Host(SentOnce):
    """State that every screen may look at, and how the console is left.

    Args:
        backend: opens a backend; called once in each thread that needs one.
        clock: tells the time.
        org_name: the org as the configuration names it.
        mode: ``read-only``, ``writes`` or ``PRODUCTION``.
        last_view: file of the last view, None for none.
        dress: theme name; None picks one by what the terminal can show.
        commands: further commands of the ``:`` prompt.
        timers: fire due timers while open.
        outside: this machine, as far as the app needs it.
    """

    TITLE = "Predictive Console"
    CSS_PATH = "styles/console.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = []
    LONGEST_HOLD = 0.08
    """Seconds that a screen may take to open before it is shown as far as it is."""

    def __init__(
        self,
        backend: OpenBackend,
        *,
        clock: Clock,
        org_name: str,
        mode: str = "read-only",
        last_view: Path | None = None,
        dress: str | None = None,
        commands: Commands | None = None,
        timers: bool = True,
        outside: Outside | None = None,
    ) -> None:
        self.tones: dict[str, Style] = tones(DRESSES[dress or DARK])
        super().__init__()
        self.clock = clock
        self.outside = outside or Outside(env=os.environ)
        self.with_timers = timers
        self._leaving = False
        self._copied = ""
        self._held = ExitStack()
        self._hold_ends: Timer | None = None
        self.typed = TypeAhead(self, self._opening)
        self._take(Door(org_name, mode, backend, last_view, commands or {}))
        for known in DRESSES.values():
            self.register_theme(textual_theme(known))
        self._put_on(dress or self._fitting)

    @property
    def _fitting(self) -> str:
        """The theme that this terminal can show."""
        return ANSI if self.console.color_system in (None, "standard", "windows") else DARK

    def _put_on(self, dress: str) -> None:
        """Begin in *dress*: style sheets are parsed once and for it, not for Textual's own theme first."""
        self.set_reactive(App.theme, dress)
        self.add_class(f"-theme-{dress}", f"-{'dark' if DRESSES[dress].dark else 'light'}-mode", update=False)
        self.stylesheet.set_variables(self.get_css_variables())
        self.tones = tones(DRESSES[dress])
        self._worn = dress

    def refresh_css(self, animate: bool = True) -> None:
        """Style anew, unless the styles were made for this theme already: the first frame takes one pass, not two."""
        if self._worn != self.theme:
            self._worn = self.theme
            super().refresh_css(animate)

    def _take(self, door: Door) -> None:
        """Hold nothing but what *door*'s org has."""
        self.door = door
        self.last_view = door.last_view
        self.extra_commands: Commands = door.commands
        self.bridge = Bridge(door.backend, self.post_message)
        self.progress: dict[int, RunProgress] = {}
        self.results: dict[int, RunResult] = {}
        self.shown_job = 0
        self._standing: object = None
        self.trail = Trail()
        campaigns, limits = lastview.read(door.last_view, door.name)
        self.shared = Shared(clean(door.name), door.mode, self.clock.now(), limits=limits, campaigns=campaigns)

    def enter(self, door: Door) -> None:
        """Take another org as the present one."""
        self._take(door)

    # ------------------------------------------------------------ shared state

    @property
    def in_front(self) -> bool:
        """True while a full screen is there to be told; not any more once the app shuts down."""
        return self.is_running and any(isinstance(screen, ConsoleScreen) for screen in self._screen_stack)

    @property
    def front(self) -> ConsoleScreen:
        """The topmost full screen, beneath any dialog. Raises Gone once the app shuts down."""
        for screen in reversed(self._screen_stack):
            if isinstance(screen, ConsoleScreen):
                return screen
        raise Gone

    def beside(self, work: Callable[[], Awaitable[None]], group: str, *, exclusive: bool = False) -> None:
        """Run *work* beside the keys. It is called when its turn has come: one that is replaced first never begins."""
        _: Worker[None] = self.run_worker(partial(self.unseen, work), group=group, exclusive=exclusive)

    async def unseen(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work*; an answer that comes when all screens are gone is shown to nobody."""
        try:
            await work()
        except Gone:
            if self.in_front:
                raise

    # ------------------------------------------------------------ keys

    async def on_event(self, event: Event) -> None:
        """A key that was typed ahead waits for the screen that it is meant for."""
        typed = isinstance(event, Key | Paste) and not event.is_forwarded
        # What is typed while the app shuts down is nobody's.
        if typed and (self._exit or self.typed.holds(event)):
            return
        await super().on_event(event)

    def get_driver_class(self) -> type[Driver]:
        """Textual's, with escape told from a key that comes with it in one piece."""
        found = super().get_driver_class()
        module = sys.modules[found.__module__]
        if hasattr(module, "XTermParser"):
            from console.escapes import Parser

            vars(module)["XTermParser"] = Parser
        return found

    def _opening(self) -> bool:
        """What is in front still reads what it shows, or a command looks for what it names."""
        if not self.in_front:
            return False
        unread = not (self.shared.loaded or self.shared.trouble)
        return unread or self.front.reading or any(worker.group == COMMAND for worker in self.workers)

    @property
    def live_run(self) -> RunProgress | None:
        """The newest live job that is a run."""
        for number in sorted(self.progress, reverse=True):
            job = self.bridge.jobs.get(number)
            if job is not None and job.live and job.writes:
                return self.progress[number]
        return None

    def situation(self) -> Situation:
        """What holds on every screen."""
        writing = self.bridge.writing
        paused = any(timer.paused is not None for timer in self.shared.timers)
        return Situation(
            read_only=self.shared.mode == "read-only", running=writing.title if writing else "", paused=paused
        )

    def campaign(self, campaign_id: str) -> CampaignView | None:
        """The campaign as the overview knows it."""
        return next((view for view in self.shared.campaigns if view.campaign.id == campaign_id), None)

    def reload(self) -> None:
        """Read what all screens share from the store."""
        self._standing = None
        self.reread()

    def reread(self) -> None:
        """The same; campaigns and meter only when they may have changed since."""
        self.beside(self._reload, "shared", exclusive=True)

    async def _reload(self) -> None:
        known, slot, shared = self._standing, int(self.clock.now().timestamp() // SLOT), self.shared
        self._standing = None

        def read(backend: Backend) -> tuple[object, Shared]:
            # Asked first: what is committed during the reads is seen by the next ones.
            mark, timers, pulse = backend.mark(), backend.schedule(), backend.pulse()
            standing = (mark, slot, tuple(timer.due for timer in timers))
            found = replace(shared, timers=timers, pulse=pulse, loaded=True, trouble="")
            if standing != known:
                found = replace(found, campaigns=backend.overview(), limits=backend.limits())
            return standing, found

        try:
            self._standing, found = await self.bridge.read(read)
        except PredictiveError as error:
            self.share_trouble(error)
        else:
            self.share(found)

    def share_trouble(self, error: PredictiveError) -> None:
        """The store cannot be read."""
        self.shared = replace(self.shared, trouble=error.what, now=self.clock.now())
        self.front.refresh_all()
        self.front.say_error(error)

    # ------------------------------------------------------------ one frame instead of two

    def hold(self) -> None:
        """Paint nothing until a screen that opens has what it shows, or 80 ms passed: no blank frame in between."""
        self.let_go()
        self._held.enter_context(self.batch_update())
        self._hold_ends = self.set_timer(self.LONGEST_HOLD, self.let_go)

    def let_go(self) -> None:
        """Paint again. The end of one hold is not the end of the next, which has 80 ms of its own."""
        if self._hold_ends is None:
            return
        self._hold_ends.stop()
        self._hold_ends = None
        self._held.close()
        # A screen that had its turn to paint during the hold gets no other one by itself.
        if self._screen_stack:
            self._screen_stack[-1].check_idle()

    def share(self, shared: Shared) -> None:
        """Take *shared* and paint it."""
        self.shared = replace(shared, now=self.clock.now())
        self.front.refresh_all()

    # ------------------------------------------------------------ leaving

    def keep_last_view(self) -> None:
        """Write the file that the next first frame comes from."""
        if self.last_view is not None and self.shared.loaded:
            lastview.write(self.last_view, self.door.name, self.shared.campaigns, self.shared.limits)

    def leave(self) -> None:
        """Close without waiting for threads that only read."""
        self.keep_last_view()
        self.bridge.close()
        self.exit(0)

    def finish_and_leave(self) -> None:
        """Stop what writes after its present batch, then close; until then the screen says what is waited for."""
        self._leaving = True
        for job in self.bridge.jobs.values():
            job.cancel.set()
        if self.bridge.writing is None:
            self.leave()
        else:
            self.front.say("Leaves after the batch in flight; the rest waits for the next run.", "◐", "attention")

    def _fatal_error(self) -> None:
        """End with one line and without a traceback: frames hold tokens, and a traceback prints them."""
        from console.masking import mask

        error = self._exception or sys.exc_info()[1]
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}" if error else "an unknown error"
        self._return_code = 1
        said = f"The console ended because of an unexpected error ({mask(what, self.outside.env)}). "
        kept = self.outside.keep_crash(error) if self.outside.keep_crash and error is not None else None
        report = f" The report lies in {kept}" if kept else ""
        self._exit_renderables.append(Text(f"{said}Nothing that was journalled is lost.{report}", overflow="fold"))
        self.bridge.close()
        self._close_messages_no_wait()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """None: the palette holds what the key table holds."""
        return ()

    def do_dress(self) -> None:
        """Dark or light."""
        self._wear(LIGHT if self.theme != LIGHT else DARK)

    def look_as(self, look: ConsoleSettings) -> None:
        """Take what the configuration says of the console."""
        self.outside = replace(self.outside, bell=look.bell)
        self._wear(look.dress or self._fitting)

    def _wear(self, dress: str) -> None:
        self.theme = dress
        self.tones = tones(DRESSES[dress])
        for screen in self.screen_stack:
            for widget in screen.query("*"):
                widget.refresh()
