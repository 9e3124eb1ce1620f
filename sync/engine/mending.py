"""What a person does about runs: stop them, hold them, look at what failed, try it again, take it back.

Base class of ``sync.bootstrap.Shell``. Imports the engine's steps and the store.
"""

from __future__ import annotations

from sync.board import group_failures
from sync.engine.board import unmended
from sync.engine.reads import StoreReads
from sync.errors import UsageError
from sync.ids import CampaignId, RunId
from sync.views import FailureGroup


class Mending(StoreReads):
    """Runs of one org, after they were started."""

    def error_board(self, campaign_id: str | None = None) -> tuple[FailureGroup, ...]:
        """Rows that failed last and were not mended since, by type; of all campaigns or of one."""
        rows = unmended(self.store, CampaignId(campaign_id) if campaign_id else None)
        return group_failures(rows, dict(self.store.campaigns.names()))

    def cancel_run(self, run_id: str) -> RunId:
        """Ask a live run of any process to stop after its batch; the run that was asked.

        Raises:
            UsageError: there is no such run, or it has ended.
        """
        return self._asked(run_id, self.store.asked.cancel(RunId(run_id)))

    def pause_run(self, run_id: str) -> RunId:
        """Ask a live run of any process to hold after its batch; it stays alive. Raises UsageError as above."""
        return self._asked(run_id, self.store.asked.pause(RunId(run_id)))

    def resume_run(self, run_id: str) -> RunId:
        """Let a held run go on. Raises UsageError as above."""
        return self._asked(run_id, self.store.asked.resume(RunId(run_id)))

    def _asked(self, run_id: str, asked: RunId | None) -> RunId:
        if asked is None:
            view = self.run(run_id)
            raise UsageError(
                f"run {run_id} does not live: it ended {view.state.value}",
                left_undone="nothing was asked of it",
                remedy="predictive runs shows which runs live",
            )
        return asked
