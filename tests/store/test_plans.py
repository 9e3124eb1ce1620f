"""Plans: windows, choices, applied once, and the plan file with every kind of damage."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from sync.clock import ControlledClock
from sync.errors import BadPlanFile, UsageError
from sync.ids import RunId
from sync.model import RunKind, RunState, Side
from sync.plan import Change, PlanRow, Subject
from sync.store.plans import BIG_PLAN
from sync.store.store import Store, open_store
from tests.store.made import AT, C1, C2, plan, plan_row

RUN = RunId("r1")


def rows() -> list[PlanRow]:
    return [
        plan_row(1),
        plan_row(2, label="Zoë ÅNGSTRÖM <z@example.com>", campaign_id=C2),
        plan_row(
            3, side=Side.PREDICTIVE, change=Change.EMAIL, field="email", before="a@x.org", after="100%_sure@x.org"
        ),
        plan_row(4, side=Side.PREDICTIVE, change=Change.REMOVE, field="member", after=None),
        plan_row(
            5,
            change=Change.EDITION,
            field="edition",
            subject=Subject.EDITION,
            values={"start_date": date(2026, 12, 1), "tested_at": AT, "sent": 3, "active": True, "subject": None},
        ),
    ]


@pytest.fixture
def kept(store: Store) -> Store:
    store.plans.save("p1", iter(rows()), lambda: plan("p1", 5))
    return store


def test_rows_come_back_as_they_were_in_windows_and_by_filter(kept: Store) -> None:
    plans = kept.plans
    assert plans.get("p1") == plan("p1", 5)
    assert plans.rows("p1") == tuple(rows())
    assert [row.seq for row in plans.rows("p1", offset=1, limit=2)] == [2, 3]
    assert [row.seq for row in plans.rows("p1", text="ångström")] == [2]
    assert [row.seq for row in plans.rows("p1", text="%_")] == [3], "wildcards are text"
    assert [row.seq for row in plans.rows("p1", side=Side.PREDICTIVE, change=Change.REMOVE)] == [4]
    assert plans.count("p1", campaign_id=C1) == 4
    assert plans.groups("p1") == (
        (Side.PREDICTIVE, Change.REMOVE, 1),
        (Side.PREDICTIVE, Change.EMAIL, 1),
        (Side.SALESFORCE, Change.LEVEL, 2),
        (Side.SALESFORCE, Change.EDITION, 1),
    )


def test_what_the_operator_rejects_is_not_applied(kept: Store) -> None:
    plans = kept.plans
    assert plans.set_accepted("p1", [1, 99], False) == 1
    assert plans.set_accepted("p1", None, False, change=Change.REMOVE) == 1
    assert plans.rejected("p1") == {1, 4}
    assert [row.seq for row in plans.accepted("p1")] == [2, 3, 5]
    assert [row.seq for row in plans.accepted("p1", side=Side.SALESFORCE, without=[Change.EDITION])] == [2]
    assert [row.seq for row in plans.accepted("p1", changes=[Change.EMAIL], campaign_id=C1)] == [3]
    plans.set_accepted("p1", None, True)
    assert plans.rejected("p1") == set()


def test_a_plan_is_applied_once(kept: Store) -> None:
    kept.plans.mark_applied("p1", RUN)
    assert kept.plans.applied("p1") == RUN
    with pytest.raises(BadPlanFile, match="applied already"):
        kept.plans.mark_applied("p1", RunId("r2"))
    with pytest.raises(BadPlanFile, match="applied already"):
        kept.plans.save("p1", [], plan("p1", 0))


def test_big_plans_tell_how_long_the_next_one_takes(store: Store, clock: ControlledClock) -> None:
    def carried_out(name: str, count: int, seconds: float, state: RunState = RunState.DONE) -> None:
        lease = store.runs.start(RunKind.MANUAL, run_id=RunId(f"run {name}"))
        store.plans.save(name, (plan_row(seq) for seq in range(1, count + 1)), plan(name, count))
        clock.advance(30)
        store.plans.mark_applied(name, lease.run)
        clock.advance(seconds)
        store.runs.end(lease, state)

    carried_out("small", BIG_PLAN - 1, 500)
    carried_out("stopped", BIG_PLAN, 500, RunState.CANCELLED)
    assert store.plans.pace() is None
    carried_out("first", BIG_PLAN, 10)
    assert store.plans.pace() == pytest.approx(10 / BIG_PLAN, rel=0.01)
    carried_out("second", 2 * BIG_PLAN, 2)
    assert store.plans.pace() == pytest.approx(12 / (3 * BIG_PLAN), rel=0.01), (
        "looking at a plan is not carrying it out"
    )
    for number in range(3):
        carried_out(f"later {number}", BIG_PLAN, 1)
    assert store.plans.pace() == pytest.approx(1 / BIG_PLAN, rel=0.01), "only the last ones"


def test_a_plan_whose_rows_did_not_all_come_is_not_there(store: Store) -> None:
    def broken() -> Iterator[PlanRow]:
        yield plan_row(1)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.plans.save("p2", broken(), plan("p2", 2))
    with pytest.raises(ValueError, match="1 came"):
        store.plans.save("p2", [plan_row(1)], plan("p2", 2))
    with pytest.raises(UsageError, match="no plan"):
        store.plans.get("p2")


def test_old_plans_go(kept: Store, clock: ControlledClock) -> None:
    clock.advance(timedelta(days=29).total_seconds())
    assert kept.plans.purge() == 0
    clock.advance(timedelta(days=2).total_seconds())
    assert kept.plans.purge() == 1
    assert kept.plans.count("p1") == 0


def test_a_plan_travels_by_file_with_the_choices(kept: Store, tmp_path: Path) -> None:
    path = tmp_path / "plan.ndjson"
    kept.plans.set_accepted("p1", [2], False)
    kept.plans.export("p1", path)
    assert path.stat().st_mode & 0o077 == 0, "it holds people's addresses"
    with open_store("sqlite://") as other:
        assert other.plans.load(path) == plan("p1", 5)
        assert other.plans.rows("p1") == tuple(rows())
        assert other.plans.rejected("p1") == {2}
        other.plans.mark_applied("p1", RUN)
        with pytest.raises(BadPlanFile, match="applied already"):
            other.plans.load(path)


def _swap(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _edit(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"Sent"', b'"Sunk"'), *lines[2:]]


def _count(lines: list[bytes]) -> list[bytes]:
    end = json.loads(lines[-1])
    return [*lines[:-1], json.dumps(end | {"rows": 6}, separators=(",", ":")).encode() + b"\n"]


def _against_the_owner(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"side":"salesforce"', b'"side":"predictive"'), *lines[2:]]


DAMAGE: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "empty": (lambda _lines: [], "empty"),
    "no trailer": (lambda lines: lines[:-1], "without its last line"),
    "a row missing": (lambda lines: [*lines[:2], *lines[3:]], "rows"),
    "rows swapped": (_swap, "out of order"),
    "a row twice": (lambda lines: [*lines[:2], *lines[1:]], "out of order"),
    "a value edited": (_edit, "digest"),
    "a wrong count": (_count, "6 expected"),
    "cut in a row": (lambda lines: [*lines[:2], lines[2][:40]], "cut off"),
    "a torn row": (lambda lines: [*lines[:2], lines[2][:40] + b"\n", *lines[3:]], "line 3 is no row"),
    "bytes": (lambda lines: [*lines[:2], b"\xff\xfe\n", *lines[3:]], "line 3 is no row"),
    "more after the end": (lambda lines: [*lines, lines[1]], "goes on"),
    "another format": (lambda lines: [lines[0].replace(b'"format":1', b'"format":9', 1), *lines[1:]], "format 9"),
    "other rules": (lambda lines: [lines[0].replace(b'"rules":2', b'"rules":9', 1), *lines[1:]], "rules 9"),
    "a contradicting header": (
        lambda lines: [b'"format":9'.join(lines[0].rsplit(b'"format":1', 1)), *lines[1:]],
        "contradicts",
    ),
    "an edited header": (lambda lines: [lines[0].replace(b"00D", b"00E"), *lines[1:]], "digest"),
    "a torn header": (lambda lines: [lines[0].replace(b"made_at", b"made"), *lines[1:]], "header is damaged"),
    "another file": (lambda _lines: [b'{"type":"version","schema":1}\n'], "no plan file"),
    "no JSON": (lambda _lines: [b"seq,side\n"], "no plan file"),
    "a write against the owner": (_against_the_owner, "owned by predictive"),
    "a torn trailer": (lambda lines: [*lines[:-1], lines[-1][:20]], "last line"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_every_damage_is_found_and_nothing_is_kept(kept: Store, tmp_path: Path, name: str) -> None:
    damage, said = DAMAGE[name]
    path = tmp_path / "plan.ndjson"
    kept.plans.export("p1", path)
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    with open_store("sqlite://") as other:
        with pytest.raises(BadPlanFile, match=said) as caught:
            other.plans.load(path)
        assert str(path) in caught.value.line()
        with pytest.raises(UsageError):
            other.plans.get("p1")
        assert other.plans.count("p1") == 0


def test_a_missing_file_is_said_so(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadPlanFile, match="cannot be read"):
        store.plans.load(tmp_path / "none")
    store.plans.save("p", [], plan("p", 0))
    with pytest.raises(UsageError, match="cannot be written"):
        store.plans.export("p", tmp_path / "no folder" / "plan")


def test_csv_opens_in_a_spreadsheet_and_holds_no_formula(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    store.plans.save("p", [plan_row(1, label='=HYPERLINK("x")', after='a "quoted", text')], plan("p", 1))
    store.plans.export_csv("p", path)
    (line,) = csv.DictReader(path.read_text("utf-8-sig").splitlines())
    assert (line["label"], line["after"], line["accepted"]) == ('\'=HYPERLINK("x")', 'a "quoted", text', "true")
