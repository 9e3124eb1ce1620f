"""``/search``: SOSL, which looks for words in the text fields of several objects at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json
from sync.embedded.org.resources import body_of
from sync.embedded.org.schema import TEXTUAL, ObjectType

_STATEMENT = re.compile(
    r"\s*FIND\s*\{(?P<words>(?:[^{}\\]|\\.)*)\}(?:\s+IN\s+(?P<scope>ALL|NAME|EMAIL|PHONE|SIDEBAR)\s+FIELDS)?"
    r"(?:\s+RETURNING\s+(?P<objects>.*?))?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_OBJECT = re.compile(r"\s*(?P<name>\w+)\s*(?:\((?P<inside>.*)\))?\s*\Z", re.DOTALL)
_FIELDS = re.compile(r"(?P<fields>[\w.,\s]*?)(?P<rest>\s*\b(?:WHERE|ORDER\s+BY|LIMIT|OFFSET)\b.*)?\Z", re.I | re.DOTALL)
_WORD = re.compile(r'"([^"]+)"|(\S+)')
_MOST = 2_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    item: ObjectType
    fields: str
    where: str
    tail: str
    limit: int | None


def _refused(words: str) -> OrgError:
    return OrgError("MALFORMED_SEARCH", words)


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside parentheses."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _wanted(org: Org, text: str) -> _Wanted:
    found = _OBJECT.match(text)
    if found is None:
        raise _refused(f"unexpected token: {text.strip()}")
    item = org.row_object(found["name"])
    inside = _FIELDS.match(found["inside"] or "Id")
    if inside is None:
        raise _refused(f"unexpected token: {found['inside']}")
    rest = inside["rest"] or ""
    limit = re.search(r"\s+LIMIT\s+(\d+)", rest, re.IGNORECASE)
    rest = re.sub(r"\s+LIMIT\s+\d+", "", rest, flags=re.IGNORECASE)
    where, order, keys = re.sub(r"\A\s*WHERE\s+", "", rest, flags=re.IGNORECASE), "", ""
    if re.search(r"ORDER\s+BY", rest, re.IGNORECASE):
        where, order, keys = (*re.split(r"\s*\bORDER\s+BY\b", where, maxsplit=1, flags=re.IGNORECASE), "")[:3]
        keys = f" ORDER BY{order}"
    return _Wanted(item, inside["fields"].strip() or "Id", where.strip(), keys, int(limit[1]) if limit else None)


def _groups(given: str) -> list[list[tuple[bool, str]]]:
    """The words between ORs, each with whether it has to be there (not so after AND NOT); a phrase is one word."""
    groups: list[list[tuple[bool, str]]] = [[]]
    wanted = True
    for quoted, word in _WORD.findall(re.sub(r"\\(.)", r"\1", given)):
        if word.upper() == "OR":
            groups.append([])
        elif word.upper() == "NOT" and groups[-1]:
            wanted = False
        elif word.upper() != "AND":
            groups[-1].append((wanted, quoted or word))
            wanted = True
    return groups


def _condition(item: ObjectType, groups: list[list[tuple[bool, str]]], scope: str) -> str | None:
    kinds = {"EMAIL": {"email"}, "PHONE": {"phone"}}.get(scope, TEXTUAL)
    named = ("Name", "FirstName", "LastName", "Label")
    fields = [
        each.name
        for each in item.fields
        if each.type in kinds and each.length <= 255 and (scope != "NAME" or each.name in named)
    ]
    if not fields:
        return None

    def holds(word: str) -> str:
        return "(" + " OR ".join(f"{name} LIKE '{_pattern(word)}'" for name in fields) + ")"

    each = (" AND ".join(holds(word) if wanted else f"(NOT {holds(word)})" for wanted, word in one) for one in groups)
    return "(" + " OR ".join(f"({one})" for one in each) + ")"


def _pattern(word: str) -> str:
    plain = re.sub(r"([%_'\\])", r"\\\1", word)
    return f"%{plain.replace('*', '%').replace('?', '_')}%"


def search(org: Org, call: Call) -> Answer:
    """``GET /search?q=FIND {…}``. Raises OrgError MALFORMED_SEARCH, INVALID_TYPE and those of queries."""
    found = _STATEMENT.match(call.query.get("q", ""))
    if found is None:
        raise _refused("No search term found. The search term must be enclosed in braces.")
    return _answer(org, call, found["words"], (found["scope"] or "ALL").upper(), found["objects"], found["limit"])


def parameterized(org: Org, call: Call) -> Answer:
    """``GET /parameterizedSearch?q=words&sobject=Lead&Lead.fields=Id,Name``, or the same in the body of a POST."""
    if call.method == "POST":
        return _posted(org, call)
    names = [name for name in call.query.get("sobject", "").split(",") if name]
    shown = ", ".join(f"{name}({call.query.get(f'{name}.fields', call.query.get('fields', 'Id'))})" for name in names)
    words = re.sub(r"[{}]", "", call.query.get("q", ""))
    return _answer(org, call, words, call.query.get("in", "ALL").upper(), shown or None, call.query.get("overallLimit"))


def _posted(org: Org, call: Call) -> Answer:
    """``POST /parameterizedSearch``: the words, and the objects with their fields, conditions, order and limits."""
    body = body_of(call)
    objects = body.get("sobjects", [])
    if not isinstance(objects, list) or not all(isinstance(one, Mapping) and one.get("name") for one in objects):
        raise malformed_json("sobjects has to be an array of objects with a name")
    shown = []
    for one in objects:
        fields = one.get("fields") or body.get("fields") or ["Id"]
        inside = ", ".join(str(name) for name in fields)
        for key, words in (("where", "WHERE"), ("orderBy", "ORDER BY"), ("limit", "LIMIT")):
            given = one.get(key, body.get("defaultLimit") if key == "limit" else None)
            inside += f" {words} {given}" if given is not None else ""
        shown.append(f"{one['name']}({inside})")
    most = body.get("overallLimit")
    given = re.sub(r"[{}]", "", str(body.get("q", "")))
    scope = str(body.get("in", "ALL")).upper()
    return _answer(org, call, given, scope, ", ".join(shown) or None, str(most) if most is not None else None)


def _answer(org: Org, call: Call, given: str, scope: str, objects: str | None, limit: str | None) -> Answer:
    groups = _groups(given)
    if any(len("".join(word for _, word in group).strip("*?")) < 2 for group in groups):
        raise _refused(f"search term must be longer than one character: {given}")
    listed = objects if objects is not None else ", ".join(o.name for o in org.schema.objects)
    if limit and not limit.isdigit():
        raise _refused(f"the limit has to be a whole number, not {limit}")
    most = min(int(limit), _MOST) if limit else _MOST
    records: list[dict[str, Any]] = []
    for text in _split(listed):
        wanted = _wanted(org, text)
        condition = _condition(wanted.item, groups, scope)
        if condition is None or len(records) >= most:
            continue
        where = f"{condition} AND ({wanted.where})" if wanted.where else condition
        count = min(most - len(records), wanted.limit if wanted.limit is not None else _MOST)
        soql = f"SELECT {wanted.fields} FROM {wanted.item.name} WHERE {where}{wanted.tail} LIMIT {count}"
        with org.reading(call) as connection:
            records += org.queries.run(connection, soql, org.view(), version=call.version)["records"]
    return Answer(200, {"searchRecords": records})
