"""What the org's opt-out box says of a person who was opted in again, and that this tick has had its answer.

Imports the store and values.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sync.engine.live import LiveRun
from sync.ids import PersonId
from sync.model import PersonOptOut


def answer_box(live: LiveRun, person_id: PersonId, at: datetime) -> bool | None:
    """Whether the box is ticked, as last read; None when no row of the person was.

    If it is ticked, that tick is known and was answered by an opt-in at *at*: it is not taken to the service again,
    neither by the next member sync nor by the hourly run. A new tick is. Joins a transaction.
    """
    store = live.parts.store
    ticked: bool | None = None
    for each in store.members.campaigns_of(person_id):
        rows = store.members.org_rows(each, (person_id,)).get(person_id, ())
        if not rows:
            continue
        ticked = bool(ticked) or any(row.opted_out for row in rows)
        base = store.members.base_rows(each, (person_id,)).get(person_id)
        if base is not None and base.opted_out != rows[0].opted_out:
            store.members.put_base((replace(base, opted_out=rows[0].opted_out, org_digest=""),))
    store.people.land_service_optouts((PersonOptOut(person_id, False, at),))
    if ticked:
        store.people.answer_tick(person_id)
    return ticked
