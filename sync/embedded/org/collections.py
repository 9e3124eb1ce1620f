"""sObject Collections: up to 200 rows written, or 2,000 read, in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError, malformed_json
from sync.embedded.org.external_ids import ExternalIds, given_id
from sync.embedded.org.ids import decode, encoder
from sync.embedded.org.resources import body_of, external_field, select_fields
from sync.embedded.org.schema import ObjectType

MOST_WRITTEN = 200
MOST_READ = 2_000
_MOST_CHUNKS = 10
_ROLLED_BACK = OrgError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
Step = Callable[[Writer], dict[str, Any]]


class _Undone(Exception):
    """A row failed in an all-or-none collection; carries the whole answer."""

    def __init__(self, results: list[dict[str, Any]]) -> None:
        super().__init__("rolled back")
        self.results = results


def _result(error: OrgError, key: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"id": key} if key is not None else {}
    return {**body, "success": False, "errors": [error.row()]}


def _writes_in_steps(call: Call) -> bool:
    """Whether a row may fail after part of it was written; every other object is checked whole before its write."""
    rows = call.body.get("records") if isinstance(call.body, Mapping) else None
    return any(_kind(r) == "CampaignMemberStatus" for r in rows or () if isinstance(r, Mapping))


def _carry_out(org: Org, call: Call, steps: Sequence[tuple[str | None, Step]], *, all_or_none: bool) -> Answer:
    """Run the rows' steps in one transaction and collect their results in order."""
    results: list[dict[str, Any]] = []
    failed = False
    careful = _writes_in_steps(call)
    try:
        with org.writing(call) as writer:
            connection = writer.connection
            for key, step in steps:
                if careful:
                    connection.execute("SAVEPOINT one")
                try:
                    results.append(step(writer))
                except OrgError as error:
                    if careful:
                        connection.execute("ROLLBACK TO one")
                    failed = True
                    results.append(_result(error, key))
                if careful:
                    connection.execute("RELEASE one")
            if failed and all_or_none:
                raise _Undone(results)
    except _Undone as undone:
        results = [
            _result(_ROLLED_BACK, key) if one["success"] else one
            for (key, _), one in zip(steps, undone.results, strict=True)
        ]
    return Answer(200, results)


def _too_many(count: int, most: int = MOST_WRITTEN) -> None:
    if count > most:
        raise OrgError(
            "EXCEEDED_ID_LIMIT", (f"record limit reached. cannot submit more than {most} records into this call")
        )


def _records(call: Call) -> tuple[list[Mapping[str, Any]], bool]:
    body = body_of(call)
    rows = body.get("records")
    if not isinstance(rows, list) or not all(isinstance(r, Mapping) for r in rows):
        raise malformed_json("The request body has to hold an array of records")
    _too_many(len(rows))
    kinds = [_kind(r) for r in rows]
    if sum(1 for i, kind in enumerate(kinds) if not i or kind != kinds[i - 1]) > _MOST_CHUNKS:
        raise OrgError(
            "LIMIT_EXCEEDED",
            ("Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking."),
        )
    return rows, body.get("allOrNone") is True


def _kind(values: Mapping[str, Any]) -> Any:
    attributes = values.get("attributes")
    return attributes.get("type") if isinstance(attributes, Mapping) else None


def create(org: Org, call: Call) -> Answer:
    """``POST /composite/sobjects``."""
    rows, all_or_none = _records(call)

    def step(values: Mapping[str, Any]) -> Step:
        def run(writer: Writer) -> dict[str, Any]:
            item = org.row_object(_kind(values))
            return {"id": encoder(item.prefix)(writer.create(item, values)), "success": True, "errors": []}

        return run

    return _carry_out(org, call, [(None, step(r)) for r in rows], all_or_none=all_or_none)


def _target(org: Org, text: Any, item: ObjectType | None) -> tuple[ObjectType, int, str]:
    found = decode(text) if isinstance(text, str) else None
    owner = org.schema.of_prefix(found[0]) if found is not None else None
    if found is None or owner is None or (item is not None and owner is not item):
        label = f"{item.label} ID" if item is not None else "Record ID"
        raise OrgError("MALFORMED_ID", f"{label}: id value of incorrect type: {text}", ("Id",))
    return owner, found[1], encoder(owner.prefix)(found[1]) if found[1] >= 0 else text


def _id_of(values: Mapping[str, Any]) -> Any:
    return next((v for n, v in values.items() if n.lower() == "id"), None)


def update(org: Org, call: Call) -> Answer:
    """``PATCH /composite/sobjects``."""
    rows, all_or_none = _records(call)

    def step(values: Mapping[str, Any]) -> Step:
        def run(writer: Writer) -> dict[str, Any]:
            text = _id_of(values)
            if text is None:
                raise OrgError("MISSING_ARGUMENT", "Id not specified in an update call")
            item, key, shown = _target(org, text, org.row_object(_kind(values)))
            writer.update(item, key, values)
            return {"id": shown, "success": True, "errors": []}

        return run

    def shown(values: Mapping[str, Any]) -> str | None:
        text = _id_of(values)
        return text if isinstance(text, str) and decode(text) is not None else None

    return _carry_out(org, call, [(shown(r), step(r)) for r in rows], all_or_none=all_or_none)


def upsert(org: Org, call: Call) -> Answer:
    """``PATCH /composite/sobjects/X/{external id field}``."""
    item = org.object(call.path[2])
    external = external_field(item, call.path[3])
    rows, all_or_none = _records(call)
    ids = ExternalIds(item, external, rows)

    def step(values: Mapping[str, Any]) -> Step:
        def run(writer: Writer) -> dict[str, Any]:
            if _kind(values) is not None and org.row_object(_kind(values)) is not item:
                raise OrgError("INVALID_TYPE", f"Record type must be {item.name}")
            if _id_of(values) is not None and external.type != "id":
                raise OrgError("INVALID_FIELD", "The Id field should not be specified in the sobject data.", ("Id",))
            given = given_id(external, values)
            ids.check(given)
            key, created = writer.upsert(item, external, given, values)
            return {"id": encoder(item.prefix)(key), "success": True, "errors": [], "created": created}

        return run

    return _carry_out(org, call, [(None, step(r)) for r in rows], all_or_none=all_or_none)


def delete(org: Org, call: Call) -> Answer:
    """``DELETE /composite/sobjects?ids=…``."""
    ids = [part.strip() for part in call.query.get("ids", "").split(",") if part.strip()]
    if not ids:
        raise OrgError("MISSING_ARGUMENT", "The ids parameter is required")
    _too_many(len(ids))

    def step(text: str) -> Step:
        def run(writer: Writer) -> dict[str, Any]:
            item, key, shown = _target(org, text, None)
            writer.delete(item, key)
            return {"id": shown, "success": True, "errors": []}

        return run

    all_or_none = call.query.get("allOrNone", "").lower() == "true"
    known = [text if decode(text) is not None else None for text in ids]
    return _carry_out(org, call, [(k, step(t)) for k, t in zip(known, ids, strict=True)], all_or_none=all_or_none)


def retrieve(org: Org, call: Call) -> Answer:
    """``GET | POST /composite/sobjects/X``: rows by id, null for what is not there or not visible."""
    item = org.object(call.path[2])
    if call.method == "POST":
        body = body_of(call)
        ids, fields = body.get("ids"), body.get("fields")
    else:
        ids = [i for i in call.query.get("ids", "").split(",") if i]
        fields = [f for f in call.query.get("fields", "").split(",") if f]
    texts = isinstance(fields, list) and all(isinstance(name, str) for name in fields)
    if not isinstance(ids, list) or not isinstance(fields, list) or not fields or not texts:
        raise OrgError("MISSING_ARGUMENT", "ids and fields are required")
    _too_many(len(ids), MOST_READ)
    keys = [(decode(i) or ("", -1)) if isinstance(i, str) else ("", -1) for i in ids]
    wanted = [key if prefix == item.prefix else -1 for prefix, key in keys]
    shape, columns, scope, conditions = select_fields(org, item, fields)
    where = " AND ".join(["t.Id IN (SELECT value FROM json_each(?))", *conditions])
    sql = f"SELECT {', '.join(columns)} FROM {scope.source()} WHERE {where}"
    with org.reading(call) as connection:
        rows = connection.execute(sql, (msgspec.json.encode(wanted).decode(),)).fetchall()
    build = shape.builder(call.version)
    found = {row[0]: build(row) for row in rows}
    return Answer(200, [found.get(key) for key in wanted])
