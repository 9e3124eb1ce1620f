"""Headless output: JSON lines with every key that is promised, and text that no terminal can be tricked by."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from console.cli import wire
from console.cli.crash import keep, mask
from console.cli.prose import columns, fit, number, safe, width
from console.report import HumanReport, JsonReport, result_lines
from sync.errors import Refused, ServerDown
from sync.events import CampaignSkipped, Event, Phase, PhaseEnded, Progress
from sync.ids import CampaignId, EditionId, RunId
from sync.model import Blocked, Calls, Campaign, CampaignType, Edition, RunKind, RunState, Side, Statistics
from sync.plan import GuardVerdict, PlanCounts
from sync.views import (
    CampaignResult,
    CampaignView,
    Check,
    Difference,
    FailedRow,
    LimitsView,
    MemberView,
    RunResult,
    RunView,
    TimerView,
)

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ID = CampaignId("7015g000000AAAAAA2")
RUN = RunId("r1")

SUMMARY_KEYS = {
    "type", "run", "kind", "state", "simulated", "seconds", "added", "removed", "changed", "unchanged", "conflicts",
    "rejected", "drifted", "held", "invisible", "pending", "writes", "editions", "mails", "test_members", "api_calls",
    "predicted_api_calls", "predicted_api_calls_max", "campaigns", "skipped", "differences",
}  # fmt: skip


def result(**changes: Any) -> RunResult:
    counts = PlanCounts(
        added=9, removed=2, changed=4, unchanged=12465, rejected=1, salesforce_rows=3, predictive_rows=18
    )
    values: dict[str, Any] = {
        "run": RUN,
        "kind": RunKind.MANUAL,
        "state": RunState.PARTIAL,
        "simulated": False,
        "seconds": 2.5,
        "counts": counts,
        "calls": Calls(6, 3),
        "predicted": Calls(6, 3),
        "maximum": Calls(8, 4),
        "lower_bound": Calls(5, 3),
        "campaigns": (
            CampaignResult(ID, "Ζητήματα\x1b[2J πελατών", RunState.PARTIAL, counts, run=RUN),
            CampaignResult(CampaignId("7015g000000AAABAA2"), "Old", None, PlanCounts(), "closed", saved_calls=2),
        ),
        "failed_rows": (
            FailedRow(
                RUN, Side.SALESFORCE, ID, "p", "Kim", "status", "rejected", "LOCKED", "Row is locked", "Run again"
            ),
        ),
        "exit_code": 4,
    }
    return RunResult(**{**values, **changes})


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def json_report() -> tuple[JsonReport, io.StringIO, io.StringIO]:
    out, talk = io.StringIO(), io.StringIO()
    return JsonReport(out, talk, "predictive-console 0"), out, talk


def test_a_run_is_version_events_campaigns_summary() -> None:
    report, out, talk = json_report()
    report.event(Event(1, AT, PhaseEnded(RUN, Phase.COMPARE, 12, Calls(1, 0))))
    report.event(Event(2, AT, Progress(RUN, Phase.COMPARE, 1, None, Calls())))
    report.event(Event(3, AT, CampaignSkipped(RUN, ID, "Old", "closed", 2)))
    report.result(result())
    lines = lines_of(out)
    kinds = ["version", "phase-ended", "campaign-skipped", "failed-row", "campaign", "campaign", "summary"]
    assert [line["type"] for line in lines] == kinds
    assert lines[0] == {"type": "version", "schema": 1, "program": "predictive-console 0"}
    assert lines[1]["at"] == "2026-11-23T01:00:00Z"
    assert lines[1]["calls"] == {"salesforce": 1, "predictive": 0}
    assert (lines[4]["state"], lines[4]["added"]) == ("partial", 9)
    assert (lines[5]["state"], lines[5]["skipped"], lines[5]["saved_calls"]) == ("skipped", "closed", 2)
    assert talk.getvalue() == ""


def test_the_summary_has_every_key_zeros_included() -> None:
    empty = result(counts=PlanCounts(), campaigns=(), failed_rows=(), state=RunState.NOTHING_TO_DO, exit_code=0)
    for line in (wire.summary(result()), wire.summary(empty)):
        assert set(line) >= SUMMARY_KEYS
        assert set(line["writes"]) == {"salesforce", "predictive"}
        assert set(line["editions"]) == {"created", "updated"}
        assert set(line["mails"]) == {"released", "sent", "unknown"}
        for key in ("api_calls", "predicted_api_calls", "predicted_api_calls_max"):
            assert set(line[key]) == {"salesforce", "predictive"}
    assert wire.summary(result())["campaigns"] == 1
    assert wire.summary(result())["skipped"] == 1
    assert wire.summary(empty)["added"] == 0
    found = (Difference(ID, "p", "Kim", "status", "A", "B"),)
    assert wire.summary(result(kind=RunKind.VERIFY, differences=found))["differences"] == 1


def test_a_line_is_one_line_to_every_reader() -> None:
    report, out, _ = json_report()
    hostile = "a\nb\rc\x0bd\x0ce\x1cf\x1dg\x1eh\x85i\u2028j\u2029k"
    report.say("", {"type": "member", "last_name": hostile})
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["last_name"] == hostile


@pytest.mark.parametrize(
    ("error", "state"), [(Refused("no"), "refused"), (ServerDown("down"), "failed")], ids=["refused", "failed"]
)
def test_an_error_still_ends_with_a_whole_summary(error: Any, state: str) -> None:
    report, out, talk = json_report()
    report.failure(error, RunKind.MANUAL, simulated=False, calls=Calls())
    last = lines_of(out)[-1]
    assert set(last) >= SUMMARY_KEYS
    assert (last["state"], last["exit_code"], last["kind"]) == (state, error.exit_code, "manual")
    assert talk.getvalue() == error.line() + "\n"


def test_list_items_have_the_promised_keys() -> None:
    campaign = Campaign(ID, "Spring", CampaignType.ADAPTIVE, "Adaptive", True, "Planned", None, date(2027, 1, 1), True)
    view = CampaignView(campaign, "active", (("Sent", 3),), 3, 2, 1, 0, 5, True, last_run=AT)
    item = wire.campaign(view)
    assert set(item) >= {
        "id", "name", "type", "state", "auto_sync", "members", "active", "inactive", "editions", "sent", "delivered",
        "opened", "clicked", "completed", "bounced", "opted_out", "last_run", "locked", "warnings",
    }  # fmt: skip
    assert (item["type"], item["members"], item["last_run"]) == ("adaptive", {"Sent": 3}, "2026-11-23T01:00:00Z")
    member = MemberView("00v", "00Q", "lead", "Kim", "Lee", "k@x.example", "Sent", None, None, True, False, AT)
    assert set(wire.member(member)) >= {
        "member_id", "person_id", "kind", "first_name", "last_name", "email", "status", "level", "reason", "active",
        "test_member", "synced",
    }  # fmt: skip
    edition = Edition(
        EditionId("e1"), ID, 1, "initial", "Initial", None, False, "draft", (Blocked("tested", "not tested"),),
        stats=Statistics(sent=4),
    )  # fmt: skip
    assert set(wire.edition(edition)) >= {
        "id", "salesforce_id", "slot", "name", "subject", "active", "state", "blocked_by", "sent", "delivered",
        "opened", "clicked", "completed", "bounced", "opted_out",
    }  # fmt: skip
    assert wire.edition(edition)["sent"] == 4
    assert wire.edition(edition)["blocked_by"] == [{"rule": "tested", "text": "not tested"}]
    run = RunView(
        RUN, RunKind.NIGHTLY, RunState.DONE, None, None, None, False, AT, None, PlanCounts(), Calls(), Calls(), "me"
    )
    assert set(wire.run(run)) >= {
        "run",
        "kind",
        "campaign",
        "state",
        "started",
        "ended",
        "counts",
        "api_calls",
        "owner",
    }
    limits = LimitsView(10, 100, 4, 6, 24, (("warn", 0.8),), (("hourly", 3),), AT)
    assert set(wire.limits(limits)) >= {"used", "limit", "ours", "others", "window", "thresholds", "forecast"}
    assert wire.timer(TimerView(RunKind.HOURLY, AT, True, False))["due"] == "2026-11-23T01:00:00Z"
    assert wire.check(Check("name", "ok", "fine"))["state"] == "ok"
    for line in (item, wire.member(member), wire.edition(edition), wire.run(run), wire.limits(limits)):
        json.dumps(line)


def test_a_reader_that_went_away_does_not_end_a_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    report = JsonReport(Gone(), io.StringIO(), "p")
    report.result(result())


def test_people_get_words_and_no_control_characters() -> None:
    out, talk = io.StringIO(), io.StringIO()
    report = HumanReport(out, talk)
    report.event(Event(1, AT, CampaignSkipped(RUN, ID, "Evil\x1b]0;x\x07", "closed", 1)))
    report.result(result())
    text = out.getvalue() + talk.getvalue()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "◐ partial" in text
    assert "9 added, 2 removed, 4 changed, 1 rejected, 12,465 unchanged" in text
    assert "6 API calls (predicted 6, at most 8, lower bound 5)" in text
    assert "LOCKED" in text
    assert "closed (2 calls saved)" in text


def test_many_failed_rows_are_cut_and_the_rest_is_named() -> None:
    row = result().failed_rows[0]
    text = "\n".join(result_lines(result(failed_rows=(row,) * 40)))
    assert "… and 28 more: predictive runs r1" in text


def test_columns_align_by_cells_not_by_characters() -> None:
    lines = columns(["Name", "N>"], [["王芳", 1], ["Lê Thị Hoa", 12480], ["e\u0301", 3]])
    assert len({width(line) for line in lines}) == 1
    assert fit("王芳王芳", 5) == "王芳…"
    assert width(fit("abcdefgh", 5)) == 5


def test_guard_lines_carry_figures() -> None:
    verdict = GuardVerdict("deletes", False, 50, 20, "50 of 100", ID, True)
    refused = result(campaigns=(CampaignResult(ID, "S", RunState.REFUSED, PlanCounts(), guards=(verdict,)),))
    line = wire.run_campaign(refused.campaigns[0], RunKind.MANUAL, simulated=False)
    assert line["guards"][0]["figure"] == 50
    assert line["guards"][0]["rule"] == "deletes"


@pytest.mark.parametrize(
    ("given", "shown"),
    [(None, "–"), ("two\nlines", "two lines"), ("a\x1b[31mb", "a?[31mb"), ("rtl\u202etxt", "rtl?txt"), ("Zoë", "Zoë")],
)
def test_safe(given: object, shown: str) -> None:
    assert safe(given) == shown


def test_numbers_have_thousands_marks() -> None:
    assert [number(value) for value in (None, 0, 12480, 0.5)] == ["–", "0", "12,480", "0.50"]


def test_secrets_are_masked_by_form_and_by_value(tmp_path: Any) -> None:
    secrets = [
        "00D5g0000000001EAA!AQcAQH.token_value",
        "eyJhbGciOi.eyJpc3Mi.c2ln",
        "hunter2hunter2",
        "plainvaluefromenv",
    ]
    text = (
        f"Authorization: Bearer {secrets[0]} and {secrets[1]} postgresql://me:{secrets[2]}@db:5432/x "
        f"client_secret={secrets[2]} {secrets[3]}"
    )
    env = {"PREDICTIVE_TOKEN": secrets[3], "HOME": "tmp"}
    masked = mask(text, env)
    assert not [secret for secret in secrets if secret in masked]
    assert "postgresql://me:" in masked
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        path = keep(error, env, tmp_path / "logs")
    assert path is not None
    kept = path.read_text(encoding="utf-8")
    assert "RuntimeError" in kept
    assert not [secret for secret in secrets if secret in kept]
    assert path.stat().st_mode & 0o077 == 0
