"""Every key of every place is pressed in the real command over real servers, in several terminals; each shows what it
does, the command line tells the same, and nothing flickers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from console.keys import KEYS
from tests.cli.sides import Box
from tests.pty import journeys, journeys_runs, journeys_views
from tests.pty.ground import ORG, Ground
from tests.pty.walker import Walker, bindings
from tests.pty.watched import Watched

Journey = Callable[[Walker, Ground], None]

JOURNEYS: dict[str, Journey] = {
    "overview": journeys.overview,
    "campaign": journeys.campaign,
    "members": journeys.members,
    "clicks": journeys.clicks,
    "metrics": journeys.metrics,
    "member": journeys.member,
    "everywhere": journeys.everywhere,
    "plan": journeys_runs.plan,
    "run": journeys_runs.run,
    "runs": journeys_runs.runs,
    "campaign_runs": journeys_runs.campaign_runs,
    "journal": journeys_runs.journal,
    "errors": journeys_runs.errors,
    "schedule": journeys_views.schedule,
    "api": journeys_views.api,
    "doctor": journeys_views.doctor,
    "log": journeys_views.log,
    "settings": journeys_views.settings,
    "help": journeys_views.help,
}

XTERM, CONSOLE = ("xterm-256color", 80, 24), ("linux", 80, 24)
FEW_COLOURS = ("everywhere", "runs", "members", "settings", "errors", "api", "doctor", "help")
"""Places that are walked in 16 colours, too."""

WALKS = [*((place, *XTERM) for place in JOURNEYS), *((place, *CONSOLE) for place in FEW_COLOURS)]


def test_every_place_has_a_walk() -> None:
    assert set(JOURNEYS) == {place for key in KEYS for place in key.where}


@pytest.fixture
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A sandbox in step and a configuration for it; for each walk its own, so that none finds what others left."""
    box = Box.start(tmp_path_factory.mktemp("home"), "--campaigns", "2", "--members", "12", "--synced")
    yield Ground.on(box, tmp_path_factory.mktemp("walk"))
    box.stop()


@pytest.mark.slow
@pytest.mark.walk
@pytest.mark.parametrize(("place", "term", "columns", "lines"), WALKS, ids=str)
def test_every_key(ground: Ground, place: str, term: str, columns: int, lines: int) -> None:
    shown = Watched(
        "--config", str(ground.config), "--org", ORG, home=ground.box.home, term=term, columns=columns, lines=lines,
        synchronized=term == "xterm-256color",
    )  # fmt: skip
    try:
        walk = Walker(shown)
        JOURNEYS[place](walk, ground)
        assert {press for press in walk.pressed if press[0] == place} == bindings(place)
        walk.quits()
    finally:
        ground.calm()
        shown.close()
    if term == "linux":
        assert not re.search(rb"[34]8;[25];", shown.raw)
    else:
        assert not re.search(rb"[34]8;2;", shown.raw)
    assert "\ufffd" not in shown.raw.decode()
