"""One ``httpx.Client`` for everything that goes over the network, with a record of each request.

``exchange`` makes exactly one HTTP request; whether it may be repeated is decided by ``sync.http.channel``.
"""

from __future__ import annotations

import functools
import gzip
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from sync.clock import Clock
from sync.errors import Cancelled, ConfigError
from sync.http.calls import NoAnswer, Outgoing, Reply, limit_info, present_purpose, shown_path, shown_url
from sync.model import Side
from sync.ports import CallRecord, Ledger

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
_ZIP_FROM = 2_048
"""Bytes of a body from which compressing it is worth its while."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Transport:
    """Sends requests, keeps the ledger, waits.

    Safe to use from any thread. Close it, or use it as a context manager.

    Args:
        ledger: takes a record of each request, also of those that got no answer.
        clock: for the records' instants and for durations.
        total: seconds a request may take in all.
        connect: seconds for connecting.
        connections: most connections at once.
        ca_file: certificate authorities in PEM to trust beside the system's own.
        verify: False accepts any certificate.
        compress: gzip both ways; None does so unless the peer is this machine.
        proxy: for all requests; "" for none at all, None as the environment says (HTTPS_PROXY, NO_PROXY, …).
        sleep: waits that many seconds; by default on the cancel event of the present purpose.
        network: replaces the network, for tests.

    Raises:
        ConfigError: the CA file cannot be read, or a proxy that is named is none.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        total: float = TOTAL_SECONDS,
        connect: float = CONNECT_SECONDS,
        connections: int = 10,
        ca_file: str | None = None,
        verify: bool = True,
        compress: bool | None = None,
        proxy: str | None = None,
        sleep: Callable[[float], None] | None = None,
        network: httpx.BaseTransport | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._total = total
        self._compress = compress
        self._sleep = sleep
        trust = _trust(ca_file) if verify else False
        try:
            self._client = httpx.Client(
                timeout=httpx.Timeout(total, connect=min(connect, total)),
                limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
                verify=trust,
                proxy=proxy or None,
                trust_env=proxy != "",
                follow_redirects=False,
                headers={"User-Agent": "predictive-console"},
                transport=network,
            )
        except ImportError:
            raise _no_proxy(proxy, "a proxy that speaks SOCKS needs the extra socks", _SOCKS) from None
        except (ValueError, httpx.InvalidURL):
            # What it says holds the address, which may hold a password.
            raise _no_proxy(proxy, "the proxy's address is none that can be used", _ADDRESS) from None

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def wait(self, seconds: float) -> None:
        """Wait, ended at once by a cancel.

        Raises:
            Cancelled: the cancel event of the present purpose is set.
        """
        cancel = present_purpose().cancel
        if self._sleep is not None:
            self._sleep(seconds)
        else:
            (cancel or threading.Event()).wait(seconds)
        if cancel is not None and cancel.is_set():
            raise Cancelled("stopped while waiting", left_undone="what was not sent yet was left undone")

    def exchange(self, out: Outgoing, *, total: float | None = None) -> Reply:
        """Make one request and read its answer to the end.

        Raises:
            NoAnswer: no complete answer came in time.
        """
        started = self._clock.monotonic()
        limit = total if total is not None else self._total
        where = shown_url(out.url)
        try:
            reply = self._send(out, where, started, limit)
        except NoAnswer as problem:
            # What never left this machine cannot have been counted by the other side.
            self._record(out, None, started, counted=out.counted and problem.sent)
            raise
        self._record(out, reply, started, counted=out.counted)
        return reply

    def _send(self, out: Outgoing, where: str, started: float, limit: float) -> Reply:
        zipped = self._wants_gzip(out.url)
        headers = {"Accept-Encoding": "gzip" if zipped else "identity", **out.headers}
        content = out.content
        if content is not None and not isinstance(content, bytes):
            headers["Content-Length"] = str(len(content))
        elif zipped and out.side is Side.SALESFORCE and content is not None and _worth_zipping(content, headers):
            # The REST API takes it (REST guide, "Use Compression"); of uploads to jobs the documentation says nothing.
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content, 6, mtime=0)
        try:
            request = self._client.build_request(
                out.method, out.url, headers=headers, content=content, timeout=self._timeout(limit)
            )
            response = self._client.send(request, stream=True)
            try:
                answer = self._read(response, where, started, limit)
            finally:
                response.close()
        except httpx.InvalidURL:
            raise NoAnswer("the address is not one", sent=False, where=where) from None
        except httpx.HTTPError as error:
            raise NoAnswer(_reason(error), sent=not isinstance(error, _NOT_SENT), where=where) from error
        lower = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, lower, answer, where)

    def _timeout(self, limit: float) -> httpx.Timeout:
        connect = self._client.timeout.connect
        return httpx.Timeout(limit, connect=min(connect, limit) if connect is not None else limit)

    def _read(self, response: httpx.Response, where: str, started: float, limit: float) -> bytes:
        # The body must be there within what is left of the total: httpx alone limits only each single read.
        timeouts = response.request.extensions.get("timeout")
        left = limit - (self._clock.monotonic() - started)
        if isinstance(timeouts, dict):
            timeouts["read"] = max(0.1, left)
        parts: list[bytes] = []
        for part in response.iter_bytes():
            parts.append(part)
            if self._clock.monotonic() - started > limit:
                raise NoAnswer(f"no complete answer within {limit:g} s", sent=True, where=where)
        return b"".join(parts)

    def _wants_gzip(self, url: str) -> bool:
        if self._compress is not None:
            return self._compress
        return urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")

    def _record(self, out: Outgoing, reply: Reply | None, started: float, *, counted: bool) -> None:
        purpose = present_purpose()
        usage = limit_info(reply.headers.get("sforce-limit-info")) if reply is not None else None
        self._ledger.record(
            CallRecord(
                at=self._clock.now(),
                side=out.side,
                method=out.method,
                path=shown_path(urlsplit(out.url).path),
                status=reply.status if reply is not None else None,
                seconds=self._clock.monotonic() - started,
                counted=counted,
                run=purpose.run,
                campaign_id=purpose.campaign_id,
                purpose=purpose.purpose,
                resource=out.resource,
                used=usage[0] if usage else None,
                limit=usage[1] if usage else None,
            )
        )


def _worth_zipping(content: bytes, headers: Mapping[str, str]) -> bool:
    kind = headers.get("Content-Type", "application/json")
    return len(content) >= _ZIP_FROM and kind.startswith("application/json")


@functools.cache
def _usual_trust(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """The authorities that httpx trusts by itself, read once for a process and each environment that names others."""
    return httpx.create_ssl_context()


def _trust(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return _usual_trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=ca_file)
        return context
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            "the file of certificate authorities cannot be read",
            where=ca_file,
            left_undone="nothing was read or written",
            remedy="give a readable file in PEM form",
        ) from error


_ADDRESS = 'give it as http://HOST:PORT, https:// or socks5://; proxy = "" uses none whatever is set'
_SOCKS = 'pipx inject predictive-console socksio; proxy = "" uses none whatever is set'


def _no_proxy(proxy: str | None, what: str, remedy: str) -> ConfigError:
    where = "proxy" if proxy else "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY of the environment"
    return ConfigError(what, where=where, left_undone="nothing was read or written", remedy=remedy)


_REASONS: tuple[tuple[type[httpx.HTTPError], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.ProxyError, "the proxy refused"),
    (httpx.DecodingError, "the answer's compression is broken"),
    (httpx.RemoteProtocolError, "the connection was closed before the answer was complete"),
    (httpx.ConnectError, "no connection"),
    (httpx.NetworkError, "connection lost"),
)


def _reason(error: httpx.HTTPError) -> str:
    """What went wrong, in words, from the error and its causes; never its URL or headers."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection"
        if isinstance(cause, socket.gaierror):
            return "no such host"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror[:1].lower() + cause.strerror[1:]
        cause = cause.__cause__ or cause.__context__
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the request failed")
