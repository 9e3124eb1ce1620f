"""What ``query?columns=true`` answers: the columns of a statement instead of its rows, nested as its records are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.schema import NUMERIC, TEXTUAL, Field, ObjectType
from sync.embedded.org.soql_compile import compile_query, spelled_out
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_scope import Scope, View

_APEX = {"id": "Id", "reference": "Id", "boolean": "Boolean", "int": "Integer", "datetime": "Datetime", "date": "Date"}


def _column(name: str, apex: str, **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "aggregate": False,
        "apexType": apex,
        "booleanType": False,
        "columnName": name,
        "custom": False,
        "displayName": name,
        "foreignKeyName": None,
        "insertable": False,
        "joinColumns": [],
        "numberType": False,
        "textType": False,
        "updatable": False,
    }
    return {**base, **more}


def _of_field(item: Field, name: str) -> dict[str, Any]:
    apex = _APEX.get(item.type, "String" if item.type in TEXTUAL else "Double")
    return _column(
        name,
        apex,
        booleanType=item.type == "boolean",
        custom=item.custom,
        insertable=item.createable,
        numberType=item.type in NUMERIC,
        textType=item.type in TEXTUAL,
        updatable=item.updateable,
    )


def _into(view: View, columns: list[dict[str, Any]], owner: ObjectType, chain: tuple[str, ...]) -> list[dict[str, Any]]:
    """The columns of the record that a chain of relationships leads to, put in where they are missing."""
    for part in chain:
        link = owner.by_relationship[part.lower()]
        name = link.relationship or part
        found = next((c for c in columns if c["columnName"] == name), None)
        if found is None:
            found = _column(name, link.reference_to[0], foreignKeyName=link.name, custom=link.custom)
            columns.append(found)
        columns, owner = found["joinColumns"], view.schema.get(link.reference_to[0])
    return columns


def _columns(query: ast.Query, view: View) -> list[dict[str, Any]]:
    item = view.schema.get(query.source)
    scope = Scope(view, item, "t", query.text, query.alias, query.joined)
    columns: list[dict[str, Any]] = []
    unnamed = 0
    for one in query.select:
        if isinstance(one, ast.Aggregate):
            shown = one.alias or f"{one.function.lower()}({'.'.join(one.path.parts) if one.path else ''})"
            name, unnamed = (one.alias, unnamed) if one.alias else (f"expr{unnamed}", unnamed + 1)
            columns.append(_column(name, "Integer", aggregate=True, displayName=shown, numberType=True))
        elif isinstance(one, ast.Children):
            relation = view.schema.child(item, one.query.source)
            assert relation is not None
            inner = _columns(replace(one.query, source=relation.child), view)
            columns.append(_column(relation.name, relation.child, aggregate=True, joinColumns=inner))
        else:
            for selected in spelled_out(one, item, scope):
                found, _, _, chain = scope.field(selected.path)
                _into(view, columns, item, chain).append(_of_field(found, selected.alias or found.name))
    return columns


def query_columns(text: str, view: View) -> dict[str, Any]:
    """The columns of a statement. Raises OrgError as running it would."""
    query = parse(text)
    item = compile_query(query, view).item
    columns = _columns(query, view)
    return {
        "columnMetadata": columns,
        "entityName": item.name,
        "groupBy": bool(query.group),
        "idSelected": any(column["columnName"] == "Id" for column in columns),
        "keyPrefix": item.prefix,
    }
