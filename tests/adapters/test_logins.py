"""Ways to log in: at the sandbox as the platform has them, and what happens when answers are lost or tokens used up."""

from __future__ import annotations

import base64
import json
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sync.errors import ConfigError, OutcomeUnknown, PredictiveError, ServerDown, UsageError, WrongCredentials
from sync.http.channel import Channel, Session
from sync.http.transport import Transport
from sync.model import Side
from sync.salesforce.auth import JwtLogin, login_host
from sync.salesforce.oauth import RefreshLogin, TokenEndpoint
from sync.salesforce.web_login import WebLogin, challenge_of, read_auth_url
from sync.secrets import Secret
from sync.settings import SalesforceSettings, parse_settings
from sync.signing_in import keep_login, login_of, web_login
from tests.adapters.conftest import Sides
from tests.adapters.support import Hidden, Records, StillClock

BASE = "https://acme.my.salesforce.com"
USER = "integration@predictive.example"


class Endpoint:
    """A token endpoint that answers what *answer* gives, and keeps the forms."""

    def __init__(self, answer: Callable[[dict[str, str]], httpx.Response]) -> None:
        self.forms: list[dict[str, str]] = []
        self.records = Records()
        clock = StillClock()

        def handle(request: httpx.Request) -> httpx.Response:
            form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            self.forms.append(form)
            return answer(form)

        network = httpx.MockTransport(handle)
        self.transport = Transport(self.records, clock, sleep=clock.sleep, network=network)
        self.endpoint = TokenEndpoint(self.transport, BASE)


def granted(**more: str) -> httpx.Response:
    return httpx.Response(
        200, json={"access_token": "00Dx!fresh", "instance_url": BASE, "id": f"{BASE}/id/00D/005"} | more
    )


def refused(error: str, text: str = "") -> httpx.Response:
    return httpx.Response(400, json={"error": error, "error_description": text})


# ---------------------------------------------------------------- refresh tokens


def test_a_replaced_refresh_token_is_kept_before_the_new_session_is_used() -> None:
    kept = ["first"]
    order: list[str] = []

    def save(token: str) -> None:
        order.append("saved")
        kept[:] = [token]

    world = Endpoint(lambda form: granted(refresh_token=f"after-{form['refresh_token']}"))
    login = RefreshLogin(world.endpoint, "app", None, read=lambda: list(kept), save=save)
    session = Session(None, login, remedy="")
    order.append(session.token())
    assert order == ["saved", "00Dx!fresh"]
    login()
    assert [form["refresh_token"] for form in world.forms] == ["first", "after-first"]
    assert "client_secret" not in world.forms[0], "a public app has none"
    assert not any(call.counted for call in world.records.calls)


def test_a_token_that_cannot_be_kept_is_not_used() -> None:
    def save(_token: str) -> None:
        raise ConfigError("the secrets file cannot be written")

    world = Endpoint(lambda form: granted(refresh_token="second"))
    with pytest.raises(ConfigError):
        RefreshLogin(world.endpoint, "app", None, read=lambda: ["first"], save=save)()


def test_another_process_that_was_first_is_followed() -> None:
    """The token was used up elsewhere; its successor is in the file by now."""
    stored = iter((["old"], ["old", "new"]))
    world = Endpoint(lambda form: granted() if form["refresh_token"] == "new" else refused("invalid_grant"))
    login = RefreshLogin(world.endpoint, "app", Hidden("s"), read=lambda: next(stored), save=lambda _: None)
    assert login() == "00Dx!fresh"
    assert [form["refresh_token"] for form in world.forms] == ["old", "new"]


def test_another_process_that_is_about_to_keep_its_successor_is_waited_for() -> None:
    reads = 0

    def read() -> list[str]:
        nonlocal reads
        reads += 1
        return ["new"] if reads > 3 else ["old"]

    world = Endpoint(lambda form: granted() if form["refresh_token"] == "new" else refused("invalid_grant"))
    assert RefreshLogin(world.endpoint, "app", None, read=read, save=lambda _: None)() == "00Dx!fresh"
    assert [form["refresh_token"] for form in world.forms] == ["old", "new"], "none is shown twice"


def test_a_used_up_login_says_to_log_in_again_and_shows_nothing() -> None:
    world = Endpoint(lambda form: refused("invalid_grant", "expired access/refresh token"))
    login = RefreshLogin(world.endpoint, "app", Hidden("hush-s"), read=lambda: ["hush-t"], save=lambda _: None)
    with pytest.raises(WrongCredentials, match="expired access/refresh token") as caught:
        login()
    assert "predictive login" in caught.value.remedy
    assert "hush" not in caught.value.line() + repr(login)


def test_a_lost_answer_is_never_answered_by_showing_the_token_again() -> None:
    def lose(_form: dict[str, str]) -> httpx.Response:
        raise httpx.ReadTimeout("t")

    world = Endpoint(lose)
    with pytest.raises(OutcomeUnknown):
        RefreshLogin(world.endpoint, "app", None, read=lambda: ["one"], save=lambda _: None)()
    assert len(world.forms) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, html="<h1>Down</h1>"), PredictiveError),
        (httpx.Response(200, json={"hello": 1}), PredictiveError),
        (refused("invalid_client_id", "client identifier invalid"), WrongCredentials),
    ],
)
def test_foreign_answers_are_told_from_refusals(answer: httpx.Response, kind: type[Exception]) -> None:
    world = Endpoint(lambda form: answer)
    with pytest.raises(kind):
        world.endpoint.grant({"grant_type": "refresh_token", "refresh_token": "x"})


@pytest.mark.parametrize("threads", [2, 8])
def test_many_threads_with_an_ended_session_ask_for_one_token(threads: int) -> None:
    requests: list[tuple[str, str]] = []
    started = threading.Barrier(threads)

    def network(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            requests.append(("token", ""))
            return granted()
        sent = request.headers["Authorization"]
        requests.append((sent, request.headers.get("Sforce-Auto-Assign", "")))
        ended = sent == "Bearer 00Dx!old"
        return httpx.Response(401 if ended else 200, json=[{"errorCode": "INVALID_SESSION_ID"}] if ended else {})

    clock = StillClock()
    with Transport(Records(), clock, sleep=clock.sleep, network=httpx.MockTransport(network)) as transport:
        endpoint = TokenEndpoint(transport, BASE)
        login = RefreshLogin(endpoint, "app", None, read=lambda: ["r"], save=lambda _: None)
        channel = Channel(transport, Side.SALESFORCE, BASE, "the org", session=Session("00Dx!old", login, remedy=""))

        def work() -> None:
            from sync.http.calls import Safety

            started.wait(10)
            channel.call("PATCH", "/x", safety=Safety.WRITE, content=b"{}", headers={"Sforce-Auto-Assign": "FALSE"})

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
    assert requests.count(("token", "")) == 1
    replayed = [one for one in requests if one[0] == "Bearer 00Dx!fresh"]
    assert replayed == [("Bearer 00Dx!fresh", "FALSE")] * threads, "own headers are kept on the replay"


# ---------------------------------------------------------------- browser


def attempt(world: Endpoint, secret: str | None = None) -> WebLogin:
    texts = iter(("the-state", "the-verifier"))
    hidden = Hidden(secret) if secret else None
    return WebLogin(world.endpoint, "app", hidden, port=1717, token=lambda _bytes: next(texts))


def test_the_address_asks_for_a_code_bound_to_this_attempt() -> None:
    one = attempt(Endpoint(lambda form: granted()))
    parts = urlsplit(one.address)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{BASE}/services/oauth2/authorize"
    assert asked["code_challenge"] == challenge_of("the-verifier")
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://localhost:1717/OauthRedirect"
    assert "the-verifier" not in one.address


def test_the_challenge_is_that_of_the_standards_own_example() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_what_comes_back_is_redeemed_with_the_verifier() -> None:
    world = Endpoint(lambda form: granted(refresh_token="r"))
    grant = attempt(world, "s3").redeem("  http://localhost:1717/OauthRedirect?code=c%3D%3D&state=the-state\n")
    assert (grant.refresh_token, grant.org_id) == ("r", "00D")
    assert world.forms[0]["code"] == "c=="
    assert world.forms[0]["code_verifier"] == "the-verifier"
    assert world.forms[0]["client_secret"] == "s3"
    assert "00Dx!fresh" not in repr(grant)


@pytest.mark.parametrize(
    "address",
    ["", "hello", "http://localhost:1717/OauthRedirect?code=c&state=another", "http://localhost:1717/?state=the-state"],
)
def test_an_address_of_another_attempt_is_refused(address: str) -> None:
    world = Endpoint(lambda form: granted())
    with pytest.raises(UsageError, match="not the address"):
        attempt(world).redeem(address)
    assert not world.forms


def test_a_person_who_says_no_is_understood() -> None:
    with pytest.raises(WrongCredentials, match="access_denied: end-user denied authorization"):
        attempt(Endpoint(lambda form: granted())).redeem(
            "http://localhost:1717/x?error=access_denied&error_description=end-user+denied+authorization"
        )


# ---------------------------------------------------------------- the command line's login


PLAIN = "acme.my.salesforce.com"
DEV = "acme--dev.sandbox.my.salesforce.com"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"force://PlatformCLI::5Aep861_x=@{PLAIN}", ("PlatformCLI", "", "5Aep861_x=", PLAIN)),
        (f"force://3MVG9.a:se=cret:5Aep.b@{DEV}\n", ("3MVG9.a", "se=cret", "5Aep.b", DEV)),
        (f"force://PlatformCLI:5Aep@{PLAIN}", ("PlatformCLI", "", "5Aep", PLAIN)),
        (json.dumps({"status": 0, "result": {"sfdxAuthUrl": "force://a:b:c@h"}}), ("a", "b", "c", "h")),
    ],
)
def test_an_auth_url_is_read(text: str, found: tuple[str, str, str, str]) -> None:
    assert read_auth_url(text) == found


@pytest.mark.parametrize(
    "text", ["", "https://a:b:c@h", "force://", "force://a:b:c", "force://::@h", "{}", '{"result":1}', "{"]
)
def test_what_is_no_auth_url_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_auth_url(text)
    assert "show-sfdx-auth-url" in caught.value.remedy


# ---------------------------------------------------------------- settings, and the sandbox's own logins


def settings_of(folder: Path, lines: str, env: dict[str, str] | None = None) -> SalesforceSettings:
    text = f"""
[orgs.t.salesforce]
{lines}
[orgs.t.predictive]
base_url = "http://127.0.0.1:1"
"""
    return parse_settings(text.encode(), folder / "config.toml", env=env or {}).org().salesforce


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The child process that asks the keyring finds none."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "keyring.py").write_text("raise RuntimeError('no backend')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ('instance_url = "https://a.my.salesforce.com"\nauth = "jwt"\nclient_id = "c"', "username"),
        ('instance_url = "https://a.my.salesforce.com"\nauth = "jwt"\nusername = "a@b.c"', "client_id"),
        ('instance_url = "https://a.my.salesforce.com"\nauth = "client-credentials"', "client_id"),
        ('instance_url = "https://a.my.salesforce.com"\nauth = "web"\nredirect_port = 0', "redirect_port"),
        ('instance_url = "https://a.my.salesforce.com"\nproxy = "http://me:pw@proxy:8080"', "proxy"),
        ('instance_url = "https://a.my.salesforce.com"\nauth = "password"', "auth"),
    ],
)
def test_what_a_way_to_log_in_lacks_is_said_with_its_key(lines: str, missing: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, lines)
    assert missing in caught.value.what
    assert "pw" not in caught.value.line() or missing != "proxy" or "password" in caught.value.line()


@pytest.mark.parametrize(
    ("instance", "login", "host"),
    [
        ("https://acme.my.salesforce.com", None, "login"),
        ("https://acme--dev.sandbox.my.salesforce.com", None, "test"),
        ("https://acme-dev-ed.scratch.my.salesforce.com", None, "test"),
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com", "acme.my"),
        ("https://acme.my.salesforce.com", "https://test.salesforce.com", "test"),
    ],
)
def test_where_an_assertion_logs_in(instance: str, login: str | None, host: str) -> None:
    assert login_host(instance, login) == host


LOST: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "truncate"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500, "commit": True},
    {"kind": "html", "status": 502},
)


@pytest.mark.parametrize("lost", LOST, ids=lambda one: f"{one['kind']} {one.get('status', '')}".strip())
def test_a_login_that_asks_for_a_token_alone_outlives_passing_trouble(sides: Sides, lost: dict[str, Any]) -> None:
    sides.fault(match="/services/oauth2/token", count=2, **lost)
    login = sides.login(sides.servers.client_id, Hidden(sides.servers.client_secret))
    assert login().startswith("00D")
    assert [call.path for call in sides.records.calls] == ["/services/oauth2/token"] * 3
    assert len(sides.slept) == 2


def test_a_login_that_is_down_for_longer_gives_up_within_the_budget(sides: Sides) -> None:
    sides.fault("status", match="/services/oauth2/token", status=503, count=None)
    with pytest.raises(ServerDown, match="the login of the Salesforce org: it answered 503"):
        sides.login(sides.servers.client_id, Hidden(sides.servers.client_secret))()
    assert len(sides.records.calls) == 4


@pytest.mark.slow
def test_jwt_bearer_at_the_sandbox(sides: Sides) -> None:
    ready = sides.servers.ready["salesforce"]
    key = Hidden(Path(ready["private_key"]).read_text())
    login = JwtLogin(sides.transport, sides.servers.instance_url, sides.servers.client_id, USER, key)
    org = sides.new_org(access_token=None, login=login)
    assert org.identity().org_id.startswith("00D")
    assert sides.spent() == 1, "the login is not counted"
    assert "BEGIN" not in repr(login)
    wrong = JwtLogin(sides.transport, sides.servers.instance_url, sides.servers.client_id, "no@body.example", key)
    with pytest.raises(WrongCredentials, match="invalid_grant"):
        wrong()


def test_a_key_that_is_none_is_said_before_anything_is_sent(sides: Sides) -> None:
    login = JwtLogin(sides.transport, sides.servers.instance_url, "c", USER, Hidden("no key"))
    with pytest.raises(ConfigError, match="no PEM"):
        login()
    assert not sides.records.calls


@pytest.mark.usefixtures("no_keyring")
def test_a_browsers_login_at_the_sandbox_is_kept_and_rotated(sides: Sides, tmp_path: Path) -> None:
    sides.control("POST", "/settings", {"rotate_refresh_tokens": True, "pkce_required": True})
    try:
        lines = f'instance_url = "{sides.servers.instance_url}"\nauth = "web"\nclient_id = "{sides.servers.client_id}"'
        settings = settings_of(tmp_path, lines)
        one = web_login(settings, sides.transport, token=lambda size: base64.urlsafe_b64encode(b"x" * size).decode())
        sent_back = httpx.get(one.address, follow_redirects=False).headers["Location"]
        grant = one.redeem(sent_back)
        place = keep_login(settings, grant.refresh_token, client_id=sides.servers.client_id)
        secrets = tmp_path / "secrets.toml"
        assert place == f"file {secrets}"
        assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
        first = secrets.read_text()
        for _ in range(2):
            org = sides.new_org(access_token=None, login=login_of(settings, sides.transport))
            assert org.identity().org_id.startswith("00D")
        assert secrets.read_text() != first, "each use of the login gave a new one"
        assert grant.refresh_token not in secrets.read_text()
    finally:
        sides.control("POST", "/settings", {"rotate_refresh_tokens": False, "pkce_required": False})


@pytest.mark.usefixtures("no_keyring")
def test_a_login_of_the_command_line_is_taken_over(sides: Sides, tmp_path: Path) -> None:
    ready = sides.servers.ready["salesforce"]
    settings = settings_of(tmp_path, f'instance_url = "{sides.servers.instance_url}"\nauth = "web"')
    url = f"force://{sides.servers.client_id}:{sides.servers.client_secret}:{ready['refresh_token']}@host"
    client_id, secret, token, _ = read_auth_url(url)
    keep_login(settings, token, client_id=client_id, client_secret=secret)
    org = sides.new_org(access_token=None, login=login_of(settings, sides.transport))
    assert org.identity().org_id.startswith("00D")


@pytest.mark.usefixtures("no_keyring")
def test_a_login_from_the_environment_that_is_used_up_gives_way_to_the_kept_one(sides: Sides, tmp_path: Path) -> None:
    env = {"PREDICTIVE_T_SALESFORCE_REFRESH_TOKEN": "used-up"}
    lines = f'instance_url = "{sides.servers.instance_url}"\nauth = "web"\nclient_id = "{sides.servers.client_id}"'
    settings = settings_of(tmp_path, lines, env)
    settings = replace(settings, client_secret=replace(settings.client_secret, env={}))
    keep_login(settings, sides.servers.ready["salesforce"]["refresh_token"], client_id=sides.servers.client_id)
    login: Any = login_of(settings, sides.transport)
    assert login().startswith("00D")


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("x")
    key.chmod(0o644)
    lines = 'instance_url = "https://a.my.salesforce.com"\nauth = "jwt"\nclient_id = "c"\nusername = "a@b.c"\n'
    settings = settings_of(tmp_path, lines + 'private_key_file = "key.pem"')
    assert settings.secrets == ()
    clock = StillClock()
    with Transport(Records(), clock) as transport, pytest.raises(ConfigError, match="can be read by others"):
        login_of(settings, transport)


def test_secrets_do_not_show() -> None:
    assert "hush" not in repr(Secret("hush"))
