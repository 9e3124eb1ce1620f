"""The checklist of the platform's behaviour, its line on queries; each test restates its part of the line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import pytest

from sync.embedded.org.schema import Field, build, schema_of
from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_dates import date_range
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_scope import View
from tests.embedded.org.conftest import BASE, Api

FRIDAY = date(2027, 8, 13)


def test_pages_hold_at_most_two_thousand_and_fewer_on_demand(api: Api) -> None:
    """Page sizes <= 2,000 and shorter pages on demand: a client trusts done, never the length of a page."""
    api.built.org.state.switches.page_rows = 7
    found, url = 0, "/query?q=SELECT+Id+FROM+CampaignMember"
    sizes = []
    while url:
        page = api.call("GET", url)
        sizes.append(len(page["records"]))
        found, url = found + sizes[-1], page.get("nextRecordsUrl", "")
    assert (found, sizes) == (24, [7, 7, 7, 3])


def test_locators_expire_after_two_days(api: Api) -> None:
    """Locators expiring after 2 days, with INVALID_QUERY_LOCATOR."""
    api.built.org.state.switches.page_rows = 10
    url = api.query("SELECT Id FROM CampaignMember")["nextRecordsUrl"]
    api.clock.advance(2 * 86_400 - 60)
    assert api.call("GET", url)["records"]
    api.clock.advance(61)
    assert api.error("GET", url, 400) == ("INVALID_QUERY_LOCATOR", "invalid query locator")


def test_query_all_sees_deleted_and_merged_rows_and_pages_through_query(api: Api) -> None:
    """queryAll: soft-deleted and merged rows; its nextRecordsUrl points to /query."""
    leads = api.people(3)
    api.call("DELETE", f"/sobjects/Lead/{leads[0]}", 204)
    api.built.gateway.transactions.apply([{"op": "merge", "id": leads[1], "loser": leads[2]}])
    soql = "SELECT Id, IsDeleted, MasterRecordId FROM Lead WHERE Company = 'Fresh' ORDER BY Id"
    assert [r["Id"] for r in api.rows(soql)] == [leads[1]]
    api.built.org.state.switches.page_rows = 2
    first = api.call("GET", "/queryAll", params={"q": soql})
    assert first["nextRecordsUrl"].startswith(f"{BASE}/query/01g")
    rows = first["records"] + api.call("GET", first["nextRecordsUrl"])["records"]
    assert [(r["IsDeleted"], r["MasterRecordId"]) for r in rows] == [(True, None), (False, None), (True, leads[1])]


def test_count_without_rows(shared: Api) -> None:
    """COUNT(): totalSize and no records."""
    assert shared.query("SELECT COUNT() FROM CampaignMember") == {"totalSize": 720, "done": True, "records": []}
    assert shared.query("SELECT COUNT() FROM CampaignMember LIMIT 5")["totalSize"] == 5


def test_relationship_fields_up_to_five_levels(shared: Api) -> None:
    """Relationship fields: nested records, null where there is none, at most five levels up."""
    row = shared.query("SELECT Id, Campaign.Owner.Name, Campaign.Parent.Name FROM CampaignMember LIMIT 1")["records"][0]
    assert row["Campaign"]["attributes"]["type"] == "Campaign"
    assert row["Campaign"]["Owner"]["Name"]
    assert row["Campaign"]["Parent"] is None
    deep = ".".join(["Parent"] * 5) + ".Name"
    assert shared.query(f"SELECT {deep} FROM Campaign LIMIT 1")["records"][0]["Parent"] is None
    code, text = shared.error("GET", "/query", 400, params={"q": f"SELECT Parent.{deep} FROM Campaign"})
    assert (code, "more than 5 levels" in text) == ("INVALID_FIELD", True)


def test_labels_in_conditions(shared: Api) -> None:
    """Conditions: a picklist may be compared by its label, which is its value in the org's only language."""
    soql = "SELECT COUNT() FROM CampaignMember WHERE toLabel(Status) = 'Sent'"
    assert shared.query(soql) == shared.query("SELECT COUNT() FROM CampaignMember WHERE Status = 'Sent'")
    code, text = shared.error("GET", "/query", 400, params={"q": "SELECT Id FROM Lead WHERE format(Name) = 'x'"})
    assert (code, "unexpected token: 'format'" in text) == ("MALFORMED_QUERY", True)


def test_the_type_of_an_owner(shared: Api) -> None:
    """Relationship fields: an owner may be of several types, so ``Owner.Type`` is there to select and to filter by."""
    row = shared.one("SELECT Owner.Type, Owner.Name FROM Lead WHERE Owner.Type IN ('User') ORDER BY Owner.Type LIMIT 1")
    assert row["Owner"]["Type"] == "User"
    assert shared.query("SELECT COUNT() FROM Lead WHERE Owner.Type = 'Queue'")["totalSize"] == 0
    assert shared.one("SELECT Owner.Type t, COUNT(Id) n FROM Lead GROUP BY Owner.Type")["t"] == "User"
    assert shared.error("GET", "/query", 400, params={"q": "SELECT CreatedBy.Type FROM Lead"})[0] == "INVALID_FIELD"


def test_semi_joins_and_anti_joins(api: Api) -> None:
    """Semi-joins: at most two, not with OR, never through a relationship on the left."""
    campaign, (member, other) = api.campaign(), api.people(2)
    api.create("CampaignMember", CampaignId=campaign, LeadId=member)
    inner = f"SELECT LeadId FROM CampaignMember WHERE CampaignId = '{campaign}'"
    fresh = "SELECT Id FROM Lead WHERE Company = 'Fresh' AND Id"
    assert [r["Id"] for r in api.rows(f"{fresh} IN ({inner})")] == [member]
    assert [r["Id"] for r in api.rows(f"{fresh} NOT IN ({inner})")] == [other]
    for soql, words in (
        (f"SELECT Id FROM Lead WHERE Id IN ({inner}) OR Id IN ({inner})", "not allowed with the 'OR' operator"),
        (f"{fresh} IN ({inner}) AND Id IN ({inner}) AND Id NOT IN ({inner})", "Maximum 2 semi join"),
        (f"SELECT Id FROM CampaignMember WHERE Lead.Id IN ({inner})", "must be an ID or reference field"),
    ):
        code, text = api.error("GET", "/query", 400, params={"q": soql})
        assert (code, words in text) == ("MALFORMED_QUERY", True), text


@pytest.mark.parametrize(
    ("soql", "words"),
    [
        ("SELECT COUNT() FROM Lead ORDER BY Name", "Ordered field must be grouped or aggregated: Name"),
        ("SELECT COUNT(Id) FROM Lead ORDER BY Name", "Ordered field must be grouped or aggregated: Name"),
        ("SELECT Status FROM Lead GROUP BY Status ORDER BY Owner.Name", "grouped or aggregated: Owner.Name"),
        ("SELECT Id, (SELECT COUNT() FROM CampaignMembers) FROM Campaign", "only root queries support aggregate"),
        ("SELECT Id, (SELECT COUNT(Id) n FROM CampaignMembers) FROM Campaign", "only root queries support aggregate"),
        ("SELECT Id, (SELECT Status FROM CampaignMembers GROUP BY Status) FROM Campaign", "only root queries support"),
    ],
)
def test_what_groups_and_counts_may_not_be(shared: Api, soql: str, words: str) -> None:
    """COUNT(): groups are ordered by what they group or count, and only the statement itself has them."""
    code, text = shared.error("GET", "/query", 400, params={"q": soql})
    assert (code, words in text) == ("MALFORMED_QUERY", True), text


@pytest.mark.parametrize(
    ("condition", "same"),
    [
        ("LeadOrContactId IN (SELECT Id FROM Lead)", "LeadId != null AND ContactId = null"),
        ("LeadOrContactId NOT IN (SELECT Id FROM Contact)", "ContactId = null"),
        ("ContactId IN (SELECT Id FROM Contact WHERE Email != null)", "Contact.Email != null"),
        ("Id NOT IN (SELECT Id FROM CampaignMemberStatus)", None),
        ("LeadId IN (SELECT Id FROM Contact)", None),
    ],
)
def test_semi_joins_compare_ids_of_one_type(shared: Api, condition: str, same: str | None) -> None:
    """Semi-joins: the selected field has the type of the left one; an id of several types finds each."""
    start = "SELECT COUNT() FROM CampaignMember WHERE "
    if same is None:
        assert shared.error("GET", "/query", 400, params={"q": start + condition})[0] == "MALFORMED_QUERY"
        return
    found = shared.query(start + condition)["totalSize"]
    assert found == shared.query(start + same)["totalSize"] > 0
    people = "SELECT COUNT() FROM Lead WHERE Id IN (SELECT {} FROM CampaignMember WHERE ContactId = null)"
    assert shared.query(people.format("LeadOrContactId")) == shared.query(people.format("LeadId"))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("ParentId NOT IN (SELECT Id FROM Campaign)", "should not be on the same object type"),
        ("Id IN (SELECT Campaign.Id FROM CampaignMember)", "more than one level of relationships"),
        ("Id IN (SELECT CampaignId FROM CampaignMember LIMIT 5)", "LIMIT is not supported"),
        ("Id IN (SELECT CampaignId FROM CampaignMember ORDER BY Id)", "ORDER BY is not supported"),
        ("NOT Id IN (SELECT CampaignId FROM CampaignMember)", "only allowed at the top level"),
        (
            "Id IN (SELECT CampaignId FROM CampaignMember WHERE LeadId IN (SELECT Id FROM Lead))",
            "Nesting of semi join sub-selects is not supported",
        ),
    ],
)
def test_what_semi_joins_may_not_be(shared: Api, condition: str, words: str) -> None:
    """Semi-joins: of another object, one level deep, without order, limit or NOT."""
    code, text = shared.error("GET", "/query", 400, params={"q": f"SELECT Id FROM Campaign WHERE {condition}"})
    assert (code, words in text) == ("MALFORMED_QUERY", True), text


@pytest.mark.parametrize(
    ("literal", "first", "after"),
    [
        ("today", (8, 13), (8, 14)),
        ("yesterday", (8, 12), (8, 13)),
        ("tomorrow", (8, 14), (8, 15)),
        ("last_week", (8, 1), (8, 8)),
        ("this_week", (8, 8), (8, 15)),
        ("next_week", (8, 15), (8, 22)),
        ("last_month", (7, 1), (8, 1)),
        ("this_month", (8, 1), (9, 1)),
        ("next_month", (9, 1), (10, 1)),
        ("last_90_days", (5, 15), (8, 14)),
        ("next_90_days", (8, 14), (11, 12)),
        ("last_n_days:3", (8, 10), (8, 14)),
        ("next_n_days:3", (8, 14), (8, 17)),
        ("n_days_ago:3", (8, 10), (8, 11)),
        ("last_n_weeks:2", (7, 25), (8, 8)),
        ("next_n_weeks:2", (8, 15), (8, 29)),
        ("n_weeks_ago:2", (7, 25), (8, 1)),
        ("last_n_months:2", (6, 1), (8, 1)),
        ("next_n_months:2", (9, 1), (11, 1)),
        ("n_months_ago:2", (6, 1), (7, 1)),
        ("last_quarter", (4, 1), (7, 1)),
        ("this_quarter", (7, 1), (10, 1)),
        ("this_fiscal_quarter", (7, 1), (10, 1)),
        ("last_n_quarters:2", (1, 1), (7, 1)),
        ("n_fiscal_quarters_ago:1", (4, 1), (7, 1)),
    ],
)
def test_date_literals(literal: str, first: tuple[int, int], after: tuple[int, int]) -> None:
    """Date literals: every one a range of whole days; seen on a Friday, weeks begin on Sunday."""
    assert date_range(literal, FRIDAY) == (date(2027, *first), date(2027, *after))


@pytest.mark.parametrize(
    ("literal", "years"),
    [
        ("last_year", (2026, 2027)),
        ("this_year", (2027, 2028)),
        ("next_year", (2028, 2029)),
        ("last_n_years:3", (2024, 2027)),
        ("next_n_years:2", (2028, 2030)),
        ("n_years_ago:2", (2025, 2026)),
        ("this_fiscal_year", (2027, 2028)),
    ],
)
def test_date_literals_of_years(literal: str, years: tuple[int, int]) -> None:
    """Date literals: years."""
    assert date_range(literal, FRIDAY) == (date(years[0], 1, 1), date(years[1], 1, 1))


def test_date_literals_are_days_of_the_users_time_zone(api: Api) -> None:
    """Date literals: a day begins at midnight of the user's zone (six hours behind UTC here in winter)."""
    api.clock.set(datetime(2027, 3, 2, 5, 30, tzinfo=UTC))
    late = api.create("Lead", LastName="Late", Company="Zone")
    api.clock.set(datetime(2027, 3, 2, 6, 30, tzinfo=UTC))
    early = api.create("Lead", LastName="Early", Company="Zone")
    soql = "SELECT Id FROM Lead WHERE Company = 'Zone' AND CreatedDate {}"
    assert [r["Id"] for r in api.rows(soql.format("= TODAY"))] == [early]
    assert [r["Id"] for r in api.rows(soql.format("= YESTERDAY"))] == [late]
    assert [r["Id"] for r in api.rows(soql.format("< TODAY"))] == [late]
    assert len(api.rows(soql.format(">= LAST_N_DAYS:1"))) == 2
    assert api.error("GET", "/query", 400, params={"q": soql.format("= LAST_N_DAYS:99999999")})[0] == "INVALID_FIELD"


def test_child_queries_have_pages_of_their_own(api: Api) -> None:
    """Child queries: query form under the relationship's name, null when empty, their own nextRecordsUrl."""
    empty = api.campaign(Name="Empty")
    children = "(SELECT Id, Lead.Name FROM CampaignMembers ORDER BY Id), (SELECT Label FROM CampaignMemberStatuses)"
    soql = f"SELECT Name, {children}"
    rows = api.query(f"{soql} FROM Campaign ORDER BY CreatedDate")["records"]
    assert (rows[0]["CampaignMembers"]["totalSize"], rows[0]["CampaignMembers"]["done"]) == (12, True)
    assert rows[-1]["CampaignMembers"] is None
    assert [r["Label"] for r in rows[-1]["CampaignMemberStatuses"]["records"]] == ["Sent", "Responded"]
    assert api.one("SELECT Id FROM Campaign WHERE Name = 'Empty'")["Id"] == empty
    api.built.org.state.switches.child_rows = 5
    first = api.query(f"{soql} FROM Campaign ORDER BY CreatedDate LIMIT 1")["records"][0]["CampaignMembers"]
    assert (len(first["records"]), first["totalSize"], first["done"]) == (5, 12, False)
    second = api.call("GET", first["nextRecordsUrl"])
    ids = [r["Id"] for r in first["records"] + second["records"]]
    assert (len(ids), ids) == (12, sorted(ids))
    limited = api.query("SELECT Id, (SELECT Id FROM CampaignMembers LIMIT 2) FROM Campaign LIMIT 1")["records"][0]
    assert limited["CampaignMembers"]["totalSize"] == 2


def test_rows_of_child_queries_count_into_the_page(api: Api) -> None:
    """Child queries: their rows count into the page, so that it holds fewer parents."""
    api.built.org.state.switches.page_rows = 15
    first = api.query("SELECT Id, (SELECT Id FROM CampaignMembers) FROM Campaign ORDER BY Id")
    assert (len(first["records"]), first["totalSize"], first["done"]) == (1, 2, False)
    second = api.call("GET", first["nextRecordsUrl"])
    assert (len(second["records"]), second["done"]) == (1, True)


def test_unknown_child_relationships(shared: Api) -> None:
    """Child queries: the relationship's name, not the object's, and the platform's words when it is wrong."""
    code, text = shared.error(
        "GET", "/query", 400, params={"q": "SELECT Id, (SELECT Id FROM CampaignMember) FROM Campaign"}
    )
    assert code == "INVALID_TYPE"
    assert "Didn't understand relationship 'CampaignMember' in FROM part of query call." in text


def test_aggregates_groups_and_having(api: Api) -> None:
    """Aggregates: COUNT, COUNT_DISTINCT, MIN, MAX, SUM, AVG with aliases, GROUP BY, HAVING, date functions."""
    rows = [
        {"LastName": n, "Company": c, "PAM__Score__c": s} for n, c, s in (("a", "X", 1), ("b", "x", 3), ("c", "Y", 5))
    ]
    api.collection("POST", [{**r, "LeadSource": "Grouped"} for r in rows], "Lead")
    where = "FROM Lead WHERE LeadSource = 'Grouped'"
    one = api.one(
        "SELECT COUNT(Id) n, COUNT_DISTINCT(Company) d, MIN(LastName) low, MAX(PAM__Score__c) high, "
        f"SUM(PAM__Score__c) total, AVG(PAM__Score__c) {where}"
    )
    assert one == {"n": 3, "d": 2, "low": "a", "high": 5.0, "total": 9.0, "expr0": 3.0}
    grouped = f"SELECT Company, COUNT(Id) n {where} GROUP BY Company HAVING COUNT(Id) > 1"
    assert [(r["Company"].lower(), r["n"]) for r in api.rows(grouped)] == [("x", 2)]
    dated = f"SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) {where} GROUP BY CALENDAR_YEAR(CreatedDate)"
    assert api.rows(dated) == [{"y": 2027, "expr0": 3}]
    assert len(api.rows(f"SELECT Id {where} AND DAY_ONLY(CreatedDate) = 2027-03-01")) == 3
    assert api.error("GET", "/query", 400, params={"q": f"SELECT DAY_ONLY(LastName) {where}"})[0] == "MALFORMED_QUERY"


def test_order_of_nulls_offset_and_like(api: Api) -> None:
    """ORDER BY with NULLS FIRST and LAST, LIMIT with OFFSET, LIKE with its wildcards."""
    api.collection(
        "POST",
        [{"LastName": n, "Company": "Order", "Title": t} for n, t in (("a", None), ("b", "x_1"), ("c", "xy1"))],
        "Lead",
    )
    soql = "SELECT LastName FROM Lead WHERE Company = 'Order' ORDER BY Title {} LIMIT 2 OFFSET {}"

    def names(order: str, offset: int = 0) -> list[str]:
        return [r["LastName"] for r in api.rows(soql.format(order, offset))]

    assert (names("ASC"), names("DESC")) == (["a", "b"], ["a", "c"])
    assert (names("ASC NULLS LAST"), names("DESC NULLS LAST")) == (["b", "c"], ["c", "b"])
    assert names("ASC", 2) == ["c"]
    like = "SELECT LastName FROM Lead WHERE Company = 'Order' AND Title LIKE '{}' ORDER BY LastName"
    assert [r["LastName"] for r in api.rows(like.format("x_1"))] == ["b", "c"]
    assert [r["LastName"] for r in api.rows(like.format("x\\_1"))] == ["b"]
    assert [r["LastName"] for r in api.rows(like.format("%1"))] == ["b", "c"]


@pytest.mark.parametrize(
    ("kind", "limit", "has"),
    [("ALL", " LIMIT 200", "both"), ("STANDARD", "", "Email"), ("CUSTOM", " LIMIT 5", "PAM__Score__c")],
)
def test_fields_functions(shared: Api, kind: str, limit: str, has: str) -> None:
    """FIELDS(ALL), FIELDS(STANDARD), FIELDS(CUSTOM); all and custom need a LIMIT of at most 200."""
    row = shared.query(f"SELECT FIELDS({kind}) FROM Lead{limit}")["records"][0]
    assert ("Email" in row, "PAM__Score__c" in row) == (has != "PAM__Score__c", has != "Email")


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        ("SELECT FIELDS(SOME) FROM Lead LIMIT 1", "MALFORMED_QUERY", "unexpected token: 'SOME'"),
        ("SELECT FIELDS(STANDARD), Id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT Id FROM Lead WHERE Title INCLUDES ('x')",
            "INVALID_QUERY_FILTER_OPERATOR",
            "multi-picklist fields only",
        ),
        ("SELECT Id FROM Lead WHERE DAY_ONLY(Title) = TODAY", "INVALID_FIELD", "is no date"),
        ("SELECT Title t FROM Lead", "MALFORMED_QUERY", "only aggregate expressions use field aliasing: t"),
        ("SELECT Id FROM Lead LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-'"),
        ("SELECT Id FROM Lead LIMIT 1 OFFSET -1", "MALFORMED_QUERY", "unexpected token: '-'"),
        (r"SELECT Id FROM Lead WHERE Title = 'a\qb'", "MALFORMED_QUERY", r"Illegal character sequence '\q' in string"),
        ("SELECT Id FROM CampaignMember USING SCOPE mine", "INVALID_QUERY_SCOPE", "CampaignMember"),
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
    ],
)
def test_refusals_in_the_platforms_words(shared: Api, soql: str, code: str, words: str) -> None:
    """Errors of statements carry the platform's code and words."""
    found, text = shared.error("GET", "/query", 400, params={"q": soql})
    assert (found, words in text) == (code, True), text


def test_what_a_client_may_write_around_a_statement(shared: Api) -> None:
    """USING SCOPE, WITH, FOR, AS, toLabel and format are taken as the platform takes them."""
    head = "SELECT toLabel(Status) s, format(CreatedDate) FROM Lead AS l"
    soql = f"{head} USING SCOPE everything WITH USER_MODE ORDER BY l.Id LIMIT 1 FOR VIEW"
    (row,) = shared.rows(soql)
    assert row["s"] == "Open - Not Contacted"
    assert row["CreatedDate"].endswith(("AM", "PM"))


def test_scope_mine_is_what_the_running_user_owns(api: Api) -> None:
    """USING SCOPE mine: records of the user who asks, and no others; everything is not narrowed."""
    mine, theirs = api.campaign(), api.campaign()
    other = api.rows(f"SELECT Id FROM User WHERE Id != '{api.built.org.user_id}' LIMIT 1")[0]["Id"]
    api.call("PATCH", f"/sobjects/Campaign/{theirs}", 204, json={"OwnerId": other})
    among = f"WHERE Id IN ('{mine}', '{theirs}')"
    assert [r["Id"] for r in api.rows(f"SELECT Id FROM Campaign USING SCOPE mine {among}")] == [mine]
    assert api.query(f"SELECT COUNT() FROM Campaign USING SCOPE mine {among}")["totalSize"] == 1
    assert len(api.rows(f"SELECT Id FROM Campaign USING SCOPE everything {among}")) == 2


def test_names_for_parents_in_from(shared: Api) -> None:
    """FROM with names for parents, one standing on another: records are nested by relationship all the same."""
    soql = "SELECT m.Id, c.Name FROM CampaignMember m, m.Campaign c, c.Owner AS o WHERE o.Username != null {} LIMIT 3"
    plain = "SELECT Id, Campaign.Name FROM CampaignMember WHERE Campaign.Owner.Username != null {} LIMIT 3"
    order = "AND {}IsActive = true ORDER BY {}Name DESC, Id"
    assert shared.rows(soql.format(order.format("c.", "c."))) == shared.rows(
        plain.format(order.format("Campaign.", "Campaign."))
    )
    assert shared.query("SELECT COUNT() FROM CampaignMember m, m.Lead l WHERE l.LastName != null")["totalSize"] > 0
    code, text = shared.error("GET", "/query", 400, params={"q": "SELECT a.Name FROM CampaignMember m, a.b a"})
    assert (code, "relationship" in text) == ("INVALID_FIELD", True)


def test_fields_come_in_the_order_in_which_they_were_asked_for(shared: Api) -> None:
    """A record's keys follow the SELECT, relationships included: clients make tables of them."""
    fields = ("IsDeleted", "Status", "Campaign", "Id", "CreatedDate", "LeadId", "Email")
    asked = ", ".join("Campaign.Name" if name == "Campaign" else name for name in fields)
    (row,) = shared.rows(f"SELECT {asked} FROM CampaignMember LIMIT 1")
    assert tuple(row) == fields


def test_multi_select_picklists() -> None:
    """INCLUDES and EXCLUDES: all values of one text, any of several texts."""
    from zoneinfo import ZoneInfo

    from sync.embedded.org.objects_standard import ACCOUNT, CONTACT, LEAD, USER

    item = build(replace(LEAD, fields=(*LEAD.fields, Field("Likes__c", "multipicklist", length=4_099))))
    schema = schema_of([item, *(build(o) for o in (USER, ACCOUNT, CONTACT))], package=False)
    view = View(schema, datetime(2027, 3, 1, tzinfo=UTC), ZoneInfo("UTC"))
    compiled = compile_query(parse("SELECT Id FROM Lead WHERE Likes__c INCLUDES ('a;b','c')"), view)
    assert compiled.params == ("%;a;%", "%;b;%", "%;c;%")
    assert compiled.where.count(" AND ") == 2
    assert compile_query(parse("SELECT Id FROM Lead WHERE Likes__c EXCLUDES ('a')"), view).where.startswith(
        "NOT ifnull("
    )


def test_columns_instead_of_rows(shared: Api) -> None:
    """query?columns=true: the columns, nested as the records are, aggregates and child queries marked."""

    def columns(soql: str) -> list[dict[str, Any]]:
        return list(shared.call("GET", "/query", params={"q": soql, "columns": "true"})["columnMetadata"])

    plain = columns("SELECT Id, Campaign.Owner.Name, Campaign.Name, PAM__Opens__c FROM CampaignMember")
    assert [c["columnName"] for c in plain] == ["Id", "Campaign", "PAM__Opens__c"]
    assert [c["columnName"] for c in plain[1]["joinColumns"]] == ["Owner", "Name"]
    assert (plain[0]["apexType"], plain[1]["apexType"], plain[2]["apexType"], plain[2]["custom"]) == (
        "Id",
        "Campaign",
        "Double",
        True,
    )
    (name, child) = columns("SELECT Name, (SELECT Status FROM CampaignMembers) FROM Campaign")
    assert (name["aggregate"], child["aggregate"], child["columnName"]) == (False, True, "CampaignMembers")
    (count, named) = columns("SELECT COUNT(Id), MAX(CreatedDate) latest FROM Lead")
    assert (count["columnName"], count["displayName"], named["columnName"]) == ("expr0", "count(Id)", "latest")


def test_keyset_references_in_composite(api: Api) -> None:
    """Keyset references in Composite: each query goes on after the last row of the one before."""
    soql = "SELECT Id FROM CampaignMember WHERE Id > '{}' ORDER BY Id LIMIT 10"
    urls = [soql.format("000000000000000"), soql.format("@{q0.records[9].Id}"), soql.format("@{q1.records[9].Id}")]
    parts = [(f"q{n}", "GET", "/query?q=" + quote(one, safe="@{}[].")) for n, one in enumerate(urls)]
    answers = api.composite(*parts, collateSubrequests=False)
    ids = [r["Id"] for a in answers for r in a["body"]["records"]]
    assert (len(ids), ids) == (24, sorted(set(ids)))
