"""What mails that a simulation only foresees will cause in the org: an estimate, an upper bound, for figures and cost.

Imports values only. Each mail moves one member to level Sent at least, each edition gets new statistics and an hour of
history. Which members are due is not told, only how many; so nobody who is changed anyway is assumed among them as
long as the campaign has others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sync.draft import Fact
from sync.engine.parts import Parts
from sync.engine.tally import Tally
from sync.engine.writes import MEMBER_OBJECT
from sync.ids import CampaignId
from sync.model import JobWait, Side, WriteCost
from sync.plan import Change
from sync.ports import OrgOperation, OrgWrite, PreparedItem
from sync.words import plural

ESTIMATE = "an estimate"
"""How the note begins that tells such figures from planned ones."""


def foresee(parts: Parts, due: Sequence[PreparedItem], tallies: Mapping[CampaignId, Tally]) -> Iterator[OrgWrite]:
    """Count what *due* mails will cause into the campaigns' tallies.

    Yields:
        Stand-ins for the writes, one for each record, for the cost only; they must never be sent.
    """
    by_campaign: dict[CampaignId, list[PreparedItem]] = {}
    for item in due:
        by_campaign.setdefault(item.campaign_id, []).append(item)
    for campaign_id, items in by_campaign.items():
        tally = tallies.get(campaign_id)
        if tally is None:
            continue
        mails = sum(item.count for item in items)
        members = min(mails, max(0, tally.sizes.org - tally.facts[Fact.CHANGED]))
        level = parts.mapping.member_level
        if level:
            tally.facts[Fact.CHANGED] += members
            tally.rows[Side.SALESFORCE, Change.LEVEL] += members
            for at in range(members):
                yield _write(MEMBER_OBJECT, campaign_id, level, f"due-{campaign_id}-{at}")
        for item in items:
            yield from _content(parts, item, tally)


def _content(parts: Parts, item: PreparedItem, tally: Tally) -> Iterator[OrgWrite]:
    """The edition's statistics, unless the plan writes the edition anyway, and its hour of history."""
    names = parts.mapping
    pending = {edition.id for edition in parts.store.content.pending_editions((item.campaign_id,))}
    if names.has_editions and item.edition_id not in pending:
        tally.rows[Side.SALESFORCE, Change.EDITION] += 1
        tally.editions_updated += 1
        yield _write(names.edition, item.campaign_id, "sent", f"due-{item.edition_id}")
    if names.history and names.history_external_id:
        tally.rows[Side.SALESFORCE, Change.HISTORY] += 1
        yield _write(names.history, item.campaign_id, "sent", f"due-history-{item.edition_id}")


def _write(sobject: str, campaign_id: CampaignId, field: str, record: str) -> OrgWrite:
    return OrgWrite(record, sobject, OrgOperation.UPDATE, {field: "Sent"}, campaign_id, record)


def locks_note(writes: WriteCost, predicted: int) -> str:
    """What the plan says of locks that it cannot foresee."""
    worst = predicted - writes.expected + writes.locked
    return (
        "should the parallel batches of its Bulk job refuse each other members by locks, "
        f"{plural(predicted, 'Salesforce call')} may become {worst:,} at most; what they really refuse is measured and "
        "counted from the next plan on"
    )


def serial_note(waits: Iterable[JobWait]) -> str:
    """What the plan says of Bulk jobs whose batches go one after the other; "" when there are none."""
    rows = sum(wait.rows for wait in waits if wait.serial)
    if not rows:
        return ""
    return (
        f"{plural(rows, 'Salesforce record')} are written by a Bulk job whose batches go one after the other, because "
        "side by side those of one campaign may lock each other out"
    )


def estimate_note(records: int) -> str:
    """What the plan says of the estimate."""
    return (
        f"{ESTIMATE}: figures and calls include {plural(records, 'Salesforce record')} that the foreseen mails will "
        "change (level Sent, statistics, history), at most; they are not among the rows"
    )
