"""Subtotals, types of owners, local days, and words that may follow others: SOQL beyond what the engine asks."""

from __future__ import annotations

import pytest

from tests.embedded.org.conftest import Api


@pytest.fixture
def rated(api: Api) -> Api:
    """Leads of two sources and two ratings under one name."""
    kinds = [("Web", "Hot"), ("Web", "Hot"), ("Web", "Cold"), ("Web", None), ("Phone", "Hot")]
    rows = [{"LastName": "Rated", "Company": source, "Title": title} for source, title in kinds]
    assert all(row["success"] for row in api.collection("POST", rows, "Lead"))
    return api


WHERE = "FROM Lead WHERE LastName = 'Rated'"


def table(api: Api, select: str, tail: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in api.rows(f"SELECT {select} {WHERE} {tail}")]


def test_rollup_lists_each_group_before_its_subtotal(rated: Api) -> None:
    select = "Company, Title, GROUPING(Company) c, GROUPING(Title) t, COUNT(Id) n"
    assert table(rated, select, "GROUP BY ROLLUP(Company, Title)") == [
        ("Phone", "Hot", 0, 0, 1),
        ("Phone", None, 0, 1, 1),
        ("Web", None, 0, 0, 1),
        ("Web", "Cold", 0, 0, 1),
        ("Web", "Hot", 0, 0, 2),
        ("Web", None, 0, 1, 4),
        (None, None, 1, 1, 5),
    ]


def test_cube_has_every_choice_of_keys(rated: Api) -> None:
    found = table(rated, "Company, Title, COUNT(Id) n", "GROUP BY CUBE(Company, Title) ORDER BY COUNT(Id) DESC")
    assert len(found) == 10
    assert found[0] == (None, None, 5)
    assert (None, "Hot", 3) in found


def test_totals_are_filtered_limited_and_ordered(rated: Api) -> None:
    tail = "GROUP BY ROLLUP(Company) HAVING COUNT(Id) > 1 ORDER BY Company DESC NULLS LAST LIMIT 2"
    assert table(rated, "Company, COUNT(Id) n", tail) == [("Web", 4), (None, 5)]
    only = "GROUP BY ROLLUP(Company) HAVING GROUPING(Company) = 1"
    assert table(rated, "COUNT(Id) n", only) == [(5,)]
    ordered = "GROUP BY ROLLUP(Company) ORDER BY GROUPING(Company) DESC, Company"
    assert table(rated, "Company, COUNT(Id) n", ordered)[0] == (None, 5)


@pytest.mark.parametrize(
    ("soql", "place", "words"),
    [
        ("SELECT GROUPING(Company) g, COUNT(Id) n FROM Lead GROUP BY Company", "Row:1:Column:8", "GROUPING"),
        ("SELECT COUNT(Id) n FROM Lead GROUP BY ROLLUP(Company), Title", "Row:1:Column:54", "unexpected token: ','"),
        (
            "SELECT COUNT(Id) n FROM Lead GROUP BY CUBE(Company, Title, City, Country)",
            "Row:1:Column:66",
            "at most 3 fields",
        ),
        ("SELECT Id FROM Lead WITH NOTHING", "Row:1:Column:26", "unexpected token: 'NOTHING'"),
        ("SELECT Id FROM Lead USING SCOPE theirs", "Row:1:Column:33", "unexpected token: 'theirs'"),
        ("SELECT Id FROM Lead FOR SALE", "Row:1:Column:25", "unexpected token: 'SALE'"),
        ("SELECT Id FROM Lead UPDATE ALL", "Row:1:Column:28", "unexpected token: 'ALL'"),
        ("SELECT TYPEOF Owner WHEN User THEN Id FROM Lead", "Row:1:Column:39", "unexpected token: 'FROM'"),
        ("SELECT TYPEOF CreatedBy WHEN User THEN Id END FROM Lead", "Row:1:Column:15", "TYPEOF"),
    ],
)
def test_what_is_malformed_says_where(api: Api, soql: str, place: str, words: str) -> None:
    code, message = api.error("GET", "/query", 400, params={"q": soql})
    assert code == "MALFORMED_QUERY"
    assert f"ERROR at {place}\n{words}" in message


def test_owners_by_their_type(api: Api) -> None:
    soql = "SELECT Id, TYPEOF Owner WHEN User THEN Username, Id WHEN Group THEN Name ELSE Name END FROM Lead LIMIT 1"
    owner = api.one(soql)["Owner"]
    assert (owner["attributes"]["type"], set(owner)) == ("User", {"attributes", "Username", "Id"})
    other = api.one("SELECT TYPEOF Owner WHEN Group THEN Name ELSE Name END FROM Lead LIMIT 1")["Owner"]
    assert set(other) == {"attributes", "Name"}
    none = api.one("SELECT TYPEOF Owner WHEN Group THEN Name END FROM Lead LIMIT 1")["Owner"]
    assert set(none) == {"attributes"}
    soql = "SELECT TYPEOF Owner WHEN Campaign THEN Name END FROM Lead"
    assert api.error("GET", "/query", 400, params={"q": soql})[0] == "INVALID_TYPE"


def test_days_and_hours_in_the_users_time_zone(api: Api) -> None:
    """At 09:00 UTC on 1 March the clock of the org's zone shows another hour."""
    (lead,) = api.people(1)
    hours = (
        f"SELECT HOUR_IN_DAY(CreatedDate) u, HOUR_IN_DAY(convertTimezone(CreatedDate)) z FROM Lead WHERE Id = '{lead}' "
    )
    found = api.one(hours + "GROUP BY HOUR_IN_DAY(CreatedDate), HOUR_IN_DAY(convertTimezone(CreatedDate))")
    offset = api.built.org.identity.zone.utcoffset(api.clock.now().replace(tzinfo=None))
    assert offset is not None
    assert offset.total_seconds(), "a zone that differs from UTC, or this proves nothing"
    assert (found["z"] - found["u"]) * 3600 == offset.total_seconds()
    day = f"SELECT Id FROM Lead WHERE DAY_ONLY(convertTimezone(CreatedDate)) = 2027-03-01 AND Id = '{lead}'"
    assert len(api.rows(day)) == 1


@pytest.mark.parametrize("tail", ["FOR REFERENCE", "UPDATE VIEWSTAT", "UPDATE TRACKING, VIEWSTAT"])
def test_words_about_views_change_no_answer(api: Api, tail: str) -> None:
    assert len(api.rows(f"SELECT Id FROM Lead LIMIT 1 {tail}")) == 1
