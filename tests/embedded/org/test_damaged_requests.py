"""Damaged requests get an error in the platform's form, never a failure of the server itself; seeded, so repeatable."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.org.conftest import BASE, Api, make_api

LEAD = {"attributes": {"type": "Lead", "referenceId": "r1"}, "LastName": "x", "Company": "y", "Email": "a@b.example"}
PART = {
    "method": "POST",
    "url": f"{BASE}/sobjects/Lead",
    "referenceId": "a",
    "body": {"LastName": "@{b.id}", "Company": "c"},
}
QUERY = {**PART, "referenceId": "b", "method": "GET", "url": f"{BASE}/query?q=SELECT+Id+FROM+Lead"}
MEMBER = {"attributes": {"type": "CampaignMember", "referenceId": "m"}, "CampaignId": "701gL000000FJWyQAO"}
GRAPHQL = "{ uiapi { query { Lead(first: 2, where: {LastName: {eq: $a}}) { edges { node { Id Name { value } } } } } } }"
BODIES: dict[str, Any] = {
    "composite": {"allOrNone": True, "collateSubrequests": False, "compositeRequest": [PART, QUERY]},
    "composite/sobjects": {"allOrNone": False, "records": [LEAD, MEMBER]},
    "composite/sobjects/Lead": {"ids": ["00QgL000000FJZFUA4"], "fields": ["Id", "Name"]},
    "composite/tree/Lead": {"records": [LEAD, {**LEAD, "CampaignMembers": {"records": [MEMBER]}}]},
    "composite/graph": {"graphs": [{"graphId": "1", "compositeRequest": [PART]}]},
    "composite/batch": {"haltOnError": True, "batchRequests": [{"method": "GET", "url": "v66.0/limits"}]},
    "graphql": {"query": GRAPHQL, "variables": {"a": "x"}},
    "jobs/ingest": {"object": "Lead", "operation": "upsert", "externalIdFieldName": "Id", "columnDelimiter": "COMMA"},
    "jobs/query": {"operation": "query", "query": "SELECT Id FROM Lead"},
    "sobjects/Lead": {"LastName": "x", "Company": "y", "OwnerId": "005gL000000FJWyQAO", "PAM__Score__c": 3},
    "sobjects/CampaignMember": {"CampaignId": "701gL000000FJWyQAO", "LeadId": "00QgL000000FJZFUA4", "Status": "x"},
}
JUNK: list[Any] = [None, True, 1, -1.5, "", "x", "@{a.id}", [], {}, [1], {"a": 1}, "00QgL000000FJZFUA4", 10**30]
STATEMENTS = (
    (
        "SELECT Id, (SELECT Id, Lead.Name FROM CampaignMembers LIMIT 2), Owner.Name FROM Campaign "
        "WHERE CreatedDate = LAST_N_DAYS:3 AND Name LIKE 'a%' ORDER BY Name DESC NULLS LAST LIMIT 1 OFFSET 2 FOR VIEW"
    ),
    "SELECT toLabel(Status) s, COUNT(Id) n FROM Lead WHERE Title INCLUDES ('a;b') GROUP BY Status HAVING COUNT(Id) > 1",
    "SELECT FIELDS(ALL) FROM Lead WHERE Id IN (SELECT LeadId FROM CampaignMember) AND (NOT Email = null) LIMIT 200",
    "SELECT CALENDAR_YEAR(CreatedDate) y, MAX(PAM__Score__c) FROM Lead GROUP BY CALENDAR_YEAR(CreatedDate)",
)


@pytest.fixture(scope="module")
def org() -> Iterator[Api]:
    made = make_api(campaigns=1, members=4)
    yield made
    made.http.close()
    made.built.org.store.close()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def damaged(body: Any, draw: random.Random) -> Any:
    """A body with one value replaced, removed or added."""
    copy = json.loads(json.dumps(body))
    path = draw.choice(list(places(copy)))
    if not path:
        return draw.choice(JUNK)
    within = copy
    for key in path[:-1]:
        within = within[key]
    how = draw.random()
    if how < 0.3:
        del within[path[-1]]
    elif how < 0.4 and isinstance(within, dict):
        within[draw.choice(["x", "Id", "attributes", "Lead", "records"])] = draw.choice(JUNK)
    else:
        within[path[-1]] = draw.choice(JUNK)
    return copy


@pytest.mark.parametrize("name", BODIES)
def test_damaged_bodies(org: Api, name: str) -> None:
    draw = random.Random(name)
    for _ in range(60):
        body = BODIES[name]
        for _ in range(draw.randint(1, 3)):
            body = damaged(body, draw)
        answer = org.http.request(draw.choice(["POST", "POST", "PATCH"]), f"{BASE}/{name}", json=body)
        assert answer.status_code < 500, body


@pytest.mark.parametrize("statement", STATEMENTS)
def test_damaged_statements(org: Api, statement: str) -> None:
    draw = random.Random(statement)
    words = " ".join(STATEMENTS).replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()
    for _ in range(80):
        text = statement.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(text))
            if draw.random() < 0.3 and len(text) > 2:
                del text[place]
            else:
                text[place] = draw.choice(words)
        params = {"q": " ".join(text), **({"columns": "true"} if draw.random() < 0.2 else {})}
        answer = org.http.get(f"{BASE}/{draw.choice(['query', 'queryAll'])}", params=params)
        assert answer.status_code in (200, 400), text
        if answer.status_code == 400:
            assert answer.json()[0]["errorCode"].isupper()
