"""Composite: up to 25 requests in one call, with references from one to the results of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from sync.embedded.org.composite_parts import (
    Dispatch,
    Part,
    Run,
    all_or_none,
    one_answer,
    parts_of,
    references_in,
    shown_answer,
)
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.relations import counts_as_query
from sync.embedded.org.resources import body_of

MOST = 25
MOST_HEAVY = 5


def _is_heavy(org: Org, part: Part) -> bool:
    """Whether a part counts among the five queries and collections."""
    path = tuple(unquote(step) for step in part.url.partition("?")[0].strip("/").split("/")[3:])
    if path and (path[0].lower() in ("query", "queryall") or path[:2] == ("composite", "sobjects")):
        return True
    return org.state.switches.relationship_urls_count and counts_as_query(org, path)


def _collated(parts: list[Part]) -> list[Part]:
    """The parts as an org may run them that collates: those that refer to nothing and have no headers come first,
    those of one method and object together, the latest first."""

    def free(part: Part) -> bool:
        return not part.headers and not references_in(part)

    groups: dict[tuple[str, str], list[Part]] = {}
    for part in reversed([p for p in parts if free(p)]):
        groups.setdefault((part.method, part.url.partition("?")[0]), []).append(part)
    return [*(p for group in groups.values() for p in reversed(group)), *(p for p in parts if not free(p))]


def _limit_answer(message: str) -> Answer:
    body = [{"errorCode": "LIMIT_EXCEEDED", "message": message}]
    return Answer(
        200, {"compositeResponse": [{"body": body, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": None}]}
    )


def composite(org: Org, call: Call, dispatch: Dispatch) -> Answer:
    """``POST /composite``."""
    body = body_of(call)
    parts = parts_of(body)
    if org.state.switches.collate and body.get("collateSubrequests") is not False:
        parts = _collated(parts)
    if len(parts) > MOST:
        return _limit_answer(f"The request can’t contain more than {MOST} operations.")
    if sum(_is_heavy(org, part) for part in parts) > MOST_HEAVY:
        return _limit_answer(
            f"The request can’t contain more than {MOST_HEAVY} sObject Collections or query operations."
        )
    if body.get("allOrNone") is True:
        return Answer(200, {"compositeResponse": _as_asked(body, all_or_none(org, call, parts, dispatch)[0])})
    run, shown = Run(), []
    for part in parts:
        answer = one_answer(org, call, part, run, dispatch, None)
        run.results[part.reference] = (answer.status, answer.body)
        shown.append(shown_answer(part, answer))
    return Answer(200, {"compositeResponse": _as_asked(body, shown)})


def _as_asked(body: Mapping[str, Any], shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = {one["referenceId"]: number for number, one in enumerate(body["compositeRequest"])}
    return sorted(shown, key=lambda one: order[one["referenceId"]])
