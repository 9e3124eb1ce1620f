"""Faults as data: which requests they fit, and what happens to those. The rules of both servers, by file or control.

A rule is one JSON object; a file holds a list of them, or an object with the list under ``faults``. ``README`` and
``tests/embedded/faults.example.json`` show the format; ``fault_of`` refuses what is not in it.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

ANSWERS = ("status", "html", "session_expired", "quota", "concurrency")
"""Kinds that answer by themselves: an error of any status, a maintenance page, and the platform's three refusals."""

BREAKS = ("drop_before", "drop_after", "truncate")
"""Kinds that break the connection: before the request is carried out, after it, or in the middle of its answer."""

EFFECTS = ("short_pages", "in_flight", "slow_job", "use_up_quota", "end_sessions")
"""Kinds that change how the org behaves and let the request through."""

WITHIN = ("row", "query")
"""Kinds that fail a row as it is written, or a query as it is run, also within a Composite or a job."""

KINDS = (*ANSWERS, *BREAKS, "latency", *EFFECTS, *WITHIN)


@dataclass(slots=True)
class Fault:
    """A rule: the next ``times`` requests that fit (None: all), after ``after`` that pass, get this fault.

    A request fits by side, method, ``match`` (a text in its address with query), ``pattern`` (a regular expression
    there), ``contains`` (a text in its body) and ``probability`` (drawn from ``seed``). ``commit`` lets an answering
    fault carry the request out first. ``seconds`` delays; of ``in_flight`` and ``slow_job`` it is the clock's time
    until the transaction commits or the job is done. ``object``, ``operation`` and ``ids`` choose rows of a row fault;
    a query fault takes statements with the text ``contains``.
    """

    kind: str
    side: str | None = None
    match: str = ""
    pattern: str | None = None
    contains: str | None = None
    method: str | None = None
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    status: int | None = None
    code: str | None = None
    message: str | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    commit: bool = False
    clean: bool = False
    seconds: float = 0.0
    object: str | None = None
    operation: str | None = None
    ids: list[str] = field(default_factory=list)
    operations: list[Any] = field(default_factory=list)
    rows: int = 200
    polls: int = 0
    state: str | None = None
    remaining: int = 0
    hits: int = 0
    draws: random.Random | None = field(default=None, repr=False, compare=False)

    def shown(self) -> dict[str, Any]:
        """The rule as JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "draws"}


_GIVEN = frozenset(f.name for f in fields(Fault)) - {"hits", "draws"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("match", "pattern", "contains", "method", "code", "message", "object", "operation", "state"), (str,)
    ),
    **dict.fromkeys(("times", "after", "seed", "status", "rows", "polls", "remaining", "nth", "count"), (int,)),
    **dict.fromkeys(("probability", "seconds"), (int, float)),
    **dict.fromkeys(("commit", "clean"), (bool,)),
    "headers": (dict,),
    "ids": (list,),
    "operations": (list,),
}
_NULLABLE = frozenset(
    {"times", "count", "pattern", "contains", "method", "status", "code", "message", "object", "operation", "state"}
)


def fault_of(given: Any) -> Fault:
    """A rule from JSON; ``nth`` is short for the n-th request that fits, ``count`` for ``times``.

    Raises ValueError with what is wrong.
    """
    if not isinstance(given, Mapping):
        raise ValueError("a fault is an object")
    if unknown := sorted(set(given) - _GIVEN - {"nth", "count"}):
        raise ValueError(f"unknown key {unknown[0]}; a fault has {', '.join(sorted(_GIVEN | {'nth', 'count'}))}")
    if given.get("kind") not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}")
    if given.get("side") not in (None, "salesforce", "predictive"):
        raise ValueError("side is salesforce or predictive")
    for name, value in given.items():
        wanted = _TYPES.get(name)
        good = wanted is None or (value is None and name in _NULLABLE)
        if not good and (
            not isinstance(value, wanted or ()) or (isinstance(value, bool) and bool not in (wanted or ()))
        ):
            raise ValueError(f"{name} of a fault cannot be {json.dumps(value)}")
    made = dict(given)
    if "count" in made:
        made["times"] = made.pop("count")
    if "nth" in made:
        made.update(after=made.pop("nth") - 1, times=made.get("times", 1))
    _check(made)
    rule = Fault(**made)
    rule.draws = random.Random(rule.seed)  # noqa: S311 - repeatable by intent
    return rule


def _check(made: Mapping[str, Any]) -> None:
    if made.get("after", 0) < 0 or not 0 <= made.get("probability", 1) <= 1:
        raise ValueError("nth counts from 1, and probability is from 0 to 1")
    if made.get("state") not in (None, "Failed", "Aborted"):
        raise ValueError("state of a slow job is Failed or Aborted")
    if made["kind"] == "in_flight" and not made.get("operations"):
        raise ValueError("a transaction in flight needs operations")
    try:
        re.compile(made.get("pattern") or "")
    except re.error as error:
        raise ValueError(f"pattern is no regular expression: {error}") from None


def read_faults(path: Path) -> list[Any]:
    """The rules of a file, not yet checked. Raises OSError and ValueError, which name the file."""
    try:
        given = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: no JSON: {error}") from None
    rules = given.get("faults") if isinstance(given, dict) else given
    if not isinstance(rules, list):
        raise ValueError(f"{path}: a list of faults, or an object with the list under faults, is needed")
    for number, one in enumerate(rules, 1):
        try:
            fault_of(one)
        except ValueError as error:
            raise ValueError(f"{path}: fault {number}: {error}") from None
    return rules


@dataclass(frozen=True, slots=True)
class Taken:
    """What the rules do to one request: seconds to wait, effects on the org, and at most one answer or break."""

    seconds: float = 0.0
    rule: Fault | None = None
    effects: tuple[Fault, ...] = ()


class Faults:
    """The rules in force; the first that answers or breaks is used, latencies and effects add to it."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self.effect: Callable[[Fault], None] = lambda _rule: None
        self._lock = threading.Lock()

    def add(self, rules: list[Fault]) -> None:
        """Put rules behind those there are."""
        with self._lock:
            self.rules.extend(rules)

    def clear(self) -> None:
        """Take every rule away."""
        with self._lock:
            self.rules.clear()

    def reads_bodies(self, side: str) -> bool:
        """Whether a rule looks into the bodies of this side's requests."""
        return any(rule.contains and rule.side in (None, side) and rule.times != 0 for rule in self.rules)

    def take(self, side: str, method: str, target: str, body: bytes = b"") -> Taken:
        """What happens to a request; counts the rules that it used."""
        delay, effects = 0.0, []
        with self._lock:
            for rule in self.rules:
                if not self._fits(rule, side, method, target, body):
                    continue
                if rule.after > 0:
                    rule.after -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                rule.hits += 1
                if rule.kind in EFFECTS:
                    effects.append(rule)
                    continue
                delay += rule.seconds
                if rule.kind != "latency":
                    return Taken(delay, rule, tuple(effects))
        return Taken(delay, None, tuple(effects))

    @staticmethod
    def _fits(rule: Fault, side: str, method: str, target: str, body: bytes) -> bool:
        if rule.times == 0 or rule.kind in WITHIN or rule.side not in (None, side):
            return False
        data_only = rule.kind in ("session_expired", "quota", "concurrency") or rule.kind in EFFECTS
        if data_only and side == "salesforce" and not target.startswith("/services/data/"):
            return False  # logins and the version list need no session and count against no limit
        if rule.kind in EFFECTS and side != "salesforce":
            return False
        if rule.match not in target or (rule.method is not None and rule.method.upper() != method):
            return False
        if rule.pattern is not None and re.search(rule.pattern, target) is None:
            return False
        if rule.contains and rule.contains.encode() not in body:
            return False
        return rule.probability >= 1.0 or rule.draws is None or rule.draws.random() < rule.probability
