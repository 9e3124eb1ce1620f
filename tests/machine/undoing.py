"""The state machine with undo: runs are taken back in any weather, what is held is held until somebody releases it.

A machine of its own, so that the sample of the other one stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from sync.errors import Refused, UsageError
from sync.views import RunResult
from tests.machine.machine import CALM, EXERCISED, STATUSES, Machine, Weather, few, numbers, weathers
from tests.machine.model import Aside, Camp, Key, Membership, Person, undone
from tests.machine.truth import COUNTERS, Row, Truth, look

_NAMES = {"first_name": "first", "last_name": "last", "email": "email"}
"""The service's names of what the model calls otherwise."""


@dataclass(frozen=True, slots=True)
class Done:
    """A run that may be taken back: its id, the service before and after it, whose each record was then."""

    run: str
    was: dict[Key, Row]
    made: dict[Key, Row]
    human: dict[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """What an undo left against the org: *field* has *value* while the org says *against*; ``member``: kept out."""

    camp: Camp
    membership: Membership
    person: Person
    record: str
    field: str
    value: Any = None
    against: Any = None

    @property
    def lasts(self) -> bool:
        """False as soon as users did something that may have ended the hold."""
        who = self.person
        same = self.camp.members.get(who.number) is self.membership and who.record == self.record
        if not same or who.gone or who.was_hidden:
            return False
        return self.field == "member" or getattr(who, _NAMES[self.field]) == self.against


class UndoMachine(Machine):
    """One engine over two sides that also takes runs back."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Done | None = None
        self.holds: list[Held] = []

    def _ran(self, kind: str, result: Any, before: Truth) -> None:
        if (
            kind == "manual"
            and isinstance(result, RunResult)
            and result.exit_code == 0
            and result.counts != type(result.counts)()
        ):
            records = {record for person in self.model.people.values() for record in person.records}
            human = {record: self.model.human(record) for record in records}
            self.done = Done(result.run, before.service, self.truth.service, human)
        self._check_holds()

    def _check_holds(self) -> None:
        """What an undo put aside is as it left it, whatever ran since."""
        self.holds = [held for held in self.holds if held.lasts]
        for held in self.holds:
            row = self.truth.service.get((held.camp.id, held.record))
            if held.field == "member":
                assert row is None, f"{held.record} was taken out by an undo, and is back without a release"
            else:
                assert row is not None
                assert row[held.field] == held.value, (
                    f"{held.record}: {held.field} was held, and is {row[held.field]!r}"
                )
            EXERCISED["holds that lasted through a run"] += 1

    # ------------------------------------------------------------ undo

    @rule(weather=weathers)
    def undo(self, weather: Weather) -> None:
        """The last undisturbed sync is taken back; one is made where there was none."""
        if self.done is None:
            self.sync_all(weather=CALM)
        done, self.done = self.done, None
        if done is None:
            return
        before = self.truth = look(self.sides)
        result = self._attempt(lambda: self.stage.shell.undo(done.run), weather)
        after = look(self.sides)
        EXERCISED["undos"] += 1
        assert after.org.keys() == before.org.keys(), "an undo changed who is a member in the org"
        assert after.mails == before.mails, "an undo sent a mail"
        for camp, membership, who in self.model.memberships():
            was, now = (self._in_service(truth, camp, who) for truth in (before, after))
            self.model.restored(membership, was, now)
            EXERCISED["statuses put aside by an undo"] += membership.agreed == {
                Aside(membership.status, (now or {}).get("status"))
            }
        if self.disturbed or self.held:
            self.holds.clear()
            EXERCISED["undos in bad weather"] += 1
        else:
            assert isinstance(result, RunResult), repr(result)
            self._check_calm("undo", result)
            self._check_undone(done, before, after)
        self.truth = after
        self._check_holds()

    @rule(number=numbers, on=st.integers(1, 3), weather=st.just(CALM) | weathers, moves=st.booleans())
    def take_back_a_status(self, number: int, on: int, weather: Weather, moves: bool) -> None:
        """A status that users set arrives and is taken back; then, perhaps, Predictive sets another."""
        found = self._membership(number)
        if found is None:
            return
        where, membership, who = found
        membership.status = status = STATUSES[(STATUSES.index(membership.status) + on) % len(STATUSES)]
        self.sides.update("CampaignMember", membership.member_id, Status=status)
        self.sync_all(weather=CALM)
        self.undo(weather=weather)
        if moves and (where.id, who.record) in self.truth.service:
            self.sides.activity(where.id, who.record, status=STATUSES[(STATUSES.index(status) + 1) % len(STATUSES)])

    def _check_undone(self, done: Done, before: Truth, after: Truth) -> None:
        expected = undone(done.was, done.made, before.service, done.human)
        assert after.service.keys() == expected.keys(), "an undo took out or brought back others than it should"
        for key, row in expected.items():
            there = {name: after.service[key][name] for name in row}
            assert there == row, f"{key}: {there} after an undo, not {row}"
            untouched = ("level", "opted_out", *COUNTERS)
            old = before.service.get(key)
            assert old is None or all(old[name] == after.service[key][name] for name in untouched), key
        for member, now in after.org.items():
            was = before.org[member]
            assert all(was[name] == now[name] for name in ("status", "level", *COUNTERS)), (
                f"{member} changed in the org"
            )
        self._remember(before, expected)

    def _remember(self, before: Truth, expected: dict[Key, dict[str, Any]]) -> None:
        for camp, membership, who in self.model.memberships():
            key = (camp.id, who.record)
            old, new = before.service.get(key), expected.get(key)
            if old is not None and new is None:
                self.holds.append(Held(camp, membership, who, who.record, "member"))
                EXERCISED["kept out by an undo"] += 1
            elif new is not None:
                for field, name in _NAMES.items():
                    theirs = getattr(who, name)
                    if (old is None or old[field] != new[field]) and new[field] != theirs:
                        self.holds.append(Held(camp, membership, who, who.record, field, new[field], theirs))
                        EXERCISED["values held by an undo"] += 1
        there = {(camp.id, record) for camp, _, who in self.model.memberships() for record in who.records}
        EXERCISED["kept in by an undo"] += len(expected.keys() - before.service.keys() - there)

    # ------------------------------------------------------------ release

    @rule(camp=few, weather=weathers)
    def release(self, camp: int, weather: Weather) -> None:
        """Somebody gives what is held in a campaign back to the rules."""
        self._release(self._camp(camp), weather)

    def _release(self, where: Camp, weather: Weather) -> bool:
        """False when it is refused, because nobody has read yet what a broken undo did."""
        before = look(self.sides)
        result = self._attempt(lambda: self.stage.shell.release_hold(where.id, None, reason="the machine"), weather)
        assert look(self.sides) == before, "a release wrote to a side"
        if isinstance(result, Refused) and result.rule == "unread":
            EXERCISED["releases before a broken undo was read"] += 1
            return False
        self.holds = [held for held in self.holds if held.camp is not where]
        released = isinstance(result, RunResult)
        assert released or self.disturbed or isinstance(result, UsageError), repr(result)
        before_it = [(membership, set(membership.agreed)) for membership in where.members.values()]
        self.model.released(where)
        if self.disturbed or not released:
            for membership, agreed in before_it:
                membership.agreed |= agreed
        EXERCISED["releases"] += released
        return True

    def _before_settling(self) -> None:
        for where in self.model.camps.values():
            if not self._release(where, CALM):
                self.sync(camp=list(self.model.camps).index(where.id), weather=CALM)
                assert self._release(where, CALM), "a sync has read what the undo did, and a release is refused"
