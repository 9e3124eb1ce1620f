"""Undo over generated members: what a run wrote goes back, is not silently redone, and a release lets the owner win."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.draft import Merged
from sync.holds import MEMBER, UNDO_HOLD
from sync.merge import merge
from sync.model import BaseMember, OrgMember, RunKind, ServiceMember, Side, StatusState
from sync.plan import PlanRow
from sync.settle import kept_in, kept_out, settle
from sync.undo import Inverse, Stays, invert
from tests.unit.members import LABELS, context, org_member, service_member
from tests.unit.test_merge_properties import (
    OFF,
    apply_rows,
    bases,
    org_members,
    service_members,
    settle_after,
)

Sides = tuple[OrgMember | None, ServiceMember | None]
runs = st.sampled_from([RunKind.MANUAL, RunKind.HOURLY, RunKind.REFRESH])
every = (RunKind.MANUAL, RunKind.NIGHTLY, RunKind.HOURLY, RunKind.REFRESH)


def taken_back(rows: tuple[PlanRow, ...], sides: Sides) -> Inverse:
    org, service = sides
    return invert(rows, (org,) if org else (), service, LABELS, "r1")


def applied(sides: Sides, inverse: Inverse) -> Sides:
    """Both sides after the inverse was written; who comes back is as the service keeps people it knew."""
    (come, rest) = ([], [])  # type: tuple[list[PlanRow], list[PlanRow]]
    for row in inverse.merged.rows:
        (come if row.field == MEMBER and row.before is None else rest).append(row)
    org, service = apply_rows(*sides, Merged(tuple(rest)))
    for row in come:
        service = service_member(**{"active": False, "version": 9} | dict(row.values))
    return org, service


def base_after(sides: Sides, base: BaseMember | None, rows: tuple[PlanRow, ...]) -> BaseMember | None:
    """The base as apply leaves it."""
    org, service = sides
    if org is None or service is None:
        if not any(row.held for row in rows):
            return base if rows == () else None
        if org is not None:
            return kept_out(org, base)
        return kept_in(service) if service is not None else None
    restored = {row.field: row.side for row in rows if row.held and row.field != MEMBER}
    return settle(org, service, base, off=OFF, digests=("o", "s"), restored=restored)


@settings(max_examples=150, deadline=None)
@given(st.none() | org_members, st.none() | service_members, bases, runs)
def test_what_a_run_wrote_goes_back_and_is_not_redone(
    org: OrgMember | None, service: ServiceMember | None, base: BaseMember | None, kind: RunKind
) -> None:
    first = merge(org, service, base, context(kind))
    after = apply_rows(org, service, first)
    agreed = settle_after(*after, base, first)
    inverse = taken_back(first.rows, after)
    assert inverse.moved == []
    rows = inverse.merged.rows
    back = applied(after, inverse)

    # Back are membership and every value that is not one of those that stay.
    assert (back[1] is None) is (service is None)
    for row in rows:
        if row.field in (MEMBER, "hold", "synced"):
            continue
        now, before = (back[0], org) if row.side is Side.SALESFORCE else (back[1], service)
        assert (getattr(now, row.field) or None) == (getattr(before, row.field) or None)

    # Nothing of it is redone by any run, as long as the owner says nothing new.
    held = {(row.side, row.field) for row in rows if row.held}
    settled = base_after(back, agreed, rows)
    for later in every:
        redone = {(row.side, row.field) for row in merge(*back, settled, context(later)).rows}
        assert not held & redone
        if (Side.PREDICTIVE, MEMBER) in held:
            assert redone == set()

    # A second undo finds everything as it was.
    again = taken_back(first.rows, back)
    assert (again.merged.rows, again.moved) == ((), [])


@settings(max_examples=100, deadline=None)
@given(org_members, service_members, bases, st.sampled_from(["first_name", "last_name", "email", "status"]))
def test_a_release_or_a_new_word_of_the_owner_counts_again(
    org: OrgMember, service: ServiceMember, base: BaseMember | None, name: str
) -> None:
    first = merge(org, service, base, context())
    after = apply_rows(org, service, first)
    inverse = taken_back(first.rows, after)
    if not any(row.field == name and row.held for row in inverse.merged.rows):
        return
    back = applied(after, inverse)
    settled = base_after(back, settle_after(*after, base, first), inverse.merged.rows)
    assert settled is not None
    wanted = getattr(org, name)

    released = replace(settled, holds=(), status_state=StatusState.PENDING)
    rows = {row.field: row.after for row in merge(*back, released, context()).rows if row.side is Side.PREDICTIVE}
    assert rows[name] == wanted

    anew = replace(
        back[0] or org, **{name: "Opened" if wanted != "Opened" else "Sent"} if name == "status" else {name: "New"}
    )
    if getattr(anew, name) == getattr(back[1], name):
        return
    rows = {
        row.field: row.after for row in merge(anew, back[1], settled, context()).rows if row.side is Side.PREDICTIVE
    }
    assert rows[name] == getattr(anew, name)


def test_nobody_is_mailed_at_an_address_that_salesforce_does_not_have() -> None:
    org = org_member(email="new@example.org")
    written = merge(org, service_member(), None, context()).rows
    now = service_member(email="new@example.org", status="Sent")
    rows = taken_back(written, (org, now)).merged.rows
    assert [(row.field, row.after) for row in rows] == [("email", "ada@example.org"), ("hold", UNDO_HOLD)]
    # The org goes back to the old address itself: then nothing is held.
    rows = taken_back(written, (org_member(), now)).merged.rows
    assert [(row.field, row.after, row.held) for row in rows] == [("email", "ada@example.org", False)]


def test_what_stays_is_named_and_what_moved_is_left() -> None:
    org, service = org_member(opted_out=True, last_name="King", status="Opened"), service_member()
    written = merge(org, service, None, context()).rows
    now = service_member(opted_out=True, last_name="Byron", status="Opened")
    inverse = taken_back(written, (org, now))
    assert inverse.stays == [Stays.OPT_OUT]
    assert [row.field for row in inverse.moved] == ["last_name"]
    assert [(row.field, row.before, row.after) for row in inverse.merged.rows] == [("status", "Opened", "Sent")]
    labels = tuple(label for label in LABELS if label.label != "Sent")
    assert Stays.LABEL in invert(written, (org,), now, labels, "r1").stays
