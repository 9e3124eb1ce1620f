"""Leaving the real console while it writes: it says that the batch in flight is finished; the rest waits."""

from __future__ import annotations

import pytest

from tests.pty.ground import ORG, Ground
from tests.pty.walker import Walker
from tests.pty.watched import Watched

pytestmark = pytest.mark.slow


def test_leaving_waits_for_the_batch_in_flight(ground: Ground) -> None:
    box, first, second = ground.box, ground.started(), ground.started()
    for each in (first, second):
        ground.joined(each)
    shown = Watched("--config", str(ground.config), "--org", ORG, home=box.home)
    try:
        walk = Walker(shown)
        walk.reads(ground)
        for place, each in enumerate((first, second), 1):
            walk.finds(each["Name"])
            walk.sends(" ", f"● {place} marked")
        # The first batch takes a while, so that it is in flight when the console is left; the second would, too.
        ground.slow(3.0)
        walk.sends("s", "2 members added")
        walk.sends("a", "Apply 6 changes")
        walk.sends("y", "◐ running")
        walk.waits(lambda _: box.control("GET", "/faults")["faults"][0]["hits"] == 1)
        walk.sends("q", "Leave while a run is writing?")
        walk.sends("y", "Leaves after the batch in flight", "!Leave while a run is writing?")
        shown.unwatched()
        assert shown.ended(60) == 0
        assert b"Traceback" not in shown.raw
    finally:
        ground.calm()
        shown.close()
    sizes = sorted(len(box.service_members(each["Id"])) for each in (first, second))
    assert sizes == [4, 5], "one batch was finished, none was begun after it"
    last = ground.runs("manual")[0]
    assert (last["state"], last["counts"]["added"]) == ("cancelled", 1)
    # What was left is done by the next run, once.
    ground.says("sync", first["Id"])
    ground.says("sync", second["Id"])
    assert [len(box.service_members(each["Id"])) for each in (first, second)] == [5, 5]
