"""Errors of the API as RFC 9457 problem details. Pure but for building the response; may import starlette."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_AT_PATH = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<key>key in )?(?P<path>[^`]*)`)?$", re.DOTALL)


class Problem(Exception):
    """A request that cannot be answered as asked: the status, a code for programs, a sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The problem details object."""
        body: dict[str, Any] = {
            "type": f"urn:predictive:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = self.errors
        return body

    def response(self) -> Response:
        """The HTTP answer."""
        return Response(
            msgspec.json.encode(self.body()),
            status_code=self.status,
            media_type=MEDIA_TYPE,
            headers=self.headers or None,
        )


def not_found(what: str, key: str) -> Problem:
    """404 for a campaign, edition, send or person that is not here."""
    return Problem(404, f"{what.replace(' ', '_')}_not_found", f"There is no {what} {key}.")


def conflict(code: str, detail: str) -> Problem:
    """409: the request is well-formed, the present state refuses it."""
    return Problem(409, code, detail)


def invalid(pointer: str, detail: str, code: str = "invalid") -> Problem:
    """422 with a JSON pointer to the offending value."""
    return Problem(422, code, detail, [{"pointer": pointer, "detail": detail}])


def from_validation(error: msgspec.ValidationError) -> Problem:
    """422 from msgspec's message, whose "$.rows[3].op" becomes the pointer "/rows/3/op"."""
    match = _AT_PATH.match(str(error))
    detail, path = (match["detail"], match["path"]) if match else (str(error), None)
    pointer = ""
    if path:
        pointer = re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", path.removeprefix("$")).replace(".", "/")
    return invalid(pointer, detail)
