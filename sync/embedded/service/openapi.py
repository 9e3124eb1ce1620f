"""The OpenAPI 3.1 document, made of the same operations and types that answer the requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sync.embedded.service import wire
from sync.embedded.service.operation import Operation
from sync.embedded.service.problems import MEDIA_TYPE

_REASONS = {
    400: "The body is not JSON.",
    401: "The bearer token is missing or wrong.",
    404: "There is no such thing.",
    409: "The present state refuses it, or the first request with this key is in progress.",
    503: "The mail could not be handed over.",
    410: "The cursor has expired; read the lists again.",
    422: "A value is wrong (`errors` points to it), or the key was used for another request.",
}
_PROBLEM = {
    "title": "Problem",
    "description": "Problem details, RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def document(operations: Sequence[Operation], version: str, public_url: str) -> dict[str, Any]:
    """The whole document."""
    types = [kind for op in operations for kind in (op.request, op.answer) if kind is not None]
    types += wire.CHANGED
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    components["Change"]["properties"]["data"] = {"anyOf": [_ref(kind) for kind in wire.CHANGED]}
    components["Problem"] = _PROBLEM
    paths: dict[str, Any] = {}
    for op in operations:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Predictive service", "version": version},
        "servers": [{"url": public_url or "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(op: Operation) -> dict[str, Any]:
    writes = op.method != "GET"
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", op.path)
    ]
    parameters += [
        {"name": p.name, "in": "query", "required": False, "schema": dict(p.schema), "description": p.about}
        for p in op.query
    ]
    if writes:
        parameters += [
            {"name": name, "in": "header", "required": False, "schema": {"type": "string", "maxLength": 255}}
            for name in ("Idempotency-Key", "Predictive-Client")
        ]
    shown: dict[str, Any] = {"operationId": op.name, "summary": op.about, "parameters": parameters}
    if op.request is not None:
        shown["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(op.request)}}}
    refusals = {401, *op.refusals, *((409, 422) if writes else ())}
    answer = {"application/json": {"schema": _ref(op.answer)}}
    shown["responses"] = {
        **{str(status): {"description": "Done.", "content": answer} for status in op.statuses},
        **{
            str(status): {
                "description": _REASONS[status],
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
            for status in sorted(refusals)
        },
    }
    return shown


def _ref(kind: type) -> dict[str, str]:
    assert issubclass(kind, msgspec.Struct)
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
