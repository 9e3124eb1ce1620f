"""The two forms of the first Bulk API's bodies: JSON, and XML of one level (or a list of such)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape
from typing import Any

import msgspec

_SPACE = "http://www.force.com/2009/06/asyncapi/dataload"
_ELEMENT = re.compile(r"<(?:\w+:)?(\w+)>([^<]*)</(?:\w+:)?\1>")


def fields_of(raw: bytes) -> dict[str, Any]:
    """The fields of a request's body, in whichever form it came."""
    text = raw.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        try:
            found = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return {}
        return found if isinstance(found, dict) else {}
    return {name: unescape(value) for name, value in _ELEMENT.findall(text)}


def as_xml(name: str, values: Mapping[str, Any]) -> bytes:
    """The fields as elements of one that is called ``name``; absent values are left out."""
    return f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_SPACE}">{_inner(values)}</{name}>'.encode()


def _inner(values: Mapping[str, Any]) -> str:
    shown = []
    for name, value in values.items():
        if isinstance(value, list):
            shown += [f"<{name}>{_inner(one)}</{name}>" for one in value]
        elif value is not None:
            shown.append(f"<{name}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</{name}>")
    return "".join(shown)
