"""The seeded org: the first campaign is ready to start, the others are as odd as real ones."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

import pytest

from tests.embedded.org.conftest import START, Api, make_api

TODAY = date(2027, 3, 1)
CAMPAIGN = (
    "SELECT Id, Name, Type, Status, IsActive, StartDate, EndDate, PAM__Auto_Sync__c, NumberOfLeads, "
    "NumberOfContacts, NumberOfConvertedLeads, CreatedDate FROM Campaign ORDER BY CreatedDate"
)
MEMBERS = (
    "SELECT Id, LeadId, ContactId, Name, FirstName, LastName, Email, Status, HasOptedOutOfEmail, Lead.IsConverted, "
    "PAM__Synced__c, PAM__Test_Member__c, CampaignId FROM CampaignMember"
)


@pytest.mark.parametrize("members", [1, 60])
def test_the_first_campaign_is_ready(members: int) -> None:
    api = make_api(campaigns=3, members=members)
    try:
        campaigns = api.rows(CAMPAIGN)
        first = campaigns[0]
        assert first["Id"] == min(c["Id"] for c in campaigns)
        assert (first["Type"], first["IsActive"], first["PAM__Auto_Sync__c"]) == ("Adaptive", True, True)
        assert date.fromisoformat(first["StartDate"]) < TODAY < date.fromisoformat(first["EndDate"])
        rows = api.rows(f"{MEMBERS} WHERE CampaignId = '{first['Id']}'")
        assert len(rows) == members
        assert all(re.fullmatch(r"[a-z0-9.-]+@[a-z0-9.-]+\.example\.(com|org|net)", r["Email"]) for r in rows)
        assert len({r["Email"] for r in rows}) == len({r["LeadId"] or r["ContactId"] for r in rows}) == members
        assert not any(r["HasOptedOutOfEmail"] or r["PAM__Synced__c"] or r["PAM__Test_Member__c"] for r in rows)
        assert not any((r["Lead"] or {}).get("IsConverted") for r in rows)
        tests = {
            r["Id"]
            for kind in ("Lead", "Contact")
            for r in api.rows(f"SELECT Id FROM {kind} WHERE PAM__Test_Group__c = 'PAM' AND PAM__Test_Member__c = true")
        }
        assert len(tests) == 4
        assert not tests & {r["LeadId"] or r["ContactId"] for r in rows}
        statuses = api.rows(
            f"SELECT Label, IsDefault, HasResponded FROM CampaignMemberStatus WHERE CampaignId = '{first['Id']}'"
        )
        assert {s["Label"] for s in statuses} == {"Sent", "Responded", "Registered", "Attended"}
        assert [s["Label"] for s in statuses if s["IsDefault"]] == ["Sent"]
        assert {s["Label"] for s in statuses if s["HasResponded"]} == {"Responded", "Attended"}
        if members > 1:
            assert first["NumberOfLeads"] == first["NumberOfContacts"] == members / 2
            assert len({r["Status"] for r in rows}) >= 3
        assert api.query("SELECT COUNT() FROM PAM__Email_Edition__c")["totalSize"] == 0
    finally:
        api.http.close()
        api.built.org.store.close()


def test_campaigns_of_every_kind(shared: Api) -> None:
    campaigns = shared.rows(CAMPAIGN)
    names = [c["Name"] for c in campaigns]
    assert len(set(names)) == len(campaigns) == 12
    assert names[0] == "Spring launch 2027"
    assert {c["Type"] for c in campaigns} == {"Adaptive", "Scheduled", "Drip", "Webinar"}
    assert {c["Status"] for c in campaigns} == {"Planned", "In Progress", "Completed"}
    assert any(c["Status"] == "Completed" and c["PAM__Auto_Sync__c"] for c in campaigns)
    assert max(len(n) for n in names) == 80
    assert any("[" in n for n in names)
    assert any(unicodedata.bidirectional(n[0]) == "AL" for n in names)
    assert any("\u200d" in n for n in names)
    assert all(c["NumberOfLeads"] + c["NumberOfContacts"] - c["NumberOfConvertedLeads"] == 60 for c in campaigns)


def test_members_of_every_kind(shared: Api) -> None:
    rows = shared.query(MEMBERS)["records"]
    assert len(rows) == 720
    odd = [r for r in rows if not r["Email"] or r["HasOptedOutOfEmail"] or (r["Lead"] or {}).get("IsConverted")]
    assert any(not r["Email"] for r in rows)
    assert any(r["HasOptedOutOfEmail"] for r in rows)
    assert any(r["LeadId"] and r["ContactId"] for r in rows)
    assert any(not r["FirstName"] for r in rows)
    assert any(r["PAM__Test_Member__c"] for r in rows)
    assert any(not (r["Email"] or "a").isascii() for r in rows)
    assert any(len(r["LastName"]) == 80 for r in rows)
    scripts = {unicodedata.name(c, "?").split()[0] for r in rows for c in r["Name"]}
    assert {"LATIN", "GREEK", "CYRILLIC", "CJK", "ARABIC"} <= scripts
    assert len(odd) / len(rows) <= 0.2
    by_campaign: dict[str, list[str]] = {}
    for row in rows:
        by_campaign.setdefault(row["CampaignId"], []).append((row["Email"] or "").lower())
    assert any(len({e for e in found if e}) < len([e for e in found if e]) for found in by_campaign.values())
    converted = shared.rows("SELECT Id, ConvertedContactId FROM Lead WHERE IsConverted = true")
    pairs = {(r["CampaignId"], r["LeadId"] or r["ContactId"]) for r in rows if not (r["LeadId"] and r["ContactId"])}
    assert any(
        (c, lead["Id"]) in pairs and (c, lead["ConvertedContactId"]) in pairs for lead in converted for c in by_campaign
    )
    shared_people = {p for _, p in pairs}
    assert len(shared_people) < len(pairs)


def test_the_same_seed_gives_the_same_org() -> None:
    def told(**options: int) -> list[object]:
        api = make_api(**options)
        try:
            return [
                api.query(f"{MEMBERS} ORDER BY Id"),
                api.query(CAMPAIGN),
                api.built.access_token,
                api.query("SELECT Id, Name, Email, SystemModstamp FROM Lead ORDER BY Id"),
            ]
        finally:
            api.http.close()
            api.built.org.store.close()

    assert told(seed=5) == told(seed=5)
    assert told(seed=5) != told(seed=6)


def test_stamps_lie_before_the_seed(shared: Api) -> None:
    for name in ("Campaign", "CampaignMember", "Lead", "Contact"):
        newest = shared.one(f"SELECT MAX(SystemModstamp) m FROM {name}")["m"]
        assert newest < START.strftime("%Y-%m-%dT%H:%M:%S")
