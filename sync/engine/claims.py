"""Which campaigns a run has to itself, and how it ends for each and for all.

Imports the store and values. One campaign: the run claims it. Several: a parent run with a child run per campaign;
a campaign that another live run has, or that is locked out, is left out and said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sync.budget import cost
from sync.engine.live import LiveRun, start
from sync.engine.parts import Cancel, Parts
from sync.engine.tally import Done
from sync.errors import Locked, PredictiveError
from sync.events import CampaignSkipped
from sync.ids import CampaignId
from sync.model import Calls, RunKind, RunState
from sync.plan import Cost, GuardVerdict, PlanCounts
from sync.views import CampaignResult, Difference, RunResult

_CODES = {RunState.PARTIAL: 4, RunState.REFUSED: 5, RunState.FAILED: 1, RunState.CANCELLED: 130}
_STATES = {4: RunState.PARTIAL, 5: RunState.REFUSED, 1: RunState.FAILED}


@dataclass(slots=True)
class Ended:
    """How a campaign's part ended."""

    state: RunState
    counts: PlanCounts
    error: str | None = None
    guards: tuple[GuardVerdict, ...] = ()


@dataclass(slots=True)
class Claims:
    """A run and the campaigns that it has. ``live`` is the parent, or the single campaign's run itself.

    ``extra`` belongs to no campaign. ``mails`` of a campaign, and what was done to it ``early``, before there was a
    plan, are counted with it when its part ends.
    """

    live: LiveRun
    names: dict[CampaignId, str]
    single: CampaignId | None = None
    children: dict[CampaignId, LiveRun] = field(default_factory=dict)
    skipped: dict[CampaignId, tuple[str, int]] = field(default_factory=dict)
    ended: dict[CampaignId, Ended] = field(default_factory=dict)
    plan_id: str | None = None
    cost: Cost = Cost()
    extra: PlanCounts = PlanCounts()
    mails: dict[CampaignId, PlanCounts] = field(default_factory=dict)
    early: dict[str, Done] = field(default_factory=dict)

    @property
    def held(self) -> tuple[CampaignId, ...]:
        """Campaigns that this run may work on, in id order."""
        mine = {self.single} if self.single else set(self.children)
        return tuple(sorted(key for key in mine if key is not None and key not in self.skipped))

    def claim(self, campaign_id: CampaignId, name: str) -> bool:
        """Take one more campaign; False, and said, when another run has it."""
        self.names[campaign_id] = name
        live = self.live
        try:
            self.children[campaign_id] = start(
                live.parts,
                live.kind,
                campaign_id=campaign_id,
                campaign_name=name,
                parent=live.run,
                simulated=live.simulated,
                exclusive=True,  # a simulation lands what it reads, so it too must be alone with the campaign
            )
        except Locked as error:
            self.skip(campaign_id, name, error.line())
            return False
        return True

    def skip(self, campaign_id: CampaignId, name: str, why: str, saved_calls: int = 0) -> None:
        """Leave a campaign out, and say why and what that saves."""
        self.names[campaign_id] = name
        self.skipped[campaign_id] = (why, saved_calls)
        self.live.emit(CampaignSkipped(self.live.run, campaign_id, name, why, saved_calls))
        child = self.children.pop(campaign_id, None)
        if child is not None:
            child.end(RunState.NOTHING_TO_DO, PlanCounts())

    def finish(self, campaign_id: CampaignId, ended: Ended) -> None:
        """A campaign's part ended."""
        more = self.mails.get(campaign_id, PlanCounts())
        early = self.early.pop(campaign_id, None)
        if early is not None:
            more = more + early.counts(PlanCounts())
        quiet = ended.state is RunState.NOTHING_TO_DO and not (more.mails_sent or more.predictive_rows)
        state = RunState.DONE if ended.state is RunState.NOTHING_TO_DO and not quiet else ended.state
        ended = replace(ended, state=state, counts=ended.counts + more)
        self.ended[campaign_id] = ended
        child = self.children.get(campaign_id)
        if child is not None:
            child.end(ended.state, ended.counts, error=ended.error)

    def foresee_nothing_more(self) -> None:
        """There is nothing to plan: what was spent so far is all that the run will cost."""
        spent = self.live.calls()
        self.foresee(Cost(predicted=spent, maximum=spent, lower_bound=spent, spent=spent))

    def foresee(self, cost: Cost) -> None:
        """What a run without a plan will cost; kept with the run."""
        self.cost = cost
        self.live.parts.store.runs.set_plan(self.live.lease, None, cost.predicted)

    def early_of(self, campaign_ids: Collection[CampaignId]) -> dict[str, Done]:
        """Take over what was done early to these campaigns, to be counted once with what is done next."""
        return {key: self.early.pop(key) for key in campaign_ids if key in self.early}

    def close(self, error: PredictiveError | None = None, *, differences: tuple[Difference, ...] = ()) -> RunResult:
        """End the run itself, and everything of it that is still alive."""
        state, code = self._verdict(error)
        if self.cost == Cost() and self.live.foreseen != Calls():
            # It ended before it had a plan: its prediction is what was foreseen for the step at which it ended.
            self.foresee(cost(self.live.foreseen, least=self.live.least))
        told = error.line(wrote=self.live.parts.store.journal.wrote(self.live.run)) if error else None
        for campaign_id in self.held:
            if campaign_id not in self.ended:
                self.finish(campaign_id, Ended(state, PlanCounts(), told))
        counts = sum((each.counts for each in self.ended.values()), start=self.extra)
        live = self.live
        seconds = live.seconds()
        calls = live.calls()
        live.end(state, counts, error=told)
        return RunResult(
            run=live.run,
            kind=live.kind,
            state=state,
            simulated=live.simulated,
            seconds=seconds,
            counts=counts,
            calls=calls,
            predicted=self.cost.predicted,
            maximum=self.cost.maximum,
            lower_bound=self.cost.lower_bound,
            campaigns=tuple(self._results()),
            failed_rows=live.parts.store.journal.failed_rows(live.run),
            differences=differences,
            plan_id=self.plan_id,
            error=told,
            exit_code=code,
            locked=isinstance(error, Locked),
        )

    def _verdict(self, error: PredictiveError | None) -> tuple[RunState, int]:
        if error is not None:
            code = error.exit_code
            if code == 130:
                return RunState.CANCELLED, code
            return _STATES.get(code, RunState.FAILED), code
        codes = {_CODES.get(each.state, 0) for each in self.ended.values()}
        if self.extra.rejected or self.extra.drifted:
            codes.add(_CODES[RunState.PARTIAL])
        code = _combined(codes)
        if code:
            return _STATES.get(code, RunState.FAILED), code
        wrote = any(each.state is RunState.DONE for each in self.ended.values())
        wrote = wrote or any(getattr(self.extra, name) for name in ("salesforce_rows", "predictive_rows"))
        return (RunState.DONE if wrote else RunState.NOTHING_TO_DO), 0

    def _results(self) -> Iterable[CampaignResult]:
        for campaign_id in sorted(self.names):
            name = self.names[campaign_id]
            why = self.skipped.get(campaign_id)
            ended = self.ended.get(campaign_id)
            if why is not None:
                yield CampaignResult(campaign_id, name, None, PlanCounts(), skipped=why[0], saved_calls=why[1])
            elif ended is not None:
                child = self.children.get(campaign_id)
                yield CampaignResult(
                    campaign_id,
                    name,
                    ended.state,
                    ended.counts,
                    error=ended.error,
                    run=child.run if child else self.live.run,
                    guards=ended.guards,
                )


def _combined(codes: set[int]) -> int:
    """The same code if all agree; else 1 if any failed, else 4."""
    if len(codes) > 1:
        return 1 if 1 in codes else 4
    return next(iter(codes), 0)


def open_claims(
    parts: Parts,
    kind: RunKind,
    campaigns: Mapping[CampaignId, str],
    *,
    cancel: Cancel | None = None,
    simulated: bool = False,
    batch: bool = False,
    exclusive: bool | None = None,
) -> Claims:
    """Begin a run over *campaigns* (id → name).

    Raises:
        Locked: the only campaign is taken; or, for a batch, another live batch has the org; or all are taken.
    """
    if len(campaigns) == 1 and not batch:
        ((campaign_id, name),) = campaigns.items()
        live = start(
            parts,
            kind,
            campaign_id=campaign_id,
            campaign_name=name,
            cancel=cancel,
            simulated=simulated,
            exclusive=exclusive,
        )
        return Claims(live, {campaign_id: name}, single=campaign_id)
    live = start(parts, kind, cancel=cancel, simulated=simulated, exclusive=exclusive if not batch else None)
    claims = Claims(live, dict(campaigns))
    for campaign_id, name in sorted(campaigns.items()):
        claims.claim(campaign_id, name)
    if campaigns and not batch and not claims.children:
        error = Locked("every campaign is taken by another run", left_undone="nothing was written")
        claims.close(error)
        raise error
    return claims
