"""The stage of a golden case: one campaign on both servers, its people by first name, and what may be done to them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete

from sync.bootstrap import Shell
from sync.engine.parts import Parts
from sync.ids import CampaignId, PersonId
from sync.ports import IdRead, Org
from sync.store.schema import base_member
from tests.engine.world import Campaign, World
from tests.golden.case import Unreadable, fields_of

_numbers = itertools.count(1)

PERSON_FIELDS = {
    "first_name": "FirstName",
    "last_name": "LastName",
    "email": "Email",
    "opted_out": "HasOptedOutOfEmail",
}
MEMBER_FIELDS = {
    "status": "Status",
    "test_member": "PAM__Test_Member__c",
    "level": "PAM__Level__c",
    "reason": "PAM__Reason__c",
    "active": "PAM__Active__c",
    "synced": "PAM__Synced__c",
    "opens": "PAM__Opens__c",
    "clicks": "PAM__Clicks__c",
    "completions": "PAM__Completions__c",
    "bounces": "PAM__Bounces__c",
}
HEADER_FIELDS = {
    "name": "Name",
    "type": "Type",
    "active": "IsActive",
    "status": "Status",
    "start_date": "StartDate",
    "end_date": "EndDate",
}


class ShortLists:
    """An org whose lists of ids lose a row on the way."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def __getattr__(self, name: str) -> Any:
        return getattr(self._org, name)

    def read_ids(self, campaign_ids: Sequence[CampaignId]) -> Iterator[IdRead]:
        for read in self._org.read_ids(campaign_ids):
            yield replace(read, pages=(page[:-1] for page in read.pages))


class StagedShell(Shell):
    """The shell of a case; its org may lose rows of lists."""

    loses_rows = False

    def parts(self) -> Parts:
        parts = super().parts()
        return replace(parts, org=ShortLists(parts.org)) if self.loses_rows else parts  # type: ignore[arg-type]


@dataclass(slots=True)
class Person:
    """Somebody of the case: ids of the record, and the member row where there is one."""

    name: str
    record: str
    member: str | None = None

    @property
    def kind(self) -> str:
        return "Contact" if self.record.startswith("003") else "Lead"


@dataclass(slots=True)
class Stage:
    """What the sentences of a case act upon."""

    world: World
    shell: StagedShell
    campaign: Campaign
    people: dict[str, Person] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    undo: list[Callable[[], Any]] = field(default_factory=list)
    last_run: str = ""

    # ------------------------------------------------------------ setting up

    def arrive(self, name: str, sobject: str, *, member: bool = True) -> Person:
        """A new lead or contact, and a member row made of it."""
        values = {"FirstName": name, "LastName": "Test", "Email": f"{name.lower()}@example.org"}
        if sobject == "Lead":
            values["Company"] = "Example"
        (record,) = self.world.records({"op": "create", "object": sobject, "values": values})
        person = self.people[name] = Person(name, record)
        self.names[record] = name
        if member:
            self.join(person)
        return person

    def join(self, person: Person) -> None:
        values = {"CampaignId": self.campaign.id, f"{person.kind}Id": person.record}
        (person.member,) = self.world.records({"op": "create", "object": "CampaignMember", "values": values})

    # ------------------------------------------------------------ sentences

    def act(self, sentence: str) -> None:
        """Do what a sentence says. Raises Unreadable."""
        where, colon, what = sentence.partition(":")
        for pattern, action in _ACTIONS.get(where.strip(), ()):
            found = re.fullmatch(pattern, what.strip())
            if found:
                action(self, *found.groups())
                return
        raise Unreadable(f"nobody knows how to {sentence!r}" if colon else f"{sentence!r} does not say where")

    def person(self, name: str) -> Person:
        if name not in self.people:
            raise Unreadable(f"there is no {name}")
        return self.people[name]

    def edit(self, name: str, text: str) -> None:
        """A user of the org changes fields of a person, of its member, or of the campaign."""
        values = fields_of(text)
        if name == "campaign":
            self.world.update("Campaign", self.campaign.id, **{HEADER_FIELDS[key]: values[key] for key in values})
            return
        person = self.person(name)
        if values.pop("global_test", None) is not None:
            self._global_test(person, "global_test = yes" in text)
        mine = {PERSON_FIELDS[key]: value for key, value in values.items() if key in PERSON_FIELDS}
        rest = {MEMBER_FIELDS[key]: value for key, value in values.items() if key not in PERSON_FIELDS}
        if mine:
            self.world.update(person.kind, person.record, **mine)
        if rest:
            self.world.update("CampaignMember", person.member or "", **rest)

    def _global_test(self, person: Person, on: bool) -> None:
        def mark(value: bool) -> None:
            group = "PAM" if value else None
            self.world.update(person.kind, person.record, PAM__Test_Group__c=group, PAM__Test_Member__c=value)

        mark(on)
        if on:  # the list is the org's, and other cases share it
            self.undo.append(lambda: mark(False))

    def add(self, name: str) -> None:
        person = self.people.get(name)
        if person is None:
            self.arrive(name, "Lead")
        else:
            self.join(person)

    def remove(self, name: str) -> None:
        person = self.person(name)
        self.world.delete("CampaignMember", person.member or "")

    def delete_person(self, name: str) -> None:
        person = self.person(name)
        self.world.delete(person.kind, person.record)

    def convert(self, name: str) -> None:
        """The lead becomes a contact, who goes by the same name."""
        person = self.person(name)
        (contact,) = self.world.records({"op": "convert", "id": person.record})
        self.names[contact] = name
        self.people[f"{name}'s lead"] = Person(f"{name}'s lead", person.record, person.member)
        person.record = contact

    def convert_apart(self, name: str) -> None:
        """The lead is converted while its member row stays a lead's, so that the contact can be a member, too."""
        self.world.servers.control("POST", "/settings", {"conversion_sets_contact": False})
        try:
            self.convert(name)
        finally:
            self.world.servers.control("POST", "/settings", {"conversion_sets_contact": True})

    def merge(self, loser: str, winner: str) -> None:
        one, other = self.person(winner), self.person(loser)
        self.world.records({"op": "merge", "id": one.record, "loser": other.record})
        if one.member is None:
            one.member = other.member

    def hide(self, name: str) -> None:
        key = self.campaign.id if name == "campaign" else self.person(name).record
        self.world.servers.control("POST", "/sharing", {"hide": [key]})
        self.undo.append(lambda: self.world.servers.control("POST", "/sharing", {"show": [key]}))

    def show(self, name: str) -> None:
        key = self.campaign.id if name == "campaign" else self.person(name).record
        self.world.servers.control("POST", "/sharing", {"show": [key]})

    def delete_campaign(self) -> None:
        self.world.delete("Campaign", self.campaign.id)

    def undelete_campaign(self) -> None:
        self.world.records({"op": "undelete", "id": self.campaign.id})

    def rename_status(self, before: str, after: str) -> None:
        where = f"CampaignId = '{self.campaign.id}' AND Label = '{before}'"
        (row,) = self.world.query(f"SELECT Id FROM CampaignMemberStatus WHERE {where}")
        self.world.update("CampaignMemberStatus", row["Id"], Label=after)

    def begin(self, name: str) -> None:
        """A lead joins in a transaction that is not committed yet: its stamp is of now."""
        person = self.arrive(name, "Lead", member=False)
        values = {"CampaignId": self.campaign.id, "LeadId": person.record, "Status": "Sent"}
        operation = {"op": "create", "object": "CampaignMember", "values": values}
        answer: Any = self.world.servers.control("POST", "/transactions", {"operations": [operation]})
        self.held.append(answer["id"])

    def commit(self) -> None:
        self.world.servers.control("POST", f"/transactions/{self.held.pop(0)}:commit", {})

    def account(self, name: str) -> None:
        (record,) = self.world.records({"op": "create", "object": "Account", "values": {"Name": name}})
        values = {"CampaignId": self.campaign.id, "AccountId": record}
        self.world.records({"op": "create", "object": "CampaignMember", "values": values})

    def lose_rows(self) -> None:
        self.shell.loses_rows = True

    # ------------------------------------------------------------ the service and the engine

    def activity(self, name: str, text: str) -> None:
        self.world.activity(self.campaign, self._person_in_service(name), **fields_of(text))

    def _person_in_service(self, name: str) -> str:
        there = self.world.service_members(self.campaign)
        found = [key for key, who in self.names.items() if who == name and key in there]
        if not found:
            raise Unreadable(f"{name} is no member in Predictive")
        return found[0]

    def opt_out(self, name: str) -> None:
        self.world.service("POST", f"/v1/people/{self._person_in_service(name)}:opt-out", {"scope": "global"})

    def stranger(self, name: str) -> None:
        """A member that only the service has."""
        person = self.people.get(name) or self.arrive(name, "Lead", member=False)
        fields = {"email": f"{name.lower()}@example.org", "first_name": name, "last_name": "Test", "status": "Sent"}
        self._batch({"op": "upsert", "lead_id": person.record, "member_id": None, "fields": fields})

    def vanish(self, name: str) -> None:
        self._batch({"op": "delete", "lead_id": self._person_in_service(name), "member_id": None, "fields": {}})

    def vanish_all(self) -> None:
        for name in [person.name for person in self.people.values() if person.member]:
            self.vanish(name)

    def _batch(self, row: dict[str, Any]) -> None:
        self.world.service("POST", f"/v1/campaigns/{self.campaign.id}/members:batch", {"rows": [row]})

    def ready(self, number: str) -> None:
        """The edition has content, was sent to a test member, and is active."""
        tester = self.arrive(f"Tester{next(_numbers)}", "Lead", member=False)
        item = {"person_id": tester.record, "kind": "lead", "email": "tester@example.org"}
        before = self.world.service("GET", "/v1/test-members")["items"]
        self.world.service("PUT", "/v1/test-members", {"items": [*before, item]})
        self.shell.edit_edition(self.campaign.id, number, {"subject": "Hello", "html": "<p>Hello</p>", "days_delay": 0})
        self.shell.test_send(self.campaign.id, number)
        self.shell.edit_edition(self.campaign.id, number, {"active": True})

    def lose_base(self, name: str | None = None) -> None:
        """What both sides last agreed is gone from the state."""
        key = CampaignId(self.campaign.id)
        with self.world.store.database.write() as conn:
            where = base_member.c.campaign_id == key
            if name is not None:
                where = where & (base_member.c.person_id == self._person_in_service(name))
            people = [
                PersonId(row[0])
                for row in conn.execute(base_member.select().with_only_columns(base_member.c.person_id).where(where))
            ]
            conn.execute(delete(base_member).where(where))
        self.world.store.members.drop_base((key, person) for person in people)

    def damage_base(self, name: str) -> None:
        """What was agreed of somebody is another value than it was."""
        key, person = CampaignId(self.campaign.id), PersonId(self._person_in_service(name))
        with self.world.store.database.write() as conn:
            conn.execute(
                base_member.update()
                .where(base_member.c.campaign_id == key, base_member.c.person_id == person)
                .values(status="Nonsense", email="nobody@example.org", org_digest="", service_digest="")
            )
        self.world.store.members.set_status_state(key, (), _agreed())

    def release(self, name: str) -> None:
        """A person gives what an undo holds of somebody back to the rules."""
        self.shell.release_hold(CampaignId(self.campaign.id), self.person(name).record, reason="the case says so")

    def advance(self, number: str) -> None:
        self.world.servers.control("POST", "/clock", {"advance": int(number) * 60})
        self.world.clock.advance(int(number) * 60)


def _agreed() -> Any:
    from sync.model import StatusState

    return StatusState.AGREED


NAME = r"([A-Z][A-Za-z0-9]*(?:'s lead)?)"

_ACTIONS: dict[str, tuple[tuple[str, Callable[..., None]], ...]] = {
    "salesforce": (
        (r"add the account " + NAME, Stage.account),
        (r"lists of ids lose a row", Stage.lose_rows),
        (r"add " + NAME, Stage.add),
        (r"remove " + NAME, Stage.remove),
        (r"delete the person " + NAME, Stage.delete_person),
        (r"convert " + NAME, Stage.convert),
        (r"convert " + NAME + r", the member row stays the lead's", Stage.convert_apart),
        (r"merge " + NAME + r" into " + NAME, Stage.merge),
        (r"hide (campaign|[A-Z]\w*)", Stage.hide),
        (r"show (campaign|[A-Z]\w*)", Stage.show),
        (r"delete the campaign", Stage.delete_campaign),
        (r"undelete the campaign", Stage.undelete_campaign),
        (r"rename the status (.+) to (.+)", Stage.rename_status),
        (r"begin to add " + NAME, Stage.begin),
        (r"commit", Stage.commit),
        (r"(campaign|" + NAME[1:-1] + r"): (.+)", Stage.edit),
    ),
    "predictive": (
        (r"opt out " + NAME, Stage.opt_out),
        (r"add " + NAME, Stage.stranger),
        (r"remove everybody", Stage.vanish_all),
        (r"remove " + NAME, Stage.vanish),
        (r"edition (\d) is ready to send", Stage.ready),
        (NAME + r": (.+)", Stage.activity),
    ),
    "engine": (
        (r"loses what was agreed", Stage.lose_base),
        (r"loses what was agreed of " + NAME, Stage.lose_base),
        (r"remembers nonsense of " + NAME, Stage.damage_base),
        (r"releases " + NAME, Stage.release),
    ),
    "clock": ((r"(\d+) minutes pass", Stage.advance),),
}


def set_up(world: World, shell: StagedShell, start: dict[str, Any]) -> Stage:
    """The campaign of a case with its people, started, both sides in step; then the case's own preparation."""
    today = datetime.now(UTC).date()
    campaign = world.campaign(
        0,
        type=start.get("type", "Adaptive"),
        auto_sync=start.get("auto_sync", False),
        StartDate=(today - timedelta(days=5)).isoformat(),
    )
    stage = Stage(world, shell, campaign)
    for name in start.get("leads", ()):
        stage.arrive(name, "Lead")
    for name in start.get("contacts", ()):
        stage.arrive(name, "Contact")
    for sentence in start.get("do", ()):
        stage.act(sentence)
    return stage
