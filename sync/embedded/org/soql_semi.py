"""Semi-joins and anti-joins: what SOQL allows of them, and how ids of the two sides are compared.

Raises ``OrgError`` MALFORMED_QUERY.
"""

from __future__ import annotations

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.soql_scope import prefix_of

_ID = ("id", "reference")


def _malformed(words: str) -> OrgError:
    return OrgError("MALFORMED_QUERY", words)


def holds_semi_join(node: ast.Condition | None) -> bool:
    """Whether a condition has a sub-select anywhere."""
    if isinstance(node, ast.Both | ast.Either):
        return any(holds_semi_join(part) for part in node.parts)
    if isinstance(node, ast.Negation):
        return holds_semi_join(node.part)
    return isinstance(node, ast.AmongRows)


def check_negated(part: ast.Condition) -> None:
    """Refuse NOT before a sub-select, which has a form of its own for that."""
    if holds_semi_join(part):
        raise _malformed(
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE "
            "expressions."
        )


def check_inner(query: ast.Query, outer: ObjectType) -> ast.Path:
    """The path that a sub-select selects; refuses what it may not have.

    Args:
        query: the sub-select.
        outer: the object that the statement around it reads.
    """
    if len(query.select) != 1 or not isinstance(query.select[0], ast.Selected):
        raise _malformed("A semi join must select exactly one field")
    if query.source.lower() == outer.name.lower():
        raise _malformed("The inner and outer selects should not be on the same object type")
    if holds_semi_join(query.where):
        raise _malformed("Nesting of semi join sub-selects is not supported")
    for given, name in ((query.order, "ORDER BY"), (query.limit is not None, "LIMIT"), (query.offset, "OFFSET")):
        if given:
            raise _malformed(f"{name} is not supported in semi join sub-selects")
    return query.select[0].path


def check_selected(found: Field, chain: tuple[str, ...]) -> None:
    """Refuse a selected field that is no id, or another record's."""
    if found.type not in _ID:
        raise _malformed("The selected field of a semi join must be an ID or reference field")
    if chain:
        raise _malformed("inner select field cannot have more than one level of relationships")


def _named(field: Field, owner: ObjectType) -> frozenset[str]:
    return frozenset((owner.name,) if field.type == "id" else field.reference_to)


def membership(left: tuple[str, Field, ObjectType], inner: tuple[str, Field, ObjectType]) -> str:
    """The SQL of ``left IN (inner)``; row keys are compared within one object only, ids of several objects as texts.

    Args:
        left: SQL, field and object of the left operand.
        inner: the same of the sub-select, whose column is called ``selected``.
    """
    (expression, field, owner), (rows, found, source) = left, inner
    if not _named(field, owner) & _named(found, source):
        raise _malformed("The selected field of a semi join must be of the type of the left operand")
    if field.id_text and not found.id_text:
        rows = f"SELECT id_text('{prefix_of(found, source)}', selected) FROM ({rows})"
    elif found.id_text and not field.id_text:
        expression = f"id_text('{prefix_of(field, owner)}', {expression})"
    return f"{expression} IN ({rows})"
