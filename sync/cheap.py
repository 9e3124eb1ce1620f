"""Frozen values that cost little to make, and words that cost little to look up.

Pure. A frozen dataclass sets each field through ``object.__setattr__``, which makes a member of twenty fields four
times as dear as one that is not frozen; a run makes some thirty values for every member. Here the fields are set while
the value still belongs to an open twin of its class, with the same slots; the last step makes it frozen.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Word(StrEnum):
    """A closed set of words. Hashed as the text that it is: an enumeration's own hash is a call of Python for every
    look into a set."""

    __hash__ = str.__hash__


_NOT_GIVEN = object()


def cheap(cls: type[T]) -> type[T]:
    """Give a class made by ``@dataclass(frozen=True, slots=True)`` a quick ``__init__`` that does the same.

    Raises:
        TypeError: the class has a base or fields that this knows nothing of.
    """
    given: tuple[Field[Any], ...] = fields(cls)  # type: ignore[arg-type]
    names = tuple(item.name for item in given)
    if cls.__bases__ != (object,) or cls.__dict__.get("__slots__") != names:
        raise TypeError(f"{cls.__name__} is no plain dataclass with slots")
    if any(item.kw_only or not item.init for item in given):
        raise TypeError(f"{cls.__name__} has fields that are not given by position")
    known: dict[str, Any] = {
        "_set": object.__setattr__,
        "_open": type(cls.__name__, (), {"__slots__": names}),
        "_own": cls,
        "_not_given": _NOT_GIVEN,
    }
    head, body = ["self"], ["_set(self, '__class__', _open)"]
    for item in given:
        value = item.name
        if item.default is not MISSING:
            known[f"_default_{item.name}"] = item.default
            head.append(f"{item.name}=_default_{item.name}")
        elif item.default_factory is not MISSING:
            known[f"_make_{item.name}"] = item.default_factory
            head.append(f"{item.name}=_not_given")
            value = f"_make_{item.name}() if {item.name} is _not_given else {item.name}"
        else:
            head.append(item.name)
        body.append(f"self.{item.name} = {value}")
    body.append("self.__class__ = _own")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    source = f"def __init__({', '.join(head)}):\n" + "".join(f"    {line}\n" for line in body)
    exec(source, known)  # noqa: S102 - as dataclasses itself does
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = dict(cls.__init__.__annotations__)
    cls.__init__ = made  # type: ignore[method-assign]
    cls.__reduce__ = _reduced  # type: ignore[assignment]
    return cls


def _reduced(value: Any) -> tuple[type, tuple[Any, ...]]:
    """How a value is kept in a file: as what it is made of, which is read at half the cost of setting its fields."""
    kind = type(value)
    values = _shape(cast(Any, kind))[0](value)
    return kind, values if len(kind.__slots__) > 1 else (values,)


def changed(value: T, changes: dict[str, Any]) -> T:
    """``dataclasses.replace`` for a value whose fields are all given by position, at a third of its cost.

    Raises:
        KeyError: there is no such field.
    """
    kind = type(value)
    values_of, places = _shape(cast(Any, kind))
    given = list(values_of(value))
    for name, new in changes.items():
        given[places[name]] = new
    return kind(*given)


@lru_cache(maxsize=64)
def _shape(kind: type) -> tuple[attrgetter[tuple[Any, ...]], dict[str, int]]:
    names = [item.name for item in fields(kind)]
    return attrgetter(*names), {name: place for place, name in enumerate(names)}
