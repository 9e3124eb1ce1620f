"""sObject Collections: results in order, row errors, limits, all or none."""

from __future__ import annotations

from tests.embedded.org.conftest import BASE, Api


def test_rows_fail_one_by_one_and_keep_their_order(api: Api) -> None:
    campaign, leads = api.campaign(), api.people(3)
    rows = [{"CampaignId": campaign, "LeadId": lead} for lead in (leads[0], leads[0], leads[1])]
    first, second, third = api.collection("POST", rows)
    assert first["success"]
    assert first["errors"] == []
    assert second == {
        "success": False,
        "errors": [{"statusCode": "DUPLICATE_VALUE", "message": "Already a campaign member.", "fields": []}],
    }
    assert third["id"].startswith("00v")
    update = api.collection(
        "PATCH",
        [
            {"id": third["id"], "Status": "Responded"},
            {"id": third["id"], "Nope": 1},
            {"id": leads[0], "Status": "x"},
            {"Status": "x"},
        ],
    )
    assert [r["success"] for r in update] == [True, False, False, False]
    assert update[1]["id"] == third["id"]
    assert [r["errors"][0]["statusCode"] for r in update[1:]] == ["INVALID_FIELD", "MALFORMED_ID", "MISSING_ARGUMENT"]
    gone = api.call("DELETE", f"/composite/sobjects?ids={third['id']},{third['id']},00vgL000000zzzz&allOrNone=false")
    assert [r["success"] for r in gone] == [True, False, False]
    assert [r["errors"][0]["statusCode"] for r in gone[1:]] == ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"]


def test_all_or_none(api: Api) -> None:
    campaign, leads = api.campaign(), api.people(2)
    rows = [{"CampaignId": campaign, "LeadId": lead} for lead in (leads[0], leads[1], leads[1])]
    result = api.collection("POST", rows, allOrNone=True)
    assert [r["errors"][0]["statusCode"] for r in result] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "DUPLICATE_VALUE",
    ]
    assert not any("id" in r for r in result), "what was rolled back has no id"
    assert api.query(f"SELECT COUNT() FROM CampaignMember WHERE CampaignId = '{campaign}'")["totalSize"] == 0


def test_limits_of_a_request(api: Api) -> None:
    rows = [{"attributes": {"type": "Lead"}, "LastName": "x", "Company": "y"}] * 201
    code, message = api.error("POST", "/composite/sobjects", 400, json={"records": rows})
    assert (code, message) == (
        "EXCEEDED_ID_LIMIT",
        "record limit reached. cannot submit more than 200 records into this call",
    )
    mixed = [
        {"attributes": {"type": kind}, "LastName": "x", "Company": "y", "Name": "z"} for kind in ("Lead", "Account") * 6
    ]
    assert api.error("POST", "/composite/sobjects", 400, json={"records": mixed})[0] == "LIMIT_EXCEEDED"
    assert (
        api.error("POST", "/composite/sobjects", 400, content=b"{", headers={"Content-Type": "application/json"})[0]
        == "JSON_PARSER_ERROR"
    )
    (row,) = api.collection("POST", [{}], "Nope")
    assert row["errors"][0]["statusCode"] == "INVALID_TYPE"
    (row,) = api.call("POST", "/composite/sobjects", json={"records": [{"LastName": "of no type"}]})
    assert row["errors"][0]["message"].startswith("sObject type '' is not supported.")


def test_upsert_by_external_id(api: Api) -> None:
    campaign = api.campaign()
    kind = {"attributes": {"type": "PAM__Email_History__c"}, "PAM__Campaign__c": campaign}
    url = "/composite/sobjects/PAM__Email_History__c/PAM__External_Id__c"
    rows = [{**kind, "PAM__External_Id__c": f"h{i}", "PAM__Count__c": i} for i in range(3)]
    assert [r["created"] for r in api.call("PATCH", url, json={"records": rows})] == [True] * 3
    rows.append({**kind, "PAM__Count__c": 1})
    again = api.call("PATCH", url, json={"records": rows})
    assert [r.get("created") for r in again] == [False, False, False, None]
    assert again[3]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"


def test_an_external_id_twice_in_one_upsert(api: Api) -> None:
    """Every row that shares its external id with another one of the request is refused, the others are written."""
    campaign = api.campaign()
    kind = {"attributes": {"type": "PAM__Email_History__c"}, "PAM__Campaign__c": campaign}
    url = "/composite/sobjects/PAM__Email_History__c/PAM__External_Id__c"
    rows = [{**kind, "PAM__External_Id__c": key, "PAM__Count__c": 1} for key in ("a", "b", "A", "c")]
    result = api.call("PATCH", url, json={"records": rows})
    assert [r["success"] for r in result] == [False, True, False, True]
    message = "Duplicate external id specified: a"
    (error,) = result[0]["errors"]
    assert error == {"statusCode": "DUPLICATE_VALUE", "message": message, "fields": ["PAM__External_Id__c"]}
    assert api.query("SELECT COUNT() FROM PAM__Email_History__c WHERE PAM__External_Id__c = 'a'")["totalSize"] == 0


def test_retrieve_by_get_and_post(api: Api) -> None:
    ids = [r["Id"] for r in api.rows("SELECT Id FROM CampaignMember ORDER BY Id LIMIT 3")]
    wanted = [ids[2][:15], "00vgL000000zzzz", ids[0], "003gL000000FJWy"]
    found = api.call(
        "POST", "/composite/sobjects/CampaignMember", json={"ids": wanted, "fields": ["Id", "Email", "Status"]}
    )
    assert [r and r["Id"] for r in found] == [ids[2], None, ids[0], None]
    assert "@" in found[0]["Email"]
    assert [
        r["Id"] for r in api.call("GET", f"/composite/sobjects/CampaignMember?ids={ids[0]},{ids[1]}&fields=Id")
    ] == ids[:2]
    assert (
        api.error("POST", "/composite/sobjects/CampaignMember", 400, json={"ids": ids, "fields": ["Nope"]})[0]
        == "INVALID_FIELD"
    )
    assert (
        api.error("POST", "/composite/sobjects/CampaignMember", 400, json={"ids": ids * 700, "fields": ["Id"]})[0]
        == "EXCEEDED_ID_LIMIT"
    )


def test_one_call_whatever_the_rows(api: Api) -> None:
    before = int(api.http.get(f"{BASE}/limits").headers["sforce-limit-info"].split("=")[1].split("/")[0])
    api.people(150)
    after = int(api.http.get(f"{BASE}/limits").headers["sforce-limit-info"].split("=")[1].split("/")[0])
    assert after == before + 2
