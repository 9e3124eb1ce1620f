"""Which resource answers which address below the version."""

from __future__ import annotations

from collections.abc import Callable

from sync.embedded.org import collections, resources
from sync.embedded.org.batch import batch
from sync.embedded.org.bulk import Bulk
from sync.embedded.org.composite import composite
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import NotAllowed, not_found
from sync.embedded.org.graph import graph
from sync.embedded.org.graphql import graphql
from sync.embedded.org.limits import limits
from sync.embedded.org.quota import Quota
from sync.embedded.org.relations import is_relation, relation
from sync.embedded.org.replication import deleted, updated
from sync.embedded.org.schema import Schema
from sync.embedded.org.search import parameterized, search
from sync.embedded.org.tree import tree

OLDEST, NEWEST = 31, 68
Handler = Callable[[Org, Call], Answer]

_READ = frozenset({"GET"})
_ROWS = frozenset({"GET", "PATCH", "DELETE"})
_POST = frozenset({"POST"})
_JOBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


_OF_OBJECT: dict[str, Handler] = {
    "describe": resources.describe,
    "updated": updated,
    "deleted": deleted,
}


_SEARCHES: dict[str, tuple[frozenset[str], Handler]] = {
    "search": (_READ, search),
    "parameterizedsearch": (_READ | _POST, parameterized),
}


class Router:
    """Dispatches calls; one instance an org. ``counted`` is told of each call that is no HTTP request of its own."""

    def __init__(self, org: Org, quota: Quota) -> None:
        self._org = org
        self._quota = quota
        self.bulk = Bulk(org)
        self.counted: Callable[[], None] = lambda: None

    def dispatch(self, call: Call) -> Answer:
        """The answer of a call. Raises OrgError."""
        methods, handler = self._handler(call)
        method = "GET" if call.method == "HEAD" else call.method
        if method not in methods:
            raise NotAllowed(call.method, methods)
        return handler(self._org, call.inside(method=method))

    def _handler(self, call: Call) -> tuple[frozenset[str], Handler]:
        path = call.path
        head = path[0].lower() if path else ""
        if head == "sobjects":
            return self._sobjects(path)
        if head in ("query", "queryall"):
            if len(path) == 1:
                return _READ, resources.query
            if len(path) == 2:
                return _READ, resources.query_more
        if head == "composite":
            return self._composite(path, call.method)
        if head in _SEARCHES and len(path) == 1:
            return _SEARCHES[head]
        if head == "graphql" and len(path) == 1:
            return _POST, lambda org, call: graphql(org, call, self._take_one)
        if head == "jobs" and len(path) >= 2:
            return _JOBS, self.bulk.answer
        if head == "limits" and len(path) == 1:
            return _READ, lambda _org, _call: Answer(200, limits(self._quota, self.bulk.jobs))
        if head == "limits" and len(path) == 2 and path[1].lower() == "recordcount":
            return _READ, _record_count
        if not path:
            return _READ, _resource_map
        raise not_found()

    def _sobjects(self, path: tuple[str, ...]) -> tuple[frozenset[str], Handler]:
        if len(path) == 1:
            return _READ, resources.describe_global
        if len(path) == 2:
            return frozenset({"GET", "POST"}), _object
        if len(path) == 3 and path[2].lower() in _OF_OBJECT:
            return _READ, _OF_OBJECT[path[2].lower()]
        if len(path) == 3 and path[2].lower() == "id":  # an upsert by the id that the record will have
            return _POST, resources.create_row
        if is_relation(self._org.schema.find(path[1]), path):
            return _READ, relation
        if len(path) == 3:
            return _ROWS, resources.row
        if len(path) == 4:
            return _ROWS, resources.external_row
        raise not_found()

    @staticmethod
    def counts_parts(path: str) -> bool:
        """Whether each part of a request to this address counts as a call of its own."""
        return path.rstrip("/").endswith(("/composite/batch", "/graphql"))

    def _take_one(self) -> bool:
        """Count one more call, that of a part of a Batch or of GraphQL; whether it may be carried out."""
        taken = self._quota.take(overrun=self._org.state.switches.overrun) is not None
        if taken:
            self.counted()
        return taken

    def _composite(self, path: tuple[str, ...], method: str) -> tuple[frozenset[str], Handler]:
        if len(path) == 1:
            if method == "GET":
                return _READ, lambda _org, call: Answer(200, _below(call, "composite"))
            return _POST, lambda org, call: composite(org, call, self.dispatch)
        if path[1] == "tree" and len(path) == 3:
            return _POST, tree
        if path[1] == "graph" and len(path) == 2:
            return _POST, lambda org, call: graph(org, call, self.dispatch)
        if path[1] == "batch" and len(path) == 2:
            return _POST, lambda org, call: batch(org, call, self.dispatch, self._take_one)
        if path[1] != "sobjects":
            raise not_found()
        if len(path) == 2:
            handlers: dict[str, Handler] = {
                "POST": collections.create,
                "PATCH": collections.update,
                "DELETE": collections.delete,
            }
            return frozenset(handlers), handlers.get(method, collections.create)
        if len(path) == 3:
            return frozenset({"GET", "POST"}), collections.retrieve
        if len(path) == 4:
            return frozenset({"PATCH"}), collections.upsert
        raise not_found()


def _below(call: Call, name: str) -> dict[str, str]:
    base = f"/services/data/v{call.version}/{name}"
    return {one: f"{base}/{one}" for one in ("tree", "batch", "sobjects", "graph")}


def _object(org: Org, call: Call) -> Answer:
    return resources.create_row(org, call) if call.method == "POST" else resources.basic_information(org, call)


def _record_count(org: Org, call: Call) -> Answer:
    wanted = [n for n in call.query.get("sObjects", "").split(",") if n]
    found = []
    with org.reading(call) as connection:
        for item in org.schema.objects:
            if item.name in wanted or not wanted:
                where = " WHERE IsDeleted = 0" if item.find("IsDeleted") is not None else ""
                count = connection.execute(f"SELECT count(*) FROM {item.name}{where}").fetchone()[0]
                found.append({"count": count, "name": item.name})
    return Answer(200, {"sObjects": found})


def _resource_map(org: Org, call: Call) -> Answer:
    base = f"/services/data/v{call.version}"
    names = ("sobjects", "query", "queryAll", "search", "parameterizedSearch", "composite", "limits", "jobs", "graphql")
    body = {name: f"{base}/{name}" for name in names}
    return Answer(200, {**body, "identity": f"{call.instance_url}/id/{org.organization_id}/{org.user_id}"})


def versions() -> list[dict[str, str]]:
    """The version list, oldest first."""
    seasons = ("Spring", "Summer", "Winter")
    found = []
    for number in range(OLDEST, NEWEST + 1):
        index = number - 66  # 66.0 is Spring '26
        year = 26 + index // 3 + (1 if index % 3 == 2 else 0)
        found.append(
            {"label": f"{seasons[index % 3]} '{year}", "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        )
    return found


def template(path: str, schema: Schema) -> str:
    """An address with its ids and values left out, for the count of calls by kind."""
    parts = path.partition("?")[0].strip("/").split("/")
    if parts[:2] == ["services", "async"]:
        shown = ["services", "async", "{version}", *parts[3:4], *(p if len(p) < 15 else "{id}" for p in parts[4:])]
        return "/" + "/".join(shown)
    if parts[:2] != ["services", "data"] or len(parts) < 3:
        return "/" + "/".join(parts)
    shown = ["services", "data", "v{version}", *parts[3:]]
    if shown[3:4] == ["sobjects"] and len(shown) > 5 and shown[5].lower() not in _OF_OBJECT:
        below = ["{value}"] if not is_relation(schema.find(shown[4]), tuple(shown[3:])) else shown[6:]
        shown[5:] = ["{id}"] if len(shown) == 6 else ["{id}" if below == shown[6:] else shown[5], *below]
    elif shown[3:4] and shown[3].lower() in ("query", "queryall") and len(shown) > 4:
        shown[4:] = ["{locator}"]
    elif shown[3:4] == ["jobs"] and len(shown) > 5:
        shown[5] = "{id}"
    if shown[3:4] == ["sobjects"] and len(shown) > 4 and schema.find(shown[4]) is None:
        shown[4] = "{unknown}"
    return "/" + "/".join(shown)
