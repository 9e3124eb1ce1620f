"""The transport: what is repeated and what never, one refresh for all, nothing secret in ledger or error."""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
import traceback
from collections.abc import Callable

import httpx
import pytest

from sync.errors import Cancelled, ConfigError, NotWhatItShouldBe, OutcomeUnknown, ServerDown, WrongCredentials
from sync.http.calls import NoAnswer, Outgoing, Safety, limit_info, made_for, shown_path, shown_url
from sync.http.channel import Budget, Channel, Session
from sync.http.transport import Transport
from sync.model import Side
from tests.adapters.support import Records, StillClock

Handler = Callable[[httpx.Request], httpx.Response]
BASE = "https://acme.my.salesforce.com"


class World:
    """A channel over a network that *handler* answers."""

    def __init__(self, handler: Handler, *, token: str | None = None, login: Callable[[], str] | None = None) -> None:
        self.records = Records()
        self.clock = StillClock()
        self.requests: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        self.transport = Transport(
            self.records, self.clock, sleep=self.clock.sleep, network=httpx.MockTransport(answer)
        )
        session = Session(token, login, remedy="log in again") if token or login else None
        self.channel = Channel(
            self.transport,
            Side.SALESFORCE,
            BASE,
            "the Salesforce org",
            session=session,
            budget=Budget(attempts=4),
        )


def ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"done": True}, headers={"Sforce-Limit-Info": "api-usage=18/5000"})


def in_turn(*answers: httpx.Response | Exception) -> Handler:
    rest = list(answers)

    def handler(_: httpx.Request) -> httpx.Response:
        answer = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


@pytest.mark.parametrize("status", [420, 429, 500, 502, 503, 504])
def test_a_read_is_repeated_after_passing_trouble(status: int) -> None:
    world = World(in_turn(httpx.Response(status, html="<h1>Down</h1>"), ok(None)))  # type: ignore[arg-type]
    assert world.channel.call("GET", "/x", safety=Safety.READ).ok
    assert len(world.requests) == 2
    assert len(world.clock.slept) == 1


def test_a_read_gives_up_within_its_budget_and_says_what_to_do() -> None:
    world = World(in_turn(httpx.ConnectError("refused")))
    with pytest.raises(ServerDown) as caught:
        world.channel.call("GET", "/services/data?q=secret", safety=Safety.READ)
    assert len(world.requests) == 4
    assert len(world.clock.slept) == 3
    assert "nothing was written" in caught.value.line()
    assert "check that it is running" in caught.value.line()
    assert "secret" not in caught.value.line()


def test_retry_after_is_followed() -> None:
    world = World(in_turn(httpx.Response(429, headers={"Retry-After": "3"}), ok(None)))  # type: ignore[arg-type]
    world.channel.call("GET", "/x", safety=Safety.READ)
    assert world.clock.slept == [3.0]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("t"),
        httpx.ReadError("r"),
        httpx.RemoteProtocolError("p"),
        httpx.Response(502),
        httpx.Response(500),
    ],
)
def test_a_write_of_unknown_outcome_is_never_repeated(trouble: httpx.Response | Exception) -> None:
    world = World(in_turn(trouble))
    with pytest.raises(OutcomeUnknown):
        world.channel.call("POST", "/x", content=b"{}", safety=Safety.WRITE)
    assert len(world.requests) == 1


@pytest.mark.parametrize("trouble", [httpx.ConnectError("c"), httpx.ConnectTimeout("c"), httpx.Response(503)])
def test_a_write_that_surely_did_not_happen_is_repeated(trouble: httpx.Response | Exception) -> None:
    world = World(in_turn(trouble, ok(None)))  # type: ignore[arg-type]
    assert world.channel.call("POST", "/x", content=b"{}", safety=Safety.WRITE).ok
    assert len(world.requests) == 2


def test_a_keyed_write_is_repeated_with_the_same_key_and_ends_unknown() -> None:
    world = World(in_turn(httpx.ReadTimeout("t")))
    with pytest.raises(OutcomeUnknown):
        world.channel.call("POST", "/x", content=b"{}", safety=Safety.KEYED, headers={"Idempotency-Key": "k1"})
    assert [request.headers["Idempotency-Key"] for request in world.requests] == ["k1"] * 4


CUT = httpx.Response(200, content=b'{"records": [{"Id": "00', headers={"Content-Type": "application/json"})
"""Ended as if whole, by a proxy or a server that broke."""


def test_a_read_whose_answer_was_cut_off_is_repeated() -> None:
    world = World(in_turn(CUT, ok(None)))  # type: ignore[arg-type]
    assert world.channel.call("GET", "/x", safety=Safety.READ).content == b'{"done":true}'
    assert len(world.requests) == 2
    world = World(in_turn(CUT))
    with pytest.raises(ServerDown, match="its answer was cut off"):
        world.channel.call("GET", "/x", safety=Safety.READ)
    assert len(world.requests) == 4


@pytest.mark.parametrize(("safety", "requests"), [(Safety.WRITE, 1), (Safety.KEYED, 4)])
def test_a_write_whose_answer_was_cut_off_has_an_unknown_outcome(safety: Safety, requests: int) -> None:
    world = World(in_turn(CUT))
    with pytest.raises(OutcomeUnknown, match="its answer was cut off"):
        world.channel.call("POST", "/x", content=b"{}", safety=safety)
    assert len(world.requests) == requests


@pytest.mark.parametrize("content", [b"", b" [1] \n", b'"text"', b"null"])
def test_what_is_whole_is_not_taken_for_cut_off(content: bytes) -> None:
    world = World(in_turn(httpx.Response(200, content=content, headers={"Content-Type": "application/json"})))
    assert world.channel.call("GET", "/x", safety=Safety.READ).content == content
    assert len(world.requests) == 1


def test_html_instead_of_json_names_address_and_kind() -> None:
    world = World(in_turn(httpx.Response(200, html="<title>Log in</title>")))
    with pytest.raises(NotWhatItShouldBe) as caught:
        world.channel.call("GET", "/services/data?token=hush", safety=Safety.READ)
    assert "text/html" in caught.value.what
    assert caught.value.where == f"{BASE}/services/data"
    assert len(world.requests) == 1


@pytest.mark.parametrize(("safety", "kind"), [(Safety.READ, NotWhatItShouldBe), (Safety.WRITE, OutcomeUnknown)])
def test_a_page_is_no_answer_where_other_types_than_json_are(safety: Safety, kind: type[Exception]) -> None:
    world = World(in_turn(httpx.Response(200, html="<h1>We are down for maintenance</h1>")))
    with pytest.raises(kind):
        world.channel.call("PUT", "/x", content=b"Id\n", safety=safety, any_type=True)
    assert len(world.requests) == 1


def test_a_redirect_is_not_followed_with_the_token() -> None:
    world = World(in_turn(httpx.Response(302, headers={"Location": "https://elsewhere.example/"})), token="t0ken")
    with pytest.raises(NotWhatItShouldBe, match="redirect"):
        world.channel.call("GET", "/x", safety=Safety.READ)
    assert len(world.requests) == 1


def test_one_refresh_for_all_threads_and_a_replay_with_every_header() -> None:
    logins = []
    entered = threading.Barrier(5)

    def login() -> str:
        logins.append(1)
        return "fresh"

    def handler(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer stale":
            entered.wait(5)
            return httpx.Response(401, json=[{"errorCode": "INVALID_SESSION_ID"}])
        return ok(request)

    world = World(handler, token="stale", login=login)
    replies = []

    def work() -> None:
        headers = {"Sforce-Auto-Assign": "FALSE"}
        replies.append(world.channel.call("POST", "/x", content=b"{}", safety=Safety.WRITE, headers=headers))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [reply.status for reply in replies] == [200] * 5
    assert len(logins) == 1
    assert [request.headers["Sforce-Auto-Assign"] for request in world.requests] == ["FALSE"] * 10


@pytest.mark.parametrize("login", [None, lambda: "fresh"])
def test_a_session_that_stays_refused_is_wrong_credentials(login: Callable[[], str] | None) -> None:
    world = World(in_turn(httpx.Response(401, json=[])), token="stale-s3cret", login=login)
    with pytest.raises(WrongCredentials) as caught:
        world.channel.call("GET", "/x", safety=Safety.READ)
    assert len(world.requests) == (1 if login is None else 2)
    assert "s3cret" not in caught.value.line()
    assert "log in again" in caught.value.line()


def test_the_ledger_has_each_request_with_its_purpose_and_the_orgs_meter() -> None:
    world = World(in_turn(httpx.Response(503), ok(None)))  # type: ignore[arg-type]
    with made_for("nightly", run="r1"), made_for(campaign_id="701A"):
        world.channel.call("GET", "/services/data/v66.0/query?q=SELECT+Email", safety=Safety.READ, resource="poll")
    first, second = world.records.calls
    assert (first.status, second.status) == (503, 200)
    assert (second.purpose, second.run, second.campaign_id, second.resource) == ("nightly", "r1", "701A", "poll")
    assert (second.used, second.limit) == (18, 5000)
    assert second.path == "/services/data/v66.0/query"
    assert second.counted


def test_a_request_without_connection_is_kept_but_not_counted() -> None:
    world = World(in_turn(httpx.ConnectError("c")))
    with pytest.raises(ServerDown):
        world.channel.call("GET", "/x", safety=Safety.READ)
    assert [(call.status, call.counted) for call in world.records.calls] == [(None, False)] * 4


def test_a_cancel_ends_the_wait() -> None:
    cancel = threading.Event()
    cancel.set()
    records = Records()
    network = httpx.MockTransport(in_turn(httpx.Response(503)))
    with Transport(records, StillClock(), network=network) as transport:
        channel = Channel(transport, Side.SALESFORCE, BASE, "the org", budget=Budget(first=60))
        with made_for(cancel=cancel), pytest.raises(Cancelled):
            channel.call("GET", "/x", safety=Safety.READ)
    assert len(records.calls) == 1


def test_a_body_that_drips_ends_with_the_total() -> None:
    clock = StillClock()

    class Drip(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            while True:
                clock.seconds += 1
                yield b" "

    network = httpx.MockTransport(lambda request: httpx.Response(200, stream=Drip()))
    with Transport(Records(), clock, network=network, total=5) as transport:
        with pytest.raises(NoAnswer, match="within 5 s"):
            transport.exchange(Outgoing(Side.SALESFORCE, "GET", f"{BASE}/x"))
        assert clock.seconds == 6


def test_a_broken_compression_is_no_answer() -> None:
    cut = gzip.compress(b'{"a": 1}' * 50)[:40]
    network = httpx.MockTransport(
        lambda request: httpx.Response(200, content=b"not gzip" + cut, headers={"Content-Encoding": "gzip"})
    )
    with (
        Transport(Records(), StillClock(), network=network) as transport,
        pytest.raises(NoAnswer, match="compression") as caught,
    ):
        transport.exchange(Outgoing(Side.SALESFORCE, "GET", f"{BASE}/x"))
    assert caught.value.sent


def test_no_secret_in_a_traceback() -> None:
    world = World(in_turn(httpx.ConnectError("c")), token="t0ken-s3cret")
    path = "/u/tracking-s3cret?x=s3cret"
    try:
        world.channel.call("GET", path, safety=Safety.READ)
    except ServerDown as error:
        text = "".join(traceback.format_exception(error)) + repr(error) + error.line()
    assert "s3cret" not in text
    assert "s3cret" not in repr(world.records.calls)
    assert "s3cret" not in repr(Session("s3cret", None, remedy=""))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("api-usage=18/5000", (18, 5000)),
        (" api-usage=10018/100000; api-bursts=1/750", (10018, 100000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", (25, 5000)),
        ("per-app-api-usage=17/250", None),
        ("api-usage=many/5000", None),
        ("", None),
        (None, None),
    ],
)
def test_the_limit_header_is_read_leniently(header: str | None, expected: tuple[int, int] | None) -> None:
    assert limit_info(header) == expected


def test_what_is_shown_of_an_address() -> None:
    assert shown_url("https://me:pw@acme.example:8443/a/b?token=x#y") == "https://acme.example:8443/a/b"
    assert shown_url("http://[::1]:80/u/abc") == "http://[::1]:80/u/…"
    assert shown_path("/t/c/abc/3") == "/t/c/…"


def test_a_missing_authority_file_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="certificate"):
        Transport(Records(), StillClock(), ca_file="/nowhere/ca.pem")


@pytest.mark.parametrize(
    ("base", "kind", "size", "zipped"),
    [
        (BASE, "application/json; charset=UTF-8", 5_000, True),
        (BASE, "application/json", 100, False),
        (BASE, "text/csv", 5_000, False),
        ("http://127.0.0.1:9", "application/json", 5_000, False),
    ],
)
def test_long_bodies_travel_compressed_to_orgs_that_are_elsewhere(
    base: str, kind: str, size: int, zipped: bool
) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return ok(request)

    body = b"a" * size
    with Transport(Records(), StillClock(), network=httpx.MockTransport(answer)) as transport:
        transport.exchange(Outgoing(Side.SALESFORCE, "POST", f"{base}/x", {"Content-Type": kind}, body))
        transport.exchange(Outgoing(Side.PREDICTIVE, "POST", f"{base}/x", {"Content-Type": kind}, body))
    first, service = seen
    assert (first.headers.get("Content-Encoding") == "gzip") is zipped
    assert (gzip.decompress(first.content) if zipped else first.content) == body
    assert service.content == body, "the service says nothing of compressed requests"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_that_is_none_is_said_without_its_password(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "ftp://me:hush@proxy.example:1")
    with pytest.raises(ConfigError, match="address is none") as caught:
        Transport(Records(), StillClock())
    assert "HTTPS_PROXY" in caught.value.where
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    Transport(Records(), StillClock(), proxy="").close()


def test_a_proxy_that_speaks_socks_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ConfigError, match="extra socks"):
        Transport(Records(), StillClock(), proxy="socks5://proxy.example:1080")


def test_a_proxy_of_the_configuration_is_used_and_an_empty_one_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener stands for each proxy; which one is spoken to tells who decided."""
    with Listener() as ours, Listener() as of_environment, Listener() as target:
        monkeypatch.setenv("HTTP_PROXY", of_environment.url)
        monkeypatch.setenv("NO_PROXY", "")
        for proxy, spoken_to in ((ours.url, ours), (None, of_environment), ("", target)):
            out = Outgoing(Side.SALESFORCE, "GET", target.url + "/x", {})
            with Transport(Records(), StillClock(), proxy=proxy) as transport, contextlib.suppress(NoAnswer):
                transport.exchange(out)
            assert spoken_to.take() == 1, proxy
    assert (ours.take(), of_environment.take(), target.take()) == (0, 0, 0)


class Listener:
    """Takes connections, answers nothing but a 204, and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._taken = 0

    def __enter__(self) -> Listener:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._socket.accept()
                self._taken += 1
                one.recv(65_536)
                one.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                one.close()

    def take(self) -> int:
        """Connections since the last time."""
        taken, self._taken = self._taken, 0
        return taken
