"""An explanation is the decision: it says that an edition would be sent exactly when a send lists the person."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync.embedded.service import rules, schema, sending, story
from sync.embedded.service.routes_store import read_campaign
from tests.embedded.service.conftest import CAMPAIGN, OTHER, House, upsert

PEOPLE = ("00QA", "00QB", "00QC", "003D")
STRANGER = "00QNOBODY"
CAMPAIGNS = {CAMPAIGN: "adaptive", OTHER: "drip", "701000000000003AAA": "scheduled"}
seen: Counter[str] = Counter()
"""What the machine met, so that a property that was never put to the test is noticed."""

person = st.sampled_from(PEOPLE)
campaign = st.sampled_from(sorted(CAMPAIGNS))


class Explained(RuleBasedStateMachine):
    """Four people, three campaigns of every type, and whatever keeps mails back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.house = House(Path(self.folder.name), database=":memory:", hourly_limit=4)
        self.editions: list[dict[str, Any]] = []

    @initialize()
    def found(self) -> None:
        for campaign_id, kind in CAMPAIGNS.items():
            self.house.put_campaign(campaign_id, type=kind)
            made = self.house.editions(campaign_id)
            if kind != "adaptive":
                made += self.house.editions(campaign_id, "second")
            for each in made:
                slot = each["slot"]
                if each["role"] == "complete":  # never made ready: neither active nor tested
                    continue
                dates = {"start_date": f"2026-11-{19 + slot * 4}", "end_date": f"2026-11-{22 + slot * 4}"}
                self.editions.append(self.house.ready(each, **(dates if kind == "scheduled" else {})))
        for who in PEOPLE:
            for campaign_id in CAMPAIGNS:
                self.house.add(who, campaign_id=campaign_id)

    def teardown(self) -> None:
        self.house.close()
        self.folder.cleanup()

    @rule(
        who=person,
        where=campaign,
        address=st.sampled_from(["a@e.co", "b@e.co", None, "bad"]),
        hold=st.sampled_from([None, None, "held"]),
        test=st.booleans(),
    )
    def write(self, who: str, where: str, address: str | None, hold: str | None, test: bool) -> None:
        self.house.batch([upsert(who, email=address, hold=hold, test_member=test)], where)

    @rule(who=person, where=campaign)
    def delete(self, who: str, where: str) -> None:
        kind = "contact_id" if who.startswith("003") else "lead_id"
        self.house.batch([{"op": "delete", kind: who}], where)

    @rule(who=person, where=st.sampled_from([None, *sorted(CAMPAIGNS)]))
    def opt_out(self, who: str, where: str | None) -> None:
        scope = {"scope": "campaign", "campaign_id": where} if where else {"scope": "global"}
        self.house.call("POST", f"/v1/people/{who}:opt-out", scope)

    @rule(who=person, index=st.integers(0, 20))
    def opt_in(self, who: str, index: int) -> None:
        edition = self.editions[index % len(self.editions)]
        body = {"reason": "asked", "campaign_id": edition["campaign_id"], "from_edition": edition["edition_id"]}
        self.house.call("POST", f"/v1/people/{who}:opt-in", body)

    @rule(
        index=st.integers(0, 20),
        values=st.sampled_from(
            [
                {"active": False},
                {"active": True},
                {"not_before": 8, "not_after": 11},
                {"not_before": 12, "not_after": 14},
                {"weekdays": [6, 7]},
                {"days_delay": 2},
                {"weekdays": None, "not_before": None, "not_after": None},
            ]
        ),
    )
    def edit(self, index: int, values: dict[str, Any]) -> None:
        mine = [each for each in self.editions if "days_delay" not in values or each["role"] != "scheduled"]
        edition = mine[index % len(mine)]
        self.house.call("PATCH", f"/v1/editions/{edition['edition_id']}", values)

    @rule(
        where=campaign,
        values=st.sampled_from([{"is_active": False}, {"status": "Aborted"}, {"end_date": "2026-11-20"}]),
    )
    def close(self, where: str, values: dict[str, Any]) -> None:
        self.house.put_campaign(where, 200, type=CAMPAIGNS[where], **values)

    @rule(where=campaign)
    def reopen(self, where: str) -> None:
        self.house.put_campaign(where, 200, type=CAMPAIGNS[where], status="In Progress", end_date=None)

    @rule(hours=st.sampled_from([1, 3, 30, 60]))
    def send(self, hours: int) -> None:
        self.house.clock.advance(hours * 3600)
        self.house.mail_everybody()

    @invariant()
    def every_explanation_is_the_decision(self) -> None:
        service = self.house.service
        now = story.Sending(service.clock.now(), service.has_address, service.hourly_limit)
        with service.read() as conn:
            listed = sending.judge(conn, now.at, None, has_address=now.has_address, limit=now.limit)
            due = {(item.edition.edition_id, who) for item in listed.due for who in item.people}
            for where in CAMPAIGNS:
                header = read_campaign(conn, where)
                for who in (*PEOPLE, STRANGER):
                    for each in story.tell(conn, header, who, now).mailing:
                        assert each.due == ((each.edition_id, who) in due), each
                        assert each.due == all(one.holds for one in each.conditions), each
                        seen.update(one.rule for one in each.conditions if not one.holds)
                        seen["due"] += each.due


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=10,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


TestExplained = pytest.mark.slow(Explained.TestCase)
TestExplained.settings = _settings(2)


@pytest.mark.slow
def test_every_condition_is_met_and_missed_on_the_way() -> None:
    """The same, more often; each condition decided at least once (but the address, which the machine cannot take)."""
    run_state_machine_as_test(Explained, settings=_settings(24))
    assert {each.rule for each in rules.CRITERIA} - {"address_present"} <= set(seen)
    assert seen["due"] > 100


def test_every_breach_of_the_rules_belongs_to_a_condition() -> None:
    """A rule that was added without a condition would be told by its bare name."""
    texts = Path(rules.__file__).read_text() + Path(sending.__file__).read_text()
    known = set().union(*(each.breaches for each in rules.CRITERIA))
    raised = {word.split('"')[1] for word in texts.split("Blocked(")[1:] if word.lstrip().startswith('"')}
    assert raised <= known
    assert {"already_mailed", "order_passed", "order_waits", "level", "delay", "duplicate_email"} <= known


def test_the_control_an_explanation_without_the_turn_would_differ(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proof that the property can fail: with the conditions of the turn left out, a mailed member looks due again."""
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    service = house.service
    now = story.Sending(service.clock.now(), service.has_address, service.hourly_limit)

    def due() -> bool:
        with service.read() as conn:
            return story.tell(conn, read_campaign(conn, CAMPAIGN), "00QA", now).mailing[0].due

    assert due() is False
    monkeypatch.setattr(story, "_of_member", lambda *_: {})
    monkeypatch.setattr(story, "_has_room", lambda *_: True)
    assert due() is True


def test_a_story_holds_mails_and_record_and_is_refused_for_what_is_not_there(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    house.event("00QA", "open")
    told = house.get(f"/v1/campaigns/{CAMPAIGN}/members/00QA/story")
    assert told["member"]["level"] == "Opened"
    assert (told["mailing"][0]["mail"]["opened"], told["mailing"][0]["due"]) == (True, False)
    assert [entry["data"]["level"] for entry in told["recorded"]] == [None, "Sent", "Opened"]
    stranger = house.get(f"/v1/campaigns/{CAMPAIGN}/members/00QZ/story")
    assert (stranger["member"], stranger["removed"]) == (None, False)
    house.get("/v1/campaigns/701NONE/members/00QA/story", expect=404)
    house.get(f"/v1/campaigns/{CAMPAIGN}/members/00Q%20A/story", expect=422)
    house.get(f"/v1/campaigns/{CAMPAIGN}/members/00QA/story?at=yesterday", expect=422)
    later = house.get(f"/v1/campaigns/{CAMPAIGN}/members/00QA/story?at=2026-12-01T10:00:00Z")
    assert later["at"] == "2026-12-01T10:00:00Z"
    with house.service.db.write() as conn:
        conn.execute(schema.members.delete())
    assert house.get(f"/v1/campaigns/{CAMPAIGN}/members/00QA/story")["member"] is None
