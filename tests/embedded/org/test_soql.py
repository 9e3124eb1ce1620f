"""SOQL: grammar, meaning, answers and the wording of errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.embedded.org.conftest import Api

NO_COLUMN = (
    "\nSELECT Nope FROM Lead\n       ^\nERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Lead'. If you are "
    "attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference "
    "your WSDL or the describe call for the appropriate names."
)
FIRST = "SELECT Id FROM Campaign ORDER BY CreatedDate LIMIT 1"


def names(api: Api, where: str) -> list[str | None]:
    return sorted(
        str(r["FirstName"]) for r in api.rows(f"SELECT FirstName FROM Lead WHERE Company = 'Soql' AND {where}")
    )


@pytest.fixture(scope="module")
def leads(shared: Api) -> Api:
    rows = [
        {"FirstName": "Ann", "LastName": "A", "Company": "Soql", "Title": "Boss", "DoNotCall": True},
        {"FirstName": "bob", "LastName": "B", "Company": "Soql", "Title": None, "PAM__Score__c": 5},
        {"FirstName": "Ζωή", "LastName": "C", "Company": "Soql", "Title": "100%", "PAM__Score__c": 7.5},
        {"FirstName": "O'Hara", "LastName": "D", "Company": "Soql", "Title": "a_b"},
    ]
    assert all(r["success"] for r in shared.collection("POST", rows, "Lead"))
    return shared


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("FirstName = 'ANN'", ["Ann"]),
        ("FirstName = 'ΖΩΉ'", ["Ζωή"]),
        ("FirstName = 'O\\'Hara'", ["O'Hara"]),
        ("Title != 'boss'", ["O'Hara", "bob", "Ζωή"]),
        ("Title = null", ["bob"]),
        ("Title = ''", ["bob"]),
        ("Title != null", ["Ann", "O'Hara", "Ζωή"]),
        ("NOT Title = 'Boss'", ["O'Hara", "bob", "Ζωή"]),
        ("Title IN ('BOSS', 'a_b')", ["Ann", "O'Hara"]),
        ("Title NOT IN ('BOSS', 'a_b')", ["bob", "Ζωή"]),
        ("Title IN ('Boss', null)", ["Ann", "bob"]),
        ("Title LIKE '%\\%'", ["Ζωή"]),
        ("Title LIKE 'a\\_b'", ["O'Hara"]),
        ("FirstName LIKE 'b%'", ["bob"]),
        ("FirstName LIKE 'ζ_ή'", ["Ζωή"]),
        ("FirstName > 'a' AND FirstName < 'c'", ["Ann", "bob"]),
        ("DoNotCall = true", ["Ann"]),
        ("DoNotCall != TRUE", ["O'Hara", "bob", "Ζωή"]),
        ("PAM__Score__c >= 5", ["bob", "Ζωή"]),
        ("PAM__Score__c > 5.5", ["Ζωή"]),
        ("PAM__Score__c IN (5, 7.5)", ["bob", "Ζωή"]),
        ("(DoNotCall = true OR PAM__Score__c = 5) AND LastName != 'A'", ["bob"]),
        ("CreatedDate = TODAY", ["Ann", "O'Hara", "bob", "Ζωή"]),
        ("CreatedDate < TODAY", []),
        ("CreatedDate = LAST_N_DAYS:3 AND LastName = 'A'", ["Ann"]),
        ("CreatedDate >= 2027-03-01T10:00:00+01:00 AND LastName = 'B'", ["bob"]),
        ("CreatedDate > 2027-03-01T23:59:59Z", []),
    ],
)
def test_conditions(leads: Api, where: str, found: list[str]) -> None:
    assert names(leads, where) == found


TEXTS = st.sampled_from([None, "Boss", "boss", "BOSS", "100%", "Ärzte", "ärzte", "ΣΊΣΥΦΟΣ", "σίσυφος", "a_b"])


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS.filter(lambda t: t is not None), st.booleans())
def test_equality_is_two_valued_and_without_case(values: list[str | None], wanted: str, negated: bool) -> None:
    api = EQUALITY[0]
    kept = [
        r["id"]
        for r in api.collection("POST", [{"LastName": "x", "Company": "Eq", "Title": v} for v in values], "Lead")
    ]
    operator = "!=" if negated else "="
    listed = ", ".join(f"'{i}'" for i in kept)
    found = {r["Id"] for r in api.rows(f"SELECT Id FROM Lead WHERE Id IN ({listed}) AND Title {operator} '{wanted}'")}
    same = {i for i, v in zip(kept, values, strict=True) if v is not None and v.casefold() == wanted.casefold()}
    assert found == (set(kept) - same if negated else same)


EQUALITY: list[Api] = []


@pytest.fixture(scope="module", autouse=True)
def _equality(shared: Api) -> None:
    EQUALITY[:] = [shared]


def test_relationships_and_null_parents(shared: Api) -> None:
    lead, contact = (
        shared.query(
            f"SELECT Id, Campaign.Name, Campaign.Owner.Name, Lead.Company, Contact.Account.Name FROM CampaignMember "
            f"WHERE {kind}Id != null ORDER BY Id LIMIT 1"
        )["records"][0]
        for kind in ("Lead", "Contact")
    )
    assert lead["Campaign"]["Name"] == "Spring launch 2027"
    assert lead["Campaign"]["attributes"]["type"] == "Campaign"
    assert lead["Campaign"]["Owner"]["Name"]
    assert lead["Lead"]["Company"]
    assert lead["Contact"] is None
    assert contact["Contact"]["Account"]["Name"]
    assert contact["Lead"] is None


def test_own_alias_and_object_name_prefix(shared: Api) -> None:
    assert shared.one("SELECT c.Name FROM Campaign c WHERE Campaign.Name = 'Spring launch 2027'") == {
        "Name": "Spring launch 2027"
    }


def test_ids_match_in_both_lengths_and_compare_in_order(shared: Api) -> None:
    ids = [r["Id"] for r in shared.rows("SELECT Id FROM CampaignMember ORDER BY Id LIMIT 5")]
    for text in (ids[2], ids[2][:15]):
        assert shared.one(f"SELECT Id FROM CampaignMember WHERE Id = '{text}'") == {"Id": ids[2]}
        later = shared.rows(f"SELECT Id FROM CampaignMember WHERE Id > '{text}' ORDER BY Id LIMIT 2")
        assert [r["Id"] for r in later] == ids[3:5]
    person = shared.rows("SELECT LeadOrContactId, LeadId FROM CampaignMember WHERE LeadId != null LIMIT 1")[0]
    assert person["LeadOrContactId"] == person["LeadId"]
    assert (
        shared.query(f"SELECT COUNT() FROM CampaignMember WHERE LeadOrContactId = '{person['LeadId'][:15]}'")[
            "totalSize"
        ]
        >= 1
    )


def test_sorting(leads: Api) -> None:
    def titles(order: str) -> list[Any]:
        return [r["Title"] for r in leads.rows(f"SELECT Title FROM Lead WHERE Company = 'Soql' ORDER BY {order}")]

    assert titles("Title") == [None, "100%", "a_b", "Boss"]
    assert titles("Title ASC NULLS LAST") == ["100%", "a_b", "Boss", None]
    assert titles("Title DESC") == [None, "Boss", "a_b", "100%"]
    assert titles("Title DESC NULLS LAST, Id") == ["Boss", "a_b", "100%", None]
    assert titles("Title LIMIT 2 OFFSET 1") == ["100%", "a_b"]


def test_counting_and_grouping(shared: Api) -> None:
    first = shared.one(FIRST)["Id"]
    counted = shared.query(f"SELECT COUNT() FROM CampaignMember WHERE CampaignId = '{first}'")
    assert counted == {"totalSize": 60, "done": True, "records": []}
    grouped = shared.query(
        f"SELECT Status, COUNT(Id) n, COUNT(LeadId), MAX(SystemModstamp) newest FROM CampaignMember "
        f"WHERE CampaignId = '{first}' GROUP BY Status HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC"
    )
    rows = grouped["records"]
    assert rows[0]["attributes"] == {"type": "AggregateResult"}
    assert rows[0]["Status"] == "Sent"
    assert sum(r["n"] for r in rows) == 60
    assert sum(r["expr0"] for r in rows) == 30
    assert rows[0]["newest"].endswith("+0000")
    total = shared.query("SELECT COUNT(Id), COUNT_DISTINCT(CampaignId) FROM CampaignMember")["records"][0]
    assert total["expr0"] == 720
    assert total["expr1"] == 12


def test_semi_join(shared: Api) -> None:
    inner = "SELECT LeadId FROM CampaignMember WHERE Campaign.Name = 'Spring launch 2027'"
    inside = shared.query(f"SELECT COUNT() FROM Lead WHERE Id IN ({inner})")["totalSize"]
    outside = shared.query(f"SELECT COUNT() FROM Lead WHERE Id NOT IN ({inner})")["totalSize"]
    assert inside == 30
    assert inside + outside == shared.query("SELECT COUNT() FROM Lead")["totalSize"]


def test_changed_members_by_any_of_three_stamps(api: Api) -> None:
    api.clock.advance(3_600)
    stamp = api.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    api.clock.advance(60)
    members = api.rows("SELECT Id, LeadId, ContactId FROM CampaignMember ORDER BY Id LIMIT 6")
    lead = next(m for m in members if m["LeadId"])
    contact = next(m for m in members if m["ContactId"])
    own = next(m for m in members if m not in (lead, contact))
    api.call("PATCH", f"/sobjects/Lead/{lead['LeadId']}", 204, json={"FirstName": "New"})
    api.call("PATCH", f"/sobjects/Contact/{contact['ContactId']}", 204, json={"FirstName": "New"})
    api.call("PATCH", f"/sobjects/CampaignMember/{own['Id']}", 204, json={"Status": "Responded"})
    branches = f"SystemModstamp >= {stamp} OR Lead.SystemModstamp >= {stamp} OR Contact.SystemModstamp >= {stamp}"
    scoped = "Campaign.IsActive = true AND"
    found = {r["Id"] for r in api.rows(f"SELECT Id FROM CampaignMember WHERE {scoped} ({branches})")}
    # the same condition in a form that is not turned into index look-ups
    plain = {r["Id"] for r in api.rows(f"SELECT Id FROM CampaignMember WHERE {scoped} NOT (NOT ({branches}))")}
    assert {m["Id"] for m in (lead, contact, own)} <= found
    assert found == plain
    moved = api.one(f"SELECT SystemModstamp, FirstName FROM CampaignMember WHERE Id = '{lead['Id']}'")
    assert moved["FirstName"] == "New"
    assert moved["SystemModstamp"] < stamp[:-1]


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Id FORM Lead", "MALFORMED_QUERY", "unexpected token: 'Lead'"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Lead WHERE A = 'x' AND B = 1 OR C = 2", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ('SELECT Id FROM Lead WHERE LastName = "x"', "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Nope FROM Lead", "INVALID_FIELD", NO_COLUMN),
        ("SELECT Id FROM Lead WHERE\n  Nope = 1", "INVALID_FIELD", "ERROR at Row:2:Column:3\nNo such column 'Nope'"),
        ("SELECT Foo.Name FROM Lead", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported."),
        (
            "SELECT Id FROM Lead WHERE IsConverted = 'true'",
            "INVALID_FIELD",
            "filter criterion for field 'IsConverted' must be of type boolean and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Lead WHERE SystemModstamp > 2027-01-01", "INVALID_FIELD", "must be of type dateTime"),
        (
            "SELECT Id FROM Lead WHERE LastName = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        ("SELECT Id FROM Lead WHERE Id = 'zzz'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: zzz"),
        ("SELECT Id FROM Lead WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered in a query call"),
        (
            "SELECT Status, LastName FROM Lead GROUP BY Status",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: LastName",
        ),
        ("SELECT MAX(Id) FROM Lead", "MALFORMED_QUERY", "does not support aggregate operator MAX"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Lead WHERE CreatedDate > " + "(" * 3, "MALFORMED_QUERY", "unexpected token: '('"),
        ("", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    ],
)
def test_refused_statements(shared: Api, soql: str, code: str, text: str) -> None:
    found_code, message = shared.error("GET", "/query", 400, params={"q": soql})
    assert found_code == code
    assert text in message


def test_statement_longer_than_allowed(shared: Api) -> None:
    soql = "SELECT Id FROM Lead WHERE LastName IN (" + ",".join(["'aaaaaaaaaaaaaaaa'"] * 5_400) + ")"
    (answer,) = shared.composite(("q", "GET", f"/query?q={soql}"))
    assert answer["body"][0]["message"] == "SOQL statements can not be longer than 100000 characters."
