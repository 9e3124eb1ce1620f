"""The seeded people: a pool of ordinary ones, and a pool of odd ones. Deterministic by the generator given."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from sync.embedded.seed.names import CULTURES, DOMAIN_ENDS, INDUSTRIES, SOURCES, TITLES, Culture


@dataclass(slots=True)
class Person:
    """A lead (``company`` given as text) or a contact (``account`` an index into the accounts)."""

    lead: bool
    first: str | None
    last: str
    email: str | None
    company: str
    account: int
    title: str | None
    city: str
    country: str
    source: str
    opted_out: bool = False
    test: bool = False
    converted_to: int | None = None
    score: float | None = None


@dataclass(slots=True)
class People:
    """Makes people; e-mail addresses of ordinary people are unique in the org."""

    random: random.Random
    accounts: int
    _taken: dict[str, int] = field(default_factory=dict)
    _weights: list[int] = field(default_factory=lambda: [c.weight for c in CULTURES])

    def account_rows(self) -> Iterator[tuple[str, str, str, str]]:
        """(name, city, country, industry) of every account."""
        for number in range(self.accounts):
            culture = self._culture()
            name, _ = self.random.choice(culture.companies)
            city, country = self.random.choice(culture.places)
            shown = f"{name} {number + 1}" if number >= len(CULTURES) else name
            yield shown, city, country, self.random.choice(INDUSTRIES)

    def _culture(self) -> Culture:
        return self.random.choices(CULTURES, self._weights)[0]

    def ordinary(self, *, lead: bool) -> Person:
        """Somebody with a valid address of their own."""
        pick, culture = self.random.choice, self._culture()
        (first, ascii_first), (last, ascii_last) = pick(culture.first), pick(culture.last)
        company, stem = pick(culture.companies)
        city, country = pick(culture.places)
        domain = f"{stem.replace('&', '').replace(' ', '')}.{pick(DOMAIN_ENDS)}"
        local = f"{ascii_first}.{ascii_last}"
        seen = self._taken.get(local, 0)
        self._taken[local] = seen + 1
        email = f"{local}{seen + 1 if seen else ''}@{domain}"
        return Person(
            lead,
            first,
            last,
            email,
            company,
            self.random.randrange(self.accounts),
            pick(TITLES),
            city,
            country,
            pick(SOURCES),
            score=float(self.random.randrange(100)) if seen % 3 == 0 else None,
        )

    def odd(self, number: int, ordinary: list[Person]) -> list[Person]:
        """The ``number``-th odd case: one person, or people who belong together."""
        one = self.ordinary(lead=number % 2 == 0)
        case = number % 12
        if case == 0:
            one.email = None
        elif case in (1, 6):
            one.opted_out = True
        elif case in (2, 7):
            one.email = self.random.choice(ordinary).email
        elif case == 3:
            return self._lead_and_contact(one)
        elif case == 4:
            one.first = None
        elif case == 5:
            one.email = f"πωλήσεις{number}@παράδειγμα.example" if number % 24 == 5 else f"info{number}@bücher.example"
        elif case == 8:
            one.first, one.last = "[bold]Ann[/bold]", "O’Brien \\ 'Quote\" <x>"
        elif case == 9:
            one.last = "Wolfeschlegelsteinhausenbergerdorff-" + "von-und-zu-" * 4
            one.last = one.last[:80]
        elif case == 10:
            one.first, one.last = "👩‍💻 Zoë", "e\u0301clair-" + one.last
        elif case == 11:
            one.email, one.opted_out = None, True
        return [one]

    def _lead_and_contact(self, lead: Person) -> list[Person]:
        lead.lead = True
        contact = Person(
            False,
            lead.first,
            lead.last,
            lead.email,
            lead.company,
            lead.account,
            lead.title,
            lead.city,
            lead.country,
            lead.source,
        )
        return [lead, contact]

    def test_member(self, number: int) -> Person:
        """A global test member: two leads, then two contacts."""
        lead = number < 2
        return Person(
            lead,
            "Test",
            f"{'Lead' if lead else 'Contact'} {number % 2 + 1}",
            f"test.{'lead' if lead else 'contact'}{number % 2 + 1}@example.com",
            "Own Company",
            0,
            "Campaign tester",
            "London",
            "United Kingdom",
            "Other",
            test=True,
        )
