"""The part of the merge that goes from the service to the org: level, reason, active flag, counters.

Pure. Values only rise where they can only rise: what would run backwards is noted and not written, and a value of the
org is never overwritten by nothing (a first contact, a service that started anew).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sync.draft import COUNTERS, Draft, Fact, MergeContext
from sync.holds import is_held
from sync.model import BaseMember, Level, OrgMember, RunKind, ServiceMember, Side
from sync.plan import Change, Scalar
from sync.rules import Rule

_OWNED = ("level", "reason", "active", *COUNTERS)


def merge_activity(
    draft: Draft, org: OrgMember, service: ServiceMember, base: BaseMember | None, context: MergeContext
) -> None:
    """Level, reason, active flag and counters: written by hourly, the first three by refresh, else pending."""
    if Rule.ACTIVITY not in context.rules:
        return
    if context.inbound and org.synced is None:
        wanted = [item for item in _outbound(draft, org, service, base, context) if item[1] not in ("reason", "active")]
    else:
        wanted = list(_outbound(draft, org, service, base, context))
    for change, field, before, after in wanted:
        if _may_go(context.kind)(change):
            draft.row(Side.SALESFORCE, change, field, before, after, "activity in Predictive", "predictive-owns")
        else:
            draft.facts.add(Fact.PENDING)


def _may_go(kind: RunKind) -> Callable[[Change], bool]:
    if kind is RunKind.HOURLY:
        return lambda change: True
    if kind is RunKind.REFRESH:
        return lambda change: change in (Change.LEVEL, Change.REASON)
    return lambda change: False


def _outbound(
    draft: Draft, org: OrgMember, service: ServiceMember, base: BaseMember | None, context: MergeContext
) -> Iterable[tuple[Change, str, Scalar, Scalar]]:
    """What of the service's own fields the org lacks; what would run backwards is noted and left."""
    held = {name for name in _OWNED if is_held(base, name, getattr(service, name)) and _differs(org, service, name)}
    if held:
        draft.facts.add(Fact.HELD)
    if "level" not in context.off | held and service.level != org.level:
        if _rank(service.level) > _rank(org.level) or Rule.NEVER_BACK not in context.rules:
            yield Change.LEVEL, "level", org.level, service.level
        else:
            _backwards(draft, "level", service.level, org.level)
    clears = service.reason is None and org.reason is not None
    agreed = base is not None and base.reason == org.reason
    if clears and not agreed and Rule.NEVER_BACK in context.rules:
        if "reason" not in context.off | held:
            _backwards(draft, "reason", service.reason, org.reason)
    else:
        if "reason" not in context.off | held and service.reason != org.reason:
            yield Change.REASON, "reason", org.reason, service.reason
        if "active" not in context.off | held and service.active != org.active:
            yield Change.REASON, "active", org.active, service.active
    for name in COUNTERS:
        ours, theirs = getattr(service, name), getattr(org, name)
        if name in context.off | held or ours == theirs:
            continue
        if ours < theirs and Rule.NEVER_BACK in context.rules:
            _backwards(draft, name, ours, theirs)
        else:
            yield Change.COUNTERS, name, theirs, ours


def _differs(org: OrgMember, service: ServiceMember, name: str) -> bool:
    return bool(getattr(org, name) != getattr(service, name))


def _backwards(draft: Draft, field: str, service: object, org: object) -> None:
    draft.facts.add(Fact.HELD)
    there = "nothing" if service is None else f"only {service!r}"
    draft.notes.append(
        f"{draft.label}: {field} is {org!r} in Salesforce and {there} in Predictive; such a "
        "value never goes back, so nothing was written"
    )


def _rank(level: str | None) -> int:
    try:
        return -1 if level is None else Level(level).rank
    except ValueError:
        return -1
