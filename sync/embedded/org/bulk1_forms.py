"""The forms of the first Bulk API's bodies: jobs and batches in JSON or XML; rows and results in CSV, JSON or XML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape, unescape
from typing import Any
from xml.etree import ElementTree

import msgspec

from sync.embedded.org.bulk_rows import row_values
from sync.embedded.org.errors import OrgError

_SPACE = "http://www.force.com/2009/06/asyncapi/dataload"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_ELEMENT = re.compile(r"<(?:\w+:)?(\w+)>([^<]*)</(?:\w+:)?\1>")
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_NIL = f"{{{_INSTANCE}}}nil"

Outcome = tuple[str | None, bool, bool, str]
"""Id, success, created, and the error as ``CODE:message:FIELDS --``."""


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
    return f'{_DECLARATION}<{name} xmlns="{_SPACE}">{_inner(values)}</{name}>'.encode()


def _inner(values: Mapping[str, Any]) -> str:
    shown = []
    for name, value in values.items():
        if isinstance(value, list):
            shown += [
                f"<{name}>{_inner(one) if isinstance(one, Mapping) else escape(str(one))}</{name}>" for one in value
            ]
        elif isinstance(value, Mapping):
            shown.append(f"<{name}>{_inner(value)}</{name}>")
        elif value is not None:
            shown.append(f"<{name}>{escape(_text(value))}</{name}>")
    return "".join(shown)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# -------------------------------------------------------------------------------- rows that come


def values_in(content: str, raw: bytes) -> list[dict[str, Any]]:
    """The rows of a batch as the values to write. Raises OrgError for data of another form."""
    if content == "JSON":
        try:
            rows = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise OrgError("InvalidBatch", f"Failed to parse JSON: {error}") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise OrgError("InvalidBatch", "The batch has to be an array of objects")
        return rows
    if content == "XML":
        return [_values(row) for row in _elements(raw)]
    lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig", "replace"), newline="")))
    if not lines or any(len(line) != len(lines[0]) for line in lines if line):
        raise OrgError("InvalidBatch", "The rows do not have as many cells as the header")
    return [row_values(lines[0], line) for line in lines[1:] if line]


def _elements(raw: bytes) -> Iterator[ElementTree.Element]:
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise OrgError("InvalidBatch", "Failed to parse XML: a document type is not allowed")
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314 - nothing is declared in it, so nothing can expand
    except ElementTree.ParseError as error:
        raise OrgError("InvalidBatch", f"Failed to parse XML: {error}") from None
    if _name(root) != "sObjects":
        raise OrgError("InvalidBatch", "Failed to parse XML: sObjects is expected")
    for row in root:
        if _name(row) != "sObject":
            raise OrgError("InvalidBatch", f"Failed to parse XML: sObject is expected, not {_name(row)}")
        yield row


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _values(row: ElementTree.Element) -> dict[str, Any]:
    """One sObject; an empty element leaves its field as it is, ``xsi:nil`` makes it null, a nested sObject refers."""
    values: dict[str, Any] = {}
    for element in row:
        name = _name(element)
        inner = next(iter(element), None)
        if inner is not None:
            values[name] = {key: value for key, value in _values(inner).items() if key != "type"}
        elif element.get(_NIL) in ("true", "1"):
            values[name] = None
        elif element.text:
            values[name] = element.text
    return values


# -------------------------------------------------------------------------------- results that go


def outcomes_in(content: str, outcomes: Sequence[Outcome]) -> Any:
    """The results of a batch of rows, in their order."""
    if content == "CSV":
        rows = [[key or "", str(good).lower(), str(new).lower(), words] for key, good, new, words in outcomes]
        return _table(("Id", "Success", "Created", "Error"), rows)
    told = [
        {"success": good, "created": new, "id": key, "errors": [] if good else [_error(words)]}
        for key, good, new, words in outcomes
    ]
    if content == "JSON":
        return told
    order = ("errors", "id", "success", "created")
    return as_xml("results", {"result": [{name: row[name] for name in order} for row in told]})


def _error(words: str) -> dict[str, Any]:
    code, _, rest = words.partition(":")
    message, _, names = rest.rpartition(":")
    fields = [name for name in names.removesuffix(" --").split(",") if name]
    return {"statusCode": code, "message": message, "fields": fields, "extendedErrorDetails": None}


def records_in(content: str, sobject: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """The records that a query found: rows of texts, in JSON the records themselves."""
    if content == "CSV":
        return _table(header, rows)
    if content == "JSON":
        return list(rows)
    shown = []
    for row in rows:
        cells = "".join(
            f'<{name} xsi:nil="true"/>' if value in (None, "") else f"<{name}>{escape(_text(value))}</{name}>"
            for name, value in zip(header, row, strict=True)
        )
        shown.append(f'<records xsi:type="sObject"><type>{sobject}</type>{cells}</records>')
    space = f'xmlns="{_SPACE}" xmlns:xsi="{_INSTANCE}"'
    return f"{_DECLARATION}<queryResult {space}>{''.join(shown)}</queryResult>".encode()


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()
