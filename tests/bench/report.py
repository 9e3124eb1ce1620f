"""What a measurement is, and how the README's tables are printed from it."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "bench" / "results.json"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table: a name, the line it should hold, raw runs in *unit*, and what stands beside it."""

    group: str
    name: str
    unit: str
    runs: list[float]
    line: str = ""
    holds: bool | None = None
    beside: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def median(self) -> float:
        """The median of the raw runs."""
        return statistics.median(self.runs)


def write(section: str, measures: list[Measure]) -> None:
    """Put a section's raw runs, with commit and date, into results.json, and all tables between the README's marks."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    document = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    sections = document.get("sections", {})
    sections[section] = {
        "commit": commit,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "measures": [asdict(measure) for measure in measures],
    }
    RESULTS.write_text(json.dumps({"sections": sections}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{START}\n{tables(sections)}\n{END}{after}", encoding="utf-8")


def tables(sections: dict[str, Any]) -> str:
    """Markdown tables, one a group, from the medians."""
    groups: dict[str, list[str]] = {}
    told: dict[str, str] = {}
    for section in sections.values():
        when = f"{section['date']} ({section['machine']}, Python {section['python']})"
        for raw in section["measures"]:
            groups.setdefault(raw["group"], []).append(row(Measure(**raw)))
            told[raw["group"]] = when
    out = ["Measured by `make bench`: " + "; ".join(f"{group.lower()} {when}" for group, when in told.items()) + "."]
    if len(set(told.values())) == 1:
        out = [f"Measured by `make bench` on {next(iter(told.values()))}."]
    for group, rows in groups.items():
        out += ["", f"| {group} | measured | beside | line | holds |", "| --- | ---: | --- | --- | --- |", *rows]
    return "\n".join(out)


def row(measure: Measure) -> str:
    """One line of a table."""
    beside = ", ".join(f"{name} {_figure(statistics.median(runs))}" for name, runs in measure.beside.items())
    holds = {True: "yes", False: "**no**", None: "–"}[measure.holds]
    return (
        f"| {measure.name} | {_figure(measure.median)} {measure.unit} | {beside or '–'} "
        f"| {measure.line or '–'} | {holds} |"
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"
