"""The API as HTTP: token, problem details, idempotency, paging limits, the OpenAPI document."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sync.embedded.service.app import OPERATIONS
from tests.embedded.service.conftest import CAMPAIGN, House

AUTH = {"Authorization": "Bearer secret"}


def test_every_v1_path_needs_the_token_and_only_then_counts(house: House) -> None:
    house.usage.clear()
    for op in OPERATIONS:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            answer = house.send(op.method, op.path.replace("{", "").replace("}", ""), headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
    assert house.usage == []
    house.get("/v1/info")
    house.get("/v1/nothing", expect=404)
    assert house.usage == [("GET", "/v1/info"), ("GET", "/v1/nothing")]
    assert house.send("GET", "/openapi.json").status_code == 200


def test_info_is_stable_for_one_database(house: House) -> None:
    before = house.get("/v1/info")
    house.clock.advance(3600)
    house.service.db.close()
    house.start()
    after = house.get("/v1/info")
    assert after["service_id"] == before["service_id"]
    assert (before["time"], after["time"]) == ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z")


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.path.count("{")], ids=lambda op: op.name)
def test_unknown_things_are_404_problems(house: House, op: Any) -> None:
    if op.name in ("put_campaign", "opt_out", "opt_in"):
        pytest.skip("makes the campaign, or takes any person")
    bodies = {"post_editions": {"operation": "x"}, "batch_members": {"rows": []}, "release": {"expected": 0}}
    path = op.path.replace("{campaign_id}", "701NONE").replace("{edition_id}", "ed_x").replace("{send_id}", "s")
    path = path.replace("{person_id}", "00QA")
    problem = house.call(op.method, path, bodies.get(op.name, {} if op.request else None), 404)
    assert set(problem) == {"type", "title", "status", "detail", "code"}
    assert problem["code"].endswith("_not_found")


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.request], ids=lambda op: op.name)
@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"\xff\xfe", 400), (b"[]", 422), (b'"x"', 422), (b"null", 422)]
)
def test_bad_bodies(house: House, op: Any, body: bytes, status: int) -> None:
    path = op.path.replace("{campaign_id}", CAMPAIGN).replace("{edition_id}", "e").replace("{person_id}", "p")
    answer = house.send(op.method, path.replace("{send_id}", "s"), content=body, headers=AUTH)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_wrong_types_point_to_the_value(house: House, upsert: Callable[..., Any]) -> None:
    rows = [upsert("00QA"), upsert("00QB", email=5)]
    problem = house.call("POST", f"/v1/campaigns/{CAMPAIGN}/members:batch", {"rows": rows}, 422)
    assert problem["errors"][0]["pointer"] == "/rows/1/fields/email"
    assert house.members() == {}
    too_many = [{"op": "delete", "lead_id": "00QA"}] * 5001
    problem = house.call("POST", f"/v1/campaigns/{CAMPAIGN}/members:batch", {"rows": too_many}, 422)
    assert problem["errors"][0]["pointer"] == "/rows"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=-1", "limit=10001", "cursor=%25", "cursor=bm90IGpzb24", "limit=%C2%B2"]
)
def test_bad_page_parameters(house: House, query: str) -> None:
    house.get(f"/v1/campaigns/{CAMPAIGN}/members?{query}", expect=422)


def test_unknown_paths_and_methods_are_problems(house: House) -> None:
    assert house.call("GET", "/v1/nope", expect=404)["code"] == "not_found"
    assert house.call("DELETE", f"/v1/campaigns/{CAMPAIGN}", expect=405)["code"] == "method_not_allowed"
    assert house.send("GET", "/").status_code == 404


# -- idempotency -------------------------------------------------------------------------------------------


def test_the_first_answer_is_given_again(house: House, upsert: Callable[..., Any]) -> None:
    first = house.batch([upsert("00QA")], Idempotency_Key="k1")
    since = house.head()
    assert house.batch([upsert("00QA")], Idempotency_Key="k1") == first
    assert first[0]["outcome"] == "created"
    assert house.changes(since) == []
    house.add("00QA", first_name="Later")
    assert house.batch([upsert("00QA")], Idempotency_Key="k1") == first
    assert house.member("00QA")["first_name"] == "Later"


def test_a_key_stands_for_one_request_for_seven_days(house: House, upsert: Callable[..., Any]) -> None:
    path = f"/v1/campaigns/{CAMPAIGN}/members:batch"
    house.batch([upsert("00QA")], Idempotency_Key="k1")
    problem = house.call("POST", path, {"rows": [upsert("00QB")]}, 422, Idempotency_Key="k1")
    assert problem["code"] == "idempotency_key_reused"
    house.call("PUT", f"/v1/campaigns/{CAMPAIGN}", {"name": "x"}, 422, Idempotency_Key="k1")
    house.clock.advance(7 * 86400 - 1)
    house.call("POST", path, {"rows": [upsert("00QB")]}, 422, Idempotency_Key="k1")
    house.clock.advance(2)
    assert house.batch([upsert("00QB")], Idempotency_Key="k1")[0]["outcome"] == "created"


def test_a_refused_request_does_not_use_up_its_key(house: House) -> None:
    (edition, *_) = house.editions()
    path = f"/v1/editions/{edition['edition_id']}/test-send"
    house.call("POST", path, expect=409, Idempotency_Key="k")
    house.call("PATCH", f"/v1/editions/{edition['edition_id']}", {"subject": "s", "html": "h"})
    house.call("PUT", "/v1/test-members", {"items": [{"person_id": "T", "email": "t@example.com"}]})
    first = house.call("POST", path, Idempotency_Key="k")
    assert house.call("POST", path, Idempotency_Key="k") == first
    assert len(house.files("t")) == 1


def test_kept_answers_survive_a_restart_and_release_is_not_repeated(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    prepared = house.call("POST", "/v1/sends:prepare", {}, Idempotency_Key="p")
    result = house.release(prepared, Idempotency_Key="r")
    house.service.db.close()
    house.start()
    assert house.call("POST", "/v1/sends:prepare", {}, Idempotency_Key="p") == prepared
    assert house.release(prepared, Idempotency_Key="r") == result
    assert len(house.files()) == 1


def test_a_key_in_progress_is_refused(make: Callable[..., House]) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        def deliver(self, mail_id: str, message: bytes) -> None:
            entered.set()
            assert go_on.wait(10)

    house = make(transport=Slow())
    house.put_campaign()
    (edition, *_) = house.editions()
    path = f"/v1/editions/{edition['edition_id']}"
    house.call("PATCH", path, {"subject": "s", "html": "h"})
    house.call("PUT", "/v1/test-members", {"items": [{"person_id": "T", "email": "t@example.com"}]})
    answers: list[int] = []

    def post() -> None:
        import asyncio

        import httpx

        async def go() -> int:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=house.app), base_url="http://x") as client:
                answer = await client.post(f"{path}/test-send", headers={**AUTH, "Idempotency-Key": "k"})
                return answer.status_code

        answers.append(asyncio.run(go()))

    thread = threading.Thread(target=post)
    thread.start()
    assert entered.wait(10)
    problem = house.call("POST", f"{path}/test-send", expect=409, Idempotency_Key="k")
    assert problem["code"] == "idempotency_in_progress"
    go_on.set()
    thread.join(10)
    assert answers == [200]
    assert house.call("POST", f"{path}/test-send", Idempotency_Key="k")["sent"] == 1


# -- the document ------------------------------------------------------------------------------------------


def test_the_openapi_document_is_that_of_the_implementation(house: House) -> None:
    document = house.send("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    shown = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    served = {
        (route.path, method)
        for route in house.app.routes
        for method in getattr(route, "methods", ())
        if route.path.startswith("/v1") and method != "HEAD"  # type: ignore[attr-defined]
    }
    assert shown == served
    names = set(document["components"]["schemas"])
    for reference in set(_references(document)):
        assert reference.removeprefix("#/components/schemas/") in names
    for path, item in document["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert declared == {part.strip("{}").split("}")[0] for part in path.split("/") if part.startswith("{")}


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for inner in value.values() for r in _references(inner)]
    return [r for inner in value for r in _references(inner)] if isinstance(value, list) else []


def test_answers_have_the_declared_shape(house: House) -> None:
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    house.event("00QA", "click", url="https://shop.example/a?b=1&c=2")
    edition = house.editions()[0]["edition_id"]
    places = {
        "{campaign_id}": CAMPAIGN, "{edition_id}": edition, "{send_id}": "send_00000001", "{person_id}": "00QA",
    }  # fmt: skip
    for op in OPERATIONS:
        if op.method == "GET":
            path = op.path
            for place, value in places.items():
                path = path.replace(place, value)
            answer = house.get(path)
            decoded = msgspec.convert(answer, op.answer)
            assert json.loads(msgspec.json.encode(decoded)) == answer, op.name
            if "items" in answer:
                assert answer["items"], op.name
