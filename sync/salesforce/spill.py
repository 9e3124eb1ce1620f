"""Rows and bytes that are too many for memory, kept in files without a name until they were sent.

A Bulk job may be of a whole campaign. Its rows wait for their outcome, and its data for the upload, in files of this
process that nobody else can open and that are gone with it, however it ends.
"""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from sync.packed import PackedRow

_TOGETHER = 500
"""Rows that are written at once: what they have in common is written once."""

_BLOCK = 256 * 1024


def nameless(folder: Path | None) -> IO[bytes]:
    """A new file of *folder* (the machine's own for such files when None) that only this process can open."""
    return tempfile.TemporaryFile(dir=folder)


class Shelf:
    """Records in a file, read in their order as often as wanted."""

    def __init__(self, folder: Path | None) -> None:
        self._file = nameless(folder)
        weakref.finalize(self, self._file.close)
        self._count = 0

    def put(self, rows: Iterable[PackedRow]) -> None:
        """Add records."""
        source = iter(rows)
        self._file.seek(0, 2)
        while some := tuple(islice(source, _TOGETHER)):
            pickle.dump(some, self._file, pickle.HIGHEST_PROTOCOL)
            self._count += len(some)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PackedRow]:
        at, left = 0, self._count
        while left > 0:
            self._file.seek(at)
            # Nobody but this process has ever had the file.
            some: tuple[PackedRow, ...] = pickle.load(self._file)  # noqa: S301
            at = self._file.tell()
            left -= len(some)
            yield from some


class Body:
    """The body of a request in a file; may be sent again."""

    def __init__(self, folder: Path | None) -> None:
        self._file = nameless(folder)
        weakref.finalize(self, self._file.close)
        self._size = 0

    def add(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._file.write(data)
        self._size += len(data)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            yield block

    def whole(self) -> bytes:
        """All of it, for what is short."""
        return b"".join(self)
