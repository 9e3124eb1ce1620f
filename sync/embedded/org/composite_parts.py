"""The parts of a Composite: their addresses, references to each other's results, and running them all or none."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_plus

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json, not_found

_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_URL = re.compile(r"/services/data/v(\d+\.\d)(?:/(.*))?\Z", re.DOTALL)
_BARRED = frozenset({"accept", "authorization", "content-type"})
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."
Dispatch = Callable[[Call], Answer]


class _RolledBack(Exception):
    """A part of an all-or-none Composite failed."""


def split_url(url: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """(version, path segments, query) of a resource address. Raises OrgError NOT_FOUND."""
    found = _URL.match(url)
    if found is None:
        raise not_found()
    path, _, query = (found.group(2) or "").partition("?")
    pairs: dict[str, str] = {}
    for part in query.split("&"):
        name, mark, value = part.partition("=")
        if mark:
            pairs[unquote_plus(name)] = unquote_plus(value)
    return found.group(1), tuple(unquote(s) for s in path.strip("/").split("/") if s), pairs


@dataclass(frozen=True, slots=True)
class Part:
    """One request inside another: method, address, name, headers, body."""

    method: str
    url: str
    reference: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Run:
    """The results so far, by the names of their parts."""

    results: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """The value with every reference replaced. Raises OrgError PROCESSING_HALTED."""
        if isinstance(value, str):
            whole = _REFERENCE.fullmatch(value)
            if whole is not None:
                return self._look_up(whole)
            return _REFERENCE.sub(lambda m: str(self._look_up(m)), value)
        if isinstance(value, Mapping):
            return {name: self.resolve(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        return value

    def _look_up(self, match: re.Match[str]) -> Any:
        name, path = match.group(1), match.group(2)
        shown = name + path
        if name not in self.results:
            raise OrgError("PROCESSING_HALTED", f"Invalid reference specified. No value for {shown} found in {name}.")
        status, value = self.results[name]
        if status >= 400:
            raise OrgError(
                "PROCESSING_HALTED",
                (f"Invalid reference specified. No value for {shown} found in {name}. Subrequest {name} failed."),
            )
        for step in _STEP.finditer(path):
            try:
                value = value[step.group(1)] if step.group(1) is not None else value[int(step.group(2))]
            except (KeyError, IndexError, TypeError):
                value = None
            if value is None:
                raise OrgError(
                    "PROCESSING_HALTED", (f"Invalid reference specified. No value for {shown} found in {name}.")
                )
        return value


def references_in(part: Part) -> set[str]:
    """The names of the parts whose results a part refers to."""
    return {match.group(1) for match in _REFERENCE.finditer(f"{part.url}{part.body!r}")}


def parts_of(body: Mapping[str, Any]) -> list[Part]:
    """The parts of a body's ``compositeRequest``. Raises OrgError for what is none."""
    given = body.get("compositeRequest")
    if not isinstance(given, list):
        raise malformed_json("compositeRequest has to be an array")
    parts = []
    for one in given:
        if not isinstance(one, Mapping):
            raise malformed_json("a subrequest has to be an object")
        method, url, reference = one.get("method"), one.get("url"), one.get("referenceId")
        if not isinstance(method, str) or not isinstance(url, str) or not isinstance(reference, str):
            raise malformed_json("a subrequest needs method, url and referenceId")
        if not re.fullmatch(r"[A-Za-z0-9_]+", reference):
            raise malformed_json(
                f"Provided referenceId '{reference}' must only contain letters, numbers and underscores"
            )
        headers = {str(n).lower(): str(v) for n, v in (one.get("httpHeaders") or {}).items()}
        if _BARRED & headers.keys():
            raise OrgError(
                "INVALID_HTTP_HEADER", ("Accept, Authorization and Content-Type are not allowed in httpHeaders")
            )
        parts.append(Part(method.upper(), url, reference, headers, one.get("body")))
    names = [p.reference for p in parts]
    if len(set(names)) != len(names):
        raise OrgError("JSON_PARSER_ERROR", "Duplicate referenceId in compositeRequest")
    return parts


def allowed(org: Org, path: tuple[str, ...]) -> bool:
    """Whether a resource may stand in a Composite: anything under sobjects, collections, and first query pages."""
    if len(path) == 3 and path[0] == "sobjects" and path[2].lower() in ("updated", "deleted"):
        return org.state.switches.replication_in_composite
    if path[:2] == ("composite", "sobjects") or path[:1] == ("sobjects",):
        return True
    pages = 2 if org.state.switches.query_more_in_composite else 1
    return len(path) in range(1, pages + 1) and path[0].lower() in ("query", "queryall")


def one_answer(
    org: Org, call: Call, part: Part, run: Run, dispatch: Dispatch, pinned: sqlite3.Connection | None
) -> Answer:
    """The answer of one part, its references resolved."""
    try:
        version, path, query = split_url(run.resolve(part.url))
        if not allowed(org, path):
            raise not_found()
        headers = {**_carried(call), **part.headers}
        return dispatch(Call(part.method, path, query, headers, run.resolve(part.body), version, pinned))
    except OrgError as error:
        return Answer(error.status, error.envelope())


def _carried(call: Call) -> dict[str, str]:
    return {n: v for n, v in call.headers.items() if n.startswith("sforce-") and n != "sforce-query-options"}


def shown_answer(part: Part, answer: Answer) -> dict[str, Any]:
    """A part's answer as the Composite shows it."""
    return {
        "body": answer.body,
        "httpHeaders": dict(answer.headers),
        "httpStatusCode": answer.status,
        "referenceId": part.reference,
    }


def _failed(answer: Answer) -> bool:
    rows_failed = isinstance(answer.body, list) and any(
        isinstance(r, Mapping) and r.get("success") is False for r in answer.body
    )
    return answer.status >= 400 or rows_failed


def all_or_none(org: Org, call: Call, parts: list[Part], dispatch: Dispatch) -> tuple[list[dict[str, Any]], bool]:
    """Run parts in one transaction: their answers, and whether they are kept. One that fails halts all others."""
    run = Run()
    shown: list[dict[str, Any]] = []
    broken: tuple[Part, Answer] | None = None
    try:
        with org.store.writing() as connection:
            for part in parts:
                answer = one_answer(org, call, part, run, dispatch, connection)
                run.results[part.reference] = (answer.status, answer.body)
                shown.append(shown_answer(part, answer))
                if _failed(answer):
                    broken = (part, answer)
                    raise _RolledBack
    except _RolledBack:
        assert broken is not None
        return [_after(part, broken) for part in parts], False
    return shown, True


def halted(part: Part) -> dict[str, Any]:
    """The answer of a part that another one's failure undid."""
    return shown_answer(part, Answer(400, OrgError("PROCESSING_HALTED", _HALTED).envelope()))


def _after(part: Part, broken: tuple[Part, Answer]) -> dict[str, Any]:
    if part is not broken[0]:
        return halted(part)
    answer = broken[1]
    return shown_answer(part, Answer(400 if answer.status < 400 else answer.status, answer.body))
