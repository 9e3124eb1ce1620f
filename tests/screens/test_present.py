"""Figures, words, bars and text in cells: pure functions, no app."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import present
from sync.model import Calls, RunState
from sync.plan import PlanCounts

NOW = datetime(2027, 3, 9, 11, 46, tzinfo=UTC)

ODD = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)


@pytest.mark.slow
@given(text=ODD, width=st.integers(0, 40), align=st.sampled_from(["left", "right"]))
def test_fit_gives_exactly_the_cells_asked_for(text: str, width: int, align: str) -> None:
    assert present.cells(present.fit(text, width, align)) == width


@given(text=ODD, width=st.integers(0, 40))
def test_crop_never_passes_the_width_and_keeps_what_fits(text: str, width: int) -> None:
    cut = present.crop(text, width)
    assert present.cells(cut) <= width
    if present.cells(present.clean(text)) <= width:
        assert cut == present.clean(text) or width == 0


@given(spans=st.lists(st.tuples(ODD, st.just("")), max_size=5), width=st.integers(1, 40))
def test_a_line_is_cut_to_its_width(spans: list[tuple[str, str]], width: int) -> None:
    assert present.width_of(present.crop_line(spans, width)) <= width


@given(left=ODD, right=st.text(alphabet="abc 123", max_size=10), width=st.integers(12, 60))
def test_spread_fills_the_line_and_keeps_the_right_edge(left: str, right: str, width: int) -> None:
    line = present.spread([(left, "")], [(right, "dim")], width)
    assert present.width_of(line) == width
    assert "".join(text for text, _ in line).endswith(right)


@given(text=ODD, width=st.integers(4, 40))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    assert all(present.cells(line) <= width for line in present.wrap(text, width))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand\x1b[31m", "two lines and [31m"),
        ("\u202eevil\u202c right", "evil right"),
        ("zero\u200bwidth", "zerowidth"),
        ("\u200done\u200d \u200dtwo\u200d", "one two"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("e\u0301", "é"),
    ],
    ids=["control", "bidi-override", "zero-width", "lone-joiner", "joined", "composed"],
)
def test_clean_leaves_nothing_that_moves_the_cursor(text: str, shown: str) -> None:
    assert present.clean(text) == shown


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 3, "33.3%"),
        (0, 5, "0.0%"),
        (1, 100_000, "<0.1%"),
        (99_999, 100_000, "99.9%"),
        (5, 5, "100.0%"),
        (1, 0, "–"),
        (None, 5, "–"),
    ],
)
def test_percent_is_never_a_rounded_zero_or_hundred(part: int | None, whole: int, text: str) -> None:
    assert present.percent(part, whole) == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=5), "now"),
        (timedelta(minutes=2, seconds=50), "2m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=23), "23h"),
        (timedelta(hours=30), "yesterday"),
        (timedelta(hours=40), "2d"),
        (timedelta(days=4), "4d"),
        (timedelta(days=20), "17 Feb"),
        (timedelta(days=600), "Jul 2025"),
        (-timedelta(minutes=3), "now"),
    ],
)
def test_ages_are_short(age: timedelta, text: str) -> None:
    assert present.ago(NOW - age, NOW) == text


def test_no_time_is_said_and_not_guessed() -> None:
    assert present.ago(None, NOW) == "never"
    assert present.until(None, NOW) == "–"
    assert present.hhmm(None) == "–"
    assert present.count(None) == "–"


@pytest.mark.parametrize(
    ("left", "text"),
    [(0, "due now"), (-60, "due now"), (40, "40s"), (14 * 60 + 20, "14m"), (13 * 3600 + 900, "13h"), (3 * 86400, "3d")],
)
def test_countdowns(left: int, text: str) -> None:
    assert present.until(NOW + timedelta(seconds=left), NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (3.4, "3 s"), (240, "4 min"), (4800, "80 min"), (9000, "2 h 30 min")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert present.lasting(seconds) == text


def test_running_clock() -> None:
    assert present.elapsed(2) == "00:02"
    assert present.elapsed(3723) == "1:02:03"


@given(amounts=st.lists(st.integers(0, 10**6), max_size=8), width=st.integers(0, 40))
def test_shares_add_up_and_what_is_there_is_seen(amounts: list[int], width: int) -> None:
    shares = present.apportion(amounts, width)
    assert sum(shares) == (width if sum(amounts) and width else 0)
    there = sum(amount > 0 for amount in amounts)
    if there <= width:
        assert all(share > 0 for share, amount in zip(shares, amounts, strict=True) if amount)


def test_each_status_has_its_own_fill() -> None:
    members = (("Sent", 5), ("Opened", 2), ("Clicked", 1), ("Responded", 1), ("Bounced", 1))
    assert present.status_bar(members, 10) == "█████▓▓▒░·"
    assert present.status_bar((), 10) == "·         "
    assert present.status_bar((("Sent", 0),), 4) == "·   "


def test_more_statuses_than_fills_are_shown_together() -> None:
    folded = present.folded([(f"s{i}", i) for i in range(8)])
    assert [label for _, label, _ in folded] == ["s0", "s1", "s2", "s3", "others"]
    assert folded[-1][2] == 4 + 5 + 6 + 7


@given(share=st.floats(0, 1), width=st.integers(1, 60))
def test_a_meter_is_full_only_when_full_and_empty_only_when_empty(share: float, width: int) -> None:
    bar = present.meter(share, width)
    assert len(bar) == width
    assert (bar == "█" * width) == (share >= 1)
    assert (bar == " " * width) == (share <= 0)


def test_a_meter_without_a_figure_is_empty() -> None:
    assert present.meter(None, 5) == "     "
    assert present.meter(1.7, 3) == "███"


def test_sparkline_shows_the_shape() -> None:
    assert present.sparkline([1, 5, 9, 7, 4, 3, 1, 1], 8) == "▁▅█▇▄▃▁▁"
    assert present.sparkline([0, 0, 0], 8) == ""
    assert present.sparkline([1] * 16, 4) == "████"
    assert len(present.sparkline(list(range(100)), 9)) == 9


def test_every_state_has_glyph_word_and_tone() -> None:
    for state in RunState:
        glyph, word, tone = present.run_state(state)
        assert glyph.strip()
        assert word
        assert tone
    assert present.run_state(None)[1] == "never"


def test_the_most_urgent_mark_wins() -> None:
    def mark(**more: bool) -> str:
        facts = {"locked": False, "paused": False, "closed_cost": False} | more
        return present.sync_mark(RunState.PARTIAL, NOW - timedelta(hours=1), NOW, **facts)[1]

    assert mark() == "1h"
    assert mark(paused=True) == "paused"
    assert mark(paused=True, closed_cost=True) == "closed"
    assert mark(paused=True, locked=True, closed_cost=True) == "locked"
    assert present.sync_mark(None, None, NOW, locked=False, paused=False, closed_cost=False)[1] == "never"


def test_counts_in_words() -> None:
    assert present.plural(1, "member") == "1 member"
    assert present.plural(12480, "member") == "12,480 members"
    assert present.changes(PlanCounts(added=9, removed=2, changed=1200)) == "+9 −2 ~1,200"
    assert present.changes(PlanCounts()) == "–"
    assert present.calls(Calls(6, 1)) == "6 calls · 1 request"


def test_blanks_at_the_end_are_cut_without_a_sign() -> None:
    line = (("abc", ""), ("  ", ""), ("de   ", "dim"), ("     ", ""))
    assert present.crop_line(line, 7) == (("abc", ""), ("  ", ""), ("de", "dim"))
    assert "".join(text for text, _ in present.crop_line(line, 6)) == "abc  …"
