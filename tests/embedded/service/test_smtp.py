"""Sending by SMTP against a small server on a socket: taken, refused, lost on the way."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from sync.embedded.service.smtp import Smtp, SmtpServer
from tests.embedded.service.conftest import House


class Session(socketserver.StreamRequestHandler):
    """One SMTP conversation; the server's ``refuse`` and ``vanish`` name recipients."""

    server: Post

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self) -> None:
        self.say("220 post.example")
        to = ""
        while line := self.rfile.readline().decode().strip():
            word = line.upper().split(":")[0].split(" ")[0]
            if word == "RCPT":
                to = line.split("<")[1].split(">")[0]
                self.say("550 no such user" if to in self.server.refuse else "250 ok")
            elif word == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                if to in self.server.vanish:
                    return
                if to in self.server.reject:
                    self.say("554 spam")
                else:
                    self.server.taken.append((to, text))
                    self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                return
            elif word == "EHLO" and self.server.international:
                self.say("250-post.example")
                self.say("250 SMTPUTF8")
            else:
                self.server.said.append(line)
                self.say("250 ok")


class Post(socketserver.ThreadingTCPServer):
    """The server."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.taken: list[tuple[str, bytes]] = []
        self.refuse: set[str] = set()
        self.reject: set[str] = set()
        self.vanish: set[str] = set()
        self.said: list[str] = []
        self.international = False


@pytest.fixture
def post() -> Iterator[Post]:
    with Post() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_mails_go_by_smtp_and_each_fate_is_known_for_what_it_is(make: Callable[..., House], post: Post) -> None:
    smtp = Smtp(SmtpServer("127.0.0.1", post.server_address[1], tls="none", timeout=5))
    house = make(transport=smtp)
    house.put_campaign()
    house.ready(house.editions()[0])
    assert [to for to, _ in post.taken] == ["tester@example.com"]
    house.add("00QGOOD", "00QREFUSED", "00QREJECTED", "00QLOST", "00QAFTER")
    post.refuse.add("00qrefused@example.com")
    post.reject.add("00qrejected@example.com")
    post.vanish.add("00qlost@example.com")
    result = house.mail_everybody()
    assert (result["sent"], result["failed"], result["unknown"]) == (2, 2, 1)
    assert [m["person_id"] for m in house.mails(state="unknown")] == ["00QLOST"]
    assert sorted(to for to, _ in post.taken[1:]) == ["00qafter@example.com", "00qgood@example.com"]
    assert b"Subject: News for Ann" in post.taken[1][1]
    post.refuse.clear()
    post.reject.clear()
    post.vanish.clear()
    assert house.mail_everybody()["sent"] == 2  # those certainly refused; never the lost one
    smtp.close()


def test_no_server_is_a_certain_failure(make: Callable[..., House], post: Post) -> None:
    smtp = Smtp(SmtpServer("127.0.0.1", post.server_address[1], tls="none", timeout=5))
    house = make(transport=smtp)
    house.put_campaign()
    house.ready(house.editions()[0])
    house.add("00QA")
    smtp.close()
    post.shutdown()
    post.server_close()
    assert house.mail_everybody()["failed"] == 1


def test_an_address_in_another_script_goes_where_the_server_takes_it(make: Callable[..., House], post: Post) -> None:
    smtp = Smtp(SmtpServer("127.0.0.1", post.server_address[1], tls="none", timeout=5))
    house = make(transport=smtp)
    house.put_campaign()
    house.ready(house.editions()[0])
    house.add("00QGREEK", email="πωλήσεις@παράδειγμα.example")
    house.add("00QGERMAN", email="kontakt@müller.example")
    first = house.mail_everybody()
    assert (first["sent"], first["failed"]) == (1, 1), "this server takes ASCII only: a certain failure"
    post.international = True
    smtp.close()
    assert house.mail_everybody()["sent"] == 1
    assert [to for to, _ in post.taken[1:]] == ["kontakt@xn--mller-kva.example", "πωλήσεις@παράδειγμα.example"]
    assert "To: Ann " in post.taken[2][1].decode()
    assert [line.lower() for line in post.said if "SMTPUTF8" in line] == [
        "mail from:<news@predictive.example> smtputf8 body=8bitmime"
    ]
    smtp.close()


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(SmtpServer("h", password="hunter2"))
