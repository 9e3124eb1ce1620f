"""Relationship addresses: from a record to those that point to it, or to the one that it points to."""

from __future__ import annotations

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, not_found
from sync.embedded.org.ids import decode, encoder, normalise
from sync.embedded.org.resources import key_of, read_row, rows_of_page
from sync.embedded.org.schema import ObjectType


def is_relation(item: ObjectType | None, path: tuple[str, ...]) -> bool:
    """Whether a path below ``sobjects`` goes on from a record, and is not an external id with its value."""
    if len(path) < 4 or (item is not None and item.find(path[2]) is not None):
        return False
    return normalise(path[2]) is not None


def relation(org: Org, call: Call) -> Answer:
    """Rows that point to a record in query form, or the record that it points to. Raises OrgError."""
    item = org.object(call.path[1])
    key, steps = key_of(item, call.path[2]), list(call.path[3:])
    with org.reading(call) as connection:
        writer = org.writer(connection)
        while True:
            writer.require(item, key, deleting=True, reading=True)
            link = item.by_relationship.get(steps[0].lower())
            if link is None:
                break
            found = writer.row(item, key).get(link.name)
            target = org.schema.find(link.reference_to[0])
            if found is None or target is None:
                raise not_found()
            item, key = target, found
            steps.pop(0)
            if not steps:
                return read_row(org, call, item, key)
    return _children(org, call, item, key, steps)


def _children(org: Org, call: Call, item: ObjectType, key: int, steps: list[str]) -> Answer:
    found = org.schema.child(item, steps[0])
    if found is None or len(steps) > 1:
        raise OrgError("NOT_FOUND", "The requested resource does not exist")
    child = org.schema.get(found.child)
    fields = call.query.get("fields") or ",".join(f.name for f in child.fields)
    where = f"{found.field} = '{encoder(item.prefix)(key)}'"
    text = f"SELECT {fields} FROM {child.name} WHERE {where} ORDER BY Id"
    with org.reading(call) as connection:
        body = org.queries.run(connection, text, org.view(), version=call.version, page=rows_of_page(org, call))
    return Answer(200, body)


def counts_as_query(org: Org, path: tuple[str, ...]) -> bool:
    """Whether a part of a Composite with this path is a list of related rows."""
    if len(path) != 4 or path[0] != "sobjects":
        return False
    item = org.schema.find(path[1])
    marked = path[2].startswith("@{") or decode(path[2]) is not None
    return item is not None and marked and org.schema.child(item, path[3]) is not None
