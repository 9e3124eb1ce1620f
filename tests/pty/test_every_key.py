"""Every key of every place is pressed in the real command over real servers, in several terminals; each shows what it
does, the command line tells the same, and nothing flickers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from console.keys import KEYS
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

XTERM, CONSOLE, NARROW = ("xterm-256color", 80, 24), ("linux", 80, 24), ("xterm-256color", 60, 24)

TMUX, SCREEN = ("tmux-256color", 80, 24), ("screen-256color", 80, 24)

OTHERS = [
    *((place, *CONSOLE) for place in JOURNEYS),
    *((place, *NARROW) for place in JOURNEYS),
    *((place, *TMUX) for place in ("overview", "everywhere")),
    *((place, *SCREEN) for place in ("plan", "everywhere")),
]
"""Walks beyond those in the terminal that most have; they take three times as long."""

WALKS = [
    *(pytest.param(place, *XTERM, id=place) for place in JOURNEYS),
    *(pytest.param(*walk, id="-".join(map(str, walk)), marks=pytest.mark.walk) for walk in OTHERS),
]


def test_every_place_has_a_walk() -> None:
    assert set(JOURNEYS) == {place for key in KEYS for place in key.where}


@pytest.mark.slow
@pytest.mark.parametrize(("place", "term", "columns", "lines"), WALKS)
def test_every_key(ground: Ground, place: str, term: str, columns: int, lines: int) -> None:
    shown = Watched(
        "--config", str(ground.config), "--org", ORG, home=ground.box.home, term=term, columns=columns, lines=lines,
        synchronized=term == "xterm-256color", module="tests.pty.patient",
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
