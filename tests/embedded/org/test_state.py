"""What happens beside the API: sharing, held transactions, conversion, merge, validation rules, row faults."""

from __future__ import annotations

import pytest

from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import decode
from sync.embedded.org.state import RowFault, ValidationRule
from sync.embedded.org.transactions import Transactions
from tests.embedded.org.conftest import Api


def _hide(api: Api, *ids: str) -> None:
    state = api.built.org.state
    with api.built.org.store.writing() as connection:
        for text in ids:
            prefix, key = decode(text) or ("", 0)
            name = {"00Q": "Lead", "003": "Contact"}[prefix]
            state.hidden.setdefault(name, set()).add(key)
            connection.execute("INSERT INTO _hidden VALUES (?, ?)", (name, key))


def test_hidden_people_vanish_with_their_members(api: Api) -> None:
    campaign, (lead, seen), (contact,) = api.campaign(), api.people(2), api.people(1, "Contact")
    for values in ({"LeadId": lead}, {"LeadId": seen}, {"ContactId": contact}):
        api.create("CampaignMember", CampaignId=campaign, **values)
    members = {
        r["LeadId"] or r["ContactId"]: r["Id"]
        for r in api.rows(f"SELECT Id, LeadId, ContactId FROM CampaignMember WHERE CampaignId = '{campaign}'")
    }
    _hide(api, lead, contact)
    where = f"WHERE CampaignId = '{campaign}'"
    assert api.rows(f"SELECT LeadId FROM CampaignMember {where}") == [{"LeadId": seen}]
    assert api.query(f"SELECT COUNT() FROM CampaignMember {where}")["totalSize"] == 1
    assert api.query(f"SELECT COUNT() FROM Lead WHERE Id = '{lead}'")["totalSize"] == 0
    assert api.error("GET", f"/sobjects/Contact/{contact}", 404)[0] == "NOT_FOUND"
    assert (
        api.error("PATCH", f"/sobjects/CampaignMember/{members[lead]}", 404, json={"Status": "Sent"})[0] == "NOT_FOUND"
    )
    found = api.call(
        "POST", "/composite/sobjects/CampaignMember", json={"ids": list(members.values()), "fields": ["Id"]}
    )
    assert [bool(r) for r in found] == [key == seen for key in members]
    (row,) = api.collection("POST", [{"CampaignId": api.campaign(), "LeadId": lead}])
    assert row["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    assert api.one(f"SELECT NumberOfLeads FROM Campaign WHERE Id = '{campaign}'") == {"NumberOfLeads": 2}


def test_a_held_change_commits_late_with_its_early_stamp(api: Api) -> None:
    transactions = Transactions(api.built.org)
    campaign, (lead, other) = api.campaign(), api.people(2)
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    api.clock.advance(100)
    name, _ = transactions.begin(
        [
            {"id": member, "values": {"PAM__Level__c": "Opened"}},
            {"op": "create", "object": "CampaignMember", "values": {"CampaignId": campaign, "LeadId": other}},
        ]
    )
    stamp = api.clock.now().replace(microsecond=0)
    api.clock.advance(500)
    query = f"SELECT Id, PAM__Level__c, SystemModstamp FROM CampaignMember WHERE CampaignId = '{campaign}' ORDER BY Id"
    assert [r["PAM__Level__c"] for r in api.rows(query)] == [None]
    assert (
        api.error("PATCH", f"/sobjects/CampaignMember/{member}", 400, json={"Status": "Sent"})[0]
        == "UNABLE_TO_LOCK_ROW"
    )
    assert len(transactions.end(name, commit=True)) == 2
    rows = api.rows(query)
    assert [r["PAM__Level__c"] for r in rows] == ["Opened", None]
    assert {r["SystemModstamp"] for r in rows} == {stamp.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
    api.call("PATCH", f"/sobjects/CampaignMember/{member}", 204, json={"Status": "Sent"})
    with pytest.raises(OrgError):
        transactions.end(name, commit=True)
    again, _ = transactions.begin([{"id": member, "values": {"PAM__Level__c": "Clicked"}}])
    transactions.end(again, commit=False)
    assert api.rows(query)[0]["PAM__Level__c"] == "Opened"


@pytest.mark.parametrize("sets_contact", [True, False])
def test_converting_a_lead(api: Api, sets_contact: bool) -> None:
    api.built.org.state.switches.conversion_sets_contact = sets_contact
    transactions, campaign, (lead,) = Transactions(api.built.org), api.campaign(), api.people(1)
    member = api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    (contact,) = transactions.apply([{"op": "convert", "id": lead}])
    assert api.one(f"SELECT IsConverted, ConvertedContactId FROM Lead WHERE Id = '{lead}'") == {
        "IsConverted": True,
        "ConvertedContactId": contact,
    }
    assert api.one(f"SELECT Id, LeadId, ContactId, Type FROM CampaignMember WHERE CampaignId = '{campaign}'") == {
        "Id": member,
        "LeadId": lead,
        "ContactId": contact if sets_contact else None,
        "Type": "Contact" if sets_contact else "Lead",
    }
    counts = "SELECT NumberOfLeads, NumberOfContacts, NumberOfConvertedLeads, PAM__Total_Members__c FROM Campaign"
    assert list(api.one(f"{counts} WHERE Id = '{campaign}'").values()) == [1, 1, 1, 1.0]
    code = ("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    assert api.error("PATCH", f"/sobjects/Lead/{lead}", 400, json={"FirstName": "x"}) == code
    assert (
        api.error("POST", "/sobjects/CampaignMember", 400, json={"CampaignId": api.campaign(), "LeadId": lead}) == code
    )


def test_merging_people(api: Api) -> None:
    transactions, (winner, loser) = Transactions(api.built.org), api.people(2)
    both, only = api.campaign(), api.campaign(Name="Only the loser")
    for campaign, lead in ((both, winner), (both, loser), (only, loser)):
        api.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    transactions.apply([{"op": "merge", "id": winner, "loser": loser}])
    assert api.query(f"SELECT COUNT() FROM CampaignMember WHERE LeadId = '{winner}'")["totalSize"] == 2
    (gone,) = api.call(
        "GET", "/queryAll", params={"q": f"SELECT IsDeleted, MasterRecordId FROM Lead WHERE Id = '{loser}'"}
    )["records"]
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, winner)


def test_validation_rules(api: Api) -> None:
    api.built.org.state.rules.append(ValidationRule("CampaignMember", "Status", "Responded", "Not yet, please."))
    campaign, (lead, other) = api.campaign(), api.people(2)
    rows = api.collection(
        "POST",
        [{"CampaignId": campaign, "LeadId": lead, "Status": "Responded"}, {"CampaignId": campaign, "LeadId": other}],
    )
    assert rows[0]["errors"] == [
        {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Not yet, please.", "fields": ["Status"]}
    ]
    assert rows[1]["success"]
    assert (
        api.error("PATCH", f"/sobjects/CampaignMember/{rows[1]['id']}", 400, json={"Status": "Responded"})[0]
        == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    )


def test_row_faults(api: Api) -> None:
    api.built.org.state.row_faults.append(RowFault("Lead", "UNABLE_TO_LOCK_ROW", "locked", times=2, after=1))
    rows = api.collection("POST", [{"LastName": str(n), "Company": "c"} for n in range(4)], "Lead")
    assert [r["success"] for r in rows] == [True, False, False, True]
