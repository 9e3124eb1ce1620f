"""Composite Graph: graphs of single-row requests that refer to each other, each carried out whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.embedded.org.composite_parts import (
    Dispatch,
    Part,
    all_or_none,
    halted,
    parts_of,
    references_in,
    split_url,
)
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json
from sync.embedded.org.resources import body_of

MOST_NODES, MOST_GRAPHS, DEPTH, KINDS, MOST_FAILED = 500, 75, 15, 15, 14


def _too_many(most: int, what: str) -> OrgError:
    return OrgError("LIMIT_EXCEEDED", f"The request can’t contain more than {most} {what}.")


def _ordered(parts: list[Part]) -> list[Part]:
    """Every node after those that it refers to. Raises OrgError for circles and for too long chains."""
    by_name = {part.reference: part for part in parts}
    depth: dict[str, int] = {}

    def visit(part: Part, above: tuple[str, ...]) -> int:
        if part.reference in above:
            raise OrgError("INVALID_INPUT", f"The node {part.reference} refers to itself.")
        if part.reference not in depth:
            wanted = [by_name[name] for name in references_in(part) if name in by_name]
            depth[part.reference] = 1 + max((visit(one, (*above, part.reference)) for one in wanted), default=0)
        return depth[part.reference]

    if max((visit(part, ()) for part in parts), default=0) > DEPTH:
        raise _too_many(DEPTH, "levels in a graph")
    return sorted(parts, key=lambda part: depth[part.reference])


def _check(part: Part) -> str:
    """The object of a node's address. Raises OrgError for what is no single row."""
    _, path, _ = split_url(part.url)
    if path[:1] != ("sobjects",) or len(path) < 2 or path[-1].lower() in ("describe", "updated", "deleted"):
        raise OrgError("INVALID_INPUT", f"The address of {part.reference} cannot be part of a graph.")
    return path[1].lower()


def _graphs(body: Mapping[str, Any]) -> list[tuple[str, list[Part]]]:
    given = body.get("graphs")
    if not isinstance(given, list) or not all(isinstance(g, Mapping) for g in given):
        raise malformed_json("graphs has to be an array")
    found = [(str(graph.get("graphId")), parts_of(graph)) for graph in given]
    if len(found) > MOST_GRAPHS:
        raise _too_many(MOST_GRAPHS, "graphs")
    if sum(len(parts) for _, parts in found) > MOST_NODES:
        raise _too_many(MOST_NODES, "nodes")
    if len({name for name, _ in found}) != len(found):
        raise OrgError("INVALID_INPUT", "Duplicate graphId in the request")
    return found


def graph(org: Org, call: Call, dispatch: Dispatch) -> Answer:
    """``POST /composite/graph``. Raises OrgError for what breaks a limit."""
    answers, failed = [], 0
    for name, parts in _graphs(body_of(call)):
        if len({_check(part) for part in parts}) > KINDS:
            raise _too_many(KINDS, "kinds of nodes in a graph")
        ordered = _ordered(parts)
        if failed >= MOST_FAILED:
            shown, good = [halted(part) for part in parts], False
        else:
            shown, good = all_or_none(org, call, ordered, dispatch)
        failed += not good
        place = {part.reference: number for number, part in enumerate(parts)}
        shown = sorted(shown, key=lambda one: place[one["referenceId"]])
        answers.append({"graphId": name, "graphResponse": {"compositeResponse": shown}, "isSuccessful": good})
    return Answer(200, {"graphs": answers})
