"""Values that are cheap to make are still frozen dataclasses: same arguments, same defaults, same checks."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from sync.cheap import changed, cheap
from sync.model import OrgMember, Side
from sync.plan import Change, PlanRow, Subject


@dataclass(frozen=True, slots=True)
class Plain:
    """What ``Cheap`` is held against."""

    one: int
    two: str = "two"
    more: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what is below zero."""
        if self.one < 0:
            raise ValueError("below zero")


@cheap
@dataclass(frozen=True, slots=True)
class Cheap:
    """The same, made quickly."""

    one: int
    two: str = "two"
    more: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what is below zero."""
        if self.one < 0:
            raise ValueError("below zero")


def test_a_cheap_value_is_made_compared_shown_and_replaced_like_a_plain_one() -> None:
    for given, named in (((1,), {}), ((1, "x"), {}), ((1,), {"more": [3]}), ((), {"two": "y", "one": 4})):
        plain, made = Plain(*given, **named), Cheap(*given, **named)
        assert repr(made).replace("Cheap", "Plain") == repr(plain)
        assert (made.one, made.two, made.more) == (plain.one, plain.two, plain.more)
        assert made == replace(made) == Cheap(plain.one, plain.two, plain.more)
        assert replace(made, two="z").two == "z"
    assert Cheap(1) != Cheap(2)
    assert Cheap(1).more is not Cheap(1).more


def test_a_cheap_value_is_frozen_once_it_is_made() -> None:
    made = Cheap(1)
    assert type(made) is Cheap
    assert not hasattr(made, "__dict__")
    with pytest.raises(FrozenInstanceError):
        made.one = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.one


def test_a_cheap_value_refuses_what_a_plain_one_refuses() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Cheap(-1)
    for wrong in (Cheap, lambda: Cheap(1, "x", [], 4), lambda: Cheap(1, three=3)):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="__init__"):
            wrong()
    with pytest.raises(ValueError, match="owned by salesforce"):
        PlanRow(1, Side.SALESFORCE, "c", Subject.MEMBER, "p", "l", Change.NAME, "email", None, "x", "", "")  # type: ignore[arg-type]


def test_only_plain_frozen_values_can_be_made_cheap() -> None:
    @dataclass(frozen=True)
    class Open:
        """Without slots."""

        one: int

    @dataclass(frozen=True, slots=True)
    class Below(Plain):
        """With a base."""

    for kind in (Open, Below):
        with pytest.raises(TypeError, match="no plain dataclass"):
            cheap(kind)
    assert OrgMember.__init__.__qualname__ == "OrgMember.__init__"


def test_a_changed_value_is_the_value_with_those_fields_and_checked_again() -> None:
    made = Cheap(1, "x", [3])
    assert changed(made, {"two": "y"}) == replace(made, two="y")
    assert changed(made, {}) == made
    assert changed(made, {}) is not made
    with pytest.raises(ValueError, match="below zero"):
        changed(made, {"one": -1})
    with pytest.raises(KeyError):
        changed(made, {"three": 3})


def test_words_are_looked_up_as_the_text_that_they_are() -> None:
    for word in (*Side, *Change, *Subject):
        assert hash(word) == hash(word.value)
        assert {word: 1}[word.value] == 1 == {word.value: 1}[word]  # type: ignore[index]


@cheap
@dataclass(frozen=True, slots=True)
class Lone:
    """A value of one field."""

    one: tuple[int, ...]


def test_a_value_comes_back_from_a_file_as_it_was() -> None:
    for value in (Cheap(1, "x", [2]), Lone((1, 2)), Lone(())):
        assert pickle.loads(pickle.dumps(value)) == value
