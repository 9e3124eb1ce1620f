"""Reads what changed in the org and lands it: polls by watermark, pages as they come, then the rule of deletes.

Imports ports, model and the store. A watermark is moved only after everything it stands for has landed, and it comes
from the org's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync.draft import COUNTERS
from sync.engine.live import LiveRun, overlap
from sync.engine.lockout import check_org
from sync.engine.presence import settle_absence
from sync.errors import AmbiguousCampaign, UnknownCampaign
from sync.events import Phase
from sync.ids import CampaignId
from sync.model import BaseMember, Campaign, OrgMember, RunKind, TestPerson
from sync.packing import ROWS_PER_PAGE, least_read_calls
from sync.ports import MemberCounts, PollScope
from sync.rules import Rule
from sync.words import plural

FAR_BEHIND = timedelta(days=3)
"""A campaign whose watermark lags more than this behind the others polls alone, so that it drags none of them back."""


@dataclass(slots=True)
class Reading:
    """What a read of the org gave.

    Attributes:
        headers: campaigns by id. counts: member rows as the org counted them in the same call.
        incomplete: campaigns whose read did not finish, and why.
        landed: campaigns whose members were read. whole: those of which every member was read, changed or not.
        test_people: the org's global test members, None when the mapping has none.
        at: the org's clock at the first poll. polls: how many polls it took.
    """

    headers: dict[CampaignId, Campaign] = field(default_factory=dict)
    counts: dict[CampaignId, MemberCounts] = field(default_factory=dict)
    incomplete: dict[CampaignId, str] = field(default_factory=dict)
    landed: set[CampaignId] = field(default_factory=set)
    whole: set[CampaignId] = field(default_factory=set)
    test_people: tuple[TestPerson, ...] | None = None
    at: datetime | None = None
    polls: int = 0


def scopes_of(live: LiveRun, campaign_ids: Collection[CampaignId]) -> list[PollScope]:
    """The polls that read these campaigns: those with near watermarks together, the others each alone."""
    records = live.parts.store.campaigns
    marks: dict[CampaignId, datetime | None] = {}
    for campaign_id in sorted(campaign_ids):
        record = records.get(campaign_id)
        marks[campaign_id] = record.watermark if record is not None else None
    known = [mark for mark in marks.values() if mark is not None]
    newest = max(known, default=None)
    together = [
        key for key, mark in marks.items() if mark is not None and newest is not None and newest - mark <= FAR_BEHIND
    ]
    scopes: list[PollScope] = []
    if together:
        oldest = min(mark for key in together if (mark := marks[key]) is not None)
        scopes.append(PollScope(tuple(together), _since(live, oldest)))
    for campaign_id, mark in marks.items():
        if campaign_id not in together:
            scopes.append(PollScope((campaign_id,), _since(live, mark) if mark is not None else None))
    return scopes


def _since(live: LiveRun, mark: datetime) -> datetime:
    """Where a poll starts: rows are stamped before they are committed, so the time before the mark is read again."""
    return overlap(mark) if Rule.OVERLAP in live.parts.rules else mark


def read_campaigns(
    live: LiveRun,
    campaign_ids: Collection[CampaignId],
    *,
    called: Mapping[CampaignId, str] = {},
) -> Reading:
    """Read and land named campaigns.

    Args:
        live: the run.
        campaign_ids: the campaigns.
        called: those of them that a person named by their name, with that name.

    Raises:
        UnknownCampaign, AmbiguousCampaign: such a name is not, or not only, the campaign's.
    """
    reading = Reading()
    names = tuple(sorted(set(called.values())))
    with live.phase(Phase.READ_SALESFORCE) as done:
        for scope in scopes_of(live, campaign_ids):
            first = not reading.polls
            asked = replace(scope, names=names if first else (), check=first and live.kind is RunKind.INITIAL)
            done[0] += poll(live, asked, reading, wanted=frozenset(scope.campaigns or ()))
            check_names(reading, {key: name for key, name in called.items() if key in (scope.campaigns or ())})
        check_absence(live, reading)
    return reading


def check_names(reading: Reading, called: Mapping[CampaignId, str]) -> None:
    """Raises UnknownCampaign or AmbiguousCampaign when a name means another campaign by now, or several."""
    for campaign_id, name in called.items():
        here = reading.headers.get(campaign_id)
        found = sorted(each.id for each in reading.headers.values() if each.name == name and not each.is_deleted)
        if here is None or found == [campaign_id]:
            continue
        if campaign_id in found:
            raise AmbiguousCampaign(
                f"{plural(len(found), 'campaign is', 'campaigns are')} called {name!r}",
                left_undone="nothing was written",
                remedy=f"give the id: {', '.join(found)}",
            )
        raise UnknownCampaign(
            f"{name!r} was the name of {campaign_id}, which is called {here.name!r} now",
            left_undone="nothing was written",
            remedy=f"give the id: {', '.join((campaign_id, *found))}",
        )


def read_auto_sync(live: LiveRun, started: Collection[CampaignId]) -> Reading:
    """One poll over all campaigns with auto-sync; *started* are those whose members are landed."""
    reading = Reading()
    scopes = scopes_of(live, started)
    first = next((scope for scope in scopes if scope.since is not None), None)
    with live.phase(Phase.READ_SALESFORCE) as done:
        # Without any started campaign the rows matter to nobody; the headers say which campaigns there are.
        since = first.since if first is not None else live.parts.clock.now()
        wanted = frozenset(first.campaigns or ()) if first is not None else frozenset()
        done[0] += poll(live, PollScope(None, since), reading, wanted=wanted)
        for scope in scopes:
            alone = frozenset(key for key in scope.campaigns or () if key in reading.headers)
            if scope is not first and alone:
                done[0] += poll(live, replace(scope, campaigns=tuple(sorted(alone))), reading, wanted=alone)
    return reading


def poll(live: LiveRun, scope: PollScope, reading: Reading, *, wanted: frozenset[CampaignId]) -> int:
    """One poll, landed; how many rows came. Moves the watermarks of those *wanted* whose members it asked for when all
    pages are there."""
    parts = live.parts
    live.about_to(salesforce=1)
    answer = parts.org.poll(scope)
    check_org(parts)
    parts.note_org_time(answer.server_time)
    reading.polls += 1
    live.least += 1 + least_read_calls(max(0, answer.changed - ROWS_PER_PAGE))
    reading.headers.update(answer.campaigns)
    reading.counts.update(answer.counts)
    reading.at = reading.at or answer.server_time
    if answer.test_people is not None:
        reading.test_people = answer.test_people
    parts.store.campaigns.land(answer.campaigns.values())
    if answer.more_calls:
        live.afford(answer.more_calls)
    done = 0
    for page in answer.pages:
        rows = [row for row in page if row.campaign_id in wanted]
        land(live, rows)
        done += len(page)
        live.progress(Phase.READ_SALESFORCE, done, answer.changed)
        live.step()
    here = wanted & answer.campaigns.keys()
    if scope.campaigns is None:
        # Of those that are not active such a poll gives the header alone: their members are still to be read.
        here = frozenset(key for key in here if answer.campaigns[key].is_active)
    reading.landed |= here
    if done < answer.changed:
        for campaign_id in here:
            reading.incomplete[campaign_id] = f"{done:,} of {plural(answer.changed, 'member row')} came"
    else:
        parts.store.campaigns.set_watermarks(dict.fromkeys(here, answer.server_time))
        if answer.whole:
            reading.whole |= here
    return done


def land(live: LiveRun, rows: Collection[OrgMember]) -> None:
    """Land a page, and have those looked at again whose service-owned values somebody changed in the org."""
    members = live.parts.store.members
    members.land_org(rows, live.run)
    by_campaign: dict[CampaignId, list[OrgMember]] = {}
    for row in rows:
        by_campaign.setdefault(row.campaign_id, []).append(row)
    for campaign_id, here in by_campaign.items():
        bases = members.base_rows(campaign_id, [row.person_id for row in here])
        off = live.parts.off
        names = [name for name in ("level", "reason", "active", *COUNTERS) if name not in off]
        stale = []
        cleared = [row.person_id for row in here if not row.opted_out and _was_ticked(bases.get(row.person_id))]
        if cleared:
            live.parts.store.people.land_cleared(cleared)
        for row in here:
            base = bases.get(row.person_id)
            if base is None or (not base.org_digest and not base.invisible):
                continue
            moved = any(getattr(row, name) != getattr(base, name) for name in names)
            if moved or base.invisible or (row.synced is None and "synced" not in off):
                stale.append(replace(base, org_digest="", invisible=False))
        if stale:
            members.put_base(stale)


def _was_ticked(base: BaseMember | None) -> bool:
    return base is not None and base.opted_out


def check_absence(live: LiveRun, reading: Reading, campaign_ids: Iterable[CampaignId] | None = None) -> None:
    """The rule of deletes for campaigns whose members were read: see :mod:`sync.engine.presence`."""
    here = reading.landed if campaign_ids is None else set(campaign_ids)
    counts = {key: reading.counts[key].members if key in reading.counts else 0 for key in sorted(here)}
    for campaign_id, why in settle_absence(live, counts, reading.whole, land_rows=land).items():
        reading.incomplete.setdefault(campaign_id, why)
