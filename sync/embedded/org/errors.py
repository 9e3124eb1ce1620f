"""Errors as the REST API words them. Pure values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_STATUS = {
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_API_VERSION": 410,
    "URI_TOO_LONG": 414,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "REQUEST_HEADER_FIELDS_TOO_LARGE": 431,
}


class OrgError(Exception):
    """One error of the API: code, message, the fields concerned, and the HTTP status of a single request."""

    def __init__(self, code: str, message: str, fields: tuple[str, ...] = (), status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields
        self.status = status if status is not None else _STATUS.get(code, 400)
        self.headers: Mapping[str, str] = {}

    def envelope(self) -> list[dict[str, Any]]:
        """The body of a single request: an array of one error (``fields`` only where there are some)."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields:
            error["fields"] = list(self.fields)
        return [error]

    def row(self) -> dict[str, Any]:
        """The error as a row of a collection's answer has it: ``statusCode`` and always ``fields``."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}


class SeveralFound(OrgError):
    """More than one record has an external id; ``addresses`` are what a single request is answered with."""

    def __init__(self, field: str, addresses: list[str]) -> None:
        words = f"External ID {field}: more than one record found for external id field"
        super().__init__("DUPLICATE_EXTERNAL_ID", words, status=300)
        self.addresses = addresses


class NotAllowed(OrgError):
    """A method that the address does not take; those that it takes are told in ``Allow`` as well."""

    def __init__(self, method: str, allowed: Collection[str]) -> None:
        names = ",".join(sorted({*allowed, *(("HEAD",) if "GET" in allowed else ())}))
        super().__init__("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {names}")
        self.headers = {"Allow": names}


def not_found() -> OrgError:
    """The answer for an address or a record that is not there."""
    return OrgError("NOT_FOUND", "The requested resource does not exist")


def invalid_type(name: str) -> OrgError:
    """The answer for an object that the org does not have."""
    return OrgError(
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
        "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
    )


def malformed_json(detail: str) -> OrgError:
    """The answer for a body that is not what the resource reads."""
    return OrgError("JSON_PARSER_ERROR", detail)
