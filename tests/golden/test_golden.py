"""Every golden case is as it says, the folder covers what it has to, and each case fails without its rule."""

from __future__ import annotations

from typing import Any

import pytest

from sync.rules import EVERY_RULE
from tests.engine.world import World
from tests.golden.case import Case, cases
from tests.golden.play import play

CASES = cases()
QUICK = {"01", "07", "17", "31", "40"}
"""Numbers of the cases that the quick tests play; all of them belong to the slow ones."""


def _name(case: Case) -> str:
    return case.name


def _quick_or_not(case: Case) -> Any:
    return case if case.name[:2] in QUICK else pytest.param(case, marks=pytest.mark.slow)


@pytest.mark.parametrize("case", [_quick_or_not(case) for case in CASES], ids=_name)
def test_golden(world: World, case: Case) -> None:
    assert play(world, case) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_without_its_rule_the_case_fails(world: World, case: Case) -> None:
    assert play(world, case, EVERY_RULE - {case.rule}) != []


def test_every_rule_has_a_case() -> None:
    assert len(CASES) >= 30
    assert EVERY_RULE - {case.rule for case in CASES} == set()
