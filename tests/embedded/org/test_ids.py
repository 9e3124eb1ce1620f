"""Ids: 15 and 18 characters, order, and case repaired from the check characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.embedded.org import ids

KEYS = st.integers(0, 62**10 - 1)


def test_documented_example() -> None:
    assert ids.to_18("001D000000IqhSL") == "001D000000IqhSLIAZ"


@given(KEYS)
def test_round_trip(key: int) -> None:
    text = ids.encoder("00v")(key)
    assert len(text) == 18
    assert text == ids.to_18(text[:15])
    assert ids.decode(text) == ids.decode(text[:15]) == ("00v", key)


@given(KEYS)
def test_case_is_repaired(key: int) -> None:
    text = ids.encoder("701")(key)
    assert ids.decode(text.upper()) == ids.decode(text.lower()) == ("701", key)


@given(KEYS, KEYS)
def test_keys_are_in_the_order_of_ids(a: int, b: int) -> None:
    encode = ids.encoder("003")
    assert (a < b) == (encode(a)[:15] < encode(b)[:15])
    assert ids.position("003", encode(a)) == a


def test_foreign_ids_stand_outside() -> None:
    own = ids.encoder("003")(5)
    assert ids.position("003", "000000000000000") < 5 < ids.position("003", "00Q" + own[3:15])
    assert ids.key_for("003", "00Q" + own[3:15]) == -1
    assert ids.decode("not an id") is None
