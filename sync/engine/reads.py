"""What the shell gives without the network: views of the store, and campaigns found by what somebody typed.

Imports the store and values. Base class of ``sync.bootstrap.Shell``; safe to use from any thread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo

from sync.choosing import Chosen, Rows
from sync.clock import Clock
from sync.engine import spending, timers
from sync.engine.parts import Parts
from sync.errors import AmbiguousCampaign, UnknownCampaign, UsageError
from sync.events import Event
from sync.ids import CampaignId, RunId, looks_like_id, to18
from sync.merge import fields_off
from sync.model import Campaign, CampaignState, RunKind, Side
from sync.plan import Change, Plan, PlanRow
from sync.settings import OrgSettings
from sync.store.facts import ORG_AHEAD, TIME_ZONE
from sync.store.names import known_names
from sync.store.store import Store
from sync.views import (
    CampaignDetail,
    CampaignView,
    FailedRow,
    JournalRowView,
    LimitsView,
    MemberView,
    PulseView,
    RunView,
    Spending,
    TimerView,
)
from sync.words import plural


class StoreReads:
    """Reads of one org's state."""

    def __init__(self, settings: OrgSettings, store: Store, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock

    def parts(self) -> Parts:
        """The engine's tools; made on first use, because secrets are only asked for when the network is used."""
        raise NotImplementedError

    def today(self) -> date:
        """The date in the org's time zone, by the org's clock as it last answered."""
        facts = self.store.facts
        now = self.clock.now() + timedelta(seconds=int(facts.get(ORG_AHEAD) or 0))
        return now.astimezone(ZoneInfo(facts.get(TIME_ZONE) or "UTC")).date()

    # ------------------------------------------------------------ campaigns and members

    def overview(self) -> tuple[CampaignView, ...]:
        """Every campaign that the store knows."""
        return self.store.views.overview(today=self.today(), next_runs=self._next_runs())

    def mark(self) -> str:
        """A text that is another one once anything was committed to the store."""
        return self.store.witness.mark()

    def pulse(self) -> PulseView:
        """Runs under way, what waits and since when, rows written by the hour."""
        return self.store.pulse.view(self.clock.now())

    def detail(self, campaign_id: str) -> CampaignDetail:
        """One campaign with editions, clicks, history and runs. Raises UnknownCampaign."""
        found = self.store.views.detail(CampaignId(campaign_id), today=self.today(), next_runs=self._next_runs())
        if found is None:
            raise self._unknown(campaign_id)
        return found

    def members(
        self,
        campaign_id: str,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        reason: str = "",
        only: str = "",
        offset: int = 0,
        limit: int = 200,
    ) -> tuple[MemberView, ...]:
        """A window of a campaign's members."""
        return self.store.views.members(
            CampaignId(campaign_id),
            text=text,
            status=status,
            level=level,
            reason=reason,
            only=only,
            offset=offset,
            limit=limit,
            off=fields_off(self.settings.mapping),
        )

    def count_members(
        self,
        campaign_id: str,
        *,
        text: str = "",
        status: str | None = None,
        level: str | None = None,
        reason: str = "",
        only: str = "",
    ) -> int:
        """How many members the same filters give."""
        return self.store.views.count_members(
            CampaignId(campaign_id), text=text, status=status, level=level, reason=reason, only=only
        )

    def _next_runs(self) -> Mapping[CampaignId, datetime]:
        """When a timer touches which campaign next."""
        if not self.settings.timers.enabled or self.store.schedule.paused() is not None:
            return {}
        now, today = self.clock.now(), self.today()
        table = timers.timetable_of(self.settings)
        hourly = table.next_after(RunKind.HOURLY, now)
        nightly = table.next_after(RunKind.NIGHTLY, now)
        out: dict[CampaignId, datetime] = {}
        for record in self.store.campaigns.all():
            if not record.started or record.paused or record.locked:
                continue
            if record.campaign.state(today) is not CampaignState.CLOSED:
                out[record.campaign.id] = min(hourly, nightly) if record.campaign.auto_sync else hourly
        return out

    # ------------------------------------------------------------ runs

    def runs(self, *, campaign_id: str | None = None, limit: int = 100) -> tuple[RunView, ...]:
        """Newest runs first, at most *limit* and beyond them the batches whose parts are listed; one whose process is
        gone has failed, and is told so."""
        self.store.runs.reap(dead_only=True)
        if campaign_id:
            return self.store.runs.list(campaign_id=CampaignId(campaign_id), limit=limit)
        found = self.store.runs.list(limit=limit)
        behind = {each.parent for each in found} - {each.run for each in found}
        return (*found, *(each for each in self.store.runs.wholes(limit=limit) if each.run in behind))

    def batches(self, kind: RunKind) -> tuple[RunView, ...]:
        """The newest runs of a kind of batch, newest first, without their parts; dead ones as :meth:`runs` has them."""
        self.store.runs.reap(dead_only=True)
        return self.store.runs.wholes(kind=kind)

    def run(self, run_id: str) -> RunView:
        """One run. Raises UsageError."""
        self.store.runs.reap(dead_only=True)
        found = self.store.runs.get(RunId(run_id))
        if found is None:
            raise UsageError(f"there is no run {run_id!r}", remedy="predictive runs lists them")
        return found

    def events(self, run_id: str) -> tuple[Event, ...]:
        """The journal of a run."""
        return self.store.journal.events(RunId(run_id))

    def failed_rows(self, run_id: str) -> tuple[FailedRow, ...]:
        """Rows that were rejected, drifted or have an unknown fate."""
        return self.store.journal.failed_rows(RunId(run_id))

    def run_rows(
        self, run_id: str, *, text: str = "", state: str = "", offset: int = 0, limit: int = 200
    ) -> tuple[JournalRowView, ...]:
        """A window of a run's journal."""
        return self.store.journal_lists.rows(RunId(run_id), text=text, state=state, offset=offset, limit=limit)

    def count_run_rows(self, run_id: str, *, text: str = "", state: str = "") -> int:
        """How many rows the same filter gives."""
        return self.store.journal_lists.count(RunId(run_id), text=text, state=state)

    def limits(self) -> LimitsView:
        """The API meter as last heard, and what the next batches will take."""
        return spending.limits(self.store, self.settings, self.today())

    def spending(self) -> Spending:
        """Who spent the calls of the last 24 hours, and on what; and what was wasted."""
        return spending.spending(self.store, self.settings, self.today())

    def schedule(self) -> tuple[TimerView, ...]:
        """The timers with their next firing."""
        return timers.views(self.store, self.settings, self.clock.now(), simulated=self.is_read_only())

    def known_names(self, words: Collection[str]) -> frozenset[str]:
        """Those of *words* (lower case) that are part of somebody's name; see ``sync.store.names``."""
        return known_names(self.store.database, words)

    def is_read_only(self) -> bool:
        """True when nothing may be written to this org."""
        return self.settings.read_only

    # ------------------------------------------------------------ plans

    def plan(self, plan_id: str) -> Plan:
        """Header of a stored plan. Raises UsageError."""
        return self.store.plans.get(plan_id)

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
        """A window of a plan's rows."""
        where = CampaignId(campaign_id) if campaign_id else None
        return self.store.plans.rows(
            plan_id, text=text, side=side, change=change, campaign_id=where, offset=offset, limit=limit
        )

    def count_plan_rows(
        self,
        plan_id: str,
        *,
        text: str = "",
        side: Side | None = None,
        change: Change | None = None,
        campaign_id: str | None = None,
    ) -> int:
        """How many rows the same filters give."""
        where = CampaignId(campaign_id) if campaign_id else None
        return self.store.plans.count(plan_id, text=text, side=side, change=change, campaign_id=where)

    def plan_groups(self, plan_id: str) -> tuple[tuple[Side, Change, int], ...]:
        """Rows by side and change."""
        return self.store.plans.groups(plan_id)

    def rejected(self, plan_id: str) -> set[int]:
        """Rows that a person took out of the plan."""
        return self.store.plans.rejected(plan_id)

    def set_accepted(
        self,
        plan_id: str,
        seqs: Collection[int] | None,
        accepted: bool,
        change: Change | None = None,
        side: Side | None = None,
        text: str = "",
    ) -> None:
        """Take rows out of the plan or put them back."""
        self.store.plans.set_accepted(plan_id, seqs, accepted, change=change, side=side, text=text)

    def count_accepted(self, plan_id: str) -> int:
        """How many rows of a plan will be written."""
        return self.store.plans.count_accepted(plan_id)

    def choose(self, plan_id: str, chosen: Chosen) -> int:
        """Take rows out of a plan and in, as a person chose; how many are accepted after it.

        Raises:
            UsageError: something chooses no row of this plan.
        """
        most = self.store.plans.get(plan_id).rows
        with self.store.transaction():
            if chosen.only:
                self.store.plans.set_accepted(plan_id, None, False)
            for rows, accepted in (
                *((rows, True) for rows in chosen.only),
                *((rows, False) for rows in chosen.reject),
                *((rows, True) for rows in chosen.accept),
            ):
                self._choose(plan_id, rows, accepted, most)
        return self.store.plans.count_accepted(plan_id)

    def _choose(self, plan_id: str, rows: Rows, accepted: bool, most: int) -> None:
        seqs = None if rows.numbers is None else range(rows.numbers.start, min(rows.numbers.stop, most + 1))
        count = self.store.plans.set_accepted(
            plan_id, seqs, accepted, change=rows.change, side=rows.side, text=rows.text
        )
        if count:
            return
        offered = self.store.plans.count(plan_id, text=rows.text, side=rows.side, change=rows.change)
        by_number = accepted and seqs is None and offered
        raise UsageError(
            f"{rows.word} chooses {'only rows that are accepted one by one' if by_number else 'no row of the plan'}",
            left_undone="nothing was written",
            remedy="name them by number"
            if by_number
            else f"the plan has {plural(most, 'row')}; predictive plan shows them",
        )

    def save_plan(self, plan_id: str, path: Path) -> None:
        """Write the plan to a file that can be applied later."""
        self.store.plans.export(plan_id, path)

    def export_csv(self, plan_id: str, path: Path) -> None:
        """Write the plan's rows as CSV, for people."""
        self.store.plans.export_csv(plan_id, path)

    def load_plan(self, path: Path) -> Plan:
        """Take in a plan file. Raises BadPlanFile."""
        return self.store.plans.load(path)

    # ------------------------------------------------------------ finding campaigns

    def found(self, text: str) -> Campaign | None:
        """The campaign with this id or exact name, as far as the store knows.

        Raises:
            AmbiguousCampaign: several have this name.
        """
        if looks_like_id(text):
            record = self.store.campaigns.get(CampaignId(to18(text)))
            if record is not None:
                return record.campaign
        named = self.store.campaigns.named(text)
        # One that is gone keeps its name from nobody.
        named = tuple(each for each in named if not each.is_deleted) or named
        if len(named) > 1:
            raise AmbiguousCampaign(
                f"{plural(len(named), 'campaign is', 'campaigns are')} called {text!r}",
                left_undone="nothing was read or written",
                remedy=f"give the id: {', '.join(campaign.id for campaign in named)}",
            )
        return named[0] if named else None

    def _unknown(self, text: str) -> UnknownCampaign:
        names = [name for _, name in self.store.campaigns.names()]
        near = get_close_matches(text, names, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(repr(name) for name in near)}?" if near else "predictive campaigns lists them"
        )
        return UnknownCampaign(f"there is no campaign {text!r}", left_undone="nothing was read or written", remedy=hint)
