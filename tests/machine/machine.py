"""The state machine: users, the service, time, faults and deaths around one engine, in any order.

After each step nothing that was promised may be broken; whenever the weather is asked to clear, one sync and one
hourly run make both sides what the model says. ``EXERCISED`` counts what really happened.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sync.errors import PredictiveError
from sync.model import RunKind
from sync.views import RunResult
from tests.machine.model import TO_ORG, TO_SERVICE, WAITS, Camp, Model, Person, decide, seen
from tests.machine.seam import Fate
from tests.machine.stage import Stage
from tests.machine.truth import COUNTERS, LEVELS, Truth, look

EXERCISED: Counter[str] = Counter()
"""How often what happened, over all runs of the machine in this process."""

STATUSES = ("Sent", "Responded", "Registered", "Attended")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 502, "commit": True},
    {"kind": "html"},
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "truncate"},
    {"kind": "session_expired", "side": "salesforce"},
    {"kind": "quota"},
    {"kind": "concurrency"},
    {"kind": "row", "object": "CampaignMember"},
)
numbers = st.integers(0, 40)
few = st.integers(0, 3)


@dataclass(frozen=True, slots=True)
class Weather:
    """What befalls one run: faults of the servers, requests without an answer in time (late: carried out all the
    same), the event before which its process dies."""

    faults: tuple[dict[str, Any], ...] = ()
    timeouts: tuple[tuple[int, bool], ...] = ()
    dying: int | None = None


CALM = Weather()
_faults = st.builds(
    lambda fault, side, after: {"side": side, "after": after} | fault,
    st.sampled_from(FAULTS),
    st.sampled_from(["salesforce", "predictive"]),
    st.integers(0, 4),
)
weathers = st.one_of(
    st.just(CALM),
    st.builds(lambda faults: Weather(faults=tuple(faults)), st.lists(_faults, min_size=1, max_size=2)),
    st.builds(lambda at, late: Weather(timeouts=((at, late),)), st.integers(1, 5), st.booleans()),
    st.builds(lambda at: Weather(dying=at), st.integers(1, 70)),
)


class Machine(RuleBasedStateMachine):
    """One engine over two sides, and the model beside them."""

    staged: type[Stage] = Stage

    @initialize()
    def begin(self) -> None:
        self.stage = self.staged()
        self.sides = self.stage.sides
        self.model = Model()
        self.held: list[str] = []
        self.late = (-1, "")
        for campaign in self.stage.campaigns:
            self.model.camps[campaign.id] = Camp(campaign.id)
        self.truth = look(self.sides)
        self._learn_people()

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            try:
                if sys.exc_info()[0] is None:
                    self.settle()
            finally:
                self.stage.close()

    def _learn_people(self) -> None:
        leads = {row["Id"]: row for row in self.sides.query("SELECT Id, FirstName, LastName, Email FROM Lead")}
        for campaign in self.stage.campaigns:
            for lead, member in zip(campaign.leads, campaign.members, strict=True):
                row = leads[lead]
                who = self.model.person(lead, row["FirstName"], row["LastName"], row["Email"])
                self.model.join(campaign.id, who.number, member, "Sent")
                self.model.camps[campaign.id].members[who.number].agreed = {"Sent"}

    # ------------------------------------------------------------ choosing

    def _person(self, number: int, *, plain: bool = False) -> Person | None:
        people = [each for each in self.model.alive() if not (plain and each.hidden) and each.number != self._locked()]
        return people[number % len(people)] if people else None

    def _membership(self, number: int) -> tuple[Camp, Any, Person] | None:
        found = sorted(self.model.memberships(), key=lambda each: each[1].member_id)
        found = [each for each in found if not each[2].hidden and each[2].number != self._locked()]
        return found[number % len(found)] if found else None

    def _locked(self) -> int | None:
        """The person whose record somebody's open transaction has."""
        return self.late[0] if self.held else None

    def _camp(self, number: int) -> Camp:
        camps = list(self.model.camps.values())
        return camps[number % len(camps)]

    def _object(self, person: Person) -> str:
        return "Lead" if person.is_lead else "Contact"

    def _edit(self, who: Person, **values: Any) -> None:
        """An administrator, who sees every record, changes one."""
        if who.hidden:
            self.sides.control("POST", "/sharing", {"show": [who.record]})
        self.sides.update(self._object(who), who.record, **values)
        if who.hidden:
            self.sides.control("POST", "/sharing", {"hide": [who.record]})

    # ------------------------------------------------------------ the org's users

    @rule(number=numbers, text=few)
    def rename(self, number: int, text: int) -> None:
        if (who := self._person(number)) is not None:
            who.last = f"Name {text}"
            self._edit(who, LastName=who.last)

    @rule(number=numbers, text=few)
    def address(self, number: int, text: int) -> None:
        """Addresses are few, so that people come to share one."""
        if (who := self._person(number)) is not None:
            who.email = f"shared{text}@x.org"
            self._edit(who, Email=who.email)

    @rule(one=numbers, two=numbers)
    def swap_addresses(self, one: int, two: int) -> None:
        a, b = self._person(one), self._person(two)
        if a is None or b is None or a is b:
            return
        a.email, b.email = b.email, a.email
        for each in (a, b):
            self._edit(each, Email=each.email)

    @rule(camp=few, status=st.sampled_from(STATUSES[:3]), ticked=st.booleans())
    def newcomer(self, camp: int, status: str, ticked: bool) -> None:
        number = len(self.model.people)
        record = self.sides.lead(FirstName="Ada", LastName=f"New {number}", Email=f"n{number}@x.org")
        who = self.model.person(record, "Ada", f"New {number}", f"n{number}@x.org")
        if ticked:
            who.box = True
            self.sides.update("Lead", record, HasOptedOutOfEmail=True)
        self._join(self._camp(camp), who, status)

    @rule(camp=few, number=numbers, status=st.sampled_from(STATUSES[:3]))
    def join(self, camp: int, number: int, status: str) -> None:
        where, who = self._camp(camp), self._person(number, plain=True)
        if who is not None and who.number not in where.members:
            self._join(where, who, status)

    def _join(self, where: Camp, who: Person, status: str) -> None:
        key = "LeadId" if who.is_lead else "ContactId"
        row = self.sides.create("CampaignMember", **{"CampaignId": where.id, key: who.record, "Status": status})
        self.model.join(where.id, who.number, row, status)

    @rule(number=numbers, again=st.booleans())
    def leave(self, number: int, again: bool) -> None:
        """A membership ends, and begins again at once when *again*."""
        if (found := self._membership(number)) is None:
            return
        where, membership, who = found
        self.sides.delete("CampaignMember", membership.member_id)
        if again:
            self._join(where, who, membership.status)
            EXERCISED["removed and added again"] += 1
        else:
            self.model.leave(where.id, who.number)

    @rule(number=numbers)
    def convert(self, number: int) -> None:
        who = self._person(number, plain=True)
        if who is None or not who.is_lead:
            return
        (contact,) = self.sides.records({"op": "convert", "id": who.record})
        self.model.converted(who.number, contact)
        EXERCISED["conversions"] += 1

    @rule(one=numbers, two=numbers)
    def merge(self, one: int, two: int) -> None:
        a, b = self._person(one, plain=True), self._person(two, plain=True)
        if a is None or b is None or a is b or a.is_lead is not b.is_lead:
            return
        self.sides.records({"op": "merge", "id": a.record, "loser": b.record})
        self.model.merged(a.number, b.number)
        EXERCISED["merges"] += 1

    @rule(number=numbers)
    def delete_person(self, number: int) -> None:
        who = self._person(number, plain=True)
        if who is None or len(self.model.alive()) < 4:
            return
        self.sides.delete(self._object(who), who.record)
        self.model.deleted(who.number)

    @rule(number=numbers, status=st.sampled_from(STATUSES))
    def status_in_org(self, number: int, status: str) -> None:
        if (found := self._membership(number)) is not None:
            found[1].status = status
            self.sides.update("CampaignMember", found[1].member_id, Status=status)

    @rule(number=numbers, ours=st.sampled_from(STATUSES), theirs=st.sampled_from(STATUSES))
    def status_on_both(self, number: int, ours: str, theirs: str) -> None:
        if (found := self._membership(number)) is None:
            return
        where, membership, who = found
        membership.status = ours
        self.sides.update("CampaignMember", membership.member_id, Status=ours)
        if (where.id, who.record) in self.truth.service:
            self.sides.activity(where.id, who.record, status=theirs)

    @rule(number=numbers)
    def tick(self, number: int) -> None:
        if (who := self._person(number, plain=True)) is not None:
            who.box = True
            self._edit(who, HasOptedOutOfEmail=True)
            EXERCISED["opt-outs in the org"] += 1

    @rule(number=numbers)
    def untick(self, number: int) -> None:
        if (who := self._person(number, plain=True)) is not None and self.truth.boxes.get(who.record):
            who.box, who.murky = False, True
            self._edit(who, HasOptedOutOfEmail=False)

    @rule(camp=few, active=st.booleans())
    def activate(self, camp: int, active: bool) -> None:
        where = self._camp(camp)
        where.active = active
        self.sides.update("Campaign", where.id, IsActive=active)

    @rule(number=numbers)
    def hide_or_show(self, number: int) -> None:
        if (who := self._person(number)) is not None:
            who.hidden, who.was_hidden = not who.hidden, True
            self.sides.control("POST", "/sharing", {"hide" if who.hidden else "show": [who.record]})
            EXERCISED["sharing"] += 1

    @rule(number=numbers, text=few)
    def hold_open(self, number: int, text: int) -> None:
        """A user's transaction that is not committed yet: its stamps will be older than its commit."""
        who = self._person(number, plain=True)
        if who is None or self.held:
            return
        values = {"LastName": f"Late {text}"}
        held = self.sides.control("POST", "/transactions", {"operations": [{"id": who.record, "values": values}]})
        self.held.append(held["id"])
        self.late = (who.number, values["LastName"])
        EXERCISED["in-flight transactions"] += 1

    def _commit_held(self) -> None:
        for name in self.held:
            self.sides.control("POST", f"/transactions/{name}:commit", {})
            self.model.people[self.late[0]].last = self.late[1]
        self.held.clear()

    @rule()
    def commit_late(self) -> None:
        self._commit_held()

    # ------------------------------------------------------------ the service's own life

    @rule(number=numbers, level=st.integers(1, 4), count=few, status=st.none() | st.sampled_from(STATUSES))
    def activity(self, number: int, level: int, count: int, status: str | None) -> None:
        members = sorted(self.truth.service)
        if not members:
            return
        camp, record = members[number % len(members)]
        fields: dict[str, Any] = {"level": LEVELS[level], "opens": count, "clicks": min(count, level)}
        if status is not None:
            fields["status"] = status
        self.sides.activity(camp, record, **fields)
        EXERCISED["activity"] += 1

    @rule(number=numbers, everywhere=st.booleans())
    def opt_out(self, number: int, everywhere: bool) -> None:
        members = sorted(self.truth.service)
        if not members:
            return
        camp, record = members[number % len(members)]
        if everywhere:
            self.sides.call("POST", f"/v1/people/{record}:opt-out", {"scope": "global", "campaign_id": camp})
            who = self.model.people[self.model.human(record)]
            who.out = True
            who.murky = who.murky or who.record != record
        else:
            self.sides.call("POST", f"/v1/people/{record}:opt-out", {"scope": "campaign", "campaign_id": camp})
        EXERCISED["opt-outs in the service"] += 1

    @rule(hours=st.sampled_from([0.1, 1, 5, 26, 60]))
    def time_goes_on(self, hours: float) -> None:
        self._commit_held()
        self.stage.clock.advance(hours * 3600)

    # ------------------------------------------------------------ bad weather

    @rule(rows=st.sampled_from([1, 2, 5, 2000]))
    def short_pages(self, rows: int) -> None:
        """The org gives pages of so many rows from now on."""
        self.sides.control("POST", "/settings", {"page_rows": rows})
        EXERCISED["short pages"] += rows < 2000

    # ------------------------------------------------------------ runs

    @rule(camp=few, weather=weathers)
    def sync(self, camp: int, weather: Weather) -> None:
        where = self._camp(camp)
        self._run("manual", {where.id}, lambda: self.stage.shell.sync([where.id]), weather)

    @rule(weather=weathers)
    def sync_all(self, weather: Weather) -> None:
        every = sorted(self.model.camps)
        self._run("manual", set(every), lambda: self.stage.shell.sync(every), weather)

    @rule(weather=weathers)
    def night(self, weather: Weather) -> None:
        self._run("nightly", set(), lambda: self.stage.shell.batch(RunKind.NIGHTLY), weather)

    @rule(weather=weathers)
    def hour(self, weather: Weather) -> None:
        self._run("hourly", set(self.model.camps), lambda: self.stage.shell.batch(RunKind.HOURLY), weather)

    @rule(camp=few, weather=weathers)
    def refresh(self, camp: int, weather: Weather) -> None:
        where = self._camp(camp)
        self._run("refresh", {where.id}, lambda: self.stage.shell.refresh([where.id]), weather)

    @rule(camp=few, weather=weathers)
    def preview(self, camp: int, weather: Weather) -> None:
        """A plan and a simulated hour write nothing."""
        before = self.truth
        where = self._camp(camp)
        self._attempt(lambda: self.stage.shell.make_plan([where.id]), weather)
        self._attempt(lambda: self.stage.shell.batch(RunKind.HOURLY, simulate=True), CALM)
        after = look(self.sides)
        assert after == before, "a preview wrote something"
        EXERCISED["previews"] += 1

    def _attempt(self, act: Any, weather: Weather) -> Any:
        """Do something in that weather: its result, the error it ended with, or None when its process died."""
        for fault in weather.faults:
            self.sides.control("POST", "/faults", fault)
        fate = self.stage.cast(die_before=weather.dying, timeouts=dict(weather.timeouts))
        try:
            return act()
        except PredictiveError as error:
            return error
        except BaseException:
            if not fate.dead:
                raise
            return None
        finally:
            self._weather_ends(fate)

    def _weather_ends(self, fate: Fate) -> None:
        rules = self.sides.control("GET", "/faults")["faults"]
        planted = sum(each["kind"] == "row" for each in rules)
        rows = planted - sum(each.times != 0 for each in self.sides.built.org.state.row_faults)
        hit = rows > 0
        EXERCISED["fault row"] += rows
        for each in rules:
            hit = hit or bool(each["hits"])
            EXERCISED[f"fault {each['kind']}"] += each["hits"]
        for late in fate.timed_out:
            EXERCISED[f"time-out {'after' if late else 'before'} commit"] += 1
        self.sides.control("DELETE", "/faults")
        if fate.dead:
            EXERCISED["kills"] += 1
            self.stage.another_owner()
        self.disturbed = hit or bool(fate.timed_out) or fate.dead

    def _run(self, kind: str, scope: set[str], act: Any, weather: Weather) -> None:
        before = self.truth = look(self.sides)
        out = self._may_not_be_mailed(before) if kind == "hourly" else set()
        result = self._attempt(act, weather)
        EXERCISED[f"runs {kind}"] += 1
        after = look(self.sides)
        self._check_members(before, after)
        self._check_mails(before, after, out, kind)
        calm = not self.disturbed and not self.held
        if calm:
            assert isinstance(result, RunResult), repr(result)
            self._check_calm(kind, result)
        self._check_statuses(kind, before, after, (calm and scope) or set())
        self.truth = after
        self._ran(kind, result if calm else None, before)

    def _ran(self, kind: str, result: Any, before: Truth) -> None:
        """A run ended; *result* is None when it was disturbed."""

    def _before_settling(self) -> None:
        """What else has to end before both sides can be equal."""

    def _check_calm(self, kind: str, result: RunResult) -> None:
        assert result.exit_code in (0, 4), f"{kind} ended with {result.exit_code}: {result.error}"
        EXERCISED["runs without a fault"] += 1
        EXERCISED["conflicts"] += result.counts.conflicts
        if kind != "hourly":  # what mails cause is not known before they are sent
            spent, said = result.calls.salesforce, result.predicted.salesforce
            assert abs(spent - said) <= 1, f"{kind}: {said} calls foreseen, {spent} made"

    # ------------------------------------------------------------ what may never happen

    def _check_members(self, before: Truth, after: Truth) -> None:
        """The engine makes and deletes no member of the org, and takes none out of the service that the org has."""
        assert after.org.keys() == before.org.keys(), "the engine changed who is a member in the org"
        there = {(camp.id, record) for camp, _, who in self.model.memberships() for record in who.records}
        for camp, record in before.service.keys() - after.service.keys():
            here = {key for key in after.service if key[0] == camp and key[1] in self.model.owner(record).records}
            assert (camp, record) not in there or here, f"{record} is still a member of {camp}, but not in the service"

    def _may_not_be_mailed(self, truth: Truth) -> set[int]:
        """People who are out when the hour begins: by their box in the org, or in the service."""
        out = {person.number for person in self.model.alive() if truth.boxes.get(person.record) and not person.hidden}
        gone = {self.model.owner(record).number for (_, record), row in truth.service.items() if row["opted_out"]}
        return out | gone

    def _check_mails(self, before: Truth, after: Truth, out: set[int], kind: str) -> None:
        for mail, (edition, record, camp) in after.mails.items():
            if mail in self.model.mailed:
                continue
            who = self.model.owner(record)
            twice = (who.number, edition) in self.model.mailed.values()
            assert not twice, f"{who.number} got edition {edition} twice"
            self.model.mailed[mail] = (who.number, edition)
            assert kind == "hourly", f"a {kind} run sent a mail"
            assert who.number not in out, f"{who.number} was out and got a mail"
            assert self.model.camps[camp].active, f"{camp} is not active and sent a mail"
            EXERCISED["mails"] += 1
        assert after.mails.keys() >= before.mails.keys()

    def _check_statuses(self, kind: str, before: Truth, after: Truth, calm: set[str]) -> None:
        """What became of each status, and what may be agreed of it now."""
        for camp, membership, who in self.model.memberships():
            row = after.org[membership.member_id]
            now = self._in_service(after, camp, who)
            was = self._in_service(before, camp, who)
            theirs, ours = (now or {}).get("status"), row["status"]
            allowed, told = {membership.status}, {theirs}
            if was is not None:
                ways = {decide(membership.status, was["status"], agreed) for agreed in membership.agreed}
                if kind == "hourly" and TO_ORG in ways:
                    allowed.add(was["status"])
                if kind != "hourly" and now is not None:  # an hour's mails may set it
                    told = {was["status"], *([membership.status] if TO_SERVICE in ways else ())}
                if ways == {WAITS}:
                    told = {was["status"]} if now is not None else told
                    EXERCISED["statuses that were held through a run"] += 1
            assert ours in allowed, f"{who.number}: the org's status became {ours!r}, allowed {allowed}"
            assert theirs in told, f"{who.number}: the service's status became {theirs!r}, allowed {told}"
            membership.status = ours
            if now is None:
                continue
            # An hour does not read the org's members: of a row that no sync has seen yet it can agree on nothing.
            looked = kind == "manual" or (kind == "hourly" and None not in membership.agreed)
            fresh: set[Any] = {ours}
            if ours != theirs:
                looked = kind == "manual"
                fresh = {seen(ours, theirs, each) for each in membership.agreed}
            sure = camp.id in calm and looked
            membership.agreed = fresh if sure else membership.agreed | fresh

    def _in_service(self, truth: Truth, camp: Camp, who: Person) -> dict[str, Any] | None:
        """The service's member that somebody is, under whatever record: also under that of somebody merged into it."""
        own = [row for key, row in truth.service.items() if key[0] == camp.id and key[1] in who.records]
        if own:
            return own[0]
        humans = (key for key in truth.service if key[0] == camp.id and self.model.human(key[1]) == who.number)
        return truth.service.get(next(humans, ("", "")))

    @invariant()
    def nothing_falls(self) -> None:
        """What the service owns only rises, opt-outs stay, editions are what they were."""
        if not hasattr(self, "stage"):
            return
        EXERCISED["steps"] += 1
        now = look(self.sides)
        for key, row in now.org.items():
            self._only_rises(self.truth.org.get(key), row, f"org {key}")
        for member, row in now.service.items():
            old = self.truth.service.get(member)
            self._only_rises(old, row, f"service {member}")
            assert old is None or not old["opted_out"] or row["opted_out"], f"{member} was opted in again"
        assert now.editions[0] == 6, f"{now.editions[0]} editions in the service"
        assert set(now.editions[1].values()) <= {1}, "an edition is twice in the org"
        assert len(now.editions[1]) <= 6
        self.truth = now

    @staticmethod
    def _only_rises(old: dict[str, Any] | None, new: dict[str, Any], where: str) -> None:
        if old is None:
            return
        for name in COUNTERS:
            assert new[name] >= old[name], f"{where}: {name} fell from {old[name]} to {new[name]}"
        rank = LEVELS.index
        assert rank(new["level"]) >= rank(old["level"]), f"{where}: level fell from {old['level']} to {new['level']}"

    # ------------------------------------------------------------ when the weather clears

    @rule()
    def settle(self) -> None:
        """Faults end: one sync and one hour make both sides what the model says."""
        self._commit_held()
        hidden = [who for who in self.model.people.values() if who.hidden and not who.gone]
        if hidden:
            self.sides.control("POST", "/sharing", {"show": [who.record for who in hidden]})
            for who in hidden:
                who.hidden = False
        self._before_settling()
        self.truth = look(self.sides)
        ends = {
            (camp.id, who.number): self.model.ends(
                membership, (self._in_service(self.truth, camp, who) or {}).get("status")
            )
            for camp, membership, who in self.model.memberships()
        }
        every = sorted(self.model.camps)
        self._run("manual", set(every), lambda: self.stage.shell.sync(every), CALM)
        self._run("hourly", set(every), lambda: self.stage.shell.batch(RunKind.HOURLY), CALM)
        EXERCISED["settled"] += 1
        self._check_equal(ends)
        checked = self.stage.shell.verify(sorted(self.model.camps))
        assert (checked.exit_code, checked.differences) == (0, ()), f"verify: {checked.differences[:3]}"

    def _check_equal(self, ends: dict[tuple[str, int], set[str | None]]) -> None:
        truth = self.truth
        expected = {(camp.id, who.record): (membership, who) for camp, membership, who in self.model.memberships()}
        assert truth.service.keys() >= expected.keys(), "the service lacks a member"
        for key in truth.service.keys() - expected.keys():
            # Removed while it, or the record that took it in, could not be seen: kept and not mailed until the night in
            # which the ids of its campaign are compared.
            chain = (self.model.owner(key[1]), self.model.people[self.model.human(key[1])])
            kept = any(who.was_hidden for who in chain) and truth.service[key]["hold"]
            assert kept, f"{key} is no member any more, and in the service"
        for key, (membership, who) in expected.items():
            ours, theirs = truth.org[membership.member_id], truth.service[key]
            names = (theirs["first_name"], theirs["last_name"], theirs["email"], theirs["member_id"], theirs["hold"])
            assert names == (who.first, who.last, who.email, membership.member_id, None), f"{key}: {names}"
            if who.was_hidden:
                continue  # what was refused while nobody could see the record waits for a person, and is listed
            assert ours["status"] == theirs["status"], f"{key}: {ours['status']} and {theirs['status']}"
            assert ours["status"] in ends[key[0], who.number], f"{key}: {ours['status']} of {ends[key[0], who.number]}"
            for name in ("level", "reason", "active", *COUNTERS):
                same = (ours[name] or None) == (theirs[name] or None)
                assert same, f"{key}: {name} is {ours[name]!r} in the org and {theirs[name]!r} in the service"
            assert ours["synced"], f"{key} is not marked as synced"
            self._check_opt_out(who, theirs, truth)

    def _check_opt_out(self, who: Person, theirs: dict[str, Any], truth: Truth) -> None:
        if who.murky:
            return
        wanted = who.box or who.out
        assert bool(theirs["opted_out"]) is wanted, f"{who.number}: opted out is {theirs['opted_out']} in the service"
        assert truth.boxes[who.record] is wanted, f"{who.number}: the box is {truth.boxes[who.record]}"
