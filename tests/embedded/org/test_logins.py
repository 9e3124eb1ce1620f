"""Every way to log in: OAuth grants, authorizing in a browser, SOAP, and what is asked and told about tokens."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from sync.embedded.process import EmbeddedServers
from tests.embedded.org.conftest import BASE, Api

TOKEN = "/services/oauth2/token"
REDIRECT = "http://localhost:1717/OauthRedirect"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-long"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
KEY = rsa.generate_private_key(65_537, 2_048)
USER = "integration@predictive.example"


def private(key: rsa.RSAPrivateKey) -> bytes:
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())


def credentials(api: Api, **more: str) -> dict[str, str]:
    return {"client_id": api.built.client.client_id, "client_secret": api.built.client.client_secret, **more}


def works(api: Api, token: str) -> bool:
    return api.http.get(f"{BASE}/limits", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def refused(api: Api, **form: str) -> tuple[str, str]:
    answer = api.http.post(TOKEN, data=form)
    assert answer.status_code == 400
    return answer.json()["error"], answer.json()["error_description"]


# ------------------------------------------------------------------ JWT bearer


@pytest.fixture
def signed(api: Api) -> Api:
    """The org with a certificate registered."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    api.built.gateway.oauth.certificate = KEY.public_key().public_bytes(serialization.Encoding.PEM, spki)
    return api


def assertion(api: Api, key: rsa.RSAPrivateKey = KEY, **changes: Any) -> dict[str, str]:
    claims = {"iss": api.built.client.client_id, "sub": USER, "aud": "https://login.salesforce.com", **changes}
    made = jwt.encode({"exp": int(time.time()) + 180, **claims}, private(key), algorithm="RS256")
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": made}


@pytest.mark.parametrize(
    "audience", ["https://test.salesforce.com", "http://127.0.0.1", ["https://login.salesforce.com"]]
)
def test_an_assertion_signed_with_the_apps_key(signed: Api, audience: Any) -> None:
    answer = signed.http.post(TOKEN, data=assertion(signed, aud=audience))
    assert "refresh_token" not in answer.json()
    assert works(signed, answer.json()["access_token"])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"sub": "nobody@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"iss": "another app"}, "invalid_client_id", "client identifier invalid"),
        ({"aud": "https://example.com"}, "invalid_grant", "audience is invalid"),
        ({"exp": 1_000_000_000}, "invalid_grant", "invalid assertion: expired"),
        ({"exp": None}, "invalid_grant", "invalid assertion: expired"),
    ],
)
def test_assertions_that_are_refused(signed: Api, changes: dict[str, Any], error: str, words: str) -> None:
    assert refused(signed, **assertion(signed, **changes)) == (error, words)


def test_a_signature_of_another_key(signed: Api) -> None:
    other = assertion(signed, key=rsa.generate_private_key(65_537, 2_048))
    assert refused(signed, **other)[1].startswith("invalid assertion: the signature is not")
    for broken in ("nonsense", "a.b.c", other["assertion"].rsplit(".", 1)[0] + ".AAAA"):
        assert refused(signed, **{**other, "assertion": broken})[0] == "invalid_grant"


# ------------------------------------------------------------------ user name and password


def test_user_name_and_password_with_or_without_the_token(api: Api) -> None:
    client = api.built.client
    for password in (client.password, client.password + client.security_token):
        form = credentials(api, grant_type="password", username=USER.upper(), password=password)
        assert works(api, api.http.post(TOKEN, data=form).json()["access_token"])
    form = credentials(api, grant_type="password", username=USER, password="wrong")
    assert refused(api, **form) == ("invalid_grant", "authentication failure")


# ------------------------------------------------------------------ the web-server flow


def authorized(api: Api, **changes: str) -> dict[str, str]:
    query = {"response_type": "code", "client_id": api.built.client.client_id, "redirect_uri": REDIRECT, "state": "s 1"}
    query |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    asked = {name: value for name, value in {**query, **changes}.items() if value}
    answer = api.http.get("/services/oauth2/authorize", params=asked)
    assert answer.status_code == 302
    sent_to = urlsplit(answer.headers["location"])
    assert f"{sent_to.scheme}://{sent_to.netloc}{sent_to.path}" == REDIRECT
    return {name: values[0] for name, values in parse_qs(sent_to.query).items()}


def exchange(api: Api, code: str, **changes: str) -> dict[str, str]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return {"client_id": api.built.client.client_id, **form, **changes}


def test_a_browser_comes_back_with_a_code_that_is_good_once(api: Api) -> None:
    back = authorized(api)
    assert back["state"] == "s 1"
    unnamed = authorized(api, code_challenge_method="")["code"]  # the command line names no method, and hashes
    assert api.http.post(TOKEN, data=exchange(api, unnamed)).status_code == 200
    granted = api.http.post(TOKEN, data=exchange(api, back["code"])).json()
    assert works(api, granted["access_token"])
    assert granted["refresh_token"]
    assert "refresh_token" in granted["scope"]
    assert refused(api, **exchange(api, back["code"])) == ("invalid_grant", "expired authorization code")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "another"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "http://localhost:1/x"}, "redirect_uri_mismatch"),
        ({"client_id": "PlatformCLI"}, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": "é"}, "invalid_client"),
    ],
)
def test_codes_that_are_not_exchanged(api: Api, changes: dict[str, str], error: str) -> None:
    assert refused(api, **exchange(api, authorized(api)["code"], **changes))[0] == error


def test_codes_grow_old(api: Api) -> None:
    code = authorized(api)["code"]
    api.clock.advance(901)
    assert refused(api, **exchange(api, code))[0] == "invalid_grant"


def test_authorizations_that_are_refused(api: Api) -> None:
    assert authorized(api, code_challenge="")["error"] == "invalid_request"
    assert authorized(api, code_challenge_method="plain")["error"] == "invalid_request"
    assert authorized(api, response_type="token")["error"] == "unsupported_response_type"
    for wrong in ({"client_id": "nobody"}, {"redirect_uri": "https://example.com/cb"}, {"redirect_uri": "http://[x"}):
        query = {"response_type": "code", "client_id": api.built.client.client_id, "redirect_uri": REDIRECT, **wrong}
        assert api.http.get("/services/oauth2/authorize", params=query).status_code == 400
    api.built.org.state.switches.pkce_required = False
    code = authorized(api, code_challenge="")["code"]
    assert refused(api, **exchange(api, code))[0] == "invalid_client"
    code = authorized(api, code_challenge="")["code"]
    assert api.http.post(TOKEN, data=exchange(api, code, **credentials(api))).status_code == 200


# ------------------------------------------------------------------ refreshing, asking, revoking


def test_refreshing_with_and_without_rotation(api: Api) -> None:
    form = credentials(api, grant_type="refresh_token", refresh_token=api.built.client.refresh_token)
    for _ in range(2):
        answer = api.http.post(TOKEN, data=form).json()
        assert works(api, answer["access_token"])
        assert "refresh_token" not in answer
    api.built.org.state.switches.rotate_refresh_tokens = True
    first = api.http.post(TOKEN, data=form).json()
    assert refused(api, **form) == ("invalid_grant", "expired access/refresh token")
    second = api.http.post(TOKEN, data={**form, "refresh_token": first["refresh_token"]})
    assert works(api, second.json()["access_token"])


def test_introspection_and_revocation(api: Api) -> None:
    granted = api.http.post(TOKEN, data=exchange(api, authorized(api)["code"])).json()

    def told(token: str) -> dict[str, Any]:
        return dict(api.http.post("/services/oauth2/introspect", data=credentials(api, token=token)).json())

    assert told(granted["access_token"])["username"] == USER
    assert told(granted["refresh_token"])["token_type"] == "refresh_token"
    assert told("nonsense") == {"active": False}
    assert api.http.post("/services/oauth2/introspect", data={"token": "x"}).status_code == 400
    assert api.http.post("/services/oauth2/revoke", data={"token": granted["refresh_token"]}).status_code == 200
    assert not works(api, granted["access_token"])
    assert told(granted["refresh_token"]) == {"active": False}
    assert api.http.get("/services/oauth2/revoke", params={"token": "nonsense"}).json()["error"] == "invalid_token"
    assert api.http.post("/services/oauth2/revoke", data={"token": api.built.access_token}).status_code == 200
    assert not works(api, api.built.access_token)


def test_no_secret_shows_in_a_repr(api: Api) -> None:
    oauth, client = api.built.gateway.oauth, api.built.client
    granted = oauth.grant(credentials(api, grant_type="client_credentials"), None, frozenset())
    shown = repr((oauth, client, granted, api.built, oauth.sessions))
    secrets = (client.client_secret, client.refresh_token, client.password, client.security_token, granted.access_token)
    assert not any(secret in shown for secret in (*secrets, api.built.access_token))


def test_who_the_user_is(api: Api) -> None:
    told = api.http.get("/services/oauth2/userinfo").json()
    for where in (urlsplit(told["id"]).path, f"/id/{told['organization_id'][:15]}/{told['user_id'][:15]}"):
        assert api.http.get(where).json()["username"] == USER
    assert api.http.get("/id/00DgL0000000001/005gL0000000001").status_code == 404
    assert api.http.get("/services/oauth2/userinfo", headers={"Authorization": "Bearer x"}).status_code == 401


# ------------------------------------------------------------------ SOAP


def envelope(body: str, token: str = "") -> str:
    header = f"<n1:SessionHeader><n1:sessionId>{token}</n1:sessionId></n1:SessionHeader>"
    return (
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:n1="urn:partner.soap.sforce.com">'
        f"<env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    )


def soap(api: Api, path: str, body: str, token: str = "") -> httpx.Response:
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login", "Authorization": ""}
    return api.http.post(f"/services/Soap/{path}", content=envelope(body, token), headers=headers)


def login(username: str, password: str) -> str:
    return f"<n1:login><n1:username>{username}</n1:username><n1:password>{password}</n1:password></n1:login>"


def element(answer: httpx.Response, name: str) -> str:
    return answer.text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


@pytest.mark.parametrize(("path", "space"), [("u/59.0", "partner"), ("c/64.0/00DgL000000FJWy", "enterprise")])
def test_soap_login(api: Api, path: str, space: str) -> None:
    client = api.built.client
    answer = soap(api, path, login(USER, client.password + client.security_token))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml;charset=UTF-8")
    assert f"urn:{space}.soap.sforce.com" in answer.text
    token = element(answer, "sessionId")
    assert works(api, token)
    assert element(answer, "serverUrl").startswith(f"http://127.0.0.1/services/Soap/{path[0]}/")
    assert element(answer, "organizationId") == api.built.org.organization_id
    info = soap(api, path, "<n1:getUserInfo/>", token)
    assert element(info, "userName") == USER
    assert element(soap(api, path, "<n1:getServerTimestamp/>", token), "timestamp").startswith("2027-03-01T09:00")
    newest = f"{path[0]}/66.0"  # where only login is gone
    assert element(soap(api, newest, "<n1:getUserInfo/>", token), "userName") == USER
    soap(api, path, "<n1:logout/>", token)
    assert not works(api, token)


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        ("u/59.0", login(USER, "wrong &amp; &lt;x"), "sf:INVALID_LOGIN", "INVALID_LOGIN: Invalid username, password, "),
        ("u/59.0", login("nobody", "x"), "sf:INVALID_LOGIN", "security token; or user locked out."),
        ("u/99.0", "<n1:getUserInfo/>", "sf:UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"),
        ("u/65.0", login(USER, "x"), "sf:UNSUPPORTED_API_VERSION", "not available in API version 65.0"),
        ("u/59.0", "<n1:getUserInfo/>", "sf:INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader"),
        ("u/59.0", "<n1:nonsense/>", "soapenv:Client", "No operation available for request nonsense"),
        ("x/59.0", login(USER, "x"), "sf:UNSUPPORTED_API_VERSION", "Invalid Api version"),
    ],
)
def test_soap_faults(api: Api, path: str, body: str, code: str, words: str) -> None:
    answer = soap(api, path, body)
    assert answer.status_code == 500
    assert element(answer, "faultcode") == code
    assert words in element(answer, "faultstring")
    if code == "sf:INVALID_LOGIN":
        assert element(answer, "sf:exceptionCode") == "INVALID_LOGIN"


def test_soap_logins_of_an_hour_are_limited(api: Api) -> None:
    """3,600 logins a user and hour, right or wrong; they come back as they grow old."""
    for _ in range(3_600):
        api.built.gateway.soap.logins.take()
    answer = soap(api, "u/59.0", login(USER, api.built.client.password))
    assert element(answer, "faultcode") == "sf:LOGIN_RATE_EXCEEDED"
    api.clock.advance(3_601)
    assert soap(api, "u/59.0", login(USER, api.built.client.password)).status_code == 200


# ------------------------------------------------------------------ a client that others wrote


@pytest.fixture
def session(servers: EmbeddedServers) -> Iterator[requests.Session]:
    """The library's fixed login hosts lead to the sandbox."""

    class ToSandbox(requests.adapters.HTTPAdapter):
        def send(self, request: Any, **more: Any) -> Any:
            request.url = servers.tls_url + request.path_url
            return super().send(request, **more)

    with requests.Session() as made:
        made.trust_env = False
        made.verify = servers.ca
        made.mount("https://", ToSandbox())
        yield made


def logins(servers: EmbeddedServers) -> dict[str, dict[str, str]]:
    org = servers.ready["salesforce"]
    app = {"consumer_key": org["client_id"], "consumer_secret": org["client_secret"]}
    user = {"username": org["username"], "password": org["password"], "security_token": org["security_token"]}
    return {
        "soap": user,
        "soap in a sandbox": {**user, "domain": "test"},
        "soap within an organization": {**user, "organizationId": "00DgL000000FJWy"},
        "password": {**user, **app},
        "jwt": {"username": org["username"], "consumer_key": org["client_id"], "privatekey_file": org["private_key"]},
        "client credentials": {**app, "domain": "acme.my"},
    }


@pytest.mark.parametrize(
    "way", ["soap", "soap in a sandbox", "soap within an organization", "password", "jwt", "client credentials"]
)
def test_simple_salesforce_logs_in_every_way(servers: EmbeddedServers, session: requests.Session, way: str) -> None:
    given = logins(servers)[way]
    if way == "soap within an organization":
        given.pop("security_token")
    found = Salesforce(session=session, **given)
    assert found.query("SELECT COUNT() FROM Campaign")["totalSize"] >= 3
    if "password" in given:
        with pytest.raises(SalesforceAuthenticationFailed, match=r"INVALID_LOGIN|invalid_grant"):
            Salesforce(session=session, **{**given, "password": "wrong"})
