"""The schedule by keys: simulated at any instant, beside the last real run; instants as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.screens.compare_view import compare_lines, instant_of, last_of
from console.screens.run import RunScreen
from sync.model import RunKind
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW, run_views
from tests.screens.scenes import console
from tests.screens.test_journeys import note, text_of, typed
from tests.screens.waiting import press, settle


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2027-03-10T01:00", datetime(2027, 3, 10, 1, tzinfo=UTC)),
        ("2027-03-10T01:00+02:00", datetime(2027, 3, 9, 23, tzinfo=UTC)),
        ("12:30", datetime(2027, 3, 9, 12, 30, tzinfo=UTC)),
        ("01:00", datetime(2027, 3, 10, 1, tzinfo=UTC)),
        ("tomorrow 13:00", datetime(2027, 3, 10, 13, tzinfo=UTC)),
        ("Today 13:00", datetime(2027, 3, 9, 13, tzinfo=UTC)),
        ("+3h", NOW + timedelta(hours=3)),
        ("+ 2 d", NOW + timedelta(days=2)),
        ("25:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-11:00", None),
        ("+99999999999h", None),
        ("+300000d", None),
        ("soon", None),
        ("", None),
    ],
)
def test_instants(text: str, at: datetime | None) -> None:
    assert instant_of(text, NOW) == at


@pytest.mark.slow
async def test_the_nightly_is_simulated_at_a_typed_instant() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await press(pilot, "3", "down", "t")
        assert "2027-03-10T01:00" in text_of(app), "the next firing is offered"
        await press(pilot, "ctrl+u")
        await typed(pilot, "soon")
        await press(pilot, "enter")
        assert "is no instant" in note(app)
        assert "batch" not in backend.calls
        await press(pilot, "t", "ctrl+u")
        await typed(pilot, "tomorrow 01:00")
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        asked = backend.asked[backend.calls.index("batch")]
        assert asked == {"kind": RunKind.NIGHTLY, "simulate": True, "at": datetime(2027, 3, 10, 1, tzinfo=UTC)}
        shown = text_of(app)
        assert "Simulated nightly at 2027-03-10 01:00 UTC" in shown
        assert "last real, 10h ago" in shown
        assert "members added                              9                     120" in shown


async def test_the_schedule_shows_what_was_simulated_beside_what_was() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "3", "down")
        shown = text_of(app)
        assert "Nightly as simulated and as it was" in shown
        assert "simulated, yesterday      last real, 10h ago" in shown
        assert "Salesforce calls                           3                       9" in shown


def test_nothing_to_compare_is_nothing_to_show() -> None:
    assert compare_lines(None, None, NOW, 80) == ()
    assert last_of(run_views(), RunKind.HOURLY, simulated=True) is None
