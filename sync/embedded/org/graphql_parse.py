"""GraphQL text to values: a query with arguments, aliases, variables, fragments and conditions; no mutations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

_TOKEN = re.compile(
    r'\s+|,|#[^\n]*|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[_A-Za-z]\w*)'
    r"|(?P<mark>\.\.\.|[{}()\[\]:$!=@])"
)


class GraphError(ValueError):
    """A text that is no query that is understood here."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A field of a selection set: what it is called in the answer, its name, arguments and own selections."""

    shown: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inner: tuple[Selection, ...] = ()

    def child(self, name: str) -> Selection | None:
        """The selection of that field within this one."""
        return next((one for one in self.inner if one.name == name), None)


@dataclass(frozen=True, slots=True)
class _Spread:
    """A named fragment where its selections belong."""

    name: str


_Found = Selection | _Spread


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, Any], operation: str | None) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._variables = dict(variables)
        self._given = frozenset(variables)
        self._wanted = operation
        self._fragments: dict[str, tuple[_Found, ...]] = {}
        place = 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise GraphError(f"Invalid Syntax : offending token '{text[place]}'")
            if found.lastgroup:
                self._tokens.append((found.lastgroup, found.group(found.lastgroup)))
            place = found.end()

    def peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def take(self, wanted: str | None = None) -> str:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "<EOF>")
        if wanted is not None and text != wanted and kind != wanted:
            raise GraphError(f"Invalid Syntax : offending token '{text}'")
        self._at += 1
        return text

    def query(self) -> tuple[Selection, ...]:
        operations: dict[str, tuple[_Found, ...]] = {}
        while self._at < len(self._tokens) or not operations:
            if self.peek() == "fragment":
                self.take()
                name = self.take("name")
                self._type()
                self._fragments[name] = self._selections()
            else:
                name = self._head()
                operations[name] = self._selections()
        if self._wanted is None and len(operations) > 1:
            raise GraphError("Must provide operation name if query contains multiple operations.")
        chosen = operations.get(self._wanted) if self._wanted is not None else next(iter(operations.values()))
        if chosen is None:
            raise GraphError(f"Unknown operation named '{self._wanted}'.")
        return self._whole(chosen)

    def _head(self) -> str:
        """What stands before an operation's selections: its name, "" without one, and its variables' defaults."""
        name = ""
        if self.peek() == "query":
            self.take()
            if self.peek() not in ("(", "{", "@"):
                name = self.take("name")
            if self.peek() == "(":
                self._definitions()
            self._directives()
        return name

    def _definitions(self) -> None:
        """The declarations of variables: their values are given beside the text, or else are the defaults."""
        self.take("(")
        while self.peek() != ")":
            self.take("$")
            name = self.take("name")
            self.take(":")
            while self.peek() not in ("=", "$", ")", "@"):
                self.take()
                if self._at >= len(self._tokens):
                    raise GraphError("Invalid Syntax : offending token '<EOF>'")
            if self.peek() == "=":
                self.take()
                value = self._value()
                if name not in self._given:
                    self._variables[name] = value
        self.take(")")

    def _type(self) -> None:
        if self.take("name") != "on":
            raise GraphError("Invalid Syntax : a fragment names the type that it is on")
        self.take("name")

    def _selections(self) -> tuple[_Found, ...]:
        self.take("{")
        found: list[_Found] = []
        while self.peek() != "}":
            found += self._spread() if self.peek() == "..." else self._field()
        self.take("}")
        return tuple(found)

    def _field(self) -> tuple[_Found, ...]:
        name = shown = self.take("name")
        if self.peek() == ":":
            self.take()
            name = self.take("name")
        arguments = self._arguments() if self.peek() == "(" else {}
        here = self._directives()
        # What a fragment stands for is put in when the whole text is read; till then the inner selections hold it.
        inner: Any = self._selections() if self.peek() == "{" else ()
        return (Selection(shown, name, arguments, inner),) if here else ()

    def _spread(self) -> tuple[_Found, ...]:
        self.take("...")
        if self.peek() not in ("on", "{", "@"):
            name = self.take("name")
            return (_Spread(name),) if self._directives() else ()
        if self.peek() == "on":
            self._type()
        here = self._directives()
        inner = self._selections()
        return inner if here else ()

    def _directives(self) -> bool:
        """Whether @include and @skip let the selection before them stand."""
        here = True
        while self.peek() == "@":
            self.take()
            name = self.take("name")
            given = (self._arguments() if self.peek() == "(" else {}).get("if")
            here = here and not (name == "include" and given is False) and not (name == "skip" and given is True)
        return here

    def _whole(self, found: Iterable[_Found], within: tuple[str, ...] = ()) -> tuple[Selection, ...]:
        """Fragments put in; selections that come to the same name are one."""
        merged: dict[str, Selection] = {}
        for one in found:
            if isinstance(one, _Spread):
                if one.name not in self._fragments or one.name in within:
                    raise GraphError(f"Validation error (UndefinedFragment) : Undefined fragment '{one.name}'")
                more = self._whole(self._fragments[one.name], (*within, one.name))
            else:
                more = (replace(one, inner=self._whole(one.inner, within)),)
            for each in more:
                known = merged.get(each.shown)
                inner = self._whole((*known.inner, *each.inner)) if known is not None else each.inner
                merged[each.shown] = replace(each, inner=inner)
        return tuple(merged.values())

    def _arguments(self) -> dict[str, Any]:
        self.take("(")
        found = {}
        while self.peek() != ")":
            name = self.take("name")
            self.take(":")
            found[name] = self._value()
        self.take(")")
        return found

    def _value(self) -> Any:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "<EOF>")
        self._at += 1
        if text == "$":
            return self._variables.get(self.take("name"))
        if text == "[":
            items = []
            while self.peek() != "]":
                items.append(self._value())
            self.take("]")
            return items
        if text == "{":
            found = {}
            while self.peek() != "}":
                name = self.take("name")
                self.take(":")
                found[name] = self._value()
            self.take("}")
            return found
        if kind in ("text", "number"):
            return msgspec.json.decode(text)
        if kind != "name":
            raise GraphError(f"Invalid Syntax : offending token '{text}'")
        return {"true": True, "false": False, "null": None}.get(text, text)


def parse_graphql(text: str, variables: Mapping[str, Any], operation: str | None = None) -> tuple[Selection, ...]:
    """The selections of a query, variables and fragments put in; *operation* chooses one of several.

    Raises GraphError.
    """
    return _Reader(text, variables, operation).query()
