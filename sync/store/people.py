"""People across campaigns: global opt-outs of both sides, and the org's global test members.

May import the schema. An opt-out goes each way once: out in the service → the box is ticked in the org; ticked by a
user → the service is told. Unticking is no opt-in and changes nothing here but what the org was seen to have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import delete, false, select, true, update

from sync.ids import PersonId
from sync.model import PersonKind, PersonOptOut, TestPerson
from sync.store.database import Database, chunks
from sync.store.facts import TEST_PEOPLE_AT, TEST_PEOPLE_PUSHED, Facts
from sync.store.schema import person_optout, test_person


class People:
    """Opt-outs and test members. Methods join an open transaction of the calling thread."""

    def __init__(self, database: Database, facts: Facts) -> None:
        self._database = database
        self._facts = facts

    def land_service_optouts(self, people: Iterable[PersonOptOut]) -> None:
        """What the service says: who is out, and who came in again by Opt In.

        Who is out there by now need not be told to it. Who came in may be ticked again by a later opt-out; a tick of
        before, which the service was told of, is not taken to it again.
        """
        for chunk in chunks(people):
            rows = [
                {
                    "person_id": each.person_id,
                    "service_out": each.opted_out,
                    "service_at": each.at,
                }
                for each in {each.person_id: each for each in chunk}.values()
            ]
            names = ("person_id", "service_out", "service_at")
            out = [row["person_id"] for row in rows if row["service_out"]]
            back = [row["person_id"] for row in rows if not row["service_out"]]
            with self._database.write() as conn:
                self._database.many(conn, self._database.upsert(person_optout, only=names), rows)
                if out:
                    conn.execute(update(person_optout).where(person_optout.c.person_id.in_(out)).values(pushed=True))
                if back:
                    conn.execute(
                        update(person_optout)
                        .where(person_optout.c.person_id.in_(back), person_optout.c.org_out == false())
                        .values(ticked=False, pushed=False)
                    )

    def land_org_optouts(self, people: Iterable[PersonOptOut]) -> None:
        """What the org shows: who is ticked. A tick that the service knows of needs no push."""
        for chunk in chunks(people):
            rows = [
                {"person_id": each.person_id, "org_out": each.opted_out, "org_at": each.at}
                for each in {each.person_id: each for each in chunk}.values()
            ]
            with self._database.write() as conn:
                self._database.many(
                    conn, self._database.upsert(person_optout, only=("person_id", "org_out", "org_at")), rows
                )
                ids = [row["person_id"] for row in rows if row["org_out"]]
                conn.execute(update(person_optout).where(person_optout.c.person_id.in_(ids)).values(ticked=True))

    def answer_tick(self, person_id: PersonId) -> None:
        """The box is ticked and an operator opted the person in all the same: this tick is not taken to the service
        any more; one that is seen after the box was seen cleared is."""
        with self._database.write() as conn:
            row = {"person_id": person_id, "org_out": True, "ticked": True, "pushed": True}
            self._database.many(conn, self._database.upsert(person_optout, only=tuple(row)), [row])

    def land_cleared(self, person_ids: Collection[PersonId]) -> None:
        """The org shows the box cleared: the next tick is a new one."""
        with self._database.write() as conn:
            for some in chunks(person_ids):
                here = (person_optout.c.person_id.in_(some), person_optout.c.org_out == true())
                conn.execute(update(person_optout).where(*here).values(org_out=False, pushed=False))

    def to_tick(self) -> tuple[PersonOptOut, ...]:
        """People who are out in the service and whose box in the org is not known to be ticked.

        A box that was ticked and then unticked by a user is not among them: it is not ticked again.
        """
        return self._select(person_optout.c.service_out == true(), person_optout.c.ticked == false())

    def to_push(self) -> tuple[PersonOptOut, ...]:
        """People whose box is ticked in the org and whom the service does not know to be out."""
        return self._select(person_optout.c.org_out == true(), person_optout.c.pushed == false())

    def mark_ticked(self, person_ids: Collection[PersonId]) -> None:
        """The org has the tick."""
        self._mark(person_ids, ticked=True)

    def mark_pushed(self, person_ids: Collection[PersonId]) -> None:
        """The service was told."""
        self._mark(person_ids, pushed=True)

    def _mark(self, person_ids: Collection[PersonId], **values: Any) -> None:
        with self._database.write() as conn:
            for some in chunks(person_ids):
                conn.execute(update(person_optout).where(person_optout.c.person_id.in_(some)).values(**values))

    def _select(self, *conditions: Any) -> tuple[PersonOptOut, ...]:
        table = person_optout.c
        with self._database.read() as conn:
            found = conn.execute(
                select(table.person_id, table.service_at, table.org_at).where(*conditions).order_by(table.person_id)
            )
            return tuple(PersonOptOut(PersonId(row[0]), True, row[1] or row[2]) for row in found)

    # ------------------------------------------------------------ test members

    def land_test_people(self, people: Iterable[TestPerson]) -> None:
        """Replace the org's global test members."""
        rows = [
            {
                "person_id": each.person_id,
                "kind": each.kind.value,
                "first_name": each.first_name,
                "last_name": each.last_name,
                "email": each.email,
            }
            for each in people
        ]
        with self._database.write() as conn:
            conn.execute(delete(test_person))
            self._database.many(conn, self._database.upsert(test_person), rows)
            self._facts.set(TEST_PEOPLE_AT, self._database.clock.now().isoformat())

    def test_people(self) -> tuple[TestPerson, ...]:
        """The org's global test members as last read."""
        table = test_person.c
        with self._database.read() as conn:
            found = conn.execute(
                select(table.person_id, table.kind, table.first_name, table.last_name, table.email).order_by(
                    table.person_id
                )
            )
            return tuple(TestPerson(PersonId(row[0]), PersonKind(row[1]), *row[2:]) for row in found)

    def test_people_read(self) -> bool:
        """True when the org's list was read at least once; an empty list before that means nothing."""
        return self._facts.get(TEST_PEOPLE_AT) is not None

    def test_people_pushed(self) -> str | None:
        """Digest of the list that the service has."""
        return self._facts.get(TEST_PEOPLE_PUSHED)

    def set_test_people_pushed(self, digest: str | None) -> None:
        """Note the digest of the list that the service has."""
        self._facts.set(TEST_PEOPLE_PUSHED, digest)
