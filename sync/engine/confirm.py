"""Rows of unknown fate, held against both sides once they were read: what stands there was written, the rest was not.

Imports the engine's steps and the store. Only then is a lost batch's part of the journal complete, so that an undo
takes it back and a member's story tells it; a row that was not written is planned again by the merge, if it is still
needed. What an undo restored and never got to note is held after all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby

from sync.digest import org_digest, service_digest
from sync.engine.live import LiveRun
from sync.engine.standing import stands
from sync.holds import MEMBER
from sync.ids import CampaignId, PersonId
from sync.model import BaseMember, OrgMember, ServiceMember, Side
from sync.plan import Subject
from sync.settle import kept_in, kept_out, settle
from sync.store.journal import HELD, UNSENT, WRITTEN, FateRow, JournalRow
from sync.undo import restored_fields
from sync.words import plural

_CHUNK = 500


def confirm(live: LiveRun, campaigns: Collection[CampaignId], *, org_was_read: bool = True) -> int:
    """Find out what became of rows without an answer in *campaigns*, which were just read; how many were settled.

    Args:
        live: the run.
        campaigns: those whose service rows are as they are now.
        org_was_read: False when only the service was; rows for the org wait for a run that reads it.
    """
    journal = live.parts.store.journal
    count = written = 0
    for campaign_id in sorted(campaigns):
        rows = [
            row
            for row in journal.of_unknown_fate(campaign_id)
            if row.row.subject is Subject.MEMBER and (org_was_read or row.row.side is Side.PREDICTIVE)
        ]
        for start in range(0, len(rows), _CHUNK):
            live.breathe()
            done, not_done = _sort(live, campaign_id, rows[start : start + _CHUNK])
            with live.parts.store.transaction():
                journal.set_fate(done, WRITTEN, code="", message="no answer came; it was read afterwards and stands")
                journal.set_fate(
                    not_done, UNSENT, code="UNSENT", message="no answer came; it was read, and is not there"
                )
                live.parts.store.members.put_base(_held(live, campaign_id, done))
            count += len(done) + len(not_done)
            written += len(done)
    if count:
        live.note(f"{plural(count, 'row')} without an answer read: {written} written, {count - written} not")
    return count


def _sort(live: LiveRun, campaign_id: CampaignId, rows: list[FateRow]) -> tuple[list[FateRow], list[FateRow]]:
    members = live.parts.store.members
    people = {PersonId(each.row.subject_id) for each in rows}
    service, org = members.service_rows(campaign_id, people), members.org_rows(campaign_id, people)
    done: list[FateRow] = []
    not_done: list[FateRow] = []
    for each in rows:
        person = PersonId(each.row.subject_id)
        stands = _stands(each, service.get(person), org.get(person, ()))
        (done if stands else not_done).append(each)
    return done, not_done


def _stands(each: FateRow, service: ServiceMember | None, org: Iterable[OrgMember]) -> bool:
    """True when the side has what the row would have written."""
    row = each.row
    if row.field == MEMBER:
        return (service is not None) is (row.after is not None)
    return stands(row, row.after, service, org)


def _restored(row: JournalRow) -> dict[str, Side]:
    return restored_fields(row.planned(), held=bool(row.data.get(HELD)))


def _held(live: LiveRun, campaign_id: CampaignId, rows: list[FateRow]) -> list[BaseMember]:
    """The base of members on whom a lost batch of an undo restored something against the other side."""
    members = live.parts.store.members
    held = [each.row for each in rows if each.row.data.get(HELD) or _restored(each.row)]
    people = {PersonId(row.subject_id) for row in held}
    service, org = members.service_rows(campaign_id, people), members.org_rows(campaign_id, people)
    base = members.base_rows(campaign_id, people)
    out: list[BaseMember] = []
    for key, group in groupby(sorted(held, key=lambda row: row.subject_id), key=lambda row: row.subject_id):
        person = PersonId(key)
        restored = {name: side for row in group for name, side in _restored(row).items()}
        there, here = service.get(person), org.get(person, ())
        if there is None and here:
            out.append(kept_out(here[0], base.get(person)))
        elif there is not None and not here:
            out.append(kept_in(there))
        elif there is not None:
            one = here[0]
            digests = (org_digest(one), service_digest(there))
            out.append(settle(one, there, base.get(person), off=live.parts.off, digests=digests, restored=restored))
    return out
