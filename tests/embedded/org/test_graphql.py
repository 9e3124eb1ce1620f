"""GraphQL: queries of objects through uiapi, each of which counts as a call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.org.conftest import Api


def ask(api: Api, text: str, status: int = 200, **variables: Any) -> Any:
    return api.call("POST", "/graphql", status, json={"query": text, "variables": variables})


def wrapped(inner: str) -> str:
    return f"query q($n: Int) {{ uiapi {{ query {{ {inner} }} }} }}"


def test_each_subquery_is_a_call(api: Api) -> None:
    """GraphQL = one call a subquery."""
    two = wrapped("a: Lead(first: 1) { totalCount } b: Contact { totalCount } c: Campaign { totalCount }")
    before = api.built.gateway.quota.used()
    found = ask(api, two)["data"]["uiapi"]["query"]
    assert set(found) == {"a", "b", "c"}
    assert found["c"]["totalCount"] == 2
    assert api.built.gateway.quota.used() - before == 3
    api.built.gateway.quota.use_up(2)
    (error,) = ask(api, two, 403)
    assert error["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_nodes_parents_conditions_order_and_pages(api: Api) -> None:
    people = [{"LastName": n, "Company": "Graph", "Title": t} for n, t in (("a", "x"), ("b", None), ("c", "it's"))]
    api.collection("POST", people, "Lead")
    text = wrapped(
        'Lead(first: $n, where: {and: [{Company: {eq: "Graph"}}, {not: {LastName: {in: ["z"]}}}]}, '
        "orderBy: {LastName: {order: DESC}}) "
        "{ edges { node { Id title: Title { value } Owner { Username { value } } } } "
        "totalCount pageInfo { hasNextPage endCursor } }"
    )
    page = ask(api, text, n=2)["data"]["uiapi"]["query"]["Lead"]
    assert [edge["node"]["title"]["value"] for edge in page["edges"]] == ["it's", None]
    assert page["edges"][0]["node"]["Owner"]["Username"]["value"] == "integration@predictive.example"
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
    following = text.replace("first: $n", f'first: 2, after: "{page["pageInfo"]["endCursor"]}"')
    last = ask(api, following)["data"]["uiapi"]["query"]["Lead"]
    assert [edge["node"]["title"]["value"] for edge in last["edges"]] == ["x"]
    assert last["pageInfo"]["hasNextPage"] is False


def test_fragments_defaults_conditions_and_one_of_several_operations(api: Api) -> None:
    """What generated clients send: named and inline fragments, defaults of variables, @include, operationName."""
    lead = "fragment who on Lead { Id LastName { ...text } ... on Lead { Email { ...text } } __typename }"
    text = (
        "query one($n: Int = 1, $more: Boolean!) { uiapi { ...all } } "
        "query two { uiapi { query { Contact { totalCount } } } } "
        "fragment all on UIAPI { query { Lead(first: $n) { edges { cursor node { ...who "
        "LastName { displayValue } Company @include(if: $more) { value } Title @skip(if: $more) { value } } } } } } "
        f"{lead} fragment text on StringValue {{ value }}"
    )
    body = {"query": text, "variables": {"more": False}, "operationName": "one"}
    (edge,) = api.call("POST", "/graphql", json=body)["data"]["uiapi"]["query"]["Lead"]["edges"]
    node = edge["node"]
    assert set(node) == {"Id", "LastName", "Email", "Title", "__typename"}
    assert (set(node["LastName"]), set(node["Email"]), node["__typename"]) == (
        {"value", "displayValue"},
        {"value"},
        "Lead",
    )
    following = text.replace("first: $n", f'first: $n, after: "{edge["cursor"]}"')
    (second,) = api.call("POST", "/graphql", json=body | {"query": following})["data"]["uiapi"]["query"]["Lead"][
        "edges"
    ]
    assert second["node"]["Id"] != node["Id"]
    two = api.call("POST", "/graphql", json=body | {"operationName": "two"})["data"]["uiapi"]["query"]
    assert set(two) == {"Contact"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{ uiapi { ...nowhere } }", "Undefined fragment 'nowhere'"),
        ("{ uiapi { ...a } } fragment a on UIAPI { ...a }", "Undefined fragment 'a'"),
        ("query a { uiapi { x } } query b { uiapi { x } }", "Must provide operation name"),
        ("query {", "offending token '<EOF>'"),
        ("{ other { x } }", "Only uiapi"),
        (wrapped("Nope { totalCount }"), "'Nope' is not defined"),
        (wrapped('Lead(where: {Nope: {eq: "x"}}) { totalCount }'), "'Nope' is not defined for Lead"),
        (wrapped('Lead(where: "x") { totalCount }'), "has to be an object"),
        (wrapped("Lead(where: {or: [5]}) { totalCount }"), "has to be an object"),
        (wrapped("Lead(where: {LastName: {in: 5}}) { totalCount }"), "needs a list"),
        (wrapped("Lead { edges { node { Nope { value } } } }"), "No such column 'Nope'"),
        (wrapped("Lead(first: 2001) { totalCount }"), "from 1 to 2000"),
        (wrapped(" ".join(f"q{n}: Lead {{ totalCount }}" for n in range(11))), "at most 10 queries"),
    ],
)
def test_errors_come_beside_the_data(api: Api, text: str, words: str) -> None:
    answer = ask(api, text)
    assert words in answer["errors"][0]["message"]
