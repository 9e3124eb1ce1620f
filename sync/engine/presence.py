"""The rule of deletes: no member is removed on the strength of an incomplete read, or because it became invisible.

Imports ports, model and the store. Expected are the member rows last seen in the org; the org's own count of the same
poll is the witness. If they differ, up or down, all ids are read with a count in the same call, and only a read whose
distinct ids equal that count says that an id is missing. Where members are invisible, one that is shown again hides one
that was removed in that count: the campaign's own totals, which no sharing changes, are the second witness there. A
missing id is a removal only if the person is not a member
under another id and the person's record is still readable, or is known as deleted; else it is invisible. Of a converted
lead or a merged record that is asked of the record it went on as, because its member row went along.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from sync.engine.live import LiveRun
from sync.ids import CampaignId, MemberId, PersonId
from sync.model import BaseMember, OrgMember
from sync.packing import ROWS_PER_PAGE, SLOTS_PER_CALL, least_read_calls
from sync.ports import Person, Presence
from sync.rules import Rule
from sync.store.facts import TOTALS_GAP
from sync.words import plural

Land = Callable[[LiveRun, Collection[OrgMember]], None]


@dataclass(frozen=True, slots=True)
class _Absence:
    """What a complete read of a campaign's ids shows: the known member rows that it did not bring, with the person of
    each, and those of these persons who are members under another id."""

    campaign_id: CampaignId
    missing: Mapping[MemberId, PersonId]
    present: frozenset[PersonId]

    @property
    def doubtful(self) -> dict[MemberId, PersonId]:
        """Missing rows of whose persons nothing is known yet."""
        return {member: person for member, person in self.missing.items() if person not in self.present}


def settle_absence(
    live: LiveRun, counts: Mapping[CampaignId, int], whole: Collection[CampaignId] = (), *, land_rows: Land
) -> dict[CampaignId, str]:
    """Find what is gone from campaigns, by the rule above; land what had not been seen.

    Args:
        counts: the org's count of member rows by campaign, from the poll that was just landed.
        whole: campaigns of which this run has landed every member; their ids need no further read if the count agrees.
        land_rows: lands further rows.

    Returns:
        Campaigns whose ids could not be read completely, and why; nothing was concluded for them.
    """
    known = live.parts.store.members.count_known(tuple(counts))
    suspicious = []
    for campaign_id, count in counts.items():
        unseen, there = _unseen(live, campaign_id), known.get(campaign_id, 0)
        if count != there - unseen or (unseen and _gap(live, campaign_id, there) != _last_gap(live, campaign_id)):
            suspicious.append(campaign_id)
    if not suspicious or Rule.COUNT_IS_WITNESS not in live.parts.rules:
        return {}
    failed: dict[CampaignId, str] = {}
    again: list[CampaignId] = []
    complete: list[_Absence] = []
    ids = live.parts.store.id_reads
    for campaign_id in [key for key in suspicious if key in whole]:
        ids.clear((campaign_id,))
        ids.lay_landed(campaign_id, live.run)
        if ids.count(campaign_id) == counts[campaign_id]:
            suspicious.remove(campaign_id)
            complete.append(_take(live, campaign_id, land_rows))
    if suspicious:
        live.least += _least_id_calls(sum(counts[key] for key in suspicious))
    for campaign_id, came, count in _read(live, suspicious):
        if came == count:
            complete.append(_take(live, campaign_id, land_rows))
        else:
            again.append(campaign_id)
    # Members may have come and gone between two pages: once more, then it is left.
    for campaign_id, came, count in _read(live, again):
        if came == count:
            complete.append(_take(live, campaign_id, land_rows))
        else:
            failed[campaign_id] = f"{plural(came, 'member id')} came, the org counts {count}"
    _conclude(live, complete)
    return failed


def _read(live: LiveRun, campaign_ids: Collection[CampaignId]) -> Iterator[tuple[CampaignId, int, int]]:
    """Read the ids of campaigns and lay them down: of each how many came and how many the org counts. Equal figures are
    a complete read, of which conclusions may be drawn until the next campaign is asked for."""
    ids = live.parts.store.id_reads
    if campaign_ids:
        live.about_to(salesforce=1)
    for read in live.parts.org.read_ids(tuple(campaign_ids)) if campaign_ids else ():
        ids.clear(tuple(read.counts))
        for page in read.pages:
            ids.lay(page)
            live.step()
        for campaign_id, count in read.counts.items():
            live.step()
            yield campaign_id, ids.count(campaign_id), count
            ids.clear((campaign_id,))


def reconcile_ids(live: LiveRun, campaign_ids: Collection[CampaignId], *, land_rows: Land) -> tuple[CampaignId, ...]:
    """Compare all member ids of some campaigns although their counts agree; those that were read to the end."""
    complete: list[_Absence] = []
    if campaign_ids:
        live.least += _least_id_calls(sum(live.parts.store.members.count_known(campaign_ids).values()))
    for campaign_id, came, count in _read(live, campaign_ids):
        if came == count:
            complete.append(_take(live, campaign_id, land_rows))
    _conclude(live, complete)
    return tuple(each.campaign_id for each in complete)


def _least_id_calls(rows: int) -> int:
    """The count beside four pages, and what follows."""
    return 1 + least_read_calls(max(0, rows - (SLOTS_PER_CALL - 1) * ROWS_PER_PAGE))


def _unseen(live: LiveRun, campaign_id: CampaignId) -> int:
    """Member rows that are kept although the org no longer shows them."""
    persons = live.parts.store.members.invisible(campaign_id)
    if not persons:
        return 0
    return sum(len(rows) for rows in live.parts.store.members.org_rows(campaign_id, persons).values())


def _gap(live: LiveRun, campaign_id: CampaignId, known: int) -> int:
    """By how much the *known* member rows exceed the campaign's own totals, as this run's poll read them."""
    record = live.parts.store.campaigns.get(campaign_id)
    if record is None:
        return 0
    campaign = record.campaign
    # A converted lead's member row is counted as a lead and as a contact.
    return known - (campaign.number_of_leads + campaign.number_of_contacts - campaign.number_of_converted)


def _last_gap(live: LiveRun, campaign_id: CampaignId) -> int:
    """The gap that the last complete read of ids left: who was removed while hidden stays, and is no news."""
    return int(live.parts.store.facts.get(TOTALS_GAP + campaign_id) or 0)


def _take(live: LiveRun, campaign_id: CampaignId, land_rows: Land) -> _Absence:
    """Take from a complete read of ids, as long as they are laid down, what conclusions are drawn from; land what had
    not been seen."""
    ids = live.parts.store.id_reads
    back = ids.shown_again(campaign_id)
    if back:
        _mark(live, campaign_id, back, invisible=False)
    if back or ids.unknown(campaign_id):
        # Rows that became visible, with whatever was changed while they were not, or were stamped before the
        # watermark: no poll would ever bring them.
        for page in live.parts.org.read_members(campaign_id):
            land_rows(live, page)
            live.step()
    missing = ids.missing(campaign_id)
    present = ids.members_still(campaign_id, set(missing.values())) if missing else frozenset()
    return _Absence(campaign_id, missing, present)


def _conclude(live: LiveRun, complete: Collection[_Absence]) -> None:
    """Draw the conclusions of complete reads; what became of the persons is asked for all campaigns at once."""
    people = _now(live, {person for each in complete for person in each.doubtful.values()})
    for read in complete:
        live.step()
        campaign_id = read.campaign_id
        if read.missing:
            _judge_missing(live, read, people)
        gap = _gap(live, campaign_id, live.parts.store.members.count_known((campaign_id,)).get(campaign_id, 0))
        if gap != _last_gap(live, campaign_id):
            live.parts.store.facts.set(TOTALS_GAP + campaign_id, str(gap) if gap else None)


def _mark(live: LiveRun, campaign_id: CampaignId, persons: Collection[PersonId], *, invisible: bool) -> None:
    """Mark members, and have them looked at again: their rows are the same, what may be done with them is not."""
    members = live.parts.store.members
    bases = members.base_rows(campaign_id, tuple(persons)).values()
    members.put_base(replace(base, invisible=invisible, org_digest="") for base in bases)


def _agree_on_hidden(live: LiveRun, campaign_id: CampaignId, hidden: Mapping[MemberId, PersonId]) -> None:
    """Give those a base of whom none was made: a run that landed them ended before. What was agreed of the member row
    under a former person holds for it."""
    members = live.parts.store.members
    known = members.base_rows(campaign_id, tuple(set(hidden.values())))
    new = {member: person for member, person in hidden.items() if person not in known}
    former = members.base_by_member(campaign_id, tuple(new)) if new else {}
    members.put_base(
        replace(former[member], person_id=person)
        if member in former
        else BaseMember(campaign_id, person, member, "", "", None, None, None)
        for member, person in new.items()
    )


def _go_on_as(live: LiveRun, campaign_id: CampaignId, merged: Mapping[PersonId, PersonId]) -> None:
    """Whoever went on as another member is that member now: what was agreed of them points to its row."""
    members = live.parts.store.members
    winners = members.org_rows(campaign_id, tuple(set(merged.values())))
    agreed = members.base_rows(campaign_id, tuple(merged)).values()
    members.put_base(
        replace(base, member_id=winners[winner][0].member_id, org_digest="")
        for base in agreed
        if (winner := merged[base.person_id]) in winners
    )


def _now(live: LiveRun, persons: Collection[PersonId]) -> dict[PersonId, Person]:
    """What is known of the record that each person has by now: the end of a chain of conversions and merges, each
    round of which takes a call."""
    found: dict[PersonId, Person] = {}
    ahead = set(persons)
    while ahead:
        live.about_to(salesforce=1)
        found |= live.parts.org.read_people(tuple(sorted(ahead)))
        live.least += 1
        ahead = {after for each in found.values() if (after := _after(each)) is not None} - found.keys()
    return {person: _end(found, person) for person in persons}


def _after(person: Person) -> PersonId | None:
    return person.converted_to or person.merged_into


def _end(found: Mapping[PersonId, Person], person: PersonId) -> Person:
    here, passed = found[person], {person}
    while (after := _after(here)) is not None and after not in passed:
        here = found[after]
        passed.add(after)
    return here


def _judge_missing(live: LiveRun, read: _Absence, people: Mapping[PersonId, Person]) -> None:
    members = live.parts.store.members
    campaign_id, doubtful = read.campaign_id, read.doubtful
    gone = read.missing.keys() - doubtful.keys()
    hidden: dict[MemberId, PersonId] = {}
    for member, person in doubtful.items():
        if people[person].presence is not Presence.INVISIBLE or Rule.UNSEEN_IS_NOT_GONE not in live.parts.rules:
            gone.add(member)
        else:
            hidden[member] = person
    merged = {
        person: people[person].person_id
        for person in doubtful.values()
        if people[person].presence is not Presence.INVISIBLE and people[person].person_id != person
    }
    if merged and Rule.PEOPLE_MERGED in live.parts.rules:
        _go_on_as(live, campaign_id, merged)
    if gone:
        members.forget_org(campaign_id, tuple(gone))
    if hidden:
        persons = set(hidden.values())
        _agree_on_hidden(live, campaign_id, hidden)
        _mark(live, campaign_id, persons, invisible=True)
        live.note(
            f"{plural(len(persons), 'member')} can no longer be seen in Salesforce, without a proof of removal: "
            "kept and not mailed. Check View All on campaigns, leads and contacts for the integration user",
            level="warning",
            campaign_id=campaign_id,
        )
