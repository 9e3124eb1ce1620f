"""Why a row was not written: the one table from a code to its class, its cause and what a person can do.

Pure data. Codes are the platform's own (REST status page, SOAP API core data types) and those of this engine: ``STALE``
and ``MOVED`` for drift, ``UNKNOWN_STATUS`` and ``INVALID`` for rows refused before or by the service, ``UNKNOWN`` and
``UNSENT`` for rows without an answer. Only what can get better by itself is ever tried again without a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """What has to happen before the same row can be written."""

    WAIT = "wait"  # nothing: locks and time-outs pass
    MOVED = "moved"  # a new plan, from the values as they are now
    GONE = "gone"  # a sync: the record was deleted, merged, converted or hidden
    RULE = "rule"  # somebody changes the row, or a rule or automation of the org
    DATA = "data"  # somebody corrects the value
    ACCESS = "access"  # an administrator grants something
    SETUP = "setup"  # the mapping, the package or the org's settings are corrected
    LIMIT = "limit"  # calls become free
    UNKNOWN = "unknown"  # it is read before anything is repeated
    OTHER = "other"  # a person reads the message

    @property
    def passes(self) -> bool:
        """True when the next run may simply try again."""
        return self in (FailureClass.WAIT, FailureClass.MOVED, FailureClass.LIMIT, FailureClass.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a code means. ``cause`` is a phrase for a heading, ``remedy`` says what a person can do."""

    code: str
    kind: FailureClass
    cause: str
    remedy: str


def _all(kind: FailureClass, *rows: tuple[str, str, str]) -> dict[str, Failure]:
    return {code: Failure(code, kind, cause, remedy) for code, cause, remedy in rows}


_TRANSACTION = "exempt the integration user from transaction security policies"
_EDIT = "give the integration user edit access to the object and the record"
_OURS = "this is a mistake of the program; keep the log"

FAILURES: dict[str, Failure] = (
    _all(
        FailureClass.WAIT,
        (
            "UNABLE_TO_LOCK_ROW",
            "locked by another transaction",
            "somebody else writes the same campaign; it is tried again with the next run",
        ),
        (
            "QUERY_TIMEOUT",
            "the org was too slow",
            "the org was too slow for the query; try again with fewer campaigns",
        ),
        ("SERVER_UNAVAILABLE", "the org was not available", "it is tried again with the next run"),
        ("REQUEST_RUNNING_TOO_LONG", "the org took too long", "it is tried again with the next run"),
        ("UNSENT", "not sent", "it is tried again with the next run"),
    )
    | _all(
        FailureClass.MOVED,
        ("STALE", "changed in Predictive meanwhile", "somebody else changed the member meanwhile; run the sync again"),
        ("DRIFTED", "changed in Salesforce meanwhile", "run the sync again"),
        ("MOVED", "changed since the plan was made", "make a new plan to see what is needed now"),
        (
            "OVERWRITTEN",
            "changed in Salesforce while it was written",
            "somebody's change of the same moment was written over; look at the member and set what is right",
        ),
    )
    | _all(
        FailureClass.GONE,
        (
            "INVALID_CROSS_REFERENCE_KEY",
            "gone or not visible",
            "the record is gone or not visible; synchronize the campaign",
        ),
        ("ENTITY_IS_DELETED", "deleted", "the record was deleted; synchronize the campaign"),
        (
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "converted lead",
            "the lead was converted; synchronize the campaign to follow it to its contact",
        ),
        ("NOT_FOUND", "not found", "the record or the API version does not exist, or is not visible"),
    )
    | _all(
        FailureClass.RULE,
        (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "a validation rule of the org",
            "a validation rule of the org refused the row; change the row or the rule",
        ),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "an Apex trigger", "an Apex trigger refused the row; see its message"),
        (
            "CANNOT_EXECUTE_FLOW_TRIGGER",
            "a flow of the org",
            "a flow of the org failed on the row; ask the org's administrator",
        ),
        (
            "DUPLICATES_DETECTED",
            "a duplicate rule of the org",
            "a duplicate rule of the org refused the row; allow saving for the integration user",
        ),
    )
    | _all(
        FailureClass.DATA,
        ("FIELD_INTEGRITY_EXCEPTION", "values that do not fit", "the values do not fit together; see the message"),
        (
            "DUPLICATE_VALUE",
            "a value that must be unique",
            "another record has this value already; it is found at the next sync",
        ),
        ("STRING_TOO_LONG", "a text that is too long", "shorten the text or lengthen the field"),
        ("INVALID_EMAIL_ADDRESS", "no e-mail address", "correct the e-mail address"),
        ("REQUIRED_FIELD_MISSING", "a required field is empty", "fill the field that the org requires"),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "not in the picklist", "add the value to the picklist"),
        (
            "UNKNOWN_STATUS",
            "no status of the campaign",
            "give the member one of the campaign's own, then sync; or add the status to the campaign, then retry",
        ),
        ("INVALID", "refused by Predictive", "correct the member in Salesforce, then sync again"),
    )
    | _all(
        FailureClass.ACCESS,
        ("INSUFFICIENT_ACCESS", "no access", _EDIT),
        ("INSUFFICIENT_ACCESS_OR_READONLY", "no access", _EDIT),
        (
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            "no access",
            "give the integration user access to the campaign and the person",
        ),
        ("TXN_SECURITY_METERING_ERROR", "a transaction security policy", _TRANSACTION),
        ("TXN_SECURITY_NO_ACCESS", "a transaction security policy", _TRANSACTION),
        ("API_CURRENTLY_DISABLED", "the API is off", "ask the org's administrator to enable the API"),
        ("API_DISABLED_FOR_ORG", "the API is off", "the edition has no API access; ask the org's administrator"),
    )
    | _all(
        FailureClass.SETUP,
        ("INVALID_FIELD", "a field that the org lacks", "correct the name in the mapping, or create the field"),
        (
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "a field that cannot be written",
            "make the field writable for the integration user, or switch it off",
        ),
        (
            "INVALID_TYPE",
            "an object that the org lacks",
            (
                "the object is missing: install the package, or switch it off in the mapping; for campaign members "
                "the user needs the Marketing User box"
            ),
        ),
        ("UNSUPPORTED_API_VERSION", "the API version", "set a newer api_version for the org"),
        ("MALFORMED_QUERY", "a mistake of the program", _OURS),
        ("MALFORMED_ID", "a mistake of the program", _OURS),
    )
    | _all(
        FailureClass.LIMIT,
        (
            "REQUEST_LIMIT_EXCEEDED",
            "the org's daily limit",
            "wait until earlier calls are older than 24 hours, or raise the org's limit",
        ),
    )
    | _all(FailureClass.UNKNOWN, ("UNKNOWN", "no answer came", "the next run reads before it repeats"))
)
"""What each known code means."""


def failure_of(code: str) -> Failure:
    """What *code* means; one without an entry is for a person to read."""
    known = FAILURES.get(code)
    return known if known is not None else Failure(code, FailureClass.OTHER, code.replace("_", " ").lower(), "")
