"""From JSON values to stored values, field by field, with the errors that the platform gives.

Raises ``OrgError``; never stores anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import decode
from sync.embedded.org.schema import NUMERIC, TEXTUAL, Field, ObjectType
from sync.embedded.org.soql_filter import parse_instant
from sync.embedded.org.soql_scope import prefix_of

_LOCAL = r"[^\s@<>()\[\],;:\\\".]+"
_EMAIL = re.compile(rf"{_LOCAL}(?:\.{_LOCAL})*@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{{2,}}\Z")
_SHOWN = 200


def is_email(text: str) -> bool:
    """Whether the org accepts the text as an e-mail address (addresses in any script are accepted)."""
    return len(text) <= 80 and _EMAIL.match(text) is not None


def no_column(name: str, item: ObjectType) -> OrgError:
    """The error for a field that the object does not have."""
    return OrgError("INVALID_FIELD", f"No such column '{name}' on sobject of type {item.name}")


def read_only(names: list[str]) -> OrgError:
    """The error for fields that cannot be written."""
    return OrgError(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        (
            f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and "
            "verify that it is read/write for your profile or permission set."
        ),
        tuple(names),
    )


def split_row(
    item: ObjectType, values: Mapping[str, Any], *, creating: bool
) -> tuple[dict[str, Any], list[tuple[Field, Mapping[str, Any]]]]:
    """(stored values by field name, references given through another object's external id).

    Raises OrgError for fields that are unknown or read-only, and for values of the wrong kind.
    """
    stored: dict[str, Any] = {}
    links: list[tuple[Field, Mapping[str, Any]]] = []
    refused: list[str] = []
    for name, value in values.items():
        if name == "attributes":
            continue
        found = item.by_name.get(name) or item.by_name.get(name.lower())
        if found is None:
            link = item.by_relationship.get(name.lower())
            if link is None or not isinstance(value, Mapping):
                raise no_column(name, item)
            links.append((link, value))
            found = link
        if found.type == "id":
            if creating:
                raise OrgError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
            continue
        if not (found.createable if creating else found.updateable):
            refused.append(found.name)
        elif not links or links[-1][0] is not found:
            stored[found.name] = stored_value(found, item, value)
    if refused:
        raise read_only(refused)
    return stored, links


def stored_value(field: Field, item: ObjectType, value: Any) -> Any:
    """The value as its column holds it; an empty text is null."""
    if value is None or value == "":
        return _empty(field)
    if field.type in TEXTUAL:
        return _text(field, value)
    if field.type == "boolean":
        return _boolean(field, value)
    if field.type in NUMERIC:
        return _number(field, value)
    if field.type == "date":
        return _date(field, value)
    if field.type == "datetime":
        try:
            return parse_instant(value)
        except (ValueError, AttributeError, TypeError):
            raise UnreadableValue(field, value) from None
    if field.type in ("reference", "id"):
        return _reference(field, item, value)
    raise AssertionError(field.type)


def _empty(field: Field) -> Any:
    if field.type == "boolean":
        raise _wrong_type(field, "")
    return None


class UnreadableValue(OrgError):
    """A value of the wrong kind: an error of the reader of JSON, and ``in_row`` where rows come as texts."""

    def __init__(self, field: Field, value: Any) -> None:
        token, text = _token(value)
        super().__init__(
            "JSON_PARSER_ERROR",
            f"Cannot deserialize instance of {field.type} from {token} value {text} or request may be missing a "
            "required field at [line:1, column:2]",
        )
        self.in_row = _wrong_type(field, text)


def _wrong_type(field: Field, text: str) -> OrgError:
    words = f"{field.label}: value not of required type: {text}"
    return OrgError("INVALID_TYPE_ON_FIELD_IN_RECORD", words, (field.name,))


def _token(value: Any) -> tuple[str, str]:
    """The value as the platform's reader of JSON names it, and as much as it shows of it."""
    if isinstance(value, bool):
        return ("VALUE_TRUE", "true") if value else ("VALUE_FALSE", "false")
    if isinstance(value, int | float):
        return f"VALUE_NUMBER_{'INT' if isinstance(value, int) else 'FLOAT'}", str(value)
    if isinstance(value, dict | list):
        return ("START_OBJECT", "{") if isinstance(value, dict) else ("START_ARRAY", "[")
    return "VALUE_STRING", str(value)[:_SHOWN]


def _text(field: Field, value: Any) -> str | None:
    if isinstance(value, bool | dict | list):
        raise UnreadableValue(field, value)
    text = str(value).strip()
    if not text:
        return None
    if field.length and len(text) > field.length:
        raise OrgError(
            "STRING_TOO_LONG",
            (f"{field.label}: data value too large: {text[:_SHOWN]} (max length={field.length})"),
            (field.name,),
        )
    if field.type == "email" and not is_email(text):
        raise OrgError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", (field.name,))
    if field.restricted and text not in field.picklist:
        raise OrgError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            (f"{field.label}: bad value for restricted picklist field: {text}"),
            (field.name,),
        )
    return text


def _boolean(field: Field, value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    raise UnreadableValue(field, value)


def _number(field: Field, value: Any) -> float | int:
    try:
        if isinstance(value, bool):
            raise ValueError(value)
        number = float(value)
    except (ValueError, TypeError):
        raise UnreadableValue(field, value) from None
    if number != number or abs(number) >= 1e18:
        raise OrgError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            (f"{field.label}: value outside of valid range on numeric field: {value}"),
            (field.name,),
        )
    return int(number) if field.type == "int" else number


def _date(field: Field, value: Any) -> str:
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        raise UnreadableValue(field, value) from None


def _reference(field: Field, item: ObjectType, value: Any) -> int:
    found = decode(value) if isinstance(value, str) else None
    if found is None or found[0] != prefix_of(field, item):
        label = field.label if field.label.endswith("ID") else f"{field.label} ID"
        raise OrgError("MALFORMED_ID", f"{label}: id value of incorrect type: {value}", (field.name,))
    return found[1]
