"""``make bench``: measure, write results.json and the README's tables from it; ``make bench ONLY="calls night"`` some.

What is not measured this time keeps the result it had, with the commit and the date of its own measurement.
"""

import sys
from collections.abc import Callable, Iterable

from tests.bench import calls, console, end_to_end, merge, night, startup, week
from tests.bench.report import Measure, write

SECTIONS: dict[str, Callable[[], Iterable[Measure]]] = {
    "startup": startup.measures,
    "console": console.measures,
    "calls": calls.measures,
    "night": night.measures,
    "verify": night.verified,
    "week": week.measures,
    "end": end_to_end.measures,
    "merge": merge.measures,
}


def main(wanted: list[str]) -> int:
    """Run the sections; exit code 2 for a name that is none."""
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        print(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    for section in wanted or SECTIONS:
        found: list[Measure] = []
        for measure in SECTIONS[section]():
            print(f"{measure.group}: {measure.name}: {measure.median:,.1f} {measure.unit} (holds: {measure.holds})")
            sys.stdout.flush()
            found.append(measure)
        write(section, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
