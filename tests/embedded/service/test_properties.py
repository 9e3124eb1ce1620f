"""Whatever happens in whatever order: statistics equal the mails, counts the members, the feed tells all,
levels only rise, nobody is mailed an edition twice."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.embedded.service.conftest import CAMPAIGN, OTHER, House, upsert

PEOPLE = ["00QA", "00QB", "00QC", "003D"]
LEVELS = [None, "Sent", "Opened", "Clicked", "Completed"]
person = st.sampled_from(PEOPLE)
campaign = st.sampled_from([CAMPAIGN, OTHER])


class Life(RuleBasedStateMachine):
    """A small world of four people and two campaigns."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.house = House(Path(self.folder.name), database=":memory:")
        self.levels: dict[tuple[str, str], int] = {}
        self.told: dict[tuple[str, str], Any] = {}
        self.cursor: str | None = None

    @initialize()
    def found(self) -> None:
        for campaign_id, kind in ((CAMPAIGN, "adaptive"), (OTHER, "drip")):
            self.house.put_campaign(campaign_id, type=kind)
        for edition in [*self.house.editions(), *(e for op in "abc" for e in self.house.editions(OTHER, op))]:
            self.house.ready(edition)

    def teardown(self) -> None:
        self.house.close()
        self.folder.cleanup()

    @rule(
        who=person,
        where=campaign,
        address=st.sampled_from(["a@e.co", "b@e.co", None, "bad"]),
        out=st.booleans(),
        hold=st.sampled_from([None, None, "held"]),
    )
    def write(self, who: str, where: str, address: str | None, out: bool, hold: str | None) -> None:
        fields = {"email": address, "hold": hold} | ({"opted_out": True} if out and address == "b@e.co" else {})
        self.house.batch([upsert(who, **fields)], where)

    @rule(who=person, where=campaign)
    def delete(self, who: str, where: str) -> None:
        kind = "contact_id" if who.startswith("003") else "lead_id"
        self.house.batch([{"op": "delete", kind: who}], where)

    @rule()
    def convert(self) -> None:
        row = upsert("003D") | {"lead_id": "00QA", "member_id": "00v00QA"}
        self.house.batch([row])
        self.levels.pop((CAMPAIGN, "00QA"), None)

    @rule(days=st.integers(0, 2))
    def send(self, days: int) -> None:
        self.house.clock.advance(days * 86400)
        self.house.mail_everybody()

    @rule(
        index=st.integers(0, 30),
        kind=st.sampled_from(["open", "click", "complete", "bounce", "complaint", "opt_out", "delivered"]),
        hard=st.booleans(),
    )
    def react(self, index: int, kind: str, hard: bool) -> None:
        mails = self.house.mails()
        if mails:
            mail = mails[index % len(mails)]
            self.house.call("POST", "/v1/events", {"mail_id": mail["mail_id"], "type": kind, "hard": hard})

    @rule(who=person, where=st.sampled_from([None, CAMPAIGN]))
    def opt_in(self, who: str, where: str | None) -> None:
        self.house.call("POST", f"/v1/people/{who}:opt-in", {"reason": "asked", "campaign_id": where})

    @invariant()
    def statistics_equal_the_mails(self) -> None:
        mails = self.house.mails()
        for campaign_id in (CAMPAIGN, OTHER):
            page = self.house.get(f"/v1/campaigns/{campaign_id}/editions")
            totals: Counter[str] = Counter()
            for edition in page["items"]:
                own = [m for m in mails if m["edition_id"] == edition["edition_id"]]
                flags = ("opened", "clicked", "completed", "bounced", "opted_out")
                counted = {"sent": len(own)} | {flag: sum(m[flag] for m in own) for flag in flags}
                counted["delivered"] = len(own) - counted["bounced"]
                assert edition["stats"] == counted
                assert counted["sent"] >= counted["opened"] >= counted["clicked"] >= counted["completed"]
                totals.update(counted)
                totals["complaints"] += sum(m["complained"] for m in own)
            shown = self.house.get(f"/v1/campaigns/{campaign_id}")
            assert shown["stats"] == {key: totals[key] for key in shown["stats"]}
            self.counts_equal_the_members(campaign_id, shown)

    def counts_equal_the_members(self, campaign_id: str, shown: dict[str, Any]) -> None:
        members = self.house.members(campaign_id)
        active = sum(m["active"] for m in members.values())
        assert shown["counts"] == {"members": len(members), "active": active, "inactive": len(members) - active}
        assert shown["by_status"] == dict(sorted(Counter(m["status"] for m in members.values()).items()))
        for who, member in members.items():
            level = LEVELS.index(member["level"])
            assert level >= self.levels.get((campaign_id, who), 0)
            self.levels[campaign_id, who] = level
            assert member["active"] == (member["reason"] is None)
            assert not (member["opted_out"] and member["active"])

    @invariant()
    def the_feed_tells_everything(self) -> None:
        query = f"?cursor={self.cursor}" if self.cursor else ""
        page = self.house.get(f"/v1/changes{query}")
        assert not page["more"]
        self.cursor = page["next"]
        for change in page["items"]:
            if change["type"] == "member":
                key = (change["campaign_id"], change["data"]["person_id"])
                old = self.told.pop(key, None)
                assert old is None or change["data"]["version"] > old["version"]
                if change["op"] == "upsert":
                    self.told[key] = change["data"]
        present = {(c, p): m for c in (CAMPAIGN, OTHER) for p, m in self.house.members(c).items()}
        assert self.told == present

    @invariant()
    def nobody_is_mailed_twice(self) -> None:
        pairs = Counter((m["edition_id"], m["person_id"]) for m in self.house.mails())
        assert all(n == 1 for n in pairs.values())
        addresses = Counter((m["edition_id"], m["email"].lower()) for m in self.house.mails())
        assert all(n == 1 for n in addresses.values())
        assert len(self.house.files()) == len(pairs)


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=14,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


class LongLife(Life):
    """The same life, more often."""


TestLife = Life.TestCase
TestLife.settings = _settings(2)
TestLongLife = pytest.mark.slow(LongLife.TestCase)
TestLongLife.settings = _settings(20)
