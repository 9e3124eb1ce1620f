"""An operator's opt-in: one member, one campaign, from one edition on, with a reason.

Imports ports, model and the store. The service lifts what held the person back; editions before the named one are never
mailed to the member, so that nobody is flooded with what was missed. The box in the org is left as it is and what it
says is told: clearing it is a user's decision, and a tick that is older than the opt-in opts nobody out again.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync.engine.box import answer_box
from sync.engine.editions import find_edition
from sync.engine.feed import read_service
from sync.engine.gate import check_writable
from sync.engine.live import LiveRun, present, start
from sync.engine.parts import Parts
from sync.engine.persons import find_person
from sync.engine.sync_run import require_started
from sync.errors import PredictiveError, UsageError
from sync.model import Campaign, Edition, RunKind, RunState, ServiceMember, Side
from sync.plan import Change, PlanCounts, PlanRow, Subject
from sync.store.finding import Sighting
from sync.store.journal import JournalRow, Landing
from sync.story import OptedIn, ServiceStory

_BY_LEVEL = frozenset({"not_opened", "not_clicked", "not_complete", "complete"})
"""Adaptive editions for members at a level, which only an earlier edition gives."""


def opt_in(parts: Parts, campaign: Campaign, text: str, *, from_edition: str, reason: str) -> OptedIn:
    """Opt the member that *text* means in again, from the edition that *from_edition* means on.

    Raises:
        UsageError: no reason, no such member or edition, or the service has no such member.
        Refused: read-only, or the campaign was never started.
        Locked: another run has the campaign, or it is locked.
        RemoteRejected, OutcomeUnknown: the service refused it, or did not answer.
    """
    check_writable(parts)
    if not reason.strip():
        raise UsageError(
            "an opt-in needs a reason",
            left_undone="nothing was changed",
            remedy="add --reason TEXT; the journal keeps it",
        )
    require_started(parts, {campaign.id: campaign.name})
    person = find_person(parts.store, campaign.id, campaign.name, text)
    live = start(parts, RunKind.OPT_IN, campaign_id=campaign.id, campaign_name=campaign.name)
    try:
        with parts.made_for("opt-in", run=live.run, campaign_id=campaign.id), present(live):
            edition = find_edition(parts, campaign.id, from_edition)
            done = _opt_in(live, campaign, person, edition, reason.strip())
    except PredictiveError as error:
        state = RunState.FAILED if error.exit_code == 1 else RunState.REFUSED
        live.end(state, PlanCounts(), error=error.line())
        raise
    except BaseException as error:
        live.end(RunState.FAILED, PlanCounts(), error=f"the run broke: {type(error).__name__}")
        raise
    live.end(RunState.DONE, PlanCounts(changed=1, predictive_rows=1))
    return done


def _opt_in(live: LiveRun, campaign: Campaign, person: Sighting, edition: Edition, reason: str) -> OptedIn:
    parts = live.parts
    store = parts.store
    # The feed leaves out what this client does: an opt-out of just now has to be known before the opt-in is.
    read_service(live, (campaign.id,))
    before = parts.service.story(campaign.id, person.person_id)
    if before.member is None:
        raise UsageError(
            f"Predictive has no member {person.label} in {campaign.name}",
            left_undone="nothing was changed",
            remedy="synchronize the campaign first; who was removed comes back by being added in Salesforce",
        )
    label = _label(person, before.member)
    row = PlanRow(
        seq=live.number_rows(1),
        side=Side.PREDICTIVE,
        campaign_id=campaign.id,
        subject=Subject.MEMBER,
        subject_id=person.person_id,
        label=label,
        change=Change.OPT_IN,
        field="opted_out",
        before=before.member.opted_out,
        after=False,
        reason=f"opt-in from edition {edition.slot} {edition.name} on: {reason}",
        rule="operator",
        member_id=before.member.member_id,
    )
    batch = live.next_batch()
    key = f"{live.run}:{batch}"
    payload = {"opt_in": person.person_id, "edition": edition.id, "members": [[person.person_id, False]]}
    store.journal.record_intent(live.lease, batch, Side.PREDICTIVE, payload, campaign_id=campaign.id, key=key)
    parts.service.opt_in(person.person_id, campaign.id, edition.id, reason, key=key)
    after = parts.service.story(campaign.id, person.person_id)
    data = {"reason": before.member.reason, "from_slot": edition.slot, "from_slot_before": before.from_slot}
    with store.transaction():
        landing = Landing(service=() if after.member is None else (after.member,))
        journalled = JournalRow.of(row, "written", message=reason, data=data)
        store.journal.record_outcome(live.lease, batch, [journalled], landing=landing)
        box = answer_box(live, person.person_id, after.at)
    # The feed leaves out what this client caused; the person's other campaigns are read again by the next run.
    others = [key for key in store.members.campaigns_of(person.person_id) if key != campaign.id]
    for other in others:
        store.facts.set(f"snapshot:{other}", None)
    told = tuple(_told(campaign, label, edition, after, box))
    for text in told:
        live.note(text, campaign_id=campaign.id)
    return OptedIn(
        run=live.run,
        campaign_id=campaign.id,
        person_id=person.person_id,
        label=label,
        edition=f"{edition.slot} {edition.name}",
        before=(before.member.reason or "") if not before.member.active else "",
        after="" if after.member is None or after.member.active else after.member.reason or "inactive",
        active=after.member is not None and after.member.active,
        org_box=box,
        told=told,
    )


def _label(person: Sighting, member: ServiceMember) -> str:
    name = " ".join(part for part in (member.first_name, member.last_name) if part) or person.person_id
    return f"{name} <{member.email}>" if member.email else name


def _told(campaign: Campaign, label: str, edition: Edition, after: ServiceStory, box: bool | None) -> Iterator[str]:
    since = f"edition {edition.slot} {edition.name}"
    yield f"{label} is opted in for {campaign.name} from {since} on; no earlier one is sent"
    if after.member is not None and not after.member.active:
        yield f"the member is still inactive: {after.member.reason or 'no reason is known'}"
    if edition.role in _BY_LEVEL and after.member is not None and after.member.level is None:
        yield (
            "nothing was ever sent to the member, so only Initial fits; from this edition on none does: opt in from "
            "Initial to have it mailed"
        )
    if box:
        yield (
            "the opt-out box in Salesforce is still ticked and was left so: clear it there, or a campaign that the "
            "person joins later opts the person out again"
        )
    elif box is None:
        yield "what the opt-out box in Salesforce says is not known: the record was not read yet"
