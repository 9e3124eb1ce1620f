"""The truth table, a rule a test: each fails when its rule is removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.draft import Fact, Merged
from sync.mapping import Mapping
from sync.merge import INVISIBLE_HOLD, ORPHAN_HOLD, fields_off, merge
from sync.model import PersonKind, RunKind, Side, StatusState
from sync.plan import Change
from sync.settle import settle
from tests.unit.members import AT, CONTACT, LEAD, MEMBER, agreed, context, org_member, service_member

INBOUND = (RunKind.INITIAL, RunKind.MANUAL, RunKind.NIGHTLY)


def written(merged: Merged) -> list[tuple[Side, str, object]]:
    return [(row.side, row.field, row.after) for row in merged.rows]


@pytest.mark.parametrize("kind", [*INBOUND, RunKind.HOURLY, RunKind.REFRESH])
def test_a_member_in_step_needs_nothing(kind: RunKind) -> None:
    assert merge(org_member(), service_member(), agreed(), context(kind)) == Merged()


@pytest.mark.parametrize("kind", INBOUND)
def test_a_new_member_is_added_and_marked(kind: RunKind) -> None:
    merged = merge(org_member(synced=None, active=False), None, None, context(kind))
    add, *arrival = merged.rows
    assert (add.side, add.change, add.values["email"]) == (Side.PREDICTIVE, Change.ADD, "ada@example.org")
    assert "level" not in add.values
    assert [(row.field, row.after, row.on_arrival) for row in arrival] == [
        ("synced", AT.isoformat(), True),
        ("active", True, True),
    ]
    assert merged.facts == {Fact.ADDED}


@pytest.mark.parametrize("kind", [RunKind.HOURLY, RunKind.REFRESH])
def test_hourly_and_refresh_never_add_or_remove(kind: RunKind) -> None:
    assert merge(org_member(synced=None), None, None, context(kind)).rows == ()
    assert merge(None, service_member(), agreed(), context(kind)).rows == ()
    assert merge(None, service_member(), None, context(kind)).rows == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"opted_out": True}, "Opt Out Previous"), ({"email": None}, "No Email"), ({"email": "ada"}, "No Email")],
)
def test_what_arrives_inactive_is_expected_to_be(change: dict[str, object], reason: str) -> None:
    merged = merge(org_member(synced=None, active=False, **change), None, None, context())
    assert {row.field: row.after for row in merged.rows[1:]} == {
        "synced": AT.isoformat(),
        "active": False,
        "reason": reason,
    }


def test_a_member_of_elsewhere_is_adopted_with_what_the_org_holds() -> None:
    merged = merge(org_member(level="Clicked", reason="Bounce", active=False, opens=3), None, None, context())
    (add,) = merged.rows
    assert {name: add.values[name] for name in ("level", "reason", "active", "opens")} == {
        "level": "Clicked",
        "reason": "Bounce",
        "active": False,
        "opens": 3,
    }
    assert add.rule == "adoption"


@pytest.mark.parametrize("kind", INBOUND)
def test_a_proven_removal_is_removed(kind: RunKind) -> None:
    merged = merge(None, service_member(), agreed(), context(kind))
    assert [(row.side, row.change, row.field, row.version) for row in merged.rows] == [
        (Side.PREDICTIVE, Change.REMOVE, "member", 7)
    ]
    assert merged.facts == {Fact.REMOVED}


def test_a_member_gone_on_both_sides_is_forgotten() -> None:
    assert merge(None, None, agreed(), context()) == Merged(facts=frozenset({Fact.FORGOTTEN}))


def test_an_orphan_is_held_reported_and_never_deleted() -> None:
    merged = merge(None, service_member(), None, context())
    hold, offer = merged.rows
    assert (hold.side, hold.field, hold.after, hold.offered) == (Side.PREDICTIVE, "hold", ORPHAN_HOLD, False)
    assert (offer.change, offer.offered) == (Change.ORPHAN, True)
    assert merged.facts == {Fact.ORPHAN, Fact.HELD}
    assert merged.notes
    again = merge(None, service_member(hold=ORPHAN_HOLD), None, context())
    assert [row.offered for row in again.rows] == [True]


def test_whatever_id_the_service_knows_an_invisible_human_by_is_held() -> None:
    contact = service_member(person_id=CONTACT, member_id="00v000000000002AAA")
    merged = merge(org_member(), contact, None, context(), invisible=True, known_as=service_member(person_id=LEAD))
    assert [(row.subject_id, row.after) for row in merged.rows] == [(CONTACT, INVISIBLE_HOLD), (LEAD, INVISIBLE_HOLD)]
    assert merged.facts == {Fact.INVISIBLE}


def test_an_invisible_member_is_kept_and_held() -> None:
    merged = merge(org_member(), service_member(level="Opened"), agreed(), context(), invisible=True)
    assert written(merged) == [(Side.PREDICTIVE, "hold", INVISIBLE_HOLD)]
    assert merged.facts == {Fact.INVISIBLE}
    hourly = merge(org_member(), service_member(level="Opened"), agreed(), context(RunKind.HOURLY), invisible=True)
    assert hourly.rows == ()


def test_our_hold_is_lifted_when_the_member_is_visible_and_nobody_elses() -> None:
    merged = merge(org_member(), service_member(hold=INVISIBLE_HOLD), agreed(), context())
    assert written(merged) == [(Side.PREDICTIVE, "hold", None)]
    assert merge(org_member(), service_member(hold="undo of a run"), agreed(), context()).rows == ()


@pytest.mark.parametrize(
    ("field", "value", "change"),
    [
        ("first_name", "Augusta", Change.NAME),
        ("last_name", "King", Change.NAME),
        ("email", "king@example.org", Change.EMAIL),
        ("email", None, Change.EMAIL),
        ("test_member", True, Change.TEST_FLAG),
    ],
)
def test_what_the_org_owns_is_pushed_and_conditional(field: str, value: object, change: Change) -> None:
    merged = merge(org_member(**{field: value}), service_member(), agreed(), context())
    (row,) = merged.rows
    assert (row.side, row.change, row.field, row.after, row.version) == (Side.PREDICTIVE, change, field, value, 7)
    assert merged.facts == {Fact.CHANGED}
    assert merge(org_member(**{field: value}), service_member(), agreed(), context(RunKind.HOURLY)).rows == ()


def test_status_changed_in_the_org_goes_to_the_service() -> None:
    merged = merge(org_member(status="Responded"), service_member(), agreed(), context())
    assert written(merged) == [(Side.PREDICTIVE, "status", "Responded")]
    assert merged.facts == {Fact.CHANGED}


def test_status_changed_in_the_service_goes_to_the_org_hourly_only() -> None:
    args = org_member(), service_member(status="Opened"), agreed()
    assert written(merge(*args, context(RunKind.HOURLY))) == [(Side.SALESFORCE, "status", "Opened")]
    manual = merge(*args, context())
    assert (manual.rows, manual.facts) == ((), {Fact.PENDING})
    assert merge(*args, context(RunKind.REFRESH)).rows == ()


def test_status_changed_to_the_same_on_both_sides_is_agreed() -> None:
    assert merge(org_member(status="Opened"), service_member(status="Opened"), agreed(), context()) == Merged()


def test_status_changed_on_both_sides_salesforce_wins_and_it_is_a_conflict() -> None:
    merged = merge(org_member(status="Responded"), service_member(status="Opened"), agreed(), context())
    (row,) = merged.rows
    assert (row.side, row.after, row.conflict, row.rule) == (Side.PREDICTIVE, "Responded", True, "salesforce-wins")
    assert merged.facts == {Fact.CONFLICT, Fact.CHANGED}
    hourly = merge(org_member(status="Responded"), service_member(status="Opened"), agreed(), context(RunKind.HOURLY))
    assert hourly.rows == ()


def test_status_different_without_base_salesforce_wins_without_being_a_conflict() -> None:
    merged = merge(org_member(status="Responded"), service_member(), None, context())
    (row,) = merged.rows
    assert (row.side, row.after, row.rule, row.conflict) == (Side.PREDICTIVE, "Responded", "salesforce-wins", False)


@pytest.mark.parametrize(
    ("org", "service", "kind", "side"),
    [("Bogus", "Sent", RunKind.MANUAL, Side.PREDICTIVE), ("Sent", "Bogus", RunKind.HOURLY, Side.SALESFORCE)],
)
def test_an_unknown_status_is_rejected_with_a_remedy_and_not_written(
    org: str, service: str, kind: RunKind, side: Side
) -> None:
    merged = merge(org_member(status=org), service_member(status=service), agreed(), context(kind))
    assert merged.rows == ()
    assert merged.facts == {Fact.REJECTED}
    (rejection,) = merged.rejections
    assert (rejection.side, rejection.value, rejection.code) == (side, "Bogus", "UNKNOWN_STATUS")
    assert "sync again" in rejection.remedy


def test_an_added_member_with_an_unknown_status_comes_without_it() -> None:
    merged = merge(org_member(status="Bogus", synced=None), None, None, context())
    assert "status" not in merged.rows[0].values
    assert merged.facts == {Fact.ADDED, Fact.REJECTED}


@pytest.mark.parametrize("state", [StatusState.HELD, StatusState.REJECTED])
def test_a_stuck_status_waits_until_a_side_changes(state: StatusState) -> None:
    base = agreed(status_state=state, org_status="Bogus", service_status="Sent")
    waiting = merge(org_member(status="Bogus"), service_member(), base, context())
    told = {StatusState.HELD: Fact.HELD, StatusState.REJECTED: Fact.STILL_REJECTED}[state]
    assert (waiting.rows, waiting.facts) == ((), {told})
    moved = merge(org_member(status="Responded"), service_member(), base, context())
    assert written(moved) == [(Side.PREDICTIVE, "status", "Responded")]


@pytest.mark.parametrize("restored", [Side.PREDICTIVE, Side.SALESFORCE])
@pytest.mark.parametrize(
    ("org", "service", "goes", "conflict"),
    [
        ("Responded", "Sent", None, False),
        ("Opened", "Sent", (Side.PREDICTIVE, "Opened"), False),
        ("Responded", "Opened", (Side.SALESFORCE, "Opened"), False),
        ("Opened", "Responded", (Side.PREDICTIVE, "Opened"), True),
        ("Sent", "Sent", None, False),
    ],
)
def test_of_a_held_status_the_side_that_moves_is_the_one_that_changed(
    restored: Side, org: str, service: str, goes: tuple[Side, str] | None, conflict: bool
) -> None:
    """Whichever side an undo wrote, and whether the run at hand may write the other or only looks at both."""
    here, there = org_member(status="Responded"), service_member(status="Sent")
    held = settle(here, there, agreed(), off=frozenset(), restored={"status": restored})
    assert held.status_state is StatusState.HELD
    here, there = org_member(status=org), service_member(status=service)
    for base in held, settle(here, there, held, off=frozenset()):
        rows = []
        for kind in (RunKind.MANUAL, RunKind.HOURLY):
            rows += [row for row in merge(here, there, base, context(kind)).rows if row.field == "status"]
        assert [(row.side, row.after) for row in rows] == ([goes] if goes else [])
        if base is held:
            # A side that comes to say what the undo restored on the other has agreed to it.
            differs = conflict and restored is Side.PREDICTIVE
            assert [row.conflict for row in rows] == ([differs] if goes else [])


def test_a_ticked_box_opts_out_in_the_service() -> None:
    merged = merge(org_member(opted_out=True), service_member(), agreed(), context())
    assert written(merged) == [(Side.PREDICTIVE, "opted_out", True)]


def test_a_global_opt_out_ticks_the_box_hourly() -> None:
    args = org_member(), service_member(opted_out=True, active=False, reason="Opt Out Direct"), agreed()
    merged = merge(*args, context(RunKind.HOURLY))
    assert (Side.SALESFORCE, "opted_out", True) in written(merged)
    manual = merge(*args, context())
    assert (manual.rows, manual.facts) == ((), {Fact.PENDING})


def test_clearing_the_box_is_no_opt_in_and_it_is_not_ticked_again() -> None:
    out = {"opted_out": True, "active": False, "reason": "Opt Out Direct"}
    base = agreed(org_member(**out), service_member(**out))
    for kind in (RunKind.MANUAL, RunKind.HOURLY):
        merged = merge(org_member(**(out | {"opted_out": False})), service_member(**out), base, context(kind))
        assert merged.rows == ()
        assert merged.facts == {Fact.HELD}
        assert "no opt-in" in merged.notes[0]


def test_an_opt_in_of_the_service_is_not_undone_by_a_box_left_ticked() -> None:
    out = {"opted_out": True, "active": False, "reason": "Opt Out Direct"}
    base = agreed(org_member(**out), service_member(**out))
    merged = merge(org_member(**out), service_member(), base, context())
    assert not [row for row in merged.rows if row.side is Side.PREDICTIVE]
    assert Fact.HELD in merged.facts


def test_a_converted_lead_goes_on_as_the_contact() -> None:
    org = org_member(person_id=CONTACT, kind=PersonKind.CONTACT, contact_id=CONTACT)
    (row,) = merge(org, service_member(), agreed(), context()).rows
    assert (row.change, row.subject_id, row.values, row.member_id) == (
        Change.IDENTITY,
        CONTACT,
        {"was": LEAD},
        MEMBER,
    )


def test_a_member_added_again_gets_its_new_id_and_marker() -> None:
    merged = merge(org_member(member_id="00v000000000002AAA", synced=None), service_member(), agreed(), context())
    assert [row.field for row in merged.rows] == ["member_id", "synced", "active"]
    assert Fact.ADDED not in merged.facts


ACTIVITY = {"level": "Opened", "opens": 2, "active": False, "reason": "Bounce", "bounces": 1}


def test_activity_goes_to_the_org_hourly() -> None:
    merged = merge(org_member(), service_member(**ACTIVITY), agreed(), context(RunKind.HOURLY))
    assert {row.field: row.after for row in merged.rows} == ACTIVITY
    assert {row.side for row in merged.rows} == {Side.SALESFORCE}


def test_refresh_brings_level_and_reason_only() -> None:
    merged = merge(org_member(), service_member(**ACTIVITY), agreed(), context(RunKind.REFRESH))
    assert {row.field for row in merged.rows} == {"level", "reason", "active"}
    assert Fact.PENDING in merged.facts


@pytest.mark.parametrize("kind", INBOUND)
def test_activity_waits_in_a_sync_and_is_pending(kind: RunKind) -> None:
    merged = merge(org_member(), service_member(**ACTIVITY), agreed(), context(kind))
    assert (merged.rows, merged.facts) == ((), {Fact.PENDING})


@pytest.mark.parametrize(
    ("org", "service"),
    [
        ({"opens": 5}, {"opens": 4}),
        ({"level": "Clicked"}, {"level": "Sent"}),
        ({"level": "Clicked"}, {}),
        ({"reason": "Opt Out Direct", "active": False}, {}),
    ],
)
def test_what_would_run_backwards_or_turn_to_nothing_is_noted_and_not_written(
    org: dict[str, object], service: dict[str, object]
) -> None:
    merged = merge(org_member(**org), service_member(**service), agreed(), context(RunKind.HOURLY))
    assert merged.rows == ()
    assert merged.facts == {Fact.HELD}
    assert "never goes back" in merged.notes[0]
    assert "None" not in merged.notes[0]


def test_a_reason_that_both_agreed_on_may_be_cleared() -> None:
    gone = {"reason": "Bounce", "active": False}
    base = agreed(org_member(**gone), service_member(**gone))
    merged = merge(org_member(**gone), service_member(), base, context(RunKind.HOURLY))
    assert {row.field: row.after for row in merged.rows} == {"reason": None, "active": True}


def test_fields_that_the_mapping_switches_off_are_left_alone() -> None:
    off = fields_off(replace(Mapping(), member_level="", member_synced="", member_opens=""))
    assert off == {"level", "synced", "opens"}
    hourly = context(RunKind.HOURLY, off=off)
    merged = merge(org_member(synced=None), service_member(**ACTIVITY), agreed(), hourly)
    assert not off & {row.field for row in merged.rows}
    added = merge(org_member(synced=None), None, None, context(off=off))
    assert "synced" not in {row.field for row in added.rows}
