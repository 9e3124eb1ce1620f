"""The campaign screen by keys: charts, history, metrics, and who is shown among the members."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from console.memberquery import MemberQuery
from console.present import cells
from console.screens import campaign_view as look
from console.screens.campaign import CampaignScreen
from console.screens.charts_view import by_day, gains, history_rows
from sync.ids import CampaignId, EditionId
from sync.model import Blocked, HistoryHour, Statistics
from tests.screens.fakes import FakeBackend
from tests.screens.made import editions, eight_campaigns
from tests.screens.scenes import console
from tests.screens.test_journeys import note, text_of, typed
from tests.screens.waiting import press, settle

NOW = datetime(2027, 3, 9, 11, 46, tzinfo=UTC)


@pytest.mark.slow
async def test_statistics_history_and_metrics_have_tabs_of_their_own() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab", "shift+tab")
        shown = text_of(app)
        assert "last 14 days" in shown
        opened = next(line for line in shown.split("\n") if "opened" in line)
        assert "34.2%" in opened
        assert opened.rstrip().endswith("▁▁▄█▇▄▃▂▂▁▁▁▁▁")
        await press(pilot, "tab", "tab", "tab", "tab")
        shown = text_of(app)
        assert "5,900 e-mails in 30 days, at most 1,400 a day" in shown
        assert "2027-03-08  09:00        200" in shown
        await press(pilot, "slash")
        await typed(pilot, "not opened")
        await press(pilot, "enter")
        assert "Not Complete" not in text_of(app)
        await press(pilot, "tab")
        shown = text_of(app)
        assert "Delivered Total               18,750      18,898   ≠" in shown
        assert "leads + contacts − converted leads" in shown
        assert "read 2h ago" in shown
        await press(pilot, "g")
        assert "load_campaigns" in backend.calls
        assert "8 campaigns read" in note(app)


@pytest.mark.slow
async def test_members_are_chosen_by_what_is_special_about_them() -> None:
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab", "i")
        assert "305 members: not mailed" in text_of(app)
        await press(pilot, "i")
        assert "236 members: waiting for a run" in text_of(app)
        await press(pilot, "escape", "slash")
        await typed(pilot, "reason:bounce olga")
        await press(pilot, "enter")
        shown = text_of(app)
        assert "members: “reason:bounce olga”" in shown
        assert "not mailed: Bounced" in shown
        await press(pilot, "escape")
        assert "esc shows all" not in text_of(app)


def test_a_typed_reason_is_asked_apart_from_the_words() -> None:
    asked = MemberQuery("olga Reason:opt ivanova", "Sent", None, "waits").asked()
    assert asked == {"text": "olga ivanova", "reason": "opt", "status": "Sent", "level": None, "only": "waits"}
    assert not MemberQuery()


def test_a_figure_gains_by_the_day_and_its_first_value_belongs_to_no_day() -> None:
    def at(days: int, sent: int) -> tuple[datetime, Statistics]:
        return NOW - timedelta(days=days), Statistics(sent=sent)

    assert gains((at(3, 500), at(2, 510), at(2, 515), at(0, 600)), "sent", NOW, 4) == (0, 15, 0, 85)
    assert gains((at(90, 500), at(1, 510)), "sent", NOW, 4) == (0, 0, 10, 0)
    assert gains((), "sent", NOW, 2) == (0, 0)


def test_history_is_summed_by_day_and_listed_newest_first() -> None:
    def hour(day: int, at: int, number: int) -> HistoryHour:
        ident = f"h{day}-{at}"
        return HistoryHour(ident, CampaignId("c"), EditionId("e"), "Hello", date(2027, 3, day), at, number)

    hours = (hour(8, 9, 5), hour(9, 10, 7), hour(8, 23, 6), hour(9, 9, 1))
    days = by_day(hours, NOW.date())
    assert (len(days), days[-1], days[-2], sum(days)) == (30, 8, 11, 19)
    assert [(each.day.day, each.hour) for each in history_rows(hours, "hell", {})] == [(9, 10), (9, 9), (8, 23), (8, 9)]
    assert history_rows(hours, "nothing", {"e": "Initial"}) == ()


async def test_members_on_screen_stay_there_while_they_are_read_anew() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "shift+tab")
        screen = app.screen
        assert isinstance(screen, CampaignScreen)
        seen = screen._members.get("all", 0)
        assert seen is not None
        reading = screen._count()
        backend.size = 12480
        held = asyncio.ensure_future(reading)
        await asyncio.sleep(0)
        assert screen._members.get("all", 0) == seen
        await held
        assert screen._members.get("all", 0) == seen
        far = 3 * screen._members.page
        screen._members.put("all", 3, [seen])
        assert screen._members.get("all", far) is not None
        backend.size = 12479
        await screen._count()
        assert screen._members.get("all", far) is None, "another number of members: every page is another one"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_campaigns_title_gives_way_before_its_name_does(width: int) -> None:
    view = eight_campaigns()[0]
    shown = "".join(text for text, _ in look.title_line(view, NOW, width))
    assert cells(shown) == width
    assert "Spring launch 2027" in shown
    assert "verified" in shown
    assert ("auto-sync" in shown) is (width > 60)
    long = replace(view, campaign=replace(view.campaign, name="A name of many words " * 12))
    assert cells("".join(text for text, _ in look.title_line(long, NOW, width))) == width


@pytest.mark.parametrize("width", [60, 80])
def test_why_an_edition_does_not_send_keeps_the_key_that_mends_it(width: int) -> None:
    view = eight_campaigns()[0]
    blocked = (
        Blocked("not_tested", "The edition was never sent to a test member of the campaign."),
        Blocked("content_missing", "The edition has no subject or no HTML."),
    )
    edition = replace(editions(view.campaign.id)[0], blocked_by=blocked, subject=None)
    shown = ["".join(text for text, _ in line) for line in look.edition_lines(edition, view, width)]
    assert all(cells(line) <= width for line in shown)
    assert shown[1].endswith("t test-send")
    assert shown[2].endswith("e subject")
    with_subject = look.edition_lines(replace(edition, subject="Guten Tag"), view, width)
    assert "".join(text for text, _ in with_subject[2]).endswith(":edition --html"), "the subject is not what lacks"
