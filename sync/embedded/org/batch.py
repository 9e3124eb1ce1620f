"""Composite Batch: up to 25 independent requests in one HTTP request; each counts as a call of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sync.embedded.org.composite_parts import Dispatch, split_url
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json, not_found
from sync.embedded.org.resources import body_of

MOST = 25
_ALLOWED = frozenset({"sobjects", "query", "queryall", "search", "limits"})
_HALTED = OrgError("BATCH_PROCESSING_HALTED", "Batch processing halted per request", status=412)
Take = Callable[[], bool]


def _parts(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = body.get("batchRequests")
    if not isinstance(parts, list) or not all(isinstance(p, Mapping) for p in parts) or not parts:
        raise malformed_json("batchRequests has to be an array of requests")
    if len(parts) > MOST:
        raise OrgError("LIMIT_EXCEEDED", f"The request can’t contain more than {MOST} operations.")
    return parts


def _one(call: Call, part: Mapping[str, Any], dispatch: Dispatch) -> Answer:
    method, url = part.get("method"), part.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise malformed_json("a subrequest needs method and url")
    head = "" if url.lstrip("/").startswith("services/") else "/services/data"
    version, path, query = split_url(f"{head}/{url.lstrip('/')}")
    if not path or path[0].lower() not in _ALLOWED:
        raise not_found()
    headers = {n: v for n, v in call.headers.items() if n.startswith("sforce-")}
    return dispatch(Call(method.upper(), path, query, headers, part.get("richInput"), version))


def batch(_org: Org, call: Call, dispatch: Dispatch, take: Take) -> Answer:
    """``POST /composite/batch``. ``take`` counts one more call, and says whether it may go on."""
    body = body_of(call)
    results: list[dict[str, Any]] = []
    failed = False
    for number, part in enumerate(_parts(body)):
        try:
            if failed and body.get("haltOnError") is True:
                raise _HALTED
            if number and not take():
                raise OrgError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            answer = _one(call, part, dispatch)
        except OrgError as error:
            answer = Answer(error.status, error.envelope())
        failed = failed or answer.status >= 400
        results.append({"statusCode": answer.status, "result": answer.body})
    return Answer(200, {"hasErrors": failed, "results": results})
