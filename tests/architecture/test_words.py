"""A count and its noun agree wherever people read them: ``sync.words.plural`` puts them together, no f-string does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.words import plural

ROOT = Path(__file__).parents[2]
NOUNS = [
    "accounts",
    "batches",
    "calls",
    "campaigns",
    "changes",
    "days",
    "differences",
    "editions",
    "e-mails",
    "entries",
    "errors",
    "fields",
    "files",
    "hits",
    "holds",
    "hours",
    "ids",
    "jobs",
    "mails",
    "members",
    "minutes",
    "opt-outs",
    "outcomes",
    "people",
    "persons",
    "places",
    "records",
    "requests",
    "rows",
    "runs",
    "seconds",
    "simulations",
    "statuses",
    "steps",
    "ticks",
    "times",
    "tries",
    "values",
    "workers",
]
BESIDE = "API|Salesforce|service|test|member|live|new|open|failed|queued|global|bulk"
SLIP = re.compile(rf"^ (?:(?:{BESIDE}) )*(?:{'|'.join(NOUNS)})\b")
FOR_DEVELOPERS = {"ValueError", "TypeError", "AssertionError", "expect"}
"""What a mistake of the program is told with, and what the tour holds its own figures against: no words for people."""


def slips(source: str) -> Iterator[tuple[int, str]]:
    """Line and words of each f-string in which a noun in the plural follows a value, whatever that value is."""
    tree = ast.parse(source)
    aside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FOR_DEVELOPERS)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr) or id(node) in aside:
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant) and not _fits(value):
                found = SLIP.match(str(text.value))
                if found:
                    yield node.lineno, f"{{{ast.unparse(value.value)}}}{found[0]}"


def _fits(value: ast.FormattedValue) -> bool:
    """True for a constant of the program, which is no count that could be one, and for a measure such as 0.5."""
    measured = value.format_spec is not None and ast.unparse(value.format_spec)[-2:-1] in "fg"
    return measured or (isinstance(value.value, ast.Name) and value.value.id.isupper())


@pytest.mark.parametrize("package", ["sync", "console"])
def test_no_count_is_put_beside_a_noun_in_the_plural_by_hand(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {words}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if "embedded" not in path.parts
        for line, words in slips(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


def test_a_count_that_is_put_there_is_found() -> None:
    assert [words for _, words in slips('x = f"{n} rows, {self.most} API calls and {len(it):,} test members"')] == [
        "{n} rows",
        "{self.most} API calls",
        "{len(it)} test members",
    ]
    assert not list(slips('x = f"{plural(n, \'row\')} of {name}"\nraise ValueError(f"{n} rows")'))


@pytest.mark.parametrize(
    ("count", "one", "many", "said"),
    [
        (0, "row", "", "0 rows"),
        (1, "row", "", "1 row"),
        (2, "row", "", "2 rows"),
        (12_480, "member", "", "12,480 members"),
        (1, "person", "people", "1 person"),
        (3, "person", "people", "3 people"),
    ],
)
def test_one_is_no_plural(count: int, one: str, many: str, said: str) -> None:
    assert plural(count, one, many) == said
