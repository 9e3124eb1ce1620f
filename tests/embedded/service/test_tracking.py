"""What happens after sending: links, webhook, unsubscribe, bounces, complaints, the message itself, the audience."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from tests.embedded.service.conftest import CAMPAIGN, OTHER, House


@pytest.fixture
def sent(house: House) -> House:
    """One mail to one member of two campaigns."""
    house.put_campaign(OTHER)
    house.add("00QA", first_name="Zoë", last_name="O'Neil <x>")
    house.add("00QA", campaign_id=OTHER)
    html = (
        "<html><body><p>Dear {{ first_name }},</p><A HREF='https://shop.example/a?b=1&amp;who={{ email }}'>Shop</A>"
        '<a class="x" href="https://shop.example/b">More</a> <a href="mailto:x@y.z">Write</a>'
        '<a href="{{ completion_url }}">Done</a></body></html>'
    )
    house.ready(house.editions()[0], subject="Grüße an {{ first_name }}: " + "lang " * 30, html=html)
    house.mail_everybody()
    return house


def message(house: House) -> EmailMessage:
    (found,) = house.files().values()
    return found


def part(house: House, kind: str) -> str:
    body = message(house).get_body((kind,))
    assert body is not None
    return str(body.get_content())


def links(house: House) -> list[str]:
    return re.findall(r"http://mail\.example(/[^\s\"'<>]+)", part(house, "html"))


def stats(house: House, campaign: str = CAMPAIGN) -> dict[str, int]:
    found: dict[str, int] = house.get(f"/v1/campaigns/{campaign}")["stats"]
    (edition,) = [e for e in house.get(f"/v1/campaigns/{campaign}/editions")["items"] if e["slot"] == 1]
    assert edition["stats"] == {k: v for k, v in found.items() if k != "complaints"}
    return found


def test_the_message_is_whole(sent: House) -> None:
    mail = message(sent)
    assert mail["Subject"] == "Grüße an Zoë: " + " ".join(["lang"] * 30)
    assert mail["To"] == '"Zoë O\'Neil <x>" <00qa@example.com>'
    (mail_id,) = sent.files()
    assert mail["Message-ID"] == f"<{mail_id}@predictive.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<http://mail\.example/u/\S+>", mail["List-Unsubscribe"].strip())
    assert mail.get_content_type() == "multipart/alternative"
    assert mail.defects == []
    assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]
    raw = next((sent.folder / "outbox").glob("m*.eml")).read_bytes()
    assert all(len(line) <= 78 and b"\n" not in line for line in raw.split(b"\r\n"))
    assert raw.isascii()
    html, text = part(sent, "html"), part(sent, "plain")
    assert "Dear Zoë," in html
    assert "mailto:x@y.z" in html
    assert "https://shop.example" not in html
    for shown in (html, text):
        assert "1 Market Street" in shown
        assert "/u/" in shown
    assert "<" not in text


def test_merge_fields_are_escaped_and_sandboxed(house: House) -> None:
    house.add("00QA", first_name="<script>", last_name="B")
    house.ready(
        house.editions()[0],
        html="<p>{{ first_name }} {{ first_name.__class__ }}</p>",
        subject="{{ first_name }}\r\nBcc: x@y.z",
    )
    house.mail_everybody()
    if not house.files():  # the sandbox may refuse to render at all
        return
    assert "&lt;script&gt;" in part(house, "html")
    assert "class 'str'" not in part(house, "html")
    assert message(house)["Bcc"] is None


def test_an_open_a_click_and_a_completion(sent: House) -> None:
    click, more, done, _, pixel = links(sent)
    assert click.startswith("/t/c/")
    answer = sent.send("GET", pixel)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert sent.member("00QA")["level"] == "Opened"
    answer = sent.send("GET", click)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/a?b=1&who=00qa@example.com")
    assert sent.send("GET", more).headers["location"] == "https://shop.example/b"
    completion = sent.send("GET", done).headers["location"]
    assert completion.startswith("http://mail.example/t/x/")
    assert sent.send("GET", completion).status_code == 200
    member = sent.member("00QA")
    assert (member["level"], member["opens"], member["clicks"], member["completions"]) == ("Completed", 1, 3, 1)
    assert member["status"] == "Responded"
    assert {k: v for k, v in stats(sent).items() if v} == {
        "sent": 1, "delivered": 1, "opened": 1, "clicked": 1, "completed": 1,
    }  # fmt: skip
    found = sent.get(f"/v1/campaigns/{CAMPAIGN}/click-throughs")["items"]
    assert [(c["url"], c["hits"]) for c in found] == [
        ("https://shop.example/a?b=1&who={{ email }}", 1), ("https://shop.example/b", 1), ("{{ completion_url }}", 1),
    ]  # fmt: skip


def test_a_click_without_an_open_counts_as_opened(sent: House) -> None:
    sent.send("GET", links(sent)[0])
    member = sent.member("00QA")
    assert (member["level"], member["opens"], member["clicks"]) == ("Clicked", 1, 1)
    assert stats(sent)["opened"] == 1


def test_levels_never_fall_and_repeats_count_once_in_statistics(sent: House) -> None:
    for kind in ("complete", "open", "open", "click", "delivered"):
        sent.event("00QA", kind)
    member = sent.member("00QA")
    assert (member["level"], member["opens"], member["clicks"], member["completions"]) == ("Completed", 3, 2, 1)
    found = stats(sent)
    assert (found["opened"], found["clicked"], found["completed"]) == (1, 1, 1)


def test_the_webhook_names_the_page(sent: House) -> None:
    sent.event("00QA", "complete", url="https://shop.example/b")
    (page,) = sent.get(f"/v1/campaigns/{CAMPAIGN}/click-throughs")["items"]
    assert (page["url"], page["hits"], page["completion"]) == ("https://shop.example/b", 1, True)


def test_status_on_maps_levels(make: Callable[..., House]) -> None:
    house = make()
    house.put_campaign(status_on={"opened": "Interested", "completed": "No such label"})
    house.ready(house.editions()[0])
    house.add("00QA")
    house.mail_everybody()
    for kind, status in (("open", "Interested"), ("complete", "Interested")):
        house.event("00QA", kind)
        assert house.member("00QA")["status"] == status
    house.add("00QA", status="Responded")
    house.event("00QA", "open")
    assert house.member("00QA")["status"] == "Responded"


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_unsubscribe_is_direct_here_and_indirect_elsewhere(sent: House, method: str) -> None:
    since = sent.head()
    (url,) = [link for link in links(sent) if link.startswith("/u/")]
    for _ in range(2):
        assert sent.send(method, url, content=b"List-Unsubscribe=One-Click").status_code == 200
    here, there = sent.member("00QA"), sent.member("00QA", OTHER)
    assert (here["active"], here["reason"], here["opted_out"]) == (False, "Opt Out Direct", True)
    assert (there["active"], there["reason"], there["opted_out"]) == (False, "Opt Out Indirect", True)
    people = [c["data"] for c in sent.changes(since) if c["type"] == "person"]
    assert [(p["person_id"], p["opted_out"], p["scope"]) for p in people] == [("00QA", True, "global")]
    assert stats(sent)["opted_out"] == 1
    sent.add("00QA", status="Interested")
    assert sent.member("00QA")["active"] is False  # a status edit is no opt-in


def test_unsubscribe_from_the_campaign_only(sent: House) -> None:
    (url,) = [link for link in links(sent) if link.startswith("/u/")]
    assert sent.send("POST", url + "?scope=campaign").status_code == 200
    here, there = sent.member("00QA"), sent.member("00QA", OTHER)
    assert (here["reason"], here["opted_out"], there["active"]) == ("Opt Out Direct", False, True)
    assert sent.send("POST", url + "?scope=everything").status_code == 422


def test_a_look_with_head_does_nothing(sent: House) -> None:
    for link in links(sent):
        assert sent.send("HEAD", link).status_code in (200, 302)
    assert (sent.member("00QA")["level"], sent.member("00QA")["active"]) == ("Sent", True)


def test_links_of_others_are_refused(sent: House) -> None:
    link = links(sent)[0]
    forged = re.sub(r"\.[0-9a-f]{20}/", ".00000000000000000000/", link)
    for bad in (forged, link.rsplit("/", 1)[0] + "/99", "/u/x", "/t/o/m123.gif", "/t/x/ü"):
        assert sent.send("GET", bad).status_code == 404, bad
    assert sent.member("00QA")["level"] == "Sent"


def test_a_hard_bounce_is_inactive_at_once_until_the_address_changes(sent: House) -> None:
    sent.event("00QA", "bounce", hard=True)
    member = sent.member("00QA")
    assert (member["active"], member["reason"], member["bounces"]) == (False, "Bounce", 1)
    found = stats(sent)
    assert (found["sent"], found["delivered"], found["bounced"]) == (1, 0, 1)
    sent.batch([{"op": "delete", "lead_id": "00QA"}])
    assert sent.add("00QA")[0]["reason"] == "Bounce"
    (outcome,) = sent.add("00QA", email="new@example.com")
    assert (outcome["active"], outcome["reason"]) == (True, None)


def test_a_new_address_does_not_clear_an_opt_out(sent: House) -> None:
    sent.event("00QA", "bounce", hard=True)
    sent.event("00QA", "opt_out")
    assert sent.member("00QA")["reason"] == "Opt Out Direct"
    (outcome,) = sent.add("00QA", email="new@example.com")
    assert (outcome["active"], outcome["reason"]) == (False, "Opt Out Direct")


def test_a_late_bounce_of_an_old_address_says_nothing_about_the_new_one(sent: House) -> None:
    sent.add("00QA", email="new@example.com")
    sent.event("00QA", "bounce", hard=True)
    assert sent.member("00QA")["active"]


@pytest.mark.parametrize(("soft", "active"), [((1, 1, 1), False), ((1, 0, 1), True), ((0, 1, 1), True)])
def test_soft_bounces_three_in_a_row(make: Callable[..., House], soft: tuple[int, ...], active: bool) -> None:
    house = make()
    house.put_campaign(type="drip")
    for operation in "abc":
        house.ready(house.editions(operation=operation)[0])
    house.add("00QA")
    for bounces in soft:
        prepared = house.prepare()
        house.release(prepared)
        mail = house.mail_of("00QA", send_id=prepared["send_id"])
        if bounces:
            house.call("POST", "/v1/events", {"mail_id": mail["mail_id"], "type": "bounce", "hard": False})
        house.clock.advance(86400)
    assert house.member("00QA")["active"] is active
    assert house.member("00QA")["bounces"] == sum(soft)


def test_a_complaint_stops_everything(sent: House) -> None:
    sent.event("00QA", "complaint")
    here, there = sent.member("00QA"), sent.member("00QA", OTHER)
    assert (here["active"], here["reason"], there["active"], there["opted_out"]) == (False, "Complaint", False, True)
    assert stats(sent)["complaints"] == 1


def test_events_are_checked(sent: House) -> None:
    mail_id = sent.mail_of("00QA")["mail_id"]
    sent.call("POST", "/v1/events", {"mail_id": "nobody", "type": "open"}, 404)
    sent.call("POST", "/v1/events", {"mail_id": mail_id, "type": "dance"}, 422)
    sent.call("POST", "/v1/events", {"mail_id": mail_id, "type": "open", "at": "2027-01-01T00:00:00Z"}, 422)
    token = links(sent)[0].split("/")[3]
    assert sent.call("POST", "/v1/events", {"mail_id": token, "type": "open"}) == {"mail_id": mail_id, "counted": True}


# -- the audience ------------------------------------------------------------------------------------------


def lively(make: Callable[..., House], speed: float, people: int, **options: Any) -> House:
    house = make(audience_speed=speed, **options)
    house.put_campaign(status_on={"opened": "Interested"})
    house.ready(house.editions()[0])
    house.add(*(f"00Q{i:04d}" for i in range(people)))
    house.mail_everybody()
    return house


@pytest.mark.slow
def test_the_audience_reacts_as_time_goes_by(make: Callable[..., House]) -> None:
    house = lively(make, 60, 600)
    assert stats(house)["opened"] == 0
    seen = []
    for _ in range(6):
        house.clock.advance(240)
        seen.append(stats(house)["opened"])
    house.clock.advance(72 * 60)
    final = stats(house)
    assert seen == sorted(seen)
    assert 0 < seen[1] < final["opened"]
    assert final["sent"] == 600
    assert final["clicked"] > 0
    assert final["bounced"] > 0
    assert sum(h["hits"] for h in house.get(f"/v1/campaigns/{CAMPAIGN}/click-throughs")["items"]) >= final["clicked"]
    since = house.head()
    house.clock.advance(1e6)
    assert house.changes(since) == []


@pytest.mark.slow
def test_each_reaction_happens_exactly_once_whoever_asks_first(make: Callable[..., House]) -> None:
    one, many = lively(make, 10, 300), lively(make, 10, 300)
    for house, steps in ((one, 1), (many, 24)):
        for _ in range(steps):
            house.clock.advance(72 * 3600 / 10 / steps)
            house.get(f"/v1/campaigns/{CAMPAIGN}/members?limit=1")
            if steps > 1:
                house.service.db.close()
                house.start()
        house.clock.advance(86400)
    drop = ("version",)
    assert [{k: v for k, v in m.items() if k not in drop} for m in one.members().values()] == [
        {k: v for k, v in m.items() if k not in drop} for m in many.members().values()
    ]
    assert stats(one) == stats(many)


def test_a_silent_audience(make: Callable[..., House]) -> None:
    house = lively(make, 0, 50)
    house.clock.advance(1e6)
    assert {k: v for k, v in stats(house).items() if v} == {"sent": 50, "delivered": 50}
