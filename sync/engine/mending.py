"""What a person does about runs: stop them, hold them, look at what failed, try it again, take it back.

Base class of ``sync.bootstrap.Shell``. Imports the engine's steps and the store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sync.board import group_failures
from sync.engine.board import unmended
from sync.engine.gate import Choice
from sync.engine.parts import Cancel
from sync.engine.reads import StoreReads
from sync.engine.release import release_hold
from sync.engine.retry import plan_retry
from sync.engine.undo import plan_undo
from sync.errors import UsageError
from sync.ids import CampaignId, RunId
from sync.model import Campaign
from sync.plan import Plan
from sync.views import FailureGroup, RunResult


class Mending(StoreReads):
    """Runs of one org, after they were started."""

    def resolve(self, text: str) -> Campaign:
        """The campaign with this id or exact name."""
        raise NotImplementedError

    def apply(
        self,
        plan_id: str,
        *,
        without_deletes: bool = False,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Write what a kept plan says."""
        raise NotImplementedError

    # ------------------------------------------------------------ taking back

    def plan_undo(self, run_id: str, *, cancel: Cancel | None = None) -> Plan:
        """Read both sides and keep the plan that takes a run back; ``apply`` writes it. See ``sync.engine.undo``."""
        return plan_undo(self.parts(), RunId(run_id), Choice(cancel=cancel))

    def undo(
        self,
        run_id: str,
        *,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """``plan_undo`` and ``apply`` in one go."""
        Choice(False, dict(allow or {}), reason, confirm_name, cancel).check()
        plan = self.plan_undo(run_id, cancel=cancel)
        return self.apply(plan.plan_id, allow=allow, reason=reason, confirm_name=confirm_name, cancel=cancel)

    def release_hold(self, campaign_id: str, person: str | None, *, reason: str) -> RunResult:
        """Give a member whose values an undo holds, or all of them, back to the rules; see ``sync.engine.release``."""
        campaign = self.resolve(campaign_id)
        return release_hold(self.parts(), campaign.id, campaign.name, person, reason)

    # ------------------------------------------------------------ what failed

    def plan_retry(
        self,
        run_id: str,
        *,
        seqs: Collection[int] | None = None,
        code: str | None = None,
        cancel: Cancel | None = None,
    ) -> Plan:
        """Keep a plan of a run's failed rows as they are now; ``apply`` writes it. See ``sync.engine.retry``."""
        return plan_retry(self.parts(), RunId(run_id), Choice(cancel=cancel), seqs=seqs, code=code)

    def retry(
        self,
        run_id: str,
        *,
        seqs: Collection[int] | None = None,
        code: str | None = None,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """``plan_retry`` and ``apply`` in one go."""
        Choice(False, dict(allow or {}), reason, confirm_name, cancel).check()
        plan = self.plan_retry(run_id, seqs=seqs, code=code, cancel=cancel)
        return self.apply(plan.plan_id, allow=allow, reason=reason, confirm_name=confirm_name, cancel=cancel)

    def error_board(self, campaign_id: str | None = None) -> tuple[FailureGroup, ...]:
        """Rows that failed last and were not mended since, by type; of all campaigns or of one."""
        rows = unmended(self.store, CampaignId(campaign_id) if campaign_id else None)
        return group_failures(rows, dict(self.store.campaigns.names()))

    # ------------------------------------------------------------ live runs

    def cancel_run(self, run_id: str) -> RunId:
        """Ask a live run of any process to stop after its batch; the run that was asked.

        Raises:
            UsageError: there is no such run, or it has ended.
        """
        return self._ask(run_id, self.store.asked.cancel)

    def pause_run(self, run_id: str) -> RunId:
        """Ask a live run of any process to hold after its batch; it stays alive. Raises UsageError as above."""
        return self._ask(run_id, self.store.asked.pause)

    def resume_run(self, run_id: str) -> RunId:
        """Let a held run go on. Raises UsageError as above."""
        return self._ask(run_id, self.store.asked.resume)

    def _ask(self, run_id: str, ask: Callable[[RunId], RunId | None]) -> RunId:
        self.store.runs.reap()  # nobody hears what is asked of a run whose process is gone
        asked = ask(RunId(run_id))
        if asked is None:
            view = self.run(run_id)
            raise UsageError(
                f"run {run_id} does not live: it ended {view.state.value}",
                left_undone="nothing was asked of it",
                remedy="predictive runs shows which runs live",
            )
        return asked
