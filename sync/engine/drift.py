"""Rows that are not written because what they were made from has moved: journalled and told, never overwritten.

Imports the store and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync.engine.live import LiveRun
from sync.events import RowFailed
from sync.failures import failure_of
from sync.ids import CampaignId
from sync.plan import PlanRow
from sync.store.database import chunks
from sync.store.journal import DRIFTED, JournalRow

CODE = "MOVED"
SINCE_THE_PLAN = "the value or what was agreed has moved since the plan was made"


def report_moved(live: LiveRun, rows: Sequence[PlanRow], message: str = SINCE_THE_PLAN) -> None:
    """Journal *rows* as drift under numbers of the run's own, and tell them."""
    for some in chunks(rows):
        live.breathe()
        _report(live, some, message)


def _report(live: LiveRun, rows: Sequence[PlanRow], message: str) -> None:
    remedy = failure_of(CODE).remedy
    first = live.number_rows(len(rows))
    entries = [JournalRow.of(row, DRIFTED, code=CODE, message=message, remedy=remedy) for row in rows]
    journal = [replace(entry, seq=first + index) for index, entry in enumerate(entries)]
    events = [
        live.stamp(
            RowFailed(
                live.run,
                row.side,
                CampaignId(row.campaign_id),
                row.subject_id,
                row.label,
                row.field,
                CODE,
                message,
                remedy,
                True,
            )
        )
        for row in rows
    ]
    live.parts.store.journal.record_outcome(live.lease, live.next_batch(), journal, events=events)
    live.tell(events)
