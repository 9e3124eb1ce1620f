"""The stage of the machine: both sides in this process, an engine that can die, and copies of one start state."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import httpx

from sync.bootstrap import Shell
from sync.clock import ControlledClock
from sync.store.journal import Journal
from sync.store.store import Store
from tests.house.engine import open_engine
from tests.house.sides import START, STATE_FILE, Campaign, Sides, frozen
from tests.machine.seam import Fate, FatedNetwork

LEASE = 31.0
"""Seconds after which nobody believes any more that a silent owner lives."""


def folder() -> Path:
    """A new folder, in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="machine-", dir=memory if memory.is_dir() else None))


@functools.cache
def template() -> tuple[Path, tuple[Campaign, ...]]:
    """Two campaigns that were started: an adaptive one with two editions that send, and a drip."""
    home = folder()
    clock = frozen()
    sides = Sides(home, clock)
    flags = {"PAM__Test_Group__c": "PAM", "PAM__Test_Member__c": True}
    sides.create("Lead", LastName="Tester", Company="X", Email="tester@x.org", **flags)
    campaigns = (sides.campaign(5), sides.campaign(3, type="Drip"))
    shell = open_engine(home, sides.access_token, clock, lambda: sides.network)
    for campaign in campaigns:
        assert shell.new_edition(campaign.id).exit_code == 0
        for number, edition in enumerate(sides.editions(campaign.id)[:2]):
            sides.make_ready(edition, days_delay=number)
    shell.close()
    sides.close()
    return home, campaigns


class Stage:
    """A copy of the start state with its two sides and its engine. The clock is everybody's."""

    journal: type[Journal] = Journal

    def __init__(self) -> None:
        source, self.campaigns = template()
        self.folder = folder()
        shutil.copytree(source, self.folder, dirs_exist_ok=True)
        self.clock: ControlledClock = frozen(START)
        self.sides = Sides(self.folder, self.clock)
        self.fate = self._fate()
        self._owners = 0
        self.shell = self._opened()

    def _fate(self, die_before: int | None = None, timeouts: dict[int, bool] | None = None) -> Fate:
        return Fate(die_before=die_before, timeouts=timeouts, tick=lambda: self.clock.advance(1))

    def _committing(self) -> None:
        self.fate.commit()

    def _opened(self) -> Shell:
        self._owners += 1
        store = Store(
            self.folder / STATE_FILE,
            clock=self.clock,
            owner=f"elsewhere:{self._owners}:1",
            before_commit=self._committing,
            journal=self.journal,
        )
        return open_engine(
            self.folder,
            self.sides.access_token,
            self.clock,
            lambda: FatedNetwork(lambda: self.fate, self.network()),
            store=store,
            sleep=self.clock.advance,
        )

    def network(self) -> httpx.BaseTransport:
        """What carries the engine's requests to the sides."""
        return self.sides.network

    def cast(self, *, die_before: int | None = None, timeouts: dict[int, bool] | None = None) -> Fate:
        """The fate of the next run."""
        self.fate = self._fate(die_before, timeouts)
        return self.fate

    def another_owner(self) -> None:
        """The engine's process is dead; another one opens its state when its leases have ended."""
        self.fate = self._fate()
        self.shell.close()
        self.clock.advance(LEASE)
        self.shell = self._opened()

    def close(self) -> None:
        """Take everything down."""
        self.fate = self._fate()
        self.shell.close()
        self.sides.close()
        shutil.rmtree(self.folder, ignore_errors=True)
