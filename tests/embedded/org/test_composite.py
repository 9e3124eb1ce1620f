"""Composite: references, limits, halted and rolled back parts."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.embedded.org.conftest import BASE, Api


def test_references_across_parts(api: Api) -> None:
    answers = api.composite(
        ("c", "POST", "/sobjects/Campaign", {"Name": "By reference"}),
        ("l", "POST", "/sobjects/Lead", {"LastName": "x", "Company": "y"}),
        ("m", "POST", "/sobjects/CampaignMember", {"CampaignId": "@{c.id}", "LeadId": "@{l.id}"}),
        (
            "q",
            "GET",
            "/query?q=" + quote("SELECT Id, Campaign.Name FROM CampaignMember WHERE Id = '@{m.id}'", safe="@{}."),
        ),
        ("g", "GET", "/sobjects/Campaign/@{c.id}?fields=Name"),
        ("u", "PATCH", "/sobjects/CampaignMember/@{q.records[0].Id}", {"Status": "Responded"}),
        ("t", "PATCH", "/sobjects/Campaign/@{c.id}", {"Description": "@{q.records[0].Campaign.Name}!"}),
        ("d", "GET", "/sobjects/Campaign/describe"),
    )
    assert [a["httpStatusCode"] for a in answers] == [201, 201, 201, 200, 200, 204, 204, 200]
    assert [a["referenceId"] for a in answers] == ["c", "l", "m", "q", "g", "u", "t", "d"]
    assert answers[0]["httpHeaders"]["Location"].endswith(answers[0]["body"]["id"])
    assert answers[5]["body"] is None
    campaign = api.one(f"SELECT Description, NumberOfResponses FROM Campaign WHERE Id = '{answers[0]['body']['id']}'")
    assert campaign == {"Description": "By reference!", "NumberOfResponses": 1}


def test_keyset_chain_ends_with_a_halted_part(api: Api) -> None:
    soql = "/query?q=SELECT+Id+FROM+CampaignMember+WHERE+Id+>+'{}'+ORDER+BY+Id+LIMIT+10"
    answers = api.composite(
        *(
            (f"q{n}", "GET", soql.format("000000000000000" if not n else f"@{{q{n - 1}.records[9].Id}}"))
            for n in range(5)
        )
    )
    assert [a["httpStatusCode"] for a in answers] == [200, 200, 200, 400, 400]
    assert sum(len(a["body"]["records"]) for a in answers[:3]) == 24
    halted = answers[3]["body"][0]
    assert halted["errorCode"] == "PROCESSING_HALTED"
    assert halted["message"].startswith("Invalid reference specified. No value for q2.records[9].Id found in q2")
    assert answers[4]["body"][0]["errorCode"] == "PROCESSING_HALTED"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(f"r{n}", "GET", "/sobjects/Lead/describe") for n in range(26)], "more than 25 operations"),
        ([(f"r{n}", "GET", "/query?q=SELECT+COUNT()+FROM+Lead") for n in range(6)], "more than 5 "),
    ],
)
def test_limits_answer_inside_an_item_without_reference(
    api: Api, parts: list[tuple[str, str, str]], words: str
) -> None:
    (item,) = api.composite(*parts)
    assert (item["referenceId"], item["httpStatusCode"]) == (None, 400)
    assert item["body"][0]["errorCode"] == "LIMIT_EXCEEDED"
    assert words in item["body"][0]["message"]


def test_twenty_five_with_five_heavy_parts_count_once(api: Api) -> None:
    heavy = [(f"q{n}", "GET", "/query?q=SELECT+COUNT()+FROM+Lead") for n in range(5)]
    light = [(f"d{n}", "GET", "/sobjects/Lead") for n in range(20)]
    first = api.http.get(f"{BASE}/limits").json()["DailyApiRequests"]["Remaining"]
    assert all(a["httpStatusCode"] == 200 for a in api.composite(*heavy, *light))
    assert api.http.get(f"{BASE}/limits").json()["DailyApiRequests"]["Remaining"] == first - 2


def test_a_failure_halts_only_what_refers_to_it(api: Api) -> None:
    answers = api.composite(
        ("bad", "POST", "/sobjects/Lead", {"LastName": "x"}),
        ("after", "PATCH", "/sobjects/Lead/@{bad.id}", {"FirstName": "y"}),
        ("other", "POST", "/sobjects/Lead", {"LastName": "x", "Company": "z"}),
    )
    assert [a["httpStatusCode"] for a in answers] == [400, 400, 201]
    assert answers[1]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_all_or_none_rolls_everything_back(api: Api) -> None:
    records = [{"attributes": {"type": "Lead"}, "LastName": "Rolled", "Company": "Back"}]
    answers = api.composite(
        ("good", "POST", "/composite/sobjects", {"records": records}),
        ("seen", "GET", "/query?q=SELECT+Id+FROM+Lead+WHERE+LastName='Rolled'"),
        ("bad", "POST", "/sobjects/Lead", {"LastName": "x"}),
        ("never", "POST", "/sobjects/Lead", {"LastName": "Rolled", "Company": "Too"}),
        allOrNone=True,
    )
    assert [a["httpStatusCode"] for a in answers] == [400] * 4
    assert answers[2]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert answers[0]["body"][0]["message"] == (
        "The transaction was rolled back since another operation in the same transaction failed."
    )
    assert api.query("SELECT COUNT() FROM Lead WHERE LastName = 'Rolled'")["totalSize"] == 0
    answers = api.composite(
        ("good", "POST", "/composite/sobjects", {"records": records}),
        ("seen", "GET", "/query?q=SELECT+Id+FROM+Lead+WHERE+LastName='Rolled'"),
        allOrNone=True,
    )
    assert answers[1]["body"]["totalSize"] == 1


def test_long_statements_fit_the_body(api: Api) -> None:
    leads = api.people(60)
    soql = "SELECT Id FROM Lead WHERE Id IN ('" + "','".join(leads * 70)[:80_000].rsplit("','", 1)[0] + "')"
    (answer,) = api.composite(("q", "GET", "/query/?q=" + quote(soql)))
    assert answer["body"]["totalSize"] == 60


@pytest.mark.parametrize("url", ["/limits", "/composite", "/query/01gxx0000000001AAA-2000", "/nope"])
def test_what_is_not_allowed_inside(api: Api, url: str) -> None:
    (answer,) = api.composite(("r", "GET", url))
    assert answer["httpStatusCode"] == 404


def test_malformed_requests(api: Api) -> None:
    part = {"method": "GET", "url": f"{BASE}/sobjects", "referenceId": "a"}
    for bad in ({**part, "referenceId": "a-b"}, {**part, "httpHeaders": {"Authorization": "x"}}, {"method": "GET"}):
        api.call("POST", "/composite", 400, json={"compositeRequest": [bad]})
    api.call("POST", "/composite", 400, json={"compositeRequest": [part, part]})
    api.call("POST", "/composite", 400, json=[])
