"""Salesforce's refusals: their envelopes, what each code means for us, and what a person can do.

Codes and texts are those of the REST status page and the SOAP API's core data types.
"""

from __future__ import annotations

import re

import msgspec

from sync.errors import NotWhatItShouldBe, PredictiveError, QuotaExhausted, RemoteRejected
from sync.http.calls import Reply, limit_info

LOCKED = "UNABLE_TO_LOCK_ROW"
HALTED = "PROCESSING_HALTED"
TIMED_OUT = "QUERY_TIMEOUT"
NO_FIELD = "INVALID_FIELD"
LIMIT = "REQUEST_LIMIT_EXCEEDED"

REMEDIES: dict[str, str] = {
    "REQUEST_LIMIT_EXCEEDED": "wait until earlier calls are older than 24 hours, or raise the org's limit",
    "API_CURRENTLY_DISABLED": "ask the org's administrator to enable the API",
    "API_DISABLED_FOR_ORG": "the edition has no API access; ask the org's administrator",
    "INSUFFICIENT_ACCESS": "give the integration user edit access to the object and the record",
    "INSUFFICIENT_ACCESS_OR_READONLY": "give the integration user edit access to the object and the record",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "give the integration user access to the campaign and the person",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "an Apex trigger refused the row; see its message",
    "CANNOT_EXECUTE_FLOW_TRIGGER": "a flow of the org failed on the row; ask the org's administrator",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refused the row; change the row or the rule",
    "FIELD_INTEGRITY_EXCEPTION": "the values do not fit together; see the message",
    "DUPLICATE_VALUE": "another record has this value already; it is found at the next sync",
    "DUPLICATES_DETECTED": "a duplicate rule of the org refused the row; allow saving for the integration user",
    "INVALID_CROSS_REFERENCE_KEY": "the record is gone or not visible; synchronize the campaign",
    "ENTITY_IS_DELETED": "the record was deleted; synchronize the campaign",
    "NOT_FOUND": "the record or the API version does not exist, or is not visible",
    "CANNOT_UPDATE_CONVERTED_LEAD": "the lead was converted; synchronize the campaign to follow it to its contact",
    "STRING_TOO_LONG": "shorten the text or lengthen the field",
    "INVALID_EMAIL_ADDRESS": "correct the e-mail address",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "add the value to the picklist",
    "REQUIRED_FIELD_MISSING": "fill the field that the org requires",
    "INVALID_FIELD": "correct the name in the mapping, or create the field",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "make the field writable for the integration user, or switch it off",
    "INVALID_TYPE": "the object is missing: install the package, or switch it off in the mapping; for campaign members "
    "the user needs the Marketing User box",
    "UNABLE_TO_LOCK_ROW": "somebody else writes the same campaign; it is tried again with the next run",
    "TXN_SECURITY_METERING_ERROR": "exempt the integration user from transaction security policies",
    "TXN_SECURITY_NO_ACCESS": "exempt the integration user from transaction security policies",
    "QUERY_TIMEOUT": "the org was too slow for the query; try again with fewer campaigns",
    "UNSUPPORTED_API_VERSION": "set a newer api_version for the org",
    "MALFORMED_QUERY": "this is a mistake of the program; keep the log",
    "MALFORMED_ID": "this is a mistake of the program; keep the log",
}
"""What a person can do, by code."""


class ApiError(msgspec.Struct):
    """One error of a request or subrequest."""

    message: str = ""
    errorCode: str = ""


class RowError(msgspec.Struct):
    """One error of a collection's row; note ``statusCode`` where requests say ``errorCode``."""

    statusCode: str = ""
    message: str = ""
    fields: list[str] = []


_ERRORS = msgspec.json.Decoder(list[ApiError])
_COLUMN = re.compile(r"No such column '([^']+)' on (?:entity|sobject of type) '?(\w+)'?")


def remedy_for(code: str) -> str:
    """What a person can do about *code*; "" when nothing better than reading the message is known."""
    return REMEDIES.get(code, "")


def first_error(content: bytes | msgspec.Raw) -> ApiError | None:
    """The first error of an envelope ``[{"message", "errorCode"}]``; None when it is none."""
    try:
        errors = _ERRORS.decode(content)
    except msgspec.DecodeError:
        return None
    return errors[0] if errors and errors[0].errorCode else None


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
