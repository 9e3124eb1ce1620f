"""What a crash left open: batches that were begun and of which nobody knows how they ended.

Imports the store and ports. They are settled by reading, before anything is repeated: the service's campaign is read
whole, the org's watermark is put back so that the next poll reads what the lost batch wrote. The rows of a lost batch
are journalled as unknown; ``sync.engine.confirm`` finds out what became of them once both sides were read. A release of
mails is never repeated; the service is asked for its fate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from sync.engine.box import answer_box
from sync.engine.live import LiveRun, overlap
from sync.errors import NotWhatItShouldBe, RemoteRejected
from sync.failures import failure_of
from sync.ids import CampaignId, PersonId
from sync.model import Side
from sync.ports import SendFate
from sync.store.journal import UNKNOWN, Intent, JournalRow
from sync.words import plural

_NO_ANSWER = failure_of("UNKNOWN")


def reconcile(live: LiveRun) -> bool:
    """Settle every open intent of runs that are over, and end runs whose process is gone.

    A batch over many campaigns dies with its process, whichever of its campaigns is taken over first.

    Returns:
        True when writes to the org are among the intents: who does not poll anyway reads its campaigns before it
        writes.
    """
    store = live.parts.store
    store.runs.reap()
    alive = {view.run for view in store.runs.live()}
    open_intents = [intent for intent in store.journal.open_intents() if intent.run not in alive]
    for intent in open_intents:
        payload = intent.payload if isinstance(intent.payload, dict) else {}
        _settle(live, intent, payload)
        store.journal.record_outcome(live.lease, intent.batch_no, tuple(_lost(live, payload)), run=intent.run)
    if open_intents:
        live.note(
            f"{plural(len(open_intents), 'batch', 'batches')} of an earlier run had no answer; "
            "what was done is read before anything is repeated",
            level="warning",
        )
    return any(intent.side is Side.SALESFORCE for intent in open_intents)


def _lost(live: LiveRun, payload: dict[str, Any]) -> Iterator[JournalRow]:
    """The plan's rows of a lost batch."""
    plan_id, seqs = payload.get("plan"), payload.get("rows")
    if not plan_id or not seqs:
        return
    message = f"{_NO_ANSWER.cause}: the run ended first"
    for row in live.parts.store.plans.numbered(plan_id, seqs):
        yield JournalRow.of(row, UNKNOWN, code=_NO_ANSWER.code, message=message, remedy=_NO_ANSWER.remedy)


def _settle(live: LiveRun, intent: Intent, payload: dict[str, Any]) -> None:
    store = live.parts.store
    if "opt_in" in payload and intent.campaign_id is not None:
        _opt_in(live, intent.campaign_id, PersonId(payload["opt_in"]))
    elif "test_send" in payload:
        live.note(
            f"the test send of edition {payload.get('edition', '?')} got no answer; whether test members got it is not "
            "known, and it is not repeated",
            level="warning",
            campaign_id=intent.campaign_id,
        )
    elif "send" in payload:
        _send(live, str(payload["send"]), payload.get("expected"))
    elif "test_people" in payload:
        store.people.set_test_people_pushed(None)
    elif "header" in payload and intent.campaign_id is not None:
        store.campaigns.set_pushed(intent.campaign_id, None)
    elif intent.side is Side.PREDICTIVE:
        every = [record.campaign.id for record in store.campaigns.all()]
        for campaign_id in [intent.campaign_id] if intent.campaign_id else every:
            store.facts.set(f"snapshot:{campaign_id}", None)
    else:
        _read_again(live, payload.get("heard"))


def _read_again(live: LiveRun, heard: str | None) -> None:
    """Have the next polls read what was written in the org after *heard*, an instant of its own clock; our clock, by
    which the intent is dated, may be hours away from it. An intent without it is of an older program, whose batch was
    written at most as long before the last read as stamps may be older than their commit."""
    campaigns = live.parts.store.campaigns
    since = datetime.fromisoformat(heard) if heard is not None else None
    campaigns.set_watermarks(
        {
            record.campaign.id: overlap(record.watermark if since is None else since)
            for record in campaigns.all()
            if record.watermark is not None and (since is None or record.watermark > since)
        }
    )


def _opt_in(live: LiveRun, campaign_id: CampaignId, person_id: PersonId) -> None:
    """Ask whether an opt-in was done, and take it over as if its answer had come; it is not repeated."""
    store = live.parts.store
    found = live.parts.service.story(campaign_id, person_id)
    done = found.member is not None and not found.member.opted_out and found.from_slot is not None
    if done:
        with store.transaction():
            answer_box(live, person_id, found.at)
    for each in {campaign_id, *store.members.campaigns_of(person_id)}:
        store.facts.set(f"snapshot:{each}", None)
    fate = "was done" if done else "was not done, and is not repeated"
    live.note(f"the opt-in of {person_id} got no answer; it {fate}", level="warning", campaign_id=campaign_id)


def _send(live: LiveRun, send_id: str, expected: int | None) -> None:
    """Ask the service what became of a release, and say it; nothing is sent by that."""
    fate: SendFate | None = None
    with suppress(RemoteRejected, NotWhatItShouldBe):
        fate = live.parts.service.send_fate(send_id)
    mails = "mails" if expected is None else plural(expected, "mail")
    live.note(f"release {send_id} of {mails} got no answer; {_told(fate)}", level="warning")


def _told(fate: SendFate | None) -> str:
    if fate is None:
        return "its fate is unknown and it is not repeated. The members' levels tell who got the mail"
    if fate.state == "prepared":
        return "it never arrived, nobody was mailed by it. Who is still due is in the next list"
    left = "" if fate.state == "released" else ", it is still under way"
    return (
        f"Predictive says: {fate.sent} sent, {fate.failed} failed, {fate.dropped} dropped, {fate.unknown} of unknown "
        f"fate{left}; nothing is repeated"
    )
