"""GraphQL text to values: one query with arguments, aliases and variables; no fragments, no mutations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._variables = variables
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
        if self.peek() == "query":
            self.take()
            if self.peek() not in ("(", "{"):
                self.take("name")
            if self.peek() == "(":
                self._definitions()
        found = self.selections()
        if self._at < len(self._tokens):
            raise GraphError(f"Invalid Syntax : offending token '{self.peek()}'")
        return found

    def _definitions(self) -> None:
        """Skip the declarations of variables; their values are given beside the text."""
        depth = 0
        while True:
            mark = self.take()
            depth += {"(": 1, ")": -1}.get(mark, 0)
            if not depth:
                return
            if mark == "<EOF>":
                raise GraphError("Invalid Syntax : offending token '<EOF>'")

    def selections(self) -> tuple[Selection, ...]:
        self.take("{")
        found = []
        while self.peek() != "}":
            name = shown = self.take("name")
            if self.peek() == ":":
                self.take()
                name = self.take("name")
            arguments = self._arguments() if self.peek() == "(" else {}
            inner = self.selections() if self.peek() == "{" else ()
            found.append(Selection(shown, name, arguments, inner))
        self.take("}")
        return tuple(found)

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


def parse_graphql(text: str, variables: Mapping[str, Any]) -> tuple[Selection, ...]:
    """The selections of a query, variables put in. Raises GraphError."""
    return _Reader(text, variables).query()
