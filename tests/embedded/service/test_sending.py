"""Who is mailed, when, and exactly once: audiences, delays, windows, limits, test sends, release."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sync.embedded.service import release
from sync.embedded.service.service import DeliveryError, Sender
from tests.embedded.service.conftest import CAMPAIGN, OTHER, House, upsert

DAY = 86400


def due(prepared: dict[str, Any]) -> dict[str, int]:
    return {item["name"]: item["count"] for item in prepared["items"]}


def rules_of(prepared: dict[str, Any], edition: dict[str, Any]) -> list[str]:
    (item,) = [b for b in prepared["blocked"] if b["edition_id"] == edition["edition_id"]]
    return [block["rule"] for block in item["blocked_by"]]


def test_an_edition_is_sent_once_and_everything_is_told(house: House) -> None:
    edition = house.ready(house.editions()[0])
    assert edition["state"] == "active"
    house.add("00QA", "00QB")
    since = house.head()
    prepared = house.prepare()
    assert (prepared["expected"], prepared["first_time"], due(prepared)) == (2, [CAMPAIGN], {"Initial": 2})
    result = house.release(prepared)
    assert (result["sent"], result["unknown"], result["failed"], result["dropped"]) == (2, 0, 0, 0)
    assert result["items"] == [{"campaign_id": CAMPAIGN, "edition_id": edition["edition_id"], "sent": 2}]
    assert sorted(message["To"] for message in house.files().values()) == [
        "Ann 00QA <00qa@example.com>", "Ann 00QB <00qb@example.com>",
    ]  # fmt: skip
    member = house.member("00QA")
    assert (member["level"], member["status"], member["opens"]) == ("Sent", "Sent", 0)
    told = house.changes(since)
    assert {c["type"] for c in told} == {"member", "edition", "history"}
    assert [c["data"]["count"] for c in told if c["type"] == "history"] == [2]
    (hour,) = house.get(f"/v1/campaigns/{CAMPAIGN}/history")["items"]
    assert (hour["date"], hour["hour"], hour["count"]) == ("2026-11-23", 10, 2)
    stats = house.get(f"/v1/campaigns/{CAMPAIGN}")["stats"]
    assert (stats["sent"], stats["delivered"], stats["opened"]) == (2, 2, 0)
    assert house.release(prepared) == result
    assert house.prepare()["expected"] == 0
    assert len(house.files()) == 2
    shown = house.get(f"/v1/sends/{prepared['send_id']}")
    assert (shown["state"], shown["sent"], shown["prepared"]) == ("released", 2, prepared)


def test_a_dry_run_keeps_nothing_and_may_look_ahead(house: House) -> None:
    house.ready(house.editions()[0], days_delay=3)
    house.add("00QA")
    since = house.head()
    assert house.prepare(dry_run=True)["expected"] == 0
    ahead = house.prepare(dry_run=True, at="2026-11-26T00:00:00Z")
    assert (ahead["expected"], ahead["send_id"], ahead["at"]) == (1, None, "2026-11-26T00:00:00Z")
    assert house.prepare(dry_run=True, at="2026-11-25T23:59:59Z")["expected"] == 0
    assert house.changes(since) == []
    house.call("GET", "/v1/sends/send_00000001", expect=404)
    assert house.call("POST", "/v1/sends:prepare", {"at": "2026-11-26T00:00:00Z"}, 422)["code"] == "at_in_future"


def test_adaptive_editions_follow_the_level(house: House) -> None:
    for edition in house.editions():
        house.ready(edition, days_delay=0 if edition["role"] == "initial" else 2)
    people = ["00QNOTHING", "00QOPENED", "00QCLICKED", "00QCOMPLETED"]
    house.add(*people)
    assert due(house.prepare(dry_run=True)) == {"Initial": 4}
    house.mail_everybody()
    for person, kind in zip(people[1:], ("open", "click", "complete"), strict=True):
        house.event(person, kind)
    assert house.prepare()["expected"] == 0  # the delay counts from the previous mail
    house.clock.advance(2 * DAY)
    prepared = house.prepare()
    assert due(prepared) == {"Not Opened": 1, "Not Clicked": 1, "Not Complete": 1, "Complete": 1}
    house.release(prepared)
    names = {e["edition_id"]: e["name"] for e in house.editions()}
    second = {m["person_id"]: names[m["edition_id"]] for m in house.mails(send_id=prepared["send_id"])}
    assert second == dict(zip(people, ("Not Opened", "Not Clicked", "Not Complete", "Complete"), strict=True))
    assert prepared["first_time"] == []


def test_drip_goes_in_order_each_after_the_one_before(make: Callable[..., House]) -> None:
    house = make()
    house.put_campaign(type="drip")
    for operation in "abc":
        (edition,) = house.editions(operation=operation)
        house.ready(edition, days_delay=1, active=operation != "b")
    house.add("00QA")
    assert house.prepare()["expected"] == 0
    sent = []
    for _ in range(4):
        house.clock.advance(DAY)
        prepared = house.prepare()
        sent.append(due(prepared))
        house.release(prepared)
    assert sent == [{"Drip 1": 1}, {"Drip 3": 1}, {}, {}]


def test_scheduled_editions_go_within_their_range(make: Callable[..., House]) -> None:
    house = make()
    house.put_campaign(type="scheduled", time_zone="America/New_York")
    (first,), (second,) = house.editions(operation="a"), house.editions(operation="b")
    house.ready(first, start_date="2026-11-22", end_date="2026-11-23")
    house.ready(second, start_date="2026-11-24", end_date="2026-11-25")
    house.add("00QA")
    assert due(house.prepare()) == {"Scheduled 1": 1}
    house.mail_everybody()
    house.clock.advance(18 * 3600)  # 04:00 UTC on the 24th is still the 23rd in New York
    house.add("00QLATE")
    assert due(house.prepare()) == {"Scheduled 1": 1}
    house.clock.advance(2 * 3600)
    prepared = house.prepare()
    assert due(prepared) == {"Scheduled 2": 2}
    assert rules_of(prepared, first) == ["edition_ended"]
    assert house.get(f"/v1/editions/{first['edition_id']}")["state"] == "expired"


def test_what_blocks_is_said_for_each_edition(house: House) -> None:
    untested, early, wrong_day, fine, _ = house.editions()
    house.call("PATCH", f"/v1/editions/{untested['edition_id']}", {"subject": "x", "html": "y", "active": True})
    house.ready(early, not_before=12)
    house.ready(wrong_day, weekdays=[2, 4])
    house.ready(fine, not_before=10, not_after=11, weekdays=[1])
    prepared = house.prepare()
    assert rules_of(prepared, untested) == ["not_tested"]
    assert rules_of(prepared, early) == ["outside_hours"]
    assert rules_of(prepared, wrong_day) == ["wrong_weekday"]
    assert fine["edition_id"] not in {b["edition_id"] for b in prepared["blocked"]}
    house.put_campaign(expect=200, is_active=False)
    assert rules_of(house.prepare(), fine) == ["campaign_inactive"]
    assert house.get(f"/v1/editions/{fine['edition_id']}")["state"] == "blocked"


def test_without_a_street_address_nothing_goes(make: Callable[..., House]) -> None:
    house = make(sender=Sender(address=" "))
    house.put_campaign()
    edition = house.ready(house.editions()[0])
    house.add("00QA")
    assert edition["blocked_by"][0]["rule"] == "address_missing"
    assert house.prepare()["expected"] == 0


@pytest.mark.slow
def test_who_may_not_be_mailed_is_skipped_with_a_reason(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QHELD", hold="record is invisible")
    house.add("00QTEST", test_member=True)
    house.add("00QOUT", opted_out=True)
    house.add("00QFIRST", "00QSECOND", email="Same@example.com")
    prepared = house.prepare()
    assert prepared["expected"] == 1
    assert {(s["reason"], s["count"]) for s in prepared["skipped"]} == {
        ("held", 1), ("test_member", 1), ("inactive", 1), ("duplicate_email", 1),
    }  # fmt: skip
    house.release(prepared)
    assert [m["person_id"] for m in house.mails()] == ["00QFIRST"]
    house.batch([{"op": "delete", "lead_id": "00QFIRST"}])
    assert house.prepare()["expected"] == 0  # the address had this edition


def test_the_oldest_member_of_an_address_is_mailed(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA", email="same@example.com", added_at="2026-11-20T00:00:00Z")
    house.add("00QB", email="SAME@example.com", added_at="2026-11-10T00:00:00Z")
    house.mail_everybody()
    assert [m["person_id"] for m in house.mails()] == ["00QB"]


def test_of_members_added_in_one_second_the_first_row_is_the_oldest(house: House) -> None:
    house.ready(house.editions()[0])
    same = {"email": "same@example.com", "added_at": "2026-11-20T00:00:00Z"}
    house.batch([upsert("003C", **same) | {"member_id": "00v2"}, upsert("00QA", **same) | {"member_id": "00v1"}])
    house.mail_everybody()
    assert [m["person_id"] for m in house.mails()] == ["00QA"]


def test_an_opt_in_says_from_which_edition_on(make: Callable[..., House]) -> None:
    house = make()
    house.put_campaign(type="drip")
    editions = [house.ready(house.editions(operation=op)[0]) for op in "abc"]
    house.add("00QA")
    house.call("POST", "/v1/people/00QA:opt-out", {})
    order = {"reason": "asked", "campaign_id": CAMPAIGN, "from_edition": editions[2]["edition_id"]}
    house.call("POST", "/v1/people/00QA:opt-in", order)
    prepared = house.prepare()
    assert due(prepared) == {"Drip 3": 1}
    house.release(prepared)
    house.clock.advance(5 * DAY)
    assert house.prepare()["expected"] == 0


@pytest.mark.slow
def test_the_hourly_limit_holds_across_sends(make: Callable[..., House]) -> None:
    house = make(hourly_limit=300)
    house.put_campaign()
    house.put_campaign(OTHER)
    house.add(*(f"00Q{i:05d}" for i in range(290)))
    house.add(*(f"00Q{i:05d}" for i in range(30)), campaign_id=OTHER)
    house.ready(house.editions()[0])
    house.ready(house.editions(OTHER)[0])
    prepared = house.prepare()
    assert prepared["expected"] == 300
    assert {s["reason"]: s["count"] for s in prepared["skipped"]} == {"hourly_limit": 20}
    other = house.prepare(campaigns=[OTHER])  # prepared beside it, before anything is released
    assert other["expected"] == 30
    assert house.release(prepared)["sent"] == 300
    assert house.release(other)["dropped"] == 30
    assert house.get(f"/v1/sends/{other['send_id']}")["dropped_by"] == {"hourly_limit": 20, "no_longer_due": 10}
    blocked = house.prepare()["blocked"]
    assert {"hourly_limit"} <= {b["rule"] for item in blocked for b in item["blocked_by"]}
    house.clock.advance(3600)
    assert house.mail_everybody()["sent"] == 20


def test_a_row_no_longer_allowed_is_dropped(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA", "00QB", "00QC", "00QD")
    prepared = house.prepare()
    house.call("POST", "/v1/people/00QA:opt-out", {})
    house.batch([{"op": "delete", "lead_id": "00QB"}])
    house.add("00QC", hold="gone")
    result = house.release(prepared)
    assert (result["sent"], result["dropped"]) == (1, 3)
    assert [m["person_id"] for m in house.mails()] == ["00QD"]
    assert house.get(f"/v1/sends/{prepared['send_id']}")["dropped_by"] == {"held": 1, "inactive": 1, "no_longer_due": 1}


def test_a_campaign_switched_off_after_prepare_is_not_sent(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    prepared = house.prepare()
    house.put_campaign(expect=200, is_active=False)
    assert house.release(prepared)["dropped"] == 1
    assert house.files() == {}


@pytest.mark.slow
def test_release_takes_the_expected_count(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    prepared = house.prepare()
    house.add("00QB")
    assert house.release(prepared | {"expected": 2}, 409)["code"] == "count_changed"
    assert house.files() == {}
    assert house.release(prepared)["sent"] == 1
    house.call("POST", "/v1/sends/send_99999999:release", {"expected": 1}, 404)


def test_two_prepared_lists_mail_nobody_twice(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    one, two = house.prepare(), house.prepare()
    assert house.release(one)["sent"] == 1
    assert (house.release(two)["sent"], len(house.files())) == (0, 1)


# -- test sends --------------------------------------------------------------------------------------------


def test_a_test_send_goes_to_test_members_and_counts_nowhere(house: House) -> None:
    edition = house.editions()[0]
    path = f"/v1/editions/{edition['edition_id']}"
    assert house.call("POST", f"{path}/test-send", expect=409)["code"] == "content_missing"
    house.call("PATCH", path, {"subject": "Hi {{ first_name }}", "html": '<a href="https://x.example/">x</a>'})
    assert house.call("POST", f"{path}/test-send", expect=409)["code"] == "no_test_members"
    testers = [{"person_id": "00QT", "email": "t@example.com"}, {"person_id": "00QM", "email": "m@example.com"}]
    house.call("PUT", "/v1/test-members", {"items": testers})
    house.add("00QM", email="M@example.com")  # a member that is a global test member is mailed as a member, too
    house.add("00QFLAG", test_member=True, email="flag@example.com")
    since = house.head()
    sent = house.call("POST", f"{path}/test-send")
    assert (sent["sent"], sorted(sent["recipients"])) == (3, ["flag@example.com", "m@example.com", "t@example.com"])
    assert (sent["edition"]["state"], sent["edition"]["tested_at"]) == ("tested", "2026-11-23T10:00:00Z")
    assert sent["edition"]["stats"]["sent"] == 0
    assert {c["type"] for c in house.changes(since)} == {"edition"}
    assert len(house.files("t")) == 3
    body = next(iter(house.files("t").values())).get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for link in re.findall(r"http://mail\.example(/[tu]/\S+)", body):
        assert house.send("GET", link).status_code in (200, 302)
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["stats"]["clicked"] == 0
    assert all(m["active"] for m in house.members().values())
    house.call("PATCH", path, {"active": True})
    house.mail_everybody()
    assert [m["person_id"] for m in house.mails()] == ["00QM"]


def test_an_opted_out_test_member_gets_no_test(house: House) -> None:
    edition = house.editions()[0]
    house.call("PUT", "/v1/test-members", {"items": [{"person_id": "00QT", "email": "t@example.com"}]})
    house.call("POST", "/v1/people/00QT:opt-out", {})
    path = f"/v1/editions/{edition['edition_id']}"
    house.call("PATCH", path, {"subject": "x", "html": "y"})
    assert house.call("POST", f"{path}/test-send", expect=409)["code"] == "no_test_members"


# -- failure -----------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process dies here."""


class Unreliable:
    """A transport that keeps what it took, and fails as it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.fail: dict[int, BaseException] = {}
        self.after: dict[int, BaseException] = {}
        self.calls = 0

    def deliver(self, mail_id: str, message: bytes) -> None:
        self.calls += 1
        if self.calls in self.fail:
            raise self.fail[self.calls]
        self.taken.append(mail_id)
        if self.calls in self.after:
            raise self.after[self.calls]


@pytest.fixture
def transport() -> Unreliable:
    return Unreliable()


@pytest.fixture
def shaky(make: Callable[..., House], transport: Unreliable) -> House:
    house = make(transport=transport)
    house.put_campaign()
    house.ready(house.editions()[0])
    house.add(*(f"00Q{i:03d}" for i in range(450)))
    transport.calls = 0
    transport.taken.clear()
    return house


@pytest.mark.slow
@pytest.mark.parametrize("handed_over", [True, False])
def test_a_crash_between_intent_and_outcome(shaky: House, transport: Unreliable, handed_over: bool) -> None:
    prepared = shaky.prepare()
    (transport.after if handed_over else transport.fail)[250] = Crash()
    with pytest.raises(Crash):
        release.release(shaky.service, prepared["send_id"], prepared["expected"])
    shaky.service.db.close()
    shaky.start()
    unknown = {m["mail_id"] for m in shaky.mails(state="unknown")}
    assert len(unknown) == 200  # the chunk that was under way
    assert shaky.mails(state="intent") == []
    result = shaky.release(prepared)
    assert (result["sent"], result["unknown"], result["failed"]) == (250, 200, 0)
    assert len(transport.taken) == len(set(transport.taken))
    assert shaky.prepare()["expected"] == 0
    assert shaky.get(f"/v1/campaigns/{CAMPAIGN}")["stats"]["sent"] == 250
    assert sum(h["count"] for h in shaky.get(f"/v1/campaigns/{CAMPAIGN}/history")["items"]) == 250


def test_a_mail_of_unknown_fate_that_is_opened_was_sent(shaky: House, transport: Unreliable) -> None:
    transport.after[3] = TimeoutError("no answer after the message was handed over")
    result = shaky.mail_everybody()
    assert (result["sent"], result["unknown"]) == (449, 1)
    (mail,) = shaky.mails(state="unknown")
    assert shaky.member(mail["person_id"])["level"] is None
    shaky.event(mail["person_id"], "open")
    stats = shaky.get(f"/v1/campaigns/{CAMPAIGN}")["stats"]
    assert (stats["sent"], stats["opened"]) == (450, 1)
    assert shaky.member(mail["person_id"])["level"] == "Opened"


def test_a_mail_that_certainly_did_not_go_is_due_again(shaky: House, transport: Unreliable) -> None:
    transport.fail[7] = DeliveryError("refused")
    result = shaky.mail_everybody()
    assert (result["sent"], result["failed"]) == (449, 1)
    again = shaky.mail_everybody()
    assert again["sent"] == 1
    assert len(set(transport.taken)) == len(transport.taken) == 450


def test_a_full_outbox_is_a_failure_not_a_loss(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    outbox: Path = house.folder / "outbox"
    outbox.rename(house.folder / "elsewhere")
    assert house.mail_everybody()["failed"] == 1
    outbox.mkdir()
    assert house.mail_everybody()["sent"] == 1


@pytest.mark.slow
def test_a_second_release_at_the_same_time_is_refused(make: Callable[..., House]) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        def deliver(self, mail_id: str, message: bytes) -> None:
            if mail_id.startswith("m"):
                entered.set()
                assert go_on.wait(10)

    house = make(transport=Slow())
    house.put_campaign()
    house.ready(house.editions()[0])
    house.add("00QA")
    prepared = house.prepare()
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(release.release(house.service, prepared["send_id"], prepared["expected"]))
    )
    thread.start()
    assert entered.wait(10)
    assert house.release(prepared, 409)["code"] == "release_in_progress"
    go_on.set()
    thread.join(10)
    assert results[0].sent == 1
    assert house.release(prepared)["sent"] == 1


KILLED = """
import json, sys
from pathlib import Path
from sync.clock import SystemClock
from sync.embedded.service import release
from sync.embedded.service.app import create_app
database, outbox, send_id, expected = json.loads(sys.argv[1])
app = create_app(database=database, clock=SystemClock(), token="t", seed=1, outbox=Path(outbox), audience_speed=0,
                 public_url="http://x", usage=lambda method, path: None)
release.release(app.state.service, send_id, expected)
"""


@pytest.mark.slow
def test_a_killed_process_loses_nothing_and_sends_nothing_twice(house: House) -> None:
    house.ready(house.editions()[0])
    house.add(*(f"00Q{i:05d}" for i in range(1200)))
    prepared = house.prepare()
    house.service.db.close()
    outbox = house.folder / "outbox"
    order = json.dumps([house.options["database"], str(outbox), prepared["send_id"], prepared["expected"]])
    child = subprocess.Popen([sys.executable, "-c", KILLED, order])
    waiting = threading.Event()
    while len(list(outbox.glob("m*.eml"))) < 250 and child.poll() is None:
        waiting.wait(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    house.start()
    written = set(house.files())
    by_state = {state: {m["mail_id"] for m in house.mails(state=state)} for state in ("sent", "unknown", "intent")}
    assert by_state["sent"] <= written  # what is called sent did go
    assert written <= by_state["sent"] | by_state["unknown"]  # what went is known, or listed
    assert by_state["intent"] == set()
    assert not list(outbox.glob(".m*.tmp"))
    stamps = {path.name: path.stat().st_mtime_ns for path in outbox.glob("m*.eml")}
    result = house.release(prepared)
    assert result["sent"] + result["unknown"] == 1200
    assert result["unknown"] == len(by_state["unknown"])
    assert all((outbox / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    assert house.get(f"/v1/campaigns/{CAMPAIGN}")["stats"]["sent"] == result["sent"]
