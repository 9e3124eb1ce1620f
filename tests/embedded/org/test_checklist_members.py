"""The checklist of the platform's behaviour, its lines on campaign members, stamps and ids; a part each test."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from sync.clock import Clock
from sync.embedded.org.collections import create
from sync.embedded.org.core import Call
from sync.embedded.org.ids import normalise, to_18
from sync.embedded.org.state import DuplicateRule, ValidationRule
from tests.embedded.org.conftest import Api


@pytest.fixture
def member(api: Api) -> dict[str, str]:
    """A campaign with one lead in it."""
    campaign, (lead,) = api.campaign(), api.people(1)
    return {"campaign": campaign, "lead": lead, "id": api.create("CampaignMember", CampaignId=campaign, LeadId=lead)}


def stamp(api: Api, name: str, key: str) -> str:
    return str(api.call("GET", f"/sobjects/{name}/{key}", params={"fields": "SystemModstamp"})["SystemModstamp"])


def apply(api: Api, **operation: Any) -> list[str]:
    return api.built.gateway.transactions.apply([operation])


# ------------------------------------------------------------------ CampaignMember


def test_fields_of_the_person_are_read_only(api: Api, member: dict[str, str]) -> None:
    """Derived read-only fields: shown from the person, refused on write with every field's name."""
    shown = api.call("GET", f"/sobjects/CampaignMember/{member['id']}")
    assert (shown["LastName"], shown["Type"], shown["LeadOrContactId"]) == ("Person 0", "Lead", member["lead"])
    (error,) = api.call("PATCH", f"/sobjects/CampaignMember/{member['id']}", 400, json={"FirstName": "x", "Email": "y"})
    assert (error["errorCode"], error["fields"]) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["FirstName", "Email"])
    moved = {"CampaignId": api.campaign(Name="Elsewhere")}
    assert api.error("PATCH", f"/sobjects/CampaignMember/{member['id']}", 400, json=moved)[0] == (
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    )


def test_an_unknown_status_silently_becomes_the_default(api: Api, member: dict[str, str]) -> None:
    """Status fallback: an unknown label is no error; the default is stored, or the text itself without a default."""
    where = f"/sobjects/CampaignMember/{member['id']}"
    api.call("PATCH", where, 204, json={"Status": "No such status"})
    assert api.call("GET", where)["Status"] == "Sent"
    with api.built.org.store.writing() as connection:
        connection.execute("UPDATE CampaignMemberStatus SET IsDefault = 0")
    api.call("PATCH", where, 204, json={"Status": "No such status"})
    found = api.call("GET", where)
    assert (found["Status"], found["HasResponded"]) == ("No such status", False)


def test_has_responded_follows_the_status_and_the_first_date_stays(api: Api, member: dict[str, str]) -> None:
    """Responded status: HasResponded is derived at each update; FirstRespondedDate is a date and is kept."""
    where = f"/sobjects/CampaignMember/{member['id']}"
    api.call("PATCH", where, 204, json={"Status": "Responded"})
    assert api.call("GET", where)["FirstRespondedDate"] == "2027-03-01"
    api.clock.advance(3 * 86_400)
    for status, responded in (("Sent", False), ("Responded", True)):
        api.call("PATCH", where, 204, json={"Status": status})
        found = api.call("GET", where)
        assert (found["HasResponded"], found["FirstRespondedDate"]) == (responded, "2027-03-01")


def test_a_campaign_has_one_default_status_and_keeps_those_in_use(api: Api, member: dict[str, str]) -> None:
    """Default and responded status rules: Sent (default) and Responded to begin with, one default, none in use lost."""
    soql = f"SELECT Id, Label, IsDefault FROM CampaignMemberStatus WHERE CampaignId = '{member['campaign']}'"
    rows = {r["Label"]: r for r in api.rows(soql)}
    assert {label: r["IsDefault"] for label, r in rows.items()} == {"Sent": True, "Responded": False}
    new = api.create("CampaignMemberStatus", CampaignId=member["campaign"], Label="New", IsDefault=True)
    assert {r["Label"] for r in api.rows(soql) if r["IsDefault"]} == {"New"}
    for key in (rows["Sent"]["Id"], new):
        assert api.error("DELETE", f"/sobjects/CampaignMemberStatus/{key}", 400)[0] == "DELETE_FAILED"
    api.call("DELETE", f"/sobjects/CampaignMemberStatus/{rows['Responded']['Id']}", 204)


def test_one_member_a_campaign_and_person(api: Api, member: dict[str, str]) -> None:
    """Uniqueness error: DUPLICATE_VALUE Already a campaign member., and nothing is updated."""
    again = {"CampaignId": member["campaign"], "LeadId": member["lead"], "Status": "Responded"}
    assert api.error("POST", "/sobjects/CampaignMember", 400, json=again) == (
        "DUPLICATE_VALUE",
        "Already a campaign member.",
    )
    assert api.call("GET", f"/sobjects/CampaignMember/{member['id']}")["Status"] == "Sent"


def test_a_removed_member_is_gone_for_good(api: Api, member: dict[str, str]) -> None:
    """Hard delete: a removed member is in no recycle bin; queryAll does not show it."""
    api.call("DELETE", f"/sobjects/CampaignMember/{member['id']}", 204)
    soql = f"SELECT Id FROM CampaignMember WHERE CampaignId = '{member['campaign']}'"
    assert api.call("GET", "/queryAll", params={"q": soql})["records"] == []
    assert api.error("DELETE", f"/sobjects/CampaignMember/{member['id']}", 404)[0] == "ENTITY_IS_DELETED"


@pytest.mark.parametrize("parent", ["campaign", "lead"])
def test_members_are_deleted_softly_with_their_campaign_or_person(
    api: Api, member: dict[str, str], parent: str
) -> None:
    """Cascade soft delete: with its campaign or person a member goes into the recycle bin."""
    api.call("DELETE", f"/sobjects/{'Campaign' if parent == 'campaign' else 'Lead'}/{member[parent]}", 204)
    soql = f"SELECT Id, IsDeleted FROM CampaignMember WHERE Id = '{member['id']}'"
    assert api.rows(soql) == []
    (row,) = api.call("GET", "/queryAll", params={"q": soql})["records"]
    assert row["IsDeleted"] is True


@pytest.mark.parametrize("with_contact", [True, False])
def test_a_converted_lead_keeps_its_member(api: Api, member: dict[str, str], with_contact: bool) -> None:
    """Lead conversion: the member keeps id and lead, the switch says whether it gets the contact; the lead is fixed."""
    api.built.org.state.switches.conversion_sets_contact = with_contact
    (contact,) = apply(api, op="convert", id=member["lead"])
    found = api.call("GET", f"/sobjects/CampaignMember/{member['id']}")
    assert (found["LeadId"], found["ContactId"]) == (member["lead"], contact if with_contact else None)
    assert found["Type"] == ("Contact" if with_contact else "Lead")
    lead = api.call("GET", f"/sobjects/Lead/{member['lead']}")
    assert (lead["IsConverted"], lead["ConvertedContactId"]) == (True, contact)
    refused = ("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    assert api.error("PATCH", f"/sobjects/Lead/{member['lead']}", 400, json={"Title": "x"}) == refused
    new = {"CampaignId": api.campaign(Name="Another"), "LeadId": member["lead"]}
    assert api.error("POST", "/sobjects/CampaignMember", 400, json=new) == refused
    api.call("DELETE", f"/sobjects/CampaignMember/{member['id']}", 204)


def test_merging_people_moves_members_and_removes_doubles(api: Api, member: dict[str, str]) -> None:
    """Merge: members move to the winner, of two in one campaign one is hard-deleted, the loser names its master."""
    (winner,) = api.people(1)
    kept = api.create("CampaignMember", CampaignId=member["campaign"], LeadId=winner)
    other = api.create("CampaignMember", CampaignId=api.campaign(Name="Loser only"), LeadId=member["lead"])
    apply(api, op="merge", id=winner, loser=member["lead"])
    rows = api.rows(f"SELECT Id FROM CampaignMember WHERE LeadId = '{winner}' ORDER BY Id")
    assert [r["Id"] for r in rows] == sorted([kept, other])
    soql = f"SELECT Id FROM CampaignMember WHERE Id = '{member['id']}'"
    assert api.call("GET", "/queryAll", params={"q": soql})["totalSize"] == 0
    soql = f"SELECT MasterRecordId, IsDeleted FROM Lead WHERE Id = '{member['lead']}'"
    (loser,) = api.call("GET", "/queryAll", params={"q": soql})["records"]
    assert (loser["MasterRecordId"], loser["IsDeleted"]) == (winner, True)


def test_rows_of_an_open_transaction_are_locked(api: Api, member: dict[str, str]) -> None:
    """Row locks: UNABLE_TO_LOCK_ROW names the record, until the other transaction ends."""
    transactions = api.built.gateway.transactions
    name, _ = transactions.begin([{"id": member["id"], "values": {"Status": "Responded"}}])
    (row,) = api.collection("PATCH", [{"id": member["id"], "Status": "Sent"}])
    assert row["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert row["errors"][0]["message"] == (
        f"unable to obtain exclusive access to this record or 1 records: {member['id']}"
    )
    transactions.end(name, commit=False)
    assert api.collection("PATCH", [{"id": member["id"], "Status": "Sent"}])[0]["success"]


class Arrivals:
    """A clock that counts who asks for monotonic time, as each request does when it arrives."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seen = threading.Semaphore(0)

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        self.seen.release()
        return self._clock.monotonic()


@pytest.mark.parametrize(("share", "same", "lost"), [(0.0, True, 0), (1.0, True, 3), (1.0, False, 0)])
def test_overlapping_requests_contend_for_a_campaign(api: Api, share: float, same: bool, lost: int) -> None:
    """Row locks: writing members locks their campaign; requests that overlap lose rows, where the switch says so."""
    api.built.org.state.switches.lock_contention = share
    org, leads = api.built.org, api.people(6)
    first = api.campaign()
    second = first if same else api.campaign(Name="Another")
    calls = [
        Call("POST", ("composite", "sobjects"), {}, {}, {"records": rows}, "66.0")
        for rows in (
            [{"attributes": {"type": "CampaignMember"}, "CampaignId": c, "LeadId": lead} for lead in part]
            for c, part in ((first, leads[:3]), (second, leads[3:]))
        )
    ]
    arrivals = Arrivals(org.clock)
    with ThreadPoolExecutor(2) as pool:
        with org.store.lock:
            org.clock = arrivals
            found = [pool.submit(create, org, call) for call in calls]
            for _ in calls:
                assert arrivals.seen.acquire(timeout=10)
        errors = [row["errors"][0]["statusCode"] for one in found for row in one.result().body if row["errors"]]
    assert errors == ["UNABLE_TO_LOCK_ROW"] * lost
    alone = api.people(1, "Contact")
    assert api.collection("POST", [{"CampaignId": first, "ContactId": alone[0]}])[0]["success"], "alone nobody contends"


@pytest.mark.parametrize(("keep", "lead_kept"), [(False, False), (True, True)])
def test_a_member_given_lead_and_contact(api: Api, keep: bool, lead_kept: bool) -> None:
    """Both ids given: only the contact is kept, unless the switch says otherwise."""
    api.built.org.state.switches.keep_lead_id = keep
    (lead,), (contact,) = api.people(1), api.people(1, "Contact")
    made = api.create("CampaignMember", CampaignId=api.campaign(), LeadId=lead, ContactId=contact)
    found = api.call("GET", f"/sobjects/CampaignMember/{made}")
    assert (found["LeadId"] == lead, found["ContactId"]) == (lead_kept, contact)


def test_validation_rules_reject_rows(api: Api, member: dict[str, str]) -> None:
    """Validation rules that can be planted: FIELD_CUSTOM_VALIDATION_EXCEPTION with the admin's words and field."""
    api.built.org.state.rules.append(ValidationRule("CampaignMember", "Status", "Responded", "Not before June."))
    (row,) = api.collection("PATCH", [{"id": member["id"], "Status": "Responded"}])
    assert row["errors"] == [
        {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Not before June.", "fields": ["Status"]}
    ]


@pytest.mark.parametrize(
    ("action", "header", "status"),
    [
        ("alert", None, 400),
        ("alert", "allowSave=true", 201),
        ("block", "allowSave=true", 400),
        ("alert", "allowSave=false", 400),
    ],
)
def test_duplicate_rules_and_their_header(api: Api, action: str, header: str | None, status: int) -> None:
    """Duplicate rules: DUPLICATES_DETECTED; the header lets pass what a rule only alerts about."""
    api.people(1)
    api.built.org.state.duplicate_rules.append(DuplicateRule("Lead", ("Email",), action))
    again = {"LastName": "Again", "Company": "Fresh", "Email": "p0.lead@fresh.example.com"}
    headers = {} if header is None else {"Sforce-Duplicate-Rule-Header": header}
    body = api.call("POST", "/sobjects/Lead", status, json=again, headers=headers)
    if status == 400:
        assert body == [{"message": "Use one of these records?", "errorCode": "DUPLICATES_DETECTED"}]


@pytest.mark.parametrize(("header", "assigned"), [(None, True), ("FALSE", False), ("TRUE", True)])
def test_assignment_rules_and_their_header(api: Api, header: str | None, assigned: bool) -> None:
    """Assignment rules run on new leads unless Sforce-Auto-Assign says FALSE."""
    api.built.org.state.switches.assignment_rule = True
    headers = {} if header is None else {"Sforce-Auto-Assign": header}
    made = api.call("POST", "/sobjects/Lead", 201, json={"LastName": "x", "Company": "y"}, headers=headers)["id"]
    owner = api.call("GET", f"/sobjects/Lead/{made}")["OwnerId"]
    assert (owner != api.built.org.user_id) == assigned


# ------------------------------------------------------------------ SystemModstamp


def test_stamps_have_second_resolution(api: Api, member: dict[str, str]) -> None:
    """SystemModstamp has second resolution, so that many rows share one."""
    rows = api.collection("POST", [{"LastName": str(n), "Company": "Stamp"} for n in range(50)], "Lead")
    stamps = {stamp(api, "Lead", row["id"]) for row in rows}
    assert len(stamps) == 1
    assert stamps.pop().endswith(".000+0000")


def test_a_stamp_is_earlier_than_its_commit(api: Api, member: dict[str, str]) -> None:
    """Stamp earlier than commit: an in-flight change appears late, under a stamp that a watermark has passed."""
    before = stamp(api, "CampaignMember", member["id"])
    transactions = api.built.gateway.transactions
    api.clock.advance(10)
    name, _ = transactions.begin([{"id": member["id"], "values": {"Status": "Responded"}}])
    api.clock.advance(300)
    assert stamp(api, "CampaignMember", member["id"]) == before
    later = stamp(api, "Lead", api.people(1)[0])
    transactions.end(name, commit=True)
    assert before < stamp(api, "CampaignMember", member["id"]) < later


def test_a_changed_lead_does_not_touch_its_member(api: Api, member: dict[str, str]) -> None:
    """No propagation from Lead or Contact to CampaignMember: the member reads otherwise under the same stamp."""
    before = stamp(api, "CampaignMember", member["id"])
    api.clock.advance(60)
    api.call("PATCH", f"/sobjects/Lead/{member['lead']}", 204, json={"Email": "moved@fresh.example.com"})
    assert stamp(api, "CampaignMember", member["id"]) == before
    assert api.call("GET", f"/sobjects/CampaignMember/{member['id']}")["Email"] == "moved@fresh.example.com"
    assert stamp(api, "Lead", member["lead"]) > before


def window(api: Api, resource: str, start: str, end: str, status: int = 200, name: str = "Lead") -> Any:
    return api.call("GET", f"/sobjects/{name}/{resource}/", status, params={"start": start, "end": end})


def test_seconds_are_ignored_in_windows(api: Api) -> None:
    """Seconds are ignored in updated and deleted: 09:00:30 is 09:00."""
    api.clock.advance(10)
    (lead,) = api.people(1)
    found = window(api, "updated", "2027-03-01T09:00:50Z", "2027-03-01T09:05:00Z")
    assert lead in found["ids"]
    api.clock.advance(600)
    assert lead not in window(api, "updated", "2027-03-01T09:01:00+00:00", "2027-03-01T09:05:00Z")["ids"]


@pytest.mark.parametrize("resource", ["updated", "deleted"])
@pytest.mark.parametrize(
    ("start", "end"), [("09:00:00", "09:01:00"), ("09:00:00", "09:01:59"), ("09:05:00", "09:00:00")]
)
def test_a_window_is_longer_than_a_minute(api: Api, resource: str, start: str, end: str) -> None:
    """The > 1 minute rule: INVALID_REPLICATION_DATE."""
    (error,) = window(api, resource, f"2027-03-01T{start}Z", f"2027-03-01T{end}Z", 400)
    assert error["errorCode"] == "INVALID_REPLICATION_DATE"
    window(api, resource, "2027-03-01T09:00:00Z", "2027-03-01T09:02:00Z")


@pytest.mark.parametrize(("resource", "days"), [("updated", 30), ("deleted", 15)])
def test_windows_reach_back_so_many_days(api: Api, resource: str, days: int) -> None:
    """Windows of 30 days (updated) and 15 days (deleted), else INVALID_REPLICATION_DATE."""
    month = {30: ("2027-01-30", "2027-01-29"), 15: ("2027-02-14", "2027-02-13")}[days]
    window(api, resource, f"{month[0]}T09:00:00Z", "2027-03-01T09:00:00Z")
    (error,) = window(api, resource, f"{month[1]}T08:00:00Z", "2027-03-01T09:00:00Z", 400)
    assert error["errorCode"] == "INVALID_REPLICATION_DATE"


def test_latest_date_covered_is_held_back_by_open_transactions(api: Api) -> None:
    """latestDateCovered is held back to the start of the oldest transaction in flight."""
    api.clock.advance(600)
    name, _ = api.built.gateway.transactions.begin(
        [{"op": "create", "object": "Lead", "values": {"LastName": "x", "Company": "y"}}]
    )
    api.clock.advance(600)
    end = "2027-03-01T09:25:00Z"
    assert window(api, "updated", "2027-03-01T08:00:00Z", end)["latestDateCovered"] == "2027-03-01T09:10:00.000+0000"
    (key,) = api.built.gateway.transactions.end(name, commit=True)
    found = window(api, "updated", "2027-03-01T09:10:00Z", end)
    assert found["latestDateCovered"] == "2027-03-01T09:20:00.000+0000"
    assert key in found["ids"]


@pytest.mark.parametrize("listed", [False, True])
def test_what_the_deleted_resource_lists(api: Api, member: dict[str, str], listed: bool) -> None:
    """deleted lists what is in the recycle bin; members removed for good only where the switch says so."""
    api.built.org.state.switches.deleted_lists_members = listed
    api.clock.advance(120)
    api.call("DELETE", f"/sobjects/CampaignMember/{member['id']}", 204)
    api.call("DELETE", f"/sobjects/Lead/{member['lead']}", 204)
    api.clock.advance(120)
    leads = window(api, "deleted", "2027-03-01T09:00:00Z", "2027-03-01T09:04:00Z")
    assert [r["id"] for r in leads["deletedRecords"]] == [member["lead"]]
    assert leads["deletedRecords"][0]["deletedDate"] == "2027-03-01T09:02:00.000+0000"
    assert leads["earliestDateAvailable"] == "2027-02-14T09:04:00.000+0000"
    members = window(api, "deleted", "2027-03-01T09:00:00Z", "2027-03-01T09:04:00Z", name="CampaignMember")
    assert [r["id"] for r in members["deletedRecords"]] == ([member["id"]] if listed else [])


def test_a_purged_delete_log_asks_for_a_full_read(api: Api) -> None:
    """A delete log that was purged refuses a start before the purge: INVALID_REPLICATION_DATE."""
    api.built.org.state.switches.delete_log_rows = 1
    for lead in api.people(2):
        api.call("DELETE", f"/sobjects/Lead/{lead}", 204)
    (error,) = window(api, "deleted", "2027-03-01T06:00:00Z", "2027-03-01T09:00:00Z", 400)
    assert error["errorCode"] == "INVALID_REPLICATION_DATE"
    window(api, "deleted", "2027-03-01T07:00:00Z", "2027-03-01T09:00:00Z")


def test_objects_without_replication(api: Api) -> None:
    """Only replicateable objects have the resources, as describe says."""
    assert api.call("GET", "/sobjects/Organization/describe")["replicateable"] is False
    (error,) = window(api, "updated", "2027-03-01T08:00:00Z", "2027-03-01T09:00:00Z", 400, "Organization")
    assert error["errorCode"] == "INVALID_TYPE_FOR_OPERATION"


# ------------------------------------------------------------------ Ids


def test_ids_in_both_forms_with_their_prefixes(api: Api, member: dict[str, str]) -> None:
    """Ids: 18 characters answered, 15 (case-sensitive) taken too, each object with its right prefix."""
    prefixes = {
        "Campaign": "701",
        "CampaignMember": "00v",
        "CampaignMemberStatus": "01Y",
        "Lead": "00Q",
        "Contact": "003",
    }
    prefixes |= {"Account": "001", "User": "005", "Organization": "00D"}
    for name, prefix in prefixes.items():
        key = api.rows(f"SELECT Id FROM {name} LIMIT 1")[0]["Id"]
        assert (key[:3], len(key), to_18(key[:15])) == (prefix, 18, key)
        assert api.call("GET", f"/sobjects/{name}/{key[:15]}")["Id"] == key
    assert normalise(member["lead"].swapcase()) is None or normalise(member["lead"].lower()) == member["lead"][:15]
    soql = "SELECT Id FROM Lead WHERE Id = '{}'"
    assert len(api.rows(soql.format(member["lead"].upper()))) == 1
    short = member["lead"][:15]
    assert api.rows(soql.format(short.upper())) == []
