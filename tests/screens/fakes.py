"""A backend in memory over made-up data, which notes what was asked of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync import events as told
from sync.board import group_failures
from sync.errors import PredictiveError, Refused, UnknownCampaign
from sync.events import Event, Phase
from sync.ids import RunId
from sync.metrics import MemberFigures, metrics_of
from sync.model import (
    Calls,
    Campaign,
    Edition,
    RunKind,
    RunState,
    Side,
)
from sync.plan import CampaignPlan, Change, Cost, Plan, PlanCounts, PlanRow
from sync.story import (
    MemberStory,
    OptedIn,
    Unlocked,
)
from sync.views import (
    CampaignDetail,
    CampaignView,
    Check,
    FailedRow,
    FailureGroup,
    JournalRowView,
    LimitsView,
    MemberView,
    PulseView,
    RunResult,
    RunView,
    Spender,
    Spending,
    TimerView,
    Waste,
)
from tests.screens.made import (
    HOUR,
    LABELS,
    MINUTE,
    NOW,
    StillClock,
    batch_results,
    campaign_id,
    clicks,
    curve,
    editions,
    eight_campaigns,
    failed_board,
    guards,
    history,
    journal_rows,
    member,
    person,
    plan_rows,
    run_views,
    script,
    story,
)


class FakeBackend:
    """Everything in memory.

    ``hold`` stops a run after its first half until it is set; ``fail`` makes the named method raise. ``commits`` is how
    often something was committed; None says at each question that something was.
    """

    def __init__(
        self,
        campaigns: tuple[CampaignView, ...] | None = None,
        *,
        members: int = 12480,
        refused: bool = False,
        added: int = 9,
        fail: Mapping[str, PredictiveError] | None = None,
        clock: StillClock | None = None,
    ) -> None:
        self.views = eight_campaigns() if campaigns is None else campaigns
        self.size = members
        self.refused = refused
        self.fail = dict(fail or {})
        self.clock = clock or StillClock()
        self.rows = plan_rows(campaign_id(1), added)
        self.left_out: set[int] = set()
        self.calls: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.halfway = threading.Event()
        self.on_event: Callable[[Event], None] = lambda event: None
        self.paused: str | None = None
        self.newest: RunView | None = None
        self.due: TimerView | None = None
        self.commits: int | None = None
        self.marked = 0
        self._lock = threading.Lock()

    def __call__(self) -> FakeBackend:
        """A fake opens as itself."""
        return self

    def _did(self, name: str, **asked: Any) -> None:
        with self._lock:
            self.calls.append(name)
            self.asked.append(asked)
        if name in self.fail:
            raise self.fail[name]

    def listen(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event

    def close(self) -> None:
        pass

    # ------------------------------------------------------------ reads

    def overview(self) -> tuple[CampaignView, ...]:
        self._did("overview")
        return self.views

    def mark(self) -> str:
        self.marked += 1
        return f"asked {self.marked}" if self.commits is None else f"committed {self.commits}"

    def pulse(self) -> PulseView:
        rows = (0, 0, 40, 12, 0, 0, 8, 90, 1200, 300, 250, 180, 90, 60, 75, 410, 380, 290, 120, 60, 30, 20, 2400, 21000)
        return PulseView(0, 204, NOW - 3 * HOUR, rows)

    def detail(self, campaign: str) -> CampaignDetail:
        self._did("detail")
        found = next((view for view in self.views if view.campaign.id == campaign), None)
        if found is None:
            raise UnknownCampaign(f"No campaign has the id {campaign}", remedy="predictive campaigns lists them")
        own = tuple(run for run in run_views() if run.campaign_name == found.campaign.name)
        if not found.started:
            return CampaignDetail(found, (), (), (), own)
        ident = found.campaign.id
        return CampaignDetail(
            found,
            editions(ident)[: found.editions],
            clicks(ident),
            history(ident),
            own,
            curve=curve(),
            metrics=metrics_of(
                {
                    "total_members": 12480.0,
                    "active_members": 11980.0,
                    "inactive_members": 500.0,
                    "delivered": 18750.0,
                    "click_to_open": 23.43,
                    "completion_to_open": None,
                },
                MemberFigures(12480, 11980, 4310, 1010, 251, 40, 18898),
            ),
            metrics_at=NOW - 2 * HOUR,
        )

    def _matching(
        self, text: str, status: str | None, level: str | None, reason: str = "", only: str = ""
    ) -> Sequence[int]:
        if not (text or status or level or reason or only):
            return range(self.size)
        words = text.casefold()
        kept = {"test": lambda m: m.test_member, "inactive": lambda m: not m.active, "waits": lambda m: m.difference}
        return [
            n
            for n in range(self.size)
            if (not words or words in " ".join(person(n)).casefold())
            and (status is None or LABELS[n % 5] == status)
            and (level is None or member(n).level == level)
            and (not reason or reason.casefold() in (member(n).reason or "").casefold())
            and (not only or kept.get(only, lambda m: m.invisible)(member(n)))
        ]

    def members(
        self,
        campaign: str,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        reason: str = "",
        only: str = "",
        offset: int = 0,
        limit: int = 200,
    ) -> tuple[MemberView, ...]:
        self._did("members")
        return tuple(member(n) for n in self._matching(text, status, level, reason, only)[offset : offset + limit])

    def count_members(
        self,
        campaign: str,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        reason: str = "",
        only: str = "",
    ) -> int:
        return len(self._matching(text, status, level, reason, only))

    def runs(self, *, campaign_id: str | None = None, limit: int = 100) -> tuple[RunView, ...]:
        self._did("runs")
        return run_views()[:limit]

    def batches(self, kind: RunKind) -> tuple[RunView, ...]:
        self._did("batches")
        return tuple(each for each in run_views() if each.kind is kind and each.parent is None)

    def run(self, run_id: str) -> RunView:
        known = {str(run.run): run for run in (*run_views(), *((self.newest,) if self.newest else ()))}
        return known[run_id]

    def events(self, run_id: str) -> tuple[Event, ...]:
        return tuple(script(RunId(run_id), "Onboarding drip EMEA", RunKind.MANUAL))

    def failed_rows(self, run_id: str) -> tuple[FailedRow, ...]:
        self._did("failed_rows", run=run_id)
        bodies = (event.body for event in script(RunId(run_id), "Onboarding drip EMEA", RunKind.MANUAL))
        return tuple(
            FailedRow(
                body.run, body.side, body.campaign_id, body.subject_id, body.label, body.field,
                "drifted" if body.drifted else "rejected", body.code, body.message, body.remedy, seq, NOW,
            )
            for seq, body in enumerate((each for each in bodies if isinstance(each, told.RowFailed)), 1)
        )  # fmt: skip

    def run_rows(
        self, run_id: str, *, text: str = "", state: str = "", offset: int = 0, limit: int = 200
    ) -> tuple[JournalRowView, ...]:
        return journal_rows(run_id, text, state)[offset : offset + limit]

    def count_run_rows(self, run_id: str, *, text: str = "", state: str = "") -> int:
        return len(journal_rows(run_id, text, state))

    def error_board(self, campaign_id: str | None = None) -> tuple[FailureGroup, ...]:
        self._did("error_board", campaign=campaign_id)
        return group_failures(failed_board(campaign_id), {view.campaign.id: view.campaign.name for view in self.views})

    def limits(self) -> LimitsView:
        return LimitsView(
            71204,
            115000,
            4120,
            67084,
            24,
            (("warn", 0.8), ("pause", 0.9), ("stop", 0.95), ("resume", 0.75)),
            (("hourly", 3.0), ("nightly", 9.0), ("tonight", 14.0)),
            NOW - 2 * MINUTE,
        )

    def spending(self) -> Spending:
        return Spending(
            window=24,
            total=4120,
            by_campaign=(
                Spender("", "several campaigns at once", 2900),
                Spender(campaign_id(1), "Spring launch 2027", 800),
                Spender(campaign_id(2), "Onboarding drip", 420),
            ),
            by_kind=(Spender("nightly", "nightly", 2000), Spender("hourly", "hourly", 1800)),
            by_object=(Spender("CampaignMember", "CampaignMember", 3100), Spender("poll", "poll", 1020)),
            waste=(
                Waste(
                    "closed-auto-sync", campaign_id(4), "Winter sale 2026", 6, False,
                    "closed, with auto-sync on: would take about 6 calls a night. Clear the box",
                ),
            ),
            by_hour=(60, 0, 0, 8, 9, 12, 300, 250, 180, 90, 60, 75, 410, 380, 290, 12, 60, 30, 20, 24, 900, 41, 12, 15),
        )  # fmt: skip

    def schedule(self) -> tuple[TimerView, ...]:
        missed = (NOW - 5 * HOUR,) if self.paused is None and "missed" in self.fail else ()
        return (
            TimerView(
                RunKind.HOURLY,
                NOW + 14 * MINUTE,
                True,
                False,
                self.paused,
                NOW - 46 * MINUTE,
                RunId("r0042"),
                RunState.DONE,
                missed,
            ),
            TimerView(
                RunKind.NIGHTLY,
                datetime(2027, 3, 10, 1, tzinfo=UTC),
                True,
                False,
                self.paused,
                datetime(2027, 3, 9, 1, tzinfo=UTC),
                RunId("r0039"),
                RunState.DONE,
            ),
        )

    def resolve(self, text: str) -> Campaign:
        self._did("resolve", text=text)
        for view_ in self.views:
            if text in (view_.campaign.id, view_.campaign.name):
                return view_.campaign
        raise UnknownCampaign(f"No campaign is called {text}", remedy="nearest: Spring launch 2027")

    def plan(self, plan_id: str) -> Plan:
        counts = PlanCounts(
            added=9, removed=2, changed=7, unchanged=12462, conflicts=1, salesforce_rows=3, predictive_rows=18
        )
        return Plan(
            "p1",
            RunKind.MANUAL,
            NOW,
            "00D000000000001AAA",
            "svc",
            "m1",
            (CampaignPlan(campaign_id(1), "Spring launch 2027", counts),),
            counts,
            Cost(Calls(6, 5), Calls(9, 8), Calls(5, 4), 3.0, spent=Calls(2, 3)),
            guards(self.refused),
            len(self.rows),
        )

    def _rows(self, text: str, side: Side | None, change: Change | None) -> list[PlanRow]:
        words = text.casefold()
        return [
            row
            for row in self.rows
            if (side is None or row.side is side)
            and (change is None or row.change is change)
            and (not words or words in f"{row.label} {row.field} {row.reason}".casefold())
        ]

    def plan_rows(
        self,
        plan_id: str,
        *,
        text: str = "",
        side: Side | None = None,
        change: Change | None = None,
        campaign_id: str | None = None,
        offset: int = 0,
        limit: int = 200,
    ) -> tuple[PlanRow, ...]:
        self._did("plan_rows", offset=offset, limit=limit)
        return tuple(self._rows(text, side, change)[offset : offset + limit])

    def count_plan_rows(
        self,
        plan_id: str,
        *,
        text: str = "",
        side: Side | None = None,
        change: Change | None = None,
        campaign_id: str | None = None,
    ) -> int:
        return len(self._rows(text, side, change))

    def plan_groups(self, plan_id: str) -> tuple[tuple[Side, Change, int], ...]:
        found: dict[tuple[Side, Change], int] = {}
        for row in self.rows:
            found[row.side, row.change] = found.get((row.side, row.change), 0) + 1
        return tuple((side, change, number) for (side, change), number in found.items())

    def rejected(self, plan_id: str) -> Collection[int]:
        return set(self.left_out)

    def set_accepted(
        self,
        plan_id: str,
        seqs: Sequence[int] | None,
        accepted: bool,
        *,
        change: Change | None = None,
        side: Side | None = None,
        text: str = "",
    ) -> None:
        self._did("set_accepted", seqs=seqs, accepted=accepted, change=change)
        chosen = set(seqs) if seqs is not None else {row.seq for row in self._rows(text, side, change)}
        self.left_out = self.left_out - chosen if accepted else self.left_out | chosen

    # ------------------------------------------------------------ actions

    def load_campaigns(self) -> tuple[CampaignView, ...]:
        self._did("load_campaigns")
        self.views = self.views or eight_campaigns()
        return self.views

    def load_members(self, campaign: str) -> int:
        self._did("load_members")
        return self.size

    def load_limits(self) -> LimitsView:
        self._did("load_limits")
        return replace(self.limits(), at=NOW)

    def make_plan(self, campaign_ids: Sequence[str], *, kind: RunKind = RunKind.MANUAL, cancel: Any = None) -> Plan:
        self._did("make_plan", ids=tuple(campaign_ids))
        for event in list(script(RunId("r0043"), "Spring launch 2027", RunKind.PLAN))[:5]:
            self.on_event(event)
        self._pause()
        return self.plan("p1")

    def _pause(self) -> None:
        self.halfway.set()
        assert self.hold.wait(30), "a held run was never let go"

    def _run(self, name: str | None, kind: RunKind, *, simulated: bool = False, cancel: Any = None) -> RunResult:
        run = RunId("r0043")
        self.newest = replace(
            run_views()[1], run=run, kind=kind, simulated=simulated, campaign_name=name, started=NOW, ended=NOW,
            counts=PlanCounts(added=9, removed=2, changed=10, mails_released=204 if kind is RunKind.HOURLY else 0),
        )  # fmt: skip
        events = list(script(run, name, kind, simulated=simulated))
        middle = next(
            (
                i
                for i, e in enumerate(events)
                if isinstance(e.body, told.Progress) and e.body.phase is Phase.WRITE_SALESFORCE
            ),
            0,
        )
        for event in events[: middle + 1]:
            self.on_event(event)
        self._pause()
        cancelled = cancel is not None and cancel.is_set()
        for event in events[middle + 1 :]:
            if cancelled and isinstance(event.body, told.RunEnded):
                event = replace(event, body=replace(event.body, state=RunState.CANCELLED))
            self.on_event(event)
        end = events[-1].body
        assert isinstance(end, told.RunEnded)
        state = RunState.CANCELLED if cancelled else end.state
        return RunResult(
            run,
            kind,
            state,
            simulated,
            end.seconds,
            end.counts,
            end.calls,
            Calls(6, 5),
            Calls(9, 8),
            Calls(5, 4),
            tuple(batch_results(self.views)) if name is None else (),
        )

    def apply(
        self,
        plan_id: str,
        *,
        without_deletes: bool = False,
        allow: Mapping[str, float] = {},
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Any = None,
    ) -> RunResult:
        self._did("apply", without_deletes=without_deletes, confirm_name=confirm_name, reason=reason, allow=dict(allow))
        if self.refused and not (without_deletes or confirm_name == "Spring launch 2027"):
            raise Refused("Guard deletes refuses", rule="deletes", remedy="x applies without the removals")
        return self._run("Spring launch 2027", RunKind.MANUAL, cancel=cancel)

    def plan_undo(self, run_id: str, *, cancel: Any = None) -> Plan:
        self._did("plan_undo", run=run_id)
        cannot = ("12 e-mails were sent and stay sent", "the history of what was sent stays")
        return replace(self.plan("p1"), kind=RunKind.UNDO, undoes=RunId(run_id), cannot=cannot)

    def plan_retry(
        self, run_id: str, *, seqs: Sequence[int] | None = None, code: str | None = None, cancel: Any = None
    ) -> Plan:
        self._did("plan_retry", run=run_id, seqs=seqs, code=code)
        return replace(self.plan("p1"), retries=RunId(run_id))

    def retry(
        self,
        run_id: str,
        *,
        seqs: Sequence[int] | None = None,
        code: str | None = None,
        allow: Mapping[str, float] = {},
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Any = None,
    ) -> RunResult:
        self._did("retry", run=run_id, seqs=seqs, code=code)
        return self._run("Spring launch 2027", RunKind.MANUAL, cancel=cancel)

    def cancel_run(self, run_id: str) -> str:
        self._did("cancel_run", run=run_id)
        return run_id

    def pause_run(self, run_id: str) -> str:
        self._did("pause_run", run=run_id)
        return run_id

    def resume_run(self, run_id: str) -> str:
        self._did("resume_run", run=run_id)
        return run_id

    def release_hold(self, campaign_id: str, person: str | None, *, reason: str) -> RunResult:
        self._did("release_hold", campaign=campaign_id, person=person, reason=reason)
        return self._run("Spring launch 2027", RunKind.RELEASE)

    def new_edition(self, campaign: str, *, cancel: Any = None) -> RunResult:
        self._did("new_edition", id=campaign)
        return self._run("Trial win-back [beta] /red/", RunKind.INITIAL, cancel=cancel)

    def refresh(self, campaign_ids: Sequence[str], *, cancel: Any = None) -> RunResult:
        self._did("refresh", ids=tuple(campaign_ids))
        return self._run("Spring launch 2027", RunKind.REFRESH, cancel=cancel)

    def batch(
        self, kind: RunKind, *, simulate: bool = False, at: datetime | None = None, cancel: Any = None
    ) -> RunResult:
        self._did("batch", kind=kind, simulate=simulate, at=at)
        return self._run(None, kind, simulated=simulate, cancel=cancel)

    def verify(self, campaign_ids: Sequence[str] | None = None, *, cancel: Any = None) -> RunResult:
        self._did("verify", ids=campaign_ids)
        return self._run("Spring launch 2027", RunKind.VERIFY)

    def save_plan(self, plan_id: str, path: Path) -> None:
        self._did("save_plan", path=str(path))

    def edit_edition(self, campaign: str, edition: str, fields: Mapping[str, Any]) -> Edition:
        self._did("edit_edition", edition=edition, fields=dict(fields))
        return replace(editions(campaign_id(1))[0], **dict(fields))

    def test_send(self, campaign: str, edition: str) -> tuple[int, tuple[str, ...], Edition]:
        self._did("test_send", edition=edition)
        return 2, ("ada@firma.example", "jun@firma.example"), editions(campaign_id(1))[2]

    def clear_auto_sync(self, campaign: str) -> None:
        self._did("clear_auto_sync", id=campaign)

    def why(self, campaign: str, person: str) -> MemberStory:
        self._did("why", campaign=campaign, person=person)
        return story(member(1))

    def opt_in(self, campaign: str, person: str, *, from_edition: str, reason: str) -> OptedIn:
        self._did("opt_in", campaign=campaign, person=person, from_edition=from_edition, reason=reason)
        return OptedIn(
            run=RunId("20261123-101500-0a1b2c"),
            campaign_id=campaign_id(1),
            person_id=person,
            label="Ada Lovelace <ada@firma.example>",
            edition=f"{from_edition} Not Opened",
            before="Opt Out Direct",
            after="",
            active=True,
            org_box=True,
            told=("Ada Lovelace is opted in", "the opt-out box in Salesforce is still ticked and was left so"),
        )

    def unlock(self, campaign: str, reason: str) -> Unlocked:
        self._did("unlock", campaign=campaign, reason=reason)
        was = "Predictive counts 12,479 members, its list has 12,480"
        return Unlocked(RunId("20261123-101500-0a1b2d"), campaign_id(1), "Spring launch 2027", was, NOW - 2 * HOUR)

    def pause_schedule(self, note: str, campaign_id: str | None = None) -> None:
        self._did("pause_schedule", note=note, campaign=campaign_id)
        self.paused = self.paused if campaign_id else note

    def resume_schedule(self, campaign_id: str | None = None) -> None:
        self._did("resume_schedule", campaign=campaign_id)
        self.paused = self.paused if campaign_id else None

    def doctor(self) -> tuple[Check, ...]:
        self._did("doctor")
        return (
            Check("configuration", "ok", "acme.toml, owner-only"),
            Check("Salesforce login", "ok", "client credentials as integration@acme.example"),
            Check(
                "rights",
                "attention",
                "View All is missing on Lead",
                "a member hidden by sharing is kept, not removed; grant View All",
            ),
            Check(
                "fields",
                "trouble",
                "PAM__Synced__c is not writable",
                "predictive init --metadata DIR writes the permission set",
            ),
            Check("clocks", "ok", "0.4 s apart"),
            Check("state", "ok", "SQLite, 41 MiB, revision 1"),
        )

    def due_tick(self, now: datetime) -> TimerView | None:
        self._did("due_tick")
        return self.due

    def fire(self, kind: RunKind, due: datetime, *, cancel: Any = None) -> RunResult | None:
        self._did("fire", kind=kind, due=due)
        self.due = None
        return self._run(None, kind, cancel=cancel)
