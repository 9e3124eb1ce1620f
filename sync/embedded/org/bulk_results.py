"""The result of a Bulk API 2.0 query on disk: CSV lines in a nameless file, and where each line starts.

Millions of rows take 8 bytes each in memory; any page is read by its place.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

Cell = Callable[[Any], str] | None
"""From a stored value that is not null to its text; None where the value is the text."""


class Results:
    """Rows of one result. Written by one thread, once; pages may be read by any number when it is whole. ``close`` lets
    go of the file, as the end of the object does.

    Args:
        header: names of the columns.
        cells: how their values become texts.
        delimiter: between cells. end: of a line.
        folder: where the file is made.
    """

    def __init__(self, header: Sequence[str], cells: Sequence[Cell], *, delimiter: str, end: str, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this object
        self.close = weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._between, self._end = f'"{delimiter}"', f'"{end}'
        self._cells = tuple(cells)
        self._starts = array("Q", [0])
        self._header = self._line(header)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows of stored values, in the order of the columns."""
        if not rows:
            return
        columns = [_texts(values, cell) for values, cell in zip(zip(*rows, strict=True), self._cells, strict=True)]
        between, end = self._between, self._end
        lines = [f'"{between.join(row)}{end}'.encode() for row in zip(*columns, strict=True)]
        self._file.write(b"".join(lines))
        lengths = accumulate(map(len, lines), initial=self._starts[-1])
        next(lengths)
        self._starts.extend(lengths)

    def finish(self) -> None:
        """Everything was added."""
        self._file.flush()

    def page(self, start: int, most: int) -> tuple[bytes, int]:
        """The CSV of up to *most* rows from *start* on, header first, and how many rows it holds."""
        first = min(start, len(self))
        last = min(first + most, len(self))
        at, after = self._starts[first], self._starts[last]
        with self._lock:
            self._file.seek(at)
            return self._header + self._file.read(after - at), last - first

    def _line(self, cells: Iterable[str]) -> bytes:
        return f'"{self._between.join(cell.replace(chr(34), chr(34) * 2) for cell in cells)}{self._end}'.encode()


def _texts(values: Sequence[Any], cell: Cell) -> list[str]:
    """A column as the texts of its cells, quotes doubled, null as nothing."""
    make = cell or str
    distinct = set(values)
    if 2 * len(distinct) > len(values):
        return [
            "" if value is None else text if '"' not in (text := make(value)) else text.replace('"', '""')
            for value in values
        ]
    known = {value: _text(value, make) for value in distinct}
    return [known[value] for value in values]


def _text(value: Any, make: Callable[[Any], str]) -> str:
    if value is None:
        return ""
    text = make(value)
    return text if '"' not in text else text.replace('"', '""')
