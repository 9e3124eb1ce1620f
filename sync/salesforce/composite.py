"""Composite: several requests to the org in one call, in order, each with its own answer.

``collateSubrequests`` is always off: the order of writes and of the reads that follow them matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from sync.errors import OutcomeUnknown, RemoteRejected
from sync.http.calls import Reply, Safety
from sync.http.channel import Channel
from sync.salesforce.errors import ApiError, ensure_ok, first_error, not_salesforce, refusal
from sync.salesforce.soql import Select

Shape = TypeVar("Shape")

CALL_HEADERS = {"Sforce-Call-Options": "client=predictive-console"}
WRITE_HEADERS = {**CALL_HEADERS, "Sforce-Auto-Assign": "FALSE", "Sforce-Duplicate-Rule-Header": "allowSave=true"}
"""Ticking a box of a lead must neither assign it anew nor meet a duplicate rule."""


@dataclass(frozen=True, slots=True)
class Part:
    """One subrequest. ``path`` starts at ``/services``."""

    reference: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class _Sub(msgspec.Struct):
    httpStatusCode: int
    referenceId: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Answer(msgspec.Struct):
    compositeResponse: list[_Sub]


_DECODER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class SubReply:
    """The answer to one subrequest."""

    status: int
    body: msgspec.Raw
    where: str

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    @property
    def error(self) -> ApiError | None:
        """The error of a refused subrequest; None when it is fine."""
        if self.ok:
            return None
        return first_error(self.body) or ApiError(f"status {self.status} without an error code", "UNKNOWN_EXCEPTION")

    def read(self, decoder: msgspec.json.Decoder[Shape]) -> Shape:
        """The decoded body.

        Raises:
            QuotaExhausted, RemoteRejected: the subrequest was refused.
            NotWhatItShouldBe: the body has another shape.
        """
        error = self.error
        if error is not None:
            raise refusal(error, self.where)
        try:
            return decoder.decode(self.body)
        except msgspec.DecodeError as problem:
            raise not_salesforce(self.where, str(problem)) from problem


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a Composite by reference, and the org's clock."""

    by_reference: Mapping[str, SubReply]
    server_time: datetime

    def __getitem__(self, reference: str) -> SubReply:
        return self.by_reference[reference]

    def get(self, reference: str) -> SubReply | None:
        """The answer, None when nothing was asked under this reference."""
        return self.by_reference.get(reference)


class Composite:
    """Sends Composites to one org.

    Args:
        channel: to the org.
        version: API version, e.g. "66.0".
    """

    def __init__(self, channel: Channel, version: str) -> None:
        self.channel = channel
        self.version = version
        self.root = f"/services/data/v{version}"

    def query(self, reference: str, select: Select, *, deleted_too: bool = False) -> Part:
        """A query as a subrequest."""
        return Part(reference, "GET", select.path(self.version, deleted_too=deleted_too))

    def send(self, parts: Sequence[Part], *, safety: Safety = Safety.READ, resource: str = "") -> Answers:
        """One call.

        Raises:
            QuotaExhausted, RemoteRejected: refused as a whole.
            NotWhatItShouldBe: another shape.
            OutcomeUnknown: a write was handed over and no usable answer came.
        """
        headers = WRITE_HEADERS if safety is Safety.WRITE else CALL_HEADERS
        reply = self.channel.call(
            "POST",
            f"{self.root}/composite",
            content=_encode(parts),
            headers=headers,
            safety=safety,
            resource=resource,
        )
        ensure_ok(reply)
        found = _subreplies(reply, safety)
        missing = [part.reference for part in parts if part.reference not in found]
        if missing:
            refused = found.get("")
            if refused is not None and refused.error is not None:
                raise refusal(refused.error, reply.url)
            raise not_salesforce(reply.url, f"no answer to {', '.join(missing)}")
        return Answers(found, server_time_of(reply))


def _encode(parts: Sequence[Part]) -> bytes:
    requests = []
    for part in parts:
        request: dict[str, Any] = {"method": part.method, "url": part.path, "referenceId": part.reference}
        if part.body is not None:
            request["body"] = part.body
        if part.headers:
            request["httpHeaders"] = dict(part.headers)
        requests.append(request)
    return msgspec.json.encode({"allOrNone": False, "collateSubrequests": False, "compositeRequest": requests})


def _subreplies(reply: Reply, safety: Safety) -> dict[str, SubReply]:
    try:
        answer = _DECODER.decode(reply.content)
    except msgspec.DecodeError as problem:
        if safety is Safety.WRITE:
            raise OutcomeUnknown(
                "the org took a write and its answer cannot be read",
                where=reply.url,
                left_undone="it is not known whether it was written",
                remedy="it is read before anything is repeated",
            ) from problem
        raise not_salesforce(reply.url, str(problem)) from problem
    return {
        sub.referenceId or "": SubReply(sub.httpStatusCode, sub.body, reply.url) for sub in answer.compositeResponse
    }


def server_time_of(reply: Reply) -> datetime:
    """The org's clock from the answer's ``Date`` header.

    Raises:
        RemoteRejected: there is none; no watermark could be trusted.
    """
    at = reply.server_time
    if at is None:
        raise RemoteRejected(
            "the org's answer has no Date header, so its time is not known",
            where=reply.url,
            remedy="check that no proxy removes headers",
        )
    return at.astimezone(UTC)
