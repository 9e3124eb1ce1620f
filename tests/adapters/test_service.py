"""The service's client against the embedded service: shapes, keys, the feed, trouble."""

from __future__ import annotations

from datetime import date
from itertools import count

import pytest

from sync.clock import SystemClock
from sync.errors import NotWhatItShouldBe, OutcomeUnknown, RemoteRejected, ServerDown, WrongCredentials
from sync.http.channel import Budget
from sync.http.transport import Transport
from sync.ids import CampaignId, MemberId, PersonId, to18
from sync.model import Campaign, CampaignType, PersonKind, StatusLabel
from sync.model import TestPerson as GlobalTestMember
from sync.ports import CursorExpired, MemberWrite
from sync.predictive.client import PredictiveService
from tests.adapters.conftest import Sides
from tests.adapters.support import Hidden, Records

LABELS = (
    StatusLabel("Sent", is_default=True, sort_order=1),
    StatusLabel("Responded", has_responded=True, sort_order=2),
)
_NUMBERS = count(1)


def a_campaign(kind: CampaignType = CampaignType.ADAPTIVE) -> Campaign:
    return Campaign(
        id=CampaignId(to18(f"701xx{next(_NUMBERS):010d}")),
        name="Autumn",
        type=kind,
        type_label=kind.value,
        is_active=True,
        status="In Progress",
        start_date=date(2026, 1, 1),
        end_date=date(2030, 1, 1),
        auto_sync=True,
        labels=LABELS,
    )


def person(number: int, kind: PersonKind = PersonKind.LEAD) -> PersonId:
    return PersonId(to18(f"{'003' if kind is PersonKind.CONTACT else '00Q'}xx{number:010d}"))


def a_member(number: int, **fields: object) -> MemberWrite:
    given = {"first_name": "Ada", "last_name": f"N{number}", "email": f"ada{number}@example.com", "status": "Sent"}
    return MemberWrite(
        key=f"m{number}",
        person_id=person(number),
        kind=PersonKind.LEAD,
        member_id=MemberId(to18(f"00vxx{number:010d}")),
        fields={**given, **fields},
    )


@pytest.fixture
def campaign(sides: Sides) -> Campaign:
    made = a_campaign()
    sides.service.put_campaign(made, status_on={}, time_zone="Europe/Berlin", key=f"put-{made.id}")
    return made


def test_identity(sides: Sides) -> None:
    identity = sides.service.identity()
    assert identity.service_id
    assert identity.time.tzinfo is not None


def test_campaign_and_editions(sides: Sides, campaign: Campaign) -> None:
    editions, created = sides.service.create_editions(campaign.id, "op-1")
    assert (len(editions), created) == (5, 5)
    assert [edition.slot for edition in editions] == [1, 2, 3, 4, 5]
    again, none = sides.service.create_editions(campaign.id, "op-1")
    assert [edition.id for edition in again] == [edition.id for edition in editions]
    assert sides.service.create_editions(campaign.id, "op-2")[1] == 0
    assert none in (0, 5), "the first answer again"
    patched = sides.service.patch_edition(
        editions[0].id, {"subject": "Hello", "html": "<p>Hi</p>", "salesforce_id": "a0E000000000001AAA"}, key="p1"
    )
    assert (patched.subject, patched.salesforce_id) == ("Hello", "a0E000000000001AAA")
    assert patched.blocked_by
    assert sides.service.editions(campaign.id)[0].subject == "Hello"
    (stats,) = [one for one in sides.service.list_campaigns() if one.campaign_id == campaign.id]
    assert (stats.name, stats.type, stats.editions) == ("Autumn", "adaptive", 5)


def test_members_are_written_read_and_removed(sides: Sides, campaign: Campaign) -> None:
    rows = [a_member(n) for n in range(1, 2_501)]
    outcomes = sides.service.write_members(campaign.id, rows, key=f"w-{campaign.id}")
    assert {outcome.outcome for outcome in outcomes} == {"created"}
    assert [outcome.key for outcome in outcomes] == [row.key for row in rows]
    members = [one for page in sides.service.read_members(campaign.id) for one in page]
    assert [one.person_id for one in members] == sorted(row.person_id for row in rows)
    assert all(one.active and one.version for one in members)
    again = sides.service.write_members(campaign.id, rows[:3], key=f"w2-{campaign.id}")
    assert {outcome.outcome for outcome in again} == {"unchanged"}
    stale = MemberWrite("s", rows[0].person_id, PersonKind.LEAD, None, fields={"first_name": "X"}, if_version=0)
    gone = MemberWrite("g", rows[1].person_id, PersonKind.LEAD, None, delete=True)
    never = MemberWrite("n", person(99_999), PersonKind.LEAD, None, delete=True)
    mixed = sides.service.write_members(campaign.id, [stale, gone, never], key=f"w3-{campaign.id}")
    assert [outcome.outcome for outcome in mixed] == ["stale", "deleted", "absent"]


def test_null_clears_and_absence_keeps(sides: Sides, campaign: Campaign) -> None:
    sides.service.write_members(campaign.id, [a_member(1)], key=f"a-{campaign.id}")
    change = MemberWrite("c", person(1), PersonKind.LEAD, None, fields={"first_name": None})
    sides.service.write_members(campaign.id, [change], key=f"b-{campaign.id}")
    (member,) = [one for page in sides.service.read_members(campaign.id) for one in page]
    assert (member.first_name, member.last_name) == (None, "N1")


def test_a_converted_lead_keeps_what_it_did(sides: Sides, campaign: Campaign) -> None:
    sides.service.write_members(campaign.id, [a_member(5, level="Opened", opens=2)], key=f"a-{campaign.id}")
    contact = person(5, PersonKind.CONTACT)
    lead = a_member(5)
    moved = MemberWrite("m", contact, PersonKind.CONTACT, lead.member_id, lead_id=lead.person_id)
    (outcome,) = sides.service.write_members(campaign.id, [moved], key=f"b-{campaign.id}")
    (member,) = [one for page in sides.service.read_members(campaign.id) for one in page]
    assert outcome.person_id == member.person_id == contact
    assert (member.level, member.opens) == ("Opened", 2)


def test_the_feed_leaves_out_what_this_client_wrote(sides: Sides, campaign: Campaign) -> None:
    cursor = sides.service.head()
    other = PredictiveService(
        sides.transport, base_url=sides.servers.service_url, token=Hidden(sides.servers.service_token), client="other"
    )
    sides.service.write_members(campaign.id, [a_member(1), a_member(2)], key=f"a-{campaign.id}")
    other.write_members(campaign.id, [a_member(3), a_member(4)], key=f"b-{campaign.id}")
    gone = MemberWrite("g", person(4), PersonKind.LEAD, None, delete=True)
    other.write_members(campaign.id, [gone], key=f"c-{campaign.id}")
    other.opt_out(person(3), "asked by phone", key=f"d-{campaign.id}")
    other.create_editions(campaign.id, "op")
    changes = sides.service.changes(cursor)
    here = [one for one in changes.members if one.campaign_id == campaign.id]
    assert [(one.person_id, one.active) for one in here] == [(person(3), False)]
    assert changes.removed == ((campaign.id, person(4)),)
    assert [(one.person_id, one.opted_out) for one in changes.people] == [(person(3), True)]
    assert len(changes.editions) == 5
    assert not changes.more
    rest = sides.service.changes(changes.cursor)
    assert (rest.members, rest.removed, rest.cursor) == ((), (), changes.cursor)


def test_an_expired_cursor(sides: Sides) -> None:
    with pytest.raises(CursorExpired):
        sides.service.changes("deadbeef-1")


def test_test_members_are_one_list(sides: Sides) -> None:
    people = [
        GlobalTestMember(person(900 + n), PersonKind.LEAD, "Test", f"T{n}", f"t{n}@example.com") for n in range(3)
    ]
    assert sides.service.put_test_members(people, key="t1") == 3
    assert sides.service.put_test_members(people[:1], key="t2") == 1


def test_nothing_due_is_prepared_and_released(sides: Sides, campaign: Campaign) -> None:
    dry = sides.service.prepare(None, [campaign.id], dry_run=True, key=f"dry-{campaign.id}")
    assert (dry.send_id, dry.expected) == (None, 0)
    frozen = sides.service.prepare(None, [campaign.id], dry_run=False, key=f"go-{campaign.id}")
    assert frozen.send_id is not None
    with pytest.raises(RemoteRejected) as caught:
        sides.service.release(frozen.send_id, 7, key=f"r0-{campaign.id}")
    assert caught.value.code == "count_changed"
    assert sides.service.release(frozen.send_id, 0, key=f"r1-{campaign.id}").sent == 0


def test_lists_of_an_empty_campaign(sides: Sides, campaign: Campaign) -> None:
    assert sides.service.click_throughs(campaign.id) == ()
    assert sides.service.history(campaign.id) == ()


# ------------------------------------------------------------ trouble


def service_fault(sides: Sides, kind: str, **more: object) -> None:
    sides.control("POST", "/faults", {"kind": kind, "side": "predictive", **more})


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate", "html", "quota"])
def test_a_lost_answer_to_a_keyed_write_is_asked_for_again(sides: Sides, campaign: Campaign, kind: str) -> None:
    service_fault(sides, kind, match=":batch")
    outcomes = sides.service.write_members(campaign.id, [a_member(1)], key=f"a-{campaign.id}")
    assert [outcome.outcome for outcome in outcomes] == ["created"], "the first answer, not a second write"


def test_a_keyed_write_without_any_answer_is_unknown(sides: Sides, campaign: Campaign) -> None:
    service_fault(sides, "drop_after", match=":batch", times=None)
    with pytest.raises(OutcomeUnknown):
        sides.service.write_members(campaign.id, [a_member(1)], key=f"a-{campaign.id}")


def test_a_service_that_is_down(sides: Sides) -> None:
    nowhere = PredictiveService(
        sides.transport, base_url="http://127.0.0.1:9", token=Hidden("t"), client="c", budget=Budget(2, 0, 0)
    )
    with pytest.raises(ServerDown) as caught:
        nowhere.identity()
    assert "connection refused" in caught.value.what
    assert "nothing was written" in caught.value.line()
    assert "http://127.0.0.1:9" in caught.value.line()


def test_something_else_at_the_address(sides: Sides) -> None:
    with Transport(Records(), SystemClock()) as transport:
        elsewhere = PredictiveService(transport, base_url=sides.servers.control_url, token=Hidden("t"), client="c")
        with pytest.raises(NotWhatItShouldBe):
            elsewhere.identity()
    service_fault(sides, "html", status=200)
    with pytest.raises(NotWhatItShouldBe, match="text/html"):
        sides.service.identity()
    service_fault(sides, "status", status=200, body={"hello": "world"})
    with pytest.raises(NotWhatItShouldBe, match="not one of the Predictive service"):
        sides.service.identity()


def test_a_wrong_token(sides: Sides) -> None:
    with Transport(Records(), SystemClock()) as transport:
        url = sides.servers.service_url
        stranger = PredictiveService(transport, base_url=url, token=Hidden("wrong-t0ken"), client="c")
        with pytest.raises(WrongCredentials) as caught:
            stranger.identity()
    assert "t0ken" not in caught.value.line()


def test_a_refusal_says_code_and_what(sides: Sides) -> None:
    with pytest.raises(RemoteRejected) as caught:
        sides.service.editions(CampaignId("701000000000000AAA"))
    assert caught.value.code == "campaign_not_found"
    with pytest.raises(ValueError, match="at most 5000"):
        sides.service.write_members(CampaignId("x"), [a_member(1)] * 5_001, key="k")
