"""A parsed SOQL statement to SQL and to the shape of its answer."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError, invalid_type
from sync.embedded.org.ids import encoder
from sync.embedded.org.schema import NUMERIC, TEXTUAL, Field, ObjectType
from sync.embedded.org.soql_filter import Filter, Params
from sync.embedded.org.soql_parse import pointed
from sync.embedded.org.soql_scope import Convert, Scope, View, converter, formatted
from sync.embedded.org.soql_semi import check_inner, check_selected
from sync.embedded.org.soql_shape import Child, Compiled, Shape, count_of
from sync.embedded.org.soql_totals import MOST_KEYS, Totals
from sync.embedded.org.soql_typeof import NOTHING, fields_by_type

MAX_OFFSET = 2_000
_MOST_OF_FIELDS = 200
_FEW_PARENTS = 20
_COUNTED = Field("expr", "int")


def _source_object(query: ast.Query, view: View) -> ObjectType:
    item = view.schema.find(query.source)
    if item is None:
        raise OrgError("INVALID_TYPE", pointed(query.text, query.source_at, invalid_type(query.source).message))
    return item


class _Compiler:
    """State of compiling one statement."""

    def __init__(self, query: ast.Query, view: View, params: Params, alias: str) -> None:
        self.query, self.view, self.params = query, view, params
        self.scope = Scope(view, _source_object(query, view), alias, query.text, query.alias, query.joined)
        self.selective = False
        self.totals: Totals | None = None

    def where(self) -> str:
        """The WHERE clause, standing conditions included."""
        query, parts = self.query, []
        self.selective = False
        if query.mine:
            parts.append(self._mine())
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

    def _mine(self) -> str:
        """The condition of USING SCOPE mine. Raises OrgError INVALID_QUERY_SCOPE where nobody owns the records."""
        if self.scope.base.find("OwnerId") is None:
            words = f"{self.scope.base.name} does not support the scope mine"
            raise OrgError("INVALID_QUERY_SCOPE", pointed(self.query.text, self.query.source_at, words))
        path = ast.Path(("OwnerId",), self.query.source_at)
        owner = ast.Literal("string", self.view.user, self.query.source_at)
        return Filter(self.scope, self.params, subselect).condition(ast.Comparison(path, "=", owner))

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
        """The ORDER BY clause."""
        return ", ".join(expression + behind for expression, behind in self.keys())

    def keys(self) -> list[tuple[str, str]]:
        """The keys of ORDER BY: what is compared, and how; nulls come first unless asked otherwise, either way."""
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
            text = " COLLATE NOCASE" if found.type in TEXTUAL else ""
            text += " DESC" if key.descending else ""
            first = key.nulls_first is not False
            if first == key.descending:
                text += " NULLS FIRST" if first else " NULLS LAST"
            parts.append((expression, text))
        return parts

    def check_order(self, grouped: Container[tuple[str, ...]] = ()) -> None:
        """Refuse a key of ORDER BY that a statement of groups neither groups nor aggregates."""
        for key in self.query.order:
            if isinstance(key.key, ast.Path):
                found, _, _, chain = self.scope.field(key.key)
                if (*(c.lower() for c in chain), found.name, key.key.function or "") not in grouped:
                    words = f"Ordered field must be grouped or aggregated: {'.'.join(key.key.parts)}"
                    raise OrgError("MALFORMED_QUERY", pointed(self.query.text, key.key.at, words))

    def aggregate(self, node: ast.Aggregate) -> tuple[str, Field]:
        """An aggregate as SQL, and a field like its result. Raises OrgError for types that have no such aggregate."""
        if node.path is None:
            raise OrgError("MALFORMED_QUERY", pointed(self.query.text, node.at, "unexpected token: ')'"))
        found, _, expression, chain = self.scope.field(node.path)
        if node.function == "GROUPING":
            name = (*(c.lower() for c in chain), found.name, node.path.function or "")
            marker = self.totals.marker(name) if self.totals is not None else None
            if marker is None:
                words = f"GROUPING is only allowed for fields of GROUP BY ROLLUP or CUBE: {found.name}"
                raise OrgError("MALFORMED_QUERY", pointed(self.query.text, node.at, words))
            return marker, _COUNTED
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


def subselect(query: ast.Query, outer: Scope, params: Params) -> tuple[str, Field, ObjectType]:
    """The SQL of a semi-join's inner SELECT, whose column is called ``selected``, its field and that field's object."""
    path = check_inner(query, outer.base)
    compiler = _Compiler(query, outer.view, params, f"{outer.alias}s")
    found, owner, expression, chain = compiler.scope.field(path)
    check_selected(found, chain)
    where = compiler.where()
    text = f"SELECT {expression} AS selected FROM {compiler.scope.source()}" + (f" WHERE {where}" if where else "")
    return text, found, owner


def _path_of(compiler: _Compiler, selected: ast.Selected) -> tuple[Field, ObjectType, str, tuple[str, ...]]:
    if selected.path.function is not None:
        text, at = compiler.query.text, selected.path.at
        raise OrgError("MALFORMED_QUERY", pointed(text, at, "Date functions need GROUP BY in the SELECT clause"))
    if selected.alias is not None and selected.wrapped is None:
        words = f"only aggregate expressions use field aliasing: {selected.alias}"
        raise OrgError("MALFORMED_QUERY", pointed(compiler.query.text, selected.path.at, words))
    return compiler.scope.field(selected.path)


def spelled_out(one: ast.Selected | ast.FieldsOf | ast.TypeOf, item: ObjectType, scope: Scope) -> list[ast.Selected]:
    """The fields that an item of the select list stands for."""
    if isinstance(one, ast.Selected):
        return [one]
    if isinstance(one, ast.TypeOf):
        return fields_by_type(one, scope)
    kept = [f for f in item.fields if one.kind == "ALL" or f.custom == (one.kind == "CUSTOM")]
    return [ast.Selected(ast.Path((f.name,), one.at), None) for f in kept]


def _selected(compiler: _Compiler) -> list[ast.Selected]:
    """The fields of the select list, ``FIELDS()`` spelled out."""
    query = compiler.query
    found: list[ast.Selected] = []
    for one in query.select:
        if isinstance(one, ast.FieldsOf):
            if one.kind not in ("ALL", "STANDARD", "CUSTOM"):
                raise OrgError("MALFORMED_QUERY", pointed(query.text, one.at, f"unexpected token: '{one.kind}'"))
            if one.kind != "STANDARD" and (query.limit is None or query.limit > _MOST_OF_FIELDS):
                words = "The SOQL FIELDS function must have a LIMIT of at most 200"
                raise OrgError("MALFORMED_QUERY", pointed(query.text, one.at, words))
        if isinstance(one, ast.Selected | ast.FieldsOf | ast.TypeOf):
            found += spelled_out(one, compiler.scope.base, compiler.scope)
    return found


def _rows(compiler: _Compiler) -> Compiled:
    query, scope = compiler.query, compiler.scope
    columns = [f"{scope.alias}.Id"]
    shape = Shape(scope.base, 0)
    seen: set[tuple[str, ...]] = set()
    for selected in _selected(compiler):
        found, owner, expression, chain = _path_of(compiler, selected)
        shown = selected.alias or found.name
        name = (*(c.lower() for c in chain), shown)
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
                node.order.append(key)
            node, walked = node.nodes[key], target
        if selected.wrapped == NOTHING:
            continue
        node.order.append(shown)
        if found.name == "Id":
            node.leaves.append((shown, node.key_column, encoder(owner.prefix)))
            continue
        columns.append(expression)
        convert = converter(found, owner)
        if selected.wrapped == "format":
            convert = formatted(found, compiler.view.zone)
        node.leaves.append((shown, len(columns) - 1, convert))
    where, order = compiler.where(), compiler.order()
    # A page in key order from a broad condition: stop after a page instead of sorting everything that fits.
    by_key = order == "t.Id" and query.limit is not None and not compiler.selective
    source = scope.source(by_key=by_key)
    params = tuple(compiler.params)
    made = ("rows", scope.base, tuple(columns), source, where, order, "", "", params, query.limit, query.offset)
    return Compiled(*made, shape, (), _children(compiler))


def _children(compiler: _Compiler) -> tuple[Child, ...]:
    """The child queries of the select list. Raises OrgError INVALID_TYPE for an unknown relationship."""
    found = []
    for one in compiler.query.select:
        if not isinstance(one, ast.Children):
            continue
        relation = compiler.view.schema.child(compiler.scope.base, one.query.source)
        if relation is None:
            words = (
                f"Didn't understand relationship '{one.query.source}' in FROM part of query call. If you are "
                "attempting to use a custom relationship, be sure to append the '__r' after the custom relationship "
                "name. Please reference your WSDL or the describe call for the appropriate names."
            )
            raise OrgError("INVALID_TYPE", pointed(one.query.text, one.query.source_at, words))
        totals = next((part for part in one.query.select if isinstance(part, ast.Aggregate)), None)
        if totals is not None or one.query.group:
            at = totals.at if totals is not None else one.query.group[0].at
            words = "only root queries support aggregate expressions"
            raise OrgError("MALFORMED_QUERY", pointed(one.query.text, at, words))
        inner = _Compiler(replace(one.query, source=relation.child), compiler.view, [], "t")
        rows = _rows(inner)
        where = " AND ".join([*([f"({rows.where})"] if rows.where else []), f"t.{relation.field} = ?"])
        found.append(Child(relation.name, replace(rows, where=where)))
    return tuple(found)


_NOT_GROUPABLE = frozenset({"datetime", "textarea", "double", "percent", "currency"})


def _shown(
    compiler: _Compiler, grouped: Mapping[tuple[str, ...], str]
) -> tuple[list[str], list[tuple[str, Convert | None]]]:
    """The columns of a grouped statement, and how each is called and shown."""
    query, scope, totals = compiler.query, compiler.scope, compiler.totals
    columns: list[str] = []
    keys: list[tuple[str, Convert | None]] = []
    unnamed = 0
    for selected in query.select:
        if isinstance(selected, ast.FieldsOf | ast.TypeOf | ast.Children):
            raise OrgError("MALFORMED_QUERY", "Grouped queries select fields and aggregates only")
        if isinstance(selected, ast.Aggregate):
            expression, found = compiler.aggregate(selected)
            label = selected.alias
            if label is None:
                label, unnamed = f"expr{unnamed}", unnamed + 1
            keys.append((label, converter(found, scope.base)))
        else:
            found, owner, expression, chain = scope.field(selected.path)
            name = (*(c.lower() for c in chain), found.name, selected.path.function or "")
            if name not in grouped:
                raise OrgError(
                    "MALFORMED_QUERY",
                    pointed(
                        query.text,
                        selected.path.at,
                        (f"Field must be grouped or aggregated: {'.'.join(selected.path.parts)}"),
                    ),
                )
            label = selected.alias or found.name
            if selected.alias is None and selected.path.function is not None:
                label, unnamed = f"expr{unnamed}", unnamed + 1
            keys.append((label, converter(found, owner)))
            if totals is not None:
                expression = totals.key(name, expression)
        if [k for k, _ in keys].count(label) > 1:
            raise OrgError("MALFORMED_QUERY", f"duplicate alias: {label}")
        columns.append(expression)
    return columns, keys


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
        name = (*(c.lower() for c in chain), found.name, path.function or "")
        grouped[name] = expression + (" COLLATE NOCASE" if found.type in TEXTUAL else "")
    totals = compiler.totals = Totals(query.totals, grouped) if query.totals else None
    if totals is not None and len(grouped) > MOST_KEYS:
        at = query.group[MOST_KEYS].at
        raise OrgError("MALFORMED_QUERY", pointed(query.text, at, f"at most {MOST_KEYS} fields in {query.totals}"))
    columns, keys = _shown(compiler, grouped)
    compiler.check_order(grouped)
    where = compiler.where()
    having = ""
    if query.having is not None:
        having = Filter(scope, compiler.params, subselect).with_aggregates(compiler.aggregate).condition(query.having)
    if totals is not None:
        made = totals.statement(columns, scope.source(), where, having, compiler.keys())
        source, columns, order = made
        params = tuple(compiler.params) * totals.count
        outer = ("aggregate", scope.base, tuple(columns), source, "", order, "", "", params, query.limit, query.offset)
        return Compiled(*outer, None, tuple(keys))
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
        compiler.check_order()
        where = compiler.where()
        source = compiler.scope.source()
        return count_of(compiler.scope.base, source, where, compiler.params, query.limit, query.offset)
    if aggregates or query.group:
        return _grouped(compiler)
    return _rows(compiler)
