"""The command line that only opens the console, read without argparse: it is typed most, and seen to wait for.

Standard library only. Whatever is not plainly that is left to ``console.cli.parser``, which also says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from console.cli.table import BY_NAME, COMMON


def quick(words: Sequence[str]) -> SimpleNamespace | None:
    """The options of *words* when they are common options and nothing else, None in every other case."""
    known = {argument.name: argument for argument in COMMON}
    found: dict[str, object] = {item.dest: False if item.kind == "switch" else None for item in COMMON}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        argument = known.get(name)
        if argument is None or argument.choices or argument.kind not in ("switch", "text"):
            return None
        if argument.kind == "switch":
            if equals:
                return None
            found[argument.dest] = True
            continue
        if not equals:
            if not rest or rest[0].startswith("-"):
                return None
            value = rest.pop(0)
        found[argument.dest] = value
    return SimpleNamespace(command=BY_NAME[""], **found)
