"""The real command in a real terminal: the demo's console paints, answers keys, leaves; questions default to no."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sides import Box


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder of its own."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def box(home: Path) -> Iterator[Box]:
    """A small sandbox."""
    running = Box.start(home, "--campaigns", "2", "--members", "20")
    yield running
    running.stop()


def test_the_demo_paints_and_q_leaves_with_zero(terminal: Any, home: Path) -> None:
    shown = terminal("demo", home=home)
    shown.wait(lambda now: "demo" in now.rows[0] and "writes" in now.rows[0])
    assert "API" in shown.rows[0]
    shown.wait(lambda now: "▸" in now.text and "adaptive" in now.text)
    shown.send("q")
    assert shown.ended() == 0
    assert b"Traceback" not in shown.raw


@pytest.mark.slow
def test_the_console_on_a_configuration(terminal: Any, box: Box) -> None:
    shown = terminal("--config", box.line["config"], home=box.home)
    shown.wait(lambda now: "writes" in now.rows[0])
    shown.send("q")
    assert shown.ended() == 0


@pytest.mark.slow
def test_read_only_is_said_in_the_top_line(terminal: Any, box: Box) -> None:
    shown = terminal("--config", box.line["config"], "--read-only", "--no-mouse", home=box.home)
    shown.wait(lambda now: "read-only" in now.rows[0])
    assert b"\x1b[?1000h" not in shown.raw
    shown.send("q")
    assert shown.ended() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [("\r", 130), ("y\r", 0)], ids=["return", "yes"])
def test_a_question_defaults_to_no(terminal: Any, box: Box, answer: str, code: int) -> None:
    campaign = box.campaigns()[0]
    shown = terminal("--config", box.line["config"], "new-edition", campaign["Id"], home=box.home, columns=120)
    shown.wait(lambda now: "[y/N]" in now.text)
    assert campaign["Name"] in shown.text
    shown.send(answer)
    assert shown.ended() == code
    started = {item["campaign_id"] for item in box.listed("/v1/campaigns")}
    assert (campaign["Id"] in started) is (code == 0)


@pytest.mark.slow
def test_a_preview_is_shown_before_the_question(terminal: Any, box: Box) -> None:
    campaign = box.new_campaign(5)
    assert box.run("new-edition", campaign["Id"]).code == 0
    lead = box.create("Lead", LastName="Newman", Company="New", Email="newman@new.example")
    box.create("CampaignMember", CampaignId=campaign["Id"], LeadId=lead)
    shown = terminal("--config", box.line["config"], "sync", campaign["Id"], home=box.home, columns=120)
    shown.wait(lambda now: "[y/N]" in now.text)
    assert "+ 1 member added" in shown.text
    assert lead not in box.service_members(campaign["Id"])
    shown.send("y\r")
    assert shown.ended() == 0
    assert lead in box.service_members(campaign["Id"])
