"""The org over HTTP: versions, sessions, quota, encodings and error envelopes around the resources."""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sync.clock import Clock
from sync.embedded.org.bulk1 import Bulk1, Refused
from sync.embedded.org.composite_parts import split_url
from sync.embedded.org.core import Answer, Call, Org
from sync.embedded.org.errors import OrgError, malformed_json, not_found
from sync.embedded.org.identity import identity, is_user, soap_user_info, user_name
from sync.embedded.org.oauth import OAuth, OAuthError, form_of
from sync.embedded.org.quota import Quota
from sync.embedded.org.resources import PAGE_ROWS
from sync.embedded.org.response import NamedResponse
from sync.embedded.org.router import NEWEST, OLDEST, Router, versions
from sync.embedded.org.sessions import Client, Sessions
from sync.embedded.org.soap import LOGINS_AN_HOUR, Soap
from sync.embedded.org.transactions import Transactions

DEPRECATED_BELOW = 41
LONGEST_URI = 16_384
LONGEST_BODY = 50 * 1024 * 1024
LONGEST_UPLOAD = 150_000_000
_JSON = "application/json;charset=UTF-8"
_LOGINS = frozenset(f"/services/oauth2/{name}" for name in ("token", "authorize", "revoke", "introspect", "userinfo"))
_NOT_KEPT = {"Cache-Control": "no-cache, no-store"}
_SMALLEST_GZIP = 1_400
_VERSION = re.compile(r"/services/data/v(\d+)\.(\d)(?:/|$)")
_BODIES = frozenset({"POST", "PATCH", "PUT"})


@dataclass(frozen=True, slots=True)
class _Wire:
    """A request as it came: method, address with query, headers (lower case), body."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes
    instance_url: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def _expired() -> OrgError:
    return OrgError("INVALID_SESSION_ID", "Session expired or invalid")


class Gateway:
    """Answers HTTP requests for one org; ``app`` is the ASGI application."""

    def __init__(self, org: Org, quota: Quota, sessions: Sessions, client: Client) -> None:
        self.org, self.quota, self.sessions = org, quota, sessions
        self.transactions = Transactions(org)
        self._router = Router(org, quota)
        self.oauth = OAuth(org.clock, sessions, client, org.state.switches, lambda name: is_user(org, name))
        self._bulk1 = Bulk1(org, self._router.bulk.jobs)
        self.soap = Soap(self.oauth, Quota(org.clock, LOGINS_AN_HOUR, 3_600), lambda: soap_user_info(org))
        methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        self.app = Starlette(routes=[Route("/{path:path}", self._endpoint, methods=methods)])

    @property
    def clock(self) -> Clock:
        """The org's clock."""
        return self.org.clock

    def on_counted(self, tell: Callable[[], None]) -> None:
        """Tell of each call that counts without an HTTP request of its own: the parts of a Batch and of GraphQL."""
        self._router.counted = tell

    async def _endpoint(self, request: Request) -> Response:
        try:
            raw = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        query = request.scope["query_string"].decode("latin-1")
        target = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in request.scope["headers"]}
        headers.pop(PAGE_ROWS, None)
        if "page_rows" in request.scope:
            headers[PAGE_ROWS] = str(request.scope["page_rows"])
        host = headers.get("host", "127.0.0.1")
        wire = _Wire(
            request.method,
            f"{target}?{query}" if query else target,
            headers,
            raw,
            f"{request.scope['scheme']}://{host}",
        )
        return await anyio.to_thread.run_sync(self._respond, wire)

    def _respond(self, wire: _Wire) -> Response:
        self.transactions.settle()
        self._router.bulk.jobs.settle()
        try:
            answer = self._answer(wire)
        except OrgError as error:
            answer = Answer(error.status, error.envelope())
        except OAuthError as refusal:
            answer = Answer(refusal.status, refusal.body())
        return self._encode(wire, answer)

    def _encode(self, wire: _Wire, answer: Answer) -> Response:
        headers = {"Date": format_datetime(self.clock.now(), usegmt=True), **answer.headers}
        if answer.body is None:
            return NamedResponse(status_code=answer.status, headers=headers)
        raw = isinstance(answer.body, bytes)
        content = answer.body if raw else msgspec.json.encode(answer.body)
        if not raw and wire.headers.get("x-prettyprint", "").lower() in ("1", "true"):
            content = msgspec.json.format(content, indent=2)
        headers.setdefault("Content-Type", _JSON)
        if len(content) >= _SMALLEST_GZIP and "gzip" in wire.headers.get("accept-encoding", "").lower():
            content = gzip.compress(content, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Accept-Encoding"
        return NamedResponse(content, status_code=answer.status, headers=headers)

    def _answer(self, wire: _Wire) -> Answer:
        self._check_size(wire)
        path = wire.path.rstrip("/")
        if path == "/services/data":
            return Answer(200, versions())
        if path.startswith("/services/Soap/"):
            return self._soap(wire, path)
        if path.startswith("/services/async/"):
            return self._bulk(wire, path)
        if path in _LOGINS or path.startswith("/id/"):
            return self._login(wire, path)
        return self._data(wire)

    @staticmethod
    def _check_size(wire: _Wire) -> None:
        size = len(wire.target)
        if size > LONGEST_URI:
            raise OrgError("URI_TOO_LONG", "The length of the URI exceeds the 16,384 byte limit")
        if size + sum(len(n) + len(v) + 4 for n, v in wire.headers.items()) > LONGEST_URI:
            raise OrgError(
                "REQUEST_HEADER_FIELDS_TOO_LARGE",
                ("The combined length of the URI and headers exceeds the 16,384 byte limit"),
            )

    def _session(self, wire: _Wire) -> None:
        if not self.sessions.holds(wire.headers.get("authorization"), self.org.state.switches.session_seconds):
            raise _expired()

    def _login(self, wire: _Wire, path: str) -> Answer:
        """The addresses of OAuth and of the user's identity. Raises OAuthError and OrgError."""
        name, org = path.rpartition("/")[2], self.org
        if name == "userinfo" or path.startswith("/id/"):
            self._session(wire)
            known = ["id", org.organization_id, org.user_id], ["id", org.organization_id[:15], org.user_id[:15]]
            if name != "userinfo" and path.strip("/").split("/") not in known:
                raise not_found()
            return Answer(200, identity(org, wire.instance_url))
        form = form_of(self._body(wire), wire.target.partition("?")[2])
        if name == "authorize":
            return Answer(302, None, {"Location": self.oauth.authorize(form)})
        authorization = wire.headers.get("authorization")
        if name == "revoke":
            self.oauth.revoke(form.get("token", ""))
            return Answer(200)
        if name == "introspect":
            where = f"{wire.instance_url}/id/{org.organization_id}/{org.user_id}"
            return Answer(200, self.oauth.introspect(form, authorization, {"username": user_name(org), "sub": where}))
        if wire.method != "POST":
            raise OAuthError("invalid_request", "must use HTTP POST")
        if org.state.switches.login_counts:
            self.quota.take()
        granted = self.oauth.grant(form, authorization, frozenset({wire.instance_url}))
        return Answer(
            200, self.oauth.answer(granted, wire.instance_url, f"/id/{org.organization_id}/{org.user_id}"), _NOT_KEPT
        )

    def _soap(self, wire: _Wire, path: str) -> Answer:
        if self.org.state.switches.login_counts:
            self.quota.take()
        status, body = self.soap.answer(path, self._body(wire), wire.instance_url, self.clock.now())
        return Answer(status, body, {"Content-Type": "text/xml;charset=UTF-8", **_NOT_KEPT})

    def _bulk(self, wire: _Wire, path: str) -> Answer:
        """The first Bulk API, whose requests carry the session in a header of their own."""
        token = wire.headers.get("x-sfdc-session", "")
        json = "json" in wire.headers.get("accept", "") + wire.headers.get("content-type", "")
        refusal: Refused | None = None
        if not self.sessions.is_open(token, self.org.state.switches.session_seconds):
            refusal = Refused("InvalidSessionId", "Invalid session id", 400)
        elif self.quota.take(overrun=self.org.state.switches.overrun) is None:
            refusal = Refused("ExceededQuota", "TotalRequests Limit exceeded.", 403)
        if refusal is not None:
            return refusal.answer(json=json)
        return self._bulk1.answer(wire.method, path.split("/")[4:], self._body(wire), wire.headers)

    def _data(self, wire: _Wire) -> Answer:
        found = _VERSION.match(wire.path)
        if found is None:
            raise not_found()
        number = int(found.group(1))
        if number > NEWEST:
            raise not_found()
        if number < OLDEST:
            raise OrgError("UNSUPPORTED_API_VERSION", f"The requested API version {number}.{found.group(2)} is retired")
        self._session(wire)
        switches = self.org.state.switches
        used = self.quota.take(overrun=switches.overrun)
        if used is None:
            error = OrgError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            return Answer(error.status, error.envelope(), self._usage(self.quota.used()))
        try:
            answer = self._router.dispatch(self._call(wire))
        except OrgError as error:
            answer = Answer(error.status, error.envelope(), error.headers)
        except Exception:  # a defect of ours: told to whoever runs the org, answered as the platform answers its own
            logging.getLogger("predictive.sandbox").exception("%s %s", wire.method, wire.path)
            broken = OrgError("UNKNOWN_EXCEPTION", "An unexpected error occurred.", status=500)
            answer = Answer(broken.status, broken.envelope())
        if self._router.counts_parts(wire.path):
            used = self.quota.used()
        free = answer.status >= 400 and not switches.failed_calls_count
        if free or (answer.status == 304 and not switches.unchanged_counts):
            used = self.quota.give_back()
        if number < DEPRECATED_BELOW:
            words = f"{wire.path} is deprecated from Summer '27 on and retired in Summer '28"
            answer = Answer(answer.status, answer.body, {**answer.headers, "Warning": f'299 - "{words}"'})
        if "/jobs/" in wire.path and not switches.header_on_jobs:
            return answer
        return Answer(answer.status, answer.body, {**answer.headers, **self._usage(used)})

    def _usage(self, used: int) -> dict[str, str]:
        shown = max(0, used - self.org.state.switches.header_lag)
        return {"Sforce-Limit-Info": f"api-usage={shown}/{self.quota.most}"}

    def _call(self, wire: _Wire) -> Call:
        version, path, query = split_url(wire.target)
        method = query.pop("_HttpMethod", wire.method) if wire.method == "POST" else wire.method
        return Call(method, path, query, wire.headers, self._json(wire), version, instance_url=wire.instance_url)

    @staticmethod
    def _body(wire: _Wire) -> bytes:
        raw = wire.raw
        encoding = wire.headers.get("content-encoding", "").lower()
        try:
            if encoding == "gzip":
                raw = gzip.decompress(raw)
            elif encoding == "deflate":
                raw = zlib.decompress(raw)
        except (OSError, EOFError, zlib.error):
            raise malformed_json("The request body is not valid gzip") from None
        longest = LONGEST_UPLOAD if "/jobs/" in wire.path or "/async/" in wire.path else LONGEST_BODY
        if len(raw) > longest:
            raise OrgError("REQUEST_ENTITY_TOO_LARGE", "The request body is too large", status=413)
        return raw

    def _json(self, wire: _Wire) -> Any:
        if wire.method not in _BODIES:
            return None
        raw = self._body(wire)
        if not raw.strip():
            return None
        kind = wire.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind in ("text/csv", "multipart/form-data"):
            return raw
        if kind and not kind.endswith("json"):
            raise OrgError("UNSUPPORTED_MEDIA_TYPE", f"Content type {kind} not supported")
        try:
            return msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise malformed_json(str(error)) from None
