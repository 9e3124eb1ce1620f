"""Rows of a long list that were fetched so far, in pages; the oldest pages are let go.

Pure: it holds what the screen gives it and says what is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Window(Generic[T]):
    """Pages of rows by key (a list within the list) and page number.

    Args:
        page: rows in a page.
        most: pages kept.
    """

    def __init__(self, page: int = 200, most: int = 40) -> None:
        self.page = page
        self._most = most
        self._pages: OrderedDict[tuple[Hashable, int], Sequence[T]] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        self._pages.clear()

    def get(self, key: Hashable, offset: int) -> T | None:
        """The row at *offset* of the list *key*; None when its page is not here."""
        number, place = divmod(offset, self.page)
        rows = self._pages.get((key, number))
        return rows[place] if rows is not None and place < len(rows) else None

    def put(self, key: Hashable, number: int, rows: Sequence[T]) -> None:
        """Keep page *number* of the list *key*."""
        self._pages[key, number] = rows
        self._pages.move_to_end((key, number))
        while len(self._pages) > self._most:
            self._pages.popitem(last=False)

    def keep(self, key: Hashable, numbers: Iterable[int]) -> None:
        """Forget every page but these of the list *key*."""
        kept = {(key, number) for number in numbers}
        for place in [place for place in self._pages if place not in kept]:
            del self._pages[place]

    def missing(self, key: Hashable, first: int, last: int) -> list[int]:
        """Pages of the list *key* that are needed for rows *first* to *last* and are not here."""
        numbers = range(max(0, first) // self.page, max(0, last) // self.page + 1)
        return [number for number in numbers if (key, number) not in self._pages]
