"""Describe, rows and queries: the resources under ``/sobjects``, ``/query`` and ``/queryAll``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.describe import describe_object, summary
from sync.embedded.org.errors import OrgError, SeveralFound, malformed_json, not_found
from sync.embedded.org.ids import decode, encoder
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.soql_columns import query_columns
from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_run import page_size
from sync.embedded.org.soql_scope import Scope, converter
from sync.embedded.org.soql_shape import Shape

TELLS_UPSERTS = 46
"""The first version that answers an upsert with a body whether or not it made a record."""
PAGE_ROWS = "x-sandbox-page-rows"
"""A header that only the sandbox itself sets: a fault's short page."""


def rows_of_page(org: Org, call: Call) -> int:
    """The rows of a page of this request: what its header, the org and a fault allow."""
    most = org.state.switches.page_rows
    forced = call.headers.get(PAGE_ROWS)
    return min(int(forced), most) if forced else page_size(call.headers.get("sforce-query-options"), most)


def body_of(call: Call) -> Mapping[str, Any]:
    """The JSON object of a call's body. Raises OrgError JSON_PARSER_ERROR."""
    if not isinstance(call.body, Mapping):
        raise malformed_json("Unexpected end-of-input: expected a JSON object in the request body")
    return call.body


def _unchanged(org: Org, call: Call) -> bool:
    since = call.headers.get("if-modified-since")
    if not since:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment >= org.described_at


def _modified(org: Org) -> dict[str, str]:
    return {"Last-Modified": format_datetime(org.described_at.astimezone(UTC), usegmt=True)}


def describe_global(org: Org, call: Call) -> Answer:
    """``GET /sobjects``."""
    if _unchanged(org, call):
        return Answer(304, None, _modified(org))
    found = [summary(o, call.version) for o in org.schema.objects]
    return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": found}, _modified(org))


def describe(org: Org, call: Call) -> Answer:
    """``GET /sobjects/X/describe``."""
    item = org.object(call.path[1])
    if _unchanged(org, call):
        return Answer(304, None, _modified(org))
    return Answer(200, describe_object(item, org.schema, call.version), _modified(org))


def basic_information(org: Org, call: Call) -> Answer:
    """``GET /sobjects/X``."""
    item = org.object(call.path[1])
    return Answer(200, {"objectDescribe": summary(item, call.version), "recentItems": []})


def create_row(org: Org, call: Call) -> Answer:
    """``POST /sobjects/X``."""
    item, values = org.object(call.path[1]), body_of(call)
    with org.writing(call) as writer:
        key = writer.create(item, values)
    text = encoder(item.prefix)(key)
    where = {"Location": f"/services/data/v{call.version}/sobjects/{item.name}/{text}"}
    return Answer(201, {"id": text, "success": True, "errors": []}, where)


def key_of(item: ObjectType, text: str) -> int:
    """The row key of an id in an address. Raises OrgError NOT_FOUND."""
    found = decode(text)
    if found is None:
        raise not_found()
    if found[0] != item.prefix:
        raise OrgError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {text}")
    return found[1]


def _missing_is_not_found(error: OrgError) -> OrgError:
    return not_found() if error.code == "INVALID_CROSS_REFERENCE_KEY" and not error.fields else error


def select_fields(org: Org, item: ObjectType, names: list[str] | None) -> tuple[Shape, list[str], Scope, list[str]]:
    """(shape, columns, scope, conditions) to read rows of an object by key. Raises OrgError INVALID_FIELD."""
    scope = Scope(org.view(), item, "t", "")
    fields: list[Field] = []
    for name in names if names is not None else [f.name for f in item.fields]:
        found = item.find(name.strip())
        if found is None:
            raise OrgError("INVALID_FIELD", f"No such column '{name.strip()}' on sobject of type {item.name}")
        fields.append(found)
    shape, columns = Shape(item, 0), ["t.Id"]
    for each in fields:
        if each.name == "Id":
            shape.leaves.append(("Id", 0, encoder(item.prefix)))
            continue
        columns.append(scope.expression(each, "t", (), (1, 1)))
        shape.leaves.append((each.name, len(columns) - 1, converter(each, item)))
    return shape, columns, scope, scope.standing()


def read_row(org: Org, call: Call, item: ObjectType, key: int) -> Answer:
    """One row with the fields that the address asks for. Raises OrgError."""
    wanted = call.query.get("fields")
    shape, columns, scope, conditions = select_fields(org, item, wanted.split(",") if wanted else None)
    sql = f"SELECT {', '.join(columns)} FROM {scope.source()} WHERE {' AND '.join(['t.Id = ?', *conditions])}"
    with org.reading(call) as connection:
        row = connection.execute(sql, (key,)).fetchone()
        gone = (
            row is None
            and item.find("IsDeleted") is not None
            and connection.execute(f"SELECT 1 FROM {item.name} WHERE Id = ? AND IsDeleted = 1", (key,)).fetchone()
        )
    if gone:
        raise OrgError("ENTITY_IS_DELETED", "entity is deleted", status=404)
    if row is None:
        raise not_found()
    return Answer(200, shape.builder(call.version)(row))


def row(org: Org, call: Call) -> Answer:
    """``GET | PATCH | DELETE /sobjects/X/{id}``."""
    item = org.object(call.path[1])
    key = key_of(item, call.path[2])
    if call.method == "GET":
        return read_row(org, call, item, key)
    try:
        with org.writing(call) as writer:
            if call.method == "DELETE":
                writer.delete(item, key)
                return Answer(204)
            values = body_of(call)
            if any(name.lower() == "id" for name in values):
                raise OrgError("INVALID_FIELD", "The Id field should not be specified in the sobject data.", ("Id",))
            writer.update(item, key, values)
    except OrgError as error:
        raise _missing_is_not_found(error) from None
    return Answer(204)


def external_field(item: ObjectType, name: str) -> Field:
    """The external id field of that name. Raises OrgError NOT_FOUND."""
    found = item.find(name)
    if found is None or not (found.external_id or found.type == "id"):
        raise OrgError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
    return found


def external_row(org: Org, call: Call) -> Answer:
    """``GET | PATCH | DELETE /sobjects/X/{external id field}/{value}``; 300 with addresses where several have it."""
    item = org.object(call.path[1])
    external, value = external_field(item, call.path[2]), call.path[3]
    if external.type == "id":
        return row(org, call.inside(path=(*call.path[:2], value)))
    try:
        return _external_row(org, call, item, external, value)
    except SeveralFound as several:
        return Answer(300, [f"/services/data/v{call.version}/{where}" for where in several.addresses])


def _external_row(org: Org, call: Call, item: ObjectType, external: Field, value: str) -> Answer:
    if call.method == "PATCH":
        values = body_of(call)
        if any(name.lower() == external.name.lower() for name in values):
            raise OrgError(
                "INVALID_FIELD",
                (f"The {external.name} field should not be specified in the sobject data."),
                (external.name,),
            )
        with org.writing(call) as writer:
            update_only = call.query.get("updateOnly", "").lower() == "true"
            if update_only and writer.by_external(item, external, value) is None:
                raise not_found()
            key, created = writer.upsert(item, external, value, values)
        if not created and float(call.version) < TELLS_UPSERTS:
            return Answer(204)
        text = encoder(item.prefix)(key)
        return Answer(201 if created else 200, {"id": text, "success": True, "errors": [], "created": created})
    with org.reading(call) as connection:
        found = org.writer(connection).by_external(item, external, value)
    if found is None:
        raise not_found()
    if call.method == "GET":
        return read_row(org, call, item, found)
    with org.writing(call) as writer:
        writer.delete(item, found)
    return Answer(204)


def query(org: Org, call: Call) -> Answer:
    """``GET /query?q=`` and ``GET /queryAll?q=``."""
    explain = call.query.get("explain")
    text = call.query.get("q", explain)
    if text is None:
        raise OrgError("MALFORMED_QUERY", "A query string has to be specified")
    org.state.check_query(text)
    view = org.view(include_deleted=call.path[0].lower() == "queryall")
    if explain is not None:
        return Answer(200, _plans(org, call, text))
    if call.query.get("columns", "").lower() == "true":
        return Answer(200, query_columns(text, view))
    page = rows_of_page(org, call)
    with org.reading(call) as connection:
        return Answer(200, org.queries.run(connection, text, view, version=call.version, page=page))


def _plans(org: Org, call: Call, text: str) -> dict[str, Any]:
    """What ``explain`` answers: one plan that reads the object, since the sandbox has no optimizer of its own."""
    compiled = compile_query(parse(text), org.view())
    with org.reading(call) as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM {compiled.item.name}").fetchone()
    plan = {
        "cardinality": rows,
        "fields": [],
        "leadingOperationType": "TableScan",
        "notes": [],
        "relativeCost": 1.0,
        "sobjectCardinality": rows,
        "sobjectType": compiled.item.name,
    }
    return {"plans": [plan], "sourceQuery": text}


def query_more(org: Org, call: Call) -> Answer:
    """``GET /query/{locator}``."""
    page = rows_of_page(org, call)
    now = org.clock.now().timestamp()
    with org.reading(call) as connection:
        body = org.queries.more(connection, call.path[1], now, version=call.version, page=page)
    return Answer(200, body)
