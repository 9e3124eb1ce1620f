"""The nightly batch: the manual sync, unattended, over all campaigns with auto-sync; one poll for all of them.

Imports the engine's steps. Closed campaigns cost nothing and are listed with the calls that saves; a setting restores
the original behaviour. At the end the service's own counts are held against what should be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sync.budget import Gear
from sync.engine.claims import Claims, open_claims
from sync.engine.confirm import confirm
from sync.engine.counting import compare_counts
from sync.engine.feed import read_service
from sync.engine.gate import Choice, check_writable
from sync.engine.governor import shift
from sync.engine.parts import Parts
from sync.engine.presence import reconcile_ids
from sync.engine.reading import Reading, check_absence, land, poll, read_auto_sync, scopes_of
from sync.engine.reconcile import reconcile
from sync.engine.sync_run import check_governor, plan_and_apply, run_to_end
from sync.ids import CampaignId
from sync.model import Calls, Campaign, CampaignState, RunKind
from sync.packing import id_read_calls, read_calls
from sync.store.campaigns import CampaignRecord
from sync.views import RunResult

MOST_IDS = 600
"""Campaigns that one read of ids names."""

RECONCILE_AFTER = timedelta(days=7)
"""A campaign whose ids were last compared longer ago than this is compared again, one call's worth a night."""


def nightly(parts: Parts, choice: Choice) -> RunResult:
    """The nightly batch.

    Raises:
        Refused: read-only. Locked: another batch is alive.
    """
    choice.check()
    check_writable(parts)
    claims = open_claims(parts, RunKind.NIGHTLY, {}, cancel=choice.cancel, batch=True)

    def work() -> None:
        check_governor(claims.live, choice)
        reconcile(claims.live)
        reading = read_night(claims)
        check_absence(claims.live, reading)
        if claims.held:
            if shift(parts, claims.live) in (Gear.NORMAL, Gear.WARN):
                _reconcile_oldest(claims)
            read_service(claims.live, claims.held)
            confirm(claims.live, claims.held)
            plan_and_apply(claims, reading, choice, RunKind.NIGHTLY, extra=Calls(0, 1))
            compare_counts(claims, claims.held)
        else:
            claims.foresee_nothing_more()

    return run_to_end(claims, work)


def read_night(claims: Claims, when: datetime | None = None) -> Reading:
    """Claim what is known to be due, poll once, and sort what the poll shows."""
    parts = claims.live.parts
    today = parts.today(when or parts.clock.now())
    for known in parts.store.campaigns.all():
        if known.campaign.auto_sync and _why_not(parts, known, known.campaign.state(today)) is None:
            claims.claim(known.campaign.id, known.campaign.name)
    reading = read_auto_sync(claims.live, claims.held)
    at = when or reading.at or parts.clock.now()
    late: list[CampaignId] = []
    for campaign_id, campaign in sorted(reading.headers.items()):
        if campaign_id in claims.skipped:
            continue
        record = parts.store.campaigns.get(campaign_id)
        why = _why_not(parts, record, campaign.state(parts.today(at)))
        if why is not None:
            saved = _saved_calls(record, campaign) if why.startswith("closed") else 0
            claims.skip(campaign_id, campaign.name, why, saved)
        elif campaign_id not in reading.landed and _has(claims, campaign_id, campaign.name):
            late.append(campaign_id)
    for campaign_id in claims.held:
        if campaign_id not in reading.headers:
            claims.skip(campaign_id, claims.names[campaign_id], "auto-sync is off now, or the campaign is gone")
    # Auto-sync was ticked or a closed campaign was opened again since the last poll, or it is not active but not closed
    # either, or closed and yet to be read.
    for scope in scopes_of(claims.live, late) if late else ():
        poll(claims.live, scope, reading, wanted=frozenset(scope.campaigns or ()))
    return reading


def _has(claims: Claims, campaign_id: CampaignId, name: str) -> bool:
    """True when the run has the campaign, or gets it now."""
    return campaign_id in claims.held or claims.claim(campaign_id, name)


def _why_not(parts: Parts, record: CampaignRecord | None, state: CampaignState) -> str | None:
    if state is CampaignState.CLOSED and not parts.settings.nightly_closed:
        return "closed: costs nothing here; clear auto-sync, or set nightly_closed to sync it as the original does"
    if record is None or not record.started:
        return "never started: New Edition was not done"
    if record.paused:
        return f"paused: {record.paused}"
    if record.locked:
        return f"locked: {record.locked}"
    return None


def _saved_calls(record: CampaignRecord | None, campaign: Campaign) -> int:
    """Calls that reading a closed campaign's members and ids by itself would take."""
    members = campaign.number_of_leads + campaign.number_of_contacts
    return 1 + read_calls(members) if record is None or members else 1


def _reconcile_oldest(claims: Claims) -> None:
    """Compare the ids of campaigns whose turn it is, as many as one call holds; one that was read to its end has had
    its turn."""
    parts = claims.live.parts
    now = parts.clock.now()
    known = parts.store.members.count_known(claims.held)
    records = {key: parts.store.campaigns.get(key) for key in claims.held}
    last = {key: record.reconciled_at if record is not None else None for key, record in records.items()}
    order = parts.store.campaigns.reconciled_longest_ago(claims.held, MOST_IDS)
    turn = turn_of([(key, known.get(key, 0), last[key]) for key in order], now)
    done = reconcile_ids(claims.live, turn, land_rows=land)
    parts.store.campaigns.set_reconciled(done, now)


def turn_of(order: Sequence[tuple[CampaignId, int, datetime | None]], now: datetime) -> tuple[CampaignId, ...]:
    """Whose ids are compared tonight: one call's worth of those that are due, at least one if any is.

    Args:
        order: campaigns with their known members and when they were last compared, the longest ago first.
        now: the present.
    """
    turn: list[CampaignId] = []
    rows = 0
    for campaign_id, members, last in order:
        rows += members
        due = last is None or now - last > RECONCILE_AFTER
        if not due or (turn and id_read_calls(rows) > 1):
            break
        turn.append(campaign_id)
    return tuple(turn)
