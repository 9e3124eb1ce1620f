"""Rows, describe and external ids over the REST API."""

from __future__ import annotations

import pytest

from tests.embedded.org.conftest import BASE, Api, make_api


def test_create_read_update_delete(api: Api) -> None:
    created = api.http.post(f"{BASE}/sobjects/Lead", json={"LastName": "Ødegård", "Company": " Acme  "})
    assert created.status_code == 201
    lead = created.json()["id"]
    assert created.json() == {"id": lead, "success": True, "errors": []}
    assert created.headers["location"] == f"{BASE}/sobjects/Lead/{lead}"
    read = api.call("GET", f"/sobjects/Lead/{lead}")
    assert read["attributes"] == {"type": "Lead", "url": f"{BASE}/sobjects/Lead/{lead}"}
    assert (read["Name"], read["Company"], read["Status"]) == ("Ødegård", "Acme", "Open - Not Contacted")
    assert read["OwnerId"].startswith("005")
    changed = api.http.patch(f"{BASE}/sobjects/Lead/{lead[:15]}", json={"FirstName": "Ada"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert api.call("GET", f"/sobjects/Lead/{lead}?fields=Name,Id")["Name"] == "Ada Ødegård"
    assert api.http.delete(f"{BASE}/sobjects/Lead/{lead}").status_code == 204
    assert api.error("GET", f"/sobjects/Lead/{lead}", 404) == ("ENTITY_IS_DELETED", "entity is deleted")
    assert api.error("PATCH", f"/sobjects/Lead/{lead}", 404, json={})[0] == "ENTITY_IS_DELETED"


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName, Company]"),
        ({"LastName": "x" * 81, "Company": "c"}, "STRING_TOO_LONG", "Last Name: data value too large: "),
        (
            {"LastName": "x", "Company": "c", "Email": "nobody"},
            "INVALID_EMAIL_ADDRESS",
            "Email: invalid email address: nobody",
        ),
        (
            {"LastName": "x", "Company": "c", "Nope": 1},
            "INVALID_FIELD",
            "No such column 'Nope' on sobject of type Lead",
        ),
        (
            {"LastName": "x", "Company": "c", "Name": "n"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: Name.",
        ),
        ({"LastName": "x", "Company": "c", "OwnerId": "nope"}, "MALFORMED_ID", "id value of incorrect type: nope"),
        (
            {"LastName": "x", "Company": "c", "DoNotCall": "maybe"},
            "JSON_PARSER_ERROR",
            "Cannot deserialize instance of boolean from VALUE_STRING value",
        ),
        ({"LastName": "x", "Company": "c", "PAM__Score__c": "many"}, "JSON_PARSER_ERROR", "Cannot deserialize"),
    ],
)
def test_refused_rows(api: Api, values: dict[str, object], code: str, text: str) -> None:
    found, message = api.error("POST", "/sobjects/Lead", 400, json=values)
    assert found == code
    assert text in message


@pytest.mark.parametrize(
    "address",
    [
        "a@b.co",
        "o'neill.x+tag@mail.example.com",
        "πωλήσεις@παράδειγμα.example",
        "info@bücher.example",
        "x_y@a-b.example.org",
    ],
)
def test_addresses_that_are_accepted(api: Api, address: str) -> None:
    assert api.create("Lead", LastName="x", Company="c", Email=address)


@pytest.mark.parametrize(
    "address", ["a@b", "a b@c.de", "@c.de", "a@.de", "a..b@c.de", ".a@c.de", "a@c..de", "a@c.d1", "a@-c.de"]
)
def test_addresses_that_are_refused(api: Api, address: str) -> None:
    body = {"LastName": "x", "Company": "c", "Email": address}
    assert api.error("POST", "/sobjects/Lead", 400, json=body)[0] == "INVALID_EMAIL_ADDRESS"


def test_upserts_that_may_not_create(api: Api) -> None:
    """``updateOnly`` (61.0 on) leaves alone what is not there; before 46.0 an upsert that updates has no body."""
    campaign, where = api.campaign(), "/sobjects/PAM__Email_History__c/PAM__External_Id__c/only"
    values = {"PAM__Campaign__c": campaign, "PAM__Count__c": 1}
    assert api.error("PATCH", f"{where}?updateOnly=true", 404, json=values)[0] == "NOT_FOUND"
    assert api.call("PATCH", f"{where}?updateOnly=false", 201, json=values)["created"] is True
    assert api.call("PATCH", f"{where}?updateOnly=true", 200, json=values)["created"] is False
    assert api.call("PATCH", f"/services/data/v45.0{where}", 204, json=values) is None
    assert api.call("POST", "/sobjects/Lead/Id", 201, json={"LastName": "x", "Company": "y"})["success"] is True


def test_an_external_id_that_several_records_have(api: Api) -> None:
    """300 with the addresses of the records."""
    campaign = api.campaign()
    made = [api.create("PAM__Email_History__c", PAM__Campaign__c=campaign, PAM__External_Id__c=key) for key in "ab"]
    with api.built.org.store.writing() as connection:
        connection.execute("UPDATE PAM__Email_History__c SET PAM__External_Id__c = 'a'")
    for method, more in (("GET", {}), ("DELETE", {}), ("PATCH", {"json": {"PAM__Count__c": 1}})):
        found = api.call(method, "/sobjects/PAM__Email_History__c/PAM__External_Id__c/a", 300, **more)
        assert sorted(found) == [f"{BASE}/sobjects/PAM__Email_History__c/{key}" for key in made]


def test_external_ids(api: Api) -> None:
    campaign = api.campaign()
    url = "/sobjects/PAM__Email_Edition__c/PAM__External_Id__c/ed%201"
    first = api.call("PATCH", url, 201, json={"Name": "Initial", "PAM__Campaign__c": campaign, "PAM__Sent__c": 3})
    assert first["created"] is True
    second = api.call("PATCH", url, json={"PAM__Campaign__c": campaign, "PAM__Sent__c": 4})
    assert second == {"id": first["id"], "success": True, "errors": [], "created": False}
    row = api.call("GET", url)
    assert (row["PAM__External_Id__c"], row["PAM__Sent__c"], row["PAM__Sent_Percent__c"]) == ("ed 1", 4.0, None)
    edition = {"PAM__External_Id__c": "ed 1"}
    click = api.create(
        "PAM__Click_Through__c", PAM__Campaign__c=campaign, PAM__Email_Edition__r=edition, PAM__Hits__c=2
    )
    shown = api.one(f"SELECT Name, PAM__Email_Edition__r.Name FROM PAM__Click_Through__c WHERE Id = '{click}'")
    assert shown["Name"].startswith("CT-")
    assert shown["PAM__Email_Edition__r"]["Name"] == "Initial"
    assert (
        api.error(
            "POST",
            "/sobjects/PAM__Email_Edition__c",
            400,
            json={"PAM__Campaign__c": campaign, "PAM__External_Id__c": "ED 1"},
        )[0]
        == "DUPLICATE_VALUE"
    )
    assert api.error("PATCH", "/sobjects/Lead/Company/x", 404, json={})[1].startswith(
        "Provided external ID field does not exist or is not accessible"
    )
    api.call("DELETE", url, 204)
    assert api.error("GET", url, 404) == ("NOT_FOUND", "The requested resource does not exist")


def test_delivered_is_the_sum_over_editions(api: Api) -> None:
    campaign = api.campaign()
    for number in (10, 5):
        api.create(
            "PAM__Email_Edition__c", PAM__Campaign__c=campaign, PAM__Delivered__c=number, PAM__Opened__c=number / 5
        )
    assert api.one(f"SELECT PAM__Delivered__c FROM Campaign WHERE Id = '{campaign}'") == {"PAM__Delivered__c": 15.0}
    assert api.rows("SELECT PAM__Open_Percent__c FROM PAM__Email_Edition__c")[0] == {"PAM__Open_Percent__c": 20.0}
    for field in ("PAM__Delivered__c", "PAM__Active_Members__c"):
        code, _ = api.error("PATCH", f"/sobjects/Campaign/{campaign}", 400, json={field: 1})
        assert code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_describe(shared: Api) -> None:
    fields = {f["name"]: f for f in shared.call("GET", "/sobjects/CampaignMember/describe")["fields"]}
    assert fields["Status"]["length"] == 40
    assert (fields["Status"]["createable"], fields["Email"]["updateable"]) == (True, False)
    assert (fields["CampaignId"]["createable"], fields["CampaignId"]["updateable"]) == (True, False)
    assert fields["LeadId"]["referenceTo"] == ["Lead"]
    assert {"byteLength", "nillable", "defaultedOnCreate", "soapType", "picklistValues", "filterable"} <= set(
        fields["Status"]
    )
    edition = {f["name"]: f for f in shared.call("GET", "/sobjects/pam__email_edition__C/describe")["fields"]}
    assert (edition["PAM__External_Id__c"]["externalId"], edition["PAM__External_Id__c"]["unique"]) == (True, True)
    assert (edition["PAM__Open_Percent__c"]["calculated"], edition["PAM__Open_Percent__c"]["createable"]) == (
        True,
        False,
    )
    answer = shared.http.get(f"{BASE}/sobjects/Lead/describe")
    again = shared.http.get(
        f"{BASE}/sobjects/Lead/describe", headers={"If-Modified-Since": answer.headers["last-modified"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    listed = {o["name"] for o in shared.call("GET", "/sobjects")["sobjects"]}
    assert {"Campaign", "CampaignMember", "Lead", "PAM__Email_Edition__c"} <= listed
    assert shared.error("GET", "/sobjects/Nope/describe", 404)[0] == "NOT_FOUND"


def test_an_org_without_the_package() -> None:
    api = make_api(package=False)
    try:
        listed = {o["name"] for o in api.call("GET", "/sobjects")["sobjects"]}
        assert not any(name.startswith("PAM__") for name in listed)
        assert api.query("SELECT COUNT() FROM CampaignMember")["totalSize"] == 24
        assert (
            api.error("GET", "/query", 400, params={"q": "SELECT PAM__Level__c FROM CampaignMember"})[0]
            == "INVALID_FIELD"
        )
        assert (
            api.error("GET", "/query", 400, params={"q": "SELECT Id FROM PAM__Email_Edition__c"})[0] == "INVALID_TYPE"
        )
        campaign, lead = api.campaign(), api.people(1)[0]
        api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
        assert api.one(f"SELECT NumberOfLeads FROM Campaign WHERE Id = '{campaign}'") == {"NumberOfLeads": 1}
    finally:
        api.http.close()
        api.built.org.store.close()
