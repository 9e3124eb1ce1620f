"""The merge of a campaign beside DuckDB's full outer join of the same SQLite file, in the same run, at three sizes.

Both sides and base are in the state as landing leaves them; 1 % is changed (0.4 e-mail, 0.3 status, 0.2 added, 0.1
removed). Each measurement is a process of its own, so that its peak of memory is its own; imports and opening are not
timed, and memory is what the process took beyond what it had after them. Ours finds the keys that differ, fetches their
rows and merges each into plan rows, on one core; DuckDB joins the same rows on all cores and gives those that differ.
Beside it stands what DuckDB takes to give only their keys.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sync.digest import org_digest, service_digest
from sync.model import OrgMember
from tests.bench.report import ROOT, Measure

GROUP = "Merge, 1 % changed"
SIZES = (10_000, 100_000, 1_000_000)
RUNS = {10_000: 5, 100_000: 5, 1_000_000: 3}
MOST_MIB = 150
FACTOR = 2.0
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
BENCH_PACKAGES = ("duckdb", "duckdb_extension_sqlite_scanner")


# ---------------------------------------------------------------- the file


def build(path: Path, members: int) -> int:
    """Put *members* agreed members into a state and change 1 % of them on the org's side; how many differ.

    The rows are those that landing writes, put in without its look at what was there before, which is not measured.
    """
    from sync.settle import settle
    from sync.store.database import CHUNK, chunks
    from sync.store.rows import BASE_FIELDS, ORG_COLUMNS, SERVICE_COLUMNS, base_row, org_row, service_row
    from sync.store.schema import base_member, org_member, service_member
    from sync.store.store import open_store
    from sync.store.types import to_micros
    from tests.store.made import org, service

    emails, statuses, added, removed = (members * share // 1000 for share in (4, 3, 2, 1))
    step = members // (emails + statuses + removed)
    stamp = to_micros(AT)

    def changed(number: int, row: OrgMember) -> OrgMember | None:
        place, rest = divmod(number, step)
        if rest or place >= emails + statuses + removed:
            return row
        if place < emails:
            return dataclasses.replace(row, email=f"new{number}@example.com")
        return dataclasses.replace(row, status="Responded") if place < emails + statuses else None

    with open_store(path) as store:
        for some in chunks(range(members + added), 10 * CHUNK):
            orgs, services, bases = [], [], []
            for number in some:
                row = org(number, active=True, synced=AT)
                if number < members:
                    other = service(number)
                    services.append(service_row(other, None))
                    digests = (org_digest(row), service_digest(other))
                    bases.append(base_row(settle(row, other, None, off=frozenset(), digests=digests)))
                now = changed(number, row) if number < members else row
                if now is not None:
                    orgs.append(org_row(now, primary=True, at=stamp, run=None))
            with store.database.write() as conn:
                store.database.bulk(conn, org_member, ORG_COLUMNS, orgs)
                store.database.bulk(conn, service_member, SERVICE_COLUMNS, services)
                store.database.bulk(conn, base_member, BASE_FIELDS, bases)
        with store.database.engine.connect() as conn:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return emails + statuses + added + removed


# ---------------------------------------------------------------- one measurement, in a process of its own


def ours(path: Path) -> Callable[[], int]:
    """The store's statement and the merge; gives how many members differed."""
    from sync.draft import MergeContext
    from sync.merge import merge
    from sync.model import RunKind
    from sync.store.store import open_store
    from tests.store.made import C1, campaign

    store = open_store(path)
    context = MergeContext(RunKind.MANUAL, campaign().labels, AT)

    def work() -> int:
        rows = found = 0
        for one, other, agreed in store.members.differing(C1):
            rows += len(merge(one, other, agreed, context).rows)
            found += 1
        if rows < found:
            raise RuntimeError(f"{found} members differ and only {rows} rows came of them")
        return found

    return work


_JOIN = """
SELECT {chosen}
FROM (SELECT {base} FROM d.base_member WHERE campaign_id = $c) b
FULL OUTER JOIN (SELECT {org} FROM d.org_member WHERE campaign_id = $c AND is_primary) o ON o.person_id = b.person_id
FULL OUTER JOIN (SELECT {service} FROM d.service_member WHERE campaign_id = $c) s
  ON s.person_id = coalesce(b.person_id, o.person_id)
WHERE o.digest IS DISTINCT FROM b.org_digest OR s.digest IS DISTINCT FROM b.service_digest
"""
_ROWS = _JOIN.format(chosen="b.*, o.*, s.*", base="*", org="*", service="*")
_KEYS = _JOIN.format(
    chosen="coalesce(b.person_id, o.person_id, s.person_id)",
    base="person_id, org_digest, service_digest",
    org="person_id, digest",
    service="person_id, digest",
)


def theirs(path: Path, statement: str) -> Callable[[], int]:
    """DuckDB's full outer join over the attached SQLite file; gives how many members differed."""
    import duckdb

    from tests.store.made import C1

    found = importlib.util.find_spec("duckdb_extension_sqlite_scanner")
    assert found is not None
    assert found.origin is not None
    (extension,) = Path(found.origin).parent.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")
    # Nothing is fetched from anywhere: the extension is the wheel's file, and DuckDB may not look for another.
    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    conn = duckdb.connect(":memory:", config=options)
    conn.load_extension(str(extension))
    conn.execute(f"ATTACH '{path}' AS d (TYPE sqlite, READ_ONLY)")
    return lambda: len(conn.execute(statement, {"c": C1}).fetchall())


SUBJECTS: dict[str, Callable[[Path], Callable[[], int]]] = {
    "ours": ours,
    "DuckDB": lambda path: theirs(path, _ROWS),
    "keys only": lambda path: theirs(path, _KEYS),
}


def measure_here(subject: str, path: Path) -> dict[str, float]:
    """Time and memory of one pass in this process."""
    work = SUBJECTS[subject](path)
    before = _start_peak()
    began = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - began
    return {"found": found, "seconds": seconds, "mib": (_memory("VmHWM") - before) / 1024}


def _start_peak() -> int:
    """Let the kernel count this process's peak from now on, for it starts with that of the process that forked it;
    what it holds now, in KiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


def _apart(subject: str, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.merge", subject, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{subject}: {done.stderr[-800:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


# ---------------------------------------------------------------- the table


def measures() -> list[Measure]:
    """Time and memory at each size, ours and DuckDB's taking turns."""
    with_duckdb = all(importlib.util.find_spec(name) for name in BENCH_PACKAGES)
    found: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="bench-merge-") as folder:
        for size in SIZES:
            path = Path(folder) / f"{size}.db"
            found += _of_size(path, size, build(path, size), with_duckdb)
            for each in path.parent.glob(f"{path.name}*"):
                each.unlink()
    return found


def _of_size(path: Path, size: int, expected: int, with_duckdb: bool) -> list[Measure]:
    subjects = [name for name in SUBJECTS if with_duckdb or name == "ours"]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in subjects}
    for _ in range(RUNS[size]):
        for name in subjects:
            result = _apart(name, path)
            if result["found"] != expected:
                raise RuntimeError(f"{name} found {result['found']:g} of {expected} members that differ")
            runs[name].append(result)
    times = {name: [result["seconds"] * 1000 for result in of] for name, of in runs.items()}
    memory = {name: [result["mib"] for result in of] for name, of in runs.items()}
    mine, taken = times.pop("ours"), memory.pop("ours")
    holds = statistics.median(mine) <= FACTOR * statistics.median(times["DuckDB"]) if with_duckdb else None
    return [
        Measure(GROUP, f"{size:,} members, time", "ms", mine, "≤ 2 × DuckDB's full outer join", holds, times),
        Measure(
            GROUP,
            f"{size:,} members, peak memory",
            "MiB",
            taken,
            f"≤ {MOST_MIB} MiB",
            statistics.median(taken) <= MOST_MIB,
            memory,
        ),
    ]


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1], Path(sys.argv[2]))))
