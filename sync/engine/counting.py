"""The count check that closes every nightly run: the counts of both sides, and a second look where they differ.

Imports ports, model and the store. One request for all campaigns; a campaign whose count is off is read whole at once.
What is listed (waiting, held, rejected, invisible) explains a difference; what nothing explains locks the campaign.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.engine.claims import Claims, Ended
from sync.engine.feed import mark_read, read_whole
from sync.engine.live import LiveRun
from sync.engine.lockout import Critical, Inconsistent, lock_out
from sync.ids import CampaignId
from sync.model import RunState
from sync.plan import PlanCounts
from sync.ports import CampaignStats
from sync.words import plural


def compare_counts(claims: Claims, campaign_ids: Iterable[CampaignId]) -> None:
    """Compare the counts of campaigns; those with an unexplained difference are locked.

    Raises:
        Inconsistent: it is the run's only campaign.
    """
    live = claims.live
    wanted = set(campaign_ids)
    stats = _counted(live)
    persons = live.parts.store.members.persons()
    for campaign_id in sorted(wanted & stats.keys()):
        org, service = persons.get(campaign_id, (0, 0))
        if org == service == stats[campaign_id].members:
            continue
        wrong = _off(live, stats[campaign_id])
        if wrong is None:
            continue
        name = claims.names.get(campaign_id, campaign_id)
        error = Inconsistent(Critical.COUNTS, f"{name}: {wrong}", (campaign_id,))
        if claims.single:
            raise error
        lock_out(live, error, (campaign_id,))
        before = claims.ended.get(campaign_id)
        counts = before.counts if before is not None else PlanCounts()
        claims.ended[campaign_id] = Ended(RunState.FAILED, counts, error.line())


def _counted(live: LiveRun) -> dict[CampaignId, CampaignStats]:
    stats = live.parts.service.list_campaigns()
    live.parts.store.campaigns.land_stats(stats)
    return {each.campaign_id: each for each in stats}


def _off(live: LiveRun, said: CampaignStats) -> str | None:
    """What is wrong with a campaign's counts after a second look, None when nothing is."""
    members = live.parts.store.members
    campaign_id = said.campaign_id
    here = members.sizes(campaign_id).service
    if said.members != here:
        live.note(
            f"{said.name}: Predictive counts {plural(said.members, 'member')}, expected were {here}; "
            "the campaign is read whole",
            level="warning",
            campaign_id=campaign_id,
        )
        read_whole(live, campaign_id)
        mark_read(live, campaign_id)
        listed = members.sizes(campaign_id).service
        # Somebody else may write meanwhile: its count before or after the list was read has to be the list's.
        again = _counted(live).get(campaign_id)
        counts = {said.members} | ({again.members} if again is not None else set())
        if listed not in counts:
            return f"Predictive counts {plural(said.members, 'member')} and lists {listed}"
    return _unexplained(live, campaign_id)


def _unexplained(live: LiveRun, campaign_id: CampaignId) -> str | None:
    """Whether the sides have other numbers of members although none is listed as different."""
    members = live.parts.store.members
    sizes = members.sizes(campaign_id)
    if sizes.org == sizes.service or members.count_differing(campaign_id):
        return None
    if sizes.base < max(sizes.org, sizes.service):
        return None  # members that an undo keeps in or out against the org: held, and listed so
    return f"Salesforce has {plural(sizes.org, 'member')} and Predictive {sizes.service}, and no member differs"
