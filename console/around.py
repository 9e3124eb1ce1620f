"""Getting around: back and forward, jump letters, other orgs, copying; and what an alert does.

Imports Textual through ``console.host``; screens and dialogs when first opened.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console import clipboard
from console.host import Host
from console.present import clean
from console.trail import Key, Stop
from sync.errors import PredictiveError
from sync.words import plural

if TYPE_CHECKING:
    from console.outside import Door
    from console.screens.base import ConsoleScreen

SIDE_BY_SIDE = ("runs", "errors", "schedule", "api", "doctor", "log", "settings")
"""Views of which one takes the other's place, so that esc leads back to where one worked."""


class Around(Host):
    """Where to, where from, and what is taken along."""

    # ------------------------------------------------------------ the trail

    def go(self, key: Key, make: Callable[[], ConsoleScreen]) -> None:
        """Open the screen that *make* gives and remember how to open it again."""
        self.trail.visit(Stop(key, make))
        self._open(key, make)

    def _open(self, key: Key, make: Callable[[], ConsoleScreen]) -> None:
        screen = make()
        screen.stop_key = key
        self.hold()
        self.push_screen(screen)

        def opened() -> None:
            if not screen.loads:
                self.let_go()

        screen.call_after_refresh(opened)

    def back(self) -> None:
        """One screen back; the overview stays."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
            self.trail.came_back(self.front.stop_key)

    def to_overview(self) -> None:
        """All screens but the first are closed."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def do_view_overview(self) -> None:
        """Back to the list."""
        self.to_overview()
        self.trail.visit(Stop(("overview",)))

    def top_level(self, place: str, make: Callable[[], ConsoleScreen]) -> None:
        """A view that takes the place of another such view."""
        if place == self.front.PLACE:
            return
        while len(self.screen_stack) > 1 and self.front.PLACE in SIDE_BY_SIDE:
            self.pop_screen()
        self.go((place,), make)

    def do_before(self) -> None:
        """The screen visited before this one."""
        self._step(-1, "Nothing was visited before this.")

    def do_after(self) -> None:
        """The screen that was left by going back."""
        self._step(1, "Nothing lies ahead; [ goes back.")

    def _step(self, by: int, end: str) -> None:
        stop = self.trail.step(by)
        if stop is None:
            self.front.say(end, "·", "attention")
            return
        keys = [getattr(screen, "stop_key", ()) for screen in self.screen_stack]
        if stop.key in keys:
            while getattr(self.screen_stack[-1], "stop_key", ()) != stop.key:
                self.pop_screen()
        elif stop.make is not None:
            self.to_overview()
            self._open(stop.key, stop.make)
        else:
            self.to_overview()

    # ------------------------------------------------------------ jumping

    def do_jump(self) -> None:
        """A letter over every region and row in sight; pressing it goes there."""
        from console.screens.jump import JumpScreen, targets

        found = targets(self.front)
        if not found:
            self.front.say("There is nothing to jump to.", "·", "attention")
            return

        def chosen(go: Callable[[], None] | None) -> None:
            if go is not None:
                # The screen beneath paints itself as it was when it is on top again; only then the cursor may move.
                self.call_after_refresh(go)

        self.push_screen(JumpScreen(found), chosen)

    # ------------------------------------------------------------ copying

    def copy(self, text: str, what: str) -> None:
        """Send *text* to the terminal's clipboard; where none takes it, or when asked twice, into a file."""
        reason = clipboard.why_not(text, self.outside.env)
        if not reason and text != self._copied and self._driver is not None:
            self._copied = text
            self._driver.write(clipboard.sequence(text, self.outside.env))
            self._driver.flush()
            self.front.say(
                f"{what} sent to the terminal's clipboard. No terminal confirms that; Y once more writes a file.", "✔"
            )
            return
        self._copied = ""
        self._to_file(text, what, reason)

    def _to_file(self, text: str, what: str, reason: str) -> None:
        folder = self.outside.exports
        why = f"{reason[0].upper()}{reason[1:]}. " if reason else ""
        if folder is None:
            self.front.say(f"{why}There is no folder for exports; nothing was copied.", "✖", "trouble")
            return
        from sync.atomic import write_text

        path = folder / f"copy-{self.clock.now():%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
        try:
            write_text(path, text + "\n")
        except OSError as error:
            self.front.say(f"{why}{path} cannot be written: {error.strerror}. Nothing was copied.", "✖", "trouble")
        else:
            self.front.say(f"{why}{what} written to {path}", "✔", "good")

    # ------------------------------------------------------------ other orgs

    def do_orgs(self) -> None:
        """Choose another org of the configuration."""
        from console.screens.dialogs import Choice

        names = list(self.outside.orgs)
        if len(names) < 2:
            self.front.say("The configuration has one org; [orgs.NAME] adds another.", "·", "attention")
            return
        busy = f"{self.bridge.writing.title} is running" if self.bridge.writing else ""
        choices = []
        for place, name in enumerate(names[:26]):
            here = "you are here" if name == self.door.name else busy
            choices.append(Choice(chr(ord("a") + place), name, clean(name), "", here))
        self.choose("Which org?", choices, self.switch)

    def switch(self, name: str) -> None:
        """Leave this org and open *name*, or this one anew after its configuration changed."""
        if not name:
            return
        if self.bridge.writing is not None:
            self.front.say(f"{self.bridge.writing.title} is running; 0 shows it.", "·", "attention")
            return
        try:
            door = self.outside.orgs[name]()
        except PredictiveError as error:
            self.front.say_error(error)
            return
        self.keep_last_view()
        self.to_overview()
        self.enter(door)
        self.front.refresh_all()
        self.bridge.start()
        self.reload()
        self.front.say(f"{clean(name)}, {door.mode}.", "✔")

    def reopen(self, name: str) -> None:
        """Open the present org anew, because its configuration changed; screens stay where they are."""
        make = self.outside.orgs.get(name)
        if make is None or self.bridge.writing is not None:
            return
        try:
            door = make()
        except PredictiveError as error:
            self.front.say_error(error)
            return
        trail = self.trail
        self.enter(door)
        self.trail = trail
        self.bridge.start()
        self.reload()

    def enter(self, door: Door) -> None:
        """Take *door*'s org as the present one; nothing of another org stays."""
        self.bridge.close()
        super().enter(door)

    # ------------------------------------------------------------ alerts

    def share(self, shared: Any) -> None:
        """Take *shared*, paint it, and say what changed for the worse or recovered."""
        from console.alerts import alerts

        found = alerts(self.shared, shared)
        super().share(shared)
        if not found:
            return
        log = logging.getLogger("predictive.alert")
        for alert in found:
            log.log(logging.INFO if alert.good else logging.WARNING, "%s", clean(alert.text))
        first = found[0]
        more = f" And {plural(len(found) - 1, 'more change')}: 7 shows the log." if len(found) > 1 else ""
        self.front.alert(
            f"{first.text.rstrip('.')}.{more}", "✔" if first.good else "▲", "good" if first.good else "attention"
        )
        if self.outside.bell and not first.good:
            self.bell()

    def share_trouble(self, error: PredictiveError) -> None:
        """The store cannot be read: said once, not at every look."""
        before = self.shared.trouble
        self.shared = replace(self.shared, trouble=error.what, now=self.clock.now())
        self.front.refresh_all()
        if error.what != before:
            self.front.say_error(error)
            if self.outside.bell:
                self.bell()

    # ------------------------------------------------------------ given by the app's verbs

    def choose(self, title: str, choices: Any, then: Callable[[str], None]) -> None:
        """A short menu."""
        raise NotImplementedError
