"""The rows that a trial's locks refused, and what becomes of them in the serial job behind it; see ``sync.locks``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sync.salesforce.errors import LOCKED
from sync.salesforce.verdict import WRITTEN, JobRow, Rows, Stretch, Verdict, short_id, walk


class Joined:
    """The rows of a job, and more behind them."""

    def __init__(self, rows: Rows, more: Sequence[JobRow]) -> None:
        self._rows, self._more = rows, more

    def __len__(self) -> int:
        return len(self._rows) + len(self._more)

    def __iter__(self) -> Iterator[JobRow]:
        yield from self._rows
        yield from self._more


def refused_of(stretch: Stretch, rows: Rows) -> list[JobRow]:
    """Those of a job's rows that locks refused; at most as many as a batch has, as a trial is two of them."""
    if not any(fate.code == LOCKED for fate in stretch.apart.values()):
        return []
    return [row for row, fate in walk((stretch,), rows, record_id_of) if fate.code == LOCKED]


def went_again(stretch: Stretch, again: Sequence[JobRow], verdict: Verdict) -> Stretch:
    """The trial's *stretch* when *again*, some of its rows, fared by *verdict* the second time."""
    apart = dict(stretch.apart)
    for row, fate in walk(verdict, again, record_id_of):
        if fate == WRITTEN:
            apart.pop(short_id(record_id_of(row)), None)
        else:
            apart[short_id(record_id_of(row))] = fate
    return replace(stretch, apart=apart)


def record_id_of(row: JobRow) -> str:
    """The id of a job's row."""
    return row[1]
