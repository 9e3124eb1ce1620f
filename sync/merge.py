"""The truth table of the three-way merge: one member on both sides and what was last agreed, in; plan rows, out.

Pure. Decides by the ownership rules of ``sync.mapping.OWNERS``: membership, names, e-mail and test flag are the org's;
level, reason, active flag and counters are the service's; status is merged three ways (``sync.status``); the opt-out
box goes one way each. Which changes a run may write depends on its kind, see :class:`MergeContext`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sync.activity import merge_activity
from sync.draft import COUNTERS, Draft, Fact, MergeContext, Merged, Rejection
from sync.holds import MEMBER, UNDO_HOLD, is_held, let_go
from sync.mapping import Mapping
from sync.model import BaseMember, OrgMember, RunKind, ServiceMember, Side, StatusState
from sync.plan import Change, Scalar
from sync.rules import Rule
from sync.status import Direction, agreed_of_row, decide_status

PERSON_FIELDS = (
    ("first_name", Change.NAME),
    ("last_name", Change.NAME),
    ("email", Change.EMAIL),
    ("test_member", Change.TEST_FLAG),
)
SEEDED = ("level", "reason", "active", *COUNTERS)

_REMEMBERED = ("first_name", "last_name", "email", "status", "test_member", "opted_out", *SEEDED)
"""What the plan row of a removal keeps, so that it can be undone."""

NO_EMAIL = "No Email"
OPTED_OUT_BEFORE = "Opt Out Previous"

ORPHAN_HOLD = "orphan: not a member of the campaign in Salesforce"
INVISIBLE_HOLD = "invisible: the member cannot be seen in Salesforce any more"
OUR_HOLDS = frozenset({ORPHAN_HOLD, INVISIBLE_HOLD, UNDO_HOLD})

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@lru_cache(maxsize=8)
def fields_off(mapping: Mapping) -> frozenset[str]:
    """Our member field names for which the mapping has no API name."""
    names = ("level", "reason", "test_member", "synced", "active", *COUNTERS)
    return frozenset(name for name in names if not getattr(mapping, f"member_{name}"))


def is_address(text: str | None) -> bool:
    """True when *text* has the form of an e-mail address."""
    return bool(text) and _ADDRESS.fullmatch(text or "") is not None


def on_arrival(org: OrgMember) -> tuple[bool, str | None]:
    """The (active, reason) that the service is expected to give a member it sees for the first time."""
    if org.opted_out:
        return False, OPTED_OUT_BEFORE
    return (True, None) if is_address(org.email) else (False, NO_EMAIL)


def merge(
    org: OrgMember | None,
    service: ServiceMember | None,
    base: BaseMember | None,
    context: MergeContext,
    *,
    invisible: bool = False,
    known_as: ServiceMember | None = None,
) -> Merged:
    """Decide what one member needs.

    Args:
        org: the row last seen in the org. None means that it is known not to be a member: never seen, or its removal
            was proven by a complete read. A row that merely vanished from sight stays here with ``invisible``.
        service: the service's row; for a converted lead or a merged record the row under the former id.
        base: what was last agreed, None when there was never a run that settled this member.
        context: run kind, labels, instant, fields off.
        invisible: the org's row can no longer be seen, and nothing proves that it is gone.
        known_as: a second row that the service has of the same human under a former id; the two become one.
    """
    if base is not None and Rule.UNDO_HELD not in context.rules:
        base = let_go(base)
    if org is None:
        return _without_org(service, base, context)
    if invisible:
        drafts = [Draft(service or org, service)]
        if known_as is not None:
            drafts.append(Draft(known_as, known_as))
        parts = [_invisible(each, context) for each in drafts]
        return replace(parts[0], rows=tuple(row for each in parts for row in each.rows))
    draft = Draft(org, service)
    if service is None:
        if is_held(base, MEMBER, org.member_id):
            draft.facts.add(Fact.HELD)
        elif context.inbound and Rule.MEMBER_ADDED in context.rules:
            _add(draft, org, base, context)
        return draft.done()
    _identity(draft, org, service, known_as, context)
    _person_fields(draft, org, service, base, context)
    _status(draft, org, service, base, context)
    _opt_out(draft, org, service, base, context)
    merge_activity(draft, org, service, base, context)
    if context.inbound:
        if service.hold in OUR_HOLDS and Rule.SEEN_AGAIN in context.rules and not is_held(base, "email", org.email):
            draft.row(
                Side.PREDICTIVE, Change.HOLD, "hold", service.hold, None, "it is a visible member again", "hold-lifted"
            )
        if org.synced is None:
            _arrival_rows(draft, org, service.active, service.reason, context, base)
    return draft.done()


def _without_org(service: ServiceMember | None, base: BaseMember | None, context: MergeContext) -> Merged:
    """The org has no such member: a proven removal, an orphan, or nothing at all."""
    if service is None:
        return Merged(facts=frozenset({Fact.FORGOTTEN})) if base is not None else Merged()
    if is_held(base, MEMBER, None):
        return Merged(facts=frozenset({Fact.HELD}))
    if not context.inbound:
        return Merged()
    draft = Draft(service, service)
    if base is not None or Rule.ORPHAN_HELD not in context.rules:
        if Rule.MEMBER_REMOVED not in context.rules:
            return Merged()
        draft.facts.add(Fact.REMOVED)
        draft.row(
            Side.PREDICTIVE,
            Change.REMOVE,
            "member",
            draft.label,
            None,
            "removed from the campaign in Salesforce",
            "salesforce-owns",
            values={name: getattr(service, name) for name in _REMEMBERED},
        )
        return draft.done()
    draft.facts |= {Fact.ORPHAN, Fact.HELD}
    draft.notes.append(
        f"{draft.label} is a member in Predictive only and was never agreed; it is kept and not mailed. "
        "Add it to the campaign in Salesforce, or remove it in Predictive"
    )
    if service.hold is None:
        draft.row(
            Side.PREDICTIVE,
            Change.HOLD,
            "hold",
            None,
            ORPHAN_HOLD,
            "member in Predictive only, never agreed: not deleted, not mailed",
            "orphan",
        )
    draft.row(
        Side.PREDICTIVE,
        Change.ORPHAN,
        "member",
        draft.label,
        None,
        "member in Predictive only: removed only if a person accepts this very row",
        "orphan",
        values={name: getattr(service, name) for name in _REMEMBERED},
    )
    return draft.done()


def _invisible(draft: Draft, context: MergeContext) -> Merged:
    """One row of the service's is held, whatever id it knows the human by."""
    draft.facts.add(Fact.INVISIBLE)
    service = draft.service
    if context.inbound and service is not None and service.hold is None:
        draft.row(
            Side.PREDICTIVE,
            Change.HOLD,
            "hold",
            None,
            INVISIBLE_HOLD,
            "no longer visible in Salesforce, and not proven to be removed: kept, not mailed",
            "invisible",
        )
    return draft.done()


def _add(draft: Draft, org: OrgMember, base: BaseMember | None, context: MergeContext) -> None:
    draft.facts.add(Fact.ADDED)
    values: dict[str, Any] = {
        "first_name": org.first_name,
        "last_name": org.last_name,
        "email": org.email,
        "status": org.status,
        "test_member": org.test_member,
        "opted_out": org.opted_out and Rule.OPT_OUT_ARRIVES in context.rules,
        # As the service is told it: text needs no second spelling wherever the row is kept.
        "added_at": None if org.created is None else _spelled(org.created),
    }
    decision = decide_status(org.status, org.status, None, context.labels)
    if decision.rejected is not None:
        values.pop("status")
        _reject(draft, Side.PREDICTIVE, decision.rejected)
    active, reason = on_arrival(org)
    adopted = org.synced is not None or org.level is not None or org.reason is not None
    adopted = adopted and Rule.ADOPTION in context.rules
    if adopted:
        values |= {name: getattr(org, name) for name in SEEDED if name not in context.off}
        active = org.active if "active" not in context.off else active
    why = "new member in Salesforce"
    if base is not None:
        why = "is a member in Salesforce, gone in Predictive"
    elif adopted:
        why = "adopted with the level, reason and counters that Salesforce holds"
    if org.lead_id and org.lead_id != org.person_id:
        values["lead_id"] = org.lead_id
    draft.row(
        Side.PREDICTIVE,
        Change.ADD,
        "member",
        None,
        draft.label,
        why,
        "adoption" if adopted else "salesforce-owns",
        values=values,
    )
    if org.synced is None:
        _arrival_rows(draft, org, active, reason if not adopted else org.reason, context)


def _arrival_rows(
    draft: Draft,
    org: OrgMember,
    active: bool,
    reason: str | None,
    context: MergeContext,
    base: BaseMember | None = None,
) -> None:
    """Marker, active flag and reason of a member that the org does not show as synced yet."""
    if Rule.MARKER not in context.rules:
        return
    rows: tuple[tuple[Change, str, Scalar, Scalar], ...] = (
        (Change.MARKER, "synced", None, _spelled(context.at)),
        (Change.MARKER, "active", org.active, active),
        (Change.REASON, "reason", org.reason, reason),
    )
    written = {row.field for row in draft.rows if row.side is Side.SALESFORCE}
    for change, field, before, after in rows:
        if field in context.off or field in written or (before == after and field != "active"):
            continue
        if before != after and is_held(base, field, after):
            continue
        draft.row(
            Side.SALESFORCE, change, field, before, after, "known to Predictive now", "predictive-owns", arriving=True
        )


@lru_cache(maxsize=64)
def _spelled(at: datetime) -> str:
    return at.isoformat()


def _identity(
    draft: Draft, org: OrgMember, service: ServiceMember, known_as: ServiceMember | None, context: MergeContext
) -> None:
    if not context.inbound:
        return
    former = known_as or (service if service.person_id != org.person_id else None)
    if former is not None:
        converted = org.lead_id == former.person_id
        why = "the lead was converted" if converted else "two records were merged in Salesforce"
        goes_on = "the contact" if converted else "the one that is left"
        draft.row(
            Side.PREDICTIVE,
            Change.IDENTITY,
            "member_id",
            former.person_id,
            org.person_id,
            f"{why}: the member goes on as {goes_on}, with level, reason and history",
            "salesforce-owns",
            values={"was": former.person_id},
        )
    elif service.member_id != org.member_id and Rule.MEMBER_ID in context.rules:
        draft.row(
            Side.PREDICTIVE,
            Change.IDENTITY,
            "member_id",
            service.member_id,
            org.member_id,
            "removed and added again in Salesforce" if service.member_id else "its CampaignMember id is known now",
            "salesforce-owns",
        )


def _person_fields(
    draft: Draft, org: OrgMember, service: ServiceMember, base: BaseMember | None, context: MergeContext
) -> None:
    if not context.inbound or Rule.PERSON_FIELDS not in context.rules:
        return
    for field, change in PERSON_FIELDS:
        theirs, ours = getattr(org, field), getattr(service, field)
        if field in context.off or (theirs or None) == (ours or None):
            continue
        if is_held(base, field, theirs):
            draft.facts.add(Fact.HELD)
            continue
        draft.row(Side.PREDICTIVE, change, field, ours, theirs, "changed in Salesforce", "salesforce-owns")


def _reject(draft: Draft, side: Side, value: str | None) -> None:
    draft.facts.add(Fact.REJECTED)
    draft.rejections.append(
        Rejection(
            side=side,
            field="status",
            value=value,
            code="UNKNOWN_STATUS",
            message=f"{value!r} is not a member status of this campaign",
            remedy="give the member one of the campaign's own, then sync again; or add it to the campaign, then retry",
        )
    )


def _status(
    draft: Draft, org: OrgMember, service: ServiceMember, base: BaseMember | None, context: MergeContext
) -> None:
    if Rule.STATUS not in context.rules:
        return
    agreed = agreed_of_row(base, org.member_id)
    decision = decide_status(org.status, service.status, agreed, context.labels, context.rules)
    if decision.waits:
        refused = agreed is not None and agreed.status_state is StatusState.REJECTED
        draft.facts.add(Fact.STILL_REJECTED if refused else Fact.HELD)
        return
    to_service = decision.direction is Direction.TO_SERVICE
    to_org = decision.direction is Direction.TO_ORG
    if to_org and context.inbound:
        draft.facts.add(Fact.PENDING)
    if not (to_service and context.inbound) and not (to_org and context.kind is RunKind.HOURLY):
        return
    side = Side.PREDICTIVE if to_service else Side.SALESFORCE
    if decision.conflict:
        draft.facts.add(Fact.CONFLICT)
    if decision.rejected is not None:
        _reject(draft, side, decision.rejected)
        return
    before, after = (service.status, org.status) if to_service else (org.status, service.status)
    draft.row(side, Change.STATUS, "status", before, after, decision.reason, decision.rule, conflict=decision.conflict)


def _opt_out(
    draft: Draft, org: OrgMember, service: ServiceMember, base: BaseMember | None, context: MergeContext
) -> None:
    """One way each: a tick opts out in the service, a global opt-out ticks the box; nothing here ever opts in."""
    if org.opted_out == service.opted_out:
        return
    agreed = base is not None and base.opted_out and Rule.NO_OPT_IN in context.rules
    if agreed:
        draft.facts.add(Fact.HELD)
        draft.notes.append(
            f"{draft.label}: the opt-out box was cleared in Salesforce; that is no opt-in, Predictive stays opted out"
            if service.opted_out
            else f"{draft.label}: opted in in Predictive, the opt-out box in Salesforce is still ticked; clear it there"
        )
    elif org.opted_out:
        if context.inbound and Rule.BOX_OPTS_OUT in context.rules:
            draft.row(
                Side.PREDICTIVE, Change.OPT_OUT, "opted_out", False, True, "opt-out box ticked in Salesforce", "opt-out"
            )
    elif context.kind is RunKind.HOURLY and Rule.OPT_OUT_TICKS in context.rules:
        draft.row(
            Side.SALESFORCE,
            Change.OPT_OUT,
            "opted_out",
            False,
            True,
            "opted out of everything in Predictive",
            "opt-out",
            person=True,
        )
    else:
        draft.facts.add(Fact.PENDING)
