"""One operation of the API as data: path, shapes, handler. Routing, OpenAPI and the tests read the same list."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from sync.embedded.service.problems import Problem, from_validation, invalid

Mode = Literal["read", "write", "own"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter."""

    name: str
    schema: Mapping[str, Any]
    about: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request, taken apart. ``body`` is decoded to the operation's request type."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    client: str | None

    def limit(self, default: int, highest: int) -> int:
        """The page size. Raises Problem 422."""
        text = self.query.get("limit")
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= highest):
            raise invalid("/limit", f"limit must be a whole number from 1 to {highest}")
        return int(text)

    def after(self) -> Any:
        """The key that the cursor holds, or None. Raises Problem 422."""
        text = self.query.get("cursor")
        if not text:
            return None
        try:
            return json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=="))
        except (binascii.Error, ValueError, UnicodeError) as error:
            raise invalid("/cursor", "this is not a cursor of this list", "cursor_invalid") from error

    def after_text(self) -> str | None:
        """The cursor's key where it is one text. Raises Problem 422."""
        value = self.after()
        if value is not None and not isinstance(value, str):
            raise invalid("/cursor", "this is not a cursor of this list", "cursor_invalid")
        return value


def cursor_of(key: Any) -> str | None:
    """The cursor that goes on after a key."""
    if key is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation answers."""

    value: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path. ``handler`` takes (connection, call) to read, (work, call) to write in one transaction,
    or (service, call) when it makes its own transactions."""

    name: str
    method: str
    path: str
    mode: Mode
    handler: Callable[..., Result]
    answer: type
    about: str
    request: type | None = None
    statuses: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = ()
    query: tuple[Parameter, ...] = ()


def decode(kind: type, body: bytes) -> Any:
    """A request's body as its type. Raises Problem 400 (not JSON) or 422 (JSON of the wrong shape)."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise from_validation(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed_json", f"The body is not JSON: {error}") from error


CURSOR = Parameter("cursor", {"type": "string"}, "`next` of the page before; absent = from the beginning.")


def limit_parameter(default: int, highest: int) -> Parameter:
    """The page size of a list."""
    return Parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": highest, "default": default}, "The most items of a page."
    )
