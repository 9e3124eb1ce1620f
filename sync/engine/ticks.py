"""Opt-out boxes whose person is no longer there: the tick follows the person to where the org says he went.

Imports ports and the store. A lead that was converted is its contact from then on, a merged record the one it went
into; a deleted one has no box to tick. Whoever is only hidden stays due.
"""

from __future__ import annotations

from sync.engine.live import LiveRun
from sync.failures import FailureClass, failure_of
from sync.ids import PersonId
from sync.model import PersonOptOut, Side
from sync.ports import Person, Presence


def follow_people(live: LiveRun) -> None:
    """Find out where people are whose box this run could not tick because the record is gone; one call, if any."""
    store = live.parts.store
    gone = {
        PersonId(row.subject_id)
        for row in store.journal.failed_rows(live.run)
        if row.side is Side.SALESFORCE and row.field == "opted_out" and failure_of(row.code).kind is FailureClass.GONE
    }
    if not gone:
        return
    found = live.parts.org.read_people(tuple(sorted(gone)))
    moved = {person: target for person in gone if (target := _now(found.get(person))) is not None}
    settled = [person for person in gone if person in moved or _deleted(found.get(person))]
    with store.transaction():
        store.people.land_service_optouts(
            PersonOptOut(target, True, live.parts.clock.now()) for target in moved.values()
        )
        store.people.mark_ticked(settled)
    for person, target in moved.items():
        live.note(f"{person} goes on as {target} in Salesforce; the opt-out box is ticked there by the next hourly run")


def _now(person: Person | None) -> PersonId | None:
    """The record that the person goes on as, None for the same one."""
    return None if person is None else person.converted_to or person.merged_into


def _deleted(person: Person | None) -> bool:
    return person is not None and person.presence in (Presence.DELETED, Presence.MERGED)
