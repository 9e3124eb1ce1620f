"""Wrong input of every kind: one line on standard error, the right exit code, nothing written on either side."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sides import Box, Ended, predictive, spawned


def one_line(ended: Ended, code: int, *expected: str) -> None:
    """One line that says *expected*, no traceback, nothing on standard output."""
    assert (ended.code, ended.out) == (code, ""), (ended.out, ended.talk)
    told = ended.talk.splitlines()
    assert len(told) == 1, ended.talk
    assert "Traceback" not in ended.talk
    for word in expected:
        assert word in told[-1], ended.talk


@pytest.fixture(autouse=True)
def nothing_written(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test here asks for: neither side changes."""
    box: Box = request.getfixturevalue("box")

    def picture() -> Any:
        members = box.query("SELECT Id, Status, SystemModstamp FROM CampaignMember ORDER BY Id")
        stamps = [(row["Id"], row["Status"], row["SystemModstamp"]) for row in members]
        return stamps, box.service("GET", "/v1/changes", cursor="head")["next"]

    before = picture()
    yield
    assert picture() == before


@pytest.fixture
def config(box: Box, tmp_path: Path) -> Any:
    """A copy of the sandbox's configuration with one text replaced; its path."""

    def write(old: str = "", new: str = "") -> str:
        source = Path(box.line["config"])
        for beside in source.parent.glob("secrets*"):
            copy = tmp_path / beside.name
            copy.write_bytes(beside.read_bytes())
            copy.chmod(0o600)
        text = source.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "config.toml"
        path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
        return str(path)

    return write


# ---------------------------------------------------------------- campaigns


@pytest.mark.parametrize("command", ["sync", "plan", "refresh", "new-edition", "members", "editions", "verify"])
def test_unknown_campaign_names_the_nearest(box: Box, command: str) -> None:
    name = box.campaigns()[0]["Name"]
    one_line(box.people(command, name[:-1] + "?"), 2, name)


def test_unknown_id_and_an_id_of_something_else(box: Box) -> None:
    one_line(box.people("sync", "701000000000000AAA"), 2, "701000000000000AAA")
    one_line(box.people("sync", "00Q000000000001"), 2, "00Q000000000001")


def test_a_run_that_ends_before_it_begins_counts_the_calls_of_looking(box: Box) -> None:
    before = box.usage()
    ended = box.run("sync", "There is none of this name")
    after = box.usage()
    spent = {"salesforce": after[0] - before[0], "predictive": after[1] - before[1]}
    assert spent["salesforce"] >= 1, "a name that is not known is looked for in the org"
    assert (ended.code, ended.summary["api_calls"]) == (2, spent)


def test_ambiguous_name_lists_the_ids(box: Box) -> None:
    twins = [box.create("Campaign", Name="The same name", IsActive=False) for _ in range(2)]
    one_line(box.people("sync", "The same name"), 2, *twins)


@pytest.mark.parametrize(
    "words", [("edition", "1"), ("edition", "1", "--active", "on"), ("test-send", "1")], ids=" ".join
)
def test_an_edition_of_a_campaign_that_was_never_started(box: Box, words: tuple[str, ...]) -> None:
    command, *rest = words
    one_line(box.people(command, box.campaigns()[1]["Id"], *rest), 2, "predictive new-edition")


# ---------------------------------------------------------------- configuration


def test_a_configuration_that_is_not_there_has_no_fallback(home: Path, tmp_path: Path) -> None:
    one_line(predictive("--config", str(tmp_path / "none.toml"), "campaigns", home=home), 2, "none.toml")
    one_line(predictive("campaigns", home=home), 2, "predictive init")


def test_a_configuration_that_is_no_toml_names_the_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[orgs.main\n", encoding="utf-8")
    one_line(predictive("--config", str(path), "campaigns", home=home), 2, "broken.toml")
    path.write_bytes(b"\xff\xfe\x00")
    one_line(predictive("--config", str(path), "campaigns", home=home), 2, "broken.toml")


def test_an_unknown_key_names_file_key_and_the_nearest(box: Box, config: Any) -> None:
    path = config("read_only", "readonly")
    one_line(predictive("--config", path, "campaigns", home=box.home), 2, "config.toml", "readonly", "read_only")


def test_a_wrong_value_names_the_key(box: Box, config: Any) -> None:
    path = config("read_only = false", 'read_only = "perhaps"')
    one_line(predictive("--config", path, "campaigns", home=box.home), 2, "read_only")


def test_an_unknown_org_names_those_there_are(box: Box) -> None:
    one_line(box.people("campaigns", "--org", "elsewhere"), 2, "elsewhere")


# ---------------------------------------------------------------- the other side


@pytest.mark.parametrize("side", ["salesforce", "predictive"])
def test_wrong_credentials(box: Box, config: Any, tmp_path: Path, side: str) -> None:
    path = config()
    right = box.line["salesforce"]["client_secret"] if side == "salesforce" else box.line["predictive"]["token"]
    secrets = tmp_path / "secrets.toml"
    text = secrets.read_text(encoding="utf-8")
    assert right in text
    secrets.write_text(text.replace(right, "wrong-secret"), encoding="utf-8")
    ended = predictive("--config", path, "new-edition", box.campaigns()[0]["Id"], home=box.home)
    one_line(ended, 2)
    read = predictive("--config", path, "new-edition", box.campaigns()[0]["Id"], "--json", home=box.home)
    assert (read.code, read.talk) == (2, ended.talk), "whoever reads the lines is told on standard error, too"
    assert "wrong-secret" not in ended.talk + ended.out


def test_a_secret_that_is_nowhere(box: Box, config: Any, tmp_path: Path) -> None:
    path = config()
    (tmp_path / "secrets.toml").unlink()
    ended = predictive(
        "--config", path, "campaigns", home=box.home, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring"
    )
    one_line(ended, 2, "PREDICTIVE_SANDBOX_")


def test_a_secrets_file_that_others_can_read(box: Box, config: Any, tmp_path: Path) -> None:
    path = config()
    (tmp_path / "secrets.toml").chmod(0o644)
    one_line(predictive("--config", path, "campaigns", home=box.home), 2, "chmod 600")


def test_a_server_that_is_down(box: Box, config: Any) -> None:
    path = config(box.line["salesforce"]["instance_url"], "http://127.0.0.1:9")
    one_line(
        predictive("--config", path, "new-edition", box.campaigns()[0]["Id"], home=box.home),
        1,
        "127.0.0.1:9",
    )


class _Html(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html><body>Sign in to the airport</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def captive() -> Iterator[str]:
    """A server that answers everything with a web page."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Html)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("side", [("salesforce", "instance_url"), ("predictive", "base_url")], ids=lambda side: side[0])
def test_a_web_page_instead_of_json(box: Box, config: Any, captive: str, side: tuple[str, str]) -> None:
    path = config(box.line[side[0]][side[1]], captive)
    one_line(predictive("--config", path, "new-edition", box.campaigns()[0]["Id"], home=box.home), 1)


# ---------------------------------------------------------------- plan files, options, files


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b'{"type":"plan"}\n', b"\x00\xff" * 40, b"[]\n[]\n", b'{"format":1}\n{"rows":1}\n'],
    ids=["empty", "text", "header", "binary", "arrays", "foreign"],
)
def test_a_damaged_plan_file(box: Box, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.ndjson"
    path.write_bytes(content)
    one_line(box.people("apply", str(path), "--yes"), 2, "plan.ndjson")


def test_a_plan_file_that_is_not_there(box: Box, tmp_path: Path) -> None:
    one_line(box.people("apply", str(tmp_path / "gone.ndjson"), "--yes"), 2, "gone.ndjson")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sync", "X", "--allow", "deletes=50"), "--reason"),
        (("sync", "X", "--allow", "delets=50", "--reason", "r"), "'deletes'"),
        (("sync", "X", "--allow", "deletes", "--reason", "r"), "limit"),
        (("sync", "X", "--allow", "deletes=many", "--reason", "r"), "many"),
        (("sync", "X", "--allow", "deletes=nan", "--reason", "r"), "nan"),
        (("sync", "X", "--allow", "deletes=-1", "--reason", "r"), "-1"),
        (("sync", "X", "--allow", "deletes=inf", "--reason", "r"), "inf"),
        (("batch", "hourly", "--at", "2026-11-23T01:00:00Z"), "--simulate"),
        (("batch", "hourly", "--simulate", "--at", "yesterday"), "yesterday"),
        (("batch", "hourly", "--simulate", "--at", "0001-01-01T00:00:00+14:00"), "1971 to 2199"),
        (("batch", "nightly", "--simulate", "--at", "0001-01-01"), "1971 to 2199"),
        (("batch", "hourly", "--simulate", "--at", "9999-12-31T23:59:59Z"), "1971 to 2199"),
        (("edition", "X", "1", "--html", "none.html"), "none.html"),
        (("edition", "X", "1", "--from", "soon"), "soon"),
        (("sandbox", "--load", "somewhere"), "somewhere: no such directory"),
        (("sandbox", "--faults", "none.json"), "none.json"),
        (("sandbox", "--port", "70000"), "the highest is 65535"),
        (("service", "--port", "70000"), "the highest is 65535"),
        (("demo", "surplus"), "surplus"),
        ((), "terminal"),
        (("runs", "no-such-run"), "no-such-run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_options(box: Box, words: tuple[str, ...], expected: str) -> None:
    one_line(box.people(*words), 2, expected)


def test_a_port_in_use(box: Box) -> None:
    port = box.line["salesforce"]["instance_url"].rpartition(":")[2]
    one_line(spawned("sandbox", "--port", port, home=box.home), 1, port)


def test_wrong_usage_has_its_lines_for_whoever_reads_json(box: Box) -> None:
    for words in (("sync",), ("sync", "X", "--bogus"), ("nonsense",)):
        ended = box.run(*words)
        assert (ended.code, len(ended.talk.splitlines())) == (2, 1), words
        first, last = (json.loads(line) for line in ended.out.splitlines())
        assert (first["type"], last["type"], last["exit_code"], last["error"]) == (
            "version",
            "summary",
            2,
            ended.talk.strip(),
        )


def test_json_ends_with_a_summary_even_then(box: Box) -> None:
    ended = box.run("sync", "nowhere")
    assert ended.code == 2
    assert (ended.summary["state"], ended.summary["exit_code"]) == ("refused", 2)
    assert len(ended.talk.splitlines()) == 1
    assert ended.summary["writes"] == {"salesforce": 0, "predictive": 0}
    assert json.loads(ended.out.splitlines()[0])["type"] == "version"
