"""A parsed SOQL statement to SQL and to the shape of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError, invalid_type
from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import NUMERIC, TEXTUAL, Field, ObjectType
from sync.embedded.org.soql_filter import Filter, Params
from sync.embedded.org.soql_parse import pointed
from sync.embedded.org.soql_scope import Convert, Scope, View, converter

MAX_OFFSET = 2_000
_FEW_PARENTS = 20
_COUNTED = Field("expr", "int")


def _same(value: Any) -> Any:
    return value


@dataclass(slots=True)
class Shape:
    """How one SQL row becomes a record: own fields, then the records reached through relationships."""

    item: ObjectType
    key_column: int
    leaves: list[tuple[str, int, Convert | None]] = field(default_factory=list)
    nodes: dict[str, Shape] = field(default_factory=dict)

    def records(self, rows: Sequence[Sequence[Any]], version: str) -> list[dict[str, Any]]:
        """The rows as the REST API shows records."""
        build = self.builder(version)
        return [build(row) for row in rows]

    def builder(self, version: str) -> Any:
        """A function from SQL row to record."""
        name, encode, column = self.item.name, encoder(self.item.prefix), self.key_column
        url = f"/services/data/v{version}/sobjects/{name}/"
        plain = [(key, index) for key, index, convert in self.leaves if convert is None]
        converted = [(key, index, convert) for key, index, convert in self.leaves if convert is not None]
        names = tuple(key for key, _ in plain)
        pick = itemgetter(*(index for _, index in plain)) if len(plain) > 1 else None
        if pick is None:
            converted += [(key, index, _same) for key, index in plain]
        nodes = [(key, node.key_column, node.builder(version)) for key, node in self.nodes.items()]

        def build(row: Sequence[Any]) -> dict[str, Any]:
            record: dict[str, Any] = {"attributes": {"type": name, "url": url + encode(row[column])}}
            if pick is not None:
                record.update(zip(names, pick(row), strict=True))
            for key, index, convert in converted:
                value = row[index]
                record[key] = None if value is None else convert(value)
            for key, index, make in nodes:
                record[key] = None if row[index] is None else make(row)
            return record

        return build


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement ready to run. ``kind``: rows, count (``COUNT()``), aggregate."""

    kind: str
    item: ObjectType
    columns: tuple[str, ...]
    source: str
    where: str
    order: str
    group: str
    having: str
    params: tuple[Any, ...]
    limit: int | None
    offset: int
    shape: Shape | None
    keys: tuple[tuple[str, Convert | None], ...]

    def sql(self, columns: Sequence[str], limit: int | None) -> str:
        """The SELECT over the given columns, at most ``limit`` rows (None: all)."""
        text = f"SELECT {', '.join(columns)} FROM {self.source}"
        text += f" WHERE {self.where}" if self.where else ""
        text += f" GROUP BY {self.group}" if self.group else ""
        text += f" HAVING {self.having}" if self.having else ""
        text += f" ORDER BY {self.order}" if self.order else ""
        if limit is not None or self.offset:
            text += f" LIMIT {-1 if limit is None else limit}"
        return text + (f" OFFSET {self.offset}" if self.offset else "")

    def by_keys(self) -> str:
        """The same columns for rows of given keys (one parameter, a JSON array)."""
        return f"SELECT {', '.join(self.columns)} FROM {self.source} WHERE t.Id IN (SELECT value FROM json_each(?))"


def _source_object(query: ast.Query, view: View) -> ObjectType:
    item = view.schema.find(query.source)
    if item is None:
        raise OrgError("INVALID_TYPE", pointed(query.text, query.source_at, invalid_type(query.source).message))
    return item


class _Compiler:
    """State of compiling one statement."""

    def __init__(self, query: ast.Query, view: View, params: Params, alias: str) -> None:
        self.query, self.view, self.params = query, view, params
        self.scope = Scope(view, _source_object(query, view), alias, query.text, query.alias)
        self.selective = False

    def where(self) -> str:
        """The WHERE clause, standing conditions included."""
        query, parts = self.query, []
        self.selective = False
        if query.where is not None:
            maker = Filter(self.scope, self.params, subselect)
            nodes = query.where.parts if isinstance(query.where, ast.Both) else (query.where,)
            narrow = any(self._is_narrow(n) for n in nodes)
            self.selective = narrow or any(self._indexed_branch(n) for n in nodes)
            for node in nodes:
                union = None if narrow or not isinstance(node, ast.Either) else self._union(node)
                self.selective = self.selective or union is not None
                parts.append(union if union is not None else maker.condition(node))
        return " AND ".join([*parts, *self.scope.standing()])

    def _is_narrow(self, node: ast.Condition) -> bool:
        if isinstance(node, ast.Comparison):
            simple = isinstance(node.left, ast.Path) and len(node.left.parts) == 1 and node.operator == "="
            found = self.scope.base.find(node.left.parts[0]) if simple and isinstance(node.left, ast.Path) else None
            return found is not None and (found.indexed or found.type == "id")
        if isinstance(node, ast.Among) and not node.negated and len(node.left.parts) == 1:
            found = self.scope.base.find(node.left.parts[0])
            few = len(node.values) <= _FEW_PARENTS or (found is not None and found.type == "id")
            return few and found is not None and (found.indexed or found.type == "id")
        return False

    def _union(self, node: ast.Either) -> str | None:
        """An OR over indexed fields of several tables as a union of index look-ups; None where it is not one.

        ``own stamp >= t OR lead's stamp >= t OR contact's stamp >= t`` would otherwise read every member.
        """
        if not all(self._indexed_branch(p) for p in node.parts):
            return None
        base, selects = self.scope.base, []
        for number, part in enumerate(node.parts):
            assert isinstance(part, ast.Comparison)
            assert isinstance(part.left, ast.Path)
            alias = f"{self.scope.alias}u{number}"
            if len(part.left.parts) == 1:
                inner = Scope(self.view, base, alias, self.query.text)
                condition = Filter(inner, self.params, subselect).condition(part)
                selects.append(f"SELECT {alias}.Id FROM {base.name} {alias} WHERE {condition}")
                continue
            link = base.by_relationship[part.left.parts[0].lower()]
            target = self.view.schema.get(link.reference_to[0])
            inner = Scope(self.view, target, alias, self.query.text)
            moved = replace(part, left=replace(part.left, parts=part.left.parts[1:]))
            condition = Filter(inner, self.params, subselect).condition(moved)
            selects.append(
                f"SELECT {alias}b.Id FROM {target.name} {alias} CROSS JOIN {base.name} {alias}b "
                f"ON {alias}b.{link.name} = {alias}.Id WHERE {condition}"
            )
        return f"{self.scope.alias}.Id IN ({' UNION '.join(selects)})"

    def _indexed_branch(self, node: ast.Condition) -> bool:
        if not isinstance(node, ast.Comparison) or not isinstance(node.left, ast.Path):
            return False
        if node.operator not in ("=", "<", "<=", ">", ">=") or node.value.kind in ("null", "range"):
            return False
        parts, owner = node.left.parts, self.scope.base
        if len(parts) == 2:
            link = owner.by_relationship.get(parts[0].lower())
            if link is None or not link.indexed:
                return False
            owner = self.view.schema.get(link.reference_to[0])
        found = owner.find(parts[-1]) if len(parts) <= 2 else None
        return found is not None and found.indexed and found.type == "datetime"

    def order(self) -> str:
        """The ORDER BY clause; nulls come first unless asked otherwise, in both directions."""
        parts = []
        for key in self.query.order:
            if isinstance(key.key, ast.Aggregate):
                expression, found = self.aggregate(key.key)
            else:
                found, _, expression, _ = self.scope.field(key.key)
            if found.type == "textarea" and found.length > 255:
                at = key.key.at
                raise OrgError(
                    "INVALID_FIELD",
                    pointed(self.query.text, at, (f"field '{found.name}' can not be sorted in a query call")),
                )
            text = expression + (" COLLATE NOCASE" if found.type in TEXTUAL else "")
            text += " DESC" if key.descending else ""
            first = key.nulls_first is not False
            if first == key.descending:
                text += " NULLS FIRST" if first else " NULLS LAST"
            parts.append(text)
        return ", ".join(parts)

    def aggregate(self, node: ast.Aggregate) -> tuple[str, Field]:
        """An aggregate as SQL, and a field like its result. Raises OrgError for types that have no such aggregate."""
        if node.path is None:
            raise OrgError("MALFORMED_QUERY", pointed(self.query.text, node.at, "unexpected token: ')'"))
        found, _, expression, _ = self.scope.field(node.path)
        if node.function == "COUNT":
            return f"count({expression})", _COUNTED
        if node.function == "COUNT_DISTINCT":
            text = " COLLATE NOCASE" if found.type in TEXTUAL else ""
            return f"count(DISTINCT {expression}{text})", _COUNTED
        allowed = found.type in NUMERIC or (
            node.function in ("MIN", "MAX") and found.type in (*TEXTUAL, "date", "datetime")
        )
        if not allowed:
            raise OrgError(
                "MALFORMED_QUERY",
                pointed(
                    self.query.text,
                    node.at,
                    (f"field {found.name} does not support aggregate operator {node.function}"),
                ),
            )
        return f"{node.function.lower()}({expression})", found


def subselect(query: ast.Query, view: View, params: Params, alias: str) -> tuple[str, Field]:
    """The SQL of a semi-join's inner SELECT and the one field it selects."""
    if len(query.select) != 1 or not isinstance(query.select[0], ast.Selected):
        raise OrgError("MALFORMED_QUERY", "A semi join must select exactly one field")
    compiler = _Compiler(query, view, params, alias)
    found, _, expression, _ = compiler.scope.field(query.select[0].path)
    where = compiler.where()
    text = f"SELECT {expression} FROM {compiler.scope.source()}" + (f" WHERE {where}" if where else "")
    if query.limit is not None:
        text += f" LIMIT {query.limit}"
    return text, found


def _rows(compiler: _Compiler) -> Compiled:
    query, scope = compiler.query, compiler.scope
    columns = [f"{scope.alias}.Id"]
    shape = Shape(scope.base, 0)
    seen: set[tuple[str, ...]] = set()
    for selected in query.select:
        assert isinstance(selected, ast.Selected)
        if selected.alias is not None:
            raise OrgError(
                "MALFORMED_QUERY",
                pointed(
                    query.text, selected.path.at, (f"only aggregate expressions use field aliasing: {selected.alias}")
                ),
            )
        found, owner, expression, chain = scope.field(selected.path)
        name = (*(c.lower() for c in chain), found.name)
        if name in seen:
            raise OrgError("INVALID_FIELD", f"duplicate field selected: {'.'.join(selected.path.parts)}")
        seen.add(name)
        node, walked = shape, scope.base
        for depth, part in enumerate(chain):
            link = walked.by_relationship[part.lower()]
            target, alias = scope.joins[tuple(c.lower() for c in chain[: depth + 1])]
            key = link.relationship or part
            if key not in node.nodes:
                columns.append(f"{alias}.Id")
                node.nodes[key] = Shape(target, len(columns) - 1)
            node, walked = node.nodes[key], target
        if found.name == "Id":
            node.leaves.append(("Id", node.key_column, encoder(owner.prefix)))
            continue
        columns.append(expression)
        node.leaves.append((found.name, len(columns) - 1, converter(found, owner)))
    where, order = compiler.where(), compiler.order()
    # A page in key order from a broad condition: stop after a page instead of sorting everything that fits.
    by_key = order == "t.Id" and query.limit is not None and not compiler.selective
    return Compiled(
        "rows",
        scope.base,
        tuple(columns),
        scope.source(by_key=by_key),
        where,
        order,
        "",
        "",
        tuple(compiler.params),
        query.limit,
        query.offset,
        shape,
        (),
    )


_NOT_GROUPABLE = frozenset({"datetime", "textarea", "double", "percent", "currency"})


def _grouped(compiler: _Compiler) -> Compiled:
    query, scope = compiler.query, compiler.scope
    grouped: dict[tuple[str, ...], str] = {}
    for path in query.group:
        found, _, expression, chain = scope.field(path)
        if found.type in _NOT_GROUPABLE:
            raise OrgError(
                "INVALID_FIELD",
                pointed(query.text, path.at, (f"field '{found.name}' can not be grouped in a query call")),
            )
        name = (*(c.lower() for c in chain), found.name)
        grouped[name] = expression + (" COLLATE NOCASE" if found.type in TEXTUAL else "")
    columns: list[str] = []
    keys: list[tuple[str, Convert | None]] = []
    unnamed = 0
    for selected in query.select:
        if isinstance(selected, ast.Aggregate):
            expression, found = compiler.aggregate(selected)
            label = selected.alias
            if label is None:
                label, unnamed = f"expr{unnamed}", unnamed + 1
            keys.append((label, converter(found, scope.base)))
        else:
            found, owner, expression, chain = scope.field(selected.path)
            if (*(c.lower() for c in chain), found.name) not in grouped:
                raise OrgError(
                    "MALFORMED_QUERY",
                    pointed(
                        query.text,
                        selected.path.at,
                        (f"Field must be grouped or aggregated: {'.'.join(selected.path.parts)}"),
                    ),
                )
            label = selected.alias or found.name
            keys.append((label, converter(found, owner)))
        if [k for k, _ in keys].count(label) > 1:
            raise OrgError("MALFORMED_QUERY", f"duplicate alias: {label}")
        columns.append(expression)
    where = compiler.where()
    having = ""
    if query.having is not None:
        having = Filter(scope, compiler.params, subselect).with_aggregates(compiler.aggregate).condition(query.having)
    order = compiler.order()
    return Compiled(
        "aggregate",
        scope.base,
        tuple(columns),
        scope.source(),
        where,
        order,
        ", ".join(grouped.values()),
        having,
        tuple(compiler.params),
        query.limit,
        query.offset,
        None,
        tuple(keys),
    )


def compile_query(query: ast.Query, view: View) -> Compiled:
    """The statement as SQL. Raises OrgError INVALID_FIELD, INVALID_TYPE, MALFORMED_QUERY and others."""
    if query.offset > MAX_OFFSET:
        raise OrgError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
    compiler = _Compiler(query, view, [], "t")
    aggregates = [s for s in query.select if isinstance(s, ast.Aggregate)]
    if len(aggregates) == 1 == len(query.select) and aggregates[0].path is None:
        if aggregates[0].function != "COUNT" or query.group:
            raise OrgError("MALFORMED_QUERY", pointed(query.text, aggregates[0].at, "unexpected token: '('"))
        where = compiler.where()
        return Compiled(
            "count",
            compiler.scope.base,
            ("1",),
            compiler.scope.source(),
            where,
            "",
            "",
            "",
            tuple(compiler.params),
            query.limit,
            query.offset,
            None,
            (),
        )
    if aggregates or query.group:
        return _grouped(compiler)
    return _rows(compiler)
