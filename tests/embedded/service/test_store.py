"""Campaigns, editions, members, people and the feed, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.embedded.service import records, schema
from tests.embedded.service.conftest import CAMPAIGN, OTHER, STATUSES, House


def test_a_campaign_is_made_and_changed_and_cleared(make: Callable[..., House]) -> None:
    house = make()
    made = house.put_campaign(start_date="2026-11-01", status="In Progress", time_zone="Europe/Berlin")
    assert made["version"] == 1
    assert made["counts"] == {"members": 0, "active": 0, "inactive": 0}
    changed = house.call("PUT", f"/v1/campaigns/{CAMPAIGN}", {"start_date": None, "name": "Autumn"})
    assert (changed["start_date"], changed["name"], changed["status"]) == (None, "Autumn", "In Progress")
    assert changed["time_zone"] == "Europe/Berlin"
    assert changed["version"] == 2
    assert house.call("PUT", f"/v1/campaigns/{CAMPAIGN}", {"name": "Autumn"})["version"] == 2
    assert changed["statuses"] == STATUSES
    assert house.get(f"/v1/campaigns/{CAMPAIGN}") == changed


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/type"),
        ({"name": "x", "type": "newsletter"}, "/type"),
        ({"name": 5, "type": "drip"}, "/name"),
        ({"name": None, "type": "drip"}, "/name"),
        ({"name": "x", "type": "drip", "time_zone": "Mars/Base"}, "/time_zone"),
        ({"name": "x", "type": "drip", "time_zone": "../etc/passwd"}, "/time_zone"),
        ({"name": "x", "type": "drip", "start_date": "2026-13-01"}, "/start_date"),
        ({"name": "x", "type": "drip", "start_date": "2026-02-02", "end_date": "2026-02-01"}, "/end_date"),
        ({"name": "x", "type": "drip", "statuses": [{"label": "a"}, {"label": "a"}]}, "/statuses"),
        ({"name": "x", "type": "drip", "statuses": [{"label": 1}]}, "/statuses/0/label"),
    ],
)
def test_a_bad_campaign_is_refused_with_a_pointer(
    make: Callable[..., House], body: dict[str, Any], pointer: str
) -> None:
    problem = make().call("PUT", f"/v1/campaigns/{CAMPAIGN}", body, 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("wrong", ["701000000000001", "701000000000001AA-", "7" * 19])
def test_a_campaign_s_id_is_salesforce_s_own_of_18_characters(make: Callable[..., House], wrong: str) -> None:
    problem = make().call("PUT", f"/v1/campaigns/{wrong}", {"name": "x", "type": "drip"}, 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/campaign_id"]


def test_campaigns_are_paged(make: Callable[..., House]) -> None:
    house = make()
    ids = [f"70100000000000{i}AAA" for i in range(5)]
    for campaign_id in ids:
        house.put_campaign(campaign_id)
    seen, cursor = [], ""
    while cursor is not None:
        page = house.get(f"/v1/campaigns?limit=2&cursor={cursor}")
        seen += [item["campaign_id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ids


def test_adaptive_has_five_editions_once_ever(house: House) -> None:
    path = f"/v1/campaigns/{CAMPAIGN}/editions"
    first = house.call("POST", path, {"operation": "one"}, 201)
    assert first["created"] == 5
    assert [e["role"] for e in first["items"]] == ["initial", "not_opened", "not_clicked", "not_complete", "complete"]
    assert {e["state"] for e in first["items"]} == {"draft"}
    assert not any(e["active"] or e["subject"] for e in first["items"])
    for operation in ("one", "two"):
        again = house.call("POST", path, {"operation": operation}, 201)
        assert (again["created"], again["items"]) == (0, first["items"])
    assert house.get(path)["items"] == first["items"]
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["editions"] == 5


@pytest.mark.parametrize("kind", ["scheduled", "drip"])
def test_one_edition_for_each_operation(make: Callable[..., House], kind: str) -> None:
    house = make()
    house.put_campaign(type=kind)
    (first,), (same,), (second,) = (house.editions(operation=op) for op in ("a", "a", "b"))
    assert first == same
    assert (first["slot"], second["slot"], second["role"]) == (1, 2, kind)


def test_a_status_may_be_as_long_as_salesforce_lets_it_be(house: House) -> None:
    statuses = [{"label": "Sent", "is_default": True}, {"label": "L" * 765, "sort_order": 2}]
    house.put_campaign(expect=200, statuses=statuses)
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["statuses"][1]["label"] == "L" * 765


def test_the_type_is_locked_once_there_are_editions(house: House) -> None:
    assert house.put_campaign(type="drip", expect=200)["type"] == "drip"
    house.editions()
    problem = house.put_campaign(type="adaptive", expect=409)
    assert problem["code"] == "type_locked"


def test_scheduled_ranges_may_not_touch(make: Callable[..., House]) -> None:
    house = make()
    house.put_campaign(type="scheduled")
    one, two = (house.editions(operation=op)[0]["edition_id"] for op in "ab")
    house.call("PATCH", f"/v1/editions/{one}", {"start_date": "2026-11-01", "end_date": "2026-11-10"})
    bad = {"start_date": "2026-11-10", "end_date": "2026-11-20"}
    assert house.call("PATCH", f"/v1/editions/{two}", bad, 409)["code"] == "overlapping_ranges"
    good = house.call("PATCH", f"/v1/editions/{two}", bad | {"start_date": "2026-11-11"})
    assert (good["start_date"], good["end_date"]) == ("2026-11-11", "2026-11-20")
    assert (
        house.call("PATCH", f"/v1/editions/{two}", {"end_date": "2026-11-05"}, 422)["errors"][0]["pointer"]
        == "/end_date"
    )
    assert house.get(f"/v1/editions/{two}")["end_date"] == "2026-11-20"


def test_an_edition_needs_content_to_be_active(house: House) -> None:
    path = f"/v1/editions/{house.editions()[0]['edition_id']}"
    assert house.call("PATCH", path, {"active": True, "subject": "x"}, 409)["code"] == "content_missing"
    house.call("PATCH", path, {"active": True, "subject": "x", "html": "<p>x</p>"})
    assert house.call("PATCH", path, {"html": None}, 409)["code"] == "content_missing"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"html": "{{ first_name"}, "/html"),
        ({"subject": "{% for %}"}, "/subject"),
        ({"not_before": 9, "not_after": 9}, "/not_after"),
        ({"not_before": 25}, "/not_before"),
        ({"weekdays": [0]}, "/weekdays/0"),
        ({"weekdays": []}, "/weekdays"),
        ({"start_date": "2026-11-01"}, "/start_date"),
        ({"days_delay": -1}, "/days_delay"),
        ({"active": None}, "/active"),
    ],
)
def test_a_bad_edition_is_refused_with_a_pointer(house: House, body: dict[str, Any], pointer: str) -> None:
    path = f"/v1/editions/{house.editions()[0]['edition_id']}"
    problem = house.call("PATCH", path, body, 422)
    assert [error["pointer"].replace("/...", "/0") for error in problem["errors"]] == [pointer]
    assert house.get(path)["version"] == 1


def test_an_edition_of_another_version_is_not_changed(house: House) -> None:
    path = f"/v1/editions/{house.editions()[0]['edition_id']}"
    assert house.call("PATCH", path, {"name": "A", "if_version": 1})["version"] == 2
    assert house.call("PATCH", path, {"name": "B", "if_version": 1}, 409)["code"] == "version_conflict"


def test_adaptive_editions_show_and_publish_the_campaigns_dates(house: House) -> None:
    edition = house.editions()[0]
    since = house.head()
    house.put_campaign(expect=200, end_date="2026-12-24")
    assert house.get(f"/v1/editions/{edition['edition_id']}")["end_date"] == "2026-12-24"
    changed = [c["data"] for c in house.changes(since) if c["type"] == "edition"]
    assert len(changed) == 5
    assert {c["end_date"] for c in changed} == {"2026-12-24"}


# -- members -----------------------------------------------------------------------------------------------


def test_outcomes_come_in_order(house: House, upsert: Callable[..., Any]) -> None:
    house.add("00QA", "00QB")
    rows = [
        upsert("00QC"),
        upsert("00QA"),
        upsert("00QB", first_name="Beth"),
        {"op": "delete", "lead_id": "00QNOBODY"},
        {"op": "delete", "lead_id": "00QB"},
        {"op": "upsert", "fields": {}},
        upsert("00QA") | {"if_version": 9},
        upsert("00QD") | {"if_version": 0},
        upsert("00QA") | {"if_version": 0},
    ]
    outcomes = house.batch(rows)
    assert [o["outcome"] for o in outcomes] == [
        "created", "unchanged", "updated", "absent", "deleted", "invalid", "stale", "created", "stale",
    ]  # fmt: skip
    assert outcomes[6]["version"] == 1
    assert sorted(house.members()) == ["00QA", "00QC", "00QD"]


def test_members_are_counted_by_status_and_activity(house: House) -> None:
    house.add("00QA", "00QB", status="Interested")
    house.add("00QC", email="nonsense")
    house.add("00QD", hold="invisible")
    campaign = house.get(f"/v1/campaigns/{CAMPAIGN}")
    assert campaign["counts"] == {"members": 4, "active": 3, "inactive": 1}
    assert campaign["by_status"] == {"Interested": 2, "Sent": 2}
    house.batch([{"op": "delete", "lead_id": "00QA"}])
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["by_status"] == {"Interested": 1, "Sent": 2}


def test_absent_keeps_and_null_clears(house: House) -> None:
    house.add("00QA", hold="away")
    (outcome,) = house.batch([{"op": "upsert", "lead_id": "00QA", "fields": {"first_name": None, "hold": None}}])
    assert (outcome["outcome"], outcome["version"]) == ("updated", 2)
    member = house.member("00QA")
    assert (member["first_name"], member["hold"], member["last_name"], member["email"]) == (
        None, None, "00QA", "00qa@example.com",
    )  # fmt: skip
    assert member["member_id"] == "00v00QA"


def test_members_are_paged_in_key_order(house: House) -> None:
    people = [f"00Q{i:03d}" for i in range(25)]
    house.add(*reversed(people))
    seen, cursor = [], ""
    while cursor is not None:
        page = house.get(f"/v1/campaigns/{CAMPAIGN}/members?limit=10&cursor={cursor}")
        seen += [item["person_id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == people


def test_no_email_is_inactive_until_there_is_one(house: House) -> None:
    (outcome,) = house.add("00QA", email=None)
    assert (outcome["active"], outcome["reason"]) == (False, "No Email")
    (outcome,) = house.add("00QA", email="a@example.com")
    assert (outcome["active"], outcome["reason"]) == (True, None)
    (outcome,) = house.add("00QA", email="broken@")
    assert (outcome["active"], outcome["reason"]) == (False, "No Email")


def test_opted_out_on_arrival_and_later(house: House) -> None:
    house.put_campaign(OTHER)
    house.add("00QA", "00QB")
    house.add("00QB", campaign_id=OTHER)
    (arrived,) = house.add("00QC", opted_out=True)
    assert (arrived["active"], arrived["reason"]) == (False, "Opt Out Previous")
    (later,) = house.add("00QB", opted_out=True)
    assert (later["active"], later["reason"]) == (False, "Opt Out Indirect")
    elsewhere = house.member("00QB", OTHER)
    assert (elsewhere["active"], elsewhere["reason"], elsewhere["opted_out"]) == (False, "Opt Out Indirect", True)
    (never,) = house.add("00QB", opted_out=False)
    assert never["outcome"] == "unchanged"
    assert house.member("00QA")["active"]
    (elsewhere,) = house.add("00QC", campaign_id=OTHER)  # known to the service by now
    assert elsewhere["reason"] == "Opt Out Previous"


def test_a_member_that_comes_back_has_its_history(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    house.event("00QA", "click")
    before = house.member("00QA")
    house.batch([{"op": "delete", "lead_id": "00QA"}])
    assert house.members() == {}
    (outcome,) = house.add("00QA")
    assert (outcome["outcome"], outcome["level"], outcome["active"]) == ("created", "Clicked", True)
    after = house.member("00QA")
    assert (after["opens"], after["clicks"]) == (before["opens"], before["clicks"]) == (1, 1)
    assert after["version"] > before["version"]
    assert house.prepare()["expected"] == 0


def test_an_opted_out_member_that_comes_back_stays_out(house: House) -> None:
    house.add("00QA", "00QB")
    house.call("POST", "/v1/people/00QA:opt-out", {"scope": "campaign", "campaign_id": CAMPAIGN})
    house.call("POST", "/v1/people/00QB:opt-out", {})
    house.batch([{"op": "delete", "lead_id": p} for p in ("00QA", "00QB")])
    assert [(o["outcome"], o["reason"]) for o in house.add("00QA", "00QB")] == [("created", "Opt Out Previous")] * 2


def test_adoption_seeds_what_only_the_service_owns(house: House) -> None:
    house.add("00QA", level="Clicked", opens=3, clicks=2, bounces=1)
    house.add("00QB", reason="Opt Out Direct", active=False)
    member = house.member("00QA")
    assert (member["level"], member["opens"], member["clicks"], member["bounces"]) == ("Clicked", 3, 2, 1)
    (lower,) = house.add("00QA", level="Sent", opens=0)
    assert (lower["outcome"], lower["level"]) == ("unchanged", "Clicked")
    house.batch([{"op": "delete", "lead_id": "00QB"}])
    assert house.add("00QB")[0]["reason"] == "Opt Out Previous"


def test_lead_conversion_moves_the_member(house: House, upsert: Callable[..., Any]) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    house.event("00QA", "open")
    row = upsert("003C", email="00qa@example.com") | {"lead_id": "00QA", "member_id": "00v00QA", "if_version": 3}
    (outcome,) = house.batch([row])
    assert (outcome["person_id"], outcome["outcome"], outcome["level"]) == ("003C", "updated", "Opened")
    assert list(house.members()) == ["003C"]
    moved = house.member("003C")
    assert (moved["kind"], moved["opens"], moved["member_id"]) == ("contact", 1, "00v00QA")
    assert house.prepare()["expected"] == 0
    house.event("003C", "click")  # the old mail's reader is the contact now
    assert house.member("003C")["level"] == "Clicked"
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["counts"]["members"] == 1


def test_conversion_takes_the_opt_out_to_the_contacts_other_campaigns(house: House, upsert: Callable[..., Any]) -> None:
    house.put_campaign(OTHER)
    house.add("00QA", opted_out=True)
    house.add("003C", campaign_id=OTHER)
    since = house.head()
    house.batch([upsert("003C") | {"lead_id": "00QA", "member_id": "00v00QA"}])
    assert house.member("003C", OTHER)["reason"] == "Opt Out Indirect"
    assert [c["data"]["person_id"] for c in house.changes(since) if c["type"] == "person"] == ["003C"]


@pytest.mark.parametrize("came_before", [False, True])
def test_who_goes_on_as_somebody_that_is_out_is_mailed_no_more(
    house: House, upsert: Callable[..., Any], came_before: bool
) -> None:
    house.put_campaign(OTHER)
    house.ready(house.editions()[0])
    if came_before:
        house.add("00QB")
        house.batch([{"op": "delete", "lead_id": "00QB"}])
    house.add("00QB", campaign_id=OTHER)
    house.call("POST", "/v1/people/00QB:opt-out", {"campaign_id": OTHER})
    house.add("00QA")
    assert house.prepare()["expected"] == 1
    house.batch([upsert("00QB") | {"was": "00QA", "member_id": "00v00QA"}])
    moved = house.member("00QB")
    assert (moved["active"], moved["reason"], moved["opted_out"]) == (False, "Opt Out Indirect", True)
    assert house.prepare()["expected"] == 0


def test_a_row_of_another_member_id_does_not_convert(house: House, upsert: Callable[..., Any]) -> None:
    house.add("00QA")
    house.batch([upsert("003C") | {"lead_id": "00QA", "member_id": "00vOTHER"}])
    assert sorted(house.members()) == ["003C", "00QA"]


def test_a_merged_lead_goes_on_as_the_other_with_its_history(house: House, upsert: Callable[..., Any]) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    house.event("00QA", "open")
    (outcome,) = house.batch([upsert("00QB") | {"was": "00QA", "member_id": "00v00QA", "if_version": 3}])
    assert (outcome["person_id"], outcome["outcome"], outcome["level"]) == ("00QB", "updated", "Opened")
    assert list(house.members()) == ["00QB"]
    assert house.prepare()["expected"] == 0, "what the old one got is not sent again"


def test_two_merged_members_become_one_that_keeps_the_most(house: House, upsert: Callable[..., Any]) -> None:
    house.add("00QA", level="Clicked", opens=1, clicks=4, reason="Complaint", active=False)
    house.add("00QB", level="Opened", opens=3)
    row = upsert("00QB") | {"was": "00QA"}
    (stale,) = house.batch([row | {"if_version": 99}])
    assert (stale["outcome"], sorted(house.members())) == ("stale", ["00QA", "00QB"])
    house.batch([row])
    (one,) = house.members().values()
    assert (one["person_id"], one["level"], one["opens"], one["clicks"]) == ("00QB", "Clicked", 3, 4)
    assert (one["reason"], one["active"]) == ("Complaint", False)
    house.batch([{"op": "delete", "lead_id": "00QB"}])
    assert house.add("00QB")[0]["active"] is False, "the complaint is the person's by now"


def test_test_members_are_a_list_of_the_org(house: House) -> None:
    items = [{"person_id": p, "kind": "lead", "email": f"{p}@e.co", "first_name": None, "last_name": "T"} for p in "AB"]
    assert house.call("PUT", "/v1/test-members", {"items": items}) == {"count": 2, "added": 2, "removed": 0}
    assert house.call("PUT", "/v1/test-members", {"items": items[:1]}) == {"count": 1, "added": 0, "removed": 1}
    assert house.get("/v1/test-members")["items"] == items[:1]
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["counts"]["members"] == 0


# -- people ------------------------------------------------------------------------------------------------


def test_opt_in_lifts_everything_and_says_so(house: House) -> None:
    house.put_campaign(OTHER)
    for campaign in (CAMPAIGN, OTHER):
        house.add("00QA", campaign_id=campaign)
    out = house.call("POST", "/v1/people/00QA:opt-out", {"campaign_id": CAMPAIGN, "reason": "by phone"})
    assert out == {"person_id": "00QA", "affected": [CAMPAIGN, OTHER]}
    assert (house.member("00QA")["reason"], house.member("00QA", OTHER)["reason"]) == (
        "Opt Out Direct",
        "Opt Out Indirect",
    )
    since = house.head()
    back = house.call("POST", "/v1/people/00QA:opt-in", {"reason": "asked for it"})
    assert back["affected"] == [CAMPAIGN, OTHER]
    assert all(house.member("00QA", c)["active"] for c in (CAMPAIGN, OTHER))
    (person,) = [c["data"] for c in house.changes(since) if c["type"] == "person"]
    assert (person["opted_out"], person["scope"], person["reason"]) == (False, "global", "asked for it")


def test_an_id_of_15_characters_is_the_same_person(house: House) -> None:
    short, whole = "00QgL000000FJWy", "00QgL000000FJWyUAO"
    house.put_campaign(OTHER)
    house.add(whole)
    assert house.call("POST", f"/v1/people/{short}:opt-out", {})["affected"] == [CAMPAIGN]
    assert house.member(whole)["active"] is False
    (outcome,) = house.batch([{"op": "upsert", "lead_id": short, "fields": {"first_name": "Short"}}], OTHER)
    assert (outcome["person_id"], outcome["reason"]) == (whole, "Opt Out Previous")
    (outcome,) = house.batch([{"op": "delete", "lead_id": short}])
    assert outcome["outcome"] == "deleted"


def test_opt_in_for_one_campaign_leaves_the_others_out(house: House) -> None:
    house.put_campaign(OTHER)
    for campaign in (CAMPAIGN, OTHER):
        house.add("00QA", campaign_id=campaign)
    house.call("POST", "/v1/people/00QA:opt-out", {})
    house.call("POST", "/v1/people/00QA:opt-in", {"campaign_id": CAMPAIGN, "reason": "this one only"})
    assert house.member("00QA")["active"]
    assert house.member("00QA", OTHER)["reason"] == "Opt Out Indirect"
    house.batch([{"op": "delete", "lead_id": "00QA"}], OTHER)
    assert house.add("00QA", campaign_id=OTHER)[0]["active"] is False


def test_opt_in_refuses_what_does_not_belong_together(house: House) -> None:
    edition = house.editions()[0]["edition_id"]
    house.put_campaign(OTHER)
    path = "/v1/people/00QA:opt-in"
    assert (
        house.call("POST", path, {"reason": "x", "from_edition": edition}, 422)["errors"][0]["pointer"]
        == "/from_edition"
    )
    assert house.call("POST", path, {"reason": "x", "from_edition": edition, "campaign_id": OTHER}, 404)
    assert house.call("POST", path, {}, 422)
    assert house.call("POST", "/v1/people/00QA:opt-out", {"scope": "campaign"}, 422)


def test_states_have_their_tables_columns_in_order() -> None:
    pairs = [
        (schema.members, records.MemberState), (schema.mails, records.MailState), (schema.links, records.LinkState),
        (schema.history, records.HistoryState), (schema.editions, records.EditionState),
        (schema.campaigns, records.CampaignRow),
    ]  # fmt: skip
    for table, state in pairs:
        assert tuple(column.name for column in table.c) == state.__struct_fields__


# -- feed --------------------------------------------------------------------------------------------------


def test_the_feed_has_every_version_in_commit_order(house: House) -> None:
    house.add("00QA")
    house.add("00QA", first_name="Bea")
    house.batch([{"op": "delete", "lead_id": "00QA"}])
    found = house.changes()
    assert [(c["op"], c["data"]["version"], c["data"]["first_name"]) for c in found] == [
        ("upsert", 1, "Ann"), ("upsert", 2, "Bea"), ("delete", 3, "Bea"),
    ]  # fmt: skip
    assert [c["seq"] for c in found] == sorted(c["seq"] for c in found)
    assert all(c["campaign_id"] == CAMPAIGN for c in found)


def test_the_feed_is_paged_and_filtered_by_client(house: House, upsert: Callable[..., Any]) -> None:
    house.batch([upsert("00QA"), upsert("00QB")], Predictive_Client="engine")
    house.batch([upsert("00QC")], Predictive_Client="somebody else")
    house.call("POST", "/v1/people/00QA:opt-out", {})
    assert len(house.changes(limit=1)) == 5
    others = house.changes(exclude_client="engine")
    assert [(c["client"], c["type"], c["data"]["person_id"]) for c in others] == [
        ("somebody else", "member", "00QC"), (None, "person", "00QA"), (None, "member", "00QA"),
    ] or [(c["client"], c["type"], c["data"]["person_id"]) for c in others] == [
        ("somebody else", "member", "00QC"), (None, "member", "00QA"), (None, "person", "00QA"),
    ]  # fmt: skip
    assert house.changes(house.head()) == []


def test_whoever_leaves_out_its_own_writes_is_told_what_followed_from_them(
    house: House, upsert: Callable[..., Any]
) -> None:
    house.put_campaign(OTHER)
    house.add("00QA")
    house.add("00QA", campaign_id=OTHER)
    since = house.head()
    house.batch([upsert("00QA", opted_out=True)], Predictive_Client="engine")
    assert house.member("00QA", OTHER)["reason"] == "Opt Out Indirect"
    told = house.changes(since, exclude_client="engine")
    assert [(c["campaign_id"], c["client"], c["type"]) for c in told] == [(OTHER, None, "member")]


def test_an_unchanged_batch_writes_nothing(house: House) -> None:
    house.add("00QA")
    since = house.head()
    house.add("00QA")
    assert house.changes(since) == []


def test_a_cursor_that_was_trimmed_or_is_foreign_is_gone(house: House) -> None:
    house.add("00QA")
    old = house.head()
    house.add("00QB")
    house.clock.advance(40 * 86400)
    house.prepare()
    for cursor in (old, "deadbeef-1"):
        assert house.get(f"/v1/changes?cursor={cursor}", expect=410)["code"] == "cursor_expired"
    house.get("/v1/changes", expect=410)
    house.get("/v1/changes?cursor=rubbish", expect=422)
    since = house.head()
    house.add("00QC")
    assert [c["data"]["person_id"] for c in house.changes(since)] == ["00QC"]
