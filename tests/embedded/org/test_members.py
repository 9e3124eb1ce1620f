"""Campaign members and their statuses: uniqueness, derived fields, fallback, responses, deletes."""

from __future__ import annotations

import pytest

from tests.embedded.org.conftest import Api


@pytest.fixture
def setting(api: Api) -> tuple[Api, str, str, str]:
    return api, api.campaign(), api.people(1)[0], api.people(1, "Contact")[0]


def test_a_new_campaign_has_two_statuses(api: Api) -> None:
    campaign = api.campaign()
    found = api.rows(
        f"SELECT Label, IsDefault, HasResponded, SortOrder FROM CampaignMemberStatus "
        f"WHERE CampaignId = '{campaign}' ORDER BY SortOrder"
    )
    assert found == [
        {"Label": "Sent", "IsDefault": True, "HasResponded": False, "SortOrder": 1},
        {"Label": "Responded", "IsDefault": False, "HasResponded": True, "SortOrder": 2},
    ]


def test_uniqueness_by_campaign_and_person(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, contact = setting
    for values in ({"LeadId": lead}, {"ContactId": contact}):
        api.create("CampaignMember", CampaignId=campaign, **values)
        assert api.error("POST", "/sobjects/CampaignMember", 400, json={"CampaignId": campaign, **values}) == (
            "DUPLICATE_VALUE",
            "Already a campaign member.",
        )
    api.create("CampaignMember", CampaignId=api.campaign(), LeadId=lead)


def test_unknown_status_becomes_the_default_without_an_error(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, contact = setting
    first = api.create("CampaignMember", CampaignId=campaign, LeadId=lead, Status="No such status")
    second = api.create("CampaignMember", CampaignId=campaign, ContactId=contact, Status="responded")
    query = "SELECT Status, HasResponded, FirstRespondedDate FROM CampaignMember WHERE Id = '{}'"
    assert api.one(query.format(first)) == {"Status": "Sent", "HasResponded": False, "FirstRespondedDate": None}
    assert api.one(query.format(second)) == {
        "Status": "Responded",
        "HasResponded": True,
        "FirstRespondedDate": "2027-03-01",
    }
    api.clock.advance(3 * 86_400)
    api.call("PATCH", f"/sobjects/CampaignMember/{second}", 204, json={"Status": "Sent"})
    assert api.one(query.format(second)) == {
        "Status": "Sent",
        "HasResponded": False,
        "FirstRespondedDate": "2027-03-01",
    }
    api.call("PATCH", f"/sobjects/CampaignMember/{second}", 204, json={"Status": "Responded"})
    assert api.one(query.format(second))["FirstRespondedDate"] == "2027-03-01"


def test_derived_fields_follow_the_person_and_cannot_be_written(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, contact = setting
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    other = api.create("CampaignMember", CampaignId=campaign, ContactId=contact)
    query = (
        "SELECT FirstName, Name, Email, HasOptedOutOfEmail, Type, CompanyOrAccount FROM CampaignMember WHERE Id = '{}'"
    )
    api.call("PATCH", f"/sobjects/Lead/{lead}", 204, json={"FirstName": "Zoë", "HasOptedOutOfEmail": True})
    assert api.one(query.format(member)) == {
        "FirstName": "Zoë",
        "Name": "Zoë Person 0",
        "Email": "p0.lead@fresh.example.com",
        "HasOptedOutOfEmail": True,
        "Type": "Lead",
        "CompanyOrAccount": "Fresh",
    }
    assert api.one(query.format(other))["Type"] == "Contact"
    code, message = api.error(
        "PATCH", f"/sobjects/CampaignMember/{member}", 400, json={"FirstName": "X", "Email": "a@b.cd"}
    )
    assert code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert message.startswith("Unable to create/update fields: FirstName, Email. Please check the security settings")
    for field in ("CampaignId", "LeadId", "HasResponded"):
        code, _ = api.error("PATCH", f"/sobjects/CampaignMember/{member}", 400, json={field: campaign})
        assert code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_change_of_the_person_leaves_the_members_stamp(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, _ = setting
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    query = f"SELECT SystemModstamp, Lead.SystemModstamp FROM CampaignMember WHERE Id = '{member}'"
    before = api.one(query)
    api.clock.advance(120)
    api.call("PATCH", f"/sobjects/Lead/{lead}", 204, json={"Email": "new@fresh.example.com"})
    after = api.one(query)
    assert after["SystemModstamp"] == before["SystemModstamp"]
    assert after["Lead"]["SystemModstamp"] > before["Lead"]["SystemModstamp"]
    assert after["SystemModstamp"].endswith(".000+0000")


def test_what_a_member_needs(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, contact = setting
    post = "/sobjects/CampaignMember"
    assert api.error("POST", post, 400, json={"LeadId": lead}) == (
        "REQUIRED_FIELD_MISSING",
        "Required fields are missing: [CampaignId]",
    )
    assert api.error("POST", post, 400, json={"CampaignId": campaign})[0] == "REQUIRED_FIELD_MISSING"
    assert api.error("POST", post, 400, json={"CampaignId": lead, "LeadId": lead})[0] == "MALFORMED_ID"
    gone = lead[:10] + "zzzzz"
    assert api.error("POST", post, 400, json={"CampaignId": campaign, "LeadId": gone}) == (
        "INVALID_CROSS_REFERENCE_KEY",
        "invalid cross reference id",
    )
    code, message = api.error("POST", post, 400, json={"CampaignId": campaign, "LeadId": lead, "Status": "s" * 41})
    assert (code, "(max length=40)" in message) == ("STRING_TOO_LONG", True)
    both = api.create("CampaignMember", CampaignId=campaign, LeadId=lead, ContactId=contact)
    assert api.one(f"SELECT LeadId, ContactId FROM CampaignMember WHERE Id = '{both}'") == {
        "LeadId": None,
        "ContactId": contact,
    }


def test_removing_a_member_is_for_good(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, _ = setting
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    api.call("DELETE", f"/sobjects/CampaignMember/{member}", 204)
    found = api.call("GET", "/queryAll", params={"q": f"SELECT Id FROM CampaignMember WHERE CampaignId = '{campaign}'"})
    assert found["totalSize"] == 0
    assert api.error("DELETE", f"/sobjects/CampaignMember/{member}", 404) == ("ENTITY_IS_DELETED", "entity is deleted")
    again = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    assert again > member


@pytest.mark.parametrize("parent", ["Campaign", "Lead"])
def test_deleting_a_parent_takes_its_members_into_the_recycle_bin(
    setting: tuple[Api, str, str, str], parent: str
) -> None:
    api, campaign, lead, _ = setting
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    api.clock.advance(60)
    api.call("DELETE", f"/sobjects/{parent}/{campaign if parent == 'Campaign' else lead}", 204)
    soql = f"SELECT Id, IsDeleted, SystemModstamp, CreatedDate FROM CampaignMember WHERE Id = '{member}'"
    assert api.query(soql)["totalSize"] == 0
    (row,) = api.call("GET", "/queryAll", params={"q": soql})["records"]
    assert row["IsDeleted"] is True
    assert row["SystemModstamp"] > row["CreatedDate"]
    assert api.error("GET", f"/sobjects/CampaignMember/{member}", 404)[0] == "ENTITY_IS_DELETED"


def test_roll_ups_follow_every_change(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, contact = setting
    query = (
        "SELECT NumberOfLeads, NumberOfContacts, NumberOfResponses, PAM__Total_Members__c, PAM__Active_Members__c, "
        f"PAM__Inactive_Members__c, PAM__Click_to_Open_Rate__c, PAM__Opt_Out_Direct__c "
        f"FROM Campaign WHERE Id = '{campaign}'"
    )

    def values() -> list[object]:
        return list(api.one(query).values())

    assert values() == [0, 0, 0, 0.0, 0.0, 0.0, None, 0.0]
    first = api.create(
        "CampaignMember",
        CampaignId=campaign,
        LeadId=lead,
        PAM__Level__c="Clicked",
        PAM__Active__c=True,
        PAM__Synced__c="2027-03-01T00:00:00Z",
    )
    second = api.create(
        "CampaignMember",
        CampaignId=campaign,
        ContactId=contact,
        Status="Responded",
        PAM__Level__c="Opened",
        PAM__Reason__c="Opt Out Direct",
    )
    assert values() == [1, 1, 1, 2.0, 1.0, 1.0, 50.0, 1.0]
    api.call("PATCH", f"/sobjects/CampaignMember/{first}", 204, json={"PAM__Active__c": False, "PAM__Level__c": "Sent"})
    assert values() == [1, 1, 1, 2.0, 0.0, 2.0, 0.0, 1.0]
    api.call("DELETE", f"/sobjects/CampaignMember/{second}", 204)
    assert values() == [1, 0, 0, 1.0, 0.0, 1.0, None, 0.0]
    api.call("DELETE", f"/sobjects/Lead/{lead}", 204)
    assert values() == [0, 0, 0, 0.0, 0.0, 0.0, None, 0.0]


def test_statuses_can_be_added_renamed_and_guarded(setting: tuple[Api, str, str, str]) -> None:
    api, campaign, lead, _ = setting
    attended = api.create("CampaignMemberStatus", CampaignId=campaign, Label="Attended", HasResponded=True)
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead, Status="Attended")
    assert (
        api.error("POST", "/sobjects/CampaignMemberStatus", 400, json={"CampaignId": campaign, "Label": "attended"})[0]
        == "DUPLICATE_VALUE"
    )
    assert api.error("DELETE", f"/sobjects/CampaignMemberStatus/{attended}", 400)[0] == "DELETE_FAILED"
    api.call("PATCH", f"/sobjects/CampaignMemberStatus/{attended}", 204, json={"Label": "Was there"})
    assert api.one(f"SELECT Status, HasResponded FROM CampaignMember WHERE Id = '{member}'") == {
        "Status": "Was there",
        "HasResponded": True,
    }
    api.call("PATCH", f"/sobjects/CampaignMemberStatus/{attended}", 204, json={"IsDefault": True})
    default = api.rows(f"SELECT Label FROM CampaignMemberStatus WHERE CampaignId = '{campaign}' AND IsDefault = true")
    assert default == [{"Label": "Was there"}]
