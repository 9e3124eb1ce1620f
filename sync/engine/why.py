"""Why a member is as it is: what happened in order, how both sides and the base stand, why an edition is mailed or not.

Imports ports, mapping and the store. One request to the service, which alone knows why it mails whom; none to the org.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sync.digest import org_digest
from sync.engine.parts import Parts
from sync.engine.persons import find_person
from sync.errors import RemoteRejected, RetriableError, UsageError
from sync.ids import CampaignId, PersonId, RunId
from sync.mapping import OWNERS, Owner
from sync.model import BaseMember, Campaign, OrgMember, RunKind, ServiceMember, Side, StatusState
from sync.plan import Change
from sync.status import agreed_of_row, lifted
from sync.store.campaigns import CampaignRecord
from sync.store.finding import Sighting
from sync.store.journal import JournalRow
from sync.story import Condition, EditionStory, FieldState, MemberStory, Recorded, ServiceStory, Step, Suppression

FIELDS = (
    "member_id",
    "first_name",
    "last_name",
    "email",
    "test_member",
    "status",
    "opted_out",
    "level",
    "reason",
    "active",
    "opens",
    "clicks",
    "completions",
    "bounces",
)
_COUNTERS = ("opens", "clicks", "completions", "bounces")
_WORST = ("different", "rejected", "held", "invisible", "pending", "agreed")
_MOST_ROWS = 2000
_REFUSED_LOGIN = 401
NOT_ASKED = "Predictive did not answer: its part of the story is missing, and its values are as last read"


def tell(parts: Parts, campaign: Campaign, text: str) -> MemberStory:
    """The story of the member of *campaign* that *text* means.

    Raises:
        UsageError: nobody or more than one is meant, or neither side nor the journal knows the id.
        NotWhatItShouldBe, WrongCredentials: the service refused to answer. Is it only down, the rest is told.
    """
    store = parts.store
    sighting = find_person(store, campaign.id, campaign.name, text)
    person = sighting.person_id
    silent = ""
    asked: ServiceStory | None = None
    try:
        with parts.made_for("why", campaign_id=campaign.id):
            asked = _asked(parts, campaign.id, person)
    except RetriableError as error:
        # What is known here is worth telling all the more when the other side is down.
        silent = error.what
    org = next(iter(store.members.org_rows(campaign.id, (person,)).get(person, ())), None)
    base = store.members.base_rows(campaign.id, (person,)).get(person)
    service = asked.member if asked else store.members.service_rows(campaign.id, (person,)).get(person)
    steps = tuple(_steps(parts, campaign.id, person, org, asked))
    if org is None and service is None and base is None and not steps and not (asked and asked.removed):
        raise UsageError(
            f"{campaign.name} never had a member {text!r}",
            left_undone="nothing was done",
            remedy="predictive members CAMPAIGN lists them; a member added since the last sync is not known yet",
        )
    fields = tuple(_fields(org, service, base, parts.off))
    record = store.campaigns.get(campaign.id)
    editions = tuple(_with_ours(parts, record, base, each) for each in (asked.editions if asked else ()))
    some = org or service
    return MemberStory(
        campaign_id=campaign.id,
        campaign_name=campaign.name,
        person_id=person,
        member_id=org.member_id if org else service.member_id if service else sighting.member_id,
        kind=some.kind.value if some else "",
        label=_label(some, sighting),
        email=some.email if some else sighting.email,
        state=next((state for state in _WORST if any(each.state == state for each in fields)), "absent"),
        fields=fields,
        steps=steps,
        editions=editions,
        suppressions=asked.suppressions if asked else (),
        verdict=f"not known: {silent}" if silent else _verdict(campaign, org, asked, editions),
        notes=(*((NOT_ASKED,) if silent else ()), *_notes(org, service, base, asked)),
        landed_at=None if org is None else store.members.seen_at(campaign.id, person),
        asked_at=asked.at if asked else None,
    )


def _asked(parts: Parts, campaign_id: CampaignId, person: PersonId) -> ServiceStory | None:
    """The service's part; None when it does not know the campaign."""
    try:
        return parts.service.story(campaign_id, person)
    except RemoteRejected as error:
        if not error.code.endswith("not_found"):
            raise
        return None


def _label(some: OrgMember | ServiceMember | None, sighting: Sighting) -> str:
    if some is None:
        return sighting.name or sighting.person_id
    return " ".join(part for part in (some.first_name, some.last_name) if part) or some.person_id


# ---------------------------------------------------------------- both sides and the base


def _fields(
    org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None, off: frozenset[str]
) -> Iterator[FieldState]:
    if org is None and service is None:
        return
    hidden = base is not None and base.invisible
    if org is None or service is None:
        held = (service is not None and service.hold) or _put_aside(base, "member")
        state = "invisible" if hidden else "held" if held else "pending"
        here = (None if org is None else "member", None if service is None else "member")
        yield FieldState("member", *here, None if base is None else "member", state, _rule("member"))
    for name in FIELDS:
        if name in off:
            continue
        left, right, agreed = (None if row is None else getattr(row, name) for row in (org, service, base))
        state = "invisible" if hidden else _state(name, org, service, base)
        if name == "status" and state == StatusState.HELD.value:
            agreed = None  # what an undo put back is what it stands by, not what both sides agreed on
        yield FieldState(name, _text(left), _text(right), _text(agreed), state, _rule(name))


def _state(name: str, org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None) -> str:
    if org is None or service is None:
        return "pending"
    left, right = getattr(org, name), getattr(service, name)
    if (left or None) == (right or None):
        return "agreed"
    if _put_aside(base, name):
        return "held"
    if name == "status":
        of_row = None if base is None else lifted(agreed_of_row(base, org.member_id), org.status, service.status)
        if of_row is None or of_row.status_state is StatusState.AGREED:
            return "pending"
        return of_row.status_state.value
    if name == "opted_out":
        return "held" if base is not None and base.opted_out else "pending"
    if name in _COUNTERS:
        return "held" if right < left else "pending"
    return "pending"


def _put_aside(base: BaseMember | None, name: str) -> bool:
    """True when an undo restored a value of this field against its owner."""
    return base is not None and any(field == name for field, _ in base.holds)


def _rule(name: str) -> str:
    owner = OWNERS[name]
    if owner is Owner.BOTH:
        return "three-way" if name == "status" else "one way each"
    return f"{owner.value.capitalize()} owns it"


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)


# ---------------------------------------------------------------- what happened


def _steps(
    parts: Parts, campaign_id: CampaignId, person: PersonId, org: OrgMember | None, asked: ServiceStory | None
) -> Iterator[Step]:
    steps = [*_of_runs(parts, campaign_id, person, org)]
    ours = any(step.field == "synced" and step.state == "written" and step.after is not None for step in steps)
    # Which run set the marker is told with that run; its value is the instant at which that run began.
    steps += (step for step in _of_org(org) if not (ours and step.field == "synced"))
    if asked is not None:
        steps += _of_service(asked, parts.store.facts.client_id())
    long_ago = datetime.min.replace(tzinfo=UTC)
    yield from sorted(steps, key=lambda step: step.at or long_ago)


def _of_runs(parts: Parts, campaign_id: CampaignId, person: PersonId, org: OrgMember | None) -> Iterator[Step]:
    """What runs of this console wrote, or tried to."""
    journal, kinds = parts.store.journal, dict[RunId, RunKind | None]()
    people = [person]
    if org is not None and org.lead_id and org.lead_id != person:
        people.append(PersonId(org.lead_id))  # before its conversion the member was the lead's
    for key in people:
        for where in (campaign_id, CampaignId("")):
            for run, at, row in reversed(journal.history(where, key, limit=_MOST_ROWS)):
                if run not in kinds:
                    view = parts.store.runs.get(run)
                    kinds[run] = None if view is None else view.kind
                yield _of_row(run, kinds[run], at, row)


def _of_row(run: RunId, kind: RunKind | None, at: datetime, row: JournalRow) -> Step:
    where = "Predictive" if row.side is Side.PREDICTIVE else "Salesforce"
    what = {
        Change.ADD: f"added to {where}",
        Change.REMOVE: f"removed from {where}",
        Change.ORPHAN: f"removed from {where}, accepted by a person",
        Change.OPT_IN: "opted in again by an operator",
    }.get(row.change, f"{row.field.replace('_', ' ')} written to {where}")
    if row.state != "written":
        what = f"{what}: {row.state}, {row.message}".rstrip(", ")
    elif row.reason:
        what = f"{what}: {row.reason}"
    return Step(
        at=at,
        source="run",
        text=what,
        field=row.field,
        before=_text(row.before),
        after=_text(row.after),
        state=row.state,
        run=run,
        kind=kind,
        rule=row.rule,
        code=row.code,
        remedy=row.remedy,
    )


def _of_org(org: OrgMember | None) -> Iterator[Step]:
    if org is None:
        return
    if org.created is not None:
        yield Step(org.created, "salesforce", "member row created in Salesforce", field="member", after=org.member_id)
    if org.synced is not None:
        yield Step(org.synced, "salesforce", "marked as synced", field="synced")
    if org.stamp is not None and org.stamp != org.created:
        yield Step(org.stamp, "salesforce", "last change of the member, its lead or its contact")


def _of_service(asked: ServiceStory, ours: str) -> Iterator[Step]:
    before: ServiceMember | None = None
    for entry in asked.recorded:
        if entry.client != ours:  # what this console wrote is told by its runs
            yield from _of_entry(entry, before)
        before = entry.member if entry.member is not None or entry.removed else before
    for each in asked.editions:
        if each.mail is None:
            continue
        name = f"edition {each.slot} {each.name}"
        known = each.mail.state == "sent"
        sent = f"{name} mailed to {each.mail.email}" if known else f"{name}: the mail's fate is unknown"
        came = [
            word
            for word in ("opened", "clicked", "completed", "bounced", "opted_out", "complained")
            if getattr(each.mail, word)
        ]
        text = f"{sent}; since then {', '.join(came).replace('_', ' ')}" if came else sent
        yield Step(each.mail.at, "predictive", text, field="mail", after=each.mail.state)
    for held in asked.suppressions:
        yield Step(held.at, "predictive", _suppressed(held), field="opted_out", after=held.reason)


def _suppressed(held: Suppression) -> str:
    where = "everywhere" if held.scope == "global" else "in this campaign"
    return f"held back {where}: {held.kind.replace('_', ' ')}{f' ({held.reason})' if held.reason else ''}"


def _of_entry(entry: Recorded, before: ServiceMember | None) -> Iterator[Step]:
    who = "by another client" if entry.client else "by mail activity or the service itself"
    if entry.opted_out is not None:
        what = "opted out everywhere" if entry.opted_out else "opted in again"
        why = f": {entry.reason}" if entry.reason else ""
        yield Step(entry.at, "predictive", f"{what} {who}{why}", field="opted_out", after=_text(entry.opted_out))
        return
    if entry.removed:
        yield Step(entry.at, "predictive", f"removed {who}", field="member", before="member")
        return
    now = entry.member
    if now is None:
        return
    if before is None:
        yield Step(entry.at, "predictive", f"recorded {who}", field="member", after="member")
        return
    for name in (*FIELDS, "hold"):
        left, right = getattr(before, name), getattr(now, name)
        if left != right:
            text = f"{name.replace('_', ' ')} changed {who}"
            yield Step(entry.at, "predictive", text, field=name, before=_text(left), after=_text(right))


# ---------------------------------------------------------------- mailed or not


def _with_ours(
    parts: Parts, record: CampaignRecord | None, base: BaseMember | None, edition: EditionStory
) -> EditionStory:
    """The service's conditions, and those that only this console knows: login, pause, lock-out, visibility."""
    last = parts.store.ledger.last_answer(Side.SALESFORCE)
    login = Condition(
        "salesforce_login",
        "The Salesforce login is valid: the hourly run reads the org before it sends",
        "not used yet" if last is None else f"last answer {last[0]:%Y-%m-%d %H:%M} UTC, status {last[1]}",
        last is None or last[1] != _REFUSED_LOGIN,
    )
    stopped = None if record is None else record.locked or record.paused
    going = Condition(
        "campaign_going",
        "The campaign is neither paused nor locked in this console",
        stopped or "neither paused nor locked",
        stopped is None,
    )
    hidden = base is not None and base.invisible
    seen = Condition(
        "member_visible",
        "The member can be seen in Salesforce",
        "it cannot be seen any more, and is not proven to be removed" if hidden else "visible",
        not hidden,
    )
    ours = (going, seen, login)
    due = edition.due and all(each.holds for each in ours)
    return replace(edition, due=due, conditions=(*edition.conditions, *ours))


def _verdict(
    campaign: Campaign, org: OrgMember | None, asked: ServiceStory | None, editions: tuple[EditionStory, ...]
) -> str:
    if asked is None:
        return f"not mailed: {campaign.name} was never started in Predictive (New Edition was not done)"
    if asked.member is None and asked.removed:
        return "not mailed: the member was removed; suppression and send history are kept by person"
    if asked.member is None:
        where = "Salesforce has the member, the next sync brings it" if org else "neither side has such a member now"
        return f"not mailed: Predictive has no such member; {where}"
    due = [f"{each.slot} {each.name}" for each in editions if each.verdict == "due"]
    if due:
        return f"would be mailed by the next hourly run: edition {', '.join(due)}"
    if not editions:
        return "not mailed: the campaign has no editions"
    open_ones = [each for each in editions if each.mail is None]
    if not open_ones:
        return "every edition was mailed"
    # The edition that is nearest to being sent tells most.
    nearest = min(open_ones, key=lambda each: (sum(not one.holds for one in each.conditions), each.slot))
    decided = nearest.decided
    assert decided is not None
    return f"not mailed now: edition {nearest.slot} {nearest.name}: {decided.failing} [{decided.rule}]"


def _notes(
    org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None, asked: ServiceStory | None
) -> Iterator[str]:
    if base is not None and base.note:
        yield base.note
    if service is not None and service.hold:
        yield f"held in Predictive: {service.hold}"
    if org is not None and service is not None and org.opted_out and not service.opted_out:
        yield "the opt-out box in Salesforce is ticked, Predictive has the person opted in; clear the box there"
    if org is not None and service is not None and service.opted_out and not org.opted_out:
        yield "opted out in Predictive; the box in Salesforce is not ticked (a cleared box is no opt-in)"
    if org is not None and base is not None and base.org_digest and base.org_digest != org_digest(org):
        yield "Salesforce changed since the last sync"
    if asked is not None and asked.from_slot is not None:
        yield f"opted in again: editions before number {asked.from_slot} are never mailed to this member"
