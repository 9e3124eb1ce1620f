"""Whether anything was committed is told without reading it: whoever committed, on both databases."""

from __future__ import annotations

import threading

from sync.store.store import Store, open_store
from tests.store.made import campaign


def marks_around_reads(store: Store) -> tuple[str, str]:
    """The mark before and after something was read."""
    before = store.witness.mark()
    store.campaigns.all()
    store.facts.get("nothing")
    return before, store.witness.mark()


def test_what_was_only_read_leaves_the_mark(store: Store) -> None:
    # Others on PostgreSQL's server, itself among them, may commit between the two, but not each time.
    times = 1 if store.database.is_sqlite else 200
    assert any(before == after for before, after in (marks_around_reads(store) for _ in range(times)))


def test_each_commit_of_this_process_moves_the_mark(store: Store) -> None:
    seen = {store.witness.mark()}
    for number in range(3):
        store.facts.set("number", str(number))
        assert store.witness.mark() not in seen
        seen.add(store.witness.mark())


def test_a_commit_of_another_thread_moves_the_mark(store: Store) -> None:
    mark = store.witness.mark()
    writer = threading.Thread(target=store.campaigns.land, args=([campaign(3)],))
    writer.start()
    writer.join()
    assert store.witness.mark() != mark


def test_a_commit_through_another_store_moves_the_mark(place: str) -> None:
    with open_store(place) as here, open_store(place) as there:
        mark = here.witness.mark()
        there.facts.set("said", "by another process")
        assert here.witness.mark() != mark


def test_a_write_counts_once_it_is_committed(place: str) -> None:
    with open_store(place) as here, open_store(place) as there:
        with there.database.write():
            there.facts.set("said", "not yet")
            mark = here.witness.mark()
        assert here.witness.mark() != mark


def test_a_mark_from_before_is_no_mark_of_another_connection(place: str) -> None:
    with open_store(place) as store:
        mark = store.witness.mark()
        store.witness.close()
        store.facts.set("said", "meanwhile")
        assert store.witness.mark() != mark
