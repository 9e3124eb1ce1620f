"""Conditions of a SOQL statement to SQL, with SOQL's meaning of null, case, ids and date literals."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import key_for, normalise, position, to_18
from sync.embedded.org.schema import NUMERIC, TEXTUAL, Field, ObjectType
from sync.embedded.org.soql_dates import date_range
from sync.embedded.org.soql_parse import MAX_LITERAL, pointed
from sync.embedded.org.soql_scope import Scope, prefix_of
from sync.embedded.org.soql_semi import check_negated, membership
from sync.embedded.org.store import fold

Params = list[Any]
Subquery = Callable[[ast.Query, Scope, Params], tuple[str, Field, ObjectType]]
_TYPE_NAMES = {"datetime": "dateTime", "percent": "double", "currency": "double", "id": "ID", "reference": "ID"}
_FEW = 400
MOST_SEMI_JOINS = 2


def parse_instant(text: str) -> int:
    """Seconds since 1970 of a SOQL or JSON datetime. Raises ValueError."""
    clean = text.upper().replace("Z", "+00:00")
    if re.search(r"[+-]\d{4}$", clean):
        clean = clean[:-2] + ":" + clean[-2:]
    moment = datetime.fromisoformat(clean)
    if moment.tzinfo is None:
        raise ValueError(text)
    return int(moment.timestamp())


class Filter:
    """Writes the WHERE (or HAVING) clause of one scope; bound values are appended to ``params`` in order."""

    def __init__(self, scope: Scope, params: Params, subquery: Subquery) -> None:
        self._scope = scope
        self._params = params
        self._subquery = subquery
        self._aggregate: Callable[[ast.Aggregate], tuple[str, Field]] | None = None
        self._semi_joins = 0

    def with_aggregates(self, compile_one: Callable[[ast.Aggregate], tuple[str, Field]]) -> Filter:
        """The same filter for HAVING, where aggregates may stand on the left."""
        self._aggregate = compile_one
        return self

    def condition(self, node: ast.Condition) -> str:
        """One condition as SQL that is true, false or (counting as false) null."""
        if isinstance(node, ast.Both):
            return "(" + " AND ".join(self.condition(p) for p in node.parts) + ")"
        if isinstance(node, ast.AmongValues):
            return self._among_values(node)
        if isinstance(node, ast.Either):
            if any(isinstance(part, ast.AmongRows) for part in node.parts):
                raise OrgError("MALFORMED_QUERY", "Semi join sub-selects are not allowed with the 'OR' operator")
            return "(" + " OR ".join(self.condition(p) for p in node.parts) + ")"
        if isinstance(node, ast.Negation):
            check_negated(node.part)
            return f"NOT ifnull({self.condition(node.part)}, 0)"
        if isinstance(node, ast.Among):
            return self._among(node)
        if isinstance(node, ast.AmongRows):
            return self._among_rows(node)
        return self._comparison(node)

    def _comparison(self, node: ast.Comparison) -> str:
        if isinstance(node.left, ast.Aggregate):
            if self._aggregate is None:
                raise OrgError(
                    "MALFORMED_QUERY",
                    pointed(
                        self._scope.text,
                        node.left.at,
                        (f"Aggregate function {node.left.function} not allowed in WHERE clause"),
                    ),
                )
            expression, field = self._aggregate(node.left)
            return self.compare(expression, field, self._scope.base, node)
        field, owner, expression, _ = self._scope.field(node.left)
        if field.type == "textarea" and field.length > 255:
            raise OrgError(
                "INVALID_FIELD",
                pointed(self._scope.text, node.left.at, (f"field '{field.name}' can not be filtered in a query call")),
            )
        return self.compare(expression, field, owner, node)

    def compare(self, expression: str, field: Field, owner: ObjectType, node: ast.Comparison) -> str:
        """One comparison, the value of its left side given as SQL."""
        value, operator = node.value, node.operator
        if value.kind == "null" or (value.kind == "string" and not value.text and field.type in TEXTUAL):
            if operator not in ("=", "!="):
                raise self._wrong_operator(node, field)
            return f"{expression} IS {'NOT ' if operator == '!=' else ''}NULL"
        if operator == "LIKE":
            return self._like(expression, field, node)
        if field.type == "boolean":
            if value.kind != "boolean" or operator not in ("=", "!="):
                raise self._wrong_type(field, value)
            wanted = int((value.text == "true") == (operator == "="))
            return f"{expression} = {wanted}"
        if field.type in ("id", "reference"):
            return self._ids(expression, field, owner, node)
        if field.type in ("date", "datetime"):
            return self._times(expression, field, node)
        if field.type in NUMERIC:
            if value.kind != "number":
                raise self._wrong_type(field, value)
            self._params.append(float(value.text))
            return self._plain(expression, operator)
        return self._texts(expression, field, node)

    def _plain(self, expression: str, operator: str) -> str:
        return f"{expression} IS NOT ?" if operator == "!=" else f"{expression} {operator} ?"

    def _texts(self, expression: str, field: Field, node: ast.Comparison) -> str:
        text = self._text(field, node.value)
        if text.isascii():
            self._params.append(text)
            return f"{self._plain(f'{expression} COLLATE NOCASE', node.operator)}"
        self._params.append(fold(text))
        return self._plain(f"fold({expression})", node.operator)

    def _text(self, field: Field, value: ast.Literal) -> str:
        if value.kind != "string":
            raise self._wrong_type(field, value)
        if len(value.text) > MAX_LITERAL:
            raise OrgError("MALFORMED_QUERY", f"string literal longer than {MAX_LITERAL} characters")
        return value.text.replace("\\%", "%").replace("\\_", "_")

    def _like(self, expression: str, field: Field, node: ast.Comparison) -> str:
        if field.type not in TEXTUAL:
            raise self._wrong_operator(node, field)
        if node.value.kind != "string":
            raise self._wrong_type(field, node.value)
        pattern = re.sub(r"\\(?![%_])", r"\\\\", node.value.text)
        if pattern.isascii():
            self._params.append(pattern)
            return f"{expression} LIKE ? ESCAPE '\\'"
        self._params.append(fold(pattern))
        return f"fold({expression}) LIKE ? ESCAPE '\\'"

    def _ids(self, expression: str, field: Field, owner: ObjectType, node: ast.Comparison) -> str:
        text = self._id(field, node.value)
        if field.id_text:
            self._params.append(to_18(normalise(text) or text[:15].ljust(15)))
            return self._plain(expression, node.operator)
        if node.operator in ("=", "!="):
            self._params.append(key_for(prefix_of(field, owner), text))
        else:
            self._params.append(position(prefix_of(field, owner), text))
        return self._plain(expression, node.operator)

    def _id(self, field: Field, value: ast.Literal) -> str:
        if value.kind != "string":
            raise self._wrong_type(field, value)
        if normalise(value.text) is None and value.text != "":
            raise OrgError(
                "INVALID_QUERY_FILTER_OPERATOR", pointed(self._scope.text, value.at, f"invalid ID field: {value.text}")
            )
        return value.text

    def _times(self, expression: str, field: Field, node: ast.Comparison) -> str:
        value, operator, view = node.value, node.operator, self._scope.view
        as_instant = field.type == "datetime"
        if value.kind == "range":
            try:
                low, high = date_range(value.text, view.today)
            except ValueError:
                raise self._wrong_type(field, value) from None
            if as_instant:
                first, after = (
                    int(datetime.combine(d, time(), view.zone).astimezone(UTC).timestamp()) for d in (low, high)
                )
                return self._in_range(expression, operator, (first, after))
            return self._in_range(expression, operator, (low.isoformat(), high.isoformat()))
        if value.kind != field.type:
            raise self._wrong_type(field, value)
        try:
            bound: Any = parse_instant(value.text) if as_instant else date.fromisoformat(value.text).isoformat()
        except ValueError:
            raise self._wrong_type(field, value) from None
        self._params.append(bound)
        return self._plain(expression, operator)

    def _in_range(self, expression: str, operator: str, bounds: tuple[Any, Any]) -> str:
        low, high = bounds
        if operator in ("=", "!="):
            self._params.extend((low, high))
            inside = f"({expression} >= ? AND {expression} < ?)"
            return inside if operator == "=" else f"NOT ifnull({inside}, 0)"
        self._params.append(low if operator in ("<", ">=") else high)
        return f"{expression} {'<' if operator in ('<', '<=') else '>='} ?"

    def _among(self, node: ast.Among) -> str:
        field, owner, expression, _ = self._scope.field(node.left)
        nulls = any(v.kind == "null" for v in node.values)
        values = [v for v in node.values if v.kind != "null"]
        if field.type == "boolean" or any(v.kind == "range" for v in values):
            parts = [self.compare(expression, field, owner, ast.Comparison(node.left, "=", v)) for v in values]
            inside = " OR ".join([*parts, *([f"{expression} IS NULL"] if nulls else [])])
        else:
            inside = self._list(expression, field, owner, values)
            if nulls:
                inside += f" OR {expression} IS NULL"
        return f"NOT ifnull(({inside}), 0)" if node.negated else f"({inside})"

    def _list(self, expression: str, field: Field, owner: ObjectType, values: list[ast.Literal]) -> str:
        bound: list[Any]
        if field.type in ("id", "reference"):
            texts = [self._id(field, v) for v in values]
            if field.id_text:
                bound = [to_18(normalise(t) or "") for t in texts if t]
            else:
                bound = [key_for(prefix_of(field, owner), t) for t in texts]
        elif field.type == "datetime":
            bound = [parse_instant(self._typed(field, v)) for v in values]
        elif field.type == "date":
            bound = [self._typed(field, v) for v in values]
        elif field.type in NUMERIC:
            bound = [float(self._typed(field, v, "number")) for v in values]
        else:
            bound = [self._text(field, v) for v in values]
            if all(t.isascii() for t in bound):
                expression = f"{expression} COLLATE NOCASE"
            else:
                expression, bound = f"fold({expression})", [fold(t) for t in bound]
        if len(bound) <= _FEW:
            self._params.extend(bound)
            return f"{expression} IN ({', '.join('?' * len(bound))})"
        self._params.append(msgspec.json.encode(bound).decode())
        return f"{expression} IN (SELECT value FROM json_each(?))"

    def _typed(self, field: Field, value: ast.Literal, kind: str | None = None) -> str:
        if value.kind != (kind or field.type):
            raise self._wrong_type(field, value)
        return value.text

    def _among_values(self, node: ast.AmongValues) -> str:
        field, _, expression, _ = self._scope.field(node.left)
        if field.type != "multipicklist":
            words = f"{'excludes' if node.negated else 'includes'} operator is valid for multi-picklist fields only"
            raise OrgError("INVALID_QUERY_FILTER_OPERATOR", pointed(self._scope.text, node.left.at, words))
        groups = []
        for value in node.values:
            wanted = [part for part in self._text(field, value).split(";") if part]
            self._params.extend(f"%;{fold(part)};%" for part in wanted)
            groups.append("(" + " AND ".join([f"fold(';' || {expression} || ';') LIKE ?"] * len(wanted)) + ")")
        inside = " OR ".join(groups)
        return f"NOT ifnull(({inside}), 0)" if node.negated else f"({inside})"

    def _among_rows(self, node: ast.AmongRows) -> str:
        self._semi_joins += 1
        if self._semi_joins > MOST_SEMI_JOINS:
            raise OrgError("MALFORMED_QUERY", f"Maximum {MOST_SEMI_JOINS} semi join sub-selects are allowed")
        field, owner, expression, chain = self._scope.field(node.left)
        if field.type not in ("id", "reference") or chain:
            raise OrgError(
                "MALFORMED_QUERY",
                pointed(
                    self._scope.text,
                    node.left.at,
                    ("The left operand of a semi join must be an ID or reference field of the queried object"),
                ),
            )
        inside = membership((expression, field, owner), self._subquery(node.query, self._scope, self._params))
        return f"NOT ifnull({inside}, 0)" if node.negated else inside

    def _wrong_type(self, field: Field, value: ast.Literal) -> OrgError:
        name = _TYPE_NAMES.get(field.type, field.type)
        if field.type in TEXTUAL or field.type in ("id", "reference"):
            name, tail = ("string" if field.type in TEXTUAL else name), " and should be enclosed in quotes"
        else:
            tail = " and should not be enclosed in quotes" if value.kind == "string" else ""
        return OrgError(
            "INVALID_FIELD",
            pointed(
                self._scope.text,
                value.at,
                (f"value of filter criterion for field '{field.name}' must be of type {name}{tail}"),
            ),
        )

    def _wrong_operator(self, node: ast.Comparison, field: Field) -> OrgError:
        return OrgError(
            "INVALID_QUERY_FILTER_OPERATOR",
            pointed(
                self._scope.text,
                node.value.at,
                (f"invalid operator on {_TYPE_NAMES.get(field.type, field.type).lower()} field"),
            ),
        )
