"""``predictive service`` as a process: its line, its token, its mails, a state that is kept and that nobody shares."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.sides import PREDICTIVE, environment, predictive
from tests.embedded.service.test_smtp import Post, post

__all__ = ["post"]

TOKEN = "a-long-random-text"
CAMPAIGN = "701000000000001AAA"
HEADER = {"name": "News", "type": "drip", "is_active": True, "start_date": "2026-01-01", "end_date": "2099-12-31"}
HTML = '<p>Hello {{ first_name }}</p><a href="https://shop.example/">Shop</a>'


@contextmanager
def running(home: Path, *words: str, **env: str) -> Iterator[tuple[dict[str, Any], httpx.Client]]:
    """The service in a process of its own: its line, and a client of it; ended by SIGTERM, and well."""
    process = subprocess.Popen(
        [*PREDICTIVE, "service", "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home, PREDICTIVE_SERVICE_API_TOKEN=TOKEN, **env),
    )
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        with httpx.Client(
            base_url=line["predictive"]["base_url"], headers={"Authorization": f"Bearer {TOKEN}"}
        ) as client:
            yield line, client
    finally:
        process.send_signal(signal.SIGTERM)
        _, talk = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in talk) == (0, False), talk
    assert TOKEN not in json.dumps(line)


def ready_to_send(client: httpx.Client) -> dict[str, Any]:
    """A campaign with an edition that was sent to a test member; what the service says of the test."""
    assert client.put(f"/v1/campaigns/{CAMPAIGN}", json=HEADER).status_code == 201
    made = client.post(f"/v1/campaigns/{CAMPAIGN}/editions", json={"operation": "first"}).json()["items"][0]
    tester = {"person_id": "00Q000000000001AAA", "email": "tester@example.com", "first_name": "Tess", "last_name": "T"}
    assert client.put("/v1/test-members", json={"items": [tester]}).status_code == 200
    edition = f"/v1/editions/{made['edition_id']}"
    assert (
        client.patch(edition, json={"subject": "News", "html": HTML, "active": True, "days_delay": 0}).status_code
        == 200
    )
    told: dict[str, Any] = client.post(f"{edition}/test-send").json()
    return told


@pytest.mark.slow
def test_it_keeps_its_state_and_shares_it_with_no_other_process(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path, "--state", str(state)) as (line, client):
        assert httpx.get(f"{line['predictive']['base_url']}/v1/info").status_code == 401
        assert ready_to_send(client)["sent"] == 1
        (mail,) = (state / "outbox").glob("*.eml")
        assert f"{line['public_url']}/" in mail.read_text(encoding="utf-8").replace("=\n", "")
        taken = predictive(
            "service", "--port", "0", "--state", str(state), home=tmp_path, PREDICTIVE_SERVICE_API_TOKEN=TOKEN
        )
        assert (taken.code, taken.out, len(taken.talk.splitlines())) == (7, "", 1)
    with running(tmp_path, "--state", str(state)) as (again, client):
        assert again["service_id"] == line["service_id"]
        (campaign,) = client.get("/v1/campaigns").json()["items"]
        assert (campaign["name"], campaign["editions"]) == ("News", 1)
        (edition,) = client.get(f"/v1/campaigns/{CAMPAIGN}/editions").json()["items"]
        assert [block["rule"] for block in edition["blocked_by"]] == ["address_missing"], "nobody made an address up"


@pytest.mark.slow
def test_mails_go_by_the_configured_server(tmp_path: Path, post: Post) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
[service]
state = "kept"
public_url = "https://mail.example.com"
sender_name = "Firma"
sender_email = "news@firma.example"
company = "Firma AG"
address = "Hauptstraße 1, Bern"
[service.smtp]
host = "127.0.0.1"
port = {post.server_address[1]}
tls = "none"
""",
        encoding="utf-8",
    )
    with running(tmp_path, "--config", str(config)) as (line, client):
        assert line["mails"] == f"smtp 127.0.0.1:{post.server_address[1]}"
        assert ready_to_send(client)["edition"]["blocked_by"] == []
    ((to, mail),) = post.taken
    assert to == "tester@example.com"
    assert b"From: Firma <news@firma.example>" in mail
    assert b"https://mail.example.com/" in mail.replace(b"=\r\n", b"")
    assert (tmp_path / "kept" / "service.sqlite").is_file()


def test_what_it_needs_is_said_in_one_line(tmp_path: Path) -> None:
    null = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    cases: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
        ((), null, 2, "PREDICTIVE_SERVICE_API_TOKEN"),
        ((), {"PREDICTIVE_SERVICE_API_TOKEN": TOKEN, "PREDICTIVE_SERVICE_PORT": "many"}, 2, "PREDICTIVE_SERVICE_PORT"),
        (("--port", "70000"), {"PREDICTIVE_SERVICE_API_TOKEN": TOKEN}, 2, "70000"),
        (("--state", "mysql://u:hidden@h/d"), {"PREDICTIVE_SERVICE_API_TOKEN": TOKEN}, 2, "service.state"),
        (("--state", str(Path(__file__) / "x")), {"PREDICTIVE_SERVICE_API_TOKEN": TOKEN}, 1, "cannot start"),
    ]
    for words, env, code, told in cases:
        ended = predictive("service", *words, home=tmp_path, **env)
        assert (ended.code, ended.out, len(ended.talk.splitlines())) == (code, "", 1), ended.talk
        assert told in ended.talk
        assert "hidden" not in ended.talk
