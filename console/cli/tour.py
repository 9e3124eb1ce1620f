"""The scripted tour: the four syncs, a preview, sending, an audience that answers, and a proof, step by step.

Everything it shows is done by the same shell that the console drives, against the embedded servers; what people do in
Salesforce meanwhile is done by a plain HTTP client. A step that does not come out as it says ends the tour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.cli.plans import words
from console.cli.prose import columns, number, safe, state
from console.cli.strangers import MORE_PEOPLE
from console.report import cost, counted
from sync.errors import FatalError, PredictiveError
from sync.ids import CampaignId
from sync.model import Campaign, CampaignType, RunKind, RunState
from sync.words import plural

if TYPE_CHECKING:
    from console.cli.offline import Offline
    from sync.bootstrap import Shell
    from sync.clock import Clock
    from sync.plan import Plan
    from sync.views import RunResult

SUBJECT = "Spring is here, and so are we"
HTML = """<html><body>
<p>Hello {{first_name}},</p>
<p>see <a href="https://www.example.com/spring">what is new this spring</a>.</p>
<p>Example Ltd, 1 Example Street, Exampletown</p>
</body></html>"""

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """A finished step: what was done, what came of it, how long it took."""

    title: str
    lines: tuple[str, ...]
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


class TourBroke(FatalError):
    """A step did not come out as it says."""


Told = tuple[list[str], dict[str, Any]]


class Tour:
    """Walks through the steps on one pair of servers."""

    __slots__ = ("_campaign", "_clock", "_offline", "_others_ids", "_plan", "_shell")

    def __init__(self, offline: Offline, shell: Shell, clock: Clock) -> None:
        self._offline = offline
        self._shell = shell
        self._clock = clock
        self._campaign: Campaign | None = None
        self._plan: Plan | None = None
        self._others_ids: tuple[CampaignId, ...] = ()

    def steps(self) -> Iterator[Step]:
        """Do one step after the other.

        Raises:
            TourBroke: naming the step and what was wrong.
        """
        script: tuple[tuple[str, Callable[[], Told]], ...] = (
            ("Start a Salesforce org and a Predictive service on this machine", self._servers),
            ("Read the org's campaigns: one API call", self._overview),
            ("New Edition on the first campaign", self._new_edition),
            ("Give its first edition a subject, a body with a link, no delay", self._content),
            ("Test-send it, without which nothing may go out, and switch it on", self._test_and_activate),
            ("Meanwhile in Salesforce: people come and go", self._org_changes),
            ("Preview: what would Synchronize write?", self._preview),
            ("Synchronize: apply exactly that", self._apply),
            ("Hourly batch: send what is due", self._send),
            ("Five minutes pass; the simulated audience is quick", self._audience),
            ("Hourly batch: levels, statuses and statistics come back", self._pull),
            ("Eight hours on, Refresh: levels and reasons, now", self._refresh),
            ("New Edition on a scheduled and a drip campaign", self._others),
            ("And again in Salesforce people come and go", self._more_changes),
            ("Simulate the nightly batch: nothing is written", self._simulate),
            ("Nightly batch over every campaign with auto-sync", self._nightly),
            ("Where the campaigns stand", self._table),
            ("Hourly batch: the rest of the answers", self._settle),
            ("Verify: read both sides afresh, with other code, and compare", self._verify),
        )
        for title, do in script:
            began = self._clock.monotonic()
            try:
                lines, facts = do()
            except TourBroke as error:
                raise TourBroke(f"{title}: {error.what}", left_undone="the tour ends here") from error
            except PredictiveError as error:
                raise TourBroke(f"{title}: {error.line()}", left_undone="the tour ends here") from error
            yield Step(title, tuple(lines), self._clock.monotonic() - began, facts)

    # ------------------------------------------------------------ what each step does

    @property
    def campaign(self) -> Campaign:
        """The campaign of the tour."""
        if self._campaign is None:
            raise TourBroke("the org has no campaign")
        return self._campaign

    def _servers(self) -> Told:
        where = self._offline.wait()
        lines = [f"Salesforce {where.instance_url}", f"Predictive {where.base_url}"]
        return lines, {"salesforce": where.instance_url, "predictive": where.base_url}

    def _overview(self) -> Told:
        views = self._shell.load_campaigns()
        expect(bool(views), "no campaign was found")
        first = min(views, key=lambda view: (str(view.campaign.created), view.campaign.id))
        self._campaign = first.campaign
        rows = [
            [
                view.campaign.name,
                view.campaign.type.value if view.campaign.type else view.campaign.type_label,
                view.state,
                "auto-sync" if view.campaign.auto_sync else "",
                number(view.campaign.number_of_leads + view.campaign.number_of_contacts),
            ]
            for view in views
        ]
        return columns(["Campaign", "Type", "State", "", "Members>"], rows), {"campaigns": len(views)}

    def _new_edition(self) -> Told:
        result = self._shell.new_edition(self.campaign.id)
        ended(result, RunState.DONE)
        expect(result.counts.editions_created == 5, f"{result.counts.editions_created} editions were made, not 5")
        expect(result.counts.added > 0, "nobody was added")
        names = [item.name for item in self._shell.detail(self.campaign.id).editions]
        return [*of_run(result), f"editions: {', '.join(names)}"], facts_of(result)

    def _content(self) -> Told:
        after = self._shell.edit_edition(self.campaign.id, "1", {"subject": SUBJECT, "html": HTML, "days_delay": 0})
        expect(after.subject == SUBJECT, "the subject was not kept")
        return [f"{after.name}: “{after.subject}”, {after.state}"], {"edition": after.id}

    def _test_and_activate(self) -> Told:
        sent, recipients, tested = self._shell.test_send(self.campaign.id, "1")
        expect(sent > 0 and tested.tested_at is not None, "no test mail was sent")
        active = self._shell.edit_edition(self.campaign.id, "1", {"active": True})
        expect(active.active, "the edition is not active")
        blocked = "; ".join(item.text for item in active.blocked_by)
        return [f"sent to {safe(', '.join(recipients))}", f"{active.name}: {active.state} {blocked}".rstrip()], {
            "test_mails": sent
        }

    def _org_changes(self) -> Told:
        done = self._offline.org().stir(self.campaign.id)
        return list(done), {"changes": len(done)}

    def _preview(self) -> Told:
        made = self._shell.make_plan((self.campaign.id,), kind=RunKind.MANUAL)
        expect(made.counts.added == 3, f"{made.counts.added} persons would be added, not 3")
        expect(made.counts.removed == 2, f"{made.counts.removed} persons would be removed, not 2")
        expect(not made.refused, "; ".join(verdict.text for verdict in made.refused))
        self._plan = made
        shown = words(
            made,
            self._shell.plan_groups(made.plan_id),
            lambda side, change: self._shell.plan_rows(made.plan_id, side=side, change=change, limit=3),
            most=3,
        )
        return shown, {"rows": made.rows, "predicted_api_calls": made.cost.predicted.salesforce}

    def _apply(self) -> Told:
        if self._plan is None:
            raise TourBroke("there is no plan")
        foreseen = self._plan.counts
        result = self._shell.apply(self._plan.plan_id)
        ended(result, RunState.DONE)
        same = (result.counts.added, result.counts.removed, result.counts.changed)
        expect(same == (foreseen.added, foreseen.removed, foreseen.changed), "it did not apply what was shown")
        return of_run(result), facts_of(result)

    def _send(self) -> Told:
        result = self._shell.batch(RunKind.HOURLY)
        ended(result, RunState.DONE, RunState.NOTHING_TO_DO)
        if result.counts.mails_sent == 0:
            # Sending hours and weekdays may keep mails back; the next weekday's morning is within them.
            self._offline.advance(_until_morning(self._offline.now()))
            result = self._shell.batch(RunKind.HOURLY)
        ended(result, RunState.DONE)
        expect(result.counts.mails_sent > 0, "no mail was due")
        return of_run(result), facts_of(result)

    def _audience(self) -> Told:
        self._offline.advance(HOUR / 12)
        return [f"it is {self._offline.now():%Y-%m-%d %H:%M} UTC on both servers"], {}

    def _pull(self) -> Told:
        result = self._shell.batch(RunKind.HOURLY)
        ended(result, RunState.DONE)
        view = self._shell.detail(self.campaign.id).view
        expect(view.opened > 0, "nobody opened")
        expect(result.counts.salesforce_rows > 0, "nothing came back")
        answers = f"sent {number(view.sent)}, opened {number(view.opened)}, clicked {number(view.clicked)}"
        return [*of_run(result), answers], facts_of(result)

    def _refresh(self) -> Told:
        self._offline.advance(8 * HOUR)
        result = self._shell.refresh((self.campaign.id,))
        ended(result, RunState.DONE, RunState.NOTHING_TO_DO)
        return of_run(result), facts_of(result)

    def _others(self) -> Told:
        lines: list[str] = []
        facts: dict[str, Any] = {}
        for wanted in (CampaignType.SCHEDULED, CampaignType.DRIP):
            ready = (view for view in self._shell.overview() if view.campaign.type is wanted and view.state == "active")
            view = next((one for one in ready if one.campaign.auto_sync), None)
            if view is None:
                raise TourBroke(f"the org has no {wanted.value} campaign that could start")
            result = self._shell.new_edition(view.campaign.id)
            ended(result, RunState.DONE)
            lines.append(f"{safe(view.campaign.name)}: {counted(result.counts)}")
            facts[wanted.value] = facts_of(result)
            self._others_ids = (*self._others_ids, view.campaign.id)
        return lines, facts

    def _more_changes(self) -> Told:
        done = self._offline.org().stir(self._others_ids[0], MORE_PEOPLE)
        return list(done), {"changes": len(done)}

    def _simulate(self) -> Told:
        result = self._shell.batch(RunKind.NIGHTLY, simulate=True)
        ended(result, RunState.DONE)
        expect(result.simulated, "it was no simulation")
        expect((result.counts.added, result.counts.removed) == (2, 2), "the night's changes were not foreseen")
        return of_run(result), facts_of(result)

    def _nightly(self) -> Told:
        result = self._shell.batch(RunKind.NIGHTLY)
        ended(result, RunState.DONE)
        expect((result.counts.added, result.counts.removed) == (2, 2), "it did not do what was simulated")
        skipped = [item for item in result.campaigns if item.skipped]
        lines = [f"left out: {safe(item.name)}, {safe(item.skipped)}" for item in skipped[:4]]
        lines += [f"… and {len(skipped) - 4} more"] if len(skipped) > 4 else []
        return [*of_run(result), *lines], facts_of(result)

    def _table(self) -> Told:
        views = self._shell.overview()
        rows = [
            [
                view.campaign.name,
                view.state,
                number(view.total),
                number(view.active),
                number(view.sent),
                number(view.opened),
                number(view.clicked),
                state(view.last_state.value) if view.last_state else "never",
            ]
            for view in views
        ]
        headings = ["Campaign", "State", "Members>", "Active>", "Sent>", "Opened>", "Clicked>", "Last run"]
        meter = self._shell.limits()
        line = (
            f"API meter: {number(meter.used)} of {number(meter.limit)} used, {number(meter.ours)} of them by this tour"
        )
        return [*columns(headings, rows), line], {"used": meter.used, "limit": meter.limit, "ours": meter.ours}

    def _settle(self) -> Told:
        result = self._shell.batch(RunKind.HOURLY)
        ended(result, RunState.DONE, RunState.NOTHING_TO_DO)
        return of_run(result), facts_of(result)

    def _verify(self) -> Told:
        result = self._shell.verify((self.campaign.id, *self._others_ids))
        found = "; ".join(
            f"{item.label} {item.field}: {item.salesforce} | {item.predictive}" for item in result.differences[:5]
        )
        expect(not result.differences, f"{len(result.differences)} differences: {found}")
        expect(result.exit_code == 0, result.error or f"exit code {result.exit_code}")
        people = sum(self._shell.count_members(one) for one in (self.campaign.id, *self._others_ids))
        said = f"✔ both sides are equal: {plural(people, 'member')} of {plural(len(result.campaigns), 'campaign')}"
        return [said, cost(result.calls, result.predicted, result.maximum, result.lower_bound)], facts_of(result)


def expect(holds: bool, otherwise: str) -> None:
    """End the tour unless *holds*."""
    if not holds:
        raise TourBroke(otherwise)


def ended(result: RunResult, *states: RunState) -> None:
    """End the tour unless the run ended in one of *states*."""
    if result.state not in states:
        failed = "; ".join(f"{row.label} {row.field}: {row.code} {row.message}" for row in result.failed_rows[:3])
        raise TourBroke(f"the run ended {result.state.value}: {result.error or failed or 'no reason given'}")


def of_run(result: RunResult) -> list[str]:
    """A run in two lines."""
    return [
        f"{state(result.state.value)}: {counted(result.counts, simulated=result.simulated)}",
        cost(result.calls, result.predicted, result.maximum, result.lower_bound),
    ]


def facts_of(result: RunResult) -> dict[str, Any]:
    """A run's summary line."""
    from console.cli import wire

    return wire.summary(result)


def _until_morning(now: Any) -> float:
    """Seconds to 10:00 UTC of the next weekday."""
    from datetime import timedelta

    at = now.replace(hour=10, minute=0, second=0, microsecond=0)
    while at <= now or at.isoweekday() > 5:
        at += timedelta(days=1)
    return float((at - now).total_seconds())
