"""The checklist of the platform's behaviour, its parts on Composite and its kin; each test restates its part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.org.conftest import BASE, Api

ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."
LEAD = {"LastName": "x", "Company": "Composite"}


def used(api: Api) -> int:
    return api.built.gateway.quota.used()


def leads(api: Api) -> int:
    return int(api.query("SELECT COUNT() FROM Lead WHERE Company = 'Composite'")["totalSize"])


def post(api: Api, name: str, body: Any, status: int = 200) -> Any:
    return api.call("POST", f"/composite/{name}", status, json=body)


# ------------------------------------------------------------------ calls


def test_what_counts_as_one_call_and_what_as_one_a_part(api: Api) -> None:
    """Composite, collections, tree, graph = 1 call each; batch = one call a part; every request else 1."""
    rows = {"records": [{"attributes": {"type": "Lead"}, **LEAD}] * 5}
    tree = {"records": [{"attributes": {"type": "Lead", "referenceId": f"r{n}"}, **LEAD} for n in range(5)]}
    node = {"method": "POST", "url": f"{BASE}/sobjects/Lead", "body": LEAD}
    parts = [{**node, "referenceId": f"r{n}"} for n in range(5)]
    batch = [{"method": "POST", "url": "v66.0/sobjects/Lead", "richInput": LEAD}] * 5
    told: list[int] = []
    api.built.gateway.on_counted(lambda: told.append(1))
    for name, body, calls, status in (
        ("sobjects", rows, 1, 200),
        ("tree/Lead", tree, 1, 201),
        ("graph", {"graphs": [{"graphId": "g", "compositeRequest": parts}]}, 1, 200),
        ("batch", {"batchRequests": batch}, 5, 200),
    ):
        before = used(api)
        post(api, name, body, status)
        assert used(api) - before == calls, name
    before = used(api)
    api.composite(*((f"r{n}", "POST", "/sobjects/Lead", LEAD) for n in range(5)))
    assert used(api) - before == 1
    assert leads(api) == 25
    assert len(told) == 4


# ------------------------------------------------------------------ Composite


def test_at_most_twenty_five_parts_and_five_queries_or_collections(api: Api) -> None:
    """25/5 limits; LIMIT_EXCEEDED comes with HTTP 200 in one item whose referenceId is null, and nothing was done."""
    for parts in (
        [(f"r{n}", "POST", "/sobjects/Lead", LEAD) for n in range(26)],
        [
            *((f"q{n}", "GET", "/query?q=SELECT+COUNT()+FROM+Lead") for n in range(6)),
            ("l", "POST", "/sobjects/Lead", LEAD),
        ],
        [(f"c{n}", "POST", "/composite/sobjects", {"records": []}) for n in range(6)],
    ):
        (item,) = api.composite(*parts)
        assert (item["httpStatusCode"], item["referenceId"], item["httpHeaders"]) == (400, None, {})
        assert item["body"][0]["errorCode"] == "LIMIT_EXCEEDED"
    assert leads(api) == 0


@pytest.mark.parametrize(("counted", "limit_hit"), [(True, True), (False, False)])
def test_relationship_addresses_among_the_five(api: Api, counted: bool, limit_hit: bool) -> None:
    """Whether relationship URLs count among the five queries is a switch; counted by default."""
    assert api.built.org.state.switches.relationship_urls_count is True
    api.built.org.state.switches.relationship_urls_count = counted
    campaign = api.rows("SELECT Id FROM Campaign ORDER BY CreatedDate LIMIT 1")[0]["Id"]
    url = f"/sobjects/Campaign/{campaign}/CampaignMembers?fields=Id,Status"
    answers = api.composite(*((f"r{n}", "GET", url) for n in range(6)))
    assert (answers[0]["referenceId"] is None) == limit_hit
    if not limit_hit:
        assert [a["body"]["totalSize"] for a in answers] == [12] * 6


@pytest.mark.parametrize("allowed", [False, True])
def test_next_pages_in_composite(api: Api, allowed: bool) -> None:
    """Whether a nextRecordsUrl may be part of a Composite is a switch; not by default."""
    api.built.org.state.switches.page_rows = 10
    url = api.query("SELECT Id FROM CampaignMember")["nextRecordsUrl"].removeprefix(BASE)
    api.built.org.state.switches.query_more_in_composite = allowed
    (answer,) = api.composite(("q", "GET", url))
    assert answer["httpStatusCode"] == (200 if allowed else 404)


@pytest.mark.parametrize(("allowed", "status"), [(False, 404), (True, 200)])
def test_updated_and_deleted_in_composite(api: Api, allowed: bool, status: int) -> None:
    """Whether updated and deleted may be parts of a Composite is a switch; not by default."""
    api.built.org.state.switches.replication_in_composite = allowed
    window = "start=2027-03-01T08:00:00Z&end=2027-03-01T09:00:00Z"
    answers = api.composite(*((n, "GET", f"/sobjects/Lead/{n}?{window}") for n in ("updated", "deleted")))
    assert [a["httpStatusCode"] for a in answers] == [status, status]


@pytest.mark.parametrize(
    ("collate", "asked", "in_order"),
    [(False, None, True), (True, None, False), (True, True, False), (True, False, True)],
)
def test_order_is_certain_only_without_collation(api: Api, collate: bool, asked: bool | None, in_order: bool) -> None:
    """collateSubrequests reordering switch: an org may run parts in another order, unless the client says false."""
    api.built.org.state.switches.collate = collate
    campaign, (lead,) = api.campaign(), api.people(1)
    member = {"CampaignId": campaign, "LeadId": lead}
    old = api.create("CampaignMember", **member)
    answers = api.composite(
        ("remove", "DELETE", f"/sobjects/CampaignMember/{old}"),
        ("add", "POST", "/sobjects/CampaignMember", member),
        **({} if asked is None else {"collateSubrequests": asked}),
    )
    assert [a["referenceId"] for a in answers] == ["remove", "add"]
    assert [a["httpStatusCode"] for a in answers] == ([204, 201] if in_order else [204, 400])


def test_a_reference_without_value_halts_its_part(api: Api) -> None:
    """PROCESSING_HALTED forms: a reference to nothing, and one to a failed part."""
    answers = api.composite(
        ("q", "GET", "/query?q=SELECT+Id+FROM+Lead+WHERE+Company='none'"),
        ("past", "GET", "/sobjects/Lead/@{q.records[0].Id}"),
        ("bad", "POST", "/sobjects/Lead", {"LastName": "x"}),
        ("after", "GET", "/sobjects/Lead/@{bad.id}"),
        ("free", "POST", "/sobjects/Lead", LEAD),
        collateSubrequests=False,
    )
    assert [a["httpStatusCode"] for a in answers] == [200, 400, 400, 400, 201]
    for number, text in ((1, "No value for q.records[0].Id found in q"), (3, "No value for bad.id found in bad")):
        (error,) = answers[number]["body"]
        assert error["errorCode"] == "PROCESSING_HALTED"
        assert error["message"].startswith(f"Invalid reference specified. {text}")


def test_all_or_none_halts_every_other_part(api: Api) -> None:
    """PROCESSING_HALTED forms: with allOrNone all others are rolled back, inner collections too."""
    rows = {"allOrNone": False, "records": [{"attributes": {"type": "Lead"}, **LEAD}]}
    answers = api.composite(
        ("rows", "POST", "/composite/sobjects", rows), ("bad", "POST", "/sobjects/Lead", {}), allOrNone=True
    )
    assert [a["httpStatusCode"] for a in answers] == [400, 400]
    assert answers[0]["body"] == [{"errorCode": "PROCESSING_HALTED", "message": ROLLED_BACK}]
    assert answers[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert leads(api) == 0


# ------------------------------------------------------------------ collections


@pytest.mark.parametrize("all_or_none", [False, True])
def test_collections_answer_in_order_and_roll_back_on_demand(api: Api, all_or_none: bool) -> None:
    """Collections: HTTP 200, results in order, statusCode in errors; with allOrNone the innocent are rolled back."""
    good, bad = LEAD, {"LastName": "no company"}
    results = api.collection("POST", [good, bad, good], "Lead", allOrNone=all_or_none)
    codes = [r["errors"][0]["statusCode"] if r["errors"] else None for r in results]
    undone = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert codes == (
        [undone, "REQUIRED_FIELD_MISSING", undone] if all_or_none else [None, "REQUIRED_FIELD_MISSING", None]
    )
    assert leads(api) == (0 if all_or_none else 2)


def test_collections_update_upsert_delete_and_retrieve(api: Api) -> None:
    """Collections: update, upsert by external id, delete and retrieve (GET and POST, null for what is not there)."""
    ids = [r["id"] for r in api.collection("POST", [LEAD] * 3, "Lead")]
    assert all(r["success"] for r in api.collection("PATCH", [{"id": i, "Title": "t"} for i in ids], "Lead"))
    fields = {"ids": [ids[2], "00QgL00000zzzzzzzz", ids[0]], "fields": ["Id", "Title"]}
    found = api.call("POST", "/composite/sobjects/Lead", json=fields)
    assert [r and (r["Id"], r["Title"]) for r in found] == [(ids[2], "t"), None, (ids[0], "t")]
    query = {"ids": ",".join(ids), "fields": "Title"}
    assert len(api.call("GET", "/composite/sobjects/Lead", params=query)) == 3
    assert api.error("GET", "/composite/sobjects/Lead", 400, params={**query, "fields": "Nope"})[0] == "INVALID_FIELD"
    campaign = api.campaign()
    row = {"attributes": {"type": "PAM__Email_Edition__c"}, "PAM__External_Id__c": "e1", "PAM__Campaign__c": campaign}
    url = "/composite/sobjects/PAM__Email_Edition__c/PAM__External_Id__c"
    for created in (True, False):
        (result,) = api.call("PATCH", url, json={"records": [row]})
        assert (result["success"], result["created"]) == (True, created)
    gone = api.call("DELETE", "/composite/sobjects", params={"ids": ",".join([*ids, ids[0]]), "allOrNone": "false"})
    assert [r["success"] for r in gone] == [True, True, True, False]
    assert gone[3]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


def test_more_rows_than_a_collection_takes(api: Api) -> None:
    """Collections: more than 200 rows written, or 2,000 read: EXCEEDED_ID_LIMIT."""
    rows = {"records": [{"attributes": {"type": "Lead"}, **LEAD}] * 201}
    assert api.error("POST", "/composite/sobjects", 400, json=rows)[0] == "EXCEEDED_ID_LIMIT"
    ids = {"ids": ["00QgL000000FJZFUA4"] * 2_001, "fields": ["Id"]}
    assert api.error("POST", "/composite/sobjects/Lead", 400, json=ids)[0] == "EXCEEDED_ID_LIMIT"


# ------------------------------------------------------------------ relationship addresses


def test_relationship_addresses_lead_to_children_and_parents(api: Api) -> None:
    """Relationship URLs: children in query form with pages of their own, a parent as a record, chains of parents."""
    api.built.org.state.switches.page_rows = 5
    campaign = api.rows("SELECT Id, OwnerId FROM Campaign ORDER BY CreatedDate LIMIT 1")[0]
    first = api.call("GET", f"/sobjects/Campaign/{campaign['Id']}/CampaignMembers", params={"fields": "Id,Status"})
    assert (first["totalSize"], len(first["records"]), first["done"]) == (12, 5, False)
    assert len(api.call("GET", first["nextRecordsUrl"])["records"]) == 5
    member = first["records"][0]["Id"]
    assert api.call("GET", f"/sobjects/CampaignMember/{member}/Campaign")["Id"] == campaign["Id"]
    owner = api.call("GET", f"/sobjects/CampaignMember/{member}/Campaign/Owner", params={"fields": "Username"})
    profile = api.call("GET", f"/sobjects/CampaignMember/{member}/Campaign/Owner/Profile")
    assert profile["attributes"]["type"] == "Profile", "the way leads on through a record that is never deleted"
    assert owner["attributes"]["type"] == "User"
    api.call("GET", f"/sobjects/Campaign/{campaign['Id']}/Nopes", 404)
    assert api.call("GET", f"/sobjects/Campaign/{campaign['Id']}/Parent", 404)


# ------------------------------------------------------------------ tree


def node(reference: str, kind: str = "Lead", **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind, "referenceId": reference}, **values}


def test_a_tree_makes_parents_and_children_at_once(api: Api) -> None:
    """Tree: 201 with the ids of every reference; children are bound to the parent made for them."""
    (lead,) = api.people(1)
    children = {"records": [node("m", "CampaignMember", LeadId=lead)]}
    first = node("c", "Campaign", Name="Tree", CampaignMembers=children)
    body = {"records": [first, node("d", "Campaign", Name="Second")]}
    answer = post(api, "tree/Campaign", body, 201)
    made = {r["referenceId"]: r["id"] for r in answer["results"]}
    assert (answer["hasErrors"], set(made)) == (False, {"c", "m", "d"})
    assert api.call("GET", f"/sobjects/CampaignMember/{made['m']}")["CampaignId"] == made["c"]


@pytest.mark.parametrize(
    ("records", "reference", "code"),
    [
        ([node("a", **LEAD), node("b", LastName="x")], "b", "REQUIRED_FIELD_MISSING"),
        ([node("a", **LEAD), node("a", **LEAD)], "a", "INVALID_INPUT"),
        ([node("a", **LEAD), {"attributes": {"type": "Lead"}, **LEAD}], None, "INVALID_INPUT"),
        ([node("a", **LEAD), node("b", "Contact", **LEAD)], "b", "INVALID_INPUT"),
        ([node("a", **LEAD, Nopes={"records": []})], "a", "INVALID_FIELD"),
        ([node(f"r{n}", **LEAD) for n in range(201)], "r200", "INVALID_INPUT"),
    ],
)
def test_any_error_undoes_a_tree(api: Api, records: list[Any], reference: str | None, code: str) -> None:
    """Tree: any error fails everything with 400; only what is wrong is listed."""
    answer = post(api, "tree/Lead", {"records": records}, 400)
    assert answer["hasErrors"] is True
    assert [(r["referenceId"], r["errors"][0]["statusCode"]) for r in answer["results"]] == [(reference, code)]
    assert leads(api) == 0


# ------------------------------------------------------------------ graph


def part(reference: str, url: str, body: Any, method: str = "POST") -> dict[str, Any]:
    return {"method": method, "url": BASE + url, "referenceId": reference, "body": body}


def test_each_graph_is_carried_out_whole_or_not_at_all(api: Api) -> None:
    """Graph: isSuccessful per graph, one real error, the others PROCESSING_HALTED; nodes in any order."""
    (lead,) = api.people(1)
    good = [
        part("m", "/sobjects/CampaignMember", {"CampaignId": "@{c.id}", "LeadId": lead}),
        part("c", "/sobjects/Campaign", {"Name": "Graph"}),
    ]
    bad = [part("l", "/sobjects/Lead", LEAD), part("b", "/sobjects/Lead", {})]
    graphs = [{"graphId": "good", "compositeRequest": good}, {"graphId": "bad", "compositeRequest": bad}]
    first, second = post(api, "graph", {"graphs": graphs})["graphs"]
    assert (first["graphId"], first["isSuccessful"], second["isSuccessful"]) == ("good", True, False)
    assert [a["referenceId"] for a in first["graphResponse"]["compositeResponse"]] == ["m", "c"]
    codes = [a["body"][0]["errorCode"] for a in second["graphResponse"]["compositeResponse"]]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert leads(api) == 0
    assert api.query("SELECT COUNT() FROM CampaignMember WHERE Campaign.Name = 'Graph'")["totalSize"] == 1


def test_after_fourteen_failed_graphs_the_rest_is_halted(api: Api) -> None:
    """Graph: after 14 failures the rest is not carried out."""
    graphs = [{"graphId": str(n), "compositeRequest": [part("b", "/sobjects/Lead", {})]} for n in range(14)]
    graphs.append({"graphId": "last", "compositeRequest": [part("l", "/sobjects/Lead", LEAD)]})
    answers = post(api, "graph", {"graphs": graphs})["graphs"]
    assert answers[14]["graphResponse"]["compositeResponse"][0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert leads(api) == 0


@pytest.mark.parametrize(
    "parts",
    [
        [part(f"n{n}", "/sobjects/Lead", LEAD) for n in range(501)],
        [part("n0", "/sobjects/Lead", LEAD)]
        + [part(f"n{n}", "/sobjects/Lead", {"Title": f"@{{n{n - 1}.id}}"}) for n in range(1, 16)],
        [part("q", "/query?q=SELECT+Id+FROM+Lead", None, "GET")],
        [part("a", "/sobjects/Lead", {"Title": "@{b.id}"}), part("b", "/sobjects/Lead", {"Title": "@{a.id}"})],
    ],
)
def test_limits_of_a_graph(api: Api, parts: list[dict[str, Any]]) -> None:
    """Graph: <= 500 nodes, depth <= 15, single rows only, no circles."""
    assert api.error("POST", "/composite/graph", 400, json={"graphs": [{"graphId": "g", "compositeRequest": parts}]})


# ------------------------------------------------------------------ batch


@pytest.mark.parametrize(("halt", "last"), [(False, 200), (True, 412)])
def test_a_batch_is_serial_and_independent(api: Api, halt: bool, last: int) -> None:
    """Batch: a failed part halts the rest only when asked to, then 412 BATCH_PROCESSING_HALTED."""
    parts = [
        {"method": "POST", "url": "v66.0/sobjects/Lead", "richInput": LEAD},
        {"method": "GET", "url": "/services/data/v66.0/sobjects/Nope"},
        {"method": "GET", "url": "v66.0/query?q=SELECT+COUNT()+FROM+Lead+WHERE+Company='Composite'"},
    ]
    answer = post(api, "batch", {"batchRequests": parts, "haltOnError": halt})
    assert (answer["hasErrors"], [r["statusCode"] for r in answer["results"]]) == (True, [201, 404, last])
    if halt:
        assert answer["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
    else:
        assert answer["results"][2]["result"]["totalSize"] == 1


def test_a_batch_runs_out_of_calls_part_by_part(api: Api) -> None:
    """Batch: each part counts, so that the day's last calls end within it."""
    api.built.gateway.quota.use_up(3)
    parts = [{"method": "GET", "url": "v66.0/limits"}] * 5
    header = api.http.post(f"{BASE}/composite/batch", json={"batchRequests": parts[:2]}).headers["sforce-limit-info"]
    assert header == "api-usage=99999/100000"
    api.built.gateway.quota.most += 2
    answer = post(api, "batch", {"batchRequests": parts})
    assert [r["statusCode"] for r in answer["results"]] == [200, 200, 200, 403, 403]
