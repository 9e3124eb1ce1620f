"""Reads a directory that ``sf data export tree`` wrote: plan files, the files they name, and plain files beside them.

Records are flat with references (``"CampaignId": "@CampaignRef1"``) or nested under the names of relationships.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NOT_COPIED = frozenset({"User", "Organization", "Profile"})
"""The sandbox has its own: whoever owns a record in the org that was exported, its integration user owns the copy."""


class ExportError(ValueError):
    """What cannot be loaded, and where: file, record and reason."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One record. ``scope`` is within which its references are told apart; ``parent`` and ``relation`` nest it."""

    kind: str
    reference: str | None
    values: Mapping[str, Any]
    file: Path
    number: int
    scope: str
    parent: Exported | None = None
    relation: str | None = None

    @property
    def where(self) -> str:
        """The record as an error names it."""
        named = f" ({self.reference})" if self.reference else ""
        return f"{self.file}: record {self.number}{named}"

    def error(self, words: str) -> ExportError:
        """An error about this record."""
        return ExportError(f"{self.where}: {words}")


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ExportError(f"{path}: no JSON: {error}") from None


def _is_plan(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(one, Mapping) and "sobject" in one for one in content)


def read_export(directory: Path) -> list[Exported]:
    """The records of a directory, in the order of its plans. Raises ExportError."""
    if not directory.is_dir():
        raise ExportError(f"{directory}: no such directory")
    contents = {path: _content(path) for path in sorted(directory.glob("*.json"))}
    found: list[Exported] = []
    done: set[Path] = set()
    for path, content in contents.items():
        if not _is_plan(content):
            continue
        done.add(path)
        for number, step in enumerate(content, 1):
            files = step.get("files")
            if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
                raise ExportError(f"{path}: step {number}: files has to be a list of file names")
            for name in files:
                file = (path.parent / name).resolve()
                known = next((one for one in contents if one.resolve() == file), None)
                if known is None:
                    raise ExportError(f"{path}: step {number}: {name} is not there")
                found += _records(known, contents[known], str(path), str(step["sobject"]))
                done.add(known)
    for path, content in contents.items():
        if path not in done:
            found += _records(path, content, str(path), None)
    found = [one for one in found if one.kind not in _NOT_COPIED]
    if not found:
        raise ExportError(f"{directory}: no records; it has to hold what sf data export tree writes")
    return found


def _records(file: Path, content: Any, scope: str, kind: str | None) -> Iterator[Exported]:
    rows = content.get("records") if isinstance(content, Mapping) else None
    if not isinstance(rows, list):
        raise ExportError(f"{file}: an object with a list of records is needed")
    for number, row in enumerate(rows, 1):
        yield from _one(row, file, number, scope, kind, None, None)


def _one(
    row: Any, file: Path, number: int, scope: str, kind: str | None, parent: Exported | None, relation: str | None
) -> Iterator[Exported]:
    attributes = row.get("attributes", {}) if isinstance(row, Mapping) else None
    if not isinstance(attributes, Mapping):
        raise ExportError(f"{file}: record {number}: an object with attributes is needed")
    named, reference = attributes.get("type", kind), attributes.get("referenceId")
    if not isinstance(named, str) or not named:
        raise ExportError(f"{file}: record {number}: attributes.type is missing")
    nested = {n: v for n, v in row.items() if isinstance(v, Mapping) and isinstance(v.get("records"), list)}
    values = {n: v for n, v in row.items() if n != "attributes" and n not in nested}
    found = Exported(named, reference, values, file, number, scope, parent, relation)
    if wrong := next((n for n, v in values.items() if isinstance(v, Mapping | list)), None):
        raise found.error(f"{wrong} is no plain value; leave fields of parents out of the query")
    yield found
    for name, children in nested.items():
        for child in children["records"]:
            yield from _one(child, file, number, scope, None, found, name)
