"""View states and the pure functions that change them: filter, order, runs from events, the plan's outline, windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import lastview, savedviews
from console.filters import matches, problem
from console.orders import ORDERS
from console.present import cells
from console.screens import overview_view
from console.screens.campaign_view import overview_lines
from console.screens.plan_view import Group, Item, Outline, said, split_label
from console.screens.run_view import progress_words, share_done
from console.viewstate import OverviewState, RunProgress, needing, replayed, told, visible
from console.widgets.bars import hint_line
from console.widgets.paint import joined
from console.window import Window
from sync import events as told_of
from sync.events import Event, Phase
from sync.ids import RunId
from sync.model import Calls, RunKind, RunState, Side
from sync.plan import Change, PlanCounts
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW, campaign_id, eight_campaigns, many_campaigns, script

RUN = RunId("r1")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("spring", ["Spring launch 2027"]),
        ("state:closed", ["Webinar 2026-10"]),
        ("type:drip !ζητ", ["Onboarding drip EMEA"]),
        ("last:partial", ["Onboarding drip EMEA"]),
        ("warn:locked", ["Accounts payable notice"]),
        ("warn: type:drip", ["Onboarding drip EMEA"]),
        ("[beta]", ["Trial win-back [beta] /red/"]),
        ("nothing like it", []),
    ],
)
def test_filter(text: str, names: list[str]) -> None:
    assert [view.campaign.name for view in eight_campaigns() if matches(view, text)] == names


def test_every_order_keeps_every_campaign_and_turns_round() -> None:
    views = many_campaigns()
    for order in ORDERS:
        forward = visible(OverviewState(order=order), views)
        backward = visible(OverviewState(order=order, reverse=True), views)
        assert {view.campaign.id for view in forward} == {view.campaign.id for view in views}
        assert [v.total for v in forward] != [v.total for v in views] or order == "members"
        assert backward != forward
    members = [view.total for view in visible(OverviewState(order="members"), views)]
    assert members == sorted(members, reverse=True)


def test_who_needs_a_person() -> None:
    assert needing(eight_campaigns()) == 3


def test_a_run_is_told_by_its_events() -> None:
    run = replayed("Spring › Synchronize", script(RUN, "Spring", RunKind.MANUAL))
    assert not run.live
    assert run.end is not None
    assert run.end.state is RunState.PARTIAL
    assert run.failed_rows == 5
    step = run.step(Phase.WRITE_PREDICTIVE)
    assert step is not None
    assert (step.done, step.ended) == (17900, True)
    assert share_done(run) == (17900 + 3095, 17900 + 3100)


def test_progress_half_way() -> None:
    run = RunProgress()
    for event in script(RUN, "Spring", RunKind.MANUAL):
        run = told(run, event)
        if run.step(Phase.WRITE_SALESFORCE) and run.step(Phase.WRITE_SALESFORCE).done:  # type: ignore[union-attr]
            break
    assert run.live
    assert run.current is Phase.WRITE_SALESFORCE
    assert progress_words(run, NOW) == "39%"


def test_a_batch_adds_up_its_children_and_ends_with_the_parent() -> None:
    run = RunProgress()
    events = [*script(RunId("parent"), None, RunKind.NIGHTLY)][:1]
    events += [event for n in (1, 2) for event in script(RunId(f"child{n}"), f"c{n}", RunKind.NIGHTLY)]
    for event in events:
        run = told(run, event)
    step = run.step(Phase.READ_SALESFORCE)
    assert step is not None
    assert step.done == 2 * 12480
    assert run.live
    assert [(part.name, part.state) for part in run.parts] == [("c1", RunState.PARTIAL)], "one campaign, one part"


def test_a_campaign_that_was_left_out_after_it_began_stays_left_out() -> None:
    root, child = RunId("night"), RunId("part")
    bodies = (
        told_of.RunStarted(root, RunKind.NIGHTLY, None, None, None, False),
        told_of.RunStarted(child, RunKind.NIGHTLY, campaign_id(1), "Spring", root, False),
        told_of.CampaignSkipped(root, campaign_id(1), "Spring", "auto-sync is off now", 2),
        told_of.RunEnded(child, RunState.NOTHING_TO_DO, PlanCounts(), Calls(), 1.0),
        told_of.RunEnded(root, RunState.NOTHING_TO_DO, PlanCounts(), Calls(1, 0), 2.0),
    )
    run = replayed("Nightly", [Event(number, NOW, body) for number, body in enumerate(bodies)])
    assert [(part.name, part.skipped, part.saved_calls) for part in run.parts] == [
        ("Spring", "auto-sync is off now", 2)
    ]
    assert not run.live


def outline(*opened: tuple[Side, Change]) -> Outline:
    groups = (
        Group(Side.PREDICTIVE, Change.ADD, 3),
        Group(Side.PREDICTIVE, Change.REMOVE, 100_000),
        Group(Side.SALESFORCE, Change.MARKER, 2),
    )
    return Outline(groups, frozenset(opened))


def test_an_outline_of_closed_groups() -> None:
    closed = outline()
    assert closed.length == 5
    assert [closed.at(i) for i in range(5)] == [
        Item(Side.PREDICTIVE),
        Item(Side.PREDICTIVE, Change.ADD),
        Item(Side.PREDICTIVE, Change.REMOVE),
        Item(Side.SALESFORCE),
        Item(Side.SALESFORCE, Change.MARKER),
    ]
    assert closed.at(5) is None


def test_an_open_group_counts_its_rows_without_listing_them() -> None:
    opened = outline((Side.PREDICTIVE, Change.REMOVE))
    assert opened.length == 100_005
    assert opened.at(3) == Item(Side.PREDICTIVE, Change.REMOVE, 0)
    assert opened.at(100_002) == Item(Side.PREDICTIVE, Change.REMOVE, 99_999)
    assert opened.at(100_003) == Item(Side.SALESFORCE)
    assert opened.spans(50_000, 50_020) == [((Side.PREDICTIVE, Change.REMOVE), 49_997, 50_017)]
    assert opened.where((Side.SALESFORCE, Change.MARKER)) == 100_004


def test_window_forgets_the_oldest_page() -> None:
    window: Window[int] = Window(page=10, most=2)
    for page in (0, 1, 2):
        window.put("all", page, range(page * 10, page * 10 + 10))
    assert window.get("all", 5) is None
    assert window.get("all", 25) == 25
    assert window.missing("all", 5, 25) == [0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (True, "yes"),
        (0, "0"),
        ("2027-03-09T11:46:20Z", "2027-03-09 11:46"),
        ("Tab T at 4-", "Tab T at 4-"),
    ],
)
def test_values_in_words(value: str | bool | int | None, text: str) -> None:
    assert said(value) == text


def test_labels_are_split_at_the_address() -> None:
    assert split_label("Ada <b> Osei <ada@x.example>") == ("Ada <b> Osei", "ada@x.example")
    assert split_label("header") == ("header", "")


def test_key_bar_leaves_out_what_does_not_fit_but_never_help() -> None:
    hints = (("s", "Synchronize", True), ("n", "New Edition", True), ("?", "all keys", True))
    narrow = "".join(text for text, _ in hint_line(hints, 30))
    assert narrow == " s Synchronize  ? all keys"
    assert "".join(text for text, _ in hint_line(hints, 12)) == " ? all keys"


def test_spaces_go_with_their_neighbour_unless_it_is_marked() -> None:
    line = (
        ("   ", ""),
        ("Spring", "strong"),
        ("  ", ""),
        ("12", "dim"),
        (" ", "dim"),
        ("x", "gone"),
        ("  ", ""),
        ("y", ""),
    )
    assert joined(line) == [("   Spring  ", "strong"), ("12 ", "dim"), ("x", "gone"), ("  y", "")]
    assert "".join(text for text, _ in joined(line)) == "".join(text for text, _ in line)


def test_last_view_comes_back_and_a_damaged_one_is_none(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "deep" / "last.json"
    limits = FakeBackend().limits()
    lastview.write(path, "acme", eight_campaigns(), limits)
    campaigns, meter = lastview.read(path, "acme")
    assert [view.campaign.name for view in campaigns] == [view.campaign.name for view in eight_campaigns()]
    assert [view.warnings for view in campaigns] == [view.warnings for view in eight_campaigns()]
    assert campaigns[0].last_run == eight_campaigns()[0].last_run
    assert meter is not None
    assert (meter.used, meter.limit, meter.at) == (limits.used, limits.limit, limits.at)
    assert path.stat().st_mode & 0o077 == 0
    assert lastview.read(path, "other org") == ((), None)
    path.write_text(path.read_text()[:-40])
    assert lastview.read(path, "acme") == ((), None)
    assert lastview.read(tmp_path / "none", "acme") == ((), None)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("~^spring.*2027$", ["Spring launch 2027"]),
        ("!~a", ["Весенняя распродажа", "Ζητήματα πελατών"]),
        ('"launch 2027"', ["Spring launch 2027"]),
        ("members>4000", ["Spring launch 2027", "Partner newsletter"]),
        ("members>=611 members<1000", ["Trial win-back [beta] /red/", "Onboarding drip EMEA"]),
        ("open>60%", ["Accounts payable notice", "Ζητήματα πελατών"]),
        (
            "type:~^(drip|ad) !members<600",
            ["Spring launch 2027", "Onboarding drip EMEA", "Trial win-back [beta] /red/"],
        ),
        ("~[unfinished spring", ["Spring launch 2027"]),
    ],
)
def test_filter_by_expression_and_figure(text: str, names: list[str]) -> None:
    assert {view.campaign.name for view in eight_campaigns() if matches(view, text)} == set(names)


def test_a_half_written_expression_is_told_and_left_out() -> None:
    assert "no regular expression" in problem("~[unfinished")
    assert problem("~ok spring") == ""


def test_every_column_has_an_order_with_a_letter_of_its_own() -> None:
    titles = {column.title for column in overview_view.COLUMNS} | {"Campaign"}
    assert {order.column for order in ORDERS if order.column} == titles
    assert len({order.letter for order in ORDERS}) == len(ORDERS)


def test_saved_views_survive_and_damage_is_no_view(tmp_path: Path) -> None:
    path = tmp_path / "state" / "views.json"
    kept = savedviews.with_view((), savedviews.SavedView("mine", "type:drip", "open", True))
    savedviews.write(path, kept)
    assert savedviews.read(path) == kept
    again = savedviews.with_view(kept, savedviews.SavedView("mine", "", "name"))
    assert [view.order for view in again] == ["name"]
    assert savedviews.without_view(again, "mine") == ()
    path.write_text('{"format": 1, "views": [{"name": 3}]}', encoding="utf-8")
    assert savedviews.read(path) == ()


def test_what_was_never_started_has_no_figures() -> None:
    fresh = next(view for view in eight_campaigns() if not view.started)
    shown = "".join(text for text, _ in overview_view.row(fresh, 200, NOW))
    figures = [column.title for column in overview_view.shown(200)]
    assert {"Active", "Inactive", "Sent"} <= set(figures)
    assert " 0 " not in shown
    panel = "\n".join("".join(text for text, _ in line) for line in overview_view.detail_lines(fresh, NOW, 40))
    assert "not started" in panel
    assert "active\n" not in panel
    told_tab = "\n".join("".join(text for text, _ in line) for line in overview_lines(fresh, NOW, 100, ()))
    assert "never started: none of them is in Predictive" in told_tab
    assert "inactive" not in told_tab


def test_the_panel_beside_the_list_is_never_longer_than_said() -> None:
    every = [*eight_campaigns(), *many_campaigns()]
    assert max(len(overview_view.detail_lines(view, NOW, 40)) for view in every) <= overview_view.PANEL_LINES


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("most", [1, 3, 8])
def test_what_needs_a_person_names_the_key_of_the_chosen_campaign(width: int, most: int) -> None:
    views = eight_campaigns()
    keys = {"closed-auto-sync": "w clears it", "locked": "U unlocks it", "rejected": "6 lists them"}
    for chosen in views:
        lines = overview_view.warning_lines(views, chosen, width, most)
        shown = ["".join(text for text, _ in line) for line in lines]
        assert len(lines) <= most
        assert all(cells(line) <= width for line in shown)
        hinted = [text.strip() for line in lines for text, tone in line if tone == "key" and text]
        assert hinted == [keys[warned.code] for warned in chosen.warnings][: len(hinted)]
        if most > 1:
            assert len(hinted) == len(chosen.warnings)
