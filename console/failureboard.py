"""Failed rows by type, with what is open and what is marked: the state of the error board and of a run's failures.

Pure. A row is named by its run and its number in that run's journal, which is what a retry takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sync.views import FailedRow, FailureGroup

RowKey = tuple[str, int]


def key_of(row: FailedRow) -> RowKey:
    """What names a row."""
    return str(row.run), row.seq


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the board: a group, or one row of it."""

    group: FailureGroup
    row: FailedRow | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one run to try again; ``others`` are marked rows of other runs, which wait."""

    run: str
    seqs: tuple[int, ...]
    others: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """Groups in order; ``opened`` holds codes, ``marked`` rows."""

    groups: tuple[FailureGroup, ...] = ()
    opened: frozenset[str] = frozenset()
    marked: frozenset[RowKey] = frozenset()

    def places(self) -> Iterator[Place]:
        """Every line, from the top."""
        for group in self.groups:
            yield Place(group)
            if group.code in self.opened:
                yield from (Place(group, row) for row in group.rows)

    @property
    def length(self) -> int:
        """Lines in all."""
        return sum(1 + (len(group.rows) if group.code in self.opened else 0) for group in self.groups)

    def at(self, index: int) -> Place | None:
        """What stands on a line."""
        for group in self.groups:
            if index == 0:
                return Place(group)
            index -= 1
            if group.code in self.opened:
                if index < len(group.rows):
                    return Place(group, group.rows[index])
                index -= len(group.rows)
        return None

    def with_groups(self, groups: tuple[FailureGroup, ...]) -> Board:
        """The same over *groups*; marks of rows that are gone go with them. A lone group is open."""
        known = {key_of(row) for group in groups for row in group.rows}
        opened = frozenset({groups[0].code}) if len(groups) == 1 and not self.groups else self.opened
        return replace(self, groups=groups, opened=opened, marked=self.marked & known)

    def turned(self, place: Place) -> Board:
        """Open the group of *place*, or close it."""
        return replace(self, opened=self.opened ^ {place.group.code})

    def toggled(self, place: Place) -> Board:
        """Mark a row or all rows of a group, or not any more."""
        rows = (place.row,) if place.row is not None else place.group.rows
        keys = frozenset(key_of(row) for row in rows)
        return replace(self, marked=self.marked - keys if keys <= self.marked else self.marked | keys)

    def selection(self, place: Place | None) -> Selection | None:
        """What a retry takes: the marked rows, or those of the line; of several runs, the one with the most rows."""
        keys: list[RowKey] = sorted(self.marked)
        if not keys and place is not None:
            keys = sorted(map(key_of, (place.row,) if place.row is not None else place.group.rows))
        if not keys:
            return None
        ((run, number),) = Counter(run for run, _ in keys).most_common(1)
        return Selection(run, tuple(seq for own, seq in keys if own == run), len(keys) - number)
