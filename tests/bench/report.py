"""What a measurement is, and how the README's tables are printed from it."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

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


def write(measures: list[Measure]) -> None:
    """Write results.json (commit, date, raw runs) and the tables between the README's bench marks."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    document = {
        "commit": commit,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {__import__('os').cpu_count()} cores",
        "measures": [asdict(measure) for measure in measures],
    }
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{START}\n{table(document, measures)}\n{END}{after}", encoding="utf-8")


def table(document: dict[str, object], measures: list[Measure]) -> str:
    """Markdown tables, one a group, from the medians."""
    out = [f"Measured by `make bench` on {document['date']} ({document['machine']}, Python {document['python']})."]
    for group in dict.fromkeys(measure.group for measure in measures):
        out += ["", f"| {group} | measured | beside | line | holds |", "| --- | ---: | --- | --- | --- |"]
        for measure in measures:
            if measure.group != group:
                continue
            beside = ", ".join(f"{name} {_figure(statistics.median(runs))}" for name, runs in measure.beside.items())
            holds = {True: "yes", False: "**no**", None: "–"}[measure.holds]
            out.append(
                f"| {measure.name} | {_figure(measure.median)} {measure.unit} | {beside or '–'} "
                f"| {measure.line or '–'} | {holds} |"
            )
    return "\n".join(out)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"
