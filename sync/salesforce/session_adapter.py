"""``requests`` over the one transport, so that simple-salesforce's every request has our time-outs and our ledger.

simple-salesforce writes ``https://`` into every address and knows the login hosts by name. The adapter sends what is
meant for an org that listens elsewhere (a sandbox on plain http, an own host name) to that org's own address.

    with Transport(ledger, clock) as transport:
        session = session_for("http://127.0.0.1:8080", transport)
        sf = Salesforce(session=session, session_id=token, instance_url="http://127.0.0.1:8080")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from sync.http.calls import NoAnswer, Outgoing, Reply, Safety
from sync.http.channel import Budget, Channel
from sync.http.transport import Transport
from sync.model import Side

if TYPE_CHECKING:
    from requests import PreparedRequest, Session

STAND_IN = "instance.my"
"""What stands for the domain of an instance that is none of ``salesforce.com``."""
LOGIN_NAME = "the login of the Salesforce org"
SALESFORCE_HOSTS = (".salesforce.com", ".force.com", ".salesforce.mil")
_NOT_COUNTED = ("/services/oauth2/", "/services/Soap/")
_NOT_COPIED = frozenset({"content-encoding", "transfer-encoding", "content-length"})
_OWN = frozenset({"accept-encoding", "connection", "content-length", "host"})


def destination(url: str, instance_url: str) -> str:
    """Where a request for *url* goes.

    Requests for the instance keep its scheme. When the instance is no host of Salesforce's, their login hosts and My
    Domains mean the instance, too. The stand-in always means the instance: as a My Domain it is somebody else's.
    """
    wanted, instance = urlsplit(url), urlsplit(instance_url)
    host = wanted.hostname or ""
    same = (host, wanted.port) == (instance.hostname, instance.port)
    stands_in = host.endswith(SALESFORCE_HOSTS) and not (instance.hostname or "").endswith(SALESFORCE_HOSTS)
    if not same and not stands_in and host != f"{STAND_IN}.salesforce.com":
        return url
    return urlunsplit((instance.scheme, instance.netloc, wanted.path, wanted.query, ""))


def is_counted(path: str) -> bool:
    """Whether the platform counts a request: token requests, logins and the list of versions are free."""
    return not path.startswith(_NOT_COUNTED) and path.rstrip("/") != "/services/data"


def session_for(
    instance_url: str, transport: Transport, *, resource: str = "simple-salesforce", patience: Budget | None = None
) -> Session:
    """A ``requests.Session`` for simple-salesforce that sends through *transport*.

    Args:
        instance_url: the org's address; plain http is kept.
        transport: the shared transport.
        resource: what the ledger notes for its requests.
        patience: how often each is repeated after passing trouble, which must be safe; once only when None.
    """
    # Importing requests and simple-salesforce takes a sixth of a second: only who logs in pays for it.
    import requests
    from requests.adapters import BaseAdapter

    class OverTransport(BaseAdapter):
        """Sends requests' requests through the transport."""

        def send(
            self,
            request: PreparedRequest,
            stream: bool = False,
            timeout: Any = None,
            verify: Any = True,
            cert: Any = None,
            proxies: Any = None,
        ) -> requests.Response:
            url = destination(request.url or "", instance_url)
            headers = {name: _text(value) for name, value in request.headers.items() if name.lower() not in _OWN}
            out = Outgoing(
                Side.SALESFORCE,
                request.method or "GET",
                url,
                headers,
                _body(request.body),
                counted=is_counted(urlsplit(url).path),
                resource=resource,
            )
            try:
                reply = transport.exchange(out) if patience is None else _patiently(transport, out, patience)
            except NoAnswer as problem:
                raise requests.ConnectionError(str(problem), request=request) from problem
            response = requests.Response()
            response.status_code = reply.status
            response.headers.update({k: v for k, v in reply.headers.items() if k not in _NOT_COPIED})
            response._content = reply.content
            response.url = request.url or ""
            response.request = request
            response.encoding = requests.utils.get_encoding_from_headers(response.headers) or "utf-8"
            return response

        def close(self) -> None:
            """Nothing of its own to close."""

    session = requests.Session()
    # Proxies, authorities and .netrc are the transport's business; requests must not add its own.
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, OverTransport())
    return session


def _patiently(transport: Transport, out: Outgoing, budget: Budget) -> Reply:
    """The answer, after as many attempts as *budget* allows. Raises ServerDown."""
    scheme, host, path, query, _ = urlsplit(out.url)
    channel = Channel(transport, out.side, f"{scheme}://{host}", LOGIN_NAME, budget=budget)
    return channel.call(
        out.method,
        urlunsplit(("", "", path, query, "")),
        safety=Safety.READ,
        content=out.content,
        headers=out.headers,
        resource=out.resource,
        counted=out.counted,
        any_type=True,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        content = body.read()
        return content.encode() if isinstance(content, str) else bytes(content)
    return b"".join(part.encode() if isinstance(part, str) else part for part in body)
