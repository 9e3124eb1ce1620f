"""What became of a job's rows, without a value for each: nearly all of them fare alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol, TypeVar

from sync.errors import PredictiveError
from sync.ports import OrgOutcome

JobRow = tuple[str, str, Mapping[str, Any]]
"""Key, record id, values."""

T = TypeVar("T")

_ID = 15
"""Characters by which a record is told apart: the org gives ids in either form."""


class Rows(Protocol):
    """A job's rows in their order, read as often as wanted."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[JobRow]: ...


@dataclass(frozen=True, slots=True)
class Fate:
    """State, code, message and remedy, as in ``OrgOutcome``."""

    state: str
    code: str = ""
    message: str = ""
    remedy: str = ""


WRITTEN = Fate("written")


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many rows one after the other that fared alike, but for those *apart*, by 15 characters of their id."""

    rows: int
    fate: Fate = WRITTEN
    apart: Mapping[str, Fate] = field(default_factory=dict)

    @property
    def fates(self) -> Iterator[Fate]:
        """Every fate that a row may have had."""
        yield self.fate
        yield from self.apart.values()


Verdict = tuple[Stretch, ...]
"""The stretches of a job, in the order of its rows."""


def short_id(record_id: str) -> str:
    """What tells a record apart."""
    return record_id[:_ID]


def is_short_id(text: str) -> bool:
    """Whether *text* is as long as what tells a record apart."""
    return len(text) == _ID


def all_rows(rows: Sized, state: str, error: PredictiveError | None) -> Stretch:
    """One fate for all rows of a job, or of what follows a trouble."""
    return Stretch(len(rows), Fate(state, message=error.what if error else "", remedy=error.remedy if error else ""))


def walk(verdict: Verdict, rows: Iterable[T], id_of: Callable[[T], str]) -> Iterator[tuple[T, Fate]]:
    """Each row of a job, in the job's order, with its fate."""
    source = iter(rows)
    for stretch in verdict:
        for row in islice(source, stretch.rows):
            yield row, stretch.apart.get(short_id(id_of(row)), stretch.fate)


def split(verdict: Verdict, at: int) -> tuple[Verdict, Verdict]:
    """The verdict of the first *at* rows, and that of the others."""
    first: list[Stretch] = []
    rest = list(verdict)
    while at and rest:
        stretch = rest.pop(0)
        mine = min(at, stretch.rows)
        first.append(replace(stretch, rows=mine))
        if mine < stretch.rows:
            rest.insert(0, replace(stretch, rows=stretch.rows - mine))
        at -= mine
    return tuple(first), tuple(rest)


def outcomes(verdict: Verdict, rows: Iterable[JobRow]) -> Iterator[OrgOutcome]:
    """The outcome of each row of a job."""
    for (key, record_id, _), fate in walk(verdict, rows, lambda row: row[1]):
        yield OrgOutcome(key, fate.state, record_id, fate.code, fate.message, fate.remedy)
