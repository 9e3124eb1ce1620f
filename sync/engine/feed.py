"""Reads what changed in the service: the change feed to its end, or a snapshot where the feed does not reach.

Imports ports and the store. A campaign is read whole once, after the feed's cursor was set; from then on the feed
tells everything. When the cursor is too old, a new one is set and every campaign is read whole again.
"""

from __future__ import annotations

from collections.abc import Collection

from sync.engine.live import LiveRun
from sync.engine.lockout import check_service
from sync.events import Phase
from sync.ids import CampaignId
from sync.ports import CursorExpired
from sync.store.facts import SERVICE_CURSOR

_EPOCH = "service_epoch"


def read_service(live: LiveRun, campaign_ids: Collection[CampaignId]) -> None:
    """Land the service's changes up to now; read campaigns whole that were never read."""
    live.about_to(predictive=1)
    with live.phase(Phase.READ_PREDICTIVE) as done:
        follow(live, done)
        unread = [key for key in sorted(campaign_ids) if not _was_read(live, key)]
        if unread:
            _snapshots(live, unread, done)


def follow(live: LiveRun, done: list[int] | None = None) -> frozenset[CampaignId]:
    """The feed to its end; the campaigns it touched."""
    parts = live.parts
    cursor = parts.store.facts.get(SERVICE_CURSOR)
    if cursor is None:
        _begin(live)
        return frozenset()
    touched: frozenset[CampaignId] = frozenset()
    while True:
        try:
            page = parts.service.changes(cursor)
        except CursorExpired:
            # A cursor of another service's feed is expired there, too.
            check_service(parts)
            live.note("the service's change feed no longer goes back far enough; its lists are read anew")
            parts.store.people.set_test_people_pushed(None)
            _begin(live)
            return touched
        touched |= parts.store.apply_changes(page)
        if done is not None:
            done[0] += len(page.members) + len(page.removed)
            live.progress(Phase.READ_PREDICTIVE, done[0], None)
        live.breathe()
        cursor = page.cursor
        if not page.more:
            return touched


def _begin(live: LiveRun) -> None:
    """Start from the feed's present end; everything before it comes from the lists."""
    facts = live.parts.store.facts
    head = live.parts.service.head()
    facts.set(_EPOCH, str(int(facts.get(_EPOCH) or "0") + 1))
    facts.set(SERVICE_CURSOR, head)


def _was_read(live: LiveRun, campaign_id: CampaignId) -> bool:
    facts = live.parts.store.facts
    return facts.get(f"snapshot:{campaign_id}") == facts.get(_EPOCH)


def mark_read(live: LiveRun, campaign_id: CampaignId) -> None:
    """From here on the feed tells everything of this campaign."""
    facts = live.parts.store.facts
    facts.set(f"snapshot:{campaign_id}", facts.get(_EPOCH))


def _snapshots(live: LiveRun, campaign_ids: Collection[CampaignId], done: list[int]) -> None:
    parts = live.parts
    live.about_to(predictive=1)
    there = {stats.campaign_id for stats in parts.service.list_campaigns()}
    for campaign_id in campaign_ids:
        if campaign_id in there:
            live.about_to(predictive=4)
            done[0] += parts.store.members.land_service_snapshot(campaign_id, parts.service.read_members(campaign_id))
            parts.store.content.land_editions(parts.service.editions(campaign_id))
            parts.store.content.land_clicks(parts.service.click_throughs(campaign_id))
            parts.store.content.land_history(parts.service.history(campaign_id))
        else:
            # A service that does not know the campaign has none of its members, whatever was landed before.
            parts.store.members.land_service_snapshot(campaign_id, ())
            parts.store.campaigns.set_pushed(campaign_id, None)
        mark_read(live, campaign_id)
        live.breathe()


def read_whole(live: LiveRun, campaign_id: CampaignId) -> None:
    """Read one campaign's members whole, because what was landed turned out to be old."""
    parts = live.parts
    parts.store.members.land_service_snapshot(campaign_id, parts.service.read_members(campaign_id))
