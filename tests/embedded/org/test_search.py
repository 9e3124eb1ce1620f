"""SOSL: words in the text fields of several objects at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded.org.conftest import Api, make_api


@pytest.fixture(scope="module")
def found() -> Iterator[Api]:
    """An org with a few people to look for."""
    made = make_api()
    rows = [
        {"LastName": n, "Company": c, "Email": e, "Title": "T'1"}
        for n, c, e in (("Zyxa", "Acme", "a@zyx.example"), ("Other", "Zyxwork", None))
    ]
    made.collection("POST", rows, "Lead")
    made.collection("POST", [{"LastName": "Zyxb", "FirstName": "Ann"}], "Contact")
    yield made
    made.http.close()
    made.built.org.store.close()


@pytest.mark.parametrize(
    ("sosl", "names"),
    [
        ("FIND {zyx} RETURNING Lead(LastName ORDER BY LastName), Contact(LastName)", ["Other", "Zyxa", "Zyxb"]),
        ("find {ZYX*} in name fields returning Lead(LastName), Contact(LastName)", ["Zyxa", "Zyxb"]),
        ("FIND {zyx} IN EMAIL FIELDS RETURNING Lead(LastName), Contact(LastName)", ["Zyxa"]),
        ('FIND {ann AND "zyxb"} RETURNING Lead(LastName), Contact(LastName)', ["Zyxb"]),
        ("FIND {zyx} RETURNING Lead(LastName WHERE Company = 'Acme' LIMIT 5)", ["Zyxa"]),
        ("FIND {zyx} RETURNING Lead(LastName ORDER BY LastName DESC) LIMIT 1", ["Zyxa"]),
        ("FIND {T\\'1} RETURNING Lead(LastName ORDER BY LastName)", ["Other", "Zyxa"]),
        ("FIND {zyxb OR zyxa} RETURNING Lead(LastName), Contact(LastName)", ["Zyxa", "Zyxb"]),
        ("FIND {zyx AND NOT acme} RETURNING Lead(LastName), Contact(LastName)", ["Other", "Zyxb"]),
        ("FIND {nobody at all} RETURNING Lead(LastName)", []),
    ],
)
def test_words_are_found(found: Api, sosl: str, names: list[str]) -> None:
    records = found.call("GET", "/search", params={"q": sosl})["searchRecords"]
    assert [r["LastName"] for r in records] == names


def test_without_returning_every_object_is_looked_through(found: Api) -> None:
    records = found.call("GET", "/search", params={"q": "FIND {zyx}"})["searchRecords"]
    assert sorted(r["attributes"]["type"] for r in records) == ["Contact", "Lead", "Lead"]
    params = {"q": "zyx", "sobject": "Lead", "Lead.fields": "Id,Company", "overallLimit": "1"}
    (one,) = found.call("GET", "/parameterizedSearch", params=params)["searchRecords"]
    assert one["Company"] == "Acme"
    lead = {"name": "Lead", "fields": ["Id", "Company"], "where": "Company = 'Acme'", "limit": 1}
    body = {"q": "zyx", "sobjects": [lead, {"name": "Contact"}], "in": "ALL"}
    records = found.call("POST", "/parameterizedSearch", json=body)["searchRecords"]
    assert [(r["attributes"]["type"], r.get("Company")) for r in records] == [("Lead", "Acme"), ("Contact", None)]
    assert found.error("POST", "/parameterizedSearch", 400, json={"q": "zyx", "sobjects": ["Lead"]})[0]


@pytest.mark.parametrize(
    ("sosl", "code"),
    [
        ("FIND zyx RETURNING Lead", "MALFORMED_SEARCH"),
        ("FIND {z} RETURNING Lead", "MALFORMED_SEARCH"),
        ("FIND {zyx OR } RETURNING Lead", "MALFORMED_SEARCH"),
        ("FIND {zyx} RETURNING Nope", "INVALID_TYPE"),
        ("FIND {zyx} RETURNING Lead(Nope)", "INVALID_FIELD"),
    ],
)
def test_refused_searches(found: Api, sosl: str, code: str) -> None:
    assert found.error("GET", "/search", 400, params={"q": sosl})[0] == code


def test_a_limit_that_is_none(found: Api) -> None:
    params = {"q": "zyx", "sobject": "Lead", "overallLimit": "few"}
    assert found.error("GET", "/parameterizedSearch", 400, params=params)[0] == "MALFORMED_SEARCH"
