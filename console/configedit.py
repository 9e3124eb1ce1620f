"""Changes one value of a TOML file and leaves every other line as it is, comments too.

Pure: text in, text out. The result is read back and must be what was wanted; where a line-wise change cannot give that
(an inline table, say), the whole file is written anew, and the caller is told that its comments are gone.
"""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
"""Tables and key, e.g. ``("orgs", "main", "timers", "enabled")``."""

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?")


@dataclass(frozen=True, slots=True)
class Edited:
    """The new text; ``commented`` is False when comments could not be kept."""

    text: str
    commented: bool


def changed(text: str, path: Path, value: Any) -> Edited:
    """*text* with *path* set to *value*; None takes the key out (its line stays as a comment).

    Raises:
        tomllib.TOMLDecodeError: *text* is no TOML.
    """
    import tomli_w

    wanted = copy.deepcopy(tomllib.loads(text))
    _set(wanted, path, value)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    tried = "".join(_edit(lines, path, value))
    try:
        if tomllib.loads(tried) == wanted:
            return Edited(tried, commented=True)
    except tomllib.TOMLDecodeError:
        # Some way of writing it that lines do not show; the whole is written instead.
        pass
    return Edited(tomli_w.dumps(wanted), commented=False)


def _set(content: dict[str, Any], path: Path, value: Any) -> None:
    *tables, key = path
    for name in tables:
        content = content.setdefault(name, {})
    if value is None:
        content.pop(key, None)
    else:
        content[key] = value


def _edit(lines: list[str], path: Path, value: Any) -> list[str]:
    *tables, key = path
    begin, end = _table(lines, tuple(tables))
    if begin is None:
        if value is None:
            return lines
        header = ".".join(_bare(name) for name in tables)
        return [*lines, "\n", f"[{header}]\n", f"{_pair(key, value)}\n"]
    for index in range(begin, end):
        if _is_key(lines[index], key):
            last, comment = _extent(lines, index, end)
            if value is None:
                return [*lines[:index], *(f"# {line}" for line in lines[index:last]), *lines[last:]]
            tail = f"  {comment}" if comment else ""
            return [*lines[:index], f"{_pair(key, value)}{tail}\n", *lines[last:]]
    if value is None:
        return lines
    for index in range(begin, end):
        if _is_key(lines[index].lstrip().removeprefix("#"), key) and lines[index].lstrip().startswith("#"):
            return [*lines[:index], f"{_pair(key, value)}\n", *lines[index + 1 :]]
    place = end
    while place > begin and not lines[place - 1].strip():
        place -= 1
    # A comment that stands right above the next table speaks of that table.
    while end < len(lines) and place > begin and lines[place - 1].lstrip().startswith("#"):
        place -= 1
    while place > begin and not lines[place - 1].strip():
        place -= 1
    return [*lines[:place], f"{_pair(key, value)}\n", *lines[place:]]


def _table(lines: list[str], tables: Path) -> tuple[int | None, int]:
    """First line within a table and the line where it ends; None when there is no such table."""
    begin: int | None = None if tables else 0
    for index, line in enumerate(lines):
        found = _HEADER.fullmatch(line.rstrip("\n"))
        if found is None:
            continue
        if begin is not None:
            return begin, index
        if _names(found[1]) == tables:
            begin = index + 1
    return begin, len(lines)


def _names(header: str) -> Path:
    try:
        inner: Any = tomllib.loads(f"[{header}]")
    except tomllib.TOMLDecodeError:
        return ()
    names: list[str] = []
    while inner:
        ((name, inner),) = inner.items()
        names.append(name)
    return tuple(names)


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_key(line: str, key: str) -> bool:
    return re.match(rf"""\s*(?:{re.escape(key)}|"{re.escape(key)}"|'{re.escape(key)}')\s*=""", line) is not None


def _pair(key: str, value: Any) -> str:
    import tomli_w

    return (
        " ".join(part.strip() for part in tomli_w.dumps({key: value}).splitlines())
        .replace("[ ", "[")
        .replace(", ]", "]")
    )


def _extent(lines: list[str], index: int, end: int) -> tuple[int, str]:
    """Where the pair that begins at *index* ends, and the comment behind it."""
    text = ""
    for last in range(index, end):
        text += lines[last]
        for place in [*(found.start() for found in re.finditer("#", text)), len(text)]:
            try:
                tomllib.loads(text[:place].strip())
            except tomllib.TOMLDecodeError:
                continue
            return last + 1, text[place:].strip()
    return index + 1, ""
