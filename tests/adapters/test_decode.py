"""Values from the wire: ids, instants, statements."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.ids import to18
from sync.salesforce.decode import id18, instant
from sync.salesforce.errors import missing_column
from sync.salesforce.soql import Select, among, text
from sync.salesforce.soql import instant as literal

ID15 = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=15, max_size=15)


@given(ID15, st.sampled_from(["", "AAA", "aaa", "ZZZ"]))
def test_the_quick_id_is_the_id(first: str, tail: str) -> None:
    assert id18(first + tail) == to18(first + tail)


@pytest.mark.parametrize("wrong", ["", "701", "701gL000000FJWy QAO", "701gL000000FJWyöAO", "701gL000000FJWyQA'"])
def test_what_is_no_id_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce id"):
        id18(wrong)
    with pytest.raises(ValueError, match="not an id"):
        among("Id", [wrong])


def test_instants() -> None:
    at = datetime(2026, 11, 23, 1, 0, 5, tzinfo=UTC)
    assert instant("2026-11-23T01:00:05.000+0000") == at
    assert instant("2026-11-23T02:00:05.000+0100") == at
    assert literal(at) == "2026-11-23T01:00:05Z"


def test_statements() -> None:
    select = Select(("Id",), "Lead", ("A = 1",)).having("", "B = 2").page("00Q", 5)
    assert select.text() == "SELECT Id FROM Lead WHERE A = 1 AND B = 2 AND Id > '00Q' ORDER BY Id LIMIT 5"
    chained = Select(("Id",), "Lead").page("@{p0.records[1999].Id}", None).path("66.0")
    assert "@{p0.records[1999].Id}" in chained, "the reference must stay readable"
    assert " " not in chained
    assert text("O'Neil\\") == "'O\\'Neil\\\\'"


@pytest.mark.parametrize(
    ("message", "column"),
    [
        ("No such column 'A__c' on entity 'CampaignMember'. If you are", ("CampaignMember", "A__c")),
        ("No such column 'A__c' on sobject of type Lead", ("Lead", "A__c")),
        ("Something else", None),
    ],
)
def test_the_missing_column_is_found(message: str, column: tuple[str, str] | None) -> None:
    assert missing_column(message) == column
