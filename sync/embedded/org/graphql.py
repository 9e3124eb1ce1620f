"""``/graphql``: queries of objects through ``uiapi``; up to ten in one request, and each of them counts as a call."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError
from sync.embedded.org.graphql_parse import GraphError, Selection, parse_graphql
from sync.embedded.org.resources import body_of
from sync.embedded.org.schema import ObjectType

MOST_QUERIES, MOST_ROWS, FEW_ROWS = 10, 2_000, 10
TYPE_NAME = "__typename"
_OPERATORS = {"eq": "=", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "like": "LIKE"}
_QUOTED = frozenset({"id", "reference", "string", "textarea", "email", "phone", "url", "picklist", "multipicklist"})


def _refused(message: str, kind: str = "InvalidSyntax") -> Answer:
    error = {"message": message, "locations": [], "path": [], "extensions": {"ErrorType": kind}}
    return Answer(200, {"data": {}, "errors": [error]})


def graphql(org: Org, call: Call, take: Callable[[], bool]) -> Answer:
    """``POST /graphql``. ``take`` counts one more call, and says whether it may go on."""
    body = body_of(call)
    text, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(text, str) or not isinstance(variables, Mapping):
        return _refused("A query is needed")
    try:
        queries = _queries(parse_graphql(text, variables, body.get("operationName") or None))
        for _ in queries[1:]:
            if not take():
                raise OrgError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        found = {one.shown: _one(org, call, one) for one in queries}
    except GraphError as error:
        return _refused(str(error))
    except OrgError as error:
        if error.code == "REQUEST_LIMIT_EXCEEDED":
            raise
        return _refused(error.message, "DataFetchingException")
    return Answer(200, {"data": {"uiapi": {"query": found}}, "errors": []})


def _queries(selections: tuple[Selection, ...]) -> tuple[Selection, ...]:
    roots = [one for one in selections if one.name == "uiapi"]
    queries = tuple(two for one in roots for inner in one.inner if inner.name == "query" for two in inner.inner)
    if not queries or len(roots) != len(selections):
        raise GraphError("Only uiapi { query { … } } is supported")
    if len(queries) > MOST_QUERIES:
        raise GraphError(f"A request may hold at most {MOST_QUERIES} queries")
    return queries


def _literal(kind: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):  # dates are given as {value: "…"} or {literal: TODAY}
        return str(value.get("value", value.get("literal")))
    text = str(value)
    if kind in _QUOTED:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return text


def _condition(item: ObjectType, given: Mapping[str, Any], path: str = "") -> str:
    if not isinstance(given, Mapping):
        raise GraphError("Validation error: a condition has to be an object")
    parts = []
    for name, value in given.items():
        if name in ("and", "or") and isinstance(value, list):
            inner = [_condition(item, one, path) for one in value]
            parts.append("(" + f" {name.upper()} ".join(f"({one})" for one in inner) + ")")
        elif name == "not" and isinstance(value, Mapping):
            parts.append(f"(NOT ({_condition(item, value, path)}))")
        else:
            parts.append(_comparisons(item, name, value, path))
    return " AND ".join(parts)


def _comparisons(item: ObjectType, name: str, value: Any, path: str) -> str:
    found = item.find(name)
    if found is None or not isinstance(value, Mapping):
        raise GraphError(f"Validation error: the field '{name}' is not defined for {item.name}")
    parts = []
    for operator, given in value.items():
        if operator in ("in", "nin"):
            if not isinstance(given, list):
                raise GraphError(f"Validation error: '{operator}' needs a list")
            values = ", ".join(_literal(found.type, one) for one in given)
            parts.append(f"{path}{name} {'NOT IN' if operator == 'nin' else 'IN'} ({values})")
        elif operator in _OPERATORS:
            parts.append(f"{path}{name} {_OPERATORS[operator]} {_literal(found.type, given)}")
        else:
            raise GraphError(f"Validation error: the operator '{operator}' is not defined")
    return " AND ".join(parts)


def _fields(org: Org, item: ObjectType, node: Selection, path: str = "") -> list[str]:
    found = []
    for one in node.inner:
        if one.name == TYPE_NAME:
            continue
        link = item.by_relationship.get(one.name.lower())
        if link is not None and item.find(one.name) is None:
            found += _fields(org, org.schema.get(link.reference_to[0]), one, f"{path}{one.name}.")
        else:
            found.append(path + one.name)
    return found


def _record(record: Mapping[str, Any] | None, node: Selection) -> dict[str, Any] | None:
    if record is None:
        return None
    shown: dict[str, Any] = {}
    for one in node.inner:
        value = next((v for n, v in record.items() if n.lower() == one.name.lower()), None)
        if one.name == TYPE_NAME:
            shown[one.shown] = record["attributes"]["type"]
        elif one.name.lower() == "id":
            shown[one.shown] = value
        elif isinstance(value, Mapping) or not {i.name for i in one.inner} <= {"value", "displayValue"}:
            shown[one.shown] = _record(value, one)
        else:
            parts = {"value": value, "displayValue": None if value is None else str(value)}
            shown[one.shown] = {i.shown: parts.get(i.name) for i in one.inner}
    return shown


def _one(org: Org, call: Call, query: Selection) -> dict[str, Any]:
    item = org.schema.find(query.name)
    edges = query.child("edges")
    node = edges.child("node") if edges is not None else None
    if item is None:
        raise GraphError(f"Validation error: the field '{query.name}' is not defined in RecordQuery")
    first, after = query.arguments.get("first", FEW_ROWS), query.arguments.get("after")
    if not isinstance(first, int) or not 1 <= first <= MOST_ROWS:
        raise GraphError(f"first has to be from 1 to {MOST_ROWS}")
    offset = _offset(after)
    names = _fields(org, item, node) if node is not None else []
    chosen = ", ".join(dict.fromkeys([*(n for n in names if n.lower() != "id"), "Id"]))
    where = query.arguments.get("where")
    text = f"FROM {item.name}" + (f" WHERE {_condition(item, where)}" if where else "")
    page = f"SELECT {chosen} {text}{_order(query.arguments.get('orderBy'))} LIMIT {offset + first + 1}"
    with org.reading(call) as connection:
        view = org.view()
        rows = org.queries.run(connection, page, view, version=call.version, page=MOST_ROWS + offset + 1)["records"]
        total = org.queries.run(connection, f"SELECT COUNT() {text}", view, version=call.version)["totalSize"]
    part = rows[offset : offset + first]
    shown = []
    for number, row in enumerate(part, offset + 1):
        edge = {"node": _record(row, node) if node is not None else {}, "cursor": _cursor(number)}
        shown.append(
            {one.shown: edge[one.name] for one in (edges.inner if edges is not None else ()) if one.name in edge}
        )
    end = _cursor(offset + len(part))
    info = {"hasNextPage": len(rows) > offset + first, "endCursor": end, "hasPreviousPage": offset > 0}
    known = {"edges": shown, "totalCount": total, "pageInfo": info}
    return {one.shown: known[one.name] for one in query.inner if one.name in known}


def _cursor(number: int) -> str:
    return base64.b64encode(f"v1:{number}".encode()).decode()


def _offset(after: Any) -> int:
    if after is None:
        return 0
    try:
        return int(base64.b64decode(str(after), validate=True).decode().removeprefix("v1:"))
    except ValueError:
        raise GraphError(f"after is no cursor: {after}") from None


def _order(given: Any) -> str:
    if not isinstance(given, Mapping) or not given:
        return " ORDER BY Id"
    keys = []
    for name, how in given.items():
        how = how if isinstance(how, Mapping) else {}
        nulls = f" NULLS {how['nulls']}" if "nulls" in how else ""
        keys.append(f"{name} {how.get('order', 'ASC')}{nulls}")
    return f" ORDER BY {', '.join(keys)}, Id"
