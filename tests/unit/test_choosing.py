"""Rows of a plan as people name them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.choosing import Chosen, Rows, rows_of
from sync.errors import UsageError
from sync.model import Side
from sync.plan import Change


def test_words_and_what_they_choose() -> None:
    assert rows_of("12,20-25") == (Rows("12", numbers=range(12, 13)), Rows("20-25", numbers=range(20, 26)))
    assert rows_of("email") == (Rows("email", change=Change.EMAIL),)
    assert rows_of("salesforce:status, predictive") == (
        Rows("salesforce:status", side=Side.SALESFORCE, change=Change.STATUS),
        Rows("predictive", side=Side.PREDICTIVE),
    )
    assert rows_of("text=Ada, Ben") == (Rows("text=Ada, Ben", text="Ada, Ben"),)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("emial", "'email'"),
        ("predictve", "'predictive'"),
        ("org:status", "salesforce and predictive"),
        ("0", "from 1"),
        ("7-3", "3-7"),
        ("", "numbers"),
        ("text=", "text=ada"),
        ("salesforce:zzz", "numbers"),
    ],
)
def test_what_names_no_rows_is_told_with_the_nearest(word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        rows_of(word)
    assert said in caught.value.line()


@given(st.lists(st.sampled_from(["3", "4-9", "email", "remove", "salesforce", "text=x"]), max_size=4))
def test_nothing_given_changes_nothing_and_everything_given_counts(words: list[str]) -> None:
    assert Chosen.of(words, [], []).says_anything == bool(words)
    assert Chosen.of([], words, []).says_anything == bool(words)
    assert [rows.word for rows in Chosen.of([], [], words).accept] == words
