"""Reading the org: what comes, and how many calls it takes, counted by the org."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from sync.clock import SystemClock
from sync.embedded.process import start_embedded
from sync.errors import ConfigError, NotWhatItShouldBe, QuotaExhausted, RemoteRejected, ServerDown, WrongCredentials
from sync.http.channel import Budget
from sync.http.transport import Transport
from sync.ids import CampaignId, PersonId
from sync.mapping import WITHOUT_PACKAGE, Mapping
from sync.model import PersonKind
from sync.ports import OrgOperation, OrgWrite, PollScope, Presence
from sync.salesforce.client import SalesforceOrg
from tests.adapters.conftest import MEMBERS, Sides
from tests.adapters.support import Hidden, Records


def test_all_campaigns_with_labels_and_counts_in_one_call(sides: Sides) -> None:
    campaigns, by_status, at = sides.org.list_campaigns()
    first = min(campaigns, key=lambda campaign: (campaign.created, campaign.id))
    assert len(campaigns) == 4
    assert first.auto_sync
    assert first.type is not None
    assert len(first.labels) >= 3
    assert sum(label.is_default for label in first.labels) == 1
    assert MEMBERS - 20 < sum(by_status[first.id].values()) <= MEMBERS
    assert at.tzinfo is not None
    assert sides.org.identity().org_id.startswith("00D")
    assert sides.spent() == 1, "the identity rode along"


def test_the_list_brings_the_orgs_own_figures_and_an_org_without_them_none(sides: Sides) -> None:
    first = sides.first_campaign()
    figures = dict(first.metrics or ())
    assert figures["total_members"] == sides.total(first)
    assert figures["active_members"] is not None
    assert figures["total_members"] - figures["active_members"] == figures["inactive_members"]
    less = Mapping(campaign_click_to_open="", campaign_delivered="PAM__No_Such_Field__c")
    listed, _, _ = sides.new_org(mapping=less).list_campaigns()
    keys = {key for key, _ in next(each.metrics for each in listed if each.id == first.id) or ()}
    assert {"click_to_open", "delivered"}.isdisjoint(keys)
    assert "total_members" in keys


def test_an_idle_poll_over_all_campaigns_is_one_call(sides: Sides) -> None:
    poll = sides.org.poll(PollScope(None, sides.first_campaign().created + timedelta(days=3650)))
    assert [member for page in poll.pages for member in page] == []
    assert (poll.changed, poll.more_calls) == (0, 0)
    assert poll.counts[sides.first_campaign().id].members == sides.total(sides.first_campaign())
    assert poll.test_people is not None
    assert sides.spent() == 1 + 4, "the other calls are lists of campaigns"


def test_a_full_poll_reads_on_by_id_and_says_beforehand_how_often(sides: Sides) -> None:
    campaign = sides.first_campaign()
    total = sides.total(campaign)
    before = sides.spent()
    poll = sides.org.poll(PollScope((campaign.id,), None))
    assert (poll.changed, poll.more_calls) == (total, 1)
    members = [member for page in poll.pages for member in page]
    assert sides.spent() - before == 1 + poll.more_calls
    assert len({member.member_id for member in members}) == total
    assert [member.member_id for member in members] == sorted(member.member_id for member in members)
    for member in members[:50]:
        assert member.person_id == (member.contact_id or member.lead_id)
        assert member.kind is (PersonKind.CONTACT if member.contact_id else PersonKind.LEAD)
        assert member.email
        assert member.stamp is not None


@pytest.mark.parametrize(("rows", "calls"), [(500, 1), (300, 2)])
def test_short_pages_are_read_to_the_end(sides: Sides, rows: int, calls: int) -> None:
    campaign = sides.first_campaign()
    total = sides.total(campaign)
    sides.control("POST", "/settings", {"page_rows": rows})
    before = sides.spent()
    poll = sides.org.poll(PollScope((campaign.id,), None))
    assert poll.more_calls == calls
    assert len({m.member_id for page in poll.pages for m in page}) == total == poll.changed
    assert sides.spent() - before == 1 + calls


def test_pages_that_turn_out_short_do_not_end_a_read(sides: Sides) -> None:
    campaign = sides.first_campaign()
    total = sides.total(campaign)
    sides.control("POST", "/settings", {"page_rows": 700})
    assert sum(len(page) for page in sides.org.read_members(campaign.id)) == total
    (read,) = sides.org.read_ids([campaign.id])
    came = [key for page in read.pages for key in page]
    assert read.counts == {campaign.id: total}
    assert len({key.member_id for key in came}) == len(came) == total


def test_a_change_of_the_person_alone_is_seen(sides: Sides) -> None:
    campaign = sides.first_campaign()
    lead = next(m for m in sides.members(campaign) if m.kind is PersonKind.LEAD)
    contact = next(m for m in sides.members(campaign) if m.kind is PersonKind.CONTACT)
    mark = sides.org.poll(PollScope((campaign.id,), None)).server_time
    sides.control("POST", "/clock", {"advance": 60})
    changes = [
        {"object": "Lead", "id": lead.lead_id, "values": {"Email": "new.address@example.com"}},
        {"object": "Contact", "id": contact.contact_id, "values": {"LastName": "Lindqvist-Ortega"}},
    ]
    sides.control("POST", "/records", {"operations": changes})
    poll = sides.org.poll(PollScope((campaign.id,), mark))
    found = {member.member_id: member for page in poll.pages for member in page}
    assert set(found) == {lead.member_id, contact.member_id}
    assert found[lead.member_id].email == "new.address@example.com"
    assert found[contact.member_id].last_name == "Lindqvist-Ortega"
    assert found[lead.member_id].stamp > mark


def test_a_converted_lead_is_its_contact(sides: Sides) -> None:
    campaign = sides.first_campaign()
    lead = [m for m in sides.members(campaign) if m.kind is PersonKind.LEAD][-1]
    sides.control("POST", "/records", {"op": "convert", "object": "Lead", "id": lead.lead_id})
    after = next(m for m in sides.members(campaign) if m.member_id == lead.member_id)
    assert after.kind is PersonKind.CONTACT
    assert after.person_id.startswith("003")
    people = sides.org.read_people([lead.person_id])
    assert people[lead.person_id].converted_to == after.person_id


def test_people_readable_deleted_and_invisible_in_one_call(sides: Sides) -> None:
    leads = [m.person_id for m in sides.members(sides.first_campaign()) if m.kind is PersonKind.LEAD][-8:-4]
    stays, goes, hides, merged = leads
    sides.control("POST", "/records", {"op": "delete", "object": "Lead", "id": goes})
    sides.control("POST", "/records", {"op": "merge", "object": "Lead", "id": stays, "loser": merged})
    sides.control("POST", "/sharing", {"hide": [hides]})
    nobody = PersonId("003gL00000zzzzzIAA")
    before = sides.spent()
    people = sides.org.read_people([stays, goes, hides, merged, nobody])
    sides.control("POST", "/sharing", {"show": [hides]})
    assert sides.spent() - before == 1
    assert [people[one].presence for one in (stays, goes, hides, merged)] == [
        Presence.READABLE,
        Presence.DELETED,
        Presence.INVISIBLE,
        Presence.MERGED,
    ]
    assert people[merged].merged_into == stays
    assert [person.presence for key, person in people.items() if key.startswith("003")] == [Presence.INVISIBLE]


def test_ids_of_all_campaigns_share_calls(sides: Sides) -> None:
    campaigns, _, _ = sides.org.list_campaigns()
    before = sides.spent()
    (read,) = sides.org.read_ids([campaign.id for campaign in campaigns])
    assert list(read.counts) == [campaign.id for campaign in campaigns]
    came = Counter(key.campaign_id for page in read.pages for key in page)
    assert {key: count for key, count in read.counts.items() if count} == came
    assert sides.spent() - before == 2


def test_headers_name_missing_campaigns_and_new_opt_outs(sides: Sides) -> None:
    campaign = sides.first_campaign()
    contact = [m for m in sides.members(campaign) if m.kind is PersonKind.CONTACT][-1]
    sides.control("POST", "/clock", {"advance": 60})
    mark = sides.org.headers([campaign.id], None).server_time
    sides.control("POST", "/clock", {"advance": 60})
    ticked = {"object": "Contact", "id": contact.person_id, "values": {"HasOptedOutOfEmail": True}}
    sides.control("POST", "/records", ticked)
    unknown = CampaignId("701gL00000zzzzzYAA")
    before = sides.spent()
    headers = sides.org.headers([campaign.id, unknown], mark)
    assert sides.spent() - before == 1
    assert list(headers.campaigns) == [campaign.id]
    assert [one[:15] for one in headers.missing] == [unknown[:15]]
    assert [one.person_id for one in headers.opted_out] == [contact.person_id]
    assert {one.person_id for one in headers.members} == {contact.person_id}
    assert contact.member_id in {one.member_id for one in headers.members}
    assert headers.campaigns[campaign.id].labels == campaign.labels
    sides.fault("query", contains="OR (Contact.SystemModstamp")
    before = sides.spent()
    slow = sides.new_org().headers([campaign.id, unknown], mark)
    assert slow == replace(headers, server_time=ANY), "asked by source"
    assert sides.spent() - before == 3


def test_the_mapping_is_checked_in_one_call(sides: Sides) -> None:
    assert sides.org.describe_check() == ()
    wrong = Mapping().with_overrides({"member_level": "PAM__Levell__c", "edition": "PAM__Nothing__c"})
    found = dict(sides.new_org(mapping=wrong).describe_check())
    assert set(found) == {"CampaignMember.PAM__Levell__c", "PAM__Nothing__c"}
    assert sides.spent() == 2


def test_a_field_that_the_org_lacks_is_left_out_and_listed(sides: Sides) -> None:
    org = sides.new_org(mapping=Mapping().with_overrides({"member_level": "PAM__Levell__c"}))
    campaign = sides.first_campaign()
    poll = org.poll(PollScope((campaign.id,), None))
    assert poll.changed == sides.total(campaign)
    assert {m.level for page in poll.pages for m in page} == {None}
    assert org.dropped == (("CampaignMember", "PAM__Levell__c"),)


def test_without_the_package_campaigns_are_named(sides: Sides) -> None:
    campaign = sides.first_campaign()
    org = sides.new_org(mapping=WITHOUT_PACKAGE, auto_sync=[campaign.id])
    poll = org.poll(PollScope(None, None))
    assert list(poll.campaigns) == [campaign.id]
    assert poll.campaigns[campaign.id].auto_sync
    assert poll.test_people is None
    with pytest.raises(ConfigError, match="auto-sync"):
        sides.new_org(mapping=WITHOUT_PACKAGE).poll(PollScope(None, None))


# ------------------------------------------------------------ trouble


def test_html_instead_of_an_answer(sides: Sides) -> None:
    sides.fault("html", status=200)
    with pytest.raises(NotWhatItShouldBe, match="text/html"):
        sides.org.list_campaigns()


@pytest.mark.parametrize("kind", ["html", "drop_before", "drop_after", "truncate"])
def test_a_read_survives_passing_trouble(sides: Sides, kind: str) -> None:
    sides.fault(kind, times=2)
    campaigns, _, _ = sides.org.list_campaigns()
    assert len(campaigns) == 4
    assert sides.spent() == 3


def test_a_server_that_stays_down(sides: Sides) -> None:
    sides.fault("html", times=None)
    with pytest.raises(ServerDown, match="503"):
        sides.org.list_campaigns()
    assert sides.spent() == 3


def test_the_daily_limit_stops_and_the_concurrency_limit_waits(sides: Sides) -> None:
    sides.fault("concurrency")
    assert len(sides.org.list_campaigns()[0]) == 4
    assert sides.spent() == 2
    sides.fault("quota")
    with pytest.raises(QuotaExhausted) as caught:
        sides.org.list_campaigns()
    assert sides.spent() == 3
    assert "24 hours" in caught.value.remedy


def test_an_expired_session_is_renewed_by_logging_in_once(sides: Sides) -> None:
    secret = Hidden(sides.servers.client_secret)
    org = sides.new_org(access_token=None, login=sides.login(sides.servers.client_id, secret))
    assert len(org.list_campaigns()[0]) == 4
    sides.fault("session_expired")
    assert len(org.list_campaigns()[0]) == 4
    tokens = [call for call in sides.records.calls if call.resource == "token"]
    assert len(tokens) == 2
    assert not any(call.counted for call in tokens)
    assert sides.spent() == 3


def test_wrong_credentials(sides: Sides) -> None:
    with pytest.raises(WrongCredentials, match="refused the login"):
        sides.new_org(access_token=None, login=sides.login("nobody", Hidden("nothing"))).list_campaigns()
    with pytest.raises(WrongCredentials, match="expired or wrong"):
        sides.new_org(access_token=Hidden("00D000000000001!nonsense")).list_campaigns()


def test_a_slow_org_is_asked_by_source_from_then_on(sides: Sides) -> None:
    campaign = sides.first_campaign()
    sides.control("POST", "/clock", {"advance": 60})  # stamps have seconds: nothing bears the mark's own
    mark = sides.org.poll(PollScope((campaign.id,), None)).server_time
    sides.control("POST", "/clock", {"advance": 60})
    lead, other = [m for m in sides.members(campaign) if m.kind is PersonKind.LEAD][:2]
    changes = [
        {"object": "Lead", "id": lead.lead_id, "values": {"LastName": "Slow"}},
        {"object": "Lead", "id": other.lead_id, "values": {"LastName": "Slower"}},
        {"object": "CampaignMember", "id": other.member_id, "values": {"PAM__Test_Member__c": True}},
    ]
    sides.control("POST", "/records", {"operations": changes})
    sub = {"httpHeaders": {}, "httpStatusCode": 400, "body": [{"errorCode": "QUERY_TIMEOUT", "message": "too long"}]}
    references = ("m0", "status", "count", "Lead", "Contact")
    body = {"compositeResponse": [{**sub, "referenceId": reference} for reference in references]}
    sides.fault("status", status=200, body=body)
    for calls in (3, 2):
        before = sides.spent()
        poll = sides.org.poll(PollScope((campaign.id,), mark))
        found = [member.member_id for page in poll.pages for member in page]
        assert sorted(found) == sorted({lead.member_id, other.member_id})
        assert poll.changed == 2
        assert sides.spent() - before == calls


def test_a_refused_query_says_code_and_remedy(sides: Sides) -> None:
    org = sides.new_org(api_version="12.0")
    with pytest.raises(RemoteRejected) as caught:
        org.list_campaigns()
    assert caught.value.code in caught.value.what
    assert caught.value.remedy


class Shelf:
    """What is kept between processes, without a clock."""

    def __init__(self) -> None:
        self.text: str | None = None

    def load(self) -> str | None:
        return self.text

    def save(self, text: str | None) -> None:
        self.text = text


def test_what_an_org_lacks_is_asked_once_and_not_in_each_process(sides: Sides) -> None:
    wrong = Mapping().with_overrides({"member_opens": "PAM__Openss__c"})

    def process(**more: Any) -> int:
        before = sides.spent()
        org = sides.new_org(mapping=wrong, **more)
        assert sum(len(page) for page in org.poll(PollScope((sides.first_campaign().id,), None)).pages)
        return sides.spent() - before

    process()
    assert process() == 5, "its control: the list, the poll refused, the check, the poll, its second page"
    shelf = Shelf()
    process(kept=shelf)
    assert process(kept=shelf) == 3
    assert "PAM__Openss__c" in (shelf.text or "")
    assert dict(sides.new_org(mapping=wrong, kept=shelf).describe_check(afresh=False)), "what is wrong is asked anew"


def test_the_check_comes_along_with_a_poll_that_asks_for_it(sides: Sides) -> None:
    campaign = sides.first_campaign().id
    wrong = Mapping().with_overrides({"member_opens": "PAM__Openss__c"})

    def spent(mapping: Mapping, *, check: bool) -> tuple[int, dict[str, str]]:
        before = sides.spent()
        org = sides.new_org(mapping=mapping)
        pages = org.poll(PollScope((campaign,), None, check=check)).pages
        assert sum(len(page) for page in pages)
        calls = sides.spent() - before
        found = dict(org.describe_check(afresh=False))
        assert sides.spent() - before == calls + (not check or bool(found)), "what is wrong is asked anew"
        return calls, found

    plain, _ = spent(Mapping(), check=False)
    assert spent(Mapping(), check=True) == (plain, {})
    apart, _ = spent(wrong, check=False)
    together, found = spent(wrong, check=True)
    assert together == apart - 1, "the read that was refused brought along what is missing"
    assert list(found) == ["CampaignMember.PAM__Openss__c"]


def test_a_check_without_findings_is_kept_until_a_write_meets_a_missing_field(sides: Sides) -> None:
    shelf = Shelf()
    assert sides.new_org(kept=shelf).describe_check() == ()
    before = sides.spent()
    assert sides.new_org(kept=shelf).describe_check(afresh=False) == ()
    assert sides.spent() == before
    assert sides.new_org(kept=shelf).describe_check() == ()
    assert sides.spent() == before + 1
    other = Mapping().with_overrides({"member_opens": ""})
    sides.new_org(kept=shelf, mapping=other).describe_check(afresh=False)
    sides.new_org(kept=shelf, api_version="65.0").describe_check(afresh=False)
    assert sides.spent() == before + 3, "another mapping, another version"
    org = sides.new_org(kept=shelf)
    member = sides.members(sides.first_campaign())[0].member_id
    write = OrgWrite(
        "k", "CampaignMember", OrgOperation.UPDATE, {"PAM__Nope__c": 1, "PAM__Opens__c": 2}, record_id=member
    )
    org.write([write], before=lambda rows: None, after=lambda rows, found: None, cancelled=lambda: False)
    assert shelf.text is None


@pytest.mark.slow
def test_first_read_of_ten_thousand_members() -> None:
    with (
        start_embedded(campaigns=1, members=10_000, only="org") as servers,
        Transport(Records(), SystemClock()) as transport,
    ):
        token = Hidden(servers.access_token)
        org = SalesforceOrg(transport, instance_url=servers.instance_url, mapping=Mapping(), access_token=token)
        poll = org.poll(PollScope(None, None))
        assert sum(len(page) for page in poll.pages) == poll.changed == 10_000
        assert servers.control("GET", "/usage")["salesforce"] == 2
        (campaign_id,) = poll.counts
        assert sum(len(page) for page in org.read_members(campaign_id)) == 10_000
        assert servers.control("GET", "/usage")["salesforce"] == 3


def test_tls_with_an_authority_of_ones_own(sides: Sides) -> None:
    servers = sides.servers
    given = {"instance_url": servers.tls_url, "mapping": Mapping(), "access_token": Hidden(servers.access_token)}
    with Transport(sides.records, SystemClock(), ca_file=servers.ca) as transport:
        assert len(SalesforceOrg(transport, **given).list_campaigns()[0]) == 4
    with Transport(sides.records, SystemClock()) as transport, pytest.raises(ServerDown, match="certificate"):
        SalesforceOrg(transport, **given, budget=Budget(1, 0.0, 0.0)).list_campaigns()


@pytest.mark.slow
def test_more_than_two_thousand_campaigns_cost_one_call_more_for_each_two_thousand() -> None:
    with (
        start_embedded(campaigns=2_300, members=2, only="org", quota=100_000) as servers,
        Transport(Records(), SystemClock()) as transport,
    ):
        org = SalesforceOrg(
            transport,
            instance_url=servers.instance_url,
            mapping=Mapping(),
            access_token=Hidden(servers.access_token),
        )
        listed, _, _ = org.list_campaigns()
        servers.control("POST", "/usage:reset")
        since = max(campaign.created for campaign in listed if campaign.created) + timedelta(days=3_650)
        scope = tuple(sorted(campaign.id for campaign in listed))
        poll = org.poll(PollScope(None, since))
        assert [page for page in poll.pages if page] == []
        assert set(poll.campaigns) == {campaign.id for campaign in listed if campaign.auto_sync}
        assert servers.control("GET", "/usage")["salesforce"] <= 3
        servers.control("POST", "/usage:reset")
        named = org.poll(PollScope(scope, since))
        assert len(named.campaigns) == 2_300
        assert len(named.counts) >= 2_200, "those without members are absent"
        calls = servers.control("GET", "/usage")["salesforce"]
        assert calls <= 2 + 2 * -(-2_300 // 400), calls
