"""Plans, plan rows and events as JSON and back, and the plan file: header, rows, trailer with count and digest.

Pure but for hashing: bytes in, values out; who reads and writes files is the caller. One value has one spelling, so a
row that was written and read is the same row. Dates and instants inside a row's ``values`` are kept as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AbcMapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Generic, TypeVar, get_args

import msgspec

from sync.cheap import changed, cheap
from sync.errors import BadPlanFile
from sync.events import Body, Event, Progress
from sync.plan import PLAN_FORMAT, RULES_VERSION, Plan, PlanRow
from sync.words import plural

T = TypeVar("T")

_FILE_TYPE = "predictive-plan"
_DAY, _AT = "$day", "$at"
_LONGEST_LINE = 16 * 1024 * 1024
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types whose values are in JSON what they are."""

_encoder = msgspec.json.Encoder()
_row_decoder = msgspec.json.Decoder(PlanRow)
_plan_decoder = msgspec.json.Decoder(Plan)


def _spell(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


_BODY_OF: dict[str, type[Any]] = {_spell(kind.__name__): kind for kind in get_args(Body)}
_NAME_OF: dict[type[Any], str] = {kind: name for name, kind in _BODY_OF.items()}
_body_decoders = {name: msgspec.json.Decoder(kind) for name, kind in _BODY_OF.items()}


class _Envelope(msgspec.Struct):
    seq: int
    at: datetime
    type: str
    body: msgspec.Raw


_envelope_decoder = msgspec.json.Decoder(_Envelope)

# ---------------------------------------------------------------- single values


def body_name(event: Event) -> str:
    """The event's kind as it is spelled in JSON, e.g. ``run-started``."""
    return _NAME_OF[type(event.body)]


def encode_body(event: Event) -> str:
    """An event's body with its kind, without its stamp: what the journal stores beside sequence and instant."""
    return msgspec.json.encode({"type": body_name(event), "body": event.body}).decode()


def decode_body(text: str | bytes) -> Body:
    """The body that ``encode_body`` wrote. Raises msgspec.ValidationError for anything else."""
    raw = msgspec.json.decode(text, type=_StoredBody)
    return _body(raw.type, raw.body)


class _StoredBody(msgspec.Struct):
    type: str
    body: msgspec.Raw


def _body(name: str, raw: msgspec.Raw) -> Body:
    decoder = _body_decoders.get(name)
    if decoder is None:
        raise msgspec.ValidationError(f"unknown event {name!r}")
    body: Body = decoder.decode(raw)
    return body


def encode_event(event: Event) -> bytes:
    """An event as one line of JSON, without the newline: ``{"seq", "at", "type", "body"}``."""
    return _encoder.encode({"seq": event.seq, "at": event.at, "type": body_name(event), "body": event.body})


def decode_event(line: bytes | str) -> Event:
    """The event of a line. Raises msgspec.ValidationError or msgspec.DecodeError for anything else."""
    envelope = _envelope_decoder.decode(line)
    return Event(envelope.seq, envelope.at, _body(envelope.type, envelope.body))


def journalled(event: Event) -> bool:
    """False for progress, which tells how far something is and is no fact."""
    return not isinstance(event.body, Progress)


def encode_row(row: PlanRow) -> bytes:
    """A plan row as JSON."""
    return _encoder.encode(row if _PLAIN.issuperset(map(type, row.values.values())) else _packed(row))


def _packed(row: PlanRow) -> PlanRow:
    return changed(row, {"values": pack(row.values)})


def decode_row(raw: bytes | str) -> PlanRow:
    """The row of a JSON text. Raises msgspec errors for anything else, a write against the owner among it."""
    row = _row_decoder.decode(raw)
    if _PLAIN.issuperset(map(type, row.values.values())):
        return row
    return changed(row, {"values": unpack(row.values)})


def encode_plan(plan: Plan) -> bytes:
    """A plan's header as JSON."""
    return _encoder.encode(plan)


def decode_plan(raw: bytes | str) -> Plan:
    """The header of a JSON text. Raises msgspec errors for anything else."""
    return _plan_decoder.decode(raw)


def pack(values: AbcMapping[str, Any]) -> dict[str, Any]:
    """*values* with dates and instants in a form that JSON can hold and ``unpack`` can tell from text."""
    return {name: value if type(value) in _PLAIN else _pack(value) for name, value in values.items()}


def unpack(values: AbcMapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``pack``."""
    return {name: value if type(value) in _PLAIN else _unpack(value) for name, value in values.items()}


def _pack(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_AT: value.isoformat()}
    if isinstance(value, date):
        return {_DAY: value.isoformat()}
    if isinstance(value, AbcMapping):
        return pack(value)
    return [_pack(item) for item in value] if isinstance(value, list | tuple) else value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            (name, text), *_ = value.items()
            if name == _AT:
                return datetime.fromisoformat(text)
            if name == _DAY:
                return date.fromisoformat(text)
        return unpack(value)
    return [_unpack(item) for item in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- JSON columns


class Codec(Generic[T]):
    """Text of one type of value, for a column: ``Codec(PlanCounts)``."""

    __slots__ = ("_decoder",)

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def encode(self, value: T) -> str:
        """JSON text of *value*."""
        return _encoder.encode(value).decode()

    def decode(self, text: str | bytes) -> T:
        """The value of a JSON text."""
        return self._decoder.decode(text)


# ---------------------------------------------------------------- the plan file


@cheap
@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a plan file: the row and whether the operator accepts it."""

    row: PlanRow
    accepted: bool = True


class _HeaderLine(msgspec.Struct):
    type: str
    format: int
    rules: int
    plan: msgspec.Raw


class _RowLine(msgspec.Struct, forbid_unknown_fields=True):
    row: msgspec.Raw
    accepted: bool = True


class _EndLine(msgspec.Struct):
    type: str
    rows: int
    digest: str


def plan_lines(plan: Plan, rows: Iterable[FileRow]) -> Iterator[bytes]:
    """The lines of a plan file, each with its newline; the last one counts and digests those before it."""
    digest = blake2b(digest_size=32)
    head = {"type": _FILE_TYPE, "format": plan.format, "rules": plan.rules, "plan": plan}
    line = _encoder.encode(head) + b"\n"
    digest.update(line)
    yield line
    count = 0
    for item in rows:
        accepted = b"" if item.accepted else b',"accepted":false'
        line = b'{"row":' + encode_row(item.row) + accepted + b"}\n"
        digest.update(line)
        count += 1
        yield line
    yield _encoder.encode({"type": "end", "rows": count, "digest": digest.hexdigest()}) + b"\n"


def read_plan_lines(lines: Iterable[bytes], *, where: str = "") -> tuple[Plan, Iterator[FileRow]]:
    """Header and rows of a plan file.

    The rows raise when they come to something damaged, at the latest after the last one: only who read them to the
    end may use them.

    Raises:
        BadPlanFile: no plan file, another format or other rules, or a damaged header; from the rows: a malformed
            line, rows out of order, no trailer, a wrong count or digest, or something after the trailer.
    """
    source = iter(lines)
    first = next(source, b"")
    if not first.strip():
        raise _bad("the plan file is empty", where)
    try:
        head = msgspec.json.decode(first, type=_HeaderLine)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad("this is no plan file: its first line is no header", where) from error
    if head.type != _FILE_TYPE:
        raise _bad(f"this is no plan file: its first line says {head.type!r}", where)
    if head.format != PLAN_FORMAT or head.rules != RULES_VERSION:
        raise _bad(
            f"the plan has format {head.format} with rules {head.rules}; this program applies format {PLAN_FORMAT} "
            f"with rules {RULES_VERSION}",
            where,
        )
    try:
        plan = decode_plan(head.plan)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad(f"the plan file's header is damaged: {error}", where) from error
    if (plan.format, plan.rules) != (head.format, head.rules):
        raise _bad("the plan file's header contradicts itself", where)
    return plan, _file_rows(first, source, plan, where)


def _file_rows(first: bytes, source: Iterator[bytes], plan: Plan, where: str) -> Iterator[FileRow]:
    digest = blake2b(first, digest_size=32)
    count = last = 0
    for number, line in enumerate(source, start=2):
        if line.startswith(b'{"type":"end"'):
            _check_end(line, count, digest.hexdigest(), plan, where)
            if any(rest.strip() for rest in source):
                raise _bad("the plan file goes on after its end", where)
            return
        if not line.endswith(b"\n") or len(line) > _LONGEST_LINE:
            raise _bad(f"the plan file is damaged: line {number} is cut off", where)
        item = _file_row(line, number, where)
        if item.row.seq <= last:
            raise _bad(f"the plan file is damaged: line {number} is out of order", where)
        digest.update(line)
        last = item.row.seq
        count += 1
        yield item
    raise _bad(f"the plan file is damaged: it ends after {plural(count, 'row')} without its last line", where)


def _file_row(line: bytes, number: int, where: str) -> FileRow:
    try:
        raw = msgspec.json.decode(line, type=_RowLine)
        return FileRow(decode_row(raw.row), raw.accepted)
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise _bad(f"the plan file is damaged: line {number} is no row ({error})", where) from error


def _check_end(line: bytes, count: int, digest: str, plan: Plan, where: str) -> None:
    try:
        end = msgspec.json.decode(line, type=_EndLine)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad("the plan file is damaged: its last line cannot be read", where) from error
    if end.rows != count or plan.rows != count:
        raise _bad(f"the plan file is damaged: {plural(count, 'row')}, {end.rows} expected", where)
    if end.digest != digest:
        raise _bad("the plan file was changed or is damaged: its digest does not fit", where)


def _bad(what: str, where: str) -> BadPlanFile:
    return BadPlanFile(what, where=where, left_undone="nothing was written", remedy="make the plan anew")
