"""A backend in memory: the same values at every run, members made by number, runs told step by step.

Stands in for the shell at the ``Backend`` protocol, so that screens are tested without a store and without a network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sync import events as told
from sync.board import group_failures
from sync.errors import PredictiveError, Refused, UnknownCampaign
from sync.events import Event, Phase
from sync.failures import failure_of
from sync.ids import CampaignId, EditionId, RunId
from sync.metrics import MemberFigures, metrics_of
from sync.model import (
    Blocked,
    Calls,
    Campaign,
    CampaignType,
    ClickThrough,
    Edition,
    HistoryHour,
    RunKind,
    RunState,
    Side,
    Statistics,
    StatusLabel,
)
from sync.plan import CampaignPlan, Change, Cost, GuardVerdict, Plan, PlanCounts, PlanRow, Subject
from sync.story import (
    Condition,
    EditionStory,
    FieldState,
    MailSent,
    MemberStory,
    OptedIn,
    Step,
    Suppression,
    Unlocked,
)
from sync.views import (
    CampaignDetail,
    CampaignResult,
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
    Warned,
    Waste,
)

NOW = datetime(2027, 3, 9, 11, 46, 20, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

LABELS = ("Sent", "Opened", "Clicked", "Responded", "Bounced")


class StillClock:
    """A clock that stands, until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        """The set instant."""
        return self.at

    def monotonic(self) -> float:
        """Seconds that go with it."""
        return self.at.timestamp()


def campaign_id(number: int) -> CampaignId:
    """An id of 18 characters."""
    return CampaignId(f"7015g00000{number:05d}AAA")


def spread_over(total: int, weights: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """Members by status."""
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    shares[0] += total - sum(shares)
    return tuple(zip(LABELS, shares, strict=False))


def view(
    number: int,
    name: str,
    kind: str | None,
    total: int,
    weights: Sequence[int],
    rate: tuple[float, float],
    *,
    state: str = "active",
    last: timedelta | None = 2 * MINUTE,
    last_state: RunState | None = RunState.DONE,
    note: str = "",
    warnings: tuple[Warned, ...] = (),
    auto: bool = True,
    owner: str = "Ada Osei",
    **more: Any,
) -> CampaignView:
    """A campaign as the overview shows it."""
    started = last is not None
    delivered = int(total * 0.97) if started else 0
    campaign = Campaign(
        campaign_id(number),
        name,
        CampaignType(kind) if kind else None,
        kind.capitalize() if kind else "Trade Show",
        state == "active",
        "In Progress",
        date(2027, 1, 10),
        date(2027, 6, 30),
        auto,
        number_of_leads=total // 2,
        number_of_contacts=total - total // 2,
        owner=owner,
        labels=tuple(StatusLabel(label, i == 0, i == 3, i) for i, label in enumerate(LABELS)),
    )
    return CampaignView(
        campaign=campaign,
        state=state,
        members=spread_over(total, weights) if total else (),
        total=total,
        active=int(total * 0.96),
        inactive=total - int(total * 0.96),
        unsynced=0 if started else total,
        editions={"adaptive": 5}.get(kind or "", 1) if started else 0,
        started=started,
        sent=total if started else 0,
        delivered=delivered,
        opened=int(delivered * rate[0]),
        clicked=int(delivered * rate[1]),
        completed=int(delivered * rate[1] / 4),
        bounced=int(total * 0.017) if started else 0,
        opted_out=total // 400,
        last_run=NOW - last if last is not None else None,
        last_state=last_state if last is not None else None,
        last_kind=RunKind.HOURLY,
        last_note=note,
        next_run=NOW + 14 * MINUTE if state == "active" else None,
        verified=NOW - 10 * HOUR if started else None,
        pending=12 if started else 0,
        warnings=warnings,
        read_at=NOW - MINUTE,
        **more,
    )


def eight_campaigns() -> tuple[CampaignView, ...]:
    """The campaigns of most frames."""
    return (
        view(1, "Spring launch 2027", "adaptive", 12480, (50, 20, 10, 8, 12), (0.342, 0.081)),
        view(
            2, "Partner newsletter", "scheduled", 4102, (31, 30, 18, 11, 10), (0.41, 0.122), last=HOUR, owner="Jun Sato"
        ),
        view(
            3,
            "Onboarding drip EMEA",
            "drip",
            938,
            (40, 31, 17, 9, 3),
            (0.527, 0.201),
            last=HOUR,
            last_state=RunState.PARTIAL,
            note="4 rows",
            owner="Zoë Ångström",
            warnings=(Warned("partial", "4 rows rejected by a validation rule; enter, then Runs shows them"),),
        ),
        view(4, "Ζητήματα πελατών", "drip", 120, (70, 12, 11, 6, 1), (0.613, 0.24), last=HOUR, owner="Νίκος Παππάς"),
        view(
            5,
            "Весенняя распродажа",
            "scheduled",
            1824,
            (60, 22, 11, 5, 2),
            (0.288, 0.063),
            last=2 * HOUR,
            owner="Ольга Петрова",
        ),
        view(6, "Trial win-back [beta] /red/", "adaptive", 611, (1,), (0, 0), last=None, state="planned"),
        view(
            7,
            "Accounts payable notice",
            "scheduled",
            2210,
            (20, 60, 10, 8, 2),
            (0.66, 0.31),
            last=3 * HOUR,
            last_state=RunState.FAILED,
            locked="base and service disagree about 40 members",
            warnings=(Warned("locked", "locked since yesterday: base and service disagree about 40 members"),),
        ),
        view(
            8,
            "Webinar 2026-10",
            "scheduled",
            2250,
            (90, 4, 3, 2, 1),
            (0.281, 0.055),
            state="closed",
            last=DAY,
            warnings=(Warned("closed-auto-sync", "closed but auto-sync is on: 2 calls a night; w clears it"),),
        ),
    )


def many_campaigns(number: int = 200) -> tuple[CampaignView, ...]:
    """The eight and more of the same kind."""
    kinds = ("adaptive", "scheduled", "drip")
    more = (
        view(
            i,
            f"Regional campaign {i:03d}",
            kinds[i % 3],
            500 + 37 * i,
            (40 + i % 30, 20, 10, 8, 2),
            (0.2 + i % 40 / 100, 0.05),
        )
        for i in range(9, number + 1)
    )
    return (*eight_campaigns(), *more)


FIRST = ("Olga", "Lê Thị", "Jean", "Kim", "Amara", "Mehmet", "Sakura", "Søren", "Núria", "Bo [VIP]", "Zoë", "Иван")
LAST = (
    "Ivanova",
    "Hoa",
    "Dupont",
    "Lee",
    "Okafor",
    "Yılmaz",
    "Tanaka",
    "Kierkegård",
    "Puig",
    "Lind",
    "Ångström",
    "Петров",
)


def person(number: int) -> tuple[str, str, str]:
    """First name, last name, e-mail of a numbered person."""
    return FIRST[number % 12], LAST[number * 7 // 12 % 12], f"person{number}@firm{number % 97}.example"


def member(number: int) -> MemberView:
    """A numbered member."""
    first, last, email = person(number)
    level = ("Sent", "Sent", "Opened", "Clicked", "Completed")[number % 5]
    return MemberView(
        f"00v5g0000{number:06d}AAA",
        f"003{number:012d}AAA",
        "contact" if number % 2 else "lead",
        first,
        last,
        email,
        LABELS[number % 5],
        level,
        "Bounced" if number % 41 == 0 else None,
        number % 41 != 0,
        False,
        NOW - HOUR,
        opens=number % 7,
        clicks=number % 3,
        last_activity=NOW - (number % 90) * HOUR,
        difference="status" if number % 53 == 0 else "",
    )


def editions(campaign: CampaignId) -> tuple[Edition, ...]:
    """Five editions of an adaptive campaign."""

    def edition(slot: int, name: str, active: bool, stats: Statistics, *blocked: Blocked) -> Edition:
        return Edition(
            EditionId(f"ed_{slot}"),
            campaign,
            slot,
            name.lower().replace(" ", "-"),
            name,
            f"Spring is here: {name.lower()}" if not blocked else None,
            active,
            "active" if active else "inactive",
            blocked,
            tested_at=NOW - 3 * DAY if active else None,
            salesforce_id=f"a0X{slot:015d}",
            stats=stats,
        )

    return (
        edition(1, "Initial", True, Statistics(12311, 12104, 4140, 981, 242, 207, 31)),
        edition(2, "Not Opened", True, Statistics(6020, 5988, 743, 132, 24, 32, 8)),
        edition(3, "Not Clicked", False, Statistics(), Blocked("not_tested", "It was never sent to a test member.")),
        edition(4, "Not Complete", True, Statistics(812, 806, 177, 80, 25, 6, 1)),
        edition(
            5, "Complete", False, Statistics(), Blocked("content_missing", "The edition has no subject or no HTML.")
        ),
    )


def history(campaign: CampaignId) -> tuple[HistoryHour, ...]:
    """E-mails by hour: a burst that fades, one shape an edition."""
    shapes = {1: (1, 5, 9, 7, 4, 3, 1, 1), 2: (0, 0, 1, 6, 4, 2, 1, 0), 4: (0, 0, 0, 1, 2, 5, 4, 2)}
    return tuple(
        HistoryHour(f"h{slot}-{i}", campaign, EditionId(f"ed_{slot}"), None, date(2027, 3, 1 + i), 9, 100 * amount)
        for slot, shape in shapes.items()
        for i, amount in enumerate(shape)
        if amount
    )


def curve() -> tuple[tuple[datetime, Statistics], ...]:
    """What the editions had come to, day by day: a burst that fades."""
    out, sums = [], [0] * 7
    for day, gained in enumerate((0, 40, 2400, 5200, 3900, 2600, 1900, 1200, 700, 500, 300, 260, 90, 53)):
        gains = (gained, gained, gained // 3, gained // 12, gained // 48, gained // 60, gained // 300)
        sums = [have + more for have, more in zip(sums, gains, strict=True)]
        out.append((NOW - (13 - day) * DAY, Statistics(*sums)))
    return tuple(out)


def clicks(campaign: CampaignId) -> tuple[ClickThrough, ...]:
    """Web pages clicked."""
    pages = (
        "/launch",
        "/launch/pricing?utm_source=mail&utm_campaign=spring",
        "/signup",
        "/docs/ünïcode/まとめ",
        "/unsubscribe-help",
    )
    return tuple(
        ClickThrough(
            f"c{i}",
            campaign,
            EditionId(f"ed_{1 + i % 2}"),
            f"https://firma.example{page}",
            640 // (i + 1),
            page == "/signup",
        )
        for i, page in enumerate(pages)
    )


def run_views() -> tuple[RunView, ...]:
    """Runs of the past, newest first."""

    def one(
        n: int,
        kind: RunKind,
        state: RunState,
        age: timedelta,
        seconds: int,
        counts: PlanCounts,
        spent: Calls,
        name: str | None,
        **more: Any,
    ) -> RunView:
        started = NOW - age
        return RunView(
            RunId(f"r{n:04d}"),
            kind,
            state,
            campaign_id(1) if name else None,
            name,
            None,
            more.pop("simulated", False),
            started,
            started + timedelta(seconds=seconds),
            counts,
            spent,
            spent,
            more.pop("owner", "ops@jump-1"),
            **more,
        )

    return (
        one(
            42, RunKind.HOURLY, RunState.DONE, 2 * MINUTE, 9, PlanCounts(changed=312, mails_sent=204), Calls(3, 7), None
        ),
        one(
            41,
            RunKind.MANUAL,
            RunState.PARTIAL,
            HOUR,
            4,
            PlanCounts(added=9, removed=2, changed=10, rejected=4),
            Calls(6, 5),
            "Onboarding drip EMEA",
        ),
        one(40, RunKind.HOURLY, RunState.NOTHING_TO_DO, HOUR + 2 * MINUTE, 1, PlanCounts(), Calls(1, 2), None),
        one(
            39,
            RunKind.NIGHTLY,
            RunState.DONE,
            10 * HOUR + 46 * MINUTE,
            31,
            PlanCounts(added=120, removed=14, changed=80),
            Calls(9, 40),
            None,
        ),
        one(38, RunKind.VERIFY, RunState.DONE, 10 * HOUR, 12, PlanCounts(), Calls(2, 3), "Spring launch 2027"),
        one(37, RunKind.NIGHTLY, RunState.DONE, DAY, 2, PlanCounts(changed=7), Calls(3, 0), None, simulated=True),
        one(
            36,
            RunKind.INITIAL,
            RunState.DONE,
            2 * DAY,
            21,
            PlanCounts(added=12471, editions_created=5),
            Calls(12, 9),
            "Spring launch 2027",
        ),
        one(
            35,
            RunKind.MANUAL,
            RunState.REFUSED,
            3 * DAY,
            1,
            PlanCounts(),
            Calls(1, 2),
            "Webinar 2026-10",
            error="deletes: 61% of the campaign, 20% allowed",
        ),
        one(
            34,
            RunKind.REFRESH,
            RunState.FAILED,
            5 * DAY,
            15,
            PlanCounts(),
            Calls(1, 3),
            "Partner newsletter",
            error="Salesforce did not answer in 15 s",
        ),
    )


def plan_rows(campaign: CampaignId, added: int = 9) -> tuple[PlanRow, ...]:
    """The rows of the plan of most frames: 21 of them, with a removal, a conflict and on-arrival values."""
    rows: list[PlanRow] = []

    def put(
        side: Side,
        change: Change,
        number: int,
        field: str,
        before: Any,
        after: Any,
        reason: str,
        rule: str,
        **more: Any,
    ) -> None:
        first, last, email = person(number)
        label = f"{first} {last} <{email}>"
        rows.append(
            PlanRow(
                len(rows) + 1,
                side,
                campaign,
                Subject.MEMBER,
                f"003{number:012d}AAA",
                label,
                change,
                field,
                before,
                label if field == "member" and after else after,
                reason,
                rule,
                **more,
            )
        )

    predictive, salesforce = Side.PREDICTIVE, Side.SALESFORCE
    for number in range(added):
        put(
            predictive,
            Change.ADD,
            20 + number,
            "member",
            None,
            "new",
            "added in Salesforce since the last run",
            "salesforce-owns",
        )
    for number in (0, 1):
        put(
            predictive,
            Change.REMOVE,
            number,
            "member",
            "member",
            None,
            "removed in Salesforce; still readable as a contact",
            "salesforce-owns",
        )
    for number in (3, 4, 6, 10):
        put(
            predictive,
            Change.EMAIL,
            number,
            "email",
            f"old{number}@firm.example",
            person(number)[2],
            "e-mail changed in Salesforce",
            "salesforce-owns",
        )
    for number in (7, 8):
        put(
            predictive,
            Change.STATUS,
            number,
            "status",
            "Sent",
            "Responded",
            "changed by hand in Salesforce",
            "three-way",
        )
    put(
        predictive,
        Change.STATUS,
        2,
        "status",
        "Clicked",
        "Responded",
        "changed on both sides; Salesforce wins",
        "salesforce-wins",
        conflict=True,
    )
    for number in (20, 21, 22):
        put(
            salesforce,
            Change.MARKER,
            number,
            "synced",
            None,
            "2027-03-09T11:46:20Z",
            "accepted by Predictive in this run",
            "predictive-owns",
            on_arrival=True,
        )
    return tuple(rows)


def guards(refused: bool) -> tuple[GuardVerdict, ...]:
    """Verdicts; the one about deletes refuses when asked to."""
    deletes = GuardVerdict(
        "deletes",
        not refused,
        61.0 if refused else 0.02,
        20.0,
        "61% of the campaign's members would be removed (7,612 of 12,480), 20% allowed"
        if refused
        else "0.02% of the campaign would be removed, 20% allowed",
        campaign_id(1),
        without_deletes=True,
    )
    return (
        deletes,
        *(
            GuardVerdict(rule, True, 0, 10, "")
            for rule in ("side-empty", "everything-changed", "blanked", "canary", "incomplete")
        ),
    )


class FakeBackend:
    """Everything in memory.

    ``hold`` stops a run after its first half until it is set; ``fail`` makes the named method raise.
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
            Cost(Calls(6, 5), Calls(9, 8), Calls(5, 4), 3.0),
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
        return self.due

    def fire(self, kind: RunKind, due: datetime, *, cancel: Any = None) -> RunResult | None:
        self._did("fire", kind=kind, due=due)
        self.due = None
        return self._run(None, kind, cancel=cancel)


def failed_board(campaign: str | None = None) -> Iterator[FailedRow]:
    """What is on the error board: a validation rule, locks, drift."""
    kinds = (
        (14, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "rejected", "Status may not go back after a response"),
        (6, "UNABLE_TO_LOCK_ROW", "rejected", "unable to obtain exclusive access to this record"),
        (3, "DRIFTED", "drifted", "the value had moved: Status is 'Responded'"),
    )
    seq = 0
    for count, code, state, message in kinds:
        for number in range(count):
            seq += 1
            first, last, mail = person(seq)
            where = campaign_id(1 + number % 2)
            if campaign in (None, where):
                yield FailedRow(
                    run=RunId("r0042"),
                    side=Side.SALESFORCE,
                    campaign_id=where,
                    subject_id=f"0035g00000{seq:05d}AAA",
                    label=f"{first} {last} <{mail}>",
                    field="status",
                    state=state,
                    code=code,
                    message=message,
                    remedy=failure_of(code).remedy,
                    seq=seq,
                    at=NOW - HOUR,
                )


def story(of: MemberView) -> MemberStory:
    """A member that an opt-out keeps from being mailed."""
    name = f"{of.first_name} {of.last_name}"
    inactive = Condition("member_active", "The member is active", "The member is inactive: Opt Out Direct.", False)
    held = (
        Condition("campaign_active", "The campaign is active", "active, status In Progress", True),
        inactive,
        Condition("delay_elapsed", "The days of delay have passed since the last mail", "3 days", True),
    )
    mail = MailSent(EditionId("ed_1"), "sent", NOW - 30 * HOUR, of.email or "", opened=True, opted_out=True)
    return MemberStory(
        campaign_id=campaign_id(1),
        campaign_name="Spring launch 2027",
        person_id=of.person_id,
        member_id=of.member_id,
        kind=of.kind,
        label=name,
        email=of.email,
        state="pending",
        fields=(
            FieldState("email", of.email, of.email, of.email, "agreed", "salesforce owns it"),
            FieldState("status", "Sent", "Responded", "Sent", "pending", "three-way"),
            FieldState("reason", None, "Opt Out Direct", None, "pending", "predictive owns it"),
        ),
        steps=(
            Step(NOW - 80 * HOUR, "salesforce", "member row created in Salesforce", field="member"),
            Step(
                NOW - 78 * HOUR, "run", "added to Predictive: member added in Salesforce", "member", None, "member",
                "written", RunId("20261120-040000-00ff01"), RunKind.INITIAL, "salesforce-owns",
            ),
            Step(NOW - 30 * HOUR, "predictive", f"edition 1 Initial mailed to {of.email}; since then opened", "mail"),
        ),
        editions=(
            EditionStory(EditionId("ed_1"), 1, "Initial", mail, False, held),
            EditionStory(EditionId("ed_2"), 2, "Not Opened", None, False, held),
        ),
        suppressions=(Suppression("global", "opt_out", "Opt Out Direct", NOW - 29 * HOUR),),
        verdict="not mailed now: edition 2 Not Opened: The member is active – Opt Out Direct [member_active]",
        notes=("opted out in Predictive; the box in Salesforce is not ticked",),
        landed_at=NOW - HOUR,
        asked_at=NOW,
    )  # fmt: skip


def journal_rows(run_id: str, text: str, state: str) -> tuple[JournalRowView, ...]:
    """A run's journal: every third row an e-mail address, every ninth refused."""
    out = []
    for seq in range(1, 1201):
        first, last, mail = person(seq)
        refused, field = seq % 9 == 0, "email" if seq % 3 == 0 else "status"
        out.append(
            JournalRowView(
                RunId(run_id), seq, Side.SALESFORCE if seq % 2 else Side.PREDICTIVE, campaign_id(1),
                f"003{seq:012d}AAA", f"{first} {last} <{mail}>", field, field,
                "old@firm.example" if field == "email" else "Sent", mail if field == "email" else "Responded",
                "rejected" if refused else "written", "FIELD_CUSTOM_VALIDATION_EXCEPTION" if refused else "",
                "Status needs a reason" if refused else "", "fill the reason in Salesforce" if refused else "", NOW,
            )
        )  # fmt: skip
    return tuple(
        row
        for row in out
        if text.casefold() in f"{row.label} {row.field} {row.code}".casefold() and state in ("", row.state)
    )


def batch_results(views: Sequence[CampaignView]) -> Iterator[CampaignResult]:
    """What a batch did or would do, campaign by campaign."""
    for place, view_ in enumerate(views):
        if view_.state == "closed":
            yield CampaignResult(view_.campaign.id, view_.campaign.name, None, PlanCounts(), "closed", 2)
        elif not view_.started:
            yield CampaignResult(
                view_.campaign.id, view_.campaign.name, None, PlanCounts(), "New Edition was never done"
            )
        else:
            counts = PlanCounts(
                added=place * 3,
                removed=place % 2,
                changed=40 - place,
                mails_released=60 * (8 - place),
                salesforce_rows=44 + place,
                predictive_rows=place * 4,
            )
            yield CampaignResult(view_.campaign.id, view_.campaign.name, RunState.DONE, counts)


def script(run: RunId, name: str | None, kind: RunKind, *, simulated: bool = False) -> Iterator[Event]:
    """The events of a run that writes 21,000 rows, four of which a validation rule rejects."""
    number = 0

    def at(body: Any, seconds: float) -> Event:
        nonlocal number
        number += 1
        return Event(number, NOW - timedelta(seconds=3) + timedelta(seconds=seconds), body)

    ident = campaign_id(1) if name else None
    yield at(told.RunStarted(run, kind, ident, name, None, simulated), 0)
    yield at(told.PhaseStarted(run, Phase.READ_SALESFORCE, 12480), 0)
    yield at(told.PhaseEnded(run, Phase.READ_SALESFORCE, 12480, Calls(2, 0)), 0.4)
    yield at(told.PhaseStarted(run, Phase.READ_PREDICTIVE, None), 0.4)
    yield at(told.Progress(run, Phase.READ_PREDICTIVE, 5000, None, Calls(0, 1)), 0.6)
    yield at(told.PhaseEnded(run, Phase.READ_PREDICTIVE, 12471, Calls(0, 3)), 0.8)
    yield at(told.PhaseStarted(run, Phase.COMPARE, None), 0.8)
    yield at(told.PhaseEnded(run, Phase.COMPARE, 21000, Calls()), 1.0)
    counts = PlanCounts(added=9000, removed=2, changed=11998, conflicts=1)
    yield at(told.PlanMade(run, "p1", counts, Calls(6, 5), Calls(9, 8), Calls(5, 4)), 1.0)
    yield at(told.PhaseStarted(run, Phase.WRITE_PREDICTIVE, 17900), 1.1)
    yield at(told.Progress(run, Phase.WRITE_PREDICTIVE, 8000, 17900, Calls(0, 2)), 1.8)
    yield at(told.PhaseStarted(run, Phase.WRITE_SALESFORCE, 3100), 1.9)
    for row in range(0 if simulated else 4):
        first, last, email = person(row + 40)
        yield at(
            told.RowFailed(
                run,
                Side.SALESFORCE,
                campaign_id(1),
                f"003{row}",
                f"{first} {last} <{email}>",
                "status",
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                "Status needs a reason",
                "fill the reason in Salesforce, then retry",
                False,
            ),
            2,
        )
    if not simulated:
        yield at(
            told.RowFailed(
                run,
                Side.SALESFORCE,
                campaign_id(1),
                "0039",
                "Kim Lee <kim@firm.example>",
                "status",
                "MOVED",
                "Sent when planned, Responded now",
                "the next run decides anew",
                True,
            ),
            2.1,
        )
    yield at(told.Progress(run, Phase.WRITE_SALESFORCE, 200, 3100, Calls(1, 0)), 2.2)
    yield at(told.PhaseEnded(run, Phase.WRITE_PREDICTIVE, 17900, Calls(0, 4)), 3)
    yield at(told.PhaseEnded(run, Phase.WRITE_SALESFORCE, 3095, Calls(4, 0)), 4)
    yield at(told.PhaseStarted(run, Phase.CHECK, None), 4)
    yield at(told.PhaseEnded(run, Phase.CHECK, 12487, Calls(0, 1)), 4.2)
    done = PlanCounts(
        added=9000,
        removed=2,
        changed=11998,
        conflicts=1,
        rejected=0 if simulated else 4,
        drifted=0 if simulated else 1,
        pending=12,
        mails_released=1204 if simulated else 0,
    )
    state = RunState.DONE if simulated else RunState.PARTIAL
    yield at(told.RunEnded(run, state, done, Calls(6, 7), 4.2), 4.2)
