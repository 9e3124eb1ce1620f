"""A golden case as it is written: a TOML file with sentences that people can read. README.md tells the grammar."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.rules import Rule

FOLDER = Path(__file__).parent / "cases"

KEYS = {"title", "rule", "about", "start", "step", "end"}
START = {"leads", "contacts", "type", "guards", "auto_sync", "do"}
STEP = {"do", "run", "plan", "state", "counts", "says", "without_deletes", "allow", "reason", "confirm", "accept"}
END = {"salesforce", "predictive", "equal", "warned"}

NOTHING = "(nothing)"


class Unreadable(Exception):
    """A case file says something that is not in the grammar."""


@dataclass(frozen=True, slots=True)
class Step:
    """What people and systems do, the run after it, and what is expected of that run."""

    do: tuple[str, ...] = ()
    run: str | None = None
    plan: tuple[str, ...] | None = None
    state: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    choice: dict[str, Any] = field(default_factory=dict)
    accept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One case."""

    name: str
    title: str
    rule: Rule
    start: dict[str, Any]
    steps: tuple[Step, ...]
    end: dict[str, Any]


def _known(table: dict[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise Unreadable(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")


def read_case(path: Path) -> Case:
    """The case of a file. Raises Unreadable."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    _known(content, KEYS, path.name)
    _known(content.get("start", {}), START, f"{path.name}, start")
    _known(content.get("end", {}), END, f"{path.name}, end")
    steps = []
    for number, step in enumerate(content.get("step", ()), 1):
        _known(step, STEP, f"{path.name}, step {number}")
        steps.append(
            Step(
                do=tuple(step.get("do", ())),
                run=step.get("run"),
                plan=tuple(step["plan"]) if "plan" in step else None,
                state=step.get("state"),
                counts=step.get("counts", {}),
                says=tuple(step.get("says", ())),
                choice={key: step[key] for key in ("without_deletes", "allow", "reason", "confirm") if key in step},
                accept=tuple(step.get("accept", ())),
            )
        )
    return Case(
        name=path.stem,
        title=content["title"],
        rule=Rule(content["rule"]),
        start=content.get("start", {}),
        steps=tuple(steps),
        end=content.get("end", {}),
    )


def cases() -> list[Case]:
    """Every case, by file name."""
    return [read_case(path) for path in sorted(FOLDER.glob("*.toml"))]


def value_of(text: str) -> Any:
    """A value as a sentence writes it: ``yes``, ``no``, ``(nothing)``, a whole number, or text."""
    text = text.strip()
    if text in ("yes", "no"):
        return text == "yes"
    if text in (NOTHING, ""):
        return None
    return int(text) if re.fullmatch(r"\d+", text) else text


def text_of(value: Any) -> str:
    """The inverse of ``value_of``."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def fields_of(text: str) -> dict[str, Any]:
    """``email = a@b.org, status = Sent`` as values by name."""
    out = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign:
            raise Unreadable(f"{part.strip()!r} is no 'field = value'")
        out[name.strip()] = value_of(value)
    return out
