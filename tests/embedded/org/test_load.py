"""Loading what ``sf data export tree`` wrote: plans, flat and nested files, an org's own fields and objects, errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.embedded.process import EmbeddedError, start_embedded
from sync.embedded.seed.exported import ExportError
from tests.embedded.org.conftest import BASE, Api, make_api

EXPORT = Path(__file__).parent.parent / "export"


@pytest.fixture
def copy() -> Iterator[Api]:
    made = make_api(load=EXPORT)
    yield made
    made.http.close()
    made.built.org.store.close()


def test_every_record_is_there_once(copy: Api) -> None:
    assert copy.built.loaded == {
        "Campaign": 3,
        "Lead": 2,
        "Contact": 1,
        "CampaignMember": 4,
        "Course__c": 1,
        "CampaignMemberStatus": 1,
    }
    fields = "Name, Type, IsActive, StartDate, CreatedDate, PAM__Auto_Sync__c, Owner.Name"
    first = copy.query(f"SELECT {fields} FROM Campaign ORDER BY CreatedDate")["records"][0]
    assert (first["Name"], first["Type"], first["IsActive"], first["StartDate"]) == (
        "Copied from production",
        "Adaptive",
        True,
        "2027-02-01",
    )
    assert (first["CreatedDate"], first["PAM__Auto_Sync__c"]) == ("2027-01-05T10:00:00.000+0000", True)
    assert first["Owner"]["Name"] == "Integration User"


def test_members_are_bound_to_their_campaign_and_person(copy: Api) -> None:
    soql = "SELECT Email, Type, Status, HasResponded FROM CampaignMember WHERE Campaign.Name = '{}' ORDER BY Id"
    rows = copy.rows(soql.format("Copied from production"))
    assert [(r["Email"], r["Type"], r["Status"], r["HasResponded"]) for r in rows] == [
        ("svitlana@kyiv.example.com", "Lead", "Attended", True),
        ("ibe@acme.example.com", "Contact", "Sent", False),
        ("not an address by our rules@", "Lead", "Sent", False),
    ]
    assert copy.rows(soql.format("Nested in a plain file"))[0]["Status"] == "Invited"
    fields = "NumberOfLeads, NumberOfConvertedLeads, NumberOfContacts, NumberOfResponses"
    counts = copy.one(f"SELECT {fields} FROM Campaign WHERE Name LIKE 'Copied%'")
    assert counts == {"NumberOfLeads": 2, "NumberOfConvertedLeads": 1, "NumberOfContacts": 2, "NumberOfResponses": 1}


def test_statuses_that_were_not_exported_are_completed(copy: Api) -> None:
    soql = (
        "SELECT Label, IsDefault, HasResponded FROM CampaignMemberStatus WHERE Campaign.Name = '{}' ORDER BY SortOrder"
    )
    shown = {
        name: [(r["Label"], r["IsDefault"], r["HasResponded"]) for r in copy.rows(soql.format(name))]
        for name in ("Copied from production", "Nested in a plain file")
    }
    assert shown["Copied from production"] == [
        ("Sent", True, False),
        ("Responded", False, True),
        ("Attended", False, True),
    ]
    assert shown["Nested in a plain file"] == [("Invited", True, False)]


def test_the_orgs_own_fields_and_objects_are_part_of_it(copy: Api) -> None:
    told = {f["name"]: f["type"] for f in copy.call("GET", "/sobjects/Campaign/describe")["fields"]}
    own = {n: told[n] for n in ("Budget_Code__c", "Reach__c", "Approved__c", "Approved_On__c")}
    assert own == {"Budget_Code__c": "string", "Reach__c": "double", "Approved__c": "boolean", "Approved_On__c": "date"}
    row = copy.query("SELECT LastName, Favourite__r.Name, Favourite__r.Seats__c FROM Lead WHERE Favourite__c != null")
    assert row["records"][0]["Favourite__r"]["Seats__c"] == 8
    course = copy.create("Course__c", Name="Sailing", Seats__c=4)
    assert copy.call("GET", f"/sobjects/Course__c/{course}")["Seats__c"] == 4
    copy.create("Lead", LastName="New", Company="x", Favourite__c=course)


def test_the_copy_behaves_as_any_org(copy: Api) -> None:
    campaign = copy.one("SELECT Id FROM Campaign WHERE Name = 'Empty one'")["Id"]
    lead = copy.one("SELECT Id FROM Lead WHERE LastName = 'Ковальчук'")["Id"]
    member = copy.create("CampaignMember", CampaignId=campaign, LeadId=lead, Status="Nonsense")
    assert copy.call("GET", f"/sobjects/CampaignMember/{member}")["Status"] == "Sent"
    assert copy.error("POST", "/sobjects/CampaignMember", 400, json={"CampaignId": campaign, "LeadId": lead})[0] == (
        "DUPLICATE_VALUE"
    )


def edited(tmp_path: Path, file: str, change: Any) -> Path:
    folder = tmp_path / "export"
    shutil.copytree(EXPORT, folder)
    content = json.loads((folder / file).read_text())
    change(content["records"] if isinstance(content, dict) else content)
    (folder / file).write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("Lead.json", lambda r: r[1].pop("LastName"), "record 2 (LeadRef2): Required fields are missing: [LastName]"),
        (
            "CampaignMember.json",
            lambda r: r[0].update(LeadId="00Qxx0000012345AAA"),
            "record 1 (CampaignMemberRef1): LeadId 00Qxx0000012345AAA is none of the exported records; export Lead",
        ),
        (
            "CampaignMember.json",
            lambda r: r[1].update(ContactId="@LeadRef1"),
            "record 2 (CampaignMemberRef2): ContactId @LeadRef1 is a record of Lead, not of Contact",
        ),
        (
            "CampaignMember.json",
            lambda r: r[1].pop("ContactId"),
            "record 2 (CampaignMemberRef2): a campaign member needs LeadId or ContactId",
        ),
        (
            "CampaignMember.json",
            lambda r: r[2].update(LeadId="@LeadRef1"),
            "record 3 (CampaignMemberRef3): the same person is a member of the same campaign in",
        ),
        (
            "Lead.json",
            lambda r: r[1]["attributes"].update(referenceId="LeadRef1"),
            "record 2 (LeadRef1): the referenceId LeadRef1 is given twice",
        ),
        (
            "Campaign.json",
            lambda r: r[0].update(StartDate="soon"),
            "record 1 (CampaignRef1): StartDate: Cannot deserialize instance of date",
        ),
        (
            "Campaign.json",
            lambda r: r[0].update(Owner={"Name": "x"}),
            "record 1 (CampaignRef1): Owner is no plain value",
        ),
        (
            "Campaign.json",
            lambda r: r[0].pop("attributes") and r.__setitem__(0, []),
            "record 1: an object with attributes is needed",
        ),
        ("plan.json", lambda p: p[0].update(files=["Nope.json"]), "plan.json: step 1: Nope.json is not there"),
        (
            "nested.json",
            lambda r: (
                r[0].update({"Nopes": r[0].pop("CampaignMembers")})
                or r[0]["Nopes"]["records"][0]["attributes"].update(type="Course__c")
            ),
            "Nopes is no relationship of Campaign",
        ),
    ],
)
def test_errors_say_file_and_record(tmp_path: Path, file: str, change: Any, words: str) -> None:
    with pytest.raises(ExportError) as refused:
        make_api(load=edited(tmp_path, file, change))
    assert words in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "export"))


@pytest.mark.parametrize(("text", "words"), [("{", "no JSON"), ("{}", "list of records"), ("[]", "no records")])
def test_files_that_are_no_export(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ExportError, match=words):
        make_api(load=tmp_path)


@pytest.mark.slow
def test_the_servers_load_and_refuse(tmp_path: Path) -> None:
    with start_embedded(only="org", load=EXPORT) as servers:
        assert servers.ready["salesforce"]["loaded"]["CampaignMember"] == 4
        headers = {"Authorization": f"Bearer {servers.access_token}"}
        where = f"{servers.instance_url}{BASE}/query?q=SELECT+COUNT()+FROM+CampaignMember"
        assert httpx.get(where, headers=headers, trust_env=False).json()["totalSize"] == 4
    with pytest.raises(EmbeddedError, match=r"cannot start: .*no such directory"):
        start_embedded(only="org", load=tmp_path / "nope")
