"""Whatever a client sends, the answer is a result or problem details, never a failure of the service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.embedded.service.app import OPERATIONS
from tests.embedded.service.conftest import CAMPAIGN, House

ODD: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    7,
    24,
    10**30,
    1.5,
    "",
    "x",
    " ",
    "é✓",
    "a@b.co",
    "\x00",
    "{{ x }}",
    "{% x",
    "x" * 2000,
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-11-23T01:00:00Z",
    "2026-02-30",
    "2026-11-23",
    "drip",
    "adaptive",
    "lead",
    "upsert",
    "delete",
    "global",
    "campaign",
    "open",
    "bounce",
    "Sent",
    "UTC",
    [],
    {},
    [None],
    [1, 7],
    ["x"],
    [{"label": "a", "sort_order": 10**20}],
    {"sent": "x"},
    CAMPAIGN,
    "00QA",
    "send_00000001",
]
WITH_BODY = [op for op in OPERATIONS if op.request]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        built = House(Path(folder), database=":memory:")
        built.put_campaign()
        built.ready(built.editions()[0])
        built.add("00QA")
        built.mail_everybody()
        yield built
        built.close()


def bodies(kind: type) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with a shape's own keys and odd values; nested shapes likewise."""
    values: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(kind):
        nested = [t for t in _types(field.type) if isinstance(t, type) and issubclass(t, msgspec.Struct)]
        odd = st.sampled_from(ODD)
        if nested:
            inner = bodies(nested[0])
            odd = st.one_of(odd, inner, st.lists(inner, max_size=3))
        values[field.encode_name] = odd
    return st.fixed_dictionaries({}, optional=values)


def _types(annotation: Any) -> list[Any]:
    inner = [t for argument in getattr(annotation, "__args__", ()) for t in _types(argument)]
    return [annotation, *inner]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_body_breaks_the_service(house: House, data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(WITH_BODY))
    edition = house.editions()[0]["edition_id"]
    mail_id = house.mails()[0]["mail_id"]
    path = op.path.replace("{campaign_id}", CAMPAIGN).replace("{edition_id}", edition)
    path = path.replace("{person_id}", "00QA").replace("{send_id}", "send_00000001")
    body = data.draw(bodies(op.request))
    if op.name == "post_event" and data.draw(st.booleans()):
        body["mail_id"] = mail_id
    answer = house.send(op.method, path, json=body, headers={"Authorization": "Bearer secret"})
    assert answer.status_code in (*op.statuses, 400, 404, 409, 422), answer.text
    if answer.status_code in op.statuses:
        msgspec.json.decode(answer.content, type=op.answer)
    else:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_query_breaks_the_service(house: House, data: st.DataObject) -> None:
    op = data.draw(st.sampled_from([op for op in OPERATIONS if op.method == "GET"]))
    texts = st.sampled_from(
        [str(value) for value in ODD] + ["MTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw", "ezF9", "W10", "head"]
    )
    query = data.draw(st.fixed_dictionaries({}, optional={p.name: texts for p in op.query}))
    places = data.draw(st.sampled_from([CAMPAIGN, "x", "é", "%00"]))
    path = op.path
    for place in ("{campaign_id}", "{edition_id}", "{send_id}"):
        path = path.replace(place, places)
    answer = house.send("GET", path, params=query, headers={"Authorization": "Bearer secret"})
    assert answer.status_code in (200, 404, 410, 422), answer.text
