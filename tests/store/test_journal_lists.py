"""A run's journal as a list: windows in order, parts of a batch, filters by word and by state."""

from __future__ import annotations

from dataclasses import replace

from sync.model import RunKind, Side
from sync.store.journal import JournalRow
from sync.store.store import Store
from tests.store.made import C1, C2, plan_row


def test_rows_of_a_batch_and_of_its_parts_in_order(store: Store) -> None:
    batch = store.runs.start(RunKind.NIGHTLY)
    for place, campaign in enumerate((C1, C2)):
        part = store.runs.start(RunKind.NIGHTLY, campaign_id=campaign, parent=batch.run)
        store.journal.record_intent(part, 1, Side.PREDICTIVE, [])
        rows = [
            replace(
                JournalRow.of(plan_row(number), "written"),
                campaign_id=campaign,
                label=f"Person {number} <p{number}@example.com>",
                **({"state": "rejected", "code": "LOCKED_100%"} if number == 3 else {}),
            )
            for number in range(1, 6)
        ]
        store.journal.record_outcome(part, 1, rows)
        assert store.journal_lists.count(part.run) == 5
        assert store.journal_lists.count(batch.run) == 5 * (place + 1)
    every = store.journal_lists.rows(batch.run)
    assert [row.seq for row in every] == [1, 2, 3, 4, 5] * 2
    assert store.journal_lists.rows(batch.run, offset=3, limit=4) == every[3:7]
    assert [row.seq for row in store.journal_lists.rows(batch.run, state="rejected")] == [3, 3]
    assert [row.seq for row in store.journal_lists.rows(batch.run, text="PERSON 4")] == [4, 4]
    assert store.journal_lists.count(batch.run, text="locked_100%") == 2
    assert store.journal_lists.count(batch.run, text="locked_1000") == 0
    assert store.journal_lists.count(batch.run, text="person", state="unknown") == 0
