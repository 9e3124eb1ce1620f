"""The little of the SOAP API that clients still use: login, logout, getUserInfo, getServerTimestamp.

Partner (``/services/Soap/u/``) and enterprise (``/services/Soap/c/``) addresses; login up to version 64.0, which is the
last that has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape

from sync.embedded.org.oauth import OAuth
from sync.embedded.org.quota import Quota
from sync.embedded.org.router import NEWEST

NEWEST_LOGIN = 64
LOGINS_AN_HOUR = 3_600
_PATH = re.compile(r"/services/Soap/([uc])/(\d+)(?:\.\d)?(?:/\w+)?\Z")
_OPERATION = re.compile(r"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", re.DOTALL)
_SPACES = {"u": "partner", "c": "enterprise"}
_LOGIN = "Invalid username, password, security token; or user locked out."


class SoapFault(Exception):
    """A fault: the code (without its name space), the words, and the type of its detail."""

    def __init__(self, code: str, message: str, kind: str = "UnexpectedErrorFault", space: str = "sf") -> None:
        super().__init__(code)
        self.code, self.message, self.kind, self.space = code, message, kind, space


def _text(body: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}[^>]*>(.*?)</(?:\w+:)?{name}>", body, re.DOTALL)
    if found is None:
        return ""
    inner = found.group(1).strip()
    if inner.startswith("<![CDATA[") and inner.endswith("]]>"):
        return inner[9:-3]
    return unescape(inner)


def _elements(values: Mapping[str, str | bool | int]) -> str:
    shown = {n: str(v).lower() if isinstance(v, bool) else escape(str(v)) for n, v in values.items()}
    return "".join(f"<{name}>{value}</{name}>" for name, value in shown.items())


def _envelope(space: str, inner: str, extra: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns="urn:{space}.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"{extra}>'
        f"<soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def _fault(space: str, fault: SoapFault) -> bytes:
    told = f"{fault.code}: {fault.message}" if fault.space == "sf" else fault.message
    detail = ""
    if fault.space == "sf":
        inner = f"<sf:exceptionCode>{fault.code}</sf:exceptionCode><sf:exceptionMessage>{escape(fault.message)}"
        inner = f'<sf:{fault.kind} xsi:type="sf:{fault.kind}">{inner}</sf:exceptionMessage></sf:{fault.kind}>'
        detail = f"<detail>{inner}</detail>"
    words = f"<faultcode>{fault.space}:{fault.code}</faultcode><faultstring>{escape(told)}</faultstring>{detail}"
    extra = f' xmlns:sf="urn:fault.{space}.soap.sforce.com"'
    return _envelope(space, f"<soapenv:Fault>{words}</soapenv:Fault>", extra)


@dataclass(frozen=True, slots=True)
class Soap:
    """Answers SOAP requests. ``logins`` are those of the last hour, ``who`` the elements of a user's information."""

    oauth: OAuth
    logins: Quota
    who: Callable[[], Mapping[str, str | bool | int]]

    def answer(self, path: str, raw: bytes, instance_url: str, now: datetime) -> tuple[int, bytes]:
        """(HTTP status, envelope) of a request; status 500 with a fault."""
        found = _PATH.match(path)
        if found is None:
            return 500, _fault("partner", SoapFault("UNSUPPORTED_API_VERSION", f"Invalid Api version in {path}"))
        space, body = _SPACES[found[1]], raw.decode("utf-8", "replace")
        try:
            if int(found[2]) > NEWEST:
                raise SoapFault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {found[2]}.0")
            return 200, _envelope(space, self._operation(body, found, instance_url, now))
        except SoapFault as fault:
            return 500, _fault(space, fault)

    def _operation(self, body: str, path: re.Match[str], instance_url: str, now: datetime) -> str:
        named = _OPERATION.search(body)
        operation = named.group(1) if named else ""
        if operation == "login":
            return self._login(body, path, instance_url)
        if operation not in ("getUserInfo", "getServerTimestamp", "logout"):
            named_as = operation or "without a body"
            raise SoapFault("Client", f"No operation available for request {named_as}", space="soapenv")
        token = _text(body, "sessionId")
        if not self.oauth.sessions.is_open(token, self.oauth.switches.session_seconds):
            raise SoapFault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
        inner = ""
        if operation == "getUserInfo":
            inner = f"<result>{_elements(self.who())}</result>"
        elif operation == "getServerTimestamp":
            shown = now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            inner = f"<result><timestamp>{shown}</timestamp></result>"
        else:
            self.oauth.sessions.end(token)
        return f"<{operation}Response>{inner}</{operation}Response>"

    def _login(self, body: str, path: re.Match[str], instance_url: str) -> str:
        if int(path[2]) > NEWEST_LOGIN:
            raise SoapFault("UNSUPPORTED_API_VERSION", f"login() is not available in API version {path[2]}.0")
        if self.logins.take() is None:
            raise SoapFault("LOGIN_RATE_EXCEEDED", "Login Rate Exceeded", "LoginFault")
        if not self.oauth.accepts(_text(body, "username"), _text(body, "password")):
            raise SoapFault("INVALID_LOGIN", _LOGIN, "LoginFault")
        who = self.who()
        organization = str(who["organizationId"])
        result: dict[str, str | bool | int] = {
            "metadataServerUrl": f"{instance_url}/services/Soap/m/{path[2]}.0/{organization}",
            "passwordExpired": False,
            "sandbox": True,
            "serverUrl": f"{instance_url}/services/Soap/{path[1]}/{path[2]}.0/{organization}",
            "sessionId": self.oauth.sessions.open(),
            "userId": who["userId"],
        }
        inner = f"{_elements(result)}<userInfo>{_elements(who)}</userInfo>"
        return f"<loginResponse><result>{inner}</result></loginResponse>"
