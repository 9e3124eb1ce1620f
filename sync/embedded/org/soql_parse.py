"""SOQL text to values, by a real grammar.

Long lists of literals are one token of the lexer (a list of 4,000 ids would otherwise be 8,000 tokens).
Raises ``OrgError`` MALFORMED_QUERY with the platform's wording.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from sync.embedded.org import soql_ast as ast
from sync.embedded.org.errors import OrgError

MAX_LENGTH = 100_000
MAX_LITERAL = 4_000

_GRAMMAR = r"""
start: query
query: SELECT items FROM source filter grouping tail
source: NAME [alias] joined* [scope]
joined: "," plain alias
filter: [where] [with_mode]
grouping: [group] [having]
tail: [order] [limit] [offset] [for_what] [update]
alias: [AS] NAME
scope: USING SCOPE NAME
with_mode: WITH NAME
for_what: FOR NAME ("," NAME)*
update: UPDATE NAME ("," NAME)*
items: item ("," item)*
?item: path [NAME] -> selected
     | WRAPPED "(" path ")" [NAME] -> wrapped
     | FIELDS "(" NAME ")" -> fields_of
     | "(" query ")" -> children
     | TYPEOF NAME when+ [otherwise] END -> typeof
     | aggregate
when: WHEN NAME THEN plain ("," plain)*
otherwise: ELSE plain ("," plain)*
aggregate: FUNCTION "(" [path] ")" [NAME]
?path: plain | dated
plain: NAME ("." NAME)*
dated: DATED "(" plain ")" | DATED "(" CONVERT "(" plain ")" ")"

where: WHERE _condition
_condition: both | either | unary
both: unary (AND unary)+
either: unary (OR unary)+
?unary: NOT unary -> negation
      | "(" _condition ")"
      | comparison
?comparison: operand OPERATOR literal -> compare
           | operand LIKE literal -> compare
           | path [NOT] IN LITERALS -> among
           | path [NOT] IN "(" query ")" -> among_rows
           | path INCLUDES LITERALS -> among_values
?operand: path | aggregate_plain | WRAPPED "(" path ")" -> labelled
aggregate_plain: FUNCTION "(" [path] ")"

group: GROUP BY path ("," path)* | GROUP BY TOTALS "(" path ("," path)* ")"
having: HAVING _condition
order: ORDER BY key ("," key)*
key: operand [DIRECTION] [NULLS WHERE_NULLS]
limit: LIMIT INTEGER
offset: OFFSET INTEGER

?literal: DATETIME | DATE | STRING | NUMBER | INTEGER | CONSTANT | RANGE

SELECT.3: /select\b/i
FROM.3: /from\b/i
WHERE.3: /where\b/i
AND.3: /and\b/i
OR.3: /or\b/i
NOT.3: /not\b/i
IN.3: /in\b/i
LIKE.3: /like\b/i
GROUP.3: /group\b/i
BY.3: /by\b/i
HAVING.3: /having\b/i
ORDER.3: /order\b/i
DIRECTION.3: /(asc|desc)\b/i
NULLS.3: /nulls\b/i
WHERE_NULLS.3: /(first|last)\b/i
LIMIT.3: /limit\b/i
OFFSET.3: /offset\b/i
FUNCTION.4: /(count_distinct|count|sum|avg|min|max|grouping)(?=\s*\()/i
CONSTANT.3: /(true|false|null)\b/i
WRAPPED.4: /(tolabel|format|convertcurrency)(?=\s*\()/i
CONVERT.4: /converttimezone(?=\s*\()/i
TOTALS.4: /(rollup|cube)(?=\s*\()/i
TYPEOF.3: /typeof\b/i
WHEN.3: /when\b/i
THEN.3: /then\b/i
ELSE.3: /else\b/i
END.3: /end\b/i
UPDATE.3: /update\b/i
FIELDS.4: /fields(?=\s*\()/i
DATED.4: /(calendar|fiscal|day|hour|week)_\w+(?=\s*\()/i
RANGE.4: /(to|yester)day\b|tomorrow\b|(last|this|next|n)_\w+(:\d+)?/i
INCLUDES.3: /(includes|excludes)\b/i
AS.3: /as\b/i
USING.3: /using\b/i
SCOPE.3: /scope\b/i
WITH.3: /with\b/i
FOR.3: /for\b/i
OPERATOR: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
DATETIME.5: /\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)/
DATE.4: /\d{4}-\d\d-\d\d/
NUMBER.3: /[+-]?\d*\.\d+([eE][+-]?\d+)?/
INTEGER.2: /[+-]?\d+/
STRING: /'(?:[^'\\\n\r]|\\.)*'/
LITERALS.6: /\(\s*(?:'(?:[^'\\]|\\.)*'|[\w.:+-]+)(?:\s*,\s*(?:'(?:[^'\\]|\\.)*'|[\w.:+-]+))*\s*\)/
NAME: /[A-Za-z][A-Za-z0-9_]*/
%import common.WS
%ignore WS
"""

_ONE = re.compile(r"'(?:[^'\\]|\\.)*'|[\w.:+-]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPES |= {"_": "\\_", "%": "\\%"}
"""What stands for what behind a backslash; for LIKE the wildcards keep theirs."""
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_NUMBER = re.compile(r"[+-]?(\d+|\d*\.\d+([eE][+-]?\d+)?)\Z")
_CONSTANT = re.compile(r"(true|false)\Z", re.IGNORECASE)


def position_of(text: str, offset: int) -> ast.Position:
    """(row, column) of a character offset."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1


def pointed(text: str, at: ast.Position, message: str) -> str:
    """A message as the platform shows it: an excerpt of the statement, a caret, the place, the words."""
    row, column = at
    lines = text.split("\n")
    line = lines[row - 1] if row <= len(lines) else ""
    start = max(0, column - 41)
    excerpt = line[start : column + 40]
    return f"\n{excerpt}\n{' ' * (column - 1 - start)}^\nERROR at Row:{row}:Column:{column}\n{message}"


def _unescape(body: str) -> str:
    if "\\" not in body:
        return body

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        meant = _ESCAPES.get(code.lower())
        if meant is None:
            words = f"Illegal character sequence '\\{code}' in string literal."
            raise OrgError("MALFORMED_QUERY", f"Invalid string literal '{body}'. {words}")
        return meant

    return _ESCAPE.sub(one, body)


def _at(token: Token) -> ast.Position:
    return token.line or 1, token.column or 1


def _literal(text: str, at: ast.Position) -> ast.Literal:
    lower = text.lower()
    if text[0] == "'":
        return ast.Literal("string", _unescape(text[1:-1]), at)
    if lower == "null":
        return ast.Literal("null", "", at)
    if _CONSTANT.match(text):
        return ast.Literal("boolean", lower, at)
    if _DATETIME.match(text):
        return ast.Literal("datetime", text, at)
    if _DATE.match(text):
        return ast.Literal("date", text, at)
    if _NUMBER.match(text):
        return ast.Literal("number", text, at)
    return ast.Literal("range", lower, at)


_ALLOWED = {
    "WITH": frozenset({"SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"}),
    "FOR": frozenset({"VIEW", "REFERENCE", "UPDATE"}),
    "UPDATE": frozenset({"TRACKING", "VIEWSTAT"}),
    "SCOPE": frozenset({"EVERYTHING", "MINE", "DELEGATED", "TEAM", "MINE_AND_MY_GROUPS", "SCOPING_RULE"})
    | frozenset({"MY_TERRITORY", "MY_TEAM_TERRITORY"}),
}
"""What may follow these words."""


class _Build(Transformer[Token, Any]):
    """Parse tree to values; one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def start(self, parts: list[Any]) -> ast.Query:
        return parts[0]  # type: ignore[no-any-return]

    def items(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(parts)

    def selected(self, parts: list[Any]) -> ast.Selected:
        return ast.Selected(parts[0], str(parts[1]) if len(parts) > 1 and parts[1] is not None else None)

    def wrapped(self, parts: list[Any]) -> ast.Selected:
        return ast.Selected(parts[1], str(parts[2]) if parts[2] is not None else None, str(parts[0]).lower())

    def labelled(self, parts: list[Any]) -> ast.Path:
        if parts[0].lower() != "tolabel":
            raise OrgError("MALFORMED_QUERY", pointed(self._text, _at(parts[0]), f"unexpected token: '{parts[0]}'"))
        return parts[1]  # type: ignore[no-any-return]

    def fields_of(self, parts: list[Any]) -> ast.FieldsOf:
        return ast.FieldsOf(str(parts[1]).upper(), _at(parts[1]))

    def children(self, parts: list[Any]) -> ast.Children:
        return ast.Children(parts[0])

    def plain(self, parts: list[Token]) -> ast.Path:
        return ast.Path(tuple(str(p) for p in parts), _at(parts[0]))

    def dated(self, parts: list[Any]) -> ast.Path:
        return ast.Path(parts[-1].parts, _at(parts[0]), str(parts[0]).upper(), len(parts) == 3)

    def when(self, parts: list[Any]) -> tuple[str, ast.Position, tuple[ast.Path, ...]]:
        return str(parts[1]), _at(parts[1]), tuple(p for p in parts if isinstance(p, ast.Path))

    def typeof(self, parts: list[Any]) -> ast.TypeOf:
        cases = tuple(p for p in parts if isinstance(p, tuple) and isinstance(p[0], str))
        return ast.TypeOf(str(parts[1]), _at(parts[1]), cases, parts[-2])

    def alias(self, parts: list[Any]) -> Token:
        return parts[1]  # type: ignore[no-any-return]

    def aggregate(self, parts: list[Any]) -> ast.Aggregate:
        return ast.Aggregate(parts[0].upper(), parts[1], str(parts[2]) if parts[2] is not None else None, _at(parts[0]))

    def aggregate_plain(self, parts: list[Any]) -> ast.Aggregate:
        return ast.Aggregate(parts[0].upper(), parts[1], None, _at(parts[0]))

    def where(self, parts: list[Any]) -> Any:
        return parts[1]

    having = where

    def _checked(self, parts: list[Token]) -> None:
        known = _ALLOWED[next(str(p).upper() for p in reversed(parts) if p.type != "NAME")]
        for token in parts:
            if token.type == "NAME" and token.upper() not in known:
                raise OrgError("MALFORMED_QUERY", pointed(self._text, _at(token), f"unexpected token: '{token}'"))

    update = with_mode = for_what = _checked

    def scope(self, parts: list[Token]) -> bool:
        self._checked(parts)
        return parts[-1].upper() in ("MINE", "MINE_AND_MY_GROUPS")

    def otherwise(self, parts: list[Any]) -> tuple[ast.Path, ...]:
        return tuple(parts[1:])

    def both(self, parts: list[Any]) -> ast.Both:
        return ast.Both(tuple(p for p in parts if not isinstance(p, Token)))

    def either(self, parts: list[Any]) -> ast.Either:
        return ast.Either(tuple(p for p in parts if not isinstance(p, Token)))

    def negation(self, parts: list[Any]) -> ast.Negation:
        return ast.Negation(parts[1])

    def compare(self, parts: list[Any]) -> ast.Comparison:
        operator = str(parts[1]).upper()
        return ast.Comparison(parts[0], "!=" if operator == "<>" else operator, _literal(str(parts[2]), _at(parts[2])))

    def among(self, parts: list[Any]) -> ast.Among:
        at = _at(parts[3])
        values = tuple(_literal(one, at) for one in _ONE.findall(str(parts[3])[1:-1]))
        return ast.Among(parts[0], parts[1] is not None, values)

    def among_values(self, parts: list[Any]) -> ast.AmongValues:
        at = _at(parts[2])
        values = tuple(_literal(one, at) for one in _ONE.findall(str(parts[2])[1:-1]))
        return ast.AmongValues(parts[0], parts[1].lower() == "excludes", values)

    def among_rows(self, parts: list[Any]) -> ast.AmongRows:
        return ast.AmongRows(parts[0], parts[1] is not None, parts[3])

    def group(self, parts: list[Any]) -> tuple[Any, ...]:
        totals = [str(p).upper() for p in parts if isinstance(p, Token) and p.type == "TOTALS"]
        return tuple(p for p in parts if isinstance(p, ast.Path)), totals[0] if totals else None

    def key(self, parts: list[Any]) -> ast.Order:
        operand, direction, _, nulls = parts
        return ast.Order(
            operand,
            bool(direction) and direction.lower() == "desc",
            None if nulls is None else nulls.lower() == "first",
        )

    def order(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(p for p in parts if isinstance(p, ast.Order))

    def limit(self, parts: list[Any]) -> int:
        if parts[1][0] in "+-":
            raise OrgError("MALFORMED_QUERY", pointed(self._text, _at(parts[1]), f"unexpected token: '{parts[1][0]}'"))
        return int(parts[1])

    offset = limit

    def joined(self, parts: list[Any]) -> tuple[str, tuple[str, ...]]:
        return str(parts[1]).lower(), parts[0].parts

    def source(self, parts: list[Any]) -> tuple[Token, str | None, bool, dict[str, tuple[str, ...]]]:
        own = str(parts[1]) if parts[1] is not None else None
        joined = {name: path for part in parts[2:-1] for name, path in (part,)}
        return parts[0], own, bool(parts[-1]), joined

    def filter(self, parts: list[Any]) -> Any:
        return parts[0]

    def grouping(self, parts: list[Any]) -> tuple[Any, Any]:
        return parts[0] or ((), None), parts[1]

    def tail(self, parts: list[Any]) -> tuple[Any, int | None, int]:
        return parts[0] or (), parts[1], parts[2] or 0

    def query(self, parts: list[Any]) -> ast.Query:
        _, select, _, (source, alias, mine, joined), where, ((group, totals), having), (order, limit, offset) = parts
        at, text = _at(source), self._text
        tail = (order, limit, offset, text, totals, mine, joined)
        return ast.Query(select, str(source), at, alias, where, group, having, *tail)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True, propagate_positions=False)


def _unexpected(text: str, error: UnexpectedInput) -> OrgError:
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        at, found = _at(error.token), str(error.token)
        found = found[:1] if error.token.type == "LITERALS" else found
    elif isinstance(error, UnexpectedCharacters):
        at = (error.line, error.column)
        word = re.match(r"\w+|.", text[error.pos_in_stream :], re.DOTALL)
        found = word.group(0) if word else ""
    else:
        at, found = position_of(text, max(0, len(text.rstrip()) - 1)), "<EOF>"
    return OrgError("MALFORMED_QUERY", pointed(text, at, f"unexpected token: '{found}'"))


@lru_cache(maxsize=256)
def parse(text: str) -> ast.Query:
    """The statement as values. Raises OrgError MALFORMED_QUERY."""
    if len(text) > MAX_LENGTH:
        raise OrgError("MALFORMED_QUERY", f"SOQL statements can not be longer than {MAX_LENGTH} characters.")
    if not text.strip():
        raise OrgError("MALFORMED_QUERY", "unexpected token: '<EOF>'")
    try:
        return _Build(text).transform(_parser().parse(text))  # type: ignore[no-any-return]
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, OrgError):
            raise error.orig_exc from None
        raise OrgError("MALFORMED_QUERY", f"unexpected token: {error.orig_exc}") from None
