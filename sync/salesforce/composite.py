"""Composite: several requests to the org in one call, in order, each with its own answer.

``collateSubrequests`` is always off: the order of writes and of the reads that follow them matters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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

_NO_SUCH_VERSION = (404, 410)
"""What an org answers for an address of a version that it does not have (yet), or has no more."""

_OLDEST = 52.0
"""The oldest version whose rules this adapter keeps to (names of references, order of collated parts)."""

_ROOT = re.compile(r"^/services/data/v[0-9.]+/")

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
        version: API version, e.g. "66.0"; an older one is agreed on when the org does not have it.
        on_version: told of the version that was agreed on instead.
    """

    def __init__(
        self, channel: Channel, version: str, *, on_version: Callable[[str], None] = lambda _version: None
    ) -> None:
        self.channel = channel
        self.version = version
        self._on_version = on_version
        self._asked = False

    @property
    def root(self) -> str:
        """Where the resources of the version begin."""
        return f"/services/data/v{self.version}"

    def asked_for(self, ask: Callable[[str], Reply]) -> Reply:
        """The answer to *ask* with the version; once more with an older one when the org does not know this one.

        The list of versions costs no call; it is asked for only when the org knows no such address, once a process.
        """
        reply = ask(self.version)
        if reply.status not in _NO_SUCH_VERSION or self._asked:
            return reply
        self._asked = True
        known = self.channel.call(
            "GET", "/services/data/", safety=Safety.READ, headers=CALL_HEADERS, resource="versions", counted=False
        )
        agreed = agreed_version(known.content, self.version)
        if agreed is None or agreed == self.version:
            return reply
        self.version = agreed
        self._on_version(agreed)
        return ask(agreed)

    def versioned(self, path: str) -> str:
        """A path of a resource with the version in use."""
        return _with_version(path, self.version)

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

        def ask(version: str) -> Reply:
            return self.channel.call(
                "POST",
                f"/services/data/v{version}/composite",
                content=_encode(parts, version),
                headers=headers,
                safety=safety,
                resource=resource,
            )

        reply = self.asked_for(ask)
        ensure_ok(reply)
        found = _subreplies(reply, safety)
        missing = [part.reference for part in parts if part.reference not in found]
        if missing:
            refused = found.get("")
            if refused is not None and refused.error is not None:
                raise refusal(refused.error, reply.url)
            raise not_salesforce(reply.url, f"no answer to {', '.join(missing)}")
        return Answers(found, server_time_of(reply))


class _Version(msgspec.Struct):
    version: str = ""


_VERSIONS = msgspec.json.Decoder(list[_Version])


def agreed_version(listed: bytes, wanted: str) -> str | None:
    """The newest version of the org's list that is not newer than *wanted*; None when there is none that is known."""
    try:
        versions = [one.version for one in _VERSIONS.decode(listed)]
    except msgspec.DecodeError:
        return None
    fitting = [one for one in versions if _OLDEST <= _number(one) <= _number(wanted)]
    return max(fitting, key=_number, default=None)


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return -1.0


def _with_version(path: str, version: str) -> str:
    return _ROOT.sub(f"/services/data/v{version}/", path, count=1)


def _encode(parts: Sequence[Part], version: str) -> bytes:
    requests = []
    for part in parts:
        # A part may have been made before it was known which version the org has.
        path = _with_version(part.path, version)
        request: dict[str, Any] = {"method": part.method, "url": path, "referenceId": part.reference}
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
