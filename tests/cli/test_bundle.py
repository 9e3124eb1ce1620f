"""The support bundle: nothing secret in it, nobody's name or address, and what helps still is."""

from __future__ import annotations

import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from console.cli import bundle
from console.logbook import LogFile, open_log
from console.masking import mask, without_people
from console.places import log_file
from sync.events import Event, Noted, RowFailed
from sync.ids import CampaignId, RunId
from sync.model import Side
from sync.settings import load_settings
from sync.store.store import open_store
from tests.cli.sides import Box, environment, predictive

PLANTED = "planted-S3cret-value"
STAMP = datetime(2027, 3, 9, 11, 46, tzinfo=UTC)


def plant(box: Box, run: str, campaign: str, person: dict[str, object]) -> str:
    """Put a person and secrets wherever a text can lie: events, log, a crash report. Returns the person's address."""
    name, address = f"{person['first_name']} {person['last_name']}", str(person["email"])
    text = f"status of {name} <{address}> kept for {person['last_name']}'s sake; token={PLANTED}"
    org = load_settings(Path(box.line["config"]), env={}).org(None)
    with open_store(org.state_url) as store:
        seq = store.journal.last_seq(RunId(run))
        failed = RowFailed(
            RunId(run), Side.SALESFORCE, CampaignId(campaign), str(person["person_id"]), name, "status",
            "FIELD_CUSTOM_VALIDATION_EXCEPTION", f"{name} needs a reason", "ask " + name, False,
        )  # fmt: skip
        store.journal.append(
            (
                Event(seq + 1, STAMP, Noted(RunId(run), "warning", text)),
                Event(seq + 2, STAMP, failed),
            )
        )
    with mock.patch.dict(os.environ, environment(box.home), clear=True):
        folder = log_file().parent
    folder.mkdir(parents=True, exist_ok=True)
    session = box.line["salesforce"]["access_token"]
    # Written past the masks of the log itself: the bundle must not rely on them.
    for file in ("predictive.log", "crash-20270309T114600Z-1.txt"):
        with (folder / file).open("a", encoding="utf-8") as stream:
            stream.write(f"2027-03-09 WARNING {text} {session} {box.line['predictive']['token']}\n")
    return address


@pytest.mark.slow
def test_a_bundle_holds_no_secret_and_no_person(box: Box, tmp_path: Path) -> None:
    campaign = box.new_campaign(0)["Id"]
    lead = box.create(
        "Lead", FirstName="Zsófia", LastName="Kovács-Þórsdóttir", Company="K", Email="zsofia@kovacs.example"
    )
    box.create("CampaignMember", CampaignId=campaign, LeadId=lead)
    started = box.run("new-edition", campaign)
    assert started.code == 0
    person = box.service_members(campaign)[lead]
    plant(box, started.summary["run"], campaign, person)
    out = tmp_path / "bundle.zip"
    done = predictive("--config", box.line["config"], "bundle", "--out", str(out), home=box.home, MY_TOKEN=PLANTED)
    assert done.code == 0, done.talk
    assert out.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(out) as packed:
        texts = {name: packed.read(name).decode("utf-8") for name in packed.namelist()}
    whole = "\n".join(texts.values())
    secrets = Path(box.line["config"]).with_name("secrets.toml").read_text(encoding="utf-8")
    hidden = [part.strip('"') for part in secrets.split() if part.startswith('"')]
    assert hidden
    for secret in (PLANTED, box.line["salesforce"]["access_token"], box.line["predictive"]["token"], *hidden):
        assert secret not in whole
    for word in ("Zsófia", "Kovács", "Þórsdóttir", "zsofia", "kovacs.example"):
        assert word not in whole
    assert str(box.home) not in whole
    # What helps is there: the run with its events and codes, the checks, the timers, the meter.
    run = texts[f"runs/{started.summary['run']}.jsonl"]
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in run
    assert lead in run
    assert json.loads(texts["limits.jsonl"])["type"] == "limits"
    assert {"versions.json", "config.json", "checks.jsonl", "schedule.jsonl", "runs.jsonl", "log.txt"} <= set(texts)
    assert "not-read.txt" not in texts
    # A file that is there is never written over.
    again = predictive("--config", box.line["config"], "bundle", "--out", str(out), home=box.home)
    assert again.code == 2
    assert "exists already" in again.talk


@pytest.mark.slow
def test_without_its_masks_the_bundle_would_tell(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = box.new_campaign(1)["Id"]
    started = box.run("new-edition", campaign)
    person = next(iter(box.service_members(campaign).values()))
    address = plant(box, started.summary["run"], campaign, person)
    monkeypatch.setattr(bundle, "masked", lambda parts, names, env: dict(parts))
    out = tmp_path / "bundle.zip"
    assert predictive("--config", box.line["config"], "bundle", "--out", str(out), home=box.home).code == 0
    with zipfile.ZipFile(out) as packed:
        whole = "\n".join(packed.read(name).decode("utf-8") for name in packed.namelist())
    assert PLANTED in whole
    assert address in whole
    assert str(person["last_name"]) in whole


def test_a_bundle_is_packed_without_a_configuration_too(tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    done = predictive("bundle", "--out", str(out), home=tmp_path)
    assert done.code == 0, done.talk
    with zipfile.ZipFile(out) as packed:
        assert "there is no configuration yet" in packed.read("not-read.txt").decode()
        assert "textual" in packed.read("versions.json").decode()


def test_names_are_masked_word_by_word_and_keys_are_not() -> None:
    names = frozenset({"müller", "state"})
    assert without_people("Müller's state, müller@x.example", names.__contains__) == "[person]'s [person], [e-mail]"
    assert without_people("Anna Müller, state", names.__contains__) == "Anna [person], [person]"
    parts = bundle.masked({"a.json": '{"state": "state", "note": "state of Müller"}'}, names, {})
    assert json.loads(parts["a.json"]) == {"state": "state", "note": "[person] of [person]"}


def test_secrets_are_masked_by_form_and_by_value() -> None:
    env = {"PREDICTIVE_MAIN_PREDICTIVE_TOKEN": "abcdef123", "HOME": "/home/ann"}
    text = mask("00D5g000004abcd!AQ.x_y Bearer zzz.yyy at abcdef123 in /home/ann", env)
    assert "AQ.x_y" not in text
    assert "zzz.yyy" not in text
    assert "abcdef123" not in text
    assert "/home/ann" in text


def test_the_log_masks_is_private_and_turns(tmp_path: Path) -> None:
    path = tmp_path / "log" / "predictive.log"
    logger = open_log(path, {"A_SECRET": "hush-hush"}, largest=2_000)
    try:
        logger.warning("said hush-hush to ann@firma.example\nand more")
        first = path.read_text(encoding="utf-8")
        for number in range(60):
            logger.info("line %d %s", number, "x" * 80)
    finally:
        for handler in list(logger.handlers):
            assert isinstance(handler, LogFile)
            logger.removeHandler(handler)
    assert "hush-hush" not in first
    assert "ann@" not in first
    assert first.splitlines()[1].startswith("    and more")
    assert path.with_name("predictive.log.1").stat().st_mode & 0o077 == 0
    assert path.with_name("predictive.log.2").exists()
    assert not path.with_name("predictive.log.3").exists()
