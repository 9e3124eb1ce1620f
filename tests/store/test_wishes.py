"""What is asked of a live run, and which failed rows still matter."""

from __future__ import annotations

from datetime import timedelta

from sync.clock import ControlledClock
from sync.ids import RunId
from sync.model import RunKind, RunState, Side
from sync.plan import Change, Subject
from sync.store.journal import JournalRow
from sync.store.runs import Lease
from sync.store.store import Store
from tests.store.made import C1, C2, person_id


def row(seq: int, state: str, *, person: int = 1, campaign: str = C1, field: str = "status") -> JournalRow:
    return JournalRow(
        seq=seq,
        side=Side.SALESFORCE,
        campaign_id=campaign,
        subject=Subject.MEMBER,
        subject_id=person_id(person),
        label="Ada",
        change=Change.STATUS,
        field=field,
        before="Sent",
        after="Responded",
        state=state,
        code="" if state == "written" else "UNABLE_TO_LOCK_ROW",
    )


def written(store: Store, lease: Lease, batch: int, *rows: JournalRow) -> None:
    store.journal.record_outcome(lease, batch, rows)


def test_a_run_hears_what_is_asked_of_it_and_of_its_batch(store: Store) -> None:
    batch = store.runs.start(RunKind.HOURLY)
    part = store.runs.start(RunKind.HOURLY, campaign_id=C1, parent=batch.run)
    assert (store.asked.of(batch).pause, store.asked.of(part).cancel) == (False, False)
    # Only the batch itself works, so what is asked of a part is asked of the batch.
    assert store.asked.pause(part.run) == batch.run
    assert store.asked.of(batch).pause
    store.asked.set_paused(batch, True)
    views = [store.runs.get(batch.run), store.runs.get(part.run)]
    assert all(view is not None and view.paused is not None for view in views)
    assert store.asked.resume(batch.run) == batch.run
    store.asked.set_paused(batch, False)
    assert store.asked.cancel(batch.run) == batch.run
    assert store.asked.of(part).cancel
    view = store.runs.get(batch.run)
    assert view is not None
    assert (view.stopping, view.pausing, view.paused) == (True, False, None)


def test_nothing_is_asked_of_a_run_that_has_ended(store: Store) -> None:
    lease = store.runs.start(RunKind.MANUAL, campaign_id=C1)
    store.runs.end(lease, RunState.DONE)
    assert store.asked.pause(lease.run) is None
    assert store.asked.cancel(RunId("no-such-run")) is None


def test_the_board_knows_the_newest_row_of_each_record_and_field(store: Store, clock: ControlledClock) -> None:
    first = store.runs.start(RunKind.HOURLY, campaign_id=C1)
    other = store.runs.start(RunKind.HOURLY, campaign_id=C2)
    written(store, first, 1, row(1, "rejected"), row(2, "rejected", person=2), row(3, "drifted", field="opted_out"))
    written(store, other, 1, row(1, "rejected", campaign=C2))
    clock.advance(60)
    written(store, first, 2, row(11, "written"), row(12, "rejected", person=2))
    found = {(each.campaign_id, each.subject_id, each.field, each.seq) for each in store.journal.unmended()}
    assert found == {
        (C1, person_id(2), "status", 12),
        (C1, person_id(1), "opted_out", 3),
        (C2, person_id(1), "status", 1),
    }
    assert [each.seq for each in store.journal.unmended(C2)] == [1]
    clock.advance(timedelta(days=31).total_seconds())
    assert store.journal.unmended() == ()


def test_a_part_of_a_batch_has_the_rows_that_the_batch_wrote_for_its_campaign(store: Store) -> None:
    batch = store.runs.start(RunKind.NIGHTLY)
    part = store.runs.start(RunKind.NIGHTLY, campaign_id=C1, parent=batch.run)
    store.runs.start(RunKind.NIGHTLY, campaign_id=C2, parent=batch.run)
    written(store, batch, 1, row(1, "rejected"), row(2, "written", campaign=C2), row(3, "written", person=3))
    assert [each.seq for each in store.journal.rows(batch.run)] == [1, 2, 3]
    assert [each.seq for each in store.journal.rows(part.run)] == [1, 3]
    assert [each.seq for each in store.journal.failed_rows(part.run)] == [1]
