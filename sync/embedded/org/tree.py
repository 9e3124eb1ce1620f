"""sObject Tree: up to 200 new records with their children in one call, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError, malformed_json
from sync.embedded.org.ids import encoder
from sync.embedded.org.resources import body_of
from sync.embedded.org.schema import ObjectType

MOST, LEVELS, TYPES = 200, 5, 5


class _Refused(Exception):
    """Some record failed, so none is kept."""


class _Tree:
    def __init__(self, org: Org) -> None:
        self._org = org
        self.made: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._types: set[str] = set()

    def _fail(self, reference: Any, error: OrgError) -> None:
        self.failed.append({"referenceId": reference, "errors": [error.row()]})

    def create(self, writer: Writer, item: ObjectType, rows: Any, link: Mapping[str, str], level: int) -> None:
        """Create records of one object, then the children of each."""
        if not isinstance(rows, list):
            raise malformed_json("records has to be an array")
        for row in rows:
            attributes = row.get("attributes") if isinstance(row, Mapping) else None
            reference = attributes.get("referenceId") if isinstance(attributes, Mapping) else None
            try:
                self._check(item, reference, level)
                kind = attributes.get("type") if isinstance(attributes, Mapping) else None
                if kind is not None and self._org.row_object(kind) is not item:
                    raise OrgError("INVALID_INPUT", f"The record is of type {kind} where {item.name} is expected.")
                own = {n: v for n, v in row.items() if not (isinstance(v, Mapping) and "records" in v)}
                key = encoder(item.prefix)(writer.create(item, {**own, **link}))
                self.made.append({"referenceId": reference, "id": key})
                for name, value in row.items():
                    if isinstance(value, Mapping) and "records" in value:
                        found = self._org.schema.child(item, name)
                        if found is None:
                            raise OrgError("INVALID_FIELD", f"No such column '{name}' on sobject of type {item.name}")
                        child = self._org.schema.get(found.child)
                        self.create(writer, child, value["records"], {found.field: key}, level + 1)
            except OrgError as error:
                self._fail(reference, error)

    def _check(self, item: ObjectType, reference: Any, level: int) -> None:
        self._types.add(item.name)
        if not isinstance(reference, str) or not reference:
            raise OrgError("INVALID_INPUT", "Include a reference ID for each record in the request.")
        if reference in self._seen:
            raise OrgError("INVALID_INPUT", f"Duplicate ReferenceId provided in the request: {reference}")
        self._seen.add(reference)
        for count, most, what in (
            (len(self._seen), MOST, "records"),
            (len(self._types), TYPES, "types of objects"),
            (level, LEVELS, "levels"),
        ):
            if count > most:
                raise OrgError("INVALID_INPUT", f"The request contains more than {most} {what}.")


def tree(org: Org, call: Call) -> Answer:
    """``POST /composite/tree/X``. Raises OrgError for a body that is no tree."""
    item, rows = org.object(call.path[2]), body_of(call).get("records")
    made = _Tree(org)
    try:
        with org.writing(call) as writer:
            made.create(writer, item, rows, {}, 1)
            if made.failed:
                raise _Refused
    except _Refused:
        return Answer(400, {"hasErrors": True, "results": made.failed})
    return Answer(201, {"hasErrors": False, "results": made.made})
