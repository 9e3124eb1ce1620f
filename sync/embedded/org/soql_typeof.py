"""TYPEOF: which fields a relationship that may lead to objects of several types shows, by the type it leads to.

In this org owners are such a relationship, and all of them are users.
"""

from __future__ import annotations

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError, invalid_type
from sync.embedded.org.soql_parse import pointed
from sync.embedded.org.soql_scope import SEVERAL, Scope

NOTHING = "nothing"
"""Wraps a field that is not shown: the record that it leads to is shown without fields."""


def fields_by_type(node: ast.TypeOf, scope: Scope) -> list[ast.Selected]:
    """The fields that the type at hand shows. Raises OrgError for another relationship, or a type it never leads to."""
    link = scope.base.by_relationship.get(node.relationship.lower())
    types = SEVERAL.get(node.relationship.lower())
    if link is None or types is None:
        words = f"TYPEOF is only allowed for relationships to objects of several types: '{node.relationship}'"
        code = "INVALID_FIELD" if link is None else "MALFORMED_QUERY"
        raise OrgError(code, pointed(scope.text, node.at, words))
    chosen = node.otherwise
    for name, at, paths in node.cases:
        if name.lower() not in (one.lower() for one in types):
            raise OrgError("INVALID_TYPE", pointed(scope.text, at, invalid_type(name).message))
        if name.lower() == link.reference_to[0].lower():
            chosen = paths
    if not chosen:
        return [ast.Selected(ast.Path((link.relationship or "", "Id"), node.at), None, NOTHING)]
    return [ast.Selected(ast.Path((link.relationship or "", *path.parts), path.at), None) for path in chosen]
