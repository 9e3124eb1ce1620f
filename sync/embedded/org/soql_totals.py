"""GROUP BY ROLLUP and CUBE: one grouping after the other, as one statement.

Each set of the keys is grouped by itself; a key that is not in the set is null there and its GROUPING() 1. Without an
order of its own the answer lists each group before its subtotal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

MOST_KEYS = 3
Name = tuple[str, ...]


class Totals:
    """The groupings of one statement.

    Args:
        kind: ROLLUP (the keys, and ever fewer from the right) or CUBE (all choices of keys).
        keys: SQL of each key by its name, in order.
    """

    def __init__(self, kind: str, keys: Mapping[Name, str]) -> None:
        self._keys = dict(keys)
        names = list(self._keys)
        sizes = range(len(names), -1, -1)
        if kind == "ROLLUP":
            self._sets = [frozenset(names[:size]) for size in sizes]
        else:
            self._sets = [frozenset(some) for size in sizes for some in combinations(names, size)]
        self._marked: dict[str, tuple[Name, str]] = {}

    @property
    def count(self) -> int:
        """How many groupings there are; the statement has its parameters so often."""
        return len(self._sets)

    def marker(self, name: Name) -> str | None:
        """What stands for GROUPING() of a key until the grouping is known; None of no key."""
        return self._mark(name, "GROUPING") if name in self._keys else None

    def key(self, name: Name, expression: str) -> str:
        """What stands for a key's value."""
        return self._mark(name, expression)

    def _mark(self, name: Name, what: str) -> str:
        text = f"\x01{len(self._marked)}\x02"
        self._marked[text] = (name, what)
        return text

    def _in(self, text: str, chosen: frozenset[Name]) -> str:
        for mark, (name, what) in self._marked.items():
            there = name in chosen
            value = str(int(not there)) if what == "GROUPING" else (what if there else "NULL")
            text = text.replace(mark, value)
        return text

    def statement(
        self, columns: Sequence[str], source: str, where: str, having: str, order: Sequence[tuple[str, str]]
    ) -> tuple[str, list[str], str]:
        """The FROM clause that holds all groupings, the columns to select from it, and their order."""
        by_sql = {sql.removesuffix(" COLLATE NOCASE"): name for name, sql in self._keys.items()}
        sorted_by = [self.key(by_sql[key], key) if key in by_sql else key for key, _ in order]
        natural = [(self.key(name, sql), self._mark(name, "GROUPING"), name) for name, sql in self._keys.items()]
        every = [*columns, *sorted_by, *(one for key, flag, _ in natural for one in (flag, key))]
        parts = []
        for chosen in self._sets:
            shown = ", ".join(f"{self._in(text, chosen)} AS k{number}" for number, text in enumerate(every))
            text = f"SELECT {shown} FROM {source}" + (f" WHERE {where}" if where else "")
            groups = ", ".join(sql for name, sql in self._keys.items() if name in chosen)
            text += f" GROUP BY {groups}" if groups else ""
            parts.append(text + (f" HAVING {self._in(having, chosen)}" if having else ""))
        behind = [how for _, how in order] + [" COLLATE NOCASE" if n % 2 else "" for n in range(2 * len(natural))]
        first = len(columns)
        places = ", ".join(f"r.k{first + number}{how}" for number, how in enumerate(behind))
        return f"({' UNION ALL '.join(parts)}) r", [f"r.k{number}" for number in range(len(columns))], places
