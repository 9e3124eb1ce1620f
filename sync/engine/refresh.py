"""Refresh: level and reason of the members of named campaigns, from the service to the org, now.

Imports the engine's steps. Reads nothing of the org, but for what an earlier run left without an answer: the org's
values are those last seen or written; what the service owns is set regardless.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.engine.claims import Claims, open_claims
from sync.engine.confirm import confirm
from sync.engine.feed import read_service
from sync.engine.gate import Choice, check_writable
from sync.engine.parts import Parts
from sync.engine.planning import Wanted
from sync.engine.reading import read_campaigns
from sync.engine.reconcile import reconcile
from sync.engine.sync_run import apply_plan, draw_plan, refuse_rest, run_to_end, started_of
from sync.ids import CampaignId
from sync.model import Campaign, RunKind
from sync.views import RunResult


def refresh_campaigns(parts: Parts, campaigns: Mapping[CampaignId, str], choice: Choice) -> RunResult:
    """Bring level and reason of these campaigns to the org.

    Raises:
        Refused: read-only, or none was ever started. Locked: another live run has it.
    """
    choice.check()
    check_writable(parts)
    claims = open_claims(parts, RunKind.REFRESH, started_of(parts, campaigns), cancel=choice.cancel)
    refuse_rest(claims, campaigns)

    def work() -> None:
        if reconcile(claims.live):
            read_campaigns(claims.live, claims.held)
        read_service(claims.live, claims.held)
        confirm(claims.live, claims.held, org_was_read=False)
        headers = known_headers(claims)
        wanted = Wanted(RunKind.REFRESH, headers, parts.clock.now())
        apply_plan(claims, draw_plan(claims, wanted), headers, choice)

    return run_to_end(claims, work)


def known_headers(claims: Claims) -> tuple[Campaign, ...]:
    """Headers of the held campaigns as last read."""
    records = (claims.live.parts.store.campaigns.get(key) for key in claims.held)
    return tuple(record.campaign for record in records if record is not None)
