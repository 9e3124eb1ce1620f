"""Salesforce's refusals: their envelopes, and what they mean for us.

Codes are those of the REST status page and the SOAP API's core data types; what each means is in ``sync.failures``.
"""

from __future__ import annotations

import re

import msgspec

from sync.errors import NotWhatItShouldBe, PredictiveError, QuotaExhausted, RemoteRejected
from sync.failures import failure_of
from sync.http.calls import Reply, limit_info

LOCKED = "UNABLE_TO_LOCK_ROW"
HALTED = "PROCESSING_HALTED"
TIMED_OUT = "QUERY_TIMEOUT"
NO_FIELD = "INVALID_FIELD"
LIMIT = "REQUEST_LIMIT_EXCEEDED"


class ApiError(msgspec.Struct):
    """One error of a request or subrequest."""

    message: str = ""
    errorCode: str = ""


class RowError(msgspec.Struct):
    """One error of a collection's row; note ``statusCode`` where requests say ``errorCode``."""

    statusCode: str = ""
    message: str = ""
    fields: list[str] = []


class BulkError(msgspec.Struct):
    """The error of a request to the first Bulk API."""

    exceptionCode: str
    exceptionMessage: str = ""


_ERRORS = msgspec.json.Decoder(list[ApiError])
_BULK_ERROR = msgspec.json.Decoder(BulkError)
_COLUMN = re.compile(r"No such column '([^']+)' on (?:entity|sobject of type) '?(\w+)'?")


def remedy_for(code: str) -> str:
    """What a person can do about *code*; "" when nothing better than reading the message is known."""
    return failure_of(code).remedy


def first_error(content: bytes | msgspec.Raw) -> ApiError | None:
    """The first error of an envelope ``[{"message", "errorCode"}]``, or of the first Bulk API's; None of neither."""
    try:
        errors = _ERRORS.decode(content)
    except msgspec.DecodeError:
        return _bulk_error(content)
    return errors[0] if errors and errors[0].errorCode else None


def _bulk_error(content: bytes | msgspec.Raw) -> ApiError | None:
    try:
        error = _BULK_ERROR.decode(content)
    except msgspec.DecodeError:
        return None
    daily = "TotalRequests" in error.exceptionMessage
    return ApiError(error.exceptionMessage, LIMIT if daily else error.exceptionCode)


def session_ended(reply: Reply) -> bool:
    """True when the token is refused: 401, and of the first Bulk API, which answers 400, by its code."""
    if reply.status != 400:
        return reply.status == 401
    error = _bulk_error(reply.content) if b"InvalidSessionId" in reply.content else None
    return error is not None and error.errorCode == "InvalidSessionId"


def missing_column(message: str) -> tuple[str, str] | None:
    """(object, field) that an INVALID_FIELD message names."""
    found = _COLUMN.search(message)
    return (found.group(2), found.group(1)) if found else None


def busy(reply: Reply) -> bool:
    """True when the org says that too many long requests run at once: the same code as the daily limit, other text.

    The text decides; when it says neither, the meter in the header does.
    """
    if reply.status != 403:
        return False
    error = first_error(reply.content)
    if error is None or error.errorCode != LIMIT:
        return False
    text = error.message.lower()
    if "concurrent" in text:
        return True
    if "totalrequests" in text:
        return False
    usage = limit_info(reply.headers.get("sforce-limit-info"))
    return usage is not None and usage[0] < usage[1]


def refusal(error: ApiError, where: str, *, left_undone: str = "nothing was written") -> PredictiveError:
    """The error to raise for a request that was refused as a whole."""
    what = " ".join(error.message.split()) or error.errorCode
    if error.errorCode == LIMIT:
        return QuotaExhausted(
            f"the org's daily limit of API requests is used up: {what}",
            where=where,
            left_undone="what was not sent yet was left undone",
            remedy=remedy_for(LIMIT),
        )
    return RemoteRejected(
        f"the Salesforce org refused a request: {error.errorCode}: {what}",
        code=error.errorCode,
        where=where,
        left_undone=left_undone,
        remedy=remedy_for(error.errorCode),
    )


def ensure_ok(reply: Reply) -> None:
    """Raise what a refused request means.

    Raises:
        QuotaExhausted: the daily limit.
        RemoteRejected: refused with a code.
        NotWhatItShouldBe: JSON, but no answer that Salesforce gives.
    """
    if reply.ok:
        return
    error = first_error(reply.content)
    if error is not None:
        raise refusal(error, reply.url)
    raise not_salesforce(reply.url, f"status {reply.status} without an error code")


def not_salesforce(where: str, detail: str) -> NotWhatItShouldBe:
    """The error for JSON of a shape that Salesforce does not answer with."""
    return NotWhatItShouldBe(
        f"the answer is not one of a Salesforce org: {detail}",
        where=where,
        left_undone="nothing was read",
        remedy="check the instance address",
    )
