"""The reads that look at many campaigns at once: the poll, the list of campaigns, the hourly run's headers.

Each is one Composite for up to 2,000 campaigns; what does not fit is read on, and said beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sync.errors import RemoteRejected
from sync.ids import CampaignId, MemberId, PersonId, to18
from sync.metrics import ACCOUNTS
from sync.model import Campaign, OrgMember, PersonKind, PersonOptOut, TestPerson
from sync.ports import Headers, MemberCounts, MemberKey, Poll, PollScope
from sync.salesforce import decode
from sync.salesforce.composite import Answers, Part, SubReply
from sync.salesforce.decode import Page, id18
from sync.salesforce.errors import TIMED_OUT
from sync.salesforce.reader import Chain
from sync.salesforce.soql import MOST_IDS, PAGE, Select, among, either, named

if TYPE_CHECKING:
    from sync.salesforce.client import SalesforceOrg

_T = TypeVar("_T")
HEAVY_PER_CALL = 5
MOST_CAMPAIGNS = 400
"""Campaigns that one poll names: their ids stand in three statements."""

_WHOLE = 2
"""All members are read instead of the changed ones when they are at most this many times as many."""

PERSON_KINDS = (("Lead", PersonKind.LEAD), ("Contact", PersonKind.CONTACT))


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the members of a poll are read: rows and calls to come, and whether it is every member of the scope."""

    rows: int
    calls: int
    pages: Iterator[tuple[OrgMember, ...]]
    whole: bool


class Poller:
    """Reads across campaigns.

    Args:
        org: the adapter it belongs to.
        by_source: the org is too slow for one statement over three stamps; one for each stamp is sent.
        on_slow: told when that turns out.
    """

    def __init__(self, org: SalesforceOrg, by_source: bool = False, on_slow: Callable[[], None] = lambda: None) -> None:
        self._org = org
        self._by_source = by_source
        self._on_slow = on_slow

    # -------------------------------------------------------- poll

    def poll(self, scope: PollScope) -> Poll:
        """See ``Org.poll``."""
        if scope.campaigns is None:
            return self._one_poll(scope, with_test_people=True)
        ids = [CampaignId(to18(one)) for one in scope.campaigns]
        starts = range(0, max(1, len(ids)), MOST_CAMPAIGNS)
        some = [replace(scope, campaigns=tuple(ids[start : start + MOST_CAMPAIGNS])) for start in starts]
        later = (replace(one, names=(), check=False) for one in some[1:])
        polls = [
            self._one_poll(some[0], with_test_people=True),
            *(self._one_poll(one, with_test_people=False) for one in later),
        ]
        return polls[0] if len(polls) == 1 else _together(polls)

    def _one_poll(self, scope: PollScope, *, with_test_people: bool) -> Poll:
        return self._patient(scope.since, lambda: self._attempt(scope, with_test_people=with_test_people))

    def _patient(self, since: datetime | None, ask: Callable[[], _T]) -> _T:
        """What *ask* gives; asked by source where the org is too slow for one statement over three stamps."""
        try:
            return ask()
        except RemoteRejected as error:
            if error.code != TIMED_OUT or self._by_source or since is None:
                raise
            # It will be next time, too.
            self._by_source = True
            self._on_slow()
            return ask()

    def _attempt(self, scope: PollScope, *, with_test_people: bool) -> Poll:
        org, queries = self._org, self._org.queries
        campaigns, since, names = scope.campaigns, scope.since, scope.names
        of_campaigns = queries.in_scope(campaigns)
        of_members = (of_campaigns, "Campaign.IsActive = true") if campaigns is None else (of_campaigns,)
        if self._by_source and since is not None:
            members = queries.members_by_source(of_members, since)
        else:
            members = (queries.members(of_members, since),)
        of_headers = either(of_campaigns, named("Campaign.Name", names)) if names else of_campaigns
        counts, statuses = queries.counts(*of_members), queries.statuses(of_headers)
        parts = [org.composite.query(f"m{i}", _ordered(select)) for i, select in enumerate(members)]
        parts += [org.composite.query("status", _ordered(statuses)), org.composite.query("count", counts)]
        test_objects = queries.test_objects if with_test_people else ()
        parts += [org.composite.query(name, _ordered(queries.test_people(name))) for name in test_objects]
        answers = self._send(parts, "poll", check=scope.check)
        pages = [answers[f"m{i}"].read(org.codec.members) for i in range(len(members))]
        test_people = tuple(self._test_people(answers)) if test_objects else None
        counted = org.reader.grouped(answers["count"].read(decode.COUNTS), counts, decode.COUNTS, one_each=True)
        found = list(counted)
        plan = self._plan_of(pages, members, queries.members(of_members, None), sum(row.members for row in found))
        labels = list(self._rest(answers["status"].read(org.codec.statuses), statuses, org.codec.statuses))
        return Poll(
            campaigns=org.campaigns_of(labels),
            counts={CampaignId(id18(row.CampaignId)): _counts_of(row) for row in found},
            changed=plan.rows,
            more_calls=plan.calls,
            pages=plan.pages,
            test_people=test_people,
            server_time=answers.server_time,
            whole=plan.whole or since is None,
        )

    def _plan_of(self, pages: Sequence[Page[Any]], selects: Sequence[Select], every: Select, members: int) -> _Plan:
        """How the changed members are read on.

        When at least half of very many have changed (after a first sync each bears our own stamp), a Bulk query reads
        them all: for the same calls it also tells who is missing.
        """
        changed = sum(page.totalSize for page in pages)
        reader = self._org.reader
        if reader.by_job(changed - sum(len(page.records) for page in pages)) and members <= _WHOLE * changed:
            chain = Chain(left=members)
            whole = reader.values(every, self._org.members_form(), chain)
            return _Plan(members, reader.calls_for(members, every.source), map(tuple, whole), True)
        calls = sum(self._calls_for(page) for page in pages)
        return _Plan(changed, calls, self._members(pages, selects), False)

    def _calls_for(self, page: Page[Any]) -> int:
        if page.done:
            return 0
        if len(page.records) < PAGE:
            self._org.reader.learn("CampaignMember", len(page.records))
        return self._org.reader.calls_for(page.totalSize - len(page.records), "CampaignMember")

    def _members(self, firsts: Sequence[Page[Any]], selects: Sequence[Select]) -> Iterator[tuple[OrgMember, ...]]:
        for first, select in zip(firsts, selects, strict=True):
            if first.records:
                yield decode.members_of(first.records)
            if not first.done and first.records:
                chain = Chain(first.records[-1].Id, left=first.totalSize - len(first.records))
                yield from map(tuple, self._org.reader.values(select, self._org.members_form(), chain))

    def _rest_pages(self, first: Page[Any], select: Select, decoder: Any) -> Iterator[list[Any]]:
        """The first page, and what follows it in id order."""
        if first.records:
            yield first.records
        if not first.done and first.records:
            yield from self._org.reader.pages(select, decoder, after=first.records[-1].Id)

    def _rest(self, first: Page[Any], select: Select, decoder: Any) -> Iterator[Any]:
        for rows in self._rest_pages(first, select, decoder):
            yield from rows

    def _test_people(self, answers: Answers) -> Iterator[TestPerson]:
        for name, kind in PERSON_KINDS:
            if name not in answers.by_reference:
                continue
            first = answers[name].read(decode.PEOPLE)
            for row in self._rest(first, self._org.queries.test_people(name), decode.PEOPLE):
                yield decode.test_person_of(row, kind)

    # -------------------------------------------------------- list of campaigns

    def list_campaigns(self) -> tuple[tuple[Campaign, ...], dict[CampaignId, dict[str, int]], datetime]:
        """See ``Org.list_campaigns``."""
        org = self._org
        headers, statuses = org.queries.campaigns(figures=True), org.queries.statuses(header=False)
        groups, accounts = org.queries.counts_by_status(), org.queries.accounts()
        answers = self._send(
            [
                org.composite.query("campaign", _ordered(headers)),
                org.composite.query("status", _ordered(statuses)),
                org.composite.query("group", groups),
                org.composite.query("account", accounts),
            ],
            "campaigns",
        )
        rows = self._rest(answers["campaign"].read(org.codec.campaigns), headers, org.codec.campaigns)
        labels = list(self._rest(answers["status"].read(org.codec.statuses), statuses, org.codec.statuses))
        found = org.campaigns_with({row.Id: row for row in rows}, labels, figures=True)
        first = answers["group"].read(decode.STATUS_COUNTS)
        by_status: dict[CampaignId, dict[str, int]] = {campaign_id: {} for campaign_id in found}
        for row in org.reader.grouped(first, groups, decode.STATUS_COUNTS, one_each=False):
            by_status.setdefault(CampaignId(id18(row.CampaignId)), {})[row.Status or ""] = row.members
        counted = org.reader.grouped(answers["account"].read(decode.COUNTS), accounts, decode.COUNTS, one_each=True)
        for row in counted:
            if campaign := found.get(CampaignId(id18(row.CampaignId))):
                figures = (*(campaign.metrics or ()), (ACCOUNTS, row.members))
                found[campaign.id] = replace(campaign, metrics=figures)
        return tuple(found.values()), by_status, answers.server_time

    # -------------------------------------------------------- the hourly run's first call

    def headers(self, campaign_ids: Sequence[CampaignId], opted_out_since: datetime | None) -> Headers:
        """See ``Org.headers``."""
        return self._patient(opted_out_since, lambda: self._headers(campaign_ids, opted_out_since))

    def _headers(self, campaign_ids: Sequence[CampaignId], opted_out_since: datetime | None) -> Headers:
        org = self._org
        ids = [CampaignId(to18(one)) for one in campaign_ids]
        selects: dict[str, Select] = {}
        for index, start in enumerate(range(0, len(ids), MOST_IDS)):
            some = ids[start : start + MOST_IDS]
            selects[f"c{index}"] = org.queries.campaigns(among("Id", some))
            selects[f"s{index}"] = org.queries.statuses(among("CampaignId", some), header=False)
        if opted_out_since is not None:
            selects |= {name: org.queries.opted_out(name, opted_out_since) for name, _ in PERSON_KINDS}
            changed = org.queries.opted_out_members(opted_out_since, by_source=self._by_source)
            selects |= {f"m{index}": select for index, select in enumerate(changed)}
        answers = self._send([org.composite.query(key, _ordered(select)) for key, select in selects.items()], "headers")
        rows: dict[str, Any] = {}
        labels: list[Any] = []
        people: list[PersonOptOut] = []
        members: dict[MemberKey, None] = {}
        for key, select in selects.items():
            if key.startswith("c"):
                first = answers[key].read(org.codec.campaigns)
                rows |= {row.Id: row for row in self._rest(first, select, org.codec.campaigns)}
            elif key.startswith("s"):
                labels += self._rest(answers[key].read(org.codec.statuses), select, org.codec.statuses)
            elif key.startswith("m"):
                first = answers[key].read(decode.ID_ROWS)
                members |= dict.fromkeys(member_keys(self._rest(first, select, decode.ID_ROWS)))
            else:
                first = answers[key].read(decode.PEOPLE)
                people += map(_opt_out_of, self._rest(first, select, decode.PEOPLE))
        found = org.campaigns_with(rows, labels)
        missing = tuple(one for one in ids if one not in found)
        return Headers(found, missing, tuple(people), tuple(members), answers.server_time)

    def _send(self, parts: Sequence[Part], resource: str, *, check: bool = False) -> Answers:
        """Send the parts, five to a call; the org's identity, and what *check* asks for, ride along while they are not
        known."""
        rider = self._org.identity_part()
        riders = [*([rider] if rider is not None else ()), *(self._org.check_parts() if check else ())]
        by_reference: dict[str, SubReply] = {}
        server_time: datetime | None = None
        for start in range(0, max(1, len(parts)), HEAVY_PER_CALL):
            some = list(parts[start : start + HEAVY_PER_CALL])
            if start == 0:
                some += riders
            if not some:
                # Nothing is asked for: only the time is wanted, and the identity is the cheapest question.
                some = [self._org.composite.query("org_row", _ordered(Select(("Id",), "Organization")))]
            answers = self._org.composite.send(some, resource=resource)
            by_reference.update(answers.by_reference)
            # The first call's time: what changed during the others is seen again with the next poll.
            server_time = server_time or answers.server_time
            self._org.take_identity(answers)
            self._org.take_check(answers)
        assert server_time is not None
        return Answers(by_reference, server_time)


def _ordered(select: Select) -> Select:
    """In id order and without LIMIT, so that the answer says how many there are."""
    return Select(select.fields, select.source, select.where, select.group, "Id")


def _counts_of(row: decode.CountRow) -> MemberCounts:
    return MemberCounts(row.members, row.leads, row.contacts, decode.optional_instant(row.newest))


def _opt_out_of(row: decode.PersonRow) -> PersonOptOut:
    """A ticked box as our value; a converted lead's is its contact's."""
    return PersonOptOut(
        PersonId(id18(row.ConvertedContactId or row.Id)), True, decode.optional_instant(row.SystemModstamp)
    )


def member_keys(rows: Iterable[decode.IdRow]) -> list[MemberKey]:
    """Member rows by their ids; those of accounts are no members."""
    found = []
    for row in rows:
        lead_id = id18(row.LeadId) if row.LeadId else None
        person = decode.person_of(lead_id, id18(row.ContactId) if row.ContactId else None, row.Lead)
        if person is not None:
            found.append(MemberKey(CampaignId(id18(row.CampaignId)), MemberId(id18(row.Id)), person[0]))
    return found


def _together(polls: Sequence[Poll]) -> Poll:
    """Several polls of different campaigns as one; the earliest server time counts."""

    def pages() -> Iterable[tuple[OrgMember, ...]]:
        for poll in polls:
            yield from poll.pages

    return Poll(
        campaigns={key: value for poll in polls for key, value in poll.campaigns.items()},
        counts={key: value for poll in polls for key, value in poll.counts.items()},
        changed=sum(poll.changed for poll in polls),
        more_calls=sum(poll.more_calls for poll in polls),
        pages=iter(pages()),
        test_people=polls[0].test_people,
        server_time=min(poll.server_time for poll in polls),
        whole=all(poll.whole for poll in polls),
    )
