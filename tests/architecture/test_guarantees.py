"""The README's guarantee sheet names tests: each of them exists, and none of the six promises is missing."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHEET = (ROOT / "README.md").read_text("utf-8").partition("## The guarantee sheet")[2].partition("\n## ")[0]
ROWS = [line for line in SHEET.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_promise_names_tests() -> None:
    assert {match[1] for row in ROWS if (match := re.match(r"\| \*\*(\d)\.\*\*", row))} == set("123456")
    assert all(NAMED.search(row) for row in ROWS)


def test_every_named_test_exists() -> None:
    for path, name in NAMED.findall(SHEET):
        text = (ROOT / path).read_text("utf-8")
        assert re.search(rf"^(?:async )?def {name or 'test_'}", text, re.MULTILINE), f"{path}::{name}"
