"""Made-up campaigns, members, runs, plans and stories: the same for every picture and every test of a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sync import events as told
from sync.events import Event, Phase
from sync.failures import failure_of
from sync.ids import CampaignId, EditionId, RunId
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
from sync.plan import Change, GuardVerdict, PlanCounts, PlanRow, Subject
from sync.story import (
    Condition,
    EditionStory,
    FieldState,
    MailSent,
    MemberStory,
    Step,
    Suppression,
)
from sync.views import (
    CampaignResult,
    CampaignView,
    FailedRow,
    JournalRowView,
    MemberView,
    RunView,
    Warned,
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
            warnings=(Warned("rejected", "4 members with a rejected status. See the run's failed rows."),),
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
            warnings=(
                Warned("locked", "Locked: base and service disagree about 40 members. Look at it, then unlock it."),
            ),
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
            warnings=(Warned("closed-auto-sync", "Closed, but auto-sync is still on. Clear auto-sync."),),
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
            FieldState("email", of.email, of.email, of.email, "agreed", "Salesforce owns it"),
            FieldState("status", "Sent", "Responded", "Sent", "pending", "three-way"),
            FieldState("reason", None, "Opt Out Direct", None, "pending", "Predictive owns it"),
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
        verdict="not mailed now: edition 2 Not Opened: The member is active: no, Opt Out Direct [member_active]",
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
