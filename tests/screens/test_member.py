"""A member's story by keys: why it is mailed or not, both sides, what happened; opting in, releasing, and locks."""

from __future__ import annotations

import pytest

from console.screens.member import MemberScreen
from tests.screens.fakes import FakeBackend
from tests.screens.made import campaign_id
from tests.screens.scenes import console
from tests.screens.test_journeys import note, text_of, typed
from tests.screens.waiting import press, settle


async def test_why_a_member_got_no_mail() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab", "down", "y")
        assert isinstance(app.screen, MemberScreen)
        shown = text_of(app)
        assert "→ Not mailed now: edition 2 Not Opened: The member is active: no, Opt Out" in shown
        assert "✔ 1 Initial" in shown
        assert "30h" in shown or "yesterday" in shown
        await press(pilot, "down")
        shown = text_of(app)
        assert "2 Not Opened: every condition" in shown
        assert "✖ The member is active" in shown
        assert "✔ The campaign is active" in shown
        await press(pilot, "tab")
        shown = text_of(app)
        assert "◐ status" in shown
        assert "Responded" in shown
        await press(pilot, "tab", "down")
        shown = text_of(app)
        assert "added to Predictive" in shown
        assert "run 20261120-040000-00ff01" in shown
        await press(pilot, "escape")
        assert not isinstance(app.screen, MemberScreen)
        assert backend.calls.count("why") == 1


@pytest.mark.slow
async def test_opting_in_asks_from_which_edition_and_why() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab", "enter", "i")
        assert "which edition may be the first?" in text_of(app)
        await press(pilot, "b")
        await press(pilot, "enter")
        assert "opt_in" not in backend.calls, "without a reason nothing is done"
        await typed(pilot, "asked by phone, 9 March")
        await press(pilot, "enter")
        asked = backend.asked[backend.calls.index("opt_in")]
        assert asked["from_edition"] == "2"
        assert asked["reason"] == "asked by phone, 9 March"
        await press(pilot, "h")
        assert "No undo holds values" in note(app)


async def test_a_lock_is_lifted_with_a_reason_only() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "U")
        assert "This campaign is not locked" in note(app)
        await press(pilot, "down", "down", "U")
        assert "Unlock Accounts payable notice" in text_of(app)
        await press(pilot, "escape")
        assert "unlock" not in backend.calls
        await press(pilot, "U")
        await typed(pilot, "compared by hand")
        await press(pilot, "enter")
        assert backend.asked[backend.calls.index("unlock")]["reason"] == "compared by hand"


async def test_timers_leave_one_campaign_out() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "P")
        await typed(pilot, "list is being cleaned")
        await press(pilot, "enter")
        asked = backend.asked[backend.calls.index("pause_schedule")]
        assert asked == {"note": "list is being cleaned", "campaign": campaign_id(1)}
        assert "leave Spring launch 2027 out" in note(app)
