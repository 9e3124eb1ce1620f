"""The records of a query of the first Bulk API in JSON: as the REST API shows them, but for instants and days.

Those are milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sync.embedded.org.bulk_jobs import bulk_statement
from sync.embedded.org.core import Org
from sync.embedded.org.soql_scope import Convert, instant_text
from sync.embedded.org.soql_shape import Shape


def json_records(org: Org, soql: str, *, include_deleted: bool, version: str) -> list[dict[str, Any]]:
    """The records that a statement finds. Raises OrgError for one that bulk queries do not take."""
    _, compiled, shape = bulk_statement(org, soql, include_deleted=include_deleted)
    with org.store.reading() as connection:
        rows = connection.execute(compiled.sql(compiled.columns, compiled.limit), compiled.params).fetchall()
    return _in_milliseconds(shape).records(rows, version)


def _in_milliseconds(shape: Shape) -> Shape:
    leaves = [(name, index, _converter(shape, name, convert)) for name, index, convert in shape.leaves]
    nodes = {name: _in_milliseconds(node) for name, node in shape.nodes.items()}
    return replace(shape, leaves=leaves, nodes=nodes)


def _converter(shape: Shape, name: str, convert: Convert | None) -> Convert | None:
    if convert is instant_text:
        return _milliseconds
    found = shape.item.find(name)
    return _milliseconds_of_day if convert is None and found is not None and found.type == "date" else convert


def _milliseconds(seconds: int) -> int:
    return seconds * 1_000


def _milliseconds_of_day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000
