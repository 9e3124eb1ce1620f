"""What a crash left open: batches that were begun and of which nobody knows how they ended.

Imports the store and ports. They are settled by reading, before anything is repeated: the service's campaign is read
whole, the org's watermark is put back so that the next poll reads what the lost batch wrote. A release of mails is
never repeated; it is listed as unknown.
"""

from __future__ import annotations

from sync.engine.live import LiveRun, overlap
from sync.model import Side
from sync.store.journal import Intent


def reconcile(live: LiveRun) -> int:
    """Settle every open intent of runs that are over; how many there were."""
    store = live.parts.store
    alive = {view.run for view in store.runs.live()}
    open_intents = [intent for intent in store.journal.open_intents() if intent.run not in alive]
    for intent in open_intents:
        _settle(live, intent)
        store.journal.record_outcome(live.lease, intent.batch_no, (), run=intent.run)
    if open_intents:
        live.note(
            f"{len(open_intents)} batches of an earlier run had no answer; what they did is read before anything "
            "is repeated",
            level="warning",
        )
    return len(open_intents)


def _settle(live: LiveRun, intent: Intent) -> None:
    store = live.parts.store
    payload = intent.payload if isinstance(intent.payload, dict) else {}
    if "send" in payload:
        live.note(
            f"the fate of release {payload['send']} ({payload.get('expected', '?')} mails) is unknown; it is not "
            "repeated. The members' levels tell who got the mail",
            level="warning",
        )
        return
    if intent.side is Side.PREDICTIVE:
        every = [record.campaign.id for record in store.campaigns.all()]
        campaigns = [intent.campaign_id] if intent.campaign_id else every
        for campaign_id in campaigns:
            store.facts.set(f"snapshot:{campaign_id}", None)
            if "header" in payload:
                store.campaigns.set_pushed(campaign_id, None)
        if "test_people" in payload:
            store.people.set_test_people_pushed(None)
        return
    marks = {
        record.campaign.id: overlap(min(record.watermark, intent.at))
        for record in store.campaigns.all()
        if record.watermark is not None and record.watermark > intent.at
    }
    store.campaigns.set_watermarks(marks)
