"""The verifier: what it finds, what it reads twice, what it costs, and the seal that it leaves."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sync.engine.verify import DIFFERENCE, compare
from sync.engine.verify_shelf import COMPARED
from sync.errors import NotWhatItShouldBe, Refused
from sync.events import Noted
from sync.ids import CampaignId, MemberId, PersonId
from sync.model import OrgMember, PersonKind, RunKind, RunState, ServiceMember
from sync.ports import Headers, Org, Poll, Service
from sync.store.schema import call
from tests.engine.tampering import Exchange
from tests.engine.test_batches import started
from tests.engine.test_lockout import lying_org
from tests.engine.test_whole_reads import by_jobs
from tests.engine.world import World

# ---------------------------------------------------------------- against both servers


def test_the_seal_is_set_broken_and_whole_again(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        assert shell.detail(campaign.id).view.verified is None
        assert shell.verify([campaign.id]).exit_code == 0
        sealed = shell.detail(campaign.id).view
        assert (sealed.verified is not None, sealed.broken, sealed.differences) == (True, None, 0)
        lead = campaign.leads[0]
        world.update("Lead", lead, LastName="Hopper", FirstName="Grace")
        world.clock.advance(60)
        result = shell.verify([campaign.id])
        assert (result.exit_code, len(result.differences)) == (3, 2)
        assert result.counts.unchanged == len(campaign.leads) - 1
        broken = shell.detail(campaign.id).view
        assert (broken.verified, broken.differences) == (sealed.verified, 2)
        assert broken.broken is not None
        assert sealed.verified is not None
        assert broken.broken > sealed.verified
        shell.sync([campaign.id])
        assert shell.verify([campaign.id]).exit_code == 0
        assert shell.detail(campaign.id).view.broken is None


@pytest.mark.slow
def test_of_several_campaigns_one_that_was_never_started_is_refused_and_the_others_are_verified(world: World) -> None:
    with world.shell() as shell:
        first, fresh = started(world, shell, 3), world.campaign(2)
        result = shell.verify([first.id, fresh.id])
        assert (result.exit_code, result.counts.unchanged) == (4, 3), "they do not agree, and none failed"
        assert {each.campaign_id: each.state for each in result.campaigns} == {
            first.id: RunState.DONE,
            fresh.id: RunState.REFUSED,
        }
        assert shell.detail(first.id).view.verified is not None
        with pytest.raises(Refused, match="never started"):
            shell.verify([fresh.id])


@pytest.mark.slow
def test_a_difference_that_is_gone_on_the_second_read_is_none(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
    lies = [1]

    def lie_once(exchange: Exchange) -> None:
        for part in exchange.answer.get("compositeResponse", ()) if isinstance(exchange.answer, dict) else ():
            for row in part["body"].get("records", ()) if isinstance(part["body"], dict) else ():
                if "LastName" in row and lies:
                    row["LastName"] = "Nobody"
        lies.clear()

    before = world.org_calls()
    with lying_org(world, lie_once) as shell:
        result = shell.verify([campaign.id])
    assert (result.exit_code, result.differences) == (0, ())
    assert world.org_calls() - before == 2, "what differed was read a second time"


@pytest.mark.slow
def test_few_differences_of_many_campaigns_are_read_again_in_one_call(world: World) -> None:
    with world.shell() as shell:
        campaigns = [started(world, shell, 3) for _ in range(3)]
        for campaign in campaigns:
            world.update("Lead", campaign.leads[0], LastName="Hopper")
        world.delete("CampaignMember", campaigns[0].members[1])
        world.join(campaigns[1], 1)
        before = world.org_calls()
        result = shell.verify([campaign.id for campaign in campaigns])
        assert world.org_calls() - before == 2
        notes = [note.text for note in world.told(Noted) if note.text.startswith("verifying")]
    assert "about 1 Salesforce call," in notes[-1]
    assert abs(result.predicted.salesforce - result.calls.salesforce) <= 1
    assert result.calls.salesforce <= result.maximum.salesforce
    found = {(each.person_id, each.field) for each in result.differences}
    assert found == {(campaign.leads[0], "last_name") for campaign in campaigns} | {
        (campaigns[0].leads[1], "member"),
        (campaigns[1].leads[3], "member"),
    }


@pytest.fixture
def pages_of_five(world: World) -> Iterator[None]:
    world.servers.control("POST", "/settings", {"page_rows": 5})
    yield
    world.servers.control("POST", "/settings", {"page_rows": 2_000})


@pytest.mark.slow
def test_many_rows_of_several_campaigns_come_by_one_bulk_query(world: World, pages_of_five: None) -> None:
    with world.shell() as shell:
        campaigns = [started(world, shell, 6) for _ in range(2)]
    world.update("Lead", campaigns[1].leads[5], LastName="Hopper")
    ids = [campaign.id for campaign in campaigns]
    with by_jobs(world) as shell:
        result = shell.verify(ids)
    assert [(each.person_id, each.field) for each in result.differences] == [(campaigns[1].leads[5], "last_name")]
    with world.store.database.read() as conn:
        paths = list(conn.execute(select(call.c.path).where(call.c.run_id == result.run)).scalars())
    assert sum(path.endswith("/jobs/query") for path in paths) == 1, "one job for all campaigns"


@pytest.mark.slow
def test_the_members_of_a_campaign_that_is_gone_are_kept_and_no_difference(world: World) -> None:
    with world.shell() as shell:
        campaign, other = started(world, shell, 3), started(world, shell, 2)
        world.delete("CampaignMember", *campaign.members)
        emptied = shell.verify([campaign.id])
        assert (emptied.exit_code, len(emptied.differences)) == (3, 3), "whoever was removed is still a difference"
        world.delete("Campaign", campaign.id)
        world.events.clear()
        gone = shell.verify([campaign.id, other.id])
        assert (gone.exit_code, gone.counts.invisible, gone.differences) == (0, 3, ())
        assert gone.calls.salesforce <= gone.maximum.salesforce
        assert any("does not show this campaign any more" in note.text for note in world.told(Noted))
        world.update("Lead", other.leads[0], LastName="Hopper")
        both = shell.verify([campaign.id, other.id])
        assert (both.exit_code, {one.campaign_id for one in both.differences}) == (3, {other.id})


@pytest.mark.slow
def test_what_waits_is_told_apart(world: World) -> None:
    with world.shell() as shell:
        campaign = started(world, shell, 3)
        world.activity(campaign, campaign.leads[0], level="Opened", opens=2)
        shell.batch(RunKind.NIGHTLY)  # brings the feed, leaves activity to the hourly run
        result = shell.verify([campaign.id])
    assert (result.exit_code, result.differences) == (0, ())
    assert (result.counts.pending, result.counts.unchanged) == (1, 3), "whoever waits is none that differs"
    assert any(note.text.startswith("pending: ") for note in world.told(Noted))


# ---------------------------------------------------------------- by itself, on made rows

CAMPAIGNS = tuple(CampaignId(f"70100000000000{n}AAA") for n in range(3))
START = datetime(2026, 11, 1, tzinfo=UTC)


def org_row(campaign: CampaignId, number: int, **values: Any) -> OrgMember:
    row = OrgMember(
        member_id=MemberId(f"00v{number:012d}AAA"),
        campaign_id=campaign,
        person_id=PersonId(f"00Q{number:012d}AAA"),
        kind=PersonKind.LEAD,
        lead_id=f"00Q{number:012d}AAA",
        contact_id=None,
        first_name="Ada",
        last_name=f"Nr {number}",
        email=f"a{number}@example.org",
        opted_out=False,
        status="Sent",
        created=START,
    )
    return replace(row, **values)


def same(row: OrgMember) -> ServiceMember:
    known = {name: getattr(row, name) for name in COMPARED}
    return ServiceMember(campaign_id=row.campaign_id, person_id=row.person_id, kind=row.kind, **known)


class OrgSide:
    """The org in memory; its rows come in any order, as a Bulk query gives them."""

    def __init__(self, rows: Sequence[OrgMember], *, page: int = 3) -> None:
        self.rows, self.page, self.lost = list(rows), page, 0

    def poll(self, _scope: Any) -> Poll:
        return Poll({}, {}, len(self.rows) + self.lost, 0, self._pages(self.rows), None, START)

    def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[Any, ...]]:
        return self._pages([row for row in self.rows if row.campaign_id == campaign_id])

    def read_some(self, wanted: Sequence[tuple[CampaignId, PersonId, MemberId | None]]) -> Iterator[tuple[Any, ...]]:
        keys = {(campaign, person) for campaign, person, _ in wanted}
        return self._pages([row for row in self.rows if (row.campaign_id, row.person_id) in keys])

    def headers(self, _campaigns: Sequence[CampaignId], _since: None) -> Headers:
        return Headers({}, (), (), (), START)

    def _pages(self, rows: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(rows), self.page):
            yield tuple(rows[start : start + self.page])


class ServiceSide:
    """The service's lists, in person-id order."""

    def __init__(self, members: Sequence[ServiceMember], page: int = 2) -> None:
        self.members, self.page = sorted(members, key=lambda row: row.person_id), page

    def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[ServiceMember, ...]]:
        here = [row for row in self.members if row.campaign_id == campaign_id]
        for start in range(0, len(here), self.page):
            yield tuple(here[start : start + self.page])


def run(
    org: OrgSide, service: ServiceSide, campaigns: Sequence[CampaignId] = CAMPAIGNS
) -> set[tuple[str, str, str, str]]:
    """What is found: campaign, person, field, kind."""
    found = compare(
        cast(Org, org), cast(Service, service), campaigns, lambda *_: {}, off=frozenset(), breathe=lambda: None
    )
    return {(one.campaign_id, one.person_id, one.field, one.kind) for each in found for one in each.found}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[OrgMember], list[ServiceMember]]:
    org: list[OrgMember] = []
    service: list[ServiceMember] = []
    for campaign in CAMPAIGNS:
        for number in draw(st.lists(st.integers(0, 9), unique=True, max_size=8)):
            row = org_row(campaign, number)
            where = draw(st.sampled_from(["both", "both", "both", "org", "service", "changed", "mirrored"]))
            if where in ("both", "org", "changed", "mirrored"):
                org.append(row)
            if where == "mirrored":  # a second, younger row of the person: the oldest counts
                younger = {"member_id": MemberId(f"00w{number:012d}AAA"), "created": START + timedelta(days=1)}
                org.append(replace(row, status="Later", **younger))
            if where in ("both", "service", "mirrored"):
                service.append(same(row))
            if where == "changed":
                name, value = draw(
                    st.sampled_from([("status", "Other"), ("email", None), ("opens", 4), ("active", True)])
                )
                service.append(replace(same(row), **{name: value}))
    Random(draw(st.integers(0, 99))).shuffle(org)
    return org, service


@settings(max_examples=60, deadline=None, derandomize=True)
@given(worlds())
def test_it_finds_what_a_naive_comparison_finds(made: tuple[list[OrgMember], list[ServiceMember]]) -> None:
    org, service = made
    expected: set[tuple[str, str, str]] = set()
    oldest: dict[tuple[str, str], OrgMember] = {}
    for row in sorted(org, key=lambda row: (row.created or START, row.member_id)):
        oldest.setdefault((row.campaign_id, row.person_id), row)
    theirs = {(row.campaign_id, row.person_id): row for row in service}
    for key in oldest.keys() | theirs.keys():
        if key not in oldest or key not in theirs:
            expected.add((*key, "member"))
            continue
        one, other = oldest[key], theirs[key]
        expected |= {
            (*key, name) for name in COMPARED if (getattr(one, name) or None) != (getattr(other, name) or None)
        }
    found = run(OrgSide(org), ServiceSide(service))
    assert {each[:3] for each in found} == expected
    assert all(kind == DIFFERENCE for *_, kind in found)


def test_an_incomplete_read_says_nothing_of_any_campaign() -> None:
    rows = [org_row(CAMPAIGNS[0], number) for number in range(4)]
    sides = OrgSide(rows)
    sides.lost = 1
    with pytest.raises(NotWhatItShouldBe, match="4 of 5"):
        run(sides, ServiceSide([same(row) for row in rows]))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_members() -> None:
    def peak(members: int) -> float:
        class Made(OrgSide):
            def poll(self, _scope: Any) -> Poll:
                pages = (
                    tuple(org_row(CAMPAIGNS[n % 2], n) for n in range(start, start + 1000))
                    for start in range(0, members, 1000)
                )
                return Poll({}, {}, members, 0, pages, None, START)

        class Listed(ServiceSide):
            def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[ServiceMember, ...]]:
                first = CAMPAIGNS.index(campaign_id)
                for start in range(0, members, 1000):
                    yield tuple(same(org_row(campaign_id, n)) for n in range(start + first, start + 1000, 2))

        tracemalloc.start()
        try:
            assert run(Made(()), Listed(()), CAMPAIGNS[:2]) == set()
            return tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()

    small, large = peak(10_000), peak(100_000)
    assert large < small + 2, f"{small:.1f} MiB at 10,000 members, {large:.1f} at 100,000"
