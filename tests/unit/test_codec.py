"""Events, rows and headers survive being written and read; a digest changes when and only when what it covers does."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import codec, digest
from sync.events import (
    Body,
    CampaignSkipped,
    Event,
    Guarded,
    Noted,
    Phase,
    PhaseEnded,
    PhaseStarted,
    PlanMade,
    Progress,
    RowFailed,
    RunEnded,
    RunStarted,
)
from sync.ids import CampaignId, RunId
from sync.mapping import Mapping
from sync.model import Calls, Campaign, PersonKind, RunKind, RunState, Side
from sync.plan import Change, GuardVerdict, PlanCounts, PlanRow, Subject
from tests.store.made import AT, campaign, edition, org, plan, service

R, C = RunId("r"), CampaignId("701000000000001AAA")
BODIES: list[Any] = [
    RunStarted(R, RunKind.HOURLY, None, None, RunId("p"), True),
    PhaseStarted(R, Phase.COMPARE, None),
    Progress(R, Phase.SEND, 1, 2, Calls(1, 2)),
    PhaseEnded(R, Phase.CHECK, 5, Calls(), "all well"),
    PlanMade(R, "p1", PlanCounts(added=1), Calls(1, 1), Calls(2, 2), Calls(0, 1)),
    Guarded(R, GuardVerdict("deletes", False, 12.5, 10.0, "too many", C, True)),
    RowFailed(R, Side.SALESFORCE, C, "003", "Zoë", "status", "CODE", "no", "do", True),
    CampaignSkipped(R, C, "Name", "closed", 3),
    Noted(R, "warning", 'quotes " and \n lines', C),
    RunEnded(R, RunState.PARTIAL, PlanCounts(rejected=1), Calls(9, 9), 1.25, None),
]


def test_every_kind_of_event_is_tried() -> None:
    assert {type(body) for body in BODIES} == set(get_args(Body))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_an_event_survives(body: Any) -> None:
    event = Event(7, datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC), body)
    line = codec.encode_event(event)
    assert b"\n" not in line
    assert codec.decode_event(line) == event
    assert codec.decode_body(codec.encode_body(event)) == body
    assert codec.journalled(event) is not isinstance(body, Progress)


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown event"):
        codec.decode_event(b'{"seq":1,"at":"2026-01-01T00:00:00Z","type":"nonsense","body":{}}')


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20))
VALUES = st.one_of(
    SCALARS,
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.dates(), max_size=2),
    st.dictionaries(st.text(max_size=4), SCALARS, min_size=2, max_size=3),
)


@given(
    before=SCALARS,
    after=SCALARS,
    label=st.text(max_size=30),
    values=st.dictionaries(st.text(max_size=6), VALUES, max_size=4),
    version=st.one_of(st.none(), st.integers(0, 2**40)),
    flag=st.booleans(),
)
def test_a_row_survives_with_its_dates(
    before: Any, after: Any, label: str, values: dict[str, Any], version: int | None, flag: bool
) -> None:
    row = PlanRow(
        1, Side.SALESFORCE, C, Subject.EDITION, "e", label, Change.EDITION, "edition", before, after, "why", "rule",
        member_id=None, conflict=flag, values=values, version=version, on_arrival=flag,
    )  # fmt: skip
    raw = codec.encode_row(row)
    assert codec.decode_row(raw) == row
    assert b"\n" not in raw, "a row is one line of the plan file"


def test_a_header_survives() -> None:
    made = plan("p1", 3, run=R, notes=("a", "b"), guards=(GuardVerdict("flood", True, 1, 2, "fine"),))
    assert codec.decode_plan(codec.encode_plan(made)) == made


# ---------------------------------------------------------------- digests

COVERED = {
    "member_id": "00v000000000009AAA",
    "kind": PersonKind.LEAD,
    "first_name": None,
    "last_name": "",
    "email": "other@example.com",
    "opted_out": True,
    "status": "Responded",
    "test_member": True,
}
SERVICE_COVERED = COVERED | {
    "level": "Opened",
    "reason": "Bounce",
    "active": False,
    "hold": "undo",
    "opens": 1,
    "clicks": 1,
    "completions": 1,
    "bounces": 1,
}


@pytest.mark.parametrize("name", [item.name for item in fields(org(1))])
def test_an_org_digest_covers_what_salesforce_owns_and_nothing_else(name: str) -> None:
    row = org(1)
    other: Any = COVERED.get(name, AT.replace(year=2020) if name in ("created", "stamp", "synced") else 7)
    changed = digest.org_digest(replace(row, **{name: other})) != digest.org_digest(row)
    assert changed is (name in COVERED)


@pytest.mark.parametrize("name", [item.name for item in fields(service(1))])
def test_a_service_digest_covers_all_but_key_version_and_time(name: str) -> None:
    row = service(1)
    other: Any = SERVICE_COVERED.get(name, 99)
    changed = digest.service_digest(replace(row, **{name: other})) != digest.service_digest(row)
    assert changed is (name in SERVICE_COVERED)


TEXTS = st.one_of(st.none(), st.text(alphabet="ab\x00\x1f012", max_size=4))


@given(one=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
def test_two_different_rows_never_share_a_digest(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> None:
    def made(texts: tuple[str | None, ...]) -> str:
        first, last, email, status = texts
        return digest.org_digest(org(1, first_name=first, last_name=last, email=email, status=status))

    assert (made(one) == made(other)) is (one == other)


def test_other_digests_follow_their_values() -> None:
    header = campaign(1)

    def told(it: Campaign, zone: str = "UTC", **status_on: str) -> str:
        return digest.header_digest(it, zone, status_on)

    assert told(header, "Europe/Berlin") != told(header)
    assert told(header, sent="Sent") != told(header)
    assert told(replace(header, stamp=AT, number_of_leads=9)) == told(header)
    assert told(replace(header, labels=header.labels[::-1])) == told(header)
    assert told(replace(header, end_date=date(2030, 1, 1))) != told(header)
    assert told(replace(header, labels=header.labels[:1])) != told(header)
    assert digest.edition_digest(edition(1)) != digest.edition_digest(edition(1, subject=None))
    assert digest.edition_digest(edition(1)) == digest.edition_digest(edition(1, tested_at=AT, version=9))
    assert digest.mapping_digest(Mapping()) != digest.mapping_digest(Mapping(member_level=""))
