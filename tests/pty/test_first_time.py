"""Someone who has never seen the console: knows ``?`` from the key bar, reads the help, and presses what is printed
beside the words that sound right. The real command in a terminal, over real servers; nothing is known of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sides import Box
from tests.pty.screen import Terminal

pytestmark = pytest.mark.slow

FACES = {
    "enter": "\r",
    "esc": "\x1b",
    "space": " ",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "pagedown": "\x1b[6~",
    "ctrl+p": "\x10",
}


PLACE = re.compile(r"\d+–\d+ of \d+ +[↑↓]+")


class Newcomer:
    """Reads the screen and presses the key that is printed beside a label."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        terminal.wait(lambda now: "? all keys" in now.rows[-1] and "▸" in now.text)

    def sees(self, *words: str) -> bool:
        """True when all of *words* are on screen, line ends aside."""
        text = " ".join(self.terminal.text.split())
        return all(word in text for word in words)

    def waits_for(self, *words: str) -> None:
        """Wait until *words* are on screen."""
        self.terminal.wait(lambda _: self.sees(*words))

    def tab(self) -> str:
        """The tab in front: what is underlined."""
        screen = self.terminal.screen
        cells = (screen.buffer[y][x] for y in range(screen.lines) for x in range(screen.columns))
        return "".join(cell.data for cell in cells if cell.underscore)

    def presses(self, face: str) -> None:
        """Press a key as it is printed."""
        self.terminal.send(FACES.get(face, face))

    def _bar(self) -> str:
        """The key bar; the help's begins with the way back."""
        return self.terminal.rows[-1].strip()

    def _place(self) -> str:
        """Which rows of the help are seen, with arrows to where there are more."""
        found = PLACE.search(self.terminal.text)
        return found[0].rstrip() if found else ""

    def looks_up(self, label: str) -> str:
        """The key that the help prints before ``label:``; the help is closed again when this returns."""
        self.presses("?")
        self.terminal.wait(lambda _: self._bar().startswith("esc back"))
        row = re.compile(rf"^ {{3}}(\S+)\s+{re.escape(label)}:")
        while True:
            found = next((match for line in self.terminal.rows if (match := row.match(line))), None)
            if found:
                self.presses("esc")
                self.terminal.wait(
                    lambda _: self._bar().endswith("? all keys") and not self._bar().startswith("esc back")
                )
                return found[1]
            seen = self._place()
            assert seen.endswith("↓"), f"the help names no key for {label!r}:\n{self.terminal.text}"
            self.presses("pagedown")
            # It stands beneath what it counts, so that all of the next page is there once it has changed.
            self.terminal.wait(lambda _, seen=seen: self._place() not in ("", seen))

    def does(self, label: str) -> None:
        """Look a label up in the help and press its key."""
        self.presses(self.looks_up(label))

    def presses_beside(self, words: str) -> None:
        """Press the key printed before *words* on screen: in the key bar, a menu or a question."""
        sought = re.compile(rf"(\S+) {re.escape(words)}")
        self.terminal.wait(lambda now: sought.search(now.text) is not None)
        found = sought.search(self.terminal.text)
        assert found, f"no key is printed beside {words!r}:\n{self.terminal.text}"
        self.presses(found[1])


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A sandbox in step, in which one lead then gets another name and one becomes opted out."""
    running = Box.start(tmp_path_factory.mktemp("home"), "--campaigns", "2", "--members", "30", "--synced")
    yield running
    running.stop()


@pytest.fixture
def newcomer(box: Box) -> Iterator[Newcomer]:
    """Before the console of that sandbox, at 80×24."""
    terminal = Terminal("--config", box.line["config"], home=box.home)
    yield Newcomer(terminal)
    terminal.close()


def members(box: Box) -> list[dict[str, Any]]:
    """Members of the first campaign that are leads."""
    first = box.campaigns()[0]["Id"]
    return box.query(
        f"SELECT Id, LeadId FROM CampaignMember WHERE CampaignId = '{first}' AND LeadId != null ORDER BY Id"
    )


def test_previews_and_applies_a_sync(box: Box, newcomer: Newcomer) -> None:
    box.update("Lead", members(box)[0]["LeadId"], LastName="Zzyzx-Newname")
    newcomer.does("Synchronize")
    newcomer.waits_for("name changed", "→ Predictive", "Guards")
    newcomer.presses_beside("Apply")
    newcomer.waits_for("Apply 1 change")
    newcomer.presses_beside("apply 1")
    newcomer.waits_for("done", "1 member changed")
    first = box.campaigns()[0]["Id"]
    assert "Zzyzx-Newname" in [member["last_name"] for member in box.service_members(first).values()]


def test_finds_why_a_member_got_no_mail(newcomer: Newcomer) -> None:
    newcomer.does("Open")
    newcomer.waits_for("Overview Members", "Editions", "next tab")
    for _ in range(8):
        if newcomer.sees("E-mail Status Level"):
            break
        before = newcomer.tab()
        newcomer.presses_beside("next tab")
        newcomer.terminal.wait(lambda _, before=before: newcomer.tab() != before)
    newcomer.does("Why")
    newcomer.waits_for("Why mailed or not", "every condition", "Not mailed now", "✖")


def test_stops_the_nightly_for_one_campaign(box: Box, newcomer: Newcomer, tmp_path: Path) -> None:
    newcomer.does("Pause timers here")
    newcomer.waits_for("Pause the timers for", "A note for whoever looks next")
    newcomer.terminal.send("the list is being cleaned")
    newcomer.waits_for("the list is being cleaned")
    newcomer.presses_beside("pause")
    newcomer.waits_for("paused")
    newcomer.presses("q")
    assert newcomer.terminal.ended() == 0
    listed = box.run("campaigns").lines
    paused = [line for line in listed if any(warned["code"] == "paused" for warned in line.get("warnings", ()))]
    assert len(paused) == 1
    assert "the list is being cleaned" in str(paused[0]["warnings"])
