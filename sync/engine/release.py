"""Releasing a hold: a member whose values an undo keeps goes back to the rules of ownership, with a reason.

Imports the engine's steps and the store. Nothing is written to either side; the next sync does what the rules say: it
takes over what the owner has, and removes a member that Salesforce does not have.
"""

from __future__ import annotations

from dataclasses import replace

from sync.draft import member_label
from sync.engine.claims import Ended, open_claims
from sync.engine.gate import check_writable
from sync.engine.parts import Parts
from sync.engine.persons import find_person
from sync.engine.sync_run import run_to_end
from sync.errors import Refused, UsageError
from sync.holds import MEMBER, any_held, let_go
from sync.ids import CampaignId
from sync.model import BaseMember, RunKind, RunState, Side, StatusState
from sync.plan import Change, PlanCounts, PlanRow, Subject
from sync.store.database import chunks
from sync.store.journal import JournalRow, Landing
from sync.views import RunResult
from sync.words import plural


def release_hold(parts: Parts, campaign_id: CampaignId, name: str, person: str | None, reason: str) -> RunResult:
    """Release what is held of one member, or of all members of a campaign.

    Args:
        parts: the engine's tools.
        campaign_id, name: the campaign.
        person: id of the lead, contact or CampaignMember, or an e-mail address or name that only one member has; None
            for everybody of whom something is held.
        reason: why; kept in the journal.

    Raises:
        Refused: the org is read-only, or an undo ended before its answers came and no run has read since what it did.
        Locked: another live run has the campaign.
        UsageError: no reason, no such member, or nothing is held.
    """
    check_writable(parts)
    if not reason.strip():
        raise UsageError("a hold is released only with a reason", remedy="add --reason TEXT; the journal keeps it")
    _check_nothing_lost(parts, campaign_id)
    bases = _all_of(parts, campaign_id, name) if person is None else (_base_of(parts, campaign_id, name, person),)
    claims = open_claims(parts, RunKind.RELEASE, {campaign_id: name})

    def work() -> None:
        live = claims.live
        for some in chunks(bases):
            first = live.number_rows(len(some))
            rows = [_row(parts, base, first + index, reason.strip()) for index, base in enumerate(some)]
            out = [base for base in some if _kept_out(base)]
            landing = Landing(base=[_released(base) for base in some if not _kept_out(base)])
            with parts.store.transaction():
                parts.store.journal.record_outcome(live.lease, live.next_batch(), rows, landing=landing)
                # Of whom Predictive does not have, nothing is agreed: whoever comes back is a new member there.
                parts.store.members.drop_base((base.campaign_id, base.person_id) for base in out)
            live.breathe()
        who = rows[0].label if len(bases) == 1 else plural(len(bases), "member")
        what = ", ".join(sorted({field for base in bases for field in _held(base)}))
        live.note(f"{who}: released ({what}); the next sync applies the rules: {reason.strip()}")
        claims.finish(campaign_id, Ended(RunState.DONE, PlanCounts()))

    return run_to_end(claims, work)


def _check_nothing_lost(parts: Parts, campaign_id: CampaignId) -> None:
    """Raises Refused when what an undo holds is not known: its process died, or its answers never came."""
    store = parts.store
    store.runs.reap()
    runs = [each.run for each in store.journal.open_intents() if each.campaign_id in (None, campaign_id)]
    runs += [each.run for each in store.journal.of_unknown_fate(campaign_id)]
    for view in map(store.runs.get, dict.fromkeys(runs)):
        if view is not None and view.kind is RunKind.UNDO and view.campaign_id in (None, campaign_id):
            if not view.state.ended:
                return  # it has the campaign, which is said where that is claimed
            raise Refused(
                f"run {view.run} (undo) ended before all its answers came, so that what it holds is not known yet",
                rule="unread",
                left_undone="nothing was released",
                remedy="synchronize the campaign, which reads it and changes nothing that is held; then release",
            )


def _all_of(parts: Parts, campaign_id: CampaignId, name: str) -> tuple[BaseMember, ...]:
    """Everybody of whom something is held. Raises UsageError when nobody is."""
    found = parts.store.members.held(campaign_id)
    if not found:
        raise UsageError(f"{name} has no member of whom anything is held", left_undone="nothing was released")
    return found


def _base_of(parts: Parts, campaign_id: CampaignId, name: str, text: str) -> BaseMember:
    """The base of the member that *text* names. Raises UsageError when there is none, or nothing of it is held."""
    person = find_person(parts.store, campaign_id, name, text).person_id
    base = parts.store.members.base_rows(campaign_id, (person,)).get(person)
    if base is None or not any_held(base):
        why = "is not known as a member of this campaign" if base is None else "has nothing that is held"
        raise UsageError(f"{text} {why}", left_undone="nothing was released", remedy="predictive runs lists the undos")
    return base


def _kept_out(base: BaseMember) -> bool:
    """True for a member of the org whom an undo took out of the service."""
    return any(field == MEMBER and value is not None for field, value in base.holds)


def _released(base: BaseMember) -> BaseMember:
    """Without holds, and looked at again by the next run."""
    return replace(let_go(base), org_digest="")


def _held(base: BaseMember) -> tuple[str, ...]:
    names = [field for field, _ in base.holds]
    return tuple(sorted({*names, *(("status",) if base.status_state is StatusState.HELD else ())}))


def _row(parts: Parts, base: BaseMember, seq: int, reason: str) -> JournalRow:
    members = parts.store.members
    here = members.service_rows(base.campaign_id, (base.person_id,)).get(base.person_id)
    org = members.org_rows(base.campaign_id, (base.person_id,)).get(base.person_id, ())
    somebody = here or (org[0] if org else None)
    label = member_label(somebody) if somebody is not None else base.person_id
    plan_row = PlanRow(
        seq=seq,
        side=Side.PREDICTIVE,
        campaign_id=base.campaign_id,
        subject=Subject.MEMBER,
        subject_id=base.person_id,
        label=label,
        change=Change.HOLD,
        field="hold",
        before=", ".join(_held(base)),
        after=None,
        reason=reason,
        rule="released",
        member_id=base.member_id,
        values={"holds": {field: value for field, value in base.holds if field != MEMBER}},
    )
    return JournalRow.of(plan_row, "written", code="RELEASED", message=reason)
