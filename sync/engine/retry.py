"""Failed rows tried again: those of a run that a person chose, planned from the values as they are now.

Imports the engine's steps and the store. Nothing that failed is repeated as it was: the merge decides anew, for the
chosen records and fields only, also about statuses that were put aside as rejected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from sync.engine.claims import open_claims
from sync.engine.gate import Choice
from sync.engine.parts import Parts
from sync.engine.planning import Only, Wanted
from sync.engine.sync_run import draw_plan, failed_to_plan, read_both, run_to_end, wanted_of
from sync.engine.undo import plan_undo
from sync.errors import Refused, UsageError
from sync.ids import CampaignId, PersonId, RunId
from sync.model import RunKind, Side
from sync.plan import Plan, Subject
from sync.store.journal import DRIFTED, REJECTED, UNKNOWN, UNSENT, JournalRow
from sync.views import RunView

_AS = {RunKind.HOURLY: RunKind.HOURLY, RunKind.REFRESH: RunKind.REFRESH}
_FAILED = (REJECTED, DRIFTED, UNKNOWN, UNSENT)


def plan_retry(parts: Parts, run_id: RunId, choice: Choice, *, seqs: Collection[int] | None, code: str | None) -> Plan:
    """Make and keep a plan of a run's failed rows as they are now.

    Args:
        parts: the engine's tools.
        run_id: the run; of a batch the rows of all its parts.
        choice: tells when to stop.
        seqs: only rows of these numbers in the run's journal.
        code: only rows that failed with this code.

    Raises:
        UsageError: no such run, or no such failed row. Refused: it lives. Locked: another live run has a campaign.
    """
    parts.store.runs.reap()
    view = parts.store.runs.get(run_id)
    if view is None:
        raise UsageError(f"there is no run {run_id!r}", remedy="predictive runs lists them")
    if not view.state.ended:
        raise Refused(f"run {run_id} is still at work", rule="live", remedy="wait until it ends, then retry")
    rows = list(_chosen(parts, view, seqs, code))
    if view.undoes is not None:
        keys = {_key(row) for row in rows}
        return plan_undo(parts, view.undoes, choice, lambda row: _key(row) in keys)
    return _plan(parts, view, rows, choice)


def _chosen(parts: Parts, view: RunView, seqs: Collection[int] | None, code: str | None) -> Iterator[JournalRow]:
    codes: set[str] = set()
    found = False
    for row in parts.store.journal.rows(view.run, states=_FAILED):
        codes.add(row.code)
        if (seqs is None or row.seq in seqs) and (code is None or row.code == code):
            found = True
            yield row
    if not found:
        known = f"codes of its failed rows: {', '.join(sorted(codes))}" if codes else "all its rows were written"
        raise UsageError(f"run {view.run} has no such failed row", left_undone="nothing was planned", remedy=known)


def _key(row: JournalRow) -> tuple[str, Side, str, str | None, str]:
    return row.campaign_id, row.side, row.subject_id, row.member_id, row.field


def _plan(parts: Parts, view: RunView, rows: list[JournalRow], choice: Choice) -> Plan:
    records = (parts.store.campaigns.get(CampaignId(key)) for key in sorted({row.campaign_id for row in rows}) if key)
    names = {record.campaign.id: record.campaign.name for record in records if record is not None}
    claims = open_claims(parts, RunKind.PLAN, names, cancel=choice.cancel, exclusive=True)
    kind = _AS.get(view.kind, RunKind.MANUAL)
    made: list[Plan] = []

    def work() -> None:
        if claims.held:
            wanted = wanted_of(claims, read_both(claims.live, claims.held, choice), kind)
        else:
            wanted = Wanted(kind, (), parts.clock.now())
        people = {PersonId(row.subject_id) for row in rows if row.subject is Subject.PERSON}
        due = {each.person_id for each in parts.store.people.to_tick()} if people else set()
        only = _only(rows)
        wanted = replace(wanted, test_people=None, only=only, ticks=tuple(sorted(people & due)), retries=view.run)
        made.append(draw_plan(claims, wanted))

    result = run_to_end(claims, work)
    if not made or result.exit_code:
        raise failed_to_plan(result)
    return made[0]


def _only(rows: list[JournalRow]) -> Only:
    """Members that failed to arrive or to leave with all their rows, the others with the fields that failed."""
    whole = {(row.campaign_id, row.subject_id) for row in rows if row.field == "member"}
    fields = {(row.side, row.subject_id, row.field) for row in rows}
    people = {(row.campaign_id, row.subject_id) for row in rows}
    return Only(frozenset(people), frozenset(whole), frozenset(fields))
