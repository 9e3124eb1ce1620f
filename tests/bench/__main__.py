"""``make bench``: measure, write results.json, print the README's tables from it."""

from tests.bench import calls, merge, startup
from tests.bench.report import Measure, write


def main() -> None:
    """Run every group in one go."""
    found: list[Measure] = []
    for group in (startup.measures, calls.measures, merge.measures):
        for measure in group():
            print(f"{measure.group}: {measure.name}: {measure.median:,.1f} {measure.unit} (holds: {measure.holds})")
            found.append(measure)
    write(found)


if __name__ == "__main__":
    main()
