"""Properties of the merge over generated members: applied to a tiny pure model of both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.draft import COUNTERS, Fact, MergeContext, Merged
from sync.mapping import may_write
from sync.merge import merge, on_arrival
from sync.model import BaseMember, Level, OrgMember, PersonKind, RunKind, ServiceMember, Side
from sync.plan import Change
from sync.settle import equal, settle
from tests.unit.members import AT, CAMPAIGN, LEAD, MEMBER, agreed, context, org_member, service_member

OFF: frozenset[str] = frozenset()
statuses = st.sampled_from(["Sent", "Opened", "Responded"])
levels = st.sampled_from([None, *(level.value for level in Level)])
reasons = st.sampled_from([None, "Bounce", "Opt Out Direct"])
counters = st.integers(0, 3)
kinds = st.sampled_from([RunKind.INITIAL, RunKind.MANUAL, RunKind.NIGHTLY, RunKind.HOURLY, RunKind.REFRESH])

person = {
    "first_name": st.sampled_from([None, "Ada", "Æda"]),
    "last_name": st.sampled_from(["Lovelace", "King"]),
    "email": st.sampled_from([None, "ada@example.org", "king@example.org"]),
    "test_member": st.booleans(),
    "opted_out": st.booleans(),
    "status": statuses,
    "level": levels,
    "reason": reasons,
    "active": st.booleans(),
    **dict.fromkeys(COUNTERS, counters),
}
org_members = st.builds(org_member, synced=st.sampled_from([None, AT]), **person)
service_members = st.builds(service_member, **person)
bases = st.one_of(st.none(), st.builds(agreed, org_members, service_members))


def apply_rows(
    org: OrgMember | None, service: ServiceMember | None, merged: Merged
) -> tuple[OrgMember | None, ServiceMember | None]:
    """Both sides after the rows were written, as two obedient systems would have it."""
    for row in merged.rows:
        if row.offered:
            continue
        if row.change is Change.ADD:
            assert org is not None
            active, reason = on_arrival(org)
            fields = {"active": active, "reason": reason} | {
                name: value for name, value in row.values.items() if name not in ("added_at", "lead_id")
            }
            service = ServiceMember(CAMPAIGN, LEAD, MEMBER, PersonKind.LEAD, **({"status": "Sent"} | fields))
        elif row.change is Change.REMOVE:
            service = None
        elif row.side is Side.PREDICTIVE:
            assert service is not None
            service = replace(service, **{row.field: row.after})
        else:
            assert org is not None
            value: object = row.after
            if row.field == "synced" and row.after is not None:
                value = datetime.fromisoformat(str(row.after))
            org = replace(org, **{row.field: value})
    return org, service


def settle_after(
    org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None, merged: Merged
) -> BaseMember | None:
    if org is None or service is None:
        return None
    return settle(org, service, base, off=OFF, digests=("o", "s"), rejected=Fact.REJECTED in merged.facts)


@given(st.none() | org_members, st.none() | service_members, bases, kinds, st.booleans())
def test_no_write_against_the_owner(
    org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None, kind: RunKind, invisible: bool
) -> None:
    for row in merge(org, service, base, context(kind), invisible=invisible).rows:
        assert may_write(row.field, row.side)
        if kind not in (RunKind.INITIAL, RunKind.MANUAL, RunKind.NIGHTLY):
            assert row.side is Side.SALESFORCE
        elif row.side is Side.SALESFORCE:
            assert row.on_arrival
            assert row.field in ("synced", "active", "reason")


@given(st.none() | org_members, st.none() | service_members, bases, kinds)
def test_a_run_repeated_writes_nothing(
    org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None, kind: RunKind
) -> None:
    first = merge(org, service, base, context(kind))
    after_org, after_service = apply_rows(org, service, first)
    after_base = settle_after(after_org, after_service, base, first)
    again = merge(after_org, after_service, after_base, context(kind))
    assert [row for row in again.rows if not row.offered] == []


@given(org_members, service_members, bases)
def test_manual_then_hourly_leaves_both_sides_equal_but_for_what_is_held(
    org: OrgMember, service: ServiceMember, base: BaseMember | None
) -> None:
    held: set[Fact] = set()
    sides: tuple[OrgMember | None, ServiceMember | None] = (org, service)
    for kind in (RunKind.MANUAL, RunKind.HOURLY):
        merged = merge(*sides, base, context(kind))
        held |= merged.facts & {Fact.HELD, Fact.REJECTED}
        sides = apply_rows(*sides, merged)
        base = settle_after(*sides, base, merged)
    assert sides[0] is not None
    assert sides[1] is not None
    assert held or equal(*sides, OFF)  # type: ignore[arg-type]


@given(org_members, service_members, bases)
def test_salesforce_wins_where_both_changed(org: OrgMember, service: ServiceMember, base: BaseMember | None) -> None:
    merged = merge(org, service, base, context())
    _, after = apply_rows(org, service, merged)
    assert after is not None
    for name in ("first_name", "last_name", "email", "test_member"):
        assert getattr(after, name) == getattr(org, name)
    changed_there_only = base is not None and base.status == org.status
    if not changed_there_only and Fact.HELD not in merged.facts:
        assert after.status == org.status


@given(org_members, service_members, bases, kinds)
def test_an_opt_out_is_never_undone(
    org: OrgMember, service: ServiceMember, base: BaseMember | None, kind: RunKind
) -> None:
    after_org, after_service = apply_rows(org, service, merge(org, service, base, context(kind)))
    assert after_org is not None
    assert after_service is not None
    assert after_service.opted_out or not service.opted_out
    assert after_org.opted_out or not org.opted_out


@given(org_members, service_members, bases)
def test_counters_and_levels_in_the_org_only_rise(
    org: OrgMember, service: ServiceMember, base: BaseMember | None
) -> None:
    after, _ = apply_rows(org, service, merge(org, service, base, context(RunKind.HOURLY)))
    assert after is not None
    assert all(getattr(after, name) >= getattr(org, name) for name in COUNTERS)
    rank = [None, *(level.value for level in Level)]
    assert rank.index(after.level) >= rank.index(org.level)


@given(org_members, service_members, bases)
def test_our_own_write_makes_no_echo(org: OrgMember, service: ServiceMember, base: BaseMember | None) -> None:
    """What the hourly run wrote into the org is no change of the org for the next sync."""
    merged = merge(org, service, base, context(RunKind.HOURLY))
    after = apply_rows(org, service, merged)
    settled = settle_after(*after, base, merged)
    rows = merge(*after, settled, context()).rows
    fields = {row.field for row in merged.rows}
    assert not [row for row in rows if row.side is Side.PREDICTIVE and row.field in fields]


@settings(max_examples=50)
@given(org_members, bases)
def test_what_is_not_visible_is_never_written_or_removed(org: OrgMember, base: BaseMember | None) -> None:
    merged = merge(org, service_member(), base, context(), invisible=True)
    assert {row.change for row in merged.rows} <= {Change.HOLD}


def test_unknown_statuses_never_reach_either_side() -> None:
    for kind in RunKind.MANUAL, RunKind.HOURLY:
        for org, service in (("Bogus", "Sent"), ("Sent", "Bogus"), ("Bogus", "Other")):
            merged = merge(org_member(status=org), service_member(status=service), agreed(), context(kind))
            assert not [row for row in merged.rows if row.field == "status"]


def test_context_says_what_goes_where() -> None:
    assert MergeContext(RunKind.NIGHTLY, (), AT).inbound
    assert not MergeContext(RunKind.HOURLY, (), AT).inbound
