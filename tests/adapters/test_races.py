"""The window of compare-and-set, measured: somebody edits the org at every boundary between two requests.

The hook sits at the HTTP boundary: it counts the requests that write, or read for a write, and edits the org between
two of them. One boundary is lost, the one between the read and the write; whatever is lost there is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from sync.clock import SystemClock
from sync.http.transport import Transport
from sync.model import OrgMember
from sync.ports import OrgOperation, OrgWrite
from tests.adapters.conftest import Sides
from tests.adapters.test_org_writing import Journal, members_of

OURS, THEIRS = "Responded", "Attended"


class Edited(httpx.BaseTransport):
    """The network, with somebody who edits before the request of a given number (or after the last one)."""

    def __init__(self, at: int, edit: Callable[[], None]) -> None:
        self._inner = httpx.HTTPTransport()
        self._at = at
        self._edit = edit
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.requests == self._at:
            self._edit()
        self.requests += 1
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


@dataclass(slots=True)
class Race:
    """What became of a row whose status somebody changed at one boundary."""

    state: str
    value: str | None
    told: set[str] = field(default_factory=set)
    requests: int = 0


def _race(sides: Sides, rows: int, at: int, *, expecting: bool = True) -> Race:
    """Write *rows* statuses; the last row is edited by somebody else before request *at*."""
    members = members_of(sides, 800, rows)
    for member in (members[0], members[-1]):
        _set(sides, member, "Sent")
    network = Edited(at, lambda: _set(sides, members[-1], THEIRS))
    journal = Journal()
    with Transport(sides.records, SystemClock(), sleep=lambda _: None, network=network) as transport:
        sides.transport, kept = transport, sides.transport
        org = sides.new_org()
        sides.transport = kept
        journal.write(org, [_write(member, expecting) for member in members])
        if at >= network.requests:
            _set(sides, members[-1], THEIRS)
    outcome = journal.outcomes[members[-1].member_id]
    last = next(row for row in members_of(sides, 800, rows) if row.member_id == members[-1].member_id)
    told = {str(value) for value in outcome.overwritten.values()}
    told |= {str(value) for value in outcome.found.values()} if outcome.state == "drifted" else set()
    return Race(outcome.state, last.status, told, network.requests)


def _write(member: OrgMember, expecting: bool) -> OrgWrite:
    return OrgWrite(
        member.member_id,
        "CampaignMember",
        OrgOperation.UPDATE,
        {"Status": OURS},
        member.campaign_id,
        record_id=member.member_id,
        expect={"Status": "Sent"} if expecting else {},
    )


def _set(sides: Sides, member: OrgMember, status: str) -> None:
    sides.control(
        "POST", "/records", {"object": "CampaignMember", "id": member.member_id, "values": {"Status": status}}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "read", "write"), [(1, 0, 1), pytest.param(601, 1, 2, marks=pytest.mark.slow)], ids=["one", "second-batch"]
)
def test_only_the_boundary_between_read_and_write_can_lose_and_it_is_told(
    sides: Sides, rows: int, read: int, write: int
) -> None:
    """``read`` and ``write`` number the requests that read the edited row and write it."""
    requests = write + 1
    races = [_race(sides, rows, at) for at in range(requests + 1)]
    assert {race.requests for race in races} == {requests}
    lost = [at for at, race in enumerate(races) if race.value != THEIRS]
    assert lost == [write], "the window is one round trip: after the request that read, before the one that writes"
    assert [race.state for race in races] == ["drifted"] * (read + 1) + ["written"] * (requests - read)
    assert all(THEIRS in race.told for race in races[: write + 1]), "drift and what was lost are told with their value"
    assert not races[-1].told


def test_without_the_comparison_the_edit_would_be_lost_without_a_word(sides: Sides) -> None:
    race = _race(sides, 1, 0, expecting=False)
    assert (race.state, race.value, race.told) == ("written", OURS, set())
