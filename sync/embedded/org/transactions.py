"""Changes made beside the API: at once, or held uncommitted so that their stamps are older than their commit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.embedded.org.conversion import convert_lead, merge_people
from sync.embedded.org.core import Org
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError, not_found
from sync.embedded.org.ids import decode, encoder

Operation = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Held:
    operations: tuple[Operation, ...]
    stamp: int
    holds: frozenset[tuple[str, int]]
    until: float | None


def operations_of(body: Mapping[str, Any]) -> tuple[Operation, ...]:
    """The operations of a control request: a list, or one given directly."""
    given = body.get("operations")
    found = tuple(given) if isinstance(given, list) else (body,)
    if not all(isinstance(one, Mapping) for one in found):
        raise OrgError("JSON_PARSER_ERROR", "operations has to be an array of objects")
    return found


class Transactions:
    """Applies operations of other users of the org. Each is ``{"op", "object", "id", "values"}``.

    ``op`` is create, update (the default with an id), delete, undelete (out of the recycle bin, with what went there
    with it), convert (a lead), or merge (``id`` takes ``loser`` in).
    """

    def __init__(self, org: Org) -> None:
        self._org = org
        self._held: dict[str, _Held] = {}
        self._count = 0
        self._lock = threading.Lock()

    def apply(self, operations: Sequence[Operation]) -> list[str]:
        """Carry out operations in one transaction; the ids of the rows they touched."""
        with self._org.store.writing() as connection:
            writer = self._org.writer(connection)
            return [self._one(writer, operation) for operation in operations]

    def begin(self, operations: Sequence[Operation], seconds: float | None = None) -> tuple[str, int]:
        """Hold operations uncommitted; (name, stamp their rows will carry). The rows are locked until then.

        With ``seconds`` they are committed by themselves once the org's clock has passed so many.
        """
        holds = frozenset(
            (self._org.schema.of_prefix(found[0]).name, found[1])  # type: ignore[union-attr]
            for one in operations
            if one.get("id") and (found := decode(str(one["id"]))) and self._org.schema.of_prefix(found[0])
        )
        with self._lock:
            self._count += 1
            name, stamp = f"t{self._count}", self._org.seconds()
            until = None if seconds is None else self._org.clock.now().timestamp() + float(seconds)
            self._held[name] = _Held(tuple(operations), stamp, holds, until)
            self._org.state.held[name] = stamp
        with self._org.store.lock:
            self._org.state.locked |= holds
        return name, stamp

    def open(self) -> list[str]:
        """The names of the transactions that are held."""
        with self._lock:
            return list(self._held)

    def settle(self) -> None:
        """Commit what is due by the clock."""
        if not self._held:
            return
        now = self._org.clock.now().timestamp()
        for name in [n for n, held in tuple(self._held.items()) if held.until is not None and held.until <= now]:
            with contextlib.suppress(OrgError):  # another request settled it, or its rows are gone meanwhile
                self.end(name, commit=True)

    def end(self, name: str, *, commit: bool) -> list[str]:
        """Commit a held transaction, or roll it back; the ids of its rows. Raises OrgError for unknown names."""
        with self._lock:
            held = self._held.pop(name, None)
        if held is None:
            raise not_found()
        try:
            if not commit:
                return []
            with self._org.store.writing() as connection:
                writer = self._org.writer(connection, stamp=held.stamp, holds=held.holds)
                return [self._one(writer, operation) for operation in held.operations]
        finally:
            with self._org.store.lock:
                self._org.state.held.pop(name, None)
                others = frozenset[tuple[str, int]]().union(*(h.holds for h in self._held.values()))
                self._org.state.locked -= held.holds - others

    def _key(self, text: Any) -> tuple[str, int]:
        found = decode(str(text))
        owner = self._org.schema.of_prefix(found[0]) if found is not None else None
        if found is None or owner is None:
            raise OrgError("MALFORMED_ID", f"id value of incorrect type: {text}")
        return owner.name, found[1]

    def _one(self, writer: Writer, operation: Operation) -> str:
        values = operation.get("values") or {}
        kind = operation.get("op") or ("update" if operation.get("id") else "create")
        if kind == "create":
            item = self._org.row_object(operation.get("object"))
            return encoder(item.prefix)(writer.create(item, values))
        name, key = self._key(operation.get("id"))
        item = self._org.schema.get(name)
        if kind == "update":
            writer.update(item, key, values)
        elif kind == "delete":
            writer.delete(item, key)
        elif kind == "undelete":
            writer.undelete(item, key)
        elif kind == "convert":
            into = operation.get("contact")
            return encoder("003")(convert_lead(writer, key, self._key(into)[1] if into else None))
        elif kind == "merge":
            merge_people(writer, name, key, self._key(operation.get("loser"))[1])
        else:
            raise OrgError("JSON_PARSER_ERROR", f"unknown operation {kind}")
        return encoder(item.prefix)(key)
